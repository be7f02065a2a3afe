/* braces.cc - the order of steps in C++, which knows one more: that of a list in braces.
 *
 * Read by fish-check-flows only. A line that ends in "finds: RULE" must give just that finding, and
 * every other line none. */
#include <fish.h>

struct pair {
	pair(const fish_msg *a, const fish_msg *b) : first(a), second(b) {}
	const fish_msg *first;
	const fish_msg *second;
};

static int seen;
static constexpr int limit = 3;

extern "C" {
static void braces(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_spawn(f, "a");
	fish_hook *both[] = { fish_timer(f, 1), fish_timer(f, 2) };
	pair listed{ fish_next(a, 1), fish_next(both[0], 1) };
	pair called(fish_next(a, 1), fish_next(both[1], 1)); /* finds: order */
	const fish_msg *m = fish_any(f, limit, a, fish_timer(f, 3));
	m = fish_any(f, limit, fish_timer(f, 4), fish_timer(f, 5)); /* finds: order */
	auto later = [&] { return fish_next(a, 1) == fish_next(a, 2); }; /* finds: order */
	seen += later(); /* finds: global */
	fish_done(f, "[%-s, %-s, %-s, %-s]", fish_raw(in, ""), fish_raw(m, ""), fish_raw(listed.first, ""),
	          fish_raw(called.second, ""));
}
}

extern const fish_def braces_flows[] = { FISH_FLOW(braces), FISH_END };
