/* redeliver.c - a request that was not stored is put back, because somebody says so.
 *
 * Invariant: it is told as put back once what it brought is durable, and then not a second time. Surprise:
 * while its flow is being fetched the ledger may let go of its line; what is delivered is a copy. */
#include "engine/world.h"

#include <stdio.h>
#include <string.h>

enum { WHY_SIZE = 200 };

static void done(struct redeliver *r, int rc, const char *why)
{
	r->done(r, rc, why);
}

static void stored(struct redeliver *r)
{
	struct ledger_line *line = ledger_find(r->engine->ledger, &r->id, r->number);
	char flow[ID_TEXT_SIZE];

	if (line)
		ledger_put_back(line);
	id_text(&r->id, flow);
	engine_log(r->engine, "hook.redelivered", "flow=%s hook=%u number=%llu", flow, r->delivery.hook,
	           (unsigned long long)r->number);
	done(r, 0, "");
}

static void refused(struct redeliver *r, int status)
{
	if (status == 429)
		done(r, FISH_EBUSY, "the flow has not taken what came before: try again later");
	else if (status == 413)
		done(r, FISH_EINVAL, "it has more bytes than its hook takes");
	else
		done(r, FISH_EINVAL, "it is not JSON and no form, and its hook takes nothing else");
}

static void told(struct delivery *d, int status)
{
	struct redeliver *r = container_of(d, struct redeliver, delivery);

	if (status == 503) {
		done(r, FISH_ESTORE, "nothing can be stored just now: try again in a moment");
		return;
	}
	switch (d->fate) {
	case FATE_STORED:
		stored(r);
		break;
	case FATE_DUPLICATE:
		done(r, FISH_EINVAL, "a message of its id has been stored already");
		break;
	case FATE_LATE:
		done(r, FISH_EGONE, "its hook is closed, or its flow has ended: nothing can be delivered there any more");
		break;
	case FATE_REFUSED:
		refused(r, status);
		break;
	case FATE_NONE:
	case FATE_QUESTION:
	case FATE_PUT_BACK:
		CHECK(false);             /* who puts back asks nothing, and nothing else leaves the fate open */
	}
}

/* A piece of the caller's room; it does not move any more. */
static struct slice keep(struct buf *room, struct slice s)
{
	size_t at = room->len;

	buf_put_slice(room, s);
	return (struct slice){ room->ptr + at, s.len };
}

static void deliver(struct redeliver *r, const struct ledger_request *q)
{
	struct delivery *d = &r->delivery;

	/* One byte more: so there is a piece of memory even for nothing at all. */
	(void)buf_extend(r->room, q->meta.len + q->body.len + q->message_id.len + 1);
	buf_reset(r->room);
	*d = (struct delivery){
		.method = SLICE_LIT("POST"), .message_id = keep(r->room, q->message_id), .meta = keep(r->room, q->meta),
		.body = keep(r->room, q->body), .done = told, .engine = r->engine, .flow = r->id, .hook = q->hook,
		.number = r->number, .put_back = true };
	list_init(&d->link);
	deliver_begin(d);
}

void engine_redeliver(struct engine *e, struct redeliver *r)
{
	const struct ledger_line *line = ledger_find(e->ledger, &r->id, r->number);
	struct ledger_request q;
	char why[WHY_SIZE];

	r->engine = e;
	if (!e->store) {
		done(r, FISH_ESTORE, "the server stops");
		return;
	}
	engine_catch_up(e);
	if (!line) {
		done(r, FISH_ENOTFOUND, "the ledger has no such request of this flow: `show` lists those it has; they go "
		                        "when younger ones come, and with the process");
		return;
	}
	bool whole = ledger_read(line, &q);

	if (q.fate == FATE_PUT_BACK)
		done(r, FISH_EINVAL, "it was put back already");
	else if (q.fate == FATE_DUPLICATE || q.fate == FATE_QUESTION)
		done(r, FISH_EINVAL, q.fate == FATE_DUPLICATE ? "it was a duplicate of what is stored"
		                                              : "it was a question of the sender, and was answered");
	else if (!whole) {
		snprintf(why, sizeof why, "its body had more than %d bytes, and was not kept", LEDGER_BODY_BYTES_MAX);
		done(r, FISH_EINVAL, why);
	} else {
		deliver(r, &q);
	}
}
