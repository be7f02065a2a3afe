/* sim_past.c - durable history, taken from each commit's rows at the moment they become durable.
 *
 * Surprise: what a run saw is written over by its next run until it is confirmed, because a run that
 * was ahead of the disk may be rolled back and see other things the second time. */
#include "sim/sim_past.h"

#include "base/hash.h"
#include "engine/run.h"
#include "sim/sim_world.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <string.h>

struct past *past_of(struct sim *s, const struct id *id)
{
	struct past *p = map_get(&s->past_by_id, id);

	if (p)
		return p;
	p = xalloc(sizeof *p);
	p->id = *id;
	map_put(&s->past_by_id, id, p);
	if (s->npasts == s->pasts_cap) {
		s->pasts_cap = s->pasts_cap ? 2 * s->pasts_cap : 8;
		s->pasts = xrealloc(s->pasts, s->pasts_cap * sizeof *s->pasts);
	}
	s->pasts[s->npasts++] = p;
	return p;
}

void pasts_free(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++) {
		struct past *p = s->pasts[i];

		for (size_t n = 0; n < p->nrows; n++)
			free(p->rows[n]);
		free(p->rows);
		free(p->entries);
		for (uint32_t epoch = 0; epoch < p->nlives; epoch++) {
			free(p->lives[epoch].steps);
			free(p->lives[epoch].sights);
		}
		free(p->lives);
		free(p);
	}
	free(s->pasts);
	map_fini(&s->past_by_id);
}

struct life *past_life(struct past *p, uint32_t epoch)
{
	while (p->nlives <= epoch) {
		p->lives = xrealloc(p->lives, (p->nlives + 1) * sizeof *p->lives);
		p->lives[p->nlives++] = (struct life){ .begins = SIZE_MAX };
	}
	return &p->lives[epoch];
}

struct sight *past_sight(struct past *p, uint32_t epoch, uint32_t step)
{
	struct life *life = past_life(p, epoch);

	if (step >= life->sights_cap) {
		size_t cap = life->sights_cap ? life->sights_cap : 16;

		while (step >= cap)
			cap *= 2;
		life->sights = xrealloc(life->sights, cap * sizeof *life->sights);
		memset(life->sights + life->sights_cap, 0, (cap - life->sights_cap) * sizeof *life->sights);
		life->sights_cap = cap;
	}
	return &life->sights[step];
}

bool past_fits(const struct past *p, uint64_t build)
{
	return p->n && p->lives[p->epoch].build == build;
}

bool past_answered(const struct past *p, uint32_t epoch, uint32_t step)
{
	size_t end = epoch < p->epoch ? p->lives[epoch + 1].begins : p->n;

	for (size_t i = p->lives[epoch].begins; i < end; i++)
		if (p->entries[i].kind == ENTRY_MESSAGE && p->entries[i].source == SOURCE_CALL
		    && p->entries[i].number == step)
			return true;
	return false;
}

const struct entry *past_start(const struct past *p)
{
	return p->n ? &p->entries[0] : NULL;
}

uint32_t uid_of(struct slice body)
{
	static const char mark[] = "\"uid\": ";
	uint32_t uid = 0;
	const char *at = body.len ? memmem(body.ptr, body.len, mark, sizeof mark - 1) : NULL;

	if (!at)
		return 0;
	for (at += sizeof mark - 1; at < body.ptr + body.len && *at >= '0' && *at <= '9'; at++)
		uid = 10 * uid + (uint32_t)(*at - '0');
	return uid;
}

bool past_closed(const struct past *p, uint32_t hook)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].kind == ENTRY_CLOSED && p->entries[i].number == hook)
			return true;
	return false;
}

/* Is e the entry by which that hook of that flow took a delivery in? */
static bool takes_in(const struct entry *e, const struct id *owner, const struct id *flow, uint32_t hook)
{
	if (e->source != SOURCE_HOOK || e->number != hook)
		return false;
	if (e->kind == ENTRY_MESSAGE)
		return id_eq(owner, flow);
	return e->kind == ENTRY_START && id_eq(&e->flow, flow);
}

size_t past_holds(struct sim *s, const struct id *flow, uint32_t hook, uint32_t uid)
{
	size_t n = 0;
	const struct past *p = map_get(&s->past_by_id, flow);

	for (size_t i = 0; p && i < p->n; i++)
		n += takes_in(&p->entries[i], &p->id, flow, hook) && uid_of(p->entries[i].body) == uid;
	for (size_t i = 0; i < s->npasts; i++) {
		const struct entry *start = past_start(s->pasts[i]);

		n += start && takes_in(start, &s->pasts[i]->id, flow, hook) && uid_of(start->body) == uid;
	}
	return n;
}

/* ---- one more entry ---- */

static void check_once(struct sim *s, const struct past *p, const struct entry *e)
{
	for (size_t i = 0; i + 1 < p->n; i++) {
		const struct entry *old = &p->entries[i];
		bool same_life = i >= p->lives[p->epoch].begins;

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

static void check_start(struct sim *s, const struct past *p, const struct entry *e)
{
	for (size_t i = 0; e->has_key && i < s->npasts; i++) {
		const struct entry *old = past_start(s->pasts[i]);

		if (!old || s->pasts[i] == p || !old->has_key || !id_eq(&old->key, &e->key))
			continue;
		if (id_eq(&old->flow, &e->flow) && old->number == e->number)
			sim_broken(s, "two flows were started by one key or message id");
	}
	if (e->source != SOURCE_HOOK || !e->has_key)
		return;
	const struct past *parent = map_get(&s->past_by_id, &e->flow);

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

static void confirm(struct sim *s, struct past *p)
{
	struct life *life = past_life(p, p->epoch);

	for (; life->confirmed + 1 < life->border; life->confirmed++) {
		const struct sight *seen = past_sight(p, p->epoch, life->confirmed);

		s->result->stats.taken += seen->ntakes;
		if (p->torn)
			continue;
		if (!seen->seen)
			sim_broken(s, "step %u is behind PROGRESS and nobody saw it", life->confirmed);
		/* The rash build gathers for ever: what came then is there for the others too. */
		if (s->deploys && life->steps[life->confirmed].kind == STEP_GATHER)
			continue;
		if (seen->timeout_ms > 0 && seen->timeout_ms < FISH_FOREVER && seen->late_ms
		    && seen->late_ms >= seen->reached_ms + seen->timeout_ms)
			sim_broken(s, "a late entry won over its deadline at step %u "
			           "(began %lld, timeout %lld, came %lld)", life->confirmed,
			           (long long)seen->reached_ms, (long long)seen->timeout_ms,
			           (long long)seen->late_ms);
	}
}

static void progress(struct sim *s, struct past *p, const struct entry *e)
{
	struct life *life = past_life(p, p->epoch);

	for (uint32_t step = life->border; step < e->number; step++)
		past_sight(p, p->epoch, step)->reached_ms = e->time_ms;
	steps_add(life, e->steps);
	if (e->number < life->border || life->nsteps != e->number)
		sim_broken(s, "PROGRESS to step %u tells of %zu steps, after one to %u", e->number,
		           life->nsteps, life->border);
	if (life->strayed)
		p->torn = true;
	life->border = e->number;
	life->build = e->build;
	confirm(s, p);
}

static bool has_seq(struct slice packed, uint64_t seq)
{
	uint64_t n = 0;

	while (packed.len && varint_next(&packed, &n) == 1)
		if (n == seq)
			return true;
	return false;
}

static bool is_taken(struct past *p, uint64_t seq)
{
	for (uint32_t epoch = 0; epoch <= p->epoch; epoch++)
		for (uint32_t step = 0; step < p->lives[epoch].confirmed; step++)
			for (uint32_t i = 0; i < past_sight(p, epoch, step)->ntakes; i++)
				if (past_sight(p, epoch, step)->takes[i] == seq)
					return true;
	return false;
}

/* All that open hooks hold goes along, and nothing else. */
static void check_carried(struct sim *s, struct past *p, const struct entry *e)
{
	const struct entry *before = p->epoch ? &p->entries[p->lives[p->epoch].begins] : NULL;

	for (size_t i = 0; i + 1 < p->n; i++) {
		const struct entry *m = &p->entries[i];
		bool here = i >= p->lives[p->epoch].begins || (before && has_seq(before->untaken, i));

		if (m->kind != ENTRY_MESSAGE || m->source != SOURCE_HOOK)
			continue;
		bool due = here && !is_taken(p, i);

		if (due && past_closed(p, m->number)) {
			p->left++;
			due = false;
		}
		if (!p->torn && due != has_seq(e->untaken, i))
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
	} else {
		check_once(s, p, e);
	}
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
	p->last_row_at = p->n;
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

/* What a hook had when it began to start flows, and no step took, became children. */
static bool became_child(struct sim *s, struct past *p, size_t seq)
{
	const struct entry *e = &p->entries[seq];
	bool each = false;

	for (size_t i = seq + 1; i < p->n; i++)
		each = each || (p->entries[i].kind == ENTRY_HOOK && p->entries[i].number == e->number
		                && p->entries[i].each.len);
	each = each && !is_taken(p, seq);
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
	}
}

void pasts_tell(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++) {
		const struct past *p = s->pasts[i];
		char id[ID_TEXT_SIZE];
		uint32_t step = 0;
		uint32_t epoch = 0;

		id_text(&p->id, id);
		sim_say(s, "journal of %s", id);
		for (size_t n = 0; n < p->n; n++) {
			const struct entry *e = &p->entries[n];

			sim_say(s, "%4zu %8lld %s %u source %d %.*s%.*s", n, (long long)e->time_ms,
			        entry_kind_name(e->kind), e->number, (int)e->source, (int)e->name.len,
			        e->name.ptr, e->kind == ENTRY_PROGRESS ? 0 : (int)e->body.len, e->body.ptr);
			if (e->kind == ENTRY_RENEW) {
				step = 0;
				epoch++;
			}
			const struct life *life = &p->lives[epoch];

			for (; e->kind == ENTRY_PROGRESS && step < e->number && step < life->nsteps; step++)
				sim_say(s, "              step %u %s %.*s", step,
				        step_kind_name(life->steps[step].kind), (int)life->steps[step].label.len,
				        life->steps[step].label.ptr);
		}
	}
}

/* ---- what runs see ---- */

void past_effect(struct sim *s, struct run *r, const char *name)
{
	struct past *p = past_of(s, &r->flow->id);
	uint32_t step = run_index(r);
	struct sight *seen = past_sight(p, r->epoch, step);
	const struct life *life = past_life(p, r->epoch);
	uint64_t content = hash64(HASH64_SEED, slice_of(name));

	s->result->stats.effects++;
	if (s->referring)
		sim_broken(s, "run from its journal alone, a flow has effects");
	else if (life->border <= step)
		sim_broken(s, "the effect of step %u began before its commit", step);
	else if (life->border > step + 1)
		sim_broken(s, "the effect of step %u began though the journal goes on beyond it", step);
	else if (life->steps[step].kind != STEP_ONCE || !slice_eq(life->steps[step].label, slice_of(name)))
		sim_broken(s, "the effect of step %u is not the one the history holds", step);
	seen->called = true;
	seen->content = content;
}

void past_saw(struct sim *s, struct run *r, const struct sight *seen)
{
	struct past *p = past_of(s, &r->flow->id);
	uint32_t step = run_index(r);
	struct sight *old = past_sight(p, r->epoch, step);
	struct life *life = past_life(p, r->epoch);

	if (step == 0)
		life->strayed = false;
	if (p->torn || life->strayed)
		return;
	if (step > 0 && life->sights[step - 1].now_ms > seen->now_ms)
		sim_broken(s, "fish_now went back at step %u", step);
	if (step >= life->confirmed && s->referring)
		sim_broken(s, "run from its journal alone, a flow goes on beyond step %u", step);
	if (step >= life->confirmed) {
		old->seen = true;
		old->logs = false;
		old->what = seen->what;
		old->now_ms = seen->now_ms;
		old->timeout_ms = seen->timeout_ms;
		old->rings_ms = seen->rings_ms;
		old->late_ms = seen->late_ms;
		memcpy(old->takes, seen->takes, sizeof old->takes);
		old->ntakes = seen->ntakes;
		return;
	}
	if (old->what == seen->what && old->now_ms == seen->now_ms && old->ntakes == seen->ntakes
	    && memcmp(old->takes, seen->takes, sizeof old->takes) == 0)
		return;
	if (!past_fits(p, s->build) && life->steps[step].kind == STEP_GATHER)
		life->strayed = true;
	if (!life->strayed)
		sim_broken(s, "two runs of one journal differ at step %u: %llx, not %llx, time %lld, not %lld%s",
		           step, (unsigned long long)seen->what, (unsigned long long)old->what,
		           (long long)seen->now_ms, (long long)old->now_ms,
		           s->referring ? " (run from its journal alone)" : "");
}
