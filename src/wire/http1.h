/* http1.h - a strict, incremental HTTP/1.1 request reader (RFC 9112) and the head of an answer.
 *
 * Pure: bytes in, parts out; no I/O, no clock. It never merges, guesses or repairs: what two servers
 * might read differently is refused (docs/http.md has the table). Surprise: the parts of a head point
 * into the parser's own buffer and stand until http1_next. */
#ifndef FISH_HTTP1_H
#define FISH_HTTP1_H

#include "base/buf.h"

struct http1_limits {            /* zero: the default in brackets */
	size_t line_bytes_max;   /* request line [8 KiB]; over it 414 */
	size_t head_bytes_max;   /* all header fields with their CRLFs [32 KiB]; over it 431; trailers alike */
	size_t fields_max;       /* [100]; over it 431 */
	size_t body_bytes_max;   /* [BODY_BYTES_MAX_DEFAULT]; over it 413, from Content-Length already */
};

struct http1_field {
	struct slice name, value;    /* value without blanks around it */
};

enum http1_phase {
	HTTP1_HEAD,              /* reading the request line and header */
	HTTP1_HEAD_DONE,         /* the head stands: look at it, then http1_continue or drop the connection */
	HTTP1_BODY,              /* reading the body */
	HTTP1_DONE,              /* the whole request stands: use it, then http1_next */
	HTTP1_BAD,               /* status tells how to refuse; nothing more is read from this connection */
};

struct http1 {
	enum http1_phase   phase;
	int                status;       /* HTTP1_BAD: 400, 413, 414, 417, 431, 501 or 505; else 0 */
	const char        *why;          /* HTTP1_BAD: a constant phrase */
	/* As sent; query without '?'. "http://h" has the path "/", CONNECT none, OPTIONS * the path "*". */
	struct slice       method, target, path, query;
	struct http1_field *fields;      /* in order, as sent */
	size_t             nfields;
	int                minor;        /* HTTP/1.minor: 0 or 1 */
	bool               keep_alive;   /* what the client asks for (RFC 9112 9.3) */
	bool               expect_continue; /* has_body, and the client waits for a 100 before it sends it */
	bool               has_body;     /* Content-Length above 0 or chunked */
	struct buf         body;         /* decoded: chunks joined, trailers dropped */
	struct http1_inner *inner;       /* the parser's own */
};

void   http1_init(struct http1 *p, const struct http1_limits *limits);   /* NULL: all defaults */
void   http1_fini(struct http1 *p);
/* Feeds bytes; returns how many were taken. Stops taking at HTTP1_HEAD_DONE, HTTP1_DONE, HTTP1_BAD. */
size_t http1_feed(struct http1 *p, const char *bytes, size_t len);
/* After HTTP1_HEAD_DONE: go on to the body, of at most body_bytes_max (0: as in the limits). The
 * phase is then HTTP1_BODY (send the 100 now if expect_continue), HTTP1_DONE without a body, or
 * HTTP1_BAD with 413 when Content-Length is over it. */
void   http1_continue(struct http1 *p, size_t body_bytes_max);
/* The same for a body that nobody wants: its bytes are judged as ever and not kept. False, and nothing has
 * changed, when its Content-Length is over body_bytes_max; chunks over it are HTTP1_BAD with 413. */
bool   http1_discard(struct http1 *p, size_t body_bytes_max);
/* How long the body is as far as that is announced: its Content-Length, or what has come of its chunks
 * and the whole of the one that is coming. In HTTP1_BODY and HTTP1_DONE. */
size_t http1_body_bytes(const struct http1 *p);
/* Nobody reads the body any more: gives the memory of a large one back before http1_next does. When no
 * byte is fed any more, or after HTTP1_DONE. */
void   http1_drop_body(struct http1 *p);
void   http1_next(struct http1 *p);                      /* after HTTP1_DONE: ready for the next request */
bool   http1_started(const struct http1 *p);             /* some byte of the current request has come */
/* The only field of that name (any case): its value, or SLICE_NONE (ptr NULL) when there is none or
 * more than one; *ret_count, if not NULL, says how many there are. */
struct slice http1_field(const struct http1 *p, const char *name, size_t *ret_count);

const char *http1_reason(int status);                    /* "OK"; "Status" for an unknown one */
/* Puts a whole answer: status line, Content-Length, extra header lines (each ending in CRLF, may be
 * ""), "Connection: close" unless keep_alive, body. 1xx, 204 and 304 get neither length nor body. An
 * HTTP/1.0 client that asked for keep-alive must be told "Connection: keep-alive" in extra_lines. */
void   http1_answer(struct buf *out, int status, const char *extra_lines, struct slice body, bool keep_alive);

/* How many bytes at the front of text may stand in a field's name (RFC 9110 5.6.2, token). */
size_t http1_token_len(struct slice text);
/* May text be a field's value (RFC 9110 5.5): no control characters but tabs? */
bool   http1_value_ok(struct slice text);

#endif
