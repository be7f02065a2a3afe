/* http1_target.c - the request line: a method, one of four forms of target, a version.
 *
 * The path stays as it was sent: no percent-decoding, no dot segments, and '#' is a
 * byte like any other. Surprise: lower-case letters in a method are refused, since no
 * registered method has any and a peer that folds case would see another method. */
#include "wire/http1_inner.h"

#include <string.h>

static struct slice slice_from(struct slice s, size_t at)
{
	return (struct slice){ s.ptr + at, s.len - at };
}

static size_t slice_find(struct slice s, char c)
{
	const char *hit = memchr(s.ptr, c, s.len);
	return hit == NULL ? s.len : (size_t)(hit - s.ptr);
}

static bool is_v6_byte(char c)
{
	return byte_is(c, BYTE_HEX) || c == ':' || c == '.';
}

/* How much of text is a host; 0: it begins with none. */
static size_t host_len(struct slice text)
{
	size_t len = 0;
	if (text.len > 0 && text.ptr[0] == '[') {
		len = 1;
		while (len < text.len && is_v6_byte(text.ptr[len]))
			len++;
		return len > 1 && len < text.len && text.ptr[len] == ']' ? len + 1 : 0;
	}
	while (len < text.len && byte_is(text.ptr[len], BYTE_HOST))
		len++;
	return len;
}

bool http1_authority_ok(struct slice text)
{
	size_t host = host_len(text);
	if (host == 0 || host == text.len)
		return host > 0;
	struct slice port = slice_from(text, host + 1);
	return text.ptr[host] == ':' && port.len <= 5 && bytes_are(port, BYTE_DIGIT);
}

/* Splits path?query, given where it lies in the head. */
static void set_path(struct http1_inner *in, struct slice text)
{
	size_t path = slice_find(text, '?');
	size_t at = (size_t)(text.ptr - in->head.ptr);
	in->path = (struct http1_span){ at, path };
	in->query = (struct http1_span){ at + text.len, 0 };
	if (path < text.len)
		in->query = (struct http1_span){ at + path + 1, text.len - path - 1 };
}

/* What follows "http://" or "https://"; len 0 when the target begins with neither. */
static struct slice after_scheme(struct slice target)
{
	const struct slice schemes[] = { SLICE_LIT("http://"), SLICE_LIT("https://") };
	for (size_t i = 0; i < 2; i++) {
		struct slice start = { target.ptr, schemes[i].len };
		if (target.len > schemes[i].len && slice_eq_nocase(start, schemes[i]))
			return slice_from(target, schemes[i].len);
	}
	return SLICE_NONE;
}

static bool read_absolute(struct http1_inner *in, struct slice target)
{
	struct slice rest = after_scheme(target);
	if (rest.len == 0)
		return false;
	size_t end = 0;
	while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?')
		end++;
	struct slice authority = { rest.ptr, end };
	size_t user = slice_find(authority, '@');
	if (user < authority.len)
		authority = slice_from(authority, user + 1);
	in->absolute = true;
	set_path(in, slice_from(rest, end));
	return http1_authority_ok(authority);
}

static bool read_target(struct http1_inner *in, struct slice method, struct slice target)
{
	if (slice_eq(method, SLICE_LIT("CONNECT"))) {
		size_t host = host_len(target);
		set_path(in, slice_from(target, target.len));
		return host + 1 < target.len && http1_authority_ok(target);
	}
	if (target.ptr[0] == '/' || slice_eq(target, SLICE_LIT("*"))) {
		set_path(in, target);
		return target.ptr[0] == '/' || slice_eq(method, SLICE_LIT("OPTIONS"));
	}
	return read_absolute(in, target);
}

/* "HTTP/1.0" or "HTTP/1.1"; RFC 9112 2.3 allows one digit on each side. */
static void read_version(struct http1 *p, struct slice text)
{
	if (text.len != 8 || memcmp(text.ptr, "HTTP/", 5) != 0 || text.ptr[6] != '.' ||
	    !byte_is(text.ptr[5], BYTE_DIGIT) || !byte_is(text.ptr[7], BYTE_DIGIT)) {
		http1_refuse(p, 400, "malformed HTTP version");
		return;
	}
	if (text.ptr[5] != '1' || text.ptr[7] > '1') {
		http1_refuse(p, 505, "HTTP version not supported");
		return;
	}
	p->minor = text.ptr[7] - '0';
}

/* Cuts off what stands before the first blank, and the blank. */
static struct slice cut_word(struct slice *line)
{
	struct slice word = { line->ptr, slice_find(*line, ' ') };
	*line = slice_from(*line, word.len < line->len ? word.len + 1 : line->len);
	return word;
}

static bool method_ok(struct slice method)
{
	for (size_t i = 0; i < method.len; i++) {
		char c = method.ptr[i];
		if (!byte_is(c, BYTE_TOKEN) || byte_is(c, BYTE_LOWER))
			return false;
	}
	return method.len > 0;
}

void http1_read_request_line(struct http1 *p, struct slice line)
{
	struct http1_inner *in = p->inner;
	struct slice version = line;
	struct slice method = cut_word(&version);
	struct slice target = cut_word(&version);
	if (!method_ok(method)) {
		http1_refuse(p, 400, "malformed method");
		return;
	}
	if (target.len == 0 || !bytes_are(target, BYTE_TARGET)) {
		http1_refuse(p, 400, "malformed request target");
		return;
	}
	read_version(p, version);
	if (p->phase == HTTP1_BAD)
		return;
	in->method = (struct http1_span){ 0, method.len };  /* the head begins with it */
	in->target = (struct http1_span){ method.len + 1, target.len };
	if (!read_target(in, method, target))
		http1_refuse(p, 400, "request target of a wrong form");
}
