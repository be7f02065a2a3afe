/* memory_rows.c - the memory store's journals: each flow with its rows, oldest first.
 *
 * Invariant: a flow is either live (all its rows from from_seq on are kept) or in the list
 * of ended ones, oldest first. Surprise: what from_seq lets go is gone at once, so that
 * whoever still needed it is found out by the first test; and an ended flow's rows stay
 * readable for a while, here up to a bound on their bytes. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

enum { ENDED_BYTES_MAX = 16 << 20 };

struct memory_rows *memory_rows_new(void)
{
	struct memory_rows *t = xalloc(sizeof *t);

	map_init(&t->flows);
	map_init(&t->parked_keys);
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
	map_fini(&t->parked_keys);
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

/* Lets go of the rows that lie wholly below from_seq: the next one begins there or
 * below. */
static void flow_trim(struct memory_flow *f)
{
	size_t n = 0;

	while (n + 1 < f->nrows && f->rows[n + 1].seq <= f->from_seq) {
		f->bytes -= sizeof *f->rows + f->rows[n].len;
		free(f->rows[n++].bytes);
	}
	f->nrows -= n;
	memmove(f->rows, f->rows + n, f->nrows * sizeof *f->rows);
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
		.seq = row->seq,
		.last = row->last,
		.len = row->bytes.len,
		.bytes = xstrndup(
			row->bytes.len > 0 ? row->bytes.ptr : "", row->bytes.len),
	};
	f->bytes += sizeof *f->rows + row->bytes.len;
	if (row->from_seq > f->from_seq)
		f->from_seq = row->from_seq;
	flow_trim(f);
	memory_unpark(t, f);
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
		.from_seq = f->from_seq,
		.bytes = { row->bytes, row->len },
	};
}

/* Fills l in from f. */
static void flow_load(
	const struct memory_flow *f, struct store_load *l, struct arena *results)
{
	l->flow = f->flow;
	l->rows = arena_alloc(results, f->nrows * sizeof *l->rows);
	l->nrows = f->nrows;
	for (size_t i = 0; i < f->nrows; i++)
		l->rows[i] = row_view(f, &f->rows[i]);
	l->parked = f->parked;
	if (f->parked)
		l->park = f->park;
}

int memory_rows_load(const struct memory_rows *t, struct store_load *l)
{
	const struct memory_flow *f = map_get(&t->flows, &l->flow);

	if (f == NULL)
		return FISH_ENOTFOUND;
	flow_load(f, l, request_results(&l->request));
	return 0;
}

static void hand_out(const struct memory_flow *f, const struct store_recovery *r)
{
	struct arena results;
	struct store_load l = { .nrows = 0 };

	arena_init(&results);
	flow_load(f, &l, &results);
	r->flow(r->owner, &l);
	arena_fini(&results);
}

int memory_rows_recover(const struct memory_rows *t, struct store_recovery *r)
{
	size_t cursor = 0;

	r->ret_parked = (struct store_parked){ 0 };
	for (const struct memory_flow *f; (f = map_each(&t->flows, &cursor)) != NULL;) {
		if (f->parked) {
			store_parked_more(&r->ret_parked, &f->park);
		} else if (!f->ended) {
			hand_out(f, r);
		}
	}
	return 0;
}

int memory_rows_recover_flow(const struct memory_rows *t, const struct id *flow,
	const struct store_recovery *r)
{
	const struct memory_flow *f = map_get(&t->flows, flow);

	if (f != NULL && f->parked)
		hand_out(f, r);
	return 0;
}
