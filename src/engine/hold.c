/* hold.c - holds a sender's answer back until the flow, or the clock, has given it. */
#include "engine/hold.h"

#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

void hold_begin(struct delivery *d, struct flow *f, const struct hook *h, uint64_t seq, uint64_t batch)
{
	struct hold *o = xalloc(sizeof *o);

	*o = (struct hold){ .delivery = d, .flow = f, .seq = seq, .batch = batch };
	list_push(&f->holds, &o->link);
	int64_t from_ms = d->asked_ms ? d->asked_ms : f->engine->now_ms;

	heap_set(&f->engine->holds, &o->due, engine_wait_until(from_ms, h->options.reply_ms));
	d->status = h->options.reply_status;
	delivery_answer_reply(d, &(struct reply){ d->status, h->options.reply_lines, h->options.reply_body });
}

static struct delivery *take_out(struct hold *o)
{
	struct delivery *d = o->delivery;

	list_remove(&o->link);
	heap_remove(&o->flow->engine->holds, &o->due);
	free(o);
	return d;
}

void holds_reply(struct flow *f, uint64_t seq, const struct reply *told)
{
	struct list *next;

	for (struct list *l = f->holds.next; l != &f->holds; l = next) {
		struct hold *o = container_of(l, struct hold, link);

		next = l->next;
		if (o->seq != seq)
			continue;
		struct delivery *d = take_out(o);

		delivery_answer_reply(d, told);
		deliver_after(d, told->status, f->batch);
	}
}

static void fall_back(struct hold *o)
{
	uint64_t batch = o->batch;
	struct delivery *d = take_out(o);

	deliver_after(d, d->status, batch);
}

void holds_ring(struct engine *e)
{
	struct heap_node *n;

	while ((n = heap_first(&e->holds)) && n->due_ms <= e->now_ms)
		fall_back(container_of(n, struct hold, due));
}

void holds_end(struct flow *f)
{
	while (!list_empty(&f->holds))
		fall_back(container_of(f->holds.next, struct hold, link));
}

void holds_refuse(struct flow *f)
{
	while (!list_empty(&f->holds)) {
		struct delivery *d = take_out(container_of(f->holds.next, struct hold, link));

		delivery_answer_set(d, SLICE_NONE);
		delivery_tell(d, 503);
	}
}
