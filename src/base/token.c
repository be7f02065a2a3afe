/* token.c - the path of a hook's URL: base64url of version, key id, flow id, hook and
 * MAC.
 *
 * Invariant: exactly one text is accepted for a token: no padding, no other alphabet,
 * and the two bits that 51 characters hold beyond 38 bytes are zero. Surprise: the MAC
 * is compared in constant time, but which key ids exist is no secret and may show in
 * the time taken. */
#include "base/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
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

/* 0 to 63, or -1. */
static int sextet_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '-')
		return 62;
	return c == '_' ? 63 : -1;
}

/* The one text that encode would write for these bytes, or FISH_EINVAL. */
static int decode(struct slice text, uint8_t ret_bytes[TOKEN_BYTES])
{
	uint32_t bits = 0;
	int nbits = 0;
	size_t len = 0;

	if (text.len != TEXT_LEN)
		return FISH_EINVAL;
	for (size_t i = 0; i < text.len; i++) {
		int value = sextet_value(text.ptr[i]);

		if (value < 0)
			return FISH_EINVAL;
		/* At most 13 bits are waiting; older ones have gone out. */
		bits = (bits << SEXTET_BITS | (uint32_t)value) & 0xffff;
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

/* memcmp would tell by its time how many bytes of a forged MAC are right. */
static bool made_with(const struct token_key *key, const uint8_t bytes[TOKEN_BYTES])
{
	uint8_t mac[MAC_BYTES];

	if (key->id != bytes[AT_KEY_ID])
		return false;
	mac_of(key, bytes, mac);
	return CRYPTO_memcmp(mac, bytes + AT_MAC, MAC_BYTES) == 0;
}

int token_parse(struct slice text, const struct token_key *keys, size_t nkeys,
                struct token *ret_token)
{
	uint8_t bytes[TOKEN_BYTES];

	if (decode(text, bytes) < 0 || bytes[0] != VERSION)
		return FISH_EINVAL;
	/* After a rotation the old keys stay in keys, for URLs that are out there. */
	for (size_t i = 0; i < nkeys; i++) {
		if (!made_with(&keys[i], bytes))
			continue;
		*ret_token = (struct token){ .key_id = bytes[AT_KEY_ID] };
		memcpy(ret_token->flow.b, bytes + AT_FLOW, sizeof(ret_token->flow.b));
		for (size_t j = 0; j < 4; j++)
			ret_token->hook = ret_token->hook << 8 | bytes[AT_HOOK + j];
		return 0;
	}
	return FISH_EINVAL;
}
