/* token.h - what stands behind /h/: version, key id, flow id, hook number and a 128-bit MAC over these.
 *
 * base64url without padding. No token table: a token is verified from its own bytes and a key.
 * HMAC-SHA-256 (RFC 2104) truncated to its left 128 bits. Compared in constant time. */
#ifndef FISH_TOKEN_H
#define FISH_TOKEN_H

#include "base/id.h"

enum {
	TOKEN_SECRET_BYTES = 32,
	TOKEN_BYTES        = 1 + 1 + 16 + 4 + 16,
	TOKEN_TEXT_SIZE    = 52,      /* 51 characters and a NUL */
	TOKEN_MARK_SIZE    = 17,      /* 16 hexadecimal digits and a NUL */
};

struct token_key {
	uint8_t id;                           /* 1 … 255 */
	uint8_t secret[TOKEN_SECRET_BYTES];
};

struct token {
	uint8_t   key_id;
	struct id flow;
	uint32_t  hook;
};

/* By which two stores can tell that they have the same key, and which gives nothing away of it. */
void token_key_mark(const struct token_key *key, char ret_text[TOKEN_MARK_SIZE]);

/* Keys made ready to write and check tokens with. It keeps what it makes of them; free takes NULL and
 * gives NULL. */
struct token_ring;
struct token_ring *token_ring_new(const struct token_key *keys, size_t nkeys);
struct token_ring *token_ring_free(struct token_ring *c);
/* FISH_ENOTFOUND: no key of c has this id; the text is empty. */
int  token_text(struct token_ring *c, uint8_t key_id, const struct id *flow, uint32_t hook,
                char ret_text[TOKEN_TEXT_SIZE]);
/* FISH_EINVAL: not a token of any key of c (malformed, unknown key, wrong MAC: not told apart). To ask
 * for the same token twice in a row costs nothing the second time. */
int  token_check(struct token_ring *c, struct slice text, struct token *ret_token);

#endif
