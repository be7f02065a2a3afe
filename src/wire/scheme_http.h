/* scheme_http.h - the pieces of HTTP Message Signatures (RFC 9421): signature base, keys, digests. */
#ifndef FISH_SCHEME_HTTP_H
#define FISH_SCHEME_HTTP_H

#include "wire/fields.h"
#include "wire/scheme_private.h"

enum {
	HTTP_COMPONENTS_MAX      = 64,       /* in one signature */
	HTTP_SIGNATURE_BYTES_MAX = 1024,
};

/* Appends the signature base of what covered lists (an inner list with its parameters). On refusal out
 * may have grown. */
enum scheme_verdict http_base_put(struct scheme_check *c, struct arena *arena, const struct field_item *covered,
                                  struct buf *out);
/* All lines of a field joined by ", ", trimmed; false when there is none. */
bool http_field_put(const struct scheme_request *r, struct slice name, struct buf *out);

/* ---- keys ---- */

enum http_alg { HTTP_HMAC_SHA256, HTTP_ED25519, HTTP_ECDSA_P256, HTTP_ECDSA_P384, HTTP_RSA_PSS, HTTP_RSA_V15 };
enum http_half { HTTP_PUBLIC, HTTP_PRIVATE };

struct http_key {
	enum http_alg           alg;         /* the one that the key is used with if nobody says otherwise */
	struct evp_pkey_st     *pkey;        /* NULL for HMAC */
	struct scheme_key_bytes hmac;
};
/* Base64 for HMAC, or PEM. FISH_EINVAL with words; http_key_fini in any case. */
int         http_key_init(struct http_key *k, struct slice secret, enum http_half half, struct err *err);
void        http_key_fini(struct http_key *k);
bool        http_key_does(const struct http_key *k, enum http_alg alg);
const char *http_alg_name(enum http_alg alg);
bool        http_alg_find(struct slice name, enum http_alg *ret_alg);
bool        http_key_verify(const struct http_key *k, enum http_alg alg, struct slice text, struct slice signature);
bool        http_key_sign(const struct http_key *k, enum http_alg alg, struct slice text, struct buf *ret_signature);

#endif
