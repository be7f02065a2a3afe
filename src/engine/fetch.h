/* fetch.h - a parked flow comes back into memory, because somebody wants it.
 *
 * Invariants: a flow in memory has its parent in memory, so a parent is fetched before its child;
 * however many want a flow, it is asked of the store once. Surprise: what is handed over is fed and
 * at rest, and its code runs only when there is news for it. */
#ifndef FISH_FETCH_H
#define FISH_FETCH_H

#include "base/id.h"
#include "base/list.h"
#include "store/store.h"

struct engine;
struct flow;

/* Somebody who wants a flow that may be parked. */
struct wanted {
	struct id id;
	/* Once, maybe at once. NULL: no such flow lives, or the store is away (engine_away tells). */
	void (*done)(struct wanted *w, struct flow *f);
	struct list link;              /* fetch's; in no list: not under way */
};

void flow_want(struct engine *e, struct wanted *w);
void wanted_drop(struct wanted *w);              /* done will not be called */
void fetches_forget(struct engine *e);           /* a reset: all who want are told NULL */
void fetches_free(struct engine *e);             /* the store is closed: its answers will not come */
/* The run of a flow from its rows, fed and not begun. FISH_EFORMAT: they do not fit. */
int  flow_feed_run(struct flow *f, const struct store_load *l);
/* What the door knows, from a flow's rows: all of them, or from its last DOOR on when older ones are gone. */
int  flow_feed_rows(struct flow *f, const struct store_load *l);

#endif
