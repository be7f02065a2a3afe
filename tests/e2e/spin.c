/* spin.c - a flow that takes step after step and never waits, until it is told to stop, and one that waits
 * for a word. */
#include <fish.h>

static void spins(fish_flow *f, const fish_msg *in)
{
	fish_hook *stop = fish_spawn(f, "stop");
	long long n = 0;

	(void)in;
	while (!fish_next(stop, 0))
		fish_publish(f, "n", "%lld", ++n);
	fish_done(f, "{stopped: true}");
}

static void good(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "word");

	(void)in;
	fish_done(f, "{word: %-s}", fish_raw(fish_next(h, FISH_HOUR), ""));
}

static const fish_def flows[] = { FISH_FLOW(spins), FISH_FLOW(good), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
