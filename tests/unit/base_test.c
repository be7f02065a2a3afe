/* base_test.c - slices, CHECK, small heap objects, codes with words, and the intrusive
 * list. */
#include "base/base.h"
#include "base/list.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void slice_of_null_is_empty(void **state)
{
	(void)state;
	assert_int_equal(slice_of(NULL).len, 0);
	assert_int_equal(slice_of("abc").len, 3);
	assert_int_equal(SLICE_LIT("a\0b").len, 3);
}

static void slices_compare_by_bytes(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE_NONE, SLICE_LIT("")));
	assert_true(slice_eq(SLICE_LIT("a\0b"), SLICE_LIT("a\0b")));
	assert_false(slice_eq(SLICE_LIT("a\0b"), SLICE_LIT("a\0c")));
	assert_false(slice_eq(SLICE_LIT("ab"), SLICE_LIT("abc")));
	assert_false(slice_eq(SLICE_LIT("ab"), SLICE_LIT("aB")));
}

static void nocase_folds_ascii_letters_only(void **state)
{
	(void)state;
	assert_true(slice_eq_nocase(SLICE_LIT("Some-TYPE"), SLICE_LIT("sOME-type")));
	assert_true(slice_eq_nocase(SLICE_NONE, SLICE_LIT("")));
	/* '@' and '`', '[' and '{' differ by the same bit as 'A' and 'a' do. */
	assert_false(slice_eq_nocase(SLICE_LIT("@["), SLICE_LIT("`{")));
	assert_false(slice_eq_nocase(SLICE_LIT("\xc4"), SLICE_LIT("\xe4")));
	assert_false(slice_eq_nocase(SLICE_LIT("a"), SLICE_LIT("ab")));
}

/* Runs a CHECK on cond in a child, gives its exit status and what it wrote to stderr. */
static int check_in_child(bool holds, char *ret_text, size_t size)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		CHECK(holds);
		_exit(7);
	}
	close(ends[1]);
	size_t len = 0;
	ssize_t n = 0;

	while (len < size - 1 && (n = read(ends[0], ret_text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	ret_text[len] = '\0';
	close(ends[0]);
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void check_aborts_with_one_line(void **state)
{
	(void)state;
	char text[1024];
	int status = check_in_child(false, text, sizeof(text));

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(text, "CHECK(holds) failed at "));
	assert_non_null(strstr(text, "base_test.c:"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void check_that_holds_is_silent(void **state)
{
	(void)state;
	char text[1024];
	int status = check_in_child(true, text, sizeof(text));

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_string_equal(text, "");
}

static void heap_objects_are_zeroed_and_never_null(void **state)
{
	(void)state;
	static const char zeros[100];
	char *a = xalloc(sizeof(zeros));

	assert_memory_equal(a, zeros, sizeof(zeros));
	a = xrealloc(a, 4);
	free(a);
	a = xalloc(0);
	assert_non_null(a);
	free(a);
	a = xstrndup("abcdef", 3);
	assert_string_equal(a, "abc");
	free(a);
	a = xstrndup(NULL, 0);
	assert_string_equal(a, "");
	free(a);
}

static void err_set_gives_the_code_and_cuts_the_words(void **state)
{
	(void)state;
	struct err err;
	char words[2 * ERR_TEXT_SIZE];

	memset(words, 'x', sizeof(words));
	words[sizeof(words) - 1] = '\0';
	assert_int_equal(err_set(&err, FISH_EBUSY, "port %d", 80), FISH_EBUSY);
	assert_int_equal(err.code, FISH_EBUSY);
	assert_string_equal(err.text, "port 80");
	assert_int_equal(err_set(&err, FISH_EIO, "%s", words), FISH_EIO);
	assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
	assert_int_equal(err_set(NULL, FISH_EIO, "%s", words), FISH_EIO);
}

static void list_keeps_order_and_forgets_removed_nodes(void **state)
{
	(void)state;
	struct list l;
	struct list nodes[3];

	list_init(&l);
	assert_true(list_empty(&l));
	assert_null(list_shift(&l));
	for (size_t i = 0; i < 3; i++)
		list_push(&l, &nodes[i]);
	list_remove(&nodes[1]);
	list_remove(&nodes[1]);
	assert_true(list_empty(&nodes[1]));
	assert_ptr_equal(list_shift(&l), &nodes[0]);
	assert_ptr_equal(list_shift(&l), &nodes[2]);
	assert_null(list_shift(&l));
	assert_true(list_empty(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slice_of_null_is_empty),
		cmocka_unit_test(slices_compare_by_bytes),
		cmocka_unit_test(nocase_folds_ascii_letters_only),
		cmocka_unit_test(check_aborts_with_one_line),
		cmocka_unit_test(check_that_holds_is_silent),
		cmocka_unit_test(heap_objects_are_zeroed_and_never_null),
		cmocka_unit_test(err_set_gives_the_code_and_cuts_the_words),
		cmocka_unit_test(list_keeps_order_and_forgets_removed_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
