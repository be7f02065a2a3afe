/* pulse.h - the engine's heartbeat on a uv loop: a turn after every round, and when one
 * is due; a commit when nothing more comes in at once. */
#ifndef FISH_PULSE_H
#define FISH_PULSE_H

#include "engine/engine.h"
#include "host/seams.h"

#include <uv.h>

struct pulse {
	struct engine      *engine;      /* borrowed */
	const struct world *world;       /* borrowed */
	void              (*rest)(void *arg);    /* after each turn */
	void               *rest_arg;
	bool                due;         /* something was handed in since the last turn */
	size_t              memory_most; /* that flows took since memory was last given back … */
	uint64_t            trimmed_ms;  /* … at that time (uv_now) */
	uint64_t            held_ns;     /* since when a batch waits for company (uv_hrtime); 0: none does */
	uv_prepare_t        prepare;
	uv_check_t          check;
	uv_idle_t           idle;        /* active only while a turn or a commit is due, so that the loop does not sleep */
	uv_timer_t          timer;
	uv_async_t          async;       /* the store's thread calls */
};

/* world and rest are set by the caller before, engine before the loop runs. */
int  pulse_open(struct pulse *p, uv_loop_t *loop, struct err *err);
void pulse_wake(void *pulse);        /* a turn is due; on the loop's thread */
void pulse_notify(void *pulse);      /* the same from any thread */
void pulse_still(struct pulse *p);   /* no turn any more, whatever the loop does */
void pulse_close(struct pulse *p);   /* its handles are gone after the loop's next rounds */

#endif
