/* sim_commit.c - a commit becomes durable: its entries are added one by one, then judged as a whole.
 *
 * Invariant: nothing is believed of the engine; the rows are what a store would have kept. */
#include "engine/run.h"
#include "sim/sim_world.h"
#include "wire/options.h"

#include <stdlib.h>
#include <string.h>

/* ---- one more entry ---- */

static void check_once(struct sim *s, const struct past *p, const struct entry *e)
{
	for (size_t i = 0; i + 1 < p->n; i++) {
		const struct entry *old = &p->entries[i];
		bool same_life = i >= p->lives[p->epoch].begins;

		if (is_reply(e) && is_reply(old) && e->message_seq == old->message_seq)
			sim_broken(s, "one message was replied to twice");
		if (old->kind != e->kind || old->source != e->source || old->number != e->number)
			continue;
		if (e->kind == ENTRY_RESULT && same_life)
			sim_broken(s, "the result of step %u stands twice in the journal", e->number);
		if (e->kind == ENTRY_MESSAGE && e->source != SOURCE_HOOK && same_life)
			sim_broken(s, "an answer or ring stands twice in the journal (source %d, step %u)",
			           (int)e->source, e->number);
		if (e->kind == ENTRY_MESSAGE && e->has_key && old->has_key && id_eq(&e->key, &old->key))
			sim_broken(s, "one message id was taken in twice (hook %u)", e->number);
		if (e->kind == ENTRY_HOOK && !e->each.len)
			sim_broken(s, "two hooks have one URL");
	}
}

static size_t deliveries_of(const struct sim *s, const struct past *p, uint32_t hook)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += takes_in(&p->entries[i], &p->id, &p->id, hook);
	for (size_t i = 0; i < s->npasts; i++) {
		const struct entry *start = past_start(s->pasts[i]);

		/* One that came before fish_each stands with its parent too. */
		n += start && !start->epoch && takes_in(start, &s->pasts[i]->id, &p->id, hook);
	}
	return n;
}

static struct hook_options options_of(const struct past *p, uint32_t hook)
{
	const struct entry *e = past_hook(p, hook);
	struct hook_options o = { .shots = 0 };

	if (e)
		(void)options_take(e->options, &o);
	return o;
}

/* A delivery of a sender or another flow, to a hook of p. */
static void check_taken_in(struct sim *s, const struct past *p, const struct entry *e)
{
	const struct entry *hook = past_hook(p, e->number);
	struct hook_options o = options_of(p, e->number);

	if (!hook)
		sim_broken(s, "a delivery came to hook %u before it was durable", e->number);
	if (hook && o.expires_ms && e->time_ms >= hook->time_ms + o.expires_ms)
		sim_broken(s, "hook %u took a delivery in after it had expired", e->number);
	if (o.shots && deliveries_of(s, p, e->number) > o.shots)
		sim_broken(s, "hook %u took in more than its %u deliveries", e->number, o.shots);
	if (o.json && sim_is_plain(e->body))
		sim_broken(s, "hook %u took in what is no JSON", e->number);
}

static void check_message(struct sim *s, const struct past *p, const struct entry *e)
{
	if (e->source != SOURCE_HOOK)
		return;
	if (past_closed(p, e->number))
		sim_broken(s, "a delivery stands behind the close of its hook %u", e->number);
	check_taken_in(s, p, e);
}

/* Together with its last delivery a hook closes. */
static void check_shots(struct sim *s, const struct past *p)
{
	for (size_t i = 0; i < p->n && !p->ended; i++) {
		const struct entry *e = &p->entries[i];
		struct hook_options o = { .shots = 0 };

		/* A later HOOK of the same number says how many are left. */
		if (e->kind == ENTRY_HOOK && past_hook(p, e->number) == e)
			(void)options_take(e->options, &o);
		if (o.shots && deliveries_of(s, p, e->number) >= o.shots && !past_closed(p, e->number))
			sim_broken(s, "hook %u had all its deliveries and is open", e->number);
	}
}

static void check_start(struct sim *s, const struct past *p, const struct entry *e)
{
	for (size_t i = 0; e->has_key && i < s->npasts; i++) {
		const struct entry *old = past_start(s->pasts[i]);

		if (!old || s->pasts[i] == p || !old->has_key || !id_eq(&old->key, &e->key))
			continue;
		if (id_eq(&old->flow, &e->flow) && old->number == e->number)
			sim_broken(s, "two flows were started by one key or message id");
	}
	const struct past *parent = e->source == SOURCE_HOOK ? map_get(&s->past_by_id, &e->flow) : NULL;

	if (parent && !e->epoch && parent->n)
		check_taken_in(s, parent, e);
	if (e->source != SOURCE_HOOK || !e->has_key)
		return;
	for (size_t i = 0; parent && i < parent->n; i++)
		if (takes_in(&parent->entries[i], &parent->id, &e->flow, e->number)
		    && parent->entries[i].has_key && id_eq(&parent->entries[i].key, &e->key))
			sim_broken(s, "a delivery is a message and a child's start");
}

static void steps_add(struct life *life, struct slice packed)
{
	struct entry_step step;

	while (entry_step_next(&packed, &step) == 1) {
		if (life->nsteps == life->steps_cap) {
			life->steps_cap = life->steps_cap ? 2 * life->steps_cap : 32;
			life->steps = xrealloc(life->steps, life->steps_cap * sizeof *life->steps);
		}
		life->steps[life->nsteps++] = step;
	}
}

static void progress(struct sim *s, struct past *p, const struct entry *e)
{
	struct life *life = past_life(p, p->epoch);

	uint32_t before = life->border;

	for (uint32_t step = before; step < e->number; step++) {
		past_sight(p, p->epoch, step)->reached_ms = e->time_ms;
		past_sight(p, p->epoch, step)->reached_by = e->build;
	}
	steps_add(life, e->steps);
	if (e->number < life->border || life->nsteps != e->number)
		sim_broken(s, "PROGRESS to step %u tells of %zu steps, after one to %u", e->number,
		           life->nsteps, life->border);
	if (life->strayed)
		p->torn = true;
	life->border = e->number;
	life->build = e->build;
	/* The last one may wait for the flow that it tells: RESULT says when it has. */
	uint32_t done = e->rest == REST_NEEDS ? e->number - 1 : e->number;

	for (uint32_t step = before; step < done && step < life->nsteps; step++)
		told_step(s, p, step);
	sights_confirm(s, p);
}

/* What a hook had when it began to start flows, and no step took, is for children. */
static bool for_child(const struct past *p, size_t seq)
{
	const struct entry *e = &p->entries[seq];
	bool each = false;

	for (size_t i = seq + 1; i < p->n; i++)
		each = each || (p->entries[i].kind == ENTRY_HOOK && p->entries[i].number == e->number
		                && p->entries[i].each.len);
	return each && !past_took(p, seq);
}

/* All that open hooks hold goes along, and nothing else. */
static void check_carried(struct sim *s, struct past *p, const struct entry *e)
{
	const struct entry *before = p->epoch ? &p->entries[p->lives[p->epoch].begins] : NULL;

	for (size_t i = 0; i + 1 < p->n; i++) {
		const struct entry *m = &p->entries[i];
		bool here = i >= p->lives[p->epoch].begins || (before && seqs_have(before->untaken, i));

		if (m->kind != ENTRY_MESSAGE || m->source != SOURCE_HOOK)
			continue;
		bool due = here && !past_took(p, i) && !for_child(p, i);

		if (due && past_closed(p, m->number)) {
			p->left++;
			due = false;
		}
		if (!p->torn && due != seqs_have(e->untaken, i))
			sim_broken(s, due ? "a delivery that waits at an open hook is not taken along by RENEW (%zu)"
			                  : "RENEW takes a delivery along that it should not (%zu)", i);
	}
}

static void renew(struct sim *s, struct past *p, const struct entry *e)
{
	for (uint32_t step = 0; step < p->lives[p->epoch].nsteps; step++) {
		enum step_kind kind = p->lives[p->epoch].steps[step].kind;

		if ((kind == STEP_SEND || kind == STEP_POST) && !past_answered(p, p->epoch, step))
			sim_broken(s, "a flow renewed itself before its call of step %u was answered", step);
	}
	p->torn = p->torn || past_life(p, p->epoch)->strayed;
	check_carried(s, p, e);
	s->result->stats.renews++;
	p->epoch++;
	past_life(p, p->epoch)->begins = p->n - 1;
}

static void entry_add(struct sim *s, struct past *p, const struct entry *e)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 16;
		p->entries = xrealloc(p->entries, p->cap * sizeof *p->entries);
	}
	p->entries[p->n++] = *e;
	if (p->ended)
		sim_broken(s, "%s stands after END", entry_kind_name(e->kind));
	if (e->time_ms < p->last_ms)
		sim_broken(s, "the journal's time went back");
	p->last_ms = e->time_ms;
	if (e->kind == ENTRY_START) {
		past_life(p, 0)->begins = 0;
		check_start(s, p, e);
	} else if (e->kind == ENTRY_PROGRESS) {
		progress(s, p, e);
	} else if (e->kind == ENTRY_RENEW) {
		renew(s, p, e);
	} else if (e->kind == ENTRY_END) {
		p->ended = true;
		p->torn = p->torn || past_life(p, p->epoch)->strayed;
	} else {
		check_once(s, p, e);
	}
	if (e->kind == ENTRY_MESSAGE)
		check_message(s, p, e);
	else if (e->kind == ENTRY_RESULT)
		told_result(s, p, e);
	else if (is_reply(e))
		held_replied(s, p, e);
	told_arrived(s, p, e);
}

/* ---- one more commit ---- */

static char *keep(struct past *p, struct slice bytes)
{
	if (p->nrows == p->rows_cap) {
		p->rows_cap = p->rows_cap ? 2 * p->rows_cap : 16;
		p->rows = xrealloc(p->rows, p->rows_cap * sizeof *p->rows);
	}
	return p->rows[p->nrows++] = xstrndup(bytes.len ? bytes.ptr : "", bytes.len);
}

static void row_add(struct sim *s, const struct store_row *row)
{
	struct past *p = past_of(s, &row->flow);
	struct slice rest = { keep(p, row->bytes), row->bytes.len };
	struct entry e;
	int rc;

	if (row->seq != p->n)
		sim_broken(s, "a row begins at entry %llu, not at %zu", (unsigned long long)row->seq, p->n);
	/* A commit may have several rows of a flow. */
	if (p->last_row_in != s->result->stats.commits)
		p->last_row_at = p->n;
	p->last_row_in = s->result->stats.commits;
	while ((rc = entry_next(&rest, &e)) == 1)
		entry_add(s, p, &e);
	if (rc < 0)
		sim_broken(s, "a row holds bytes that are no entry");
	s->result->stats.writes++;
}

static void check_family(struct sim *s, const struct past *parent)
{
	for (size_t i = 0; i < s->npasts; i++) {
		const struct entry *start = past_start(s->pasts[i]);

		if (start && start->source && id_eq(&start->flow, &parent->id) && !s->pasts[i]->ended)
			sim_broken(s, "a parent has ended before its child");
	}
}

static size_t untaken_of(struct slice packed)
{
	struct entry e;
	size_t n = 0;

	while (entry_next(&packed, &e) == 1)
		n++;
	return n;
}

static bool became_child(struct sim *s, struct past *p, size_t seq)
{
	const struct entry *e = &p->entries[seq];
	bool each = for_child(p, seq);

	if (each && past_holds(s, &p->id, e->number, uid_of(e->body)) < 2)
		sim_broken(s, "a delivery that came before fish_each became no flow");
	return each;
}

/* Each delivery was taken by one step, became a child, or is kept in the ended row; or its hook was
 * closed when its flow renewed itself. */
static void check_balance(struct sim *s, struct past *p)
{
	size_t came = 0;
	size_t taken = 0;

	for (size_t i = 0; i < p->n; i++)
		came += p->entries[i].kind == ENTRY_MESSAGE && p->entries[i].source == SOURCE_HOOK
		        && !became_child(s, p, i);
	for (uint32_t epoch = 0; epoch <= p->epoch; epoch++)
		for (uint32_t step = 0; step < p->lives[epoch].confirmed; step++)
			taken += past_sight(p, epoch, step)->ntakes;
	size_t kept = untaken_of(p->end.untaken);

	if (came != taken + kept + p->left)
		sim_broken(s, "%zu deliveries came, %zu were taken, %zu are kept as untaken, %zu were left behind",
		           came, taken, kept, p->left);
}

static void check_answered(struct sim *s, const struct past *p)
{
	const struct life *life = &p->lives[p->epoch];

	for (uint32_t step = 0; step < life->nsteps; step++)
		if ((life->steps[step].kind == STEP_SEND || life->steps[step].kind == STEP_POST)
		    && !past_answered(p, p->epoch, step))
			sim_broken(s, "a flow ended before its call of step %u was answered", step);
}

void past_commit(struct sim *s, const struct store_commit *c)
{
	s->result->stats.commits++;
	for (size_t i = 0; i < c->nrows; i++)
		row_add(s, &c->rows[i]);
	for (size_t i = 0; i < c->nended; i++) {
		struct past *p = past_of(s, &c->ended[i].flow);

		p->end = c->ended[i];
		p->end.result.ptr = keep(p, c->ended[i].result);
		p->end.untaken.ptr = keep(p, c->ended[i].untaken);
		if (!p->ended)
			sim_broken(s, "a flow is among the ended and its journal has no END");
		check_family(s, p);
		if (p->torn)
			continue;
		check_balance(s, p);
		check_answered(s, p);
		told_all_published(s, p);
	}
	for (size_t i = 0; i < c->nrows; i++)
		check_shots(s, past_of(s, &c->rows[i].flow));
	told_judge(s);
}

