/* export.h - a flow as the lines of wire/export.h, out of a store: with an engine over it, or none. */
#ifndef FISH_ENGINE_EXPORT_H
#define FISH_ENGINE_EXPORT_H

#include "base/buf.h"
#include "store/store.h"

struct export {
	struct id   flow;
	bool        with_secrets;    /* of the keys that its URLs were made with */
	struct buf *out;             /* the lines are appended to it */
	/* 0; FISH_ENOTFOUND: no such flow, or its journal is kept no longer; FISH_EFORMAT: it is damaged. */
	void      (*done)(struct export *x, int rc);
	struct store_find find;      /* its own */
	struct store_load load;
	struct store *store;
	struct buf untaken, seen;
};

/* Tells what is durable then. done runs within a poll of the store. */
void export_ask(struct store *s, struct export *x);

#endif
