/* scheme.c - one look at a request by its scheme, and what all kinds of schemes share.
 *
 * Invariant: a result is VALID only where a kind's own code said so after its last check; the words in it
 * hold nothing that came with the request, so they may go to logs and ledgers. Surprise: JSON of the body
 * is read at most once, and only when a scheme looks into it. */
#include "wire/json.h"
#include "wire/scheme_private.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum { JSON_DEPTH_SEEN_MAX = JSON_DEPTH_MAX };

#define VERDICT_NAME(id, name, meaning)     [SCHEME_##id] = (name),
#define VERDICT_MEANING(id, name, meaning)  [SCHEME_##id] = (meaning),
static const char *const names[] = { SCHEME_VERDICTS(VERDICT_NAME) };
static const char *const meanings[] = { SCHEME_VERDICTS(VERDICT_MEANING) };

const char *scheme_verdict_name(enum scheme_verdict v) { return names[v]; }
const char *scheme_verdict_meaning(enum scheme_verdict v) { return meanings[v]; }

enum scheme_verdict scheme_say(struct scheme_result *ret, enum scheme_verdict v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret->why, sizeof(ret->why), fmt, ap);
	va_end(ap);
	ret->verdict = v;
	return v;
}

/* ---- headers ---- */

size_t scheme_header_count(const struct scheme_request *r, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < r->nheaders; i++)
		count += slice_eq_nocase(r->headers[i].name, slice_of(name));
	return count;
}

enum scheme_verdict scheme_header(struct scheme_check *c, const char *name, struct slice *ret_value)
{
	struct slice value = SLICE_NONE;
	size_t count = scheme_header_count(c->r, name);

	if (count == 0)
		return scheme_say(c->ret, SCHEME_NO_HEADER, "the header %s is missing", name);
	if (count > 1)
		return scheme_say(c->ret, SCHEME_REPEATED, "the header %s came %zu times", name, count);
	for (size_t i = 0; i < c->r->nheaders; i++)
		if (slice_eq_nocase(c->r->headers[i].name, slice_of(name)))
			value = c->r->headers[i].value;
	if (value.len == 0)
		return scheme_say(c->ret, SCHEME_NO_HEADER, "the header %s is empty", name);
	*ret_value = value;
	return SCHEME_VALID;
}

/* ---- time ---- */

/* What the request asks for goes before what the scheme was configured with, that before the row. */
static int64_t tolerance_ms(const struct scheme_check *c)
{
	if (c->r->tolerance_ms != 0)
		return c->r->tolerance_ms;
	if (c->s->tolerance_ms != 0)
		return c->s->tolerance_ms;
	return c->row->tolerance_s == 0 ? SCHEME_TOLERANCE_NONE : c->row->tolerance_s * INT64_C(1000);
}

enum scheme_verdict scheme_in_time(struct scheme_check *c, int64_t ts_ms)
{
	int64_t tolerated_ms = tolerance_ms(c);
	int64_t skew_ms = c->r->now_ms - ts_ms;

	c->ret->has_skew = true;
	c->ret->skew_ms = skew_ms;
	if (tolerated_ms < 0)
		return SCHEME_VALID;
	if (skew_ms > tolerated_ms)
		return scheme_say(c->ret, SCHEME_TOO_OLD,
		                  "the timestamp is %" PRId64 " s old, %" PRId64 " s are tolerated",
		                  skew_ms / 1000, tolerated_ms / 1000);
	if (c->row->window == WINDOW_BOTH && -skew_ms > tolerated_ms)
		return scheme_say(c->ret, SCHEME_TOO_NEW,
		                  "the timestamp is %" PRId64 " s ahead of this clock, %" PRId64
		                  " s are tolerated",
		                  -skew_ms / 1000, tolerated_ms / 1000);
	return SCHEME_VALID;
}

/* ---- the body as JSON ---- */

/* Not template_read_value: there \u0000 is refused, and a signed body may hold it. */
static json_t *read_body(struct slice body)
{
	if (body.len == 0 || json_depth(body) > JSON_DEPTH_SEEN_MAX)
		return NULL;
	return json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

json_t *scheme_body_at(struct scheme_check *c, const char *pointer)
{
	if (!c->json_tried)
		c->json = read_body(c->r->body);
	c->json_tried = true;
	return json_at(c->json, pointer);
}

bool scheme_body_text(struct scheme_check *c, const char *pointer, struct buf *out)
{
	json_t *value = scheme_body_at(c, pointer);

	if (json_is_integer(value)) {
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return true;
	}
	if (!json_is_string(value) || json_string_length(value) > SCHEME_ID_BYTES_MAX)
		return false;
	buf_put(out, json_string_value(value), json_string_length(value));
	return true;
}

/* ---- ids ---- */

/* Visible ASCII: an id ends up in logs and keys. The separator behind it would make two readings of what
 * is signed. */
bool scheme_id_is_good(struct slice id, char separator)
{
	if (id.len == 0 || id.len > SCHEME_ID_BYTES_MAX)
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (id.ptr[i] <= 0x20 || id.ptr[i] >= 0x7f || id.ptr[i] == separator)
			return false;
	return true;
}

/* One that is no good as a key is none: the body has to do then. */
void scheme_keep_id(struct scheme_check *c, struct slice id, enum scheme_id_from from)
{
	if (!scheme_id_is_good(id, '\0'))
		return;
	memcpy(c->ret->id, id.ptr, id.len);
	c->ret->id[id.len] = '\0';
	c->ret->id_len = id.len;
	c->ret->id_from = from;
}

/* An id outside of what is signed before: in the signed body, or in a header that nobody signed. */
static void find_id(struct scheme_check *c)
{
	const char *name = c->row->id;

	if (name == NULL || c->ret->id_len > 0 || c->row->kind == KIND_HTTP)
		return;
	if (name[0] == '/') {
		struct buf text;

		buf_init(&text, SCHEME_ID_BYTES_MAX);
		if (scheme_body_text(c, name, &text))
			scheme_keep_id(c, buf_slice(&text), SCHEME_ID_SIGNED);
		buf_fini(&text);
		return;
	}
	if (scheme_header_count(c->r, name) != 1)
		return;
	for (size_t i = 0; i < c->r->nheaders; i++)
		if (slice_eq_nocase(c->r->headers[i].name, slice_of(name)))
			scheme_keep_id(c, c->r->headers[i].value, SCHEME_ID_UNSIGNED);
}

/* ---- the whole ---- */

void scheme_show(const struct scheme_check *c, const struct slice *parts, size_t n)
{
	for (size_t i = 0; c->r->shown != NULL && i < n; i++)
		buf_put_slice(c->r->shown, parts[i]);
}

static enum scheme_verdict check_fixed(struct scheme_check *c)
{
	for (size_t i = 0; i < SCHEME_FIXED_MAX && c->row->fixed[i].name != NULL; i++) {
		struct slice value = SLICE_NONE;
		enum scheme_verdict v = scheme_header(c, c->row->fixed[i].name, &value);

		if (v != SCHEME_VALID)
			return v;
		if (!slice_eq(value, slice_of(c->row->fixed[i].value)))
			return scheme_say(c->ret, SCHEME_ALGORITHM, "the header %s is not \"%s\"",
			                  c->row->fixed[i].name, c->row->fixed[i].value);
	}
	return SCHEME_VALID;
}

static enum scheme_verdict verify_kind(struct scheme_check *c)
{
	switch (c->row->kind) {
	case KIND_MAC:    return scheme_mac_verify(c);
	case KIND_TWILIO: return scheme_twilio_verify(c);
	case KIND_SNS:    return scheme_sns_verify(c);
	case KIND_PAYPAL: return scheme_paypal_verify(c);
	case KIND_HTTP:   return scheme_http_verify(c);
	case KIND_TOKEN:  return scheme_token_verify(c);
	}
	__builtin_unreachable();
}

static enum scheme_verdict verify(struct scheme_check *c)
{
	enum scheme_verdict v = check_fixed(c);

	if (v != SCHEME_VALID)
		return v;
	if (c->row->needs_body && c->r->body.len == 0)
		return scheme_say(c->ret, SCHEME_BAD_BODY, "the body is empty");
	v = verify_kind(c);
	if (v != SCHEME_VALID) {
		c->ret->id_len = 0;
		c->ret->id[0] = '\0';
		c->ret->id_from = SCHEME_ID_NONE;
		return v;
	}
	find_id(c);
	return scheme_say(c->ret, SCHEME_VALID, "%s", meanings[SCHEME_VALID]);
}

enum scheme_verdict scheme_verify(const struct scheme *s, const struct scheme_request *r,
                                  struct scheme_result *ret)
{
	struct scheme_check c = { .s = s, .row = &s->row, .r = r, .ret = ret };

	*ret = (struct scheme_result){ .verdict = SCHEME_NO_MATCH };
	verify(&c);
	json_decref(c.json);
	return ret->verdict;
}

enum scheme_verdict scheme_certificate_url(const struct scheme *s, const struct scheme_request *r,
                                           struct buf *ret_url, struct scheme_result *ret)
{
	struct scheme_check c = { .s = s, .row = &s->row, .r = r, .ret = ret };

	CHECK(scheme_needs_certificate(s));
	*ret = (struct scheme_result){ .verdict = SCHEME_NO_MATCH };
	ret->verdict = s->row.kind == KIND_SNS ? scheme_sns_certificate_url(&c, ret_url)
	                                       : scheme_paypal_certificate_url(&c, ret_url);
	json_decref(c.json);
	return ret->verdict;
}

bool scheme_needs_certificate(const struct scheme *s)
{
	return s->row.kind == KIND_SNS || s->row.kind == KIND_PAYPAL;
}

bool scheme_signs_url(const struct scheme *s)
{
	return s->row.kind == KIND_TWILIO || s->row.kind == KIND_HTTP || scheme_signs(&s->row, "{url}");
}

void scheme_told_id(const struct scheme *s, const struct scheme_request *r, struct scheme_result *ret)
{
	struct scheme_check c = { .s = s, .row = &s->row, .r = r, .ret = ret };

	*ret = (struct scheme_result){ .verdict = SCHEME_NO_MATCH };
	find_id(&c);
	json_decref(c.json);
}

static bool is_named(struct slice header, const char *name)
{
	return name != NULL && slice_eq_nocase(header, slice_of(name));
}

bool scheme_signs_in(const struct scheme *s, struct slice header)
{
	const struct scheme_row *other =
		s->row.otherwise != NULL ? scheme_row_find(slice_of(s->row.otherwise)) : NULL;

	return is_named(header, s->row.header) || is_named(header, s->row.second)
	       || (other != NULL && is_named(header, other->header));
}
