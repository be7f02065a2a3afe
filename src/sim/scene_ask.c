/* scene_ask.c - what senders, starters and cancellers want of the engine, until they have heard.
 *
 * Invariant: an ask that a dead process or a rolled-back commit has left without an answer is made again at
 * once, the oldest first. Surprise: an ask may outlive its unit: a sender that is held for a reply. */
#include "sim/scene.h"

struct ask *ask_new(fish_sim *s, enum ask_kind kind)
{
	struct ask *a = arena_alloc(&s->arena, sizeof *a);

	a->scene = s;
	a->kind = kind;
	list_init(&a->link);
	return a;
}

static void told(struct ask *a, int rc)
{
	a->rc = rc;
	a->state = ASK_TOLD;
	list_remove(&a->link);
}

static bool lost(struct ask *a, bool refused)
{
	if (refused || a->scene->dying)
		a->state = ASK_LOST;
	return a->state == ASK_LOST;
}

/* ---- the answers ---- */

/* The answer as a message: its headers as they are kept with one. */
static const fish_msg *heard(fish_sim *s, const struct delivery *d, int status)
{
	struct slice lines = d->answer_lines;
	struct buf meta;

	buf_init(&meta, SIZE_MAX);
	if (!lines.ptr)
		buf_puts(&meta, "content-type: application/json\n");
	for (bool in_name = true; lines.len; lines.ptr++, lines.len--) {
		char c = *lines.ptr;

		in_name = in_name ? c != ':' : c == '\n';
		if (c != '\r')
			buf_putc(&meta, in_name && c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c);
	}
	const fish_msg *m = scene_msg(s, status, buf_slice(&meta), d->answer);

	buf_fini(&meta);
	return m;
}

static void delivered(struct delivery *d, int status)
{
	struct ask *a = container_of(d, struct ask, delivery);
	fish_sim *s = a->scene;

	if (lost(a, status == 503))
		return;
	a->heard = heard(s, d, status);
	told(a, status);
	scene_say(s, "delivery %.*s hears %d%s%s", (int)d->message_id.len, d->message_id.ptr, status,
	          a->heard->len ? ": " : "", a->heard->body);
	if (status >= 200 && status < 300 && !past_acked(s, d))
		scene_broken(s, "delivery %.*s was told %d and is not durable", (int)d->message_id.len,
		             d->message_id.ptr, status);
}

static void started(struct start *st, int rc, const struct id *id, bool existed, const char *why)
{
	struct ask *a = container_of(st, struct ask, start);

	(void)existed;
	if (lost(a, rc == FISH_ESTORE || rc == FISH_EBUSY))
		return;
	a->why = why ? scene_text(a->scene, "%s", why) : NULL;
	st->id = *id;
	told(a, rc);
	if (rc == 0 && !past_find(a->scene, id))
		scene_broken(a->scene, "a start was told its flow's id before it was durable");
}

static void cancelled(struct cancel *c, int rc)
{
	struct ask *a = container_of(c, struct ask, cancel);

	if (lost(a, rc == FISH_ESTORE))
		return;
	/* It was done at the first time of asking, and nobody was told. */
	told(a, rc == FISH_EGONE && !a->gone_before ? 0 : rc);
}

static void shown(struct show *sh, int rc, struct slice json)
{
	struct ask *a = container_of(sh, struct ask, show);

	if (lost(a, rc == FISH_ESTORE))
		return;
	a->heard = scene_msg(a->scene, 200, SLICE_NONE, json);
	told(a, rc);
}

/* ---- the questions ---- */

static void hand_in(struct ask *a)
{
	fish_sim *s = a->scene;

	a->state = ASK_UNDER_WAY;
	switch (a->kind) {
	case ASK_DELIVERY:
		a->delivery.done = delivered;
		if (!a->delivery.asked_ms)
			a->delivery.asked_ms = s->now_ms;
		engine_deliver(s->engine, &a->delivery);
		break;
	case ASK_START:
		a->start.done = started;
		engine_start(s->engine, &a->start);
		break;
	case ASK_CANCEL:
		a->cancel.done = cancelled;
		engine_cancel(s->engine, &a->cancel);
		break;
	case ASK_SHOW:
		a->show.done = shown;
		engine_show(s->engine, &a->show);
		break;
	}
}

void ask_unit(struct ask *a)
{
	if (a->scene->dead)
		return;
	list_push(&a->scene->asks, &a->link);
	hand_in(a);
	scene_rest(a->scene);
}

bool asks_again(fish_sim *s)
{
	for (struct list *l = s->asks.next; l != &s->asks; l = l->next) {
		struct ask *a = container_of(l, struct ask, link);

		if (a->state != ASK_LOST)
			continue;
		hand_in(a);
		return true;
	}
	return false;
}

void asks_lost(fish_sim *s)
{
	for (struct list *l = s->asks.next; l != &s->asks; l = l->next)
		container_of(l, struct ask, link)->state = ASK_LOST;
}
