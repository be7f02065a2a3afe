/* sender.c - is it from whom it says, and has it been here before?
 *
 * The order: a check of the URL that nobody signs, the signature, one that is signed, the method, the id.
 * Surprise: the key of a repetition names the sender too, so that what an unsigned request calls itself
 * never meets what a signed one did. */
#include "engine/sender.h"

#include "base/hash.h"
#include "wire/json.h"
#include "wire/template.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_dup(const char *text)
{
	return xstrndup(text ? text : "", text ? strlen(text) : 0);
}

/* ---- making ready ---- */

static int take_scheme(struct sender *s, const fish_sender *f, struct err *err)
{
	struct err why = { .code = 0 };

	if (!f->scheme || !*f->scheme)
		return 0;
	if (scheme_new(slice_of(f->scheme), &s->scheme, &why) < 0)
		return err_set(err, FISH_EINVAL, "sender '%.60s': its scheme: %.160s", f->name, why.text);
	return 0;
}

static int take_secrets(struct sender *s, const fish_sender *f, struct err *err)
{
	struct err why = { .code = 0 };

	for (size_t i = 0; f->secrets && f->secrets[i]; i++) {
		struct slice secret = slice_of(f->secrets[i]);

		if (i == SCHEME_SECRETS_MAX)
			return err_set(err, FISH_EINVAL, "sender '%.60s' has more than %d secrets", f->name,
			               SCHEME_SECRETS_MAX);
		if (s->scheme && scheme_check_secret(s->scheme, secret, &why) < 0)
			return err_set(err, FISH_EINVAL, "sender '%.60s': its secret %zu: %.120s", f->name, i + 1, why.text);
		s->secrets[s->nsecrets++] = (struct slice){ xstrndup(secret.ptr, secret.len), secret.len };
	}
	if (s->scheme && !s->nsecrets && !scheme_needs_certificate(s->scheme))
		return err_set(err, FISH_EINVAL, "sender '%.60s' signs by \"%.60s\" and has no secret: give it one in .secrets",
		               f->name, f->scheme);
	return 0;
}

static int take_handshake(struct sender *s, const fish_sender *f, struct err *err)
{
	/* A scheme of the same name as a check is by the same sender. */
	if (!f->handshake && s->scheme)
		(void)handshake_of(slice_of(scheme_name(s->scheme)), &s->handshake);
	if (f->handshake && handshake_of(slice_of(f->handshake), &s->handshake) < 0)
		return err_set(err, FISH_EINVAL, "sender '%.60s': there is no handshake \"%.60s\"", f->name, f->handshake);
	if (handshake_signed(s->handshake) && !s->scheme)
		return err_set(err, FISH_EINVAL, "sender '%.60s': the handshake \"%s\" is signed: give it a .scheme", f->name,
		               handshake_name(s->handshake));
	return 0;
}

static int take_id(struct sender *s, const fish_sender *f, struct err *err)
{
	struct slice id = slice_of(f->id);

	s->id = text_dup(f->id);
	if (!id.len)
		return 0;
	if (slice_eq(id, SLICE_LIT("body"))) {
		s->id_from = SENDER_ID_BODY;
		return 0;
	}
	s->id_from = id.ptr[0] == '/' ? SENDER_ID_POINTER : SENDER_ID_HEADER;
	if (s->id_from == SENDER_ID_HEADER && http1_token_len(id) < id.len)
		return err_set(err, FISH_EINVAL,
		               "sender '%.60s': its id '%.80s' is neither a header's name nor a JSON Pointer (\"/id\") nor \"body\"",
		               f->name, f->id);
	return 0;
}

static int take(struct senders *all, const fish_sender *f, struct err *err)
{
	if (!f->name || !*f->name || strlen(f->name) > NAME_BYTES_MAX)
		return err_set(err, FISH_EINVAL, "sender \"%.60s\": a name has 1 to %d bytes", f->name ? f->name : "",
		               NAME_BYTES_MAX);
	if (senders_find(all, slice_of(f->name)))
		return err_set(err, FISH_EINVAL, "two senders of the program's list are named '%.60s'", f->name);
	struct sender *s = &all->all[all->n++];

	s->name = text_dup(f->name);
	s->token = text_dup(f->token);
	s->certificate = text_dup(f->certificate);
	s->tolerance_ms = f->tolerance_ms < 0 ? SCHEME_TOLERANCE_NONE : f->tolerance_ms;
	int rc = take_scheme(s, f, err);

	rc = rc < 0 ? rc : take_secrets(s, f, err);
	rc = rc < 0 ? rc : take_handshake(s, f, err);
	return rc < 0 ? rc : take_id(s, f, err);
}

int senders_init(struct senders *ret, const fish_sender *list, size_t n, struct err *err)
{
	*ret = (struct senders){ .all = n ? xalloc(n * sizeof *ret->all) : NULL };
	for (size_t i = 0; i < n; i++) {
		int rc = take(ret, &list[i], err);

		if (rc < 0) {
			senders_fini(ret);
			return rc;
		}
	}
	return 0;
}

static void sender_fini(struct sender *s)
{
	for (size_t i = 0; i < s->nsecrets; i++) {
		explicit_bzero((char *)s->secrets[i].ptr, s->secrets[i].len);
		free((char *)s->secrets[i].ptr);
	}
	scheme_free(s->scheme);
	free(s->name);
	free(s->token);
	free(s->certificate);
	free(s->id);
}

void senders_fini(struct senders *s)
{
	for (size_t i = 0; i < s->n; i++)
		sender_fini(&s->all[i]);
	free(s->all);
	*s = (struct senders){ .n = 0 };
}

const struct sender *senders_find(const struct senders *s, struct slice name)
{
	for (size_t i = 0; i < s->n; i++)
		if (slice_eq(slice_of(s->all[i].name), name))
			return &s->all[i];
	return NULL;
}

/* ---- judging ---- */

static bool asks(const struct sender *s, const struct sender_request *q, struct handshake_answer *answer)
{
	return handshake_judge(s->handshake, &(struct handshake_request){
		.method = q->r.method, .query = q->query, .headers = q->r.headers, .nheaders = q->r.nheaders,
		.body = q->r.body, .secrets = s->secrets, .nsecrets = s->nsecrets, .token = slice_of(s->token), .use = q->use,
	}, answer) == HANDSHAKE_ANSWERED;
}

/* The one line of that name; none, or several, is none. */
static struct slice header_of(const struct sender_request *q, const char *name)
{
	struct slice value = SLICE_NONE;
	size_t count = 0;

	for (size_t i = 0; i < q->r.nheaders; i++)
		if (slice_eq_nocase(q->r.headers[i].name, slice_of(name))) {
			value = q->r.headers[i].value;
			count++;
		}
	return count == 1 ? value : SLICE_NONE;
}

static void key_set(const struct sender *s, struct sender_told *ret, const char *kind, struct slice id, struct slice body)
{
	struct slice parts[] = { slice_of(kind), slice_of(s->name), id, body };

	ret->has_key = id.len > 0;
	if (ret->has_key)
		ret->key = hash128(parts, sizeof parts / sizeof *parts);
}

/* A text, or a whole number as it is printed. */
static void key_of_body(const struct sender *s, struct slice body, struct sender_told *ret)
{
	json_t *json = template_read_value(body, NULL);
	const json_t *at = json_at(json, s->id);
	char number[32];

	if (json_is_string(at))
		key_set(s, ret, "id", (struct slice){ json_string_value(at), json_string_length(at) }, SLICE_NONE);
	else if (json_is_integer(at)) {
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(at));
		key_set(s, ret, "id", slice_of(number), SLICE_NONE);
	}
	json_decref(json);
}

/* A header that nobody signed is no more than a hint: who replays an old request could put the id of the
 * next one there, and that one would never arrive. So the signed body counts with it. */
static struct slice signed_body(const struct sender *s, const struct sender_request *q, const struct scheme_result *told)
{
	return s->scheme && !(told && told->id_from == SCHEME_ID_SIGNED) ? q->r.body : SLICE_NONE;
}

static void key_find(const struct sender *s, const struct sender_request *q, const struct scheme_result *told,
                     struct sender_told *ret)
{
	ret->has_key = false;
	switch (s->id_from) {
	case SENDER_ID_OWN:
		key_set(s, ret, "id", told->id_len ? (struct slice){ told->id, told->id_len } : q->message_id,
		        signed_body(s, q, told));
		break;
	case SENDER_ID_HEADER: key_set(s, ret, "id", header_of(q, s->id), signed_body(s, q, NULL)); break;
	case SENDER_ID_POINTER: key_of_body(s, q->r.body, ret); break;
	case SENDER_ID_BODY: key_set(s, ret, "body", q->r.body, SLICE_NONE); break;
	}
}

static bool is_delivery(struct slice method)
{
	return slice_eq(method, SLICE_LIT("POST")) || slice_eq(method, SLICE_LIT("PUT"));
}

/* Which certificate a request names is not proved by anything but its host. False: it is not there yet. */
static bool certificate_take(const struct sender *s, struct sender_request *q, const struct sender_fetch *fetch)
{
	struct scheme_result told = { .verdict = SCHEME_VALID };
	struct buf url;

	q->r.certificate = slice_of(s->certificate);
	if (!s->scheme || !scheme_needs_certificate(s->scheme) || q->r.certificate.len || !fetch->certificate)
		return true;
	buf_init(&url, SIZE_MAX);
	bool there = scheme_certificate_url(s->scheme, &q->r, &url, &told) != SCHEME_VALID    /* it will be refused */
	             || fetch->certificate(fetch->owner, buf_slice(&url), &q->r.certificate);

	buf_fini(&url);
	return there;
}

enum sender_verdict sender_judge(const struct sender *s, struct sender_request *q, const struct sender_fetch *fetch,
                                 struct sender_told *ret, struct handshake_answer *answer)
{
	struct scheme_result told = { .verdict = SCHEME_VALID };
	bool is_signed = handshake_signed(s->handshake);

	ret->has_key = false;
	ret->why[0] = '\0';
	q->r.secrets = s->secrets;
	q->r.nsecrets = s->nsecrets;
	q->r.tolerance_ms = s->tolerance_ms;
	q->r.topic = slice_of(s->token);
	if (!is_signed && asks(s, q, answer))
		return SENDER_ASKS;
	if (!is_delivery(q->r.method))
		return SENDER_METHOD;
	if (!certificate_take(s, q, fetch))
		return SENDER_WAITS;
	if (s->scheme && scheme_verify(s->scheme, &q->r, &told) != SCHEME_VALID) {
		snprintf(ret->why, sizeof ret->why, "%s: %s", scheme_verdict_name(told.verdict), told.why);
		return SENDER_FORGED;
	}
	if (is_signed && asks(s, q, answer))
		return SENDER_ASKS;
	key_find(s, q, &told, ret);
	return SENDER_DELIVERS;
}

void sender_key(const struct sender *s, struct sender_request *q, struct sender_told *ret)
{
	struct scheme_result told = { .verdict = SCHEME_NO_MATCH };

	if (s->scheme)
		scheme_told_id(s->scheme, &q->r, &told);
	ret->why[0] = '\0';
	key_find(s, q, &told, ret);
}

/* ---- telling ---- */

static bool holds(struct slice name, const char *word)
{
	size_t len = strlen(word);

	for (size_t at = 0; at + len <= name.len; at++)
		if (slice_eq_nocase((struct slice){ name.ptr + at, len }, slice_of(word)))
			return true;
	return false;
}

bool senders_hide(const struct senders *s, struct slice header)
{
	/* Tokens stand in queries too. */
	static const char *const words[] = {
		":query", "auth", "cookie", "sig", "hmac", "token", "secret", "passw", "credential", "api-key", "apikey", NULL };

	for (const char *const *word = words; *word; word++)
		if (holds(header, *word))
			return true;
	for (size_t i = 0; i < s->n; i++)
		if (s->all[i].scheme && scheme_signs_in(s->all[i].scheme, header))
			return true;
	return false;
}
