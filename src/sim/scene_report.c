/* scene_report.c - what came of a run: how each flow ended or where it stands, what it published and whom
 * it called with what; and how two of these differ, in words.
 *
 * Invariant: nothing in it depends on which process of a run did it. Surprise: facts are found by their label,
 * in which the flow's id stands, so the order of flows does not matter; that of a flow's calls does. */
#include "sim/scene.h"

#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

enum { DIFFERENCES_TOLD_MAX = 5 };

struct fact {
	char *label, *value;
};

struct report {
	struct fact *facts;
	size_t       n, cap;
};

static void fact(struct report *r, const struct past *p, const char *what, struct slice value)
{
	struct buf label;

	buf_init(&label, SIZE_MAX);
	buf_printf(&label, "%s %s, %s", p->name, p->text, what);
	if (r->n == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 16;
		r->facts = xrealloc(r->facts, r->cap * sizeof *r->facts);
	}
	r->facts[r->n++] = (struct fact){ buf_take(&label), xstrndup(value.len ? value.ptr : "", value.len) };
}

static void put_end(struct report *r, fish_sim *s, const struct past *p)
{
	static const char *const words[] = {
		[END_DONE] = "done", [END_FAILED] = "failed", [END_CANCELLED] = "cancelled" };
	const struct flow *f = map_get(&s->engine->flows, &p->id);
	struct buf end;

	buf_init(&end, SIZE_MAX);
	if (p->ended)
		buf_printf(&end, "%s: %s", words[p->status], p->result.ptr);
	else if (f && f->state == FLOW_STOPPED)
		buf_printf(&end, "stands still: %s", f->why);
	else
		buf_puts(&end, "has not ended");
	fact(r, p, "its end", buf_slice(&end));
	buf_fini(&end);
	if (p->ended)
		return;
	struct ask *a = ask_new(s, ASK_SHOW);

	a->show.id = p->id;
	ask_unit(a);
	fact(r, p, "where it stands", slice_of(fish_raw(a->heard, "/waiting")));
	fact(r, p, "deliveries that it has not taken", slice_of(fish_raw(a->heard, "/untaken")));
}

static void put_calls(struct report *r, const fish_sim *s, const struct past *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->ncalls; i++) {
		const struct sent *c = s->calls[i];
		struct buf what;
		struct buf call;

		if (!id_eq(&c->flow, &p->id))
			continue;
		buf_init(&what, SIZE_MAX);
		buf_init(&call, SIZE_MAX);
		buf_printf(&what, "call %u", ++n);
		buf_printf(&call, "\"%s\", %s %s\n%s%s", c->name, c->method.ptr, c->url.ptr, c->headers.ptr,
		           c->msg->body);
		fact(r, p, what.ptr, buf_slice(&call));
		buf_fini(&what);
		buf_fini(&call);
	}
}

struct report *report_new(fish_sim *s)
{
	struct report *r = xalloc(sizeof *r);

	for (struct list *l = s->pasts.next; !s->dead && l != &s->pasts; l = l->next) {
		const struct past *p = container_of(l, struct past, link);

		put_end(r, s, p);
		for (const struct published *at = p->published; at; at = at->next)
			fact(r, p, scene_text(s, "published \"%s\"", at->name), slice_of(at->value->body));
		put_calls(r, s, p);
	}
	return r;
}

struct report *report_free(struct report *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n; i++) {
		free(r->facts[i].label);
		free(r->facts[i].value);
	}
	free(r->facts);
	free(r);
	return NULL;
}

/* Mostly it stands in the same place. */
static const char *value_of(const struct report *r, const char *label, size_t guess)
{
	if (guess < r->n && strcmp(r->facts[guess].label, label) == 0)
		return r->facts[guess].value;
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->facts[i].label, label) == 0)
			return r->facts[i].value;
	return NULL;
}

/* Lines that follow stand under the first. */
static void put_side(struct buf *out, const char *side, const char *value)
{
	buf_printf(out, "\n    %s: ", side);
	for (const char *c = value ? value : "nothing"; *c; c++) {
		buf_putc(out, *c);
		if (*c == '\n')
			buf_puts(out, "           ");
	}
}

static bool put_difference(struct buf *out, const char *label, const char *plain, const char *here)
{
	if (plain && here && strcmp(plain, here) == 0)
		return false;
	buf_printf(out, "\n  %s", label);
	put_side(out, "plain", plain);
	put_side(out, "here ", here);
	return true;
}

char *report_differs(const struct report *plain, const struct report *here)
{
	struct buf out;
	int told = 0;

	buf_init(&out, SIZE_MAX);
	for (size_t i = 0; i < plain->n && told < DIFFERENCES_TOLD_MAX; i++)
		told += put_difference(&out, plain->facts[i].label, plain->facts[i].value,
		                       value_of(here, plain->facts[i].label, i));
	for (size_t i = 0; i < here->n && told < DIFFERENCES_TOLD_MAX; i++)
		if (!value_of(plain, here->facts[i].label, i))
			told += put_difference(&out, here->facts[i].label, NULL, here->facts[i].value);
	char *words = told ? buf_take(&out) : NULL;

	buf_fini(&out);
	return words;
}
