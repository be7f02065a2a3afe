/* load.c - a parked flow comes back: its rows are asked of the store and fed to a new run.
 *
 * Invariant: a run is fed every entry once and in order. The store carries requests out in order,
 * so its answer ends where the batch that gathered at the time of asking begins; that row and what
 * was appended since is kept in the flow's tail. */
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

static int feed_rows(struct run *r, uint64_t *seq, struct slice bytes)
{
	struct entry e;
	int rc;

	while ((rc = entry_next(&bytes, &e)) == 1)
		run_feed(r, &e, (*seq)++);
	return rc;
}

static int feed_all(struct flow *f, const struct store_load *l)
{
	uint64_t seq = 0;

	for (size_t i = 0; i < l->nrows; i++)
		if (l->rows[i].seq != seq || feed_rows(f->run, &seq, l->rows[i].bytes) < 0)
			return FISH_EFORMAT;
	if (feed_rows(f->run, &seq, buf_slice(&f->tail)) < 0 || seq != f->seq_next || !f->run->input)
		return FISH_EFORMAT;
	return 0;
}

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
		f->run = run_new(f);
		flow_waiting_none(f);
		if (feed_all(f, request) < 0)
			flow_stop(f, "its journal in the store has a hole or is damaged");
		else
			flow_begin(f);
		buf_fini(&f->tail);
		buf_init(&f->tail, SIZE_MAX);
	}
	free(l);
}

void flow_load(struct flow *f)
{
	struct engine *e = f->engine;
	struct load *l = xalloc(sizeof *l);

	CHECK(f->state == FLOW_PARKED);
	l->engine = e;
	l->flow = f;
	l->request.flow = f->id;
	l->request.done = loaded;
	list_push(&e->loads, &l->link);
	f->load = l;
	f->state = FLOW_LOADING;
	buf_reset(&f->tail);
	if (f->row_batch == e->gather->no)
		buf_put_slice(&f->tail, buf_slice(&f->row->bytes));
	store_load(e->store, &l->request);
}

void loads_free(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->loads));)
		free(container_of(l, struct load, link));
}
