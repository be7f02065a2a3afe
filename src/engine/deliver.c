/* deliver.c - the engine's side of the door: what becomes of a delivery.
 *
 * The order of questions: is the token genuine, does the flow live (a parked one is fetched), have deadlines passed before it,
 * is it a duplicate, is the hook still open. Invariant: 200 and 410 alike wait for the commit that
 * makes them true. Surprise: a running flow is never asked; a stopped one goes on accepting. */
#include "base/hash.h"
#include "engine/hold.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

void delivery_answer_set(struct delivery *d, struct slice body)
{
	free(d->answer_owned);
	d->answer_owned = body.len ? xstrndup(body.ptr, body.len) : NULL;
	d->answer = (struct slice){ d->answer_owned, body.len };
	d->answer_lines = SLICE_NONE;
}

void delivery_answer_reply(struct delivery *d, const struct reply *r)
{
	size_t n = r->lines.len;

	if (!r->lines.ptr) {
		delivery_answer_set(d, r->body);
		return;
	}
	char *bytes = xalloc(n + r->body.len + 1);

	if (n)
		memcpy(bytes, r->lines.ptr, n);
	if (r->body.len)
		memcpy(bytes + n, r->body.ptr, r->body.len);
	free(d->answer_owned);
	d->answer_owned = bytes;
	d->answer_lines = (struct slice){ bytes, n };
	d->answer = (struct slice){ bytes + n, r->body.len };
}

/* One piece of memory for both, lines first. */
void delivery_answer_give(struct delivery *d, struct buf *lines, struct buf *body)
{
	size_t nlines = lines->len;

	buf_put_slice(lines, buf_slice(body));
	size_t nbody = lines->len - nlines;

	free(d->answer_owned);
	d->answer_owned = buf_take(lines);
	d->answer_lines = (struct slice){ d->answer_owned, nlines };
	d->answer = (struct slice){ d->answer_owned + nlines, nbody };
}

/* A hook's are in its flow's journal, which `show` looks into; a door's are in as many as they are. */
static void note_stored(const struct delivery *d, int status)
{
	const struct door *door = doors_find(&d->engine->doors, d->door);

	ledger_note(d->engine->ledger, &(struct ledger_request){
		.flow = &door->book, .number = d->number, .time_ms = d->engine->now_ms, .fate = d->fate, .status = status,
		.to = d->to, .method = d->method, .body = d->body });
}

/* done may free d. */
void delivery_tell(struct delivery *d, int status)
{
	char *owned[] = { d->answer_owned, d->meta_owned };

	if (d->door.len && d->fate == FATE_STORED && status == 200 && !d->put_back)
		note_stored(d, status);
	d->answer_owned = NULL;
	d->meta_owned = NULL;
	d->done(d, status);
	free(owned[0]);
	free(owned[1]);
}

void delivery_note(struct delivery *d, enum fate fate, int status, const char *why)
{
	const struct door *door = d->door.len ? doors_find(&d->engine->doors, d->door) : NULL;

	d->fate = fate;
	if (!d->put_back)
		ledger_note(d->engine->ledger, &(struct ledger_request){
			.flow = door ? &door->book : &d->flow, .hook = door ? 0 : d->hook, .number = d->number,
			.time_ms = d->engine->now_ms, .fate = fate, .status = status, .why = slice_of(why), .message_id = d->message_id, .method = d->method,
			.meta = d->meta, .body = d->body });
}

void delivery_refuse(struct delivery *d, int status, const char *why)
{
	delivery_note(d, FATE_REFUSED, status, why);
	delivery_tell(d, status);
}

void deliver_after(struct delivery *d, int status, uint64_t batch)
{
	struct engine *e = d->engine;

	d->status = status;
	if (batch <= e->durable_no)
		delivery_tell(d, status);
	else
		list_push(batch == e->gather->no ? &e->gather->deliveries : &e->inflight->deliveries, &d->link);
}

void deliver_each(struct flow *f, const struct hook *h, struct slice body, struct slice meta,
                  struct delivery_key key)
{
	(void)flow_start(f->engine, &(struct birth){
		.name = slice_of(h->each), .input = body, .meta = meta, .parent = f,
		.source = SOURCE_HOOK, .number = h->number, .has_key = key.has, .key = key.id });
}

void deliver_waiting(struct flow *f, const struct hook *h, const struct msg *m)
{
	/* Its id stays with the parent's MESSAGE, where duplicates already find it. */
	(void)flow_start(f->engine, &(struct birth){
		.name = slice_of(h->each), .input = { m->pub.body, m->pub.len }, .meta = m->meta, .parent = f,
		.source = SOURCE_HOOK, .number = h->number, .epoch = 1 });
}

void deliver_to(struct flow *f, const struct hook *h, struct slice body, struct slice meta,
                struct delivery_key key)
{
	if (h->each)
		deliver_each(f, h, body, meta, key);
	else
		flow_append(f, &(struct entry){
			.kind = ENTRY_MESSAGE, .source = SOURCE_HOOK, .number = h->number, .status = 200,
			.has_key = key.has, .key = key.id, .meta = meta, .body = body });
}

/* A delivery that became a flow stands in that flow's journal, which goes when it has ended: how many more
 * there may be is written here. */
static void shot_put(struct flow *f, const struct hook *h)
{
	struct hook_options left = h->options;
	struct buf options;

	left.shots = h->shots_left - 1;
	buf_init(&options, SIZE_MAX);
	options_put(&options, &left);
	flow_append(f, &(struct entry){
		.kind = ENTRY_HOOK, .number = h->number, .name = slice_of(h->name),
		.options = buf_slice(&options), .each = slice_of(h->each) });
	buf_fini(&options);
}

void deliver_shots(struct flow *f, uint32_t number)
{
	const struct hook *h = flow_hook(f, number);

	if (!h->options.shots || h->closed || rule_off(f->engine, RULE_SHOTS_CLOSE))
		return;
	if (h->each && h->shots_left > 1)
		shot_put(f, h);
	else if (h->each || !h->shots_left)
		flow_append(f, &(struct entry){
			.kind = ENTRY_CLOSED, .number = number, .name = SLICE_LIT("had all its deliveries") });
}

static struct delivery_key key_of(const struct delivery *d)
{
	return (struct delivery_key){ .has = d->has_key, .id = d->key };
}

static void accept(struct delivery *d, struct flow *f, struct hook *h)
{
	struct engine *e = d->engine;
	struct delivery_key key = key_of(d);

	deliver_to(f, h, d->body, d->meta, key);
	d->fate = FATE_STORED;
	e->figures.deliveries++;
	uint32_t number = h->number;
	uint64_t seq = f->seq_next - 1;

	deliver_shots(f, number);
	h = flow_hook(f, number);
	if (h->options.reply_ms && !h->each && !d->put_back)
		hold_begin(d, f, h, seq, e->gather->no);
	else
		deliver_after(d, 200, rule_off(e, RULE_ACK_AFTER_COMMIT) ? 0 : e->gather->no);
}

/* Whoever knows a URL must not be able to fill memory, or the flow's last row. A single message is
 * never too much. Of a flow without a run more may be counted than there is: it is loaded to see. */
static bool over(const struct flow *f, const struct hook *h, size_t bytes)
{
	return (h->waiting_bytes && h->waiting_bytes + bytes > HOOK_UNTAKEN_BYTES_MAX)
	       || (f->waiting_bytes && f->waiting_bytes + bytes > FLOW_UNTAKEN_BYTES_MAX);
}

bool deliver_full(struct flow *f, const struct hook *h, size_t bytes)
{
	bool is = over(f, h, bytes);

	if (is)
		flow_wake(f);
	return is;
}

/* What was fed and has not begun counts all that its life was ever sent. */
void deliver_look(struct flow *f, uint32_t number, size_t bytes)
{
	const struct hook *h = flow_hook(f, number);

	if (h && f->run && !f->run->begun && f->state == FLOW_PARKED && over(f, h, bytes)) {
		flow_wake(f);
		flow_settle(f);
	}
}

/* What the first was told; while it is not told yet, with it. */
static void duplicate(struct delivery *d, struct flow *f, const struct hook *h, const struct seen_entry *s)
{
	bool holds = !s->reply && h->options.reply_ms && !h->each && f->state != FLOW_ENDED && !d->put_back;

	delivery_note(d, FATE_DUPLICATE, s->reply ? s->reply->told.status : holds ? 0 : 200, NULL);
	if (s->reply) {
		delivery_answer_reply(d, &s->reply->told);
		deliver_after(d, s->reply->told.status, rule_off(d->engine, RULE_REPLY_AFTER_COMMIT) ? 0 : s->reply->batch);
	} else if (holds) {
		hold_begin(d, f, h, s->seq, s->batch);
	} else {
		deliver_after(d, 200, rule_off(d->engine, RULE_DUP_ACK_WAITS) ? 0 : s->batch);
	}
}

void deliver_live(struct delivery *d, struct flow *f)
{
	struct engine *e = d->engine;

	/* Of one that cannot be read nobody knows which hooks it has: its store may be brought back. */
	if (engine_crowded(e) || f->unread) {
		delivery_tell(d, 503);
		return;
	}
	if (flow_is_box(f) && !d->door.len) {
		/* Genuine, and nobody was ever told it: a box is no way around its door. */
		delivery_tell(d, 404);
		return;
	}
	if (!rule_off(e, f->run ? RULE_DEADLINE_FIRST_TURN : RULE_DEADLINE_FIRST_LOAD))
		flow_settle(f);
	struct hook *h = flow_hook(f, d->hook);

	if (h && !gate_pass(d, f, h))
		return;
	deliver_look(f, d->hook, message_bytes(d->meta, d->body));
	h = flow_hook(f, d->hook);
	const struct seen_entry *s = h && d->has_key ? seen_find(h->seen, &d->key, e->now_ms) : NULL;
	bool neg_waits = !rule_off(e, RULE_NEG_WAITS);

	if (rule_off(e, RULE_DUP_BEFORE_GONE) && h && (h->closed || f->state == FLOW_ENDED))
		s = NULL;
	if (s) {
		e->figures.duplicates++;
		duplicate(d, f, h, s);
	} else if (!h || f->state == FLOW_ENDED) {
		delivery_note(d, FATE_LATE, 410, h ? "the flow has ended" : "the flow has no such hook");
		deliver_after(d, 410, neg_waits ? f->batch : 0);
	} else if (h->closed) {
		delivery_note(d, FATE_LATE, 410, "the hook is closed");
		deliver_after(d, 410, neg_waits ? h->batch : 0);
	} else if (h->options.json && body_check(d->meta, d->body, NULL) < 0) {
		delivery_refuse(d, 400, "it is not JSON and no form, and this hook takes nothing else");
	} else if (!h->each && deliver_full(f, h, message_bytes(d->meta, d->body))) {
		delivery_refuse(d, 429, "the flow has not taken what came before");
	} else {
		accept(d, f, h);
	}
}

/* Which sender the hook of an ended flow had is not known any more: each one is asked. */
static bool was_seen(struct delivery *d, struct slice seen, struct reply *ret_told)
{
	struct engine *e = d->engine;
	struct id key;

	if (d->has_key && seen_packed_find(seen, d->hook, &d->key, e->now_ms, ret_told))
		return true;
	for (size_t i = 0; i < e->senders.n && seen.len; i++)
		if (gate_key(d, &e->senders.all[i], slice_of(e->base_url), &key)
		    && seen_packed_find(seen, d->hook, &key, e->now_ms, ret_told))
			return true;
	return false;
}

static void found(struct store_find *find, int rc)
{
	struct delivery *d = container_of(find, struct delivery, find);
	struct engine *e = d->engine;
	struct reply told = { .status = 200 };
	bool seen = rc == 0 && !rule_off(e, RULE_DUP_BEFORE_GONE) && was_seen(d, find->ended.seen, &told);

	/* As while it lived (deliver_live). */
	if (rc == 0 && box_has_name(find->ended.name)) {
		delivery_tell(d, 404);
		return;
	}
	e->figures.duplicates += seen;
	if (seen)
		delivery_answer_reply(d, &told);
	delivery_note(d, seen ? FATE_DUPLICATE : FATE_LATE, seen ? told.status : 410, seen ? NULL : "the flow has ended");
	delivery_tell(d, seen ? told.status : 410);
}

static void fetched(struct wanted *w, struct flow *f)
{
	struct delivery *d = container_of(w, struct delivery, want);

	if (engine_away(d->engine)) {
		delivery_tell(d, 503);
		return;
	}
	if (f) {
		deliver_live(d, f);
		return;
	}
	/* Without an id of its own and without senders it is nobody's duplicate. */
	bool may_be_seen = d->has_key || d->engine->senders.n > 0;

	d->find = (struct store_find){ .by = STORE_BY_FLOW, .what = d->flow, .wants = may_be_seen ? STORE_SEEN : 0,
	                               .done = found };
	store_find(d->engine->store, &d->find);
}

void engine_deliver(struct engine *e, struct delivery *d)
{
	struct token token;

	d->engine = e;
	d->fate = FATE_NONE;
	d->put_back = false;
	if (!d->method.len)
		d->method = SLICE_LIT("POST");
	d->answer = d->answer_lines = SLICE_NONE;
	d->answer_owned = NULL;
	d->meta_owned = NULL;
	list_init(&d->link);
	if (!e->store) {
		delivery_tell(d, 503);
		return;
	}
	engine_catch_up(e);
	if (d->door.len) {
		d->number = ++e->requests;
		doorway_deliver(d);
		return;
	}
	if (token_check(e->tokens, d->token, &token) < 0) {
		delivery_tell(d, 404);
		return;
	}
	d->flow = token.flow;
	d->hook = token.hook;
	d->number = ++e->requests;
	deliver_begin(d);
}

void deliver_begin(struct delivery *d)
{
	struct slice parts[] = { SLICE_LIT("message"), d->message_id };
	struct engine *e = d->engine;

	d->has_key = d->message_id.len > 0;
	if (d->has_key)
		d->key = hash128(parts, sizeof parts / sizeof *parts);
	/* Before its flow is fetched: that costs memory too. */
	if (engine_away(e) || engine_crowded(e)) {
		delivery_tell(d, 503);
		return;
	}
	if (!d->asked_ms)
		d->asked_ms = e->now_ms;          /* the fetch is no reason to be held longer */
	d->want = (struct wanted){ .id = d->flow, .done = fetched };
	flow_want(e, &d->want);
}

bool engine_token_genuine(const struct engine *e, struct slice token)
{
	struct token t;

	/* Nobody can tell any more when the end has begun; the delivery will be told 503. */
	if (!e->store)
		return true;
	if (token_check(e->tokens, token, &t) < 0)
		return false;
	/* What its delivery reads comes while the rest of the request is read. */
	bytes_near(map_get(&e->flows, &t.flow), sizeof(struct flow));
	return true;
}
