/* release.c - what a run gives back before it ends, so that a loop without an end stays as big as it is.
 *
 * Invariant: a passing message is in run->passing from its feed until it is let go, and nothing of it
 * lies in the run's arena. Surprise: it goes not when it is taken but when the next one of its hook is,
 * for until then the flow reads it. */
#include "engine/run.h"
#include "engine/world.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct passing {
	struct msg   msg;          /* first: what the flow sees */
	struct list  link;         /* in run->passing */
	struct arena arena;        /* what readers handed out of it */
	char         bytes[];      /* body and meta, each with a NUL */
};

static struct slice keep(char **at, struct slice s)
{
	struct slice kept = { *at, s.len };

	if (s.len)
		memcpy(*at, s.ptr, s.len);
	*at += s.len + 1;
	return kept;
}

bool run_passes(const struct run *r, const struct entry *e)
{
	const struct hook *h = e->kind == ENTRY_MESSAGE && e->source == SOURCE_HOOK
	                               ? flow_hook(r->flow, e->number) : NULL;

	return h && h->options.release;
}

struct msg *run_passing_new(struct run *r, const struct entry *e)
{
	struct passing *p = xalloc(sizeof *p + e->body.len + e->meta.len + 2);
	char *at = p->bytes;

	arena_init(&p->arena);
	list_push(&r->passing, &p->link);
	p->msg.pub.body = keep(&at, e->body).ptr;
	p->msg.pub.len = e->body.len;
	p->msg.meta = keep(&at, e->meta);
	p->msg.arena = &p->arena;
	p->msg.passes = true;
	return &p->msg;
}

static void let_go(struct msg *m)
{
	struct passing *p = container_of(m, struct passing, msg);

	list_remove(&p->link);
	json_decref(m->json);
	arena_fini(&p->arena);
	free(p);
}

void run_passing_free(struct run *r)
{
	while (!list_empty(&r->passing))
		let_go(&container_of(r->passing.next, struct passing, link)->msg);
}

/* A gather that names one hook twice has two of its messages. */
static bool in_gather(const struct run *r, const struct msg *m)
{
	for (size_t i = 0; r->gathered && i < r->ngathered; i++)
		if (r->gathered[i] == &m->pub)
			return true;
	return false;
}

void run_took(struct run *r, struct inbox *in, struct msg *m)
{
	struct msg *before = in->held;

	if (!m->passes)
		return;
	in->held = m;
	if (before && !in_gather(r, before))
		let_go(before);
}

/* ---- a wait's own inbox ---- */

struct inbox *run_spare_inbox(struct run *r)
{
	struct inbox *in = r->spare_inboxes;

	if (!in)
		return arena_alloc(&r->arena, sizeof *in);
	r->spare_inboxes = in->spare;
	*in = (struct inbox){ .first = NULL };
	return in;
}

struct msg *run_spare_msg(struct run *r)
{
	struct msg *m = r->spare_msgs;

	if (!m)
		return arena_alloc(&r->arena, sizeof *m);
	r->spare_msgs = m->next;
	*m = (struct msg){ .next = NULL };
	return m;
}

void run_wait_over(struct run *r, struct inbox *in, struct msg *rang)
{
	CHECK(in->source == SOURCE_WAIT);
	if (rang) {
		rang->next = r->spare_msgs;
		r->spare_msgs = rang;
	}
	run_inbox_remove(r, in);
	in->spare = r->spare_inboxes;
	r->spare_inboxes = in;
}
