/* fault_amid_test.c - a store that is stopped while flows park, or while a segment retires or goes.
 *
 * A small history is told commit by commit, until the store does what the test is named after; that
 * commit, and all that the store tidies up behind it, is then told again with the power cut, a kill, an
 * I/O error and a full disk at each of its operations. Invariant: the file then tells what it told before
 * that commit, if nobody was told of it, or what it tells behind it; and its check finds nothing.
 * Surprise: faults are counted from behind the opening, so that each falls into what is meant;
 * fault_each_test.c has all else, fault_migrate_test.c migration, fault_backup_test.c backups. */
#include "dump.h"
#include "fault_vfs.h"
#include "file_check.h"
#include "store/sqlite.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>

#include <cmocka.h>

enum { FLOWS = 60,
	COMMITS_MAX = 200,
	REFUSED_MAX = 3,
	ROW_BYTES = 400,
	LONG_BYTES = 3000,
	BIG_BYTES = BIG_BYTES_MIN + 1000,
	RETAIN_MS = 30 };

struct amid {
	struct fixture fx;
	struct fault_disk *disk;
	struct buf saved; /* the disk before the commit */
	struct buf before, after; /* what the store tells */
	struct fault_plan plan;
	unsigned commit; /* which one */
	bool acked, refused; /* by a child */
	unsigned stopped, went_on; /* lives that ended early; commits that met a full disk */
	char said[800];
};

static void opened(struct fixture *fx)
{
	const struct sqlite_options o = {
		.store = { .young_bytes_max = 8000, .retain_ms = RETAIN_MS, .vfs = FAULT_VFS },
		.wal_frames_max = 20,
		.dead_rows_min = 3,
	};
	struct store *s = NULL;
	struct err err = { .code = 0 };

	if (sqlite_store_open(&s, fx->path, &o, &err) < 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(s != NULL);
	fixture_adopt(fx, s);
}

static void tidied(struct fixture *fx)
{
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);

	sqlite_borrow(s);
	sqlite_give_back(s);
}

/* ---- the history ---- */

/* The row that a flow gets for the n-th time; a few are long. */
static struct store_row row_at(unsigned flow, unsigned n)
{
	static char bytes[BIG_BYTES];
	size_t len = ROW_BYTES;

	if (n == 1 && flow % 7 == 3)
		len = BIG_BYTES;
	else if (n == 1 && flow % 5 == 2)
		len = LONG_BYTES;
	memset(bytes, 'a' + (int)(flow % 26), len);
	return (struct store_row){ .flow = flow_id(flow), .seq = n, .bytes = { bytes, len } };
}

/* Each flow gets two rows, is parked five commits later with its neighbours, wakes, and every third
 * ends. Nothing depends on what came before but the number. */
static int commit_at(struct fixture *fx, unsigned i)
{
	unsigned group = i / 8 * 4; /* of four flows, over eight commits */
	unsigned phase = i % 8;
	unsigned flow = group + phase % 4;
	struct store_park parks[4];
	struct store_row row = row_at(flow, phase < 4 ? 0 : 1);
	struct store_commit c = { .rows = &row, .nrows = 1, .now_ms = 1000 + (int64_t)i };
	struct store_ended e = keyed(ended_of(flow, c.now_ms), flow);

	if (phase >= 4 && flow % 3 == 0) {
		row.last = true;
		c.ended = &e;
		c.nended = 1;
	}
	/* The group before, of which some have ended, parks as a whole. */
	for (unsigned k = 0; phase == 2 && group >= 4 && k < 4; k++) {
		unsigned parks_flow = group - 4 + k;
		if (parks_flow % 3 != 0)
			parks[c.nparks++] = (struct store_park){ .flow = flow_id(parks_flow),
				.has_key = k % 2 == 0,
				.key = key_id(parks_flow),
				.wake_ms = k == 3 ? INT64_MAX : 5000 + k,
				.hooks = k,
				.untaken = 3 - k };
	}
	c.parks = parks;
	return commit_all(fx, c);
}

static int statement_seen(unsigned what, void *seen, void *stmt, void *sql)
{
	static const char *const words[] = { "INSERT INTO parked", "INSERT INTO retired", "DROP TABLE journal_" };

	(void)what;
	(void)stmt;
	for (size_t i = 0; i < 3; i++)
		*(unsigned *)seen |= strncmp(sql, words[i], strlen(words[i])) == 0 ? 1U << i : 0;
	return 0;
}

enum doing { PARKS = 1,
	RETIRES = 2,
	DROPS = 4 };

/* The i-th commit in this process; what was done. */
static unsigned commit_watched(struct fixture *fx, unsigned i)
{
	unsigned seen = 0;

	opened(fx);
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	sqlite_borrow(s);
	sqlite3_trace_v2(s->db, SQLITE_TRACE_STMT, statement_seen, &seen);
	sqlite_give_back(s);
	assert_int_equal(commit_at(fx, i), 0);
	tidied(fx);
	fx->s = store_close(fx->s);
	return seen;
}

static void told(struct amid *a, struct buf *to)
{
	buf_reset(to);
	opened(&a->fx);
	dump_below(&a->fx, FLOWS, to);
	a->fx.s = store_close(a->fx.s);
}

/* Goes through the history to the commit that does that, and no more of it, for the n-th time. */
static void look_for(struct amid *a, unsigned doings, unsigned n)
{
	fault_disk_wipe(a->disk, 1);
	for (a->commit = 0;; a->commit++) {
		assert_true(a->commit < COMMITS_MAX);
		buf_reset(&a->saved);
		fault_disk_save(a->disk, &a->saved);
		if (commit_watched(&a->fx, a->commit) == doings && --n == 0)
			break;
	}
	told(a, &a->after);
	fault_disk_restore(a->disk, buf_slice(&a->saved), 1);
	told(a, &a->before);
	assert_false(slice_eq(buf_slice(&a->before), buf_slice(&a->after)));
}

/* ---- faults ---- */

/* A commit that finds no room is tried again, and there is some at last. */
static void commit_in_child(struct fixture *fx)
{
	struct amid *a = container_of(fx, struct amid, fx);

	opened(fx);
	fault_disk_plan(a->disk, &a->plan);
	for (unsigned n = 1; commit_at(fx, a->commit) < 0; n++) {
		a->refused = true;
		CHECK(n <= REFUSED_MAX);
		if (n == REFUSED_MAX)
			fault_disk_plan(a->disk, NULL);
	}
	a->acked = true;
	tidied(fx);
	_exit(0);
}

/* So many operations has it when nothing fails. */
static uint64_t operations(struct amid *a, unsigned ops)
{
	a->plan = (struct fault_plan){ .ops = ops };
	fault_disk_restore(a->disk, buf_slice(&a->saved), 1);
	assert_int_equal(child_status(commit_in_child, &a->fx, a->said, sizeof a->said), 0);
	fault_disk_orphan(a->disk);
	return fault_disk_seen(a->disk);
}

static bool may_end_so(const struct amid *a, int status)
{
	if (status == 0)
		return true;
	switch (a->plan.how) {
	case FAULT_CUT:
		return WIFEXITED(status) && WEXITSTATUS(status) == FAULT_CUT_STATUS;
	case FAULT_KILL:
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	case FAULT_ERROR:
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strncmp(a->said, "store ", 6) == 0;
	case FAULT_NONE:
	case FAULT_FULL:
	case FAULT_QUOTA:
		break;
	}
	return false;
}

static void at(struct amid *a, uint64_t k)
{
	struct buf now;

	a->plan.at = k;
	a->acked = a->refused = false;
	fault_disk_restore(a->disk, buf_slice(&a->saved), k);
	int status = child_status(commit_in_child, &a->fx, a->said, sizeof a->said);
	fault_disk_orphan(a->disk);
	fault_disk_plan(a->disk, NULL);
	if (!may_end_so(a, status))
		fail_msg("how %d, operation %" PRIu64 ": status %x: %s", a->plan.how, k, (unsigned)status,
			a->said);
	a->stopped += status != 0;
	a->went_on += a->refused;
	/* What a kill or an error left in the kernel's cache may be lost later. */
	if (a->plan.how == FAULT_ERROR || (a->plan.how == FAULT_KILL && k % 2 == 0))
		fault_disk_cut(a->disk, FAULT_LOSES_SOME);
	buf_init(&now, SIZE_MAX);
	told(a, &now);
	bool before = slice_eq(buf_slice(&now), buf_slice(&a->before));
	bool after = slice_eq(buf_slice(&now), buf_slice(&a->after));
	if (!after && (a->acked || !before))
		fail_msg("how %d, operation %" PRIu64 ", %s:\n%s\ninstead of\n%s\nor, if nobody was told,\n%s",
			a->plan.how, k, a->acked ? "acked" : "not acked", now.ptr, a->after.ptr,
			a->before.ptr);
	assert_true(file_is_clean(a->disk, a->fx.path, true));
	buf_fini(&now);
}

static void faults_amid(struct amid *a, unsigned doings, unsigned times)
{
	static const enum fault_how hows[] = { FAULT_CUT, FAULT_KILL, FAULT_ERROR, FAULT_FULL };
	uint64_t step = number_of("FISH_SIM_SEEDS_DIVISOR", 1);

	look_for(a, doings, times);
	for (size_t i = 0; i < sizeof hows / sizeof hows[0]; i++) {
		unsigned ops = hows[i] == FAULT_FULL ? FAULT_WRITE | FAULT_MAKE : FAULT_CHANGES;
		uint64_t n = operations(a, ops);
		a->stopped = a->went_on = 0;
		for (uint64_t k = 1; k <= n; k += step) {
			a->plan = (struct fault_plan){ .ops = ops, .how = hows[i] };
			a->plan.times = hows[i] == FAULT_FULL && k % 2 == 0 ? UINT64_MAX : 1;
			at(a, k);
		}
		assert_true(hows[i] == FAULT_FULL ? a->went_on > 0 && a->stopped == 0 : a->stopped > 0);
		print_message("commit %u, how %d: %" PRIu64 " operations\n", a->commit, hows[i], n);
	}
}

static void amid_parking_nothing_is_lost(void **state)
{
	faults_amid(*state, PARKS | RETIRES, 1);
	faults_amid(*state, PARKS | RETIRES | DROPS, 1);
}

static void amid_retiring_nothing_is_lost(void **state)
{
	faults_amid(*state, RETIRES, 1);
	faults_amid(*state, RETIRES, 3);
}

static void amid_dropping_nothing_is_lost(void **state)
{
	faults_amid(*state, DROPS, 1);
	faults_amid(*state, DROPS, 3);
}

static int setup(void **state)
{
	struct amid *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(a != MAP_FAILED);
	fixture_init(&a->fx);
	a->disk = fault_disk_new();
	fault_vfs_mount(a->disk);
	buf_init(&a->saved, SIZE_MAX);
	buf_init(&a->before, SIZE_MAX);
	buf_init(&a->after, SIZE_MAX);
	*state = a;
	return 0;
}

static int teardown(void **state)
{
	struct amid *a = *state;

	buf_fini(&a->saved);
	buf_fini(&a->before);
	buf_fini(&a->after);
	fixture_fini(&a->fx);
	fault_disk_free(a->disk);
	munmap(a, sizeof *a);
	return 0;
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(amid_parking_nothing_is_lost),
		T(amid_retiring_nothing_is_lost),
		T(amid_dropping_nothing_is_lost),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
