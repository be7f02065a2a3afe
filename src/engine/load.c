/* load.c - a parked flow comes back: its rows are asked of the store and fed to a new run.
 *
 * Invariant: a run is fed every entry once and in order. The store carries requests out in order,
 * so its answer ends where the batch that gathered at the time of asking begins; that row and what
 * was appended since is kept in the flow's tail. */
#include "engine/run.h"
#include "engine/world.h"
#include "wire/pack.h"

#include <stdlib.h>

/* Where the flow's present life begins, and what it took along of the one before. */
struct life {
	uint64_t     begins;         /* sequence number of its START or RENEW */
	struct slice untaken;        /* of RENEW: packed numbers of messages, ascending */
	uint64_t     next;           /* the first of them not fed yet … */
	bool         has_next;       /* … if there is one */
};

typedef void entry_fn(void *to, const struct entry *e, uint64_t seq);

/* Every entry of the flow, in order. */
static int each_entry(const struct flow *f, const struct store_load *l, entry_fn *fn, void *to)
{
	uint64_t seq = 0;
	struct entry e;
	int rc = 0;

	for (size_t i = 0; i <= l->nrows; i++) {
		struct slice rest = i < l->nrows ? l->rows[i].bytes : buf_slice(&f->tail);

		if (i < l->nrows && l->rows[i].seq != seq)
			return FISH_EFORMAT;
		while ((rc = entry_next(&rest, &e)) == 1)
			fn(to, &e, seq++);
		if (rc < 0)
			return rc;
	}
	return seq == f->seq_next ? 0 : FISH_EFORMAT;
}

static void find_life(void *to, const struct entry *e, uint64_t seq)
{
	struct life *life = to;

	if (e->kind == ENTRY_RENEW)
		*life = (struct life){ .begins = seq, .untaken = e->untaken };
}

static void life_next(struct life *life)
{
	life->has_next = life->untaken.len && varint_next(&life->untaken, &life->next) == 1;
}

struct feeding {
	struct run *run;
	struct life life;
};

/* Of earlier lives only the messages that were taken along, and that the flow is cancelled. */
static void feed_entry(void *to, const struct entry *e, uint64_t seq)
{
	struct feeding *feeding = to;
	struct life *life = &feeding->life;

	if (seq >= life->begins || e->kind == ENTRY_CANCEL) {
		run_feed(feeding->run, e, seq);
	} else if (life->has_next && life->next == seq) {
		run_feed(feeding->run, e, seq);
		life_next(life);
	}
}

static int feed_all(struct flow *f, const struct store_load *l)
{
	struct feeding feeding = { .run = f->run };
	int rc = each_entry(f, l, find_life, &feeding.life);

	if (rc < 0)
		return rc;
	life_next(&feeding.life);
	rc = each_entry(f, l, feed_entry, &feeding);
	return rc < 0 || !f->run->input ? FISH_EFORMAT : 0;
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
