/* list.h - an intrusive doubly linked list. A node that is in no list points at itself. */
#ifndef FISH_LIST_H
#define FISH_LIST_H

#include "base/base.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_push(struct list *l, struct list *node)   /* at the end */
{
	node->prev = l->prev;
	node->next = l;
	l->prev->next = node;
	l->prev = node;
}

static inline void list_unshift(struct list *l, struct list *node) /* at the front */
{
	list_push(l->next, node);
}

static inline void list_remove(struct list *node)                 /* harmless when in no list */
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

static inline struct list *list_shift(struct list *l)             /* NULL when empty */
{
	struct list *node = l->next;

	if (node == l)
		return NULL;
	list_remove(node);
	return node;
}

#endif
