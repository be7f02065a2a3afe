/* json.c - a tree of jansson's as text again.
 *
 * Invariant: what is put reads back as an equal tree. Surprise: it runs on a flow's small stack,
 * so what goes down level by level keeps nothing large there. */
#include "wire/json.h"

#include "wire/template.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fifteen digits are right for what people write, seventeen for every double. */
enum { REAL_DIGITS = 15, REAL_DIGITS_MAX = 17, REAL_TEXT_SIZE = 64 };

/* Not inlined: its text and what printf needs would stand on the stack at every level. */
__attribute__((noinline)) static void put_real(struct buf *out, double value)
{
	char text[REAL_TEXT_SIZE];
	bool whole = true;
	bool in_point = false;

	for (int digits = REAL_DIGITS; digits <= REAL_DIGITS_MAX; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	/* Under a locale with a decimal comma, or one of several bytes, it becomes a point. */
	for (const char *c = text; *c; c++) {
		bool was_point = in_point;

		in_point = !strchr("+-e0123456789", *c);
		whole = whole && !in_point && *c != 'e';
		if (!in_point)
			buf_putc(out, *c);
		else if (!was_point)
			buf_putc(out, '.');
	}
	/* Or it would read back as an integer. */
	if (whole)
		buf_puts(out, ".0");
}

static void put_object(struct buf *out, json_t *object)
{
	const char *key;
	json_t *member;
	bool first = true;

	buf_putc(out, '{');
	json_object_foreach(object, key, member) {
		if (!first)
			buf_putc(out, ',');
		buf_json_string(out, slice_of(key));
		buf_putc(out, ':');
		json_put(out, member);
		first = false;
	}
	buf_putc(out, '}');
}

static void put_array(struct buf *out, json_t *array)
{
	buf_putc(out, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i)
			buf_putc(out, ',');
		json_put(out, json_array_get(array, i));
	}
	buf_putc(out, ']');
}

void json_put(struct buf *out, json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		put_object(out, value);
		break;
	case JSON_ARRAY:
		put_array(out, value);
		break;
	case JSON_STRING:
		/* Fish reads no \u0000, so there is no NUL in it. */
		buf_json_string(out, slice_of(json_string_value(value)));
		break;
	case JSON_INTEGER:
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		put_real(out, json_real_value(value));
		break;
	case JSON_TRUE:
		buf_puts(out, "true");
		break;
	case JSON_FALSE:
		buf_puts(out, "false");
		break;
	case JSON_NULL:
		buf_puts(out, "null");
		break;
	}
}

bool json_same(struct slice a, struct slice b)
{
	json_t *x = template_read_value(a, NULL);
	json_t *y = template_read_value(b, NULL);
	bool same = x && y && json_equal(x, y);

	json_decref(x);
	json_decref(y);
	return same;
}
