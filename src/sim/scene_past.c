/* scene_past.c - what became durable of each flow, read from the commits as they are made.
 *
 * Invariant: what stands here stands in the store; a crash takes nothing of it away. */
#include "sim/scene.h"

#include "base/hash.h"

#include <string.h>

struct past *past_find(const fish_sim *s, const struct id *id)
{
	return map_get(&s->past_by_id, id);
}

struct past *past_named(const fish_sim *s, const char *text)
{
	struct id id;

	if (!text || id_parse(slice_of(text), &id) < 0)
		return NULL;
	return past_find(s, &id);
}

/* A delivery is known by flow, hook and message id. */
static struct id acked_key(const struct id *flow, uint32_t hook, const struct id *key)
{
	struct slice parts[] = {
		{ (const char *)flow->b, sizeof flow->b },
		{ (const char *)&hook, sizeof hook },
		{ (const char *)key->b, sizeof key->b },
	};

	return hash128(parts, sizeof parts / sizeof *parts);
}

bool past_acked(const fish_sim *s, const struct delivery *d)
{
	struct id key = acked_key(&d->flow, d->hook, &d->key);

	/* It has no id to be known by, or was for nobody. */
	if (d->door.len && !d->has_key)
		return true;
	return map_get(&s->acked, &key) != NULL;
}

static void acked(fish_sim *s, const struct id *flow, const struct entry *e)
{
	struct id key = acked_key(flow, e->number, &e->key);

	map_put(&s->acked, &key, s);
}

static struct past *began(fish_sim *s, const struct id *id, const struct entry *e)
{
	struct past *p = arena_alloc(&s->arena, sizeof *p);

	p->id = *id;
	id_text(id, p->text);
	p->name = arena_dup(&s->arena, e->name);
	list_push(&s->pasts, &p->link);
	map_put(&s->past_by_id, id, p);
	s->durable++;
	/* One that a named door started has no parent: then e->flow is zero, as in the delivery. */
	if ((e->source == SOURCE_HOOK || !e->source) && e->has_key)
		acked(s, &e->flow, e);
	scene_say(s, "%s %s begins with %.*s", p->name, p->text, (int)e->body.len,
	          e->body.len ? e->body.ptr : "");
	return p;
}

static void publish(fish_sim *s, struct past *p, const struct entry *e)
{
	struct published **at = &p->published;

	while (*at && !slice_eq(slice_of((*at)->name), e->name))
		at = &(*at)->next;
	if (!*at) {
		*at = arena_alloc(&s->arena, sizeof **at);
		(*at)->name = arena_dup(&s->arena, e->name);
	}
	(*at)->value = scene_msg(s, 200, SLICE_NONE, e->body);
}

static void end(fish_sim *s, struct past *p, const struct entry *e)
{
	static const char *const words[] = {
		[END_DONE] = "done", [END_FAILED] = "failed", [END_CANCELLED] = "cancelled" };

	p->ended = true;
	p->status = (enum end_status)e->status;
	p->result = scene_keep(s, e->status == END_DONE ? e->body : e->name);
	scene_say(s, "%s %s is %s: %s", p->name, p->text, words[p->status], p->result.ptr);
}

static void take(fish_sim *s, const struct id *id, const struct entry *e)
{
	struct past *p = e->kind == ENTRY_START ? began(s, id, e) : past_find(s, id);

	CHECK(p);                                 /* START is a flow's first entry */
	switch (e->kind) {
	case ENTRY_MESSAGE:
		if (e->source == SOURCE_HOOK && e->has_key)
			acked(s, id, e);
		break;
	case ENTRY_PUBLISH:
		publish(s, p, e);
		break;
	case ENTRY_PROGRESS:
		p->steps = e->number;
		break;
	case ENTRY_RENEW:
		p->epoch++;
		p->steps = 0;
		break;
	case ENTRY_END:
		end(s, p, e);
		break;
	case ENTRY_START:
	case ENTRY_HOOK:
	case ENTRY_TIMEOUT:
	case ENTRY_RESULT:
	case ENTRY_PATCH:
	case ENTRY_CLOSED:
	case ENTRY_REPLY:
	case ENTRY_ANSWER:
	case ENTRY_CHILDREN:
	case ENTRY_CANCEL:
	case ENTRY_BORN:
	case ENTRY_DOOR:
		break;
	}
}

void past_commit(fish_sim *s, const struct store_commit *c)
{
	for (size_t i = 0; i < c->nrows; i++) {
		struct slice rest = c->rows[i].bytes;
		struct entry e;

		while (entry_next(&rest, &e) == 1)
			take(s, &c->rows[i].flow, &e);
	}
}
