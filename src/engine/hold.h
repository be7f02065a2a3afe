/* hold.h - senders whose connection is held for a reply.
 *
 * A hold ends by fish_reply, by its deadline (the hook's fallback) or with the flow, whichever comes
 * first. Invariant: a reply leaves after its REPLY is durable, a fallback after the message is.
 * Surprise: holds are volatile; after a restart the sender's retry, a duplicate, gets the reply. */
#ifndef FISH_HOLD_H
#define FISH_HOLD_H

#include "base/base.h"
#include "base/heap.h"
#include "base/list.h"

struct delivery;
struct engine;
struct flow;
struct hook;
struct reply;

struct hold {
	struct delivery *delivery;
	struct flow     *flow;
	uint64_t         seq;          /* of the message it brought, or is a duplicate of */
	uint64_t         batch;        /* that makes the message durable */
	struct list      link;         /* in flow->holds */
	struct heap_node due;          /* in engine->holds */
};

void hold_begin(struct delivery *d, struct flow *f, const struct hook *h, uint64_t seq, uint64_t batch);
/* The flow has replied to that message by its newest entry: who is held for it is told after that. */
void holds_reply(struct flow *f, uint64_t seq, const struct reply *told);
void holds_ring(struct engine *e);         /* those whose time is over get the fallback */
void holds_end(struct flow *f);            /* the flow has ended: the rest get theirs */
void holds_refuse(struct flow *f);         /* a reset: 503 */

#endif
