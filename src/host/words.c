/* words.c - times and texts for people.
 *
 * Surprise: a journal holds strangers' bytes, and an escape sequence in them could
 * repaint the terminal of who looks at it. So nothing below a blank gets through, and no
 * C1 control either. */
#include "host/words.h"

#include <inttypes.h>
#include <time.h>

/* 9999-12-31: beyond it strftime's years no longer line up, and nobody waits so long. */
static const int64_t last_time_ms = INT64_C(253402300799000);

void words_span(struct buf *out, int64_t ms)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };
	enum { UNITS = sizeof(units) / sizeof(units[0]) };
	int64_t left = ms / 1000;
	size_t u = 0;

	if (left <= 0) {
		buf_puts(out, "under a second");
		return;
	}
	while (left < units[u].seconds)
		u++;
	buf_printf(out, "%" PRId64 " %s", left / units[u].seconds, units[u].name);
	left %= units[u].seconds;
	if (u + 1 < UNITS && left >= units[u + 1].seconds)
		buf_printf(out, " %" PRId64 " %s", left / units[u + 1].seconds,
			units[u + 1].name);
}

void words_relative(struct buf *out, int64_t at_ms, int64_t now_ms)
{
	/* Taken apart with care: both come out of JSON and may be anything. */
	uint64_t apart = at_ms >= now_ms ? (uint64_t)at_ms - (uint64_t)now_ms
					 : (uint64_t)now_ms - (uint64_t)at_ms;
	int64_t span_ms = apart > INT64_MAX ? INT64_MAX : (int64_t)apart;

	if (span_ms < 1000) {
		buf_puts(out, "now");
	} else if (at_ms > now_ms) {
		buf_puts(out, "in ");
		words_span(out, span_ms);
	} else {
		words_span(out, span_ms);
		buf_puts(out, " ago");
	}
}

/* Date and time of day, or "never" and false. */
static bool put_date(struct buf *out, int64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm tm = { 0 };
	char text[64];

	if (at_ms < 0 || at_ms > last_time_ms || gmtime_r(&seconds, &tm) == NULL) {
		buf_puts(out, "never");
		return false;
	}
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buf_puts(out, text);
	return true;
}

void words_time(struct buf *out, int64_t at_ms)
{
	if (put_date(out, at_ms))
		buf_puts(out, " UTC");
}

void words_time_exact(struct buf *out, int64_t at_ms)
{
	if (put_date(out, at_ms))
		buf_printf(out, ".%03d UTC", (int)(at_ms % 1000));
}

void words_text(struct buf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		unsigned char next =
			i + 1 < text.len ? (unsigned char)text.ptr[i + 1] : 0;

		if (c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\x%02x", c);
		} else if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
			/* U+0080 to U+009F: some terminals obey these like ESC
			 * sequences. */
			buf_printf(out, "\\u%04x", next);
			i++;
		} else {
			buf_putc(out, (char)c);
		}
	}
}
