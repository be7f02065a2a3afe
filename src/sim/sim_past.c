/* sim_past.c - durable history, taken from each commit's rows at the moment they become durable.
 *
 * Surprise: what a run saw is written over by its next run until it is confirmed, because a run that
 * was ahead of the disk may be rolled back and see other things the second time. */
#include "sim/sim_past.h"

#include "engine/run.h"
#include "sim/sim_world.h"

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
		free(p->steps);
		free(p->sights);
		free(p);
	}
	free(s->pasts);
	map_fini(&s->past_by_id);
}

struct sight *past_sight(struct past *p, uint32_t step)
{
	if (step >= p->sights_cap) {
		size_t cap = p->sights_cap ? p->sights_cap : 16;

		while (step >= cap)
			cap *= 2;
		p->sights = xrealloc(p->sights, cap * sizeof *p->sights);
		memset(p->sights + p->sights_cap, 0, (cap - p->sights_cap) * sizeof *p->sights);
		p->sights_cap = cap;
	}
	return &p->sights[step];
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

		if (old->kind != e->kind || old->source != e->source || old->number != e->number)
			continue;
		if (e->kind == ENTRY_MESSAGE && e->source != SOURCE_HOOK)
			sim_broken(s, "an answer or ring stands twice in the journal (source %d, step %u)",
			           (int)e->source, e->number);
		if (e->kind == ENTRY_MESSAGE && e->has_key && old->has_key && id_eq(&e->key, &old->key))
			sim_broken(s, "one message id was taken in twice (hook %u)", e->number);
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

static void steps_add(struct past *p, struct slice packed)
{
	struct entry_step step;

	while (entry_step_next(&packed, &step) == 1) {
		if (p->nsteps == p->steps_cap) {
			p->steps_cap = p->steps_cap ? 2 * p->steps_cap : 32;
			p->steps = xrealloc(p->steps, p->steps_cap * sizeof *p->steps);
		}
		p->steps[p->nsteps++] = step;
	}
}

static void confirm(struct sim *s, struct past *p)
{
	for (; p->confirmed + 1 < p->border; p->confirmed++) {
		const struct sight *seen = past_sight(p, p->confirmed);

		if (!seen->seen)
			sim_broken(s, "step %u is behind PROGRESS and nobody saw it", p->confirmed);
		if (seen->timeout_ms > 0 && seen->timeout_ms < FISH_FOREVER && seen->late_ms
		    && seen->late_ms >= seen->reached_ms + seen->timeout_ms)
			sim_broken(s, "a late entry won over its deadline at step %u "
			           "(began %lld, timeout %lld, came %lld)", p->confirmed,
			           (long long)seen->reached_ms, (long long)seen->timeout_ms,
			           (long long)seen->late_ms);
		s->result->stats.taken += seen->ntakes;
	}
}

static void progress(struct sim *s, struct past *p, const struct entry *e)
{
	for (uint32_t step = p->border; step < e->number; step++)
		past_sight(p, step)->reached_ms = e->time_ms;
	steps_add(p, e->steps);
	if (e->number < p->border || p->nsteps != e->number)
		sim_broken(s, "PROGRESS to step %u tells of %zu steps, after one to %u", e->number, p->nsteps,
		           p->border);
	p->border = e->number;
	confirm(s, p);
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
	if (e->kind == ENTRY_MESSAGE)
		check_once(s, p, e);
	else if (e->kind == ENTRY_START)
		check_start(s, p, e);
	else if (e->kind == ENTRY_PROGRESS)
		progress(s, p, e);
	else if (e->kind == ENTRY_END)
		p->ended = true;
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
	for (uint32_t step = 0; each && step < p->confirmed; step++)
		for (uint32_t i = 0; i < past_sight(p, step)->ntakes; i++)
			each = each && past_sight(p, step)->takes[i] != seq;
	if (each && past_holds(s, &p->id, e->number, uid_of(e->body)) < 2)
		sim_broken(s, "a delivery that came before fish_each became no flow");
	return each;
}

/* Each delivery was taken by one step, became a child, or is kept in the ended row. */
static void check_balance(struct sim *s, struct past *p)
{
	size_t came = 0;
	size_t taken = 0;

	for (size_t i = 0; i < p->n; i++)
		came += p->entries[i].kind == ENTRY_MESSAGE && p->entries[i].source == SOURCE_HOOK
		        && !became_child(s, p, i);
	for (uint32_t step = 0; step < p->confirmed; step++)
		taken += past_sight(p, step)->ntakes;
	size_t left = untaken_of(p->end.untaken);

	if (came != taken + left)
		sim_broken(s, "%zu deliveries came, %zu were taken, %zu are kept as untaken", came, taken, left);
}

static void check_answered(struct sim *s, const struct past *p)
{
	for (uint32_t step = 0; step < p->nsteps; step++) {
		bool answered = p->steps[step].kind != STEP_SEND && p->steps[step].kind != STEP_POST;

		for (size_t i = 0; i < p->n && !answered; i++)
			answered = p->entries[i].kind == ENTRY_MESSAGE
			           && p->entries[i].source == SOURCE_CALL && p->entries[i].number == step;
		if (!answered)
			sim_broken(s, "a flow ended before its call of step %u was answered", step);
	}
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

		id_text(&p->id, id);
		sim_say(s, "journal of %s, confirmed to step %u", id, p->confirmed);
		for (size_t n = 0; n < p->n; n++) {
			const struct entry *e = &p->entries[n];

			sim_say(s, "%4zu %8lld %s %u source %d %.*s%.*s", n, (long long)e->time_ms,
			        entry_kind_name(e->kind), e->number, (int)e->source, (int)e->name.len,
			        e->name.ptr, e->kind == ENTRY_PROGRESS ? 0 : (int)e->body.len, e->body.ptr);
			for (; e->kind == ENTRY_PROGRESS && step < e->number && step < p->nsteps; step++)
				sim_say(s, "              step %u %s %.*s", step,
				        step_kind_name(p->steps[step].kind), (int)p->steps[step].label.len,
				        p->steps[step].label.ptr);
		}
	}
}

/* ---- what runs see ---- */

void past_saw(struct sim *s, struct run *r, const struct sight *seen)
{
	struct past *p = past_of(s, &r->flow->id);
	uint32_t step = run_index(r);

	if (step > 0 && past_sight(p, step - 1)->now_ms > seen->now_ms)
		sim_broken(s, "fish_now went back at step %u", step);
	struct sight *old = past_sight(p, step);

	if (step >= p->confirmed && s->referring)
		sim_broken(s, "run from its journal alone, a flow goes on beyond step %u", step);
	if (step >= p->confirmed) {
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
	if (old->what != seen->what || old->now_ms != seen->now_ms || old->ntakes != seen->ntakes
	    || memcmp(old->takes, seen->takes, sizeof old->takes) != 0)
		sim_broken(s, "two runs of one journal differ at step %u", step);
}
