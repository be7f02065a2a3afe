/* quote.c - asks up to fifty partners at once and takes the best offer of the first so many.
 *
 * Scatter-gather with a quorum: all calls are under way together, and who is slow is not
 * waited for once enough others have answered. The partners come with the input, so that
 * nothing here names them. Start it with
 *
 *     quote start quote '{"item": "anvil", "quorum": 2, "partners": [
 *         {"name": "acme", "url": "http://127.0.0.1:4001"}, … ]}'
 */
#include <fish.h>

enum { PARTNERS_MAX = 50 };

static fish_hook *ask(fish_flow *f, const fish_msg *in, size_t i, int64_t limit_ms)
{
	/* Copied at the call. No attempt outlives the limit, since a flow that ends waits for
	 * the attempts that are under way. */
	fish_peer p = {
		.name = fish_str(in, fish_fmt(f, "/partners/%zu/name", i)),
		.url = fish_str(in, fish_fmt(f, "/partners/%zu/url", i)),
		.timeout_ms = limit_ms,
		.give_up_ms = limit_ms };

	return fish_send(f, &p, "/quote", "{item: %-s}", fish_raw(in, "/item"));
}

static void quote(fish_flow *f, const fish_msg *in)
{
	fish_hook *asked[PARTNERS_MAX];
	const fish_msg *got[PARTNERS_MAX];
	size_t n = fish_count(in, "/partners");
	int64_t limit_ms = 10 * fish_int(in, "/second_ms", FISH_SECOND);
	long long missing = fish_int(in, "/quorum", (long long)n);

	if (n > PARTNERS_MAX || missing < 1)
		fish_fail(f, "%zu partners and a quorum of %lld", n, missing);
	for (size_t i = 0; i < n; i++)
		asked[i] = ask(f, in, i, limit_ms);

	/* Refusals come back as answers too and count for nothing, so that a round of gathering
	 * may leave some missing. fish_now is the journal's time: a re-run sees the same. */
	long long until = fish_now(f) + limit_ms;
	const fish_msg *best = NULL;
	size_t from = 0;
	while (missing > 0
	       && fish_gather(f, until - fish_now(f), asked, n, (size_t)missing, got) > 0)
		for (size_t i = 0; i < n; i++) {
			if (!got[i])
				continue;
			asked[i] = NULL;         /* has answered: neither waited for nor cancelled */
			if (!fish_ok(got[i]) || !fish_has(got[i], "/cents"))
				continue;
			missing--;
			if (!best || fish_int(got[i], "/cents", 0) < fish_int(best, "/cents", 0)) {
				best = got[i];
				from = i;
			}
		}

	/* The others are not tried again. An attempt that is under way holds up the end, and
	 * whoever is in a hurry reads the best offer here. */
	fish_publish(f, "best", "%-s", fish_raw(best, ""));
	for (size_t i = 0; i < n; i++)
		if (asked[i])
			fish_cancel(asked[i]);
	if (missing > 0)
		fish_fail(f, "too few quotes in time");
	fish_done(f, "{from: %-s, quote: %-s}", fish_raw(in, fish_fmt(f, "/partners/%zu/name", from)),
	          fish_raw(best, ""));
}

static const fish_def flows[] = { FISH_FLOW(quote), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
