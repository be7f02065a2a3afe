/* age_test.c - how the SQLite store keeps what a restart reads short, and for how long it
 * keeps what has ended.
 *
 * Surprise: segments have 2000 bytes here and the young ones 8000, so that a few dozen
 * commits take a flow through all that takes weeks elsewhere. */
#include "sqlite_kit.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static void park(struct fixture *fx, unsigned flow)
{
	struct store_park p = { .flow = flow_id(flow), .wake_ms = INT64_MAX };

	assert_int_equal(commit_all(fx, (struct store_commit){ .parks = &p, .nparks = 1 }), 0);
}

static struct slice many_bytes(size_t len)
{
	static char bytes[200000];

	return (struct slice){ bytes, len };
}

static void end_flow(struct fixture *fx, unsigned flow, uint64_t seq, int64_t now_ms)
{
	struct store_row row = last_row_of(flow, seq, "end");
	struct store_ended e = keyed(ended_of(flow, now_ms), flow);

	e.result = SLICE_LIT("its result");
	e.seen = SLICE_LIT("its ids");
	assert_int_equal(commit_both(fx, &row, 1, &e, 1, now_ms), 0);
}

/* Rows that end at once, to fill segments. */
static void fill(struct fixture *fx, unsigned from, unsigned n, int64_t now_ms)
{
	for (unsigned i = 0; i < n; i++) {
		struct store_row row = bytes_row(from + i, 0, many_bytes(600));
		struct store_ended e = ended_of(from + i, now_ms);
		row.last = true;
		assert_int_equal(commit_both(fx, &row, 1, &e, 1, now_ms), 0);
	}
}

static void what_parks_leaves_no_segment_behind(void **state)
{
	struct fixture *fx = *state;
	struct recovered all;

	open_small(fx);
	for (unsigned flow = 0; flow < 100; flow++) {
		assert_int_equal(commit_row(fx, bytes_row(flow, 0, many_bytes(600)), 1), 0);
		park(fx, flow);
	}
	assert_in_range(sqlite_store_counts(fx->s).young, 1, 2);
	assert_int_equal(sqlite_store_counts(fx->s).retired, 0);
	reopen_small(fx);
	recover_text(fx, &all);
	assert_int_equal(all.nflows, 0);
	assert_int_equal(all.r.ret_parked.flows, 100);
}

static void what_lives_on_ages(void **state)
{
	struct fixture *fx = *state;
	struct recovered all;
	size_t most = 0;

	open_small(fx);
	for (unsigned i = 0; i < 300; i++) {
		/* 0 to 4 get rows for ever, the others one. */
		struct store_row rows[] = { bytes_row(i % 5, i / 5, many_bytes(100)),
			bytes_row(10 + i, 0, many_bytes(100)) };
		assert_int_equal(commit_both(fx, rows, 2, NULL, 0, i), 0);
		size_t young = sqlite_store_counts(fx->s).young;
		most = young > most ? young : most;
		if (i % 50 == 49)
			reopen_small(fx);
	}
	assert_true(most <= 6);
	assert_true(pragma(fx, "SELECT count(*) FROM parked WHERE awake = 1") > 200);
	assert_true(pragma(fx, "SELECT count(*) FROM chunk") > 5);
	for (int round = 0; round < 2; round++) {
		recover_text(fx, &all);
		assert_int_equal(all.nflows, 305);
		assert_int_equal(all.nrows, 600);
		assert_int_equal(all.r.ret_parked.flows, 0);
		reopen_small(fx);
	}
	/* What has aged parks, wakes and ends as anything does. */
	park(fx, 0);
	park(fx, 10);
	end_flow(fx, 11, 1, 400);
	end_flow(fx, 1, 60, 400);
	struct sync_load got;
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_int_equal(got.l.nrows, 61);
	for (int round = 0; round < 2; round++) {
		recover_text(fx, &all);
		assert_int_equal(all.nflows, 301);
		assert_int_equal(all.r.ret_parked.flows, 2);
		reopen_small(fx);
	}
	assert_int_equal(pragma(fx, "SELECT parked FROM store"), 2);
}

/* "seq:flow.seq" of each, as load_text has it. */
static void expect_text(unsigned flow, unsigned rows, char *ret_text, size_t size)
{
	size_t len = 0;

	for (unsigned seq = 0; seq < rows; seq++)
		len += (size_t)snprintf(ret_text + len, size - len, "%s%u:%u.%u", seq ? " " : "", seq, flow, seq);
	assert_true(len < size);
}

/* Each group has a row of each flow, so that a flow's rows are taken out of many groups, and each group is
 * asked for by many flows. */
static void rows_keep_their_bytes_when_they_age(void **state)
{
	enum { FLOWS = 9, ROUNDS = 4, COMMITS = 8 };
	struct fixture *fx = *state;

	open_small(fx);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < COMMITS; i++) {
			char texts[FLOWS][16];
			struct store_row rows[FLOWS];

			for (unsigned flow = 0; flow < FLOWS; flow++) {
				snprintf(texts[flow], sizeof texts[flow], "%u.%u", flow, round * COMMITS + i);
				rows[flow] = bytes_row(flow, round * COMMITS + i, slice_of(texts[flow]));
			}
			assert_int_equal(commit_both(fx, rows, FLOWS, NULL, 0, 1), 0);
		}
		fill(fx, 100 + 100 * round, 30, 1);
		assert_int_equal(pragma(fx, "SELECT count(*) FROM parked WHERE awake = 1"), FLOWS);
		for (unsigned flow = 0; flow < FLOWS; flow++) {
			struct sync_load got;
			char expected[sizeof got.text];

			expect_text(flow, (round + 1) * COMMITS, expected, sizeof expected);
			assert_int_equal(load_text(fx, flow_id(flow), &got), 0);
			assert_string_equal(got.text, expected);
		}
	}
}

/* Bytes that lie in parked and in chunk. */
static int64_t moved_bytes(struct fixture *fx)
{
	return pragma(fx, "SELECT coalesce((SELECT sum(length(bytes)) FROM parked), 0)"
			  " + coalesce((SELECT sum(length(bytes)) FROM chunk), 0)");
}

/* A flow that was resident and stays so: what its row is written anew with counts as moved. */
static void what_ages_into_its_own_row_counts(void **state)
{
	struct fixture *fx = *state;

	open_small(fx);
	const struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(commit_row(fx, bytes_row(0, round, many_bytes(100)), 1), 0);
		fill(fx, 100 + 100 * round, 30, 1);
		assert_int_equal(pragma(fx, "SELECT awake FROM parked"), 1);
		assert_in_range(pragma(fx, "SELECT length(bytes) FROM parked"), 100 * (round + 1), 110 * (round + 1));
		assert_int_equal(s->moved_bytes, pragma(fx, "SELECT length(bytes) FROM parked"));
	}
}

/* Long rows of many flows move a few after each commit, and as fast as more come. */
static void what_ages_at_one_go_is_bounded(void **state)
{
	enum { BYTES = 40000, AT_ONCE = 48, YOUNG = 16 << 20 };
	struct fixture *fx = *state;
	int64_t before = 0;

	open_with(fx, &(struct store_options){ .young_bytes_max = YOUNG });
	for (unsigned i = 0; i < 500; i++) {
		/* At first one at a time, then many. */
		size_t n = i < 450 ? 1 : AT_ONCE;
		struct store_row rows[AT_ONCE];
		for (size_t k = 0; k < n; k++)
			rows[k] = bytes_row(100 * i + (unsigned)k, 0, many_bytes(BYTES));
		assert_int_equal(commit_both(fx, rows, n, NULL, 0, i), 0);
		int64_t now = moved_bytes(fx);
		assert_in_range(now - before, 0, AGE_BYTES_MAX + (2 * n + 1) * (BYTES + 100));
		before = now;
		const struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
		assert_in_range(s->young_bytes, 0, YOUNG + 2 * (YOUNG / 4));
	}
	assert_true(before > 0);
}

/* Rows of parked by what the store's sums say of them. */
static void assert_sums(struct fixture *fx)
{
	assert_int_equal(pragma(fx, "SELECT count(*) FROM parked WHERE awake = 0"),
		pragma(fx, "SELECT parked + dead FROM store"));
}

static void dead_rows_go_together(void **state)
{
	struct fixture *fx = *state;
	const unsigned flows = 1200;
	uint64_t most = 0;

	open_small(fx);
	for (unsigned i = 0; i < flows; i++) {
		struct store_row row = bytes_row(i, 0, SLICE_LIT("a"));
		struct store_park p = { .flow = flow_id(i), .wake_ms = 5, .hooks = 1 };
		assert_int_equal(commit_all(fx, (struct store_commit){ .rows = &row, .nrows = 1, .parks = &p, .nparks = 1 }),
			0);
	}
	for (unsigned i = 0; i < flows; i++) {
		end_flow(fx, i * 7 % flows, 1, 1000 + i);
		if (i % 50 != 0)
			continue;
		uint64_t dead = (uint64_t)pragma(fx, "SELECT dead FROM store");
		most = dead > most ? dead : most;
		assert_sums(fx);
		/* Nobody takes a dead row for a flow that lives. */
		struct sync_load got;
		assert_int_equal(load_text(fx, flow_id(i * 7 % flows), &got), 0);
		assert_string_equal(got.text, "0:a 1:end!");
		struct recovered all;
		recover_text(fx, &all);
		assert_int_equal(all.r.ret_parked.flows, flows - 1 - i);
		assert_int_equal(all.nflows, 0);
		if (i % 100 == 0)
			reopen_small(fx);
	}
	assert_in_range(most, DEAD_ROWS_MIN - 50, 800);
	/* Those that are left go with their ended rows, at the latest. */
	assert_true(pragma(fx, "SELECT dead FROM store") > 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(commit_row(fx, row_of(2000, i, "x"),
					 3000 + SEEN_WINDOW_MS),
			0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended"), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM parked WHERE awake = 0"), 0);
	assert_sums(fx);
}

static void history_is_kept_for_a_while(void **state)
{
	struct fixture *fx = *state;
	struct sync_load got;

	open_small(fx);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, SLICE_LIT("a")), 1), 0);
	park(fx, 1);
	assert_int_equal(commit_row(fx, bytes_row(1, 1, many_bytes(100000)), 1), 0);
	park(fx, 1);
	assert_int_equal(commit_row(fx, bytes_row(1, 2, many_bytes(5000)), 1), 0);
	park(fx, 1);
	assert_int_equal(commit_row(fx, bytes_row(1, 3, SLICE_LIT("d")), 1), 0);
	end_flow(fx, 1, 4, 1000);
	fill(fx, 100, 20, 2000);
	assert_in_range(sqlite_store_counts(fx->s).retired, 3, 12);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(load_text(fx, flow_id(1), &got), 0);
		assert_int_equal(got.l.nrows, 5);
		assert_int_equal(load_text(fx, flow_id(100), &got), 0);
		assert_int_equal(got.l.nrows, 1);
		reopen_small(fx);
	}
	assert_int_equal(commit_row(fx, row_of(9, 0, "x"), 1000 + DAY_MS), 0);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(commit_row(fx, row_of(9, i, "x"), 2001 + DAY_MS), 0);
	assert_int_equal(load_text(fx, flow_id(1), &got), FISH_ENOTFOUND);
	assert_int_equal(load_text(fx, flow_id(100), &got), FISH_ENOTFOUND);
	assert_int_equal(sqlite_store_counts(fx->s).retired, 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM chunk"), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM big"), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended WHERE length(result) > 0"), 0);
	/* What tells duplicates apart stays. */
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended WHERE length(seen) > 0"), 1);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended"), 21);
}

static void history_is_kept_up_to_a_size(void **state)
{
	struct fixture *fx = *state;
	const struct store_options o = { .young_bytes_max = 8000, .retain_bytes_max = 30000 };
	struct sync_load got;
	struct sqlite_store *s = NULL;

	open_with(fx, &o);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(
			commit_row(fx, bytes_row(200 + i, 0, many_bytes(1000)), i), 0);
		park(fx, 200 + i);
		end_flow(fx, 200 + i, 1, i);
		fill(fx, 300 + i, 1, i);
	}
	/* Each commit takes a few off; no more come for a while. */
	for (unsigned i = 0; i < 30; i++)
		assert_int_equal(commit_row(fx, row_of(9, i, "x"), 100), 0);
	s = container_of(fx->s, struct sqlite_store, base);
	assert_true(retained_bytes(s) <= 30000);
	assert_true(retained_bytes(s) > 15000);
	assert_int_equal(load_text(fx, flow_id(200), &got), FISH_ENOTFOUND);
	assert_int_equal(load_text(fx, flow_id(249), &got), 0);
	assert_int_equal(got.l.nrows, 2);
	uint64_t before = retained_bytes(s);
	fx->s = store_close(fx->s);
	open_with(fx, &o);
	s = container_of(fx->s, struct sqlite_store, base);
	assert_int_equal(retained_bytes(s), before);
}

/* After terabytes, that is: rows of segments behind the 16,777,216th are found as any are. */
static void segments_have_numbers_for_long(void **state)
{
	struct fixture *fx = *state;
	struct store_ended e = ended_of(1, 5);
	struct store_row two[2] = { row_of(1, 1, "end"), row_of(2, 1, "more") };
	struct sync_load got;

	open_small(fx);
	assert_int_equal(commit_row(fx, row_of(1, 0, "start"), 1), 0);
	assert_int_equal(commit_row(fx, row_of(2, 0, "start"), 1), 0);
	fx->s = store_close(fx->s);
	sql_on_file(fx, "ALTER TABLE journal_1 RENAME TO journal_16777214");
	open_small(fx);
	fill(fx, 100, 12, 1);
	assert_true(pragma(fx, "SELECT max(CAST(substr(name, 9) AS INTEGER)) FROM sqlite_master"
			       " WHERE name GLOB 'journal_[1-9]*'") > 1 << 24);
	two[0].last = true;
	assert_int_equal(commit_both(fx, two, 2, &e, 1, 5), 0);
	reopen_small(fx);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "0:start 1:end!");
	assert_int_equal(load_text(fx, flow_id(2), &got), 0);
	assert_string_equal(got.text, "0:start 1:more");
}

/* A thousand short rows are a few rows of the table, and as few pieces of work. */
static void a_segment_of_groups_is_soon_thinned(void **state)
{
	enum { N = 1000 };
	struct fixture *fx = *state;
	static struct store_row rows[N];
	static struct store_park parks[N - 1];
	struct store_ended e = ended_of(N - 1, 5);

	open_small(fx);
	for (unsigned i = 0; i < N; i++)
		rows[i] = row_of(i, 0, "short");
	rows[N - 1].last = true;
	assert_int_equal(commit_both(fx, rows, N, &e, 1, 5), 0);
	for (unsigned i = 0; i < N - 1; i++)
		parks[i] = (struct store_park){ .flow = flow_id(i) };
	assert_int_equal(
		commit_all(fx, (struct store_commit){ .parks = parks, .nparks = N - 1 }), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(commit_row(fx, row_of(N, i, "x"), 5), 0);
	assert_int_equal(sqlite_store_counts(fx->s).retired, 1);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM journal_1"), 1);
	assert_true(pragma(fx, "SELECT bytes FROM retired") < 100);
}

static void a_little_history_does_not_hold_a_segment(void **state)
{
	struct fixture *fx = *state;
	struct sync_load got;
	struct store_row rows[60];
	struct store_park parks[59];
	struct store_ended e = ended_of(30, 5);

	open_small(fx);
	for (unsigned i = 0; i < 60; i++)
		rows[i] = bytes_row(i, 0, many_bytes(300));
	/* One lies by itself. */
	rows[10].bytes = many_bytes(GROUP_ROW_BYTES_MAX + 1);
	rows[30].last = true;
	assert_int_equal(commit_both(fx, rows, 60, &e, 1, 5), 0);
	for (unsigned i = 0; i < 59; i++)
		parks[i] = (struct store_park){ .flow = flow_id(i < 30 ? i : i + 1) };
	assert_int_equal(
		commit_all(fx, (struct store_commit){ .parks = parks, .nparks = 59 }), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(commit_row(fx, row_of(100, i, "x"), 5), 0);
	assert_int_equal(sqlite_store_counts(fx->s).retired, 1);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM journal_1"), 1);
	assert_true(pragma(fx, "SELECT length(bytes) FROM journal_1") < 1000);
	assert_true(pragma(fx, "SELECT bytes FROM retired") < 1000);
	reopen_small(fx);
	assert_int_equal(load_text(fx, flow_id(30), &got), 0);
	assert_int_equal(got.l.nrows, 1);
}

static void from_seq_lets_long_bytes_go(void **state)
{
	struct fixture *fx = *state;
	struct store_row row = bytes_row(1, 20, many_bytes(100000));

	open_small(fx);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, many_bytes(100000)), 1), 0);
	assert_int_equal(commit_row(fx, bytes_row(1, 1, many_bytes(5000)), 1), 0);
	park(fx, 1);
	assert_int_equal(commit_row(fx, bytes_row(1, 2, many_bytes(100000)), 1), 0);
	park(fx, 1);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM big"), 2);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM chunk"), 1);
	row.from_seq = 20;
	assert_int_equal(commit_row(fx, row, 1), 0);
	row.seq = row.from_seq = 21;
	assert_int_equal(commit_row(fx, row, 1), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM big"), 1);
	park(fx, 1);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM big"), 1);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM chunk"), 0);
	struct sync_load got;
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_int_equal(got.l.nrows, 1);
}

/* What a flow had before it let go of it is history that has gone, though its rows stand. */
static void an_ended_flow_may_have_let_long_bytes_go(void **state)
{
	struct fixture *fx = *state;
	struct store_row row = bytes_row(1, 20, many_bytes(100000));
	struct sync_load got;

	open_small(fx);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, many_bytes(100000)), 1), 0);
	assert_int_equal(commit_row(fx, bytes_row(1, 1, SLICE_LIT("b")), 1), 0);
	park(fx, 1);
	row.from_seq = 20;
	assert_int_equal(commit_row(fx, row, 1), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM big"), 1);
	end_flow(fx, 1, 21, 1000);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_int_equal(got.l.nrows, 3);
	assert_int_equal(memcmp(got.text, "1:b 20:", 7), 0);
}

/* SQLite gives a number of big to another row once it is free. */
static void long_bytes_are_not_taken_for_those_that_went(void **state)
{
	struct fixture *fx = *state;
	struct store_row rows[] = { bytes_row(1, 20, many_bytes(100001)),
		bytes_row(1, 21, SLICE_LIT("b")) };
	struct sync_load got;

	open_small(fx);
	assert_int_equal(commit_row(fx, bytes_row(1, 0, many_bytes(100000)), 1), 0);
	park(fx, 1);
	/* The row is long itself, so that what it lets go of goes at once; and then it goes. */
	rows[0].from_seq = 20;
	rows[1].from_seq = 21;
	assert_int_equal(commit_both(fx, rows, 2, NULL, 0, 1), 0);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM big"), 0);
	assert_int_equal(commit_row(fx, bytes_row(2, 0, many_bytes(100002)), 1), 0);
	end_flow(fx, 1, 22, 1000);
	end_flow(fx, 2, 1, 1000);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "21:b 22:end!");
	assert_int_equal(load_text(fx, flow_id(2), &got), 0);
	assert_int_equal(got.l.nrows, 2);
}

/* Whatever else is kept of ended flows is told by their order, so none may come twice. */
static void what_ends_after_all_have_gone_goes_in_its_turn(void **state)
{
	struct fixture *fx = *state;

	open_small(fx);
	for (unsigned round = 0; round < 3; round++) {
		int64_t now_ms = 1000 + round * 2 * SEEN_WINDOW_MS;
		for (unsigned i = 0; i < 5; i++) {
			unsigned flow = 10 * round + i;
			assert_int_equal(commit_row(fx, row_of(flow, 0, "a"), now_ms), 0);
			park(fx, flow);
			end_flow(fx, flow, 1, now_ms);
		}
		assert_int_equal(pragma(fx, "SELECT count(*) FROM parked"), 5);
		if (round == 1)
			reopen_small(fx);
		assert_int_equal(commit_row(fx, row_of(100, 2 * round, "x"), now_ms + DAY_MS + 1), 0);
		assert_int_equal(pragma(fx, "SELECT count(*) FROM ended WHERE length(result) > 0"), 0);
		assert_int_equal(commit_row(fx, row_of(100, 2 * round + 1, "x"), now_ms + SEEN_WINDOW_MS + 1), 0);
		assert_int_equal(pragma(fx, "SELECT count(*) FROM ended"), 0);
		assert_int_equal(pragma(fx, "SELECT count(*) FROM parked"), 0);
		assert_sums(fx);
		struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
		assert_int_equal(s->sums.ended_bytes, 0);
		reopen_small(fx);
	}
}

static void a_full_disk_parks_nothing_half(void **state)
{
	struct fixture *fx = *state;
	struct recovered all;
	unsigned parked = 0;

	open_small(fx);
	for (unsigned flow = 0; flow < 200; flow++)
		assert_int_equal(commit_row(fx, bytes_row(flow, 0, many_bytes(1900)), 1), 0);
	sqlite_store_pages_max(fx->s, 1);
	int rc = 0;
	for (unsigned flow = 0; flow < 400; flow++) {
		struct store_row row = bytes_row(500 + flow, 0, many_bytes(1900));
		struct store_park p = { .flow = flow_id(500 + flow) };
		rc = commit_all(fx, (struct store_commit){ .rows = &row, .nrows = 1, .parks = &p, .nparks = 1 });
		assert_true(rc == 0 || rc == FISH_ESTORE);
		parked += rc == 0;
		if (rc < 0) {
			recover_text(fx, &all);
			assert_int_equal(all.nflows, 200);
			assert_int_equal(all.r.ret_parked.flows, parked);
			break;
		}
	}
	assert_int_equal(rc, FISH_ESTORE);
	sqlite_store_pages_max(fx->s, 0);
	for (unsigned flow = 0; flow < 200; flow++)
		park(fx, flow);
	for (int round = 0; round < 2; round++) {
		recover_text(fx, &all);
		assert_int_equal(all.nflows, 0);
		assert_int_equal(all.r.ret_parked.flows, parked + 200);
		reopen_small(fx);
	}
}

/* Those that read tables without an index: the first row of one, or what is bounded. */
static bool may_scan(const char *plan)
{
	static const char *const scans[] = { "SCAN store", "SCAN mac_key", "SCAN sqlite_master",
		"SCAN retired" };

	for (size_t i = 0; i < sizeof scans / sizeof scans[0]; i++) {
		if (strstr(plan, scans[i]) != NULL)
			return true;
	}
	return false;
}

static void assert_plan(struct sqlite_store *s, const char *sql)
{
	char explain[700];
	sqlite3_stmt *stmt = NULL;

	snprintf(explain, sizeof explain, "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(s->db, explain, -1, &stmt, NULL), SQLITE_OK);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *plan = (const char *)sqlite3_column_text(stmt, 3);
		bool first = strstr(sql, "ORDER BY rowid LIMIT 1") != NULL;
		if (strstr(plan, "USE TEMP B-TREE") != NULL ||
			(strncmp(plan, "SCAN", 4) == 0 && !first && !may_scan(plan)))
			fail_msg("%s\n%s", sql, plan);
	}
	sqlite3_finalize(stmt);
}

static void no_statement_reads_all_of_a_table(void **state)
{
	struct fixture *fx = *state;

	open_small(fx);
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	sqlite_borrow(s);
	for (size_t i = ST_STORE_PUT; i < STATEMENTS; i++)
		assert_plan(s, sqlite3_sql(s->statements[i]));
	assert_plan(s, sqlite_sums_sql);
	sqlite_give_back(s);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_parks_leaves_no_segment_behind),
		T(what_lives_on_ages),
		T(rows_keep_their_bytes_when_they_age),
		T(what_ages_into_its_own_row_counts),
		T(what_ages_at_one_go_is_bounded),
		T(dead_rows_go_together),
		T(history_is_kept_for_a_while),
		T(history_is_kept_up_to_a_size),
		T(segments_have_numbers_for_long),
		T(a_segment_of_groups_is_soon_thinned),
		T(a_little_history_does_not_hold_a_segment),
		T(from_seq_lets_long_bytes_go),
		T(an_ended_flow_may_have_let_long_bytes_go),
		T(long_bytes_are_not_taken_for_those_that_went),
		T(what_ends_after_all_have_gone_goes_in_its_turn),
		T(a_full_disk_parks_nothing_half),
		T(no_statement_reads_all_of_a_table),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
