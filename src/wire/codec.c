/* codec.c - hex, base64, decimal numbers and RFC 3339, each as strict as its text allows.
 *
 * Invariant: ret is written only when all of text was good. Surprise: base64 is decoded by hand,
 * because OpenSSL's decoder takes blanks and counts padding as zero bytes. */
#include "wire/codec.h"

#include <string.h>

enum { DECIMAL_DIGITS_MAX = 15, FRACTION_DIGITS_MAX = 9 };

#define MINUTE_MS  INT64_C(60000)
#define DAY_MS     INT64_C(86400000)

static const char sextets[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* ---- bytes ---- */

static int nibble(char c, enum codec_case wanted)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return wanted == CODEC_ANY_CASE && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool codec_hex(struct slice text, enum codec_case wanted, uint8_t *ret_bytes, size_t size,
               size_t *ret_len)
{
	if (text.len % 2 != 0 || text.len / 2 > size)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (nibble(text.ptr[i], wanted) < 0)
			return false;
	for (size_t i = 0; i < text.len; i += 2)
		ret_bytes[i / 2] = (uint8_t)(nibble(text.ptr[i], wanted) << 4 |
		                             nibble(text.ptr[i + 1], wanted));
	*ret_len = text.len / 2;
	return true;
}

static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Is text whole groups of four, padded at its end, with nothing in the bits that are dropped? */
static bool is_base64(struct slice text, size_t *ret_padding)
{
	size_t padding = 0;

	if (text.len % 4 != 0)
		return false;
	while (padding < 2 && padding < text.len && text.ptr[text.len - 1 - padding] == '=')
		padding++;
	for (size_t i = 0; i < text.len - padding; i++)
		if (sextet(text.ptr[i]) < 0)
			return false;
	if (padding > 0 && (sextet(text.ptr[text.len - padding - 1]) & (padding == 2 ? 15 : 3)) != 0)
		return false;
	*ret_padding = padding;
	return true;
}

bool codec_base64(struct slice text, uint8_t *ret_bytes, size_t size, size_t *ret_len)
{
	size_t padding = 0;

	if (!is_base64(text, &padding) || text.len / 4 * 3 - padding > size)
		return false;
	size_t len = text.len / 4 * 3 - padding;

	for (size_t i = 0; i < text.len; i += 4) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 4; j++)
			bits = bits << 6 | (text.ptr[i + j] == '=' ? 0 : (uint32_t)sextet(text.ptr[i + j]));
		for (size_t j = 0; j < 3 && i / 4 * 3 + j < len; j++)
			ret_bytes[i / 4 * 3 + j] = (uint8_t)(bits >> (16 - 8 * j));
	}
	*ret_len = len;
	return true;
}

void codec_put_hex(struct buf *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		buf_putc(out, "0123456789abcdef"[bytes[i] >> 4]);
		buf_putc(out, "0123456789abcdef"[bytes[i] & 15]);
	}
}

void codec_put_base64(struct buf *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		size_t n = len - i < 3 ? len - i : 3;
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 | (j < n ? bytes[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			buf_putc(out, j <= n ? sextets[bits >> (18 - 6 * j) & 63] : '=');
	}
}

/* ---- numbers and times ---- */

bool codec_decimal(struct slice text, int64_t *ret_number)
{
	int64_t number = 0;

	if (text.len == 0 || text.len > DECIMAL_DIGITS_MAX || (text.len > 1 && text.ptr[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		number = number * 10 + (text.ptr[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* A text that is read from its front. */
struct reader {
	const char *at, *end;
};

static bool take_char(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

/* Exactly so many digits, as a number from least to most. */
static bool take_digits(struct reader *r, int digits, int least, int most, int *ret)
{
	int number = 0;

	if (r->end - r->at < digits)
		return false;
	for (int i = 0; i < digits; i++, r->at++) {
		if (*r->at < '0' || *r->at > '9')
			return false;
		number = number * 10 + (*r->at - '0');
	}
	*ret = number;
	return number >= least && number <= most;
}

static int days_of_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Days from 1970-01-01, by eras of 400 years that begin with a March. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

static bool take_date(struct reader *r, int64_t *ret_ms)
{
	int year = 0;
	int month = 0;
	int day = 0;

	if (!take_digits(r, 4, 0, 9999, &year) || !take_char(r, '-') ||
	    !take_digits(r, 2, 1, 12, &month) || !take_char(r, '-') ||
	    !take_digits(r, 2, 1, days_of_month(year, month), &day))
		return false;
	*ret_ms = days_of(year, month, day) * DAY_MS;
	return true;
}

static bool take_time(struct reader *r, int64_t *ret_ms)
{
	int hour = 0;
	int minute = 0;
	int second = 0;

	if (!take_digits(r, 2, 0, 23, &hour) || !take_char(r, ':') ||
	    !take_digits(r, 2, 0, 59, &minute) || !take_char(r, ':') ||
	    !take_digits(r, 2, 0, 59, &second))
		return false;
	*ret_ms = ((int64_t)hour * 60 + minute) * MINUTE_MS + second * INT64_C(1000);
	return true;
}

/* 1 to 9 digits behind a point, or nothing at all. */
static bool take_fraction(struct reader *r, int64_t *ret_ms)
{
	int64_t worth = 100;
	int digits = 0;

	if (!take_char(r, '.'))
		return true;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++, digits++) {
		*ret_ms += (*r->at - '0') * worth;
		worth /= 10;
	}
	return digits >= 1 && digits <= FRACTION_DIGITS_MAX;
}

static bool take_offset(struct reader *r, int64_t *ret_ms)
{
	int hours = 0;
	int minutes = 0;
	int64_t sign = 1;

	if (take_char(r, 'Z'))
		return true;
	if (take_char(r, '-'))
		sign = -1;
	else if (!take_char(r, '+'))
		return false;
	if (!take_digits(r, 2, 0, 23, &hours) || !take_char(r, ':') ||
	    !take_digits(r, 2, 0, 59, &minutes))
		return false;
	*ret_ms = sign * ((int64_t)hours * 60 + minutes) * MINUTE_MS;
	return true;
}

bool codec_rfc3339(struct slice text, int64_t *ret_ms)
{
	struct reader r = { text.ptr, text.ptr + text.len };
	int64_t date_ms = 0;
	int64_t time_ms = 0;
	int64_t fraction_ms = 0;
	int64_t offset_ms = 0;

	if (text.len == 0 || !take_date(&r, &date_ms) || !take_char(&r, 'T') ||
	    !take_time(&r, &time_ms) || !take_fraction(&r, &fraction_ms) ||
	    !take_offset(&r, &offset_ms) || r.at != r.end)
		return false;
	*ret_ms = date_ms + time_ms + fraction_ms - offset_ms;
	return true;
}

void codec_put_rfc3339(struct buf *out, int64_t ms)
{
	int64_t days = ms / DAY_MS;
	int64_t left_ms = ms % DAY_MS;

	if (left_ms < 0) {
		days--;
		left_ms += DAY_MS;
	}
	/* The inverse of days_of. */
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t shifted = (5 * doy + 2) / 153;
	int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
	int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);

	buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)year, (int)month,
	           (int)(doy - (153 * shifted + 2) / 5 + 1), (int)(left_ms / 3600000),
	           (int)(left_ms / MINUTE_MS % 60), (int)(left_ms / 1000 % 60));
}
