/* random.h - random operations on a store, each answer compared with a plain reference.
 *
 * Invariant: what an answer must be is fixed when its request is made, because a request
 * sees exactly what was submitted before it. Surprise: of an ended flow some rows may be
 * gone, so its answer must be the reference with rows left out; that of a living flow
 * must be all of it. */
#ifndef FISH_TESTS_STORE_RANDOM_H
#define FISH_TESTS_STORE_RANDOM_H

#include "fixture.h"

enum {
	RANDOM_FLOWS_MAX = 3000,
	RANDOM_ROWS_MAX = 6000,
	RANDOM_LIVING = 25,
	RANDOM_ROW_BYTES = 300
};

struct random_flow {
	struct id id;
	bool ended;
	uint64_t seq_next;
	struct store_ended e; /* once it has ended; its slices point into content */
	bool kept; /* its ended row has not expired */
};

struct random_row {
	unsigned flow;
	uint64_t seq;
	bool last;
	size_t offset, len; /* of its bytes in content */
};

struct random_run {
	struct fixture *fx;
	void (*reopen)(struct fixture *fx);
	uint64_t seed, state;
	int64_t now_ms;
	struct random_flow flows[RANDOM_FLOWS_MAX];
	unsigned nflows;
	unsigned living[RANDOM_LIVING]; /* flows that get rows; RANDOM_FLOWS_MAX: none */
	struct random_row rows[RANDOM_ROWS_MAX]; /* in order of arrival */
	size_t nrows;
	unsigned ends[RANDOM_FLOWS_MAX]; /* in order of their end */
	size_t nends, nexpired;
	char content[4096];
	size_t cursor; /* recovery: the row that must come next */
	size_t ends_cursor;
	size_t answers; /* requests that are done */
	bool may_be_refused, refused; /* may a commit say FISH_ESTORE; did the last one */
};

static inline uint64_t random_below(struct random_run *run, uint64_t n)
{
	/* xorshift64*: good enough to mix things up, and the same on every machine. */
	run->state ^= run->state >> 12;
	run->state ^= run->state << 25;
	run->state ^= run->state >> 27;
	return (run->state * UINT64_C(2685821657736338717) >> 33) % n;
}

#define RANDOM_CHECK(run, cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "seed %llu: %s\n", \
				(unsigned long long)(run)->seed, #cond); \
			abort(); \
		} \
	} while (0)

static inline void random_init(struct random_run *run, struct fixture *fx,
	void (*reopen)(struct fixture *fx), uint64_t seed)
{
	memset(run, 0, sizeof *run);
	run->fx = fx;
	run->reopen = reopen;
	run->seed = seed;
	run->state = seed * UINT64_C(0x9e3779b97f4a7c15);
	run->now_ms = INT64_C(1700000000000);
	for (size_t i = 0; i < RANDOM_LIVING; i++)
		run->living[i] = RANDOM_FLOWS_MAX;
	for (size_t i = 0; i < sizeof run->content; i++)
		run->content[i] = (char)random_below(run, 256);
}

static inline struct random_run *random_new(
	struct fixture *fx, void (*reopen)(struct fixture *fx), uint64_t seed)
{
	struct random_run *run = xalloc(sizeof *run);

	random_init(run, fx, reopen, seed);
	return run;
}

static inline void random_free(struct random_run *run) { free(run); }

static inline struct slice random_bytes(struct random_run *run, size_t bytes_max)
{
	size_t len = (size_t)random_below(run, bytes_max + 1);
	size_t offset = (size_t)random_below(run, sizeof run->content - len);

	return (struct slice){ run->content + offset, len };
}

static inline struct id random_key(unsigned n)
{
	struct id id = flow_id(n);

	id.b[0] = 0xbb;
	return id;
}

/* A load, find or list under way, with what its answer must be. */
struct random_ask {
	struct random_run *run;
	struct store_load l;
	struct store_find f;
	struct store_list list;
	unsigned flow;
	size_t nrows; /* rows of all flows when it was asked */
	bool ended, found;
	size_t nends, nexpired;
};

static inline void random_load_done(struct store_load *l, int rc)
{
	struct random_ask *ask = container_of(l, struct random_ask, l);
	struct random_run *run = ask->run;
	size_t at = 0;
	size_t missing = 0;

	for (size_t i = 0; i < ask->nrows; i++) {
		const struct random_row *want = &run->rows[i];
		if (want->flow != ask->flow)
			continue;
		const struct store_row *got = at < l->nrows ? &l->rows[at] : NULL;
		if (got == NULL || got->seq != want->seq) {
			missing++;
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
	RANDOM_CHECK(run, missing == 0 || ask->ended);
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
	if (ask->found) {
		RANDOM_CHECK(ask->run, id_eq(&got->flow, &want->flow));
		RANDOM_CHECK(ask->run, got->ended_ms == want->ended_ms);
		RANDOM_CHECK(ask->run, slice_eq(got->result, want->result));
		RANDOM_CHECK(ask->run, slice_eq(got->seen, want->seen));
		RANDOM_CHECK(ask->run, slice_eq(got->untaken, want->untaken));
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

enum { RANDOM_FLOW, RANDOM_KEY, RANDOM_LIST, RANDOM_LOAD, RANDOM_KINDS };

/* Asks for something of that flow; the answer is checked whenever it comes. */
static inline void random_ask_for(struct random_run *run, unsigned flow, unsigned kind)
{
	struct random_ask *ask = xalloc(sizeof *ask);
	ask->run = run;
	ask->flow = flow;
	const struct random_flow *f = &run->flows[ask->flow];
	ask->nrows = run->nrows;
	ask->ended = f->ended;
	ask->found = f->ended && f->kept;
	ask->nends = run->nends;
	ask->nexpired = run->nexpired;
	switch (kind) {
	case RANDOM_FLOW:
		ask->f = (struct store_find){
			.by = STORE_BY_FLOW, .what = f->id, .done = random_find_done
		};
		store_find(run->fx->s, &ask->f);
		return;
	case RANDOM_KEY:
		ask->found = ask->found && f->e.has_key && f->e.parent_source == 0;
		ask->f = (struct store_find){ .by = STORE_BY_KEY,
			.what = random_key(ask->flow),
			.done = random_find_done };
		store_find(run->fx->s, &ask->f);
		return;
	case RANDOM_LIST:
		ask->list =
			(struct store_list){ .limit = 1 + (size_t)random_below(run, 30),
				.done = random_list_done };
		store_list(run->fx->s, &ask->list);
		return;
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

static inline void random_end(struct random_run *run, unsigned flow)
{
	struct random_flow *f = &run->flows[flow];

	f->ended = f->kept = true;
	f->e = (struct store_ended){
		.flow = f->id,
		.has_key = random_below(run, 2) == 0,
		.key = random_key(flow),
		.started_ms = run->now_ms - 5,
		.ended_ms = run->now_ms,
		.status = END_DONE,
		.name = SLICE_LIT("order"),
		.result = random_bytes(run, 100),
		.seen = random_bytes(run, 50),
		.untaken = random_bytes(run, 50),
	};
	if (!f->e.has_key)
		f->e.key = (struct id){ 0 };
	if (random_below(run, 3) == 0) {
		f->e.parent = flow_id(60000);
		f->e.parent_source =
			random_below(run, 2) == 0 ? SOURCE_HOOK : SOURCE_CHILD;
	}
	run->ends[run->nends++] = flow;
}

/* One row of the flow in that place, which is a new flow when there is none. */
static inline struct store_row random_row(struct random_run *run, size_t place)
{
	if (run->living[place] == RANDOM_FLOWS_MAX) {
		run->flows[run->nflows].id = flow_id(run->nflows);
		run->living[place] = run->nflows++;
	}
	unsigned flow = run->living[place];
	struct random_flow *f = &run->flows[flow];
	struct slice bytes = random_bytes(run, RANDOM_ROW_BYTES);
	/* Flows in the first places live long and hold their segments; the others end
	 * young. */
	bool last = random_below(run, place < 3 ? 100 : 4) == 0;
	run->rows[run->nrows++] = (struct random_row){ flow, f->seq_next, last,
		(size_t)(bytes.ptr - run->content), bytes.len };
	struct store_row row = {
		.flow = f->id, .seq = f->seq_next, .last = last, .bytes = bytes
	};
	f->seq_next += 1 + random_below(run, 5);
	if (last) {
		random_end(run, flow);
		run->living[place] = RANDOM_FLOWS_MAX;
	}
	return row;
}

struct random_commit {
	struct random_run *run;
	struct store_commit c;
	struct store_row rows[RANDOM_LIVING];
	struct store_ended ended[RANDOM_LIVING];
};

static inline void random_commit_done(struct store_commit *c, int rc)
{
	struct random_commit *commit = container_of(c, struct random_commit, c);

	RANDOM_CHECK(commit->run, rc == 0 || (rc == FISH_ESTORE && commit->run->may_be_refused));
	commit->run->refused = rc != 0;
	commit->run->answers++;
	free(commit);
}

static inline void random_commit(struct random_run *run)
{
	struct random_commit *commit = xalloc(sizeof *commit);
	size_t ends_before = run->nends;
	size_t n = 0;

	run->now_ms += (int64_t)random_below(run, 6 * 60 * 60 * 1000);
	for (size_t place = 0; place < RANDOM_LIVING; place++) {
		if (random_below(run, 8) == 0)
			commit->rows[n++] = random_row(run, place);
	}
	size_t nended = run->nends - ends_before;
	for (size_t i = 0; i < nended; i++)
		commit->ended[i] = run->flows[run->ends[ends_before + i]].e;
	commit->run = run;
	commit->c = (struct store_commit){ .rows = commit->rows,
		.nrows = n,
		.ended = commit->ended,
		.nended = nended,
		.now_ms = run->now_ms,
		.done = random_commit_done };
	for (size_t drops = STORE_ENDED_DROPS + nended; drops > 0; drops--) {
		struct random_flow *oldest = &run->flows[run->ends[run->nexpired]];
		if (run->nexpired == run->nends ||
			oldest->e.ended_ms >= run->now_ms - SEEN_WINDOW_MS)
			break;
		oldest->kept = false;
		run->nexpired++;
	}
	/* The last thing: a process that is cut off in the middle of it leaves run whole. */
	store_commit(run->fx->s, &commit->c);
}

static inline void random_recovered_row(void *owner, const struct store_row *got)
{
	struct random_run *run = owner;

	while (run->cursor < run->nrows && run->flows[run->rows[run->cursor].flow].ended)
		run->cursor++;
	RANDOM_CHECK(run, run->cursor < run->nrows);
	const struct random_row *want = &run->rows[run->cursor++];
	RANDOM_CHECK(run, id_eq(&got->flow, &run->flows[want->flow].id));
	RANDOM_CHECK(run, got->seq == want->seq);
	RANDOM_CHECK(run, !got->last);
	RANDOM_CHECK(run,
		slice_eq(got->bytes,
			(struct slice){ run->content + want->offset, want->len }));
}

static inline bool random_is_recovered(const struct random_run *run, size_t i)
{
	const struct store_ended *e = &run->flows[run->ends[i]].e;

	return e->has_key && e->parent_source == SOURCE_HOOK &&
		e->ended_ms >= run->now_ms - SEEN_WINDOW_MS;
}

static inline void random_recovered_ended(void *owner, const struct store_ended *got)
{
	struct random_run *run = owner;

	while (run->ends_cursor < run->nends &&
		!random_is_recovered(run, run->ends_cursor))
		run->ends_cursor++;
	RANDOM_CHECK(run, run->ends_cursor < run->nends);
	const struct random_flow *want = &run->flows[run->ends[run->ends_cursor++]];
	RANDOM_CHECK(run, id_eq(&got->flow, &want->id));
	RANDOM_CHECK(run, id_eq(&got->key, &want->e.key));
}

static inline void random_recover(struct random_run *run)
{
	const struct store_recovery r = { random_recovered_row, random_recovered_ended,
		run };

	run->cursor = run->ends_cursor = 0;
	RANDOM_CHECK(run, store_recover(run->fx->s, &r, NULL) == 0);
	for (; run->cursor < run->nrows; run->cursor++)
		RANDOM_CHECK(run, run->flows[run->rows[run->cursor].flow].ended);
	for (; run->ends_cursor < run->nends; run->ends_cursor++)
		RANDOM_CHECK(run, !random_is_recovered(run, run->ends_cursor));
}

/* All that the store holds, and nothing else. Nothing may be under way. */
static inline void random_check_all(struct random_run *run)
{
	RANDOM_CHECK(run, run->fx->s->under_way == 0);
	random_recover(run);
	for (unsigned flow = 0; flow < run->nflows; flow++) {
		random_ask_for(run, flow, RANDOM_FLOW);
		random_ask_for(run, flow, RANDOM_KEY);
		random_ask_for(run, flow, RANDOM_LOAD);
	}
	if (run->nflows > 0)
		random_ask_for(run, 0, RANDOM_LIST);
	settle(run->fx);
}

static inline void random_steps(struct random_run *run, size_t steps)
{
	size_t asked = 0;

	for (size_t step = 0; step < steps; step++) {
		/* Reads before and behind the commit, all under way at once. */
		for (uint64_t n = random_below(run, 5); n > 0 && run->nflows > 0;
			n--, asked++)
			random_ask(run);
		random_commit(run);
		asked++;
		for (uint64_t n = random_below(run, 5); n > 0 && run->nflows > 0;
			n--, asked++)
			random_ask(run);
		settle(run->fx);
		RANDOM_CHECK(run, run->answers == asked);
		if (random_below(run, 15) == 0) {
			run->reopen(run->fx);
			RANDOM_CHECK(run, run->fx->s->time_ms == run->now_ms);
		}
		if (random_below(run, 10) == 0)
			random_recover(run);
	}
}

#endif
