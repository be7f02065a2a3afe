/* view_test.c - journals in words: each entry as a person reads it, and valid JSON whatever is in them. */
#include "base/hash.h"
#include "engine/view.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CUT = 80, ROUNDS = 4000 };

/* ---- cutting ---- */

/* Is it one character after the other, none cut? Of what these tests put together. */
static bool is_whole(struct slice text)
{
	json_t *string = json_stringn(text.len ? text.ptr : "", text.len);

	json_decref(string);
	return string != NULL;
}

static void short_texts_are_not_cut(void **state)
{
	(void)state;
	char text[CUT + 3];

	for (size_t len = 0; len <= CUT; len++) {
		memset(text, 'a', sizeof text);
		assert_int_equal(view_cut((struct slice){ text, len }).len, len);
		if (len < 2)
			continue;
		/* However it ends. */
		memcpy(text + len - 2, "é", 2);
		assert_int_equal(view_cut((struct slice){ text, len }).len, len);
	}
	assert_int_equal(view_cut(SLICE_NONE).len, 0);
	struct slice umlauts = SLICE_LIT("äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä");

	assert_int_equal(umlauts.len, CUT);
	assert_int_equal(view_cut(umlauts).len, CUT);
}

static void long_texts_are_cut_between_characters(void **state)
{
	(void)state;
	const char *characters[] = { "a", "é", "€", "𝄞" };

	for (size_t c = 0; c < 4; c++)
		for (size_t shift = 0; shift < 4; shift++) {
			struct slice one = slice_of(characters[c]);
			struct buf text;

			buf_init(&text, SIZE_MAX);
			buf_put(&text, "xxxx", shift);
			while (text.len <= CUT)
				buf_put_slice(&text, one);
			for (int more = 0; more < 5; more++) {
				struct slice cut = view_cut(buf_slice(&text));

				assert_ptr_equal(cut.ptr, text.ptr);
				assert_true(is_whole(cut));
				assert_in_range(cut.len, CUT + 1 - one.len, CUT);
				buf_put_slice(&text, one);
			}
			buf_fini(&text);
		}
}

static void bytes_that_are_no_text_are_cut_anywhere(void **state)
{
	(void)state;
	char bytes[200];

	memset(bytes, 0x80, sizeof bytes);
	assert_int_equal(view_cut((struct slice){ bytes, sizeof bytes }).len, CUT);
	memset(bytes, 0xff, sizeof bytes);
	assert_int_equal(view_cut((struct slice){ bytes, sizeof bytes }).len, CUT);
}

/* ---- words ---- */

/* A journal of one row, as a JSON array the caller owns. */
static json_t *journal_of(const struct entry *entries, size_t n, uint64_t seq)
{
	struct buf row;
	struct buf json;

	buf_init(&row, SIZE_MAX);
	buf_init(&json, SIZE_MAX);
	for (size_t i = 0; i < n; i++)
		entry_put(&row, &entries[i]);
	struct store_row rows[] = { { .seq = seq, .bytes = buf_slice(&row) } };
	struct view *v = view_new(&(struct store_load){ .rows = rows, .nrows = 1 });

	assert_int_equal(v->nentries, n);
	buf_printf(&json, "[%s]", v->journal.ptr);
	json_t *journal = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

	assert_non_null(journal);
	assert_int_equal(json_array_size(journal), n);
	buf_fini(&json);
	buf_fini(&row);
	view_free(v);
	return journal;
}

static void assert_words(const struct entry *e, const char *wanted)
{
	json_t *journal = journal_of(e, 1, 5);
	json_t *shown = json_array_get(journal, 0);

	assert_string_equal(json_string_value(json_object_get(shown, "text")), wanted);
	assert_string_equal(json_string_value(json_object_get(shown, "entry")), entry_kind_name(e->kind));
	assert_int_equal(json_integer_value(json_object_get(shown, "seq")), 5);
	assert_int_equal(json_integer_value(json_object_get(shown, "time_ms")), e->time_ms);
	assert_int_equal(json_object_size(shown), 4);
	json_decref(journal);
}

static void entries_read_as_sentences(void **state)
{
	(void)state;
	const struct {
		struct entry e;
		const char  *words;
	} told[] = {
		{ { .kind = ENTRY_START, .name = SLICE_LIT("order"), .body = SLICE_LIT("{\"id\": 1}"), .time_ms = 7 },
		  "started as order with 9 bytes {\"id\": 1}" },
		{ { .kind = ENTRY_START, .name = SLICE_LIT("order") }, "started as order with 0 bytes" },
		{ { .kind = ENTRY_HOOK, .number = 2, .name = SLICE_LIT("taken") }, "hook 2 \"taken\" opened" },
		{ { .kind = ENTRY_HOOK, .number = 1, .name = SLICE_LIT("orders"), .each = SLICE_LIT("order") },
		  "hook 1 \"orders\" starts a flow order for each delivery" },
		{ { .kind = ENTRY_TIMEOUT, .number = 4 }, "the wait of step 4 ended with nothing" },
		{ { .kind = ENTRY_CLOSED, .number = 2, .name = SLICE_LIT("by the flow") }, "hook 2 closed: by the flow" },
		{ { .kind = ENTRY_CHILDREN, .added = 3, .ended = 1 }, "children: 3 started, 1 ended" },
		{ { .kind = ENTRY_CANCEL }, "cancelled" },
		{ { .kind = ENTRY_END, .status = END_DONE, .body = SLICE_LIT("null") }, "done: 4 bytes null" },
		{ { .kind = ENTRY_END, .status = END_FAILED, .name = SLICE_LIT("nobody came") },
		  "failed: nobody came" },
		{ { .kind = ENTRY_END, .status = END_CANCELLED, .name = SLICE_LIT("cancelled") },
		  "ended: cancelled" },
		{ { .kind = ENTRY_RESULT, .number = 4, .name = SLICE_LIT("charge"), .body = SLICE_LIT("abcd") },
		  "the result of step 4 (charge): 4 bytes" },
		{ { .kind = ENTRY_PATCH, .name = SLICE_LIT("new-price") }, "patch new-price" },
		{ { .kind = ENTRY_PUBLISH, .name = SLICE_LIT("place"), .body = SLICE_LIT("[1]") },
		  "published place: 3 bytes [1]" },
		{ { .kind = ENTRY_REPLY, .status = 200, .message_seq = 4, .body = SLICE_LIT("[]") },
		  "reply 200 to the delivery of entry 4: 2 bytes []" },
		{ { .kind = ENTRY_ANSWER, .status = 204, .message_seq = 4, .meta = SLICE_LIT("A: b\r\n") },
		  "reply 204 to the delivery of entry 4: 1 header, 0 bytes" },
		{ { .kind = ENTRY_REPLY, .message_seq = 9, .status = 204 },
		  "reply 204 to the delivery of entry 9: 0 bytes" },
		{ { .kind = ENTRY_RENEW, .body = SLICE_LIT("{}") }, "renewed with 2 bytes {}" },
	};

	for (size_t i = 0; i < sizeof told / sizeof *told; i++)
		assert_words(&told[i].e, told[i].words);
}

static void messages_tell_where_they_come_from(void **state)
{
	(void)state;
	struct entry e = { .kind = ENTRY_MESSAGE, .source = SOURCE_HOOK, .number = 3, .status = 200,
	                   .body = SLICE_LIT("[1]") };

	assert_words(&e, "delivery to hook 3: 3 bytes [1]");
	e.source = SOURCE_CALL;
	assert_words(&e, "answer 200 to the call of step 3: 3 bytes [1]");
	e.status = 0;
	assert_words(&e, "the call of step 3 was given up without an answer");
	e.source = SOURCE_TIMER;
	assert_words(&e, "the timer of step 3 rang");
	e = (struct entry){ .kind = ENTRY_MESSAGE, .source = SOURCE_CHILD, .number = 3, .status = 500,
	                    .body = SLICE_LIT("no word") };
	assert_words(&e, "the child of step 3 ended (500): 7 bytes no word");
}

static void bodies_are_cut_and_judged(void **state)
{
	(void)state;
	struct entry e = { .kind = ENTRY_MESSAGE, .source = SOURCE_HOOK, .number = 1 };

	assert_words(&e, "delivery to hook 1: 0 bytes");
	e.body = SLICE_LIT("\"0123456789012345678901234567890123456789012345678901234567890123456789012345678\"");
	assert_words(&e, "delivery to hook 1: 81 bytes "
	             "\"0123456789012345678901234567890123456789012345678901234567890123456789012345678 … (cut)");
	e.body = SLICE_LIT("a=1");
	e.meta = SLICE_LIT("content-type: application/x-www-form-urlencoded\n");
	assert_words(&e, "delivery to hook 1: 3 bytes a=1");
	e.body = SLICE_LIT("a=%");
	assert_words(&e, "delivery to hook 1: 3 bytes a=% (not read as JSON: field 1 of the form has a bad "
	             "escape, a NUL or bytes that are not UTF-8)");
	e.meta = SLICE_NONE;
	e.body = SLICE_LIT("\0\0");
	assert_words(&e, "delivery to hook 1: 2 bytes (not read as JSON: a NUL byte)");
	e.body = SLICE_LIT("{\"a\": 1, \"a\": 2}");
	json_t *journal = journal_of(&e, 1, 0);
	const char *text = json_string_value(json_object_get(json_array_get(journal, 0), "text"));

	assert_non_null(strstr(text, " (not read as JSON: duplicate object key"));
	json_decref(journal);
}

static void progress_tells_its_steps(void **state)
{
	(void)state;
	struct buf steps;
	struct entry e = { .kind = ENTRY_PROGRESS, .number = 3, .doubt = 1 };

	buf_init(&steps, SIZE_MAX);
	entry_step_put(&steps, &(struct entry_step){ .kind = STEP_SPAWN, .label = SLICE_LIT("taken") });
	entry_step_put(&steps, &(struct entry_step){ .kind = STEP_DONE });
	e.steps = buf_slice(&steps);
	assert_words(&e, "reached step 3: spawn taken, done; 1 call without an answer");
	e.doubt = 2;
	e.rest = REST_CLOSING;
	assert_words(&e, "reached step 3: spawn taken, done; 2 calls without an answer; its function has returned");
	buf_fini(&steps);
}

/* ---- the whole ---- */

static void view_tells_input_and_last_step(void **state)
{
	(void)state;
	struct buf steps;
	struct buf first;
	struct buf second;

	buf_init(&steps, SIZE_MAX);
	buf_init(&first, SIZE_MAX);
	buf_init(&second, SIZE_MAX);
	entry_step_put(&steps, &(struct entry_step){ .kind = STEP_SPAWN, .label = SLICE_LIT("h") });
	entry_step_put(&steps, &(struct entry_step){ .kind = STEP_WAIT, .label = SLICE_LIT("taken") });
	entry_put(&first, &(struct entry){ .kind = ENTRY_START, .time_ms = 1, .body = SLICE_LIT("{}") });
	entry_put(&first, &(struct entry){
		.kind = ENTRY_PROGRESS, .time_ms = 2, .number = 2, .steps = buf_slice(&steps) });
	entry_put(&second, &(struct entry){ .kind = ENTRY_TIMEOUT, .time_ms = 3, .number = 1 });
	/* As of an ended flow whose oldest rows are gone: entry 2 is missing. */
	struct store_row rows[] = {
		{ .seq = 0, .bytes = buf_slice(&first) },
		{ .seq = 3, .bytes = buf_slice(&second) },
	};
	struct view *v = view_new(&(struct store_load){ .rows = rows, .nrows = 2 });

	buf_fini(&first);
	buf_fini(&second);
	buf_fini(&steps);
	assert_int_equal(v->nentries, 3);
	assert_true(slice_eq(v->input, SLICE_LIT("{}")));
	assert_int_equal(v->steps, 2);
	assert_int_equal(v->last_ms, 2);
	assert_int_equal(v->last.kind, STEP_WAIT);
	assert_true(slice_eq(v->last.label, SLICE_LIT("taken")));
	assert_non_null(strstr(v->journal.ptr, "{\"seq\": 1, \"time_ms\": 2, \"entry\": \"progress\""));
	assert_non_null(strstr(v->journal.ptr, "{\"seq\": 3, \"time_ms\": 3, \"entry\": \"timeout\""));
	assert_null(view_free(v));
	v = view_new(&(struct store_load){ .nrows = 0 });
	assert_int_equal(v->nentries, 0);
	assert_int_equal(v->journal.len, 0);
	view_free(v);
	assert_null(view_free(NULL));
}

static struct slice any_text(uint64_t *chance, const char *pool, size_t pool_bytes)
{
	*chance = hash64_u64(*chance, 1);
	return (struct slice){ pool + (*chance >> 8) % (pool_bytes - 200), (*chance >> 32) % 200 };
}

static void any_journal_is_json(void **state)
{
	(void)state;
	uint64_t chance = HASH64_SEED;
	char pool[2000];
	struct entry all[4];

	for (size_t i = 0; i < sizeof pool; i++) {
		chance = hash64_u64(chance, i);
		/* Half of it is what JSON and UTF-8 are broken with. */
		pool[i] = i % 2 ? (char)(chance >> 30) : "\"\\\n\0\xc3\xe2\x82{}]/\x7f\x1f%n"[(chance >> 30) % 16];
	}
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < 4; i++) {
			chance = hash64_u64(chance, i);
			int kind = 1 + (int)((chance >> 20) % ENTRY_KIND_MAX);

			all[i] = (struct entry){
				.kind = (enum entry_kind)kind,
				.source = (enum source)(1 + (chance >> 30) % 4),
				.status = kind == ENTRY_PATCH ? 1 : 1 + (int)((chance >> 40) % 3),
				.name = any_text(&chance, pool, sizeof pool),
				.each = any_text(&chance, pool, sizeof pool),
				.body = any_text(&chance, pool, sizeof pool),
				.meta = any_text(&chance, pool, sizeof pool),
				.steps = any_text(&chance, pool, sizeof pool),
			};
		}
		json_decref(journal_of(all, 4, 0));
	}
}

/* ---- ended flows ---- */

static json_t *ended_json(const struct store_ended *x)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	buf_putc(&out, '{');
	view_ended(&out, x);
	buf_putc(&out, '}');
	json_t *json = json_loadb(out.ptr, out.len, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(json);
	buf_fini(&out);
	return json;
}

static void ended_flows_tell_result_or_why(void **state)
{
	(void)state;
	struct store_ended x = {
		.flow = { { 1 } }, .name = SLICE_LIT("or\"der"), .status = END_DONE, .started_ms = 5, .ended_ms = 9,
		.result = SLICE_LIT("{\"n\": 1.50}"),
	};
	json_t *json = ended_json(&x);

	assert_string_equal(json_string_value(json_object_get(json, "flow")), "or\"der");
	assert_string_equal(json_string_value(json_object_get(json, "state")), "ended");
	assert_string_equal(json_string_value(json_object_get(json, "status")), "done");
	assert_int_equal(json_integer_value(json_object_get(json, "started_ms")), 5);
	assert_int_equal(json_integer_value(json_object_get(json, "ended_ms")), 9);
	assert_true(json_is_null(json_object_get(json, "parent")));
	assert_int_equal(json_string_length(json_object_get(json, "id")), ID_TEXT_SIZE - 1);
	assert_int_equal(json_object_size(json_object_get(json, "result")), 1);
	assert_null(json_object_get(json, "why"));
	json_decref(json);

	x.status = END_FAILED;
	x.parent = (struct id){ { 2 } };
	x.result = SLICE_LIT("\"quoted\" \xff");
	json = ended_json(&x);
	assert_string_equal(json_string_value(json_object_get(json, "status")), "failed");
	assert_string_equal(json_string_value(json_object_get(json, "why")), "\"quoted\" \xef\xbf\xbd");
	assert_true(json_is_null(json_object_get(json, "result")));
	assert_true(json_is_string(json_object_get(json, "parent")));
	json_decref(json);

	x.status = END_CANCELLED;
	x.result = SLICE_NONE;
	json = ended_json(&x);
	assert_string_equal(json_string_value(json_object_get(json, "status")), "cancelled");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_texts_are_not_cut),
		cmocka_unit_test(long_texts_are_cut_between_characters),
		cmocka_unit_test(bytes_that_are_no_text_are_cut_anywhere),
		cmocka_unit_test(entries_read_as_sentences),
		cmocka_unit_test(messages_tell_where_they_come_from),
		cmocka_unit_test(bodies_are_cut_and_judged),
		cmocka_unit_test(progress_tells_its_steps),
		cmocka_unit_test(view_tells_input_and_last_step),
		cmocka_unit_test(any_journal_is_json),
		cmocka_unit_test(ended_flows_tell_result_or_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
