/* load.c - a flow in memory that has no run gets one: its rows are asked of the store and fed to it.
 *
 * Invariant: a run is fed every entry once and in order. The store carries requests out in order,
 * so its answer ends where the batch that gathered at the time of asking begins; that row and what
 * was appended since is kept in the flow's tail. */
#include "engine/fetch.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

/* Rows of one flow on their way from the store. Survives its flow, since the store holds it. */
struct load {
	struct store_load request;
	struct engine    *engine;
	struct flow      *flow;        /* NULL: nobody waits for it any more */
	struct list       link;        /* in engine->loads */
};

static void loaded(struct store_load *request, int rc)
{
	struct load *l = container_of(request, struct load, request);
	struct flow *f = l->flow;

	list_remove(&l->link);
	if (f)
		f->load = NULL;
	/* A commit before it was rolled back: what it read fits nothing, and all is rebuilt at once. */
	if (f && !engine_away(l->engine)) {
		CHECK(f->state == FLOW_LOADING);
		(void)rc;                         /* no row at all may be: then the tail has everything */
		if (flow_feed_run(f, request) < 0)
			flow_stop(f, "its journal in the store has a hole or is damaged");
		else
			flow_begin(f);
		buf_fini(&f->tail);
		buf_init(&f->tail, SIZE_MAX);
	}
	free(l);
}

/* Of the gathering batch, oldest first. */
static void tail_put(struct flow *f, const struct row *row)
{
	if (row->before)
		tail_put(f, row->before);
	buf_put_slice(&f->tail, buf_slice(&row->bytes));
}

void flow_load(struct flow *f)
{
	struct engine *e = f->engine;
	struct load *l = xalloc(sizeof *l);

	CHECK(f->state == FLOW_PARKED);
	CHECK(!f->run);
	list_remove(&f->idle);
	l->engine = e;
	l->flow = f;
	l->request.flow = f->id;
	l->request.done = loaded;
	list_push(&e->loads, &l->link);
	f->load = l;
	f->state = FLOW_LOADING;
	buf_reset(&f->tail);
	if (f->row_batch == e->gather->no)
		tail_put(f, f->row);
	store_load(e->store, &l->request);
}

void load_forget(struct load *l)
{
	if (l)
		l->flow = NULL;
}

void loads_free(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->loads));)
		free(container_of(l, struct load, link));
}
