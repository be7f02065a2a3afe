/* work.h - functions of flows that run on threads: who began them, and what they gave.
 *
 * For one (flow, epoch, step) at most one is under way in a process; a re-run attaches to it. Invariant:
 * a run whose work is on a thread is kept, stack and arena, until that has returned, for the work
 * reads its argument there. Surprise: the flow may have been parked, renewed or have ended meanwhile;
 * a result that nobody waits for is dropped. */
#ifndef FISH_WORK_H
#define FISH_WORK_H

#include "base/id.h"
#include "base/list.h"
#include "engine/seams.h"

struct engine;
struct run;

struct work {
	struct work_item item;         /* first: what the host sees */
	struct engine   *engine;
	struct run      *run;          /* that began it; kept until the work has returned */
	struct id        flow;
	uint32_t         epoch, step;
	char            *name;
	size_t           size;
	struct list      link;         /* in engine->works */
	char             result[];     /* zeroed; the thread writes it */
};

/* Begins it, or attaches when it is under way already. */
void work_begin(struct run *r, const char *name, void (*fn)(const void *arg, void *result), const void *arg,
                size_t size);
/* The engine goes, and no thread is in any of them any more: they are forgotten with their runs. */
void works_drop(struct engine *e);

#endif
