/* header.cc - fish.h and fish-sim.h as a C++20 program sees them: only compiled, with every warning an error.
 *
 * What differs from C is here: the template behind fish_any, the attributes, designated
 * initialisers, and fish_fn as a type of functions with C linkage. */
#include <fish-sim.h>

extern "C" {
static void race(fish_flow *f, const fish_msg *in)
{
	fish_hook *taken = fish_spawn(f, "taken");
	fish_hook *late = fish_timer(f, 5 * FISH_SECOND);
	const fish_msg *m = fish_any(f, FISH_FOREVER, taken, late);
	if (m && m->hook == taken)
		fish_done(f, "{by: %s, order: %-s}", fish_str(m, "/by"), fish_raw(in, ""));
	fish_fail(f, "nobody in %lld ms", static_cast<long long>(5 * FISH_SECOND));
}
}

static const fish_def flows[] = { FISH_FLOW(race), FISH_END };

extern "C" {
static void in_time(fish_sim *s, void *)
{
	const char *id = fish_sim_start(s, "race", "{order: %d}", 7);
	fish_sim_check(s, fish_sim_post(s, fish_sim_url(s, id, "taken"), nullptr, "{by: 'ann'}") == 200);
	fish_sim_ends(s, id, "{by: 'ann', order: {order: 7}}");
}
}

int test()
{
	static const fish_program program = { .flows = flows, .peers = nullptr, .senders = nullptr, .doors = nullptr, .reserved = {} };
	fish_sim_options o = {};
	o.program = &program;
	return fish_sim_each_crash(&o, in_time, nullptr);
}

int main(int argc, char **argv)
{
	static const fish_program program = { .flows = flows, .peers = nullptr, .senders = nullptr, .doors = nullptr, .reserved = {} };
	return fish_main(argc, argv, &program);
}
