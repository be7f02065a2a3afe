/* scene_parcel.c - deliveries on their way: late, overtaken, sent twice.
 *
 * Invariant: every one has a message id, so that a sender whom nobody answered sends it again under
 * the same. Surprise: what the scenario posts itself is handed in at its word; what comes by itself
 * waits in the queue. */
#include "sim/scene.h"

#include <string.h>

enum { FULL_PAUSE_MS = 1000, DUPLICATE_MS_MAX = 1000 };

void header_put(struct buf *out, struct slice line)
{
	bool name = true;

	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];

		name = name && c != ':';
		buf_putc(out, name && c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
	buf_putc(out, '\n');
}

static struct slice meta_of(fish_sim *s, const fish_sim_delivery *d, const char *message_id)
{
	struct buf meta;

	buf_init(&meta, SIZE_MAX);
	buf_printf(&meta, ":method: %s\n", d->method ? d->method : "POST");
	if (d->query)
		buf_printf(&meta, ":query: %s\n", d->query);
	buf_puts(&meta, ":peer: 192.0.2.1\n");
	for (const char *const *h = d->headers; h && *h; h++)
		header_put(&meta, slice_of(*h));
	if (!d->headers)
		buf_puts(&meta, "content-type: application/json\n");
	buf_printf(&meta, "webhook-id: %s\n", message_id);
	struct slice kept = scene_keep(s, buf_slice(&meta));

	buf_fini(&meta);
	return kept;
}

struct parcel *parcel_new(fish_sim *s, const char *url, const fish_sim_delivery *d)
{
	struct parcel *p = arena_alloc(&s->arena, sizeof *p);

	p->event.kind = EVENT_DELIVERY;
	p->url = scene_text(s, "%s", url ? url : "");
	/* An empty one is none, as at the door. */
	p->message_id = d->message_id && *d->message_id ? scene_text(s, "%s", d->message_id)
	                              : scene_text(s, "sim-%llu", (unsigned long long)++s->posts);
	p->meta = meta_of(s, d, p->message_id);
	p->body = scene_keep(s, (struct slice){ d->body, d->len });
	return p;
}

static struct parcel *copy_of(fish_sim *s, const struct parcel *p)
{
	struct parcel *copy = arena_alloc(&s->arena, sizeof *copy);

	*copy = *p;
	copy->event.node = (struct heap_node){ .index = 0 };
	return copy;
}

void parcel_send(fish_sim *s, struct parcel *p, int64_t after_ms)
{
	heap_set(&s->queue, &p->event.node, scene_after(s, after_ms));
}

void parcel_copies(fish_sim *s, const struct parcel *p, uint32_t copies, int64_t after_ms)
{
	for (uint32_t i = 0; i < (copies ? copies : 1); i++) {
		if (scene_percent(s, s->options->drop_percent))
			scene_say(s, "delivery %s is never sent", p->message_id);
		else
			parcel_send(s, copy_of(s, p), after_ms + scene_delay(s));
	}
}

struct ask *parcel_ask(fish_sim *s, const struct parcel *p)
{
	struct ask *a = ask_new(s, ASK_DELIVERY);
	const char *token = strstr(p->url, "/h/");

	const char *door = strstr(p->url, "/in/");

	if (door && !token)
		a->delivery.door = slice_of(door + 4);
	else
		a->delivery.token = slice_of(token ? token + 3 : p->url);
	a->delivery.body = p->body;
	a->delivery.meta = p->meta;
	a->delivery.message_id = slice_of(p->message_id);
	scene_say(s, "delivery %s: %.*s", p->message_id, (int)p->body.len, p->body.len ? p->body.ptr : "");
	ask_unit(a);
	return a;
}

void parcel_duplicate(fish_sim *s, const struct parcel *p, const struct ask *a)
{
	if (a->state != ASK_TOLD || a->rc < 200 || a->rc > 299 || !scene_percent(s, s->options->duplicate_percent))
		return;
	scene_say(s, "delivery %s will come once more", p->message_id);
	parcel_send(s, copy_of(s, p), 1 + scene_below(s, DUPLICATE_MS_MAX));
}

/* The next delivery that waits behind this one. */
static const struct parcel *next_one(const fish_sim *s)
{
	const struct heap_node *next = NULL;

	for (size_t i = 0; i < s->queue.len; i++) {
		const struct heap_node *n = s->queue.nodes[i];
		bool sooner = !next || n->due_ms < next->due_ms || (n->due_ms == next->due_ms && n->order < next->order);

		if (container_of(n, struct event, node)->kind == EVENT_DELIVERY && sooner)
			next = n;
	}
	return next ? container_of(container_of(next, struct event, node), struct parcel, event) : NULL;
}

void parcel_due(fish_sim *s, struct parcel *p)
{
	const struct parcel *next = p->overtaken ? NULL : next_one(s);

	if (next && scene_percent(s, s->options->reorder_percent)) {
		scene_say(s, "delivery %s is overtaken by %s", p->message_id, next->message_id);
		p->overtaken = true;
		parcel_send(s, p, next->event.node.due_ms - s->now_ms);
		return;
	}
	const struct ask *a = parcel_ask(s, p);

	if (a->state == ASK_TOLD && a->rc == 429)
		parcel_send(s, p, FULL_PAUSE_MS);
	else
		parcel_duplicate(s, p, a);
}
