/* fault_test.c - what a power cut, a kill, a full disk or a bad one leaves of the SQLite store.
 *
 * Each kind of fault comes at each operation of a short history once; power cuts come at random
 * in long ones as well: FISH_CUTS (100) of them, divided by FISH_SIM_SEEDS_DIVISOR, from seed
 * FISH_CUTS_FIRST (1) on. Surprise: a seed draws the history and what a cut leaves, and the
 * store's one thread does its operations in order, so a seed that breaks breaks again. */
#include "history.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { CUTS = 100,
	LIVES_MAX = 6,
	SHORT_STEPS = 8,
	ROOM_TRIES = 3 };

static struct sqlite_options small(void)
{
	return (struct sqlite_options){ .store = { .young_bytes_max = 8000 }, .wal_frames_max = 12 };
}

static int setup(void **state)
{
	*state = history_new();
	return 0;
}

static int teardown(void **state)
{
	*state = history_free(*state);
	return 0;
}

/* Runs sql over the fault disk on a connection of its own, which is left open. */
static sqlite3 *plain(const char *path, const char *sql)
{
	sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

	assert_int_equal(sqlite3_open_v2(path, &db, flags, FAULT_VFS), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				 "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
				 "CREATE TABLE IF NOT EXISTS t (n)",
				 NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static int rows_of(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int n = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return n;
}

static const char *plain_path;

static void insert_and_leave(struct fixture *fx)
{
	(void)fx;
	plain(plain_path, "PRAGMA synchronous = FULL; INSERT INTO t VALUES (1);"
			  "PRAGMA synchronous = NORMAL; INSERT INTO t VALUES (2)");
	_exit(0);
}

/* The disk itself is to be trusted: what was not synced goes, and only that. */
static void a_commit_that_was_not_synced_is_lost(void **state)
{
	struct history *h = *state;

	for (int power = 0; power < 2; power++) {
		fault_disk_wipe(h->disk, 1);
		plain_path = h->fx.path;
		assert_int_equal(child_status(insert_and_leave, &h->fx, NULL, 0), 0);
		fault_disk_orphan(h->disk);
		if (power == 0)
			fault_disk_cut(h->disk, FAULT_LOSES_ALL);
		sqlite3 *db = plain(h->fx.path, "");
		assert_int_equal(rows_of(db), power == 0 ? 1 : 2);
		sqlite3_close(db);
	}
}

static void names_and_bytes_last_only_with_their_sync(void **state)
{
	struct fault_disk *d = ((struct history *)*state)->disk;
	int a = 0;
	int b = 0;
	char got[8] = "";
	size_t n = 0;

	fault_disk_wipe(d, 1);
	fault_file_open(d, "a", true, &a);
	fault_file_write(d, a, "12345678", 8, 0);
	fault_file_sync(d, a, true);
	fault_file_write(d, a, "abcd", 4, 0);
	fault_file_open(d, "b", true, &b);
	fault_file_write(d, b, "x", 1, 0);
	fault_file_sync(d, b, false); /* its bytes, not its name */
	fault_file_read(d, a, got, 8, 0, &n);
	assert_memory_equal(got, "abcd5678", 8);
	fault_disk_cut(d, FAULT_LOSES_ALL);
	assert_false(fault_name_is(d, "b"));
	fault_file_open(d, "a", false, &a);
	fault_file_read(d, a, got, 8, 0, &n);
	assert_memory_equal(got, "12345678", 8);
}

static void a_failed_sync_is_not_made_good_by_the_next(void **state)
{
	struct fault_disk *d = ((struct history *)*state)->disk;
	const struct fault_plan fails = { .ops = FAULT_SYNC, .how = FAULT_ERROR, .at = 1 };
	unsigned lost = 0;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		int a = 0;
		char got = 0;
		size_t n = 0;
		fault_disk_wipe(d, seed);
		fault_file_open(d, "a", true, &a);
		fault_disk_plan(d, &fails);
		fault_file_write(d, a, "x", 1, 0);
		assert_int_equal(fault_file_sync(d, a, true), FAULT_ERROR);
		assert_int_equal(fault_file_sync(d, a, true), FAULT_NONE);
		fault_file_read(d, a, &got, 1, 0, &n);
		assert_int_equal(got, 'x');
		fault_disk_cut(d, FAULT_LOSES_SOME);
		fault_file_open(d, "a", false, &a);
		fault_file_read(d, a, &got, 1, 0, &n);
		lost += n == 0 || got != 'x';
	}
	assert_in_range(lost, 1, 19);
}

static struct sqlite_options options_of(uint64_t seed)
{
	static const size_t young[] = { 8000, 80000, 0 };
	static const int frames[] = { 6, 40, 0, 12, 25 };

	return (struct sqlite_options){ .store = { .young_bytes_max = young[seed % 3] },
		.wal_frames_max = frames[seed % 5] };
}

/* One history with cuts and kills at random; how many cuts came. */
static uint64_t cut_history(struct history *h, uint64_t seed)
{
	uint64_t cuts = 0;

	history_begin(h, seed, options_of(seed));
	fault_disk_delays(h->disk, seed % 4 == 0 ? 300 : 0);
	for (unsigned life = 0; life < LIVES_MAX; life++) {
		bool killed = fault_disk_draw(h->disk, 4) == 0;
		const struct fault_plan plan = { .ops = FAULT_CHANGES,
			.how = killed ? FAULT_KILL : FAULT_CUT,
			.at = 1 + fault_disk_draw(h->disk, 350) };
		int status = history_live(h, 20, &plan);
		bool cut = WIFEXITED(status) && WEXITSTATUS(status) == FAULT_CUT_STATUS;
		bool dead = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		if (!cut && !dead && status != 0)
			fail_msg("seed %" PRIu64 ", life %u: status %x: %s", seed, life,
				(unsigned)status, h->said);
		if (!cut && fault_disk_draw(h->disk, 2) == 0) {
			fault_disk_cut(h->disk, FAULT_LOSES_SOME);
			cut = true;
		}
		cuts += cut;
	}
	assert_true(history_lives_well(h, 5));
	return cuts;
}

static void power_cuts_lose_nothing(void **state)
{
	uint64_t wanted = number_of("FISH_CUTS", CUTS) / number_of("FISH_SIM_SEEDS_DIVISOR", 1);
	uint64_t seed = number_of("FISH_CUTS_FIRST", 1);
	uint64_t cuts = 0;

	for (; cuts < wanted; seed++)
		cuts += cut_history(*state, seed);
	print_message("%" PRIu64 " power cuts, up to seed %" PRIu64 "\n", cuts, seed - 1);
}

/* How many operations of these kinds a life of SHORT_STEPS has. */
static uint64_t operations(struct history *h, unsigned ops)
{
	const struct fault_plan counts = { .ops = ops };

	history_begin(h, 1, small());
	assert_int_equal(history_live(h, SHORT_STEPS, &counts), 0);
	return fault_disk_seen(h->disk);
}

static uint64_t stride(void) { return number_of("FISH_SIM_SEEDS_DIVISOR", 1); }

/* Killed anywhere, and then, once a new process has read what is there, the power goes: what it
 * has read, and may have told others, must not go with it. */
static void what_a_restart_read_outlives_a_power_cut(void **state)
{
	struct history *h = *state;
	uint64_t n = operations(h, FAULT_CHANGES);

	assert_true(n > 100);
	for (uint64_t k = 1; k <= n; k += stride()) {
		const struct fault_plan plan = { .ops = FAULT_CHANGES, .how = FAULT_KILL, .at = k };
		history_begin(h, k, small());
		int status = history_live(h, SHORT_STEPS, &plan);
		assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
		h->leaves = true;
		assert_true(history_lives_well(h, 0));
		fault_disk_cut(h->disk, FAULT_LOSES_ALL);
		h->leaves = false;
		assert_true(history_lives_well(h, 1));
	}
}

/* An I/O error ends the process with words, or did no harm; what was done is there, in the next
 * process and after a power cut behind that one's commits. */
static void io_errors_stop_the_process_and_lose_nothing(void **state)
{
	struct history *h = *state;
	uint64_t n = operations(h, FAULT_ALL);
	unsigned stopped = 0;
	unsigned refused = 0;

	for (uint64_t k = 1; k <= n; k += stride()) {
		const struct fault_plan plan = { .ops = FAULT_ALL, .how = FAULT_ERROR, .at = k };
		history_begin(h, k, small());
		int status = history_live(h, SHORT_STEPS, &plan);
		bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
		bool not_open = WIFEXITED(status) && WEXITSTATUS(status) == HISTORY_REFUSED_STATUS;
		bool said = strncmp(h->said, "store ", 6) == 0 && strstr(h->said, h->fx.path) != NULL;
		if (!((aborted || not_open) && said) && status != 0)
			fail_msg("operation %" PRIu64 ": status %x: %s", k, (unsigned)status, h->said);
		stopped += aborted;
		refused += not_open;
		h->leaves = true;
		assert_true(history_lives_well(h, 2));
		fault_disk_cut(h->disk, FAULT_LOSES_ALL);
		h->leaves = false;
		assert_true(history_lives_well(h, 1));
	}
	print_message("%" PRIu64 " operations: %u aborts, %u refusals to open\n", n, stopped, refused);
	assert_true(stopped > 0);
	assert_true(refused > 0);
}

/* The store opens, at the latest when there is room. */
static void open_when_there_is_room(struct history *h)
{
	struct err err = { .code = 0 };

	for (int n = 0; history_open(h, &err) < 0; n++) {
		assert_non_null(strstr(err.text, h->fx.path));
		assert_true(n < ROOM_TRIES);
		if (n == ROOM_TRIES - 1)
			fault_disk_plan(h->disk, NULL);
	}
}

/* A short life in this process with no room from the k-th write on, for so many. How often a
 * commit was refused. */
static unsigned full_at(struct history *h, enum fault_how how, uint64_t k, uint64_t times)
{
	const struct fault_plan plan = { .ops = FAULT_WRITE | FAULT_MAKE, .how = how, .at = k, .times = times };
	unsigned refused = 0;

	history_begin(h, k, small());
	h->run.may_be_refused = true;
	fault_disk_plan(h->disk, &plan);
	open_when_there_is_room(h);
	for (unsigned i = 0; i < SHORT_STEPS;) {
		if (history_step(h)) {
			i++;
			continue;
		}
		history_check(h);
		if (++refused % ROOM_TRIES == 0)
			fault_disk_plan(h->disk, NULL);
		assert_true(refused < 3 * ROOM_TRIES); /* it goes on when there is room */
	}
	history_check(h);
	h->fx.s = store_close(h->fx.s);
	open_when_there_is_room(h);
	history_check(h);
	h->fx.s = store_close(h->fx.s);
	return refused;
}

static void a_full_disk_leaves_nothing_and_passes(void **state)
{
	struct history *h = *state;
	uint64_t n = operations(h, FAULT_WRITE | FAULT_MAKE);
	unsigned refused = 0;

	for (uint64_t k = 1; k <= n; k += stride()) {
		refused += full_at(h, FAULT_FULL, k, 1);
		refused += full_at(h, FAULT_FULL, k, UINT64_MAX);
		refused += full_at(h, FAULT_QUOTA, k, 4);
	}
	assert_true(refused > n / stride() / 4);
}

static void a_small_disk_takes_what_fits(void **state)
{
	struct history *h = *state;

	for (uint64_t seed = 1; seed <= 5; seed++) {
		const struct sqlite_options o = { .wal_frames_max = 10 * (int)seed };
		history_begin(h, seed, o);
		h->run.may_be_refused = true;
		assert_int_equal(history_open(h, NULL), 0);
		fault_disk_room(h->disk, (size_t)fault_disk_draw(h->disk, 300 << 10));
		unsigned taken = 0;
		while (taken < 400 && history_step(h))
			taken++;
		assert_true(taken < 400);
		for (int i = 0; i < 3; i++)
			history_step(h);
		history_check(h);
		fault_disk_room(h->disk, SIZE_MAX);
		assert_true(history_step(h));
		history_check(h);
		h->fx.s = store_close(h->fx.s);
		assert_true(history_lives_well(h, 2));
	}
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_commit_that_was_not_synced_is_lost),
		T(names_and_bytes_last_only_with_their_sync),
		T(a_failed_sync_is_not_made_good_by_the_next),
		T(power_cuts_lose_nothing),
		T(what_a_restart_read_outlives_a_power_cut),
		T(io_errors_stop_the_process_and_lose_nothing),
		T(a_full_disk_leaves_nothing_and_passes),
		T(a_small_disk_takes_what_fits),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
