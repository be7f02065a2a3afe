/* arena.h - memory that goes all at once: what a flow gets lives in its arena.
 *
 * Surprise: under ASan each allocation is a malloc of its own, so that overruns are seen. */
#ifndef FISH_ARENA_H
#define FISH_ARENA_H

#include "base/base.h"

struct arena {
	struct arena_chunk *chunks;   /* newest first */
	size_t              bytes;    /* handed out in all */
};

void  arena_init(struct arena *a);
void  arena_fini(struct arena *a);                           /* frees all; a may be used again */
__attribute__((returns_nonnull)) void *arena_alloc(struct arena *a, size_t bytes); /* zeroed, aligned for any type */
__attribute__((returns_nonnull)) char *arena_dup(struct arena *a, struct slice s); /* NUL-terminated copy */

#endif
