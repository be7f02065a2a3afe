/* engine_hold_test.c - hooks with options: expiry, shots, JSON only, senders held for a reply. */
#include "engine_kit.h"

enum { UNANSWERED = 0 };

static void expires(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .expires_ms = 5 * FISH_SECOND });
	int n = 0;

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	while (fish_next(h, FISH_FOREVER))
		n++;
	fish_done(f, "{n: %d, closed: %-s}", n, fish_closed(h) ? "true" : "false");
}

static void two_shots(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .shots = 2 });
	int n = 0;

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	fish_sleep(f, 1000);
	while (fish_next(h, FISH_FOREVER))
		n++;
	fish_done(f, "{n: %d, closed: %-s}", n, fish_closed(h) ? "true" : "false");
}

static void only_json(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .json = true });

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	fish_done(f, "{got: %-s}", fish_raw(fish_next(h, FISH_FOREVER), ""));
}

static void replies(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){
		.reply_ms = 3 * FISH_SECOND, .reply_status = 504, .reply_json = "{\"late\":true}" });

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	for (;;) {
		const fish_msg *m = fish_next(h, FISH_FOREVER);

		if (fish_true(m, "/silent"))
			continue;
		if (fish_true(m, "/end"))
			return;
		fish_reply(f, m, 201, "{n: %lld}", fish_int(m, "/n", 0) + 1);
		if (fish_true(m, "/twice"))
			fish_reply(f, m, 201, "{}");
	}
}

static const fish_def flows[] = {
	FISH_FLOW(expires), FISH_FLOW(two_shots), FISH_FLOW(only_json), FISH_FLOW(replies), FISH_END };
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void a_hook_closes_itself_in_time(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "expires", "null");

	kit_pass(&k, 4000);
	assert_int_equal(kit_post(&k, k.log.ptr, "1", NULL), 200);
	kit_crash(&k, KIT_KEPT);
	kit_pass(&k, 999);
	assert_string_equal(kit_end(&k, id), "lives");
	kit_pass(&k, 1);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 1, \"closed\": true}");
	assert_int_equal(kit_post(&k, k.log.ptr, "1", NULL), 410);
	kit_close(&k);
}

static void a_delivery_after_the_expiry_is_gone_before_any_turn(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "expires", "null");
	k.now_ms += 5000;
	assert_int_equal(kit_post(&k, k.log.ptr, "1", NULL), 410);
	kit_close(&k);
}

static void a_hook_closes_itself_with_its_last_shot(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two_shots", "null");

	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "b"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "c"), 410);
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "b"), 200);     /* a duplicate of what it took */
	kit_crash(&k, KIT_KEPT);
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "d"), 410);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 2, \"closed\": true}");
	kit_close(&k);
}

static void what_is_no_json_is_refused(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "only_json", "null");

	assert_int_equal(kit_post(&k, k.log.ptr, "{no", "a"), 400);
	assert_int_equal(kit_post(&k, k.log.ptr, "", "a"), 400);
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"a\": 1}", "a"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"got\": {\"a\": 1}}");
	kit_close(&k);
}

static void the_sender_hears_the_reply(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "replies", "null");
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");
	kit_turn(&k);
	assert_int_equal(n.status, 201);
	assert_string_equal(n.answer, "{\"n\": 2}");
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");              /* the same, again */
	kit_turn(&k);
	assert_int_equal(n.status, 201);
	assert_string_equal(n.answer, "{\"n\": 2}");
	kit_crash(&k, KIT_KEPT);
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");
	kit_turn(&k);
	assert_int_equal(n.status, 201);
	assert_string_equal(n.answer, "{\"n\": 2}");
	kit_close(&k);
}

static void a_reply_outlives_its_flow(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "replies", "null");

	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");
	kit_turn(&k);
	kit_knock(&k, &n, k.log.ptr, "{\"end\": true}", "b");
	kit_turn(&k);
	assert_int_equal(n.status, 504);                              /* nobody replied, and nobody will */
	assert_string_equal(kit_end(&k, id), "done null");
	kit_crash(&k, KIT_KEPT);
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");
	kit_turn(&k);
	assert_int_equal(n.status, 201);
	assert_string_equal(n.answer, "{\"n\": 2}");
	kit_close(&k);
}

static void a_silent_flow_has_its_fallback(void **state)
{
	struct kit k;
	struct knock n;
	struct knock again;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "replies", "null");
	kit_knock(&k, &n, k.log.ptr, "{\"silent\": true}", "a");
	kit_turn(&k);
	assert_int_equal(n.status, UNANSWERED);
	kit_pass(&k, 1000);
	kit_knock(&k, &again, k.log.ptr, "{\"silent\": true}", "a");  /* joins the first */
	kit_pass(&k, 1999);
	assert_int_equal(n.status, UNANSWERED);
	kit_pass(&k, 1);
	assert_int_equal(n.status, 504);
	assert_string_equal(n.answer, "{\"late\":true}");
	assert_int_equal(again.status, UNANSWERED);
	kit_pass(&k, 1000);
	assert_int_equal(again.status, 504);
	kit_close(&k);
}

static void nobody_hears_a_reply_that_is_not_durable(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "replies", "null");
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");
	engine_turn(k.engine);
	engine_turn(k.engine);
	assert_int_equal(n.status, UNANSWERED);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(n.status, 503);
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 5}", "a");
	kit_turn(&k);
	assert_int_equal(n.status, 201);
	assert_string_equal(n.answer, "{\"n\": 6}");
	kit_close(&k);
}

static void a_second_reply_is_misuse(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "replies", "null");

	kit_knock(&k, &n, k.log.ptr, "{\"twice\": true}", "a");
	kit_turn(&k);
	assert_int_equal(n.status, 201);
	assert_non_null(strstr(kit_end(&k, id), "a second reply"));
	kit_close(&k);
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(a_hook_closes_itself_in_time, park), \
	STORY(a_delivery_after_the_expiry_is_gone_before_any_turn, park), \
	STORY(a_hook_closes_itself_with_its_last_shot, park), \
	STORY(what_is_no_json_is_refused, park), \
	STORY(the_sender_hears_the_reply, park), \
	STORY(a_reply_outlives_its_flow, park), \
	STORY(a_silent_flow_has_its_fallback, park), \
	STORY(nobody_hears_a_reply_that_is_not_durable, park), \
	STORY(a_second_reply_is_misuse, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { STORIES(stay), STORIES(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
