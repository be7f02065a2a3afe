/* token.c - the path of a hook's URL: base64url of version, key id, flow id, hook and
 * MAC.
 *
 * Invariant: exactly one text is accepted for a token: no padding, no other alphabet,
 * and the two bits that 51 characters hold beyond 38 bytes are zero. Surprise: MACs and
 * the token that was checked last are compared in constant time, but which key ids exist
 * is no secret and may show in the time taken. */
#include "base/token.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum {
	VERSION       = 1,
	/* Where each part begins; the version is byte 0. */
	AT_KEY_ID     = 1,
	AT_FLOW       = 2,
	AT_HOOK       = AT_FLOW + 16,
	AT_MAC        = AT_HOOK + 4,
	MAC_BYTES     = TOKEN_BYTES - AT_MAC,
	TEXT_LEN      = TOKEN_TEXT_SIZE - 1,
	SEXTET_BITS   = 6,
	SHA256_BYTES  = 32,
};

/* The URL alphabet of RFC 4648, section 5. */
static const char sextets[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The MAC covers everything before it, the key's own id included. */
static void mac_of(const struct token_key *key, const uint8_t *head,
                   uint8_t ret_mac[MAC_BYTES])
{
	uint8_t full[EVP_MAX_MD_SIZE];
	unsigned int len = 0;

	uint8_t *made = HMAC(EVP_sha256(), key->secret, sizeof(key->secret), head, AT_MAC,
	                     full, &len);

	CHECK(made == full);       /* NULL only without memory or without SHA-256 */
	CHECK(len == SHA256_BYTES);
	memcpy(ret_mac, full, MAC_BYTES);
}

/* No padding: the length is always the same, and '=' would need escaping in a URL. */
static void encode(const uint8_t bytes[TOKEN_BYTES], char ret_text[TOKEN_TEXT_SIZE])
{
	uint32_t bits = 0;
	int nbits = 0;
	size_t len = 0;

	for (size_t i = 0; i < TOKEN_BYTES; i++) {
		bits = (bits << 8 | bytes[i]) & 0xffff;
		nbits += 8;
		while (nbits >= SEXTET_BITS) {
			nbits -= SEXTET_BITS;
			ret_text[len++] = sextets[bits >> nbits & 63];
		}
	}
	ret_text[len++] = sextets[bits << (SEXTET_BITS - nbits) & 63];
	CHECK(len == TEXT_LEN);
	ret_text[len] = '\0';
}

/* One more than the value of a character; 0: it is not in the alphabet. */
static const uint8_t sextet_values[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
	21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44,
	45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['-'] = 63, ['_'] = 64,
};

/* The one text that encode would write for these bytes, or FISH_EINVAL. */
static int decode(struct slice text, uint8_t ret_bytes[TOKEN_BYTES])
{
	uint32_t bits = 0;
	int nbits = 0;
	size_t len = 0;

	if (text.len != TEXT_LEN)
		return FISH_EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t value = sextet_values[(uint8_t)text.ptr[i]];

		if (value == 0)
			return FISH_EINVAL;
		/* At most 13 bits are waiting; older ones have gone out. */
		bits = (bits << SEXTET_BITS | (value - 1u)) & 0xffff;
		nbits += SEXTET_BITS;
		if (nbits >= 8) {
			nbits -= 8;
			ret_bytes[len++] = (uint8_t)(bits >> nbits);
		}
	}
	/* Two bits are left over; with any value allowed one token would have four
	 * texts. */
	return (bits & ((UINT32_C(1) << nbits) - 1)) == 0 ? 0 : FISH_EINVAL;
}

void token_text(const struct token_key *key, const struct id *flow, uint32_t hook,
                char ret_text[TOKEN_TEXT_SIZE])
{
	CHECK(key->id != 0);
	/* Version 0 is never given out: a zeroed row is no token. */
	uint8_t bytes[TOKEN_BYTES] = { VERSION, key->id };

	memcpy(bytes + AT_FLOW, flow->b, sizeof(flow->b));
	/* Big-endian like the time in the id, so all of a flow's tokens sort by hook. */
	for (size_t i = 0; i < 4; i++)
		bytes[AT_HOOK + i] = (uint8_t)(hook >> (24 - 8 * i));
	mac_of(key, bytes, bytes + AT_MAC);
	encode(bytes, ret_text);
}

void token_key_mark(const struct token_key *key, char ret_text[TOKEN_MARK_SIZE])
{
	/* No token begins like this, nor has this length: the version is its first byte. */
	static const char words[] = "mark of a fish key";
	static const char digits[] = "0123456789abcdef";
	uint8_t full[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	const uint8_t *made = HMAC(EVP_sha256(), key->secret, sizeof(key->secret),
	                           (const uint8_t *)words, sizeof(words) - 1, full, &len);

	CHECK(made == full);       /* as in mac_of */
	for (size_t i = 0; i < TOKEN_MARK_SIZE - 1; i++)
		ret_text[i] = digits[full[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	ret_text[TOKEN_MARK_SIZE - 1] = '\0';
}

/* ---- checking ---- */

/* A key, and HMAC with it in. */
struct ready_key {
	uint8_t      id;
	EVP_MAC_CTX *mac;
};

struct token_checker {
	size_t           nkeys;
	bool             has_last;
	struct token     last;                 /* the answer to last_text */
	char             last_text[TEXT_LEN];  /* the last genuine one */
	struct ready_key keys[];
};

struct token_checker *token_checker_new(const struct token_key *keys, size_t nkeys)
{
	struct token_checker *c = xalloc(sizeof(*c) + nkeys * sizeof(c->keys[0]));
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	char digest[] = "SHA256";
	const OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};

	/* All of these fail only without memory or without SHA-256. */
	CHECK(hmac != NULL);
	for (size_t i = 0; i < nkeys; i++) {
		struct ready_key *k = &c->keys[c->nkeys++];

		k->id = keys[i].id;
		k->mac = EVP_MAC_CTX_new(hmac);
		CHECK(k->mac != NULL);
		CHECK(EVP_MAC_init(k->mac, keys[i].secret, sizeof(keys[i].secret), parameters) == 1);
	}
	EVP_MAC_free(hmac);
	return c;
}

struct token_checker *token_checker_free(struct token_checker *c)
{
	for (size_t i = 0; c != NULL && i < c->nkeys; i++)
		EVP_MAC_CTX_free(c->keys[i].mac);
	free(c);
	return NULL;
}

/* memcmp would tell by its time how many bytes of a forged MAC are right. */
static bool made_with(const struct ready_key *k, const uint8_t bytes[TOKEN_BYTES])
{
	uint8_t mac[SHA256_BYTES];
	size_t len = 0;

	if (k->id != bytes[AT_KEY_ID])
		return false;
	/* Without a key it begins anew with the one that is in. */
	CHECK(EVP_MAC_init(k->mac, NULL, 0, NULL) == 1);
	CHECK(EVP_MAC_update(k->mac, bytes, AT_MAC) == 1);
	CHECK(EVP_MAC_final(k->mac, mac, &len, sizeof(mac)) == 1);
	CHECK(len == SHA256_BYTES);
	return CRYPTO_memcmp(mac, bytes + AT_MAC, MAC_BYTES) == 0;
}

/* The door asks when a head has come, and the engine when the body has. */
static bool is_last(const struct token_checker *c, struct slice text)
{
	return c->has_last && text.len == TEXT_LEN &&
	       CRYPTO_memcmp(c->last_text, text.ptr, TEXT_LEN) == 0;
}

int token_check(struct token_checker *c, struct slice text, struct token *ret_token)
{
	uint8_t bytes[TOKEN_BYTES];

	if (is_last(c, text)) {
		*ret_token = c->last;
		return 0;
	}
	if (decode(text, bytes) < 0 || bytes[0] != VERSION)
		return FISH_EINVAL;
	/* After a rotation the old keys stay, for URLs that are out there. */
	for (size_t i = 0; i < c->nkeys; i++) {
		if (!made_with(&c->keys[i], bytes))
			continue;
		c->last = (struct token){ .key_id = bytes[AT_KEY_ID] };
		memcpy(c->last.flow.b, bytes + AT_FLOW, sizeof(c->last.flow.b));
		for (size_t j = 0; j < 4; j++)
			c->last.hook = c->last.hook << 8 | bytes[AT_HOOK + j];
		memcpy(c->last_text, text.ptr, TEXT_LEN);
		c->has_last = true;
		*ret_token = c->last;
		return 0;
	}
	return FISH_EINVAL;
}
