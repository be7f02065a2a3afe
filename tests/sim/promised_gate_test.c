/* promised_gate_test.c - the story of tests/api/gate.c, which stands there letter by letter as users were
 * promised that they may write it, with a crash at every write. */
#include "scene_kit.h"

int gate_main(int argc, char **argv);
#define main gate_main
#include "../api/gate.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

static void two_of_three(fish_sim *s, void *arg)
{
	static const char *const passed[] = { "true", "false", "true" };
	const char *id = fish_sim_start(s, "gate", "{jobs: ['gcc', 'clang', 'arm'], need: 2}");

	(void)arg;
	for (size_t i = 0; i < 3; i++)
		fish_sim_check(s, fish_sim_post(s, fish_str(fish_sim_call(s, "runner /run", i), "/callback"), NULL,
		                                "{passed: %-s}", passed[i]) == 200);
	fish_sim_ends(s, id, "{good: 2, of: 3}");
}

static void quotes(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "dear /quote", NULL, 200, "{price: 11}");
	fish_sim_answer(s, "low /quote", &(fish_sim_how){ .after_ms = 9 * FISH_SECOND }, 200, "{price: 10}");
	fish_sim_answer(s, "mute /quote", NULL, 0, "null");
	const char *id = fish_sim_start(s, "quote", "{item: 'anvil', partners: [{name: 'dear', url: 'http://a'}, "
	                                "{name: 'low', url: 'http://b'}, {name: 'mute', url: 'http://c'}]}");

	fish_sim_ends(s, id, "{from: 'low', quote: {price: 10}}");
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, two_of_three);
	SURVIVES(program, quotes);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
