/* sim_sight.c - what runs saw and did, step by step, held against the journal.
 *
 * Surprise: what a run saw is written over by its next run until it is confirmed, because a run that
 * was ahead of the disk may be rolled back and see other things the second time. */
#include "base/hash.h"
#include "engine/run.h"
#include "sim/sim_world.h"

#include <string.h>

void sights_confirm(struct sim *s, struct past *p)
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
		/* No step's name or content tells how long a wait is: another build may wait for longer. */
		if (seen->reached_by == seen->seen_by && seen->timeout_ms > 0 && seen->timeout_ms < FISH_FOREVER && seen->late_ms
		    && seen->late_ms >= seen->reached_ms + seen->timeout_ms)
			sim_broken(s, "a late entry won over its deadline at step %u "
			           "(began %lld, timeout %lld, came %lld)", life->confirmed,
			           (long long)seen->reached_ms, (long long)seen->timeout_ms,
			           (long long)seen->late_ms);
	}
}

void past_effect(struct sim *s, const struct effect *x)
{
	struct past *p = past_of(s, x->flow);
	struct sight *seen = past_sight(p, x->epoch, x->step);
	const struct life *life = past_life(p, x->epoch);

	s->result->stats.effects += x->kind == STEP_ONCE;
	if (s->referring)
		sim_broken(s, "run from its journal alone, a flow has effects");
	else if (p->ended || x->epoch != p->epoch)
		sim_broken(s, "the effect of step %u began for a life that is over", x->step);
	else if (life->border <= x->step)
		sim_broken(s, "the effect of step %u began before its commit", x->step);
	else if (life->border > x->step + 1)
		sim_broken(s, "the effect of step %u began though the journal goes on beyond it", x->step);
	else if (life->steps[x->step].kind != x->kind || !slice_eq(life->steps[x->step].label, slice_of(x->name)))
		sim_broken(s, "the effect of step %u is not the one the history holds", x->step);
	/* No step's name or content tells of a work's argument: another build may give another. */
	else if (seen->called && seen->content != x->content && !s->deploys)
		sim_broken(s, "the effect of step %u was begun in two ways", x->step);
	seen->called = true;
	seen->content = x->content;
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
		old->seen_by = s->build;
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
