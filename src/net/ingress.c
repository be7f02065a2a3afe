/* ingress.c - the door: a request to /h/TOKEN or /in/NAME becomes a delivery, its status the answer.
 *
 * Invariant: 200 is only said by the engine's done function, so after the commit.
 * Surprise: a forged token, a wrong method or a bad id is refused when the head stands,
 * and the body is never read. */
#include "net/ingress.h"

#include <stdlib.h>

enum {
	MESSAGE_ID_BYTES_MAX = 255,
	PARCELS_POOLED_MAX = 256,
	META_BYTES_KEPT = 4 << 10, /* a pooled parcel keeps no more for its next header */
};

/* One delivery under way, from the whole request to its answer. */
struct parcel {
	struct delivery delivery;
	struct list link; /* in the ingress's pool */
	struct ingress *ingress;
	struct exchange *exchange;
	struct buf meta;
};

struct ingress {
	struct ingress_config config;
	struct server *server;
	struct list pool; /* parcels to use again */
	size_t npool;
	size_t under_way; /* parcels the engine has */
	bool freed; /* the last of these takes the ingress with it */
};

#define PLAIN "Content-Type: text/plain\r\n"

/* To the pool, unless it grew large or the door is gone. */
static void parcel_release(struct parcel *p)
{
	struct ingress *in = p->ingress;
	if (in->freed || in->npool >= PARCELS_POOLED_MAX ||
		p->meta.cap > META_BYTES_KEPT) {
		buf_fini(&p->meta);
		free(p);
		return;
	}
	buf_reset(&p->meta);
	list_push(&in->pool, &p->link);
	in->npool++;
}

/* From the pool if it has one. */
static struct parcel *parcel_new(struct ingress *in, struct exchange *x)
{
	struct list *pooled = list_shift(&in->pool);
	struct parcel *p = NULL;
	if (pooled != NULL) {
		p = container_of(pooled, struct parcel, link);
		in->npool--;
	} else {
		p = xalloc(sizeof *p);
		buf_init(&p->meta, META_BYTES_MAX);
		list_init(&p->link);
	}
	p->ingress = in;
	p->exchange = x;
	return p;
}

/* A status with what belongs to it. */
static void answer(struct exchange *x, int status)
{
	switch (status) {
	case 200:
		/* Empty: the one answer that every sender accepts. */
		exchange_answer(x, status, "", SLICE_NONE);
		break;
	case 401:
		/* Nothing that would help a forger; the operator's log says why. */
		exchange_answer(x, status, PLAIN "WWW-Authenticate: Signature\r\n",
			SLICE_LIT("not signed by the sender of this hook\n"));
		break;
	case 404:
		exchange_answer(x, status, PLAIN, SLICE_LIT("no hook has this URL\n"));
		break;
	case 405:
		exchange_answer(x, status, PLAIN "Allow: POST, PUT\r\n",
			SLICE_LIT("POST or PUT a message here\n"));
		break;
	case 410:
		exchange_answer(x, status, PLAIN,
			SLICE_LIT("this hook is closed, or its flow has ended\n"));
		break;
	case 413:
		exchange_answer(x, status, PLAIN,
			SLICE_LIT("more bytes than this hook takes\n"));
		break;
	case 429:
		exchange_answer(x, status, PLAIN "Retry-After: 60\r\n",
			SLICE_LIT("the flow has not taken what came before; send it later\n"));
		break;
	case 503:
		exchange_answer(x, status, PLAIN "Retry-After: 1\r\n",
			SLICE_LIT("not stored; send it again\n"));
		break;
	default:
		/* A flow's reply without a body says all by its status. */
		exchange_answer(x, status, status < 300 ? "" : PLAIN,
			status < 300 ? SLICE_NONE : slice_of(http1_reason(status)));
		break;
	}
}

/* With header lines of its own. */
static void answer_given(struct exchange *x, int status, struct slice lines, struct slice body)
{
	char *text = xstrndup(lines.ptr, lines.len);
	exchange_answer(x, status, text, body);
	free(text);
}

/* The engine's word, possibly from within engine_deliver, possibly after the door is
 * freed. */
static void on_delivered(struct delivery *d, int status)
{
	struct parcel *p = container_of(d, struct parcel, delivery);
	struct ingress *in = p->ingress;
	struct exchange *x = p->exchange;
	struct slice reply = d->answer; /* stand until this returns */
	struct slice lines = d->answer_lines;
	in->under_way--;
	parcel_release(p);
	if (in->freed && in->under_way == 0)
		free(in);
	if (lines.ptr != NULL)
		answer_given(x, status, lines, reply);
	else if (reply.len > 0)
		exchange_answer(x, status, "Content-Type: application/json\r\n", reply);
	else
		answer(x, status);
}

/* What stands behind the prefix, to the end of the path; it may be empty. */
static bool take_behind(const struct http1 *req, struct slice prefix, struct slice *ret_rest)
{
	if (req->path.len < prefix.len)
		return false;
	if (!slice_eq((struct slice){ req->path.ptr, prefix.len }, prefix))
		return false;
	*ret_rest =
		(struct slice){ req->path.ptr + prefix.len, req->path.len - prefix.len };
	return true;
}

/* Is there anything at that path? A token that is genuine, or the name of a door. */
static bool is_known(const struct ingress *in, const struct http1 *head)
{
	struct slice rest = SLICE_NONE;
	if (take_behind(head, SLICE_LIT("/h/"), &rest))
		return rest.len > 0 && engine_token_genuine(in->config.engine, rest);
	return take_behind(head, SLICE_LIT("/in/"), &rest) &&
		engine_has_door(in->config.engine, rest);
}

/* The sender's own name for its message. False when it is given twice or is not 1 to 255
 * bytes. */
static bool take_message_id(const struct http1 *req, struct slice *ret_id)
{
	size_t count = 0;
	struct slice id = http1_field(req, "webhook-id", &count);
	if (count == 0)
		id = http1_field(req, "idempotency-key", &count);
	*ret_id = id;
	return count == 0 || (count == 1 && id.len > 0 && id.len <= MESSAGE_ID_BYTES_MAX);
}

/* The engine takes nothing in just now, and that counts as a refusal. The store's being away
 * is told elsewhere. */
static bool refuses(struct ingress *in)
{
	if (engine_away(in->config.engine) || !engine_crowded(in->config.engine))
		return false;
	budget_refuse(in->config.budget,
		"the memory for flows is used up, or too much waits for the disk");
	return true;
}

static bool may_deliver(const struct http1 *head)
{
	return slice_eq(head->method, SLICE_LIT("POST")) ||
		slice_eq(head->method, SLICE_LIT("PUT"));
}

/* A sender that wants to know whose URL this is; whether this hook has such a one the engine knows. */
static bool may_ask(const struct http1 *head)
{
	return !head->has_body &&
		(slice_eq(head->method, SLICE_LIT("GET")) ||
			slice_eq(head->method, SLICE_LIT("HEAD")) ||
			slice_eq(head->method, SLICE_LIT("OPTIONS")));
}

/* The order of refusals is the header's; none of them touches the store. */
static int on_head(void *owner, struct exchange *x, const struct http1 *head)
{
	struct ingress *in = owner;
	struct slice id = SLICE_NONE;
	if (!is_known(in, head)) {
		answer(x, 404);
		return 404;
	}
	if (!may_deliver(head) && !may_ask(head)) {
		answer(x, 405);
		return 405;
	}
	if (!take_message_id(head, &id)) {
		exchange_answer(x, 400, PLAIN,
			SLICE_LIT("webhook-id or Idempotency-Key must be one line "
				  "of 1 to 255 bytes\n"));
		return 400;
	}
	/* It would be refused when it is whole: so why take it in? */
	if (head->has_body && refuses(in)) {
		in->config.wake(in->config.wake_arg); /* a turn may make room */
		answer(x, 503);
		return 503;
	}
	return 0;
}

/* Whole and let in: now it is the engine's. */
static void on_request(void *owner, struct exchange *x, const struct http1 *req)
{
	struct ingress *in = owner;
	struct parcel *p = parcel_new(in, x);
	struct slice door = SLICE_NONE;
	/* A hook knows its path; who hears of it by a door does not. */
	if (take_behind(req, SLICE_LIT("/in/"), &door)) {
		buf_puts(&p->meta, ":path: /in/");
		buf_put_slice(&p->meta, door);
		buf_putc(&p->meta, '\n');
	}
	if (!meta_put(&p->meta, req, exchange_peer(x))) {
		parcel_release(p);
		answer(x, 431);
		return;
	}
	/* The exchange keeps the parser until it is answered, so all of this may be
	 * borrowed. */
	p->delivery = (struct delivery){
		.method = req->method,
		.body = buf_slice(&req->body),
		.meta = buf_slice(&p->meta),
		.done = on_delivered,
	};
	list_init(&p->delivery.link);
	/* on_head has seen that it is one of them. */
	p->delivery.door = door;
	if (door.len == 0)
		CHECK(take_behind(req, SLICE_LIT("/h/"), &p->delivery.token));
	CHECK(take_message_id(req, &p->delivery.message_id)); /* and this one too */
	in->under_way++;
	(void)refuses(in); /* the engine says so itself; here it is only counted */
	engine_deliver(in->config.engine, &p->delivery);
	in->config.wake(in->config.wake_arg);
}

int ingress_open(
	struct ingress **ret, const struct ingress_config *config, struct err *err)
{
	struct ingress *in = xalloc(sizeof *in);
	in->config = *config;
	list_init(&in->pool);
	struct server_config server = {
		.loop = config->loop,
		.handler = { .owner = in, .head = on_head, .request = on_request },
		.listen = config->listen,
		.unix_mode = config->unix_mode,
		.proxies = config->proxies,
		.bounds = config->bounds,
		.limits = { .head_bytes_max = config->head_bytes_max,
			.body_bytes_max = config->body_bytes_max },
		.budget = config->budget,
	};
	int rc = server_open(&in->server, &server, err);
	if (rc < 0) {
		free(in);
		return rc;
	}
	*ret = in;
	return 0;
}

const char *ingress_address(const struct ingress *in)
{
	return server_address(in->server);
}

void ingress_drain(
	struct ingress *in, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
	server_drain(in->server, grace_ms, done, arg);
}

struct ingress *ingress_free(struct ingress *in)
{
	if (in == NULL)
		return NULL;
	in->server = server_free(in->server);
	for (struct list *at = list_shift(&in->pool); at != NULL;
		at = list_shift(&in->pool)) {
		struct parcel *p = container_of(at, struct parcel, link);
		buf_fini(&p->meta);
		free(p);
	}
	/* What the engine still has points at in, and is answered later to nobody. */
	in->freed = true;
	if (in->under_way == 0)
		free(in);
	return NULL;
}
