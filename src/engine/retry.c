/* retry.c - a flow that stands still is run again, because somebody says so.
 *
 * Invariant: nothing is journaled for it: the flow is where its journal says. Surprise: a quarantined flow
 * has its crashes forgiven. */
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

static int retry(struct engine *e, struct flow *f)
{
	const struct seams *s = &e->config.seams;

	if (engine_away(e))
		return FISH_ESTORE;
	if (!f)
		return FISH_ENOTFOUND;
	if (f->state != FLOW_STOPPED)
		return FISH_EINVAL;
	if (!flow_durable(f))
		return FISH_EBUSY;
	if (s->forgive)
		s->forgive(s->owner, &f->id);
	free(f->why);
	f->why = NULL;
	f->state = FLOW_PARKED;
	buf_reset(&f->untaken);
	flow_load(f);
	return 0;
}

static void fetched(struct wanted *w, struct flow *f)
{
	struct retry *r = container_of(w, struct retry, want);

	r->done(r, retry(r->engine, f));
}

void engine_retry(struct engine *e, struct retry *r)
{
	r->engine = e;
	r->want = (struct wanted){ .id = r->id, .done = fetched };
	flow_want(e, &r->want);
}
