/* vectors_kit.h - test data that others made, from a folder of the form of ../shared/vectors.
 *
 * Each case that comes out otherwise than it says is printed with its name and counted. Surprise: where a
 * reference library is more lenient than a strict verifier should be, strict_valid is the verdict. */
#ifndef VECTORS_KIT_H
#define VECTORS_KIT_H

#include "wire/codec.h"
#include "wire/fields.h"
#include "wire/scheme.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VECTOR_HEADERS_MAX = 64, VECTOR_PATH_SIZE = 4096, VECTOR_BYTES_MAX = 1 << 20 };

struct vectors {
	size_t cases, differing;
	bool   there;                        /* the folder has that kind */
};

static inline struct slice json_slice(json_t *text)
{
	return (struct slice){ json_string_value(text), json_string_length(text) };
}

/* ---- signatures ---- */

/* The names of the vectors tell algorithm or version too. */
static struct scheme *vector_scheme(const char *vector)
{
	static const struct { const char *front, *scheme; } others[] = {
		{ "aws-sns", "sns" }, { "x-twitter", "x" }, { "rfc9421", "rfc9421 require=none" },
		{ "aws-sns-v2-only", "sns-v2" },
	};
	struct scheme *s = NULL;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(vector, others[i].front, strlen(others[i].front)) == 0)
			return scheme_new(slice_of(others[i].scheme), &s, NULL) == 0 ? s : NULL;
	for (size_t len = strlen(vector); len > 0; len--) {
		if (vector[len] != '\0' && vector[len] != '-')
			continue;
		if (scheme_new((struct slice){ vector, len }, &s, NULL) == 0)
			return s;
	}
	return NULL;
}

struct vector_request {
	struct scheme_request r;
	struct http1_field    headers[VECTOR_HEADERS_MAX];
	struct slice          secrets[SCHEME_SECRETS_MAX];
	json_t               *keys;          /* of a secret that is a list */
	uint8_t              *body;
};

static inline void vector_header(struct vector_request *v, const char *name, json_t *value)
{
	if (v->r.nheaders < VECTOR_HEADERS_MAX && json_is_string(value))
		v->headers[v->r.nheaders++] = (struct http1_field){ slice_of(name), json_slice(value) };
}

static inline void vector_headers(struct vector_request *v, json_t *headers)
{
	const char *name = NULL;
	json_t *value = NULL;
	json_t *line = NULL;
	size_t i = 0;

	json_object_foreach(headers, name, value) {
		if (!json_is_array(value))
			vector_header(v, name, value);
		json_array_foreach(value, i, line)
			vector_header(v, name, line);
	}
	v->r.headers = v->headers;
}

/* One key, or several as a JSON array in a string. */
static inline void vector_secrets(struct vector_request *v, const struct scheme *s, json_t *vector)
{
	json_t *public_key = json_object_get(vector, "public_key");
	json_t *secret = json_object_get(vector, "secret");
	json_t *one = NULL;
	size_t i = 0;

	v->r.secrets = v->secrets;
	if (scheme_needs_certificate(s))
		v->r.certificate = json_slice(public_key);
	else if (json_string_length(public_key) > 0)
		secret = public_key;
	v->keys = json_loadb(json_string_value(secret), json_string_length(secret), 0, NULL);
	if (!json_is_array(v->keys))
		v->secrets[v->r.nsecrets++] = json_slice(secret);
	json_array_foreach(v->keys, i, one)
		v->secrets[v->r.nsecrets++] = json_slice(one);
}

static inline void vector_body(struct vector_request *v, json_t *vector)
{
	struct slice text = json_slice(json_object_get(vector, "body_b64"));
	size_t len = 0;

	v->r.body = json_slice(json_object_get(vector, "body"));
	if (text.ptr == NULL)
		return;
	v->body = xalloc(text.len + 1);
	CHECK(codec_base64(text, v->body, text.len, &len));
	v->r.body = (struct slice){ (const char *)v->body, len };
}

static inline void vector_times(struct vector_request *v, json_t *vector)
{
	json_t *now = json_object_get(vector, "now");
	json_t *tolerance = json_object_get(vector, "tolerance");

	v->r.now_ms = (int64_t)llround(json_number_value(now) * 1000);
	v->r.tolerance_ms = (int64_t)llround(json_number_value(tolerance) * 1000);
	/* A tolerance of 0 switches the check off in the libraries that have one. */
	if (!json_is_number(now) || (json_is_number(tolerance) && v->r.tolerance_ms == 0))
		v->r.tolerance_ms = SCHEME_TOLERANCE_NONE;
}

/* What the case asserts; a strict verdict goes before a lenient library's. */
static inline bool vector_is_valid(json_t *vector)
{
	json_t *strict = json_object_get(vector, "strict_valid");

	return json_is_true(strict != NULL ? strict : json_object_get(vector, "valid"));
}

static inline bool signature_differs(json_t *vector)
{
	const char *name = json_string_value(json_object_get(vector, "scheme"));
	struct scheme *s = vector_scheme(name == NULL ? "" : name);
	struct vector_request v = { .r = { .method = SLICE_LIT("POST") } };
	struct scheme_result result = { .why = "there is no such scheme" };
	json_t *method = json_object_get(vector, "method");
	bool differs = true;

	if (s != NULL) {
		vector_headers(&v, json_object_get(vector, "headers"));
		vector_secrets(&v, s, vector);
		vector_body(&v, vector);
		vector_times(&v, vector);
		v.r.url = json_slice(json_object_get(vector, "url"));
		if (json_is_string(method))
			v.r.method = json_slice(method);
		differs = (scheme_verify(s, &v.r, &result) == SCHEME_VALID) != vector_is_valid(vector);
	}
	if (differs)
		printf("signatures: %s, %s: expected %s, came %s (%s)\n", name,
		       json_string_value(json_object_get(vector, "name")),
		       vector_is_valid(vector) ? "valid" : "a refusal",
		       s == NULL ? "nothing" : scheme_verdict_name(result.verdict), result.why);
	json_decref(v.keys);
	free(v.body);
	scheme_free(s);
	return differs;
}

static inline struct vectors run_signatures(const char *folder)
{
	struct vectors all = { .cases = 0 };
	char path[VECTOR_PATH_SIZE];
	char *line = NULL;
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/signatures/signatures.jsonl", folder);
	FILE *file = fopen(path, "r");

	all.there = file != NULL;
	while (file != NULL && getline(&line, &room, file) > 1) {
		json_t *vector = json_loads(line, JSON_ALLOW_NUL, NULL);

		all.cases++;
		if (vector == NULL)
			printf("signatures: line %zu is not JSON\n", all.cases);
		all.differing += vector == NULL || signature_differs(vector);
		json_decref(vector);
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return all;
}

/* ---- structured fields ---- */

/* RFC 4648, section 6: binary is written so in these files. */
static inline bool is_base32_of(struct slice text, struct slice bytes)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint64_t bits = 0;
	size_t nbits = 0;
	size_t len = 0;

	for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
		const char *digit = strchr(digits, text.ptr[i]);

		bits = bits << 5 | (uint64_t)(digit == NULL ? 0 : digit - digits);
		nbits += 5;
		if (nbits < 8)
			continue;
		nbits -= 8;
		if (len >= bytes.len || (uint8_t)(bits >> nbits) != (uint8_t)bytes.ptr[len++])
			return false;
	}
	return len == bytes.len;
}

static inline bool typed_is(const struct field_value *value, json_t *expected)
{
	const char *type = json_string_value(json_object_get(expected, "__type"));
	json_t *wanted = json_object_get(expected, "value");

	if (type == NULL)
		return false;
	if (strcmp(type, "date") == 0)
		return value->kind == FIELD_DATE && value->number == json_integer_value(wanted);
	if (strcmp(type, "binary") == 0)
		return value->kind == FIELD_BINARY && is_base32_of(json_slice(wanted), value->text);
	if (strcmp(type, "token") == 0)
		return value->kind == FIELD_TOKEN && slice_eq(value->text, json_slice(wanted));
	return value->kind == FIELD_DISPLAY && slice_eq(value->text, json_slice(wanted));
}

static inline bool value_is(const struct field_value *value, json_t *expected)
{
	if (json_is_object(expected))
		return typed_is(value, expected);
	switch (value->kind) {
	case FIELD_INTEGER:
		return json_is_integer(expected) && json_integer_value(expected) == value->number;
	case FIELD_DECIMAL:
		return json_is_real(expected) && llround(json_real_value(expected) * 1000) == value->number;
	case FIELD_STRING:
		return json_is_string(expected) && slice_eq(json_slice(expected), value->text);
	case FIELD_BOOLEAN:
		return json_is_boolean(expected) && json_is_true(expected) == (value->number != 0);
	case FIELD_TOKEN:
	case FIELD_BINARY:
	case FIELD_DATE:
	case FIELD_DISPLAY:
	case FIELD_INNER_LIST:
		break;
	}
	return false;
}

/* [value, [[key, value], …]], where the value of an inner list is a list of such pairs. */
static inline bool item_is(const struct field_item *item, json_t *expected)
{
	json_t *value = json_array_get(expected, 0);
	json_t *params = json_array_get(expected, 1);
	bool same = json_array_size(params) == item->nparams;

	if (item->value.kind != FIELD_INNER_LIST)
		same = same && value_is(&item->value, value);
	else
		same = same && json_is_array(value) && json_array_size(value) == item->nitems;
	for (size_t i = 0; same && i < item->nitems; i++)
		same = item_is(&item->items[i], json_array_get(value, i));
	for (size_t i = 0; same && i < item->nparams; i++) {
		json_t *param = json_array_get(params, i);

		same = slice_eq(item->params[i].key, json_slice(json_array_get(param, 0))) &&
		       value_is(&item->params[i].value, json_array_get(param, 1));
	}
	return same;
}

static inline bool members_are(const struct fields *all, json_t *expected, bool dictionary)
{
	bool same = json_array_size(expected) == all->nmembers;

	for (size_t i = 0; same && i < all->nmembers; i++) {
		json_t *member = json_array_get(expected, i);

		same = !dictionary || slice_eq(all->members[i].key, json_slice(json_array_get(member, 0)));
		same = same && item_is(&all->members[i].item, dictionary ? json_array_get(member, 1) : member);
	}
	return same;
}

/* What reading text as the vector's type gives: -1 refused, 0 another value, 1 the expected one; its
 * canonical text in out. */
static inline int read_field(struct arena *arena, json_t *vector, struct slice text, struct buf *out)
{
	const char *type = json_string_value(json_object_get(vector, "header_type"));
	json_t *expected = json_object_get(vector, "expected");
	bool dictionary = strcmp(type, "dictionary") == 0;
	struct field_item item;
	struct fields all;

	if (strcmp(type, "item") == 0) {
		if (fields_item(arena, text, &item) < 0)
			return -1;
		fields_put_item(out, &item);
		return item_is(&item, expected);
	}
	if ((dictionary ? fields_dictionary(arena, text, &all) : fields_list(arena, text, &all)) < 0)
		return -1;
	if (dictionary)
		fields_put_dictionary(out, &all);
	else
		fields_put_list(out, &all);
	return members_are(&all, expected, dictionary);
}

static inline void join_lines(struct buf *out, json_t *lines)
{
	json_t *line = NULL;
	size_t i = 0;

	buf_puts(out, "");
	json_array_foreach(lines, i, line) {
		buf_puts(out, i > 0 ? ", " : "");
		buf_put_slice(out, json_slice(line));
	}
}

static inline bool field_differs(const char *file, json_t *vector)
{
	json_t *canonical = json_object_get(vector, "canonical");
	struct arena arena;
	struct buf raw;
	struct buf wanted;
	struct buf put;

	arena_init(&arena);
	buf_init(&raw, SIZE_MAX);
	buf_init(&wanted, SIZE_MAX);
	buf_init(&put, SIZE_MAX);
	buf_puts(&put, "");
	join_lines(&raw, json_object_get(vector, "raw"));
	join_lines(&wanted, canonical != NULL ? canonical : json_object_get(vector, "raw"));
	int read = read_field(&arena, vector, buf_slice(&raw), &put);
	bool differs = read == 1 ? !slice_eq(buf_slice(&put), buf_slice(&wanted)) : read == 0;

	if (json_is_true(json_object_get(vector, "must_fail")))
		differs = read != -1;
	else if (read == -1)
		differs = !json_is_true(json_object_get(vector, "can_fail"));
	if (differs)
		printf("structured-fields: %s, %s: %s %s\n", file,
		       json_string_value(json_object_get(vector, "name")),
		       read == -1 ? "was refused" : read == 0 ? "was read as something else:" : "was read as",
		       put.ptr);
	buf_fini(&raw);
	buf_fini(&wanted);
	buf_fini(&put);
	arena_fini(&arena);
	return differs;
}

static inline struct vectors run_fields(const char *folder)
{
	struct vectors all = { .cases = 0 };
	char path[VECTOR_PATH_SIZE];

	snprintf(path, sizeof(path), "%s/structured-fields", folder);
	DIR *files = opendir(path);

	all.there = files != NULL;
	for (struct dirent *d; files != NULL && (d = readdir(files)) != NULL;) {
		const char *end = strrchr(d->d_name, '.');
		json_t *vector = NULL;
		size_t i = 0;

		if (end == NULL || strcmp(end, ".json") != 0)
			continue;
		snprintf(path, sizeof(path), "%s/structured-fields/%s", folder, d->d_name);
		json_t *vectors = json_load_file(path, JSON_ALLOW_NUL, NULL);

		if (!json_is_array(vectors)) {
			printf("structured-fields: %s is not a JSON array\n", d->d_name);
			all.differing++;
		}
		json_array_foreach(vectors, i, vector)
			all.differing += field_differs(d->d_name, vector);
		all.cases += json_array_size(vectors);
		json_decref(vectors);
	}
	if (files != NULL)
		closedir(files);
	return all;
}

#endif
