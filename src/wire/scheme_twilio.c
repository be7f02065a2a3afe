/* scheme_twilio.c - Twilio: HMAC-SHA1 over the public URL and, of a form, each parameter.
 *
 * Invariant: a body that is not empty is covered, as a form or by the bodySHA256 of the signed query.
 * Surprise: nobody knows which spelling of the URL was signed, so four are tried, as Twilio's own library
 * does: without and with the port, and both with the query written anew. */
#include "wire/codec.h"
#include "wire/scheme_private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

enum { SPELLINGS = 4, SHA256_BYTES = 32, SHA256_HEX_LEN = 64 };
enum port { PORT_LEFT_OUT, PORT_WRITTEN };
enum query { QUERY_AS_IS, QUERY_ANEW };

/* Where in a buffer of decoded text a pair stands. */
struct pair {
	struct slice name, value;
	size_t       name_at, value_at;
};

/* ---- the URL's spellings ---- */

/* As browsers' URL parsers write what may not stand there. */
static void put_normal(struct buf *out, struct slice text, const char *escaped)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c <= 0x20 || c >= 0x7f || strchr(escaped, c) != NULL)
			buf_printf(out, "%%%02X", (uint8_t)c);
		else
			buf_putc(out, c);
	}
}

static void put_port(struct buf *out, const struct scheme_url *u, enum port port)
{
	if (port == PORT_LEFT_OUT)
		return;
	buf_putc(out, ':');
	if (u->port.len > 0)
		buf_put_slice(out, u->port);
	else
		buf_puts(out, scheme_url_is_https(u) ? "443" : "80");
}

static void put_pair_anew(struct buf *out, struct slice name, struct slice value, char before)
{
	struct buf plain;

	buf_init(&plain, SIZE_MAX);
	buf_putc(out, before);
	scheme_url_put_decoded(&plain, name);
	scheme_url_put_encoded(out, buf_slice(&plain), "-_.!~*'()");
	buf_putc(out, '=');
	buf_reset(&plain);
	scheme_url_put_decoded(&plain, value);
	scheme_url_put_encoded(out, buf_slice(&plain), "-_.!~*'()");
	buf_fini(&plain);
}

/* All values of a name follow its first place. */
static void put_query_anew(struct buf *out, struct slice query)
{
	struct slice names[SCHEME_FORM_PAIRS_MAX];
	struct slice values[SCHEME_FORM_PAIRS_MAX];
	size_t n = 0;
	char before = '?';

	while (n < SCHEME_FORM_PAIRS_MAX && scheme_url_next_pair(&query, &names[n], &values[n]))
		n++;
	for (size_t i = 0; i < n; i++) {
		if (names[i].ptr == NULL)
			continue;
		put_pair_anew(out, names[i], values[i], before);
		before = '&';
		for (size_t j = i + 1; j < n; j++) {
			if (names[j].ptr == NULL || !slice_eq(names[i], names[j]))
				continue;
			put_pair_anew(out, names[j], values[j], before);
			names[j].ptr = NULL;
		}
	}
}

static void put_spelling(struct buf *out, const struct scheme_url *u, enum port port, enum query query)
{
	scheme_url_put_lower(out, u->scheme);
	buf_puts(out, "://");
	buf_put_slice(out, u->userinfo);
	if (u->userinfo.len > 0)
		buf_putc(out, '@');
	scheme_url_put_lower(out, u->host);
	put_port(out, u, port);
	if (u->path.len == 0)
		buf_putc(out, '/');
	put_normal(out, u->path, "\"<>`{}");
	if (u->query.ptr != NULL && query == QUERY_ANEW) {
		put_query_anew(out, u->query);
	} else if (u->query.ptr != NULL) {
		buf_putc(out, '?');
		put_normal(out, u->query, "\"<>'");
	}
	if (u->fragment.len > 0) {
		buf_putc(out, '#');
		buf_put_slice(out, u->fragment);
	}
}

/* ---- the parameters ---- */

/* As JavaScript sorts, by UTF-16: there what needs two units comes before U+E000 to U+FFFF. */
static int compare_text(struct slice a, struct slice b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	size_t i = 0;

	while (i < n && a.ptr[i] == b.ptr[i])
		i++;
	if (i == n)
		return (a.len > b.len) - (a.len < b.len);
	int x = (uint8_t)a.ptr[i];
	int y = (uint8_t)b.ptr[i];

	if (x >= 0xee && y >= 0xee && (x >= 0xf0) != (y >= 0xf0))
		return x >= 0xf0 ? -1 : 1;
	return x - y;
}

static int compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a;
	const struct pair *y = b;
	int by_name = compare_text(x->name, y->name);

	return by_name != 0 ? by_name : compare_text(x->value, y->value);
}

/* False: more pairs than are looked at. */
static bool read_pairs(struct slice body, struct buf *text, struct pair *pairs, size_t *ret_n)
{
	struct slice name = SLICE_NONE;
	struct slice value = SLICE_NONE;
	size_t n = 0;

	for (; scheme_url_next_pair(&body, &name, &value); n++) {
		if (n == SCHEME_FORM_PAIRS_MAX)
			return false;
		pairs[n].name_at = text->len;
		scheme_url_put_decoded(text, name);
		pairs[n].name.len = text->len - pairs[n].name_at;
		pairs[n].value_at = text->len;
		scheme_url_put_decoded(text, value);
		pairs[n].value.len = text->len - pairs[n].value_at;
	}
	/* Only now does the text stand still. */
	for (size_t i = 0; i < n; i++) {
		pairs[i].name.ptr = text->ptr + pairs[i].name_at;
		pairs[i].value.ptr = text->ptr + pairs[i].value_at;
	}
	*ret_n = n;
	return true;
}

/* Names in order, the values of one as a sorted set. */
static bool put_params(struct buf *out, struct slice body)
{
	struct pair *pairs = xalloc(SCHEME_FORM_PAIRS_MAX * sizeof(*pairs));
	struct buf text;
	size_t n = 0;

	buf_init(&text, SIZE_MAX);
	buf_puts(&text, "");
	bool good = read_pairs(body, &text, pairs, &n) && (n > 0 || body.len == 0);

	if (good)
		qsort(pairs, n, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; good && i < n; i++) {
		if (i > 0 && compare_pairs(&pairs[i - 1], &pairs[i]) == 0)
			continue;
		buf_put_slice(out, pairs[i].name);
		buf_put_slice(out, pairs[i].value);
	}
	buf_fini(&text);
	free(pairs);
	return good;
}

/* ---- what is signed ---- */

/* How often the query has bodySHA256, and its value. */
static size_t find_body_hash(const struct scheme_url *u, struct slice *ret_value)
{
	struct slice rest = u->query;
	struct slice name = SLICE_NONE;
	struct slice value = SLICE_NONE;
	size_t count = 0;

	while (scheme_url_next_pair(&rest, &name, &value)) {
		if (!slice_eq(name, SLICE_LIT("bodySHA256")))
			continue;
		*ret_value = value;
		count++;
	}
	return count;
}

static bool is_hash_of(struct slice hex, struct slice body)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	struct buf text;

	CHECK(EVP_Digest(body.ptr == NULL ? "" : body.ptr, body.len, digest, NULL, EVP_sha256(), NULL) == 1);
	buf_init(&text, SHA256_HEX_LEN);
	codec_put_hex(&text, digest, SHA256_BYTES);
	bool is = hex.len == SHA256_HEX_LEN && CRYPTO_memcmp(hex.ptr, text.ptr, SHA256_HEX_LEN) == 0;

	buf_fini(&text);
	return is;
}

static bool says_form(struct slice content_type)
{
	static const struct slice form = { "application/x-www-form-urlencoded", 33 };

	return content_type.len >= form.len &&
	       slice_eq_nocase((struct slice){ content_type.ptr, form.len }, form);
}

static struct slice content_type_of(const struct scheme_request *r)
{
	for (size_t i = 0; i < r->nheaders; i++)
		if (slice_eq_nocase(r->headers[i].name, SLICE_LIT("Content-Type")))
			return r->headers[i].value;
	return SLICE_NONE;
}

/* The parameters that are signed behind the URL; whether the body is the one whose hash the URL has. */
static enum scheme_verdict take_body(struct scheme_check *c, const struct scheme_url *u,
                                     struct buf *ret_params, bool *ret_hash_is_good)
{
	struct slice type = content_type_of(c->r);
	struct slice hash = SLICE_NONE;
	size_t hashes = find_body_hash(u, &hash);

	buf_puts(ret_params, "");
	if (hashes > 1)
		return scheme_say(c->ret, SCHEME_BAD_URL, "the URL has bodySHA256 more than once");
	*ret_hash_is_good = hashes == 0 || is_hash_of(hash, c->r->body);
	if (hashes == 1)
		return SCHEME_VALID;
	if (c->r->body.len > 0 && type.len > 0 && !says_form(type))
		return scheme_say(c->ret, SCHEME_NOT_COVERED,
		                  "the body is no form, and the URL has no bodySHA256 that covers it");
	if (!put_params(ret_params, c->r->body))
		return scheme_say(c->ret, SCHEME_BAD_BODY, "the body is no form of 1 to %d parameters",
		                  SCHEME_FORM_PAIRS_MAX);
	return SCHEME_VALID;
}

static void put_spellings(const struct scheme_url *u, struct buf spellings[SPELLINGS])
{
	put_spelling(&spellings[0], u, PORT_LEFT_OUT, QUERY_AS_IS);
	put_spelling(&spellings[1], u, PORT_WRITTEN, QUERY_AS_IS);
	put_spelling(&spellings[2], u, PORT_LEFT_OUT, QUERY_ANEW);
	put_spelling(&spellings[3], u, PORT_WRITTEN, QUERY_ANEW);
}

static bool spelling_matches(const struct scheme_key_bytes *key, const struct buf *spelling,
                             const struct buf *params, const uint8_t *given)
{
	const struct slice parts[2] = { buf_slice(spelling), buf_slice(params) };
	uint8_t mac[SCHEME_MAC_BYTES_MAX];

	scheme_hmac(key, parts, 2, mac);
	bool same = CRYPTO_memcmp(mac, given, scheme_mac_bytes(ALGORITHM_SHA1)) == 0;

	OPENSSL_cleanse(mac, sizeof(mac));
	return same;
}

static enum scheme_verdict compare(struct scheme_check *c, const struct buf spellings[SPELLINGS],
                                   const struct buf *params, const uint8_t *given)
{
	bool matches = false;
	bool usable = false;

	for (size_t i = 0; i < c->r->nsecrets && i < SCHEME_SECRETS_MAX && !matches; i++) {
		struct scheme_key_bytes key;

		if (scheme_key_take(c->row, c->r->secrets[i], &key, NULL) == 0) {
			usable = true;
			c->ret->secret = i;
			for (size_t j = 0; j < SPELLINGS && !matches; j++)
				matches = spelling_matches(&key, &spellings[j], params, given);
		}
		scheme_key_wipe(&key);
	}
	if (!usable)
		return scheme_say(c->ret, SCHEME_BAD_SECRET, "there is no secret that the scheme can use");
	if (!matches)
		return scheme_say(c->ret, SCHEME_NO_MATCH,
		                  "the signature is of another secret, another URL or other parameters");
	return SCHEME_VALID;
}

static enum scheme_verdict check(struct scheme_check *c, const struct scheme_url *u,
                                 struct slice signature, struct buf spellings[SPELLINGS],
                                 struct buf *params)
{
	uint8_t given[SCHEME_MAC_BYTES_MAX];
	bool hash_is_good = false;
	size_t len = 0;

	if (!codec_base64(signature, given, sizeof(given), &len) || len != scheme_mac_bytes(ALGORITHM_SHA1))
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "%s is not 20 bytes in base64", c->row->header);
	enum scheme_verdict v = take_body(c, u, params, &hash_is_good);

	if (v != SCHEME_VALID)
		return v;
	put_spellings(u, spellings);
	for (size_t i = 0; i < SPELLINGS; i++) {
		const struct slice shown[] = { buf_slice(&spellings[i]), buf_slice(params), SLICE_LIT("\n") };

		scheme_show(c, shown, i + 1 < SPELLINGS ? 3 : 2);
	}
	v = compare(c, spellings, params, given);
	if (v == SCHEME_VALID && !hash_is_good)
		return scheme_say(c->ret, SCHEME_BAD_DIGEST,
		                  "the body is not the one whose SHA-256 is in the URL");
	return v;
}

enum scheme_verdict scheme_twilio_verify(struct scheme_check *c)
{
	struct slice signature = SLICE_NONE;
	struct buf spellings[SPELLINGS];
	struct scheme_url u;
	struct buf params;
	enum scheme_verdict v = scheme_header(c, c->row->header, &signature);

	if (v != SCHEME_VALID)
		return v;
	if (!scheme_url_split(c->r->url, &u))
		return scheme_say(c->ret, SCHEME_BAD_URL, "the configured URL is missing or is none");
	for (size_t i = 0; i < SPELLINGS; i++)
		buf_init(&spellings[i], SIZE_MAX);
	buf_init(&params, SIZE_MAX);
	v = check(c, &u, signature, spellings, &params);
	for (size_t i = 0; i < SPELLINGS; i++)
		buf_fini(&spellings[i]);
	buf_fini(&params);
	return v;
}

int scheme_twilio_sign(struct scheme_check *c, struct buf *ret_lines, struct err *err)
{
	uint8_t mac[SCHEME_MAC_BYTES_MAX];
	struct scheme_key_bytes key;
	struct scheme_url u;
	struct buf url;
	struct buf params;
	bool hash_is_good = false;

	if (!scheme_url_split(c->r->url, &u))
		return err_set(err, FISH_EINVAL, "the scheme signs the URL: it must be given");
	int rc = scheme_key_take(c->row, c->r->secrets[0], &key, err);

	buf_init(&url, SIZE_MAX);
	buf_init(&params, SIZE_MAX);
	if (rc == 0 && take_body(c, &u, &params, &hash_is_good) != SCHEME_VALID)
		rc = err_set(err, FISH_EINVAL, "%s", c->ret->why);
	else if (rc == 0 && !hash_is_good)
		rc = err_set(err, FISH_EINVAL, "the body is not the one whose SHA-256 is in the URL");
	if (rc == 0) {
		put_spelling(&url, &u, PORT_LEFT_OUT, QUERY_AS_IS);
		const struct slice parts[2] = { buf_slice(&url), buf_slice(&params) };

		scheme_hmac(&key, parts, 2, mac);
		buf_printf(ret_lines, "%s: ", c->row->header);
		codec_put_base64(ret_lines, mac, scheme_mac_bytes(ALGORITHM_SHA1));
		buf_puts(ret_lines, "\r\n");
		OPENSSL_cleanse(mac, sizeof(mac));
	}
	scheme_key_wipe(&key);
	buf_fini(&url);
	buf_fini(&params);
	return rc;
}
