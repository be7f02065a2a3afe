/* diverge.c - a flow whose next build asks for something else, when BUILD says so. */
#include <fish.h>

#include <stdlib.h>
#include <string.h>

static bool build_is(const char *name)
{
	const char *build = getenv("BUILD");

	return build && strcmp(build, name) == 0;
}

static void changed(fish_flow *f, const fish_msg *in)
{
	fish_hook *first = fish_spawn(f, "first");

	(void)in;
	if (build_is("renamed"))
		fish_sleep(f, 1);                                       /* here it differs */
	if (build_is("patched") && fish_patch(f, "sleep-"))
		fish_sleep(f, 1);
	fish_hook *second = fish_spawn(f, "second");
	const fish_msg *m = fish_any(f, FISH_FOREVER, first, second);

	fish_done(f, "{to: %s}", fish_name(m->hook));
}

static const fish_def flows[] = { FISH_FLOW(changed), FISH_END };

int main(int argc, char **argv)
{
	return fish_main(argc, argv, &(fish_program){ .flows = flows });
}
