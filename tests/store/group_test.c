/* group_test.c - rows of one commit that lie together, from their bytes to what a flow is given.
 *
 * Surprise: which rows went together is seen in the file alone; whoever loads does not notice. */
#include "sqlite_kit.h"
#include "wire/pack.h"

static const struct store_row three[] = {
	{ .flow = { { 1 } }, .seq = 0, .bytes = { "one", 3 } },
	{ .flow = { { 2 } }, .seq = UINT64_MAX, .from_seq = 300, .last = true, .bytes = { "", 0 } },
	{ .flow = { { 3 } }, .seq = 7, .bytes = { "three", 5 } },
};

static void what_was_put_comes_again(void **state)
{
	struct buf b;
	struct store_row row;

	(void)state;
	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < 3; i++)
		group_put(&b, &three[i]);
	struct slice rest = buf_slice(&b);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(group_next(&rest, &row), 1);
		assert_true(id_eq(&row.flow, &three[i].flow));
		assert_true(row.seq == three[i].seq);
		assert_true(row.from_seq == three[i].from_seq);
		assert_int_equal(row.last, three[i].last);
		assert_true(slice_eq(row.bytes, three[i].bytes));
	}
	assert_int_equal(group_next(&rest, &row), 0);
	buf_fini(&b);
}

/* Cut off anywhere it is damaged, or it is so many rows. */
static void a_cut_is_seen(void **state)
{
	struct buf b;
	size_t ends[3];
	size_t whole = 0;

	(void)state;
	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < 3; i++) {
		group_put(&b, &three[i]);
		ends[i] = b.len;
	}
	for (size_t len = 1; len < b.len; len++) {
		/* In memory of its own, so that a read behind its end is found. */
		char *cut = xstrndup(b.ptr, len);
		struct slice rest = { cut, len };
		struct store_row row;
		int rc = 1;
		while ((rc = group_next(&rest, &row)) == 1) {}
		whole += len == ends[whole];
		assert_int_equal(rc, whole > 0 && len == ends[whole - 1] ? 0 : FISH_EFORMAT);
		free(cut);
	}
	assert_int_equal(whole, 2);
	buf_fini(&b);
}

/* A place is written as two numbers; what no place can be is refused. */
static void a_place_that_none_can_be_is_damage(void **state)
{
	static const place places[] = { (place)1 << PLACE_SEGMENT_SHIFT | 1 << PLACE_NUMBER_BITS, UINT64_MAX };
	struct buf b;
	place got = 0;

	(void)state;
	buf_init(&b, SIZE_MAX);
	for (size_t i = 0; i < 2; i++) {
		buf_reset(&b);
		place_put(&b, places[i]);
		struct slice rest = buf_slice(&b);
		assert_int_equal(place_next(&rest, &got), 1);
		assert_true(got == places[i]);
		assert_int_equal(rest.len, 0);
	}
	static const uint64_t none[][2] = { { (uint64_t)SEGMENT_NUMBER_MAX + 1, 1 }, { 1, 0 },
		{ 1, 1 << PLACE_ROWID_BITS }, { 1, UINT64_C(1) << (PLACE_FILE_BITS + PLACE_NUMBER_BITS) | 1 } };
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		buf_reset(&b);
		varint_put(&b, none[i][0]);
		varint_put(&b, none[i][1]);
		struct slice rest = buf_slice(&b);
		assert_int_equal(place_next(&rest, &got), FISH_EFORMAT);
	}
	buf_fini(&b);
}

static struct slice long_bytes(size_t len)
{
	static char bytes[BIG_BYTES_MIN + 1];

	memset(bytes, 'b', sizeof bytes);
	return (struct slice){ bytes, len };
}

/* A load of one row. */
struct sized {
	struct store_load l;
	size_t rows, bytes;
};

static void sized_done(struct store_load *l, int rc)
{
	struct sized *sized = container_of(l, struct sized, l);

	sized->rows = rc == 0 ? l->nrows : 0;
	for (size_t i = 0; i < sized->rows; i++)
		sized->bytes += l->rows[i].bytes.len;
}

static void expect_row(struct fixture *fx, const struct store_row *row)
{
	struct sized got = { .l = { .flow = row->flow, .done = sized_done } };

	store_load(fx->s, &got.l);
	settle(fx);
	assert_int_equal(got.rows, 1);
	assert_int_equal(got.bytes, row->bytes.len);
}

static void expect_all(struct fixture *fx, const struct store_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		expect_row(fx, &rows[i]);
}

/* Short, long and very long rows in any order find their way back, young, parked and ended. */
static void rows_of_all_lengths_go_in_one_commit(void **state)
{
	static const size_t lens[] = { 10, GROUP_ROW_BYTES_MAX, GROUP_ROW_BYTES_MAX + 1, 20, 30,
		BIG_BYTES_MIN + 1, 5, BIG_BYTES_MIN, 300, 400 };
	enum { N = 200 };
	struct fixture *fx = *state;
	struct store_row rows[N];
	struct store_park parks[N / 2];
	struct recovered all;

	open_with(fx, &(struct store_options){ .young_bytes_max = 0 });
	for (unsigned i = 0; i < N; i++)
		rows[i] = bytes_row(i, 0, long_bytes(lens[i % 10] - i % 3));
	assert_int_equal(commit_both(fx, rows, N, NULL, 0, 1), 0);
	int64_t groups = pragma(fx, "SELECT count(*) FROM journal_1 WHERE last = 5");
	assert_true(groups > 20);
	/* Each long row ends a group; the short ones between two of them are one. */
	assert_true(groups < 3 * N / 10);
	assert_int_equal(pragma(fx, "SELECT sum(CASE WHEN last = 5 THEN seq ELSE 1 END) FROM journal_1"), N);
	expect_all(fx, rows, N);
	fx->s = store_close(fx->s);
	open_with(fx, &(struct store_options){ .young_bytes_max = 0 });
	recover_text(fx, &all);
	assert_int_equal(all.nflows, N);
	expect_all(fx, rows, N);
	for (unsigned i = 0; i < N / 2; i++)
		parks[i] = (struct store_park){ .flow = flow_id(2 * i), .wake_ms = INT64_MAX };
	assert_int_equal(commit_all(fx, (struct store_commit){ .parks = parks, .nparks = N / 2, .now_ms = 2 }), 0);
	fx->s = store_close(fx->s);
	open_with(fx, &(struct store_options){ .young_bytes_max = 0 });
	recover_text(fx, &all);
	assert_int_equal(all.nflows, N / 2);
	expect_all(fx, rows, N);
}

/* A group is no longer than about its limit, however many rows a commit brings. */
static void many_rows_are_several_groups(void **state)
{
	enum { N = 5000 };
	struct fixture *fx = *state;
	static struct store_row rows[N];

	open_with(fx, &(struct store_options){ .young_bytes_max = 0 });
	for (unsigned i = 0; i < N; i++)
		rows[i] = bytes_row(i, 0, long_bytes(i % 100));
	assert_int_equal(commit_both(fx, rows, N, NULL, 0, 1), 0);
	assert_true(pragma(fx, "SELECT max(length(bytes)) FROM journal_1") <= GROUP_BYTES_MAX);
	/* Who reads one of its rows reads no page but one. */
	assert_true(pragma(fx, "SELECT max(length(bytes)) FROM journal_1") < SQLITE_STORE_PAGE_BYTES / 2);
	assert_true(pragma(fx, "SELECT count(*) FROM journal_1") <= 128);
	expect_all(fx, rows, N);
}

/* What a roll-back took out of the file is not given from memory. */
static void a_roll_back_is_not_remembered(void **state)
{
	struct fixture *fx = *state;
	struct store_row rows[2] = { row_of(1, 20, "first"), row_of(2, 0, "other") };
	const struct store_park park = { .flow = flow_id(1), .wake_ms = INT64_MAX };
	struct sync_load got;

	open_with(fx, &(struct store_options){ .young_bytes_max = 0 });
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(commit_row(fx, bytes_row(1, i, long_bytes(5000)), 1), 0);
	/* It reads the group while it parks one of it, and then has no room for the chunk. */
	sqlite_store_pages_max(fx->s, pragma(fx, "PRAGMA page_count"));
	const struct store_commit both = { .rows = rows, .nrows = 2, .parks = &park, .nparks = 1, .now_ms = 2 };
	assert_int_equal(commit_all(fx, both), FISH_ESTORE);
	sqlite_store_pages_max(fx->s, 0);
	rows[0] = row_of(1, 20, "again");
	rows[0].from_seq = 20;
	assert_int_equal(commit_both(fx, rows, 2, NULL, 0, 3), 0);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "20:again");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_comes_again),
		cmocka_unit_test(a_cut_is_seen),
		cmocka_unit_test(a_place_that_none_can_be_is_damage),
		T(rows_of_all_lengths_go_in_one_commit),
		T(many_rows_are_several_groups),
		T(a_roll_back_is_not_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
