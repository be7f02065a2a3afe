/* scheme_mac.c - verifies what a row of the table describes: HMACs, and ed25519 in the same clothes.
 *
 * Invariant: a signature is compared as bytes of exactly the right number, in constant time. Surprise:
 * which of several signatures in a header is looked at is decided by the kind of the configured key. */
#include "wire/codec.h"
#include "wire/scheme_private.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <string.h>

/* Of a timestamp that stands right beside the id: else one could lend the other its digits. */
enum { SECONDS_DIGITS = 10, MS_DIGITS = 13 };
/* Signature, id and timestamp. */
enum { TEXTS_MAX = 3 };

static bool begins_with(struct slice text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.ptr != NULL && text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

/* ---- what is signed ---- */

bool scheme_signs(const struct scheme_row *row, const char *what)
{
	return strstr(row->sign, what) != NULL;
}

static const struct slice *value_of(const char *name, size_t len, const struct scheme_values *v)
{
	if (len == 4 && memcmp(name, "{id}", 4) == 0)
		return &v->id;
	if (len == 4 && memcmp(name, "{ts}", 4) == 0)
		return &v->ts;
	if (len == 5 && memcmp(name, "{url}", 5) == 0)
		return &v->url;
	if (len == 6 && memcmp(name, "{body}", 6) == 0)
		return &v->body;
	return NULL;
}

/* 0: some {name} is none, or there are too many parts. */
size_t scheme_parts(const char *sign, const struct scheme_values *v,
                    struct slice ret_parts[SCHEME_PARTS_MAX])
{
	size_t n = 0;

	while (*sign != '\0') {
		size_t len = *sign == '{' ? strcspn(sign, "}") + 1 : strcspn(sign, "{");
		const struct slice *value = *sign == '{' ? value_of(sign, len, v) : NULL;

		if (n == SCHEME_PARTS_MAX || (*sign == '{' && value == NULL))
			return 0;
		ret_parts[n++] = value != NULL ? *value : (struct slice){ sign, len };
		sign += len;
	}
	return n;
}

/* ---- the header of signatures ---- */

struct found {
	enum scheme_algorithm algorithm;
	struct slice          entries[2][SCHEME_SIGNATURES_MAX];   /* of the header, and of the second one */
	size_t                nentries[2];
	struct slice          ts, id;
	struct buf            texts[TEXTS_MAX];    /* what of these stood in the body */
	size_t                ntexts;
};

/* "sha256=" and the like, if the row leaves that to the header. */
static enum scheme_verdict take_method(struct scheme_check *c, struct slice *value, struct found *f)
{
	static const struct { const char *prefix; enum scheme_algorithm algorithm; } methods[] = {
		{ "sha256=", ALGORITHM_SHA256 }, { "sha1=", ALGORITHM_SHA1 },
		{ "sha384=", ALGORITHM_SHA384 }, { "sha512=", ALGORITHM_SHA512 },
	};
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		size_t len = strlen(methods[i].prefix);

		if (!begins_with(*value, methods[i].prefix))
			continue;
		f->algorithm = methods[i].algorithm;
		*value = (struct slice){ value->ptr + len, value->len - len };
		return SCHEME_VALID;
	}
	return scheme_say(c->ret, SCHEME_ALGORITHM,
	                  "the header %s names none of the methods sha1, sha256, sha384 and sha512",
	                  c->row->header);
}

static enum scheme_verdict take_prefix(struct scheme_check *c, struct slice *value)
{
	if (c->row->prefix == NULL)
		return SCHEME_VALID;
	if (!begins_with(*value, c->row->prefix))
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "the header %s does not begin with \"%s\"",
		                  c->row->header, c->row->prefix);
	size_t len = strlen(c->row->prefix);

	*value = (struct slice){ value->ptr + len, value->len - len };
	return SCHEME_VALID;
}

static bool is_ts_entry(const struct scheme_row *row, struct slice entry)
{
	return row->ts != NULL && row->list != '\0' && row->ts[strlen(row->ts) - 1] == '=' &&
	       begins_with(entry, row->ts);
}

static enum scheme_verdict take_entry(struct scheme_check *c, struct slice entry, struct found *f,
                                      size_t which)
{
	size_t len = strlen(c->row->ts == NULL ? "" : c->row->ts);

	if (!is_ts_entry(c->row, entry)) {
		f->entries[which][f->nentries[which]++] = entry;
		return SCHEME_VALID;
	}
	if (f->ts.ptr != NULL)
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "the header %s has more than one %s",
		                  c->row->header, c->row->ts);
	f->ts = (struct slice){ entry.ptr + len, entry.len - len };
	return SCHEME_VALID;
}

static enum scheme_verdict take_entries(struct scheme_check *c, struct slice value, struct found *f,
                                        size_t which)
{
	const char *end = value.ptr + value.len;
	size_t entries = 0;

	for (const char *at = value.ptr;; at++) {
		const char *to = c->row->list == '\0' || at == end
		               ? NULL : memchr(at, c->row->list, (size_t)(end - at));

		if (to == NULL)
			to = end;
		if (++entries > SCHEME_SIGNATURES_MAX)
			return scheme_say(c->ret, SCHEME_TOO_MANY, "the header %s has over %d entries",
			                  c->row->header, SCHEME_SIGNATURES_MAX);
		enum scheme_verdict v =
			take_entry(c, (struct slice){ at, (size_t)(to - at) }, f, which);

		if (v != SCHEME_VALID || to == end)
			return v;
		at = to;
	}
}

static enum scheme_verdict take_from_body(struct scheme_check *c, const char *pointer, struct found *f,
                                          struct slice *ret)
{
	struct buf *text = &f->texts[f->ntexts++];

	buf_init(text, SCHEME_ID_BYTES_MAX);
	if (!scheme_body_text(c, pointer, text) || text->len == 0)
		return scheme_say(c->ret, SCHEME_BAD_BODY, "the body is not JSON with a text at %s", pointer);
	*ret = buf_slice(text);
	return SCHEME_VALID;
}

static enum scheme_verdict take_named(struct scheme_check *c, const char *name, struct found *f,
                                      struct slice *ret)
{
	return name[0] == '/' ? take_from_body(c, name, f, ret) : scheme_header(c, name, ret);
}

static enum scheme_verdict take_signatures(struct scheme_check *c, struct found *f)
{
	struct slice value = SLICE_NONE;
	enum scheme_verdict v = take_named(c, c->row->header, f, &value);

	if (v == SCHEME_VALID && c->row->algorithm == ALGORITHM_BY_METHOD)
		v = take_method(c, &value, f);
	if (v == SCHEME_VALID)
		v = take_prefix(c, &value);
	return v == SCHEME_VALID ? take_entries(c, value, f, 0) : v;
}

/* Either of two headers will do, and each may come once. */
static enum scheme_verdict take_both(struct scheme_check *c, struct found *f)
{
	const char *const both[2] = { c->row->header, c->row->second };
	enum scheme_verdict v = SCHEME_VALID;

	if (scheme_header_count(c->r, both[0]) + scheme_header_count(c->r, both[1]) == 0)
		return scheme_say(c->ret, SCHEME_NO_HEADER, "the headers %s and %s are missing", both[0],
		                  both[1]);
	for (size_t i = 0; i < 2 && v == SCHEME_VALID; i++) {
		if (scheme_header_count(c->r, both[i]) == 0)
			continue;
		v = scheme_header(c, both[i], &f->entries[i][0]);
		f->nentries[i] = 1;
	}
	return v;
}

/* ---- id and time ---- */

static enum scheme_verdict take_id(struct scheme_check *c, struct found *f)
{
	const char *behind = strstr(c->row->sign, "{id}");

	if (behind == NULL)
		return SCHEME_VALID;
	enum scheme_verdict v = take_named(c, c->row->id, f, &f->id);
	char separator = behind[4] == '{' ? '\0' : behind[4];

	if (v == SCHEME_VALID && !scheme_id_is_good(f->id, separator))
		return scheme_say(c->ret, SCHEME_BAD_ID,
		                  "%s is not 1 to %d visible ASCII characters without what stands behind it",
		                  c->row->id, SCHEME_ID_BYTES_MAX);
	return v;
}

static bool ts_stands_by_id(const struct scheme_row *row)
{
	return scheme_signs(row, "{id}{ts}") || scheme_signs(row, "{ts}{id}");
}

static bool read_ts(const struct scheme_row *row, struct slice text, int64_t *ret_ms)
{
	bool fixed = ts_stands_by_id(row);

	switch (row->time) {
	case TIME_SECONDS:
		if ((fixed && text.len != SECONDS_DIGITS) || !codec_decimal(text, ret_ms))
			return false;
		*ret_ms *= 1000;
		return true;
	case TIME_MS:
		return (!fixed || text.len == MS_DIGITS) && codec_decimal(text, ret_ms);
	case TIME_RFC3339:
		return codec_rfc3339(text, ret_ms);
	case TIME_NUMBER_MS:
		break;     /* in_body_time */
	}
	return false;
}

static enum scheme_verdict take_ts(struct scheme_check *c, struct found *f)
{
	enum scheme_verdict v = SCHEME_VALID;
	int64_t ts_ms = 0;

	if (!scheme_signs(c->row, "{ts}"))
		return SCHEME_VALID;
	if (c->row->ts[strlen(c->row->ts) - 1] != '=')
		v = take_named(c, c->row->ts, f, &f->ts);
	else if (f->ts.ptr == NULL)
		return scheme_say(c->ret, SCHEME_BAD_TIME, "the header %s has no %s", c->row->header,
		                  c->row->ts);
	if (v != SCHEME_VALID)
		return v;
	if (!read_ts(c->row, f->ts, &ts_ms))
		return scheme_say(c->ret, SCHEME_BAD_TIME, "%s is not %s", c->row->ts,
		                  c->row->time == TIME_RFC3339 ? "a time as in RFC 3339"
		                                               : "unix time in decimal digits alone");
	return scheme_in_time(c, ts_ms);
}

/* A time that the body holds is believed only when the body was proved. */
static enum scheme_verdict in_body_time(struct scheme_check *c)
{
	if (c->row->ts == NULL || scheme_signs(c->row, "{ts}"))
		return SCHEME_VALID;
	json_t *at = scheme_body_at(c, c->row->ts);

	if (!json_is_integer(at) || json_integer_value(at) < 0)
		return scheme_say(c->ret, SCHEME_BAD_TIME, "the body is not JSON with a whole number at %s",
		                  c->row->ts);
	return scheme_in_time(c, json_integer_value(at));
}

/* ---- comparing ---- */

/* How far an entry's prefix goes, '#' standing for digits; 0: it has another one. */
static size_t prefix_bytes(struct slice entry, const char *prefix)
{
	size_t at = 0;

	for (; *prefix != '\0'; prefix++) {
		size_t from = at;

		if (*prefix != '#') {
			if (at == entry.len || entry.ptr[at++] != *prefix)
				return 0;
			continue;
		}
		while (at < entry.len && entry.ptr[at] >= '0' && entry.ptr[at] <= '9')
			at++;
		if (at == from)
			return 0;
	}
	return at;
}

static bool decode(const struct scheme_row *row, struct slice text, size_t bytes, uint8_t *ret)
{
	size_t len = 0;
	bool good = false;

	switch (row->encoding) {
	case ENCODING_HEX:          good = codec_hex(text, CODEC_LOWER, ret, bytes, &len); break;
	case ENCODING_BASE64:       good = codec_base64(text, ret, bytes, &len); break;
	case ENCODING_HEX_ANY_CASE: good = codec_hex(text, CODEC_ANY_CASE, ret, bytes, &len); break;
	}
	return good && len == bytes;
}

/* What came of all the comparisons, for the words if none was equal. */
struct tries {
	bool key, prefix, form;
};

struct try {
	const struct scheme_key_bytes *key;
	const struct slice            *parts;
	size_t                         nparts;
	uint8_t                        mac[SCHEME_MAC_BYTES_MAX];
};

static bool entry_matches(struct scheme_check *c, struct slice entry, const struct try *t,
                          struct tries *all)
{
	bool ed25519 = t->key->algorithm == ALGORITHM_ED25519;
	const char *prefix = ed25519 && c->row->each_ed25519 != NULL ? c->row->each_ed25519 : c->row->each;
	size_t skipped = prefix == NULL ? 0 : prefix_bytes(entry, prefix);
	size_t bytes = scheme_mac_bytes(t->key->algorithm);
	uint8_t given[SCHEME_MAC_BYTES_MAX];

	if (prefix != NULL && skipped == 0)
		return false;
	all->prefix = true;
	if (!decode(c->row, (struct slice){ entry.ptr + skipped, entry.len - skipped }, bytes, given))
		return false;
	all->form = true;
	if (ed25519)
		return scheme_ed25519_verify(t->key, t->parts, t->nparts, given);
	return CRYPTO_memcmp(given, t->mac, bytes) == 0;
}

static bool secret_matches(struct scheme_check *c, size_t i, const struct found *f,
                           const struct slice *parts, size_t nparts, struct tries *all)
{
	size_t which = c->row->second != NULL ? i % 2 : 0;
	struct scheme_key_bytes key;
	bool matches = false;

	if (c->r->secrets[i].len > 0 && scheme_key_take(c->row, c->r->secrets[i], &key, NULL) == 0) {
		struct try t = { .key = &key, .parts = parts, .nparts = nparts };

		all->key = true;
		if (key.algorithm == ALGORITHM_BY_METHOD)
			key.algorithm = f->algorithm;
		if (key.algorithm != ALGORITHM_ED25519)
			scheme_hmac(&key, parts, nparts, t.mac);
		for (size_t j = 0; j < f->nentries[which] && !matches; j++)
			matches = entry_matches(c, f->entries[which][j], &t, all);
		OPENSSL_cleanse(t.mac, sizeof(t.mac));
	}
	scheme_key_wipe(&key);
	return matches;
}

static enum scheme_verdict none_matched(struct scheme_check *c, const struct tries *all)
{
	const char *name = c->row->header;

	if (!all->key)
		return scheme_say(c->ret, SCHEME_BAD_SECRET, "there is no secret that the scheme can use");
	if (!all->prefix)
		return scheme_say(c->ret, SCHEME_ALGORITHM,
		                  "%s has no signature of the version that goes with the secret", name);
	if (!all->form)
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "no signature in %s has the form or the length",
		                  name);
	return scheme_say(c->ret, SCHEME_NO_MATCH,
	                  "no signature in %s was made with a configured secret over these bytes", name);
}

static enum scheme_verdict compare(struct scheme_check *c, const struct found *f)
{
	struct scheme_values values = { f->id, f->ts, c->r->url, c->r->body };
	struct slice parts[SCHEME_PARTS_MAX];
	size_t nparts = scheme_parts(c->row->sign, &values, parts);
	size_t nsecrets = c->r->nsecrets < SCHEME_SECRETS_MAX ? c->r->nsecrets : SCHEME_SECRETS_MAX;
	struct tries all = { .key = false };

	scheme_show(c, parts, nparts);
	for (size_t i = 0; i < nsecrets; i++) {
		if (!secret_matches(c, i, f, parts, nparts, &all))
			continue;
		c->ret->secret = i;
		return SCHEME_VALID;
	}
	return none_matched(c, &all);
}

/* ---- the whole ---- */

/* A sender may have two sets of names; the first counts as soon as one of it is there. */
static void choose_names(struct scheme_check *c)
{
	const struct scheme_row *row = c->row;

	if (row->otherwise == NULL || scheme_header_count(c->r, row->header) > 0 ||
	    scheme_header_count(c->r, row->ts) > 0 || scheme_header_count(c->r, row->id) > 0)
		return;
	c->row = scheme_row_find(slice_of(row->otherwise));
	CHECK(c->row != NULL);
}

enum scheme_verdict scheme_mac_verify(struct scheme_check *c)
{
	struct found f = { .algorithm = c->row->algorithm };

	choose_names(c);
	if (scheme_signs(c->row, "{url}") && c->r->url.len == 0)
		return scheme_say(c->ret, SCHEME_BAD_URL, "the scheme signs the URL, and none is configured");
	enum scheme_verdict v = c->row->second == NULL ? take_signatures(c, &f) : take_both(c, &f);

	if (v == SCHEME_VALID)
		v = take_id(c, &f);
	if (v == SCHEME_VALID)
		v = take_ts(c, &f);
	if (v == SCHEME_VALID)
		v = compare(c, &f);
	if (v == SCHEME_VALID)
		v = in_body_time(c);
	if (v == SCHEME_VALID && f.id.len > 0)
		scheme_keep_id(c, f.id, SCHEME_ID_SIGNED);
	for (size_t i = 0; i < f.ntexts; i++)
		buf_fini(&f.texts[i]);
	return v;
}
