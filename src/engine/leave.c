/* leave.c - which flows go out of memory, and when.
 *
 * A flow at rest is put into the gathering batch as parked, and freed when that is durable, unless
 * something came meanwhile. Invariant: nothing in memory is lost by it: what has calls, watchers, held
 * senders, children in memory or a deadline soon stays. Surprise: one that was fetched and had no news
 * goes without a write; one that must stay may still lose its stack. */
#include "engine/leave.h"

#include "engine/run.h"
#include "engine/world.h"

enum {
	PARKS_PER_BATCH = 256,        /* so that no delivery waits long behind them */
	LOOKED_AT_ONCE  = 1024,       /* flows that are looked at in one turn */
	LEAD_MS_MAX     = 5000,
};

int64_t leave_lead_ms(const struct engine *e)
{
	int64_t half = e->config.park_after_ms > 0 ? e->config.park_after_ms / 2 : 0;

	return half < LEAD_MS_MAX ? half : LEAD_MS_MAX;
}

static bool at_rest(const struct flow *f)
{
	if (f->doubt)                             /* a call, or work on a thread */
		return false;
	if (f->state == FLOW_PARKED)
		return !f->news;
	return f->state == FLOW_WAITING && !f->run->works && !f->run->awaits && !f->run->needs;
}

static bool wanted_here(const struct flow *f)
{
	return f->pins || !list_empty(&f->calls) || !list_empty(&f->holds) || !list_empty(&f->watches)
	       || !list_empty(&f->children) || !list_empty(&f->uncommitted) || !list_empty(&f->parents_link)
	       || !list_empty(&f->cancelling) || f->walking;
}

/* A cancelled parent must find its children. */
static bool winds_up(const struct flow *f)
{
	return f->cancelled || f->closing || (f->parent && (f->parent->cancelled || f->parent->closing));
}

static bool may_leave(const struct flow *f)
{
	const struct engine *e = f->engine;

	return at_rest(f) && flow_durable(f) && !wanted_here(f) && !winds_up(f)
	       && (!f->ndeadlines || f->deadlines[0].due_ms > e->now_ms + leave_lead_ms(e));
}

struct store_park leave_park(const struct flow *f)
{
	struct store_park p = {
		.flow = f->id,
		.has_key = f->has_key && !f->parent_source,
		.wake_ms = f->ndeadlines ? f->deadlines[0].due_ms : INT64_MAX,
		.untaken = f->waiting,
		.apart = flow_is_box(f),
	};

	if (f->parent_source)
		p.parent = f->parent_id;
	if (p.has_key)
		p.key = f->key;
	for (size_t i = 0; i < f->nhooks; i++)
		p.hooks += !f->hooks[i].closed && !p.apart;
	return p;
}

static void gone(struct flow *f)
{
	struct engine *e = f->engine;
	struct flow *parent = f->parent;

	store_parked_more(&e->parked, &f->park);
	if (f->park.wake_ms < e->due.next_ms)
		e->due.next_ms = f->park.wake_ms;
	e->figures.parks += f->state == FLOW_WAITING;
	flow_free(f);
	/* It may have stayed for this one only. */
	if (parent && list_empty(&parent->children) && !list_empty(&parent->idle))
		flow_idle(parent);
}

/* True: it goes, now or with the batch. */
static bool leave(struct flow *f)
{
	struct batch *b = f->engine->gather;

	if (!may_leave(f))
		return false;
	if (f->stored) {
		gone(f);
		return true;
	}
	if (!list_empty(&f->leaving) || b->nleaving >= PARKS_PER_BATCH)
		return true;
	f->park = leave_park(f);
	list_push(&b->leaving, &f->leaving);
	f->leaving_no = b->no;
	b->nleaving++;
	return true;
}

void leave_not(struct flow *f)
{
	struct batch *b = f->engine->gather;

	if (list_empty(&f->leaving) || f->leaving_no != b->no)
		return;
	list_remove(&f->leaving);
	b->nleaving--;
}

void leave_release(struct batch *b)
{
	for (struct list *l; (l = list_shift(&b->leaving));) {
		struct flow *f = container_of(l, struct flow, leaving);

		if (f->batch > b->no || f->state == FLOW_ENDED)
			continue;
		f->stored = true;
		if (may_leave(f))
			gone(f);
	}
}

/* Over the budget the longest idle go at once, until there is some room. */
static bool crowded(const struct engine *e)
{
	return e->memory + e->gather->bytes > e->config.memory_bytes / 8 * 7;
}

void leave_idle(struct engine *e)
{
	struct list seen;
	struct list *l;

	list_init(&seen);
	for (int looked = 0; looked < LOOKED_AT_ONCE && !list_empty(&e->idle); looked++) {
		struct flow *f = container_of(e->idle.next, struct flow, idle);

		if (e->config.park_after_ms > 0 && f->idle_since_ms + e->config.park_after_ms > e->now_ms
		    && !crowded(e))
			break;                    /* the others rest for less long */
		if (e->gather->nleaving >= PARKS_PER_BATCH)
			break;
		list_remove(&f->idle);
		list_push(&seen, &f->idle);
		if (leave(f))
			continue;                 /* it may be gone: not to be touched */
		/* Whoever brings what it needs wakes this very run; its works read what it holds. */
		if (f->state == FLOW_WAITING && flow_durable(f) && !f->run->needs && !f->run->works)
			flow_rest(f);
		f->idle_since_ms = e->now_ms;     /* looked at again after as long */
	}
	while ((l = list_shift(&seen)))
		list_push(&e->idle, l);
}

void leave_soon(struct engine *e)
{
	for (struct list *l = e->idle.next; l != &e->idle; l = l->next)
		container_of(l, struct flow, idle)->idle_since_ms = e->now_ms - e->config.park_after_ms;
}

int64_t leave_next_ms(const struct engine *e)
{
	if (list_empty(&e->idle) || e->config.park_after_ms < 0)
		return INT64_MAX;
	return container_of(e->idle.next, struct flow, idle)->idle_since_ms + e->config.park_after_ms;
}
