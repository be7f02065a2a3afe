/* ledger_test.c - the ledger alone: what it keeps, what it lets go of, and what it does not tell. */
#include "engine/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct id flow_of(unsigned n)
{
	return (struct id){ { (uint8_t)(n >> 8), (uint8_t)n, 1 } };
}

static void note(struct ledger *l, unsigned flow, uint32_t hook, uint64_t number, enum fate fate, struct slice body)
{
	struct id id = flow_of(flow);

	ledger_note(l, &(struct ledger_request){
		.flow = &id, .hook = hook, .number = number, .time_ms = (int64_t)number, .fate = fate, .status = 401,
		.why = SLICE_LIT("so"), .message_id = SLICE_LIT("m1"), .method = SLICE_LIT("POST"),
		.meta = SLICE_LIT(":peer: 192.0.2.1\nx-signature: 4711\nempty: \nx-signature: 4712\nodd\n"), .body = body });
}

static bool has(struct ledger *l, unsigned flow, uint64_t number)
{
	struct id id = flow_of(flow);

	return ledger_find(l, &id, number) != NULL;
}

static const int owner_mark;

static bool hides(const void *owner, struct slice name)
{
	assert_ptr_equal(owner, &owner_mark);
	return slice_eq(name, SLICE_LIT("x-signature")) || slice_eq(name, SLICE_LIT("empty"));
}

static json_t *shown(struct ledger *l, unsigned flow)
{
	struct id id = flow_of(flow);
	struct buf out;

	buf_init(&out, SIZE_MAX);
	ledger_show(&out, l, &id, NULL, 0, (struct ledger_hiding){ hides, &owner_mark });
	json_t *json = json_loadb(out.ptr, out.len, 0, NULL);

	assert_non_null(json);
	buf_fini(&out);
	return json;
}

static void assert_text(const json_t *json, const char *wanted)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

	assert_string_equal(text, wanted);
	free(text);
}

static void a_line_has_all_but_what_signs(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();
	struct ledger_request q;
	struct id id = flow_of(1);

	note(l, 1, 3, 7, FATE_REFUSED, SLICE_LIT("{\"n\": 1}"));
	struct ledger_line *line = ledger_find(l, &id, 7);

	assert_true(ledger_read(line, &q));
	assert_true(id_eq(q.flow, &id));
	assert_int_equal(q.hook, 3);
	assert_true(slice_eq(q.body, SLICE_LIT("{\"n\": 1}")));
	assert_true(slice_eq(q.message_id, SLICE_LIT("m1")));
	assert_int_equal(q.meta.len, strlen(":peer: 192.0.2.1\nx-signature: 4711\nempty: \nx-signature: 4712\nodd\n"));
	json_t *json = shown(l, 1);

	assert_text(json_array_get(json_object_get(json_array_get(json, 0), "requests"), 0),
	            "{\"fate\":\"refused\",\"headers\":[[\":peer\",\"192.0.2.1\"],[\"x-signature\",\"…\"],"
	            "[\"empty\",\"\"],[\"x-signature\",\"…\"]],\"kept\":true,\"len\":8,\"method\":\"POST\",\"number\":7,"
	            "\"status\":401,\"text\":\"{\\\"n\\\": 1}\",\"time_ms\":7,\"why\":\"so\"}");
	json_decref(json);
	json = shown(l, 2);
	assert_text(json, "[]");
	json_decref(json);
	ledger_free(l);
}

static void hooks_are_told_in_order_and_counted(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();
	struct id id = flow_of(1);

	note(l, 1, 5, 1, FATE_LATE, SLICE_NONE);
	note(l, 1, 0, 2, FATE_QUESTION, SLICE_LIT("who"));
	note(l, 1, 5, 3, FATE_DUPLICATE, SLICE_LIT("abc"));
	note(l, 1, 2, 4, FATE_REFUSED, SLICE_NONE);
	note(l, 1, 5, 5, FATE_REFUSED, SLICE_NONE);
	ledger_put_back(ledger_find(l, &id, 5));
	json_t *json = shown(l, 1);
	static const char *const books[] = {
		"{\"duplicates\":0,\"hook\":0,\"late\":0,\"nobody\":0,\"put_back\":0,\"questions\":1,\"refused\":0,\"since_ms\":2,\"stored\":0}",
		"{\"duplicates\":0,\"hook\":2,\"late\":0,\"nobody\":0,\"put_back\":0,\"questions\":0,\"refused\":1,\"since_ms\":4,\"stored\":0}",
		"{\"duplicates\":1,\"hook\":5,\"late\":1,\"nobody\":0,\"put_back\":1,\"questions\":0,\"refused\":0,\"since_ms\":1,\"stored\":0}",
	};

	assert_int_equal(json_array_size(json), 3);
	for (size_t i = 0; i < 3; i++) {
		json_t *book = json_array_get(json, i);
		json_t *requests = json_incref(json_object_get(book, "requests"));

		assert_int_equal(json_array_size(requests), i == 2 ? 3 : 1);
		if (i == 2)
			assert_text(json_array_get(requests, 1), "{\"fate\":\"duplicate\",\"len\":3,\"method\":\"POST\",\"number\":3,"
			            "\"status\":401,\"time_ms\":3,\"why\":\"so\"}");
		json_object_del(book, "requests");
		assert_text(book, books[i]);
		json_decref(requests);
	}
	json_decref(json);
	ledger_free(l);
}

static void a_flooded_hook_pushes_out_its_own_first(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();

	note(l, 1, 0, 1, FATE_REFUSED, SLICE_NONE);
	note(l, 1, 1, 2, FATE_REFUSED, SLICE_NONE);
	for (uint64_t n = 3; n < 10000; n++)
		note(l, 1, 1, n, FATE_LATE, SLICE_NONE);
	assert_true(has(l, 1, 1));
	assert_false(has(l, 1, 2));
	assert_false(has(l, 1, 9999 - LEDGER_HOOK_LINES_MAX));
	assert_true(has(l, 1, 10000 - LEDGER_HOOK_LINES_MAX));
	ledger_free(l);
}

/* Duplicates are what good senders send. */
static void duplicates_push_out_duplicates(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();

	note(l, 1, 1, 1, FATE_REFUSED, SLICE_NONE);
	for (uint64_t n = 2; n < 100; n++)
		note(l, 1, 1, n, n % 2 ? FATE_DUPLICATE : FATE_QUESTION, SLICE_NONE);
	assert_true(has(l, 1, 1));
	assert_false(has(l, 1, 99 - LEDGER_HOOK_BARE_MAX));
	assert_true(has(l, 1, 100 - LEDGER_HOOK_BARE_MAX));
	ledger_free(l);
}

/* What is for nobody has a sender that sends all its events: what was refused stays beside it. */
static void what_is_for_nobody_pushes_out_its_like(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();
	struct id id = flow_of(1);

	ledger_open_door(l, &id, 5);
	note(l, 1, 0, 1, FATE_REFUSED, SLICE_NONE);
	note(l, 1, 0, 2, FATE_STORED, SLICE_NONE);
	for (uint64_t n = 3; n < 1000; n++)
		note(l, 1, 0, n, FATE_NOBODY, SLICE_NONE);
	assert_true(has(l, 1, 1));
	assert_true(has(l, 1, 2));
	assert_false(has(l, 1, 999 - LEDGER_HOOK_NOBODY_MAX));
	assert_true(has(l, 1, 1000 - LEDGER_HOOK_NOBODY_MAX));
	ledger_free(l);
}

static void a_door_counts_on_without_lines(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();
	struct id id = flow_of(1);
	struct buf out;

	ledger_open_door(l, &id, 5);
	note(l, 1, 0, 1, FATE_STORED, SLICE_NONE);
	for (unsigned n = 2; n < 2 + LEDGER_LINES_MAX; n++)
		note(l, n, 0, n, FATE_REFUSED, SLICE_NONE);
	assert_false(has(l, 1, 1));
	buf_init(&out, SIZE_MAX);
	ledger_show_counts(&out, l, &id);
	ledger_show_requests(&out, l, &id, (struct ledger_hiding){ hides, &owner_mark });
	assert_string_equal(out.ptr, "\"since_ms\": 5, \"stored\": 1, \"duplicates\": 0, \"questions\": 0, \"refused\": 0, "
	                    "\"late\": 0, \"nobody\": 0, \"put_back\": 0, \"requests\": []");
	buf_fini(&out);
	ledger_free(l);
}

/* Of a hook only the youngest, and in its place among the hooks that have lines. */
static void what_is_stored_is_told_among_the_lines(void **state)
{
	(void)state;
	enum { MANY = 3 + LEDGER_HOOK_LINES_MAX };
	struct ledger_message m[MANY + 2] = { { .hook = 1, .entry = 4, .time_ms = 3, .taken = true } };
	struct ledger *l = ledger_new();
	struct id id = flow_of(1);
	struct buf out;

	for (unsigned n = 0; n < MANY; n++)
		m[1 + n] = (struct ledger_message){ .hook = 2, .entry = 10 + n, .time_ms = 100 + n };
	m[MANY + 1] = (struct ledger_message){ .hook = 9, .entry = 500, .body = SLICE_LIT("x") };
	note(l, 1, 1, 2, FATE_DUPLICATE, SLICE_NONE);
	note(l, 1, 1, 4, FATE_DUPLICATE, SLICE_NONE);
	note(l, 1, 5, 6, FATE_DUPLICATE, SLICE_NONE);
	buf_init(&out, SIZE_MAX);
	ledger_show(&out, l, &id, m, MANY + 2, (struct ledger_hiding){ hides, &owner_mark });
	json_t *json = json_loadb(out.ptr, out.len, 0, NULL);

	assert_int_equal(json_array_size(json), 4);
	static const int hooks[] = { 1, 2, 5, 9 };

	for (size_t i = 0; i < 4; i++)
		assert_int_equal(json_integer_value(json_object_get(json_array_get(json, i), "hook")), hooks[i]);
	json_t *first = json_object_get(json_array_get(json, 0), "requests");

	assert_int_equal(json_array_size(first), 3);
	assert_text(json_array_get(first, 1), "{\"entry\":4,\"fate\":\"taken\",\"len\":0,\"text\":\"\",\"time_ms\":3}");
	json_t *second = json_array_get(json, 1);

	assert_int_equal(json_integer_value(json_object_get(second, "stored")), MANY);
	second = json_object_get(second, "requests");
	assert_int_equal(json_array_size(second), LEDGER_HOOK_LINES_MAX);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(second, 0), "entry")), 13);
	assert_text(json_object_get(json_array_get(json, 3), "since_ms"), "null");
	json_decref(json);
	buf_fini(&out);
	ledger_free(l);
}

static void all_together_are_bounded_by_number(void **state)
{
	(void)state;
	struct ledger *l = ledger_new();

	for (unsigned n = 0; n < 3 * LEDGER_LINES_MAX; n++)
		note(l, n, 0, n, FATE_REFUSED, SLICE_NONE);
	assert_false(has(l, 2 * LEDGER_LINES_MAX - 1, 2 * LEDGER_LINES_MAX - 1));
	assert_true(has(l, 2 * LEDGER_LINES_MAX, 2 * LEDGER_LINES_MAX));
	ledger_free(l);
}

static void all_together_are_bounded_by_bytes(void **state)
{
	(void)state;
	enum { BIG = LEDGER_BODY_BYTES_MAX, FLOWS = 10, EACH = 30 };
	struct ledger *l = ledger_new();
	char *big = calloc(1, BIG + 1);
	struct ledger_request q;
	size_t kept = 0;

	for (unsigned n = 0; n < FLOWS * EACH; n++)
		note(l, n % FLOWS, 0, n, FATE_REFUSED, (struct slice){ big, BIG });
	for (unsigned n = 0; n < FLOWS * EACH; n++)
		kept += has(l, n % FLOWS, n);
	assert_in_range(kept, (LEDGER_BYTES_MAX / BIG) - 2, LEDGER_BYTES_MAX / BIG);
	/* Of one hook less. */
	for (unsigned n = 1000; n < 1000 + EACH; n++)
		note(l, 999, 0, n, FATE_REFUSED, (struct slice){ big, BIG });
	kept = 0;
	for (unsigned n = 1000; n < 1000 + EACH; n++)
		kept += has(l, 999, n);
	assert_in_range(kept, (LEDGER_HOOK_BYTES_MAX / BIG) - 1, LEDGER_HOOK_BYTES_MAX / BIG);
	/* And of a longer body only that it was there. */
	note(l, 999, 0, 5000, FATE_REFUSED, (struct slice){ big, BIG + 1 });
	struct id id = flow_of(999);

	assert_false(ledger_read(ledger_find(l, &id, 5000), &q));
	assert_int_equal(q.body.len, 0);
	free(big);
	ledger_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_all_but_what_signs),
		cmocka_unit_test(hooks_are_told_in_order_and_counted),
		cmocka_unit_test(a_flooded_hook_pushes_out_its_own_first),
		cmocka_unit_test(duplicates_push_out_duplicates),
		cmocka_unit_test(what_is_for_nobody_pushes_out_its_like),
		cmocka_unit_test(a_door_counts_on_without_lines),
		cmocka_unit_test(what_is_stored_is_told_among_the_lines),
		cmocka_unit_test(all_together_are_bounded_by_number),
		cmocka_unit_test(all_together_are_bounded_by_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
