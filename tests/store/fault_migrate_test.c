/* fault_migrate_test.c - a store of an older format that is opened while its disk fails.
 *
 * The power cut, a kill, an I/O error and a full disk come at each operation of the opening that
 * brings it to the present format, and of the closing after it. Invariant: the next opening finds
 * all of it, in one format or the other. Surprise: an opening that fails says so and has changed
 * nothing, so that there is no way but to open it again. */
#include "fault_vfs.h"
#include "file_check.h"
#include "formats.h"

#include "base/buf.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

enum { REFUSED_STATUS = 3 };

struct migration {
	struct fixture fx;
	int format;
	struct fault_disk *disk;
	struct buf closed, left; /* the disk with the older format: in its file, or in the log still */
	char said[800];
	unsigned stopped; /* processes that an error ended */
};

static int opened(struct fixture *fx, struct err *err)
{
	const struct sqlite_options o = {
		.store = { .young_bytes_max = 8000, .vfs = FAULT_VFS }, .wal_frames_max = 10
	};
	struct store *s = NULL;
	int rc = sqlite_store_open(&s, fx->path, &o, err);

	if (rc == 0)
		fixture_adopt(fx, s);
	return rc;
}

static void open_and_close(struct fixture *fx)
{
	struct err err = { .code = 0 };

	if (opened(fx, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(REFUSED_STATUS);
	}
	store_close(fx->s);
	_exit(0);
}

static int open_once(struct migration *m, const struct buf *before, const struct fault_plan *plan,
	uint64_t seed)
{
	fault_disk_restore(m->disk, buf_slice(before), seed);
	fault_disk_plan(m->disk, plan);
	int status = child_status(open_and_close, &m->fx, m->said, sizeof m->said);
	fault_disk_orphan(m->disk);
	return status;
}

static void check(struct migration *m)
{
	struct err err = { .code = 0 };

	fault_disk_plan(m->disk, NULL);
	if (opened(&m->fx, &err) < 0)
		fail_msg("%s", err.text);
	format_check(&m->fx, m->format);
	file_check(m->fx.s);
	m->fx.s = store_close(m->fx.s);
	assert_true(file_is_clean(m->disk, m->fx.path, true));
}

static int setup(void **state)
{
	struct migration *m = xalloc(sizeof *m);
	sqlite3 *db = NULL;

	m->format = *(const int *)*state;
	fixture_init(&m->fx);
	m->disk = fault_disk_new();
	fault_vfs_mount(m->disk);
	assert_int_equal(sqlite3_open_v2(m->fx.path, &db,
				 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, FAULT_VFS),
		SQLITE_OK);
	/* A store is a write-ahead log's from its first day. */
	assert_int_equal(sqlite3_exec(db,
				 "PRAGMA page_size = 16384; PRAGMA locking_mode = EXCLUSIVE;"
				 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
				 NULL, NULL, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, format_sql(m->format), NULL, NULL, NULL), SQLITE_OK);
	buf_init(&m->left, SIZE_MAX);
	fault_disk_save(m->disk, &m->left);
	sqlite3_close(db);
	buf_init(&m->closed, SIZE_MAX);
	fault_disk_save(m->disk, &m->closed);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct migration *m = *state;

	buf_fini(&m->left);
	buf_fini(&m->closed);
	fixture_fini(&m->fx);
	fault_disk_free(m->disk);
	free(m);
	return 0;
}

static void at(struct migration *m, const struct buf *before, enum fault_how how, uint64_t k)
{
	uint64_t times = k % 2 == 0 ? UINT64_MAX : 1;
	const struct fault_plan plan = { .ops = FAULT_ALL, .how = how, .at = k, .times = times };
	int status = open_once(m, before, &plan, k);
	bool cut = WIFEXITED(status) && WEXITSTATUS(status) == FAULT_CUT_STATUS;
	bool refused = WIFEXITED(status) && WEXITSTATUS(status) == REFUSED_STATUS;
	bool dead = WIFSIGNALED(status);
	bool said = strncmp(m->said, "store ", 6) == 0;

	if (how == FAULT_CUT)
		assert_true(cut || status == 0);
	else if (how == FAULT_KILL)
		assert_true((dead && WTERMSIG(status) == SIGKILL) || status == 0);
	else if (status != 0 && !(said && (refused || (dead && WTERMSIG(status) == SIGABRT))))
		fail_msg("operation %" PRIu64 ": status %x: %s", k, (unsigned)status, m->said);
	m->stopped += refused || dead;
	/* Of a kill and of an error much is in the kernel only, and of an error some is not. */
	if (how == FAULT_KILL || how == FAULT_ERROR)
		fault_disk_cut(m->disk, FAULT_LOSES_SOME);
	check(m);
}

static void nothing_is_lost_on_the_way(void **state)
{
	static const enum fault_how hows[] = { FAULT_CUT, FAULT_KILL, FAULT_ERROR, FAULT_FULL, FAULT_QUOTA };
	struct migration *m = *state;
	const struct fault_plan counts = { .ops = FAULT_ALL };

	for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
		const struct buf *before = i % 2 == 0 ? &m->left : &m->closed;
		assert_int_equal(open_once(m, before, &counts, 1), 0);
		uint64_t n = fault_disk_seen(m->disk);
		check(m);
		m->stopped = 0;
		for (uint64_t k = 1; k <= n; k += number_of("FISH_SIM_SEEDS_DIVISOR", 1))
			at(m, before, hows[i], k);
		assert_true(hows[i] == FAULT_CUT || m->stopped > 0);
		print_message("%" PRIu64 " operations\n", n);
	}
}

int main(void)
{
	static int formats[] = { 1, 2 };
#define T(test, format) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, format)
	const struct CMUnitTest tests[] = {
		T(nothing_is_lost_on_the_way, &formats[0]),
		T(nothing_is_lost_on_the_way, &formats[1]),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
