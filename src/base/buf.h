/* buf.h - a byte builder with a cap and a sticky error: put, put, put, ask once at the end. */
#ifndef FISH_BUF_H
#define FISH_BUF_H

#include "base/base.h"

#include <stdarg.h>

struct buf {
	char  *ptr;        /* owned; NUL-terminated whenever it is not NULL */
	size_t len;        /* bytes used, without the NUL */
	size_t cap;        /* bytes allocated */
	size_t bytes_max;  /* puts beyond it set failed and change nothing */
	bool   failed;
};

void  buf_init(struct buf *b, size_t bytes_max);
void  buf_fini(struct buf *b);                      /* frees; b may be used again after buf_init */
void  buf_reset(struct buf *b);                     /* empties, keeps the memory, clears failed */
void  buf_put(struct buf *b, const void *bytes, size_t len);
void  buf_put_slice(struct buf *b, struct slice s);
void  buf_puts(struct buf *b, const char *text);
char *buf_extend(struct buf *b, size_t len);        /* puts len bytes that the caller fills; NULL: failed */
void  buf_putc(struct buf *b, char c);
void  buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void  buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void  buf_json_string(struct buf *b, struct slice text); /* quoted, escaped; bad UTF-8 becomes U+FFFD */
void  buf_json_escaped(struct buf *b, struct slice text);/* the same without the quotes */
void  buf_consume(struct buf *b, size_t len);       /* drops len bytes from the front */
char *buf_take(struct buf *b);                      /* hands over the NUL-terminated bytes (never NULL); b is empty after */

static inline bool buf_failed(const struct buf *b) { return b->failed; }
static inline struct slice buf_slice(const struct buf *b) { return (struct slice){ b->ptr, b->len }; }

#endif
