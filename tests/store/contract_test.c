/* contract_test.c - what store.h promises, asked of every store in the same words.
 *
 * Each test runs on each kind of store in kinds.h. Surprise: what SQLite's file looks like
 * is no matter here; its own tests see to that. */
#include "kinds.h"
#include "random.h"
#include "wire/entry.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>

#include <cmocka.h>

static void end_flow(struct fixture *fx, struct store_ended e)
{
	struct store_row row = {
		.flow = e.flow, .seq = 9, .last = true, .bytes = SLICE_LIT("end")
	};

	assert_int_equal(commit_both(fx, &row, 1, &e, 1, e.ended_ms), 0);
}

static void rows_come_back(void **state)
{
	struct fixture *fx = *state;
	struct sync_load got;
	const struct store_row rows[] = { row_of(1, 0, "one"), row_of(2, 0, "two"),
		row_of(3, 7, "") };

	assert_int_equal(load_text(fx, flow_id(1), &got), FISH_ENOTFOUND);
	assert_int_equal(got.l.nrows, 0);
	assert_int_equal(commit_both(fx, rows, 3, NULL, 0, 10), 0);
	assert_int_equal(commit_row(fx, row_of(1, 3, "more"), 11), 0);
	struct store_row last = last_row_of(1, UINT64_MAX, "end");
	struct store_ended e = ended_of(1, 12);
	assert_int_equal(commit_both(fx, &last, 1, &e, 1, 12), 0);
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "0:one 3:more 18446744073709551615:end!");
	assert_int_equal(load_text(fx, flow_id(3), &got), 0);
	assert_string_equal(got.text, "7:");
	assert_int_equal(load_text(fx, flow_id(4), &got), FISH_ENOTFOUND);
}

enum { BIG_BYTES = (1 << 20) + 1 };

static void big_done(struct store_load *l, int rc)
{
	assert_int_equal(rc, 0);
	assert_int_equal(l->nrows, 1);
	assert_int_equal(l->rows[0].bytes.len, BIG_BYTES);
	for (size_t i = 0; i < BIG_BYTES; i++)
		assert_int_equal((uint8_t)l->rows[0].bytes.ptr[i], (uint8_t)(i * 7));
}

static void a_flow_may_have_several_rows_in_one_commit(void **state)
{
	struct fixture *fx = *state;
	struct store_row rows[] = { row_of(1, 0, "a"), row_of(2, 0, "x"), row_of(1, 1, "b"), row_of(1, 2, "c"),
		last_row_of(2, 1, "end"), row_of(3, 0, "old"), row_of(3, 1, "new") };
	struct store_ended e = ended_of(2, 1);
	struct sync_load got;

	rows[6].from_seq = 1;
	assert_int_equal(commit_both(fx, rows, sizeof rows / sizeof *rows, &e, 1, 1), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(load_text(fx, flow_id(1), &got), 0);
		assert_string_equal(got.text, "0:a 1:b 2:c");
		assert_int_equal(load_text(fx, flow_id(2), &got), 0);
		assert_string_equal(got.text, "0:x 1:end!");
		assert_int_equal(load_text(fx, flow_id(3), &got), 0);
		assert_string_equal(got.text + strlen(got.text) - strlen("1:new"), "1:new");
		fx->kind->reopen(fx);
	}
}

static void bytes_are_exact(void **state)
{
	struct fixture *fx = *state;
	char *big = xalloc(BIG_BYTES);

	for (size_t i = 0; i < BIG_BYTES; i++)
		big[i] = (char)(uint8_t)(i * 7);
	struct store_row row = { .flow = flow_id(1), .bytes = { big, BIG_BYTES } };
	assert_int_equal(commit_row(fx, row, 1), 0);
	memset(big, 0, BIG_BYTES); /* borrowed until done, not longer */
	fx->kind->reopen(fx);
	struct store_load l = { .flow = flow_id(1), .done = big_done };
	store_load(fx->s, &l);
	settle(fx);
	free(big);
}

/* Requests in the order of their done functions. */
struct order {
	struct fixture *fx;
	char text[200];
	struct sync_load loads[4];
	struct store_row second_row;
	struct store_commit first, second;
};

static void order_note(struct order *o, const char *what, const char *saw)
{
	strcat(strcat(strcat(strcat(o->text, what), "("), saw), ") ");
}

static struct order *order_now;

static void order_load_done(struct store_load *l, int rc)
{
	struct sync_load *sync = container_of(l, struct sync_load, l);

	sync_load_done(l, rc);
	order_note(order_now, "load", sync->text);
}

static void order_load(struct order *o, size_t i)
{
	o->loads[i].l =
		(struct store_load){ .flow = flow_id(1), .done = order_load_done };
	store_load(o->fx->s, &o->loads[i].l);
}

static void second_done(struct store_commit *c, int rc)
{
	(void)c;
	order_note(order_now, "second", rc == 0 ? "" : "failed");
}

static void first_done(struct store_commit *c, int rc)
{
	struct order *o = container_of(c, struct order, first);

	order_note(o, "first", rc == 0 ? "" : "failed");
	order_load(o, 2);
	o->second_row = row_of(1, 1, "b");
	o->second = (struct store_commit){
		.rows = &o->second_row, .nrows = 1, .now_ms = 2, .done = second_done
	};
	store_commit(o->fx->s, &o->second);
	order_load(o, 3);
}

static void loads_see_what_was_submitted_before(void **state)
{
	struct order o = { .fx = *state };
	struct store_row row = row_of(1, 0, "a");

	order_now = &o;
	order_load(&o, 0);
	o.first = (struct store_commit){
		.rows = &row, .nrows = 1, .now_ms = 1, .done = first_done
	};
	store_commit(o.fx->s, &o.first);
	order_load(&o, 1);
	settle(o.fx);
	assert_string_equal(
		o.text, "load() first() load(0:a) load(0:a) second() load(0:a 1:b) ");
}

/* A find whose result is compared while it stands. */
struct sync_find {
	struct store_find f;
	const struct store_ended *want; /* NULL: it must not be there */
};

static void assert_ended_equal(const struct store_ended *a, const struct store_ended *b)
{
	assert_true(id_eq(&a->flow, &b->flow));
	assert_true(id_eq(&a->parent, &b->parent));
	assert_int_equal(a->parent_number, b->parent_number);
	assert_int_equal(a->parent_source, b->parent_source);
	assert_int_equal(a->has_key, b->has_key);
	assert_true(id_eq(&a->key, &b->key));
	assert_int_equal(a->started_ms, b->started_ms);
	assert_int_equal(a->ended_ms, b->ended_ms);
	assert_int_equal(a->status, b->status);
	assert_true(slice_eq(a->name, b->name));
	assert_true(slice_eq(a->result, b->result));
	assert_true(slice_eq(a->seen, b->seen));
	assert_true(slice_eq(a->untaken, b->untaken));
}

static void find_done(struct store_find *f, int rc)
{
	const struct sync_find *sync = container_of(f, struct sync_find, f);

	assert_int_equal(rc, sync->want != NULL ? 0 : FISH_ENOTFOUND);
	if (sync->want == NULL)
		return;
	struct store_ended want = *sync->want;
	if ((f->wants & STORE_RESULT) == 0)
		want.result = SLICE_NONE;
	if ((f->wants & STORE_UNTAKEN) == 0)
		want.untaken = SLICE_NONE;
	if ((f->wants & STORE_SEEN) == 0)
		want.seen = SLICE_NONE;
	assert_ended_equal(&f->ended, &want);
}

static void assert_found(struct fixture *fx, enum store_find_by by, struct id what,
	const struct store_ended *want)
{
	struct sync_find sync = { .f = { .by = by, .what = what, .done = find_done },
		.want = want };

	/* Of the long slices what is asked for comes, and nothing else. */
	for (unsigned wants = 0; wants <= (STORE_RESULT | STORE_UNTAKEN | STORE_SEEN); wants++) {
		sync.f.wants = wants;
		sync.f.ended = (struct store_ended){ .started_ms = 0 };
		store_find(fx->s, &sync.f);
		settle(fx);
	}
}

static void ended_flows_are_found(void **state)
{
	struct fixture *fx = *state;
	struct store_ended keyed_flow = keyed(ended_of(1, 5000), 1);
	struct store_ended plain_flow = ended_of(2, 5001);
	struct store_ended child = child_of(keyed(ended_of(3, 5002), 3), 2, SOURCE_HOOK);

	keyed_flow.result = SLICE_LIT("{\"a\":\0 1}");
	keyed_flow.seen = SLICE_LIT("seen \0 ids");
	keyed_flow.untaken = SLICE_LIT("nobody took it");
	keyed_flow.status = END_FAILED;
	end_flow(fx, keyed_flow);
	end_flow(fx, plain_flow);
	end_flow(fx, child);
	for (int round = 0; round < 2; round++) {
		assert_found(fx, STORE_BY_FLOW, flow_id(1), &keyed_flow);
		assert_found(fx, STORE_BY_FLOW, flow_id(2), &plain_flow);
		assert_found(fx, STORE_BY_FLOW, flow_id(3), &child);
		assert_found(fx, STORE_BY_FLOW, flow_id(4), NULL);
		assert_found(fx, STORE_BY_KEY, key_id(1), &keyed_flow);
		assert_found(fx, STORE_BY_KEY, key_id(2), NULL);
		assert_found(fx, STORE_BY_KEY, key_id(3), NULL); /* a child's is none */
		assert_found(fx, STORE_BY_KEY, (struct id){ 0 },
			NULL); /* nor is that of a flow without */
		fx->kind->reopen(fx);
	}
}

static void key_used_again_names_the_youngest(void **state)
{
	struct fixture *fx = *state;
	struct store_ended old = keyed(ended_of(1, 5000), 1);
	struct store_ended young = keyed(ended_of(2, 6000), 1);

	end_flow(fx, old);
	end_flow(fx, young);
	assert_found(fx, STORE_BY_KEY, key_id(1), &young);
	assert_found(fx, STORE_BY_FLOW, flow_id(1), &old);
	/* The older one takes nothing along when it goes. */
	assert_int_equal(commit_row(fx, row_of(3, 0, "a"), 5001 + SEEN_WINDOW_MS), 0);
	assert_found(fx, STORE_BY_FLOW, flow_id(1), NULL);
	assert_found(fx, STORE_BY_KEY, key_id(1), &young);
}

struct sync_list {
	struct store_list l;
	unsigned flows[100];
	size_t n;
};

static void list_done(struct store_list *l, int rc)
{
	struct sync_list *sync = container_of(l, struct sync_list, l);

	assert_int_equal(rc, 0);
	assert_true(l->nended <= l->limit);
	for (size_t i = 0; i < l->nended; i++) {
		assert_true(slice_eq(l->ended[i].name, SLICE_LIT("order")));
		sync->flows[sync->n++] = flow_number(&l->ended[i].flow);
	}
}

/* One page, appended to *sync; the place of the next. */
static uint64_t list_page(
	struct fixture *fx, struct sync_list *sync, uint64_t before, size_t limit)
{
	sync->l = (struct store_list){
		.before = before, .limit = limit, .done = list_done
	};
	store_list(fx->s, &sync->l);
	settle(fx);
	return sync->l.ret_next;
}

static void list_is_paged_newest_first(void **state)
{
	struct fixture *fx = *state;
	struct sync_list got = { .n = 0 };

	assert_int_equal(list_page(fx, &got, 0, 10), 0);
	assert_int_equal(got.n, 0);
	for (unsigned i = 1; i <= 30; i++)
		end_flow(fx, ended_of(i, 5000 + i));
	for (size_t limit = 1; limit <= 31; limit++) {
		uint64_t before = 0;
		size_t pages = 0;
		got.n = 0;
		do {
			before = list_page(fx, &got, before, limit);
			pages++;
		} while (before != 0);
		assert_int_equal(got.n, 30);
		assert_int_equal(pages, (30 + limit - 1) / limit);
		for (size_t i = 0; i < 30; i++)
			assert_int_equal(got.flows[i], 30 - i);
	}
	/* What ends in the meantime does not move the pages behind. */
	got.n = 0;
	uint64_t next = list_page(fx, &got, 0, 5);
	end_flow(fx, ended_of(31, 6000));
	list_page(fx, &got, next, 5);
	assert_int_equal(got.flows[4], 26);
	assert_int_equal(got.flows[5], 25);
	assert_int_equal(got.n, 10);
}

static void recovery_hands_out_what_lives(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;
	const struct store_row rows[] = { row_of(5, 0, "a"), row_of(2, 0, "b"),
		row_of(9, 0, "c") };
	const struct store_row more[] = { row_of(9, 1, "d"), row_of(5, 1, "e"),
		row_of(1, 0, "f") };

	assert_string_equal(recover_text(fx, &got), "");
	assert_int_equal(commit_both(fx, rows, 3, NULL, 0, 1), 0);
	assert_int_equal(commit_both(fx, more, 3, NULL, 0, 2), 0);
	end_flow(fx, child_of(keyed(ended_of(20, 3), 1), 5, SOURCE_HOOK));
	end_flow(fx, child_of(ended_of(21, 4), 5, SOURCE_CHILD));
	end_flow(fx, keyed(ended_of(2, 5), 2));
	end_flow(fx, child_of(keyed(ended_of(22, 6), 1), 5, SOURCE_HOOK));
	for (int round = 0; round < 3; round++) {
		assert_string_equal(recover_text(fx, &got),
			"1/0:f 5/0:a 5/1:e 9/0:c 9/1:d ");
		fx->kind->reopen(fx);
	}
}

static void recovery_lets_loads_be_under_way(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;
	struct sync_load sync = { .l = { .flow = flow_id(1), .done = sync_load_done },
		.rc = 1 };

	assert_int_equal(commit_row(fx, row_of(1, 0, "a"), 1), 0);
	store_load(fx->s, &sync.l);
	assert_string_equal(recover_text(fx, &got), "1/0:a ");
	assert_int_equal(sync.rc, 1); /* done runs in poll only */
	settle(fx);
	assert_int_equal(sync.rc, 0);
	assert_string_equal(sync.text, "0:a");
}

static void reopening_keeps_time_and_keys(void **state)
{
	struct fixture *fx = *state;
	uint8_t secret[TOKEN_SECRET_BYTES];

	assert_int_equal(fx->s->time_ms, 0);
	assert_int_equal(fx->s->nkeys, 1);
	assert_true(fx->s->keys[0].id >= 1);
	memcpy(secret, fx->s->keys[0].secret, sizeof secret);
	assert_int_equal(commit_row(fx, row_of(1, 0, "a"), 777000), 0);
	assert_int_equal(commit_row(fx, row_of(1, 1, "b"), 776000), 0);
	fx->kind->reopen(fx);
	assert_int_equal(fx->s->time_ms, 777000);
	assert_int_equal(
		commit_both(fx, NULL, 0, NULL, 0, 888000), 0); /* a turn may add no row */
	fx->kind->reopen(fx);
	assert_int_equal(fx->s->time_ms, 888000);
	assert_int_equal(fx->s->nkeys, 1);
	assert_memory_equal(fx->s->keys[0].secret, secret, sizeof secret);
	struct sync_load got;
	assert_int_equal(load_text(fx, flow_id(1), &got), 0);
	assert_string_equal(got.text, "0:a 1:b");
}

static void commit_much(struct fixture *fx)
{
	for (unsigned i = 0; i < 60; i++) {
		struct store_row rows[] = { row_of(1, i, "again"),
			row_of(100 + i, 0, "new"),
			last_row_of(200 + i, 0, "done at once") };
		struct store_ended e = keyed(ended_of(200 + i, 100 + i), 200 + i);
		CHECK(commit_both(fx, rows, 3, &e, 1, 100 + i) == 0);
	}
}

static void what_was_done_survives_a_kill(void **state)
{
	struct fixture *fx = *state;
	struct recovered got;

	fx->kind->killed(fx, commit_much);
	assert_int_equal(fx->s->time_ms, 159);
	recover_text(fx, &got);
	assert_int_equal(got.nrows, 120);
	for (unsigned i = 0; i < 60; i++) {
		struct store_ended e = keyed(ended_of(200 + i, 100 + i), 200 + i);
		assert_found(fx, STORE_BY_KEY, key_id(200 + i), &e);
	}
	assert_int_equal(commit_row(fx, row_of(1, 60, "and on"), 200), 0);
}

static void old_ended_rows_go_a_few_per_commit(void **state)
{
	struct fixture *fx = *state;
	struct sync_list got = { .n = 0 };
	struct store_ended e[40];
	struct store_row rows[40];

	assert_int_equal(commit_row(fx, row_of(50, 0, "a"), 1), 0);
	for (unsigned i = 0; i < 40; i++) {
		e[i] = child_of(keyed(ended_of(i, 1000 + i), i), 500, SOURCE_HOOK);
		rows[i] = last_row_of(i, 0, "end");
	}
	e[38].ended_ms = 1039;
	e[39] = keyed(ended_of(39, 1039), 39);
	assert_int_equal(commit_both(fx, rows, 40, e, 40, 2000), 0);
	/* A row that is exactly as old as the window is not older than it. */
	assert_int_equal(commit_row(fx, row_of(50, 1, "b"), 1000 + SEEN_WINDOW_MS), 0);
	list_page(fx, &got, 0, 100);
	assert_int_equal(got.n, 40);
	int64_t late = 1039 + SEEN_WINDOW_MS; /* 38 rows are too old, two are not */
	for (size_t left = 40 - STORE_ENDED_DROPS; left > STORE_ENDED_DROPS / 4;
		left = left > STORE_ENDED_DROPS ? left - STORE_ENDED_DROPS : 0) {
		assert_int_equal(commit_row(fx, row_of(50, 2, "c"), late), 0);
		got.n = 0;
		list_page(fx, &got, 0, 100);
		assert_int_equal(got.n, left);
	}
	fx->kind->reopen(fx);
	struct recovered r;
	assert_string_equal(recover_text(fx, &r), "50/0:a 50/1:b 50/2:c 50/2:c ");
	assert_int_equal(commit_row(fx, row_of(50, 3, "d"), late), 0);
	got.n = 0;
	list_page(fx, &got, 0, 100);
	assert_int_equal(got.n, 2);
	assert_found(fx, STORE_BY_KEY, key_id(39), &e[39]);
	assert_found(fx, STORE_BY_FLOW, flow_id(37), NULL);
	assert_int_equal(commit_row(fx, row_of(50, 4, "e"), late + 1), 0);
	assert_found(fx, STORE_BY_KEY, key_id(39), NULL);
}

static void must_not_be_done(struct store_commit *c, int rc)
{
	(void)c;
	(void)rc;
	fail();
}

static void close_tells_nobody(void **state)
{
	struct fixture *fx = *state;
	struct store_row row = row_of(1, 0, "a");
	struct store_commit c = { .rows = &row, .nrows = 1, .done = must_not_be_done };
	struct sync_load loads[3];

	assert_int_equal(commit_row(fx, row_of(1, 0, "a"), 1), 0);
	store_commit(fx->s, &c);
	for (size_t i = 0; i < 3; i++) {
		loads[i] = (struct sync_load){
			.l = { .flow = flow_id(1), .done = sync_load_done }, .rc = 1
		};
		store_load(fx->s, &loads[i].l);
	}
	fx->s = store_close(fx->s);
	assert_null(fx->s);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(loads[i].rc, 1);
	assert_null(store_close(NULL));
}

static void random_operations(void **state)
{
	struct fixture *fx = *state;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct random_run *run = random_new(fx, fx->kind->reopen, seed);
		random_steps(run, 150);
		random_free(run);
		fx->s = store_close(fx->s);
		fx->kind->remove(fx);
		open_again(fx);
	}
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		void *kind = (void *)(uintptr_t)&kinds[i];
#define T(test) cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, kind)
		const struct CMUnitTest tests[] = {
			T(rows_come_back),
			T(a_flow_may_have_several_rows_in_one_commit),
			T(bytes_are_exact),
			T(loads_see_what_was_submitted_before),
			T(ended_flows_are_found),
			T(key_used_again_names_the_youngest),
			T(list_is_paged_newest_first),
			T(recovery_hands_out_what_lives),
			T(recovery_lets_loads_be_under_way),
			T(reopening_keeps_time_and_keys),
			T(what_was_done_survives_a_kill),
			T(old_ended_rows_go_a_few_per_commit),
			T(close_tells_nobody),
			T(random_operations),
		};
#undef T
		failed += cmocka_run_group_tests_name(kinds[i].name, tests, NULL, NULL);
	}
	return failed;
}
