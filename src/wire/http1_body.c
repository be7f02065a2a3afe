/* http1_body.c - the body: a known length, or chunks joined and trailers dropped.
 *
 * Invariant: body_len + left <= body_max at any time, judged when a size is announced,
 * so memory grows only with bytes that came. Surprise: trailers are checked like
 * header fields and then forgotten: they can name Host or Content-Length and mean
 * nothing. */
#include "wire/http1_inner.h"

#include <string.h>

void http1_begin_body(struct http1 *p, size_t body_bytes_max)
{
	struct http1_inner *in = p->inner;
	in->body_max = body_bytes_max;
	/* Of a length that is known no more is taken, also not for the doubling of the buffer. */
	p->body.bytes_max = in->chunked || in->length > body_bytes_max ? body_bytes_max : in->length;
	if (!in->chunked && in->length > body_bytes_max) {
		http1_refuse(p, 413, "body too large");
		return;
	}
	in->step = in->chunked ? BODY_CHUNK_LINE : BODY_LENGTH;
	in->left = in->chunked ? 0 : in->length;
	p->phase = HTTP1_BODY;
}

size_t http1_body_bytes(const struct http1 *p)
{
	switch (p->inner->step) {
	case BODY_LENGTH:
	case BODY_CHUNK_DATA:
		return p->body.len + p->inner->left;
	case BODY_CHUNK_LINE:
	case BODY_CHUNK_END:            /* left counts something else here */
	case BODY_TRAILER: break;
	}
	return p->body.len;
}

static size_t take_bytes(struct http1 *p, struct slice in)
{
	size_t len = in.len < p->inner->left ? in.len : p->inner->left;
	if (!p->inner->discard) {
		buf_put(&p->body, in.ptr, len);
		CHECK(!buf_failed(&p->body));   /* body_max was judged before */
	}
	p->inner->body_len += len;
	p->inner->left -= len;
	return len;
}

/* One extension behind its ';': name, or name=token, or name="quoted"; NULL when it is
 * none. */
static const char *skip_extension(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	const char *name = at;
	while (at < end && byte_is(*at, BYTE_TOKEN))
		at++;
	if (at == name)
		return NULL;
	if (at == end || *at != '=')
		return at;
	const char *value = ++at;
	if (at == end || *at != '"') {
		while (at < end && byte_is(*at, BYTE_TOKEN))
			at++;
		return at == value ? NULL : at;
	}
	for (at++; at < end && *at != '"'; at++) {
		if (*at == '\\' && ++at == end)
			return NULL;
		if (!byte_is(*at, BYTE_VALUE))
			return NULL;
	}
	return at == end ? NULL : at + 1;
}

static bool extensions_ok(struct slice text)
{
	const char *at = text.ptr;
	const char *end = text.ptr + text.len;
	while (at < end) {
		if (*at != ';')
			return false;
		at = skip_extension(at + 1, end);
		if (at == NULL)
			return false;
	}
	return true;
}

static size_t hex_value(char c)
{
	return (size_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void read_chunk_line(struct http1 *p, struct slice line)
{
	struct http1_inner *in = p->inner;
	size_t digits = 0;
	size_t size = 0;
	for (; digits < line.len && byte_is(line.ptr[digits], BYTE_HEX); digits++) {
		if (size > SIZE_MAX >> 4) {
			http1_refuse(p, 413, "chunk too large");
			return;
		}
		if (digits == CHUNK_DIGITS_MAX) {
			http1_refuse(p, 400, "malformed chunk size");
			return;
		}
		size = size << 4 | hex_value(line.ptr[digits]);
	}
	struct slice extra = { line.ptr + digits, line.len - digits };
	if (digits == 0 || !extensions_ok(extra)) {
		http1_refuse(p, 400, "malformed chunk size");
		return;
	}
	in->chunk_extra_bytes += extra.len;
	if (in->chunk_extra_bytes > CHUNK_EXTRA_BYTES_MAX) {
		http1_refuse(p, 400, "too many chunk extensions");
		return;
	}
	if (size > in->body_max - in->body_len) {
		http1_refuse(p, 413, "body too large");
		return;
	}
	in->left = size;
	in->step = size > 0 ? BODY_CHUNK_DATA : BODY_TRAILER;
}

static void read_trailer(struct http1 *p, struct slice line)
{
	struct http1_inner *in = p->inner;
	if (line.len == 0) {
		p->phase = HTTP1_DONE;
		return;
	}
	if (in->trailers++ == in->limits.fields_max) {
		http1_refuse(p, 431, "too many trailer fields");
		return;
	}
	in->trailer_bytes += line.len + 2;
	struct http1_field dropped;
	const char *fault = http1_split_field(line, &dropped);
	if (fault != NULL)
		http1_refuse(p, 400, fault);
}

/* A line of the chunked coding: a chunk's size or a trailer. */
static size_t feed_line(struct http1 *p, struct slice bytes)
{
	struct http1_inner *in = p->inner;
	bool trailer = in->step == BODY_TRAILER;
	size_t max = CHUNK_LINE_BYTES_MAX;
	if (trailer)
		max = http1_line_room(in->limits.head_bytes_max, in->trailer_bytes);
	size_t used = 0;
	struct slice line = SLICE_NONE;
	switch (http1_take_line(&in->line, 0, max, bytes, &used, &line)) {
	case LINE_MORE:
		break;
	case LINE_READY:
		if (trailer)
			read_trailer(p, line);
		else
			read_chunk_line(p, line);
		buf_reset(&in->line);
		break;
	case LINE_LONG:
		if (trailer)
			http1_refuse(p, 431, "trailers too large");
		else
			http1_refuse(p, 400, "chunk line too long");
		break;
	case LINE_BARE_LF:
		http1_refuse(p, 400, "line end without CR");
		break;
	}
	return used;
}

/* The CRLF behind a chunk; left counts what of it has come. */
static size_t feed_chunk_end(struct http1 *p, struct slice in)
{
	if (in.ptr[0] != "\r\n"[p->inner->left]) {
		http1_refuse(p, 400, "chunk longer than its size");
		return 0;
	}
	if (++p->inner->left == 2) {
		p->inner->left = 0;
		p->inner->step = BODY_CHUNK_LINE;
	}
	return 1;
}

static size_t feed_step(struct http1 *p, struct slice in)
{
	size_t used = 0;
	switch (p->inner->step) {
	case BODY_LENGTH:
		used = take_bytes(p, in);
		if (p->inner->left == 0)
			p->phase = HTTP1_DONE;
		break;
	case BODY_CHUNK_DATA:
		used = take_bytes(p, in);
		if (p->inner->left == 0)
			p->inner->step = BODY_CHUNK_END;
		break;
	case BODY_CHUNK_END:
		return feed_chunk_end(p, in);
	case BODY_CHUNK_LINE:
	case BODY_TRAILER:
		return feed_line(p, in);
	}
	return used;
}

size_t http1_feed_body(struct http1 *p, struct slice in)
{
	size_t used = 0;
	while (p->phase == HTTP1_BODY && used < in.len)
		used += feed_step(p, (struct slice){ in.ptr + used, in.len - used });
	return used;
}
