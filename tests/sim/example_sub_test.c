/* example_sub_test.c - the stories of examples/sub, with a crash at every write. */
#include "scene_kit.h"

int sub_main(int argc, char **argv);
#define main sub_main
#include "../../examples/sub/sub.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

static const char *callback(fish_sim *s)
{
	return fish_str(fish_sim_call(s, "hub /subscribe", 0), "/callback");
}

/* The hub delivers each event twice. */
static void emit(fish_sim *s, int n)
{
	for (int i = 0; i < 2; i++)
		fish_sim_check(s, fish_sim_post(s, callback(s), scene_text(s, "event-%d", n), "{price: %d}", n) == 200);
}

/* Each event came once and in order, whatever life took it; the URL was always the same. */
static void unsubscribed(fish_sim *s, const char *id, int events, size_t lives)
{
	fish_sim_ends(s, id, "{seen: %d}", events);
	fish_sim_check(s, fish_sim_calls(s, "sink /event") == (size_t)events);
	for (int i = 0; i < events; i++) {
		const fish_msg *m = fish_sim_call(s, "sink /event", (size_t)i);

		fish_sim_check(s, fish_int(m, "/n", -1) == i + 1 && fish_int(m, "/event/price", -1) == i);
	}
	fish_sim_check(s, fish_sim_calls(s, "hub /subscribe") == lives);
	fish_sim_check(s, fish_sim_calls(s, "hub /unsubscribe") == 1);
	for (size_t i = 0; i < lives; i++)
		fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "hub *", i), "/callback"), callback(s)) == 0);
	fish_sim_check(s, fish_sim_post(s, callback(s), NULL, "{price: -1}") == 410);
}

static void a_life_of_five_events(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "subscription", "{topic: 'prices', batch: 5}");

	(void)arg;
	for (int i = 0; i < 13; i++)
		emit(s, i);
	fish_sim_pass(s, FISH_MINUTE);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	unsubscribed(s, id, 13, 3);
}

static void the_lease_runs_out(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "subscription", "{topic: 'prices'}");

	(void)arg;
	for (int i = 0; i < 3; i++) {
		emit(s, i);
		fish_sim_pass(s, 20 * FISH_HOUR);
	}
	emit(s, 3);
	fish_sim_pass(s, 0);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	unsubscribed(s, id, 4, 4);
}

static void cancelled_with_events_on_their_way(fish_sim *s, void *arg)
{
	(void)arg;
	for (int i = 9; i < 11; i++)
		fish_sim_call_back(s, "hub /unsubscribe", "/callback", &(fish_sim_back){ .copies = 2 }, "{price: %d}", i);
	const char *id = fish_sim_start(s, "subscription", "{topic: 'prices', batch: 2}");

	for (int i = 0; i < 9; i++)
		emit(s, i);
	fish_sim_pass(s, 0);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	unsubscribed(s, id, 11, 5);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, a_life_of_five_events);
	SURVIVES(program, the_lease_runs_out);
	SURVIVES(program, cancelled_with_events_on_their_way);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
