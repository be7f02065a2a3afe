/* vectors_handshake.h - endpoint checks that others assembled, from FOLDER/handshakes.jsonl.
 *
 * Each case that comes out otherwise than it says is printed with its name and counted. */
#ifndef VECTORS_HANDSHAKE_H
#define VECTORS_HANDSHAKE_H

#include "wire/handshake.h"
#include "wire/json.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HANDSHAKE_HEADERS_MAX = 32 };

static inline struct slice handshake_text(const json_t *object, const char *name)
{
	const json_t *text = json_object_get(object, name);

	return (struct slice){ json_string_value(text), json_string_length(text) };
}

/* A case's name begins with its sender's. */
static inline enum handshake handshake_of_case(const char *name)
{
	static const struct { const char *front, *kind; } others[] = {
		{ "microsoft", "graph" }, { "azure", "eventgrid" }, { "event grid", "eventgrid" }, { "event-grid", "eventgrid" },
		{ "cloud events", "cloudevents" }, { "aws", "sns" }, { "trello", "probe" }, { "whatsapp", "meta" },
		{ "twitter", "x" },
	};
	enum handshake kind = HANDSHAKE_NONE;
	size_t len = 0;

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (strncasecmp(name, others[i].front, strlen(others[i].front)) == 0)
			(void)handshake_of(slice_of(others[i].kind), &kind);
	while (isalnum((unsigned char)name[len]))
		len++;
	if (kind == HANDSHAKE_NONE)
		(void)handshake_of((struct slice){ name, len }, &kind);
	return kind;
}

static inline bool handshake_has_line(const struct handshake_answer *a, const char *name, const char *part)
{
	char line[256];

	snprintf(line, sizeof line, "%s: ", name);
	const char *at = a->lines.ptr ? strcasestr(a->lines.ptr, line) : NULL;
	const char *found = at ? strcasestr(at, part) : NULL;

	return found && found < strstr(at, "\r\n");
}

static inline bool handshake_status_is(const struct handshake_answer *a, const json_t *wanted)
{
	const json_t *status = NULL;
	size_t i = 0;

	json_array_foreach(wanted, i, status)
		if (json_integer_value(status) == a->status)
			return true;
	return !wanted;
}

/* What of the answer is not as expected; NULL: nothing. */
static inline const char *handshake_fault(const struct handshake_answer *a, json_t *expect)
{
	struct slice body = buf_slice(&a->body);
	const json_t *json = json_object_get(expect, "json");
	const char *name = NULL;
	json_t *lines = NULL;

	if (!handshake_status_is(a, json_object_get(expect, "status")))
		return "status";
	if (json_object_get(expect, "body_is") && !slice_eq(body, handshake_text(expect, "body_is")))
		return "body";
	if (json_object_get(expect, "body_not") && slice_eq(body, handshake_text(expect, "body_not")))
		return "body, which it must not be";
	if (json_object_get(expect, "content_type")
	    && !handshake_has_line(a, "content-type", handshake_text(expect, "content_type").ptr))
		return "content type";
	json_object_foreach(json_object_get(expect, "headers"), name, lines) {
		const json_t *one = json_is_array(lines) ? json_array_get(lines, 0) : lines;

		if (!handshake_has_line(a, name, json_is_string(one) ? json_string_value(one) : ""))
			return name;
	}
	if (json) {
		json_t *got = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
		bool same = json_equal(got, json);

		json_decref(got);
		return same ? NULL : "json";
	}
	return NULL;
}

static inline bool handshake_differs(json_t *vector)
{
	json_t *config = json_object_get(vector, "config");
	json_t *asked = json_object_get(vector, "request");
	const char *name = json_string_value(json_object_get(vector, "name"));
	const char *path = json_string_value(json_object_get(asked, "path"));
	const char *query = path ? strchr(path, '?') : NULL;
	struct slice secret = handshake_text(config, "secret");
	struct http1_field headers[HANDSHAKE_HEADERS_MAX];
	struct handshake_request r = {
		.method = handshake_text(asked, "method"), .body = handshake_text(asked, "body"),
		.query = slice_of(query ? query + 1 : ""), .headers = headers,
		.secrets = &secret, .nsecrets = secret.len > 0 };
	static const char *const tokens[] = { "verify_token", "topic", "origin", "token" };
	struct handshake_answer a;
	const char *key = NULL;
	json_t *value = NULL;

	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] && !r.token.len; i++)
		r.token = handshake_text(config, tokens[i]);
	json_object_foreach(json_object_get(asked, "headers"), key, value)
		if (r.nheaders < HANDSHAKE_HEADERS_MAX)
			headers[r.nheaders++] = (struct http1_field){
				slice_of(key), { json_string_value(value), json_string_length(value) } };
	handshake_answer_init(&a);
	enum handshake_verdict verdict = handshake_judge(handshake_of_case(name ? name : ""), &r, &a);
	const char *fault = verdict == HANDSHAKE_NOT ? "anything at all" : handshake_fault(&a, json_object_get(vector, "expect"));

	if (fault)
		printf("handshakes: %s: another %s: %d %.*s\n", name ? name : "(no name)", fault, a.status,
		       (int)a.body.len, a.body.ptr ? a.body.ptr : "");
	handshake_answer_fini(&a);
	return fault != NULL;
}

/* How many cases there are, and how many of them differ; false: the folder has none of them. */
static inline bool run_handshakes(const char *folder, size_t *ret_cases, size_t *ret_differing)
{
	char path[4096];
	char *line = NULL;
	size_t room = 0;

	snprintf(path, sizeof path, "%s/handshakes.jsonl", folder);
	FILE *file = fopen(path, "r");

	*ret_cases = *ret_differing = 0;
	if (!file)
		return false;
	while (getline(&line, &room, file) > 1) {
		json_t *vector = json_loads(line, JSON_ALLOW_NUL, NULL);

		if (!vector)
			printf("handshakes: line %zu is not JSON\n", *ret_cases + 1);
		*ret_differing += !vector || handshake_differs(vector);
		++*ret_cases;
		json_decref(vector);
	}
	free(line);
	fclose(file);
	return true;
}

#endif
