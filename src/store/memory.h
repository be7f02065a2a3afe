/* memory.h - the memory store's tables, private to memory*.c.
 *
 * Invariant: what stands in a table is durable in the sense of the contract: a simulated
 * crash keeps the tables and loses everything else. */
#ifndef FISH_STORE_MEMORY_H
#define FISH_STORE_MEMORY_H

#include "store/request.h"

/* Journals of all flows. Of ended flows the youngest are kept, up to a bound in bytes. */
struct memory_rows;
struct memory_rows *memory_rows_new(void);
struct memory_rows *memory_rows_free(struct memory_rows *t);
void memory_rows_add(struct memory_rows *t, const struct store_row *row);     /* copies */
int  memory_rows_load(const struct memory_rows *t, struct store_load *l);
void memory_rows_recover(const struct memory_rows *t, const struct store_recovery *r);

/* Ended flows, by place; places count from 1 and have no gaps. */
struct memory_ended;
struct memory_ended *memory_ended_new(void);
struct memory_ended *memory_ended_free(struct memory_ended *t);
void memory_ended_add(struct memory_ended *t, const struct store_ended *e);   /* copies */
void memory_ended_expire(struct memory_ended *t, int64_t now_ms, size_t rows_max);
int  memory_ended_find(const struct memory_ended *t, struct store_find *f);
void memory_ended_list(const struct memory_ended *t, struct store_list *l);
void memory_ended_recover(const struct memory_ended *t, int64_t now_ms,
                          const struct store_recovery *r);

#endif
