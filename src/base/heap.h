/* heap.h - a binary min-heap of nodes that live in their owners, by due time, then by insertion. */
#ifndef FISH_HEAP_H
#define FISH_HEAP_H

#include "base/base.h"

struct heap_node {
	int64_t  due_ms;
	uint64_t order;     /* heap's own: equal due times leave in the order they came */
	size_t   index;     /* place in the heap + 1; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;
	size_t             len, cap;
	uint64_t           order_next;
};

void              heap_init(struct heap *h);
void              heap_fini(struct heap *h);
void              heap_set(struct heap *h, struct heap_node *n, int64_t due_ms); /* inserts or moves */
void              heap_remove(struct heap *h, struct heap_node *n);              /* harmless when not in */
struct heap_node *heap_first(const struct heap *h);                              /* NULL when empty */

#endif
