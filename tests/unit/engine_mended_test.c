/* engine_mended_test.c - defects of how flows run, stop and end, each with what must hold instead.
 *
 * A test is named after what holds and says what was. Surprise: some of these defects ended the whole
 * program, by an abort, an endless loop or a torn stack, so that a relapse may show as no report. */
#include "engine_kit.h"
#include "engine/world.h"

#include <unistd.h>

/* ---- flows under test ---- */

/* Three partners whose words all stand in the same place, one after the other. */
static void fan(fish_flow *f, const fish_msg *in)
{
	char url[64];
	char token[64];
	char secret[64];
	const fish_peer p = { .name = "p", .url = url, .token = token, .secret = secret };
	fish_hook *h[3];
	const fish_msg *got[3];

	(void)in;
	for (int i = 0; i < 3; i++) {
		snprintf(url, sizeof url, "http://p%d", i);
		snprintf(token, sizeof token, "token%d", i);
		snprintf(secret, sizeof secret, "secret%d", i);
		h[i] = fish_send(f, &p, "/x", "{i: %d}", i);
	}
	size_t n = fish_gather(f, FISH_FOREVER, h, 3, 3, got);

	fish_done(f, "{n: %zu}", n);
}

static void careless(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_spawn(f, "a");
	fish_spawn(f, "a");
}

static void careful(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_spawn(f, "a");
	fish_spawn(f, "b");
	fish_done(f, "{ok: 1}");
}

static const fish_msg *greeting(fish_flow *f)
{
	fish_hook *h = fish_spawn(f, "h");

	fish_log(f, "%s", fish_url(h));
	return fish_next(h, FISH_FOREVER);
}

static void careless_late(fish_flow *f, const fish_msg *in)
{
	(void)in;
	greeting(f);
	fish_spawn(f, "more");
	fish_spawn(f, "h");
}

static void careful_late(fish_flow *f, const fish_msg *in)
{
	const fish_msg *m = greeting(f);

	(void)in;
	fish_spawn(f, "more");
	fish_done(f, "{came: %-s}", fish_raw(m, ""));
}

/* The one thing outside: how often a flow's function was begun, and its fish_defer ran. */
static struct {
	int begun, ran, torn;
} deferred;

static void look_at_word(void *arg)
{
	deferred.ran++;
	deferred.torn += strcmp(arg, "whole") != 0;
}

static void leaves(fish_flow *f, const fish_msg *in)
{
	const char *how = fish_str(in, "/how");
	char word[32];

	snprintf(word, sizeof word, "whole");
	deferred.begun++;
	fish_defer(f, look_at_word, word);
	fish_sleep(f, 10);
	if (strcmp(how, "fails") == 0)
		fish_fail(f, "so be it");
	if (strcmp(how, "calls") == 0)
		fish_send(f, &partner, "/x", "{}");
	fish_done(f, "null");
}

/* Writes over what it finds on its stack. */
static void scribble(fish_flow *f, const fish_msg *in)
{
	volatile char bytes[8192];

	(void)in;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = 'X';
	fish_sleep(f, bytes[5] == 'X' ? 1000 : 0);
}

static void wait_after_call(fish_flow *f, int64_t wait_ms)
{
	fish_hook *h = fish_spawn(f, "h");

	fish_send(f, &partner, "/x", "{}");
	fish_next(h, wait_ms);
	fish_log(f, "went on");
	fish_done(f, "1");
}

static void waits_long(fish_flow *f, const fish_msg *in)
{
	(void)in;
	wait_after_call(f, 5 * FISH_SECOND);
}

static void waits_not(fish_flow *f, const fish_msg *in)
{
	(void)in;
	wait_after_call(f, 0);
}

static void kid(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_sleep(f, 1000);
}

static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "orders");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_timer(f, 1000);
	fish_each(h, kid);
}

static void say_bye(void *arg)
{
	fish_log(arg, "bye");
}

static void polite(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_defer(f, say_bye, f);
	fish_sleep(f, FISH_HOUR);
}

static fish_hook *lent;      /* by the lender, who lives, to the thief … */
static fish_flow *lent_by;   /* … with his own handle */

static void lender(fish_flow *f, const fish_msg *in)
{
	(void)in;
	lent_by = f;
	lent = fish_spawn(f, "mine");
	fish_log(f, "%s", fish_url(lent));
	const fish_msg *m = fish_next(lent, FISH_FOREVER);

	fish_done(f, "{came: %d}", m != NULL);
}

/* What would be misuse of the lender, if he were the one to call. */
static void steal_misuse(const char *what)
{
	if (strcmp(what, "spawn") == 0)
		fish_spawn(lent_by, "");
	if (strcmp(what, "publish") == 0)
		fish_publish(lent_by, "x", "{bad");
	if (strcmp(what, "post") == 0)
		fish_post(lent_by, &partner, "no slash", "{}");
	if (strcmp(what, "cancel") == 0)
		fish_cancel(lent);
	if (strcmp(what, "alloc") == 0)
		(void)fish_alloc(lent_by, SIZE_MAX);
	if (strcmp(what, "patch") == 0)
		(void)fish_patch(lent_by, "new");
}

/* To a hook of the same number. */
static void steal_reply(fish_flow *f, const fish_msg *in)
{
	fish_msg m = *in;

	fish_spawn_with(f, "ask", &(fish_hook_options){ .reply_ms = 1 });
	m.hook = lent;
	fish_reply(f, &m, 200, "{}");
}

static void thief(fish_flow *f, const fish_msg *in)
{
	const char *what = fish_str(in, "/what");

	steal_misuse(what);
	if (strcmp(what, "reply") == 0)
		steal_reply(f, in);
	if (strcmp(what, "next") == 0)
		fish_next(lent, 1000);
	if (strcmp(what, "close") == 0)
		fish_close(lent);
	if (strcmp(what, "each") == 0)
		fish_each(lent, kid);
	if (strcmp(what, "url") == 0)
		fish_url(lent);
	fish_done(f, "null");
}

static void reader(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	for (;;)
		fish_next(h, FISH_FOREVER);
}

#define SAME_IN_BOTH \
	FISH_FLOW(fan), FISH_FLOW(leaves), FISH_FLOW(scribble), FISH_FLOW(kid), FISH_FLOW(shop), \
	FISH_FLOW(polite), FISH_FLOW(lender), FISH_FLOW(thief), FISH_FLOW(reader)
static const fish_def flows[] = {
	SAME_IN_BOTH, { "mended", careless, 0 }, { "mended_late", careless_late, 0 },
	{ "shortened", waits_long, 0 }, FISH_END,
};
static const fish_def next_flows[] = {
	SAME_IN_BOTH, { "mended", careful, 0 }, { "mended_late", careful_late, 0 },
	{ "shortened", waits_not, 0 }, FISH_END,
};
static const fish_program program = { .flows = flows };
static const fish_program next_program = { .flows = next_flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

/* The process ends and the next build begins over its store. */
static void deploy(struct kit *k)
{
	struct err err = { .code = 0 };
	struct store *survivor = store_memory_crash(k->store, false);

	k->engine = engine_free(k->engine);
	k->store = survivor;
	k->program = &next_program;
	struct engine_config config = {
		.program = k->program,
		.base_url = "https://door",
		.build = 2,
		.seams = { .owner = k, .now_ms = kit_now, .entropy = kit_entropy, .send = kit_send,
		           .abandon = kit_abandon, .log = kit_log, .jitter = kit_jitter },
		.store = k->store,
		.park_after_ms = k->park_after_ms,
	};

	assert_int_equal(engine_new(&k->engine, &config, &err), 0);
	assert_int_equal(engine_recover(k->engine, &err), 0);
	kit_turn(k);
}

static void assert_begins(const char *text, const char *with)
{
	if (strncmp(text, with, strlen(with)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", text, with);
}

/* ---- the tests ---- */

/* Was: a held call copied the peer and not its strings, and went to where the last peer's had gone. */
static void a_call_asked_again_goes_where_it_was_asked_to_go(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "fan", "{}");

	assert_int_equal(k.nsent, 3);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_int_equal(k.nsent, 6);
	for (size_t i = 0; i < 3; i++) {
		const struct sent *again = &k.sent[3 + i];
		struct slice headers = again->attempt->headers;
		char url[32];
		char line[64];
		char secret[32];

		snprintf(url, sizeof url, "http://p%zu/x", i);
		snprintf(line, sizeof line, "Bearer token%zu\n", i);
		snprintf(secret, sizeof secret, "secret%zu", i);
		assert_string_equal(again->url, url);
		assert_string_equal(again->body, k.sent[i].body);
		assert_string_equal(again->key, k.sent[i].key);
		assert_non_null(memmem(headers.ptr, headers.len, line, strlen(line)));
		assert_true(slice_eq(again->attempt->secret, slice_of(secret)));
	}
	for (size_t i = 3; i < 6; i++)
		kit_answer(&k, i, 200, "{}");
	assert_string_equal(kit_end(&k, id), "done {\"n\": 3}");
	kit_close(&k);
}

/* Was: after a restart a misused flow counted as one at rest, which waited for ever and without a word. */
static void a_misused_flow_is_stopped_again_and_a_mended_build_goes_on(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "mended", "{}");

	for (int restarts = 0; restarts < 3; restarts++) {
		assert_begins(kit_end(&k, id), "stopped misuse at step 1: fish_spawn: a hook named \"a\"");
		assert_int_equal(kit_figures(&k).stopped, 1);
		kit_crash(&k, KIT_LOST);
		kit_turn(&k);
	}
	deploy(&k);
	assert_string_equal(kit_end(&k, id), "done {\"ok\": 1}");
	kit_close(&k);
}

/* Was: as above, though the misuse came long after the flow's begin. */
static void a_flow_misused_after_a_wait_is_stopped_again(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "mended_late", "{}");

	assert_int_equal(kit_post(&k, k.log.ptr, "{\"n\": 1}", "m1"), 200);
	assert_begins(kit_end(&k, id), "stopped misuse at step 3: fish_spawn");
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_begins(kit_end(&k, id), "stopped misuse at step 3: fish_spawn");
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"n\": 2}", "m2"), 200);
	deploy(&k);
	assert_string_equal(kit_end(&k, id), "done {\"came\": {\"n\": 1}}");
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"n\": 2}", "m2"), 200);
	kit_close(&k);
}

/* A flow ends while the store hears nothing, and another gets its stack before the end is durable. */
static void leave(struct kit *k, struct id id, const char *how)
{
	struct look l = { .kit = k, .rc = UNTOLD, .cancel = { .id = id, .done = look_cancelled } };
	struct launch other;

	store_memory_hold(k->store, true);
	if (strcmp(how, "cancelled") == 0)
		engine_cancel(k->engine, &l.cancel);
	else
		k->now_ms += 10;
	engine_turn(k->engine);
	if (k->park_after_ms < 0)
		store_memory_complete(k->store, MEMORY_OK);      /* the load of its rows */
	engine_turn(k->engine);
	kit_launch(k, &other, "scribble", "{}", NULL);
	engine_turn(k->engine);
	store_memory_hold(k->store, false);
	kit_turn(k);
}

/* Was: they ran when the flow was freed, after its commit, with pointers into a stack that was gone. */
static void deferred_callbacks_run_once_while_the_stack_stands(void **state)
{
	static const char *const ways[][2] = {
		{ "returns", "done null" }, { "fails", "failed so be it" },
		{ "cancelled", "cancelled cancelled" }, { "calls", "done null" },
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct kit k;
		char input[64];

		memset(&deferred, 0, sizeof deferred);
		snprintf(input, sizeof input, "{\"how\": \"%s\"}", ways[i][0]);
		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, "leaves", input);

		leave(&k, id, ways[i][0]);
		assert_int_equal(deferred.ran, deferred.begun);
		assert_int_equal(deferred.torn, 0);
		if (k.nsent)
			kit_answer(&k, 0, 200, "");
		assert_string_equal(kit_end(&k, id), ways[i][1]);
		kit_close(&k);
		assert_int_equal(deferred.ran, deferred.begun);
		assert_int_equal(deferred.torn, 0);
		assert_true(deferred.begun >= 1);
		if (park_of(state) > 0)
			assert_int_equal(deferred.begun, 1);
	}
}

/* Was: the replay of a cancelled flow looked once, wrote down that nothing had come, did not see what
 * it had written, and looked again. */
static void a_cancelled_flow_whose_wait_became_none_ends(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "shortened", "{}");

	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "lives");
	alarm(10);                         /* nothing else would end the loop, and it eats memory */
	deploy(&k);
	alarm(0);
	assert_int_equal(k.nsent, 2);
	kit_answer(&k, 1, 200, "");
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_string_equal(kit_log_text(&k), "");
	kit_close(&k);
}

enum second_news { NEWS_TIMER, NEWS_CANCEL };

/* A parked flow's load is under way behind a commit with a row of its own, and that commit fails. */
static void load_behind_a_failing_commit(enum second_news news)
{
	struct kit k;

	kit_open(&k, &program, -1);
	struct id id = kit_start(&k, "shop", "{}");
	struct look l = { .kit = &k, .rc = UNTOLD, .watch = { .id = id, .done = look_watched } };
	struct look gone = { .kit = &k, .rc = UNTOLD, .cancel = { .id = id, .done = look_cancelled } };
	struct knock n;

	engine_watch(k.engine, &l.watch);
	kit_turn(&k);
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, k.log.ptr, "{}", "m1");
	engine_turn(k.engine);
	if (news == NEWS_CANCEL)
		engine_cancel(k.engine, &gone.cancel);
	else
		k.now_ms += 2000;
	engine_turn(k.engine);
	assert_int_equal(store_memory_pending(k.store), 2);
	store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
	assert_int_equal(n.status, 503);
	while (store_memory_pending(k.store))
		store_memory_complete(k.store, MEMORY_OK);
	assert_int_equal(kit_figures(&k).stopped, 0);
	engine_turn(k.engine);
	assert_int_equal(l.rc, FISH_ESTORE);
	store_memory_hold(k.store, false);
	kit_pass(&k, 5000);
	assert_int_equal(kit_figures(&k).stopped, 0);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_figures(&k).flows, 2);
	kit_close(&k);
}

/* Was: the rows came without those that had been rolled back, and the flow was told to be damaged. */
static void a_load_under_way_when_a_commit_fails_stops_no_flow(void **state)
{
	load_behind_a_failing_commit(NEWS_TIMER);
	load_behind_a_failing_commit(NEWS_CANCEL);
	(void)state;
}

/* Was: the line went to a batch that had been refused already, and the server aborted as it stopped. */
static void a_log_line_from_a_deferred_callback_harms_no_stop(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "polite", "{}");
	kit_crash(&k, KIT_LOST);
	struct id id = kit_start(&k, "polite", "{}");

	assert_string_equal(kit_end(&k, id), "lives");
	kit_close(&k);
}

/* Was: the hook's own flow was run on the caller's stack, or stopped for what it had not done. */
/* Was: what would have been misuse in that other flow ended the process, and its patches were written there. */
static void a_hook_of_another_flow_is_misuse_of_the_caller_alone(void **state)
{
	static const char *const inputs[] = {
		"{\"what\": \"next\"}", "{\"what\": \"close\"}",
		"{\"what\": \"each\"}", "{\"what\": \"url\"}", "{\"what\": \"spawn\"}", "{\"what\": \"publish\"}",
		"{\"what\": \"post\"}", "{\"what\": \"cancel\"}", "{\"what\": \"alloc\"}", "{\"what\": \"patch\"}",
		"{\"what\": \"reply\"}",
	};

	for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
		struct kit k;

		kit_open(&k, &program, 3600 * 1000);
		struct id owner = kit_start(&k, "lender", "{}");
		struct id other = kit_start(&k, "thief", inputs[i]);

		assert_begins(kit_end(&k, other), strstr(inputs[i], "reply") ? "stopped misuse at step 1: fish_reply: "
		                                  : "stopped misuse at step 0: a hook or flow of another flow");
		assert_string_equal(kit_end(&k, owner), "lives");
		assert_int_equal(kit_figures(&k).stopped, 1);
		assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
		assert_string_equal(kit_end(&k, owner), "done {\"came\": 1}");
		kit_close(&k);
	}
	(void)state;
}

/* Was: the buffer that bridges a load kept its size, so that a parked flow cost as much as its mail. */
static void a_parked_flow_keeps_no_copy_of_what_woke_it(void **state)
{
	enum { BODY_BYTES = 256 << 10 };
	struct kit k;
	char *body = malloc(BODY_BYTES);

	assert_non_null(body);
	memset(body, ' ', BODY_BYTES);
	body[0] = '1';
	body[BODY_BYTES - 1] = '\0';
	kit_open(&k, &program, -1);
	struct id id = kit_start(&k, "reader", "{}");

	struct look l = { .kit = &k, .rc = UNTOLD, .watch = { .id = id, .done = look_watched } };

	engine_watch(k.engine, &l.watch);        /* so it stays in memory, though without a run */
	assert_int_equal(kit_post(&k, k.log.ptr, "0", "m0"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, body, "m1"), 200);
	const struct flow *f = map_get(&k.engine->flows, &id);

	assert_non_null(f);
	assert_int_equal(f->state, FLOW_PARKED);
	assert_true(f->tail.cap < BODY_BYTES / 16);
	free(body);
	engine_unwatch(k.engine, &l.watch, look_forgotten);
	kit_close(&k);
	(void)state;
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(a_call_asked_again_goes_where_it_was_asked_to_go, park), \
	STORY(a_misused_flow_is_stopped_again_and_a_mended_build_goes_on, park), \
	STORY(a_flow_misused_after_a_wait_is_stopped_again, park), \
	STORY(deferred_callbacks_run_once_while_the_stack_stands, park), \
	STORY(a_cancelled_flow_whose_wait_became_none_ends, park), \
	STORY(a_log_line_from_a_deferred_callback_harms_no_stop, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		STORIES(stay), STORIES(park),
		cmocka_unit_test(a_load_under_way_when_a_commit_fails_stops_no_flow),
		cmocka_unit_test(a_hook_of_another_flow_is_misuse_of_the_caller_alone),
		cmocka_unit_test(a_parked_flow_keeps_no_copy_of_what_woke_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
