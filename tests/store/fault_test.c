/* fault_test.c - what power cuts and kills at random leave of the SQLite store, and a small disk.
 *
 * FISH_CUTS (100) power cuts and as many kills, divided by FISH_SIM_SEEDS_DIVISOR, from seed
 * FISH_CUTS_FIRST (1) on, in histories in which flows park, wake, age and end, and what ended is retained for a while.
 * fault_each_test.c has faults at each operation. Surprise: a seed draws the history and what a cut
 * leaves, and the store's one thread does its operations in order, so a seed that breaks breaks
 * again. */
#include "history.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { HOUR_MS = 60 * 60 * 1000,
	CUTS = 100,
	LIVES_MAX = 6,
	STEPS = 20 };

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
	static const size_t young[] = { 8000, 80000, 0, 20000 };
	static const int frames[] = { 6, 40, 0, 12, 25 };
	static const int64_t retains_ms[] = { 0, HOUR_MS, 20 * HOUR_MS };

	return (struct sqlite_options){
		.store = { .young_bytes_max = young[seed % 4],
			.retain_ms = retains_ms[seed % 3],
			.retain_bytes_max = seed % 7 < 2 ? 20000 : 0 },
		.wal_frames_max = frames[seed % 5],
		.dead_rows_min = 1 + seed % 6,
		.ids_merge_max = 1 + seed % 9,
		.ids_sweep_min = 1 + (int64_t)seed % 8,
	};
}

struct faults {
	uint64_t cuts, kills; /* at random operations */
};

/* One history with cuts and kills at random, and cuts behind some of the kills. */
static void cut_history(struct history *h, uint64_t seed, struct faults *came)
{
	history_begin(h, seed, options_of(seed));
	h->run.long_one_in = 3 + (unsigned)(seed % 20);
	h->run.big_one_in = 10 + (unsigned)(seed % 50);
	fault_disk_delays(h->disk, seed % 4 == 0 ? 300 : 0);
	for (unsigned life = 0; life < LIVES_MAX; life++) {
		bool killed = fault_disk_draw(h->disk, 2) == 0;
		const struct fault_plan plan = { .ops = FAULT_CHANGES,
			.how = killed ? FAULT_KILL : FAULT_CUT,
			.at = 1 + fault_disk_draw(h->disk, 350) };
		int status = history_live(h, STEPS, &plan);
		bool cut = WIFEXITED(status) && WEXITSTATUS(status) == FAULT_CUT_STATUS;
		bool dead = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		if (!cut && !dead && status != 0)
			fail_msg("seed %" PRIu64 ", life %u: status %x: %s", seed, life,
				(unsigned)status, h->said);
		came->cuts += cut;
		came->kills += dead;
		if (!cut && fault_disk_draw(h->disk, 2) == 0)
			fault_disk_cut(h->disk, FAULT_LOSES_SOME);
	}
	assert_true(history_lives_well(h, 5));
}

static void power_cuts_and_kills_lose_nothing(void **state)
{
	uint64_t wanted = number_of("FISH_CUTS", CUTS) / number_of("FISH_SIM_SEEDS_DIVISOR", 1);
	uint64_t seed = number_of("FISH_CUTS_FIRST", 1);
	struct faults came = { .cuts = 0 };

	for (; came.cuts < wanted || came.kills < wanted; seed++)
		cut_history(*state, seed, &came);
	print_message("%" PRIu64 " power cuts, %" PRIu64 " kills, up to seed %" PRIu64 "\n", came.cuts,
		came.kills, seed - 1);
}

static void a_small_disk_takes_what_fits(void **state)
{
	struct history *h = *state;

	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sqlite_options o = options_of(seed);
		o.wal_frames_max = 10 * (int)seed;
		history_begin(h, seed, o);
		h->looks = true;
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
		T(power_cuts_and_kills_lose_nothing),
		T(a_small_disk_takes_what_fits),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
