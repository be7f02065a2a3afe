/* example_broker_test.c - what examples/broker and its partners do to each other, with a crash at every write. */
#include "scene_kit.h"

int broker_main(int argc, char **argv);
#define main broker_main
#include "../../examples/broker/broker.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

static const char *begin(fish_sim *s)
{
	return fish_sim_start(s, "region", "{region_id: 'north'}");
}

static int place(fish_sim *s, const char *name)
{
	return fish_sim_post(s, fish_str(fish_sim_call(s, "app /region", 0), "/webhook_url"), name, "{id: %s}", name);
}

/* The id of the flow that a call came from is not the scenario's to know: its end shows in the calls. */
static void an_order_finds_its_courier(fish_sim *s, void *arg)
{
	const char *id = begin(s);

	(void)arg;
	fish_sim_call_back(s, "partner /order", "/callback", &(fish_sim_back){ .after_ms = FISH_SECOND, .copies = 2 }, "{}");
	fish_sim_call_back(s, "app /accept", "/callback", &(fish_sim_back){ .after_ms = FISH_MINUTE, .copies = 2 },
	                   "{courier: 'ann'}");
	fish_sim_check(s, place(s, "o-1") == 200);
	fish_sim_check(s, place(s, "o-1") == 200);
	fish_sim_settle(s);
	fish_sim_check(s, fish_sim_calls(s, "partner /order") == 1);
	fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "partner /order", 0), "/order/id"), "o-1") == 0);
	fish_sim_check(s, fish_sim_calls(s, "app /accept") == 1);
	fish_sim_check(s, place(s, "o-1") == 200);
	fish_sim_check(s, fish_sim_post(s, fish_str(fish_sim_call(s, "app /accept", 0), "/callback"), NULL, "{}") == 410);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	fish_sim_check(s, fish_sim_wait(s, id, NULL) == FISH_ECANCELLED);
	fish_sim_check(s, place(s, "o-2") == 410);
}

/* Answers come when it is too late, before they are asked for, and never. */
static void partners_are_late_and_early(fish_sim *s, void *arg)
{
	begin(s);
	(void)arg;
	fish_sim_answer(s, "partner /order", &(fish_sim_how){ .after_ms = 2 * FISH_SECOND }, 200, "{}");
	fish_sim_call_back(s, "partner /order", "/callback", &(fish_sim_back){ .calls = 1 }, "{}");
	fish_sim_call_back(s, "partner /order", "/callback", &(fish_sim_back){ .after_ms = 7 * FISH_SECOND }, "{}");
	fish_sim_check(s, place(s, "early") == 200);
	fish_sim_check(s, place(s, "late") == 200);
	fish_sim_settle(s);
	fish_sim_check(s, fish_sim_calls(s, "app /accept") == 1);
	fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "app /accept", 0), "/order"), "early") == 0);
}

static void the_app_says_no(fish_sim *s, void *arg)
{
	begin(s);
	(void)arg;
	fish_sim_answer(s, "app /accept", NULL, 409, "{}");
	fish_sim_call_back(s, "partner /order", "/callback", &(fish_sim_back){ .copies = 3 }, "{}");
	fish_sim_check(s, place(s, "o-1") == 200);
	fish_sim_settle(s);
	fish_sim_check(s, fish_sim_calls(s, "app /accept") == 1);
}

static void many_orders_at_once(fish_sim *s, void *arg)
{
	begin(s);
	(void)arg;
	fish_sim_call_back(s, "partner /order", "/callback", &(fish_sim_back){ .after_ms = 10 }, "{}");
	fish_sim_call_back(s, "app /accept", "/callback", &(fish_sim_back){ .calls = 3, .after_ms = 10 }, "{courier: 'bo'}");
	for (int i = 0; i < 6; i++)
		fish_sim_check(s, place(s, scene_text(s, "o-%d", i)) == 200);
	fish_sim_settle(s);
	fish_sim_check(s, fish_sim_calls(s, "app /accept") == 6);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, an_order_finds_its_courier);
	SURVIVES(program, partners_are_late_and_early);
	SURVIVES(program, the_app_says_no);
	SURVIVES(program, many_orders_at_once);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
