/* raw.c - finds where values begin and end, and decodes none of them.
 *
 * Invariant: no byte outside the text is looked at, whatever it holds. Surprise: brackets
 * are only counted, not matched; the decoder has seen to that they fit. */
#include "host/raw.h"

#include <string.h>

static void skip(struct slice *s, size_t len)
{
	s->ptr += len;
	s->len -= len;
}

/* Blanks, and then the byte that is wanted, if it is there. */
static bool take(struct slice *s, char wanted)
{
	while (s->len > 0 && strchr(" \t\r\n", s->ptr[0]) != NULL && s->ptr[0] != '\0')
		skip(s, 1);
	if (s->len == 0 || s->ptr[0] != wanted)
		return false;
	skip(s, 1);
	return true;
}

/* How long the string is that begins s, with its quotes. */
static size_t string_len(struct slice s)
{
	size_t at = 1;

	while (at < s.len && s.ptr[at] != '"')
		at += s.ptr[at] == '\\' ? 2 : 1;
	return at < s.len ? at + 1 : s.len;
}

/* How long the value is that begins s. */
static size_t value_len(struct slice s)
{
	size_t depth = 0;
	size_t at = 0;

	while (at < s.len) {
		char c = s.ptr[at];
		bool closes = c == '}' || c == ']';

		if (depth == 0 && (closes || (c != '\0' && strchr(",: \t\r\n", c) != NULL)))
			return at;
		depth += c == '{' || c == '[';
		depth -= closes;
		at += c == '"' ? string_len((struct slice){ s.ptr + at, s.len - at }) : 1;
		/* A container ends with its bracket, all else with what follows it. */
		if (closes && depth == 0)
			return at;
	}
	return s.len;
}

/* The value that s begins with behind blanks; false where none is. */
static bool take_value(struct slice *s, struct slice *ret_value)
{
	take(s, '\0'); /* no JSON has this byte: only the blanks go */
	struct slice value = { s->ptr, value_len(*s) };

	if (value.len == 0)
		return false;
	skip(s, value.len);
	*ret_value = value;
	return true;
}

bool raw_member(struct slice object, const char *name, struct slice *ret_value)
{
	size_t len = strlen(name);
	struct slice key = SLICE_NONE;
	struct slice value = SLICE_NONE;

	if (!take(&object, '{'))
		return false;
	while (take_value(&object, &key) && take(&object, ':') &&
		take_value(&object, &value)) {
		if (key.len == len + 2 && memcmp(key.ptr + 1, name, len) == 0) {
			*ret_value = value;
			return true;
		}
		if (!take(&object, ','))
			return false;
	}
	return false;
}

bool raw_next(struct slice *rest, struct slice *ret_value)
{
	/* Only in front of the first element there is a bracket. */
	return (take(rest, ',') || take(rest, '[')) && take_value(rest, ret_value);
}

void raw_put_line(struct buf *out, struct slice value)
{
	/* In its strings a line break is escaped, so one that shows stands between parts. */
	for (size_t i = 0; i < value.len; i++)
		buf_putc(out, strchr("\t\r\n", value.ptr[i]) != NULL && value.ptr[i] != '\0'
				? ' ' : value.ptr[i]);
}
