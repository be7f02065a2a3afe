/* raw_test.c - values cut out of JSON text: every byte of them, and none beside. */
#include "host/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In memory of its very length, so that a sanitizer sees each byte too far. */
static char *exact(const char *text, struct slice *ret)
{
	size_t len = strlen(text);
	char *copy = malloc(len + 1);
	assert_non_null(copy);
	copy = realloc(memcpy(copy, text, len + 1), len > 0 ? len : 1);
	assert_non_null(copy);
	*ret = (struct slice){ copy, len };
	return copy;
}

static void member_is(const char *text, const char *name, const char *value)
{
	struct slice object = SLICE_NONE;
	struct slice found = SLICE_NONE;
	char *copy = exact(text, &object);
	bool any = raw_member(object, name, &found);
	if (any != (value != NULL))
		fail_msg("%s in %s: %s", name, text, any ? "found" : "not found");
	if (value != NULL && !slice_eq(found, slice_of(value)))
		fail_msg("%s in %s is '%.*s'", name, text, (int)found.len, found.ptr);
	free(copy);
}

static void test_members(void **state)
{
	(void)state;
	member_is("{\"a\": 1.10}", "a", "1.10");
	member_is(" { \"a\":1 , \"b\" : [1, {\"c\":[]}] , \"c\":2}", "b", "[1, {\"c\":[]}]");
	member_is("{\"x\": {\"a\": 1}, \"a\": 2}", "a", "2");
	member_is("{\"x\": \"\\\"a\\\": 1, }]\\\\\", \"a\": \"}\\\\\"}", "a", "\"}\\\\\"");
	member_is("{\"a\":1E400,\"b\":null}", "a", "1E400");
	member_is("{\"ab\": 1, \"a\": {}}", "a", "{}");
	member_is("{}", "a", NULL);
	member_is("[\"a\", 1]", "a", NULL);
	member_is("", "a", NULL);
}

/* Text that no decoder would have let through: whatever is found, nothing is overrun. */
static void test_torn_text(void **state)
{
	(void)state;
	const char *whole = "{\"x\": \"\\\\\\\"\", \"y\": [1, {}], \"a\": [\"b\\\"\"]}";
	for (size_t len = 0; len < strlen(whole); len++) {
		char *text = strndup(whole, len);
		struct slice object = SLICE_NONE;
		struct slice value = SLICE_NONE;
		char *copy = exact(text, &object);
		if (raw_member(object, "a", &value))
			assert_true(value.ptr + value.len <= object.ptr + object.len);
		for (struct slice rest = object; raw_next(&rest, &value);)
			assert_true(value.ptr + value.len <= object.ptr + object.len);
		free(copy);
		free(text);
	}
}

static void elements_are(const char *text, const char *joined)
{
	struct slice rest = SLICE_NONE;
	struct slice value = SLICE_NONE;
	struct buf all;
	char *copy = exact(text, &rest);
	buf_init(&all, 1000);
	buf_puts(&all, "");
	while (raw_next(&rest, &value)) {
		buf_put_slice(&all, value);
		buf_putc(&all, ';');
	}
	if (!slice_eq(buf_slice(&all), slice_of(joined)))
		fail_msg("%s comes apart as %.*s", text, (int)all.len, all.ptr);
	buf_fini(&all);
	free(copy);
}

static void test_elements(void **state)
{
	(void)state;
	elements_are("[]", "");
	elements_are(" [ ] ", "");
	elements_are("[1.10, \"],\" ,[2,[3]], {\"a\":[]}\n]", "1.10;\"],\";[2,[3]];{\"a\":[]};");
	elements_are("[[1],[2]]", "[1];[2];");
	elements_are("null", "");
}

static void test_one_line(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 100);
	raw_put_line(&out, SLICE_LIT("{\r\n\t\"a\": 1.10\n}"));
	assert_string_equal(out.ptr, "{   \"a\": 1.10 }");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_torn_text),
		cmocka_unit_test(test_elements),
		cmocka_unit_test(test_one_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
