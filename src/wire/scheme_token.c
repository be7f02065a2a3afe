/* scheme_token.c - senders that sign nothing: each request carries the token itself that both sides know.
 *
 * Invariant: a token is compared in constant time whatever its length, and no word about it holds a byte
 * of it. Surprise: such a header is a secret of the program's configuration, so who keeps a request must
 * leave it out (scheme_secret_header). */
#include "wire/scheme_private.h"

#include <openssl/crypto.h>
#include <string.h>

/* What a field's value can be: else no request could ever carry it. */
static bool fits_header(struct slice token)
{
	if (token.len == 0 || token.ptr[0] == ' ' || token.ptr[token.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < token.len; i++)
		if ((uint8_t)token.ptr[i] < 0x20 || token.ptr[i] == 0x7f)
			return false;
	return true;
}

int scheme_token_check(const struct scheme_row *row, struct slice token, struct err *err)
{
	struct scheme_key_bytes key;
	int rc = scheme_key_take(row, token, &key, err);

	scheme_key_wipe(&key);
	if (rc == 0 && !fits_header(token))
		return err_set(err, FISH_EINVAL,
		               "no header can carry the secret: it has a control character, or a blank at an end");
	return rc;
}

/* By a MAC of each: so the time does not tell how long the right one is either. */
static bool is_token(const struct scheme_row *row, struct slice token, struct slice given)
{
	struct scheme_key_bytes key;
	uint8_t macs[2][SCHEME_MAC_BYTES_MAX];
	bool same = false;

	if (scheme_key_take(row, token, &key, NULL) == 0) {
		scheme_hmac(&key, &token, 1, macs[0]);
		scheme_hmac(&key, &given, 1, macs[1]);
		same = CRYPTO_memcmp(macs[0], macs[1], scheme_mac_bytes(key.algorithm)) == 0;
	}
	scheme_key_wipe(&key);
	return same;
}

enum scheme_verdict scheme_token_verify(struct scheme_check *c)
{
	size_t nsecrets = c->r->nsecrets < SCHEME_SECRETS_MAX ? c->r->nsecrets : SCHEME_SECRETS_MAX;
	struct slice given = SLICE_NONE;
	enum scheme_verdict v = scheme_header(c, c->row->header, &given);
	bool usable = false;

	for (size_t i = 0; i < nsecrets && v == SCHEME_VALID; i++) {
		usable = usable || scheme_token_check(c->row, c->r->secrets[i], NULL) == 0;
		if (!is_token(c->row, c->r->secrets[i], given))
			continue;
		c->ret->secret = i;
		return SCHEME_VALID;
	}
	if (v != SCHEME_VALID)
		return v;
	if (!usable)
		return scheme_say(c->ret, SCHEME_BAD_SECRET, "there is no secret that the scheme can use");
	return scheme_say(c->ret, SCHEME_NO_MATCH, "the token in %s is none of the configured secrets", c->row->header);
}

struct slice scheme_secret_header(const struct scheme *s)
{
	return s->row.kind == KIND_TOKEN ? slice_of(s->row.header) : SLICE_NONE;
}
