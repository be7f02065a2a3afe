/* http1.c - the phases of a request and the caller's side of the reader.
 *
 * Invariant: fields, method and the like are set exactly from HTTP1_HEAD_DONE to
 * http1_next, and no byte behind the request's last one is ever taken. Surprise:
 * between two requests of one connection the buffers keep their memory, but a large
 * body's is given back. */
#include "wire/http1_inner.h"

#include <stdlib.h>
#include <string.h>

enum {
	LINE_BYTES_DEFAULT = 8 << 10,
	HEAD_BYTES_DEFAULT = 32 << 10,
	FIELDS_DEFAULT     = 100,
	FRAME_BYTES        = 4,      /* the CRLFs of the request line and of the head */
};

static size_t limit_or(size_t limit, size_t fallback)
{
	return limit == 0 ? fallback : limit;
}

void http1_init(struct http1 *p, const struct http1_limits *limits)
{
	struct http1_limits l = limits == NULL ? (struct http1_limits){ 0 } : *limits;
	l.line_bytes_max = limit_or(l.line_bytes_max, LINE_BYTES_DEFAULT);
	l.head_bytes_max = limit_or(l.head_bytes_max, HEAD_BYTES_DEFAULT);
	l.fields_max = limit_or(l.fields_max, FIELDS_DEFAULT);
	l.body_bytes_max = limit_or(l.body_bytes_max, BODY_BYTES_MAX_DEFAULT);
	/* They come from the configuration; sums of them must not overflow. */
	CHECK(l.line_bytes_max < SIZE_MAX / 4);
	CHECK(l.head_bytes_max < SIZE_MAX / 4);
	CHECK(l.body_bytes_max < SIZE_MAX / 4);

	*p = (struct http1){ .phase = HTTP1_HEAD };
	p->inner = xalloc(sizeof *p->inner);
	p->inner->limits = l;
	buf_init(&p->inner->head, l.line_bytes_max + l.head_bytes_max + FRAME_BYTES);
	buf_init(&p->inner->line, l.head_bytes_max + CHUNK_LINE_BYTES_MAX + FRAME_BYTES);
	buf_init(&p->body, l.body_bytes_max);
}

void http1_fini(struct http1 *p)
{
	if (p == NULL || p->inner == NULL)
		return;
	buf_fini(&p->inner->head);
	buf_fini(&p->inner->line);
	buf_fini(&p->body);
	free(p->inner->places);
	free(p->fields);
	free(p->inner);
	*p = (struct http1){ .phase = HTTP1_BAD };
}

void http1_refuse(struct http1 *p, int status, const char *why)
{
	p->phase = HTTP1_BAD;
	p->status = status;
	p->why = why;
	p->keep_alive = false;
}

size_t http1_feed(struct http1 *p, const char *bytes, size_t len)
{
	struct slice in = { bytes, len };
	switch (p->phase) {
	case HTTP1_HEAD:
		return http1_feed_head(p, in);
	case HTTP1_BODY:
		return http1_feed_body(p, in);
	case HTTP1_HEAD_DONE:
	case HTTP1_DONE:
	case HTTP1_BAD:
		return 0;
	}
	return 0;
}

void http1_continue(struct http1 *p, size_t body_bytes_max)
{
	CHECK(p->phase == HTTP1_HEAD_DONE);
	if (!p->has_body) {
		p->phase = HTTP1_DONE;
		return;
	}
	http1_begin_body(p, limit_or(body_bytes_max, p->inner->limits.body_bytes_max));
}

bool http1_discard(struct http1 *p, size_t body_bytes_max)
{
	CHECK(p->phase == HTTP1_HEAD_DONE);
	if (!p->inner->chunked && p->inner->length > body_bytes_max)
		return false;
	http1_continue(p, body_bytes_max);
	p->inner->discard = true;
	return true;
}

void http1_drop_body(struct http1 *p)
{
	buf_reset(&p->body);
	if (p->body.cap > BODY_BYTES_KEPT_MAX)
		buf_fini(&p->body);
}

void http1_next(struct http1 *p)
{
	CHECK(p->phase == HTTP1_DONE);
	struct http1_inner old = *p->inner;
	struct http1_field *fields = p->fields;
	http1_drop_body(p);
	struct buf body = p->body;
	buf_reset(&old.head);
	buf_reset(&old.line);
	*p = (struct http1){ .fields = fields, .body = body, .inner = p->inner };
	*p->inner = (struct http1_inner){
		.limits = old.limits, .head = old.head, .line = old.line,
		.places = old.places, .fields_cap = old.fields_cap,
	};
}

bool http1_started(const struct http1 *p)
{
	return p->phase != HTTP1_HEAD || p->inner->head.len > 0;
}

struct slice http1_field(const struct http1 *p, const char *name, size_t *ret_count)
{
	struct slice wanted = slice_of(name);
	struct slice value = SLICE_NONE;
	size_t count = 0;
	for (size_t i = 0; i < p->nfields; i++) {
		if (slice_eq_nocase(p->fields[i].name, wanted)) {
			value = p->fields[i].value;
			count++;
		}
	}
	if (ret_count != NULL)
		*ret_count = count;
	return count == 1 ? value : SLICE_NONE;
}

enum http1_line http1_take_line(struct buf *b, size_t at, size_t max, struct slice in,
	size_t *used, struct slice *ret_line)
{
	const char *from = in.ptr + *used;
	size_t len = in.len - *used;
	const char *lf = memchr(from, '\n', len);
	if (lf != NULL)
		len = (size_t)(lf - from) + 1;
	size_t room = max + 2 - (b->len - at);  /* >= 1: longer was refused before */
	if (len > room)
		len = room;
	buf_put(b, from, len);
	CHECK(!buf_failed(b));                  /* http1_init sized it for the limits */
	*used += len;

	const char *line = b->ptr + at;
	size_t got = b->len - at;
	if (line[got - 1] != '\n')
		return got > max + 1 ? LINE_LONG : LINE_MORE;
	bool crlf = got >= 2 && line[got - 2] == '\r';
	*ret_line = (struct slice){ line, got - (crlf ? 2 : 1) };
	if (ret_line->len > max)
		return LINE_LONG;
	return crlf ? LINE_READY : LINE_BARE_LF;
}

size_t http1_line_room(size_t all_max, size_t total)
{
	return all_max > total + 2 ? all_max - total - 2 : 0;
}
