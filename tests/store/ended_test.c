/* ended_test.c - how the SQLite store finds ended flows by id, when ids are noted many at a
 * time.
 *
 * Surprise: with young ones of 8000 bytes a dozen ended rows are many. */
#include "sqlite_kit.h"

enum { LATER_MS = 5000 };

/* How many ids are in RAM; *ret_merging: some of them are on their way to the table. */
static size_t young_ids(struct fixture *fx, bool *ret_merging)
{
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);

	sqlite_borrow(s);
	size_t n = s->ids.young.len;
	*ret_merging = s->ids.merge != NULL;
	sqlite_give_back(s);
	return n;
}

/* So many flows in one commit: from, from + step, … */
static void end_flows(struct fixture *fx, unsigned from, unsigned step, size_t n, int64_t now_ms)
{
	struct store_row rows[20];
	struct store_ended ended[20];

	assert_true(n <= 20);
	for (size_t i = 0; i < n; i++) {
		unsigned flow = from + (unsigned)i * step;
		rows[i] = last_row_of(flow, 0, "end");
		ended[i] = ended_of(flow, now_ms);
	}
	assert_int_equal(commit_both(fx, rows, n, ended, n, now_ms), 0);
}

/* Commits of one flow that lives, until so many are left of what has ended. */
static void let_expire(struct fixture *fx, int64_t now_ms, int64_t left)
{
	for (unsigned i = 0; pragma(fx, "SELECT count(*) FROM ended") > left; i++) {
		assert_true(i < 200);
		assert_int_equal(commit_row(fx, row_of(9999, i, "x"), now_ms + SEEN_WINDOW_MS), 0);
	}
}

struct sync_find {
	struct store_find f;
	int rc;
	bool same;
};

static void find_done(struct store_find *f, int rc)
{
	struct sync_find *sync = container_of(f, struct sync_find, f);

	sync->rc = rc;
	sync->same = id_eq(&f->ended.flow, &f->what);
}

static void assert_found(struct fixture *fx, unsigned flow, bool found)
{
	struct sync_find sync = {
		.f = { .by = STORE_BY_FLOW, .what = flow_id(flow), .done = find_done }
	};

	store_find(fx->s, &sync.f);
	settle(fx);
	assert_int_equal(sync.rc, found ? 0 : FISH_ENOTFOUND);
	assert_true(!found || sync.same);
}

/* How many pages of the file, or its log, a find reads that asks for so much. */
static int pages_read(struct fixture *fx, unsigned flow, unsigned wants)
{
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	struct sync_find sync = {
		.f = { .by = STORE_BY_FLOW, .what = flow_id(flow), .wants = wants, .done = find_done }
	};
	int pages = 0;
	int most = 0;

	sqlite_borrow(s);
	sqlite3_db_release_memory(s->db);
	sqlite3_db_status(s->db, SQLITE_DBSTATUS_CACHE_MISS, &pages, &most, 1);
	sqlite_give_back(s);
	store_find(fx->s, &sync.f);
	settle(fx);
	assert_int_equal(sync.rc, 0);
	sqlite_borrow(s);
	sqlite3_db_status(s->db, SQLITE_DBSTATUS_CACHE_MISS, &pages, &most, 0);
	sqlite_give_back(s);
	return pages;
}

/* The door asks for a flow that has ended at whatever a stranger posts. */
static void what_is_not_wanted_is_not_read(void **state)
{
	struct fixture *fx = *state;
	const size_t len = 8 << 20;
	char *bytes = xalloc(len);
	struct slice all = { bytes, len };
	struct store_row rows[] = { last_row_of(1, 0, "end"), last_row_of(2, 0, "end") };
	struct store_ended ended[] = { ended_of(1, 1000), ended_of(2, 1000) };

	open_with(fx, NULL);
	ended[0].result = SLICE_LIT("short");
	ended[0].untaken = ended[1].result = all;
	ended[0].seen = SLICE_LIT("ids");
	assert_int_equal(commit_both(fx, rows, 2, ended, 2, 1000), 0);
	for (unsigned flow = 1; flow <= 2; flow++) {
		assert_true(pages_read(fx, flow, 0) < 10);
		assert_true(pages_read(fx, flow, STORE_RESULT | STORE_UNTAKEN) > 500);
	}
	assert_true(pages_read(fx, 1, STORE_RESULT) < 10);
	assert_true(pages_read(fx, 2, STORE_SEEN) < 10); /* it is empty */
	free(bytes);
}

static void assert_history(struct fixture *fx, unsigned flow, bool kept)
{
	struct sync_load got;

	assert_int_equal(load_text(fx, flow_id(flow), &got), kept ? 0 : FISH_ENOTFOUND);
	if (kept)
		assert_string_equal(got.text, "0:end!");
}

static void ends_in_any_order_are_found(void **state)
{
	struct fixture *fx = *state;
	const unsigned flows = 500;

	open_small(fx);
	for (unsigned i = 0; i < flows; i++) {
		end_flows(fx, i * 7 % flows, 1, 1, 1000 + i);
		if (i % 70 == 69)
			reopen_small(fx);
		if (i % 35 != 34)
			continue;
		for (unsigned k = 0; k < flows; k++) {
			assert_found(fx, k * 7 % flows, k <= i);
			assert_history(fx, k * 7 % flows, k <= i);
		}
		/* A few are under way, a few come meanwhile. */
		bool merging = false;
		assert_true(young_ids(fx, &merging) < 60);
	}
	assert_true(pragma(fx, "SELECT count(*) FROM ended_id") > flows - 60);
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended_id"),
		pragma(fx, "SELECT count(*) FROM ended_id JOIN ended ON ended.rowid = n"
			   " AND ended.flow = ended_id.flow"));
	assert_int_equal(pragma(fx, "SELECT count(*) FROM ended JOIN store ON ended.rowid <= indexed"
				    " WHERE flow NOT IN (SELECT flow FROM ended_id)"),
		0);
}

static void what_is_half_noted_is_found(void **state)
{
	struct fixture *fx = *state;
	const struct store_options o = { .young_bytes_max = 400000 };
	unsigned half = 0;

	open_with(fx, &o);
	for (unsigned i = 0; i < 45; i++) {
		end_flows(fx, i, 45, 20, 1000);
		if (i < 30)
			continue;
		bool merging = false;
		young_ids(fx, &merging);
		half += merging;
		fx->s = store_close(fx->s);
		open_with(fx, &o);
		for (unsigned flow = 0; flow < 900; flow += 7)
			assert_found(fx, flow, flow % 45 <= i);
	}
	assert_true(half > 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(commit_row(fx, row_of(9996, i, "x"), 1001), 0);
	assert_true(pragma(fx, "SELECT indexed FROM store") > 700);
	for (unsigned flow = 0; flow < 900; flow++)
		assert_found(fx, flow, true);
}

/* A commit that fails takes back what the ids in RAM were told. */
static void a_commit_that_fails_ends_nothing(void **state)
{
	struct fixture *fx = *state;
	static char bytes[100000];
	unsigned flow = 0;
	int rc = 0;

	open_small(fx);
	for (; flow < 20; flow++)
		end_flows(fx, flow, 1, 1, 1000);
	sqlite_store_pages_max(fx->s, 1);
	for (; rc == 0; flow += 2) {
		struct store_row rows[] = { last_row_of(flow, 0, "end"),
			last_row_of(flow + 1, 0, "end") };
		struct store_ended ended[] = { ended_of(flow, 1000), ended_of(flow + 1, 1000) };
		ended[1].result = (struct slice){ bytes, sizeof bytes };
		rc = commit_both(fx, rows, 2, ended, 2, 1000);
	}
	assert_int_equal(rc, FISH_ESTORE);
	sqlite_store_pages_max(fx->s, 0);
	end_flows(fx, flow + 20, 1, 1, 1000);      /* takes the number of the one that failed */
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < flow + 5; i++)
			assert_found(fx, i, i < flow - 2);
		reopen_small(fx);
	}
	end_flows(fx, flow - 2, 1, 10, 1001);
	for (unsigned i = 0; i < flow + 8; i++)
		assert_found(fx, i, true);
}

static void numbers_are_not_used_again(void **state)
{
	struct fixture *fx = *state;

	open_small(fx);
	end_flows(fx, 1, 1, 20, 1000);
	end_flows(fx, 21, 1, 10, 1000);
	let_expire(fx, LATER_MS, 0);
	for (int round = 0; round < 2; round++) {
		for (unsigned flow = 1; flow <= 30; flow++)
			assert_found(fx, flow, false);
		reopen_small(fx);
	}
	int64_t now_ms = LATER_MS + SEEN_WINDOW_MS;
	end_flows(fx, 31, 1, 1, now_ms);
	assert_int_equal(pragma(fx, "SELECT max(rowid) FROM ended"), 31);
	for (int round = 0; round < 2; round++) {
		assert_found(fx, 31, true);
		assert_history(fx, 31, true);
		assert_found(fx, 30, false);
		reopen_small(fx);
	}
	/* It is told from those that keep nothing more. */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(commit_row(fx, row_of(9998, i, "x"), now_ms + RETAIN_MS_DEFAULT + 1), 0);
	assert_found(fx, 31, true);
	assert_history(fx, 31, false);
	assert_int_equal(pragma(fx, "SELECT weight FROM ended"), 0);
}

static void ids_of_rows_that_are_gone_go_together(void **state)
{
	struct fixture *fx = *state;
	const unsigned flows = 1400;

	open_small(fx);
	for (unsigned i = 0; i < flows / 20; i++)
		end_flows(fx, i, flows / 20, 20, 1000);
	assert_true(pragma(fx, "SELECT count(*) FROM ended_id") > 1200);
	for (unsigned i = 0; i < 5; i++)
		end_flows(fx, 2000 + i, 5, 20, LATER_MS);
	let_expire(fx, LATER_MS, 100);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(commit_row(fx, row_of(9997, i, "x"), LATER_MS), 0);
	for (int round = 0; round < 2; round++) {
		for (unsigned flow = 0; flow < flows; flow += 9)
			assert_found(fx, flow, false);
		for (unsigned flow = 2000; flow < 2100; flow++)
			assert_found(fx, flow, true);
		reopen_small(fx);
	}
	assert_true(pragma(fx, "SELECT swept FROM store") >= IDS_SWEEP_MIN);
	assert_true(pragma(fx, "SELECT count(*) FROM ended_id") <= flows + 100 - IDS_SWEEP_MIN);
	/* What ends now is found beside what is left of them. */
	end_flows(fx, 1, 3, 20, LATER_MS + SEEN_WINDOW_MS);
	for (unsigned flow = 0; flow < 70; flow++)
		assert_found(fx, flow, flow % 3 == 1 && flow < 60);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(ends_in_any_order_are_found),
		T(what_is_half_noted_is_found),
		T(a_commit_that_fails_ends_nothing),
		T(numbers_are_not_used_again),
		T(what_is_not_wanted_is_not_read),
		T(ids_of_rows_that_are_gone_go_together),
	};
#undef T
	return cmocka_run_group_tests(tests, NULL, NULL);
}
