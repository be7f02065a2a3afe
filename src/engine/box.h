/* box.h - a box: a flow of Fish's own that stands at a named door for one key.
 *
 * Its hook "in" gets what comes to the door for that key, its hook "claims" the hooks of other flows that
 * wait for it; it hands the one on to the other, or keeps it until somebody comes. So early deliveries,
 * claims and the ids of repetitions are journal entries like all others: they are parked, survive crashes
 * and are told of by `show` without a table of their own in the store. Invariant: at most one box of a
 * key lives, for it is found by its start key. Surprise: a claim is made after the commit of its HOOK, or
 * with it, and again at each start by flows in memory: the box knows it when it has had it. */
#ifndef FISH_BOX_H
#define FISH_BOX_H

#include "base/buf.h"
#include "engine/fetch.h"
#include "store/store.h"

#include <fish.h>

struct engine;
struct flow;

enum { BOX_IN, BOX_CLAIMS };                     /* numbers of its hooks */
enum { BOX_WAITING_MAX = 1000 };                 /* deliveries in it that nobody has taken */

/* The start key of the box of that key at that door. */
struct id box_key(struct slice door, struct slice key);

/* Looks for a box, in memory and in the store. */
struct box_seek {
	struct id key;                           /* box_key */
	/* Once, maybe at once. NULL: there is none that lives, or the store is away (engine_away tells). */
	void (*done)(struct box_seek *s, struct flow *box);
	struct store_find find;                  /* the engine's */
	struct wanted     want;
	struct engine    *engine;
};
void box_seek(struct engine *e, struct box_seek *s);

/* When none lives. keep_ms: of the door. */
struct flow *box_start(struct engine *e, struct slice door, struct slice key, int64_t keep_ms);
/* The function of a box. */
void box_run(fish_flow *f, const fish_msg *in);
/* Its hooks have no URLs: what comes to a box has passed the door, where its sender was asked. */
bool flow_is_box(const struct flow *f);
/* The same of one that may have ended: no flow of a program has such a name. */
bool box_has_name(struct slice name);

/* claim.c: hooks with the options .on and .key make themselves known to their box. */
void claims_of(struct flow *f);                  /* of all its open ones */
void claim_hook(struct flow *f, uint32_t number);
void claims_do(struct engine *e);                /* those that were made since */
void claims_forget(struct engine *e);            /* a reset */
void claims_free(struct engine *e);              /* the store is closed */

#endif
