/* buf.c - a byte builder with a cap and a sticky error.
 *
 * Invariant: len <= bytes_max, and ptr[len] is NUL whenever ptr is set. A put is done
 * whole or not at all, and after the first that did not fit none is done, so the bytes
 * never have a hole. Surprise: a put may move the memory; bytes of the buffer itself
 * may not be put into it. */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most of what is built is a line or two; doubling finds the rest soon enough. */
enum { BUF_FIRST_BYTES = 64 };

void buf_init(struct buf *b, size_t bytes_max)
{
	/* Half the address space is no limit either, and spares every sum below an
	 * overflow. */
	*b = (struct buf){ .bytes_max = bytes_max };
	if (b->bytes_max > SIZE_MAX / 4)
		b->bytes_max = SIZE_MAX / 4;
}

void buf_fini(struct buf *b)
{
	free(b->ptr);
	*b = (struct buf){ .bytes_max = b->bytes_max };
}

/* For loops: what the largest round needed stays for the next. */
void buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->ptr != NULL)
		b->ptr[0] = '\0';
}

/* Room for len more bytes and the NUL, or the sticky error. */
static bool buf_reserve(struct buf *b, size_t len)
{
	if (b->failed || len > b->bytes_max - b->len) {
		b->failed = true;
		return false;
	}
	size_t need = b->len + len + 1;
	size_t cap = b->cap == 0 ? BUF_FIRST_BYTES : b->cap;

	while (cap < need)
		cap *= 2;
	/* Not a byte more than may ever be used: small caps make small buffers. */
	if (cap > b->bytes_max + 1)
		cap = b->bytes_max + 1;
	if (cap > b->cap) {
		b->ptr = xrealloc(b->ptr, cap);
		b->cap = cap;
	}
	return true;
}

/* Mostly there is room: no limit can be passed then but bytes_max, which may be below what is there. */
static inline bool buf_has_room(const struct buf *b, size_t len)
{
	return len < b->cap - b->len && !b->failed && len <= b->bytes_max - b->len;
}

void buf_put(struct buf *b, const void *bytes, size_t len)
{
	if (!buf_has_room(b, len) && !buf_reserve(b, len))
		return;
	if (len > 0)
		memcpy(b->ptr + b->len, bytes, len);
	b->len += len;
	b->ptr[b->len] = '\0';
}

char *buf_extend(struct buf *b, size_t len)
{
	if (!buf_has_room(b, len) && !buf_reserve(b, len))
		return NULL;
	char *to = b->ptr + b->len;

	b->len += len;
	b->ptr[b->len] = '\0';
	return to;
}

void buf_put_slice(struct buf *b, struct slice s)
{
	buf_put(b, s.ptr, s.len);
}

void buf_puts(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

/* Formats twice, once to learn the length: cheaper than a guess that has to be undone. */
void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);

	/* n < 0: longer than an int can say, or a wide character that the locale
	 * lacks. */
	if (n < 0)
		b->failed = true;
	else if (buf_reserve(b, (size_t)n)) {
		/* The NUL that vsnprintf writes has its room. */
		int written = vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, again);

		CHECK(written == n);
		b->len += (size_t)n;
	}
	va_end(again);
}

/* What may follow the lead byte of a UTF-8 sequence (Unicode, table 3-7): how many
 * bytes, and the bounds of the first of them, which shut out overlong forms,
 * surrogates and > U+10FFFF. */
struct utf8_tail {
	size_t  len;
	uint8_t min, max;
};

/* len 0: no sequence begins with this byte. */
static struct utf8_tail utf8_tail(uint8_t lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return (struct utf8_tail){ 1, 0x80, 0xbf };
	if ((lead & 0xf0) == 0xe0)
		return (struct utf8_tail){ 2, lead == 0xe0 ? 0xa0 : 0x80,
		                           lead == 0xed ? 0x9f : 0xbf };
	if (lead >= 0xf0 && lead <= 0xf4)
		return (struct utf8_tail){ 3, lead == 0xf0 ? 0x90 : 0x80,
		                           lead == 0xf4 ? 0x8f : 0xbf };
	return (struct utf8_tail){ 0, 0, 0 };
}

/* Length of the well-formed sequence of a byte >= 0x80 and what follows. Of an ill-
 * formed one: 0, and *ret_bad is the length of its maximal subpart, which one U+FFFD
 * stands for. */
static size_t utf8_sequence(const uint8_t *at, size_t left, size_t *ret_bad)
{
	struct utf8_tail tail = utf8_tail(at[0]);
	size_t n = 1;

	*ret_bad = 1;
	if (tail.len == 0)
		return 0;
	while (n <= tail.len && n < left && at[n] >= tail.min && at[n] <= tail.max) {
		/* Only the first byte after the lead has bounds of its own. */
		tail.min = 0x80;
		tail.max = 0xbf;
		n++;
	}
	*ret_bad = n;
	return n == tail.len + 1 ? n : 0;
}

/* The shortest form JSON has for c, which keeps bodies readable in logs. */
static void put_escape(struct buf *b, uint8_t c)
{
	static const char short_forms[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i + 1 < sizeof(short_forms); i += 2) {
		if ((uint8_t)short_forms[i] == c) {
			buf_put(b, (const char[]){ '\\', short_forms[i + 1] }, 2);
			return;
		}
	}
	buf_printf(b, "\\u%04x", c);
}

/* DEL and '/' may stand as they are. */
static bool needs_escape(uint8_t c)
{
	return c < 0x20 || c == '"' || c == '\\';
}

/* Escapes without the promise to be whole or nothing; the callers see to that. */
static void put_escaped(struct buf *b, struct slice text)
{
	const uint8_t *at = (const uint8_t *)text.ptr;
	size_t begin = 0;      /* of the bytes that go out as they are */
	size_t i = 0;

	while (i < text.len) {
		size_t bad = 0;
		size_t good = at[i] < 0x80 ? !needs_escape(at[i])
		                           : utf8_sequence(at + i, text.len - i, &bad);

		if (good > 0) {
			i += good;
			continue;
		}
		/* What was good so far goes out in one piece. */
		buf_put(b, at + begin, i - begin);
		if (bad > 0)
			buf_puts(b, "\xef\xbf\xbd");
		else
			put_escape(b, at[i]);
		i += bad > 0 ? bad : 1;
		begin = i;
	}
	if (i > begin)
		buf_put(b, at + begin, i - begin);
}

/* Puts of several pieces go back to where they began when the last did not fit. */
static void cut_if_failed(struct buf *b, size_t len_before)
{
	if (!b->failed || b->len == len_before)
		return;
	b->len = len_before;
	b->ptr[b->len] = '\0';
}

void buf_json_escaped(struct buf *b, struct slice text)
{
	size_t len_before = b->len;

	put_escaped(b, text);
	cut_if_failed(b, len_before);
}

void buf_json_string(struct buf *b, struct slice text)
{
	size_t len_before = b->len;

	buf_putc(b, '"');
	put_escaped(b, text);
	buf_putc(b, '"');
	cut_if_failed(b, len_before);
}

/* Moves what is left to the front: meant for input that is read in few large pieces. */
void buf_consume(struct buf *b, size_t len)
{
	CHECK(len <= b->len);
	if (len == 0)
		return;
	b->len -= len;
	/* One more for the NUL. */
	memmove(b->ptr, b->ptr + len, b->len + 1);
}

/* The cap stays, so the buffer can be filled again. The sticky error goes with the
 * bytes: who takes has asked before. */
char *buf_take(struct buf *b)
{
	char *bytes = b->ptr != NULL ? b->ptr : xalloc(1);

	*b = (struct buf){ .bytes_max = b->bytes_max };
	return bytes;
}
