/* crash.c - a flow that kills its process whenever it runs and CRASH is set, and one that minds its own
 * business. */
#include <fish.h>

#include <signal.h>
#include <stdlib.h>

static void bad(fish_flow *f, const fish_msg *in)
{
	(void)in;
	for (;;) {
		fish_sleep(f, 10);
		/* Dies even where a sanitizer would catch a bad access and exit politely. */
		if (getenv("CRASH"))
			raise(SIGKILL);
	}
}

static void good(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "word");

	(void)in;
	fish_done(f, "{word: %-s}", fish_raw(fish_next(h, FISH_HOUR), ""));
}

static const fish_def flows[] = { FISH_FLOW(bad), FISH_FLOW(good), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
