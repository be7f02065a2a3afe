/* crash.c - a flow that kills its process whenever it runs and CRASH is set, one that does so in what it
 * defers, one that comes a few durable steps further before it does, and one that minds its own business. */
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

static void dies(void *arg)
{
	(void)arg;
	if (getenv("CRASH"))
		raise(SIGKILL);
}

/* Ends, and so dies, in the first life that is told to crash, however long the ones before it lasted. */
static void defers(fish_flow *f, const fish_msg *in)
{
	int crash = 0;

	(void)in;
	fish_defer(f, dies, NULL);
	while (!crash) {
		fish_sleep(f, 10);
		while (fish_once(f, "crash", &crash, sizeof crash))
			crash = getenv("CRASH") != NULL;
	}
}

/* Kills with the second that is run in this process: a replay runs none. */
static int effect(int n)
{
	if (getenv("CRASH") && getenv("CRASHES_NOW"))
		raise(SIGKILL);
	setenv("CRASHES_NOW", "1", 1);
	return n + 1;
}

static void climbs(fish_flow *f, const fish_msg *in)
{
	int n = 0;

	(void)in;
	for (;;) {
		fish_sleep(f, 10);
		/* All before an effect is durable when it begins. */
		while (fish_once(f, "effect", &n, sizeof n))
			n = effect(n);
		fish_publish(f, "height", "%d", n);
	}
}

static void good(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "word");

	(void)in;
	fish_done(f, "{word: %-s}", fish_raw(fish_next(h, FISH_HOUR), ""));
}

static const fish_def flows[] = { FISH_FLOW(bad), FISH_FLOW(defers), FISH_FLOW(climbs), FISH_FLOW(good), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
