/* due.c - parked flows are in memory again when their deadlines come.
 *
 * Invariant: no flow is parked with a deadline that was read already, for its lead is as long as the one
 * that keeps flows in memory (leave.c). Surprise: a flow that was parked once and is in memory
 * may be read too; its deadline is its own business then. */
#include "engine/due.h"

#include "engine/fetch.h"
#include "engine/leave.h"
#include "engine/world.h"

#include <stdlib.h>

enum { DUE_AT_ONCE = 1024 };

struct expected {
	struct wanted  wanted;
	struct engine *engine;
};

void due_begin(struct engine *e)
{
	e->due.forgotten = e->due.asked;
	e->due.pending = 0;
	e->due.reached_ms = INT64_MIN;
	e->due.next_ms = e->parked.flows ? INT64_MIN : INT64_MAX;
}

/* In memory it rings like any other. */
static void there(struct wanted *w, struct flow *f)
{
	struct expected *x = container_of(w, struct expected, wanted);

	(void)f;
	x->engine->due.pending -= x->engine->due.pending > 0;
	free(x);
}

static void walked(struct store_walk *request, int rc)
{
	struct due *d = container_of(request, struct due, request);
	struct engine *e = container_of(d, struct engine, due);
	bool stale = d->forgotten;

	(void)rc;
	d->asked = false;
	d->forgotten = false;
	if (stale || engine_away(e))
		return;
	d->reached_ms = request->ret_more ? request->found[request->nfound - 1].wake_ms : request->until_ms;
	if (request->ret_next_ms < d->next_ms)
		d->next_ms = request->ret_next_ms;
	for (size_t i = 0; i < request->nfound; i++) {
		struct expected *x = xalloc(sizeof *x);

		x->engine = e;
		x->wanted = (struct wanted){ .id = request->found[i].flow, .done = there };
		d->pending++;
		flow_want(e, &x->wanted);
	}
}

static int64_t look_at_ms(const struct due *d, int64_t lead_ms)
{
	return d->next_ms == INT64_MAX || d->next_ms == INT64_MIN ? d->next_ms : d->next_ms - lead_ms;
}

void due_look(struct engine *e)
{
	struct due *d = &e->due;

	if (d->asked || d->pending || look_at_ms(d, leave_lead_ms(e)) > e->now_ms || d->next_ms == INT64_MAX)
		return;
	d->asked = true;
	d->next_ms = INT64_MAX;           /* those that park meanwhile bring theirs */
	d->request = (struct store_walk){
		.by = STORE_WALK_DUE, .after_ms = d->reached_ms, .until_ms = e->now_ms + leave_lead_ms(e),
		.limit = DUE_AT_ONCE, .done = walked };
	store_walk(e->store, &d->request);
}

int64_t due_next_ms(const struct engine *e)
{
	const struct due *d = &e->due;

	return d->asked || d->pending ? INT64_MAX : look_at_ms(d, leave_lead_ms(e));
}
