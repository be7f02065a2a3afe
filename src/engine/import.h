/* import.h - a flow that was exported goes on in this engine's store. */
#ifndef FISH_IMPORT_H
#define FISH_IMPORT_H

#include "engine/batch.h"
#include "engine/fetch.h"

struct exported;

struct import {
	const struct exported *flow;     /* whole; borrowed until done */
	bool           takes_keys;       /* the store may be given those that it lacks */
	/* 0: it is durable. FISH_EBUSY: try again; FISH_ESTORE: the same, the store is away; FISH_EINVAL,
	 * FISH_EFORMAT: refused, err says why, and nothing was kept but keys. existed: because a flow of
	 * that id is there. */
	void         (*done)(struct import *im, int rc);
	bool           existed;
	size_t         keys;             /* that the store was given */
	struct err     err;
	struct list    link;             /* the engine's, in batch->imports */
	struct engine *engine;
	struct store_find find;
	struct wanted  want;
};

/* One at a time. The flow is as after a restart: at rest, or run again when there is news for it, a call of
 * it is in doubt, or another build left it. */
void engine_import(struct engine *e, struct import *im);
void import_forget(struct engine *e);     /* the store is closed: what was asked of it will not come */

#endif
