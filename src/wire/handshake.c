/* handshake.c - who are you, URL? Each sender's question, and the answer it wants.
 *
 * Surprise: a challenge that would not come back whole (over the cap, not text) is no challenge; the
 * request is then judged like any other, and refused by its method or signature. */
#include "wire/handshake.h"

#include "wire/codec.h"
#include "wire/scheme.h"
#include "wire/template.h"
#include "wire/url.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define TEXT_PLAIN "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
#define JSON       "Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"

enum { SHA256_BYTES = 32 };

#define HANDSHAKE_ROW(id, name, is_signed, who) [HANDSHAKE_##id] = { name, is_signed },
static const struct {
	const char *name;
	bool        is_signed;
} kinds[] = { HANDSHAKE_KINDS(HANDSHAKE_ROW) };

int handshake_of(struct slice name, enum handshake *ret_kind)
{
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (slice_eq(name, slice_of(kinds[i].name))) {
			*ret_kind = (enum handshake)i;
			return 0;
		}
	return FISH_EINVAL;
}

const char *handshake_name(enum handshake kind)
{
	return kinds[kind].name;
}

bool handshake_signed(enum handshake kind)
{
	return kinds[kind].is_signed;
}

void handshake_answer_init(struct handshake_answer *a)
{
	a->status = 0;
	buf_init(&a->lines, SIZE_MAX);
	buf_init(&a->body, SIZE_MAX);
	buf_init(&a->confirm, HANDSHAKE_ECHO_BYTES_MAX);
}

void handshake_answer_fini(struct handshake_answer *a)
{
	buf_fini(&a->lines);
	buf_fini(&a->body);
	buf_fini(&a->confirm);
}

/* ---- what a request says ---- */

static bool is_method(const struct handshake_request *r, const char *method)
{
	return slice_eq(r->method, slice_of(method));
}

/* The one line of that name; false: none, or several. */
static bool header(const struct handshake_request *r, const char *name, struct slice *ret_value)
{
	size_t count = 0;

	for (size_t i = 0; i < r->nheaders; i++)
		if (slice_eq_nocase(r->headers[i].name, slice_of(name))) {
			*ret_value = r->headers[i].value;
			count++;
		}
	return count == 1;
}

/* Text that may be sent back: not empty, within the cap, no controls. */
static bool is_echo(struct slice text)
{
	if (!text.len || text.len > HANDSHAKE_ECHO_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return false;
	return true;
}

/* A parameter of the query that may be sent back; then ret, which is fresh, is the caller's to fini. */
static bool param(const struct handshake_request *r, const char *name, struct buf *ret)
{
	buf_init(ret, HANDSHAKE_ECHO_BYTES_MAX);
	if (url_param(r->query, name, ret) && is_echo(buf_slice(ret)))
		return true;
	buf_fini(ret);
	return false;
}

static bool param_is(const struct handshake_request *r, const char *name, struct slice wanted)
{
	struct buf value;
	bool found = param(r, name, &value);
	bool same = found && value.len == wanted.len && CRYPTO_memcmp(value.ptr, wanted.ptr, wanted.len) == 0;

	buf_fini(&value);
	return same;
}

/* A string member of an object that may be sent back; "" else. It stands as long as the tree. */
static struct slice text_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);
	struct slice text = { json_string_value(value), json_string_length(value) };

	return is_echo(text) ? text : SLICE_NONE;
}

static bool text_is(const json_t *object, const char *name, const char *wanted)
{
	return slice_eq(text_of(object, name), slice_of(wanted));
}

/* ---- answers ---- */

static void answer_text(struct handshake_answer *a, struct slice text)
{
	a->status = 200;
	buf_puts(&a->lines, TEXT_PLAIN);
	buf_put_slice(&a->body, text);
}

struct member {
	const char  *name;
	struct slice text;
};

/* An object of strings. */
static void answer_json(struct handshake_answer *a, const struct member *members, size_t n)
{
	a->status = 200;
	buf_puts(&a->lines, JSON);
	for (size_t i = 0; i < n; i++) {
		buf_puts(&a->body, i ? ", " : "{");
		buf_json_string(&a->body, slice_of(members[i].name));
		buf_puts(&a->body, ": ");
		buf_json_string(&a->body, members[i].text);
	}
	buf_putc(&a->body, '}');
}

static void refuse(struct handshake_answer *a, int status)
{
	a->status = status;
	buf_puts(&a->lines, TEXT_PLAIN);
}

static void mac(const struct handshake_request *r, struct slice text, uint8_t ret_mac[SHA256_BYTES])
{
	struct slice key = r->nsecrets ? r->secrets[0] : SLICE_LIT("");
	unsigned int len = 0;
	uint8_t full[EVP_MAX_MD_SIZE];

	CHECK(key.len <= INT32_MAX);
	CHECK(HMAC(EVP_sha256(), key.len ? key.ptr : "", (int)key.len, (const uint8_t *)text.ptr, text.len, full,
	           &len) != NULL);
	CHECK(len == SHA256_BYTES);
	memcpy(ret_mac, full, SHA256_BYTES);
}

/* ---- by GET ---- */

/* developers.facebook.com, "Webhooks: Getting started". */
static bool meta(const struct handshake_request *r, struct handshake_answer *a)
{
	struct buf challenge;

	if (!param_is(r, "hub.mode", SLICE_LIT("subscribe")) || !param(r, "hub.challenge", &challenge))
		return false;
	if (r->token.len && param_is(r, "hub.verify_token", r->token))
		answer_text(a, buf_slice(&challenge));
	else
		refuse(a, 403);
	buf_fini(&challenge);
	return true;
}

/* W3C WebSub 5.3: 404 for what nobody here has asked for; a denial wants no echo. */
static bool websub(const struct handshake_request *r, struct handshake_answer *a)
{
	struct buf challenge;
	bool denied = param_is(r, "hub.mode", SLICE_LIT("denied"));
	bool ends = param_is(r, "hub.mode", SLICE_LIT("unsubscribe"));

	if (!denied && !ends && !param_is(r, "hub.mode", SLICE_LIT("subscribe")))
		return false;
	bool pending = r->token.len && param_is(r, "hub.topic", r->token) && !(ends && r->use == HANDSHAKE_STANDING);
	bool has_challenge = param(r, "hub.challenge", &challenge);

	if (pending && denied)
		answer_text(a, SLICE_NONE);
	else if (pending && has_challenge)
		answer_text(a, buf_slice(&challenge));
	else
		refuse(a, 404);
	buf_fini(&challenge);
	return true;
}

static bool dropbox(const struct handshake_request *r, struct handshake_answer *a)
{
	struct buf challenge;

	if (!param(r, "challenge", &challenge))
		return false;
	answer_text(a, buf_slice(&challenge));
	buf_fini(&challenge);
	return true;
}

/* The answer to the check is what signs a delivery of the same text: whoever may choose the text has his
 * JSON signed. X's own are base64 or UUIDs, and no text of these characters is an object, a list or a form. */
static bool is_crc_token(struct slice text)
{
	while (text.len && text.ptr[text.len - 1] == '=')
		text.len--;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!alnum && !strchr("-._~+/", c))
			return false;
	}
	return text.len > 0;
}

/* docs.x.com, "Securing webhooks": the challenge-response check. */
static bool x(const struct handshake_request *r, struct handshake_answer *a)
{
	uint8_t bytes[SHA256_BYTES];
	struct buf crc;
	struct buf token;

	if (!r->nsecrets || !param(r, "crc_token", &crc))
		return false;
	if (!is_crc_token(buf_slice(&crc))) {
		buf_fini(&crc);
		return false;
	}
	buf_init(&token, SIZE_MAX);
	mac(r, buf_slice(&crc), bytes);
	buf_puts(&token, "sha256=");
	codec_put_base64(&token, bytes, sizeof bytes);
	answer_json(a, &(struct member){ "response_token", buf_slice(&token) }, 1);
	buf_fini(&token);
	buf_fini(&crc);
	return true;
}

static bool okta(const struct handshake_request *r, struct handshake_answer *a)
{
	struct slice challenge;

	if (!header(r, "x-okta-verification-challenge", &challenge) || !is_echo(challenge))
		return false;
	answer_json(a, &(struct member){ "verification", challenge }, 1);
	return true;
}

/* ---- by POST and OPTIONS ---- */

static bool graph(const struct handshake_request *r, struct handshake_answer *a)
{
	struct buf token;

	if (r->body.len || !param(r, "validationToken", &token))
		return false;
	answer_text(a, buf_slice(&token));
	buf_fini(&token);
	return true;
}

/* CloudEvents HTTP 1.1 Web Hooks 4.1. The origin that is let in is ours to name, so nothing of theirs
 * reaches a header line. */
static bool cloudevents(const struct handshake_request *r, struct handshake_answer *a)
{
	struct slice origin;
	struct slice rate;

	if (!header(r, "webhook-request-origin", &origin))
		return false;
	if (r->token.len && !slice_eq_nocase(origin, r->token)) {
		refuse(a, 403);
		return true;
	}
	a->status = 200;
	buf_puts(&a->lines, "Allow: POST\r\nWebHook-Allowed-Origin: ");
	if (r->token.len)
		buf_put_slice(&a->lines, r->token);
	else
		buf_putc(&a->lines, '*');
	buf_puts(&a->lines, "\r\n");
	if (header(r, "webhook-request-rate", &rate))
		buf_puts(&a->lines, "WebHook-Allowed-Rate: *\r\n");
	return true;
}

static bool eventgrid(const struct handshake_request *r, const json_t *body, struct handshake_answer *a)
{
	struct slice type;
	struct slice code = text_of(json_object_get(json_array_get(body, 0), "data"), "validationCode");

	if (!header(r, "aeg-event-type", &type) || !slice_eq_nocase(type, SLICE_LIT("SubscriptionValidation")) || !code.len)
		return false;
	answer_json(a, &(struct member){ "validationResponse", code }, 1);
	return true;
}

/* A subscription is confirmed by a GET; the confirmation that it has ended looks alike, and a GET would
 * bring it back. */
static bool sns(const json_t *body, struct handshake_answer *a)
{
	bool begins = text_is(body, "Type", "SubscriptionConfirmation");
	struct slice url = text_of(body, "SubscribeURL");

	if (!begins && !text_is(body, "Type", "UnsubscribeConfirmation"))
		return false;
	answer_text(a, SLICE_NONE);
	if (begins && scheme_is_sns_url(url))
		buf_put_slice(&a->confirm, url);
	return true;
}

/* developers.zoom.us, "Validate your webhook endpoint". */
static bool zoom(const struct handshake_request *r, const json_t *body, struct handshake_answer *a)
{
	struct slice plain = text_of(json_object_get(body, "payload"), "plainToken");
	uint8_t bytes[SHA256_BYTES];
	struct buf hex;

	if (!text_is(body, "event", "endpoint.url_validation") || !plain.len || !r->nsecrets)
		return false;
	buf_init(&hex, SIZE_MAX);
	mac(r, plain, bytes);
	codec_put_hex(&hex, bytes, sizeof bytes);
	answer_json(a, (struct member[]){ { "plainToken", plain }, { "encryptedToken", buf_slice(&hex) } }, 2);
	buf_fini(&hex);
	return true;
}

static bool slack(const json_t *body, struct handshake_answer *a)
{
	struct slice challenge = text_of(body, "challenge");

	if (!text_is(body, "type", "url_verification") || !challenge.len)
		return false;
	answer_text(a, challenge);
	return true;
}

static bool discord(const json_t *body, struct handshake_answer *a)
{
	const json_t *type = json_object_get(body, "type");

	if (!json_is_integer(type) || json_integer_value(type) != 1)
		return false;
	a->status = 200;
	buf_puts(&a->lines, JSON);
	buf_puts(&a->body, "{\"type\": 1}");
	return true;
}

static bool twitch(const struct handshake_request *r, const json_t *body, struct handshake_answer *a)
{
	struct slice type;
	struct slice challenge = text_of(body, "challenge");

	if (!header(r, "twitch-eventsub-message-type", &type)
	    || !slice_eq(type, SLICE_LIT("webhook_callback_verification")) || !challenge.len)
		return false;
	answer_text(a, challenge);
	return true;
}

static bool by_get(enum handshake kind, const struct handshake_request *r, struct handshake_answer *a)
{
	switch (kind) {
	case HANDSHAKE_META: return meta(r, a);
	case HANDSHAKE_WEBSUB: return websub(r, a);
	case HANDSHAKE_DROPBOX: return dropbox(r, a);
	case HANDSHAKE_X: return x(r, a);
	case HANDSHAKE_OKTA: return okta(r, a);
	case HANDSHAKE_PROBE: answer_text(a, SLICE_NONE); return true;
	case HANDSHAKE_NONE: case HANDSHAKE_SLACK: case HANDSHAKE_GRAPH: case HANDSHAKE_CLOUDEVENTS:
	case HANDSHAKE_EVENTGRID: case HANDSHAKE_SNS: case HANDSHAKE_ZOOM: case HANDSHAKE_DISCORD:
	case HANDSHAKE_TWITCH: return false;
	}
	return false;
}

static bool by_post(enum handshake kind, const struct handshake_request *r, struct handshake_answer *a)
{
	json_t *body = r->body.len ? template_read_value(r->body, NULL) : NULL;
	bool is = false;

	switch (kind) {
	case HANDSHAKE_SLACK: is = slack(body, a); break;
	case HANDSHAKE_GRAPH: is = graph(r, a); break;
	case HANDSHAKE_EVENTGRID: is = eventgrid(r, body, a); break;
	case HANDSHAKE_SNS: is = sns(body, a); break;
	case HANDSHAKE_ZOOM: is = zoom(r, body, a); break;
	case HANDSHAKE_DISCORD: is = discord(body, a); break;
	case HANDSHAKE_TWITCH: is = twitch(r, body, a); break;
	case HANDSHAKE_NONE: case HANDSHAKE_META: case HANDSHAKE_WEBSUB: case HANDSHAKE_CLOUDEVENTS:
	case HANDSHAKE_DROPBOX: case HANDSHAKE_X: case HANDSHAKE_OKTA: case HANDSHAKE_PROBE: break;
	}
	json_decref(body);
	return is;
}

/* Of a hook that is closed nobody has anything to ask but a hub whether it may stop. */
static bool is_over(enum handshake kind, const struct handshake_request *r)
{
	return r->use == HANDSHAKE_OVER
	       && !(kind == HANDSHAKE_WEBSUB && param_is(r, "hub.mode", SLICE_LIT("unsubscribe")));
}

enum handshake_verdict handshake_judge(enum handshake kind, const struct handshake_request *r,
                                       struct handshake_answer *ret)
{
	bool is = false;

	if (is_over(kind, r))
		return HANDSHAKE_NOT;
	if (is_method(r, "POST"))
		is = by_post(kind, r, ret);
	else if (is_method(r, "GET") || is_method(r, "HEAD"))
		is = by_get(kind, r, ret);
	else if (is_method(r, "OPTIONS") && kind == HANDSHAKE_CLOUDEVENTS)
		is = cloudevents(r, ret);
	return is ? HANDSHAKE_ANSWERED : HANDSHAKE_NOT;
}
