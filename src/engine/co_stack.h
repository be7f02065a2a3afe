/* co_stack.h - the stacks that coroutines run on, pooled (struct co_pool, begun in
 * co.h).
 *
 * Most stacks are equal slots of regions that are mapped as they are needed; a bigger
 * one has a mapping of its own. Invariant: below each stack lies a guard page, or,
 * where the kernel has no guards left, its lowest words hold a canary. Surprise: the
 * guard is part of the slot, so a stack of the default size has one page less than its
 * name says. */
#ifndef FISH_CO_STACK_H
#define FISH_CO_STACK_H

#include "engine/co.h"

/* From best to worst. */
enum co_guard {
	CO_GUARD_MADVISE,            /* MADV_GUARD_INSTALL: splits no mapping, so a million will do */
	CO_GUARD_MPROTECT,           /* two mappings each, of the 65,530 that a process has */
	CO_GUARD_CANARY,             /* overflow is found late: at the next switch or free */
};

enum {
	CO_GUARDS_MAX    = 20000,    /* by mprotect, in one pool; the rest of them get canaries */
	CO_IDLE_WARM_MAX = 256,      /* idle slots that keep their pages */
};

struct co_stack {
	char         *low;           /* lowest usable byte */
	size_t        bytes;         /* usable: low + bytes is the top, page-aligned */
	enum co_guard guard;         /* what stands below it, or at its low end */
	bool          slot;          /* of a region, not a mapping of its own */
};

/* A pool that uses no better guard than best (less where the kernel lacks it), and at
 * most guards_max of them by mprotect: how tests reach what this kernel has no need
 * of. */
struct co_pool *co_pool_new_guarded(enum co_guard best, size_t guards_max);
/* What it came to, for figures. */
enum co_guard co_pool_guard(const struct co_pool *p);

/* Fills *ret_stack; bytes 0 means the default, above CO_STACK_BYTES_MAX is the
 * caller's error. FISH_EBUSY when the system gives no more. */
int  co_pool_take(struct co_pool *p, size_t bytes, struct co_stack *ret_stack);
/* Takes the stack back and clears *s; what lay on it is lost at once or later. */
void co_pool_give(struct co_pool *p, struct co_stack *s);

/* Aborts when something wrote over the canary; nothing to do for a stack with a guard. */
void co_stack_canary_check(const struct co_stack *s);

static inline void co_stack_check(const struct co_stack *s)
{
	if (__builtin_expect(s->guard == CO_GUARD_CANARY, 0))
		co_stack_canary_check(s);
}

#endif
