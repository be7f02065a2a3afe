/* scheme_http.c - HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530).
 *
 * Invariant: a signature is good only if it covers what the policy requires, and a digest that it covers
 * is that of the body. Surprise: the label that ties Signature-Input to Signature is not signed and means
 * nothing; any signature of the request that is good will do. */
#include "wire/codec.h"
#include "wire/scheme_http.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

static const char usual[] = "created,@method,@authority,@path,@query,content-digest,content-type";
static const char label[] = "sig1";

/* One of the request's signatures. */
struct one {
	const struct field_item *input;      /* what it covers, with its parameters */
	struct slice             signature;
};

/* ---- what must be covered ---- */

static bool has_component(const struct field_item *input, const char *name)
{
	for (size_t i = 0; i < input->nitems; i++)
		if (input->items[i].value.kind == FIELD_STRING &&
		    slice_eq(input->items[i].value.text, slice_of(name)))
			return true;
	return false;
}

/* A whole that is signed covers its parts. */
static bool covers(const struct field_item *input, const char *name)
{
	static const char *const of_target[] = {
		"@path", "@query", "@request-target", "@authority", "@scheme"
	};

	if (has_component(input, name) || field_param_find(input, name) != NULL)
		return true;
	for (size_t i = 0; i < sizeof(of_target) / sizeof(of_target[0]); i++) {
		if (strcmp(name, of_target[i]) != 0)
			continue;
		return has_component(input, "@target-uri") ||
		       (i < 2 && has_component(input, "@request-target"));
	}
	return false;
}

static enum scheme_verdict check_covered(struct scheme_check *c, const struct field_item *input)
{
	const char *names = c->s->require == NULL ? usual : c->s->require;

	while (*names != '\0') {
		char name[NAME_BYTES_MAX] = "";
		size_t len = strcspn(names, ",");
		size_t kept = len < sizeof(name) ? len : sizeof(name) - 1;

		memcpy(name, names, kept);
		names += len + (names[len] == ',');
		/* A body that is not there needs no cover. */
		if (c->r->body.len == 0 && strncmp(name, "content-", 8) == 0)
			continue;
		if (!covers(input, name))
			return scheme_say(c->ret, SCHEME_NOT_COVERED,
			                  "the signature does not cover %s", name);
	}
	return SCHEME_VALID;
}

/* ---- digests ---- */

static bool is_digest(const struct field_item *member, const EVP_MD *hash, struct slice body)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	CHECK(EVP_Digest(body.ptr == NULL ? "" : body.ptr, body.len, digest, &len, hash, NULL) == 1);
	return member->value.kind == FIELD_BINARY && member->value.text.len == len &&
	       CRYPTO_memcmp(member->value.text.ptr, digest, len) == 0;
}

/* At least one digest is of a known kind, and each such one is right. Those that are not covered can only
 * make a good request bad. */
static enum scheme_verdict check_digest(struct scheme_check *c, struct arena *arena)
{
	struct fields all = { .nmembers = 0 };
	struct buf text;
	size_t known = 0;
	size_t right = 0;

	buf_init(&text, FIELDS_BYTES_MAX);
	bool there = http_field_put(c->r, SLICE_LIT("content-digest"), &text);
	bool read_back = there && fields_dictionary(arena, buf_slice(&text), &all) == 0;
	const struct field_item *sha256 = fields_find(&all, SLICE_LIT("sha-256"));
	const struct field_item *sha512 = fields_find(&all, SLICE_LIT("sha-512"));

	if (sha256 != NULL) {
		known++;
		right += is_digest(sha256, EVP_sha256(), c->r->body);
	}
	if (sha512 != NULL) {
		known++;
		right += is_digest(sha512, EVP_sha512(), c->r->body);
	}
	buf_fini(&text);
	if (!read_back || known == 0)
		return scheme_say(c->ret, SCHEME_BAD_DIGEST,
		                  "Content-Digest has neither sha-256 nor sha-512");
	if (right < known)
		return scheme_say(c->ret, SCHEME_BAD_DIGEST, "Content-Digest is not of this body");
	return SCHEME_VALID;
}

/* "content-digest";key="x" covers one member only: it must be of a known kind. */
static bool covers_unknown_digest(const struct field_item *input)
{
	bool unknown = false;

	for (size_t i = 0; i < input->nitems; i++) {
		const struct field_value *key = field_param_find(&input->items[i], "key");

		if (!slice_eq(input->items[i].value.text, SLICE_LIT("content-digest")))
			continue;
		if (key == NULL || slice_eq(key->text, SLICE_LIT("sha-256")) ||
		    slice_eq(key->text, SLICE_LIT("sha-512")))
			return false;
		unknown = true;
	}
	return unknown;
}

/* ---- one signature ---- */

static enum scheme_verdict check_times(struct scheme_check *c, const struct field_item *input)
{
	const struct field_value *created = field_param_find(input, "created");
	const struct field_value *expires = field_param_find(input, "expires");
	bool any_time = c->r->tolerance_ms < 0;

	if ((created != NULL && created->kind != FIELD_INTEGER) ||
	    (expires != NULL && expires->kind != FIELD_INTEGER))
		return scheme_say(c->ret, SCHEME_BAD_TIME, "created or expires is not unix time");
	if (expires != NULL && !any_time && expires->number * 1000 < c->r->now_ms)
		return scheme_say(c->ret, SCHEME_TOO_OLD, "the signature has expired");
	return created == NULL ? SCHEME_VALID : scheme_in_time(c, created->number * 1000);
}

/* What configuration says, else what the message says, else what the key is for; and all that speak must
 * agree. */
static bool choose_alg(const struct scheme_check *c, const struct field_item *input,
                       const struct http_key *key, enum http_alg *ret)
{
	const struct field_value *said = field_param_find(input, "alg");
	enum http_alg alg = key->alg;

	if (said != NULL && (said->kind != FIELD_STRING || !http_alg_find(said->text, &alg)))
		return false;
	if (c->s->alg != NULL && said != NULL && !slice_eq(said->text, slice_of(c->s->alg)))
		return false;
	if (c->s->alg != NULL)
		http_alg_find(slice_of(c->s->alg), &alg);
	*ret = alg;
	return http_key_does(key, alg);
}

static enum scheme_verdict try_secrets(struct scheme_check *c, const struct one *one, struct slice base)
{
	bool usable = false;
	bool agreed = false;

	for (size_t i = 0; i < c->r->nsecrets && i < SCHEME_SECRETS_MAX; i++) {
		enum http_alg alg = HTTP_HMAC_SHA256;
		struct http_key key;
		bool good = http_key_init(&key, c->r->secrets[i], HTTP_PUBLIC, NULL) == 0;
		bool agrees = good && choose_alg(c, one->input, &key, &alg);
		bool matches = agrees && http_key_verify(&key, alg, base, one->signature);

		http_key_fini(&key);
		usable |= good;
		agreed |= agrees;
		c->ret->secret = i;
		if (matches)
			return SCHEME_VALID;
	}
	if (!usable)
		return scheme_say(c->ret, SCHEME_BAD_SECRET, "there is no secret that the scheme can use");
	if (!agreed)
		return scheme_say(c->ret, SCHEME_ALGORITHM,
		                  "alg of the signature does not agree with the key or the configuration");
	return scheme_say(c->ret, SCHEME_NO_MATCH,
	                  "the signature was not made with a configured key over these components");
}

static void keep_nonce(struct scheme_check *c, const struct field_item *input)
{
	const struct field_value *nonce = field_param_find(input, "nonce");

	if (nonce != NULL && nonce->kind == FIELD_STRING)
		scheme_keep_id(c, nonce->text, SCHEME_ID_SIGNED);
}

static enum scheme_verdict verify_one(struct scheme_check *c, struct arena *arena, const struct one *one)
{
	struct buf base;
	enum scheme_verdict v = check_covered(c, one->input);

	if (v == SCHEME_VALID)
		v = check_times(c, one->input);
	if (v != SCHEME_VALID)
		return v;
	buf_init(&base, SIZE_MAX);
	v = http_base_put(c, arena, one->input, &base);
	if (v == SCHEME_VALID) {
		const struct slice text = buf_slice(&base);

		scheme_show(c, &text, 1);
		v = try_secrets(c, one, text);
	}
	buf_fini(&base);
	if (v == SCHEME_VALID && covers_unknown_digest(one->input))
		v = scheme_say(c->ret, SCHEME_NOT_COVERED,
		               "the digest that is covered is of an unknown kind");
	if (v == SCHEME_VALID && has_component(one->input, "content-digest"))
		v = check_digest(c, arena);
	if (v == SCHEME_VALID)
		keep_nonce(c, one->input);
	return v;
}

/* ---- the whole ---- */

static enum scheme_verdict read_header(struct scheme_check *c, struct arena *arena, const char *name,
                                       struct fields *ret)
{
	struct slice text = SLICE_NONE;
	enum scheme_verdict v = scheme_header(c, name, &text);

	if (v != SCHEME_VALID)
		return v;
	if (fields_dictionary(arena, text, ret) < 0)
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "%s is not a dictionary as in RFC 9651", name);
	if (ret->nmembers > SCHEME_SIGNATURES_MAX)
		return scheme_say(c->ret, SCHEME_TOO_MANY, "%s has over %d signatures", name,
		                  SCHEME_SIGNATURES_MAX);
	return SCHEME_VALID;
}

static enum scheme_verdict verify_all(struct scheme_check *c, struct arena *arena)
{
	struct fields inputs = { .nmembers = 0 };
	struct fields signatures = { .nmembers = 0 };
	enum scheme_verdict v = read_header(c, arena, "Signature-Input", &inputs);

	if (v == SCHEME_VALID)
		v = read_header(c, arena, "Signature", &signatures);
	if (v != SCHEME_VALID)
		return v;
	v = scheme_say(c->ret, SCHEME_BAD_HEADER,
	               "Signature-Input and Signature have no label in common, or not what must be "
	               "behind it");
	for (size_t i = 0; i < inputs.nmembers && v != SCHEME_VALID; i++) {
		struct one one = { .input = &inputs.members[i].item };
		const struct field_item *bytes = fields_find(&signatures, inputs.members[i].key);

		if (bytes == NULL || bytes->value.kind != FIELD_BINARY ||
		    one.input->value.kind != FIELD_INNER_LIST)
			continue;
		one.signature = bytes->value.text;
		v = verify_one(c, arena, &one);
	}
	return v;
}

enum scheme_verdict scheme_http_verify(struct scheme_check *c)
{
	struct arena arena;

	arena_init(&arena);
	enum scheme_verdict v = verify_all(c, &arena);

	arena_fini(&arena);
	return v;
}

/* The algorithm that is configured, if any; is the key one for it? */
static int settle_alg(const struct scheme *s, const struct http_key *key, enum http_alg *ret_alg,
                      struct err *err)
{
	*ret_alg = key->alg;
	if (s->alg == NULL)
		return 0;
	if (!http_alg_find(slice_of(s->alg), ret_alg) || !http_key_does(key, *ret_alg))
		return err_set(err, FISH_EINVAL, "the key is not one for %s", s->alg);
	return 0;
}

int scheme_http_check_secret(const struct scheme *s, struct slice secret, struct err *err)
{
	enum http_alg alg = HTTP_HMAC_SHA256;
	struct http_key key;
	int rc = http_key_init(&key, secret, HTTP_PUBLIC, err);

	if (rc == 0)
		rc = settle_alg(s, &key, &alg, err);
	http_key_fini(&key);
	return rc;
}

/* ---- signing ---- */

/* What the policy of the other side will want; content-type only if the request has one. */
static void put_input(struct scheme_check *c, struct slice id, enum http_alg alg, struct buf *out)
{
	buf_puts(out, "(\"@method\" \"@authority\" \"@path\" \"@query\"");
	if (c->r->body.len > 0)
		buf_puts(out, " \"content-digest\"");
	if (scheme_header_count(c->r, "Content-Type") > 0)
		buf_puts(out, " \"content-type\"");
	buf_printf(out, ");created=%" PRId64 ";alg=\"%s\"", c->r->now_ms / 1000, http_alg_name(alg));
	if (id.len > 0)
		buf_printf(out, ";nonce=\"%.*s\"", (int)id.len, id.ptr);
}

static void put_digest(struct slice body, struct buf *out)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	CHECK(EVP_Digest(body.ptr == NULL ? "" : body.ptr, body.len, digest, &len, EVP_sha256(), NULL) == 1);
	buf_puts(out, "sha-256=:");
	codec_put_base64(out, digest, len);
	buf_putc(out, ':');
}

/* The request with its digest in front of the other headers. */
static int sign_with(struct scheme_check *c, const struct http_key *key, enum http_alg alg,
                     struct slice input, struct slice digest, struct buf *ret_lines, struct err *err)
{
	struct http1_field *headers = xalloc((c->r->nheaders + 1) * sizeof(*headers));
	struct scheme_request with = *c->r;
	struct scheme_check of = { .s = c->s, .row = c->row, .r = &with, .ret = c->ret };
	struct buf signature;
	struct fields all;
	struct arena arena;
	struct buf base;
	int rc = 0;

	headers[0] = (struct http1_field){ SLICE_LIT("Content-Digest"), digest };
	for (size_t i = 0; i < c->r->nheaders; i++)
		headers[i + 1] = c->r->headers[i];
	with.headers = headers;
	with.nheaders = c->r->nheaders + 1;
	arena_init(&arena);
	buf_init(&base, SIZE_MAX);
	buf_init(&signature, HTTP_SIGNATURE_BYTES_MAX);
	if (fields_list(&arena, input, &all) < 0)
		rc = err_set(err, FISH_EINVAL, "the signature's input cannot be written");
	else if (http_base_put(&of, &arena, &all.members[0].item, &base) != SCHEME_VALID)
		rc = err_set(err, FISH_EINVAL, "%s", c->ret->why);
	else if (!http_key_sign(key, alg, buf_slice(&base), &signature))
		rc = err_set(err, FISH_EINVAL, "the key cannot sign");
	if (rc == 0) {
		if (c->r->body.len > 0)
			buf_printf(ret_lines, "Content-Digest: %.*s\r\n", (int)digest.len, digest.ptr);
		buf_printf(ret_lines, "Signature-Input: %s=%.*s\r\nSignature: %s=:", label, (int)input.len,
		           input.ptr, label);
		codec_put_base64(ret_lines, (const uint8_t *)signature.ptr, signature.len);
		buf_puts(ret_lines, ":\r\n");
	}
	buf_fini(&signature);
	buf_fini(&base);
	arena_fini(&arena);
	free(headers);
	return rc;
}

int scheme_http_sign(struct scheme_check *c, struct slice id, struct buf *ret_lines, struct err *err)
{
	struct http_key key;
	struct buf input;
	struct buf digest;
	int rc = http_key_init(&key, c->r->secrets[0], HTTP_PRIVATE, err);
	enum http_alg alg = HTTP_HMAC_SHA256;

	if (rc == 0 && id.len > 0 && (!scheme_id_is_good(id, '"') || !scheme_id_is_good(id, '\\')))
		rc = err_set(err, FISH_EINVAL, "the id must be visible ASCII without quotes and backslashes");
	if (rc == 0)
		rc = settle_alg(c->s, &key, &alg, err);
	buf_init(&input, SIZE_MAX);
	buf_init(&digest, SIZE_MAX);
	if (rc == 0) {
		put_input(c, id, alg, &input);
		put_digest(c->r->body, &digest);
		rc = sign_with(c, &key, alg, buf_slice(&input), buf_slice(&digest), ret_lines, err);
	}
	buf_fini(&input);
	buf_fini(&digest);
	http_key_fini(&key);
	return rc;
}
