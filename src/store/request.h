/* request.h - what the stores share about requests: naming them back, finishing them,
 * their memory.
 *
 * Invariant: a request is finished once, on the owner's thread, and not touched after its
 * done function, because the owner may free it there. */
#ifndef FISH_STORE_REQUEST_H
#define FISH_STORE_REQUEST_H

#include "base/arena.h"
#include "store/store.h"

/* The request that r is part of; r->kind says which of these may be asked. */
static inline struct store_commit *request_commit(struct store_request *r)
{
	return container_of(r, struct store_commit, request);
}

static inline struct store_load *request_load(struct store_request *r)
{
	return container_of(r, struct store_load, request);
}

static inline struct store_find *request_find(struct store_request *r)
{
	return container_of(r, struct store_find, request);
}

static inline struct store_list *request_list(struct store_request *r)
{
	return container_of(r, struct store_list, request);
}

static inline struct store_walk *request_walk(struct store_request *r)
{
	return container_of(r, struct store_walk, request);
}

/* The arena of what r hands out, made at the first call; it goes when done returns. */
__attribute__((returns_nonnull)) struct arena *request_results(struct store_request *r);

/* Gives r back to its owner: runs done with r->rc, then frees the results. */
void request_finish(struct store *s, struct store_request *r);

/* Gives r up without its done function; only the store is closed after. */
void request_drop(struct store_request *r);

#endif
