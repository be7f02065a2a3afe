/* api_call.c - fish_post, fish_send, fish_call: what goes out to partners.
 *
 * Invariant: the idempotency key hashes flow, epoch, step, label and bytes, so that one key never
 * names two effects; a replay makes the same key. Surprise: a peer's URL, token and secret stay out
 * of it, so that a partner may move and a secret may be rotated under a waiting flow. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"
#include "wire/http1.h"
#include "wire/url.h"

#include <stdarg.h>
#include <string.h>

struct ask {
	const char      *verb;        /* the public function, for misuse */
	const fish_peer *to;
	const char      *method, *path;
	struct slice     headers, body;
	enum step_kind   kind;
};

static const char *key_text(struct run *r, const struct ask *a, const char *label)
{
	struct flow *f = r->flow;
	uint32_t place[2] = { rule_off(r->engine, RULE_EPOCH_IN_KEY) ? 0 : r->epoch, run_index(r) };
	struct slice parts[] = {
		SLICE_LIT("call"),
		{ (const char *)f->id.b, sizeof f->id.b },
		{ (const char *)place, sizeof place },
		slice_of(label), slice_of(a->method), a->headers, a->body,
	};
	struct id key = hash128(parts, sizeof parts / sizeof *parts);
	char *text = arena_alloc(&r->arena, ID_TEXT_SIZE);

	id_text(&key, text);
	return text;
}

static bool plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

/* Is "." or ".." a part of the path? A text from outside could so reach what was not meant. */
static bool climbs(const char *path)
{
	for (const char *part = path; *part && *part != '?';) {
		size_t len = strcspn(part, "/?");
		size_t dots = strspn(part, ".");

		if (len && dots == len && len <= 2)
			return true;
		part += len + (part[len] == '/');
	}
	return false;
}

static void check_ask(struct run *r, const struct ask *a)
{
	if (!a->to || !a->to->name || !*a->to->name)
		run_misuse(r, "%s: the peer has no name", a->verb);
	struct url url;
	struct err err;

	if (url_parse_base(slice_of(a->to->url), &url, &err) < 0)
		run_misuse(r, "%s: peer \"%s\": %s", a->verb, a->to->name, err.text);
	if (a->to->token && !plain(a->to->token))
		run_misuse(r, "%s: the token of peer \"%s\" has blanks or control characters", a->verb, a->to->name);
	if (a->to->secret && !call_secret_ok(a->to->secret))
		run_misuse(r, "%s: the secret of peer \"%s\" is too long, or no base64 behind \"whsec_\"", a->verb,
		           a->to->name);
	if (!a->path || (*a->path && *a->path != '/') || !plain(a->path))
		run_misuse(r, "%s to peer \"%s\": the path must begin with '/' and hold no blanks, not \"%s\"",
		           a->verb, a->to->name, a->path ? a->path : "(null)");
	if (climbs(a->path))
		run_misuse(r, "%s to peer \"%s\": a path with \".\" or \"..\" as a part may leave the peer's URL: \"%s\"",
		           a->verb, a->to->name, a->path);
	if (!*a->method || !plain(a->method))
		run_misuse(r, "%s to peer \"%s\": \"%s\" is no method", a->verb, a->to->name, a->method);
}

static void let_out_later(struct run *r, struct call *c)
{
	r->effects = true;
	if (rule_off(r->engine, RULE_EFFECTS_AFTER_COMMIT))
		call_let_out(c);
	else
		call_gather(c);
}

/* Begins the step and sees to it that the call is under way, was answered, or will be let out. */
static fish_hook *ask(struct run *r, struct ask *a)
{
	struct buf text;

	/* The program's own peers were expanded at the start. */
	a->to = a->to ? engine_peer(r->engine, a->to) : NULL;
	check_ask(r, a);
	buf_init(&text, SIZE_MAX);
	buf_printf(&text, "%s %s", a->to->name, a->path);
	const char *label = arena_dup(&r->arena, buf_slice(&text));
	uint64_t content = hash64(HASH64_SEED, slice_of(a->method));

	buf_fini(&text);
	content = hash64(hash64(content, a->headers), a->body);
	if (rule_off(r->engine, RULE_DIGEST_BODY))
		content = 0;
	run_step(r, &(struct step){ .kind = a->kind, .label = label, .content = content });

	uint32_t step = run_index(r);
	struct inbox *in = run_inbox(r, SOURCE_CALL, step);
	struct call_request q = {
		.to = a->to, .method = a->method, .path = slice_of(a->path),
		.headers = a->headers, .body = a->body, .key = key_text(r, a, label), .label = label,
		.epoch = r->epoch, .step = step, .asked_ms = run_reached(r),
	};

	in->asked = true;
	if (!in->received) {
		r->doubt++;
		if (run_recorded(r))
			run_hold(r, &q);
		else
			let_out_later(r, call_new(r->flow, &q));
	}
	return run_hook_new(r, SOURCE_CALL, step, label);
}

static const fish_msg *answer(struct run *r, fish_hook *h)
{
	struct inbox *in = run_inbox(r, SOURCE_CALL, h->number);

	while (!in->first)
		run_block(r);
	struct msg *m = run_take(r, in);

	h->closed = true;
	m->pub.hook = h;
	run_step_end(r);
	return &m->pub;
}

__attribute__((format(printf, 6, 0)))
static fish_hook *ask_json(struct run *r, enum step_kind kind, const char *verb, const fish_peer *to,
                           const char *path, const char *json, va_list ap)
{
	struct ask a = {
		.verb = verb, .to = to, .method = "POST", .path = path, .kind = kind,
		.headers = SLICE_LIT("Content-Type: application/json\n"),
		.body = run_template(r, verb, json, ap),
	};

	return ask(r, &a);
}

const fish_msg *fish_post(fish_flow *f, const fish_peer *to, const char *path, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	va_start(ap, json);
	fish_hook *h = ask_json(r, STEP_POST, "fish_post", to, path, json, ap);

	va_end(ap);
	return answer(r, h);
}

fish_hook *fish_send(fish_flow *f, const fish_peer *to, const char *path, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	va_start(ap, json);
	fish_hook *h = ask_json(r, STEP_SEND, "fish_send", to, path, json, ap);

	va_end(ap);
	run_step_end(r);
	return h;
}

/* "Name: value", its name as long as told. */
static bool is_field(const char *line, size_t name_len)
{
	struct slice text = slice_of(line);

	return name_len > 0 && name_len < text.len && http1_token_len(text) == name_len
	       && http1_value_ok((struct slice){ line + name_len, text.len - name_len });
}

static bool is_one_of(struct slice name, const char *const *names)
{
	for (; *names; names++)
		if (slice_eq_nocase(name, slice_of(*names)))
			return true;
	return false;
}

/* Who else writes a header of that name; NULL: nobody. Two of them would leave the choice to the partner. */
static const char *header_owner(struct slice name, const fish_peer *to)
{
	static const char *const key[] = { "Idempotency-Key", NULL };
	static const char *const carriage[] = {
		"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection", "TE", "Trailer",
		"Transfer-Encoding", "Upgrade", NULL };
	static const char *const token[] = { "Authorization", NULL };
	static const char *const signature[] = { "webhook-id", "webhook-timestamp", "webhook-signature", NULL };

	if (is_one_of(name, key))
		return "Fish gives each call a key of its own (one key never names two calls)";
	if (is_one_of(name, carriage))
		return "it says how the call is carried, and Fish writes it";
	if (to && to->token && *to->token && is_one_of(name, token))
		return "the peer has a token, which is sent in it";
	if (to && to->secret && *to->secret && is_one_of(name, signature))
		return "the peer has a secret, and the call is signed in it";
	return NULL;
}

static void check_headers(struct run *r, const char *verb, const fish_request *q)
{
	const fish_peer *to = q->to ? engine_peer(r->engine, q->to) : NULL;

	for (const char *const *h = q->headers; h && *h; h++) {
		struct slice name = { *h, strcspn(*h, ":") };

		if (!is_field(*h, name.len))
			run_misuse(r, "%s: \"%.80s\" is no header line \"Name: value\"", verb, *h);
		const char *owner = header_owner(name, to);

		if (owner)
			run_misuse(r, "%s: the header \"%.80s\" cannot be given: %s", verb, *h, owner);
	}
}

static struct slice header_lines(struct run *r, const char *verb, const fish_request *q)
{
	struct buf lines;

	check_headers(r, verb, q);      /* leaves no buffer behind when it does not return */
	buf_init(&lines, META_BYTES_MAX);
	for (const char *const *h = q->headers; h && *h; h++) {
		buf_puts(&lines, *h);
		buf_putc(&lines, '\n');
	}
	bool failed = buf_failed(&lines);
	struct slice s = { arena_dup(&r->arena, buf_slice(&lines)), lines.len };

	buf_fini(&lines);
	if (failed)
		run_misuse(r, "%s: more than %d bytes of headers", verb, META_BYTES_MAX);
	return s;
}

static fish_hook *ask_request(struct run *r, enum step_kind kind, const char *verb, const fish_request *q)
{
	if (!q || (q->len && !q->body))
		run_misuse(r, "%s: the %s is NULL", verb, q ? "body" : "request");
	struct ask a = {
		.verb = verb, .to = q->to, .method = q->method ? q->method : "POST",
		.path = q->path ? q->path : "", .headers = header_lines(r, verb, q),
		.body = { q->body, q->len }, .kind = kind,
	};

	return ask(r, &a);
}

const fish_msg *fish_call(fish_flow *f, const fish_request *q)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	return answer(r, ask_request(r, STEP_POST, "fish_call", q));
}

fish_hook *fish_send_with(fish_flow *f, const fish_request *q)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	fish_hook *h = ask_request(r, STEP_SEND, "fish_send_with", q);

	run_step_end(r);
	return h;
}
