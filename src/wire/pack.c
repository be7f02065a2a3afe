/* pack.c - structs to bytes and back, field by field.
 *
 * Invariant: whatever pack_take accepts it has read whole, in the one form that pack_put would
 * write. Surprise: an object's length is known before its first byte is written, so that there is
 * one put for all of it: one for each number would cost more than the byte or two it is. */
#include "wire/pack.h"

#include "base/id.h"

#include <string.h>

enum { VARINT_BYTES_MAX = 10 };

/* ---- numbers ---- */

/* to has room for VARINT_BYTES_MAX; returns how many it took. */
static size_t varint_write(char *to, uint64_t value)
{
	size_t n = 0;

	while (value >= 0x80) {
		to[n++] = (char)(value | 0x80);
		value >>= 7;
	}
	to[n++] = (char)value;
	return n;
}

static size_t varint_len(uint64_t value)
{
	/* Seven bits a byte, and one byte for 0, too. */
	return (70 - (size_t)__builtin_clzll(value | 1)) / 7;
}

void varint_put(struct buf *out, uint64_t value)
{
	char bytes[VARINT_BYTES_MAX];

	buf_put(out, bytes, varint_write(bytes, value));
}

int varint_next(struct slice *rest, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (size_t i = 0; i < rest->len && i < VARINT_BYTES_MAX; i++) {
		uint8_t byte = (uint8_t)rest->ptr[i];

		if (i == VARINT_BYTES_MAX - 1 && byte > 1)
			return FISH_EFORMAT;              /* more than 64 bits */
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		if (byte == 0 && i > 0)
			return FISH_EFORMAT;              /* not the shortest form */
		rest->ptr += i + 1;
		rest->len -= i + 1;
		*ret_value = value;
		return 1;
	}
	return FISH_EFORMAT;
}

/* ---- members ---- */

/* Sizes differ, types do not matter: an enum is read as the unsigned number that its bits are. */
static uint64_t number_get(const struct pack_field *f, const void *member)
{
	uint8_t byte;
	uint32_t word;
	uint64_t value;

	if (f->size == sizeof byte) {
		memcpy(&byte, member, sizeof byte);
		return byte;
	}
	if (f->size == sizeof word) {
		memcpy(&word, member, sizeof word);
		return word;
	}
	memcpy(&value, member, sizeof value);
	return value;
}

static void number_set(const struct pack_field *f, void *ret_member, uint64_t value)
{
	uint8_t byte = (uint8_t)value;
	uint32_t word = (uint32_t)value;

	if (f->size == sizeof byte)
		memcpy(ret_member, &byte, sizeof byte);
	else if (f->size == sizeof word)
		memcpy(ret_member, &word, sizeof word);
	else
		memcpy(ret_member, &value, sizeof value);
}

/* Members are read through memcpy: a table knows their offsets, not their types. */
static struct slice text_get(const void *member)
{
	struct slice text;

	memcpy(&text, member, sizeof text);
	return text;
}

/* ---- putting ---- */

/* The twin of pack_put: what is left out there is not counted here. */
size_t pack_len(const struct pack_layout *layout, const void *object)
{
	size_t len = 0;

	for (size_t i = 0; i < layout->n; i++) {
		const struct pack_field *f = &layout->fields[i];
		const char *member = (const char *)object + f->offset;

		if (f->type == PACK_TYPE_NUMBER) {
			uint64_t value = number_get(f, member);

			len += varint_len(value);
			i += value ? 0 : f->skip;
		} else if (f->type == PACK_TYPE_TEXT) {
			size_t text_len = text_get(member).len;

			len += varint_len(text_len) + text_len;
		} else {
			len += f->size;
		}
	}
	return len;
}

static char *bytes_write(char *to, const void *bytes, size_t len)
{
	if (len)
		memcpy(to, bytes, len);
	return to + len;
}

void pack_put_len(struct buf *out, const struct pack_layout *layout, const void *object, size_t len)
{
	char *to = buf_extend(out, len);

	if (!to)
		return;
	const char *end = to + len;

	for (size_t i = 0; i < layout->n; i++) {
		const struct pack_field *f = &layout->fields[i];
		const char *member = (const char *)object + f->offset;

		if (f->type == PACK_TYPE_NUMBER) {
			uint64_t value = number_get(f, member);

			/* What nobody could read again must not reach a journal. */
			CHECK(value >= f->least);
			CHECK(value <= f->most);
			to += varint_write(to, value);
			i += value ? 0 : f->skip;
		} else if (f->type == PACK_TYPE_TEXT) {
			struct slice text = text_get(member);

			to += varint_write(to, text.len);
			to = bytes_write(to, text.ptr, text.len);
		} else {
			to = bytes_write(to, member, f->size);
		}
	}
	CHECK(to == end);
}

void pack_put(struct buf *out, const struct pack_layout *layout, const void *object)
{
	pack_put_len(out, layout, object, pack_len(layout, object));
}

/* ---- taking ---- */

/* Borrows len bytes, if there are so many. */
static bool take_bytes(struct slice *rest, uint64_t len, struct slice *ret_bytes)
{
	if (len > rest->len)
		return false;
	*ret_bytes = (struct slice){ rest->ptr, (size_t)len };
	rest->ptr += len;
	rest->len -= len;
	return true;
}

/* Most numbers are one byte. */
static inline bool number_take(struct slice *rest, uint64_t *ret_value)
{
	if (!rest->len || (uint8_t)*rest->ptr >= 0x80)
		return varint_next(rest, ret_value) == 1;
	*ret_value = (uint8_t)*rest->ptr++;
	rest->len--;
	return true;
}

int pack_take(struct slice *rest, const struct pack_layout *layout, void *ret_object)
{
	struct slice left = *rest;

	for (size_t i = 0; i < layout->n; i++) {
		const struct pack_field *f = &layout->fields[i];
		char *member = (char *)ret_object + f->offset;
		uint64_t value = f->size;
		struct slice bytes;

		/* A text begins with a number, too: its length. An id's is known. */
		if (f->type != PACK_TYPE_ID && !number_take(&left, &value))
			return FISH_EFORMAT;
		if (f->type == PACK_TYPE_NUMBER) {
			if (value < f->least || value > f->most)
				return FISH_EFORMAT;
			number_set(f, member, value);
			i += value ? 0 : f->skip;
			continue;
		}
		if (!take_bytes(&left, value, &bytes))
			return FISH_EFORMAT;
		if (f->type == PACK_TYPE_TEXT)
			memcpy(member, &bytes, sizeof bytes);
		else
			memcpy(member, bytes.ptr, bytes.len);
	}
	*rest = left;
	return 1;
}
