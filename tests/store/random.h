/* random.h - random operations on a store, each answer compared with a plain reference.
 *
 * Invariant: what is done depends on the seed alone, so that two stores can be taken the
 * same way; random_ask.h has the reads and what their answers must be. Surprise: a commit
 * is noted in the run before the store has it. */
#ifndef FISH_TESTS_STORE_RANDOM_H
#define FISH_TESTS_STORE_RANDOM_H

#include "random_ask.h"

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

	*f = (struct random_flow){ .id = flow_id(run->nflows) };
	f->park.flow = f->id;
	f->park.has_key = random_below(run, 2) == 0;
	if (f->park.has_key)
		f->park.key = random_key(run->nflows);
	if (random_below(run, 3) == 0)
		f->park.parent = flow_id(60000);
	return run->nflows++;
}

/* One row of the flow in that seat, which is a new flow when there is none. */
static inline struct store_row random_row(struct random_run *run, size_t seat)
{
	if (run->living[seat] == RANDOM_FLOWS_MAX)
		run->living[seat] = random_born(run);
	unsigned flow = run->living[seat];
	struct random_flow *f = &run->flows[flow];
	struct slice bytes = random_bytes(run, RANDOM_ROW_BYTES);
	/* Flows in the first seats live long and hold their segments; the others end
	 * young. */
	bool last = random_below(run, seat < 3 ? 100 : 4) == 0;
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
		run->living[seat] = RANDOM_FLOWS_MAX;
	}
	return row;
}

/* Some of the living flows go out of memory; of those that are parked some once more. */
static inline size_t random_parks(struct random_run *run, struct store_park *parks)
{
	size_t n = 0;

	for (size_t seat = 0; seat < RANDOM_LIVING; seat++) {
		if (run->living[seat] == RANDOM_FLOWS_MAX || random_below(run, 12) != 0)
			continue;
		struct random_flow *f = &run->flows[run->living[seat]];
		f->parked = true;
		f->park.wake_ms = random_below(run, 3) == 0
			? INT64_MAX
			: (int64_t)random_below(run, 30);
		f->park.hooks = (uint32_t)random_below(run, 4);
		f->park.untaken = (uint32_t)random_below(run, 3);
		f->park.apart = random_below(run, 3) == 0;
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

	RANDOM_CHECK(commit->run,
		rc == 0 || (rc == FISH_ESTORE && commit->run->may_be_refused));
	commit->run->refused = rc != 0;
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
	for (size_t seat = 0; seat < RANDOM_LIVING; seat++) {
		if (random_below(run, 8) == 0)
			commit->rows[n++] = random_row(run, seat);
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
	struct err err = { .code = 0 };
	int rc = store_recover(run->fx->s, &r, &err);
	if (rc < 0 && run->stop != NULL)
		run->stop(err.text);
	RANDOM_CHECK(run, rc == 0);
	for (unsigned i = 0; i < run->nflows; i++) {
		const struct random_flow *f = &run->flows[i];
		RANDOM_CHECK(run, f->recovered == (!f->ended && !f->parked));
		parked.flows += f->parked;
		parked.hooks += f->parked ? f->park.hooks : 0;
		parked.untaken += f->parked ? f->park.untaken : 0;
		parked.apart += f->parked && f->park.apart;
		parked.apart_untaken += f->parked && f->park.apart ? f->park.untaken : 0;
	}
	RANDOM_CHECK(run, r.ret_parked.flows == parked.flows);
	RANDOM_CHECK(run, r.ret_parked.hooks == parked.hooks);
	RANDOM_CHECK(run, r.ret_parked.untaken == parked.untaken);
	RANDOM_CHECK(run, r.ret_parked.apart == parked.apart);
	RANDOM_CHECK(run, r.ret_parked.apart_untaken == parked.apart_untaken);
	for (unsigned i = 0; i < run->nflows; i++) {
		struct random_flow *f = &run->flows[i];
		f->recovered = false;
		RANDOM_CHECK(run, store_recover_flow(run->fx->s, &f->id, &r, NULL) == 0);
		RANDOM_CHECK(run, f->recovered == f->parked);
	}
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
	for (unsigned kind = RANDOM_LIST; kind < RANDOM_LOAD && run->nflows > 0; kind++)
		random_ask_for(run, 0, kind);
	settle(run->fx);
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
