/* memory_ended.c - the memory store's ended flows, in order of their end.
 *
 * Invariant: a row's place is the first row's place plus its distance from it, so that a
 * page of the list starts by arithmetic. Surprise: a start key may stand in two rows (the
 * older one may not have been dropped yet when its key was used again); the key names the
 * younger. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

struct ended_row {
	struct store_ended ended; /* its slices point into bytes */
	char bytes[];
};

struct memory_ended {
	struct ended_row **rows; /* rows[start] is the oldest, rows[end - 1] the newest */
	size_t start, end, cap;
	uint64_t first_place; /* of rows[start] */
	struct map by_flow, by_key;
};

struct memory_ended *memory_ended_new(void)
{
	struct memory_ended *t = xalloc(sizeof *t);

	t->first_place = 1;
	map_init(&t->by_flow);
	map_init(&t->by_key);
	return t;
}

struct memory_ended *memory_ended_free(struct memory_ended *t)
{
	if (t == NULL)
		return NULL;
	for (size_t i = t->start; i < t->end; i++)
		free(t->rows[i]);
	free(t->rows);
	map_fini(&t->by_flow);
	map_fini(&t->by_key);
	free(t);
	return NULL;
}

/* Copies s to *at, which moves behind it. */
static struct slice copy_to(char **at, struct slice s)
{
	struct slice copy = { *at, s.len };

	if (s.len > 0)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return copy;
}

/* One allocation: the row and its four texts go together. */
static struct ended_row *ended_row_new(const struct store_ended *e)
{
	size_t bytes = e->name.len + e->result.len + e->seen.len + e->untaken.len;
	struct ended_row *row = xalloc(sizeof *row + bytes);
	char *at = row->bytes;

	row->ended = *e;
	row->ended.name = copy_to(&at, e->name);
	row->ended.result = copy_to(&at, e->result);
	row->ended.seen = copy_to(&at, e->seen);
	row->ended.untaken = copy_to(&at, e->untaken);
	return row;
}

/* A child's key is the hash of a message id; nobody may start a flow by that. */
static bool has_start_key(const struct store_ended *e)
{
	return e->has_key && id_is_zero(&e->parent);
}

void memory_ended_add(struct memory_ended *t, const struct store_ended *e)
{
	CHECK(map_get(&t->by_flow, &e->flow) == NULL); /* a flow ends once */
	/* Room that expired rows left in front is used again once it is half of all. */
	if (t->end == t->cap && t->start > t->cap / 2) {
		memmove(t->rows, t->rows + t->start,
			(t->end - t->start) * sizeof(void *));
		t->end -= t->start;
		t->start = 0;
	}
	if (t->end == t->cap) {
		t->cap = t->cap == 0 ? 64 : 2 * t->cap;
		t->rows = xrealloc(t->rows, t->cap * sizeof(void *));
	}
	struct ended_row *row = ended_row_new(e);
	t->rows[t->end++] = row;
	map_put(&t->by_flow, &e->flow, row);
	if (has_start_key(e))
		map_put(&t->by_key, &e->key, row);
}

void memory_ended_expire(struct memory_ended *t, int64_t now_ms, size_t rows_max)
{
	for (size_t n = 0; n < rows_max && t->start < t->end; n++) {
		struct ended_row *row = t->rows[t->start];
		if (row->ended.ended_ms >= now_ms - SEEN_WINDOW_MS)
			return;
		map_remove(&t->by_flow, &row->ended.flow);
		/* The key may have been used again, and then names a younger row. */
		if (map_get(&t->by_key, &row->ended.key) == row)
			map_remove(&t->by_key, &row->ended.key);
		free(row);
		t->start++;
		t->first_place++;
	}
}

int memory_ended_find(const struct memory_ended *t, struct store_find *f)
{
	const struct map *m = f->by == STORE_BY_KEY ? &t->by_key : &t->by_flow;
	const struct ended_row *row = map_get(m, &f->what);

	if (row == NULL)
		return FISH_ENOTFOUND;
	f->ended = row->ended;
	/* Nothing is saved here; but who forgets to ask is to learn it from any store. */
	if ((f->wants & STORE_RESULT) == 0)
		f->ended.result = SLICE_NONE;
	if ((f->wants & STORE_UNTAKEN) == 0)
		f->ended.untaken = SLICE_NONE;
	if ((f->wants & STORE_SEEN) == 0)
		f->ended.seen = SLICE_NONE;
	return 0;
}

void memory_ended_list(const struct memory_ended *t, struct store_list *l)
{
	uint64_t place_after =
		t->first_place + (t->end - t->start); /* the newest row's + 1 */
	uint64_t before =
		l->before != 0 && l->before < place_after ? l->before : place_after;
	size_t there = before > t->first_place ? (size_t)(before - t->first_place) : 0;
	size_t n = there < l->limit ? there : l->limit;

	if (n == 0)
		return;
	l->ended = arena_alloc(request_results(&l->request), n * sizeof *l->ended);
	l->nended = n;
	for (size_t i = 0; i < n; i++)
		l->ended[i] = t->rows[t->start + there - 1 - i]->ended;
	if (n < there)
		l->ret_next = before - n;
}
