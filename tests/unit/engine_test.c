/* engine_test.c - flows over the memory store: hooks, waits, timers, ends, as a user's code sees them.
 *
 * Every story is told twice, once with flows kept in memory and once parked at every wait, since
 * the two must not differ. */
#include "engine_kit.h"

/* ---- flows under test ---- */

static void greet(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "hello");
	const fish_msg *m = NULL;

	fish_log(f, "url %s", fish_url(h));
	m = fish_next(h, 5 * FISH_SECOND);
	if (!m)
		fish_fail(f, "nobody greeted %s", fish_str(in, "/name"));
	fish_done(f, "{name: %s, said: %-s}", fish_str(in, "/name"), fish_raw(m, ""));
}

static void order(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "taken");
	const fish_msg *m = fish_post(f, &partner, "/order", "{callback: %s, order: %-s}", fish_url(h),
	                              fish_raw(in, ""));

	if (!fish_ok(m))
		fish_fail(f, "refused with %d", m->status);
	m = fish_next(h, 5 * FISH_SECOND);
	fish_log(f, "order taken: %s", m ? "yes" : "no");
	fish_done(f, "{taken: %-s}", m ? fish_raw(m, "") : "null");
}

static void race(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_spawn(f, "a");
	fish_hook *b = fish_spawn(f, "b");
	fish_hook *t = fish_timer(f, 1000);

	(void)in;
	fish_log(f, "a %s", fish_url(a));
	fish_log(f, "b %s", fish_url(b));
	const fish_msg *one = fish_any(f, FISH_FOREVER, a, b, t);
	const fish_msg *two = fish_any(f, FISH_FOREVER, a, b, t);
	const fish_msg *three = fish_any(f, 0, a, b);

	fish_done(f, "{one: %s, two: %s, three: %s}", fish_name(one->hook), fish_name(two->hook),
	          three ? fish_name(three->hook) : NULL);
}

static void three(fish_flow *f, const fish_msg *in)
{
	fish_hook *h[] = { fish_spawn(f, "h0"), fish_spawn(f, "h1"), fish_spawn(f, "h2") };
	const fish_msg *got[3];

	(void)in;
	for (size_t i = 0; i < 3; i++)
		fish_log(f, "url %s", fish_url(h[i]));
	size_t n = fish_gather(f, 2 * FISH_SECOND, h, 3, 2, got);

	fish_done(f, "{n: %zu, got: [%d, %d, %d]}", n, got[0] != NULL, got[1] != NULL, got[2] != NULL);
}

static void stream(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "lines");
	const fish_msg *m = NULL;
	char *all = fish_fmt(f, "%s", "");

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	while ((m = fish_next(h, FISH_FOREVER)) && !fish_has(m, "/end"))
		all = fish_fmt(f, "%s%s;", all, fish_str(m, "/line"));
	fish_close(h);
	m = fish_next(h, FISH_FOREVER);
	fish_sleep(f, 100);
	fish_done(f, "{all: %s, after: %d}", all, m != NULL);
}

static void doubling(fish_flow *f, const fish_msg *in)
{
	if (fish_int(in, "/n", 0) < 0)
		fish_fail(f, "negative");
	fish_sleep(f, 50);
	fish_done(f, "%lld", 2 * fish_int(in, "/n", 0));
}

static void parent(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_child(f, doubling, "{n: %lld}", fish_int(in, "/n", 0));
	fish_hook *lost = fish_child(f, greet, "{name: 'nobody'}");
	const fish_msg *m = fish_next(c, FISH_FOREVER);

	(void)lost;
	fish_done(f, "{ok: %d, twice: %-s}", fish_ok(m), fish_ok(m) ? fish_raw(m, "") : "null");
}

static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "orders");

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	fish_sleep(f, 1000);
	fish_each(h, doubling);
}

static void tally(void *arg)
{
	++*(int *)arg;
}

static int deferred;      /* the one thing outside: how often a flow's fish_defer ran */

static void clock_and_chance(fish_flow *f, const fish_msg *in)
{
	long long begun = fish_now(f);
	uint64_t chance = fish_random(f);
	int *cell = fish_alloc(f, sizeof *cell);

	(void)in;
	fish_defer(f, tally, &deferred);
	fish_sleep(f, 700);
	*cell = (int)(fish_now(f) - begun);
	fish_log(f, "chance %llu %llu", (unsigned long long)chance, (unsigned long long)fish_random(f));
	fish_sleep(f, 300);
	fish_done(f, "{slept: %d, all: %lld, id: %s}", *cell, fish_now(f) - begun, fish_id(f));
}

static void doubled_name(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_hook *h = fish_spawn(f, "same");

	fish_log(f, "url %s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_spawn(f, "same");
}

static void quiet(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
}

static const fish_def flows[] = {
	FISH_FLOW(greet), FISH_FLOW(order), FISH_FLOW(race), FISH_FLOW(three), FISH_FLOW(stream),
	FISH_FLOW(doubling), FISH_FLOW(parent), FISH_FLOW(shop), FISH_FLOW(clock_and_chance),
	FISH_FLOW(doubled_name), FISH_FLOW(quiet), FISH_END,
};
static const fish_program program = { .flows = flows };

/* ---- the stories ---- */

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void a_delivery_is_taken_and_the_flow_ends(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "greet", "{\"name\": \"Ann\"}");

	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"hi\":1}", "m1"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"name\": \"Ann\", \"said\": {\"hi\":1}}");
	assert_int_equal(kit_figures(&k).flows, 0);
	kit_close(&k);
}

static void silence_is_null_after_the_timeout(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "greet", "{\"name\": \"Ann\"}");

	kit_pass(&k, 4999);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(engine_next_ms(k.engine), k.now_ms + 1);
	kit_pass(&k, 1);
	assert_string_equal(kit_end(&k, id), "failed nobody greeted Ann");
	kit_close(&k);
}

static void a_deadline_that_passed_comes_before_the_late_delivery(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "greet", "{\"name\": \"Ann\"}");

	k.now_ms += 9000;      /* the machine slept */
	engine_turn(k.engine);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", NULL), 410);
	assert_string_equal(kit_end(&k, id), "failed nobody greeted Ann");
	kit_close(&k);
}

static void the_door_tells_the_truth(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "stream", "{}");
	const char *url = strstr(kit_log_text(&k), "/h/");
	char forged[TOKEN_TEXT_SIZE + 3];

	memcpy(forged, url, sizeof forged - 1);
	forged[sizeof forged - 1] = '\0';
	forged[20] = forged[20] == 'A' ? 'B' : 'A';
	assert_int_equal(kit_post(&k, forged, "{}", NULL), 404);
	assert_int_equal(kit_post(&k, "nonsense", "{}", NULL), 404);
	assert_false(engine_token_genuine(k.engine, slice_of(forged + 3)));
	assert_int_equal(kit_post(&k, url, "{\"line\":\"x\"}", "m1"), 200);
	assert_int_equal(kit_post(&k, url, "{\"line\":\"x\"}", "m1"), 200);
	assert_int_equal(kit_post(&k, url, "{\"line\":\"y\"}", NULL), 200);
	assert_int_equal(kit_post(&k, url, "{\"line\":\"y\"}", NULL), 200);
	assert_int_equal(kit_post(&k, url, "{\"end\":true}", "m2"), 200);
	/* Closed now, and the flow sleeps. */
	assert_int_equal(kit_post(&k, url, "{\"line\":\"z\"}", "m3"), 410);
	assert_int_equal(kit_post(&k, url, "{\"line\":\"x\"}", "m1"), 200);
	assert_string_equal(kit_end(&k, id), "lives");
	kit_pass(&k, 100);
	assert_string_equal(kit_end(&k, id), "done {\"all\": \"x;y;y;\", \"after\": 0}");
	/* Ended now; what was accepted is still known. */
	assert_int_equal(kit_post(&k, url, "{\"line\":\"z\"}", "m3"), 410);
	assert_int_equal(kit_post(&k, url, "{\"end\":true}", "m2"), 200);
	assert_int_equal(kit_figures(&k).duplicates, 3);
	kit_close(&k);
}

static void the_oldest_message_wins_and_losers_stay(void **state)
{
	struct kit k;
	struct knock b;
	struct knock a;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "race", "{}");
	const char *url_a = kit_log_text(&k);
	char *url_b = strstr(strstr(url_a, "/h/") + 3, "/h/");

	kit_knock(&k, &b, url_b, "{}", NULL);
	kit_knock(&k, &a, url_a, "{}", NULL);
	kit_turn(&k);
	assert_int_equal(a.status, 200);
	assert_int_equal(b.status, 200);
	assert_string_equal(kit_end(&k, id), "done {\"one\": \"b\", \"two\": \"a\", \"three\": null}");
	id = kit_start(&k, "race", "{}");
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, id), "lives");
	url_a = strstr(kit_log_text(&k), "/h/");
	for (int i = 0; i < 2; i++)
		url_a = strstr(url_a + 3, "/h/");
	assert_int_equal(kit_post(&k, url_a, "{}", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"one\": \"timer\", \"two\": \"a\", \"three\": null}");
	kit_close(&k);
}

static void gather_takes_what_comes_in_time(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "three", "{}");
	const char *first = kit_log_text(&k);
	char *second = strstr(strstr(first, "/h/") + 3, "/h/");

	assert_int_equal(kit_post(&k, second, "{}", NULL), 200);
	assert_int_equal(kit_post(&k, second, "{}", NULL), 200);     /* it wants one of each */
	assert_string_equal(kit_end(&k, id), "lives");
	kit_pass(&k, 1000);
	assert_int_equal(kit_post(&k, first, "{}", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 2, \"got\": [1, 1, 0]}");
	id = kit_start(&k, "three", "{}");
	kit_pass(&k, 2000);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 0, \"got\": [0, 0, 0]}");
	kit_close(&k);
}

static void a_parent_hears_of_its_child_and_takes_the_rest_along(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "parent", "{\"n\": 21}");

	assert_int_equal(kit_figures(&k).flows, 3);
	kit_pass(&k, 50);
	assert_string_equal(kit_end(&k, id), "done {\"ok\": 1, \"twice\": 42}");
	assert_int_equal(kit_figures(&k).flows, 0);
	id = kit_start(&k, "parent", "{\"n\": -1}");
	assert_string_equal(kit_end(&k, id), "done {\"ok\": 0, \"twice\": null}");
	assert_int_equal(kit_figures(&k).flows, 0);
	kit_close(&k);
}

static void each_delivery_starts_one_child(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "shop", "{}");
	const char *url = kit_log_text(&k);

	assert_int_equal(kit_post(&k, url, "{\"n\": 1}", "before"), 200);
	assert_int_equal(kit_figures(&k).starts, 1);
	kit_pass(&k, 1000);
	assert_int_equal(kit_figures(&k).flows, 2);          /* the one that waited became a flow */
	assert_int_equal(kit_post(&k, url, "{\"n\": 2}", "m2"), 200);
	assert_int_equal(kit_post(&k, url, "{\"n\": 2}", "m2"), 200);
	assert_int_equal(kit_post(&k, url, "{\"n\": 1}", "before"), 200);
	assert_int_equal(kit_figures(&k).flows, 3);
	kit_pass(&k, 50);
	assert_int_equal(kit_figures(&k).flows, 1);
	assert_int_equal(kit_post(&k, url, "{\"n\": 2}", "m2"), 200);
	assert_int_equal(kit_figures(&k).flows, 1);
	assert_int_equal(kit_post(&k, url, "{\"n\": 3}", "m3"), 200);
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_int_equal(kit_figures(&k).flows, 0);
	assert_int_equal(kit_post(&k, url, "{\"n\": 3}", "m3"), 200);
	assert_int_equal(kit_post(&k, url, "{\"n\": 4}", "m4"), 410);
	kit_close(&k);
}

static void now_and_random_are_the_journals(void **state)
{
	struct kit k;
	char chance[2][80];

	deferred = 0;
	for (int again = 0; again < 2; again++) {
		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, "clock_and_chance", "{}");

		if (again)
			kit_crash(&k, KIT_LOST);
		kit_pass(&k, 700);
		kit_pass(&k, 300);
		assert_int_equal(memcmp(kit_end(&k, id), "done {\"slept\": 700, \"all\": 1000", 31), 0);
		snprintf(chance[again], sizeof chance[again], "%s", strstr(kit_log_text(&k), " chance "));
		assert_int_equal(count(kit_log_text(&k), " chance "), 1);
		kit_close(&k);
	}
	assert_string_equal(chance[0], chance[1]);
	assert_true(deferred >= 2);
}

static void misuse_stops_the_flow_which_goes_on_accepting(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "doubled_name", "{}");
	const char *url = kit_log_text(&k);

	assert_int_equal(kit_post(&k, url, "{}", "m1"), 200);
	/* "same" is still open when it is spawned again. */
	assert_non_null(strstr(kit_end(&k, id), "stopped misuse at step 2: fish_spawn: a hook named"));
	assert_int_equal(kit_post(&k, url, "{}", "m2"), 200);
	assert_int_equal(kit_post(&k, url, "{}", "m1"), 200);
	assert_non_null(strstr(kit_show(&k, id), "misuse"));
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	kit_close(&k);
}

static void starts_with_one_key_are_one_flow(void **state)
{
	struct kit k;
	struct launch a;
	struct launch b;

	kit_open(&k, &program, park_of(state));
	kit_launch(&k, &a, "greet", "{}", "k1");
	kit_launch(&k, &b, "greet", "{}", "k1");
	kit_turn(&k);
	assert_int_equal(a.rc, 0);
	assert_int_equal(b.rc, 0);
	assert_false(a.existed);
	assert_true(b.existed);
	assert_memory_equal(&a.id, &b.id, sizeof a.id);
	b = kit_try(&k, "quiet", "{}", "k1");                /* another flow's key */
	assert_false(b.existed);
	struct id first = b.id;

	assert_string_equal(kit_end(&k, first), "done null");
	b = kit_try(&k, "quiet", "{}", "k1");
	assert_true(b.existed);
	assert_memory_equal(&first, &b.id, sizeof first);
	kit_crash(&k, KIT_LOST);
	b = kit_try(&k, "greet", "{}", "k1");
	assert_true(b.existed);
	assert_memory_equal(&a.id, &b.id, sizeof a.id);
	assert_int_equal(kit_try(&k, "nosuch", "{}", NULL).rc, FISH_ENOTFOUND);
	assert_int_equal(kit_try(&k, "greet", "{no}", NULL).rc, FISH_EFORMAT);
	kit_close(&k);
}

static void cancel_says_what_it_found(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "greet", "{}");
	struct id other = { { 1 } };

	assert_int_equal(kit_cancel(&k, other), FISH_ENOTFOUND);
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_int_equal(kit_cancel(&k, id), FISH_EGONE);
	assert_string_equal(kit_end(&k, other), "unknown");
	kit_close(&k);
}

static void show_and_list_tell_of_live_and_ended_flows(void **state)
{
	struct kit k;
	struct id zero = { { 0 } };
	struct id last = zero;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "order", "{\"n\": 1}");

	assert_int_equal(kit_list(&k, zero, 10, &last), 1);
	assert_memory_equal(&last, &id, sizeof id);
	assert_non_null(strstr(k.words.ptr, "\"order\""));
	assert_non_null(strstr(kit_show(&k, id), "partner /order"));
	assert_non_null(strstr(kit_show(&k, id), "https://door/h/"));
	kit_answer(&k, 0, 200, "{}");
	kit_pass(&k, 5000);
	assert_non_null(strstr(kit_show(&k, id), "\"done\""));
	kit_close(&k);
}

static void a_flow_at_rest_is_parked_after_a_while(void **state)
{
	struct kit k;

	kit_open(&k, &program, 3000);
	kit_start(&k, "greet", "{}");
	assert_int_equal(kit_figures(&k).resident, 1);
	assert_int_equal(engine_next_ms(k.engine), k.now_ms + 3000);
	kit_pass(&k, 2999);
	assert_int_equal(kit_figures(&k).resident, 1);
	kit_pass(&k, 1);
	assert_int_equal(kit_figures(&k).resident, 0);
	assert_int_equal(kit_figures(&k).waiting, 1);
	kit_close(&k);
	(void)state;
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(a_delivery_is_taken_and_the_flow_ends, park), \
	STORY(silence_is_null_after_the_timeout, park), \
	STORY(a_deadline_that_passed_comes_before_the_late_delivery, park), \
	STORY(the_door_tells_the_truth, park), \
	STORY(the_oldest_message_wins_and_losers_stay, park), \
	STORY(gather_takes_what_comes_in_time, park), \
	STORY(a_parent_hears_of_its_child_and_takes_the_rest_along, park), \
	STORY(each_delivery_starts_one_child, park), \
	STORY(now_and_random_are_the_journals, park), \
	STORY(misuse_stops_the_flow_which_goes_on_accepting, park), \
	STORY(starts_with_one_key_are_one_flow, park), \
	STORY(cancel_says_what_it_found, park), \
	STORY(show_and_list_tell_of_live_and_ended_flows, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		STORIES(stay), STORIES(park), cmocka_unit_test(a_flow_at_rest_is_parked_after_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
