/* serve_private.h - what serve.c (how it comes up) and serve_stop.c (how it goes down)
 * share. */
#ifndef FISH_SERVE_PRIVATE_H
#define FISH_SERVE_PRIVATE_H

#include "host/expand.h"
#include "host/pulse.h"
#include "host/serve.h"
#include "host/squeeze.h"
#include "net/admin.h"
#include "net/ingress.h"

enum phase {
	PHASE_SERVING,
	PHASE_DRAINING,      /* nothing new is taken in; what is under way gets its answer */
	PHASE_RESTING,       /* what was gathered is being committed */
	PHASE_OVER,          /* the loop ends */
};

struct serve {
	const struct config *config;
	const struct paths  *paths;
	enum phase       phase;
	size_t           drains;          /* parts that have not drained yet */
	bool             forced;          /* the stop took too long: what still stands is left to exit */
	bool             has_loop;
	struct world     world;
	struct expanded  expanded;
	struct store    *store;
	struct engine   *engine;
	struct pulse     pulse;
	struct threads   threads;
	struct budget    bodies;          /* in flight, of all doors */
	struct squeeze   squeeze;
	struct client   *client;
	struct ingress  *ingress;
	struct admin    *socket_admin;    /* NULL in an embedded server that was asked for none */
	struct admin    *tcp_admin;       /* NULL without --admin */
	char            *token;
	uv_loop_t        loop;
	uv_signal_t      on_term, on_int; /* not of an embedded server: signals are its program's */
	uv_timer_t       patience;        /* how long a stop may take */
};

/* The timer of a stop, and its signals, which are not heard yet; cannot fail. */
void serve_stop_open(struct serve *s);
/* From now on a signal is a clean stop; until then, as long as recovery takes, it ends the process. */
void serve_stop_listen(struct serve *s);
/* After each turn: is there anything left to commit? */
void serve_rest(void *serve);

#endif
