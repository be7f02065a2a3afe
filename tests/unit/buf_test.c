/* buf_test.c - the byte builder: its cap, its sticky error, and JSON strings from any
 * bytes.
 *
 * Surprise: the UTF-8 cases are those of the Unicode standard's tables 3-8 to 3-11,
 * where one U+FFFD stands for each maximal subpart. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define R "\xef\xbf\xbd"      /* U+FFFD in UTF-8 */

static void puts_add_up_and_end_in_nul(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b, 1000);
	assert_null(b.ptr);
	buf_put(&b, NULL, 0);
	buf_puts(&b, "ab");
	buf_putc(&b, '\0');
	buf_put_slice(&b, SLICE_LIT("cd"));
	buf_put_slice(&b, SLICE_NONE);
	buf_printf(&b, "%d-%s", 42, "x");
	assert_false(buf_failed(&b));
	assert_true(slice_eq(buf_slice(&b), SLICE_LIT("ab\0cd42-x")));
	assert_int_equal(b.ptr[b.len], '\0');
	buf_fini(&b);
	assert_null(b.ptr);
	buf_fini(&b);
}

static void cap_is_exact_and_error_sticks(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b, 4);
	buf_puts(&b, "abcd");
	assert_false(buf_failed(&b));
	buf_putc(&b, 'e');
	assert_true(buf_failed(&b));
	assert_string_equal(b.ptr, "abcd");
	buf_consume(&b, 2);
	buf_putc(&b, 'x');
	assert_true(buf_failed(&b));
	assert_string_equal(b.ptr, "cd");
	buf_reset(&b);
	assert_false(buf_failed(&b));
	buf_printf(&b, "%s", "12345");
	assert_true(buf_failed(&b));
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	buf_printf(&b, "%s", "1234");
	assert_false(buf_failed(&b));
	assert_string_equal(b.ptr, "1234");
	buf_fini(&b);
}

static void no_cap_and_no_room_are_caps_too(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b, SIZE_MAX);
	for (int i = 0; i < 100000; i++)
		buf_putc(&b, (char)i);
	assert_int_equal(b.len, 100000);
	assert_int_equal((unsigned char)b.ptr[99999], 99999 & 0xff);
	buf_fini(&b);
	buf_init(&b, 0);
	buf_puts(&b, "");
	assert_false(buf_failed(&b));
	buf_puts(&b, "x");
	assert_true(buf_failed(&b));
	buf_fini(&b);
}

static void consume_and_take_hand_out_what_is_there(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b, 100);
	buf_consume(&b, 0);
	char *bytes = buf_take(&b);

	assert_string_equal(bytes, "");
	free(bytes);
	buf_puts(&b, "hello world");
	buf_consume(&b, 6);
	assert_string_equal(b.ptr, "world");
	bytes = buf_take(&b);
	assert_string_equal(bytes, "world");
	free(bytes);
	assert_int_equal(b.len, 0);
	buf_puts(&b, "again");
	assert_string_equal(b.ptr, "again");
	buf_consume(&b, 5);
	assert_string_equal(b.ptr, "");
	buf_fini(&b);
}

/* What a JSON string of text holds once jansson has read it. */
static void assert_reads_as(struct slice text, struct slice wanted)
{
	struct buf b;

	buf_init(&b, 10000);
	buf_json_string(&b, text);
	assert_false(buf_failed(&b));
	json_t *value = json_loadb(b.ptr, b.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

	assert_non_null(value);
	assert_int_equal(json_string_length(value), wanted.len);
	assert_memory_equal(json_string_value(value), wanted.ptr, wanted.len);
	json_decref(value);
	buf_fini(&b);
}

static void json_escapes_what_json_must(void **state)
{
	(void)state;
	struct buf b;

	buf_init(&b, 1000);
	buf_json_string(&b, SLICE_LIT("\"\\/\b\f\n\r\t\x01\x1f\0\x7f'"));
	assert_string_equal(b.ptr,
	                    "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u0000\x7f'\"");
	buf_reset(&b);
	buf_json_string(&b, SLICE_NONE);
	assert_string_equal(b.ptr, "\"\"");
	buf_reset(&b);
	buf_json_escaped(&b, SLICE_LIT("a\nb"));
	assert_string_equal(b.ptr, "a\\nb");
	buf_fini(&b);
	char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	assert_reads_as((struct slice){ all, 128 }, (struct slice){ all, 128 });
}

static void good_utf8_passes(void **state)
{
	(void)state;
	static const char *const good[] = {
		"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
		"\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
		"\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "a\xc3\xa9z\xe2\x82\xac",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_reads_as(slice_of(good[i]), slice_of(good[i]));
}

static void bad_utf8_becomes_one_mark_per_maximal_subpart(void **state)
{
	(void)state;
	static const struct {
		const char *bytes, *wanted;
	} cases[] = {
		{ "\x80", R },                               /* lone continuation */
		{ "\xff\xfe", R R },
		{ "\xc0\x80", R R },                         /* overlong */
		{ "\xc1\xbf", R R },
		{ "\xe0\x80\x80", R R R },
		{ "\xf0\x8f\xbf\xbf", R R R R },
		{ "\xed\xa0\x80", R R R },                   /* surrogates */
		{ "\xed\xbf\xbf", R R R },
		{ "\xf4\x90\x80\x80", R R R R },             /* > U+10FFFF */
		{ "\xf5\x80\x80\x80", R R R R },
		{ "\xc3", R },                               /* cut off at the end */
		{ "\xe2\x82", R },
		{ "\xf0\x9f\x98", R },
		{ "\xe2\x82z", R "z" },                      /* cut off by others */
		{ "\xf0\x9f\xc3\xa9", R "\xc3\xa9" },
		{ "\xe2\"", R "\"" },
		{ "\xc3\n", R "\n" },
		{ "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41",            /* table 3-8 */
		  R R R R R R R R "A" },
		{ "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41",            /* table 3-9 */
		  R R R R R R R R "A" },
		{ "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42",            /* table 3-10 */
		  R R R R R "A" R R "B" },
		{ "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41",            /* table 3-11 */
		  R R R R "A" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_reads_as(slice_of(cases[i].bytes), slice_of(cases[i].wanted));
	assert_reads_as(SLICE_LIT("\xe2\0\x82"), SLICE_LIT(R "\0" R));
}

/* Each three bytes out of the ones that matter: whatever they are, JSON comes out. */
static void any_bytes_make_json(void **state)
{
	(void)state;
	static const char marks[] =
		"\0\x1f\"\\A\x7f\x80\x8f\x90\x9f\xa0\xbf"
		"\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xef\xf0\xf1\xf4\xf5";
	const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
	size_t n = sizeof(marks) - 1;

	for (size_t i = 0; i < n * n * n; i++) {
		char text[3] = { marks[i % n], marks[i / n % n], marks[i / n / n] };
		struct buf b;

		buf_init(&b, 100);
		buf_json_string(&b, (struct slice){ text, sizeof(text) });
		json_t *value = json_loadb(b.ptr, b.len, flags, NULL);

		assert_non_null(value);
		json_decref(value);
		buf_fini(&b);
	}
}

static void json_that_does_not_fit_leaves_nothing(void **state)
{
	(void)state;
	struct buf b;

	for (size_t cap = 2; cap < 12; cap++) {
		buf_init(&b, cap);
		buf_puts(&b, "ab");
		buf_json_string(&b, SLICE_LIT("c\n\xff\"d"));      /* comes to 12 bytes */
		assert_true(buf_failed(&b));
		assert_string_equal(b.ptr, "ab");
		buf_fini(&b);
	}
	buf_init(&b, 13);
	buf_puts(&b, "ab");
	buf_json_string(&b, SLICE_LIT("c\n\xff\"d"));
	assert_false(buf_failed(&b));
	assert_string_equal(b.ptr, "ab\"c\\n" R "\\\"d\"");
	assert_int_equal(b.len, 13);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(puts_add_up_and_end_in_nul),
		cmocka_unit_test(cap_is_exact_and_error_sticks),
		cmocka_unit_test(no_cap_and_no_room_are_caps_too),
		cmocka_unit_test(consume_and_take_hand_out_what_is_there),
		cmocka_unit_test(json_escapes_what_json_must),
		cmocka_unit_test(good_utf8_passes),
		cmocka_unit_test(bad_utf8_becomes_one_mark_per_maximal_subpart),
		cmocka_unit_test(any_bytes_make_json),
		cmocka_unit_test(json_that_does_not_fit_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
