/* pack.h - structs to bytes and back, as tables of their fields say. Pure; fuzzed through entry.h.
 *
 * Numbers are varints (LEB128, unsigned), texts are length and bytes, ids are their 16 bytes.
 * Invariant: writer, reader and length walk the same table, so what was taken is put again byte
 * for byte. Surprise: a text that was taken borrows from the bytes it came from. */
#ifndef FISH_PACK_H
#define FISH_PACK_H

#include "base/buf.h"

void varint_put(struct buf *out, uint64_t value);
/* Takes a number off *rest: 1, or FISH_EFORMAT when it is cut, over 64 bits or not in its
 * shortest form. */
int  varint_next(struct slice *rest, uint64_t *ret_value);

enum pack_type { PACK_TYPE_NUMBER, PACK_TYPE_TEXT, PACK_TYPE_ID };

struct pack_field {
	enum pack_type type;
	uint16_t offset;         /* of the member in its struct … */
	uint8_t  size;           /* … and its bytes; of a number 1, 4 or 8 */
	uint8_t  skip;           /* of a number: when 0, so many fields after it are left out */
	uint64_t least, most;    /* what a number may be */
};

struct pack_layout {
	const struct pack_field *fields;
	size_t n;
};

/* For the tables. Signed members are never negative: INT32_MAX and INT64_MAX are their most. */
#define PACK_MEMBER(type, object, member) \
	(type), offsetof(object, member), sizeof ((object *)0)->member
#define PACK_NUMBER(object, member, most) \
	{ PACK_MEMBER(PACK_TYPE_NUMBER, object, member), 0, 0, (most) }
#define PACK_RANGE(object, member, least, most) \
	{ PACK_MEMBER(PACK_TYPE_NUMBER, object, member), 0, (least), (most) }
#define PACK_SWITCH(object, member, skip, most) \
	{ PACK_MEMBER(PACK_TYPE_NUMBER, object, member), (skip), 0, (most) }
#define PACK_TEXT(object, member) \
	{ PACK_MEMBER(PACK_TYPE_TEXT, object, member), 0, 0, 0 }
#define PACK_ID(object, member) \
	{ PACK_MEMBER(PACK_TYPE_ID, object, member), 0, 0, 0 }
#define PACK_LAYOUT(table) \
	{ (table), sizeof (table) / sizeof *(table) }

/* Appends object's fields. Each number must be in its range: a CHECK. */
void pack_put(struct buf *out, const struct pack_layout *layout, const void *object);
/* How many bytes that would be. */
size_t pack_len(const struct pack_layout *layout, const void *object);
/* The same for who has asked already: len is what pack_len says of this object. */
void pack_put_len(struct buf *out, const struct pack_layout *layout, const void *object, size_t len);
/* Takes the fields off *rest into *ret_object, whose other members stay: 1, or FISH_EFORMAT, and
 * then *rest is as it was and *ret_object is not to be read. */
int  pack_take(struct slice *rest, const struct pack_layout *layout, void *ret_object);

#endif
