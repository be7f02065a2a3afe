/* engine_call_test.c - calls out: one key and the same bytes, retries, pauses, giving up, one answer. */
#include "engine_kit.h"

static void ask(fish_flow *f, const fish_msg *in)
{
	const fish_msg *m = fish_post(f, &partner, "/ask", "{q: %-s}", fish_raw(in, ""));

	fish_done(f, "{status: %d, say: %s}", m->status, fish_str(m, "/say"));
}

static void two_at_once(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_send(f, &partner, "/a", "{}");
	fish_hook *b = fish_send(f, &partner, "/b", "{}");
	const fish_msg *first = fish_any(f, FISH_FOREVER, a, b);

	(void)in;
	fish_done(f, "{first: %s, status: %d}", fish_name(first->hook), first->status);
}

static void whole(fish_flow *f, const fish_msg *in)
{
	static const char *const headers[] = { "X-One: 1", NULL };
	static const char body[] = "a\0b";
	const fish_msg *m = fish_call(f, &(fish_request){
		.to = &partner, .method = "PUT", .path = "/thing", .headers = headers,
		.body = body, .len = sizeof body - 1 });

	(void)in;
	fish_done(f, "%d", m->status);
}

/* What was closed is not waited for, but taken if it is there. */
static void closes(fish_flow *f, const fish_msg *in)
{
	fish_hook *call = fish_send(f, &partner, "/a", "{}");
	int status[3] = { 0 };

	(void)in;
	fish_close(call);
	for (int i = 0; i < 3; i++) {
		const fish_msg *m = fish_next(call, FISH_FOREVER);

		status[i] = m ? m->status : -1;
		fish_sleep(f, FISH_SECOND);
	}
	fish_done(f, "[%d, %d, %d]", status[0], status[1], status[2]);
}

static void bad_path(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_send(f, &partner, "/kept", "{}");
	fish_post(f, &partner, "no slash", "{}");
}

static const fish_def flows[] = {
	FISH_FLOW(ask), FISH_FLOW(two_at_once), FISH_FLOW(whole), FISH_FLOW(closes), FISH_FLOW(bad_path), FISH_END };
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void an_answer_is_handed_over(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "ask", "{\"n\": 1}");

	assert_int_equal(k.nsent, 1);
	assert_string_equal(k.sent[0].url, "http://partner/ask");
	assert_string_equal(k.sent[0].body, "{\"q\": {\"n\": 1}}");
	kit_answer(&k, 0, 404, "{\"say\": \"no\"}");
	assert_string_equal(kit_end(&k, id), "done {\"status\": 404, \"say\": \"no\"}");
	kit_close(&k);
}

static void refusals_are_tried_again_with_growing_pauses(void **state)
{
	static const int refusals[] = { 0, 503, 429, 408 };
	struct kit k;
	int64_t pause = 200;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "ask", "{}");

	for (size_t i = 0; i < 4; i++, pause *= 2) {
		kit_answer(&k, i, refusals[i], "");
		assert_int_equal(engine_next_ms(k.engine), k.now_ms + pause);
		kit_pass(&k, pause - 1);
		assert_int_equal(k.nsent, i + 1);
		kit_pass(&k, 1);
		assert_int_equal(k.nsent, i + 2);
		assert_string_equal(k.sent[i + 1].key, k.sent[0].key);
		assert_string_equal(k.sent[i + 1].body, k.sent[0].body);
	}
	kit_answer(&k, 4, 200, "{\"say\": \"yes\"}");
	assert_string_equal(kit_end(&k, id), "done {\"status\": 200, \"say\": \"yes\"}");
	kit_close(&k);
}

static void retry_after_lengthens_the_pause(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "ask", "{}");
	kit_answer_after(&k, 0, 503, "", 3000);
	assert_int_equal(engine_next_ms(k.engine), k.now_ms + 3000);
	kit_close(&k);
}

static void a_call_is_given_up_in_the_end(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "ask", "{}");

	kit_answer(&k, 0, 503, "{\"say\": \"busy\"}");
	kit_pass(&k, 4800);
	kit_answer(&k, 1, 0, "");
	/* The last status that came, without the body of an attempt that had no answer. */
	assert_string_equal(kit_end(&k, id), "done {\"status\": 503, \"say\": \"\"}");
	kit_close(&k);
}

static void any_of_two_calls(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two_at_once", "{}");

	assert_int_equal(k.nsent, 2);
	assert_string_not_equal(k.sent[0].key, k.sent[1].key);
	kit_answer(&k, 1, 201, "");
	/* The other call is still in doubt: the end waits for it, a restart asks it again. */
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(kit_figures(&k).closing, 1);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_int_equal(k.nsent, 3);
	assert_string_equal(k.sent[2].key, k.sent[0].key);
	assert_string_equal(k.sent[2].body, k.sent[0].body);
	kit_answer(&k, 2, 200, "");
	assert_string_equal(kit_end(&k, id), "done {\"first\": \"partner /b\", \"status\": 201}");
	kit_close(&k);
}

static void fish_call_sends_bytes_as_they_are(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "whole", "{}");
	const struct attempt *a = k.sent[0].attempt;

	assert_true(slice_eq(a->method, SLICE_LIT("PUT")));
	assert_true(slice_eq(a->body, (struct slice){ "a\0b", 3 }));
	assert_memory_equal(a->headers.ptr, "X-One: 1\nIdempotency-Key: ", 26);
	kit_answer(&k, 0, 204, "");
	assert_string_equal(kit_end(&k, id), "done 204");
	kit_close(&k);
}

static void a_closed_call_goes_on_and_nobody_waits_for_it(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "closes", "{}");

	assert_int_equal(k.nsent, 1);
	kit_answer(&k, 0, 201, "");
	for (int i = 0; i < 3; i++)
		kit_pass(&k, FISH_SECOND);
	assert_string_equal(kit_end(&k, id), "done [-1, 201, -1]");
	kit_close(&k);
}

static void cancel_gives_calls_up(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id pausing = kit_start(&k, "ask", "1");
	struct id trying = kit_start(&k, "ask", "2");

	kit_answer(&k, 0, 503, "");
	assert_int_equal(kit_cancel(&k, pausing), 0);
	assert_int_equal(kit_cancel(&k, trying), 0);
	assert_string_equal(kit_end(&k, pausing), "cancelled cancelled");
	assert_string_equal(kit_end(&k, trying), "lives");
	kit_answer(&k, 1, 503, "");
	assert_string_equal(kit_end(&k, trying), "cancelled cancelled");
	assert_int_equal(k.nsent, 2);
	kit_close(&k);
}

static void what_a_misused_flow_had_sent_is_in_doubt_after_a_crash(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "bad_path", "{}");

	assert_non_null(strstr(kit_end(&k, id), "the path must begin with '/'"));
	assert_int_equal(k.nsent, 1);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	/* It stands still again, but what it had asked for before goes out at least once. */
	assert_int_equal(k.nsent, 2);
	assert_string_equal(k.sent[1].key, k.sent[0].key);
	assert_non_null(strstr(kit_end(&k, id), "the path must begin with '/'"));
	kit_close(&k);
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(an_answer_is_handed_over, park), \
	STORY(refusals_are_tried_again_with_growing_pauses, park), \
	STORY(retry_after_lengthens_the_pause, park), \
	STORY(a_call_is_given_up_in_the_end, park), \
	STORY(any_of_two_calls, park), \
	STORY(fish_call_sends_bytes_as_they_are, park), \
	STORY(a_closed_call_goes_on_and_nobody_waits_for_it, park), \
	STORY(cancel_gives_calls_up, park), \
	STORY(what_a_misused_flow_had_sent_is_in_doubt_after_a_crash, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { STORIES(stay), STORIES(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
