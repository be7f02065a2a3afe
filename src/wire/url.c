/* url.c - URLs as Fish meets them in its own configuration, and queries as senders
 * write them.
 *
 * Invariant: nothing is normalised; the slices of a parsed URL are cut from the text
 * given. Surprise: a URL that browsers would mend (a backslash, a blank, a port 0) is
 * refused, because the same text goes into callback URLs that strangers will parse. */
#include "wire/url.h"

#include <arpa/inet.h>
#include <string.h>

enum { HOST_BYTES_MAX = 253, SHOWN_BYTES_MAX = 120 };

static int refuse(struct err *err, const char *what, struct slice text, const char *why)
{
	int shown = text.len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)text.len;
	return err_set(err, FISH_EINVAL, "%s \"%.*s\" %s", what, shown,
	               text.ptr == NULL ? "" : text.ptr, why);
}

static struct slice slice_from(struct slice s, size_t at)
{
	return (struct slice){ s.ptr + at, s.len - at };
}

static size_t slice_find(struct slice s, char c)
{
	const char *hit = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
	return hit == NULL ? s.len : (size_t)(hit - s.ptr);
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	char low = (char)(c | 0x20);
	return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static bool name_ok(struct slice host)
{
	if (host.len == 0 || host.len > HOST_BYTES_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.ptr[i];
		if (!is_alnum(c) && c != '-' && c != '.' && c != '_')
			return false;
	}
	return true;
}

static bool v6_ok(struct slice host)
{
	char text[INET6_ADDRSTRLEN] = "";
	unsigned char address[16];
	if (host.len >= sizeof text || slice_find(host, '\0') < host.len)
		return false;
	memcpy(text, host.ptr, host.len);
	return inet_pton(AF_INET6, text, address) == 1;
}

/* Cuts "host:port" or "[v6]:port" in two; has_port tells an empty port from none. */
static bool split_host(struct slice text, struct slice *ret_host, struct slice *ret_port,
                       bool *ret_has_port)
{
	struct slice rest;
	if (text.len > 0 && text.ptr[0] == '[') {
		size_t end = slice_find(text, ']');
		if (end == text.len)
			return false;
		*ret_host = (struct slice){ text.ptr + 1, end - 1 };
		rest = slice_from(text, end + 1);
		if (!v6_ok(*ret_host) || (rest.len > 0 && rest.ptr[0] != ':'))
			return false;
	} else {
		size_t end = slice_find(text, ':');
		*ret_host = (struct slice){ text.ptr, end };
		rest = slice_from(text, end);
		if (end > 0 && !name_ok(*ret_host))
			return false;
	}
	*ret_has_port = rest.len > 0;
	*ret_port = rest.len > 0 ? slice_from(rest, 1) : rest;
	return true;
}

/* 0 … 65535, or -1. */
static int port_of(struct slice text)
{
	int port = 0;
	if (text.len == 0 || text.len > 5)
		return -1;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return -1;
		port = port * 10 + (text.ptr[i] - '0');
	}
	return port > UINT16_MAX ? -1 : port;
}

/* The byte that the escape at the start of text stands for, or -1. */
static int escape_value(struct slice text)
{
	if (text.len < 3)
		return -1;
	int high = hex_value(text.ptr[1]);
	int low = hex_value(text.ptr[2]);
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* RFC 3986 3.3: unreserved, sub-delims, ':', '@', '/' and whole escapes. */
static bool path_ok(struct slice path)
{
	const struct slice marks = SLICE_LIT("-._~!$&'()*+,;=:@/");
	for (size_t i = 0; i < path.len; i++) {
		char c = path.ptr[i];
		if (c == '%') {
			if (escape_value(slice_from(path, i)) < 0)
				return false;
			i += 2;
		} else if (!is_alnum(c) && slice_find(marks, c) == marks.len) {
			return false;
		}
	}
	return true;
}

int url_parse_base(struct slice text, struct url *ret_url, struct err *err)
{
	struct url u = { 0 };
	if (text.len > BASE_URL_BYTES_MAX)
		return refuse(err, "URL", text, "is too long");
	size_t colon = slice_find(text, ':');
	u.scheme = (struct slice){ text.ptr, colon };
	if (!slice_eq_nocase(u.scheme, SLICE_LIT("http")) &&
	    !slice_eq_nocase(u.scheme, SLICE_LIT("https")))
		return refuse(err, "URL", text, "must begin with http:// or https://");
	if (text.len < colon + 3 || memcmp(text.ptr + colon, "://", 3) != 0)
		return refuse(err, "URL", text, "must begin with http:// or https://");
	if (slice_find(text, '?') < text.len || slice_find(text, '#') < text.len)
		return refuse(err, "URL", text, "must not have a query or fragment");

	struct slice rest = slice_from(text, colon + 3);
	size_t end = slice_find(rest, '/');
	struct slice authority = { rest.ptr, end };
	u.path = slice_from(rest, end);
	if (slice_find(authority, '@') < authority.len)
		return refuse(err, "URL", text, "must not hold a user or password");
	bool has_port = false;
	if (!split_host(authority, &u.host, &u.port, &has_port) || u.host.len == 0)
		return refuse(err, "URL", text, "has no valid host");
	if (has_port && port_of(u.port) < 1)
		return refuse(err, "URL", text, "has no valid port (1 to 65535)");
	if (!path_ok(u.path))
		return refuse(err, "URL", text, "has bytes that need %-escapes");
	*ret_url = u;
	return 0;
}

int url_parse_listen(struct slice text, char ret_host[256], uint16_t *ret_port,
	struct err *err)
{
	struct slice host = SLICE_NONE;
	struct slice port = SLICE_NONE;
	bool has_port = false;
	if (text.len == 0)
		return refuse(err, "address", text, "is empty: give host:port or :port");
	bool fits = split_host(text, &host, &port, &has_port);
	if (fits && port.len > 0 && port.ptr[0] == '/')
		return refuse(err, "address", text, "is a URL: give host:port or :port");
	if (fits && slice_find(port, ':') < port.len)
		return refuse(err, "address", text, "needs [brackets] around IPv6");
	if (!fits)
		return refuse(err, "address", text, "has no valid host");
	if (!has_port)
		return refuse(err, "address", text, "needs a port: host:port or :port");
	int number = port_of(port);
	if (number < 0)
		return refuse(err, "address", text, "has no valid port (0 to 65535)");
	if (host.len > 0)
		memcpy(ret_host, host.ptr, host.len);
	ret_host[host.len] = '\0';
	*ret_port = (uint16_t)number;
	return 0;
}

void url_join(struct buf *out, struct slice base, struct slice path)
{
	if (path.len == 0 || path.ptr[0] == '?') {
		buf_put_slice(out, base);
		buf_put_slice(out, path);
		return;
	}
	while (base.len > 0 && base.ptr[base.len - 1] == '/')
		base.len--;
	while (path.len > 0 && path.ptr[0] == '/')
		path = slice_from(path, 1);
	buf_put_slice(out, base);
	buf_putc(out, '/');
	buf_put_slice(out, path);
}

enum decoding { DECODE_URL, DECODE_FORM };
enum { BYTE_BAD = -1 };

/* The byte at *at of text, decoded; moves *at behind it. BYTE_BAD: a bad escape or a
 * NUL. */
static int next_byte(struct slice text, size_t *at, enum decoding how)
{
	char c = text.ptr[*at];
	if (c == '%') {
		int value = escape_value(slice_from(text, *at));
		*at += 3;
		return value > 0 ? value : BYTE_BAD;
	}
	*at += 1;
	if (c == '+' && how == DECODE_FORM)
		return ' ';
	return c == '\0' ? BYTE_BAD : (unsigned char)c;
}

static int decode(struct buf *out, struct slice text, enum decoding how)
{
	size_t before = out->len;
	for (size_t at = 0; at < text.len;) {
		int c = next_byte(text, &at, how);
		if (c == BYTE_BAD) {
			out->len = before;
			if (out->ptr != NULL)
				out->ptr[before] = '\0';
			return FISH_EFORMAT;
		}
		buf_putc(out, (char)c);
	}
	return buf_failed(out) ? FISH_ETOOBIG : 0;
}

int url_decode(struct buf *out, struct slice text)
{
	return decode(out, text, DECODE_URL);
}

int url_decode_form(struct buf *out, struct slice text)
{
	return decode(out, text, DECODE_FORM);
}

static bool decodes_to(struct slice text, const char *name)
{
	size_t at = 0;
	while (at < text.len && *name != '\0') {
		if (next_byte(text, &at, DECODE_FORM) != (unsigned char)*name++)
			return false;
	}
	return at == text.len && *name == '\0';
}

bool url_param(struct slice query, const char *name, struct buf *out)
{
	while (query.len > 0) {
		size_t end = slice_find(query, '&');
		struct slice pair = { query.ptr, end };
		size_t equals = slice_find(pair, '=');
		if (decodes_to((struct slice){ pair.ptr, equals }, name)) {
			struct slice value = slice_from(pair, equals + (equals < end));
			return decode(out, value, DECODE_FORM) == 0;
		}
		query = slice_from(query, end < query.len ? end + 1 : end);
	}
	return false;
}
