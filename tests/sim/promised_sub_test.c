/* promised_sub_test.c - the story of tests/api/sub.c, which stands there letter by letter as users were
 * promised that they may write it, with a crash at every write. */
#include "scene_kit.h"

int sub_main(int argc, char **argv);
#define main sub_main
#include "../api/sub.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

static void two_events(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "subscription", "{topic: 'prices'}");
	const char *url = fish_str(fish_sim_call(s, "hub /subscribe", 0), "/callback");

	(void)arg;
	fish_sim_check(s, fish_sim_post(s, url, NULL, "1") == 200);
	fish_sim_pass(s, 21 * FISH_HOUR);     /* into the next life */
	fish_sim_check(s, fish_sim_post(s, url, NULL, "2") == 200);
	fish_sim_pass(s, 0);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	fish_sim_ends(s, id, "{seen: 2}");
	fish_sim_check(s, fish_sim_calls(s, "sink /event") == 2 && fish_sim_calls(s, "hub /unsubscribe") == 1);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, two_events);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
