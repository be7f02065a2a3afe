/* arena.c - memory that goes all at once: chunks that are filled from the front.
 *
 * Invariant: bytes of a chunk are handed out once, so what calloc zeroed is zero when
 * it leaves. The newest chunk is the one being filled; an allocation too big for it
 * gets a chunk of its own behind it. Surprise: under ASan no chunk is shared, so every
 * allocation is a "big" one. */
#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

#ifndef __has_feature
#define __has_feature(feature)  0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { CHUNK_BYTES = 0 };
#else
enum { CHUNK_BYTES = 4096 - 64 };      /* a page with malloc's and our own head */
#endif

/* Above it a chunk of its own wastes less. */
enum { SHARED_BYTES_MAX = CHUNK_BYTES / 4 };

struct arena_chunk {
	struct arena_chunk *next;     /* older */
	size_t              used;
	size_t              cap;
	_Alignas(max_align_t) char data[];
};

void arena_init(struct arena *a)
{
	*a = (struct arena){ .chunks = NULL };
}

/* Newest to oldest; nothing in a chunk has a destructor. */
void arena_fini(struct arena *a)
{
	if (a == NULL)
		return;
	for (struct arena_chunk *c = a->chunks, *next = NULL; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	arena_init(a);
}

/* xalloc zeroes, which is what makes every allocation zeroed. */
static struct arena_chunk *chunk_new(size_t cap)
{
	struct arena_chunk *c = xalloc(sizeof(*c) + cap);

	c->cap = cap;
	return c;
}

/* Goes behind the newest chunk, whose free end stays in use. */
static void *alloc_alone(struct arena *a, size_t bytes)
{
	struct arena_chunk *c = chunk_new(bytes);
	struct arena_chunk **place = a->chunks == NULL ? &a->chunks : &a->chunks->next;

	c->used = bytes;
	c->next = *place;
	*place = c;
	return c->data;
}

/* From the free end of the newest chunk; what an older one has left over is given up. */
static void *alloc_shared(struct arena *a, size_t bytes)
{
	size_t step = (bytes + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct arena_chunk *c = a->chunks;

	if (c == NULL || c->cap - c->used < step) {
		c = chunk_new(CHUNK_BYTES);
		c->next = a->chunks;
		a->chunks = c;
	}
	void *ptr = c->data + c->used;

	c->used += step;
	return ptr;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
	/* Sizes that come from outside are capped long before; this is arithmetic gone
	 * wrong. */
	CHECK(bytes < SIZE_MAX / 2);
	a->bytes += bytes;
	/* Nothing asked for is still an address of its own. */
	size_t real_bytes = bytes == 0 ? 1 : bytes;

	return real_bytes > SHARED_BYTES_MAX ? alloc_alone(a, real_bytes)
	                                     : alloc_shared(a, real_bytes);
}

char *arena_dup(struct arena *a, struct slice s)
{
	CHECK(s.len < SIZE_MAX / 2);
	char *copy = arena_alloc(a, s.len + 1);

	if (s.len > 0)
		memcpy(copy, s.ptr, s.len);
	return copy;
}
