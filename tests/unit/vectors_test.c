/* vectors_test.c - every signature, structured field and handshake of the test data that others made.
 *
 * The data lies outside of the checkout (FISH_VECTORS); a kind that is not there is skipped. `make
 * test-vectors VECTORS=DIR` runs this over another folder. */
#include "vectors_handshake.h"
#include "vectors_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *folder(void)
{
	const char *vectors = getenv("FISH_VECTORS");

	return vectors != NULL ? vectors : "../shared/vectors";
}

static void judge(const char *kind, struct vectors all)
{
	if (!all.there) {
		print_message("no %s in %s: skipped\n", kind, folder());
		skip();
	}
	print_message("%s: %zu cases, %zu differ\n", kind, all.cases, all.differing);
	assert_true(all.cases > 0);
	assert_int_equal(all.differing, 0);
}

static void all_signatures_get_their_strict_verdicts(void **state)
{
	(void)state;
	judge("signatures", run_signatures(folder()));
}

static void all_structured_fields_are_read_as_expected(void **state)
{
	(void)state;
	judge("structured-fields", run_fields(folder()));
}

static void all_questions_of_senders_are_answered(void **state)
{
	struct vectors all = { .cases = 0 };

	(void)state;
	all.there = run_handshakes(folder(), &all.cases, &all.differing);
	judge("handshakes", all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_signatures_get_their_strict_verdicts),
		cmocka_unit_test(all_structured_fields_are_read_as_expected),
		cmocka_unit_test(all_questions_of_senders_are_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
