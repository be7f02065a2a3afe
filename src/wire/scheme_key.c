/* scheme_key.c - secrets as keys, and what keys do: HMAC and ed25519.
 *
 * Invariant: no word about a secret holds a byte of it. Surprise: ed25519 wants all of a message at once,
 * so its parts are put together first; HMAC takes them as they lie. */
#include "wire/codec.h"
#include "wire/scheme_private.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

enum { ED25519_KEY_BYTES = 32, ED25519_PAIR_BYTES = 64, ED25519_SIGNATURE_BYTES = 64 };

size_t scheme_mac_bytes(enum scheme_algorithm a)
{
	switch (a) {
	case ALGORITHM_SHA256:    return 32;
	case ALGORITHM_SHA1:      return 20;
	case ALGORITHM_SHA384:    return 48;
	case ALGORITHM_SHA512:    return 64;
	case ALGORITHM_ED25519:   return ED25519_SIGNATURE_BYTES;
	case ALGORITHM_BY_METHOD: break;         /* told by the header before anybody asks */
	}
	__builtin_unreachable();
}

const char *scheme_hash_name(enum scheme_algorithm a)
{
	switch (a) {
	case ALGORITHM_SHA256:    return "SHA256";
	case ALGORITHM_SHA1:      return "SHA1";
	case ALGORITHM_SHA384:    return "SHA384";
	case ALGORITHM_SHA512:    return "SHA512";
	case ALGORITHM_ED25519:
	case ALGORITHM_BY_METHOD: break;
	}
	__builtin_unreachable();
}

/* ---- taking ---- */

static bool begins_with(struct slice text, const char *prefix)
{
	size_t len = strlen(prefix);

	return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

static struct slice behind(struct slice text, const char *prefix)
{
	size_t len = strlen(prefix);

	return (struct slice){ text.ptr + len, text.len - len };
}

static int take_base64(struct slice text, struct scheme_key_bytes *k, struct err *err)
{
	if (!codec_base64(text, k->bytes, sizeof(k->bytes), &k->len))
		return err_set(err, FISH_EINVAL, "the secret is not base64 with its padding, or too long");
	return 0;
}

static int take_hex(struct slice text, struct scheme_key_bytes *k, struct err *err)
{
	if (!codec_hex(text, CODEC_ANY_CASE, k->bytes, sizeof(k->bytes), &k->len))
		return err_set(err, FISH_EINVAL, "the secret is not hex, or too long");
	return 0;
}

static int take_text(struct slice text, struct scheme_key_bytes *k, struct err *err)
{
	if (text.len > sizeof(k->bytes))
		return err_set(err, FISH_EINVAL, "the secret is over %zu bytes", sizeof(k->bytes));
	if (text.len > 0)
		memcpy(k->bytes, text.ptr, text.len);
	k->len = text.len;
	return 0;
}

/* "whsec_" may be left out; the other two say what they are. */
static int take_webhooks(struct slice text, struct scheme_key_bytes *k, struct err *err)
{
	if (begins_with(text, "whpk_")) {
		k->algorithm = ALGORITHM_ED25519;
		return take_base64(behind(text, "whpk_"), k, err);
	}
	if (begins_with(text, "whsk_"))
		return err_set(err, FISH_EINVAL,
		               "whsk_ is the sender's own key: to verify, give the public one, whpk_");
	return take_base64(begins_with(text, "whsec_") ? behind(text, "whsec_") : text, k, err);
}

static int take(const struct scheme_row *row, struct slice secret, struct scheme_key_bytes *k,
                struct err *err)
{
	k->len = 0;
	k->algorithm = row->algorithm;
	switch (row->key) {
	case KEY_TEXT:     return take_text(secret, k, err);
	case KEY_BASE64:   return take_base64(secret, k, err);
	case KEY_HEX:      return take_hex(secret, k, err);
	case KEY_WEBHOOKS: return take_webhooks(secret, k, err);
	}
	__builtin_unreachable();
}

int scheme_key_take(const struct scheme_row *row, struct slice secret, struct scheme_key_bytes *ret,
                    struct err *err)
{
	int rc = take(row, secret, ret, err);

	if (rc < 0)
		return rc;
	if (ret->len == 0)
		return err_set(err, FISH_EINVAL, "the secret is empty");
	if (ret->algorithm == ALGORITHM_ED25519 && ret->len != ED25519_KEY_BYTES)
		return err_set(err, FISH_EINVAL, "the public key has %zu bytes, not %d", ret->len,
		               ED25519_KEY_BYTES);
	return 0;
}

/* A private ed25519 key is its seed of 32 bytes, with or without the public one behind it. */
int scheme_key_take_private(const struct scheme_row *row, struct slice secret,
                            struct scheme_key_bytes *ret, struct err *err)
{
	bool webhooks = row->key == KEY_WEBHOOKS && begins_with(secret, "whsk_");

	if (!webhooks && row->algorithm != ALGORITHM_ED25519) {
		int rc = scheme_key_take(row, secret, ret, err);

		if (rc == 0 && ret->algorithm == ALGORITHM_ED25519)
			return err_set(err, FISH_EINVAL,
			               "whpk_ is a public key: to sign, give the private one, whsk_");
		return rc;
	}
	ret->len = 0;
	int rc = webhooks ? take_base64(behind(secret, "whsk_"), ret, err) : take(row, secret, ret, err);

	ret->algorithm = ALGORITHM_ED25519;
	if (rc == 0 && ret->len != ED25519_KEY_BYTES && ret->len != ED25519_PAIR_BYTES)
		return err_set(err, FISH_EINVAL, "the private key has %zu bytes, not %d or %d", ret->len,
		               ED25519_KEY_BYTES, ED25519_PAIR_BYTES);
	ret->len = ret->len < ED25519_KEY_BYTES ? ret->len : ED25519_KEY_BYTES;
	return rc;
}

void scheme_key_wipe(struct scheme_key_bytes *k)
{
	OPENSSL_cleanse(k->bytes, sizeof(k->bytes));
}

/* ---- using ---- */

void scheme_hmac(const struct scheme_key_bytes *k, const struct slice *parts, size_t n,
                 uint8_t ret_mac[SCHEME_MAC_BYTES_MAX])
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	EVP_MAC_CTX *ctx = hmac == NULL ? NULL : EVP_MAC_CTX_new(hmac);
	char digest[8];
	size_t len = 0;

	/* The parameter measures the name when it is made. */
	snprintf(digest, sizeof(digest), "%s", scheme_hash_name(k->algorithm));
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	/* All of these fail only without memory or without the hash. */
	CHECK(ctx != NULL);
	CHECK(EVP_MAC_init(ctx, k->bytes, k->len, parameters) == 1);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].len > 0)
			CHECK(EVP_MAC_update(ctx, (const uint8_t *)parts[i].ptr, parts[i].len) == 1);
	}
	CHECK(EVP_MAC_final(ctx, ret_mac, &len, SCHEME_MAC_BYTES_MAX) == 1);
	CHECK(len == scheme_mac_bytes(k->algorithm));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(hmac);
}

static void join(struct buf *out, const struct slice *parts, size_t n)
{
	buf_init(out, SIZE_MAX);
	buf_puts(out, "");
	for (size_t i = 0; i < n; i++)
		buf_put_slice(out, parts[i]);
}

bool scheme_ed25519_verify(const struct scheme_key_bytes *k, const struct slice *parts, size_t n,
                           const uint8_t *signature)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, k->bytes, k->len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct buf message;

	CHECK(ctx != NULL);
	join(&message, parts, n);
	bool good = key != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	            EVP_DigestVerify(ctx, signature, ED25519_SIGNATURE_BYTES,
	                             (const uint8_t *)message.ptr, message.len) == 1;

	buf_fini(&message);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

bool scheme_ed25519_sign(const struct scheme_key_bytes *k, const struct slice *parts, size_t n,
                         uint8_t ret_signature[SCHEME_MAC_BYTES_MAX])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, k->bytes, k->len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = SCHEME_MAC_BYTES_MAX;
	struct buf message;

	CHECK(ctx != NULL);
	join(&message, parts, n);
	bool good = key != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
	            EVP_DigestSign(ctx, ret_signature, &len, (const uint8_t *)message.ptr,
	                           message.len) == 1;

	buf_fini(&message);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good && len == ED25519_SIGNATURE_BYTES;
}
