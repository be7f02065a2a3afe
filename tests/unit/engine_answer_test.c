/* engine_answer_test.c - fish_reply_with: answers of a flow with header lines and bytes of its own. */
#include "engine_kit.h"

enum { UNANSWERED = 0 };

#define TWIML "<Response><Say>hello</Say></Response>"

static char big[(1 << 20) + 1];

/* One answer for each number. */
static void answer(fish_flow *f, const fish_msg *m)
{
	static const char *const xml[] = { "Content-Type:  text/xml ", "X-Empty:", NULL };

	switch (fish_int(m, "/n", 0)) {
	case 1:
		fish_reply_with(f, m, &(fish_response){ .headers = xml, .body = TWIML, .len = strlen(TWIML) });
		break;
	case 2:
		fish_reply_with(f, m, &(fish_response){ .status = 204 });
		break;
	case 3:
		fish_reply_with(f, m, &(fish_response){ .status = 401, .body = "\0\1", .len = 2 });
		break;
	case 4:
		fish_reply_with(f, m, &(fish_response){ .body = big, .len = sizeof big - 1 });
		break;
	default:
		fish_reply(f, m, 200, "{n: 0}");
	}
}

static void answers(fish_flow *f, const fish_msg *in)
{
	static const char *const late[] = { "Content-Type: text/plain", NULL };
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){
		.reply_ms = 3 * FISH_SECOND,
		.reply = &(fish_response){ .status = 503, .headers = late, .body = "later", .len = 5 } });

	if (!fish_int(in, "/life", 0))
		fish_log(f, "url %s", fish_url(h));
	for (;;) {
		const fish_msg *m = fish_next(h, FISH_FOREVER);

		if (fish_true(m, "/silent"))
			continue;
		if (fish_true(m, "/end"))
			return;
		if (fish_true(m, "/renew"))
			fish_renew(f, "{life: %lld}", fish_int(in, "/life", 0) + 1);
		answer(f, m);
	}
}

/* What each of these asks for stops the flow. */
static const char *const two[] = { "A-b: 1", "C: 2", "a-B: 3", NULL };
static const char *const length[] = { "content-Length: 1", NULL };
static const char *const date[] = { "Date: now", NULL };
static const char *const split[] = { "A: 1\r\nB: 2", NULL };
static const char *const blank[] = { "A : 1", NULL };
static const char *const nameless[] = { ": 1", NULL };
static const char *const wordless[] = { "A", NULL };
static const char *const cookies[] = { "Set-Cookie: a=1", "set-cookie: b=2", NULL };
static const struct wrong {
	fish_response r;
	const char   *words;          /* NULL: it is right */
} wrongs[] = {
	{ { .headers = two }, "two lines of \"a-B\"" },
	{ { .headers = length }, "\"content-Length\" is the server's to send" },
	{ { .headers = date }, "\"Date\" is the server's to send" },
	{ { .headers = split }, "is no header line" },
	{ { .headers = blank }, "\"A : 1\" is no header line" },
	{ { .headers = nameless }, "is no header line" },
	{ { .headers = wordless }, "is no header line" },
	{ { .status = 204, .body = "x", .len = 1 }, "an answer 204 has no body" },
	{ { .status = 304, .body = "x", .len = 1 }, "an answer 304 has no body" },
	{ { .status = 199 }, "199 is no status" },
	{ { .status = 600 }, "600 is no status" },
	{ { .len = 1 }, "the body is NULL" },
	{ { .body = big, .len = sizeof big }, "a body of 1048577 bytes" },
	{ { .headers = cookies, .body = big, .len = sizeof big - 1 }, NULL },
};

static void misuses(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .reply_ms = FISH_SECOND });

	fish_log(f, "url %s", fish_url(h));
	fish_reply_with(f, fish_next(h, FISH_FOREVER), &wrongs[fish_int(in, "/case", 0)].r);
}

static const fish_def flows[] = { FISH_FLOW(answers), FISH_FLOW(misuses), FISH_END };
static const fish_program program = { .flows = flows };

static void open_one(struct kit *k, void **state)
{
	kit_open(k, &program, *(const int64_t *)*state);
	kit_start(k, "answers", "{}");
}

static void assert_heard(struct kit *k, const char *body, const char *id, int status, const char *lines,
                         const char *answer)
{
	struct knock n;

	kit_knock(k, &n, k->log.ptr, body, id);
	kit_turn(k);
	assert_int_equal(n.status, status);
	assert_string_equal(n.lines, lines);
	assert_string_equal(n.answer, answer);
}

/* Was: engine_crowded never heard of what duplicates are to hear, however much that was. */
static void what_is_kept_for_duplicates_counts(void **state)
{
	struct kit k;
	char id[] = "a";

	open_one(&k, state);
	size_t before = engine_memory(k.engine);

	for (; id[0] < 'k'; id[0]++) {
		struct knock n;

		kit_knock(&k, &n, k.log.ptr, "{\"n\": 4}", id);
		kit_turn(&k);
		assert_int_equal(n.status, 200);
	}
	assert_in_range(engine_memory(k.engine) - before, 10 << 20, 12 << 20);
	kit_close(&k);
}

/* All of what was answered, told once more. */
static void assert_all_heard(struct kit *k)
{
	assert_heard(k, "{\"n\": 1}", "a", 200, "Content-Type: text/xml\r\nX-Empty: \r\n", TWIML);
	assert_heard(k, "{\"n\": 2}", "b", 204, "none", "");
	assert_heard(k, "{\"n\": 3}", "c", 401, "Content-Type: application/octet-stream\r\n", "");
	assert_heard(k, "{\"n\": 0}", "d", 200, "JSON", "{\"n\": 0}");
}

static void bytes_and_headers_are_told_as_they_were_given(void **state)
{
	struct kit k;
	struct knock n;

	open_one(&k, state);
	assert_all_heard(&k);
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 3}", "c2");
	kit_turn(&k);
	assert_int_equal(n.status, 401);
	kit_close(&k);
}

static void a_duplicate_hears_the_same_whatever_happened_since(void **state)
{
	struct kit k;
	struct knock held[3];                     /* until the flow ends, or its process */

	open_one(&k, state);
	assert_all_heard(&k);
	assert_all_heard(&k);
	kit_crash(&k, KIT_KEPT);
	assert_all_heard(&k);
	kit_knock(&k, &held[0], k.log.ptr, "{\"renew\": true}", "r1");
	kit_turn(&k);
	assert_all_heard(&k);
	kit_crash(&k, KIT_KEPT);                  /* from DOOR now */
	assert_all_heard(&k);
	kit_knock(&k, &held[1], k.log.ptr, "{\"renew\": true}", "r2");
	kit_turn(&k);
	kit_knock(&k, &held[2], k.log.ptr, "{\"end\": true}", "e");
	kit_turn(&k);
	assert_all_heard(&k);                     /* from the ended row */
	kit_crash(&k, KIT_KEPT);
	assert_all_heard(&k);
	kit_close(&k);
}

static void nobody_hears_an_answer_that_is_not_durable(void **state)
{
	struct kit k;
	struct knock n;

	open_one(&k, state);
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, k.log.ptr, "{\"n\": 1}", "a");
	engine_turn(k.engine);
	engine_turn(k.engine);
	assert_int_equal(n.status, UNANSWERED);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(n.status, 503);
	assert_string_equal(n.lines, "JSON");
	assert_heard(&k, "{\"n\": 1}", "a", 200, "Content-Type: text/xml\r\nX-Empty: \r\n", TWIML);
	kit_close(&k);
}

static void the_fallback_may_be_any_bytes_too(void **state)
{
	struct kit k;
	struct knock n;

	open_one(&k, state);
	kit_knock(&k, &n, k.log.ptr, "{\"renew\": true}", "r");
	kit_pass(&k, 3000);
	assert_string_equal(n.answer, "later");
	kit_crash(&k, KIT_KEPT);
	kit_knock(&k, &n, k.log.ptr, "{\"silent\": true}", "s");
	kit_pass(&k, 2999);
	assert_int_equal(n.status, UNANSWERED);
	kit_pass(&k, 1);
	assert_int_equal(n.status, 503);
	assert_string_equal(n.lines, "Content-Type: text/plain\r\n");
	assert_string_equal(n.answer, "later");
	kit_close(&k);
}

static void what_cannot_be_sent_is_misuse(void **state)
{
	for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
		struct kit k;
		char input[32];

		kit_open(&k, &program, *(const int64_t *)*state);
		snprintf(input, sizeof input, "{\"case\": %zu}", i);
		struct id id = kit_start(&k, "misuses", input);
		struct knock n;

		kit_knock(&k, &n, k.log.ptr, "{}", "a");
		kit_turn(&k);
		const char *end = kit_end(&k, id);

		if (wrongs[i].words && !strstr(end, wrongs[i].words))
			fail_msg("case %zu: %s", i, end);
		if (!wrongs[i].words)
			assert_string_equal(end, "done null");
		kit_close(&k);
	}
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(bytes_and_headers_are_told_as_they_were_given, park), \
	STORY(a_duplicate_hears_the_same_whatever_happened_since, park), \
	STORY(nobody_hears_an_answer_that_is_not_durable, park), \
	STORY(the_fallback_may_be_any_bytes_too, park), \
	STORY(what_cannot_be_sent_is_misuse, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		STORIES(stay), STORIES(park), STORY(what_is_kept_for_duplicates_counts, stay) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
