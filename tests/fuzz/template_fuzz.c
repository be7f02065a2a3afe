/* template_fuzz.c - strangers' bytes as a template without conversions, and as values
 * of one.
 *
 * Invariant looked for: an error leaves out as it was; otherwise what came is valid
 * JSON, and from the fixed template exactly its three members, whatever the values
 * were. Input: the template, a NUL, and the value. */
#include "wire/template.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* libFuzzer's name for it; there is no header that declares it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static const char before[] = "kept";

/* What was appended, read without Fish's own reader; NULL when it was refused. */
__attribute__((format(printf, 1, 2)))
static json_t *put(const char *fmt, ...)
{
	struct buf out;
	struct err err = { .text = "" };
	json_t *value = NULL;
	va_list ap;

	buf_init(&out, SIZE_MAX);
	buf_puts(&out, before);
	va_start(ap, fmt);
	int rc = template_put(&out, &err, fmt, ap);

	va_end(ap);
	CHECK(strncmp(out.ptr, before, strlen(before)) == 0);
	CHECK(!buf_failed(&out));
	if (rc == 0) {
		value = json_loadb(out.ptr + strlen(before), out.len - strlen(before),
		                   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
		CHECK(value != NULL);
	} else {
		CHECK(out.len == strlen(before));
		CHECK(rc == FISH_EFORMAT);
		CHECK(err.code == rc);
		CHECK(err.text[0] != '\0');
	}
	buf_fini(&out);
	return value;
}

/* Bytes as a template. A per cent sign may stand only before another: there are no
 * arguments. */
static void try_template(char *fmt)
{
	for (char *at = fmt; (at = strchr(at, '%')) != NULL; at += 2) {
		if (at[1] == '\0') {
			*at = '.';
			break;
		}
		at[1] = '%';
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
	json_decref(put(fmt));
#pragma GCC diagnostic pop
}

/* The string of member name is what text looks like when jansson reads it from
 * buf_json_string. */
static void check_string(const json_t *object, const char *name, const char *text)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_json_string(&b, slice_of(text));
	json_t *wanted = json_loadb(b.ptr, b.len, JSON_DECODE_ANY, NULL);

	CHECK(wanted != NULL);
	CHECK(json_equal(json_object_get(object, name), wanted));
	json_decref(wanted);
	buf_fini(&b);
}

static void try_value(const char *text)
{
	json_t *alone = template_read_value(slice_of(text), NULL);
	json_t *whole = put("{a: %s, b: %-s, c: '%s'}", text, text, text);

	/* One level stands around it, so at the depth limit the value alone may be
	 * good. */
	CHECK(whole == NULL || alone != NULL);
	if (whole != NULL) {
		CHECK(json_object_size(whole) == 3);
		CHECK(json_equal(json_object_get(whole, "b"), alone));
		check_string(whole, "a", text);
		check_string(whole, "c", text);
	}
	json_decref(whole);
	json_decref(alone);
	/* Texts that are not JSON have their way too, as long as they stay strings. */
	whole = put("{a: %s, c: '<%s>'}", text, text);
	CHECK(whole != NULL);
	CHECK(json_object_size(whole) == 2);
	check_string(whole, "a", text);
	json_decref(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *fmt = xstrndup((const char *)bytes, len);
	size_t fmt_len = strlen(fmt);
	const char *value = fmt_len < len ? fmt + fmt_len + 1 : "";

	try_value(value);
	try_template(fmt);
	free(fmt);
	return 0;
}
