/* act.h - what a flow's step does to another flow: cancel a child, tell a hook something, hand a delivery on.
 *
 * The run keeps its acts until it comes to rest with a PROGRESS that covers their steps; then they stand
 * in the engine's queue until it has hands free. Invariant: an act is done in the batch of that PROGRESS,
 * so that it is done exactly once. */
#ifndef FISH_ACT_H
#define FISH_ACT_H

#include "base/buf.h"
#include "base/id.h"
#include "base/list.h"

#include <stdint.h>

struct engine;
struct run;

enum act_kind {
	ACT_CANCEL, ACT_TELL,
	ACT_HAND_ON, ACT_LOOK,       /* a box's (box.h): these say what came of them, in a RESULT of their step */
};
enum act_outcome {
	ACT_NOBODY,                  /* the flow has ended, or its hook is closed */
	ACT_NO_ROOM,                 /* it has not taken what came before */
	ACT_DONE,
};
struct act {
	enum act_kind kind;
	struct list   link;          /* in run->acts, then in engine->acts */
	struct id     from;          /* whose step it is */
	uint32_t      epoch, step;   /* ACT_TELL: the telling one */
	struct id     to;            /* whom … */
	char         *hook_name;     /* … ACT_TELL: at which hook … */
	uint32_t      hook;          /* … ACT_HAND_ON, ACT_LOOK: the same, by its number … */
	struct buf    meta, body;    /* … what; a template has no meta */
};

struct act *act_new(struct run *r, enum act_kind kind, uint32_t step);   /* in the run's list */
void        acts_queue(struct run *r);                                  /* its PROGRESS is being written */
void        acts_do(struct engine *e);                                  /* all that stand in the queue */
void        acts_drop(struct list *acts);

#endif
