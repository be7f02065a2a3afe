/* token.c - the path of a hook's URL: base64url of version, key id, flow id, hook and
 * MAC.
 *
 * Invariant: exactly one text is accepted for a token: no padding, no other alphabet,
 * and the two bits that 51 characters hold beyond 38 bytes are zero. Surprise: MACs and
 * the token that was checked last are compared in constant time, but which key ids exist
 * is no secret and may show in the time taken. */
/* SHA256_Update and its kind are in OpenSSL 3 as ever, but marked as superseded; see mac_of. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
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
};

/* The URL alphabet of RFC 4648, section 5. */
static const char sextets[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

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

/* Four characters, three bytes. Over 63 when one of them is not in the alphabet: then its value less
 * one is all ones. */
static uint32_t decode_group(const char text[4], uint8_t ret_bytes[3])
{
	uint32_t a = sextet_values[(uint8_t)text[0]] - 1u;
	uint32_t b = sextet_values[(uint8_t)text[1]] - 1u;
	uint32_t c = sextet_values[(uint8_t)text[2]] - 1u;
	uint32_t d = sextet_values[(uint8_t)text[3]] - 1u;
	uint32_t bits = a << 18 | b << 12 | c << 6 | d;

	ret_bytes[0] = (uint8_t)(bits >> 16);
	ret_bytes[1] = (uint8_t)(bits >> 8);
	ret_bytes[2] = (uint8_t)bits;
	return a | b | c | d;
}

/* The one text that encode would write for these bytes, or FISH_EINVAL. */
static int decode(struct slice text, uint8_t ret_bytes[TOKEN_BYTES])
{
	char padded[TEXT_LEN + 1] = { [TEXT_LEN] = 'A' };
	uint8_t bytes[TOKEN_BYTES + 1];
	uint32_t bad = 0;

	_Static_assert(TEXT_LEN % 4 == 3, "the last group is one character short");
	if (text.len != TEXT_LEN)
		return FISH_EINVAL;
	memcpy(padded, text.ptr, TEXT_LEN);
	for (size_t i = 0; i < TEXT_LEN; i += 4)
		bad |= decode_group(padded + i, bytes + i / 4 * 3);
	/* Two bits are left over; with any value allowed one token would have four
	 * texts. */
	if (bad > 63 || bytes[TOKEN_BYTES] != 0)
		return FISH_EINVAL;
	memcpy(ret_bytes, bytes, TOKEN_BYTES);
	return 0;
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

	CHECK(made == full);       /* NULL only without memory or without SHA-256 */
	for (size_t i = 0; i < TOKEN_MARK_SIZE - 1; i++)
		ret_text[i] = digits[full[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
	ret_text[TOKEN_MARK_SIZE - 1] = '\0';
}

/* A key, and both hashes of HMAC with their block of it taken in. */
struct ready_key {
	uint8_t    id;
	SHA256_CTX inner;
	SHA256_CTX outer;
};

struct token_ring {
	size_t           nkeys;
	bool             has_last;
	struct token     last;                 /* the answer to last_text */
	char             last_text[TEXT_LEN];  /* the last genuine one */
	struct ready_key keys[];
};

/* RFC 2104, section 2: the key, with zeros up to a block of the hash, and each byte XORed with pad. */
static void pad_take(SHA256_CTX *hash, const struct token_key *key, uint8_t pad)
{
	uint8_t block[SHA256_CBLOCK] = { 0 };

	_Static_assert(sizeof key->secret <= sizeof block, "a longer key would have to be hashed");
	memcpy(block, key->secret, sizeof key->secret);
	for (size_t i = 0; i < sizeof block; i++)
		block[i] ^= pad;
	SHA256_Init(hash);
	SHA256_Update(hash, block, sizeof block);
	OPENSSL_cleanse(block, sizeof block);
}

struct token_ring *token_ring_new(const struct token_key *keys, size_t nkeys)
{
	struct token_ring *c = xalloc(sizeof(*c) + nkeys * sizeof(c->keys[0]));

	for (size_t i = 0; i < nkeys; i++) {
		struct ready_key *k = &c->keys[c->nkeys++];

		k->id = keys[i].id;
		pad_take(&k->inner, &keys[i], 0x36);
		pad_take(&k->outer, &keys[i], 0x5c);
	}
	return c;
}

struct token_ring *token_ring_free(struct token_ring *c)
{
	if (c != NULL)
		OPENSSL_cleanse(c->keys, c->nkeys * sizeof(c->keys[0]));
	free(c);
	return NULL;
}

/* The MAC covers everything before it, the key's own id included. EVP_MAC would do the same and allocate,
 * copy and clear its contexts each time, which takes twice as long as the hashing: and each delivery comes
 * by here. */
static void mac_of(const struct ready_key *k, const uint8_t *head,
                   uint8_t ret_mac[SHA256_DIGEST_LENGTH])
{
	SHA256_CTX hash = k->inner;

	SHA256_Update(&hash, head, AT_MAC);
	SHA256_Final(ret_mac, &hash);
	hash = k->outer;
	SHA256_Update(&hash, ret_mac, SHA256_DIGEST_LENGTH);
	SHA256_Final(ret_mac, &hash);
}

int token_text(struct token_ring *c, uint8_t key_id, const struct id *flow, uint32_t hook,
               char ret_text[TOKEN_TEXT_SIZE])
{
	/* Version 0 is never given out: a zeroed row is no token. */
	uint8_t bytes[TOKEN_BYTES] = { VERSION, key_id };
	uint8_t mac[SHA256_DIGEST_LENGTH];

	ret_text[0] = '\0';
	memcpy(bytes + AT_FLOW, flow->b, sizeof(flow->b));
	/* Big-endian like the time in the id, so all of a flow's tokens sort by hook. */
	for (size_t i = 0; i < 4; i++)
		bytes[AT_HOOK + i] = (uint8_t)(hook >> (24 - 8 * i));
	for (size_t i = 0; i < c->nkeys; i++) {
		if (c->keys[i].id != key_id)
			continue;
		mac_of(&c->keys[i], bytes, mac);
		memcpy(bytes + AT_MAC, mac, MAC_BYTES);
		encode(bytes, ret_text);
		return 0;
	}
	return FISH_ENOTFOUND;
}

/* memcmp would tell by its time how many bytes of a forged MAC are right. */
static bool made_with(const struct ready_key *k, const uint8_t bytes[TOKEN_BYTES])
{
	uint8_t mac[SHA256_DIGEST_LENGTH];

	if (k->id != bytes[AT_KEY_ID])
		return false;
	mac_of(k, bytes, mac);
	return CRYPTO_memcmp(mac, bytes + AT_MAC, MAC_BYTES) == 0;
}

/* In constant time, like CRYPTO_memcmp, but eight bytes at a time. */
static bool same_text(const char a[TEXT_LEN], const char b[TEXT_LEN])
{
	uint64_t differ = 0;

	for (size_t i = 0; i < TEXT_LEN; i += 8) {
		/* The last eight overlap the ones before. */
		size_t at = i + 8 <= TEXT_LEN ? i : TEXT_LEN - 8;
		uint64_t x;
		uint64_t y;

		memcpy(&x, a + at, 8);
		memcpy(&y, b + at, 8);
		differ |= x ^ y;
	}
	return differ == 0;
}

/* The door asks when a head has come, and the engine when the body has. */
static bool is_last(const struct token_ring *c, struct slice text)
{
	return c->has_last && text.len == TEXT_LEN && same_text(c->last_text, text.ptr);
}

int token_check(struct token_ring *c, struct slice text, struct token *ret_token)
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
