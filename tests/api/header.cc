/* header.cc - fish.h as a C++20 program sees it: only compiled, with every warning an error.
 *
 * What differs from C is here: the template behind fish_any, the attributes, designated
 * initialisers, and fish_fn as a type of functions with C linkage. */
#include <fish.h>

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

int main(int argc, char **argv)
{
	static const fish_program program = { .flows = flows, .peers = nullptr, .reserved = {} };
	return fish_main(argc, argv, &program);
}
