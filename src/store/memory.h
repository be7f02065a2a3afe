/* memory.h - the memory store's tables, private to memory*.c.
 *
 * Invariant: what stands in a table is durable in the sense of the contract: a simulated
 * crash keeps the tables and loses everything else. */
#ifndef FISH_STORE_MEMORY_H
#define FISH_STORE_MEMORY_H

#include "base/list.h"
#include "base/map.h"
#include "store/request.h"

struct memory_row {
	uint64_t seq;
	bool last;
	size_t len;
	char *bytes; /* owned */
};

/* One flow: resident, parked or ended. */
struct memory_flow {
	struct id flow;
	struct list link; /* in the table's ended, once it has ended */
	bool ended, parked;
	struct store_park park; /* while it is parked */
	uint64_t from_seq;
	size_t bytes;
	struct memory_row *rows; /* owned; what lies below from_seq is gone */
	size_t nrows, cap;
};

/* Journals of all flows. Of ended flows the youngest are kept, up to a bound in bytes. */
struct memory_rows {
	struct map flows; /* flow id → struct memory_flow */
	struct map parked_keys; /* start key → the parked flow */
	struct list ended; /* oldest first */
	size_t ended_bytes;
};

struct memory_rows *memory_rows_new(void);
struct memory_rows *memory_rows_free(struct memory_rows *t);
void memory_rows_add(struct memory_rows *t, const struct store_row *row); /* copies */
int memory_rows_load(const struct memory_rows *t, struct store_load *l);
int memory_rows_recover(const struct memory_rows *t, struct store_recovery *r);
int memory_rows_recover_flow(const struct memory_rows *t, const struct id *flow,
	const struct store_recovery *r);

/* memory_parked.c */
void memory_park(struct memory_rows *t, const struct store_park *park);
void memory_unpark(struct memory_rows *t, struct memory_flow *f); /* if it is parked */
int memory_parked_find(const struct memory_rows *t, struct store_find *f);
void memory_parked_walk(const struct memory_rows *t, struct store_walk *w);

/* Ended flows, by place; places count from 1 and have no gaps. */
struct memory_ended;
struct memory_ended *memory_ended_new(void);
struct memory_ended *memory_ended_free(struct memory_ended *t);
void memory_ended_add(struct memory_ended *t, const struct store_ended *e); /* copies */
void memory_ended_expire(struct memory_ended *t, int64_t now_ms, size_t rows_max);
int memory_ended_find(const struct memory_ended *t, struct store_find *f);
void memory_ended_list(const struct memory_ended *t, struct store_list *l);

#endif
