/* scheme_sign.c - signs a request as the row of its scheme says: for fishctl, tests and senders.
 *
 * Invariant: what is put here verifies with the same scheme at the same time. Surprise: a body that must
 * hold its own time (Linear) is taken as it is; Mailgun's signature goes into a body that is made here. */
#include "wire/codec.h"
#include "wire/scheme_private.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <string.h>

enum { TS_BYTES_MAX = 40 };

struct signing {
	struct scheme_check *c;
	struct slice         parts[SCHEME_PARTS_MAX];
	size_t               nparts;
};

static void put_ts(struct buf *out, enum scheme_time form, int64_t now_ms)
{
	switch (form) {
	case TIME_SECONDS:
		buf_printf(out, "%" PRId64, now_ms / 1000);
		break;
	case TIME_MS:
		buf_printf(out, "%" PRId64, now_ms);
		break;
	case TIME_RFC3339:
		codec_put_rfc3339(out, now_ms);
		break;
	case TIME_NUMBER_MS:
		break;     /* it stands in the body that was given */
	}
}

static void put_encoded(struct buf *out, enum scheme_encoding e, const uint8_t *bytes, size_t len)
{
	if (e == ENCODING_BASE64)
		codec_put_base64(out, bytes, len);
	else
		codec_put_hex(out, bytes, len);
}

/* '#' counts from 1. */
static void put_prefix(struct buf *out, const char *prefix, size_t number)
{
	for (; prefix != NULL && *prefix != '\0'; prefix++) {
		if (*prefix == '#')
			buf_printf(out, "%zu", number);
		else
			buf_putc(out, *prefix);
	}
}

static const char *method_of(enum scheme_algorithm a)
{
	return a == ALGORITHM_BY_METHOD ? "sha256=" : NULL;
}

/* One entry, with the prefix that goes with the key. */
static int put_signature(struct signing *s, size_t i, struct buf *out, struct err *err)
{
	const struct scheme_row *row = s->c->row;
	uint8_t bytes[SCHEME_MAC_BYTES_MAX];
	struct scheme_key_bytes key;
	int rc = scheme_key_take_private(row, s->c->r->secrets[i], &key, err);

	if (rc == 0 && key.algorithm == ALGORITHM_BY_METHOD)
		key.algorithm = ALGORITHM_SHA256;
	bool ed25519 = rc == 0 && key.algorithm == ALGORITHM_ED25519;

	if (ed25519 && !scheme_ed25519_sign(&key, s->parts, s->nparts, bytes))
		rc = err_set(err, FISH_EINVAL, "the private key cannot be used");
	else if (rc == 0 && !ed25519)
		scheme_hmac(&key, s->parts, s->nparts, bytes);
	if (rc == 0) {
		put_prefix(out, ed25519 && row->each_ed25519 != NULL ? row->each_ed25519 : row->each, i + 1);
		put_encoded(out, row->encoding, bytes, scheme_mac_bytes(key.algorithm));
	}
	scheme_key_wipe(&key);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return rc;
}

static bool ts_is_entry(const struct scheme_row *row)
{
	return row->ts != NULL && row->list != '\0' && row->ts[strlen(row->ts) - 1] == '=';
}

/* The value of the signature's header: all that there are in a list, or one. */
static int put_list(struct signing *s, size_t first, size_t n, struct slice ts, struct buf *out,
                    struct err *err)
{
	const struct scheme_row *row = s->c->row;
	int rc = 0;

	put_prefix(out, method_of(row->algorithm), 0);
	put_prefix(out, row->prefix, 0);
	if (ts_is_entry(row)) {
		buf_puts(out, row->ts);
		buf_put_slice(out, ts);
		buf_putc(out, row->list);
	}
	for (size_t i = first; i < first + n && rc == 0; i++) {
		if (i > first)
			buf_putc(out, row->list);
		rc = put_signature(s, i, out, err);
	}
	return rc;
}

static void put_line(struct buf *out, const char *name, struct slice value)
{
	buf_printf(out, "%s: ", name);
	buf_put_slice(out, value);
	buf_puts(out, "\r\n");
}

/* The headers beside those of the signatures. */
static void put_others(const struct scheme_row *row, struct slice id, struct slice ts, struct buf *out)
{
	if (id.len > 0 && row->id != NULL && row->id[0] != '/')
		put_line(out, row->id, id);
	if (ts.len > 0 && row->ts[0] != '/' && !ts_is_entry(row))
		put_line(out, row->ts, ts);
	for (size_t i = 0; i < SCHEME_FIXED_MAX && row->fixed[i].name != NULL; i++)
		put_line(out, row->fixed[i].name, slice_of(row->fixed[i].value));
}

/* The one scheme whose signature stands in the body, beside the event that it does not cover. */
static int put_body(struct signing *s, struct slice id, struct slice ts, struct buf *ret_body,
                    struct err *err)
{
	struct buf value;

	buf_init(&value, SIZE_MAX);
	int rc = put_list(s, 0, 1, ts, &value, err);

	if (rc == 0) {
		buf_puts(ret_body, "{\"signature\":{\"timestamp\":");
		buf_json_string(ret_body, ts);
		buf_puts(ret_body, ",\"token\":");
		buf_json_string(ret_body, id);
		buf_puts(ret_body, ",\"signature\":");
		buf_json_string(ret_body, buf_slice(&value));
		buf_puts(ret_body, "},\"event-data\":");
		buf_put_slice(ret_body, s->c->r->body.len == 0 ? SLICE_LIT("{}") : s->c->r->body);
		buf_puts(ret_body, "}");
	}
	buf_fini(&value);
	return rc;
}

static int put_headers(struct signing *s, struct slice id, struct slice ts, struct buf *ret_lines,
                       struct err *err)
{
	const struct scheme_row *row = s->c->row;
	size_t n = s->c->r->nsecrets < SCHEME_SECRETS_MAX ? s->c->r->nsecrets : SCHEME_SECRETS_MAX;
	const char *const names[2] = { row->header, row->second };
	size_t headers = row->second != NULL && n > 1 ? 2 : 1;
	struct buf value;
	int rc = 0;

	buf_init(&value, SIZE_MAX);
	for (size_t i = 0; i < headers && rc == 0; i++) {
		buf_reset(&value);
		rc = put_list(s, i, row->list == '\0' ? 1 : n, ts, &value, err);
		if (rc == 0)
			put_line(ret_lines, names[i], buf_slice(&value));
	}
	buf_fini(&value);
	if (rc == 0)
		put_others(row, id, ts, ret_lines);
	return rc;
}

static int check(const struct scheme_check *c, struct slice id, struct err *err)
{
	const char *behind = strstr(c->row->sign, "{id}");
	char separator = behind == NULL || behind[4] == '{' ? '\0' : behind[4];

	if (behind != NULL && id.len == 0)
		return err_set(err, FISH_EINVAL, "%s signs an id: it must be given", c->row->name);
	if (id.len > 0 && !scheme_id_is_good(id, separator))
		return err_set(err, FISH_EINVAL, "the id must be 1 to %d visible ASCII characters%s",
		               SCHEME_ID_BYTES_MAX,
		               separator == '\0' ? "" : " without what the scheme puts behind it");
	if (scheme_signs(c->row, "{url}") && c->r->url.len == 0)
		return err_set(err, FISH_EINVAL, "%s signs the URL: it must be given", c->row->name);
	if (c->row->needs_body && c->r->body.len == 0)
		return err_set(err, FISH_EINVAL, "%s signs no empty body", c->row->name);
	return 0;
}

static int sign_mac(struct scheme_check *c, struct slice id, struct buf *ret_lines, struct buf *ret_body,
                    struct err *err)
{
	struct signing s = { .c = c };
	struct buf ts;
	int rc = check(c, id, err);

	buf_init(&ts, TS_BYTES_MAX);
	if (rc == 0 && scheme_signs(c->row, "{ts}"))
		put_ts(&ts, c->row->time, c->r->now_ms);
	if (rc == 0) {
		struct scheme_values values = { id, buf_slice(&ts), c->r->url, c->r->body };

		s.nparts = scheme_parts(c->row->sign, &values, s.parts);
		scheme_show(c, s.parts, s.nparts);
		rc = c->row->header[0] == '/' ? put_body(&s, id, buf_slice(&ts), ret_body, err)
		                              : put_headers(&s, id, buf_slice(&ts), ret_lines, err);
	}
	buf_fini(&ts);
	return rc;
}

/* There is room for one token. */
static int sign_token(struct scheme_check *c, struct slice id, struct buf *ret_lines, struct err *err)
{
	int rc = check(c, id, err);

	if (rc == 0)
		rc = scheme_token_check(c->row, c->r->secrets[0], err);
	if (rc < 0)
		return rc;
	put_line(ret_lines, c->row->header, c->r->secrets[0]);
	put_others(c->row, id, SLICE_NONE, ret_lines);
	return 0;
}

static int sign_kind(struct scheme_check *c, struct slice id, struct buf *lines, struct buf *body,
                     struct err *err)
{
	switch (c->row->kind) {
	case KIND_TWILIO:
		return scheme_twilio_sign(c, lines, err);
	case KIND_HTTP:
		return scheme_http_sign(c, id, lines, err);
	case KIND_TOKEN:
		return sign_token(c, id, lines, err);
	case KIND_MAC:
	case KIND_SNS:
	case KIND_PAYPAL:
		break;
	}
	return sign_mac(c, id, lines, body, err);
}

int scheme_sign(const struct scheme *s, const struct scheme_request *r, struct slice id,
                struct buf *ret_lines, struct buf *ret_body, struct err *err)
{
	struct scheme_result said = { .verdict = SCHEME_NO_MATCH };
	struct scheme_check c = { .s = s, .row = &s->row, .r = r, .ret = &said };
	struct buf lines;
	struct buf body;

	if (scheme_needs_certificate(s))
		return err_set(err, FISH_EINVAL, "%s is signed with a key that only the sender has",
		               s->row.name);
	if (r->nsecrets == 0)
		return err_set(err, FISH_EINVAL, "there is no secret to sign with");
	buf_init(&lines, SIZE_MAX);
	buf_init(&body, SIZE_MAX);
	int rc = sign_kind(&c, id, &lines, &body, err);

	if (rc == 0) {
		buf_put_slice(ret_lines, buf_slice(&lines));
		buf_put_slice(ret_body, buf_slice(&body));
	}
	buf_fini(&lines);
	buf_fini(&body);
	return rc;
}
