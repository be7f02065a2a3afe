/* scheme_kit.h - requests for tests of signature schemes: signed, bent, and judged. */
#ifndef SCHEME_KIT_H
#define SCHEME_KIT_H

#include "wire/scheme.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KIT_HEADERS_MAX = 24, KIT_NOW_S = 1750000000 };
#define KIT_NOW_MS   (KIT_NOW_S * INT64_C(1000))
#define KIT_URL      "https://hooks.example.org/h/x?id=7"
#define KIT_WHSEC    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
/* RFC 8032, section 7.1, test 1. */
#define KIT_ED_SEED    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
#define KIT_ED_PUBLIC  "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

struct kit {
	struct scheme        *scheme;
	struct scheme_request r;
	struct http1_field    headers[KIT_HEADERS_MAX];
	struct slice          secrets[SCHEME_SECRETS_MAX];
	struct buf            lines, body;           /* what scheme_sign gave; headers point into lines */
	struct scheme_result  result;
};

static inline struct scheme *kit_scheme(const char *text)
{
	struct scheme *s = NULL;
	struct err err = { .text = "" };

	if (scheme_new(slice_of(text), &s, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return s;
}

static inline void kit_init(struct kit *k, const char *scheme, const char *secret, const char *body)
{
	*k = (struct kit){ .scheme = kit_scheme(scheme) };
	k->secrets[0] = slice_of(secret);
	k->r = (struct scheme_request){
		.method = SLICE_LIT("POST"),
		.url = SLICE_LIT(KIT_URL),
		.headers = k->headers,
		.body = slice_of(body),
		.now_ms = KIT_NOW_MS,
		.secrets = k->secrets,
		.nsecrets = 1,
	};
	buf_init(&k->lines, SIZE_MAX);
	buf_init(&k->body, SIZE_MAX);
}

static inline void kit_fini(struct kit *k)
{
	scheme_free(k->scheme);
	buf_fini(&k->lines);
	buf_fini(&k->body);
}

static inline void kit_header(struct kit *k, const char *name, const char *value)
{
	assert_true(k->r.nheaders < KIT_HEADERS_MAX);
	k->headers[k->r.nheaders++] = (struct http1_field){ slice_of(name), slice_of(value) };
}

/* Cuts what was signed into headers. */
static inline void kit_take_lines(struct kit *k)
{
	for (char *at = k->lines.ptr; at != NULL && *at != '\0';) {
		char *end = strstr(at, "\r\n");
		char *colon = strstr(at, ": ");

		assert_non_null(end);
		assert_true(colon != NULL && colon < end);
		assert_true(k->r.nheaders < KIT_HEADERS_MAX);
		k->headers[k->r.nheaders++] = (struct http1_field){
			{ at, (size_t)(colon - at) }, { colon + 2, (size_t)(end - colon - 2) }
		};
		at = end + 2;
	}
	if (k->body.len > 0)
		k->r.body = buf_slice(&k->body);
}

static inline void kit_sign(struct kit *k, const char *id)
{
	struct err err = { .text = "" };

	if (scheme_sign(k->scheme, &k->r, slice_of(id), &k->lines, &k->body, &err) < 0)
		fail_msg("%s: %s", scheme_name(k->scheme), err.text);
	kit_take_lines(k);
}

static inline enum scheme_verdict kit_verify(struct kit *k)
{
	return scheme_verify(k->scheme, &k->r, &k->result);
}

#define assert_verdict(k, verdict) kit_assert(k, verdict, __FILE__, __LINE__)
static inline void kit_assert(struct kit *k, enum scheme_verdict wanted, const char *file, int line)
{
	enum scheme_verdict came = kit_verify(k);

	if (came != wanted) {
		print_error("%s: %s wanted, %s came: %s\n", scheme_name(k->scheme),
		            scheme_verdict_name(wanted), scheme_verdict_name(came), k->result.why);
		_fail(file, line);
	}
}

#endif
