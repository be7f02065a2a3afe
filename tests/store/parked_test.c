/* parked_test.c - what store.h promises of parked flows, asked of every store in the same
 * words.
 *
 * Surprise: that a walk leaves out flows that woke is more than the contract promises; both
 * stores do, and the tests hold them to it. */
#include "kinds.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct store_park park_of(unsigned flow, int64_t wake_ms)
{
	return (struct store_park){
		.flow = flow_id(flow), .wake_ms = wake_ms, .hooks = 2, .untaken = 1
	};
}

static void park(struct fixture *fx, struct store_park p)
{
	assert_int_equal(commit_all(fx, (struct store_commit){ .parks = &p, .nparks = 1 }), 0);
}

/* A flow with one row, parked in the commit of that row. */
static void born_parked(struct fixture *fx, unsigned flow, struct store_park p)
{
	struct store_row row = row_of(flow, 0, "start");

	assert_int_equal(commit_all(fx, (struct store_commit){ .rows = &row, .nrows = 1, .parks = &p, .nparks = 1 }),
		0);
}

static void end_flow(struct fixture *fx, struct store_ended e, uint64_t seq)
{
	struct store_row row = {
		.flow = e.flow, .seq = seq, .last = true, .bytes = SLICE_LIT("end")
	};

	assert_int_equal(commit_both(fx, &row, 1, &e, 1, e.ended_ms), 0);
}

static void assert_parked(struct fixture *fx, uint64_t flows)
{
	struct recovered got;

	recover_text(fx, &got);
	assert_int_equal(got.r.ret_parked.flows, flows);
	assert_int_equal(got.r.ret_parked.hooks, 2 * flows);
	assert_int_equal(got.r.ret_parked.untaken, flows);
}

static void a_parked_flow_is_loaded_and_not_recovered(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;
	struct sync_load load;
	struct store_park p = park_of(1, 77);

	p.parent = flow_id(9);
	p.has_key = true;
	p.key = key_id(5);
	assert_int_equal(commit_row(fx, row_of(1, 0, "a"), 1), 0);
	assert_int_equal(commit_row(fx, row_of(2, 0, "b"), 1), 0);
	assert_int_equal(commit_row(fx, row_of(1, 3, "c"), 1), 0);
	park(fx, p);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(load_text(fx, flow_id(1), &load), 0);
		assert_string_equal(load.text, "0:a 3:c");
		assert_true(load.l.parked);
		assert_true(id_eq(&load.l.park.flow, &p.flow));
		assert_true(id_eq(&load.l.park.parent, &p.parent));
		assert_true(load.l.park.has_key);
		assert_true(id_eq(&load.l.park.key, &p.key));
		assert_int_equal(load.l.park.wake_ms, 77);
		assert_int_equal(load.l.park.hooks, 2);
		assert_int_equal(load.l.park.untaken, 1);
		assert_int_equal(load_text(fx, flow_id(2), &load), 0);
		assert_false(load.l.parked);
		assert_string_equal(recover_text(fx, &got), "2/0:b ");
		assert_parked(fx, 1);
		fx->kind->reopen(fx);
	}
}

static void recover_flow_hands_out_a_parked_flow(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;

	born_parked(fx, 1, park_of(1, 5));
	assert_int_equal(commit_row(fx, row_of(2, 0, "b"), 1), 0);
	end_flow(fx, ended_of(3, 50), 0);
	recover_text(fx, &got);
	for (unsigned flow = 1; flow < 5; flow++) {
		struct id id = flow_id(flow);
		got.nflows = 0;
		assert_int_equal(store_recover_flow(fx->s, &id, &got.r, NULL), 0);
		assert_int_equal(got.nflows, flow == 1);
	}
	/* It stays parked. */
	assert_parked(fx, 1);
}

static void a_row_makes_a_flow_resident(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;
	struct sync_load load;

	born_parked(fx, 1, park_of(1, 5));
	born_parked(fx, 2, park_of(2, 6));
	assert_int_equal(commit_row(fx, row_of(1, 1, "news"), 1), 0);
	for (int round = 0; round < 2; round++) {
		assert_string_equal(recover_text(fx, &got), "1/0:start 1/1:news ");
		assert_parked(fx, 1);
		assert_int_equal(load_text(fx, flow_id(1), &load), 0);
		assert_string_equal(load.text, "0:start 1:news");
		assert_false(load.l.parked);
		fx->kind->reopen(fx);
	}
	park(fx, park_of(1, 8));
	/* Once more, with nothing new but the deadline. */
	park(fx, park_of(1, 9));
	for (int round = 0; round < 2; round++) {
		assert_string_equal(recover_text(fx, &got), "");
		assert_parked(fx, 2);
		assert_int_equal(load_text(fx, flow_id(1), &load), 0);
		assert_string_equal(load.text, "0:start 1:news");
		assert_int_equal(load.l.park.wake_ms, 9);
		fx->kind->reopen(fx);
	}
}

struct sync_find {
	struct store_find f;
	bool parked;
	int rc;
	unsigned flow;
};

static void find_done(struct store_find *f, int rc)
{
	struct sync_find *sync = container_of(f, struct sync_find, f);

	sync->rc = rc;
	sync->parked = f->parked;
	sync->flow = flow_number(&f->ended.flow);
}

/* The number of the flow that is found, 1000 more if it is parked; 0: none. */
static unsigned found(struct fixture *fx, enum store_find_by by, struct id what)
{
	struct sync_find sync = { .f = { .by = by, .what = what, .done = find_done } };

	store_find(fx->s, &sync.f);
	settle(fx);
	assert_true(sync.rc == 0 || sync.rc == FISH_ENOTFOUND);
	return sync.rc < 0 ? 0 : sync.flow + (sync.parked ? 1000 : 0);
}

static void parked_flows_are_found(void **state)
{
	struct fixture *fx = *state;
	struct store_park p = park_of(2, INT64_MAX);
	struct store_park child = park_of(3, INT64_MAX);

	/* Its key was used before; the one that lives is meant. */
	end_flow(fx, keyed(ended_of(1, 5), 7), 0);
	assert_int_equal(found(fx, STORE_BY_KEY, key_id(7)), 1);
	p.has_key = child.has_key = true;
	p.key = key_id(7);
	child.key = key_id(8);
	child.parent = flow_id(2);
	born_parked(fx, 2, p);
	born_parked(fx, 3, child);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(found(fx, STORE_BY_FLOW, flow_id(2)), 1002);
		assert_int_equal(found(fx, STORE_BY_KEY, key_id(7)), 1002);
		assert_int_equal(found(fx, STORE_BY_KEY, key_id(8)), 0);
		assert_int_equal(found(fx, STORE_BY_FLOW, flow_id(4)), 0);
		fx->kind->reopen(fx);
	}
	assert_int_equal(commit_row(fx, row_of(2, 1, "news"), 1), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(found(fx, STORE_BY_FLOW, flow_id(2)), 0);
		assert_int_equal(found(fx, STORE_BY_KEY, key_id(7)), 1);
		fx->kind->reopen(fx);
	}
	end_flow(fx, keyed(ended_of(2, 9), 7), 2);
	assert_int_equal(found(fx, STORE_BY_KEY, key_id(7)), 2);
	assert_int_equal(found(fx, STORE_BY_FLOW, flow_id(2)), 2);
}

struct sync_walk {
	struct store_walk w;
	char text[300];
};

static void walk_done(struct store_walk *w, int rc)
{
	struct sync_walk *sync = container_of(w, struct sync_walk, w);
	size_t len = 0;

	assert_int_equal(rc, 0);
	for (size_t i = 0; i < w->nfound; i++)
		len += (size_t)snprintf(sync->text + len, sizeof sync->text - len, "%u%s ",
			flow_number(&w->found[i].flow), w->found[i].apart ? "-apart" : "");
	if (w->nfound > 0)
		w->after = w->found[w->nfound - 1].flow;
	snprintf(sync->text + len, sizeof sync->text - len, w->ret_more ? "…" : ".");
}

static void assert_walk(struct fixture *fx, struct sync_walk *sync, const char *want)
{
	sync->w.done = walk_done;
	store_walk(fx->s, &sync->w);
	settle(fx);
	assert_string_equal(sync->text, want);
}

static void parked_flows_are_walked_through(void **state)
{
	struct fixture *fx = *state;

	for (unsigned flow = 9; flow > 0; flow--) {
		struct store_park p = park_of(flow, 100);
		p.parent = flow % 2 == 0 ? flow_id(50) : flow % 3 == 0 ? flow_id(51)
								       : (struct id){ 0 };
		born_parked(fx, flow, p);
	}
	assert_int_equal(commit_row(fx, row_of(4, 1, "news"), 1), 0);
	end_flow(fx, ended_of(5, 9), 1);
	assert_int_equal(commit_row(fx, row_of(10, 0, "never parked"), 1), 0);
	for (int round = 0; round < 2; round++) {
		struct sync_walk all = { .w = { .by = STORE_WALK_ALL, .limit = 3 } };
		assert_walk(fx, &all, "1 2 3 …");
		assert_walk(fx, &all, "6 7 8 …");
		assert_walk(fx, &all, "9 .");
		assert_walk(fx, &all, ".");
		struct sync_walk children = { .w = { .by = STORE_WALK_CHILDREN,
						      .parent = flow_id(50),
						      .limit = 2 } };
		assert_walk(fx, &children, "2 6 …");
		assert_walk(fx, &children, "8 .");
		children.w = (struct store_walk){
			.by = STORE_WALK_CHILDREN, .parent = flow_id(51), .limit = 100
		};
		assert_walk(fx, &children, "3 9 .");
		fx->kind->reopen(fx);
	}
}

static void those_apart_are_counted_and_marked(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;
	struct sync_load load;
	struct store_park apart = park_of(2, 88);

	apart.apart = true;
	apart.hooks = 0;
	apart.untaken = 5;
	born_parked(fx, 1, park_of(1, 77));
	born_parked(fx, 2, apart);
	struct sync_walk all = { .w = { .by = STORE_WALK_ALL, .limit = 3 } };

	assert_walk(fx, &all, "1 2-apart .");
	assert_int_equal(load_text(fx, flow_id(2), &load), 0);
	assert_true(load.l.park.apart);
	recover_text(fx, &got);
	assert_int_equal(got.r.ret_parked.flows, 2);
	assert_int_equal(got.r.ret_parked.hooks, 2);
	assert_int_equal(got.r.ret_parked.untaken, 6);
	assert_int_equal(got.r.ret_parked.apart, 1);
	assert_int_equal(got.r.ret_parked.apart_untaken, 5);
	/* It wakes, ends, and is one no more. */
	end_flow(fx, ended_of(2, 9), 1);
	recover_text(fx, &got);
	assert_int_equal(got.r.ret_parked.apart, 0);
	assert_int_equal(got.r.ret_parked.apart_untaken, 0);
	assert_int_equal(got.r.ret_parked.untaken, 1);
}

static void deadlines_are_walked_through(void **state)
{
	struct fixture *fx = *state;
	static const int64_t wakes_ms[] = { 0, 500, 300, INT64_MAX, 300, 100, 300, 700 };

	for (unsigned flow = 1; flow < 8; flow++)
		born_parked(fx, flow, park_of(flow, wakes_ms[flow]));
	for (int round = 0; round < 2; round++) {
		struct sync_walk due = { .w = { .by = STORE_WALK_DUE,
						 .after_ms = INT64_MIN,
						 .until_ms = 600,
						 .limit = 2 } };
		assert_walk(fx, &due, "5 2 4 6 …"); /* all of millisecond 300 */
		assert_int_equal(due.w.ret_next_ms, 500);
		due.w.after_ms = due.w.found == NULL ? 0 : 300;
		assert_walk(fx, &due, "1 .");
		assert_int_equal(due.w.ret_next_ms, 700);
		due.w.until_ms = 700;
		assert_walk(fx, &due, "1 7 .");
		assert_int_equal(due.w.ret_next_ms, INT64_MAX);
		due.w.after_ms = 700;
		due.w.until_ms = INT64_MAX;
		assert_walk(fx, &due, ".");
		assert_int_equal(due.w.ret_next_ms, INT64_MAX);
		fx->kind->reopen(fx);
	}
	assert_int_equal(commit_row(fx, row_of(5, 1, "it rings"), 100), 0);
	park(fx, park_of(5, 650));
	struct sync_walk due = {
		.w = { .by = STORE_WALK_DUE, .after_ms = 0, .until_ms = 100, .limit = 9 }
	};
	assert_walk(fx, &due, ".");
	assert_int_equal(due.w.ret_next_ms, 300);
}

static void what_lies_below_from_seq_is_not_needed(void **state)
{
	struct fixture *fx = *state;
	struct store_row third = row_of(1, 7, "third");
	struct store_row fifth = row_of(1, 30, "fifth");
	struct sync_load load;

	assert_int_equal(commit_row(fx, row_of(1, 0, "first"), 1), 0);
	assert_int_equal(commit_row(fx, row_of(1, 2, "second"), 1), 0);
	park(fx, park_of(1, 1));
	third.from_seq = 5; /* the second row holds it */
	assert_int_equal(commit_row(fx, third, 1), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(load_text(fx, flow_id(1), &load), 0);
		assert_non_null(strstr(load.text, "2:second 7:third"));
		park(fx, park_of(1, 1));
		fx->kind->reopen(fx);
	}
	assert_int_equal(commit_row(fx, row_of(1, 20, "fourth"), 1), 0);
	fifth.from_seq = 30;
	assert_int_equal(commit_row(fx, fifth, 1), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(load_text(fx, flow_id(1), &load), 0);
		assert_non_null(strstr(load.text, "30:fifth"));
		if (round == 1)
			park(fx, park_of(1, 1));
		fx->kind->reopen(fx);
	}
}

static void history_outlives_the_end(void **state)
{
	struct fixture *fx = *state;
	struct sync_load load;

	assert_int_equal(commit_row(fx, row_of(1, 0, "a"), 1), 0);
	park(fx, park_of(1, 1));
	assert_int_equal(commit_row(fx, row_of(1, 1, "b"), 1), 0);
	park(fx, park_of(1, 2));
	assert_int_equal(commit_row(fx, row_of(1, 2, "c"), 1), 0);
	born_parked(fx, 2, park_of(2, 2));
	end_flow(fx, ended_of(1, 5), 3);
	end_flow(fx, ended_of(2, 6), 1);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(load_text(fx, flow_id(1), &load), 0);
		assert_string_equal(load.text, "0:a 1:b 2:c 3:end!");
		assert_false(load.l.parked);
		assert_int_equal(load_text(fx, flow_id(2), &load), 0);
		assert_string_equal(load.text, "0:start 1:end!");
		assert_parked(fx, 0);
		fx->kind->reopen(fx);
	}
}

enum { LONG_ROWS = 12 };

/* Bytes of rows of all sizes: in the flow's own row, in chunks, in rows of their own. */
static size_t long_bytes(unsigned i)
{
	static const size_t bytes[] = { 10, 3000, 70000, 500, 300000, 1 };

	return bytes[i % 6];
}

static void long_done(struct store_load *l, int rc)
{
	assert_int_equal(rc, 0);
	assert_true(l->nrows >= 1);
	for (size_t i = 0; i < l->nrows; i++) {
		struct slice got = l->rows[i].bytes;
		assert_int_equal(l->rows[i].seq, i);
		assert_int_equal(got.len, long_bytes((unsigned)i));
		for (size_t k = 0; k < got.len; k += 997)
			assert_int_equal((uint8_t)got.ptr[k], (uint8_t)(k * 7 + i));
	}
}

static void long_rows_park(void **state)
{
	struct fixture *fx = *state;
	char *bytes = xalloc(300000);

	for (unsigned i = 0; i < LONG_ROWS; i++) {
		for (size_t k = 0; k < 300000; k++)
			bytes[k] = (char)(uint8_t)(k * 7 + i);
		struct store_row row = {
			.flow = flow_id(1), .seq = i, .bytes = { bytes, long_bytes(i) }
		};
		row.last = i == LONG_ROWS - 1;
		struct store_ended e = ended_of(1, 9);
		struct store_load l = { .flow = flow_id(1), .done = long_done };
		assert_int_equal(commit_both(fx, &row, 1, &e, row.last, 1), 0);
		if (i % 3 == 1)
			park(fx, park_of(1, 1));
		if (i % 4 == 3)
			fx->kind->reopen(fx);
		store_load(fx->s, &l);
		settle(fx);
		assert_int_equal(l.nrows, i + 1);
	}
	free(bytes);
}

static void park_much(struct fixture *fx)
{
	for (unsigned i = 0; i < 60; i++) {
		struct store_row rows[] = { row_of(100 + i, 0, "new"), row_of(50 + i, 1, "woken") };
		struct store_park parks[] = { park_of(100 + i, i), park_of(80 + i, i) };
		struct store_commit c = { .rows = rows,
			.nrows = i < 50 ? 1 : 2,
			.parks = parks,
			.nparks = i < 20 ? 1 : 2,
			.now_ms = 100 + i };
		CHECK(commit_all(fx, c) == 0);
	}
}

static void what_parked_survives_a_kill(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;

	fx->kind->killed(fx, park_much);
	assert_int_equal(fx->s->time_ms, 159);
	recover_text(fx, &got);
	/* 100 to 109 woke and, but for the last ones, have not parked again. */
	assert_int_equal(got.nflows, 10);
	assert_int_equal(got.nrows, 20);
	assert_parked(fx, 50);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		void *kind = (void *)(uintptr_t)&kinds[i];
#define T(test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, kind)
		const struct CMUnitTest tests[] = {
			T(a_parked_flow_is_loaded_and_not_recovered),
			T(recover_flow_hands_out_a_parked_flow),
			T(a_row_makes_a_flow_resident),
			T(parked_flows_are_found),
			T(parked_flows_are_walked_through),
			T(those_apart_are_counted_and_marked),
			T(deadlines_are_walked_through),
			T(what_lies_below_from_seq_is_not_needed),
			T(history_outlives_the_end),
			T(long_rows_park),
			T(what_parked_survives_a_kill),
		};
#undef T
		failed += cmocka_run_group_tests_name(kinds[i].name, tests, NULL, NULL);
	}
	return failed;
}
