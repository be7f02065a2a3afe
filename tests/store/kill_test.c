/* kill_test.c - a SQLite store that is killed at any of its writes, and what a memory store
 * that was taken the same way holds.
 *
 * Random operations run in a child that dies before or after its K-th transaction: a commit,
 * or one in which rows age, segments begin, retire and go, or a file is brought to the
 * present format. Invariant: the file then tells what the memory store tells after the
 * commits of which the child was told, or after one more. Surprise: the same run goes on
 * with the file afterwards, each answer compared as before. */
#include "dump.h"
#include "formats.h"
#include "random.h"
#include "sqlite_kit.h"

#include <signal.h>

enum { STEPS = 120 };

static void steps_until_killed(struct fixture *fx)
{
	open_small(fx);
	struct random_run *run = random_new(fx, NULL, 1);
	run->tell = true;
	random_steps(run, STEPS);
	random_free(run);
}

/* The run of the child up to the given number of commits, in memory. */
static struct random_run *run_in_memory(struct fixture *fx, size_t commits)
{
	struct store *s = NULL;

	CHECK(store_open_memory(&s, (const uint8_t[TOKEN_SECRET_BYTES]){ 1 }, NULL) == 0);
	fixture_adopt(fx, s);
	struct random_run *run = random_new(fx, NULL, 1);
	random_steps(run, commits);
	return run;
}

/* Kills at the k-th write, and compares. */
static void kill_once(struct fixture *fx, unsigned k, const char *phase)
{
	char said[STEPS + 100];
	char number[12];
	struct buf got;
	struct buf want;
	struct fixture memory;

	snprintf(number, sizeof number, "%u", k);
	setenv("FISH_TEST_KILL_AT_WRITE", number, 1);
	setenv("FISH_TEST_KILL_PHASE", phase, 1);
	run_child(steps_until_killed, fx, SIGKILL, said, sizeof said);
	unsetenv("FISH_TEST_KILL_AT_WRITE");
	unsetenv("FISH_TEST_KILL_PHASE");
	size_t told = strlen(said);
	buf_init(&got, SIZE_MAX);
	buf_init(&want, SIZE_MAX);
	open_small(fx);
	dump(fx, &got);

	fixture_init(&memory);
	struct random_run *run = run_in_memory(&memory, told);
	dump(&memory, &want);
	if (!slice_eq(buf_slice(&got), buf_slice(&want))) {
		random_steps(run, 1);
		buf_reset(&want);
		dump(&memory, &want);
	}
	if (!slice_eq(buf_slice(&got), buf_slice(&want)))
		fail_msg("killed %s write %u, after %zu commits:\n%s\ninstead of\n%s", phase, k,
			told, got.ptr, want.ptr);
	run->fx = fx;
	random_steps(run, 10);
	random_free(run);
	buf_fini(&got);
	buf_fini(&want);
	fixture_fini(&memory);
}

static void killed_anywhere_nothing_is_lost(void **state)
{
	struct fixture *fx = *state;

	/* Each step is a write at least, so all of these are reached. */
	for (unsigned k = 1; k <= STEPS; k += k < 8 ? 1 : 13) {
		kill_once(fx, k, k % 2 == 0 ? "before" : "after");
		fx->s = store_close(fx->s);
		unlink(fx->path);
	}
}

static void open_and_die(struct fixture *fx)
{
	open_small(fx);
	_exit(1); /* it was to die at its first write */
}

/* Killed at its first write, before or after it, or not at all. */
static void brought_to_the_present_one(struct fixture *fx, int format, const char *phase)
{
	sql_on_file(fx, format_sql(format));
	setenv("FISH_TEST_KILL_AT_WRITE", "1", 1);
	setenv("FISH_TEST_KILL_PHASE", phase, 1);
	if (strcmp(phase, "none") != 0)
		run_child(open_and_die, fx, SIGKILL, NULL, 0);
	unsetenv("FISH_TEST_KILL_AT_WRITE");
	unsetenv("FISH_TEST_KILL_PHASE");
	for (int round = 0; round < 2; round++) {
		open_small(fx);
		format_check(fx, format);
		fx->s = store_close(fx->s);
	}
}

static void format_1_is_brought_to_the_present_one(void **state)
{
	struct fixture *fx = *state;
	static const char *const phases[] = { "none", "before", "after" };

	for (size_t phase = 0; phase < 3; phase++) {
		brought_to_the_present_one(fx, 1, phases[phase]);
		open_small(fx);
		assert_int_equal(pragma(fx, "SELECT count(*) FROM ended"), 22);
		/* Segments go, oldest first, and nobody comes back to life. */
		for (unsigned i = 0; i < 40; i++) {
			static char bytes[500];
			struct store_row row = bytes_row(
				300, i, (struct slice){ bytes, sizeof bytes });
			assert_int_equal(commit_row(fx, row, 2000), 0);
			struct recovered all;
			recover_text(fx, &all);
			assert_int_equal(all.nflows, 3);
			if (i % 10 == 9)
				reopen_small(fx);
		}
		assert_true(sqlite_store_counts(fx->s).young < 8);
		fx->s = store_close(fx->s);
		unlink(fx->path);
	}
}

static void format_2_is_brought_to_the_present_one(void **state)
{
	struct fixture *fx = *state;
	static const char *const phases[] = { "none", "before", "after" };

	for (size_t phase = 0; phase < 3; phase++) {
		brought_to_the_present_one(fx, 2, phases[phase]);
		/* What it had is used with what comes. */
		open_small(fx);
		const struct store_row rows[2] = { last_row_of(7, 2, "end"), row_of(8, 1, "more") };
		const struct store_ended e = ended_of(7, 1400);
		assert_int_equal(commit_both(fx, rows, 2, &e, 1, 1400), 0);
		reopen_small(fx);
		assert_true(flow_is(fx, 7, "0:young 1:again 2:end!"));
		assert_true(flow_is(fx, 8, "0:young too 1:more"));
		fx->s = store_close(fx->s);
		unlink(fx->path);
	}
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(killed_anywhere_nothing_is_lost),
		T(format_1_is_brought_to_the_present_one),
		T(format_2_is_brought_to_the_present_one),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
