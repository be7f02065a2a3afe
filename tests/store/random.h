/* random.h - random operations on a store, each answer compared with a plain reference.
 *
 * Invariant: what an answer must be is fixed when its request is made, because a request
 * sees exactly what was submitted before it; and what is done depends on the seed alone,
 * so that two stores can be taken the same way. Surprise: of an ended flow some rows may
 * be gone, so its answer must be the reference with rows left out; that of a living flow
 * must be all of it from its from_seq on. */
#ifndef FISH_TESTS_STORE_RANDOM_H
#define FISH_TESTS_STORE_RANDOM_H

#include "fixture.h"

enum {
	RANDOM_FLOWS_MAX = 3000,
	RANDOM_ROWS_MAX = 6000,
	RANDOM_LIVING = 25,
	RANDOM_ROW_BYTES = 300,
	RANDOM_LONG_BYTES = 5000, /* so that rows go to chunks … */
	RANDOM_BIG_BYTES = 70000 /* … and to big */
};
#define RANDOM_RETAIN_MS (INT64_C(24) * 60 * 60 * 1000)

struct random_flow {
	struct id id;
	bool ended, parked;
	bool recovered; /* by the recovery under way */
	uint64_t seq_next, from_seq;
	struct store_park park; /* the last one; all but its times and sums from the start */
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
	void (*reopen)(struct fixture *fx); /* or NULL: it stays open */
	bool tell; /* a dot on stderr for each commit that is done */
	uint64_t seed, state;
	int64_t now_ms;
	struct random_flow flows[RANDOM_FLOWS_MAX];
	unsigned nflows;
	unsigned living[RANDOM_LIVING]; /* flows that get rows; RANDOM_FLOWS_MAX: none */
	struct random_row rows[RANDOM_ROWS_MAX]; /* in order of arrival */
	size_t nrows;
	unsigned ends[RANDOM_FLOWS_MAX]; /* in order of their end */
	size_t nends, nexpired;
	char content[100000];
	size_t answers; /* requests that are done */
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

static inline struct random_run *random_new(
	struct fixture *fx, void (*reopen)(struct fixture *fx), uint64_t seed)
{
	struct random_run *run = xalloc(sizeof *run);

	run->fx = fx;
	run->reopen = reopen;
	run->seed = seed;
	run->state = seed * UINT64_C(0x9e3779b97f4a7c15);
	run->now_ms = INT64_C(1700000000000);
	for (size_t i = 0; i < RANDOM_LIVING; i++)
		run->living[i] = RANDOM_FLOWS_MAX;
	for (size_t i = 0; i < sizeof run->content; i++)
		run->content[i] = (char)random_below(run, 256);
	return run;
}

static inline void random_free(struct random_run *run) { free(run); }

static inline struct slice random_bytes(struct random_run *run, size_t bytes_max)
{
	size_t len = (size_t)random_below(run, bytes_max + 1);
	if (bytes_max == RANDOM_ROW_BYTES && random_below(run, 100) == 0)
		len = RANDOM_BIG_BYTES + len;
	else if (bytes_max == RANDOM_ROW_BYTES && random_below(run, 30) == 0)
		len = RANDOM_LONG_BYTES + len;
	size_t offset = (size_t)random_below(run, sizeof run->content - len);

	return (struct slice){ run->content + offset, len };
}

static inline struct id random_key(unsigned n)
{
	struct id id = flow_id(n);

	id.b[0] = 0xbb;
	return id;
}

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
		a->untaken == b->untaken;
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
		bool old = want->ended_ms < ask->run->now_ms - RANDOM_RETAIN_MS;
		RANDOM_CHECK(ask->run, old || slice_eq(got->result, want->result));
		RANDOM_CHECK(ask->run, old || slice_eq(got->untaken, want->untaken));
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
			due || id_eq(&w->found[i].flow, &ask->walked[i].flow));
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
			ask->walked[ask->nwalked++] = (struct store_walked){ f->id, wake_ms };
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

/* Asks for something; the answer is checked whenever it comes. */
static inline void random_ask(struct random_run *run)
{
	if (run->nflows == 0)
		return;
	struct random_ask *ask = xalloc(sizeof *ask);
	ask->run = run;
	ask->flow = (unsigned)random_below(run, run->nflows);
	const struct random_flow *f = &run->flows[ask->flow];
	ask->nrows = run->nrows;
	ask->then = *f;
	ask->found = f->parked || (f->ended && f->kept);
	ask->nends = run->nends;
	ask->nexpired = run->nexpired;
	switch (random_below(run, 7)) {
	case 0:
		ask->f = (struct store_find){
			.by = STORE_BY_FLOW, .what = f->id, .done = random_find_done
		};
		store_find(run->fx->s, &ask->f);
		return;
	case 1:
		ask->found = ask->found && f->park.has_key && id_is_zero(&f->park.parent);
		ask->f = (struct store_find){ .by = STORE_BY_KEY,
			.what = random_key(ask->flow),
			.done = random_find_done };
		store_find(run->fx->s, &ask->f);
		return;
	case 2:
		ask->list =
			(struct store_list){ .limit = 1 + (size_t)random_below(run, 30),
				.done = random_list_done };
		store_list(run->fx->s, &ask->list);
		return;
	case 3: random_walk(ask, STORE_WALK_ALL); return;
	case 4: random_walk(ask, STORE_WALK_CHILDREN); return;
	case 5: random_walk(ask, STORE_WALK_DUE); return;
	default:
		ask->l = (struct store_load){ .flow = f->id, .done = random_load_done };
		store_load(run->fx->s, &ask->l);
	}
}

static inline void random_end(struct random_run *run, unsigned flow)
{
	struct random_flow *f = &run->flows[flow];

	f->ended = f->kept = true;
	f->parked = false;
	f->e = (struct store_ended){
		.flow = f->id,
		.parent = f->park.parent,
		.has_key = f->park.has_key,
		.key = f->park.key,
		.started_ms = run->now_ms - 5,
		.ended_ms = run->now_ms,
		.status = END_DONE,
		.name = SLICE_LIT("order"),
		.result = random_bytes(run, 100),
		.seen = random_bytes(run, 50),
		.untaken = random_bytes(run, 50),
	};
	if (!id_is_zero(&f->e.parent))
		f->e.parent_source =
			random_below(run, 2) == 0 ? SOURCE_HOOK : SOURCE_CHILD;
	run->ends[run->nends++] = flow;
}

/* The next flow; its id is not zero. */
static inline unsigned random_born(struct random_run *run)
{
	struct random_flow *f = &run->flows[run->nflows];

	f->id = flow_id(run->nflows);
	f->park.flow = f->id;
	f->park.has_key = random_below(run, 2) == 0;
	if (f->park.has_key)
		f->park.key = random_key(run->nflows);
	if (random_below(run, 3) == 0)
		f->park.parent = flow_id(60000);
	return run->nflows++;
}

/* One row of the flow in that place, which is a new flow when there is none. */
static inline struct store_row random_row(struct random_run *run, size_t place)
{
	if (run->living[place] == RANDOM_FLOWS_MAX)
		run->living[place] = random_born(run);
	unsigned flow = run->living[place];
	struct random_flow *f = &run->flows[flow];
	struct slice bytes = random_bytes(run, RANDOM_ROW_BYTES);
	/* Flows in the first places live long and hold their segments; the others end
	 * young. */
	bool last = random_below(run, place < 3 ? 100 : 4) == 0;
	run->rows[run->nrows++] = (struct random_row){ flow, f->seq_next, last,
		(size_t)(bytes.ptr - run->content), bytes.len };
	if (random_below(run, 10) == 0)
		f->from_seq += random_below(run, f->seq_next - f->from_seq + 1);
	struct store_row row = { .flow = f->id,
		.seq = f->seq_next,
		.last = last,
		.from_seq = f->from_seq,
		.bytes = bytes };
	f->seq_next += 1 + random_below(run, 5);
	f->parked = false;
	if (last) {
		random_end(run, flow);
		run->living[place] = RANDOM_FLOWS_MAX;
	}
	return row;
}

/* Some of the living flows go out of memory; of those that are parked some once more. */
static inline size_t random_parks(struct random_run *run, struct store_park *parks)
{
	size_t n = 0;

	for (size_t place = 0; place < RANDOM_LIVING; place++) {
		if (run->living[place] == RANDOM_FLOWS_MAX || random_below(run, 12) != 0)
			continue;
		struct random_flow *f = &run->flows[run->living[place]];
		f->parked = true;
		f->park.wake_ms = random_below(run, 3) == 0
			? INT64_MAX
			: (int64_t)random_below(run, 30);
		f->park.hooks = (uint32_t)random_below(run, 4);
		f->park.untaken = (uint32_t)random_below(run, 3);
		parks[n++] = f->park;
	}
	return n;
}

struct random_commit {
	struct random_run *run;
	struct store_commit c;
	struct store_row rows[RANDOM_LIVING];
	struct store_ended ended[RANDOM_LIVING];
	struct store_park parks[RANDOM_LIVING];
};

static inline void random_commit_done(struct store_commit *c, int rc)
{
	struct random_commit *commit = container_of(c, struct random_commit, c);

	RANDOM_CHECK(commit->run, rc == 0);
	if (commit->run->tell)
		RANDOM_CHECK(commit->run, write(STDERR_FILENO, ".", 1) == 1);
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
		.parks = commit->parks,
		.nparks = random_parks(run, commit->parks),
		.now_ms = run->now_ms,
		.done = random_commit_done };
	store_commit(run->fx->s, &commit->c);

	for (size_t drops = STORE_ENDED_DROPS + nended; drops > 0; drops--) {
		struct random_flow *oldest = &run->flows[run->ends[run->nexpired]];
		if (run->nexpired == run->nends ||
			oldest->e.ended_ms >= run->now_ms - SEEN_WINDOW_MS)
			break;
		oldest->kept = false;
		run->nexpired++;
	}
}

static inline void random_recovered(void *owner, const struct store_load *l)
{
	struct random_run *run = owner;
	unsigned flow = flow_number(&l->flow);

	RANDOM_CHECK(run, flow < run->nflows);
	struct random_flow *f = &run->flows[flow];
	RANDOM_CHECK(run, !f->ended);
	RANDOM_CHECK(run, !f->recovered);
	RANDOM_CHECK(run, l->parked == f->parked);
	f->recovered = true;
	random_compare(run, l, flow, run->nrows, f->from_seq, false);
}

static inline void random_recover(struct random_run *run)
{
	struct store_recovery r = { .flow = random_recovered, .owner = run };
	struct store_parked parked = { 0 };

	for (unsigned i = 0; i < run->nflows; i++)
		run->flows[i].recovered = false;
	RANDOM_CHECK(run, store_recover(run->fx->s, &r, NULL) == 0);
	for (unsigned i = 0; i < run->nflows; i++) {
		const struct random_flow *f = &run->flows[i];
		RANDOM_CHECK(run, f->recovered == (!f->ended && !f->parked));
		parked.flows += f->parked;
		parked.hooks += f->parked ? f->park.hooks : 0;
		parked.untaken += f->parked ? f->park.untaken : 0;
	}
	RANDOM_CHECK(run, r.ret_parked.flows == parked.flows);
	RANDOM_CHECK(run, r.ret_parked.hooks == parked.hooks);
	RANDOM_CHECK(run, r.ret_parked.untaken == parked.untaken);
	for (unsigned i = 0; i < run->nflows; i++) {
		struct random_flow *f = &run->flows[i];
		f->recovered = false;
		RANDOM_CHECK(run, store_recover_flow(run->fx->s, &f->id, &r, NULL) == 0);
		RANDOM_CHECK(run, f->recovered == f->parked);
	}
}

static inline void random_steps(struct random_run *run, size_t steps)
{
	size_t asked = run->answers;

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
		bool reopen = random_below(run, 15) == 0;
		if (reopen && run->reopen != NULL) {
			run->reopen(run->fx);
			RANDOM_CHECK(run, run->fx->s->time_ms == run->now_ms);
		}
		if (random_below(run, 10) == 0)
			random_recover(run);
	}
}

#endif
