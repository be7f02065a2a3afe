/* exchange.c - one request and its answer: asks the handler, takes the answer, keeps it
 * for its turn.
 *
 * Invariant: an exchange belongs to its connection's list from its first byte until its
 * answer is written, or, if the connection has gone, until it is answered. Surprise:
 * exchanges are pooled with their parser and buffers, so that a request in a busy server
 * allocates nothing. */
#include "net/forwarded.h"
#include "net/server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exchange *exchange_new(struct connection *c)
{
	struct server *s = c->server;
	struct list *pooled = list_shift(&s->pool);
	struct exchange *x = NULL;
	if (pooled != NULL) {
		x = container_of(pooled, struct exchange, link);
		s->npool--;
	} else {
		x = xalloc(sizeof *x);
		/* The parser allocates its buffers with the first bytes. */
		http1_init(&x->request, &s->config.limits);
		/* What the handler answers is its own to limit. */
		buf_init(&x->answer, SIZE_MAX);
	}
	x->connection = c;
	x->budget = s->config.budget;
	x->state = EXCHANGE_READING;
	list_push(&c->exchanges, &x->link);
	c->nexchanges++;
	return x;
}

/* Its connection has let go of it, or it is in the pool. */
static void exchange_free(struct exchange *x)
{
	http1_fini(&x->request);
	buf_fini(&x->answer);
	free(x);
}

void exchange_release(struct exchange *x)
{
	struct connection *c = x->connection;
	struct server *s = c->server;
	list_remove(&x->link);
	c->nexchanges--;
	if (c->current == x)
		c->current = NULL;
	budget_hold(x->budget, &x->held, 0);
	if (x->counted && s != NULL)
		crowd_leave(&s->crowd, &x->asker);
	/* A parser left in the middle of a request is not worth mending, and a large
	 * answer's memory is not worth keeping. */
	bool reusable =
		x->request.phase == HTTP1_DONE && x->answer.cap <= ANSWER_BYTES_KEPT;
	if (s == NULL || s->npool >= EXCHANGES_POOLED_MAX || !reusable) {
		exchange_free(x);
		return;
	}
	http1_next(&x->request);
	buf_reset(&x->answer);
	x->connection = NULL;
	x->last = false;
	x->continue_due = false;
	x->data = NULL;
	x->on_gone = NULL;
	x->counted = false;
	x->peer[0] = '\0';
	list_push(&s->pool, &x->link);
	s->npool++;
}

void exchange_free_pool(struct server *s)
{
	for (struct list *at = list_shift(&s->pool); at != NULL;
		at = list_shift(&s->pool))
		exchange_free(container_of(at, struct exchange, link));
	s->npool = 0;
}

void exchanges_gone(struct connection *c)
{
	for (struct list *at = c->exchanges.next; at != &c->exchanges; at = at->next) {
		struct exchange *x = container_of(at, struct exchange, link);
		void (*on_gone)(struct exchange * x) = x->on_gone;
		x->on_gone = NULL;
		if (on_gone != NULL && x->state == EXCHANGE_ASKED)
			on_gone(x);
	}
}

/* The body counts with what is announced of it, or what its buffer takes. False, and refused, when
 * there is no room for what has been announced since it was last asked. */
static bool take_room(struct exchange *x)
{
	size_t announced = http1_body_bytes(&x->request);
	size_t bytes = announced > x->request.body.cap ? announced : x->request.body.cap;
	if (!x->request.has_body)
		return true;
	if (bytes == 0)
		bytes = 1; /* chunks are to come, nobody knows of what size */
	if ((announced > x->held || x->held == 0) && !budget_fits(x->budget, bytes - x->held)) {
		budget_refuse(x->budget, "the memory for bodies is used up");
		exchange_refuse(x, 503, "too many bodies are under way; send it again");
		return false;
	}
	budget_hold(x->budget, &x->held, bytes);
	return true;
}

void exchange_set_body_max(struct exchange *x, size_t bytes_max) { x->body_bytes_max = bytes_max; }

bool exchange_count(struct exchange *x)
{
	struct connection *c = x->connection;
	struct address asker = c->address;
	if (!c->by_proxy)
		return true; /* the connection counts */
	if (forwarded_from(c->server->config.proxies, &x->request, &asker))
		address_text(&asker, x->peer);
	else if (c->server->is_unix)
		return true;
	x->asker = address_key(&asker);
	x->counted = crowd_join(&c->server->crowd, &x->asker);
	return x->counted;
}

/* The handler has looked at the head and wants the body, or it refuses. */
static void judge_head(struct exchange *x)
{
	struct connection *c = x->connection;
	const struct server_handler *handler = &c->server->config.handler;
	x->body_bytes_max = 0;
	if (!exchange_count(x)) {
		exchange_refuse(x, 429, "too many requests are under way from this address");
		return;
	}
	int status = handler->head(handler->owner, x, &x->request);
	/* head has called exchange_answer, which has seen to the rest. */
	if (x->state != EXCHANGE_READING)
		return;
	if (status != 0) {
		exchange_refuse(x, status, http1_reason(status));
		return;
	}
	http1_continue(&x->request, x->body_bytes_max);
	if (x->request.phase == HTTP1_BODY && take_room(x) && x->request.expect_continue) {
		x->continue_due = true;
		exchanges_flush_later(c);
	}
}

/* No request is begun behind this one: its answer is the connection's last. */
static void make_last(struct exchange *x)
{
	x->last = true;
	x->connection->ending = true;
}

/* The request is whole: it is the handler's until it answers. */
static void ask(struct exchange *x)
{
	struct connection *c = x->connection;
	const struct server_handler *handler = &c->server->config.handler;
	x->state = EXCHANGE_ASKED;
	x->continue_due = false;
	c->current = NULL;
	/* Before the handler, which may answer at once and must then say that it closes. */
	if (!x->request.keep_alive)
		make_last(x);
	handler->request(handler->owner, x, &x->request);
}

/* The body of a request that is refused. Its end lets the answer leave and the connection go on; a fault
 * in it is told instead, since then nobody knows where the next request begins. */
static void discard_on(struct exchange *x)
{
	switch (x->request.phase) {
	case HTTP1_DONE:
		x->connection->current = NULL;
		x->state = EXCHANGE_ANSWERED;
		exchanges_flush_later(x->connection);
		break;
	case HTTP1_BAD: exchange_refuse(x, x->request.status, x->request.why); break;
	case HTTP1_HEAD:
	case HTTP1_HEAD_DONE:
	case HTTP1_BODY: break;
	}
}

void exchange_advance(struct exchange *x)
{
	if (x->state == EXCHANGE_DISCARDING) {
		discard_on(x);
		return;
	}
	/* Twice at most: a head that is let in can be whole, or be refused for its
	 * length. */
	while (x->state == EXCHANGE_READING) {
		switch (x->request.phase) {
		case HTTP1_HEAD: return;
		case HTTP1_BODY: take_room(x); return;
		case HTTP1_HEAD_DONE: judge_head(x); break;
		case HTTP1_DONE:
			if (take_room(x))
				ask(x);
			return;
		case HTTP1_BAD:
			exchange_refuse(x, x->request.status, x->request.why);
			return;
		}
	}
}

void exchange_refuse(struct exchange *x, int status, const char *why)
{
	const struct connection *c = x->connection;
	/* These words take the place of those that were to leave behind the body. */
	if (x->state == EXCHANGE_DISCARDING) {
		x->state = EXCHANGE_READING;
		buf_reset(&x->answer);
	}
	/* A closed one's server may be gone, and nobody reads the words. */
	const struct server_handler *handler = c->closed ? NULL : &c->server->config.handler;
	if (handler != NULL && handler->refused != NULL) {
		handler->refused(handler->owner, x, &x->request, status, why);
		return;
	}
	char body[128];
	int len = snprintf(body, sizeof body, "%s\n", why);
	CHECK(len > 0);
	CHECK((size_t)len < sizeof body); /* all reasons are constants of ours */
	exchange_answer(x, status,
		status == 503 || status == 429 ? "Content-Type: text/plain\r\nRetry-After: 1\r\n"
			      : "Content-Type: text/plain\r\n",
		(struct slice){ body, (size_t)len });
}

/* A request that its head has refused, with a body that is worth reading for the sake of the connection:
 * short, and under way without leave. Who is told to come again is told so at once. */
static bool begin_discard(struct exchange *x, int status)
{
	struct http1 *request = &x->request;
	if (request->phase != HTTP1_HEAD_DONE || !request->has_body || request->expect_continue || status >= 500)
		return false;
	if (!http1_discard(request, DISCARD_BYTES_MAX))
		return false;
	x->state = EXCHANGE_DISCARDING;
	if (!request->keep_alive)
		make_last(x);
	return true;
}

/* An answer before the request was handed on: its body, if it has one, will not be read. */
static void stop_reading(struct exchange *x)
{
	struct connection *c = x->connection;
	bool whole = x->request.phase == HTTP1_HEAD_DONE && !x->request.has_body;
	c->current = NULL;
	x->continue_due = false;
	if (whole)
		http1_continue(&x->request, 0); /* done: its parser can be used again */
	else
		c->dropping = true;
	if (!whole || !x->request.keep_alive)
		make_last(x);
}

/* HEAD is told the length that GET would have, and no body: the client would take it for
 * the next answer. */
static void cut_body(struct buf *answer)
{
	static const char end[] = "\r\n\r\n";
	const char *at = memmem(answer->ptr, answer->len, end, sizeof end - 1);
	CHECK(at != NULL); /* http1_answer has put it */
	answer->len = (size_t)(at - answer->ptr) + sizeof end - 1;
}

/* The bytes of the answer; when they leave is exchange_flush.c's affair. */
static void put_answer(
	struct exchange *x, int status, const char *extra_lines, struct slice body)
{
	const struct http1 *request = &x->request;
	/* An HTTP/1.0 client takes the end for granted unless it is told otherwise. */
	if (x->last || request->minor > 0) {
		http1_answer(&x->answer, status, extra_lines, body, !x->last);
	} else {
		struct buf lines;
		buf_init(&lines, SIZE_MAX);
		buf_puts(&lines, "Connection: keep-alive\r\n");
		buf_puts(&lines, extra_lines);
		http1_answer(&x->answer, status, lines.ptr, body, true);
		buf_fini(&lines);
	}
	if (slice_eq(request->method, SLICE_LIT("HEAD")))
		cut_body(&x->answer);
}

void exchange_answer(
	struct exchange *x, int status, const char *extra_lines, struct slice body)
{
	struct connection *c = x->connection;
	CHECK(x->state != EXCHANGE_ANSWERED); /* exactly once */
	CHECK(x->state != EXCHANGE_DISCARDING);
	/* Nobody is there; this may be the last to need the connection's memory. */
	if (c->closed) {
		exchange_release(x);
		connection_release(c);
		return;
	}
	bool discard = x->state == EXCHANGE_READING && begin_discard(x, status);
	if (x->state == EXCHANGE_READING)
		stop_reading(x);
	if (c->ending && x->link.next == &c->exchanges)
		x->last = true; /* the server drains, or the peer has hung up */
	put_answer(x, status, extra_lines, body);
	if (discard)
		return;
	x->state = EXCHANGE_ANSWERED;
	/* Whoever is slow to take his answer holds no body meanwhile. */
	exchange_drop_body(x);
	exchanges_flush_later(c);
}

void exchange_drop_body(struct exchange *x)
{
	http1_drop_body(&x->request);
	budget_hold(x->budget, &x->held, 0);
}

void *exchange_data(struct exchange *x)
{
	return x->data;
}

void exchange_set_data(struct exchange *x, void *data)
{
	x->data = data;
}

const char *exchange_peer(const struct exchange *x)
{
	return x->peer[0] != '\0' ? x->peer : x->connection->peer;
}

bool exchange_alive(const struct exchange *x)
{
	return !x->connection->closing && !x->connection->half_closed;
}

void exchange_on_gone(struct exchange *x, void (*on_gone)(struct exchange *x))
{
	x->on_gone = on_gone;
}
