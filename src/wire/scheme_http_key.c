/* scheme_http_key.c - the algorithms of RFC 9421, section 3.3, and keys that go with them.
 *
 * Invariant: a key is used with an algorithm of its own kind only. Surprise: an RSA key alone does not say
 * which of the two paddings is meant; without a word it is PSS. */
#include "wire/codec.h"
#include "wire/scheme_http.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <string.h>

enum { PSS_SALT_BYTES = 64, P256_HALF_BYTES = 32, P384_HALF_BYTES = 48, GROUP_NAME_SIZE = 32 };

static const char *const alg_names[] = {
	[HTTP_HMAC_SHA256] = "hmac-sha256",
	[HTTP_ED25519] = "ed25519",
	[HTTP_ECDSA_P256] = "ecdsa-p256-sha256",
	[HTTP_ECDSA_P384] = "ecdsa-p384-sha384",
	[HTTP_RSA_PSS] = "rsa-pss-sha512",
	[HTTP_RSA_V15] = "rsa-v1_5-sha256",
};

const char *http_alg_name(enum http_alg alg) { return alg_names[alg]; }

bool http_alg_find(struct slice name, enum http_alg *ret_alg)
{
	for (size_t i = 0; i < sizeof(alg_names) / sizeof(alg_names[0]); i++) {
		if (slice_eq(name, slice_of(alg_names[i]))) {
			*ret_alg = (enum http_alg)i;
			return true;
		}
	}
	return false;
}

/* ---- keys ---- */

static bool alg_of(EVP_PKEY *pkey, enum http_alg *ret)
{
	char group[GROUP_NAME_SIZE] = "";
	size_t len = 0;

	switch (EVP_PKEY_get_base_id(pkey)) {
	case EVP_PKEY_ED25519:
		*ret = HTTP_ED25519;
		return true;
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		*ret = HTTP_RSA_PSS;
		return true;
	case EVP_PKEY_EC:
		break;
	default:
		return false;
	}
	if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1)
		return false;
	*ret = strcmp(group, "secp384r1") == 0 ? HTTP_ECDSA_P384 : HTTP_ECDSA_P256;
	return strcmp(group, "secp384r1") == 0 || strcmp(group, "prime256v1") == 0;
}

static int init_pem(struct http_key *k, struct slice pem, enum http_half half, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);

	CHECK(bio != NULL);
	k->pkey = half == HTTP_PUBLIC ? PEM_read_bio_PUBKEY(bio, NULL, scheme_no_password, NULL)
	                              : PEM_read_bio_PrivateKey(bio, NULL, scheme_no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (k->pkey == NULL)
		return err_set(err, FISH_EINVAL, "the secret is PEM, and holds no %s key",
		               half == HTTP_PUBLIC ? "public" : "private");
	if (!alg_of(k->pkey, &k->alg))
		return err_set(err, FISH_EINVAL, "the key is none of ed25519, P-256, P-384 and RSA");
	return 0;
}

int http_key_init(struct http_key *k, struct slice secret, enum http_half half, struct err *err)
{
	static const struct slice pem = { "-----BEGIN ", 11 };
	static const struct scheme_row row = { .key = KEY_BASE64 };

	k->pkey = NULL;
	k->alg = HTTP_HMAC_SHA256;
	if (secret.len > SCHEME_SECRET_BYTES_MAX)
		return err_set(err, FISH_EINVAL, "the secret is over %d bytes", SCHEME_SECRET_BYTES_MAX);
	if (secret.len > pem.len && memcmp(secret.ptr, pem.ptr, pem.len) == 0)
		return init_pem(k, secret, half, err);
	return scheme_key_take(&row, secret, &k->hmac, err);
}

void http_key_fini(struct http_key *k)
{
	EVP_PKEY_free(k->pkey);
	scheme_key_wipe(&k->hmac);
}

bool http_key_does(const struct http_key *k, enum http_alg alg)
{
	if (k->alg == HTTP_RSA_PSS && alg == HTTP_RSA_V15)
		return EVP_PKEY_get_base_id(k->pkey) == EVP_PKEY_RSA;
	return k->alg == alg;
}

/* ---- signatures ---- */

static const EVP_MD *hash_of(enum http_alg alg)
{
	switch (alg) {
	case HTTP_ECDSA_P256:
	case HTTP_RSA_V15:     return EVP_sha256();
	case HTTP_ECDSA_P384:  return EVP_sha384();
	case HTTP_RSA_PSS:     return EVP_sha512();
	case HTTP_ED25519:
	case HTTP_HMAC_SHA256: break;
	}
	return NULL;
}

static bool set_padding(EVP_PKEY_CTX *pctx, enum http_alg alg)
{
	return alg != HTTP_RSA_PSS || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	                               EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, PSS_SALT_BYTES) == 1 &&
	                               EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, EVP_sha512()) == 1);
}

static bool verify_pkey(const struct http_key *k, enum http_alg alg, struct slice text,
                        const uint8_t *signature, size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pctx = NULL;

	CHECK(ctx != NULL);
	bool good = EVP_DigestVerifyInit(ctx, &pctx, hash_of(alg), NULL, k->pkey) == 1 &&
	            set_padding(pctx, alg) &&
	            EVP_DigestVerify(ctx, signature, len, (const uint8_t *)text.ptr, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

static size_t half_bytes(enum http_alg alg)
{
	if (alg == HTTP_ECDSA_P256)
		return P256_HALF_BYTES;
	return alg == HTTP_ECDSA_P384 ? P384_HALF_BYTES : 0;
}

/* The two numbers as they stand in a message; OpenSSL wants them in DER. */
static bool verify_ecdsa(const struct http_key *k, enum http_alg alg, struct slice text,
                         struct slice signature)
{
	size_t half = half_bytes(alg);
	const uint8_t *bytes = (const uint8_t *)signature.ptr;
	uint8_t *der = NULL;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(bytes, (int)half, NULL);
	BIGNUM *s = BN_bin2bn(bytes + half, (int)half, NULL);

	CHECK(pair != NULL);
	CHECK(r != NULL);
	CHECK(s != NULL);
	CHECK(ECDSA_SIG_set0(pair, r, s) == 1);
	int len = i2d_ECDSA_SIG(pair, &der);
	bool good = len > 0 && verify_pkey(k, alg, text, der, (size_t)len);

	OPENSSL_free(der);
	ECDSA_SIG_free(pair);
	return good;
}

static bool verify_hmac(const struct http_key *k, struct slice text, struct slice signature)
{
	uint8_t mac[SCHEME_MAC_BYTES_MAX];
	size_t bytes = scheme_mac_bytes(ALGORITHM_SHA256);

	scheme_hmac(&k->hmac, &text, 1, mac);
	bool same = signature.len == bytes && CRYPTO_memcmp(mac, signature.ptr, bytes) == 0;

	OPENSSL_cleanse(mac, sizeof(mac));
	return same;
}

bool http_key_verify(const struct http_key *k, enum http_alg alg, struct slice text,
                     struct slice signature)
{
	if (signature.len == 0 || signature.len > HTTP_SIGNATURE_BYTES_MAX)
		return false;
	if (alg == HTTP_HMAC_SHA256)
		return verify_hmac(k, text, signature);
	if (half_bytes(alg) == 0)
		return verify_pkey(k, alg, text, (const uint8_t *)signature.ptr, signature.len);
	return signature.len == 2 * half_bytes(alg) && verify_ecdsa(k, alg, text, signature);
}

/* DER to the two numbers, each as long as the curve's. */
static bool put_ecdsa(enum http_alg alg, const uint8_t *der, size_t len, struct buf *out)
{
	uint8_t both[2 * P384_HALF_BYTES];
	int half = (int)half_bytes(alg);
	const uint8_t *at = der;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
	bool good = pair != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(pair), both, half) == half &&
	            BN_bn2binpad(ECDSA_SIG_get0_s(pair), both + half, half) == half;

	ECDSA_SIG_free(pair);
	if (good)
		buf_put(out, both, 2 * (size_t)half);
	return good;
}

bool http_key_sign(const struct http_key *k, enum http_alg alg, struct slice text,
                   struct buf *ret_signature)
{
	uint8_t signature[HTTP_SIGNATURE_BYTES_MAX];
	size_t len = sizeof(signature);
	EVP_PKEY_CTX *pctx = NULL;

	if (alg == HTTP_HMAC_SHA256) {
		scheme_hmac(&k->hmac, &text, 1, signature);
		buf_put(ret_signature, signature, scheme_mac_bytes(ALGORITHM_SHA256));
		return true;
	}
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	CHECK(ctx != NULL);
	bool good = EVP_DigestSignInit(ctx, &pctx, hash_of(alg), NULL, k->pkey) == 1 &&
	            set_padding(pctx, alg) &&
	            EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text.ptr, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	if (good && half_bytes(alg) > 0)
		return put_ecdsa(alg, signature, len, ret_signature);
	if (good)
		buf_put(ret_signature, signature, len);
	return good;
}
