/* signature_fuzz.c - strangers' headers, bodies and URLs before every scheme, and descriptions of schemes.
 *
 * Invariants looked for: nobody gets by without the secret; the words of a verdict hold nothing that came;
 * what is signed verifies. Input: a byte that chooses the scheme, one that chooses what is done, and then
 * texts with NULs between them: URL, body, id, and the value of each header in turn. */
#include "wire/scheme.h"

#include <stdlib.h>
#include <string.h>

/* libFuzzer's name for it; there is no header that declares it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { TEXTS_MAX = 12, HEADERS_MAX = 16, NOW_S = 1750000000 };

static const char *const names[] = {
	"webhook-id", "webhook-timestamp", "webhook-signature", "Signature-Input", "Signature", "Content-Digest",
	"Content-Type", "Date",
};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

struct texts {
	struct slice all[TEXTS_MAX];
	size_t       n;
};

static struct texts split(const char *bytes, size_t len)
{
	struct texts t = { .n = 0 };
	const char *end = bytes + len;

	while (t.n < TEXTS_MAX) {
		const char *nul = bytes == end ? NULL : memchr(bytes, '\0', (size_t)(end - bytes));
		const char *to = nul == NULL ? end : nul;

		t.all[t.n++] = (struct slice){ bytes, (size_t)(to - bytes) };
		if (nul == NULL)
			break;
		bytes = nul + 1;
	}
	return t;
}

static struct slice text_of(const struct texts *t, size_t i)
{
	return i < t->n ? t->all[i] : SLICE_NONE;
}

/* A secret that nobody can have guessed, in the form that the scheme wants. */
static struct slice secret_of(const struct scheme *s)
{
	static const char *const forms[] = {
		"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	};
	for (size_t i = 0; i < 3; i++)
		if (scheme_check_secret(s, slice_of(forms[i]), NULL) == 0)
			return slice_of(forms[i]);
	return SLICE_LIT("a secret");
}

static void check_result(const struct scheme_result *result)
{
	CHECK(result->why[0] != '\0');
	CHECK(memchr(result->why, '\0', sizeof(result->why)) != NULL);
	for (const char *at = result->why; *at != '\0'; at++) {
		CHECK(*at >= 0x20);
		CHECK(*at < 0x7f);
	}
	CHECK(scheme_verdict_name(result->verdict) != NULL);
	if (result->verdict != SCHEME_VALID)
		CHECK(result->id_len == 0);
	CHECK(result->id_len <= SCHEME_ID_BYTES_MAX);
}

/* Values under the scheme's own names and under those of the others. */
static void try_forgery(const struct scheme *s, const struct scheme_about *about,
                        struct scheme_request *r, const struct texts *t)
{
	struct http1_field headers[HEADERS_MAX];
	struct scheme_result result;
	const char *const own[] = { about->header, about->ts, about->id };
	struct buf url;

	for (size_t i = 3; i < t->n && r->nheaders < HEADERS_MAX; i++) {
		const char *name = i - 3 < 3 ? own[i - 3] : names[(i - 3) % NAMES];

		headers[r->nheaders++] = (struct http1_field){ slice_of(name), t->all[i] };
	}
	r->headers = headers;
	CHECK(scheme_verify(s, r, &result) != SCHEME_VALID);
	check_result(&result);
	buf_init(&url, SIZE_MAX);
	if (scheme_needs_certificate(s))
		scheme_certificate_url(s, r, &url, &result);
	buf_fini(&url);
}

static size_t take_lines(struct buf *lines, struct http1_field headers[HEADERS_MAX])
{
	size_t n = 0;

	for (char *at = lines->ptr; at != NULL && *at != '\0' && n < HEADERS_MAX;) {
		char *end = strstr(at, "\r\n");
		char *colon = strstr(at, ": ");

		CHECK(end != NULL);
		CHECK(colon != NULL);
		headers[n++] = (struct http1_field){
			{ at, (size_t)(colon - at) }, { colon + 2, (size_t)(end - colon - 2) }
		};
		at = end + 2;
	}
	return n;
}

/* Linear's time stands in a body that is not of our making. */
static void try_own(const struct scheme *s, struct scheme_request *r, struct slice id)
{
	struct http1_field headers[HEADERS_MAX];
	struct scheme_result result;
	struct buf lines;
	struct buf body;

	buf_init(&lines, SIZE_MAX);
	buf_init(&body, SIZE_MAX);
	if (scheme_sign(s, r, id, &lines, &body, NULL) == 0) {
		r->headers = headers;
		r->nheaders = take_lines(&lines, headers);
		if (body.len > 0)
			r->body = buf_slice(&body);
		scheme_verify(s, r, &result);
		check_result(&result);
		if (strcmp(scheme_name(s), "linear") != 0 && strcmp(scheme_name(s), "mailgun") != 0 &&
		    strcmp(scheme_name(s), "discord") != 0 && strcmp(scheme_name(s), "rfc9421") != 0)
			CHECK(result.verdict == SCHEME_VALID);
	}
	buf_fini(&lines);
	buf_fini(&body);
}

static void try_scheme(const struct scheme *s, const struct scheme_about *about, const struct texts *t,
                       uint8_t what)
{
	struct slice secret = secret_of(s);
	struct scheme_request r = {
		.method = SLICE_LIT("POST"),
		.url = text_of(t, 0),
		.body = text_of(t, 1),
		.now_ms = NOW_S * INT64_C(1000),
		.tolerance_ms = what & 2 ? SCHEME_TOLERANCE_NONE : 0,
		.secrets = &secret,
		.nsecrets = 1,
	};

	if (what & 1)
		try_own(s, &r, text_of(t, 2));
	else
		try_forgery(s, about, &r, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct scheme_about about = { .header = "X-Sig", .ts = "X-Time", .id = "X-Id" };
	struct scheme *s = NULL;

	if (len < 2)
		return 0;
	struct texts t = split((const char *)bytes + 2, len - 2);
	bool named = scheme_about(bytes[0], &about);
	struct err err = { .text = "" };
	/* Without a name the last text describes one. */
	struct slice text = named ? slice_of(about.name) : t.all[t.n - 1];

	if (!named)
		about = (struct scheme_about){ .header = "X-Sig", .ts = "X-Time", .id = "X-Id" };
	if (scheme_new(text, &s, &err) < 0) {
		CHECK(err.text[0] != '\0');
		CHECK(!named);
		return 0;
	}
	if (named || (bytes[1] & 1) == 0)
		try_scheme(s, &about, &t, bytes[1]);
	scheme_free(s);
	return 0;
}
