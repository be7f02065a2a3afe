/* watch.c - those who want to know of a flow's end, and those who bring it about: watch and cancel. */
#include "engine/box.h"
#include "engine/run.h"
#include "engine/world.h"

void watch_tell(struct flow *f, int rc, int status, struct slice result)
{
	struct list told;
	struct list *l;

	/* Who watches again from within done is not told of the same thing again. */
	list_init(&told);
	while ((l = list_shift(&f->watches)))
		list_push(&told, l);
	while ((l = list_shift(&told))) {
		struct watch *w = container_of(l, struct watch, link);

		w->done(w, rc, status, result);
	}
}

static void watched_found(struct store_find *find, int rc)
{
	struct watch *w = container_of(find, struct watch, find);

	if (w->forgotten) {
		w->forgotten(w);
		return;
	}
	w->done(w, rc, find->ended.status, rc < 0 ? SLICE_NONE : find->ended.result);
}

static void watched_fetched(struct wanted *want, struct flow *f)
{
	struct watch *w = container_of(want, struct watch, want);
	struct engine *e = w->engine;

	if (engine_away(e)) {
		w->done(w, FISH_ESTORE, 0, SLICE_NONE);
	} else if (f && f->state == FLOW_STOPPED && flow_durable(f)) {
		w->done(w, FISH_ESTOPPED, 0, slice_of(f->why));
	} else if (f) {
		list_push(&f->watches, &w->link);
	} else {
		w->find = (struct store_find){ .by = STORE_BY_FLOW, .what = w->id, .wants = STORE_RESULT, .done = watched_found };
		store_find(e->store, &w->find);
	}
}

void engine_watch(struct engine *e, struct watch *w)
{
	w->engine = e;
	w->forgotten = NULL;
	list_init(&w->link);
	w->want = (struct wanted){ .id = w->id, .done = watched_fetched };
	flow_want(e, &w->want);
}

void engine_unwatch(struct engine *e, struct watch *w, void (*forgotten)(struct watch *w))
{
	(void)e;
	if (!list_empty(&w->link) || !list_empty(&w->want.link)) {
		list_remove(&w->link);
		wanted_drop(&w->want);
		forgotten(w);
	} else {
		w->forgotten = forgotten;         /* the store still has its find */
	}
}

static void cancelled_found(struct store_find *find, int rc)
{
	struct cancel *c = container_of(find, struct cancel, find);

	c->done(c, rc < 0 ? FISH_ENOTFOUND : FISH_EGONE);
}

static void cancelled_fetched(struct wanted *want, struct flow *f)
{
	struct cancel *c = container_of(want, struct cancel, want);
	struct engine *e = c->engine;

	if (engine_away(e)) {
		c->done(c, FISH_ESTORE);
		return;
	}
	if (!f) {
		c->find = (struct store_find){ .by = STORE_BY_FLOW, .what = c->id, .done = cancelled_found };
		store_find(e->store, &c->find);
		return;
	}
	/* Who waits at a named door would go on waiting, and nothing would come any more. */
	if (flow_is_box(f)) {
		c->done(c, FISH_EINVAL);
		return;
	}
	flow_settle(f);
	if (f->state == FLOW_ENDED)
		c->rc = FISH_EGONE;
	else
		tree_cancel(f);
	if (flow_durable(f))
		c->done(c, c->rc);
	else
		list_push(f->batch == e->gather->no ? &e->gather->cancels : &e->inflight->cancels, &c->link);
}

void engine_cancel(struct engine *e, struct cancel *c)
{
	engine_catch_up(e);
	c->engine = e;
	c->rc = 0;
	list_init(&c->link);
	c->want = (struct wanted){ .id = c->id, .done = cancelled_fetched };
	flow_want(e, &c->want);
}
