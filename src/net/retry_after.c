/* retry_after.c - reads Retry-After: a number of seconds, or a date of RFC 9110 5.6.7.
 *
 * Invariant: what is none of the forms, or has a piece out of its range, is no
 * Retry-After; there is no time zone but GMT. Surprise: a two-digit year means the
 * century that puts it at most 50 years ahead of now, as the RFC asks. */
#include "net/retry_after.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
	SECONDS_DIGITS_MAX = 9, /* some thirty years */
	DATE_BYTES_MAX = 40,
	YEARS_AHEAD_MAX = 50,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "120", "120.5"; -1 when it is none. */
static int64_t read_seconds(struct slice value)
{
	/* A number first: strange as they are, eight digits are seconds and no date. */
	int64_t seconds = 0;
	size_t at = 0;
	for (; at < value.len && is_digit(value.ptr[at]); at++) {
		if (at == SECONDS_DIGITS_MAX)
			return -1;
		seconds = seconds * 10 + (value.ptr[at] - '0');
	}
	if (at == 0 || at == value.len)
		return at == 0 ? -1 : seconds;
	if (value.ptr[at] != '.' || at + 1 == value.len)
		return -1;
	bool more = false;
	for (at++; at < value.len; at++) {
		if (!is_digit(value.ptr[at]))
			return -1;
		more = more || value.ptr[at] != '0';
	}
	return more ? seconds + 1 : seconds;
}

/* 0 … 11; -1 for no month. */
static int month_of(const char *name)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (int month = 0; month < 12; month++) {
		if (strncmp(names + (ptrdiff_t)month * 3, name, 3) == 0)
			return month;
	}
	return -1;
}

/* The pieces of a date in one of its forms; false when the text is in none of them. */
static bool scan_date(
	const char *text, int64_t now_s, struct tm *ret_date, char ret_month[4])
{
	struct tm d = { 0 };
	int end = -1;
	int n = sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n",
		&d.tm_mday, ret_month, &d.tm_year, &d.tm_hour, &d.tm_min, &d.tm_sec,
		&end);
	if (n != 6 || end < 0) {
		n = sscanf(text, "%*9[A-Za-z], %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n",
			&d.tm_mday, ret_month, &d.tm_year, &d.tm_hour, &d.tm_min,
			&d.tm_sec, &end);
		if (n == 6 && end > 0) {
			time_t now = (time_t)now_s;
			struct tm today = { 0 };
			gmtime_r(&now, &today);
			int year_now = today.tm_year + 1900;
			d.tm_year += year_now - year_now % 100;
			if (d.tm_year > year_now + YEARS_AHEAD_MAX)
				d.tm_year -= 100;
		}
	}
	if (n != 6 || end < 0)
		n = sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d%n",
			ret_month, &d.tm_mday, &d.tm_hour, &d.tm_min, &d.tm_sec,
			&d.tm_year, &end);
	/* GMT is taken for granted in the third form, which cannot name a zone. */
	*ret_date = d;
	return n == 6 && end > 0 && text[end] == '\0';
}

/* Unix seconds; -1 when it is no date. */
static int64_t read_date(struct slice value, int64_t now_s)
{
	char text[DATE_BYTES_MAX + 1];
	if (value.len > DATE_BYTES_MAX || memchr(value.ptr, '\0', value.len) != NULL)
		return -1;
	memcpy(text, value.ptr, value.len);
	text[value.len] = '\0';
	struct tm date = { 0 };
	char month[4] = "";
	if (!scan_date(text, now_s, &date, month))
		return -1;
	date.tm_mon = month_of(month);
	date.tm_year -= 1900;
	struct tm normal = date;
	int64_t seconds = timegm(&normal);
	/* timegm makes the 31st of a short month the 1st of the next: that was no date. A
	 * second 60 is a leap second, and may be the first of the next minute. */
	bool leap = date.tm_sec == 60;
	if (date.tm_mon < 0 || date.tm_sec < 0 || date.tm_sec > 60)
		return -1;
	if (!leap &&
		(normal.tm_mday != date.tm_mday || normal.tm_hour != date.tm_hour ||
			normal.tm_min != date.tm_min))
		return -1;
	return seconds;
}

int64_t retry_after_ms(struct slice value, int64_t now_s)
{
	if (value.len == 0)
		return -1;
	int64_t seconds = read_seconds(value);
	if (seconds >= 0)
		return seconds * 1000;
	int64_t date_s = read_date(value, now_s);
	if (date_s < 0)
		return -1;
	return date_s > now_s ? (date_s - now_s) * 1000 : 0;
}
