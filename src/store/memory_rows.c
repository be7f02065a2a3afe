/* memory_rows.c - the memory store's journals: rows by flow, each with its place in
 * arrival.
 *
 * Invariant: a flow is either live (all its rows are kept) or in the list of ended ones,
 * oldest first. Surprise: an ended flow's rows stay readable for a while, as they do on
 * disk until their segment goes; here the bound is on their bytes, and a flow goes with
 * all its rows. */
#include "base/list.h"
#include "base/map.h"
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ENDED_BYTES_MAX = 16 << 20 };

struct memory_row {
	uint64_t arrival;
	uint64_t seq;
	bool last;
	size_t len;
	char *bytes; /* owned */
};

struct memory_flow {
	struct id flow;
	struct list link; /* in the table's ended, once it has ended */
	bool ended;
	size_t bytes;
	struct memory_row *rows; /* owned */
	size_t nrows, cap;
};

struct memory_rows {
	struct map flows; /* flow id → struct memory_flow */
	struct list ended; /* oldest first */
	size_t ended_bytes;
	uint64_t arrival; /* of the last row; rows count from 1 */
};

struct memory_rows *memory_rows_new(void)
{
	struct memory_rows *t = xalloc(sizeof *t);

	map_init(&t->flows);
	list_init(&t->ended);
	return t;
}

static void flow_free(struct memory_flow *f)
{
	for (size_t i = 0; i < f->nrows; i++)
		free(f->rows[i].bytes);
	free(f->rows);
	free(f);
}

struct memory_rows *memory_rows_free(struct memory_rows *t)
{
	if (t == NULL)
		return NULL;
	size_t cursor = 0;
	for (struct memory_flow *f; (f = map_each(&t->flows, &cursor)) != NULL;)
		flow_free(f);
	map_fini(&t->flows);
	free(t);
	return NULL;
}

/* The flow's entry, made at its first row. */
static struct memory_flow *flow_of(struct memory_rows *t, const struct id *flow)
{
	struct memory_flow *f = map_get(&t->flows, flow);

	if (f == NULL) {
		f = xalloc(sizeof *f);
		f->flow = *flow;
		list_init(&f->link);
		map_put(&t->flows, flow, f);
	}
	return f;
}

/* Puts f among the ended ones; the oldest of these go while they are too big. */
static void flow_end(struct memory_rows *t, struct memory_flow *f)
{
	f->ended = true;
	list_push(&t->ended, &f->link);
	t->ended_bytes += f->bytes;
	while (t->ended_bytes > ENDED_BYTES_MAX) {
		struct memory_flow *old =
			container_of(list_shift(&t->ended), struct memory_flow, link);
		t->ended_bytes -= old->bytes;
		map_remove(&t->flows, &old->flow);
		flow_free(old);
	}
}

void memory_rows_add(struct memory_rows *t, const struct store_row *row)
{
	struct memory_flow *f = flow_of(t, &row->flow);

	CHECK(!f->ended); /* no row of a flow comes after its last */
	if (f->nrows == f->cap) {
		f->cap = f->cap == 0 ? 2 : 2 * f->cap;
		f->rows = xrealloc(f->rows, f->cap * sizeof *f->rows);
	}
	f->rows[f->nrows++] = (struct memory_row){
		.arrival = ++t->arrival,
		.seq = row->seq,
		.last = row->last,
		.len = row->bytes.len,
		.bytes = xstrndup(
			row->bytes.len > 0 ? row->bytes.ptr : "", row->bytes.len),
	};
	f->bytes += sizeof *f->rows + row->bytes.len;
	if (row->last)
		flow_end(t, f);
}

/* Borrows the bytes: they stand until a later commit, which is after done. */
static struct store_row row_view(
	const struct memory_flow *f, const struct memory_row *row)
{
	return (struct store_row){
		.flow = f->flow,
		.seq = row->seq,
		.last = row->last,
		.bytes = { row->bytes, row->len },
	};
}

int memory_rows_load(const struct memory_rows *t, struct store_load *l)
{
	const struct memory_flow *f = map_get(&t->flows, &l->flow);

	if (f == NULL)
		return FISH_ENOTFOUND;
	l->rows = arena_alloc(request_results(&l->request), f->nrows * sizeof *l->rows);
	l->nrows = f->nrows;
	for (size_t i = 0; i < f->nrows; i++)
		l->rows[i] = row_view(f, &f->rows[i]);
	return 0;
}

/* Rows are kept by flow, so recovery sorts them again. */
struct arrived {
	const struct memory_flow *flow;
	const struct memory_row *row;
};

static int arrived_order(const void *a, const void *b)
{
	uint64_t left = ((const struct arrived *)a)->row->arrival;
	uint64_t right = ((const struct arrived *)b)->row->arrival;

	return left < right ? -1 : left > right;
}

void memory_rows_recover(const struct memory_rows *t, const struct store_recovery *r)
{
	size_t n = 0;
	size_t cursor = 0;
	const struct memory_flow *f = NULL;

	while ((f = map_each(&t->flows, &cursor)) != NULL)
		n += f->ended ? 0 : f->nrows;
	struct arrived *all = xalloc((n + 1) * sizeof *all);
	n = 0;
	cursor = 0;
	while ((f = map_each(&t->flows, &cursor)) != NULL) {
		for (size_t i = 0; i < f->nrows && !f->ended; i++)
			all[n++] = (struct arrived){ f, &f->rows[i] };
	}
	qsort(all, n, sizeof *all, arrived_order);
	for (size_t i = 0; i < n; i++) {
		struct store_row row = row_view(all[i].flow, all[i].row);
		r->row(r->owner, &row);
	}
	free(all);
}
