/* globals.c - variables that outlive the flow, seen from flows and from elsewhere.
 *
 * Read by fish-check-flows only. A line that ends in "finds: RULE" must give just that finding, and
 * every other line none. */
#include <fish.h>

static int count;
long total;
extern int limit;
static _Thread_local int per_thread;
static const char *region = "north";
static char line[80];
static fish_peer moved = { .name = "moved", .url = "${MOVED_URL}" };
static int (*chosen)(int);
static volatile int flag;
static int met;     /* fish-check: allow, a counter for the metrics that no flow reads */

static const fish_peer peer = { .name = "peer", .url = "${PEER_URL}" };
static const char *const names[] = { "a", "b" };
static const char text[] = "text";
static const int primes[2][2] = { { 2, 3 }, { 5, 7 } };
static int (*const fixed)(int);
typedef const struct { int x; } frozen;
static frozen ice = { 1 };

static int helper(int n)
{
	count += n; /* finds: global */
	return count;
}

static int deeper(int n)
{
	static int calls; /* not counted in a re-run as it was before */
	static const int step = 2;
	calls += step; /* finds: global */
	return helper(n) + calls;
}

/* Only main calls it, and main is no flow. */
static void set_up(void)
{
	limit = 3;
	total = 0;
	region = "south";
}

static void child(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_log(f, "%ld", total); /* finds: global */
	total++;
	total++;
}

static void changing(fish_flow *f, const fish_msg *in)
{
	int local = deeper(1);
	if (local > limit) /* finds: global */
		return;
	per_thread = local; /* finds: global */
	fish_spawn(f, region); /* finds: global */
	line[0] = 'x'; /* finds: global */
	fish_post(f, &moved, "/", "%-s", fish_raw(in, "")); /* finds: global */
	local += chosen(local); /* finds: global */
	while (!flag) /* finds: global */
		fish_sleep(f, FISH_SECOND);
	met++;
	count = local; /* fish-check: allow, nobody reads it */
	count = local + 1; /* finds: global */
}

static void unchanging(fish_flow *f, const fish_msg *in)
{
	fish_each(fish_spawn(f, names[primes[0][1] - 2]), child);
	fish_post(f, &peer, text, "{ice: %d, fixed: %d, in: %-s}", ice.x, fixed(1), fish_raw(in, ""));
}

static const fish_def flows[] = {
	FISH_FLOW(changing), FISH_FLOW(unchanging), FISH_FLOW(child), FISH_END
};

int main(int argc, char **argv)
{
	set_up();
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
