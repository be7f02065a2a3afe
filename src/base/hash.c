/* hash.c - FNV-1a for digests, SHA-256 cut to 128 bits for keys that a stranger
 * chooses.
 *
 * Invariant: results are kept in stores, so they are the same on every machine and for
 * ever. Surprise: hash128 puts a length before each part, so ("ab", "c") is not ("a",
 * "bc"). */
#include "base/hash.h"

#include <openssl/evp.h>
#include <string.h>

#define FNV_PRIME  UINT64_C(0x100000001b3)

/* Good enough to tell that code and journal differ, and cheap to feed piece by piece.
 * It is no defence: where a stranger gains by a collision, hash128 is the one. */
uint64_t hash64(uint64_t seed, struct slice s)
{
	uint64_t hash = seed;

	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (uint8_t)s.ptr[i]) * FNV_PRIME;
	return hash;
}

/* Little-endian, whatever the machine is. */
static void bytes_of_u64(uint64_t value, char ret_bytes[8])
{
	for (size_t i = 0; i < 8; i++)
		ret_bytes[i] = (char)(value >> (8 * i));
}

/* Numbers go in as eight bytes, so 1 then 23 is not 12 then 3. */
uint64_t hash64_u64(uint64_t seed, uint64_t value)
{
	char bytes[8];

	bytes_of_u64(value, bytes);
	return hash64(seed, (struct slice){ bytes, sizeof(bytes) });
}

/* 128 bits leave 2^64 work for a collision, and fit where an id fits. */
struct id hash128(const struct slice *parts, size_t n)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	/* These fail only without memory or without SHA-256, and nothing goes on then. */
	CHECK(ctx != NULL);
	CHECK(EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1);
	for (size_t i = 0; i < n; i++) {
		char len[8];

		bytes_of_u64(parts[i].len, len);
		CHECK(EVP_DigestUpdate(ctx, len, sizeof(len)) == 1);
		CHECK(EVP_DigestUpdate(ctx, parts[i].ptr, parts[i].len) == 1);
	}
	CHECK(EVP_DigestFinal_ex(ctx, digest, NULL) == 1);
	EVP_MD_CTX_free(ctx);
	struct id id;

	memcpy(id.b, digest, sizeof(id.b));
	return id;
}
