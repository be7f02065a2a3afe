/* gate.c - a request to a hook that names its sender: a delivery, a question, or a forgery.
 *
 * It is judged by what the program says of the sender today, and nothing of it is recorded before.
 * Surprise: the URL that some senders sign is the configured one; what the request calls itself (Host,
 * Forwarded) is never asked. */
#include "engine/world.h"
#include "wire/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GATE_FIELDS_MAX = 256 };

/* A request as a sender's scheme wants to see it. Borrows from the delivery. */
struct gate_view {
	struct sender_request q;
	struct http1_field    fields[GATE_FIELDS_MAX];
	struct buf            url;
	char                  length[24];
};

static void field_add(struct gate_view *v, struct slice name, struct slice value)
{
	if (v->q.r.nheaders < GATE_FIELDS_MAX)
		v->fields[v->q.r.nheaders++] = (struct http1_field){ name, value };
}

/* Empty: it is none. What the door has put there begins with a colon. */
static struct slice name_of(struct slice line)
{
	const char *colon = line.len ? memchr(line.ptr + 1, ':', line.len - 1) : NULL;

	return colon ? (struct slice){ line.ptr, (size_t)(colon - line.ptr) } : SLICE_NONE;
}

/* One line of the meta: a header, or what the door has put there. */
static void line_take(struct gate_view *v, struct slice line)
{
	struct slice name = name_of(line);

	if (!name.len)
		return;
	struct slice value = { name.ptr + name.len + 2, line.len - name.len - 2 };

	if (slice_eq(name, SLICE_LIT(":query")))
		v->q.query = value;
	else if (name.ptr[0] != ':')
		field_add(v, name, value);
}

/* Cuts the next line off, without its end. */
static bool line_next(struct slice *meta, struct slice *ret_line)
{
	const char *eol = meta->len ? memchr(meta->ptr, '\n', meta->len) : NULL;
	size_t len = eol ? (size_t)(eol - meta->ptr) : meta->len;

	if (!meta->len)
		return false;
	*ret_line = (struct slice){ meta->ptr, len };
	meta->ptr += len + (eol != NULL);
	meta->len -= len + (eol != NULL);
	return true;
}

static void meta_take(struct gate_view *v, struct slice meta)
{
	struct slice line;

	while (line_next(&meta, &line))
		line_take(v, line);
}

/* A secret that a sender sends along has done its work: it goes into no journal. */
static void secrets_drop(struct delivery *d, const struct sender *s)
{
	struct slice header = s->scheme ? scheme_secret_header(s->scheme) : SLICE_NONE;
	struct slice rest = d->meta;
	struct slice line;
	struct buf kept;

	if (!header.len)
		return;
	buf_init(&kept, SIZE_MAX);
	while (line_next(&rest, &line)) {
		if (slice_eq_nocase(name_of(line), header))
			continue;
		buf_put_slice(&kept, line);
		buf_putc(&kept, '\n');
	}
	size_t len = kept.len;

	free(d->meta_owned);
	d->meta_owned = buf_take(&kept);
	d->meta = (struct slice){ d->meta_owned, len };
}

/* What the door leaves out of the meta and a signature may cover all the same. */
static void left_out_add(struct gate_view *v, struct slice base_url)
{
	struct url url = { .host = SLICE_NONE };

	snprintf(v->length, sizeof v->length, "%zu", v->q.r.body.len);
	field_add(v, SLICE_LIT("content-length"), slice_of(v->length));
	if (url_parse_base(base_url, &url, NULL) < 0)
		return;
	const char *end = url.port.len ? url.port.ptr + url.port.len : url.host.ptr + url.host.len;

	field_add(v, SLICE_LIT("host"), (struct slice){ url.host.ptr, (size_t)(end - url.host.ptr) });
}

static void view_init(struct gate_view *v, const struct delivery *d, struct slice base_url)
{
	v->q = (struct sender_request){
		.r = { .method = d->method, .body = d->body, .headers = v->fields, .now_ms = d->engine->now_ms },
		.message_id = d->message_id };
	buf_init(&v->url, SIZE_MAX);
	meta_take(v, d->meta);
	left_out_add(v, base_url);
	buf_put_slice(&v->url, base_url);
	buf_puts(&v->url, d->door.len ? "/in/" : "/h/");
	buf_put_slice(&v->url, d->door.len ? d->door : d->token);
	if (v->q.query.len) {
		buf_putc(&v->url, '?');
		buf_put_slice(&v->url, v->q.query);
	}
	v->q.r.url = buf_slice(&v->url);
}

/* The answer to a question leaves at once: nothing is recorded that it could wait for. */
static void tell(struct delivery *d, struct handshake_answer *a)
{
	const struct seams *s = &d->engine->config.seams;

	if (a->confirm.len && s->confirm)
		s->confirm(s->owner, buf_slice(&a->confirm));
	delivery_note(d, FATE_QUESTION, a->status, NULL);
	delivery_answer_give(d, &a->lines, &a->body);
	delivery_tell(d, a->status);
}

static struct sender_fetch fetch_of(const struct engine *e)
{
	return (struct sender_fetch){ e->config.seams.owner, e->config.seams.certificate };
}

bool gate_tells(struct engine *e)
{
	int64_t minute = e->now_ms / FISH_MINUTE;

	if (minute != e->refusals.minute) {
		if (e->refusals.more)
			engine_log(e, "door.flood.over", "more=%llu", (unsigned long long)e->refusals.more);
		e->refusals.minute = minute;
		e->refusals.lines = e->refusals.more = 0;
	}
	if (e->refusals.lines < GATE_LINES_MAX) {
		e->refusals.lines++;
		return true;
	}
	if (!e->refusals.more++)
		engine_log(e, "door.flood", "lines=%d why=\"more refusals in this minute are only counted\"", GATE_LINES_MAX);
	return false;
}

/* For the operator alone. */
static void tell_refused(struct delivery *d, const struct sender *s, const char *why)
{
	char flow[ID_TEXT_SIZE];

	if (!gate_tells(d->engine))
		return;
	if (d->door.len) {
		engine_log(d->engine, "door.refused", "door=%.*s number=%llu sender=%s why=\"%s\"", (int)d->door.len,
		           d->door.ptr, (unsigned long long)d->number, s->name, why);
		return;
	}
	id_text(&d->flow, flow);
	engine_log(d->engine, "hook.refused", "flow=%s hook=%u number=%llu sender=%s why=\"%s\"", flow, d->hook,
	           (unsigned long long)d->number, s->name, why);
}

static const char no_method[] = "the method delivers nothing here";

/* A person vouches for it: what is left to ask is by which id it would be known. */
static void key_take(struct delivery *d, struct slice base_url, const struct sender *s)
{
	struct gate_view v;
	struct sender_told told;

	view_init(&v, d, base_url);
	sender_key(s, &v.q, &told);
	d->has_key = told.has_key;
	d->key = told.key;
	buf_fini(&v.url);
	secrets_drop(d, s);
}

static bool judge(struct delivery *d, struct slice base_url, const struct sender *s, enum handshake_use use)
{
	struct gate_view v;
	struct sender_told told;
	struct handshake_answer a;

	view_init(&v, d, base_url);
	v.q.use = use;
	handshake_answer_init(&a);
	struct sender_fetch fetch = fetch_of(d->engine);
	enum sender_verdict verdict = sender_judge(s, &v.q, &fetch, &told, &a);

	d->has_key = told.has_key;
	d->key = told.key;
	switch (verdict) {
	case SENDER_DELIVERS: secrets_drop(d, s); break;
	case SENDER_ASKS: tell(d, &a); break;
	case SENDER_FORGED:
		tell_refused(d, s, told.why);
		delivery_refuse(d, 401, told.why);
		break;
	case SENDER_METHOD:
		if (use == HANDSHAKE_OVER)
			verdict = SENDER_DELIVERS;           /* too late, and hears that */
		else
			delivery_refuse(d, 405, no_method);
		break;
	case SENDER_WAITS: delivery_refuse(d, 503, "the certificate that it names is being fetched"); break;
	}
	handshake_answer_fini(&a);
	buf_fini(&v.url);
	return verdict == SENDER_DELIVERS;
}

/* Whose sender is not known can only deliver. */
static bool is_delivery(struct delivery *d)
{
	if (slice_eq(d->method, SLICE_LIT("POST")) || slice_eq(d->method, SLICE_LIT("PUT")))
		return true;
	delivery_refuse(d, 405, no_method);
	return false;
}

bool gate_pass(struct delivery *d, const struct flow *f, const struct hook *h)
{
	const struct sender *s = senders_find(&d->engine->senders, h->options.from);

	if (h->options.body_max && d->body.len > h->options.body_max) {
		delivery_refuse(d, 413, "more bytes than this hook takes");
		return false;
	}
	if (d->put_back) {
		if (s)
			key_take(d, slice_of(f->base_url), s);
		return true;
	}
	if (h->options.from.len && !s) {
		/* A later build may have it again; until then nobody can tell whose this is. */
		if (gate_tells(d->engine))
			engine_log(d->engine, "hook.refused", "hook=%u why=\"the program has no sender '%.*s'\"", d->hook,
			           (int)h->options.from.len, h->options.from.ptr);
		delivery_refuse(d, 503, "the program does not have the sender of this hook");
		return false;
	}
	bool over = h->closed || f->state == FLOW_ENDED;

	return s ? judge(d, slice_of(f->base_url), s, over ? HANDSHAKE_OVER : HANDSHAKE_OPEN) : is_delivery(d);
}

bool gate_door(struct delivery *d, const struct door *door)
{
	struct slice base_url = slice_of(d->engine->base_url);

	if (door->body_max && d->body.len > door->body_max) {
		delivery_refuse(d, 413, "more bytes than this door takes");
		return false;
	}
	if (!d->put_back)
		return door->from ? judge(d, base_url, door->from, HANDSHAKE_STANDING) : is_delivery(d);
	if (door->from)
		key_take(d, base_url, door->from);
	return true;
}

bool gate_key(struct delivery *d, const struct sender *s, struct slice base_url, struct id *ret_key)
{
	struct gate_view v;
	struct sender_told told;
	struct handshake_answer a;

	view_init(&v, d, base_url);
	handshake_answer_init(&a);
	struct sender_fetch fetch = fetch_of(d->engine);
	bool is = sender_judge(s, &v.q, &fetch, &told, &a) == SENDER_DELIVERS && told.has_key;

	*ret_key = told.key;
	handshake_answer_fini(&a);
	buf_fini(&v.url);
	return is;
}
