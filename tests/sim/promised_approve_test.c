/* promised_approve_test.c - the story of tests/api/approve.c, which stands there letter by letter as users were
 * promised that they may write it, with a crash at every write. */
#include "scene_kit.h"

int approve_main(int argc, char **argv);
#define main approve_main
#include "../api/approve.c"
#undef main

static void approved(fish_sim *s, void *arg)
{
	static const char *const headers[] = { "X-User: mia", NULL };
	const char *id = fish_sim_start(s, "approval", "{manager: 'mia', director: 'dora'}");
	const char *url = fish_str(fish_sim_call(s, "mail /send", 0), "/approve");

	(void)arg;
	fish_sim_pass(s, 3 * FISH_DAY);
	fish_sim_check(s, fish_sim_post_with(s, url, &(fish_sim_delivery){
		.headers = headers, .body = "{\"why\": \"cheap\"}", .len = strlen("{\"why\": \"cheap\"}") }) == 200);
	fish_sim_ends(s, id, "{approved: true, by: 'mia', why: 'cheap'}");
	fish_sim_check(s, fish_sim_calls(s, "mail /send") == 2);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, approved);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
