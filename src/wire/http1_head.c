/* http1_head.c - the lines of a head, gathered in one buffer.
 *
 * Each line is judged when it is complete and kept as places in the buffer; the slices
 * are made once, when the empty line has come and the buffer will not move any more.
 * Surprise: CR needs no case of its own, since no class of bytes holds it; only the
 * one before LF is ever let through. */
#include "wire/http1_inner.h"

#include <string.h>

enum {                                         /* one letter for each sort of byte */
	O = 0,                                 /* controls */
	V = BYTE_VALUE,                        /* blanks and bytes above 0x7f */
	G = V | BYTE_TARGET,                   /* "/:<>?@[\]{} */
	H = G | BYTE_HOST,                     /* (),;= */
	T = G | BYTE_TOKEN,                    /* #^`| */
	M = H | T,                             /* !$%&'*+-._~ and letters */
	D = M | BYTE_HEX | BYTE_DIGIT,
	X = M | BYTE_HEX,
	L = M | BYTE_LOWER,
	Y = L | BYTE_HEX,
};

const uint8_t http1_class[256] = {
	O, O, O, O, O, O, O, O, O, V, O, O, O, O, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	V, M, G, T, M, M, M, M, H, H, M, M, H, M, M, G,   /* blank … / */
	D, D, D, D, D, D, D, D, D, D, G, H, G, H, G, G,   /* 0 … ? */
	G, X, X, X, X, X, X, M, M, M, M, M, M, M, M, M,   /* @ … O */
	M, M, M, M, M, M, M, M, M, M, M, G, G, G, T, M,   /* P … _ */
	T, Y, Y, Y, Y, Y, Y, L, L, L, L, L, L, L, L, L,   /* ` … o */
	L, L, L, L, L, L, L, L, L, L, L, G, T, G, M, O,   /* p … DEL */
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
	V, V, V, V, V, V, V, V, V, V, V, V, V, V, V, V,
};

bool bytes_are(struct slice s, unsigned class)
{
	unsigned all = class;
	for (size_t i = 0; i < s.len; i++)
		all &= http1_class[(unsigned char)s.ptr[i]];
	return all == class;
}

size_t http1_token_len(struct slice text)
{
	size_t len = 0;
	while (len < text.len && byte_is(text.ptr[len], BYTE_TOKEN))
		len++;
	return len;
}

bool http1_value_ok(struct slice text) { return bytes_are(text, BYTE_VALUE); }

static struct http1_span span_of(const struct buf *b, struct slice s)
{
	return (struct http1_span){ (size_t)(s.ptr - b->ptr), s.len };
}

static struct slice slice_at(const struct buf *b, struct http1_span at)
{
	return (struct slice){ b->ptr + at.at, at.len };
}

const char *http1_split_field(struct slice line, struct http1_field *ret_field)
{
	const char *end = line.ptr + line.len;
	const char *colon = line.ptr;
	while (colon < end && byte_is(*colon, BYTE_TOKEN))
		colon++;
	if (colon == end || *colon != ':' || colon == line.ptr)
		return "malformed header name";
	const char *value = colon + 1;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	struct http1_field field = {
		.name = { line.ptr, (size_t)(colon - line.ptr) },
		.value = { value, (size_t)(end - value) },
	};
	if (!bytes_are(field.value, BYTE_VALUE))
		return "control character in a header value";
	*ret_field = field;
	return NULL;
}

static void grow_fields(struct http1 *p)
{
	struct http1_inner *in = p->inner;
	in->fields_cap = in->fields_cap == 0 ? 16 : in->fields_cap * 2;
	in->places = xrealloc(in->places, in->fields_cap * sizeof *in->places);
	p->fields = xrealloc(p->fields, in->fields_cap * sizeof *p->fields);
}

static void read_field(struct http1 *p, struct slice line)
{
	struct http1_inner *in = p->inner;
	if (in->nplaces == in->limits.fields_max) {
		http1_refuse(p, 431, "too many header fields");
		return;
	}
	struct http1_field field;
	const char *fault = http1_split_field(line, &field);
	if (fault != NULL) {
		http1_refuse(p, 400, fault);
		return;
	}
	if (in->nplaces == in->fields_cap)
		grow_fields(p);
	in->places[in->nplaces++] = (struct http1_field_at){
		span_of(&in->head, field.name), span_of(&in->head, field.value),
	};
	http1_note_field(p, field.name, field.value);
}

/* The buffer stands still from here on: make places into slices. */
static void end_head(struct http1 *p)
{
	struct http1_inner *in = p->inner;
	http1_judge_fields(p);
	if (p->phase == HTTP1_BAD)
		return;
	for (size_t i = 0; i < in->nplaces; i++) {
		p->fields[i].name = slice_at(&in->head, in->places[i].name);
		p->fields[i].value = slice_at(&in->head, in->places[i].value);
	}
	p->nfields = in->nplaces;
	p->method = slice_at(&in->head, in->method);
	p->target = slice_at(&in->head, in->target);
	p->path = slice_at(&in->head, in->path);
	p->query = slice_at(&in->head, in->query);
	/* RFC 9110 4.2.3: an empty path of a whole URL is "/". */
	if (in->absolute && p->path.len == 0)
		p->path = SLICE_LIT("/");
	p->phase = HTTP1_HEAD_DONE;
}

static void read_line(struct http1 *p, struct slice line)
{
	struct http1_inner *in = p->inner;
	if (in->fields_at != 0) {
		if (line.len == 0)
			end_head(p);
		else
			read_field(p, line);
		return;
	}
	if (line.len > 0) {
		http1_read_request_line(p, line);
		in->fields_at = in->head.len;
	} else if (!in->blank_skipped) {
		/* RFC 9112 2.2: old clients send one CRLF more than their length says. */
		in->blank_skipped = true;
		buf_reset(&in->head);
	} else {
		http1_refuse(p, 400, "empty lines before the request line");
	}
}

static size_t field_room(const struct http1_inner *in)
{
	return http1_line_room(in->limits.head_bytes_max, in->line_at - in->fields_at);
}

size_t http1_feed_head(struct http1 *p, struct slice bytes)
{
	struct http1_inner *in = p->inner;
	size_t used = 0;
	while (p->phase == HTTP1_HEAD && used < bytes.len) {
		bool first = in->fields_at == 0;
		size_t max = first ? in->limits.line_bytes_max : field_room(in);
		size_t at = in->line_at;
		struct slice line = SLICE_NONE;
		switch (http1_take_line(&in->head, at, max, bytes, &used, &line)) {
		case LINE_MORE:
			break;
		case LINE_READY:
			read_line(p, line);
			in->line_at = in->head.len;
			break;
		case LINE_LONG:
			if (first)
				http1_refuse(p, 414, "request line too long");
			else
				http1_refuse(p, 431, "header too large");
			break;
		case LINE_BARE_LF:
			http1_refuse(p, 400, "line end without CR");
			break;
		}
	}
	return used;
}
