/* unordered.c - a flow that breaks the rule of one step per statement.
 *
 * Two steps stand side by side in the arguments of one call: gcc takes the right one first, clang the left
 * one. Here on purpose; fish-check-flows finds it. */
#include <fish.h>

static const fish_peer left  = { .name = "left",  .url = "${PARTNER_URL}" };
static const fish_peer right = { .name = "right", .url = "${PARTNER_URL}" };

static long long difference(const fish_msg *a, const fish_msg *b)
{
	return fish_int(a, "/n", 0) - fish_int(b, "/n", 0);
}

static void unordered(fish_flow *f, const fish_msg *in)
{
	(void)in;
	long long n = difference(fish_post(f, &left, "/left", "{}"), /* finds: order */
	                         fish_post(f, &right, "/right", "{}"));

	fish_next(fish_spawn(f, "go on"), FISH_FOREVER);
	fish_done(f, "{difference: %lld}", n);
}

static const fish_def flows[] = { FISH_FLOW(unordered), FISH_END };
static const fish_peer *const peers[] = { &left, &right, NULL };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
