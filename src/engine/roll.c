/* roll.c - the live flows in order of their ids, those in memory and parked ones alike.
 *
 * Surprise: a parked flow is fetched to be told of, and put into words as soon as it is there: it may
 * leave again before the last one has come. Boxes may be a million, and are not fetched to be passed over:
 * the store is asked for more and more ids at a time until there are enough without them. */
#include "engine/view.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

struct roll_line {
	struct id     id;
	struct buf    text;          /* empty: it has ended meanwhile */
	struct wanted wanted;
	struct roll  *roll;
};

static int by_id(const void *a, const void *b)
{
	const struct roll_line *x = a;
	const struct roll_line *y = b;

	return memcmp(x->id.b, y->id.b, sizeof x->id.b);
}

static void tell(struct roll *r, int rc)
{
	struct id last = { { 0 } };
	struct buf all;
	size_t n = 0;

	buf_init(&all, SIZE_MAX);
	for (size_t i = 0; i < r->nlines; i++) {
		struct roll_line *line = &r->lines[i];

		if (line->text.len) {
			buf_puts(&all, n++ ? ", {" : "{");
			buf_put_slice(&all, buf_slice(&line->text));
			buf_putc(&all, '}');
		}
		last = line->id;
		buf_fini(&line->text);
	}
	free(r->lines);
	r->lines = NULL;
	r->done(r, rc, buf_slice(&all), n, &last);
	buf_fini(&all);
}

static void one_less(struct roll *r)
{
	if (--r->pending == 0)
		tell(r, engine_away(r->engine) ? FISH_ESTORE : 0);
}

static void there(struct wanted *w, struct flow *f)
{
	struct roll_line *line = container_of(w, struct roll_line, wanted);

	/* What stands still is told of, whatever it is. */
	if (f && f->name && (line->roll->boxes || !flow_is_box(f) || f->state == FLOW_STOPPED))
		show_flow(&line->text, f);
	one_less(line->roll);
}

static void line_add(struct roll *r, const struct id *id)
{
	if (r->nlines == r->cap) {
		r->cap = r->cap ? 2 * r->cap : 64;
		r->lines = xrealloc(r->lines, r->cap * sizeof *r->lines);
	}
	struct roll_line *line = &r->lines[r->nlines++];

	line->id = *id;
	buf_init(&line->text, SIZE_MAX);
}

/* The first ones, in order, each once. */
static void lines_cut(struct roll *r)
{
	size_t kept = 0;

	if (r->nlines)
		qsort(r->lines, r->nlines, sizeof *r->lines, by_id);
	for (size_t i = 0; i < r->nlines; i++) {
		if (kept && id_eq(&r->lines[kept - 1].id, &r->lines[i].id))
			continue;
		if (kept == r->limit)
			break;
		r->lines[kept++] = r->lines[i];
	}
	r->nlines = kept;
}

/* What is in memory and what is parked. A hundred thousand may be in memory and few be asked for: so no more
 * are sorted at a time than twice these. */
static void merge(struct roll *r)
{
	struct engine *e = r->engine;
	size_t most = 2 * r->limit + r->nlines;
	struct id bound = r->after;      /* of the lines that were kept the last one, once there were enough */
	bool enough = false;
	const struct flow *f;

	for (size_t i = 0; (f = map_each(&e->flows, &i));) {
		if (memcmp(f->id.b, r->after.b, sizeof r->after.b) <= 0
		    || (enough && memcmp(f->id.b, bound.b, sizeof bound.b) > 0))
			continue;
		if (!r->boxes && flow_is_box(f) && f->state != FLOW_STOPPED)
			continue;
		line_add(r, &f->id);
		if (r->nlines < most)
			continue;
		lines_cut(r);
		enough = r->nlines == r->limit;
		bound = r->lines[r->nlines - 1].id;
	}
	lines_cut(r);
}

static void walk(struct roll *r, struct id after, size_t limit);

static void walked(struct store_walk *w, int rc)
{
	struct roll *r = container_of(w, struct roll, walk);

	(void)rc;
	if (engine_away(r->engine)) {
		tell(r, FISH_ESTORE);
		return;
	}
	for (size_t i = 0; i < w->nfound; i++)
		if (r->boxes || !w->found[i].apart)
			line_add(r, &w->found[i].flow);
	if (r->nlines < r->limit && w->ret_more) {
		walk(r, w->found[w->nfound - 1].flow, 2 * w->limit);
		return;
	}
	merge(r);
	r->pending = r->nlines + 1;
	for (size_t i = 0; i < r->nlines; i++) {
		r->lines[i].roll = r;
		r->lines[i].wanted = (struct wanted){ .id = r->lines[i].id, .done = there };
		flow_want(r->engine, &r->lines[i].wanted);
	}
	one_less(r);
}

static void walk(struct roll *r, struct id after, size_t limit)
{
	r->walk = (struct store_walk){
		.by = STORE_WALK_ALL, .after = after, .limit = limit < STORE_WALK_MAX ? limit : STORE_WALK_MAX,
		.done = walked };
	store_walk(r->engine->store, &r->walk);
}

void engine_list(struct engine *e, struct roll *r)
{
	r->engine = e;
	r->lines = NULL;
	r->nlines = r->cap = 0;
	if (engine_away(e)) {
		tell(r, FISH_ESTORE);
		return;
	}
	walk(r, r->after, r->limit);
}
