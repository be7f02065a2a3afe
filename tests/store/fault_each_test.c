/* fault_each_test.c - each kind of fault at each operation of the SQLite store on its disk.
 *
 * Random histories are looked through for short stretches in which the store does what it does
 * now and then (STRETCHES); each stretch is told again and again, with the power cut, a kill, an
 * I/O error and a full disk at its operations, opening included, and in the first stretch closing: at each
 * of them with FISH_CUTS=1000, else at every second or third, beginning elsewhere in each stretch.
 * FISH_SIM_SEEDS_DIVISOR leaves more out. Invariant: what was told done is there, always.
 * Surprise: it is the statements that SQLite is asked for that tell what the store is about. */
#include "history.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum {
	HOUR_MS = 60 * 60 * 1000,
	STRETCHES_MAX = 12,
	STRETCH_STEPS = 2,
	STRETCH_OPS_MAX = 250,
	LIVES_MAX = 60,
	ROOM_TRIES = 3,
};

/* What a stretch is wanted for. */
enum doing {
	TABLES = 1 << 0,
	SEGMENT = 1 << 1,
	PARKS = 1 << 2,
	AGES = 1 << 3,
	RETIRES = 1 << 4,
	DROPS = 1 << 5,
	THINS = 1 << 6,
	PURGES = 1 << 7,
	STRIPS = 1 << 8,
	EXPIRES = 1 << 9,
	CHUNKS = 1 << 10,
	CHUNKS_GO = 1 << 11,
	BIGS = 1 << 12,
	BIGS_GO = 1 << 13,
	NOTES_IDS = 1 << 14,
	FORGETS_IDS = 1 << 15,
	ALL_DOINGS = (1 << 16) - 1,
};

/* In order of the bits; NULL: it is told otherwise. */
static const char *const words_of[] = {
	"CREATE TABLE store",
	"CREATE TABLE journal_",
	"INSERT INTO parked",
	NULL,
	"INSERT INTO retired",
	"DROP TABLE journal_",
	"DELETE FROM journal_",
	NULL,
	"UPDATE ended SET result",
	"DELETE FROM ended",
	"INSERT INTO chunk",
	"DELETE FROM chunk",
	"INSERT INTO big",
	"DELETE FROM big",
	"INSERT OR REPLACE INTO ended_id",
	"DELETE FROM ended_id",
};

struct stretches {
	struct history *history;
	struct history_saved *saved[STRETCHES_MAX];
	unsigned doings[STRETCHES_MAX];
	size_t n;
	atomic_uint seen; /* doings, by statements */
};

/* ---- looking for stretches ---- */

static int statement_seen(unsigned what, void *arg, void *stmt, void *sql)
{
	struct stretches *all = arg;

	(void)what;
	(void)stmt;
	for (size_t i = 0; i < sizeof words_of / sizeof words_of[0]; i++) {
		if (words_of[i] != NULL && strncmp(sql, words_of[i], strlen(words_of[i])) == 0)
			all->seen |= 1U << i;
	}
	return 0;
}

/* Flows that have aged; and whether dead rows are on their way out. */
static int64_t awake(struct sqlite_store *s, bool *ret_purging)
{
	int64_t n = 0;

	sqlite_borrow(s);
	CHECK(sqlite_number(s, "SELECT coalesce(sum(awake), 0) FROM parked", &n) == SQLITE_OK);
	*ret_purging = s->purge.found;
	sqlite_give_back(s);
	return n;
}

/* Lives in this process, without faults. What was done. */
static unsigned stretch_live(struct stretches *all)
{
	struct history *h = all->history;
	bool fresh = h->run.nrows == 0;
	bool purging = false;

	all->seen = fresh ? TABLES : 0;
	assert_int_equal(history_open(h, NULL), 0);
	struct sqlite_store *s = container_of(h->fx.s, struct sqlite_store, base);
	sqlite_borrow(s);
	sqlite3_trace_v2(s->db, SQLITE_TRACE_STMT, statement_seen, all);
	sqlite_give_back(s);
	for (unsigned i = 0; i < STRETCH_STEPS; i++) {
		bool was_purging = purging;
		int64_t before = awake(s, &purging);
		assert_true(history_step(h));
		all->seen |= awake(s, &purging) > before ? AGES : 0;
		all->seen |= was_purging && !purging ? PURGES : 0;
	}
	h->fx.s = store_close(h->fx.s);
	return all->seen;
}

/* What a cut leaves is drawn anew from it, in each round of `make soak`. */
static uint64_t first_seed(void) { return number_of("FISH_CUTS_FIRST", 1) - 1; }

/* One stretch in a process of its own. The first one closes the store, others just end. */
static int stretch_with(struct history *h, const struct history_saved *saved, uint64_t seed,
	const struct fault_plan *plan)
{
	history_restore(h, saved, seed + first_seed());
	h->leaves = saved->run.nrows > 0;
	int status = history_live(h, STRETCH_STEPS, plan);
	h->leaves = false;
	return status;
}

static bool is_well(int status)
{
	return status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static uint64_t operations(struct history *h, const struct history_saved *saved, unsigned ops)
{
	const struct fault_plan counts = { .ops = ops };

	assert_true(is_well(stretch_with(h, saved, 1, &counts)));
	return fault_disk_seen(h->disk);
}

static struct sqlite_options options_of(uint64_t seed)
{
	return (struct sqlite_options){
		.store = { .young_bytes_max = 6000 + 1000 * (seed % 5),
			.retain_ms = seed % 2 == 0 ? 15 * HOUR_MS : 40 * HOUR_MS,
			.retain_bytes_max = seed % 3 == 0 ? 20000 : 0 },
		.wal_frames_max = 5 + 5 * (int)(seed % 5),
		.dead_rows_min = 3,
		.ids_merge_max = 3,
		.ids_sweep_min = 5,
	};
}

/* One history; each of its lives that does something new is kept. */
static void stretches_of(struct stretches *all, uint64_t seed, unsigned *done)
{
	struct history *h = all->history;

	history_begin(h, seed, options_of(seed));
	h->run.long_one_in = 20;
	h->run.big_one_in = 60;
	for (unsigned life = 0; life < LIVES_MAX && *done != ALL_DOINGS; life++) {
		struct history_saved *saved = history_save(h);
		unsigned doings = stretch_live(all);
		struct history_saved *after = history_save(h);
		if ((doings & ~*done) != 0 && operations(h, saved, FAULT_ALL) <= STRETCH_OPS_MAX) {
			assert_true(all->n < STRETCHES_MAX);
			all->doings[all->n] = doings;
			all->saved[all->n++] = saved;
			*done |= doings;
			saved = NULL;
		}
		history_restore(h, after, seed + life);
		history_saved_free(saved);
		history_saved_free(after);
	}
}

static int setup(void **state)
{
	struct stretches *all = xalloc(sizeof *all);
	unsigned done = 0;

	all->history = history_new();
	for (uint64_t seed = 1; done != ALL_DOINGS; seed++) {
		assert_true(seed < 20);
		stretches_of(all, seed, &done);
	}
	*state = all;
	return 0;
}

static int teardown(void **state)
{
	struct stretches *all = *state;

	for (size_t i = 0; i < all->n; i++)
		history_saved_free(all->saved[i]);
	history_free(all->history);
	free(all);
	return 0;
}

/* ---- faults ---- */

/* Every so manieth operation; in `make soak` each. */
static uint64_t stride(uint64_t sample)
{
	bool all = number_of("FISH_CUTS", 100) >= 1000;

	return number_of("FISH_SIM_SEEDS_DIVISOR", 1) * (all ? 1 : sample);
}

typedef void (*fault_at)(struct history *h, const struct history_saved *saved, uint64_t k);

/* Has it done at operations of these kinds in each stretch; how often. Tells how many there are. */
static uint64_t each(struct stretches *all, unsigned ops, uint64_t step, fault_at at)
{
	uint64_t sum = 0;
	uint64_t done = 0;

	for (size_t i = 0; i < all->n; i++) {
		uint64_t n = operations(all->history, all->saved[i], ops);
		for (uint64_t k = 1 + i % step; k <= n; k += step, done++)
			at(all->history, all->saved[i], k);
		sum += n;
	}
	print_message("at %" PRIu64 " of %" PRIu64 " operations in %zu stretches\n", done, sum, all->n);
	return done;
}

static void cut_at(struct history *h, const struct history_saved *saved, uint64_t k)
{
	const struct fault_plan plan = { .ops = FAULT_CHANGES, .how = FAULT_CUT, .at = k };

	int status = stretch_with(h, saved, k, &plan);
	assert_true(is_well(status) || (WIFEXITED(status) && WEXITSTATUS(status) == FAULT_CUT_STATUS));
	assert_true(history_lives_well(h, 2));
}

static void a_power_cut_loses_nothing(void **state)
{
	each(*state, FAULT_CHANGES, stride(2), cut_at);
}

static void kill_at(struct history *h, const struct history_saved *saved, uint64_t k)
{
	const struct fault_plan plan = { .ops = FAULT_CHANGES, .how = FAULT_KILL, .at = k };

	assert_true(is_well(stretch_with(h, saved, k, &plan)));
	h->leaves = true;
	assert_true(history_lives_well(h, 0));
	fault_disk_cut(h->disk, FAULT_LOSES_ALL);
	h->leaves = false;
	assert_true(history_lives_well(h, 1));
}

/* Killed anywhere, and then, once a new process has read what is there, the power goes: what it
 * has read, and may have told others, must not go with it. */
static void what_a_restart_read_outlives_a_power_cut(void **state)
{
	each(*state, FAULT_CHANGES, stride(3), kill_at);
}

static unsigned stopped, refused; /* by I/O errors */

static void error_at(struct history *h, const struct history_saved *saved, uint64_t k)
{
	const struct fault_plan plan = { .ops = FAULT_ALL, .how = FAULT_ERROR, .at = k };

	int status = stretch_with(h, saved, k, &plan);
	bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	bool not_open = WIFEXITED(status) && WEXITSTATUS(status) == HISTORY_REFUSED_STATUS;
	bool said = strncmp(h->said, "store ", 6) == 0 && strstr(h->said, h->fx.path) != NULL;
	if (!((aborted || not_open) && said) && !is_well(status))
		fail_msg("operation %" PRIu64 ": status %x: %s", k, (unsigned)status, h->said);
	stopped += aborted;
	refused += not_open;
	h->leaves = true;
	assert_true(history_lives_well(h, 2));
	fault_disk_cut(h->disk, FAULT_LOSES_ALL);
	h->leaves = false;
	assert_true(history_lives_well(h, 1));
}

/* An I/O error ends the process with words, or did no harm; what was done is there, in the next
 * process and after a power cut behind that one's commits. */
static void io_errors_stop_the_process_and_lose_nothing(void **state)
{
	stopped = refused = 0;
	each(*state, FAULT_ALL, stride(3), error_at);
	print_message("%u aborts, %u refusals to open\n", stopped, refused);
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

/* Lives in this process with no room for a while. How often a commit was refused. */
static unsigned full_life(struct history *h, const struct fault_plan *plan)
{
	unsigned times = 0;

	h->run.may_be_refused = true;
	fault_disk_plan(h->disk, plan);
	open_when_there_is_room(h);
	for (unsigned i = 0; i < STRETCH_STEPS;) {
		if (history_step(h)) {
			i++;
			continue;
		}
		history_check(h);
		if (++times % ROOM_TRIES == 0)
			fault_disk_plan(h->disk, NULL);
		assert_true(times < 3 * ROOM_TRIES); /* it goes on when there is room */
	}
	fault_disk_plan(h->disk, NULL);
	assert_true(history_step(h));
	history_check(h);
	h->fx.s = store_close(h->fx.s);
	open_when_there_is_room(h);
	history_check(h);
	h->fx.s = store_close(h->fx.s);
	return times;
}

static void full_at(struct history *h, const struct history_saved *saved, uint64_t k)
{
	/* A quota is full in other words, once in a while. */
	enum fault_how how = k / 2 % 3 == 0 ? FAULT_QUOTA : FAULT_FULL;
	const struct fault_plan plan = { .ops = FAULT_WRITE | FAULT_MAKE,
		.how = how,
		.at = k,
		.times = k % 2 == 0 ? 1 + k % 10 / 2 : UINT64_MAX };

	history_restore(h, saved, k + first_seed());
	refused += full_life(h, &plan);
}

static void a_full_disk_leaves_nothing_and_passes(void **state)
{
	refused = 0;
	/* An odd one: whether it is full once or for good goes by turns. */
	uint64_t n = each(*state, FAULT_WRITE | FAULT_MAKE, stride(3), full_at);

	assert_true(refused > n / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_loses_nothing),
		cmocka_unit_test(what_a_restart_read_outlives_a_power_cut),
		cmocka_unit_test(io_errors_stop_the_process_and_lose_nothing),
		cmocka_unit_test(a_full_disk_leaves_nothing_and_passes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
