/* example_intents_test.c - the stories of examples/intents, with a crash at every write. */
#include "scene_kit.h"

int intents_main(int argc, char **argv);
#define main intents_main
#include "../../examples/intents/intents.c"
#undef main

#define INTENT "stripe /v1/payment_intents"

static const fish_program program = {
	.flows = flows, .peers = peers, .senders = senders, .doors = doors };

static int event(fish_sim *s, const char *id, const char *type, const char *intent)
{
	return fish_sim_post(s, "/in/stripe", NULL, "{id: %s, type: %s, data: {object: {id: %s}}}", id, type, intent);
}

/* The shop posts its order. */
static void ordered(fish_sim *s, const char *order)
{
	fish_sim_check(s, fish_sim_post(s, "/in/orders", NULL, "{order: %s, amount: 1995}", order) == 200);
}

static void early(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, INTENT, NULL, 200, "{id: 'pi_1'}");
	fish_sim_check(s, event(s, "evt_1", "payment_intent.succeeded", "pi_1") == 200);
	fish_sim_check(s, event(s, "evt_1", "payment_intent.succeeded", "pi_1") == 200);
	fish_sim_pass(s, FISH_HOUR);
	ordered(s, "7");
	ordered(s, "7");
	fish_sim_pass(s, FISH_MINUTE);
	fish_sim_check(s, fish_sim_calls(s, INTENT) == 1);
	fish_sim_check(s, fish_sim_calls(s, INTENT "/pi_1/cancel") == 0);
	fish_sim_pass(s, 2 * FISH_DAY);
	fish_sim_check(s, fish_sim_calls(s, INTENT "/pi_1/cancel") == 0);
}

static void after_a_failed_try(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, INTENT, NULL, 200, "{id: 'pi_1'}");
	ordered(s, "7");
	fish_sim_pass(s, FISH_HOUR);
	fish_sim_check(s, event(s, "evt_1", "payment_intent.payment_failed", "pi_1") == 200);
	fish_sim_pass(s, FISH_HOUR);
	fish_sim_check(s, event(s, "evt_2", "payment_intent.succeeded", "pi_1") == 200);
	fish_sim_pass(s, 2 * FISH_DAY);
	fish_sim_check(s, fish_sim_calls(s, INTENT "/pi_1/cancel") == 0);
}

static void nobody_pays(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, INTENT, NULL, 200, "{id: 'pi_1'}");
	ordered(s, "7");
	fish_sim_check(s, event(s, "evt_2", "payment_intent.succeeded", "pi_2") == 200);
	fish_sim_pass(s, 2 * FISH_DAY);
	fish_sim_check(s, fish_sim_calls(s, INTENT "/pi_1/cancel") == 1);
	fish_sim_check(s, event(s, "evt_1", "ping", "") == 200);
	fish_sim_pass(s, 9 * FISH_DAY);           /* the boxes go */
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, early);
	SURVIVES(program, after_a_failed_try);
	SURVIVES(program, nobody_pays);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
