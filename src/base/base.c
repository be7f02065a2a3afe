/* base.c - slices, checks, the heap for small objects, and codes with words.
 *
 * Invariant: nothing here fails softly; out of memory and a broken promise end the
 * process. Surprise: words_failed formats into its own few bytes and calls write(2),
 * since it may run on a flow's small stack with stdio in any state. */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A condition, a path and a line number, or a sentence; longer ones are cut. */
enum { LAST_WORDS_SIZE = 1024 };

/* NULL is empty, so that a getter's result can be passed on as it is. */
struct slice slice_of(const char *text)
{
	return (struct slice){ text, text == NULL ? 0 : strlen(text) };
}

/* Not tolower(3): that one follows the locale, and protocols do not. */
static char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* For names in protocols: header fields, schemes, hosts. */
bool bytes_eq_nocase(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
			return false;
	return true;
}

void check_failed(const char *cond, const char *file, int line)
{
	words_failed("CHECK(%s) failed at %s:%d", cond, file, line);
}

/* The only I/O in this folder. After a CHECK has failed no invariant can be trusted,
 * so this neither allocates nor takes a lock; what was committed is in the store, and
 * the next process goes on from there. */
void words_failed(const char *fmt, ...)
{
	static const struct slice name = { "fish: ", 6 };
	char words[LAST_WORDS_SIZE];
	va_list ap;

	memcpy(words, name.ptr, name.len);
	va_start(ap, fmt);
	int n = vsnprintf(words + name.len, sizeof(words) - name.len - 1, fmt, ap);
	va_end(ap);
	size_t len = name.len + (n < 0 ? 0 : (size_t)n);

	/* What was cut still ends its line. */
	if (len > sizeof(words) - 2)
		len = sizeof(words) - 2;
	words[len++] = '\n';
	/* There is nobody left to tell when even this write fails. */
	if (write(STDERR_FILENO, words, len) < 0)
		abort();
	abort();
}

/* A process without memory for its own small objects cannot keep its promises: it
 * ends, and is started again. What strangers size is capped before it comes here. */
void *xalloc(size_t bytes)
{
	/* calloc(0) may give NULL, which would look like no memory. */
	void *ptr = calloc(1, bytes == 0 ? 1 : bytes);

	CHECK(ptr != NULL);
	return ptr;
}

/* The grown part is not zeroed: only its owner knows how much of it was in use. */
void *xrealloc(void *ptr, size_t bytes)
{
	void *moved = realloc(ptr, bytes == 0 ? 1 : bytes);

	CHECK(moved != NULL);
	return moved;
}

char *xstrndup(const char *text, size_t len)
{
	CHECK(len < SIZE_MAX);
	char *copy = xalloc(len + 1);

	if (len > 0)
		memcpy(copy, text, len);
	return copy;
}

/* Returns code whatever happens, so that callers can end with it. */
int err_set(struct err *err, int code, const char *fmt, ...)
{
	if (err == NULL)
		return code;
	va_list ap;

	err->code = code;
	va_start(ap, fmt);
	/* Words that cannot be made leave an empty text: the code is what counts. */
	if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
		err->text[0] = '\0';
	va_end(ap);
	return code;
}
