/* meta.c - a request's header as the journal keeps it: lines of "name: value", names in
 * lower case.
 *
 * Invariant: one line per field, in the order they came, so that a signature over a
 * header can still be checked. Surprise: what only concerned the connection is left out,
 * and so is Host: a flow that saw it would behave differently behind another proxy. */
#include "net/ingress.h"

#include <string.h>

/* Between the asker and us, or the proxy before us: no part of the message. */
static bool is_connection_matter(struct slice name)
{
	static const struct slice left_out[] = {
		{ "connection", 10 },
		{ "keep-alive", 10 },
		{ "content-length", 14 },
		{ "transfer-encoding", 17 },
		{ "te", 2 },
		{ "trailer", 7 },
		{ "upgrade", 7 },
		{ "expect", 6 },
		{ "host", 4 },
	};
	static const struct slice proxy = { "proxy-", 6 };
	for (size_t i = 0; i < sizeof left_out / sizeof left_out[0]; i++) {
		if (slice_eq_nocase(name, left_out[i]))
			return true;
	}
	return name.len >= proxy.len &&
		slice_eq_nocase((struct slice){ name.ptr, proxy.len }, proxy);
}

static void put_line(struct buf *out, struct slice name, struct slice value)
{
	char *to = buf_extend(out, name.len + value.len + 3);
	if (to == NULL)
		return;
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];
		*to++ = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	*to++ = ':';
	*to++ = ' ';
	if (value.len > 0)
		memcpy(to, value.ptr, value.len);
	to[value.len] = '\n';
}

bool meta_put(struct buf *out, const struct http1 *req, const char *peer)
{
	size_t at = out->len;
	put_line(out, SLICE_LIT(":method"), req->method);
	put_line(out, SLICE_LIT(":query"), req->query);
	put_line(out, SLICE_LIT(":peer"), slice_of(peer));
	for (size_t i = 0; i < req->nfields; i++) {
		if (!is_connection_matter(req->fields[i].name))
			put_line(out, req->fields[i].name, req->fields[i].value);
	}
	return !buf_failed(out) && out->len - at <= META_BYTES_MAX;
}
