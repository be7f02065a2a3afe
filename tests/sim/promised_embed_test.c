/* promised_embed_test.c - the story of tests/api/embed.c, which stands there letter by letter as users were
 * promised that they may write it, with a crash at every write. */
#include "scene_kit.h"

int embed_main(void);
#define main embed_main
#include "../api/embed.c"
#undef main

static const fish_program program = { .flows = flows };

static void greeted(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_ends(s, fish_sim_start(s, "greet", "{who: 'you'}"), "{hello: 'you'}");
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, greeted);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
