/* engine_leave_test.c - flows at rest leave memory, and whatever wants them has them back: deliveries,
 * deadlines, children and parents, acts of other flows, people who ask. */
#include "engine_kit.h"

enum { MANY = 700 };

static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	const fish_msg *m = fish_next(h, fish_int(in, "/ms", FISH_FOREVER));

	fish_done(f, "{got: %-s}", m ? fish_raw(m, "") : "null");
}

static void naps(fish_flow *f, const fish_msg *in)
{
	fish_sleep(f, fish_int(in, "/ms", FISH_DAY));
	fish_done(f, "1");
}

/* Has many children, and is cancelled or ends before them. */
static void parent_of_many(fish_flow *f, const fish_msg *in)
{
	for (int i = 0; i < MANY; i++)
		fish_child(f, naps, "{ms: %lld}", (long long)FISH_DAY);
	fish_sleep(f, fish_int(in, "/ms", FISH_FOREVER));
}

static void cancels_its_child(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_child(f, naps, "{ms: %lld}", (long long)FISH_DAY);

	(void)in;
	fish_sleep(f, FISH_HOUR);
	fish_cancel(c);
	fish_log(f, "cancelled");
	fish_done(f, "{child: %d}", fish_next(c, FISH_FOREVER)->status);
}

static void tells(fish_flow *f, const fish_msg *in)
{
	fish_log(f, "before");
	fish_tell(f, fish_str(in, "/to"), "h", "{n: %lld}", fish_int(in, "/n", 0));
	fish_log(f, "after");
	fish_done(f, "null");
}

static void waits_and_tells(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "go");

	fish_log(f, "go %s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_tell(f, fish_str(in, "/to"), "h", "7");
	fish_next(h, FISH_FOREVER);
}

static void takes(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
}

static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "orders");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_each(h, takes);
}

/* Each life takes one message of "in"; what "other" gets stays untaken throughout. */
static void endless(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	fish_hook *other = fish_spawn(f, "other");
	long long n = fish_int(in, "/n", 0);

	if (n == 0) {
		fish_log(f, "in %s", fish_url(h));
		fish_log(f, "other %s", fish_url(other));
	}
	if (n == 1)
		fish_publish(f, "first", "{n: 1}");
	const fish_msg *m = fish_next(h, FISH_FOREVER);

	if (fish_true(m, "/last"))
		fish_done(f, "{n: %lld, other: %-s}", n, fish_raw(fish_next(other, 0), ""));
	fish_renew(f, "{n: %lld}", n + 1);
}

static const fish_def flows[] = {
	FISH_FLOW(waits), FISH_FLOW(naps), FISH_FLOW(parent_of_many), FISH_FLOW(cancels_its_child),
	FISH_FLOW(tells), FISH_FLOW(waits_and_tells), FISH_FLOW(takes), FISH_FLOW(shop), FISH_FLOW(endless), FISH_END };
static const fish_program program = { .flows = flows };

static size_t in_memory(const struct kit *k)
{
	return k->engine->flows.len;
}

static void flows_at_rest_leave_memory_and_are_counted(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 10 * FISH_SECOND);
	for (int i = 0; i < MANY; i++)
		kit_start(&k, "waits", "{}");
	assert_int_equal(in_memory(&k), MANY);
	kit_pass(&k, 10 * FISH_SECOND);
	assert_int_equal(in_memory(&k), 0);
	struct engine_figures f = kit_figures(&k);

	assert_int_equal(f.flows, MANY);
	assert_int_equal(f.waiting, MANY);
	assert_int_equal(f.hooks_open, MANY);
	assert_int_equal(f.parked, MANY);
	/* They wait for nothing that comes by itself, so neither does the engine. */
	assert_true(engine_next_ms(k.engine) == INT64_MAX);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(in_memory(&k), 0);
	assert_int_equal(kit_figures(&k).flows, MANY);
	kit_close(&k);
}

static void a_delivery_has_its_flow_back(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, -1);
	struct id id = kit_start(&k, "waits", "{}");

	assert_int_equal(in_memory(&k), 0);
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"a\": 1}", "m1"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"got\": {\"a\": 1}}");
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"a\": 1}", "m1"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"a\": 2}", "m2"), 410);
	kit_close(&k);
}

static void deadlines_of_parked_flows_come_on_time(void **state)
{
	struct kit k;
	struct id ids[MANY];

	(void)state;
	kit_open(&k, &program, FISH_SECOND);
	for (int i = 0; i < MANY; i++) {
		char input[40];

		snprintf(input, sizeof input, "{\"ms\": %d}", 60000 + i % 7);
		ids[i] = kit_start(&k, "waits", input);
	}
	kit_pass(&k, FISH_SECOND);
	assert_int_equal(in_memory(&k), 0);
	kit_crash(&k, KIT_LOST);
	/* Only when the engine asks for it does time pass. */
	while (kit_figures(&k).flows) {
		assert_true(engine_next_ms(k.engine) <= 1000000 + 60006);
		kit_pass(&k, engine_next_ms(k.engine) > k.now_ms ? engine_next_ms(k.engine) - k.now_ms : 0);
		kit_turn(&k);
	}
	assert_int_equal(k.now_ms, 1000000 + 60006);
	for (int i = 0; i < MANY; i++)
		assert_string_equal(kit_end(&k, ids[i]), "done {\"got\": null}");
	kit_close(&k);
}

static void a_cancel_goes_down_to_parked_children(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		struct kit k;

		(void)state;
		kit_open(&k, &program, -1);
		struct id id = kit_start(&k, "parent_of_many", "{}");

		assert_int_equal(in_memory(&k), 0);
		assert_int_equal(kit_figures(&k).flows, MANY + 1);
		assert_int_equal(kit_cancel(&k, id), 0);
		if (crash)
			kit_crash(&k, KIT_LOST);
		kit_turn(&k);
		assert_string_equal(kit_end(&k, id), "cancelled cancelled");
		assert_int_equal(kit_figures(&k).flows, 0);
		kit_close(&k);
	}
}

static void an_end_goes_down_to_parked_children(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, -1);
	struct id id = kit_start(&k, "parent_of_many", "{\"ms\": 1000}");

	kit_pass(&k, 1000);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, id), "done null");
	assert_int_equal(kit_figures(&k).flows, 0);
	kit_close(&k);
}

static void a_flow_acts_on_parked_ones_once(void **state)
{
	struct kit k;
	char input[80];
	char text[ID_TEXT_SIZE];

	(void)state;
	kit_open(&k, &program, -1);
	struct id to = kit_start(&k, "waits", "{}");

	id_text(&to, text);
	snprintf(input, sizeof input, "{\"to\": \"%s\", \"n\": 7}", text);
	buf_reset(&k.log);
	struct id from = kit_start(&k, "tells", input);

	assert_string_equal(kit_end(&k, from), "done null");
	assert_string_equal(kit_end(&k, to), "done {\"got\": {\"n\": 7}}");
	assert_int_equal(count(kit_log_text(&k), "before"), 1);
	assert_int_equal(count(kit_log_text(&k), "after"), 1);
	struct id parent = kit_start(&k, "cancels_its_child", "{}");

	kit_pass(&k, FISH_HOUR);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, parent), "done {\"child\": 499}");
	assert_int_equal(count(kit_log_text(&k), "cancelled"), 1);
	kit_close(&k);
}

/* Killed before or behind each commit while a tell waits for its flow to be fetched. */
static void an_act_on_a_parked_flow_survives_a_crash_at_each_moment(void **state)
{
	(void)state;
	for (int kept = 0; kept < 2; kept++)
		for (size_t at = 1; at < 12; at++) {
			struct kit k;
			struct launch l;
			char input[80];
			char text[ID_TEXT_SIZE];

			kit_open(&k, &program, -1);
			struct id to = kit_start(&k, "waits", "{}");

			id_text(&to, text);
			snprintf(input, sizeof input, "{\"to\": \"%s\", \"n\": 7}", text);
			store_memory_hold(k.store, true);
			kit_launch(&k, &l, "tells", input, "key");
			for (size_t n = 0; n < at; n++) {
				engine_turn(k.engine);
				if (store_memory_pending(k.store))
					store_memory_complete(k.store, MEMORY_OK);
			}
			kit_crash(&k, kept ? KIT_KEPT : KIT_LOST);
			store_memory_hold(k.store, false);
			struct launch again = kit_try(&k, "tells", input, "key");

			assert_int_equal(again.rc, 0);
			kit_turn(&k);
			assert_string_equal(kit_end(&k, again.id), "done null");
			assert_string_equal(kit_end(&k, to), "done {\"got\": {\"n\": 7}}");
			assert_true(count(kit_log_text(&k), "before") <= 1);      /* a dead process takes its lines along */
			assert_non_null(strstr(kit_show(&k, to), "\"untaken\": []"));
			kit_close(&k);
		}
}

/* Was: the cancel cut it short while the other flow was fetched, and the step was taken without its act. */
static void what_a_cancelled_flow_told_a_parked_one_arrives(void **state)
{
	struct kit k;
	struct knock n;
	struct look l = { .rc = UNTOLD };
	char input[80];
	char text[ID_TEXT_SIZE];

	(void)state;
	kit_open(&k, &program, -1);
	l.kit = &k;
	struct id to = kit_start(&k, "waits", "{}");

	id_text(&to, text);
	snprintf(input, sizeof input, "{\"to\": \"%s\"}", text);
	struct id from = kit_start(&k, "waits_and_tells", input);

	/* Both come before its code is on the CPU. */
	kit_knock(&k, &n, strstr(k.log.ptr, "go "), "{}", "m1");
	l.cancel = (struct cancel){ .id = from, .done = look_cancelled };
	engine_cancel(k.engine, &l.cancel);
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	assert_int_equal(l.rc, 0);
	assert_string_equal(kit_end(&k, from), "cancelled cancelled");
	assert_string_equal(kit_end(&k, to), "done {\"got\": 7}");
	kit_close(&k);
}

static void a_start_key_finds_its_parked_flow(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, -1);
	struct launch first = kit_try(&k, "waits", "{}", "order 7");
	struct launch again = kit_try(&k, "waits", "{}", "order 7");

	assert_int_equal(in_memory(&k), 0);
	assert_true(again.existed);
	assert_memory_equal(&first.id, &again.id, sizeof first.id);
	assert_int_equal(kit_figures(&k).flows, 1);
	kit_close(&k);
}

static void a_list_has_each_flow_once_in_order(void **state)
{
	struct kit k;
	struct id after = { { 0 } };
	size_t n = 0;

	(void)state;
	kit_open(&k, &program, FISH_MINUTE);
	for (int i = 0; i < 10; i++)
		kit_start(&k, "waits", "{}");
	kit_pass(&k, FISH_MINUTE);
	for (int i = 0; i < 10; i++)
		kit_start(&k, "waits", "{}");
	assert_int_equal(in_memory(&k), 10);
	for (size_t got = 1; got;) {
		struct id last;

		got = kit_list(&k, after, 3, &last);
		assert_int_equal(count(k.words.ptr ? k.words.ptr : "", "\"hooks_open\": 1"), got);
		assert_true(got == 0 || memcmp(last.b, after.b, sizeof last.b) > 0);
		after = last;
		n += got;
	}
	assert_int_equal(n, 20);
	kit_close(&k);
}

/* The ids of deliveries that became children are the parent's own, parked or killed. */
static void each_knows_a_duplicate_whatever_happened(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, -1);
	kit_start(&k, "shop", "{}");
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_figures(&k).starts, 1);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m2"), 200);
	kit_turn(&k);
	assert_int_equal(kit_figures(&k).duplicates, 1);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m2"), 200);
	assert_int_equal(kit_figures(&k).duplicates, 2);
	kit_close(&k);
}

/* Nothing before the last RENEW is needed, but what stayed untaken, the ids and what was published. */
static void an_endless_flow_is_had_back_without_its_past(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, -1);
	struct id id = kit_start(&k, "endless", "{}");
	char *other = strstr(k.log.ptr, "other ");

	assert_int_equal(kit_post(&k, other, "{\"kept\": true}", "o1"), 200);
	for (int i = 0; i < 50; i++) {
		char message[16];

		snprintf(message, sizeof message, "m%d", i);
		assert_int_equal(kit_post(&k, k.log.ptr, "{}", message), 200);
		if (i % 10 == 5)
			kit_crash(&k, KIT_LOST);
	}
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m3"), 200);
	assert_int_equal(kit_figures(&k).duplicates, 1);
	assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"first\": {\"n\": 1}}"));
	assert_non_null(strstr(kit_show(&k, id), "\"flow\": \"endless\""));
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"last\": true}", "end"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 50, \"other\": {\"kept\": true}}");
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m3"), 200);
	kit_close(&k);
}

static void a_renewed_flow_needs_no_more_than_its_life(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, -1);
	struct id id = kit_start(&k, "endless", "{}");

	for (int i = 0; i < 50; i++)
		assert_int_equal(kit_post(&k, k.log.ptr, "{}", NULL), 200);
	/* What the store hands out for it is its last life and no more. */
	assert_int_equal(count(kit_show(&k, id), "\"entry\": \"renew\""), 1);
	assert_int_equal(count(kit_show(&k, id), "\"entry\": \"start\""), 0);
	kit_close(&k);
}

static void nothing(const void *arg, void *result)
{
	(void)arg;
	(void)result;
}

static void hoards(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	fish_log(f, "%s", fish_url(h));
	memset(fish_alloc(f, 1 << 20), 1, 1 << 20);
	if (fish_true(in, "/works"))
		fish_work(f, "work", nothing, NULL, NULL, 0);
	fish_next(h, FISH_FOREVER);
	fish_done(f, "null");
}

static void over_the_budget_flows_leave_at_once_and_then_senders_wait(void **state)
{
	static const fish_def hoarders[] = { FISH_FLOW(hoards), FISH_END };
	static const fish_program hoard = { .flows = hoarders };
	struct kit k;
	size_t most = 0;

	(void)state;
	kit_open(&k, &hoard, FISH_HOUR);
	k.memory_bytes = 10 << 20;
	kit_crash(&k, KIT_LOST);
	for (int i = 0; i < 40; i++) {
		kit_start(&k, "hoards", "{}");
		most = in_memory(&k) > most ? in_memory(&k) : most;
	}
	assert_int_equal(kit_figures(&k).flows, 40);
	assert_true(most > 5 && most <= 11);
	assert_true(kit_figures(&k).memory <= 10 << 20);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	/* These have work on a thread, and stay. */
	int refused = 0;

	for (int i = 0; i < 20; i++) {
		struct launch l = kit_try(&k, "hoards", "{\"works\": true}", NULL);

		refused += l.rc == FISH_EBUSY;
		assert_true(l.rc == 0 || l.rc == FISH_EBUSY);
	}
	assert_true(refused >= 9 && refused < 15);
	assert_int_equal(kit_post(&k, strrchr(k.log.ptr, '/') - 2, "{}", "m2"), 503);
	for (size_t i = 0; i < k.nworks; i++)
		kit_work_ends(&k, i);
	assert_int_equal(kit_post(&k, strrchr(k.log.ptr, '/') - 2, "{}", "m2"), 200);
	assert_int_equal(kit_try(&k, "hoards", "{}", NULL).rc, 0);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_at_rest_leave_memory_and_are_counted),
		cmocka_unit_test(a_delivery_has_its_flow_back),
		cmocka_unit_test(deadlines_of_parked_flows_come_on_time),
		cmocka_unit_test(a_cancel_goes_down_to_parked_children),
		cmocka_unit_test(an_end_goes_down_to_parked_children),
		cmocka_unit_test(a_flow_acts_on_parked_ones_once),
		cmocka_unit_test(an_act_on_a_parked_flow_survives_a_crash_at_each_moment),
		cmocka_unit_test(what_a_cancelled_flow_told_a_parked_one_arrives),
		cmocka_unit_test(a_start_key_finds_its_parked_flow),
		cmocka_unit_test(a_list_has_each_flow_once_in_order),
		cmocka_unit_test(each_knows_a_duplicate_whatever_happened),
		cmocka_unit_test(an_endless_flow_is_had_back_without_its_past),
		cmocka_unit_test(over_the_budget_flows_leave_at_once_and_then_senders_wait),
		cmocka_unit_test(a_renewed_flow_needs_no_more_than_its_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
