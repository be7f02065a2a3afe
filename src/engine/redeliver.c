/* redeliver.c - a request that was not stored is put back, because somebody says so.
 *
 * Invariant: it is told as put back once what it brought is durable, and then not a second time. Surprise:
 * while its flow is being fetched the ledger may let go of its line; what is delivered is a copy. */
#include "engine/world.h"

#include <stdio.h>
#include <string.h>

enum { WHY_SIZE = 240 };

static void done(struct redeliver *r, int rc, const char *why)
{
	r->done(r, rc, why);
}

static void stored(struct redeliver *r)
{
	struct ledger_line *line = ledger_find(r->engine->ledger, &r->id, r->number);
	const struct delivery *d = &r->delivery;
	char flow[ID_TEXT_SIZE];

	if (line)
		ledger_put_back(line);
	r->to = d->door.len ? d->to : d->flow;
	id_text(&r->to, flow);
	if (d->door.len)
		engine_log(r->engine, "door.redelivered", "door=%.*s flow=%s number=%llu", (int)d->door.len, d->door.ptr, flow,
		           (unsigned long long)r->number);
	else
		engine_log(r->engine, "hook.redelivered", "flow=%s hook=%u number=%llu", flow, d->hook,
		           (unsigned long long)r->number);
	done(r, 0, "");
}

static void refused(struct redeliver *r, int status)
{
	bool door = r->delivery.door.len > 0;

	if (status == 429)
		done(r, FISH_EBUSY, door ? "as much as a door keeps waits already: try again when somebody has taken of it"
		                         : "the flow has not taken what came before: try again later");
	else if (status == 413)
		done(r, FISH_EINVAL, door ? "it has more bytes than its door takes" : "it has more bytes than its hook takes");
	else
		done(r, FISH_EINVAL, "it is not JSON and no form, and its hook takes nothing else");
}

/* A hook that is closed stays so: there is no way back, but maybe another way. */
static void late(struct redeliver *r)
{
	const struct flow *f = map_get(&r->engine->flows, &r->id);
	char why[WHY_SIZE];

	if (f && f->state != FLOW_ENDED)
		snprintf(why, sizeof why, "hook %u is not open, and a hook that was closed never is again: name another one "
		         "of this flow with --hook N (in the URL &hook=N), if it is for that; show lists them", r->delivery.hook);
	else
		snprintf(why, sizeof why, "the flow has ended, so nothing can be delivered to it any more: start another "
		         "one with what it brought");
	done(r, FISH_EGONE, why);
}

static void for_nobody(struct redeliver *r)
{
	char why[WHY_SIZE];
	const struct door *door = doors_find(&r->engine->doors, r->delivery.door);

	snprintf(why, sizeof why, "it has no %.100s that could be a key, so nobody can wait for it", door->key);
	done(r, FISH_EINVAL, why);
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
		late(r);
		break;
	case FATE_NOBODY:
		for_nobody(r);
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
	(void)buf_extend(r->room, q->meta.len + q->body.len + q->message_id.len + r->door.len + 1);
	buf_reset(r->room);
	*d = (struct delivery){
		.method = SLICE_LIT("POST"), .message_id = keep(r->room, q->message_id), .meta = keep(r->room, q->meta),
		.body = keep(r->room, q->body), .door = keep(r->room, r->door), .done = told, .engine = r->engine,
		.flow = r->id, .hook = r->elsewhere ? r->hook : q->hook, .number = r->number, .put_back = true };
	list_init(&d->link);
	if (d->door.len)
		doorway_deliver(d);
	else
		deliver_begin(d);
}

/* What its fate was says whether there is anything to put back. NULL: there is. */
static const char *settled(enum fate fate)
{
	switch (fate) {
	case FATE_STORED: return "it is stored";
	case FATE_DUPLICATE: return "it was a duplicate of what is stored";
	case FATE_QUESTION: return "it was a question of the sender, and was answered";
	case FATE_PUT_BACK: return "it was put back already";
	case FATE_NONE:
	case FATE_REFUSED:
	case FATE_LATE:
	case FATE_NOBODY: break;          /* that is said when its key is looked for */
	}
	return NULL;
}

/* What the ledger has, it delivers. */
static void put_back(struct redeliver *r)
{
	const struct ledger_line *line = ledger_find(r->engine->ledger, &r->id, r->number);
	struct ledger_request q;
	char why[WHY_SIZE];

	if (!line) {
		snprintf(why, sizeof why, "the ledger has no such request of this %s: `show` lists those it has; they go "
		         "when younger ones come, and with the process", r->door.len ? "door" : "flow");
		done(r, FISH_ENOTFOUND, why);
		return;
	}
	bool whole = ledger_read(line, &q);
	const char *is = settled(q.fate);

	if (is) {
		done(r, FISH_EINVAL, is);
	} else if (!whole) {
		snprintf(why, sizeof why, "its body had more than %d bytes, and was not kept", LEDGER_BODY_BYTES_MAX);
		done(r, FISH_EINVAL, why);
	} else {
		deliver(r, &q);
	}
}

void engine_redeliver(struct engine *e, struct redeliver *r)
{
	const struct door *door = r->door.len ? doors_find(&e->doors, r->door) : NULL;

	r->engine = e;
	if (!e->store) {
		done(r, FISH_ESTORE, "the server stops");
		return;
	}
	engine_catch_up(e);
	if (r->door.len && !door) {
		done(r, FISH_ENOTFOUND, "the program has no such door");
		return;
	}
	if (door)
		r->id = door->book;
	put_back(r);
}
