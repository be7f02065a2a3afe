/* json_at.c - JSON Pointer (RFC 6901): what a path leads to in a tree; and how deep a text goes. */
#include "base/buf.h"
#include "wire/json.h"

#include <jansson.h>
#include <string.h>

enum { INDEX_DIGITS_MAX = 9 };       /* no body has room for more elements */

/* Not isdigit(3): that one follows the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* An index is written without sign or leading zeros; "-", behind the last one, is never there. */
static json_t *element(json_t *array, struct slice digits)
{
	size_t at = 0;

	if (!digits.len || digits.len > INDEX_DIGITS_MAX || (digits.len > 1 && *digits.ptr == '0'))
		return NULL;
	for (size_t i = 0; i < digits.len; i++) {
		if (!is_digit(digits.ptr[i]))
			return NULL;
		at = at * 10 + (size_t)(digits.ptr[i] - '0');
	}
	return json_array_get(array, at);
}

/* A member whose name is written with ~0 for ~ and ~1 for a slash. */
static json_t *escaped_member(json_t *object, struct slice token)
{
	struct buf name;
	bool good = true;

	buf_init(&name, token.len);
	for (size_t i = 0; i < token.len && good; i++) {
		char c = token.ptr[i];

		if (c == '~') {
			char code = ++i < token.len ? token.ptr[i] : '\0';

			good = code == '0' || code == '1';
			c = code == '0' ? '~' : '/';
		}
		buf_putc(&name, c);
	}
	json_t *member = good ? json_object_getn(object, name.ptr, name.len) : NULL;

	buf_fini(&name);
	return member;
}

/* What one reference token leads to; NULL from anything that has no members. */
static json_t *step_down(json_t *at, struct slice token)
{
	if (json_is_array(at))
		return element(at, token);
	if (token.len && memchr(token.ptr, '~', token.len))
		return escaped_member(at, token);
	return json_object_getn(at, token.ptr, token.len);
}

json_t *json_at(json_t *at, const char *pointer)
{
	while (at && *pointer) {
		if (*pointer++ != '/')
			return NULL;
		struct slice token = { pointer, strcspn(pointer, "/") };

		at = step_down(at, token);
		pointer += token.len;
	}
	return at;
}

/* Up to the first error that jansson finds, both see the same brackets. */
size_t json_depth(struct slice text)
{
	size_t depth = 0;
	size_t deepest = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		/* An escaped quote does not end a string. */
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '[' || c == '{'))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!quoted && (c == ']' || c == '}') && depth > 0)
			depth--;
	}
	return deepest;
}
