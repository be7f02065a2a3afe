/* engine_once_test.c - fish_once and fish_work: begun when all before is durable, recorded exactly once. */
#include "engine_kit.h"

#include <fish-sim.h>

struct sum { int a, b; };

static void add(const void *arg, void *result)
{
	const struct sum *s = arg;
	int *to = result;

	assert_int_equal(*to, 0);             /* zeroed before */
	*to = s->a + s->b;
}

/* What the effect of a flow does to the world of the test. */
static int charges;

static int charge(int amount)
{
	charges++;
	return amount + 1;
}

static void pays(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "order");
	int paid;

	(void)in;
	fish_log(f, "order %s", fish_url(h));
	const fish_msg *m = fish_next(h, FISH_FOREVER);

	while (fish_once(f, "charge", &paid, sizeof paid))
		paid = charge((int)fish_int(m, "/amount", 0));
	fish_done(f, "{paid: %d}", paid);
}

static void pays_long(fish_flow *f, const fish_msg *in)
{
	long long paid;

	(void)in;
	fish_sleep(f, 0);
	while (fish_once(f, "charge", &paid, sizeof paid))
		paid = 1;
	fish_done(f, "{paid: %lld}", paid);
}

static void pays_int(fish_flow *f, const fish_msg *in)
{
	int paid;

	(void)in;
	fish_sleep(f, 0);
	while (fish_once(f, "charge", &paid, sizeof paid))
		paid = 1;
	fish_sleep(f, 1000);
	fish_done(f, "{paid: %d}", paid);
}

static void steps_inside(fish_flow *f, const fish_msg *in)
{
	int paid;

	(void)in;
	while (fish_once(f, "charge", &paid, sizeof paid)) {
		paid = 1;
		fish_sleep(f, 10);
	}
}

static void leaves_inside(fish_flow *f, const fish_msg *in)
{
	int paid;

	(void)in;
	while (fish_once(f, "charge", &paid, sizeof paid))
		break;
}

static void nests(fish_flow *f, const fish_msg *in)
{
	int a;
	int b;

	(void)in;
	while (fish_once(f, "outer", &a, sizeof a))
		while (fish_once(f, "inner", &b, sizeof b))
			b = 1;
}

static void nothing_at_all(fish_flow *f, const fish_msg *in)
{
	int times = 0;

	(void)in;
	while (fish_once(f, "nothing", NULL, 0))
		times++;
	fish_done(f, "%d", times);
}

static void too_big(fish_flow *f, const fish_msg *in)
{
	static const size_t size = (1 << 20) + 1;

	(void)in;
	while (fish_once(f, "big", fish_alloc(f, size), size)) {}
}

static void biggest(fish_flow *f, const fish_msg *in)
{
	size_t size = 1 << 20;
	char *big = fish_alloc(f, size);

	(void)in;
	while (fish_once(f, "big", big, size))
		memset(big, 'x', size);
	fish_done(f, "%d", big[size - 1]);
}

static void works(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "stop");
	struct sum s = { 40, 2 };
	int got = 0;

	(void)in;
	fish_log(f, "stop %s", fish_url(h));
	fish_work(f, "add", add, &s, &got, sizeof got);
	fish_done(f, "{got: %d}", got);
}

static void works_and_renews(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "go");
	struct sum s = { 1, (int)fish_int(in, "/n", 0) };
	int got = 0;

	fish_log(f, "go %s", fish_url(h));
	fish_work(f, "add", add, &s, &got, sizeof got);
	if (s.b < 2)
		fish_renew(f, "{n: %d}", s.b + 1);
	fish_done(f, "{got: %d}", got);
}

static void whole(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "order");
	struct sum s = { 5, 6 };
	int first;
	int second;
	int worked;

	(void)in;
	fish_post(f, &partner, "/offer", "{order: %s}", fish_url(h));
	const fish_msg *m = fish_next(h, FISH_FOREVER);

	while (fish_once(f, "first", &first, sizeof first))
		first = (int)fish_int(m, "/n", 0) + 1;
	while (fish_once(f, "second", &second, sizeof second))
		second = first * 2;
	fish_work(f, "add", add, &s, &worked, sizeof worked);
	m = fish_post(f, &partner, "/sum", "{second: %d, worked: %d}", second, worked);
	fish_done(f, "{second: %d, worked: %d, said: %d}", second, worked, m->status);
}

static const fish_def flows[] = {
	FISH_FLOW(pays), FISH_FLOW(pays_int), FISH_FLOW(steps_inside), FISH_FLOW(leaves_inside),
	FISH_FLOW(nests), FISH_FLOW(nothing_at_all), FISH_FLOW(too_big), FISH_FLOW(biggest), FISH_FLOW(works),
	FISH_FLOW(works_and_renews), FISH_FLOW(whole), FISH_END };
static const fish_program program = { .flows = flows };
static const fish_def later_flows[] = { { "pays_int", pays_long, 0 }, FISH_END };
static const fish_program later = { .flows = later_flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void an_effect_begins_when_all_before_it_is_durable(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	charges = 0;
	struct id id = kit_start(&k, "pays", "{}");

	store_memory_hold(k.store, true);
	kit_knock(&k, &n, kit_log_text(&k), "{\"amount\": 4}", "m1");
	size_t steps = 0;

	/* Each request to the store by itself: the last one before the effect is a commit. */
	for (; !charges; steps++) {
		engine_turn(k.engine);
		assert_int_equal(charges, 0);
		assert_true(store_memory_pending(k.store) > 0);
		store_memory_complete(k.store, MEMORY_OK);
		struct engine_figures f = kit_figures(&k);

		engine_turn(k.engine);
		if (charges)
			assert_true(f.commits > 1);
	}
	assert_true(steps > 0);
	assert_int_equal(n.status, 200);
	store_memory_hold(k.store, false);
	assert_string_equal(kit_end(&k, id), "done {\"paid\": 5}");
	assert_int_equal(charges, 1);
	kit_close(&k);
}

static void an_effect_runs_again_after_a_crash_and_is_recorded_once(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	charges = 0;
	struct id id = kit_start(&k, "pays", "{}");

	store_memory_hold(k.store, true);
	struct knock n;

	kit_knock(&k, &n, kit_log_text(&k), "{\"amount\": 4}", "m1");
	while (!charges) {
		engine_turn(k.engine);
		if (!charges)
			store_memory_complete(k.store, MEMORY_OK);
	}
	kit_crash(&k, KIT_LOST);              /* it was done, and nobody knows */
	kit_turn(&k);
	assert_int_equal(charges, 2);
	assert_string_equal(kit_end(&k, id), "done {\"paid\": 5}");
	assert_int_equal(count(kit_show(&k, id), "\"entry\": \"result\""), 1);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_int_equal(charges, 2);
	kit_close(&k);
}

static void steps_inside_are_misuse(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "steps_inside", "{}")), "a step inside fish_once(\"charge\")"));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "leaves_inside", "{}")), "a step inside fish_once(\"charge\")"));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "nests", "{}")), "fish_once(\"inner\") inside fish_once(\"outer\")"));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "too_big", "{}")), "misuse at step"));
	kit_close(&k);
}

static void results_have_any_size_up_to_a_mebibyte(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_string_equal(kit_end(&k, kit_start(&k, "nothing_at_all", "{}")), "done 1");
	assert_string_equal(kit_end(&k, kit_start(&k, "biggest", "{}")), "done 120");
	kit_close(&k);
}

static void a_result_of_another_size_diverges(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "pays_int", "{}");

	kit_deploy(&k, &later);
	kit_pass(&k, 1000);
	const char *end = kit_end(&k, id);

	assert_non_null(strstr(end, "stopped diverged at step 1"));
	assert_non_null(strstr(end, "4 bytes"));
	kit_deploy(&k, &program);
	assert_string_equal(kit_end(&k, id), "done {\"paid\": 1}");
	kit_close(&k);
}

static void no_more(struct store_commit *c, int rc)
{
	(void)c;
	assert_int_equal(rc, 0);
}

/* A journal in which a sleep came after an effect whose result is not there. */
static struct id hole(struct kit *k)
{
	static const struct id id = { { 1, 2, 3 } };
	struct buf steps;
	struct buf bytes;

	buf_init(&steps, SIZE_MAX);
	buf_init(&bytes, SIZE_MAX);
	entry_step_put(&steps, &(struct entry_step){ .kind = STEP_ONCE, .label = SLICE_LIT("nothing") });
	entry_step_put(&steps, &(struct entry_step){ .kind = STEP_SLEEP, .label = SLICE_LIT("") });
	entry_put(&bytes, &(struct entry){
		.kind = ENTRY_START, .name = SLICE_LIT("nothing_at_all"), .body = SLICE_LIT("{}"),
		.key_id = k->store->keys[0].id });
	entry_put(&bytes, &(struct entry){ .kind = ENTRY_PROGRESS, .number = 2, .steps = buf_slice(&steps) });
	entry_put(&bytes, &(struct entry){ .kind = ENTRY_TIMEOUT, .number = 1 });
	struct store_row row = { .flow = id, .bytes = buf_slice(&bytes) };
	struct store_commit c = { .rows = &row, .nrows = 1, .now_ms = k->now_ms, .done = no_more };

	store_commit(k->store, &c);
	store_poll(k->store);
	buf_fini(&steps);
	buf_fini(&bytes);
	return id;
}

static void an_effect_that_must_have_been_is_not_begun(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = hole(&k);

	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_non_null(strstr(kit_end(&k, id), "its effect is not in the journal, though later steps are"));
	/* The rule makes it so: without it the effect is done again. */
	k.rules_off = RULE_BIT(RULE_ONCE_INSIDE);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_non_null(strstr(kit_show(&k, id), "the result of step 0"));
	kit_close(&k);
}

static void work_goes_on_beside_its_flow(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works", "{}");

	assert_int_equal(k.nworks, 1);
	assert_int_equal(kit_figures(&k).works, 1);
	/* News for the flow: parked, it is run again, and finds its work under way. */
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m1"), 200);
	assert_int_equal(k.nworks, 1);
	kit_work_ends(&k, 0);
	assert_string_equal(kit_end(&k, id), "done {\"got\": 42}");
	assert_int_equal(count(kit_show(&k, id), "\"entry\": \"result\""), 1);
	assert_int_equal(kit_figures(&k).works, 0);
	kit_close(&k);
}

static void work_begins_again_after_a_crash(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works", "{}");

	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_int_equal(k.nworks, 2);        /* nobody sent news: the work itself was in doubt */
	kit_work_ends(&k, 1);
	assert_string_equal(kit_end(&k, id), "done {\"got\": 42}");
	kit_close(&k);
}

/* The argument lies on the flow's stack, which must stay although the flow is over. */
static void work_outlives_a_cancelled_flow(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works", "{}");

	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_int_equal(kit_figures(&k).flows, 0);
	assert_int_equal(kit_figures(&k).works, 1);
	kit_work_ends(&k, 0);                 /* nobody wants it any more */
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	kit_close(&k);
}

static void work_outlives_a_failed_commit(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works", "{}");

	store_memory_hold(k.store, true);
	kit_knock(&k, &n, kit_log_text(&k), "{}", "m1");
	kit_until_commit(&k);
	store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
	store_memory_hold(k.store, false);
	assert_int_equal(n.status, 503);
	engine_turn(k.engine);
	kit_pass(&k, 500);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m1"), 200);
	assert_int_equal(k.nworks, 1);        /* the flow was run again and has attached itself */
	kit_work_ends(&k, 0);
	assert_string_equal(kit_end(&k, id), "done {\"got\": 42}");
	kit_close(&k);
}

static void each_life_has_work_of_its_own(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works_and_renews", "{\"n\": 0}");

	kit_work_ends(&k, 0);
	assert_int_equal(k.nworks, 2);
	kit_work_ends(&k, 1);
	kit_work_ends(&k, 2);
	assert_string_equal(kit_end(&k, id), "done {\"got\": 3}");
	kit_close(&k);
}

static void whole_story(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_call_back(s, "partner /offer", "/order", NULL, "{n: 9}");
	fish_sim_ends(s, fish_sim_start(s, "whole", "{}"), "{second: 20, worked: 11, said: 200}");
	fish_sim_ends(s, fish_sim_start(s, "works_and_renews", "{}"), "{got: 3}");
}

static void the_story_comes_out_the_same_after_each_crash(void **state)
{
	(void)state;
	assert_int_equal(fish_sim_each_crash(&(fish_sim_options){ .program = &program }, whole_story, NULL), 0);
}

#define TOLD(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define TOLD_ALL(park) \
	TOLD(an_effect_begins_when_all_before_it_is_durable, park), \
	TOLD(an_effect_runs_again_after_a_crash_and_is_recorded_once, park), \
	TOLD(steps_inside_are_misuse, park), \
	TOLD(results_have_any_size_up_to_a_mebibyte, park), \
	TOLD(a_result_of_another_size_diverges, park), \
	TOLD(an_effect_that_must_have_been_is_not_begun, park), \
	TOLD(work_goes_on_beside_its_flow, park), \
	TOLD(work_begins_again_after_a_crash, park), \
	TOLD(work_outlives_a_cancelled_flow, park), \
	TOLD(work_outlives_a_failed_commit, park), \
	TOLD(each_life_has_work_of_its_own, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		TOLD_ALL(stay), TOLD_ALL(park), cmocka_unit_test(the_story_comes_out_the_same_after_each_crash) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
