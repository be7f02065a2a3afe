/* sqlite_index.c - the index in RAM: which rows a flow has, and which flows a segment
 * holds.
 *
 * Invariant: a segment's live counts the flows with rows in it that have not ended, and a
 * flow's entry lives exactly as long as some segment with rows of it. Surprise: most
 * flows have two rows (its start, and all that followed in one later commit), so two
 * places fit into the entry itself. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

struct flow_rows *index_flow(struct sqlite_store *s, const struct id *flow)
{
	return map_get(&s->flows, flow);
}

static place *places_of(struct flow_rows *f)
{
	return f->cap == ROWS_FEW ? f->few : f->many;
}

const place *index_places(const struct flow_rows *f)
{
	return f->cap == ROWS_FEW ? f->few : f->many;
}

static struct flow_rows *flow_rows_free(struct flow_rows *f)
{
	if (f->cap != ROWS_FEW)
		free(f->many);
	free(f);
	return NULL;
}

/* The flow's entry, made at its first row. */
static struct flow_rows *flow_make(struct sqlite_store *s, const struct id *flow)
{
	struct flow_rows *f = map_get(&s->flows, flow);

	if (f == NULL) {
		f = xalloc(sizeof *f);
		f->flow = *flow;
		f->cap = ROWS_FEW;
		map_put(&s->flows, flow, f);
	}
	return f;
}

/* The third place moves all of them to the heap. */
static void flow_put(struct flow_rows *f, place p)
{
	if (f->n == f->cap) {
		uint32_t cap = 2 * f->cap;
		place *old = f->cap == ROWS_FEW ? NULL : f->many;
		place *many = xrealloc(old, cap * sizeof *many);
		if (f->cap == ROWS_FEW)
			memcpy(many, f->few, sizeof f->few);
		f->many = many;
		f->cap = cap;
	}
	places_of(f)[f->n++] = p;
}

/* f has rows in seg from now on; called once for each pair. */
static void segment_put(struct segment *seg, struct flow_rows *f)
{
	if (seg->nflows == seg->cap) {
		seg->cap = seg->cap == 0 ? 64 : 2 * seg->cap;
		seg->flows = xrealloc(seg->flows, seg->cap * sizeof *seg->flows);
	}
	seg->flows[seg->nflows++] = f;
}

void index_add(struct sqlite_store *s, struct segment *seg, const struct id *flow,
	uint64_t rowid)
{
	struct flow_rows *f = flow_make(s, flow);
	const place *places = index_places(f);

	/* Rows come in order of arrival, so a segment that already holds the flow holds
	 * its last row. */
	if (f->n == 0 || place_segment(places[f->n - 1]) != seg->number) {
		segment_put(seg, f);
		seg->live += f->ended_in == 0;
	}
	flow_put(f, (place)seg->number << PLACE_ROWID_BITS | rowid);
}

void index_end(struct sqlite_store *s, struct segment *seg, const struct id *flow)
{
	struct flow_rows *f = map_get(&s->flows, flow);

	CHECK(f != NULL); /* its rows were added before it ended */
	if (f->ended_in != 0)
		return;
	f->ended_in = seg->number;
	/* Places are in order, so those of one segment stand together. */
	const place *places = index_places(f);
	uint32_t before = 0;
	for (uint32_t i = 0; i < f->n; i++) {
		uint32_t number = place_segment(places[i]);
		if (number != before)
			segment_by_number(s, number)->live--;
		before = number;
	}
}

/* Takes the places in seg away from f; frees f when there are no others. */
static void flow_leave(
	struct sqlite_store *s, struct flow_rows *f, const struct segment *seg)
{
	place *places = places_of(f);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < f->n; i++) {
		if (place_segment(places[i]) != seg->number)
			places[kept++] = places[i];
	}
	f->n = kept;
	if (kept == 0) {
		map_remove(&s->flows, &f->flow);
		flow_rows_free(f);
	} else if (f->ended_in == seg->number) {
		f->ended_in = place_segment(
			places[0]); /* segment_drop has put the mark there */
	}
}

void index_drop(struct sqlite_store *s, struct segment *seg)
{
	CHECK(seg->live == 0); /* segment_tidy looked */
	for (size_t i = 0; i < seg->nflows; i++)
		flow_leave(s, seg->flows[i], seg);
	seg->nflows = 0;
}

void index_fini(struct sqlite_store *s)
{
	size_t cursor = 0;

	for (struct flow_rows *f; (f = map_each(&s->flows, &cursor)) != NULL;)
		flow_rows_free(f);
	map_fini(&s->flows);
}
