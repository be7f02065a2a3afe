/* id.c - 16-byte names and their text: 26 characters of lower-case Crockford base32.
 *
 * Invariant: text sorts as the bytes do. Surprise: 26 characters hold 130 bits, so the
 * first one is never over '7'; what Crockford would forgive (o for 0, l for 1) is
 * refused here, because one id must have one text. */
#include "base/id.h"

#include <string.h>

enum {
	TIME_BYTES   = 6,                   /* enough until the year 10889 */
	CHANCE_BYTES = 10,
	TEXT_LEN     = ID_TEXT_SIZE - 1,
	DIGIT_BITS   = 5,
};

/* Without i, l, o and u, which people misread. Ascending in ASCII, so texts sort as
 * bytes do. */
static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

struct id id_make(int64_t now_ms, const uint8_t chance[CHANCE_BYTES])
{
	/* The clock seam gives unix time; before 1970 it is not set at all. */
	CHECK(now_ms >= 0);
	CHECK(now_ms < INT64_C(1) << (8 * TIME_BYTES));
	struct id id;

	/* Big-endian, so that memcmp and SQL order ids by time. */
	for (size_t i = 0; i < TIME_BYTES; i++)
		id.b[i] = (uint8_t)(now_ms >> (8 * (TIME_BYTES - 1 - i)));
	memcpy(id.b + TIME_BYTES, chance, CHANCE_BYTES);
	return id;
}

/* Of a hash that is used as an id this is a number without meaning. */
int64_t id_time_ms(const struct id *id)
{
	int64_t ms = 0;

	for (size_t i = 0; i < TIME_BYTES; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

void id_text(const struct id *id, char ret_text[ID_TEXT_SIZE])
{
	uint32_t bits = 0;
	int nbits = 2;      /* two zero bits before the 128 make 26 digits of 5 */
	size_t len = 0;

	for (size_t i = 0; i < sizeof(id->b); i++) {
		bits = bits << 8 | id->b[i];
		nbits += 8;
		while (nbits >= DIGIT_BITS) {
			nbits -= DIGIT_BITS;
			ret_text[len++] = digits[bits >> nbits & 31];
		}
		/* Only what still waits is kept. */
		bits &= (UINT32_C(1) << nbits) - 1;
	}
	ret_text[len] = '\0';
}

/* 0 to 31, or -1. */
static int digit_value(char c)
{
	char lower = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	/* strchr would find the NUL at the end of the digits. */
	const char *at = lower == '\0' ? NULL : strchr(digits, lower);

	return at == NULL ? -1 : (int)(at - digits);
}

/* Upper case passes: ids are read out and typed. *ret_id is written only when all is
 * well. */
int id_parse(struct slice text, struct id *ret_id)
{
	if (text.len != TEXT_LEN)
		return FISH_EINVAL;
	struct id id;
	uint32_t bits = 0;
	int nbits = -2;     /* the two zero bits are dropped again */
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int value = digit_value(text.ptr[i]);

		if (value < 0 || (i == 0 && value > 7))
			return FISH_EINVAL;
		bits = bits << DIGIT_BITS | (uint32_t)value;
		nbits += DIGIT_BITS;
		if (nbits >= 8) {
			nbits -= 8;
			id.b[len++] = (uint8_t)(bits >> nbits);
			bits &= (UINT32_C(1) << nbits) - 1;
		}
	}
	*ret_id = id;
	return 0;
}

/* Not in constant time: ids are names, not secrets. */
bool id_eq(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

/* Zero stands for "none" in rows and structs; no live flow has it. */
bool id_is_zero(const struct id *id)
{
	static const struct id zero;

	return id_eq(id, &zero);
}
