/* ask.h - what other threads ask of the loop: start a flow, tell of a flow's end.
 *
 * A thread hands its ask in, wakes the loop and sleeps until it is answered; the loop's
 * thread alone speaks with the engine. Invariant: every ask is answered, at the latest by
 * asks_end. Surprise: an ask may outlive the thread that asked (its patience ran out, or
 * the server stopped first), so the last of thread and engine to let go frees it. */
#ifndef FISH_ASK_H
#define FISH_ASK_H

#include "engine/engine.h"

#include <pthread.h>
#include <uv.h>

struct asks {
	struct engine  *engine;          /* borrowed; touched on the loop's thread only */
	uv_async_t     *async;           /* borrowed; its callback calls asks_take */
	struct ask     *in_hand;         /* being handed to the engine; the loop's thread only */
	pthread_mutex_t lock;            /* guards all below, but not stopping */
	pthread_cond_t  gone;            /* inside has become less */
	struct list     waiting;         /* the loop has not seen them */
	struct list     taken;           /* the engine has them */
	struct list     dropped;         /* the engine has them, and their thread has gone */
	size_t          inside;          /* threads in here, the one that runs the loop included */
	pthread_t       runner;          /* while running */
	bool            running;
	bool            shut;            /* nothing is taken in any more */
	bool            stopping;        /* atomic: a signal handler sets it */
};

void asks_init(struct asks *a);
/* After the engine has gone, which may still hold some. */
void asks_fini(struct asks *a);

/* The loop's side. A thread enters to run the loop: FISH_EBUSY when another one does,
 * FISH_EGONE when one did. */
int  asks_run_begin(struct asks *a);
void asks_run_end(struct asks *a);
void asks_take(struct asks *a);      /* hands to the engine what has come: a turn is due */
void asks_shut(struct asks *a);      /* a stop begins: only starts under way get their answer */
/* Answers whatever is left with FISH_EGONE, when no thread runs the loop (any more), and
 * waits until no thread is inside. */
void asks_end(struct asks *a);

/* Any other thread's side; they fail as fish_start and fish_wait do. */
int  ask_start(struct asks *a, const struct start *what, struct id *ret_id);
int  ask_wait(struct asks *a, const struct id *id, int64_t timeout_ms, char **ret_json);

#endif
