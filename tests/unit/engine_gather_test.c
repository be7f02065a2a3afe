/* engine_gather_test.c - a turn that leaves its batch for the next one: company is let in, and nothing
 * leaves or is forgotten meanwhile. */
#include "engine_kit.h"

static void taker(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	while (fish_next(h, FISH_FOREVER)) {}
}

static const fish_def flows[] = { FISH_FLOW(taker), FISH_END };
static const fish_program program = { .flows = flows };

static struct engine_figures figures(const struct kit *k)
{
	struct engine_figures f;

	engine_figures(k->engine, &f);
	return f;
}

static void many_rounds_are_one_commit(void **state)
{
	struct knock n[5];
	struct kit k;

	(void)state;
	kit_open(&k, &program, 1000);
	kit_start(&k, "taker", "null");
	uint64_t before = figures(&k).commits;

	for (size_t i = 0; i < 5; i++) {
		kit_knock(&k, &n[i], k.log.ptr, "1", NULL);
		assert_true(engine_gather(k.engine));
		assert_int_equal(n[i].status, 0);
		assert_int_equal(figures(&k).untaken, 0);      /* the flow has run on all the same */
	}
	assert_int_equal(store_memory_pending(k.store), 0);
	kit_turn(&k);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(n[i].status, 200);
	assert_int_equal(figures(&k).commits, before + 1);
	kit_close(&k);
}

static void nothing_waits_that_cannot_go(void **state)
{
	struct knock n;
	struct kit k;

	(void)state;
	kit_open(&k, &program, 1000);
	assert_false(engine_gather(k.engine));
	kit_start(&k, "taker", "null");
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, k.log.ptr, "1", NULL);
	engine_turn(k.engine);
	kit_knock(&k, &(struct knock){ .status = 0 }, "forged", "1", NULL);
	/* The store is busy: to be called again and again would be to spin. */
	assert_false(engine_gather(k.engine));
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	kit_close(&k);
}

static void idle_flows_are_parked_by_it_too(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 1000);
	kit_start(&k, "taker", "null");
	assert_int_equal(figures(&k).resident, 1);
	k.now_ms += 1000;
	assert_true(engine_gather(k.engine));     /* that it is parked is to be committed */
	kit_turn(&k);
	assert_int_equal(figures(&k).parked, 1);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_rounds_are_one_commit),
		cmocka_unit_test(nothing_waits_that_cannot_go),
		cmocka_unit_test(idle_flows_are_parked_by_it_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
