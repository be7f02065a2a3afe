/* sqlite_test.c - what only the SQLite store has: a file that may be wrong, full, taken
 * or damaged.
 *
 * Surprise: to run out of disk, pages are forbidden to the file, and once the process's
 * file size limit is lowered, so that a write to the log fails half done as it does on a
 * full disk. */
#include "sqlite_kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static void write_file(const char *path, const void *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static void assert_refused(const char *path, int code, const char *words)
{
	struct store *s = NULL;
	struct err err = { 0 };

	int rc = store_open(&s, path, NULL, &err);
	assert_null(s);
	assert_int_equal(rc, code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, path));
	if (strstr(err.text, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void wrong_places_are_refused(void **state)
{
	struct fixture *fx = *state;
	char path[128];

	snprintf(path, sizeof path, "%s/none/x.db", fx->dir);
	assert_refused(path, FISH_ENOTFOUND, "no such directory");
	assert_refused(fx->dir, FISH_EINVAL, "is not a file but a directory");
	assert_refused("/dev/null", FISH_EINVAL, "is not a file");
	write_file(
		fx->path, "[order]\nname = x\nThis is somebody's configuration.\n", 50);
	assert_refused(fx->path, FISH_EFORMAT, "some other file");
	struct stat st;
	assert_int_equal(stat(fx->path, &st), 0);
	assert_int_equal(st.st_size, 50);
}

static void foreign_and_newer_files_are_refused(void **state)
{
	struct fixture *fx = *state;

	sql_on_file(fx, "CREATE TABLE orders (n)");
	assert_refused(fx->path, FISH_EFORMAT, "another program");
	sql_on_file(fx, "PRAGMA application_id = 123");
	assert_refused(fx->path, FISH_EFORMAT, "0x0000007b");
	unlink(fx->path);
	open_small(fx);
	fx->s = store_close(fx->s);
	sql_on_file(fx, "PRAGMA user_version = 7");
	assert_refused(
		fx->path, FISH_EFORMAT, "format 7, this program knows formats up to 3");
	sql_on_file(fx, "PRAGMA user_version = 3");
	open_small(fx);
}

/* With a log beside it, as a kill leaves it. */
static void stamp_in_log(const struct fixture *fx, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(fx->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void what_is_refused_keeps_its_log(void **state)
{
	struct fixture *fx = *state;
	char log[128];
	struct stat file[2];
	struct stat wal[2];

	snprintf(log, sizeof log, "%s-wal", fx->path);
	open_small(fx);
	fx->s = store_close(fx->s);
	stamp_in_log(fx, "PRAGMA user_version = 7");
	assert_int_equal(stat(log, &wal[0]), 0);
	assert_int_equal(stat(fx->path, &file[0]), 0);
	assert_refused(fx->path, FISH_EFORMAT, "format 7");
	assert_int_equal(stat(log, &wal[1]), 0);
	assert_int_equal(wal[1].st_size, wal[0].st_size);
	assert_int_equal(stat(fx->path, &file[1]), 0);
	assert_memory_equal(&file[1].st_mtim, &file[0].st_mtim, sizeof file[0].st_mtim);
	/* Who is not refused takes it home. */
	stamp_in_log(fx, "PRAGMA user_version = 3");
	open_small(fx);
	fx->s = store_close(fx->s);
	assert_int_equal(stat(log, &wal[1]), -1);
}

static void damaged_files_are_refused(void **state)
{
	struct fixture *fx = *state;
	static char bytes[8000];

	open_small(fx);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(
			commit_row(fx,
				bytes_row(i, 0, (struct slice){ bytes, sizeof bytes }),
				1),
			0);
	fx->s = store_close(fx->s);
	assert_int_equal(truncate(fx->path, 20 * SQLITE_STORE_PAGE_BYTES), 0);
	assert_refused(fx->path, FISH_EFORMAT, "damaged");
	unlink(fx->path);
	open_small(fx);
	fx->s = store_close(fx->s);
	sql_on_file(fx, "DELETE FROM mac_key");
	assert_refused(fx->path, FISH_EFORMAT, "keys");
}

static void unwritable_places_are_refused(void **state)
{
	struct fixture *fx = *state;
	bool root = geteuid() == 0;

	/* root may write everywhere, so it is somebody else for a while. */
	assert_int_equal(chmod(fx->dir, 0555), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(fx->path, FISH_EIO, "cannot be made");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(fx->dir, 0755), 0);
	open_small(fx);
	fx->s = store_close(fx->s);
	assert_int_equal(chmod(fx->path, 0444), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(fx->path, FISH_EIO, "not writable");
	if (root)
		assert_int_equal(seteuid(0), 0);
	/* The file may be written, but its log cannot be made beside it. */
	assert_int_equal(chmod(fx->path, 0666), 0);
	assert_int_equal(chmod(fx->dir, 0555), 0);
	if (root)
		assert_int_equal(seteuid(65534), 0);
	assert_refused(fx->path, FISH_EIO, "directory that it is in");
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(fx->dir, 0755), 0);
}

/* 0 when a second opener in another process is refused as it must be. */
static int refused_elsewhere(struct fixture *fx)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct store *s = NULL;
		struct err err = { 0 };
		/* The test's own process opened this library's connection; the child
		 * makes its own. */
		int rc = store_open(&s, fx->path, NULL, &err);
		_exit(rc == FISH_EBUSY && strstr(err.text, "in use by another server")
				? 0
				: 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

static void second_opener_is_refused(void **state)
{
	struct fixture *fx = *state;

	open_small(fx);
	assert_refused(fx->path, FISH_EBUSY, "in use by another server");
	assert_int_equal(refused_elsewhere(fx), 0);
	/* Having been asked for does not loosen the lock. */
	assert_int_equal(refused_elsewhere(fx), 0);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, SLICE_LIT("a")), 1), 0);
	assert_int_equal(refused_elsewhere(fx), 0);
	reopen_small(fx);
}

static void assert_private(const struct fixture *fx, const char *end)
{
	char path[sizeof fx->path + 8];
	struct stat st;

	snprintf(path, sizeof path, "%s%s", fx->path, end);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void file_is_set_up_as_designed(void **state)
{
	struct fixture *fx = *state;

	write_file(fx->path, "", 0); /* what a kill at the first start may leave */
	for (int round = 0; round < 2; round++) {
		open_small(fx);
		assert_int_equal(pragma(fx, "PRAGMA page_size"), 16384);
		assert_int_equal(pragma(fx, "PRAGMA synchronous"), 2);
		assert_int_equal(pragma(fx, "PRAGMA secure_delete"), 0);
		assert_int_equal(pragma(fx, "PRAGMA journal_mode"), 1);
		assert_int_equal(pragma(fx, "PRAGMA application_id"), SQLITE_STORE_ID);
		assert_int_equal(pragma(fx, "PRAGMA user_version"), SQLITE_STORE_FORMAT);
		assert_private(fx, "");
		assert_private(fx, "-wal");
		fx->s = store_close(fx->s);
	}
}

static void keys_differ_between_stores(void **state)
{
	struct fixture *fx = *state;
	uint8_t secret[TOKEN_SECRET_BYTES];

	open_small(fx);
	memcpy(secret, fx->s->keys[0].secret, sizeof secret);
	reopen_small(fx);
	assert_memory_equal(secret, fx->s->keys[0].secret, sizeof secret);
	fx->s = store_close(fx->s);
	unlink(fx->path);
	open_small(fx);
	assert_memory_not_equal(secret, fx->s->keys[0].secret, sizeof secret);
}

static void disk_full_is_no_news_and_passes(void **state)
{
	struct fixture *fx = *state;
	static char bytes[5000];
	struct slice big = { bytes, sizeof bytes };
	struct sync_load got;
	unsigned done = 0;

	open_small(fx);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, SLICE_LIT("a")), 1), 0);
	sqlite_store_pages_max(fx->s, 1);
	while (done < 1000 && commit_row(fx, bytes_row(500, done, big), 100) == 0)
		done++;
	assert_true(done < 1000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			commit_row(fx, bytes_row(2, 0, big), 100 + i), FISH_ESTORE);
	assert_int_equal(load_text(fx, flow_id(2), &got), FISH_ENOTFOUND);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	struct recovered all;
	recover_text(fx, &all);
	assert_int_equal(all.nrows, 1 + done);
	sqlite_store_pages_max(fx->s, 0);
	assert_int_equal(commit_row(fx, bytes_row(2, 0, big), 200), 0);
	reopen_small(fx);
	assert_int_equal(fx->s->time_ms, 200);
	recover_text(fx, &all);
	assert_int_equal(all.nrows, 2 + done);
}

static void a_commit_that_fails_late_leaves_nothing(void **state)
{
	struct fixture *fx = *state;
	static char bytes[300000];
	struct sync_load got;
	struct recovered all;

	open_small(fx);
	const struct store_row first[] = { row_of(1, 0, "a"), row_of(2, 0, "b") };
	assert_int_equal(commit_both(fx, first, 2, NULL, 0, 1), 0);
	sqlite_store_pages_max(fx->s, 1);
	/* Rows and the first end fit; the second end does not. */
	const struct store_row rows[] = { row_of(3, 0, "c"), last_row_of(1, 1, "end"),
		last_row_of(2, 1, "end") };
	struct store_ended ended[] = { ended_of(1, 2), ended_of(2, 2) };
	ended[1].result = (struct slice){ bytes, sizeof bytes };
	assert_int_equal(commit_both(fx, rows, 3, ended, 2, 2), FISH_ESTORE);
	assert_string_equal(recover_text(fx, &all), "1/0:a 2/0:b ");
	assert_int_equal(load_text(fx, flow_id(3), &got), FISH_ENOTFOUND);
	sqlite_store_pages_max(fx->s, 0);
	assert_int_equal(commit_both(fx, rows, 3, ended, 2, 2), 0);
	assert_string_equal(recover_text(fx, &all), "3/0:c ");
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "0:a 1:end!");
}

static void half_written_log_is_rolled_back(void **state)
{
	struct fixture *fx = *state;
	static char bytes[30000];
	struct slice big = { bytes, sizeof bytes };
	struct rlimit before;
	unsigned done = 0;

	open_small(fx);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit low = { 500001, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	int rc = 0;
	while (done < 1000 && (rc = commit_row(fx, bytes_row(500, done, big), 100)) == 0)
		done++;
	int again = commit_row(fx, bytes_row(2, 0, big), 100);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, FISH_ESTORE);
	assert_true(again == FISH_ESTORE ||
		again == 0); /* the log may have been copied home */
	assert_int_equal(commit_row(fx, bytes_row(3, 0, big), 100), 0);
	reopen_small(fx);
	struct recovered all;
	recover_text(fx, &all);
	assert_int_equal(all.nrows, done + 1 + (again == 0));
}

/* Replaces the descriptor of the log by one that cannot be written. */
static void break_log(const struct fixture *fx)
{
	struct stat want;
	struct stat is;
	char path[128];

	snprintf(path, sizeof path, "%s-wal", fx->path);
	CHECK(stat(path, &want) == 0);
	int broken = open(path, O_RDONLY | O_CLOEXEC);
	for (int fd = 3; fd < 100; fd++) {
		if (fd != broken && fstat(fd, &is) == 0 && is.st_ino == want.st_ino)
			CHECK(dup2(broken, fd) == fd);
	}
}

static void commit_to_broken_log(struct fixture *fx)
{
	open_small(fx);
	CHECK(commit_row(fx, bytes_row(1, 0, SLICE_LIT("a")), 1) == 0);
	break_log(fx);
	commit_row(fx, bytes_row(1, 1, SLICE_LIT("b")), 2);
}

static void doubtful_write_ends_the_process(void **state)
{
	struct fixture *fx = *state;
	char said[600];
	struct sync_load got;

	run_child(commit_to_broken_log, fx, SIGABRT, said, sizeof said);
	assert_non_null(strstr(said, "store "));
	assert_non_null(strstr(said, fx->path));
	assert_non_null(strstr(said, "disk I/O error"));
	open_small(fx);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "0:a");
}

static void load_damaged(struct fixture *fx)
{
	struct sync_load got;

	open_small(fx);
	load_text(fx, flow_id(1), &got);
}

/* SQLite has no word for it: the words are ours. */
static void damage_that_a_load_meets_ends_the_process(void **state)
{
	struct fixture *fx = *state;
	const struct store_park park = { .flow = flow_id(1), .wake_ms = INT64_MAX };
	char said[600];

	open_small(fx);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, SLICE_LIT("a")), 1), 0);
	assert_int_equal(commit_all(fx, (struct store_commit){ .parks = &park, .nparks = 1, .now_ms = 1 }), 0);
	fx->s = store_close(fx->s);
	sql_on_file(fx, "UPDATE parked SET bytes = x'81'");
	run_child(load_damaged, fx, SIGABRT, said, sizeof said);
	assert_non_null(strstr(said, fx->path));
	assert_non_null(strstr(said, "its rows are damaged: the file is damaged, its check tells where"));
	assert_null(strstr(said, "not an error"));
}

static void time_outlives_the_rows(void **state)
{
	struct fixture *fx = *state;
	static char bytes[3000];
	struct store_row row = bytes_row(1, 0, (struct slice){ bytes, sizeof bytes });
	struct sync_load got;

	row.last = true;
	open_small(fx);
	assert_int_equal(commit_row(fx, row, 12345), 0);
	assert_int_equal(load_text(fx, flow_id(1), &got),
		FISH_ENOTFOUND); /* its segment is gone */
	reopen_small(fx);
	assert_int_equal(fx->s->time_ms, 12345);
}

static void rolled_back_expiry_is_tried_again(void **state)
{
	struct fixture *fx = *state;
	struct store_row row = bytes_row(1, 0, SLICE_LIT("end"));
	const struct store_ended e = {
		.flow = row.flow, .ended_ms = 1, .name = SLICE_LIT("order")
	};
	struct rlimit before;

	row.last = true;
	open_small(fx);
	assert_int_equal(commit_both(fx, &row, 1, &e, 1, 1), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	struct rlimit nothing = { 1, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &nothing), 0);
	int rc = commit_row(fx, bytes_row(2, 0, SLICE_LIT("a")), SEEN_WINDOW_MS + 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(rc, FISH_ESTORE);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended"), 1);
	assert_int_equal(
		commit_row(fx, bytes_row(2, 0, SLICE_LIT("a")), SEEN_WINDOW_MS + 2), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended"), 0);
}

static void commit_until_killed(struct fixture *fx)
{
	open_small(fx);
	for (unsigned i = 0; i < 1000; i++) {
		struct store_row rows[] = {
			bytes_row(i, 0, SLICE_LIT("some bytes that fill segments")),
			bytes_row(2000 + i, 0, SLICE_LIT("x"))
		};
		rows[1].last = true;
		CHECK(commit_both(fx, rows, 2, NULL, 0, i + 1) == 0);
		CHECK(fprintf(stderr, ".") == 1);
	}
}

static void kill_switch_hits_before_or_after(void **state)
{
	struct fixture *fx = *state;
	static const char *const phases[] = { "before", "after" };
	char said[1200];

	for (unsigned k = 1; k <= 120; k += k < 5 ? 1 : 23) {
		for (size_t after = 0; after < 2; after++) {
			struct recovered all;
			char number[12];
			snprintf(number, sizeof number, "%u", k);
			setenv("FISH_TEST_KILL_AT_COMMIT", number, 1);
			setenv("FISH_TEST_KILL_PHASE", phases[after], 1);
			run_child(commit_until_killed, fx, SIGKILL, said, sizeof said);
			unsetenv("FISH_TEST_KILL_AT_COMMIT");
			unsetenv("FISH_TEST_KILL_PHASE");
			assert_int_equal(strlen(said), k - 1); /* told of so many */
			open_small(fx);
			recover_text(fx, &all);
			assert_int_equal(all.nrows, k - 1 + after);
			assert_int_equal(fx->s->time_ms, k - 1 + after);
			fx->s = store_close(fx->s);
			unlink(fx->path);
		}
	}
}

static void a_key_that_came_is_kept_behind_the_own(void **state)
{
	struct fixture *fx = *state;
	struct err err = { 0 };

	open_with(fx, NULL);
	struct token_key own = fx->s->keys[0];
	struct token_key came = { .id = own.id == 7 ? 8 : 7, .secret = "somebody else's" };
	struct token_key more = { .id = 1, .secret = "a store's before" };
	assert_true(own.id > 1); /* all had 1 once: theirs must find room */
	assert_int_equal(store_add_key(fx->s, &came, &err), 0);
	assert_int_equal(store_add_key(fx->s, &more, &err), 0);
	for (int reopened = 0; reopened < 2; reopened++) {
		assert_int_equal(fx->s->nkeys, 3);
		assert_memory_equal(&fx->s->keys[0], &own, sizeof own);
		assert_memory_equal(&fx->s->keys[1], &came, sizeof came);
		assert_memory_equal(&fx->s->keys[2], &more, sizeof more);
		fx->s = store_close(fx->s);
		open_with(fx, NULL);
	}
}

/* The rest of it is in tests/e2e/full_test.py, which has a disk that is full. */
static void the_file_has_room_for_the_log(void **state)
{
	struct fixture *fx = *state;
	char log[140];
	struct stat st;
	enum { LOG = 3 << 20, MEBIBYTE = 1 << 20 };

	open_with(fx, &(struct store_options){ .log_bytes = LOG });
	snprintf(log, sizeof log, "%s-wal", fx->path);
	assert_int_equal(stat(log, &st), 0);
	assert_true(st.st_blocks * 512 >= LOG);
	assert_true(st.st_size < LOG);
	for (unsigned n = 1; n <= 100; n++) {
		static char bytes[60000];
		struct store_row row = { .flow = flow_id(n),
			.bytes = { bytes, sizeof bytes } };
		assert_int_equal(commit_row(fx, row, 1000 + n), 0);
		assert_int_equal(stat(fx->path, &st), 0);
		assert_int_equal(st.st_size % MEBIBYTE, 0);
		/* Nothing is copied home yet, but for what the file was made with. */
		assert_true(st.st_size > (off_t)n * (off_t)sizeof bytes);
		assert_true(st.st_blocks * 512 >= st.st_size);
	}
}

/* SQLite's log lies beside what the link leads to. */
static void a_store_is_opened_through_a_link(void **state)
{
	struct fixture *fx = *state;
	struct store *s = NULL;
	struct err err = { 0 };
	struct stat st;
	char link[128];
	char log[160];
	const struct store_options o = { .log_bytes = 4 << 20 };

	snprintf(link, sizeof link, "%s/link.db", fx->dir);
	assert_int_equal(symlink("x.db", link), 0);
	assert_refused(link, FISH_ENOTFOUND, "is a link to a file that is not there");
	open_with(fx, &o);
	fx->s = store_close(fx->s);
	assert_int_equal(store_open_sqlite(&s, link, &o, &err), 0);
	fixture_adopt(fx, s);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, SLICE_LIT("a")), 1), 0);
	snprintf(log, sizeof log, "%s-wal", fx->path);
	assert_int_equal(stat(log, &st), 0);
	assert_true(st.st_blocks * 512 >= 4 << 20);
	snprintf(log, sizeof log, "%s-wal", link);
	assert_int_equal(lstat(log, &st), -1);
	assert_true(container_of(fx->s, struct sqlite_store, base)->file_fd >= 0);
	assert_refused(fx->path, FISH_EBUSY, "in use by another server");
	unlink(link);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(wrong_places_are_refused),
		T(foreign_and_newer_files_are_refused),
		T(what_is_refused_keeps_its_log),
		T(damaged_files_are_refused),
		T(unwritable_places_are_refused),
		T(second_opener_is_refused),
		T(file_is_set_up_as_designed),
		T(keys_differ_between_stores),
		T(disk_full_is_no_news_and_passes),
		T(a_commit_that_fails_late_leaves_nothing),
		T(half_written_log_is_rolled_back),
		T(doubtful_write_ends_the_process),
		T(damage_that_a_load_meets_ends_the_process),
		T(time_outlives_the_rows),
		T(rolled_back_expiry_is_tried_again),
		T(kill_switch_hits_before_or_after),
		T(a_key_that_came_is_kept_behind_the_own),
		T(the_file_has_room_for_the_log),
		T(a_store_is_opened_through_a_link),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
