/* http1_framing.c - the header fields that the reader itself obeys: Host,
 * Content-Length, Transfer-Encoding, Connection, Expect.
 *
 * This is where request smuggling is decided, so there is one reading or none: a
 * length and a coding together, two lengths, a coding beside chunked or a name twice
 * are refused, whatever the RFC would let a server make of them. Everything else in a
 * head is data for the caller. */
#include "wire/http1_inner.h"

#include <string.h>

/* Cuts the next item off a comma list, without blanks around it; false at the list's
 * end. */
static bool next_item(struct slice *list, struct slice *ret_item)
{
	if (list->ptr == NULL)
		return false;
	const char *end = list->ptr + list->len;
	const char *comma = memchr(list->ptr, ',', list->len);
	const char *from = list->ptr;
	const char *to = comma == NULL ? end : comma;
	while (from < to && (*from == ' ' || *from == '\t'))
		from++;
	while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
		to--;
	*ret_item = (struct slice){ from, (size_t)(to - from) };
	*list = SLICE_NONE;
	if (comma != NULL)
		*list = (struct slice){ comma + 1, (size_t)(end - comma) - 1 };
	return true;
}

static void note_host(struct http1 *p, struct slice value)
{
	if (++p->inner->hosts > 1)
		http1_refuse(p, 400, "more than one Host");
	/* An empty one is right where the target names no authority (RFC 9110 7.2). */
	else if (value.len > 0 && !http1_authority_ok(value))
		http1_refuse(p, 400, "malformed Host");
}

static void note_length(struct http1 *p, struct slice value)
{
	struct http1_inner *in = p->inner;
	if (++in->lengths > 1) {
		http1_refuse(p, 400, "more than one Content-Length");
		return;
	}
	if (value.len == 0 || !bytes_are(value, BYTE_DIGIT)) {
		http1_refuse(p, 400, "malformed Content-Length");
		return;
	}
	for (size_t i = 0; i < value.len; i++) {
		size_t digit = (size_t)(value.ptr[i] - '0');
		if (in->length > (SIZE_MAX - digit) / 10) {
			in->length = SIZE_MAX;  /* over any limit: 413 later */
			return;
		}
		in->length = in->length * 10 + digit;
	}
}

static void note_coding(struct http1 *p, struct slice value)
{
	struct http1_inner *in = p->inner;
	in->codings++;
	struct slice item;
	while (next_item(&value, &item)) {
		if (item.len == 0 || !bytes_are(item, BYTE_TOKEN)) {
			http1_refuse(p, 400, "malformed Transfer-Encoding");
			return;
		}
		if (in->chunked) {
			http1_refuse(p, 400, "a transfer coding after chunked");
			return;
		}
		if (slice_eq_nocase(item, SLICE_LIT("identity"))) {
			http1_refuse(p, 400, "transfer coding identity");
			return;
		}
		if (slice_eq_nocase(item, SLICE_LIT("chunked")))
			in->chunked = true;
		else
			in->coding_unknown = true;
	}
}

static void note_connection(struct http1_inner *in, struct slice value)
{
	struct slice item;
	while (next_item(&value, &item)) {
		if (slice_eq_nocase(item, SLICE_LIT("close")))
			in->close_asked = true;
		else if (slice_eq_nocase(item, SLICE_LIT("keep-alive")))
			in->keep_alive_asked = true;
	}
}

static void note_expect(struct http1_inner *in, struct slice value)
{
	if (slice_eq_nocase(value, SLICE_LIT("100-continue")))
		in->continue_asked = true;
	else
		in->expects_other = true;
}

void http1_note_field(struct http1 *p, struct slice name, struct slice value)
{
	/* The lengths of the five names differ: one comparison at most. */
	switch (name.len) {
	case 4:
		if (slice_eq_nocase(name, SLICE_LIT("host")))
			note_host(p, value);
		break;
	case 6:
		if (slice_eq_nocase(name, SLICE_LIT("expect")))
			note_expect(p->inner, value);
		break;
	case 10:
		if (slice_eq_nocase(name, SLICE_LIT("connection")))
			note_connection(p->inner, value);
		break;
	case 14:
		if (slice_eq_nocase(name, SLICE_LIT("content-length")))
			note_length(p, value);
		break;
	case 17:
		if (slice_eq_nocase(name, SLICE_LIT("transfer-encoding")))
			note_coding(p, value);
		break;
	}
}

static void judge_codings(struct http1 *p)
{
	const struct http1_inner *in = p->inner;
	if (in->lengths > 0)
		http1_refuse(p, 400, "Content-Length beside Transfer-Encoding");
	else if (p->minor == 0)
		http1_refuse(p, 400, "Transfer-Encoding in HTTP/1.0");
	else if (!in->chunked)
		http1_refuse(p, 400, "transfer codings do not end in chunked");
	else if (in->coding_unknown)
		http1_refuse(p, 501, "unknown transfer coding");
}

void http1_judge_fields(struct http1 *p)
{
	const struct http1_inner *in = p->inner;
	if (in->hosts == 0 && p->minor > 0) {
		http1_refuse(p, 400, "no Host");
		return;
	}
	if (in->codings > 0) {
		judge_codings(p);
		if (p->phase == HTTP1_BAD)
			return;
	}
	/* RFC 9110 10.1.1: an HTTP/1.0 request expects nothing. */
	if (in->expects_other && p->minor > 0) {
		http1_refuse(p, 417, "unknown expectation");
		return;
	}
	p->has_body = in->chunked || in->length > 0;
	p->expect_continue = in->continue_asked && p->minor > 0 && p->has_body;
	p->keep_alive = !in->close_asked && (p->minor > 0 || in->keep_alive_asked);
}
