/* entry_test.c - journal entries: bytes that are pinned, round trips, and what must be refused.
 *
 * What fields a kind has stands here a second time, in make(): the table of entry.c is held
 * against it. The pinned bytes are a file format; a change of them would lose every journal. */
#include "entry_random.h"

#include "wire/pack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 20000 };

static void assert_slice(struct slice got, struct slice wanted)
{
	assert_int_equal(got.len, wanted.len);
	assert_true(slice_eq(got, wanted));
}

static void assert_same(const struct entry *got, const struct entry *e)
{
	assert_int_equal(got->kind, e->kind);
	assert_int_equal(got->time_ms, e->time_ms);
	assert_int_equal(got->source, e->source);
	assert_int_equal(got->number, e->number);
	assert_int_equal(got->epoch, e->epoch);
	assert_int_equal(got->status, e->status);
	assert_slice(got->name, e->name);
	assert_slice(got->options, e->options);
	assert_slice(got->each, e->each);
	assert_slice(got->meta, e->meta);
	assert_slice(got->body, e->body);
	assert_int_equal(got->has_key, e->has_key);
	assert_memory_equal(&got->key, &e->key, sizeof e->key);
	assert_memory_equal(&got->flow, &e->flow, sizeof e->flow);
	assert_int_equal(got->build, e->build);
	assert_int_equal(got->key_id, e->key_id);
	assert_slice(got->base_url, e->base_url);
	assert_int_equal(got->message_seq, e->message_seq);
	assert_int_equal(got->added, e->added);
	assert_int_equal(got->ended, e->ended);
	assert_int_equal(got->digest, e->digest);
	assert_int_equal(got->doubt, e->doubt);
	assert_int_equal(got->waiting, e->waiting);
	assert_int_equal(got->rest, e->rest);
	assert_int_equal(got->hook_next, e->hook_next);
	assert_int_equal(got->now_ms, e->now_ms);
	assert_slice(got->steps, e->steps);
	assert_slice(got->deadlines, e->deadlines);
	assert_slice(got->hooks, e->hooks);
	assert_slice(got->untaken, e->untaken);
	assert_slice(got->seen, e->seen);
	assert_slice(got->born, e->born);
	assert_int_equal(got->life, e->life);
	assert_int_equal(got->started_ms, e->started_ms);
	assert_int_equal(got->cancelled_ms, e->cancelled_ms);
	assert_slice(got->published, e->published);
}

/* Bytes in memory of their own size, so that a sanitizer sees a read beyond them. */
static int next_of(const char *bytes, size_t len, struct entry *ret_entry)
{
	char *exact = xstrndup(bytes, len);
	struct slice rest = { exact, len };
	int rc = entry_next(&rest, ret_entry);

	if (rc < 0) {
		assert_int_equal(rc, FISH_EFORMAT);
		assert_ptr_equal(rest.ptr, exact);
		assert_int_equal(rest.len, len);
	}
	free(exact);
	return rc;
}

static void assert_refused(struct slice bytes)
{
	struct entry e;

	assert_int_equal(next_of(bytes.ptr, bytes.len, &e), FISH_EFORMAT);
}

/* ---- the format ---- */

#define KEY16 "KKKKKKKKKKKKKKKK"
#define FLOW16 "FFFFFFFFFFFFFFFF"

static void bytes_of_each_kind_are_pinned(void **state)
{
	(void)state;
	struct id key;
	struct id flow;

	memset(&key, 'K', sizeof key);
	memset(&flow, 'F', sizeof flow);
	const struct {
		struct entry e;
		struct slice bytes;
	} pinned[] = {
		{ { .kind = ENTRY_START, .time_ms = 300, .name = SLICE_LIT("order"), .body = SLICE_LIT("{}"),
		    .meta = SLICE_LIT("a: b\n"), .build = 128, .key_id = 9, .base_url = SLICE_LIT("http://x") },
		  SLICE_LIT("\x01\x1f\xac\x02\5order\2{}\5a: b\n\0\0\x80\x01\x09\x08http://x") },
		{ { .kind = ENTRY_START, .time_ms = 1, .name = SLICE_LIT("o"), .source = SOURCE_HOOK,
		    .flow = flow, .number = 2, .epoch = 3, .has_key = true, .key = key },
		  SLICE_LIT("\x01\x2c\1\1o\0\0\1" FLOW16 "\2\3\1" KEY16 "\0\0\0") },
		{ { .kind = ENTRY_HOOK, .time_ms = 1, .number = 2, .name = SLICE_LIT("n"),
		    .options = SLICE_LIT("op"), .each = SLICE_LIT("e") },
		  SLICE_LIT("\x02\x09\1\2\1n\2op\1e") },
		{ { .kind = ENTRY_MESSAGE, .time_ms = 1, .source = SOURCE_CALL, .number = 4, .status = 404,
		    .has_key = true, .key = key, .meta = SLICE_LIT("m"), .body = SLICE_LIT("\0b") },
		  SLICE_LIT("\x03\x1b\1\3\4\x94\3\1" KEY16 "\1m\2\0b") },
		{ { .kind = ENTRY_TIMEOUT, .time_ms = 1, .number = 7 }, SLICE_LIT("\x04\x02\1\7") },
		{ { .kind = ENTRY_RESULT, .time_ms = 1, .number = 7, .name = SLICE_LIT("l"),
		    .body = SLICE_LIT("bb") }, SLICE_LIT("\x05\x07\1\7\1l\2bb") },
		{ { .kind = ENTRY_PATCH, .time_ms = 1, .name = SLICE_LIT("p"), .status = 1 },
		  SLICE_LIT("\x06\x04\1\1p\1") },
		{ { .kind = ENTRY_PUBLISH, .time_ms = 1, .name = SLICE_LIT("p"), .body = SLICE_LIT("b") },
		  SLICE_LIT("\x07\x05\1\1p\1b") },
		{ { .kind = ENTRY_CLOSED, .time_ms = 1, .number = 3, .name = SLICE_LIT("w") },
		  SLICE_LIT("\x08\x04\1\3\1w") },
		{ { .kind = ENTRY_REPLY, .time_ms = 1, .message_seq = 5, .status = 200, .body = SLICE_LIT("b") },
		  SLICE_LIT("\x09\x06\1\5\xc8\1\1b") },
		{ { .kind = ENTRY_CHILDREN, .time_ms = 1, .added = 5, .ended = 6 },
		  SLICE_LIT("\x0a\x03\1\5\6") },
		{ { .kind = ENTRY_CANCEL, .time_ms = 1 }, SLICE_LIT("\x0b\x01\1") },
		{ { .kind = ENTRY_PROGRESS, .time_ms = 1, .number = 2, .digest = 3, .build = 4, .doubt = 5,
		    .waiting = 6, .rest = REST_CLOSING, .steps = SLICE_LIT("s"), .deadlines = SLICE_LIT("dd") },
		  SLICE_LIT("\x0c\x0c\1\2\3\4\5\6\1\1s\2dd") },
		{ { .kind = ENTRY_RENEW, .time_ms = 1, .body = SLICE_LIT("b"), .build = 2, .key_id = 3,
		    .base_url = SLICE_LIT("u"), .hook_next = 4, .now_ms = 5, .hooks = SLICE_LIT("h"),
		    .untaken = SLICE_LIT("t"), .seen = SLICE_LIT("s") },
		  SLICE_LIT("\x0d\x0f\1\1b\2\3\1u\4\5\1h\1t\1s") },
		{ { .kind = ENTRY_BORN, .time_ms = 1, .born = SLICE_LIT("b") }, SLICE_LIT("\x0f\x03\1\1b") },
		{ { .kind = ENTRY_DOOR, .time_ms = 1, .name = SLICE_LIT("n"), .life = 2, .started_ms = 3, .added = 4,
		    .cancelled_ms = 5, .message_seq = 6, .hooks = SLICE_LIT("h"), .published = SLICE_LIT("p") },
		  SLICE_LIT("\x10\x0e\1\1n\0\0\2\3\4\5\6\1h\1p") },
		{ { .kind = ENTRY_ANSWER, .time_ms = 1, .message_seq = 5, .status = 200, .meta = SLICE_LIT("A: b\r\n"),
		    .body = SLICE_LIT("c") }, SLICE_LIT("\x11\x0d\1\5\xc8\1\6A: b\r\n\1c") },
		{ { .kind = ENTRY_END, .time_ms = 1, .status = END_FAILED, .name = SLICE_LIT("y"),
		    .body = SLICE_LIT("r") }, SLICE_LIT("\x0e\x06\1\2\1y\1r") },
	};

	for (size_t i = 0; i < sizeof pinned / sizeof *pinned; i++) {
		struct buf out;
		struct entry e;

		buf_init(&out, SIZE_MAX);
		entry_put(&out, &pinned[i].e);
		assert_slice(buf_slice(&out), pinned[i].bytes);
		struct slice rest = buf_slice(&out);

		assert_int_equal(entry_next(&rest, &e), 1);
		assert_int_equal(rest.len, 0);
		assert_same(&e, &pinned[i].e);
		buf_fini(&out);
	}
}

static void any_entries_come_back_from_one_row(void **state)
{
	(void)state;
	struct chance c;
	struct entry row[8];
	struct buf out;

	chance_init(&c, 1);
	buf_init(&out, SIZE_MAX);
	for (int round = 0; round < ROUNDS / 8; round++) {
		buf_reset(&out);
		for (size_t i = 0; i < 8; i++) {
			row[i] = make(&c, (enum entry_kind)(1 + (any(&c) >> 20) % ENTRY_KIND_MAX));
			entry_put(&out, &row[i]);
		}
		assert_false(buf_failed(&out));
		struct slice rest = buf_slice(&out);
		struct entry e;

		for (size_t i = 0; i < 8; i++) {
			assert_int_equal(entry_next(&rest, &e), 1);
			assert_same(&e, &row[i]);
		}
		assert_int_equal(entry_next(&rest, &e), 0);
	}
	buf_fini(&out);
}

static void largest_numbers_and_long_texts_come_back(void **state)
{
	(void)state;
	static char text[1 << 20];
	struct entry many = {
		.kind = ENTRY_PROGRESS, .time_ms = INT64_MAX, .number = UINT32_MAX, .digest = UINT64_MAX,
		.build = UINT64_MAX, .doubt = UINT32_MAX, .waiting = UINT32_MAX, .rest = REST_CLOSING,
		.steps = { text, sizeof text }, .deadlines = { text, 128 },
	};
	struct entry message = {
		.kind = ENTRY_MESSAGE, .source = SOURCE_CHILD, .status = INT32_MAX, .number = UINT32_MAX,
		.meta = { text, 127 }, .body = { text, 129 },
	};
	struct entry e;
	struct buf out;

	buf_init(&out, SIZE_MAX);
	entry_put(&out, &many);
	entry_put(&out, &message);
	struct slice rest = buf_slice(&out);

	assert_int_equal(entry_next(&rest, &e), 1);
	assert_same(&e, &many);
	assert_int_equal(entry_next(&rest, &e), 1);
	assert_same(&e, &message);
	buf_fini(&out);
}

static void decoded_texts_borrow_from_the_row(void **state)
{
	(void)state;
	struct slice row = SLICE_LIT("\x08\x04\1\3\1w");
	struct slice rest = row;
	struct entry e;

	assert_int_equal(entry_next(&rest, &e), 1);
	assert_ptr_equal(e.name.ptr, row.ptr + 5);
	assert_ptr_equal(rest.ptr, row.ptr + row.len);
}

static void full_buffer_fails(void **state)
{
	(void)state;
	struct chance c;

	chance_init(&c, 2);
	for (int kind = 1; kind <= ENTRY_KIND_MAX; kind++) {
		struct entry e = make(&c, (enum entry_kind)kind);
		struct buf whole;

		buf_init(&whole, SIZE_MAX);
		entry_put(&whole, &e);
		for (size_t room = 0; room <= whole.len; room++) {
			struct buf out;

			buf_init(&out, room);
			entry_put(&out, &e);
			assert_int_equal(buf_failed(&out), room < whole.len);
			buf_fini(&out);
		}
		buf_fini(&whole);
	}
}

/* ---- what must be refused ---- */

static void empty_row_is_the_end(void **state)
{
	(void)state;
	struct slice rest = SLICE_NONE;
	struct entry e;

	assert_int_equal(entry_next(&rest, &e), 0);
}

/* Also when the entry's own length says that no more was to come. */
static void each_truncation_is_refused(void **state)
{
	(void)state;
	struct chance c;

	chance_init(&c, 3);
	for (int kind = 1; kind <= ENTRY_KIND_MAX; kind++) {
		struct entry e = make(&c, (enum entry_kind)kind);
		struct buf out;
		struct buf inner;

		buf_init(&out, SIZE_MAX);
		buf_init(&inner, SIZE_MAX);
		entry_put(&out, &e);
		for (size_t len = 1; len < out.len; len++)
			assert_refused((struct slice){ out.ptr, len });
		struct slice fields = { out.ptr + 1, out.len - 1 };
		uint64_t whole = 0;

		assert_int_equal(varint_next(&fields, &whole), 1);
		assert_int_equal(whole, fields.len);
		for (size_t len = 0; len < whole; len++) {
			buf_reset(&inner);
			buf_putc(&inner, (char)kind);
			varint_put(&inner, len);
			buf_put(&inner, fields.ptr, len);
			assert_refused(buf_slice(&inner));
		}
		buf_fini(&inner);
		buf_fini(&out);
	}
}

static void bytes_behind_the_fields_are_refused(void **state)
{
	(void)state;
	assert_refused(SLICE_LIT("\x0b\x02\1\0"));
	assert_refused(SLICE_LIT("\x04\x03\1\7\0"));
	assert_refused(SLICE_LIT("\x08\x05\1\3\1ww"));
}

static void unknown_kinds_are_refused(void **state)
{
	(void)state;
	for (int kind = 0; kind <= UINT8_MAX; kind++) {
		const char bytes[] = { (char)kind, 1, 1 };

		if (kind == 0 || kind > ENTRY_KIND_MAX)
			assert_refused((struct slice){ bytes, sizeof bytes });
	}
}

static void numbers_out_of_their_range_are_refused(void **state)
{
	(void)state;
	const struct slice bad[] = {
		SLICE_LIT("\x0b\x0a\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),   /* a time of 2^63 */
		SLICE_LIT("\x04\x06\1\x80\x80\x80\x80\x10"),                     /* step 2^32 */
		SLICE_LIT("\x03\x07\1\0\1\0\0\0\0"),                             /* a message from nowhere */
		SLICE_LIT("\x03\x07\1\5\1\0\0\0\0"),                             /* … from a wait */
		SLICE_LIT("\x03\x07\1\1\1\0\2\0\0"),                             /* a key that is 2 */
		SLICE_LIT("\x03\x0b\1\1\1\x80\x80\x80\x80\x08\0\0\0"),           /* status 2^31 */
		SLICE_LIT("\x06\x04\1\1p\2"),                                    /* a patch that is 2 */
		SLICE_LIT("\x0c\x09\1\2\3\4\5\6\5\0\0"),                         /* at rest in no known way */
		SLICE_LIT("\x0e\x04\1\0\0\0"),                                   /* no end status */
		SLICE_LIT("\x0e\x04\1\4\0\0"),
		SLICE_LIT("\x0d\x0b\1\0\2\x80\2\0\4\5\0\0\0"),                   /* key id 256 */
		SLICE_LIT("\x01\x09\1\0\0\0\5\0\0\0\0"),                         /* a parent that waits */
	};

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_refused(bad[i]);
}

static void texts_longer_than_the_row_are_refused(void **state)
{
	(void)state;
	assert_refused(SLICE_LIT("\x08\x04\1\3\2w"));
	assert_refused(SLICE_LIT("\x08\x0c\1\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	assert_refused(SLICE_LIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\1\3\1w"));
}

static void longer_forms_of_numbers_are_refused(void **state)
{
	(void)state;
	assert_refused(SLICE_LIT("\x04\x82\x00\1\7"));           /* the entry's length */
	assert_refused(SLICE_LIT("\x04\x03\1\x87\x00"));         /* a number */
	assert_refused(SLICE_LIT("\x08\x05\1\3\x81\x00w"));     /* a text's length */
}

/* A changed byte may make another entry, but never one that would be written differently. */
static void whatever_decodes_is_written_the_same(void **state)
{
	(void)state;
	struct chance c;
	struct buf out;
	struct buf again;
	size_t decoded = 0;

	chance_init(&c, 4);
	buf_init(&out, SIZE_MAX);
	buf_init(&again, SIZE_MAX);
	for (int round = 0; round < ROUNDS; round++) {
		struct entry e = make(&c, (enum entry_kind)(1 + (any(&c) >> 20) % ENTRY_KIND_MAX));

		buf_reset(&out);
		entry_put(&out, &e);
		for (int n = 0; n < 1 + round % 3; n++)
			out.ptr[(any(&c) >> 20) % (round % 2 ? out.len : out.len < 12 ? out.len : 12)] =
				(char)(any(&c) >> 20);
		struct slice rest = buf_slice(&out);

		if (entry_next(&rest, &e) != 1)
			continue;
		decoded++;
		buf_reset(&again);
		entry_put(&again, &e);
		assert_slice(buf_slice(&again), (struct slice){ out.ptr, out.len - rest.len });
	}
	assert_in_range(decoded, ROUNDS / 10, ROUNDS);
	buf_fini(&again);
	buf_fini(&out);
}

/* ---- names ---- */

static void every_kind_has_a_name(void **state)
{
	(void)state;
	for (int kind = 1; kind <= ENTRY_KIND_MAX; kind++)
		assert_string_not_equal(entry_kind_name((enum entry_kind)kind), "?");
	for (int kind = STEP_SPAWN; kind <= STEP_REPLY; kind++)
		assert_string_not_equal(step_kind_name((enum step_kind)kind), "?");
	assert_string_equal(entry_kind_name(ENTRY_PROGRESS), "progress");
	assert_string_equal(step_kind_name(STEP_WAIT), "next");
	assert_string_equal(entry_kind_name((enum entry_kind)0), "?");
	assert_string_equal(entry_kind_name((enum entry_kind)(ENTRY_KIND_MAX + 1)), "?");
	assert_string_equal(step_kind_name((enum step_kind)0), "?");
	assert_string_equal(step_kind_name((enum step_kind)INT32_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_each_kind_are_pinned),
		cmocka_unit_test(any_entries_come_back_from_one_row),
		cmocka_unit_test(largest_numbers_and_long_texts_come_back),
		cmocka_unit_test(decoded_texts_borrow_from_the_row),
		cmocka_unit_test(full_buffer_fails),
		cmocka_unit_test(empty_row_is_the_end),
		cmocka_unit_test(each_truncation_is_refused),
		cmocka_unit_test(bytes_behind_the_fields_are_refused),
		cmocka_unit_test(unknown_kinds_are_refused),
		cmocka_unit_test(numbers_out_of_their_range_are_refused),
		cmocka_unit_test(texts_longer_than_the_row_are_refused),
		cmocka_unit_test(longer_forms_of_numbers_are_refused),
		cmocka_unit_test(whatever_decodes_is_written_the_same),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
