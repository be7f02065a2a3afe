/* read.c - the readers: fish_str and its like. They never fail: what is absent reads as "", "null",
 * false or the default.
 *
 * Invariant: reading is a pure function of the message, so it takes no step. Surprise: fish_raw of
 * a whole JSON body is the bytes as sent, not what jansson would make of them. */
#include "engine/msg.h"
#include "engine/run.h"
#include "wire/json.h"
#include "wire/template.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Not isdigit(3): that one follows the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What the pointer leads to, borrowed; NULL when it is not there or is no pointer. */
static json_t *find(const fish_msg *m, const char *pointer)
{
	return m && pointer ? json_at(msg_json(msg_of(m)), pointer) : NULL;
}

/* The value as JSON, in the run's arena. */
static const char *text_of(const fish_msg *m, json_t *value)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	json_put(&text, value);
	const char *kept = arena_dup(msg_of(m)->arena, buf_slice(&text));

	buf_fini(&text);
	return kept;
}

/* ---- numbers ---- */

/* The number that a string spells, as JSON has numbers, but also with a plus sign and leading
 * zeros, as forms have them; the caller's own. strtod would follow the locale and read "inf". */
static json_t *spelled_number(const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');
	struct buf number;

	if (!is_digit(*digits) || !is_digit(digits[strlen(digits) - 1]))
		return NULL;
	while (*digits == '0' && is_digit(digits[1]))
		digits++;
	buf_init(&number, SIZE_MAX);
	buf_puts(&number, *text == '-' ? "-" : "");
	buf_puts(&number, digits);
	json_t *value = template_read_value(buf_slice(&number), NULL);

	buf_fini(&number);
	return value;
}

/* What is there as a number, the caller's own; NULL when it is none. */
static json_t *find_number(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	if (json_is_string(v))
		return spelled_number(json_string_value(v));
	return json_is_number(v) ? json_incref(v) : NULL;
}

/* ---- the readers ---- */

bool fish_ok(const fish_msg *m)
{
	return m && m->status >= 200 && m->status <= 299;
}

bool fish_has(const fish_msg *m, const char *pointer)
{
	return find(m, pointer) != NULL;
}

const char *fish_str(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	if (json_is_string(v))
		return json_string_value(v);
	return json_is_number(v) || json_is_boolean(v) ? text_of(m, v) : "";
}

const char *fish_raw(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	if (!v)
		return "null";
	return *pointer || msg_is_form(msg_of(m)) ? text_of(m, v) : m->body;
}

long long fish_int(const fish_msg *m, const char *pointer, long long otherwise)
{
	json_t *v = find_number(m, pointer);
	double d = json_number_value(v);
	long long n = otherwise;

	if (json_is_integer(v))
		n = json_integer_value(v);
	/* The largest long long is no double; the next one, 2^63, would overflow. */
	else if (v && d == trunc(d) && d >= -0x1p63 && d < 0x1p63)
		n = (long long)d;
	json_decref(v);
	return n;
}

double fish_num(const fish_msg *m, const char *pointer, double otherwise)
{
	json_t *v = find_number(m, pointer);
	double d = v ? json_number_value(v) : otherwise;

	json_decref(v);
	return d;
}

bool fish_true(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	return json_is_string(v) ? strcmp(json_string_value(v), "true") == 0 : json_is_true(v);
}

size_t fish_count(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

/* The part of the URL behind the public URL, which may have a path of its own. */
static const char *path_of(const fish_hook *h)
{
	const char *url = run_hook_url(h);
	const char *token = strrchr(url, '/');

	CHECK(token - url >= 2);
	return token - 2;
}

const char *fish_header(const fish_msg *m, const char *name)
{
	char lower[NAME_BYTES_MAX];
	size_t len = 0;

	if (!m || !name || strlen(name) >= sizeof lower)
		return "";
	/* Not tolower(3), which follows the locale. */
	for (; name[len]; len++)
		lower[len] = (char)(name[len] | (name[len] >= 'A' && name[len] <= 'Z' ? 0x20 : 0));
	lower[len] = '\0';
	/* The path is the hook's own: not journaled with each delivery, but for what came to a named door. */
	if (strcmp(lower, ":path") == 0 && meta_find(msg_of(m)->meta, lower).ptr)
		return arena_dup(msg_of(m)->arena, meta_find(msg_of(m)->meta, lower));
	if (strcmp(lower, ":path") == 0 && m->hook && m->hook->source == SOURCE_HOOK)
		return path_of(m->hook);
	if (strcmp(lower, ":path") == 0 && msg_of(m)->input_of)
		return run_input_path(msg_of(m)->input_of);
	struct slice value = meta_find(msg_of(m)->meta, lower);

	return value.ptr ? arena_dup(msg_of(m)->arena, value) : "";
}

struct json_t *fish_json(const fish_msg *m)
{
	return m ? msg_json(msg_of(m)) : NULL;
}
