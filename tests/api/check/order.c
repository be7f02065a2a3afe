/* order.c - steps that nothing orders, and their neighbours that something does.
 *
 * Read by fish-check-flows only. A line that ends in "finds: RULE" must give just that finding, and
 * every other line none. */
#include <fish.h>

static const fish_peer peer = { .name = "peer", .url = "${PEER_URL}" };

/* Somewhere else, and handed a flow: it may well take a step. */
long elsewhere(fish_flow *f, long n);
long pure(long n);
extern long (*const chosen)(fish_flow *f);

static const fish_msg *ask(fish_flow *f, const char *path)
{
	return fish_post(f, &peer, path, "{}");
}

static long twice(fish_flow *f, long n)
{
	return n + ask(f, "/n")->status;
}

static long both(long a, long b)
{
	return a + b;
}

static void unordered(fish_flow *f, fish_hook *a, fish_hook *b)
{
	long n = both(fish_int(fish_next(a, 1), "", 0), fish_int(fish_next(b, 1), "", 0)); /* finds: order */
	n += fish_post(f, &peer, "/a", "{}")->status + fish_post(f, &peer, "/b", "{}")->status; /* finds: order */
	n = twice(f, 1) * twice(f, 2); /* finds: order */
	n = ask(f, "/a")->status - (n ? ask(f, "/b")->status : 0); /* finds: order */
	n = elsewhere(f, 1) + elsewhere(f, 2); /* finds: order */
	n = chosen(f) + chosen(f); /* finds: order */
	const fish_msg *got[2] = { fish_next(a, 1), fish_next(b, 1) }; /* finds: order */
	fish_log(f, "%ld %s", n, fish_str(got[0], ""));
	got[fish_next(a, 1) == NULL] = fish_next(b, 1); /* finds: order */
	fish_any(f, FISH_MINUTE, fish_timer(f, 1), fish_timer(f, 2)); /* finds: order */
	if (fish_next(a, 1) == fish_next(b, 1)) /* finds: order */
		fish_log(f, "equal");
	for (int i = 0; i < twice(f, 0) + twice(f, 1); i++) /* finds: order */
		fish_log(f, "%d", i);
	fish_log(f, "%lld %d", fish_now(f), ask(f, "/now")->status); /* finds: order */
	fish_log(f, "%d", fish_closed(a) + (fish_next(a, 1) != NULL)); /* finds: order */
	both((long)fish_random(f), (long)fish_random(f)); /* finds: order */
}

static void ordered(fish_flow *f, fish_hook *a, fish_hook *b)
{
	fish_hook *timer = fish_timer(f, 1), *other = fish_timer(f, 2);
	const fish_msg *m = fish_next(a, 1);
	const fish_msg *n = fish_next(b, 1);
	long sum = m && n ? twice(f, 1) : twice(f, 2);
	if (fish_next(a, 1) && fish_next(b, 1))
		sum++;
	if (!fish_next(a, 1) || !fish_next(b, 1))
		sum++;
	m = fish_next(a, 1) ? fish_next(a, 2) : fish_next(b, 1);
	fish_next(a, 1), fish_next(b, 1);
	m = fish_next(a, 1) ?: fish_next(b, 1);
	/* An argument is done before its call begins. */
	fish_post(f, &peer, "/x", "{x: %s}", fish_str(fish_next(a, 1), "/x"));
	fish_post(f, &peer, "/x", "{x: %lld, y: %s}", fish_now(f), fish_str(m, "/x"));
	fish_any(f, FISH_MINUTE, timer, fish_timer(f, 2), other);
	sum += pure(sum) + twice(f, 2) + both(1, 2) + (long)sizeof(fish_next(a, 1));
	fish_log(f, "%ld %lld %lld", sum, fish_now(f), fish_now(f) + (long long)fish_random(f));
	for (int i = (int)twice(f, 0); i < twice(f, 1); i += (int)twice(f, 2))
		sum++;
	sum = twice(f, 1) + twice(f, 2); /* fish-check: allow, both ask for the same */
}

static void order(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_hook *a = fish_spawn(f, "a");
	fish_hook *b = fish_spawn(f, "b");
	unordered(f, a, b);
	ordered(f, a, b);
}

const fish_def order_flows[] = { FISH_FLOW(order), FISH_END };
