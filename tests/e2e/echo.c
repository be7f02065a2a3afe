/* echo.c - the smallest program for the tests of the command line: flows that end at
 * once, that wait on a hook, that fail, that call a peer, and that never rest. */
#include <fish.h>

#include <stdbool.h>
#include <stdio.h>

static const fish_peer nobody = { .name = "nobody", .url = "${FISH_E2E_PEER}" };

/* Ends at once with what it was given. */
static void greet(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "{hello: %s, input: %-s}", fish_str(in, "/name"), fish_raw(in, ""));
}

/* Ends with what came to its hook, or with null after a minute. */
static void await(fish_flow *f, const fish_msg *in)
{
	fish_hook *word = fish_spawn(f, "word");
	const fish_msg *m = fish_next(word, FISH_MINUTE);

	(void)in;
	fish_done(f, "{came: %-s}", m != NULL ? fish_raw(m, "") : NULL);
}

static void refuse(fish_flow *f, const fish_msg *in)
{
	fish_fail(f, "no good: %s", fish_str(in, "/why"));
}

/* Calls a peer that nobody is: its attempts go on until it gives up or is cancelled. */
static void knock(fish_flow *f, const fish_msg *in)
{
	fish_post(f, &nobody, "/door", "{knock: %-s}", fish_raw(in, ""));
}

/* Has a hook and never listens to it. */
static void deaf(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_spawn(f, "ear");
	fish_sleep(f, FISH_MINUTE);
}

/* Computes for ever and reaches no step; says on stderr that it has begun. */
static void spin(fish_flow *f, const fish_msg *in)
{
	volatile bool on = true;

	(void)f;
	(void)in;
	fputs("spinning\n", stderr);
	while (on)
		;
}

static const fish_def flows[] = {
	FISH_FLOW(greet),
	FISH_FLOW(await),
	FISH_FLOW(refuse),
	FISH_FLOW(knock),
	FISH_FLOW(deaf),
	FISH_FLOW(spin),
	FISH_END,
};
static const fish_peer *const peers[] = { &nobody, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
