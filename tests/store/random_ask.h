/* random_ask.h - reads of a run of random operations, each answer compared with what the run
 * knows.
 *
 * Invariant: what an answer must be is fixed when its request is made, because a request
 * sees exactly what was submitted before it. Surprise: of an ended flow some rows may be
 * gone, so its answer must be the reference with rows left out; that of a living flow must
 * be all of it from its from_seq on. */
#ifndef FISH_TESTS_STORE_RANDOM_ASK_H
#define FISH_TESTS_STORE_RANDOM_ASK_H

#include "random_run.h"

/* A read under way, with what its answer must be. */
struct random_ask {
	struct random_run *run;
	struct store_load l;
	struct store_find f;
	struct store_list list;
	struct store_walk walk;
	unsigned flow;
	size_t nrows; /* rows of all flows when it was asked */
	struct random_flow then; /* its flow when it was asked */
	bool found;
	size_t nends, nexpired;
	struct store_walked walked[RANDOM_LIVING]; /* all that the walk has within its bounds */
	size_t nwalked;
	int64_t next_ms; /* the first deadline behind the bounds */
};

static inline bool random_park_eq(const struct store_park *a, const struct store_park *b)
{
	return id_eq(&a->flow, &b->flow) && id_eq(&a->parent, &b->parent) &&
		a->has_key == b->has_key && id_eq(&a->key, &b->key) &&
		a->wake_ms == b->wake_ms && a->hooks == b->hooks &&
		a->untaken == b->untaken && a->apart == b->apart;
}

/* The first row that a living flow may not do without, among the first nrows rows. */
static inline size_t random_needed(const struct random_run *run, unsigned flow,
	size_t nrows, uint64_t from_seq)
{
	size_t needed = 0;

	for (size_t i = 0; i < nrows; i++) {
		if (run->rows[i].flow == flow && run->rows[i].seq <= from_seq)
			needed = i;
	}
	return needed;
}

/* Are these the flow's rows? Those before needed may be missing, and any of an ended
 * flow. */
static inline void random_compare(struct random_run *run, const struct store_load *l,
	unsigned flow, size_t nrows, uint64_t from_seq, bool ended)
{
	size_t needed = random_needed(run, flow, nrows, from_seq);
	size_t at = 0;

	for (size_t i = 0; i < nrows; i++) {
		const struct random_row *want = &run->rows[i];
		if (want->flow != flow)
			continue;
		const struct store_row *got = at < l->nrows ? &l->rows[at] : NULL;
		if (got == NULL || got->seq != want->seq) {
			RANDOM_CHECK(run, ended || i < needed);
			continue;
		}
		RANDOM_CHECK(run, got->last == want->last);
		RANDOM_CHECK(run,
			slice_eq(got->bytes,
				(struct slice){
					run->content + want->offset, want->len }));
		at++;
	}
	RANDOM_CHECK(run, at == l->nrows);
}

static inline void random_load_done(struct store_load *l, int rc)
{
	struct random_ask *ask = container_of(l, struct random_ask, l);
	struct random_run *run = ask->run;
	const struct random_flow *then = &ask->then;

	random_compare(run, l, ask->flow, ask->nrows, then->from_seq, then->ended);
	RANDOM_CHECK(run, l->parked == then->parked);
	RANDOM_CHECK(run, !l->parked || random_park_eq(&l->park, &then->park));
	RANDOM_CHECK(run, rc == (l->nrows > 0 ? 0 : FISH_ENOTFOUND));
	run->answers++;
	free(ask);
}

static inline void random_find_done(struct store_find *f, int rc)
{
	struct random_ask *ask = container_of(f, struct random_ask, f);
	const struct store_ended *want = &ask->run->flows[ask->flow].e;
	const struct store_ended *got = &f->ended;

	RANDOM_CHECK(ask->run, rc == (ask->found ? 0 : FISH_ENOTFOUND));
	RANDOM_CHECK(ask->run, f->parked == (ask->found && ask->then.parked));
	if (ask->found)
		RANDOM_CHECK(ask->run, id_eq(&got->flow, &ask->then.id));
	if (ask->found && !f->parked) {
		RANDOM_CHECK(ask->run, got->ended_ms == want->ended_ms);
		RANDOM_CHECK(ask->run, slice_eq(got->seen, want->seen));
		bool whole = slice_eq(got->result, want->result) &&
			slice_eq(got->untaken, want->untaken);
		bool stripped = got->result.len == 0 && got->untaken.len == 0;
		bool old = want->ended_ms < ask->run->now_ms - ask->run->retain_ms;
		RANDOM_CHECK(ask->run,
			whole || (stripped && (old || ask->run->retains_bytes)));
	}
	ask->run->answers++;
	free(ask);
}

static inline void random_list_done(struct store_list *l, int rc)
{
	struct random_ask *ask = container_of(l, struct random_ask, list);
	struct random_run *run = ask->run;
	size_t there = ask->nends - ask->nexpired;

	RANDOM_CHECK(run, rc == 0);
	RANDOM_CHECK(run, l->nended == (there < l->limit ? there : l->limit));
	RANDOM_CHECK(run, (l->ret_next != 0) == (there > l->limit));
	for (size_t i = 0; i < l->nended; i++) {
		const struct random_flow *want =
			&run->flows[run->ends[ask->nends - 1 - i]];
		RANDOM_CHECK(run, id_eq(&l->ended[i].flow, &want->id));
		RANDOM_CHECK(run, slice_eq(l->ended[i].seen, want->e.seen));
	}
	run->answers++;
	free(ask);
}

static inline void random_walk_done(struct store_walk *w, int rc)
{
	struct random_ask *ask = container_of(w, struct random_ask, walk);
	struct random_run *run = ask->run;
	bool due = w->by == STORE_WALK_DUE;
	size_t n = ask->nwalked < w->limit ? ask->nwalked : w->limit;

	while (due && n > 0 && n < ask->nwalked &&
		ask->walked[n].wake_ms == ask->walked[n - 1].wake_ms)
		n++;
	RANDOM_CHECK(run, rc == 0);
	RANDOM_CHECK(run, w->nfound == n);
	RANDOM_CHECK(run, w->ret_more == (n < ask->nwalked));
	int64_t next_ms = n < ask->nwalked ? ask->walked[n].wake_ms : ask->next_ms;
	RANDOM_CHECK(run, w->ret_next_ms == (due ? next_ms : INT64_MAX));
	for (size_t i = 0; i < n; i++) {
		RANDOM_CHECK(run, w->found[i].wake_ms == ask->walked[i].wake_ms);
		/* Flows of one millisecond come in any order. */
		RANDOM_CHECK(run,
			due || (id_eq(&w->found[i].flow, &ask->walked[i].flow) &&
				w->found[i].apart == ask->walked[i].apart));
	}
	run->answers++;
	free(ask);
}

static inline int random_walked_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static inline int random_due_order(const void *a, const void *b)
{
	const struct store_walked *left = a;
	const struct store_walked *right = b;

	return left->wake_ms < right->wake_ms ? -1 : left->wake_ms > right->wake_ms;
}

/* What the walk must find, had it no limit. */
static inline void random_walked(struct random_ask *ask)
{
	const struct store_walk *w = &ask->walk;
	const struct random_run *run = ask->run;

	ask->next_ms = INT64_MAX;
	for (size_t i = 0; i < RANDOM_LIVING; i++) {
		const struct random_flow *f =
			run->living[i] < RANDOM_FLOWS_MAX ? &run->flows[run->living[i]] : NULL;
		if (f == NULL || !f->parked)
			continue;
		int64_t wake_ms = f->park.wake_ms;
		bool in = memcmp(&f->id, &w->after, sizeof f->id) > 0;
		if (w->by == STORE_WALK_CHILDREN)
			in = in && id_eq(&f->park.parent, &w->parent);
		if (w->by == STORE_WALK_DUE)
			in = wake_ms > w->after_ms && wake_ms <= w->until_ms &&
				wake_ms < INT64_MAX;
		if (in)
			ask->walked[ask->nwalked++] = (struct store_walked){ f->id, wake_ms, f->park.apart };
		else if (wake_ms > w->until_ms && wake_ms < ask->next_ms)
			ask->next_ms = wake_ms;
	}
	qsort(ask->walked, ask->nwalked, sizeof ask->walked[0],
		w->by == STORE_WALK_DUE ? random_due_order : random_walked_order);
}

static inline void random_walk(struct random_ask *ask, enum store_walk_by by)
{
	struct random_run *run = ask->run;

	ask->walk = (struct store_walk){ .by = by,
		.parent = flow_id(60000),
		.limit = 1 + (size_t)random_below(run, 12),
		.done = random_walk_done };
	if (by != STORE_WALK_DUE && random_below(run, 2) == 0)
		ask->walk.after = ask->then.id;
	if (by == STORE_WALK_DUE) {
		ask->walk.after_ms = (int64_t)random_below(run, 25);
		ask->walk.until_ms = ask->walk.after_ms + (int64_t)random_below(run, 20);
	}
	random_walked(ask);
	store_walk(run->fx->s, &ask->walk);
}

enum {
	RANDOM_FLOW,
	RANDOM_KEY,
	RANDOM_LIST,
	RANDOM_WALK_ALL,
	RANDOM_WALK_CHILDREN,
	RANDOM_WALK_DUE,
	RANDOM_LOAD,
	RANDOM_KINDS
};

/* Asks for something of that flow; the answer is checked whenever it comes. */
static inline void random_ask_for(struct random_run *run, unsigned flow, unsigned kind)
{
	struct random_ask *ask = xalloc(sizeof *ask);
	ask->run = run;
	ask->flow = flow;
	const struct random_flow *f = &run->flows[ask->flow];
	ask->nrows = run->nrows;
	ask->then = *f;
	ask->found = f->parked || (f->ended && f->kept);
	ask->nends = run->nends;
	ask->nexpired = run->nexpired;
	switch (kind) {
	case RANDOM_FLOW:
		ask->f = (struct store_find){
			.by = STORE_BY_FLOW, .what = f->id,
			.wants = STORE_RESULT | STORE_UNTAKEN | STORE_SEEN, .done = random_find_done
		};
		store_find(run->fx->s, &ask->f);
		return;
	case RANDOM_KEY:
		ask->found = ask->found && f->park.has_key && id_is_zero(&f->park.parent);
		ask->f = (struct store_find){ .by = STORE_BY_KEY,
			.what = random_key(ask->flow),
			.wants = STORE_RESULT | STORE_UNTAKEN | STORE_SEEN,
			.done = random_find_done };
		store_find(run->fx->s, &ask->f);
		return;
	case RANDOM_LIST:
		ask->list =
			(struct store_list){ .limit = 1 + (size_t)random_below(run, 30),
				.done = random_list_done };
		store_list(run->fx->s, &ask->list);
		return;
	case RANDOM_WALK_ALL: random_walk(ask, STORE_WALK_ALL); return;
	case RANDOM_WALK_CHILDREN: random_walk(ask, STORE_WALK_CHILDREN); return;
	case RANDOM_WALK_DUE: random_walk(ask, STORE_WALK_DUE); return;
	default:
		ask->l = (struct store_load){ .flow = f->id, .done = random_load_done };
		store_load(run->fx->s, &ask->l);
	}
}

static inline void random_ask(struct random_run *run)
{
	if (run->nflows == 0)
		return;
	unsigned flow = (unsigned)random_below(run, run->nflows);
	random_ask_for(run, flow, (unsigned)random_below(run, RANDOM_KINDS));
}

#endif
