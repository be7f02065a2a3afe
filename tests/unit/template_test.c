/* template_test.c - what templates come out as, what they refuse, and that a refusal
 * leaves no mark.
 *
 * Surprise: the compiler checks each template here as it does in a flow, so what is no
 * printf format at all is handed over through refused_loose, which it does not look
 * into. */
#include "wire/template.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

static const char before[] = "kept:";
/* NULL, but so that the compiler cannot warn of it. */
static const char *const volatile no_text;

__attribute__((format(printf, 3, 4)))
static int put(struct buf *out, struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int rc = template_put(out, err, fmt, ap);

	va_end(ap);
	return rc;
}

__attribute__((format(printf, 2, 3)))
static void becomes(const char *wanted, const char *fmt, ...)
{
	struct buf out;
	struct err err = { .text = "" };
	va_list ap;

	buf_init(&out, 100000);
	buf_puts(&out, before);
	va_start(ap, fmt);
	int rc = template_put(&out, &err, fmt, ap);

	va_end(ap);
	assert_string_equal(err.text, "");
	assert_int_equal(rc, 0);
	assert_string_equal(out.ptr + strlen(before), wanted);
	buf_fini(&out);
}

static void refused_va(const char *words, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void refused_va(const char *words, const char *fmt, va_list ap)
{
	struct buf out;
	struct err err = { .text = "" };

	buf_init(&out, 100000);
	buf_puts(&out, before);
	assert_int_equal(template_put(&out, &err, fmt, ap), FISH_EFORMAT);
	assert_int_equal(err.code, FISH_EFORMAT);
	if (strstr(err.text, words) == NULL)
		fail_msg("'%s' is not in '%s'", words, err.text);
	assert_string_equal(out.ptr, before);
	assert_false(buf_failed(&out));
	buf_fini(&out);
}

__attribute__((format(printf, 2, 3)))
static void refused(const char *words, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	refused_va(words, fmt, ap);
	va_end(ap);
}

/* The same, unseen by the compiler. */
static void refused_loose(const char *words, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	refused_va(words, fmt, ap);
#pragma GCC diagnostic pop
	va_end(ap);
}

static void plain_templates_become_json(void **state)
{
	(void)state;
	becomes("{}", "{}");
	becomes(" [ ] ", " [ ] ");
	becomes("{\"order\": 1}", "{order: 1}");
	becomes("{\"a\":true,\"b\":false,\"c\":null}", "{a:true,b:false,c:null}");
	becomes("{\"true\": [1, -2.5e3, {\"x_1$\": {}}]}",
	        "{true: [1, -2.5e3, {x_1$: {}}]}");
	becomes("{\"a b\": \"c\"}", "{'a b': 'c'}");
	becomes("{\"a\": \"it's\"}", "{\"a\": \"it's\"}");
	becomes("\"it's \\\"so\\\"\"", "'it\\'s \"so\"'");
	becomes("\"\\n\\u00e9\\\\\\/\\\"\"", "'\\n\\u00e9\\\\\\/\\\"'");
	becomes("\"caf\xc3\xa9\"", "'caf\xc3\xa9'");
	becomes("42", "42");
}

static void texts_are_quoted_and_escaped(void **state)
{
	(void)state;
	becomes("{\"a\": \"x\", \"b\": \"\"}", "{a: %s, b: %s}", "x", "");
	becomes("{\"a\": \"\\\", \\\"b\\\": 1\\n\\\\\"}", "{a: %s}", "\", \"b\": 1\n\\");
	becomes("\"a\xef\xbf\xbd\"", "%s", "a\xff");
	becomes("{\"k\\\"\": 1}", "{%s: 1}", "k\"");
	becomes("\"<x'\\\"\\\\>\"", "'<%s>'", "x'\"\\");
	becomes("\"\\\\x\"", "'\\\\%s'", "x");
	becomes("{\"n-7\": \"7 of 9, 50%\"}", "{'n-%d': '%u of %zu, %d%%'}", 7,
	        7U, (size_t)9, 50);
	becomes("{\"a\": null}", "{a: %s}", no_text);
}

static void values_go_in_as_they_are(void **state)
{
	(void)state;
	becomes("{\"o\": {\"a\": [1, 2 ]} , \"n\": 1}", "{o: %-s, n: %d}",
	        "{\"a\": [1, 2 ]} ", 1);
	becomes("[1,\"x\",null,null]", "[%-s,%-s,%-s,%-s]", "1", "\"x\"", "null",
	        no_text);
	becomes("\"\\u00e9\"", "%-s", "\"\\u00e9\"");
}

static void numbers_have_the_types_of_printf(void **state)
{
	(void)state;
	becomes("[-1, -2, -3, -4]", "[%d, %i, %hd, %hhd]", -1, -2, (short)-3,
	        (signed char)-4);
	becomes("[-9223372036854775808, 9223372036854775807]", "[%lld, %ld]",
	        (long long)INT64_MIN, (long)INT64_MAX);
	becomes("[-5, -6, -7]", "[%zd, %jd, %td]", (ssize_t)-5, (intmax_t)-6,
	        (ptrdiff_t)-7);
	becomes("[4294967295, 65535, 255]", "[%u, %hu, %hhu]", 4294967295U,
	        (unsigned short)65535, (unsigned char)255);
	becomes("[1, 2, 3, 4]", "[%lu, %llu, %zu, %ju]", 1UL, 2ULL, (size_t)3,
	        (uintmax_t)4);
	becomes("[1.5, 1.500000, 1.500000e+00, -0, 1e+300]", "[%g, %f, %e, %g, %g]", 1.5,
	        1.5, 1.5, -0.0, 1e300);
	/* More than fit in registers, mixed: each is taken from its own place. */
	becomes("[1,0.5,\"a\",2,1.5,\"b\",3,2.5,\"c\",4,3.5,"
	        "5,4.5,6,5.5,7,6.5,8,7.5,9,8.5]",
	        "[%d,%g,%s,%lld,%g,%s,%zu,%g,%-s,%d,%g,%d,%g,%d,%g,%d,%g,%d,%g,%d,%g]", 1,
	        0.5, "a", 2LL, 1.5, "b", (size_t)3, 2.5, "\"c\"", 4, 3.5, 5, 4.5, 6, 5.5,
	        7, 6.5, 8, 7.5, 9, 8.5);
}

static void numbers_json_lacks_are_refused(void **state)
{
	(void)state;
	refused("JSON has no nan", "{a: %g}", (double)NAN);
	refused("JSON has no inf", "{a: '%f'}", (double)INFINITY);
	refused("JSON has no -inf", "{a: %e}", -(double)INFINITY);
	refused("18446744073709551615 is more than", "{a: %llu}", ~0ULL);
	refused("9223372036854775808 is more than", "{a: %zu}", (size_t)INT64_MAX + 1);
	becomes("9223372036854775807", "%ju", (uintmax_t)INT64_MAX);
}

static void largest_double_fits(void **state)
{
	(void)state;
	struct buf out;
	struct err err = { .text = "" };

	buf_init(&out, 1000);
	assert_int_equal(put(&out, &err, "%f", -1.7976931348623157e308), 0);
	assert_int_equal(out.len, 1 + 309 + 7);
	buf_fini(&out);
}

static void decimal_comma_stays_out(void **state)
{
	(void)state;
	static const char *const names[] = {
		"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8",
	};
	const char *found = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && found == NULL; i++)
		found = setlocale(LC_NUMERIC, names[i]);
	if (found == NULL) {
		print_message("no locale with a decimal comma here: skipped\n");
		skip();
	}
	becomes("[1.5, 1.500000]", "[%g, %f]", 1.5, 1.5);
	setlocale(LC_NUMERIC, "C");
}

static void faulty_templates_are_refused(void **state)
{
	(void)state;
	refused_loose("expected a value, at the end", "");
	refused("expected a value", "{a: }");
	refused("expected a value", "[1,]");
	refused("expected a key", "{a: 1,}");
	refused("expected a key", "{,}");
	refused("expected a key", "{1a: 1}");
	refused("expected ':' after a key", "{a 1}");
	refused("expected ':' after a key", "{a-b: 1}");
	refused("expected ',' or '}'", "{a: 1");
	refused("expected ',' or ']'", "[1}");
	refused("expected ',' or '}'", "{a: 'x' 'y'}");
	refused("something after the value", "{} {}");
	refused("something after the value, at byte 2 of the template: }", "{}}");
	refused("strings need quotes", "{a: b}");
	refused("strings need quotes", "{a: 01}");
	refused("strings need quotes", "{a: 1e999}");
	refused("strings need quotes", "{a: NaN}");
	refused("strings need quotes", "99999999999999999999");
	refused("without its closing '", "{a: 'b}");
	refused("without its closing \"", "\"a'");
	refused("backslash", "'\\x41'");
	refused("backslash", "'\\u12'");
	refused("backslash", "\"\\'\"");
	refused("backslash", "'\\");
	refused("control character", "'a\nb'");
	refused("does not come out as JSON (duplicate object key", "{a: 1, 'a': 2}");
	refused("does not come out as JSON", "'\\ud800'");
	refused("does not come out as JSON", "'\\u0000'");
	refused("does not come out as JSON", "'\xc3'");
}

static void conversions_out_of_place_are_refused(void **state)
{
	(void)state;
	refused("something after the value", "1%d", 2);
	refused("expected ',' or '}'", "{a: %d%d}", 1, 2);
	refused("expected ',' or '}'", "{a: %d.%d}", 1, 2);
	refused("is no value", "{a: -%d}", 1);
	refused("expected ',' or '}'", "{a: %s%s}", "x", "y");
	refused("a number is no key", "{%d: 1}", 1);
	refused("%-s is a value, not a key", "{%-s: 1}", "\"a\"");
	refused("%-s is a value, not a part of a string", "'%-s'", "1");
	refused("NULL for a %s that is a key", "{%s: 1}", no_text);
	refused("NULL for a %s that is inside quotes", "'a%s'", no_text);
	refused("%% outside quotes", "{a: %%}");
	refused("backslash", "'\\%s'", "n");
	refused("backslash", "'\\u00%d'", 41);
	refused("does not come out as JSON", "'\xc3%s'", "\xa9");
	refused("duplicate object key", "{%s: 1, b: 2}", "b");
}

static void other_conversions_are_refused(void **state)
{
	(void)state;
	refused("%x is none of", "{a: %x}", 1U);
	refused("%5d is none of", "{a: %5d}", 1);
	refused("%*d is none of", "{a: %*d}", 5, 1);
	refused("%.2f is none of", "{a: %.2f}", 1.0);
	refused("%Lg is none of", "{a: %Lg}", 1.0L);
	refused("%lf is none of", "{a: %lf}", 1.0);
	refused("%.3s is none of", "{a: %.3s}", "abcd");
	refused("%-d is none of", "{a: %-d}", 1);
	refused("%-5s is none of", "{a: %-5s}", "1");
	refused("%+d is none of", "{a: '%+d'}", 1);
	refused("%c is none of", "{a: '%c'}", 'x');
	refused("%p is none of", "{a: %p}", (void *)NULL);
	refused_loose("%ls is none of", "{a: %ls}", L"x");
	refused_loose("%1$s is none of", "{a: %1$s}", "x");
	refused_loose("%--s is none of", "{a: %--s}", "x");
	refused_loose("% is none of", "{a: %", 1);
	refused_loose("%-", "'%-", 1);
	refused_loose("%h is none of", "'%h", 1);
	refused_loose("%k is none of", "'%k", 1);
	refused_loose("%000000000000000 is none of", "%00000000000000000000000d", 1);
}

static void senders_cannot_leave_their_place(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"", " ", "1, \"b\": 2", "1}", "1 2", "}", "{\"a\": 1", "[1}", "{a: 1}",
		"'x'",
		"{\"a\": 1, \"a\": 2}", "\"\\u0000\"", "{\"\\u0000\": 1}",
		"1e999", "-1e999", "NaN",
		"99999999999999999999", "01", "+1", "\xef\xbb\xbf{}", "\"\xff\"",
		"\"\xed\xa0\x80\"",
		"\"\\ud800\"", "\"a\nb\"", "nul", "nulll", "//", "1 // x", "\"", "%d",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct slice text = slice_of(texts[i]);

		refused("the value for %-s is not JSON to put in (", "{a: %-s, c: 1}",
		        texts[i]);
		assert_int_equal(template_check_value(text, NULL), FISH_EFORMAT);
	}
}

/* Was: jansson takes depth 2048, which is 160 KB of a flow's 64 KB stack. */
static void depth_is_limited(void **state)
{
	(void)state;
	enum { TOO_DEEP = JSON_DEPTH_MAX + 1 };
	char text[2 * TOO_DEEP + 1];
	struct err err;

	memset(text, '[', TOO_DEEP);
	memset(text + TOO_DEEP, ']', TOO_DEEP);
	text[2 * TOO_DEEP] = '\0';
	assert_int_equal(template_check_value(slice_of(text), &err), FISH_EFORMAT);
	assert_non_null(strstr(err.text, "more than 128 objects"));
	struct slice inner = { text + 1, 2 * TOO_DEEP - 2 };

	assert_int_equal(template_check_value(inner, &err), 0);
	text[2 * TOO_DEEP - 1] = '\0';
	refused("does not come out as JSON (more than 128", "[%-s]", text + 1);
	/* Brackets inside strings are no depth. */
	memset(text, '[', sizeof(text));
	memcpy(text, "\"\\\"", 3);
	text[sizeof(text) - 1] = '"';
	struct slice quoted = { text, sizeof(text) };

	assert_int_equal(template_check_value(quoted, &err), 0);
	text[TEMPLATE_DEPTH_MAX + 4] = '\0';
	refused_loose("more than 32 objects", text + 3);
}

static void values_are_slices_and_may_be_anything(void **state)
{
	(void)state;
	struct err err;
	json_t *value = template_read_value(SLICE_LIT("  [1.0, \"x\"] \n"), &err);

	assert_int_equal(json_array_size(value), 2);
	json_decref(value);
	assert_int_equal(template_check_value(SLICE_LIT("null"), &err), 0);
	assert_int_equal(template_check_value(SLICE_LIT("\"\""), &err), 0);
	assert_int_equal(template_check_value(SLICE_NONE, &err), FISH_EFORMAT);
	assert_int_equal(template_check_value(SLICE_LIT("1\0"), &err), FISH_EFORMAT);
	assert_int_equal(template_check_value(SLICE_LIT("[1\0]"), &err), FISH_EFORMAT);
	assert_int_equal(template_check_value(SLICE_LIT("\"\0\""), &err), FISH_EFORMAT);
	assert_int_equal(template_check_value((struct slice){ "123", 2 }, &err), 0);
	/* What a stranger wrote does not get into the words. */
	assert_null(template_read_value(SLICE_LIT("{\"a\": oops near 'x'\n}"), &err));
	assert_string_equal(err.text, "invalid token at byte 10");
}

static void caps_are_kept(void **state)
{
	(void)state;
	struct buf out;
	struct err err;

	buf_init(&out, 10);
	buf_puts(&out, "abc");
	assert_int_equal(put(&out, &err, "%s", "123456"), FISH_ETOOBIG);
	assert_string_equal(err.text, "the template comes to more than 7 bytes");
	assert_string_equal(out.ptr, "abc");
	assert_false(buf_failed(&out));
	assert_int_equal(put(&out, NULL, "%s", "12345"), 0);
	assert_string_equal(out.ptr, "abc\"12345\"");
	buf_putc(&out, 'x');
	assert_int_equal(put(&out, &err, "1"), FISH_ETOOBIG);
	assert_true(buf_failed(&out));
	buf_fini(&out);
	char *huge = xalloc(TEMPLATE_BYTES_MAX + 1);

	memset(huge, 'x', TEMPLATE_BYTES_MAX);
	buf_init(&out, SIZE_MAX);
	assert_int_equal(put(&out, &err, "[%s]", huge), FISH_ETOOBIG);
	assert_int_equal(out.len, 0);
	huge[TEMPLATE_BYTES_MAX - 4] = '\0';
	assert_int_equal(put(&out, &err, "[%s]", huge), 0);
	assert_int_equal(out.len, TEMPLATE_BYTES_MAX);
	buf_fini(&out);
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_templates_become_json),
		cmocka_unit_test(texts_are_quoted_and_escaped),
		cmocka_unit_test(values_go_in_as_they_are),
		cmocka_unit_test(numbers_have_the_types_of_printf),
		cmocka_unit_test(numbers_json_lacks_are_refused),
		cmocka_unit_test(largest_double_fits),
		cmocka_unit_test(decimal_comma_stays_out),
		cmocka_unit_test(faulty_templates_are_refused),
		cmocka_unit_test(conversions_out_of_place_are_refused),
		cmocka_unit_test(other_conversions_are_refused),
		cmocka_unit_test(senders_cannot_leave_their_place),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(values_are_slices_and_may_be_anything),
		cmocka_unit_test(caps_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
