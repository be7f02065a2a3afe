/* Lines that a flow was exported as are read back as the same flow, and as none when they were changed. */
#include "entry_random.h"

#include "wire/export.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { FLOWS = 300, ENTRIES_MAX = 12, CHANGES = 40 };

static struct entry any_entry(struct chance *c)
{
	return make(c, (enum entry_kind)(1 + (any(c) >> 20) % ENTRY_KIND_MAX));
}

/* Entries of any kinds; the last may be the only END. */
static void put_entries(struct chance *c, struct buf *bytes, uint64_t *ret_n, bool *ret_ended)
{
	*ret_n = 1 + (any(c) >> 20) % ENTRIES_MAX;
	*ret_ended = false;
	for (uint64_t i = 0; i < *ret_n; i++) {
		struct entry e = any_entry(c);

		while (e.kind == ENTRY_END && i + 1 < *ret_n)
			e = any_entry(c);
		*ret_ended = e.kind == ENTRY_END;
		entry_put(bytes, &e);
	}
}

static void put_flow(struct chance *c, struct buf *lines, struct buf *bytes)
{
	uint64_t n = 0;
	struct export_head h = { .flow = any_id(c), .from_seq = (any(c) >> 20) % 3 };
	uint64_t seq = h.from_seq;

	h.flow.b[0] |= 1;
	put_entries(c, bytes, &n, &h.ended);
	export_look_at(&h, seq, buf_slice(bytes));
	assert_int_equal(h.next_seq, seq + n);
	for (size_t i = 0; i < h.nkeys; i++) {
		memset(h.keys[i].key.secret, (int)(i + 1), TOKEN_SECRET_BYTES);
		token_key_mark(&h.keys[i].key, h.keys[i].mark);
		h.keys[i].has_secret = i % 2 == 0;
	}
	if (h.ended)
		h.seen = any_text(c);
	h.sum = export_sum(&h, buf_slice(bytes));
	export_put_head(lines, &h);
	assert_int_equal(export_put_row(lines, seq, buf_slice(bytes)), 0);
	assert_false(buf_failed(lines));
}

static int read_flow(struct exported *x, struct slice text)
{
	struct err err = { .code = 0 };
	int rc = 0;

	exported_init(x);
	while (text.len > 0 && rc == 0) {
		const char *feed = memchr(text.ptr, '\n', text.len);
		size_t len = feed != NULL ? (size_t)(feed - text.ptr) : text.len;
		size_t taken = len + (feed != NULL ? 1 : 0);

		rc = exported_line(x, (struct slice){ text.ptr, len }, &err);
		text.ptr += taken;
		text.len -= taken;
	}
	return rc == 0 ? exported_end(x, &err) : rc;
}

static bool is_white(char c) { return c == ' ' || c == '\n'; }

/* A byte is changed: what is still taken says the same. Marks and secrets of keys are not under the sum. */
static void change(struct chance *c, struct buf *lines, const struct buf *bytes)
{
	struct exported x;
	size_t at = (any(c) >> 20) % lines->len;
	char was = lines->ptr[at];

	lines->ptr[at] = (char)(any(c) >> 20);
	if (read_flow(&x, buf_slice(lines)) == 0)
		assert_true(slice_eq(buf_slice(&x.bytes), buf_slice(bytes)));
	exported_fini(&x);
	lines->ptr[at] = was;
	/* Cut there: only the last line feed is not missed. */
	int rc = read_flow(&x, (struct slice){ lines->ptr, at });
	assert_true(rc == FISH_EFORMAT || at + 1 == lines->len || is_white(lines->ptr[at]));
	if (at + 1 < lines->len)
		assert_int_equal(rc, FISH_EFORMAT);
	exported_fini(&x);
}

static void test_what_is_read_is_what_was_written(void **state)
{
	(void)state;
	struct chance c;
	struct buf lines;
	struct buf bytes;
	struct exported x;

	chance_init(&c, 4);
	buf_init(&lines, SIZE_MAX);
	buf_init(&bytes, SIZE_MAX);
	for (int i = 0; i < FLOWS; i++) {
		buf_reset(&lines);
		buf_reset(&bytes);
		put_flow(&c, &lines, &bytes);
		if (read_flow(&x, buf_slice(&lines)) < 0)
			fail_msg("it is not read back: %.*s", (int)lines.len, lines.ptr);
		assert_true(slice_eq(buf_slice(&x.bytes), buf_slice(&bytes)));
		exported_fini(&x);
		for (int n = 0; n < CHANGES; n++)
			change(&c, &lines, &bytes);
	}
	buf_fini(&lines);
	buf_fini(&bytes);
}

static void test_the_mark_of_a_key_tells_keys_apart(void **state)
{
	(void)state;
	struct token_key key = { .id = 1 };
	char first[TOKEN_MARK_SIZE];
	char other[TOKEN_MARK_SIZE];

	token_key_mark(&key, first);
	key.id = 2; /* the number is no part of it */
	token_key_mark(&key, other);
	assert_string_equal(first, other);
	key.secret[31] = 1;
	token_key_mark(&key, other);
	assert_string_not_equal(first, other);
	assert_int_equal(strlen(first), TOKEN_MARK_SIZE - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_read_is_what_was_written),
		cmocka_unit_test(test_the_mark_of_a_key_tells_keys_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
