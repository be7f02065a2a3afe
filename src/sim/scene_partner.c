/* scene_partner.c - the partner at the other end of all calls, who knows his keys.
 *
 * Invariant: what an attempt hears, and when, is a matter of its key and the time, not of how often the process
 * has died: an attempt that is made again falls into the slot it was made in. Surprise: the pauses
 * between attempts are dictated from here (engine_config.simulated), so that they survive too. */
#include "sim/scene.h"

#include "engine/call.h"
#include "engine/flow.h"

#include <stdlib.h>
#include <string.h>

enum { PAUSE_FIRST_MS = 200, PAUSE_MAX_MS = 60 * 1000 };      /* as the engine's own */
#define TIMEOUT_MS_MAX (100 * 365 * FISH_DAY)

/* ---- attempts come and go ---- */

static void arrives(fish_sim *s, struct sent *c)
{
	if (c->arrived)
		return;
	c->arrived = true;
	if (s->narrived == s->arrived_cap) {
		s->arrived_cap = s->arrived_cap ? 2 * s->arrived_cap : 8;
		s->arrived = xrealloc(s->arrived, s->arrived_cap * sizeof(struct sent *));
	}
	s->arrived[s->narrived++] = c;
}

static struct sent *sent_new(fish_sim *s, const struct attempt *a, const struct call *call, const struct id *key)
{
	struct sent *c = arena_alloc(&s->arena, sizeof *c);
	struct buf meta;

	c->event.kind = EVENT_ANSWER;
	c->flow = call->flow->id;
	c->epoch = call->epoch;
	c->step = call->step;
	c->name = scene_text(s, "%s", call->label);
	c->method = scene_keep(s, a->method);
	c->url = scene_keep(s, a->url);
	c->headers = scene_keep(s, a->headers);
	c->body = scene_keep(s, a->body);
	c->key = scene_keep(s, a->key);
	c->timeout_ms = a->timeout_ms < TIMEOUT_MS_MAX ? a->timeout_ms : TIMEOUT_MS_MAX;
	buf_init(&meta, SIZE_MAX);
	for (struct slice rest = c->headers; rest.len;) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end ? (size_t)(end - rest.ptr) : rest.len;

		header_put(&meta, (struct slice){ rest.ptr, len });
		rest = (struct slice){ rest.ptr + len + (end != NULL), rest.len - len - (end != NULL) };
	}
	c->msg = scene_msg(s, 200, buf_slice(&meta), c->body);
	buf_fini(&meta);
	map_put(&s->sent_by_key, key, c);
	return c;
}

/* What each call must keep to, whatever has gone wrong. */
static void check(fish_sim *s, const struct sent *c, const struct attempt *a)
{
	const struct past *p = past_find(s, &c->flow);
	bool same = slice_eq(c->method, a->method) && slice_eq(c->url, a->url) && slice_eq(c->body, a->body)
	            && slice_eq(c->headers, a->headers);

	if (!same)
		scene_broken(s, "one Idempotency-Key (%.*s, \"%s\") stands for two requests: first %.*s, then %.*s",
		             (int)c->key.len, c->key.ptr, c->name, (int)c->body.len, c->body.ptr, (int)a->body.len,
		             a->body.len ? a->body.ptr : "");
	if (!p || c->epoch > p->epoch || (c->epoch == p->epoch && c->step >= p->steps))
		scene_broken(s, "\"%s\" was called before the step was durable", c->name);
}

void partner_send(void *owner, struct attempt *a)
{
	fish_sim *s = owner;
	const struct call *call = container_of(a, struct call, attempt);
	struct id key;

	CHECK(id_parse(a->key, &key) == 0);       /* the engine wrote it */
	struct sent *c = map_get(&s->sent_by_key, &key);

	if (!c)
		c = sent_new(s, a, call, &key);
	check(s, c, a);
	a->transport_data = c;
	c->attempt = a;
	arrives(s, c);
}

void partner_abandon(void *owner, struct attempt *a)
{
	struct sent *c = a->transport_data;

	(void)owner;
	if (c->attempt == a)
		c->attempt = NULL;
}

/* ---- slots ---- */

/* Then it is tried again, after a pause. */
static bool bad(int status)
{
	return status == 0 || status == 408 || status == 429 || status >= 500;
}

static void seen(fish_sim *s, struct sent *c)
{
	if (c->seen)
		return;
	c->seen = true;
	if (s->ncalls == s->calls_cap) {
		s->calls_cap = s->calls_cap ? 2 * s->calls_cap : 8;
		s->calls = xrealloc(s->calls, s->calls_cap * sizeof(struct sent *));
	}
	s->calls[s->ncalls++] = c;
	scene_say(s, "call \"%s\" %.*s: %s", c->name, (int)c->key.len, c->key.ptr, c->msg->body);
	rules_decide(s, c);
	rules_call_back(s, c);
}

static void comes_out(fish_sim *s, struct sent *c, int status, int64_t at_ms, const char *why)
{
	c->outcome = status;
	c->due_ms = at_ms;
	c->why = status ? NULL : why;
	if (at_ms > s->now_ms + c->timeout_ms) {
		c->outcome = 0;
		c->due_ms = s->now_ms + c->timeout_ms;
		c->why = "no answer in time";
	}
}

static void outcome_find(fish_sim *s, struct sent *c)
{
	bool lost = scene_percent(s, s->options->call_fails_percent);

	if (lost && scene_below(s, 2)) {          /* before the partner has seen it */
		comes_out(s, c, 0, s->now_ms, "connection lost");
		return;
	}
	seen(s, c);
	if (lost) {
		comes_out(s, c, 0, s->now_ms, "connection lost");
	} else if (c->fails) {
		c->fails--;
		comes_out(s, c, c->fail_status, s->now_ms, "connection lost");
	} else if (bad(c->status)) {
		comes_out(s, c, c->status, c->status ? scene_after(s, c->after_ms) : SCENE_EVER, "no answer");
	} else {
		if (!c->answer_ms)
			c->answer_ms = scene_after(s, c->after_ms);
		comes_out(s, c, c->status, c->answer_ms > s->now_ms ? c->answer_ms : s->now_ms, NULL);
	}
}

static void slot_begin(fish_sim *s, struct sent *c)
{
	outcome_find(s, c);
	if (bad(c->outcome))
		c->pause_ms = c->pause_ms && 2 * c->pause_ms < PAUSE_MAX_MS ? 2 * c->pause_ms
		              : c->pause_ms ? PAUSE_MAX_MS : PAUSE_FIRST_MS;
	c->begun = true;
	c->told = false;
	heap_set(&s->queue, &c->event.node, c->due_ms);
}

static void tell(fish_sim *s, struct sent *c)
{
	struct attempt *a = c->attempt;
	bool answered = c->outcome != 0;
	int status = c->outcome;
	int64_t next_ms = c->due_ms + c->pause_ms;

	/* A new process has not heard of the better outcomes before. */
	if (c->told && bad(status) && c->outcome_told)
		status = c->outcome_told;
	if (answered)
		c->outcome_told = c->outcome;
	c->told = true;
	if (!a)
		return;
	c->attempt = NULL;
	scene_say(s, "call \"%s\" %.*s hears %d%s%s", c->name, (int)c->key.len, c->key.ptr, status,
	          status == c->status ? ": " : "", status == c->status ? c->answer.ptr : "");
	a->done(a, status, status ? SLICE_LIT("content-type: application/json\n") : SLICE_NONE,
	        status == c->status && status ? c->answer : SLICE_NONE,
	        bad(status) && next_ms > s->now_ms ? next_ms - s->now_ms : -1, status ? NULL : c->why);
}

void partner_due(fish_sim *s, struct sent *c)
{
	tell(s, c);
	scene_rest(s);
}

/* ---- in order ---- */

static int by_place(const void *a, const void *b)
{
	const struct sent *x = *(const struct sent *const *)a;
	const struct sent *y = *(const struct sent *const *)b;
	int by_flow = memcmp(x->flow.b, y->flow.b, sizeof x->flow.b);

	if (by_flow)
		return by_flow;
	if (x->epoch != y->epoch)
		return x->epoch < y->epoch ? -1 : 1;
	return x->step < y->step ? -1 : x->step > y->step;
}

/* Was the outcome of its slot told, and does the slot still last? */
static bool heard_before(const fish_sim *s, const struct sent *c)
{
	return c->attempt && c->begun && c->told && (!bad(c->outcome) || s->now_ms < c->due_ms + c->pause_ms);
}

bool partner_again(fish_sim *s)
{
	if (s->narrived > 1)
		qsort(s->arrived, s->narrived, sizeof *s->arrived, by_place);
	for (size_t i = 0; i < s->narrived; i++) {
		if (!heard_before(s, s->arrived[i]))
			continue;
		tell(s, s->arrived[i]);
		return true;
	}
	return false;
}

void partner_look(fish_sim *s)
{
	if (s->narrived > 1)
		qsort(s->arrived, s->narrived, sizeof *s->arrived, by_place);
	for (size_t i = 0; i < s->narrived; i++) {
		struct sent *c = s->arrived[i];

		c->arrived = false;
		/* What was abandoned in the same moment had gone out all the same. */
		if (!c->begun || (c->told && c->attempt))
			slot_begin(s, c);
	}
	s->narrived = 0;
}
