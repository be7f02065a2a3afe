/* claim.c - a hook that waits at a door makes itself known to the box of its key.
 *
 * Invariant: a flow with a claim under way stays in memory, so that one which is lost to a crash is made
 * again by the restart that has the flow in memory. */
#include "base/hash.h"
#include "engine/box.h"
#include "engine/world.h"

#include <stdio.h>
#include <stdlib.h>

struct claim {
	struct list     link;          /* in engine->claims, or ->claims_asked */
	struct box_seek seek;
	struct id       flow;
	uint32_t        hook;
	bool            forgotten;     /* the engine was reset while the store had seek */
};

static void claim_free(struct claim *c)
{
	list_remove(&c->link);
	free(c);
}

static void put(struct flow *box, const struct claim *c)
{
	char id[ID_TEXT_SIZE];
	char body[ID_TEXT_SIZE + 48];
	uint32_t number = c->hook;
	struct slice parts[] = {
		SLICE_LIT("claim"), { (const char *)c->flow.b, sizeof c->flow.b }, { (const char *)&number, sizeof number } };
	struct id key = hash128(parts, sizeof parts / sizeof *parts);
	struct hook *h = flow_hook(box, BOX_CLAIMS);

	if (h->seen && seen_find(h->seen, &key, box->engine->now_ms))
		return;
	id_text(&c->flow, id);
	snprintf(body, sizeof body, "{\"flow\":\"%s\",\"hook\":%u}", id, (unsigned)number);
	flow_append(box, &(struct entry){
		.kind = ENTRY_MESSAGE, .source = SOURCE_HOOK, .number = BOX_CLAIMS, .status = 200,
		.has_key = true, .key = key, .meta = SLICE_LIT("content-type: application/json\n"), .body = slice_of(body) });
}

static void sought(struct box_seek *s, struct flow *box)
{
	struct claim *c = container_of(s, struct claim, seek);
	struct engine *e = s->engine;
	struct flow *f = c->forgotten || engine_away(e) ? NULL : map_get(&e->flows, &c->flow);
	struct hook *h = f && f->state != FLOW_ENDED ? flow_hook(f, c->hook) : NULL;

	if (box)
		flow_ring(box);                   /* what has passed comes first */
	if (box && box->state == FLOW_ENDED)
		box = NULL;
	if (h && !h->closed) {
		const struct door *d = doors_find(&e->doors, h->options.on);

		put(box ? box : box_start(e, h->options.on, h->options.key, d ? d->keep_ms : DOOR_KEEP_MS), c);
	}
	if (f)
		f->pins--;
	claim_free(c);
}

void claim_hook(struct flow *f, uint32_t number)
{
	struct claim *c = xalloc(sizeof *c);

	c->flow = f->id;
	c->hook = number;
	f->pins++;
	list_push(&f->engine->claims, &c->link);
}

void claims_of(struct flow *f)
{
	for (size_t i = 0; f->state != FLOW_ENDED && i < f->nhooks; i++)
		if (f->hooks[i].options.on.len && !f->hooks[i].closed)
			claim_hook(f, f->hooks[i].number);
}

void claims_do(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->claims));) {
		struct claim *c = container_of(l, struct claim, link);
		struct flow *f = map_get(&e->flows, &c->flow);
		const struct hook *h = f ? flow_hook(f, c->hook) : NULL;

		if (!h) {
			free(c);                  /* the flow has ended */
			continue;
		}
		list_push(&e->claims_asked, &c->link);
		c->seek = (struct box_seek){ .key = box_key(h->options.on, h->options.key), .done = sought };
		box_seek(e, &c->seek);
	}
}

/* Those that the store has are freed when it answers, and those that wait for a fetch are told by now. */
void claims_forget(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->claims));)
		free(container_of(l, struct claim, link));
	for (struct list *l = e->claims_asked.next; l != &e->claims_asked; l = l->next)
		container_of(l, struct claim, link)->forgotten = true;
}

void claims_free(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->claims_asked));)
		free(container_of(l, struct claim, link));
}
