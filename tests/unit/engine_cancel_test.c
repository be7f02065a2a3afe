/* engine_cancel_test.c - cancels: a flow that asked for them, of children, calls and timers; fish_closed. */
#include "engine_kit.h"

#include <fish-sim.h>

/* Winds up when it is cancelled, by a call. */
static void winds_up(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_cancelled(f);
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "h %s", fish_url(h));
	const fish_msg *m = fish_any(f, FISH_FOREVER, c, h);

	if (m->hook == h)
		fish_done(f, "{by: 'message'}");
	m = fish_post(f, &partner, "/undo", "{}");
	fish_done(f, "{by: 'cancel', undone: %d}", m->status);
}

/* Asked, and does not care. */
static void lingers(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	int got = 0;

	(void)in;
	fish_cancelled(f);
	fish_log(f, "h %s", fish_url(h));
	while (fish_next(h, FISH_FOREVER))
		fish_publish(f, "got", "%d", ++got);
}

/* Renews without end; each life asks. */
static void rolls(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_cancelled(f);
	fish_hook *h = fish_spawn(f, "h");
	long long n = fish_int(in, "/n", 0);

	if (n == 0)
		fish_log(f, "h %s", fish_url(h));
	if (n > 0 && fish_next(c, 0))
		fish_done(f, "{lives: %lld}", n);
	fish_send(f, &partner, "/slow", "{}");
	fish_next(h, FISH_FOREVER);
	fish_renew(f, "{n: %lld}", n + 1);
}

/* Sees what came before its time was over only when it is run again, and then looks for more. */
static void looks(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_cancelled(f);
	fish_log(f, "h %s", fish_url(h));
	for (;;) {
		fish_next(h, FISH_FOREVER);
		fish_next(h, 0);
		fish_sleep(f, 0);
	}
}

static void echoes(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "%-s", fish_raw(in, ""));
}

/* A shop that closes in order. */
static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_cancelled(f);
	fish_log(f, "h %s", fish_url(h));
	fish_each(h, echoes);
	fish_done(f, "'closed'");
}

static void naps(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_sleep(f, FISH_HOUR);
}

static void cancels_child(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_child(f, naps, "{}");
	fish_hook *w = fish_child(f, winds_up, "{}");
	fish_hook *gone = fish_child(f, naps, "{}");

	(void)in;
	fish_cancel(gone);
	const fish_msg *g = fish_next(gone, FISH_FOREVER);

	fish_cancel(gone);                    /* it has ended: left alone */
	fish_sleep(f, 100);
	fish_cancel(c);
	fish_cancel(w);
	const fish_msg *a = fish_next(c, FISH_FOREVER);
	const fish_msg *b = fish_next(w, FISH_FOREVER);

	fish_done(f, "{gone: %d, naps: %d, winds: %d, undone: %lld}", g->status, a->status, b->status,
	          fish_int(b, "/undone", 0));
}

static void cancels_call(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_send(f, &partner, "/deaf", "{}");

	if (fish_has(in, "/at_once"))
		fish_cancel(c);
	fish_sleep(f, 100);
	if (!fish_closed(c))
		fish_cancel(c);
	const fish_msg *m = fish_next(c, FISH_FOREVER);

	fish_done(f, "{status: %d, closed: %d, again: %d}", m->status, fish_closed(c),
	          fish_next(c, FISH_FOREVER) != NULL);
}

static void cancels_timer(fish_flow *f, const fish_msg *in)
{
	fish_hook *t = fish_timer(f, 1000);
	fish_hook *rung = fish_timer(f, 10);

	(void)in;
	fish_sleep(f, 100);
	bool before = fish_closed(t);

	fish_cancel(t);
	fish_cancel(rung);
	bool after = fish_closed(t);
	const fish_msg *m = fish_next(rung, FISH_FOREVER);
	const fish_msg *none = fish_next(t, FISH_FOREVER);

	fish_done(f, "{before: %d, after: %d, rung: %d, none: %d}", before, after, m != NULL, none == NULL);
}

static void cancels_hook(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_cancel(fish_spawn(f, "h"));
}

static void cancels_cancelled(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_cancel(fish_cancelled(f));
}

static void closes(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	fish_hook *t = fish_timer(f, 0);
	bool open = fish_closed(h) || fish_closed(t);

	(void)in;
	fish_next(t, FISH_FOREVER);
	fish_close(h);
	fish_done(f, "{open: %d, hook: %d, timer: %d}", open, fish_closed(h), fish_closed(t));
}

static void whole(fish_flow *f, const fish_msg *in)
{
	fish_hook *w = fish_child(f, winds_up, "{}");
	fish_hook *c = fish_send(f, &partner, "/deaf", "{}");
	fish_hook *t = fish_timer(f, 1000);

	(void)in;
	fish_sleep(f, 50);
	fish_cancel(w);
	fish_cancel(c);
	fish_cancel(t);
	const fish_msg *got[2];
	size_t n = fish_gather(f, 60 * FISH_SECOND, FISH_HOOKS(w, c), 2, 2, got);

	fish_done(f, "{n: %zu, child: %-s, call: %d, timer: %d}", n, fish_raw(got[0], ""),
	          got[1]->status, fish_closed(t));
}

static const fish_def flows[] = {
	FISH_FLOW(winds_up), FISH_FLOW(lingers), FISH_FLOW(rolls), FISH_FLOW(looks), FISH_FLOW(echoes),
	FISH_FLOW(shop), FISH_FLOW(naps), FISH_FLOW(cancels_child),
	FISH_FLOW(cancels_call), FISH_FLOW(cancels_timer), FISH_FLOW(cancels_hook),
	FISH_FLOW(cancels_cancelled), FISH_FLOW(closes), FISH_FLOW(whole), FISH_END };
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void one_that_asked_winds_up(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "winds_up", "{}");

	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(k.nsent, 1);
	kit_answer(&k, 0, 503, "");           /* what undoes is tried again like any other call */
	kit_pass(&k, 200);
	kit_answer(&k, 1, 200, "");
	assert_string_equal(kit_end(&k, id), "done {\"by\": \"cancel\", \"undone\": 200}");
	id = kit_start(&k, "winds_up", "{}");
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_int_equal(kit_cancel(&k, id), 0);
	kit_answer(&k, 2, 200, "");
	assert_string_equal(kit_end(&k, id), "done {\"by\": \"cancel\", \"undone\": 200}");
	kit_close(&k);
}

static void the_grace_is_thirty_seconds(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		struct kit k;

		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, "lingers", "{}");

		assert_int_equal(kit_cancel(&k, id), 0);
		kit_pass(&k, 10 * FISH_SECOND);
		assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m1"), 200);
		assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"got\": 1}"));
		if (crash)
			kit_crash(&k, KIT_LOST);
		kit_turn(&k);
		assert_int_equal(engine_next_ms(k.engine), 1000000 + 30 * FISH_SECOND);
		kit_pass(&k, 20 * FISH_SECOND - 1);
		assert_string_equal(kit_end(&k, id), "lives");
		kit_pass(&k, 1);
		assert_string_equal(kit_end(&k, id), "cancelled cancelled");
		kit_close(&k);
	}
}

/* The deadline is older than what comes after it, also for a flow that is not in memory. */
static void what_comes_after_the_grace_is_not_taken(void **state)
{
	for (int crash = 0; crash < 2; crash++) {
		struct kit k;

		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, "lingers", "{}");

		assert_int_equal(kit_cancel(&k, id), 0);
		if (crash)
			kit_crash(&k, KIT_LOST);
		kit_turn(&k);
		k.now_ms += 30 * FISH_SECOND;
		int status = kit_post(&k, kit_log_text(&k), "{}", "m1");

		assert_true(status == 410 || status == 200);
		assert_string_equal(kit_end(&k, id), "cancelled cancelled");
		assert_null(strstr(kit_show(&k, id), "\"got\": 1"));
		if (status == 200)
			assert_non_null(strstr(kit_show(&k, id), "\"untaken\": [{\"hook\": 0"));
		kit_close(&k);
	}
}

static void a_cancel_is_seen_in_the_next_life(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "rolls", "{}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m1"), 200);   /* it renews, when its call is over */
	assert_int_equal(kit_cancel(&k, id), 0);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	kit_answer(&k, 1, 200, "");
	assert_string_equal(kit_end(&k, id), "done {\"lives\": 1}");
	kit_close(&k);
}

/* Was: a flow that was run again after its grace, and looked once, appended TIMEOUTs without end. */
static void one_that_is_run_again_after_its_grace_goes_no_further(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "looks", "{}");

	assert_int_equal(kit_cancel(&k, id), 0);
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, kit_log_text(&k), "{}", "m1");
	k.now_ms += 30 * FISH_SECOND;
	for (int i = 0; i < 20; i++)
		engine_turn(k.engine);
	kit_crash(&k, KIT_KEPT);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	kit_close(&k);
}

static void each_ends_when_a_flow_that_asked_is_cancelled(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "shop", "{}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m1"), 200);
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "done \"closed\"");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m2"), 410);
	kit_close(&k);
}

static void a_child_is_cancelled_once(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "cancels_child", "{}");

	kit_pass(&k, 100);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	kit_answer(&k, k.nsent - 1, 200, "");
	assert_string_equal(kit_end(&k, id), "done {\"gone\": 499, \"naps\": 499, \"winds\": 200, \"undone\": 200}");
	kit_close(&k);
}

static const char *call_end(struct kit *k, struct id id)
{
	assert_non_null(strstr(kit_end(k, id), "\"closed\": 1, \"again\": 0"));
	return k->words.ptr;
}

static void a_call_is_given_up_after_its_attempt(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	/* Before it has left: it goes out once. */
	struct id id = kit_start(&k, "cancels_call", "{\"at_once\": 1}");

	assert_int_equal(k.nsent, 1);
	kit_answer(&k, 0, 503, "");
	kit_pass(&k, 100);
	assert_non_null(strstr(call_end(&k, id), "\"status\": 503"));
	/* While it is tried. */
	id = kit_start(&k, "cancels_call", "{}");
	kit_pass(&k, 100);
	assert_string_equal(kit_end(&k, id), "lives");
	kit_answer(&k, 1, 0, "");
	assert_non_null(strstr(call_end(&k, id), "\"status\": 0"));
	/* While it pauses. */
	id = kit_start(&k, "cancels_call", "{}");
	kit_answer(&k, 2, 500, "");
	kit_pass(&k, 100);
	assert_non_null(strstr(call_end(&k, id), "\"status\": 500"));
	/* In doubt after a crash: asked for once more, and given up again. */
	id = kit_start(&k, "cancels_call", "{\"at_once\": 1}");
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_int_equal(k.nsent, 5);
	assert_string_equal(k.sent[3].key, k.sent[4].key);
	kit_answer(&k, 4, 429, "");
	kit_pass(&k, 100);
	assert_non_null(strstr(call_end(&k, id), "\"status\": 429"));
	/* A good answer counts. */
	id = kit_start(&k, "cancels_call", "{\"at_once\": 1}");
	kit_answer(&k, 5, 200, "");
	kit_pass(&k, 100);
	assert_non_null(strstr(call_end(&k, id), "\"status\": 200"));
	assert_int_equal(k.nsent, 6);
	kit_close(&k);
}

static void a_timer_is_closed(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "cancels_timer", "{}");

	kit_pass(&k, 10);
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 90);
	assert_string_equal(kit_end(&k, id), "done {\"before\": 0, \"after\": 1, \"rung\": 1, \"none\": 1}");
	assert_string_equal(kit_end(&k, kit_start(&k, "closes", "{}")), "done {\"open\": 0, \"hook\": 1, \"timer\": 1}");
	kit_close(&k);
}

static void hooks_with_urls_are_not_cancelled(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "cancels_hook", "{}")), "fish_close closes hooks"));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "cancels_cancelled", "{}")), "neither a child nor a call"));
	kit_close(&k);
}

static void whole_story(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "partner /deaf", NULL, 503, "null");
	fish_sim_ends(s, fish_sim_start(s, "whole", "{}"),
	              "{n: 2, child: {by: 'cancel', undone: 200}, call: 503, timer: 1}");
	fish_sim_ends(s, fish_sim_start(s, "cancels_child", "{}"),
	              "{gone: 499, naps: 499, winds: 200, undone: 200}");
}

static void the_story_comes_out_the_same_after_each_crash(void **state)
{
	(void)state;
	assert_int_equal(fish_sim_each_crash(&(fish_sim_options){ .program = &program }, whole_story, NULL), 0);
}

#define TOLD(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define TOLD_ALL(park) \
	TOLD(one_that_asked_winds_up, park), \
	TOLD(the_grace_is_thirty_seconds, park), \
	TOLD(what_comes_after_the_grace_is_not_taken, park), \
	TOLD(a_cancel_is_seen_in_the_next_life, park), \
	TOLD(one_that_is_run_again_after_its_grace_goes_no_further, park), \
	TOLD(each_ends_when_a_flow_that_asked_is_cancelled, park), \
	TOLD(a_child_is_cancelled_once, park), \
	TOLD(a_call_is_given_up_after_its_attempt, park), \
	TOLD(a_timer_is_closed, park), \
	TOLD(hooks_with_urls_are_not_cancelled, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		TOLD_ALL(stay), TOLD_ALL(park), cmocka_unit_test(the_story_comes_out_the_same_after_each_crash) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
