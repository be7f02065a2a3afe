/* engine_crash_test.c - what is left of flows when the process or a commit dies under them. */
#include "engine_kit.h"

static void order(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "taken");
	const fish_msg *m = fish_post(f, &partner, "/order", "{callback: %s}", fish_url(h));

	(void)in;
	if (!fish_ok(m))
		fish_fail(f, "refused with %d", m->status);
	fish_log(f, "posted");
	m = fish_next(h, 5 * FISH_SECOND);
	fish_log(f, "taken %s", m ? fish_str(m, "/by") : "by nobody");
	fish_done(f, "{by: %s}", m ? fish_str(m, "/by") : NULL);
}

static void patient(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	const fish_msg *m = NULL;

	(void)in;
	fish_log(f, "%s", fish_url(h));
	m = fish_next(h, 5 * FISH_SECOND);
	fish_done(f, "{came: %d}", m != NULL);
}

static void misused(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_child(f, patient, "{}");

	(void)in;
	fish_sleep(f, 10);
	fish_url(c);
}

static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "orders");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_each(h, patient);
}

static void both(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_spawn(f, "a");
	fish_hook *b = fish_spawn(f, "b");
	const fish_msg *got[2];

	(void)in;
	fish_log(f, "%s", fish_url(a));
	fish_gather(f, FISH_FOREVER, FISH_HOOKS(a, b), 2, 2, got);
}

static const fish_def flows[] = {
	FISH_FLOW(both), FISH_FLOW(order), FISH_FLOW(patient), FISH_FLOW(misused), FISH_FLOW(shop), FISH_END };
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void nothing_leaves_before_its_commit(void **state)
{
	struct kit k;
	struct launch l;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	store_memory_hold(k.store, true);
	kit_launch(&k, &l, "order", "{}", NULL);
	engine_turn(k.engine);
	engine_turn(k.engine);
	assert_int_equal(l.rc, UNTOLD);
	assert_int_equal(k.nsent, 0);
	assert_string_equal(kit_log_text(&k), "");
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(l.rc, 0);
	assert_int_equal(k.nsent, 1);
	kit_answer(&k, 0, 200, "");
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, k.sent[0].body, "{\"by\": \"Ann\"}", "m1");
	struct knock again;

	kit_knock(&k, &again, k.sent[0].body, "{\"by\": \"Ann\"}", "m1");
	engine_turn(k.engine);
	struct knock late;

	kit_knock(&k, &late, k.sent[0].body, "{\"by\": \"Bob\"}", "m2");
	assert_int_equal(n.status, 0);
	assert_int_equal(again.status, 0);
	assert_int_equal(late.status, 0);
	assert_int_equal(count(kit_log_text(&k), "taken Ann"), 0);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	assert_int_equal(again.status, 200);
	assert_int_equal(late.status, 410);
	assert_int_equal(count(kit_log_text(&k), "taken Ann"), 1);
	kit_close(&k);
}

static void a_story_survives_a_crash_at_each_commit(void **state)
{
	for (int kept = KIT_LOST; kept <= KIT_KEPT; kept++) {
		struct kit k;
		struct knock n;

		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, "order", "{}");

		kit_crash(&k, KIT_LOST);
		kit_turn(&k);
		assert_int_equal(k.nsent, 2);                  /* in doubt: asked again, with its key */
		assert_string_equal(k.sent[0].key, k.sent[1].key);
		assert_string_equal(k.sent[0].body, k.sent[1].body);
		kit_answer(&k, 1, 200, "");
		kit_crash(&k, KIT_LOST);
		kit_turn(&k);
		assert_int_equal(k.nsent, 2);
		store_memory_hold(k.store, true);
		kit_knock(&k, &n, k.sent[0].body, "{\"by\": \"Ann\"}", "m1");
		kit_until_commit(&k);
		kit_crash(&k, kept ? KIT_KEPT : KIT_LOST);
		assert_int_equal(n.status, 503);
		kit_turn(&k);
		if (!kept)
			assert_string_equal(kit_end(&k, id), "lives");
		assert_int_equal(kit_post(&k, k.sent[0].body, "{\"by\": \"Ann\"}", "m1"), 200);
		assert_string_equal(kit_end(&k, id), "done {\"by\": \"Ann\"}");
		assert_int_equal(count(kit_log_text(&k), "posted"), 1);
		kit_close(&k);
	}
}

static void a_failed_commit_is_forgotten_and_made_good(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "order", "{}");

	kit_answer(&k, 0, 200, "");
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, k.sent[0].body, "{\"by\": \"Ann\"}", "m1");
	kit_until_commit(&k);
	store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
	store_memory_hold(k.store, false);
	assert_int_equal(n.status, 503);
	engine_turn(k.engine);
	assert_true(engine_away(k.engine));
	assert_int_equal(kit_post(&k, k.sent[0].body, "{\"by\": \"Ann\"}", "m1"), 503);
	assert_int_equal(kit_try(&k, "order", "{}", NULL).rc, FISH_ESTORE);
	assert_int_equal(kit_cancel(&k, id), FISH_ESTORE);
	assert_int_equal(engine_next_ms(k.engine), k.now_ms + 500);
	kit_pass(&k, 500);
	assert_false(engine_away(k.engine));
	assert_int_equal(kit_post(&k, k.sent[0].body, "{\"by\": \"Ann\"}", "m1"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"by\": \"Ann\"}");
	assert_int_equal(count(kit_log_text(&k), "taken"), 1);
	kit_close(&k);
}

static void a_deadline_lives_through_a_restart(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "patient", "{}");

	kit_pass(&k, 3000);
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 1999);
	assert_string_equal(kit_end(&k, id), "lives");
	kit_pass(&k, 1);
	assert_string_equal(kit_end(&k, id), "done {\"came\": 0}");
	kit_close(&k);
}

static void time_does_not_go_back_with_the_clock(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "patient", "{}");
	int64_t before = engine_now_ms(k.engine);

	k.now_ms -= 500000;
	kit_crash(&k, KIT_LOST);
	assert_int_equal(engine_now_ms(k.engine), before);
	kit_close(&k);
}

/* A pipelining sender's next delivery comes from within the answer to its last. */
struct pipelined {
	struct knock first, second;
	struct kit  *kit;
};

static void first_done(struct delivery *d, int status)
{
	struct pipelined *p = container_of(container_of(d, struct knock, delivery), struct pipelined, first);

	p->first.status = status;
	kit_knock(p->kit, &p->second, p->kit->log.ptr, "{}", "m2");
}

static void a_delivery_from_within_an_answer_waits_for_its_own_commit(void **state)
{
	struct kit k;
	struct pipelined p = { .kit = &k };

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "shop", "{}");
	store_memory_hold(k.store, true);
	kit_knock(&k, &p.first, k.log.ptr, "{}", "m1");
	p.first.delivery.done = first_done;
	kit_until_commit(&k);
	while (p.first.status == 0)
		store_memory_complete(k.store, MEMORY_OK);
	engine_turn(k.engine);
	assert_int_equal(p.first.status, 200);
	assert_int_equal(p.second.status, 0);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(p.second.status, 200);
	kit_close(&k);
}

/* Was: a delivery from within the refusal that ends an engine looked at the closed store's keys. */
static void a_delivery_from_within_the_last_refusal_is_refused(void **state)
{
	struct kit k;
	struct pipelined p = { .kit = &k };

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "shop", "{}");
	store_memory_hold(k.store, true);
	kit_knock(&k, &p.first, k.log.ptr, "{}", "m1");
	p.first.delivery.done = first_done;
	engine_turn(k.engine);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(p.first.status, 503);
	assert_int_equal(p.second.status, 503);
	kit_close(&k);
}

/* Was: a flow that was cancelled before its misuse showed stood still for ever. */
static void a_cancelled_flow_that_stops_ends(void **state)
{
	struct kit k;
	struct look l = { .kit = &k, .rc = UNTOLD };

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "misused", "{}");

	l.cancel = (struct cancel){ .id = id, .done = look_cancelled };
	store_memory_hold(k.store, true);
	engine_cancel(k.engine, &l.cancel);
	k.now_ms += 10;
	engine_turn(k.engine);       /* parked, the ring comes before its rows do: the misuse is reached */
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(l.rc, 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_int_equal(kit_figures(&k).flows, 0);
	kit_close(&k);
}

/* Was: a cancelled flow that was parked until its call was answered took that answer and went on. */
static void a_cancelled_flow_goes_no_further_when_it_is_run_again(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "order", "{}");

	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(kit_post(&k, k.sent[0].body, "{}", "m1"), 200);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	kit_answer(&k, 1, 200, "");
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_string_equal(kit_log_text(&k), "");
	assert_int_equal(kit_post(&k, k.sent[0].body, "{}", "m1"), 200);
	kit_close(&k);
}

/* Was: what a gather had got when its flow was cancelled was neither seen by the flow nor kept. */
static void a_cancelled_gathers_deliveries_are_kept(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "both", "{}");

	assert_int_equal(kit_post(&k, k.log.ptr, "{\"half\": 1}", "m1"), 200);
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_non_null(strstr(kit_show(&k, id), "\"untaken\": [{\"hook\": 0"));
	kit_close(&k);
}

static void each_counts_and_knows_its_children_after_a_crash(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "shop", "{}");

	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m2"), 200);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m2"), 200);
	assert_int_equal(kit_figures(&k).flows, 3);
	kit_pass(&k, 5000);
	assert_int_equal(kit_figures(&k).flows, 1);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_figures(&k).flows, 1);
	assert_int_equal(kit_cancel(&k, id), 0);
	kit_crash(&k, KIT_LOST);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m9"), 410);
	kit_close(&k);
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(nothing_leaves_before_its_commit, park), \
	STORY(a_story_survives_a_crash_at_each_commit, park), \
	STORY(a_failed_commit_is_forgotten_and_made_good, park), \
	STORY(a_deadline_lives_through_a_restart, park), \
	STORY(time_does_not_go_back_with_the_clock, park), \
	STORY(a_delivery_from_within_an_answer_waits_for_its_own_commit, park), \
	STORY(a_delivery_from_within_the_last_refusal_is_refused, park), \
	STORY(a_cancelled_flow_that_stops_ends, park), \
	STORY(a_cancelled_flow_goes_no_further_when_it_is_run_again, park), \
	STORY(a_cancelled_gathers_deliveries_are_kept, park), \
	STORY(each_counts_and_knows_its_children_after_a_crash, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { STORIES(stay), STORIES(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
