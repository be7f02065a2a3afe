/* sqlite_check.h - what the files of the check share, and nobody else: sqlite_check.c opens a file and
 * judges its tables, sqlite_check_flow.c one flow's journal.
 *
 * Invariant: the file is read and never written. Surprise: it is the same struct as an open store's, but
 * without a thread and with statements that only read, so that the index of what is young is built as a
 * restart builds it. */
#ifndef FISH_SQLITE_CHECK_H
#define FISH_SQLITE_CHECK_H

#include "store/sqlite.h"

struct check {
	struct sqlite_store      *store;
	const struct store_check *asked;
	uint64_t                  found;
	uint64_t                  done, all;      /* flows */
};

/* One thing that is wrong; flow may be NULL. */
void check_found(struct check *c, const struct id *flow, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void check_flow_done(struct check *c);

/* A living flow: f, its young rows, or NULL; old, its row in parked, or NULL. */
void check_living(struct check *c, const struct id *flow, struct flow_rows *f, const struct parked_row *old);
/* One that has ended: what its row keeps. */
void check_ended(struct check *c, const struct id *flow, int flags, struct slice places, struct slice history);

#endif
