/* http1_inner.h - what the files of the HTTP/1.1 reader share, and nobody else.
 *
 * http1.c moves the phases; http1_head.c reads the lines of a head, http1_target.c the
 * request line, http1_framing.c the fields that Fish itself obeys, http1_body.c the
 * body. Invariant: a verdict depends on the bytes alone, never on how they were cut
 * into feeds. So a limit is judged before the syntax, and only by what is certain
 * whatever comes next. */
#ifndef FISH_HTTP1_INNER_H
#define FISH_HTTP1_INNER_H

#include "wire/http1.h"

enum {
	CHUNK_LINE_BYTES_MAX  = 1024,      /* size and extensions of one chunk */
	CHUNK_EXTRA_BYTES_MAX = 16 << 10,  /* extensions of all chunks of a body */
	CHUNK_DIGITS_MAX      = 16,
	BODY_BYTES_KEPT_MAX   = 16 << 10,  /* what an idle connection may go on holding */
};

enum {                             /* classes of bytes, bits of http1_class[] */
	BYTE_TOKEN  = 1 << 0,      /* RFC 9110 5.6.2 */
	BYTE_VALUE  = 1 << 1,      /* RFC 9110 5.5: blanks, VCHAR, obs-text */
	BYTE_TARGET = 1 << 2,      /* 0x21 … 0x7e */
	BYTE_HOST   = 1 << 3,      /* RFC 3986 3.2.2 reg-name, and '%' */
	BYTE_LOWER  = 1 << 4,
	BYTE_HEX    = 1 << 5,
	BYTE_DIGIT  = 1 << 6,
};
extern const uint8_t http1_class[256];

static inline bool byte_is(char c, unsigned classes)
{
	return (http1_class[(unsigned char)c] & classes) != 0;
}
/* Is every byte of s of that class? True for an empty slice. */
bool bytes_are(struct slice s, unsigned class);

/* Places in the head's buffer, which moves while it grows. */
struct http1_span {
	size_t at, len;
};
struct http1_field_at {
	struct http1_span name, value;
};

enum http1_body_step {
	BODY_LENGTH,
	BODY_CHUNK_LINE, BODY_CHUNK_DATA, BODY_CHUNK_END,
	BODY_TRAILER,
};

struct http1_inner {
	struct http1_limits limits;             /* with the defaults put in */
	struct buf head;                        /* the lines, each with its CRLF */
	size_t line_at;                         /* in head: of the line under way */
	size_t fields_at;                       /* in head: of the fields; 0: none yet */
	bool blank_skipped;                     /* the one empty line allowed in front */
	struct http1_span method, target, path, query;
	bool absolute;                          /* the target is a whole URL */
	struct http1_field_at *places;          /* of the fields, in order */
	size_t nplaces;
	size_t fields_cap;                      /* of places and of http1.fields */

	size_t hosts, lengths, codings;         /* how many such fields came */
	size_t length;                          /* Content-Length, at most SIZE_MAX */
	bool chunked;                           /* the codings so far end in chunked */
	bool coding_unknown;
	bool close_asked, keep_alive_asked;
	bool continue_asked, expects_other;

	enum http1_body_step step;
	struct buf line;                        /* a chunk's or trailer line under way */
	size_t body_max;
	size_t body_len;                        /* bytes that came of it, chunks joined */
	bool discard;                           /* and they are not kept */
	size_t left;                            /* bytes of body or chunk yet to come */
	size_t chunk_extra_bytes, trailer_bytes, trailers;
};

void http1_refuse(struct http1 *p, int status, const char *why);

enum http1_line { LINE_MORE, LINE_READY, LINE_LONG, LINE_BARE_LF };
/* Moves bytes of the line that begins at b->ptr + at into b, up to its LF, and adds
 * what it took to *used. LINE_READY: *ret_line is the line without its CRLF.
 * LINE_LONG: over max bytes without it. */
enum http1_line http1_take_line(struct buf *b, size_t at, size_t max, struct slice in,
	size_t *used, struct slice *ret_line);
/* How long the next field line may be when total of all_max bytes are used up, its
 * CRLF included. */
size_t http1_line_room(size_t all_max, size_t total);

/* http1_head.c: return how many bytes were taken. */
size_t http1_feed_head(struct http1 *p, struct slice in);
/* Splits "name: value"; NULL, or what is wrong with it. */
const char *http1_split_field(struct slice line, struct http1_field *ret_field);
/* http1_target.c: the request line into in->method … query and minor; refuses. */
void http1_read_request_line(struct http1 *p, struct slice line);
/* "host", "host:port", "[v6]:port" as in a Host field or a target. */
bool http1_authority_ok(struct slice text);
/* http1_framing.c: notes a field of the head; judges them all when the head is
 * complete. */
void http1_note_field(struct http1 *p, struct slice name, struct slice value);
void http1_judge_fields(struct http1 *p);
/* http1_body.c */
void   http1_begin_body(struct http1 *p, size_t body_bytes_max);
size_t http1_feed_body(struct http1 *p, struct slice in);

#endif
