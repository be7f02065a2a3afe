/* promised_pay_test.c - the story of tests/api/pay.c, which stands there letter by letter as users were
 * promised that they may write it, with a crash at every write. */
#include "scene_kit.h"

int pay_main(int argc, char **argv);
#define main pay_main
#include "../api/pay.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

static void paid(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "stripe /v1/payment_intents", NULL, 200, "{id: 'pi_1'}");
	fish_sim_call_back(s, "stripe /v1/payment_intents", "/metadata/callback",
	                   &(fish_sim_back){ .after_ms = FISH_MINUTE, .copies = 2 }, "{data: {object: {paid: true}}}");
	fish_sim_ends(s, fish_sim_start(s, "pay", "{order: '7', amount: 1995}"), "{order: '7', paid: true}");
	fish_sim_check(s, fish_sim_calls(s, "stripe *") == 1 && fish_sim_calls(s, "shop *") == 1);
}

static void not_paid(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "stripe /v1/payment_intents", NULL, 200, "{id: 'pi_1'}");
	fish_sim_answer(s, "stripe /v1/payment_intents/pi_1/cancel", NULL, 409, "{}");
	fish_sim_ends(s, fish_sim_start(s, "pay", "{order: '7', amount: 1995}"), "{order: '7', paid: false}");
	fish_sim_check(s, fish_sim_calls(s, "stripe /v1/refunds") == 1);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, paid);
	SURVIVES(program, not_paid);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
