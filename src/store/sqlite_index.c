/* sqlite_index.c - the index in RAM: which young rows a resident flow has.
 *
 * Invariant: an entry is in the list of the segment that holds the oldest row its flow has
 * use for, so a segment whose list is empty, with all before it, is of use to no living
 * flow. Surprise: a flow that ended or parked has no entry; how many there are of those
 * makes no difference here. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

struct flow_rows *index_flow(struct sqlite_store *s, const struct id *flow)
{
	return map_get(&s->flows, flow);
}

static struct flow_rows *flow_rows_free(struct flow_rows *f)
{
	if (f->cap != ROWS_FEW)
		free(f->many);
	free(f);
	return NULL;
}

/* The flow's entry, made at its first young row. */
static struct flow_rows *flow_make(struct sqlite_store *s, const struct id *flow)
{
	struct flow_rows *f = map_get(&s->flows, flow);

	if (f == NULL) {
		f = xalloc(sizeof *f);
		f->flow = *flow;
		f->cap = ROWS_FEW;
		list_init(&f->link);
		map_put(&s->flows, flow, f);
	}
	return f;
}

/* The third row moves all of them to the heap. */
static void flow_put(struct flow_rows *f, struct row_at at)
{
	if (f->n == f->cap) {
		uint32_t cap = 2 * f->cap;
		struct row_at *old = f->cap == ROWS_FEW ? NULL : f->many;
		f->many = xrealloc(old, cap * sizeof *f->many);
		if (f->cap == ROWS_FEW)
			memcpy(f->many, f->few, sizeof f->few);
		f->cap = cap;
	}
	index_rows(f)[f->n++] = at;
}

/* Drops the oldest n rows, and moves the entry to the list it belongs to then. */
static void flow_drop(struct sqlite_store *s, struct flow_rows *f, uint32_t n)
{
	struct row_at *rows = index_rows(f);

	f->n -= n;
	memmove(rows, rows + n, f->n * sizeof *rows);
	list_remove(&f->link);
	struct segment *oldest = segment_by_number(s, place_segment(rows[0].place));
	CHECK(oldest != NULL); /* a segment with rows of use is young */
	list_push(&oldest->flows, &f->link);
}

struct flow_rows *index_add(struct sqlite_store *s, struct segment *seg, place at,
	const struct store_row *row, bool big)
{
	struct flow_rows *f = flow_make(s, &row->flow);

	flow_put(f, (struct row_at){ at, row->seq });
	if (f->n == 1)
		list_push(&seg->flows, &f->link);
	f->bigs = f->bigs || big;
	if (row->from_seq > f->from_seq)
		f->from_seq = row->from_seq;
	const struct row_at *rows = index_rows(f);
	uint32_t below = 0;
	while (below + 1 < f->n && rows[below + 1].seq <= f->from_seq)
		below++;
	if (below > 0)
		flow_drop(s, f, below);
	return f;
}

void index_remove(struct sqlite_store *s, struct flow_rows *f)
{
	list_remove(&f->link);
	map_remove(&s->flows, &f->flow);
	flow_rows_free(f);
}

void index_end(struct sqlite_store *s, struct flow_rows *f)
{
	const struct row_at *rows = index_rows(f);

	for (uint32_t i = 0; i < f->n; i++)
		segment_by_number(s, place_segment(rows[i].place))->ended_rows++;
	index_remove(s, f);
}

void index_aged(struct sqlite_store *s, struct flow_rows *f, uint32_t upto)
{
	const struct row_at *rows = index_rows(f);
	uint32_t n = 0;

	while (n < f->n && place_segment(rows[n].place) <= upto)
		n++;
	if (n == f->n)
		index_remove(s, f);
	else if (n > 0)
		flow_drop(s, f, n);
}

void index_fini(struct sqlite_store *s)
{
	size_t cursor = 0;

	for (struct flow_rows *f; (f = map_each(&s->flows, &cursor)) != NULL;)
		flow_rows_free(f);
	map_fini(&s->flows);
}
