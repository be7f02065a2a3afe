/* where_test.c - an address becomes file and line, whichever compiler wrote the debug information. */
#include "host/where.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The place of the call to this. */
static __attribute__((noinline)) const char *place(struct buf *out)
{
	where_put(out, __builtin_return_address(0));
	return out->ptr;
}

static void a_call_is_told_by_file_and_line(void **state)
{
	struct buf out;
	char expected[100];

	(void)state;
	buf_init(&out, 1000);
	snprintf(expected, sizeof expected, "where_test.c:%d", __LINE__ + 1);
	const char *told = place(&out);
	assert_string_equal(told, expected);
	buf_fini(&out);
}

static void an_address_of_nothing_is_told_by_nothing(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 1000);
	where_put(&out, (const void *)16);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_told_by_file_and_line),
		cmocka_unit_test(an_address_of_nothing_is_told_by_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
