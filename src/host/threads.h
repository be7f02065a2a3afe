/* threads.h - functions of flows on the threads of libuv's pool.
 *
 * Invariant: an item's done runs on the loop's thread. Surprise: a function that is on a thread cannot be
 * called off; a stop has to wait for it, and drops what it gives. */
#ifndef FISH_THREADS_H
#define FISH_THREADS_H

#include "engine/seams.h"

#include <uv.h>

struct threads {
	uv_loop_t *loop;
	size_t     under_way;
	bool       dropping;               /* done is not called any more */
	void     (*wake)(void *arg);       /* something was handed to the engine: a turn is due */
	void      *wake_arg;
};

void threads_work(struct threads *t, struct work_item *item);
/* Waits until no function is on a thread; none of their done functions runs. */
void threads_drop(struct threads *t);

#endif
