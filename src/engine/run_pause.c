/* run_pause.c - a run that takes step after step and never waits is interrupted, for others to run.
 *
 * Invariant: it happens at the end of a step, when all that the step did stands in the journal, and never
 * with an effect of fish_once handed over; the PROGRESS of the pause covers the step, and a replay goes
 * by there without noticing. Surprise: in the middle of a replay nothing is written, for nothing is new. */
#include "engine/run.h"
#include "engine/world.h"

/* With too much gathered it waits for the disk. */
static bool had_its_share(const struct run *r)
{
	const struct engine *e = r->engine;

	return r->taken >= e->config.turn_steps_max || (run_live(r) && engine_overfull(e));
}

void run_step_end(struct run *r)
{
	/* A cancelled flow that was cut short here went no further: nor does its replay. */
	while (r->closing && run_live(r)) {
		r->wait_due_ms = INT64_MAX;
		run_block(r);
	}
	if (!had_its_share(r))
		return;
	r->paused = true;
	co_yield(r->co);
}

void run_queue(struct run *r)
{
	r->flow->state = FLOW_READY;
	list_push(&r->engine->paused, &r->flow->ready);
}
