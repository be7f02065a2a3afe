/* batch.h - what one commit makes durable, and what may leave once it is.
 *
 * Two batches are alive at a time: one gathers while the other is with the store. Invariant: nothing
 * in the outs is answered, sent or printed before rows are durable; a rolled-back commit answers the
 * askers with FISH_ESTORE and drops the rest. */
#ifndef FISH_BATCH_H
#define FISH_BATCH_H

#include "base/buf.h"
#include "base/list.h"
#include "store/store.h"

struct engine;
struct flow;

/* What one flow adds in this batch: one row, or several when it is very much. */
struct row {
	struct list link;          /* in batch->rows */
	struct row *before;        /* the one of the same flow before it; NULL: none */
	struct id   flow;
	uint64_t    seq;           /* of the first entry */
	bool        last;
	uint64_t    from_seq;
	struct buf  bytes;
};

/* A flow that ended in this batch: its row for the store, owning the bytes. */
struct ended {
	struct list        link;   /* in batch->ended */
	struct store_ended row;
	struct flow       *flow;
	struct buf         name, result, seen, untaken;
};

struct log_line {
	struct list link;          /* in batch->logs */
	const char *event;         /* a constant */
	struct buf  text;
};

struct batch {
	struct engine      *engine;
	uint64_t            no;         /* 1, 2, … */
	size_t              bytes;      /* of rows, for the run-ahead bound */
	size_t              nrows, nended;
	struct list         rows, ended;
	struct list         deliveries, starts, cancels, imports, calls, logs;  /* the outs */
	struct list         stopped;    /* flows that stopped: their watchers are told */
	struct list         parents;    /* flows whose CHILDREN entry is still to be written */
	struct list         leaving;    /* flows that go out of memory once it is durable */
	size_t              nleaving;
	struct store_commit commit;
	struct store_row   *store_rows;
	struct store_ended *store_ended;
	struct store_park  *store_parks;
};

struct batch *batch_new(struct engine *e, uint64_t no);
struct batch *batch_free(struct batch *b);                /* the outs must be empty */
bool          batch_has_rows(const struct batch *b);      /* … or flows that leave */
bool          batch_has_outs(const struct batch *b);
struct row   *batch_row(struct batch *b, const struct id *flow, uint64_t seq);   /* a new one */
void          rows_free(struct engine *e);                /* those that batches have left for use again */
void          batch_submit(struct batch *b);              /* to the store; done runs on_durable or on_failed */
void          batch_release(struct batch *b);             /* lets the outs out; the rows are durable */
void          batch_refuse(struct batch *b);              /* the commit was rolled back */
void          batch_log(struct batch *b, const char *event, struct slice line);

#endif
