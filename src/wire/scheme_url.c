/* scheme_url.c - URLs as schemes that sign them take them apart.
 *
 * Invariant: the pieces of a URL that was split make up its text again. Surprise: unlike url.h this
 * takes user info, queries and fragments, since senders sign what they were configured with. */
#include "wire/codec.h"
#include "wire/scheme_private.h"

#include <string.h>

static struct slice cut(struct slice *rest, size_t len)
{
	struct slice front = { rest->ptr, len };

	rest->ptr += len;
	rest->len -= len;
	return front;
}

static size_t find(struct slice s, const char *set)
{
	size_t i = 0;

	while (i < s.len && (s.ptr[i] == '\0' || strchr(set, s.ptr[i]) == NULL))
		i++;
	return i;
}

static size_t find_last(struct slice s, char c)
{
	size_t i = s.len;

	while (i > 0 && s.ptr[i - 1] != c)
		i--;
	return i == 0 ? s.len : i - 1;
}

bool scheme_url_is_https(const struct scheme_url *u)
{
	return slice_eq_nocase(u->scheme, SLICE_LIT("https"));
}

/* "user:pass@host:port"; a colon inside of brackets is the address's own. */
static bool split_authority(struct slice authority, struct scheme_url *u)
{
	size_t at = find_last(authority, '@');

	if (at < authority.len) {
		u->userinfo = cut(&authority, at);
		cut(&authority, 1);
	}
	size_t colon = find_last(authority, ':');
	size_t bracket = find_last(authority, ']');

	if (colon == authority.len || (bracket < authority.len && bracket > colon)) {
		u->host = authority;
		return u->host.len > 0;
	}
	u->host = cut(&authority, colon);
	cut(&authority, 1);
	u->port = authority;
	if (slice_eq(u->port, slice_of(scheme_url_is_https(u) ? "443" : "80")))
		u->port = SLICE_NONE;
	return u->host.len > 0;
}

bool scheme_url_split(struct slice text, struct scheme_url *ret_url)
{
	struct scheme_url u = { .query = SLICE_NONE };
	size_t colon = find(text, ":");

	if (text.len - colon < 4 || memcmp(text.ptr + colon, "://", 3) != 0)
		return false;
	u.scheme = cut(&text, colon);
	if (!scheme_url_is_https(&u) && !slice_eq_nocase(u.scheme, SLICE_LIT("http")))
		return false;
	cut(&text, 3);
	if (!split_authority(cut(&text, find(text, "/?#")), &u))
		return false;
	u.path = cut(&text, find(text, "?#"));
	if (text.len > 0 && text.ptr[0] == '?') {
		cut(&text, 1);
		u.query = cut(&text, find(text, "#"));
	}
	if (text.len > 0) {
		cut(&text, 1);
		u.fragment = text;
	}
	*ret_url = u;
	return true;
}

void scheme_url_put_lower(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		buf_putc(out, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
}

/* Empty pairs, as in "a=1&&b=2", are passed over. */
bool scheme_url_next_pair(struct slice *rest, struct slice *ret_name, struct slice *ret_value)
{
	while (rest->len > 0 && rest->ptr[0] == '&')
		cut(rest, 1);
	if (rest->len == 0)
		return false;
	struct slice pair = cut(rest, find(*rest, "&"));

	*ret_name = cut(&pair, find(pair, "="));
	if (pair.len > 0)
		cut(&pair, 1);
	*ret_value = pair;
	return true;
}

void scheme_url_put_decoded(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t byte = 0;
		size_t one = 0;

		if (text.ptr[i] == '%' && text.len - i > 2 &&
		    codec_hex((struct slice){ text.ptr + i + 1, 2 }, CODEC_ANY_CASE, &byte, 1, &one)) {
			buf_putc(out, (char)byte);
			i += 2;
			continue;
		}
		buf_putc(out, text.ptr[i] == '+' ? ' ' : text.ptr[i]);
	}
}

void scheme_url_put_encoded(struct buf *out, struct slice text, const char *plain)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (alnum || (c != '\0' && strchr(plain, c) != NULL))
			buf_putc(out, c);
		else
			buf_printf(out, "%%%02X", (uint8_t)c);
	}
}
