/* read.c - the readers: fish_str and its like. They never fail: absent is "", "null", false or the default.
 *
 * Invariant: reading is a pure function of the message, so it takes no step. Surprise: the door
 * journals bytes; a body is parsed by the first reader that asks, and one that template_read_value
 * refuses (duplicate members, \u0000, numbers out of range, a BOM, too deep) reads as absent everywhere. */
#include "engine/msg.h"
#include "engine/run.h"
#include "wire/template.h"
#include "wire/url.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FORM_FIELDS_MAX = 1000 };

void msgs_release(struct msg **parsed)
{
	for (struct msg *m = *parsed; m; m = m->parsed_next) {
		json_decref(m->json);
		m->json = NULL;
		m->parse = MSG_UNPARSED;
	}
	*parsed = NULL;
}

struct slice meta_find(struct slice meta, const char *name)
{
	size_t len = strlen(name);

	while (meta.len) {
		const char *eol = memchr(meta.ptr, '\n', meta.len);
		size_t line = eol ? (size_t)(eol - meta.ptr) : meta.len;

		if (line >= len + 2 && memcmp(meta.ptr, name, len) == 0 && memcmp(meta.ptr + len, ": ", 2) == 0)
			return (struct slice){ meta.ptr + len + 2, line - len - 2 };
		meta.ptr += line + (eol != NULL);
		meta.len -= line + (eol != NULL);
	}
	return SLICE_NONE;
}

/* ---- parsing ---- */

/* Many senders, curl -d among them, call JSON a form. No form begins with a brace or bracket: they
 * would be escaped there (WHATWG URL, application/x-www-form-urlencoded serializing). */
static bool is_form(const struct msg *m)
{
	struct slice type = meta_find(m->meta, "content-type");
	struct slice form = SLICE_LIT("application/x-www-form-urlencoded");

	if (m->pub.len && (*m->pub.body == '{' || *m->pub.body == '['))
		return false;
	return type.len >= form.len && slice_eq_nocase((struct slice){ type.ptr, form.len }, form)
	       && (type.len == form.len || type.ptr[form.len] == ';' || type.ptr[form.len] == ' ');
}

static bool form_field(json_t *object, struct slice field)
{
	const char *eq = memchr(field.ptr, '=', field.len);
	struct slice name = { field.ptr, eq ? (size_t)(eq - field.ptr) : field.len };
	struct slice value = { eq ? eq + 1 : NULL, eq ? field.len - name.len - 1 : 0 };
	struct buf n;
	struct buf v;
	bool ok = false;

	buf_init(&n, field.len + 1);
	buf_init(&v, field.len + 1);
	if (url_decode_form(&n, name) == 0 && url_decode_form(&v, value) == 0) {
		json_t *text = json_stringn(v.len ? v.ptr : "", v.len);
		char *key = buf_take(&n);

		/* The first of several counts, as a reader of one field would find it. */
		ok = text && (json_object_get(object, key) || json_object_set(object, key, text) == 0);
		json_decref(text);
		free(key);
	}
	buf_fini(&n);
	buf_fini(&v);
	return ok;
}

static json_t *form_parse(struct slice body, const char **ret_refused)
{
	json_t *object = json_object();
	size_t fields = 0;

	while (body.len) {
		const char *amp = memchr(body.ptr, '&', body.len);
		size_t len = amp ? (size_t)(amp - body.ptr) : body.len;

		if (++fields > FORM_FIELDS_MAX
		    || (len && !form_field(object, (struct slice){ body.ptr, len }))) {
			*ret_refused = "a form with a bad escape, bytes that are not UTF-8, or too many fields";
			json_decref(object);
			return NULL;
		}
		body.ptr += len + (amp != NULL);
		body.len -= len + (amp != NULL);
	}
	return object;
}

static json_t *root_of(const fish_msg *public)
{
	/* Parsing changes nothing that a flow can see: the const is for the user. */
	struct msg *m = (struct msg *)msg_of(public);
	struct err err = { .code = 0 };

	if (!m)
		return NULL;
	if (m->parse != MSG_UNPARSED)
		return m->json;
	if (is_form(m)) {
		m->json = form_parse((struct slice){ m->pub.body, m->pub.len }, &m->refused);
	} else {
		m->json = template_read_value((struct slice){ m->pub.body, m->pub.len }, &err);
		if (!m->json)
			m->refused = arena_dup(m->arena, slice_of(err.text));
	}
	m->parse = m->json ? MSG_PARSED : MSG_REFUSED;
	if (m->json) {
		m->parsed_next = *m->parsed;
		*m->parsed = m;
	}
	return m->json;
}

/* ---- JSON Pointer (RFC 6901) ---- */

/* Decodes ~0 and ~1 of one reference token into name. */
static bool token_decode(struct slice token, struct buf *name)
{
	for (size_t i = 0; i < token.len; i++) {
		char c = token.ptr[i];

		if (c == '~') {
			if (++i == token.len || (token.ptr[i] != '0' && token.ptr[i] != '1'))
				return false;
			c = token.ptr[i] == '0' ? '~' : '/';
		}
		buf_putc(name, c);
	}
	return !buf_failed(name);
}

static json_t *element(json_t *array, const char *digits)
{
	char *end = NULL;

	if (!isdigit((unsigned char)*digits) || (*digits == '0' && digits[1]))
		return NULL;
	errno = 0;
	unsigned long at = strtoul(digits, &end, 10);

	return *end || errno ? NULL : json_array_get(array, at);
}

static json_t *find(const fish_msg *m, const char *pointer)
{
	json_t *at = root_of(m);

	if (!pointer || (*pointer && *pointer != '/'))
		return NULL;
	while (at && *pointer) {
		const char *from = pointer + 1;
		struct slice token = { from, strcspn(from, "/") };
		struct buf name;

		buf_init(&name, NAME_BYTES_MAX * 16);
		bool good = token_decode(token, &name);
		char *text = buf_take(&name);

		if (!good)
			at = NULL;
		else if (json_is_object(at))
			at = json_object_get(at, text);
		else
			at = json_is_array(at) ? element(at, text) : NULL;
		free(text);
		pointer = from + token.len;
	}
	return at;
}

static const char *dump(const fish_msg *m, const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	const char *kept = text ? arena_dup(msg_of(m)->arena, slice_of(text)) : "null";

	free(text);
	return kept;
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
	return json_is_number(v) || json_is_boolean(v) ? dump(m, v) : "";
}

const char *fish_raw(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	if (!v)
		return "null";
	if (!*pointer && !is_form(msg_of(m)))
		return m->body;
	return dump(m, v);
}

long long fish_int(const fish_msg *m, const char *pointer, long long otherwise)
{
	json_t *v = find(m, pointer);
	char *end = NULL;

	if (json_is_integer(v))
		return json_integer_value(v);
	if (json_is_real(v)) {
		double d = json_real_value(v);

		return d == trunc(d) && fabs(d) < 0x1p62 ? (long long)d : otherwise;
	}
	if (!json_is_string(v) || !json_string_length(v) || isspace((unsigned char)*json_string_value(v)))
		return otherwise;
	errno = 0;
	long long n = strtoll(json_string_value(v), &end, 10);

	return *end || errno ? otherwise : n;
}

double fish_num(const fish_msg *m, const char *pointer, double otherwise)
{
	json_t *v = find(m, pointer);
	char *end = NULL;

	if (json_is_number(v))
		return json_number_value(v);
	if (!json_is_string(v) || !json_string_length(v) || isspace((unsigned char)*json_string_value(v)))
		return otherwise;
	double d = strtod(json_string_value(v), &end);

	return *end || !isfinite(d) ? otherwise : d;
}

bool fish_true(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	if (!json_is_string(v))
		return json_is_true(v);
	return strcmp(json_string_value(v), "true") == 0;
}

size_t fish_count(const fish_msg *m, const char *pointer)
{
	json_t *v = find(m, pointer);

	return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

const char *fish_header(const fish_msg *m, const char *name)
{
	char lower[NAME_BYTES_MAX];
	size_t len = 0;

	if (!m || !name || strlen(name) >= sizeof lower)
		return "";
	/* The path is the hook's own: not journaled with each delivery. */
	if (strcmp(name, ":path") == 0 && m->hook && m->hook->source == SOURCE_HOOK)
		return strstr(fish_url(m->hook), "/h/");
	for (; name[len]; len++)
		lower[len] = (char)tolower((unsigned char)name[len]);
	lower[len] = '\0';
	struct slice value = meta_find(msg_of(m)->meta, lower);

	return value.ptr ? arena_dup(msg_of(m)->arena, value) : "";
}

struct json_t *fish_json(const fish_msg *m)
{
	return root_of(m);
}
