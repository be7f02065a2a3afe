/* check_test.c - the check of a store's file finds each damage that is planted, and nothing in what
 * random histories leave behind.
 *
 * Surprise: the random histories hold rows that are no entries, so their entries are not judged; the
 * store that damage is planted in has real ones. */
#include "sqlite_kit.h"
#include "random.h"
#include "wire/entry.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { SEEDS = 8, STEPS = 150, WORDS_SIZE = 8000 };

/* What a check said. */
struct said {
	unsigned n;
	char words[WORDS_SIZE];
	struct id flow; /* of the first */
};

static void on_found(void *owner, const struct id *flow, const char *words)
{
	struct said *said = owner;
	size_t len = strlen(said->words);

	if (said->n++ == 0 && flow != NULL)
		said->flow = *flow;
	snprintf(said->words + len, sizeof said->words - len, "%s\n", words);
}

static int check(const char *path, bool opaque, struct said *said)
{
	struct err err = { 0 };

	memset(said, 0, sizeof *said);
	int rc = store_check_file(path,
		&(struct store_check){ .found = on_found, .owner = said, .opaque = opaque },
		&err);
	if (rc < 0)
		snprintf(said->words, sizeof said->words, "%s", err.text);
	return rc;
}

static void reopen(struct fixture *fx)
{
	struct said said;

	fx->s = store_close(fx->s);
	if (check(fx->path, true, &said) != 0)
		fprintf(stderr, "%s", said.words);
	CHECK(said.n == 0);
	open_small(fx);
}

static void random_histories_are_clean(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct fixture *fx = xalloc(sizeof *fx);
		struct said said;

		fixture_init(fx);
		open_small(fx);
		struct random_run *run = random_new(fx, reopen, seed);
		random_steps(run, STEPS);
		random_free(run);
		fx->s = store_close(fx->s);
		if (check(fx->path, true, &said) != 0)
			fail_msg("seed %llu: %s", (unsigned long long)seed, said.words);
		fixture_fini(fx);
		free(fx);
	}
}

static void add_entry(struct fixture *fx, unsigned flow, uint64_t seq, const struct entry *e)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	entry_put(&b, e);
	struct store_row row = bytes_row(flow, seq, buf_slice(&b));
	row.last = e->kind == ENTRY_END;
	if (row.last) {
		struct store_ended ended = keyed(ended_of(flow, 5), flow);
		assert_int_equal(commit_both(fx, &row, 1, &ended, 1, 5), 0);
	} else {
		assert_int_equal(commit_row(fx, row, 5), 0);
	}
	buf_fini(&b);
}

/* An entry with so many bytes in it. */
static void add(struct fixture *fx, unsigned flow, uint64_t seq, size_t bytes)
{
	static char body[100000];
	struct entry e = { .kind = seq == 0 ? ENTRY_START : ENTRY_PUBLISH, .time_ms = 5, .name = SLICE_LIT("x") };

	memset(body, 'b', sizeof body);
	e.body = (struct slice){ body, bytes };
	e.has_key = seq == 0;
	if (e.has_key)
		e.key = key_id(flow);
	add_entry(fx, flow, seq, &e);
}

static void add_two(struct fixture *fx, unsigned one, unsigned two)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	entry_put(&b, &(struct entry){ .kind = ENTRY_START, .time_ms = 5, .name = SLICE_LIT("x") });
	const struct store_row rows[2] = { bytes_row(one, 0, buf_slice(&b)), bytes_row(two, 0, buf_slice(&b)) };
	assert_int_equal(commit_both(fx, rows, 2, NULL, 0, 5), 0);
	buf_fini(&b);
}

/* Two hooks, and one delivery that is not taken. */
static void add_rest(struct fixture *fx, unsigned flow, uint64_t seq)
{
	struct entry e = { .kind = ENTRY_HOOK, .time_ms = 5, .name = SLICE_LIT("x") };

	for (e.number = 1; e.number <= 3; e.number++)
		add_entry(fx, flow, seq++, &e);
	e = (struct entry){ .kind = ENTRY_CLOSED, .time_ms = 5, .number = 2, .name = SLICE_LIT("over") };
	add_entry(fx, flow, seq++, &e);
	add_entry(fx, flow, seq, &(struct entry){ .kind = ENTRY_PROGRESS, .time_ms = 5, .number = 3, .waiting = 1 });
}

static void park(struct fixture *fx, unsigned flow)
{
	struct store_park p = { .flow = flow_id(flow),
		.wake_ms = 9,
		.hooks = 2,
		.untaken = 1,
		.has_key = true,
		.key = key_id(flow) };

	assert_int_equal(commit_all(fx, (struct store_commit){ .parks = &p, .nparks = 1, .now_ms = 5 }), 0);
}

/* Flow 1 is resident; 2 is parked, 3 too, with a chunk and long bytes; 4 has ended; 5 and 6 have begun in one
 * commit. */
static void make(struct fixture *fx)
{
	open_with(fx, NULL);
	for (unsigned flow = 1; flow <= 4; flow++) {
		for (uint64_t seq = 0; seq < 3; seq++)
			add(fx, flow, seq, 100);
	}
	add_rest(fx, 2, 3);
	park(fx, 2);
	add(fx, 3, 3, 5000);
	add(fx, 3, 4, 80000);
	add_rest(fx, 3, 5);
	park(fx, 3);
	add_entry(fx, 4, 3, &(struct entry){ .kind = ENTRY_END, .time_ms = 5, .status = END_DONE });
	add_two(fx, 5, 6);
	fx->s = store_close(fx->s);
}

static const struct damage {
	const char *sql, *words;
	unsigned flow; /* whose it is; 0: nobody's */
} damages[] = {
	{ "DELETE FROM journal_1 WHERE seq = 1 AND flow = (SELECT min(flow) FROM journal_1 WHERE last = 0)",
		"a hole from 1 to 2", 1 },
	{ "DELETE FROM journal_1 WHERE seq = 0 AND flow = (SELECT min(flow) FROM journal_1 WHERE last = 0)",
		"begins at 1 and is needed from 0", 1 },
	{ "UPDATE journal_1 SET bytes = substr(bytes, 1, 50) WHERE n = 2", "does not decode", 1 },
	{ "UPDATE journal_1 SET bytes = x'' WHERE n = 2", "is empty", 1 },
	{ "UPDATE journal_1 SET last = 2 WHERE n = 2", "not as it was written", 0 },
	{ "UPDATE journal_1 SET bytes = substr(bytes, 1, length(bytes) - 1) WHERE last = 5", "not as it was written", 0 },
	{ "UPDATE journal_1 SET seq = 1 WHERE last = 5", "not as it was written", 0 },
	{ "UPDATE journal_1 SET bytes = substr(bytes, 1, length(bytes) / 2) WHERE last = 5", "not as it was written", 0 },
	{ "UPDATE journal_1 SET seq = 1, bytes = x'00000000000100000000000000000005000002ff' WHERE last = 5",
		"does not decode", 5 },
	{ "UPDATE journal_1 SET n = 1 << 24 WHERE last = 5", "not as it was written", 0 },
	{ "UPDATE parked SET bytes = substr(bytes, 1, length(bytes) - 3) WHERE flags = 0",
		"its rows in parked are damaged", 2 },
	{ "UPDATE parked SET parent = x'01020304050607080910111213141516' WHERE flags = 0",
		"another parent", 2 },
	{ "UPDATE parked SET key = x'01020304050607080910111213141516' WHERE flags = 0", "another key", 2 },
	{ "UPDATE parked SET key = NULL WHERE flags = 0", "another key", 2 },
	{ "UPDATE parked SET hooks = 3 WHERE flags = 0; UPDATE store SET hooks = hooks + 1",
		"has 3 open hooks, its journal 2", 2 },
	{ "UPDATE parked SET untaken = 0 WHERE flags & 1; UPDATE store SET untaken = untaken - 1",
		"has 0 deliveries not taken, its journal 1", 3 },
	{ "DELETE FROM ended; UPDATE store SET ended_bytes = 0, ended_last = 1",
		"its row in ended is missing", 4 },
	{ "UPDATE parked SET flow = x'0102' WHERE flags = 0", "its row in parked is damaged", 0 },
	{ "UPDATE parked SET n = 77 WHERE flags = 0", "a number that was not given", 2 },
	{ "UPDATE parked SET awake = 1 WHERE flags = 0", "the number of parked flows", 0 },
	{ "UPDATE parked SET hooks = 9 WHERE flags = 0", "the sums over parked flows", 0 },
	{ "UPDATE parked SET flags = 4 WHERE flags = 0", "the sums over parked flows", 0 },
	{ "UPDATE parked SET flags = 4 WHERE flags = 0; UPDATE store SET apart = 1, apart_untaken = 1",
		"has 2 open hooks, its journal 0", 2 },
	{ "UPDATE store SET apart_untaken = 1", "the sums over parked flows", 0 },
	{ "UPDATE store SET untaken = untaken + 1", "the sums over parked flows", 0 },
	{ "UPDATE store SET parked = 7", "the number of parked flows", 0 },
	{ "UPDATE store SET dead = 1, parked = parked - 1", "the number of dead rows", 0 },
	{ "DELETE FROM store", "the row of store is missing", 0 },
	{ "DELETE FROM chunk", "its rows in chunk are missing", 3 },
	{ "UPDATE parked SET flags = flags & 2 WHERE flags & 1", "its own row does not say so", 3 },
	{ "UPDATE chunk SET seq = 2", "does not begin where it says", 3 },
	{ "DELETE FROM big", "the long bytes of the row at 4 are missing", 3 },
	{ "UPDATE big SET bytes = substr(bytes, 1, 70000)", "does not decode", 3 },
	{ "INSERT INTO big (flow, seq, bytes) VALUES (zeroblob(16), 0, x'00')", "no row of its own says so", 0 },
	{ "UPDATE ended SET places = x'81'", "the places of its history are damaged", 4 },
	{ "UPDATE ended SET places = x'0101'", "is another's", 4 },
	{ "UPDATE ended SET ended_ms = 1000", "after the store's time", 4 },
	{ "UPDATE store SET stripped = 1", "its retention is over", 4 },
	{ "UPDATE store SET ended_last = 1, ended_bytes = 1", "the bytes that ended flows keep", 0 },
	{ "INSERT INTO ended (flow, parent_source, parent_number, started_ms, ended_ms, status, name, flags, weight,"
	  " parked_n, result, untaken, seen) SELECT flow, 0, 0, 1, 1, 1, x'', 0, 0, 0, x'', x'', x'' FROM parked"
	  " WHERE flags = 0",
		"it lives in parked and has ended", 2 },
	{ "INSERT INTO retired VALUES (5, 1, 1)", "not older than all young", 0 },
	{ "UPDATE mac_key SET secret = x'00'", "a key of URLs is not whole", 0 },
	{ "UPDATE mac_key SET id = 0", "a key of URLs is not whole", 0 },
	{ "DELETE FROM mac_key", "there is no key", 0 },
	{ "INSERT INTO ended_id VALUES (zeroblob(16), 1)", "leads to the row of another flow", 0 },
	{ "DROP INDEX parked_wake; DROP TABLE chunk", "tables are not as they should be", 0 },
};

static void expect_found(void (*make_store)(struct fixture *fx), const struct damage *d)
{
	struct fixture *fx = xalloc(sizeof *fx);
	struct said said;

	fixture_init(fx);
	make_store(fx);
	if (check(fx->path, false, &said) != 0)
		fail_msg("before any damage: %s", said.words);
	sql_on_file(fx, d->sql);
	int rc = check(fx->path, false, &said);
	if (rc != 1 || strstr(said.words, d->words) == NULL)
		fail_msg("%s: %d: %s", d->sql, rc, said.words);
	struct id flow = d->flow != 0 ? flow_id(d->flow) : said.flow;
	if (!id_eq(&flow, &said.flow))
		fail_msg("%s: another flow is blamed: %s", d->sql, said.words);
	fixture_fini(fx);
	free(fx);
}

static void each_planted_damage_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++)
		expect_found(make, &damages[i]);
}

/* Flows 1 and 2 have begun in one commit, and in the next one 1 has ended while 2 went on. */
static void make_groups(struct fixture *fx)
{
	struct store_ended ended = ended_of(1, 5);
	struct buf end;
	struct buf more;

	open_with(fx, NULL);
	add_two(fx, 1, 2);
	buf_init(&end, SIZE_MAX);
	buf_init(&more, SIZE_MAX);
	entry_put(&end, &(struct entry){ .kind = ENTRY_END, .time_ms = 5, .status = END_DONE });
	entry_put(&more, &(struct entry){ .kind = ENTRY_HOOK, .time_ms = 5, .number = 1, .name = SLICE_LIT("x") });
	struct store_row rows[2] = { bytes_row(1, 1, buf_slice(&end)), bytes_row(2, 1, buf_slice(&more)) };
	rows[0].last = true;
	assert_int_equal(commit_both(fx, rows, 2, &ended, 1, 5), 0);
	buf_fini(&end);
	buf_fini(&more);
	fx->s = store_close(fx->s);
}

#define RETIRE_1 \
	"CREATE TABLE journal_2 (n INTEGER PRIMARY KEY, flow BLOB NOT NULL, seq INTEGER NOT NULL," \
	" last INTEGER NOT NULL, now_ms INTEGER, from_seq INTEGER, big INTEGER, bytes BLOB NOT NULL);" \
	"INSERT INTO retired VALUES (1, 5, 100);"

/* Segment 1 has nothing but these two groups. */
static const struct damage group_damages[] = {
	{ "UPDATE journal_1 SET seq = 1, bytes = zeroblob(16) WHERE n = 1", "not as it was written", 0 },
	{ "UPDATE journal_1 SET seq = 3 WHERE n = 1", "not as it was written", 0 },
	{ "DELETE FROM ended; UPDATE store SET ended_bytes = 0, ended_last = 1",
		"its row in ended is missing", 1 },
	{ "UPDATE ended SET places = x'0101'", "a row of its journal is not as it was written", 1 },
	{ RETIRE_1 "UPDATE journal_1 SET bytes = substr(bytes, 1, 20)",
		"a row of its journal is not as it was written", 1 },
};

static void damage_to_groups_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof group_damages / sizeof *group_damages; i++)
		expect_found(make_groups, &group_damages[i]);
}

static void on_progress(void *owner, uint64_t done, uint64_t all)
{
	bool *half_way = owner;

	assert_true(done <= all);
	*half_way = *half_way || (done > 0 && done < all);
}

static void on_surprise(void *owner, const struct id *flow, const char *words)
{
	(void)owner;
	(void)flow;
	fail_msg("%s", words);
}

/* Flows that have no row but in the journal count as well. */
static void progress_is_told_of_resident_flows(void **state)
{
	enum { N = 600 };
	struct fixture *fx = *state;
	static struct store_row rows[N];
	bool half_way = false;
	struct err err = { 0 };
	const struct store_check asked = {
		.found = on_surprise, .progress = on_progress, .owner = &half_way, .opaque = true };

	open_with(fx, NULL);
	for (unsigned i = 0; i < N; i++)
		rows[i] = row_of(i, 0, "young");
	assert_int_equal(commit_both(fx, rows, N, NULL, 0, 1), 0);
	fx->s = store_close(fx->s);
	assert_int_equal(store_check_file(fx->path, &asked, &err), 0);
	assert_true(half_way);
}

/* Where the file's pages end, as its header tells; behind them there may be room for more. */
static off_t pages_end(const char *path)
{
	uint8_t count[4];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, count, sizeof count, 28), sizeof count);
	close(fd);
	uint32_t pages = (uint32_t)count[0] << 24 | (uint32_t)count[1] << 16 |
		(uint32_t)count[2] << 8 | count[3];
	assert_true(pages > 1);
	return (off_t)pages * SQLITE_STORE_PAGE_BYTES;
}

static void a_torn_page_is_found(void **state)
{
	struct fixture *fx = *state;
	static char noise[SQLITE_STORE_PAGE_BYTES];
	struct said said;

	make(fx);
	memset(noise, 'z', sizeof noise);
	off_t end = pages_end(fx->path);
	for (off_t at = SQLITE_STORE_PAGE_BYTES; at < end; at += SQLITE_STORE_PAGE_BYTES) {
		static char before[SQLITE_STORE_PAGE_BYTES];
		int fd = open(fx->path, O_RDWR | O_CLOEXEC);
		assert_int_equal(pread(fd, before, sizeof before, at), sizeof before);
		assert_int_equal(pwrite(fd, noise, sizeof noise, at), sizeof noise);
		if (check(fx->path, false, &said) == 0)
			fail_msg("the page at %lld", (long long)at);
		assert_int_equal(pwrite(fd, before, sizeof before, at), sizeof before);
		close(fd);
	}
	assert_int_equal(check(fx->path, false, &said), 0);
}

static void what_cannot_be_judged_is_said(void **state)
{
	struct fixture *fx = *state;
	struct said said;

	assert_int_equal(check(fx->path, false, &said), FISH_ENOTFOUND);
	assert_int_equal(check(fx->dir, false, &said), FISH_EINVAL);
	sql_on_file(fx, "CREATE TABLE orders (n)");
	assert_int_equal(check(fx->path, false, &said), FISH_EFORMAT);
	unlink(fx->path);
	make(fx);
	sql_on_file(fx, "PRAGMA user_version = 1");
	assert_int_equal(check(fx->path, false, &said), FISH_EFORMAT);
}

/* A log that was not copied home stands beside what the link leads to. */
static void a_link_is_checked_with_its_log(void **state)
{
	struct fixture *fx = *state;
	struct said said;
	sqlite3 *db = NULL;
	char link[128];

	snprintf(link, sizeof link, "%s/link.db", fx->dir);
	assert_int_equal(symlink("x.db", link), 0);
	open_small(fx);
	assert_int_equal(check(link, true, &said), FISH_EBUSY);
	fx->s = store_close(fx->s);
	assert_int_equal(check(link, true, &said), 0);
	assert_int_equal(sqlite3_open(fx->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM mac_key", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(check(fx->path, true, &said), 1);
	assert_non_null(strstr(said.words, "there is no key of URLs"));
	assert_int_equal(check(link, true, &said), 1);
	assert_non_null(strstr(said.words, "there is no key of URLs"));
	unlink(link);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(random_histories_are_clean),
	cmocka_unit_test(each_planted_damage_is_found),
	cmocka_unit_test(damage_to_groups_is_found),
	cmocka_unit_test_setup_teardown(progress_is_told_of_resident_flows, setup, teardown),
	cmocka_unit_test_setup_teardown(a_torn_page_is_found, setup, teardown),
	cmocka_unit_test_setup_teardown(a_link_is_checked_with_its_log, setup, teardown),
	cmocka_unit_test_setup_teardown(what_cannot_be_judged_is_said, setup, teardown),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
