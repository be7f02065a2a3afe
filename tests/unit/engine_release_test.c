/* engine_release_test.c - hooks with the release option: a loop without an end stays as big as it is.
 *
 * Surprise: what a flow must not read any more is looked at by address, and only where AddressSanitizer
 * can say that it is no memory. */
#include "engine_kit.h"
#include "engine/flow.h"
#include "engine/run.h"
#include "engine/world.h"

#ifndef __has_feature
#define __has_feature(feature)  0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
enum { SANITIZED = 1, DELIVERIES = 10000 };
#define GONE(p)  (__asan_address_is_poisoned(p) != 0)
#else
enum { SANITIZED = 0, DELIVERIES = 100000 };
#define GONE(p)  ((p) != NULL)
#endif

enum { PER_BATCH = 500, BOUND = 64 << 10 };

static const fish_hook_options releases = { .release = true };

/* What it was handed of the last two messages. */
struct seen {
	const void *msg, *body, *text, *raw, *header;
	struct json_t *json;
};
static struct seen now;
static struct seen before;
static size_t taken;

static void look(const fish_msg *m)
{
	before = now;
	now = (struct seen){
		.msg = m, .body = m->body, .text = fish_str(m, "/n"), .raw = fish_raw(m, "/of"),
		.header = fish_header(m, "content-type"), .json = fish_json(m) };
	taken++;
}

static void loop(fish_flow *f, const fish_msg *in)
{
	bool keeps = fish_true(in, "/keeps");
	fish_hook *h = fish_spawn_with(f, "in", keeps ? NULL : &releases);
	const fish_msg *m;

	fish_log(f, "%s", fish_url(h));
	while ((m = fish_next(h, FISH_FOREVER)))
		look(m);
}

static void polls(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "in", &releases);
	const fish_msg *m = NULL;

	(void)in;
	fish_log(f, "%s", fish_url(h));
	while (!fish_true(m, "/stop")) {
		while (!(m = fish_next(h, 100)))
			fish_sleep(f, 100);
		look(m);
	}
}

/* The message of a wait stays through what follows, until the next is taken from the same hook. */
static void mixes(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_spawn_with(f, "a", &releases);
	fish_hook *b = fish_spawn(f, "b");
	const fish_msg *both[2];
	char all[200] = "";
	size_t len = 0;

	(void)in;
	fish_log(f, "a %s", fish_url(a));
	fish_log(f, "b %s", fish_url(b));
	for (int i = 0; i < 4; i++) {
		if (fish_gather(f, FISH_FOREVER, FISH_HOOKS(a, b), 2, 2, both) < 2)
			return;
		const char *word = fish_str(both[0], "/w");

		(void)fish_next(a, 0);            /* nothing: it takes no message, so none goes */
		fish_sleep(f, 10);
		len += (size_t)snprintf(all + len, sizeof all - len, "%s%s", word, fish_str(both[1], "/w"));
	}
	fish_done(f, "%s", all);
}

static void last_two(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "in", &releases);
	const fish_msg *twice[2];

	(void)in;
	fish_log(f, "%s", fish_url(h));
	if (fish_gather(f, FISH_FOREVER, FISH_HOOKS(h, h), 2, 2, twice) == 2)
		fish_done(f, "{a: %s, b: %s}", fish_str(twice[0], "/w"), fish_str(twice[1], "/w"));
}

static const fish_def flows[] = {
	FISH_FLOW(loop), FISH_FLOW(polls), FISH_FLOW(mixes), FISH_FLOW(last_two), FISH_END };
static const fish_program program = { .flows = flows };

static const struct run *run_now(struct kit *k, struct id id)
{
	const struct flow *f = map_get(&k->engine->flows, &id);

	assert_non_null(f->run);
	return f->run;
}

/* Handed to its hook in batches, so that the flow takes each and few commits are made. */
static void feed(struct kit *k, const char *url, size_t n)
{
	static const char body[] = "{\"n\": \"a text that is handed out\", \"of\": [1, 2, 3]}";
	struct knock *knocks = xalloc(PER_BATCH * sizeof *knocks);

	for (size_t at = 0; at < n; at += PER_BATCH) {
		for (size_t i = 0; i < PER_BATCH; i++)
			kit_knock(k, &knocks[i], url, body, NULL);
		kit_turn(k);
		for (size_t i = 0; i < PER_BATCH; i++)
			assert_int_equal(knocks[i].status, 200);
	}
	free(knocks);
}

/* All of a run that could grow: its arena, its map of inboxes, its list of PROGRESS, messages of their own. */
static size_t size_of(const struct run *r)
{
	size_t passing = 0;

	for (const struct list *l = r->passing.next; l != &r->passing; l = l->next)
		passing++;
	return r->arena.bytes + r->inboxes.cap * sizeof *r->inboxes.slots + r->progress_cap * sizeof *r->progress
	       + r->fresh.cap + r->recorded.cap + passing * 1000;
}

static size_t growth(const char *input)
{
	struct kit k;

	kit_open(&k, &program, 3600 * 1000);
	struct id id = kit_start(&k, "loop", input);
	const char *url = kit_log_text(&k);

	taken = 0;
	feed(&k, url, PER_BATCH);
	size_t first = size_of(run_now(&k, id));

	feed(&k, url, DELIVERIES);
	assert_int_equal(taken, DELIVERIES + PER_BATCH);
	size_t last = size_of(run_now(&k, id));

	kit_close(&k);
	return last - first;
}

static void a_long_loop_does_not_grow(void **state)
{
	(void)state;
	size_t released = growth("{}");
	size_t kept = growth("{\"keeps\": true}");

	print_message("%d deliveries through one run: %zu bytes more with release, %zu without\n", (int)DELIVERIES,
	              released, kept);
	assert_true(released < BOUND);
	assert_true(kept > (size_t)DELIVERIES * 200);
}

static void waits_that_run_out_do_not_grow_either(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 3600 * 1000);
	struct id id = kit_start(&k, "polls", "{}");

	for (int i = 0; i < 100; i++)
		kit_pass(&k, 100);
	size_t first = size_of(run_now(&k, id));

	for (int i = 0; i < 2000; i++)
		kit_pass(&k, 100);
	assert_true(size_of(run_now(&k, id)) < first + 1000);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"stop\": true}", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done null");
	kit_close(&k);
}

static void what_was_released_is_no_memory_any_more(void **state)
{
	struct kit k;

	(void)state;
	if (!SANITIZED)
		skip();
	kit_open(&k, &program, 3600 * 1000);
	(void)kit_start(&k, "loop", "{}");
	feed(&k, kit_log_text(&k), PER_BATCH);
	assert_true(GONE(before.msg) && GONE(before.body) && GONE(before.text) && GONE(before.raw)
	            && GONE(before.header) && GONE(before.json));
	assert_false(GONE(now.msg) || GONE(now.body) || GONE(now.text) || GONE(now.raw) || GONE(now.header)
	             || GONE(now.json));
	kit_close(&k);
}

static void without_the_option_all_stays(void **state)
{
	struct kit k;

	(void)state;
	if (!SANITIZED)
		skip();
	kit_open(&k, &program, 3600 * 1000);
	(void)kit_start(&k, "loop", "{\"keeps\": true}");
	feed(&k, kit_log_text(&k), PER_BATCH);
	assert_false(GONE(before.msg) || GONE(before.body) || GONE(before.text) || GONE(before.raw)
	             || GONE(before.header) || GONE(before.json));
	kit_close(&k);
}

static void post_both(struct kit *k, const char *word)
{
	char body[40];

	snprintf(body, sizeof body, "{\"w\": \"%s\"}", word);
	assert_int_equal(kit_post(k, strstr(kit_log_text(k), "a http"), body, NULL), 200);
	assert_int_equal(kit_post(k, strstr(kit_log_text(k), "b http"), body, NULL), 200);
	kit_pass(k, 50);
}

static void what_others_hold_is_let_alone(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "mixes", "{}");

	post_both(&k, "x");
	post_both(&k, "y");
	kit_crash(&k, KIT_KEPT);
	post_both(&k, "z");
	post_both(&k, "w");
	assert_string_equal(kit_end(&k, id), "done \"xxyyzzww\"");
	kit_close(&k);
}

/* Was, while it was written: a gather that names a hook twice lost its first message. */
static void two_of_one_hook_in_one_gather(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "last_two", "{}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"1\"}", NULL), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"2\"}", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"a\": \"1\", \"b\": \"2\"}");
	kit_close(&k);
}

/* A gather that a cancel cuts short gives back what it had. */
static void a_message_given_back_is_shown_as_untaken(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "last_two", "{}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"1\"}", NULL), 200);
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	assert_non_null(strstr(kit_show(&k, id), "\"untaken\": [{\"hook\": 0"));
	kit_close(&k);
}

#define TOLD(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_loop_does_not_grow),
		cmocka_unit_test(waits_that_run_out_do_not_grow_either),
		cmocka_unit_test(what_was_released_is_no_memory_any_more),
		cmocka_unit_test(without_the_option_all_stays),
		TOLD(what_others_hold_is_let_alone, stay), TOLD(what_others_hold_is_let_alone, park),
		TOLD(two_of_one_hook_in_one_gather, stay), TOLD(two_of_one_hook_in_one_gather, park),
		TOLD(a_message_given_back_is_shown_as_untaken, stay),
		TOLD(a_message_given_back_is_shown_as_untaken, park),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
