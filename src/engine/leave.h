/* leave.h - flows at rest go out of memory: parked, they cost disk only. */
#ifndef FISH_LEAVE_H
#define FISH_LEAVE_H

#include "store/store.h"

struct batch;
struct engine;
struct flow;

struct store_park leave_park(const struct flow *f);      /* what the store is told of it */
void    leave_idle(struct engine *e);            /* those idle long enough: once a turn */
void    leave_not(struct flow *f);               /* something came: not with the gathering batch */
void    leave_release(struct batch *b);          /* it is durable: who is at rest still is gone now */
void    leave_soon(struct engine *e);            /* those at rest now have been idle long enough */
int64_t leave_next_ms(const struct engine *e);   /* when there may be more to do; INT64_MAX: never */
/* A deadline so near is waited for in memory: parked flows are fetched that long before theirs. */
int64_t leave_lead_ms(const struct engine *e);

#endif
