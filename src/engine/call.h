/* call.h - one HTTP call of a flow: attempts, pauses between them, the answer or giving up.
 *
 * Lives in engine memory, not the flow's: parking a flow does not touch it. Invariant: for one
 * (flow, epoch, step) at most one call exists, and each answers once, by a MESSAGE in the journal.
 * After a crash it is asked for again by the flow's replay, with the same key and bytes. */
#ifndef FISH_CALL_H
#define FISH_CALL_H

#include "base/heap.h"
#include "base/list.h"
#include "engine/seams.h"

#include <fish.h>

enum call_state {
	CALL_GATHERED,     /* its batch is not durable: must not leave */
	CALL_TRYING,       /* an attempt is under way */
	CALL_JUDGED,       /* an attempt is over, and what follows from it is being found out */
	CALL_PAUSING,      /* until timer */
};

struct call {
	struct attempt   attempt;       /* first: what the transport sees */
	struct flow     *flow;
	struct list      link;          /* in flow->calls */
	struct list      batch_link;    /* in batch->calls while CALL_GATHERED */
	struct heap_node timer;         /* in engine->pauses while CALL_PAUSING */
	enum call_state  state;
	uint32_t         epoch, step;
	char            *label;         /* "partner /order", for show */
	int64_t          asked_ms;      /* when the step was first reached: give_up_ms counts from here */
	int64_t          give_up_ms;
	int64_t          pause_ms;      /* the last pause without jitter */
	bool             cancelled;     /* no attempt after the present one */
	int              attempts;      /* made by this process */
	int              last_status;   /* 0: none came */
	char             last_why[64];  /* of the last attempt without an answer */
	char             strings[];     /* method, url, headers, body, secret, key, label */
};

/* What a step asks for; all borrowed for the one call of call_new. */
struct call_request {
	const fish_peer *to;            /* expanded */
	const char      *method;
	struct slice     path, headers; /* headers: lines "Name: value\n" */
	struct slice     body;
	const char      *key;
	const char      *label;
	uint32_t         epoch, step;
	int64_t          asked_ms;
	bool             cancelled;     /* given up after one attempt */
};

struct engine;

/* Can a call be signed with that secret of a peer? What stands behind "whsec_" must be base64. */
bool         call_secret_ok(const char *secret);
struct call *call_new(struct flow *f, const struct call_request *r);   /* in f->calls, CALL_GATHERED */
struct call *call_find(const struct flow *f, uint32_t epoch, uint32_t step);
void         call_gather(struct call *c);                   /* leaves with the gathering batch's commit */
void         call_let_out(struct call *c);                  /* after its commit: the first attempt */
void         call_drop(struct call *c);                     /* without an answer: a reset, or its flow has ended */
void         calls_ring(struct engine *e);                  /* begins the attempts whose pause is over */
void         call_cancel(struct call *c);                   /* gives up: now if it pauses, else after its attempt */
void         calls_cancel(struct flow *f);                  /* give up what pauses now, the rest after its attempt */

#endif
