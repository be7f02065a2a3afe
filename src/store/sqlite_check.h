/* sqlite_check.h - what the files of the check share, and nobody else: sqlite_check.c opens a file and
 * judges its tables, sqlite_check_flow.c one flow's journal, sqlite_check_told.c what its row in parked
 * says of that.
 *
 * Invariant: the file is read and never written. Surprise: it is the same struct as an open store's, but
 * without a thread and with statements that only read, so that the index of what is young is built as a
 * restart builds it. */
#ifndef FISH_SQLITE_CHECK_H
#define FISH_SQLITE_CHECK_H

#include "store/sqlite.h"
#include "wire/entry.h"

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

/* What a journal tells of its flow that its row in parked says as well. */
struct told {
	bool      origin;        /* START or DOOR came: parent and key count */
	struct id parent;        /* zero: none */
	bool      has_key;       /* of a start, not of a child's */
	struct id key;
	bool      progress;      /* PROGRESS came: untaken counts */
	uint64_t  untaken;
	struct buf hooks;        /* struct told_hook, numbers rising */
};
void told_init(struct told *t);
void told_fini(struct told *t);
void told_entry(struct told *t, const struct entry *e);
/* Finds what the row says otherwise. */
void told_judge(struct check *c, const struct told *t, const struct store_park *park);

/* A living flow: f, its young rows, or NULL; old, its row in parked, or NULL. */
void check_living(struct check *c, const struct id *flow, struct flow_rows *f, const struct parked_row *old);
/* One that has ended: what its row keeps. */
void check_ended(struct check *c, const struct id *flow, int flags, struct slice places, struct slice history);

#endif
