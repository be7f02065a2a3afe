/* fields_test.c - structured fields beyond the vectors: dates, display strings, limits, what is refused. */
#include "wire/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void texts_become_canonical(void **state)
{
	(void)state;
	static const char *const items[][2] = {
		{ "@1659578233", "@1659578233" }, { "@-1", "@-1" }, { "%\"f%c3%bc\"", "%\"f%c3%bc\"" },
		{ "%\"%25%22\"", "%\"%25%22\"" }, { "1.500", "1.5" }, { "-0.0", "0.0" }, { "1.0", "1.0" },
		{ "0.05", "0.05" }, { "-0.123", "-0.123" }, { "999999999999.999", "999999999999.999" },
		{ "00042", "42" }, { "\"\\\"\\\\\"", "\"\\\"\\\\\"" }, { "a;b;c=?1;d=?0", "a;b;c;d=?0" },
		{ "a; b=1;  b=2", "a;b=2" }, { ":AA==:", ":AA==:" }, { "*a:b/c", "*a:b/c" },
	};
	for (size_t i = 0; i < COUNT(items); i++) {
		struct field_item item;
		struct arena arena;
		struct buf out;

		arena_init(&arena);
		buf_init(&out, SIZE_MAX);
		if (fields_item(&arena, slice_of(items[i][0]), &item) < 0)
			fail_msg("%s is refused", items[i][0]);
		fields_put_item(&out, &item);
		if (!slice_eq(buf_slice(&out), slice_of(items[i][1])))
			fail_msg("%s became %s", items[i][0], out.ptr);
		buf_fini(&out);
		arena_fini(&arena);
	}
}

static void what_is_no_item_is_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", " ", "@1.5", "@", "@ 1", "%", "%\"", "%f\"\"", "%\"%C3\"", "%\"%ff\"", "%\"%e2%82\"", "%\"%ed%a0%80\"",
		"%\"%c0%80\"", "%\"%f4%90%80%80\"", "1.2345", "1.", ".5", "-", "- 1", "1234567890123.1", "\"\x7f\"", "a,b",
		"a b", "a;", "a;B", "a;b=", "(a)", "\ta", "a\t", ":AA:", ":AAB=:", ":A", "?", "?2", "?1?", "=", "a;b=(1)",
		"\"\\a\"",
		/* Was: the digits behind the point overflowed the number before they were counted. */
		"88888888888.8833333333333333333333333333333338",
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct field_item item = { .nparams = 7 };
		struct arena arena;

		arena_init(&arena);
		if (fields_item(&arena, slice_of(bad[i]), &item) != FISH_EFORMAT)
			fail_msg("%s is let through", bad[i]);
		assert_int_equal(item.nparams, 7);
		arena_fini(&arena);
	}
}

static void a_member_is_found_by_its_key(void **state)
{
	(void)state;
	struct fields all;
	struct arena arena;

	arena_init(&arena);
	assert_int_equal(fields_dictionary(&arena, SLICE_LIT("a=1;x=2, b=(c d);y, a=3"), &all), 0);
	assert_int_equal(all.nmembers, 2);
	assert_int_equal(fields_find(&all, SLICE_LIT("a"))->value.number, 3);
	assert_null(field_param_find(fields_find(&all, SLICE_LIT("a")), "x"));
	assert_int_equal(fields_find(&all, SLICE_LIT("b"))->nitems, 2);
	assert_int_equal(field_param_find(fields_find(&all, SLICE_LIT("b")), "y")->number, 1);
	assert_null(fields_find(&all, SLICE_LIT("c")));
	arena_fini(&arena);
}

/* What the RFC asks a reader to take at least is 1024 members, and 256 parameters. */
static void lists_have_a_limit(void **state)
{
	(void)state;
	static const char *const fronts[] = { "", "(", "a" };
	static const char *const each[] = { "1, ", "1 ", NULL };

	for (size_t i = 0; i < COUNT(each); i++) {
		for (size_t n = FIELDS_MEMBERS_MAX; n <= FIELDS_MEMBERS_MAX + 1; n++) {
			struct arena arena;
			struct fields all;
			struct buf text;

			buf_init(&text, SIZE_MAX);
			buf_puts(&text, fronts[i]);
			for (size_t j = 0; j < n; j++) {
				if (i == 2)
					buf_printf(&text, ";k%zu", j);
				else
					buf_puts(&text, j + 1 < n ? each[i] : "1");
			}
			buf_puts(&text, i == 1 ? ")" : "");
			arena_init(&arena);
			assert_int_equal(fields_list(&arena, buf_slice(&text), &all),
			                 n == FIELDS_MEMBERS_MAX ? 0 : FISH_EFORMAT);
			arena_fini(&arena);
			buf_fini(&text);
		}
	}
}

/* Each string once took room for all of the text behind it. */
static void many_short_strings_take_little_memory(void **state)
{
	(void)state;
	struct arena arena;
	struct fields all;
	struct buf text;

	buf_init(&text, SIZE_MAX);
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, i == 0 ? "\"a\"" : ", \"a\", %\"b\"");
	arena_init(&arena);
	/* 1 and 999 times 2 members: within the limit. */
	assert_int_equal(fields_list(&arena, buf_slice(&text), &all), 0);
	assert_int_equal(all.nmembers, 1999);
	assert_true(arena.bytes < 1 << 20);
	arena_fini(&arena);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts_become_canonical),
		cmocka_unit_test(what_is_no_item_is_refused),
		cmocka_unit_test(a_member_is_found_by_its_key),
		cmocka_unit_test(lists_have_a_limit),
		cmocka_unit_test(many_short_strings_take_little_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
