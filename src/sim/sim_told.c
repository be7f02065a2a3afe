/* sim_told.c - what flows tell each other, what they publish and what their work gave.
 *
 * A told message names the step that tells it, so that it is known when it arrives. Invariant: it
 * arrives in the commit that makes its step durable, or when that waited for the other flow to be fetched
 * the one with its RESULT, at the open hook of that name, or never. */
#include "base/hash.h"
#include "sim/sim_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct told *told_add(struct sim *s)
{
	if (s->ntold == s->told_cap) {
		s->told_cap = s->told_cap ? 2 * s->told_cap : 16;
		s->told = xrealloc(s->told, s->told_cap * sizeof *s->told);
	}
	struct told *t = &s->told[s->ntold++];

	*t = (struct told){ .at = NULL };
	return t;
}

/* Reads what do_tell has put: {"tell": "ID", "life": N, "step": N, … */
static bool tell_read(struct slice body, struct told *ret)
{
	static const char mark[] = "{\"tell\": \"";
	size_t before = sizeof mark - 1;

	if (body.len < before + ID_TEXT_SIZE || memcmp(body.ptr, mark, before) != 0
	    || id_parse((struct slice){ body.ptr + before, ID_TEXT_SIZE - 1 }, &ret->from) < 0)
		return false;
	return sscanf(body.ptr + before + ID_TEXT_SIZE - 1, "\", \"life\": %u, \"step\": %u,", &ret->epoch,
	              &ret->step) == 2;
}

void told_arrived(struct sim *s, struct past *p, const struct entry *e)
{
	struct told t = { .at = p, .hook = e->number };

	if (e->kind == ENTRY_START && e->source == SOURCE_HOOK && !e->epoch)
		t.at = map_get(&s->past_by_id, &e->flow);
	else if (e->kind != ENTRY_MESSAGE || e->source != SOURCE_HOOK)
		return;
	if (t.at && tell_read(e->body, &t))
		*told_add(s) = t;
}

static void published(struct sim *s, const struct past *p, uint32_t step)
{
	const struct life *life = &p->lives[p->epoch];
	const struct entry_step *asked = &life->steps[step];
	size_t n = 0;

	for (size_t i = life->begins; i < p->n; i++) {
		const struct entry *e = &p->entries[i];
		uint64_t content = hash64(HASH64_SEED, e->body);

		n += e->kind == ENTRY_PUBLISH && slice_eq(e->name, asked->label)
		     && (uint32_t)(content ^ content >> 32) == asked->content;
	}
	if (n != 1)
		sim_broken(s, "what step %u publishes stands %zu times in the journal", step, n);
	s->result->stats.publishes++;
}

void told_step(struct sim *s, struct past *p, uint32_t step)
{
	enum step_kind kind = p->lives[p->epoch].steps[step].kind;

	if (kind == STEP_PUBLISH)
		published(s, p, step);
	if (kind != STEP_TELL)
		return;
	struct told *t = told_add(s);

	t->from = p->id;
	t->epoch = p->epoch;
	t->step = step;
}

void told_all_published(struct sim *s, const struct past *p)
{
	size_t entries = 0;
	size_t steps = 0;

	for (size_t i = 0; i < p->n; i++)
		entries += p->entries[i].kind == ENTRY_PUBLISH;
	for (uint32_t epoch = 0; epoch <= p->epoch; epoch++)
		for (size_t step = 0; step < p->lives[epoch].nsteps; step++)
			steps += p->lives[epoch].steps[step].kind == STEP_PUBLISH;
	if (entries != steps)
		sim_broken(s, "%zu steps published, the journal holds %zu", steps, entries);
}

void told_result(struct sim *s, struct past *p, const struct entry *e)
{
	const struct life *life = past_life(p, p->epoch);
	uint64_t argument = 0;

	if (e->number >= life->nsteps || !slice_eq(life->steps[e->number].label, e->name)) {
		sim_broken(s, "the result of step %u stands before its commit", e->number);
		return;
	}
	if (life->steps[e->number].kind == STEP_TELL)
		told_step(s, p, e->number);
	if (life->steps[e->number].kind != STEP_WORK)
		return;
	const struct sight *seen = past_sight(p, p->epoch, e->number);

	if (e->body.len >= sizeof argument)
		memcpy(&argument, e->body.ptr, sizeof argument);
	if (!seen->called || argument != seen->content)
		sim_broken(s, "the result of step %u is not what its work gave", e->number);
}

/* ---- judged when the commit is complete ---- */

static void judge_arrival(struct sim *s, const struct told *t)
{
	struct past *p = past_of(s, &t->from);
	const struct life *life = past_life(p, t->epoch);
	const struct entry *hook = past_hook(t->at, t->hook);

	if (life->border <= t->step || life->nsteps <= t->step) {
		sim_broken(s, "what step %u tells has arrived before its commit", t->step);
		return;
	}
	struct sight *seen = past_sight(p, t->epoch, t->step);
	const struct entry_step *step = &life->steps[t->step];

	seen->told++;
	s->result->stats.tells++;
	if (seen->told > 1)
		sim_broken(s, "what step %u tells has arrived twice", t->step);
	else if (seen->settled)
		sim_broken(s, "what step %u tells has arrived after its commit", t->step);
	else if (step->kind != STEP_TELL || !hook || !slice_eq(hook->name, step->label))
		sim_broken(s, "what step %u tells has arrived at another hook", t->step);
	else if (!p->torn && !id_eq(&seen->to, &t->at->id))
		sim_broken(s, "what step %u tells has arrived at another flow", t->step);
}

/* Has it had an open hook of that name before this commit, and after it too? */
static bool was_open(const struct sim *s, const struct past *p, struct slice name)
{
	for (size_t i = 0; i < past_before(s, p) && !p->ended; i++)
		if (p->entries[i].kind == ENTRY_HOOK && slice_eq(p->entries[i].name, name)
		    && !past_closed(p, p->entries[i].number))
			return true;
	return false;
}

static void judge_step(struct sim *s, const struct told *t)
{
	struct past *p = past_of(s, &t->from);
	struct sight *seen = past_sight(p, t->epoch, t->step);
	const struct past *to = map_get(&s->past_by_id, &seen->to);

	seen->settled = true;
	if (!p->torn && !seen->told && to && was_open(s, to, past_life(p, t->epoch)->steps[t->step].label))
		sim_broken(s, "what step %u tells has not arrived, though the hook is open", t->step);
}

void told_judge(struct sim *s)
{
	for (size_t i = 0; i < s->ntold; i++)
		if (s->told[i].at)
			judge_arrival(s, &s->told[i]);
	for (size_t i = 0; i < s->ntold; i++)
		if (!s->told[i].at)
			judge_step(s, &s->told[i]);
	s->ntold = 0;
}
