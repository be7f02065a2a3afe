/* id.h - 16-byte names: flow ids (time-ordered) and hashes used as keys. */
#ifndef FISH_ID_H
#define FISH_ID_H

#include "base/base.h"

struct id {
	uint8_t b[16];
};

enum { ID_TEXT_SIZE = 27 };   /* 26 characters of lower-case Crockford base32, and a NUL */

/* 48 bits of unix milliseconds, big-endian, then 80 bits of chance: sorts by time. */
struct id id_make(int64_t now_ms, const uint8_t chance[10]);
int64_t   id_time_ms(const struct id *id);
void      id_text(const struct id *id, char ret_text[ID_TEXT_SIZE]);
int       id_parse(struct slice text, struct id *ret_id);   /* FISH_EINVAL unless it is what id_text writes (any case) */
bool      id_eq(const struct id *a, const struct id *b);
bool      id_is_zero(const struct id *id);

#endif
