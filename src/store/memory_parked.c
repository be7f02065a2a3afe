/* memory_parked.c - the memory store's parked flows: a mark on their journals.
 *
 * Invariant: a start key in parked_keys names a flow that is parked now. Surprise: a walk
 * looks at every flow and sorts what it finds: simple, and nobody parks a million flows in
 * a store that forgets. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

/* A child's key is the hash of a message id; nobody may start a flow by that. */
static bool has_start_key(const struct store_park *park)
{
	return park->has_key && id_is_zero(&park->parent);
}

void memory_unpark(struct memory_rows *t, struct memory_flow *f)
{
	if (!f->parked)
		return;
	if (has_start_key(&f->park))
		map_remove(&t->parked_keys, &f->park.key);
	f->parked = false;
}

void memory_park(struct memory_rows *t, const struct store_park *park)
{
	struct memory_flow *f = map_get(&t->flows, &park->flow);

	CHECK(f != NULL); /* it has rows, older ones or in this commit */
	CHECK(!f->ended);
	memory_unpark(t, f);
	f->parked = true;
	f->park = *park;
	if (has_start_key(park))
		map_put(&t->parked_keys, &park->key, f);
}

int memory_parked_find(const struct memory_rows *t, struct store_find *f)
{
	const struct map *m = f->by == STORE_BY_KEY ? &t->parked_keys : &t->flows;
	const struct memory_flow *found = map_get(m, &f->what);

	if (found == NULL || !found->parked)
		return FISH_ENOTFOUND;
	f->parked = true;
	f->ended.flow = found->flow;
	return 0;
}

static bool is_walked(const struct store_walk *w, const struct memory_flow *f)
{
	bool after = memcmp(&f->flow, &w->after, sizeof f->flow) > 0;

	switch (w->by) {
	case STORE_WALK_ALL: return after;
	case STORE_WALK_CHILDREN: return after && id_eq(&f->park.parent, &w->parent);
	case STORE_WALK_DUE: return f->park.wake_ms != INT64_MAX && f->park.wake_ms > w->after_ms;
	}
	return false;
}

static int flow_order(const void *a, const void *b)
{
	const struct store_walked *left = a;
	const struct store_walked *right = b;

	return memcmp(&left->flow, &right->flow, sizeof left->flow);
}

static int due_order(const void *a, const void *b)
{
	const struct store_walked *left = a;
	const struct store_walked *right = b;

	if (left->wake_ms != right->wake_ms)
		return left->wake_ms < right->wake_ms ? -1 : 1;
	return flow_order(a, b);
}

/* How many of the n are handed out: of the due ones all of the last millisecond. */
static size_t due_page(const struct store_walk *w, size_t n)
{
	size_t page = 0;

	while (page < n && w->found[page].wake_ms <= w->until_ms &&
		(page < w->limit || w->found[page].wake_ms == w->found[page - 1].wake_ms))
		page++;
	return page;
}

void memory_parked_walk(const struct memory_rows *t, struct store_walk *w)
{
	struct arena *a = request_results(&w->request);
	bool due = w->by == STORE_WALK_DUE;
	size_t n = 0;
	size_t cursor = 0;

	w->found = arena_alloc(a, t->flows.len * sizeof *w->found);
	for (const struct memory_flow *f; (f = map_each(&t->flows, &cursor)) != NULL;) {
		if (f->parked && is_walked(w, f))
			w->found[n++] = (struct store_walked){ f->flow, f->park.wake_ms, f->park.apart };
	}
	qsort(w->found, n, sizeof *w->found, due ? due_order : flow_order);
	w->nfound = due ? due_page(w, n) : n < w->limit ? n
							: w->limit;
	w->ret_next_ms = due && w->nfound < n ? w->found[w->nfound].wake_ms : INT64_MAX;
	w->ret_more = w->nfound < n && (!due || w->ret_next_ms <= w->until_ms);
}
