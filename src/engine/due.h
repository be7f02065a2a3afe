/* due.h - deadlines of parked flows: read from the store a little ahead, and their flows fetched. */
#ifndef FISH_DUE_H
#define FISH_DUE_H

#include "store/store.h"

struct engine;

struct due {
	struct store_walk request;
	bool    asked;               /* the store has request */
	bool    forgotten;           /* … of before a reset */
	size_t  pending;             /* flows that are being fetched */
	int64_t reached_ms;          /* deadlines up to here have been read */
	int64_t next_ms;             /* none of a parked flow comes before this; INT64_MAX: there is none */
};

void    due_begin(struct engine *e);             /* all is rebuilt: nothing has been read */
void    due_look(struct engine *e);              /* once a turn */
int64_t due_next_ms(const struct engine *e);     /* when to look again */

#endif
