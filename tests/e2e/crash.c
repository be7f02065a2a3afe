/* crash.c - a flow that kills its process each time it runs on, and one that minds its own business. */
#include <fish.h>

#include <signal.h>

static void bad(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_sleep(f, 1);
	/* Dies even where a sanitizer would catch a bad access and exit politely. */
	raise(SIGKILL);
	fish_done(f, "null");
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
