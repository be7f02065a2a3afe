/* url.h - the pieces of a URL that Fish itself must understand (RFC 3986). Pure. */
#ifndef FISH_URL_H
#define FISH_URL_H

#include "base/buf.h"

struct url {
	struct slice scheme, host, port, path;   /* host without brackets; port and path may be empty */
};

/* An absolute http or https URL without user info, query or fragment. Fills err on refusal. */
int  url_parse_base(struct slice text, struct url *ret_url, struct err *err);
/* "host:port", ":port" (all addresses: the host is ""), "[v6]:port"; port 0 … 65535. */
int  url_parse_listen(struct slice text, char ret_host[256], uint16_t *ret_port, struct err *err);
/* base + path with exactly one '/' between them; none is added before "" or "?query". */
void url_join(struct buf *out, struct slice base, struct slice path);
/* Decodes %XX (and '+' as a blank in forms). FISH_EFORMAT on a bad escape or a NUL:
 * out is then as it was. */
int  url_decode(struct buf *out, struct slice text);
int  url_decode_form(struct buf *out, struct slice text);
/* The first value of name in a query or form ("a=1&b=2"), decoded into out; false when absent or
 * not decodable. */
bool url_param(struct slice query, const char *name, struct buf *out);

#endif
