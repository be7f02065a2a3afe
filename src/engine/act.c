/* act.c - what flows do to others, done when no flow is on the CPU.
 *
 * Surprise: it cannot be done by the step itself, which runs on the flow's small stack, nor while that
 * flow comes to rest: the other one may be the same, or tell it something back. */
#include "engine/act.h"

#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

struct act *act_new(struct run *r, enum act_kind kind, uint32_t step)
{
	struct act *a = xalloc(sizeof *a);

	a->kind = kind;
	a->from = r->flow->id;
	a->epoch = r->epoch;
	a->step = step;
	buf_init(&a->meta, SIZE_MAX);
	buf_init(&a->body, SIZE_MAX);
	list_push(&r->acts, &a->link);
	return a;
}

static void act_free(struct act *a)
{
	buf_fini(&a->meta);
	buf_fini(&a->body);
	free(a->hook_name);
	free(a);
}

void acts_drop(struct list *acts)
{
	for (struct list *l; (l = list_shift(acts));)
		act_free(container_of(l, struct act, link));
}

void acts_queue(struct run *r)
{
	for (struct list *l; (l = list_shift(&r->acts));)
		list_push(&r->engine->acts, l);
}

/* The step saw to it that the other flow is in memory if it lives. */
static void cancel(struct engine *e, const struct act *a)
{
	struct flow *child = map_get(&e->flows, &a->to);

	if (!child || child->state == FLOW_ENDED)
		return;
	flow_ring(child);
	tree_cancel(child);
}

static struct hook *hook_named(struct flow *f, const char *name)
{
	for (size_t i = 0; i < f->nhooks; i++)
		if (!f->hooks[i].closed && strcmp(f->hooks[i].name, name) == 0)
			return &f->hooks[i];
	return NULL;
}

/* The message id makes one delivery of it, whatever is replayed. */
static struct delivery_key tell_key(const struct act *a)
{
	uint32_t place[2] = { a->epoch, a->step };
	struct slice parts[] = {
		SLICE_LIT("tell"),
		{ (const char *)a->from.b, sizeof a->from.b },
		{ (const char *)place, sizeof place },
	};

	return (struct delivery_key){ .has = true, .id = hash128(parts, sizeof parts / sizeof *parts) };
}

static void tell(struct engine *e, const struct act *a)
{
	struct flow *to = map_get(&e->flows, &a->to);

	if (!to)
		return;
	flow_ring(to);
	struct hook *h = to->state == FLOW_ENDED ? NULL : hook_named(to, a->hook_name);

	if (!h)
		return;
	uint32_t number = h->number;

	deliver_to(to, h, buf_slice(&a->body), SLICE_LIT("content-type: application/json\n"), tell_key(a));
	deliver_shots(to, number);
}

static enum act_outcome hand_on(struct engine *e, const struct act *a)
{
	struct flow *to = map_get(&e->flows, &a->to);

	if (to) {
		flow_ring(to);
		deliver_look(to, a->hook, message_bytes(buf_slice(&a->meta), buf_slice(&a->body)));
	}
	struct hook *h = to && to->state != FLOW_ENDED ? flow_hook(to, a->hook) : NULL;

	if (!h || h->closed)
		return ACT_NOBODY;
	if (a->kind == ACT_LOOK)
		return ACT_DONE;
	if (!h->each && deliver_full(to, h, message_bytes(buf_slice(&a->meta), buf_slice(&a->body))))
		return ACT_NO_ROOM;
	deliver_to(to, h, buf_slice(&a->body), buf_slice(&a->meta), tell_key(a));
	deliver_shots(to, a->hook);
	return ACT_DONE;
}

/* In one batch with what was done to the other flow. */
static void say(struct engine *e, const struct act *a, enum act_outcome outcome)
{
	struct flow *from = map_get(&e->flows, &a->from);
	char digit = (char)('0' + outcome);

	if (from && from->state != FLOW_ENDED)
		flow_append(from, &(struct entry){
			.kind = ENTRY_RESULT, .number = a->step, .name = SLICE_LIT("handed on"), .body = { &digit, 1 } });
}

void acts_do(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->acts));) {
		struct act *a = container_of(l, struct act, link);

		switch (a->kind) {
		case ACT_CANCEL:
			cancel(e, a);
			break;
		case ACT_TELL:
			tell(e, a);
			break;
		case ACT_HAND_ON:
		case ACT_LOOK:
			say(e, a, hand_on(e, a));
			break;
		}
		act_free(a);
	}
}
