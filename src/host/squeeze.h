/* squeeze.h - tells the log when senders begin to be refused for want of memory, and when that is over. */
#ifndef FISH_SQUEEZE_H
#define FISH_SQUEEZE_H

#include "engine/engine.h"
#include "host/seams.h"
#include "net/budget.h"

#include <uv.h>

struct squeeze {
	const struct world  *world;
	const struct engine *engine;         /* NULL: it is gone */
	struct budget       *budget;         /* of bodies; also counts the refusals */
	size_t               flows_max;      /* bytes that flows may take */
	uv_timer_t           timer;
	bool                 on;
	uint64_t             refused_before; /* it began */
	int64_t              began_ms, last_ms;   /* loop time; last_ms of the last refusal */
};

/* The members above timer are the caller's. From here on budget's on_refused is s's. */
void squeeze_open(struct squeeze *s, uv_loop_t *loop);
void squeeze_close(struct squeeze *s);       /* before the loop's last round */

#endif
