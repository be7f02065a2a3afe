/* codec_test.c - hex, base64, numbers and times: one text each, and nothing beside it. */
#include "wire/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void base64_has_one_text(void **state)
{
	(void)state;
	/* RFC 4648, section 10. */
	static const char *const good[][2] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
	};
	static const char *const bad[] = {
		"Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm-v", "Zm_v", " Zm9v", "Zm9v\n", "Zm=v", "====", "Z===",
		"Zm9vZg==Zg==", "Zm\0v",
	};
	uint8_t bytes[16];
	size_t len = 0;

	for (size_t i = 0; i < COUNT(good); i++) {
		struct buf text;

		assert_true(codec_base64(slice_of(good[i][1]), bytes, sizeof(bytes), &len));
		assert_int_equal(len, strlen(good[i][0]));
		assert_memory_equal(bytes, good[i][0], len);
		buf_init(&text, SIZE_MAX);
		codec_put_base64(&text, bytes, len);
		assert_true(slice_eq(buf_slice(&text), slice_of(good[i][1])));
		buf_fini(&text);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(codec_base64((struct slice){ bad[i], i + 1 == COUNT(bad) ? 4 : strlen(bad[i]) },
		                          bytes, sizeof(bytes), &len));
	assert_false(codec_base64(SLICE_LIT("Zm9v"), bytes, 2, &len));
	assert_true(codec_base64(SLICE_LIT("Zm8="), bytes, 2, &len));
}

static void hex_is_read_in_the_case_asked_for(void **state)
{
	(void)state;
	uint8_t bytes[2];
	size_t len = 0;

	assert_true(codec_hex(SLICE_LIT("0aff"), CODEC_LOWER, bytes, 2, &len));
	assert_int_equal(len, 2);
	assert_memory_equal(bytes, "\x0a\xff", 2);
	assert_false(codec_hex(SLICE_LIT("0aFF"), CODEC_LOWER, bytes, 2, &len));
	assert_true(codec_hex(SLICE_LIT("0aFf"), CODEC_ANY_CASE, bytes, 2, &len));
	assert_false(codec_hex(SLICE_LIT("0af"), CODEC_ANY_CASE, bytes, 2, &len));
	assert_false(codec_hex(SLICE_LIT("0ag0"), CODEC_ANY_CASE, bytes, 2, &len));
	assert_false(codec_hex(SLICE_LIT("0aff00"), CODEC_LOWER, bytes, 2, &len));
}

static void numbers_are_plain_digits(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "01", "00", "+1", "-1", " 1", "1 ", "1.0", "1e3", "0x1", "1234567890123456",
	};
	int64_t number = -1;

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_false(codec_decimal(slice_of(bad[i]), &number));
	assert_int_equal(number, -1);
	assert_true(codec_decimal(SLICE_LIT("0"), &number));
	assert_int_equal(number, 0);
	assert_true(codec_decimal(SLICE_LIT("123456789012345"), &number));
	assert_int_equal(number, 123456789012345);
}

static void times_are_read_and_written(void **state)
{
	(void)state;
	static const struct { const char *text; int64_t ms; } good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2020-01-01T00:00:00-07:00", 1577862000000 },
		{ "2000-02-29T23:59:59+23:59", 951782459000 },
		{ "1969-12-31T23:59:59.5Z", -500 },
		{ "2019-11-16T10:11:12.634234626Z", 1573899072634 },
		{ "9999-12-31T23:59:59Z", 253402300799000 },
		{ "0000-03-01T00:00:00Z", -62162035200000 },
	};
	static const char *const bad[] = {
		"", "2020-01-01", "2020-01-01T00:00:00", "2020-01-01t00:00:00Z", "2020-01-01T00:00:00z",
		"2020-1-01T00:00:00Z", "2021-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2020-00-01T00:00:00Z",
		"2020-13-01T00:00:00Z", "2020-01-00T00:00:00Z", "2020-04-31T00:00:00Z", "2020-01-01T24:00:00Z",
		"2020-01-01T00:60:00Z", "2020-01-01T00:00:60Z", "2020-01-01T00:00:00.Z", "2020-01-01T00:00:00+0700",
		"2020-01-01T00:00:00+24:00", "2020-01-01T00:00:00Zx", " 2020-01-01T00:00:00Z",
		"2020-01-01T00:00:00.1234567890Z",
	};
	int64_t ms = 7;

	for (size_t i = 0; i < COUNT(bad); i++)
		if (codec_rfc3339(slice_of(bad[i]), &ms))
			fail_msg("%s is let through", bad[i]);
	assert_int_equal(ms, 7);
	for (size_t i = 0; i < COUNT(good); i++) {
		struct buf text;
		int64_t again = 0;

		if (!codec_rfc3339(slice_of(good[i].text), &ms) || ms != good[i].ms)
			fail_msg("%s: %lld", good[i].text, (long long)ms);
		buf_init(&text, SIZE_MAX);
		codec_put_rfc3339(&text, ms);
		assert_true(codec_rfc3339(buf_slice(&text), &again));
		assert_true(again <= ms);
		assert_true(again > ms - 1000);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_has_one_text),
		cmocka_unit_test(hex_is_read_in_the_case_asked_for),
		cmocka_unit_test(numbers_are_plain_digits),
		cmocka_unit_test(times_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
