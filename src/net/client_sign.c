/* client_sign.c - signs a call as Standard Webhooks ask, by HMAC-SHA-256.
 *
 * What is signed is "id.timestamp.body".
 * Invariant: nothing is put unless all three lines are. Surprise: a secret that begins with
 * "whsec_" is base64 behind it; any other secret is taken as the bytes that it is. */
#include "net/client_private.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECRET_BYTES_MAX = 512,
	HMAC_BYTES = 32,
	HMAC_TEXT_SIZE = 45, /* base64 of it, and a NUL */
};

/* The secret's bytes; FISH_EFORMAT. EVP_DecodeBlock counts padding as zero bytes. */
static int decode_secret(
	struct slice secret, unsigned char ret_bytes[SECRET_BYTES_MAX], size_t *ret_len)
{
	static const struct slice prefix = { "whsec_", 6 };
	if (secret.len > SECRET_BYTES_MAX)
		return FISH_EFORMAT;
	if (secret.len < prefix.len || memcmp(secret.ptr, prefix.ptr, prefix.len) != 0) {
		memcpy(ret_bytes, secret.ptr, secret.len);
		*ret_len = secret.len;
		return 0;
	}
	struct slice text = { secret.ptr + prefix.len, secret.len - prefix.len };
	size_t padding = 0;
	while (padding < 2 && padding < text.len &&
		text.ptr[text.len - 1 - padding] == '=')
		padding++;
	int len = EVP_DecodeBlock(
		ret_bytes, (const unsigned char *)text.ptr, (int)text.len);
	if (len <= 0)
		return FISH_EFORMAT;
	*ret_len = (size_t)len - padding;
	return 0;
}

/* One MAC over the parts as if they stood together. */
static void mac_parts(const unsigned char *key, size_t key_len, const struct slice *parts,
	size_t n, unsigned char ret_mac[HMAC_BYTES])
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, key, key_len);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	CHECK(pkey != NULL);
	CHECK(ctx != NULL);
	CHECK(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1);
	for (size_t i = 0; i < n; i++)
		CHECK(parts[i].len == 0 ||
			EVP_DigestSignUpdate(ctx, parts[i].ptr, parts[i].len) == 1);
	size_t len = HMAC_BYTES;
	CHECK(EVP_DigestSignFinal(ctx, ret_mac, &len) == 1);
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
}

int sign_put(struct buf *out, struct slice secret, struct slice id, int64_t now_s,
	struct slice body)
{
	unsigned char key[SECRET_BYTES_MAX];
	size_t key_len = 0;
	int rc = decode_secret(secret, key, &key_len);
	if (rc < 0)
		return rc;
	char time_text[24];
	snprintf(time_text, sizeof time_text, "%lld", (long long)now_s);
	const struct slice parts[] = {
		id,
		SLICE_LIT("."),
		slice_of(time_text),
		SLICE_LIT("."),
		body,
	};
	unsigned char mac[HMAC_BYTES];
	mac_parts(key, key_len, parts, sizeof parts / sizeof parts[0], mac);
	OPENSSL_cleanse(key, sizeof key);
	unsigned char mac_text[HMAC_TEXT_SIZE];
	EVP_EncodeBlock(mac_text, mac, HMAC_BYTES);
	buf_puts(out, "webhook-id: ");
	buf_put_slice(out, id);
	buf_putc(out, '\0');
	buf_printf(out, "webhook-timestamp: %s%c", time_text, '\0');
	buf_printf(out, "webhook-signature: v1,%s%c", (const char *)mac_text, '\0');
	return 0;
}
