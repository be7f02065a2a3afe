/* example_pay_test.c - the stories of examples/pay, with a crash at every write. */
#include "scene_kit.h"

int pay_main(int argc, char **argv);
#define main pay_main
#include "../../examples/pay/pay.c"
#undef main

#define INTENT "stripe /v1/payment_intents"
#define UNDO   INTENT "/pi_1/cancel"
#define REFUND "stripe /v1/refunds"

static const fish_program program = { .flows = flows, .peers = peers };

static const char *begin(fish_sim *s)
{
	fish_sim_answer(s, INTENT, NULL, 200, "{id: 'pi_1'}");
	const char *id = fish_sim_start(s, "pay", "{order: '7', amount: 1995}");
	const fish_msg *told = fish_sim_call(s, INTENT, 0);

	fish_sim_check(s, fish_int(told, "/amount", 0) == 1995 && strcmp(fish_str(told, "/currency"), "eur") == 0);
	fish_sim_check(s, strcmp(fish_header(told, "authorization"), "Bearer STRIPE_KEY") == 0);
	return id;
}

static const char *callback(fish_sim *s)
{
	return fish_str(fish_sim_call(s, INTENT, 0), "/metadata/callback");
}

static void called(fish_sim *s, size_t undone, size_t refunds, size_t sold)
{
	fish_sim_check(s, fish_sim_calls(s, INTENT) == 1);
	fish_sim_check(s, fish_sim_calls(s, UNDO) == undone);
	fish_sim_check(s, fish_sim_calls(s, REFUND) == refunds);
	fish_sim_check(s, fish_sim_calls(s, "shop /paid") == sold);
}

static void paid(fish_sim *s, void *arg)
{
	const char *id = begin(s);

	(void)arg;
	fish_sim_pass(s, FISH_MINUTE);
	for (int i = 0; i < 2; i++)           /* as Stripe does */
		fish_sim_check(s, fish_sim_post(s, callback(s), "evt_1", "{data: {object: {paid: true}}}") == 200);
	fish_sim_check(s, fish_sim_post_with(s, callback(s), &(fish_sim_delivery){ .body = "paid", .len = 4 }) == 400);
	fish_sim_ends(s, id, "{order: '7', paid: true, refunded: false}");
	fish_sim_check(s, fish_sim_post(s, callback(s), "evt_1", "{}") == 200);
	fish_sim_check(s, fish_sim_post(s, callback(s), "evt_2", "{}") == 410);
	called(s, 0, 0, 1);
}

static void declined(fish_sim *s, void *arg)
{
	const char *id = begin(s);

	(void)arg;
	fish_sim_check(s, fish_sim_post(s, callback(s), NULL, "{data: {object: {paid: false}}}") == 200);
	fish_sim_ends(s, id, "{order: '7', paid: false, refunded: false}");
	called(s, 1, 0, 0);
}

static void nobody_pays(fish_sim *s, void *arg)
{
	int64_t since = fish_sim_now(s);

	(void)arg;
	fish_sim_ends(s, begin(s), "{order: '7', paid: false, refunded: false}");
	fish_sim_check(s, fish_sim_now(s) == since + 15 * FISH_MINUTE);
	fish_sim_check(s, fish_sim_post(s, callback(s), NULL, "{}") == 410);
	called(s, 1, 0, 0);
}

static void paid_too_late(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, UNDO, NULL, 409, "{}");
	fish_sim_ends(s, begin(s), "{order: '7', paid: false, refunded: true}");
	fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, REFUND, 0), "/payment_intent"), "pi_1") == 0);
	called(s, 1, 1, 0);
}

static void sold_out(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "shop /paid", NULL, 409, "{}");
	fish_sim_call_back(s, INTENT, "/metadata/callback", NULL, "{data: {object: {paid: true}}}");
	fish_sim_ends(s, begin(s), "{order: '7', paid: false, refunded: true}");
	called(s, 0, 1, 1);
}

static void stripe_is_away(fish_sim *s, void *arg)
{
	const fish_msg *why = NULL;

	(void)arg;
	fish_sim_answer(s, INTENT, NULL, 503, "{}");
	const char *id = fish_sim_start(s, "pay", "{order: '7', amount: 1995}");

	fish_sim_check(s, fish_sim_wait(s, id, &why) == FISH_EFAILED);
	fish_sim_check(s, strcmp(fish_str(why, ""), "stripe: 503") == 0);
	called(s, 0, 0, 0);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, paid);
	SURVIVES(program, declined);
	SURVIVES(program, nobody_pays);
	SURVIVES(program, paid_too_late);
	SURVIVES(program, sold_out);
	SURVIVES(program, stripe_is_away);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
