/* fetch.c - asks the store for a parked flow and makes it a flow in memory again.
 *
 * Surprise: while a parent is fetched for its child's sake the child's rows are let go and asked for
 * again: they stand only as long as the store's answer does. */
#include "engine/fetch.h"

#include "engine/run.h"
#include "engine/world.h"
#include "wire/pack.h"

#include <stdlib.h>

struct fetch {
	struct store_load load;
	struct engine    *engine;
	struct id         id;
	struct list       wanted;      /* who wants it */
	struct list       link;        /* in engine->fetches */
	struct wanted     parent;      /* is fetched first … */
	bool              pinned;      /* … and stays until this one stands beside it */
	bool              orphan;      /* it has none that lives */
	bool              loading;     /* the store has load */
	bool              forgotten;   /* the engine was reset meanwhile */
};

static void loaded(struct store_load *l, int rc);

static void ask(struct fetch *x)
{
	x->loading = true;
	x->load = (struct store_load){ .flow = x->id, .done = loaded };
	store_load(x->engine->store, &x->load);
}

static void unpin_parent(struct fetch *x)
{
	struct flow *parent = x->pinned ? map_get(&x->engine->flows, &x->parent.id) : NULL;

	if (parent)
		parent->pins--;
	x->pinned = false;
}

/* Each is told of the flow as it is then: the one before may have ended it. */
static void answer(struct fetch *x)
{
	struct engine *e = x->engine;
	struct id id = x->id;
	struct list told;
	struct list *l;

	map_remove(&e->fetching, &id);
	list_remove(&x->link);
	wanted_drop(&x->parent);
	list_init(&told);
	while ((l = list_shift(&x->wanted)))
		list_push(&told, l);
	if (!x->loading)
		free(x);
	while ((l = list_shift(&told))) {
		struct wanted *w = container_of(l, struct wanted, link);

		w->done(w, map_get(&e->flows, &id));
	}
}

static void parent_there(struct wanted *w, struct flow *f)
{
	struct fetch *x = container_of(w, struct fetch, parent);

	if (f) {
		f->pins++;
		x->pinned = true;
	}
	x->orphan = !f;
	if (!engine_away(x->engine))
		ask(x);
}

/* Nobody knows what its last entries say: what would be told to it fits nothing, and it rings no more. It can be
 * cancelled. */
static void unread(struct flow *f)
{
	f->unread = true;
	f->ndeadlines = 0;
	flow_deadlines_changed(f);
	f->children_live = 0;
	for (size_t i = 0; i < f->nhooks; i++)
		f->hooks[i].closed = true;
}

static void build(struct fetch *x, const struct store_load *l)
{
	struct engine *e = x->engine;
	struct flow *f = flow_new(e, &x->id);
	bool fits = flow_feed_rows(f, l) == 0;

	if (!f->name)
		f->name = xstrndup("?", 1);
	flow_link(f);
	unpin_parent(x);
	f->news = false;                          /* it was at rest when it was parked: it had seen all */
	f->stored = true;
	f->park = l->park;
	store_parked_less(&e->parked, &l->park);
	if (!fits)
		unread(f);
	if (fits && flow_feed_run(f, l) == 0)
		flow_idle(f);
	else
		flow_stop(f, "its journal in the store has a hole or is damaged");
}

static void loaded(struct store_load *l, int rc)
{
	struct fetch *x = container_of(l, struct fetch, load);
	struct engine *e = x->engine;

	x->loading = false;
	if (x->forgotten) {
		list_remove(&x->link);
		free(x);
		return;
	}
	if (rc == 0 && l->parked && !id_is_zero(&l->park.parent) && !x->orphan
	    && !map_get(&e->flows, &l->park.parent)) {
		x->parent = (struct wanted){ .id = l->park.parent, .done = parent_there };
		list_init(&x->parent.link);
		flow_want(e, &x->parent);
		return;
	}
	if (rc == 0 && l->parked)
		build(x, l);
	else
		unpin_parent(x);
	answer(x);
}

void flow_want(struct engine *e, struct wanted *w)
{
	struct flow *f = map_get(&e->flows, &w->id);
	struct fetch *x = map_get(&e->fetching, &w->id);

	list_init(&w->link);
	if (f || engine_away(e)) {
		w->done(w, f);
		return;
	}
	if (!x) {
		x = xalloc(sizeof *x);
		x->engine = e;
		x->id = w->id;
		list_init(&x->wanted);
		list_init(&x->link);
		list_init(&x->parent.link);
		list_push(&e->fetches, &x->link);
		map_put(&e->fetching, &x->id, x);
		list_push(&x->wanted, &w->link);
		ask(x);
		return;
	}
	list_push(&x->wanted, &w->link);
}

void wanted_drop(struct wanted *w)
{
	list_remove(&w->link);
}

/* The flows are gone by now, so nobody is pinned. */
void fetches_forget(struct engine *e)
{
	struct list all;
	struct list *l;

	list_init(&all);
	while ((l = list_shift(&e->fetches)))
		list_push(&all, l);
	while ((l = list_shift(&all))) {
		struct fetch *x = container_of(l, struct fetch, link);
		bool loading = x->loading;

		if (x->forgotten) {
			list_push(&e->fetches, &x->link);
			continue;
		}
		x->forgotten = true;
		x->pinned = false;
		answer(x);
		if (loading)
			list_push(&e->fetches, &x->link);
	}
}

void fetches_free(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->fetches));)
		free(container_of(l, struct fetch, link));
}

/* ---- feeding ---- */

/* Where the flow's present life begins, and what it took along of the one before. */
struct life {
	uint64_t     begins;         /* sequence number of its START or RENEW */
	struct slice untaken;        /* of RENEW: packed numbers of messages, ascending */
};

typedef int entry_fn(void *to, const struct entry *e, uint64_t seq);

/* Every entry that is there, in order, with what was appended while the rows were asked for. */
static int each_entry(const struct flow *f, const struct store_load *l, entry_fn *fn, void *to)
{
	uint64_t seq = l->nrows ? l->rows[0].seq : 0;
	struct entry e;
	int rc = 0;

	for (size_t i = 0; i <= l->nrows && rc >= 0; i++) {
		struct slice rest = i < l->nrows ? l->rows[i].bytes : buf_slice(&f->tail);

		if (i < l->nrows && l->rows[i].seq != seq)
			return FISH_EFORMAT;
		while (rc >= 0 && (rc = entry_next(&rest, &e)) == 1)
			rc = fn(to, &e, seq++);
	}
	return rc < 0 ? rc : 0;
}

static int find_life(void *to, const struct entry *e, uint64_t seq)
{
	struct life *life = to;

	if (e->kind == ENTRY_RENEW)
		*life = (struct life){ .begins = seq, .untaken = e->untaken };
	return 0;
}

/* The messages that a life took along come in order, one after the other. */
struct feeding {
	struct flow *flow;
	struct life  life;
	uint64_t     next;           /* the first of them not fed yet … */
	bool         has_next;       /* … if there is one */
	uint64_t     end;            /* number of the entry that would come next */
};

static void taken_next(struct feeding *x)
{
	x->has_next = x->life.untaken.len && varint_next(&x->life.untaken, &x->next) == 1;
}

static bool taken_along(struct feeding *x, uint64_t seq)
{
	if (!x->has_next || x->next != seq)
		return false;
	taken_next(x);
	return true;
}

static int begin_feeding(struct feeding *x, struct flow *f, const struct store_load *l)
{
	*x = (struct feeding){ .flow = f };
	int rc = each_entry(f, l, find_life, &x->life);

	taken_next(x);
	return rc;
}

/* Of earlier lives only the messages that were taken along, and that the flow is cancelled. */
static int feed_run(void *to, const struct entry *e, uint64_t seq)
{
	struct feeding *x = to;

	x->end = seq + 1;
	if (seq >= x->life.begins || taken_along(x, seq) || e->kind == ENTRY_CANCEL)
		run_feed(x->flow->run, e, seq);
	return 0;
}

int flow_feed_run(struct flow *f, const struct store_load *l)
{
	struct feeding x;
	int rc = begin_feeding(&x, f, l);

	if (rc < 0)
		return rc;
	f->run = run_new(f);
	flow_waiting_none(f);
	rc = each_entry(f, l, feed_run, &x);
	return rc < 0 || !f->run->input || x.end != f->seq_next ? FISH_EFORMAT : 0;
}

static int feed_origin(void *to, const struct entry *e, uint64_t seq)
{
	struct feeding *x = to;

	return seq == x->life.begins || seq == x->life.begins + 1 ? flow_feed(x->flow, e) : 0;
}

static int feed_since(void *to, const struct entry *e, uint64_t seq)
{
	struct feeding *x = to;

	if (seq < x->life.begins && taken_along(x, seq))
		flow_feed_taken_along(x->flow, e);
	return seq > x->life.begins + 1 ? flow_feed(x->flow, e) : 0;
}

static int feed_any(void *to, const struct entry *e, uint64_t seq)
{
	struct feeding *x = to;

	if ((e->kind == ENTRY_START) != (seq == 0))
		return FISH_EFORMAT;
	return flow_feed(x->flow, e);
}

int flow_feed_rows(struct flow *f, const struct store_load *l)
{
	struct feeding x;
	int rc = begin_feeding(&x, f, l);

	if (rc < 0 || !l->nrows)
		return FISH_EFORMAT;
	if (l->rows[0].seq == 0)
		return each_entry(f, l, feed_any, &x);
	/* Its beginning is gone. RENEW and DOOR, which stand together, are all that is needed of it. */
	f->seq_next = x.life.begins;
	rc = each_entry(f, l, feed_origin, &x);
	if (rc < 0 || !f->name)
		return FISH_EFORMAT;
	return each_entry(f, l, feed_since, &x);
}
