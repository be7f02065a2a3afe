/* server.h - an HTTP/1.1 listener on libuv: connections, pipelines, deadlines, answers in order.
 *
 * It knows nothing of hooks or flows: a handler is asked twice for each request, when its head
 * stands (to refuse before a body is read) and when it is whole. An exchange is one request and its
 * answer; the handler answers it at once or later, exactly once. Exchanges of one connection may be
 * answered in any order; the bytes leave in the order the requests came.
 * Invariant: an exchange stays valid until it is answered, also when its connection has gone.
 * The server itself refuses with 503 and Retry-After what has no room in the budget for bodies, and with
 * 429 what is one too many of its address.
 * Surprise: after a refusal with a body unread the connection closes, lingering (reads and drops for
 * a moment), so that the peer sees the answer rather than a reset. A short body of a request that its
 * head has refused is read all the same: the answer leaves behind it, and the connection goes on. The process must ignore SIGPIPE. */
#ifndef FISH_SERVER_H
#define FISH_SERVER_H

#include "base/base.h"
#include "net/address.h"
#include "net/budget.h"
#include "wire/http1.h"

#include <uv.h>

struct server;
struct exchange;

struct server_handler {
	void *owner;
	/* The head stands. 0: read the body and go on to request; else an HTTP status to refuse with.
	 * It may also call exchange_answer itself (for header lines or a body of its own): request is
	 * then not called, whatever it returns. */
	int  (*head)(void *owner, struct exchange *x, const struct http1 *head);
	/* The whole request stands; req's parts and body stand until the exchange is answered. */
	void (*request)(void *owner, struct exchange *x, const struct http1 *req);
	/* The server itself refuses: a limit, a fault in the bytes, a peer that is too slow. It calls
	 * exchange_answer with that status and why in its own form. req: what of the request was read;
	 * its fields stand only when its head did. NULL: why as text/plain. */
	void (*refused)(void *owner, struct exchange *x, const struct http1 *req, int status, const char *why);
};

struct server_bounds {                   /* zero: the default in brackets */
	int64_t head_timeout_ms;         /* first byte to whole head [30 s] */
	int64_t body_timeout_ms;         /* head to whole body [5 min] */
	int64_t write_timeout_ms;        /* one write of answers [5 min] */
	int64_t idle_timeout_ms;         /* between requests [75 s] */
	/* In each stretch of rate_grace_ms [10 s] of a head, a body or a write, so many bytes a second
	 * come or leave [256]; with less, that is as if its time-out had passed. */
	int64_t rate_grace_ms;
	size_t  rate_bytes_min;
	size_t  connections_max;         /* at it the one that is idle longest gives way, or the listener pauses [10,000] */
	/* Connections of one address, or, of those that come by a proxy, requests under way; over it 429. A
	 * v6 address counts as its /64. Unix peers do not count. [2,000] */
	size_t  connections_each_max;
	size_t  pipeline_max;            /* requests under way per connection; over it reading pauses [16] */
};

struct server_config {
	uv_loop_t            *loop;
	struct server_handler handler;
	const char           *listen;            /* "host:port", ":port", port 0 picks a free one; or "unix:/path" */
	struct http1_limits   limits;
	struct budget *budget;                   /* of bodies; over it 503. Shared; stands until the last exchange is
	                                            answered. NULL: no limit */
	struct server_bounds  bounds;
	const struct proxies *proxies;           /* who may say in whose name it asks; borrowed. NULL: nobody */
	unsigned              unix_mode;         /* of a socket file; 0: 0600 */
};

int         server_open(struct server **ret, const struct server_config *config, struct err *err);
const char *server_address(const struct server *s);      /* "127.0.0.1:34567", "[::1]:80" or "unix:/path" */
/* Stops listening, closes idle connections, lets exchanges under way be answered; done runs on the
 * loop when all is closed. Connections not done after grace_ms are cut. */
void        server_drain(struct server *s, int64_t grace_ms, void (*done)(void *arg), void *arg);
struct server *server_free(struct server *s);            /* only after drain's done; returns NULL */

/* extra_lines: header lines each ending in CRLF, or "". body is copied. */
void        exchange_answer(struct exchange *x, int status, const char *extra_lines, struct slice body);
/* For head alone: this request's body may have so many bytes, whatever the limits say. */
void        exchange_set_body_max(struct exchange *x, size_t bytes_max);
/* The handler has read the body of a whole request, and answers later: its memory may go. */
void        exchange_drop_body(struct exchange *x);
void       *exchange_data(struct exchange *x);           /* the handler's own, NULL at first */
void        exchange_set_data(struct exchange *x, void *data);
/* "192.0.2.1:1234" or "unix"; "192.0.2.1" or "2001:db8::1" when a believed proxy named the asker. Stands
 * when the head does. */
const char *exchange_peer(const struct exchange *x);
/* Is the asker still connected? A handler that waits on its behalf may stop. False also for one that
 * only shut down its sending side: it may have gone, and is still sent its answer. */
bool        exchange_alive(const struct exchange *x);
/* on_gone runs once when that turns false before the answer; the exchange must still be answered. */
void        exchange_on_gone(struct exchange *x, void (*on_gone)(struct exchange *x));

#endif
