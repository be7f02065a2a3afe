/* backup_test.c - a copy of a store is made while commits go on, and while it is closed. */
#include "sqlite_kit.h"

#include <sys/stat.h>
#include <time.h>

enum { ROWS = 300, ROW_BYTES = 60000, MORE_ROWS = 200 };

static void copy_name(const struct fixture *fx, char name[200], const char *more)
{
	snprintf(name, 200, "%s/copy.db%s", fx->dir, more);
}

static void add(struct fixture *fx, unsigned flow)
{
	static char bytes[ROW_BYTES];

	struct store_row row = bytes_row(flow, 0, (struct slice){ bytes, sizeof bytes });
	assert_int_equal(commit_row(fx, row, 1), 0);
}

static void fill(struct fixture *fx)
{
	open_with(fx, NULL);
	for (unsigned i = 0; i < ROWS; i++)
		add(fx, i);
}

static struct store_backup wait_done(struct fixture *fx)
{
	struct store_backup told = { .phase = STORE_BACKUP_NONE };

	while (told.phase < STORE_BACKUP_DONE) {
		struct timespec moment = { 0, 1000000 };
		nanosleep(&moment, NULL);
		store_backup_look(fx->s, &told);
	}
	return told;
}

static void on_found(void *owner, const struct id *flow, const char *words)
{
	(void)owner;
	(void)flow;
	fail_msg("%s", words);
}

static int64_t rows_of(const char *path)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
				 "SELECT sum(n) FROM (SELECT count(DISTINCT flow) AS n FROM journal_1"
				 " UNION ALL SELECT count(DISTINCT flow) FROM journal_2"
				 " UNION ALL SELECT count(DISTINCT flow) FROM journal_3)",
				 -1, &stmt, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int64_t n = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return n;
}

static void what_is_committed_meanwhile_does_no_harm(void **state)
{
	struct fixture *fx = *state;
	struct store_check judge = { .found = on_found, .opaque = true };
	struct store_backup told;
	struct err err = { 0 };
	char copy[200];

	fill(fx);
	copy_name(fx, copy, "");
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	assert_int_equal(store_backup_begin(fx->s, "/x", STORE_BACKUP_NEW, &err), FISH_EBUSY);
	for (unsigned i = 0; i < MORE_ROWS; i++) {
		add(fx, ROWS + i);
		/* Whoever borrows the connection has it before the copy is whole. */
		if (i == 0)
			sqlite_store_counts(fx->s);
		store_backup_look(fx->s, &told);
		assert_int_not_equal(told.phase, STORE_BACKUP_FAILED);
	}
	told = wait_done(fx);
	assert_int_equal(told.phase, STORE_BACKUP_DONE);
	assert_int_equal(told.left, 0);
	fx->s = store_close(fx->s);
	assert_int_equal(store_check_file(copy, &judge, &err), 0);
	assert_in_range(rows_of(copy), ROWS, ROWS + MORE_ROWS);
	unlink(copy);
}

static void a_close_in_the_middle_leaves_nothing(void **state)
{
	struct fixture *fx = *state;
	struct err err = { 0 };
	struct stat st;
	char copy[200];
	char part[200];

	fill(fx);
	copy_name(fx, copy, "");
	copy_name(fx, part, ".tmp");
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	assert_int_equal(stat(part, &st), 0);
	fx->s = store_close(fx->s);
	assert_int_equal(stat(part, &st), -1);
	assert_int_equal(stat(copy, &st), -1);
	open_with(fx, NULL);
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	assert_int_equal(wait_done(fx).phase, STORE_BACKUP_DONE);
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), FISH_EBUSY);
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_REPLACES, &err), 0);
	assert_int_equal(wait_done(fx).phase, STORE_BACKUP_DONE);
	unlink(copy);
}

/* Somebody takes the name while the copy grows: his file stays. */
static void a_name_that_is_taken_meanwhile_fails_it(void **state)
{
	struct fixture *fx = *state;
	struct err err = { 0 };
	struct stat st;
	char copy[200];
	char part[200];

	fill(fx);
	copy_name(fx, copy, "");
	copy_name(fx, part, ".tmp");
	sqlite_borrow(container_of(fx->s, struct sqlite_store, base));
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	FILE *taken = fopen(copy, "w");
	assert_non_null(taken);
	fclose(taken);
	sqlite_give_back(container_of(fx->s, struct sqlite_store, base));
	struct store_backup told = wait_done(fx);
	assert_int_equal(told.phase, STORE_BACKUP_FAILED);
	assert_non_null(strstr(told.err.text, "there already"));
	assert_int_equal(stat(copy, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(stat(part, &st), -1);
	unlink(copy);
}

static void refuses(struct fixture *fx, const char *name, int code, const char *words)
{
	struct err err = { 0 };

	assert_int_equal(store_backup_begin(fx->s, name, STORE_BACKUP_REPLACES, &err), code);
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

/* Under whatever name it, or its log, is known. */
static void a_store_that_is_a_link_is_not_overwritten(void **state)
{
	struct fixture *fx = *state;
	struct store *s = NULL;
	struct err err = { 0 };
	char link[200];
	char other[200];

	snprintf(link, sizeof link, "%s/link.db", fx->dir);
	snprintf(other, sizeof other, "%s/other.db", fx->dir);
	assert_int_equal(symlink("x.db", link), 0);
	open_with(fx, NULL);
	fx->s = store_close(fx->s);
	assert_int_equal(store_open_sqlite(&s, link, NULL, &err), 0);
	fixture_adopt(fx, s);
	add(fx, 1);
	snprintf(other, sizeof other, "%s-wal", fx->path);
	refuses(fx, fx->path, FISH_EINVAL, "is the store itself");
	refuses(fx, other, FISH_EINVAL, "is the store itself");
	refuses(fx, link, FISH_EINVAL, "");
	/* Nor is another link. */
	snprintf(other, sizeof other, "%s/other.db", fx->dir);
	assert_int_equal(symlink("nowhere.db", other), 0);
	refuses(fx, other, FISH_EINVAL, "is no file");
	unlink(other);
	unlink(link);
}

/* Another server, in effect. */
static void other_open(struct fixture *other)
{
	fixture_init(other);
	open_with(other, NULL);
	add(other, 7);
}

/* Was: the second removed the first one's copy as it grew, and the first gave its name to the second one's. */
static void two_backups_to_one_name_do_not_mix(void **state)
{
	struct fixture *fx = *state;
	struct fixture other;
	struct store_check judge = { .found = on_found, .opaque = true };
	struct err err = { 0 };
	char copy[200];

	fill(fx);
	other_open(&other);
	copy_name(fx, copy, "");
	sqlite_borrow(container_of(fx->s, struct sqlite_store, base));
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	for (enum store_backup_mode mode = STORE_BACKUP_NEW; mode <= STORE_BACKUP_REPLACES; mode++) {
		assert_int_equal(store_backup_begin(other.s, copy, mode, &err), FISH_EBUSY);
		assert_non_null(strstr(err.text, "another backup"));
	}
	sqlite_give_back(container_of(fx->s, struct sqlite_store, base));
	assert_int_equal(wait_done(fx).phase, STORE_BACKUP_DONE);
	assert_int_equal(store_check_file(copy, &judge, &err), 0);
	assert_int_equal(rows_of(copy), ROWS);
	assert_int_equal(store_backup_begin(other.s, copy, STORE_BACKUP_REPLACES, &err), 0);
	assert_int_equal(wait_done(&other).phase, STORE_BACKUP_DONE);
	assert_int_equal(store_check_file(copy, &judge, &err), 0);
	unlink(copy);
	fixture_fini(&other);
}

/* Somebody who knows nothing of locks: his file is not given the name, nor removed. */
static void a_copy_that_is_taken_away_fails_it(void **state)
{
	struct fixture *fx = *state;
	struct err err = { 0 };
	struct stat st;
	char copy[200];
	char part[200];

	fill(fx);
	copy_name(fx, copy, "");
	copy_name(fx, part, ".tmp");
	sqlite_borrow(container_of(fx->s, struct sqlite_store, base));
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_REPLACES, &err), 0);
	unlink(part);
	FILE *taken = fopen(part, "w");
	assert_non_null(taken);
	fclose(taken);
	sqlite_give_back(container_of(fx->s, struct sqlite_store, base));
	struct store_backup told = wait_done(fx);
	assert_int_equal(told.phase, STORE_BACKUP_FAILED);
	assert_non_null(strstr(told.err.text, "was taken away"));
	assert_int_equal(stat(copy, &st), -1);
	assert_int_equal(stat(part, &st), 0);
	assert_int_equal(st.st_size, 0);
	unlink(part);
}

/* Was: it was removed as what a backup that was killed had left. */
static void a_store_is_not_taken_for_what_a_backup_left(void **state)
{
	struct fixture *fx = *state;
	struct fixture other;
	struct err err = { 0 };
	struct stat st;
	char part[200];

	copy_name(fx, part, ".tmp");
	fixture_init(&other);
	CHECK(snprintf(other.path, sizeof other.path, "%s/copy.db.tmp", fx->dir) < (int)sizeof other.path);
	open_with(&other, NULL);
	add(&other, 7);
	open_with(fx, NULL);
	add(fx, 1);
	part[strlen(part) - strlen(".tmp")] = '\0';
	refuses(&other, part, FISH_EINVAL, "is the store itself");
	refuses(fx, part, FISH_EBUSY, "a server may be using");
	assert_int_equal(stat(other.path, &st), 0);
	fixture_fini(&other);
	assert_int_equal(store_backup_begin(fx->s, part, STORE_BACKUP_NEW, &err), 0);
	assert_int_equal(wait_done(fx).phase, STORE_BACKUP_DONE);
	unlink(part);
}

/* Was: a backup that could not begin for want of memory ended the server. */
static void no_memory_fails_it(void **state)
{
	struct fixture *fx = *state;
	struct err err = { 0 };
	char copy[200];

	fill(fx);
	copy_name(fx, copy, "");
	sqlite_borrow(container_of(fx->s, struct sqlite_store, base));
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	sqlite3_hard_heap_limit64(1);
	sqlite_give_back(container_of(fx->s, struct sqlite_store, base));
	struct store_backup told = wait_done(fx);
	sqlite3_hard_heap_limit64(0);
	assert_int_equal(told.phase, STORE_BACKUP_FAILED);
	assert_non_null(strstr(told.err.text, "out of memory"));
	assert_int_equal(store_backup_begin(fx->s, copy, STORE_BACKUP_NEW, &err), 0);
	assert_int_equal(wait_done(fx).phase, STORE_BACKUP_DONE);
	unlink(copy);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(what_is_committed_meanwhile_does_no_harm, setup, teardown),
	cmocka_unit_test_setup_teardown(a_store_that_is_a_link_is_not_overwritten, setup, teardown),
	cmocka_unit_test_setup_teardown(two_backups_to_one_name_do_not_mix, setup, teardown),
	cmocka_unit_test_setup_teardown(a_copy_that_is_taken_away_fails_it, setup, teardown),
	cmocka_unit_test_setup_teardown(a_store_is_not_taken_for_what_a_backup_left, setup, teardown),
	cmocka_unit_test_setup_teardown(no_memory_fails_it, setup, teardown),
	cmocka_unit_test_setup_teardown(a_close_in_the_middle_leaves_nothing, setup, teardown),
	cmocka_unit_test_setup_teardown(a_name_that_is_taken_meanwhile_fails_it, setup, teardown),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
