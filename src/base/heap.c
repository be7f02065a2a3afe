/* heap.c - a binary min-heap of nodes that live in their owners.
 *
 * Invariant: nodes[i] is not due before nodes[(i - 1) / 2], and nodes[i]->index is i +
 * 1. Surprise: a node that is set again comes after all others of its new due time, as
 * if it had just been put in. A node must be zeroed before its first use. */
#include "base/heap.h"

#include <stdlib.h>

/* The array doubles from here and stays as large as it ever was. */
enum { HEAP_FIRST_NODES = 16 };

void heap_init(struct heap *h)
{
	*h = (struct heap){ .nodes = NULL };
}

void heap_fini(struct heap *h)
{
	if (h == NULL)
		return;
	/* The nodes outlive the heap: they must not think that they are still in it. */
	for (size_t i = 0; i < h->len; i++)
		h->nodes[i]->index = 0;
	free(h->nodes);
	heap_init(h);
}

/* A total order, so that a seeded run always wakes flows in the same order. */
static bool before(const struct heap_node *a, const struct heap_node *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms : a->order < b->order;
}

/* Every move of a node goes through here: nodes know where they are, so that a timer
 * is moved or removed without a search. */
static void place(struct heap *h, size_t i, struct heap_node *n)
{
	h->nodes[i] = n;
	n->index = i + 1;
}

/* Both sifts move n from the free place i to where it belongs. */
static void sift_up(struct heap *h, size_t i, struct heap_node *n)
{
	while (i > 0 && before(n, h->nodes[(i - 1) / 2])) {
		place(h, i, h->nodes[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(h, i, n);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *n)
{
	for (size_t child = 2 * i + 1; child < h->len; child = 2 * i + 1) {
		if (child + 1 < h->len && before(h->nodes[child + 1], h->nodes[child]))
			child++;
		if (!before(h->nodes[child], n))
			break;
		place(h, i, h->nodes[child]);
		i = child;
	}
	place(h, i, n);
}

/* A node that was moved, or came from the end of the array, may have to go either way. */
static void sift(struct heap *h, size_t i, struct heap_node *n)
{
	if (i > 0 && before(n, h->nodes[(i - 1) / 2]))
		sift_up(h, i, n);
	else
		sift_down(h, i, n);
}

void heap_set(struct heap *h, struct heap_node *n, int64_t due_ms)
{
	/* 64 bits of order do not run out. */
	n->due_ms = due_ms;
	n->order = h->order_next++;
	if (n->index != 0) {
		CHECK(n->index <= h->len);
		CHECK(h->nodes[n->index - 1] == n);    /* in this heap, not in another */
		sift(h, n->index - 1, n);
		return;
	}
	if (h->len == h->cap) {
		h->cap = h->cap == 0 ? HEAP_FIRST_NODES : h->cap * 2;
		h->nodes = xrealloc(h->nodes, h->cap * sizeof(struct heap_node *));
	}
	h->len++;
	sift_up(h, h->len - 1, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	if (n->index == 0)
		return;
	size_t i = n->index - 1;

	CHECK(i < h->len);
	CHECK(h->nodes[i] == n);
	/* The last node fills the gap. */
	struct heap_node *last = h->nodes[--h->len];

	n->index = 0;
	if (last != n)
		sift(h, i, last);
}

/* Looks only: whoever takes it removes it. */
struct heap_node *heap_first(const struct heap *h)
{
	return h->len == 0 ? NULL : h->nodes[0];
}
