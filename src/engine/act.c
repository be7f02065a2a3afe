/* act.c - what a run's steps do to other flows, done when the run comes to rest.
 *
 * Invariant: an act stands in one commit with the PROGRESS that covers its step, so that it is done
 * exactly once. Surprise: it cannot be done by the step itself, which runs on the flow's small stack:
 * the other flow may have passed deadlines, and has to run first (rule 2). */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"

#include <string.h>

struct act *run_act(struct run *r)
{
	struct act *a = arena_alloc(&r->arena, sizeof *a);
	struct act **last = &r->acts;

	while (*last)
		last = &(*last)->next;
	*last = a;
	return a;
}

static struct flow *child_of(const struct run *r, uint32_t step)
{
	for (struct list *l = r->flow->children.next; l != &r->flow->children; l = l->next) {
		struct flow *child = container_of(l, struct flow, sibling);

		if (child->parent_source == SOURCE_CHILD && child->parent_number == step
		    && child->parent_epoch == r->epoch)
			return child;
	}
	return NULL;
}

static void cancel(const struct run *r, const struct act *a)
{
	struct flow *child = child_of(r, a->step);

	if (!child)
		return;
	flow_settle(child);
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
static struct delivery_key tell_key(const struct run *r, const struct act *a)
{
	uint32_t place[2] = { r->epoch, a->step };
	struct slice parts[] = {
		SLICE_LIT("tell"),
		{ (const char *)r->flow->id.b, sizeof r->flow->id.b },
		{ (const char *)place, sizeof place },
	};

	return (struct delivery_key){ .has = true, .id = hash128(parts, sizeof parts / sizeof *parts) };
}

static void tell(const struct run *r, const struct act *a)
{
	struct flow *to = map_get(&r->engine->flows, &a->flow);

	if (!to)
		return;
	flow_settle(to);
	struct hook *h = to->state == FLOW_ENDED ? NULL : hook_named(to, a->hook_name);

	if (h)
		deliver_to(to, h, a->body, SLICE_LIT("content-type: application/json\n"), tell_key(r, a));
}

void run_acts(struct run *r)
{
	while (r->acts) {
		struct act *a = r->acts;

		r->acts = a->next;
		switch (a->kind) {
		case ACT_CANCEL:
			cancel(r, a);
			break;
		case ACT_TELL:
			tell(r, a);
			break;
		}
	}
}
