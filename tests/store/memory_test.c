/* memory_test.c - what only the memory store can do: hold requests, fail them, crash
 * between two.
 *
 * The simulator rests on these. Surprise: a crash hands out a new store, the old one is
 * closed. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t secret[TOKEN_SECRET_BYTES] = { 1, 2, 3 };

static int setup(void **state)
{
	struct fixture *fx = xalloc(sizeof *fx);
	struct store *s = NULL;

	fixture_init(fx);
	assert_int_equal(store_open_memory(&s, secret, NULL), 0);
	fixture_adopt(fx, s);
	*state = fx;
	return 0;
}

static int teardown(void **state)
{
	fixture_fini(*state);
	free(*state);
	return 0;
}

/* A commit that is under way: its rc is 1 until it is done. */
static void commit_begin(struct fixture *fx, struct sync_commit *sync,
	const struct store_row *row, int64_t now_ms)
{
	*sync = (struct sync_commit){
		.c = { .rows = row,
			.nrows = 1,
			.now_ms = now_ms,
			.done = sync_commit_done },
		.rc = 1,
	};
	store_commit(fx->s, &sync->c);
}

static void load_begin(struct fixture *fx, struct sync_load *sync, unsigned flow)
{
	*sync = (struct sync_load){
		.l = { .flow = flow_id(flow), .done = sync_load_done },
		.rc = 1,
	};
	store_load(fx->s, &sync->l);
}

static uint64_t notified(const struct fixture *fx)
{
	struct pollfd pfd = { .fd = fx->wake, .events = POLLIN };
	uint64_t count = 0;

	if (poll(&pfd, 1, 0) == 1)
		assert_int_equal(read(fx->wake, &count, sizeof count), sizeof count);
	return count;
}

static void held_requests_wait(void **state)
{
	struct fixture *fx = *state;
	struct store_row row = row_of(1, 0, "a");
	struct sync_commit commit;
	struct sync_load load;

	store_memory_hold(fx->s, true);
	commit_begin(fx, &commit, &row, 5);
	load_begin(fx, &load, 1);
	assert_int_equal(notified(fx), 0);
	assert_int_equal(store_memory_pending(fx->s), 2);
	store_poll(fx->s);
	assert_int_equal(commit.rc, 1);
	store_memory_complete(fx->s, MEMORY_OK);
	assert_int_equal(commit.rc, 0);
	assert_int_equal(load.rc, 1);
	store_memory_hold(fx->s, false);
	assert_int_equal(notified(fx), 1);
	store_poll(fx->s);
	assert_string_equal(load.text, "0:a");
	assert_int_equal(store_memory_pending(fx->s), 0);
}

static void failed_commit_leaves_nothing(void **state)
{
	struct fixture *fx = *state;
	struct store_row row = row_of(1, 0, "a");
	struct sync_commit commit;
	struct sync_load load;

	commit_begin(fx, &commit, &row, 5);
	load_begin(fx, &load, 1);
	store_memory_complete(fx->s, MEMORY_COMMIT_FAILS);
	assert_int_equal(commit.rc, FISH_ESTORE);
	store_memory_complete(fx->s, MEMORY_COMMIT_FAILS); /* counts for commits only */
	assert_int_equal(load.rc, FISH_ENOTFOUND);
	assert_int_equal(commit_row(fx, row, 6), 0);
	assert_int_equal(load_text(fx, flow_id(1), &load), 0);
	assert_string_equal(load.text, "0:a");
}

static void crash_loses_or_keeps_the_commit_under_way(void **state)
{
	struct fixture *fx = *state;

	for (int keep = 0; keep < 2; keep++) {
		struct store_row first = row_of(1, (uint64_t)keep, "first");
		struct store_row second =
			row_of(2, (uint64_t)keep, keep ? "kept" : "lost");
		struct sync_commit commit;
		struct sync_load load;
		assert_int_equal(commit_row(fx, first, 10 + keep), 0);
		load_begin(fx, &load, 1);
		commit_begin(fx, &commit, &second, 20 + keep);
		fixture_adopt(fx, store_memory_crash(fx->s, keep == 1));
		assert_int_equal(commit.rc, 1);
		assert_int_equal(load.rc, 1);
		assert_int_equal(store_memory_pending(fx->s), 0);
		assert_int_equal(fx->s->time_ms, keep ? 21 : 10);
		assert_memory_equal(fx->s->keys[0].secret, secret, sizeof secret);
	}
	struct recovered got;
	assert_string_equal(recover_text(fx, &got), "1/0:first 1/1:first 2/1:kept ");
}

static void rows_of_ended_flows_are_bounded(void **state)
{
	struct fixture *fx = *state;
	char *mebibyte = xalloc(1 << 20);
	struct sync_load got;

	for (unsigned flow = 0; flow < 40; flow++) {
		struct store_row row = { .flow = flow_id(flow),
			.last = flow != 7,
			.bytes = { mebibyte, 1 << 20 } };
		assert_int_equal(commit_row(fx, row, 1), 0);
	}
	assert_int_equal(load_text(fx, flow_id(0), &got), FISH_ENOTFOUND);
	assert_int_equal(load_text(fx, flow_id(7), &got), 0);
	assert_int_equal(load_text(fx, flow_id(39), &got), 0);
	free(mebibyte);
}

static void memory_path_draws_a_secret(void **state)
{
	(void)state;
	struct store *a = NULL;
	struct store *b = NULL;

	assert_int_equal(store_open(&a, ":memory:", NULL, NULL), 0);
	assert_int_equal(store_open(&b, ":memory:", NULL, NULL), 0);
	assert_memory_not_equal(a->keys[0].secret, b->keys[0].secret, TOKEN_SECRET_BYTES);
	assert_int_equal(store_memory_pending(a), 0);
	store_close(a);
	store_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(held_requests_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(
			failed_commit_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			crash_loses_or_keeps_the_commit_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(
			rows_of_ended_flows_are_bounded, setup, teardown),
		cmocka_unit_test(memory_path_draws_a_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
