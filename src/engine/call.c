/* call.c - attempts, growing jittered pauses, giving up.
 *
 * Retried: no answer, 408, 429 and 5xx. Everything else is an answer (4xx at once). Pauses double
 * from PAUSE_FIRST_MS to PAUSE_MAX_MS, each cut by up to half by chance so that callers spread; a
 * Retry-After (RFC 9110 10.2.3) lengthens the one pause it came with.
 * Invariant: giving up is judged only after an attempt in this process, so that a call in doubt goes
 * out again after a restart however late that is. */
#include "engine/call.h"

#include "base/buf.h"
#include "engine/flow.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECRET_TEXT_BYTES_MAX = 512,      /* as many as net/client_sign.c takes */
	ATTEMPT_TIMEOUT_MS = 30 * 1000,
	PAUSE_FIRST_MS     = 200,
	PAUSE_MAX_MS       = 60 * 1000,
	RETRY_AFTER_MAX_MS = 60 * 60 * 1000,
};
#define GIVE_UP_MS  FISH_DAY

static void attempt_done(struct attempt *a, int status, struct slice meta, struct slice body,
                         int64_t retry_after_ms, const char *why);

/* The strings of a call lie in one block behind it; a spot is remembered until that block exists. */
struct spot {
	struct slice *slice;
	size_t        at;
};

static struct spot spot_put(struct buf *b, struct slice *slice, struct slice text)
{
	struct spot s = { slice, b->len };

	buf_put_slice(b, text);
	slice->len = b->len - s.at;
	buf_putc(b, '\0');
	return s;
}

static void url_put(struct buf *b, const struct call_request *q)
{
	struct slice url = slice_of(q->to->url);

	while (url.len && q->path.len && url.ptr[url.len - 1] == '/')
		url.len--;
	buf_put_slice(b, url);
	buf_put_slice(b, q->path);
}

static void headers_put(struct buf *b, const struct call_request *q)
{
	buf_put_slice(b, q->headers);
	buf_printf(b, "Idempotency-Key: %s\n", q->key);
	if (q->to->token && *q->to->token)
		buf_printf(b, "Authorization: Bearer %s\n", q->to->token);
}

bool call_secret_ok(const char *secret)
{
	static const char prefix[] = "whsec_";
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(secret);

	if (len > SECRET_TEXT_BYTES_MAX)
		return false;
	if (strncmp(secret, prefix, sizeof prefix - 1) != 0)
		return true;
	size_t coded = strspn(secret + sizeof prefix - 1, digits);
	size_t padding = strspn(secret + sizeof prefix - 1 + coded, "=");

	return coded && padding <= 2 && (coded + padding) % 4 == 0 && sizeof prefix - 1 + coded + padding == len;
}

struct call *call_new(struct flow *f, const struct call_request *q)
{
	struct attempt a = { .method = SLICE_NONE };
	struct slice label = SLICE_NONE;
	struct spot spots[7];
	struct buf all;
	struct buf part;

	buf_init(&all, SIZE_MAX);
	buf_init(&part, SIZE_MAX);
	spots[0] = spot_put(&all, &a.method, slice_of(q->method));
	url_put(&part, q);
	spots[1] = spot_put(&all, &a.url, buf_slice(&part));
	buf_reset(&part);
	headers_put(&part, q);
	spots[2] = spot_put(&all, &a.headers, buf_slice(&part));
	spots[3] = spot_put(&all, &a.body, q->body);
	spots[4] = spot_put(&all, &a.secret, slice_of(q->to->secret));
	spots[5] = spot_put(&all, &a.key, slice_of(q->key));
	spots[6] = spot_put(&all, &label, slice_of(q->label));
	CHECK(!buf_failed(&all));

	struct call *c = xalloc(sizeof *c + all.len);

	memcpy(c->strings, all.ptr, all.len);
	for (size_t i = 0; i < sizeof spots / sizeof *spots; i++)
		spots[i].slice->ptr = c->strings + spots[i].at;
	c->attempt = a;
	c->attempt.done = attempt_done;
	c->attempt.timeout_ms = q->to->timeout_ms > 0 ? q->to->timeout_ms : ATTEMPT_TIMEOUT_MS;
	c->label = c->strings + spots[6].at;
	c->flow = f;
	c->epoch = q->epoch;
	c->step = q->step;
	c->asked_ms = q->asked_ms;
	c->give_up_ms = engine_wait_until(q->asked_ms, q->to->give_up_ms > 0 ? q->to->give_up_ms : GIVE_UP_MS);
	c->cancelled = q->cancelled;
	c->state = CALL_GATHERED;
	list_init(&c->batch_link);
	list_push(&f->calls, &c->link);
	buf_fini(&all);
	buf_fini(&part);
	return c;
}

struct call *call_find(const struct flow *f, uint32_t epoch, uint32_t step)
{
	for (const struct list *l = f->calls.next; l != &f->calls; l = l->next) {
		struct call *c = container_of(l, struct call, link);

		if (c->epoch == epoch && c->step == step)
			return c;
	}
	return NULL;
}

void call_gather(struct call *c)
{
	list_push(&c->flow->engine->gather->calls, &c->batch_link);
}

void call_let_out(struct call *c)
{
	struct seams *s = &c->flow->engine->config.seams;

	c->state = CALL_TRYING;
	c->attempts++;
	s->send(s->owner, &c->attempt);
}

static void call_free(struct call *c)
{
	list_remove(&c->link);
	list_remove(&c->batch_link);
	heap_remove(&c->flow->engine->pauses, &c->timer);
	free(c);
}

void call_drop(struct call *c)
{
	struct seams *s = &c->flow->engine->config.seams;

	if (c->state == CALL_TRYING)
		s->abandon(s->owner, &c->attempt);
	call_free(c);
}

/* The one answer: a MESSAGE in the journal. The call is over. */
static void answer(struct call *c, int status, struct slice meta, struct slice body)
{
	struct flow *f = c->flow;
	uint32_t step = c->step;

	call_free(c);
	if (f->state == FLOW_ENDED)
		return;
	flow_append(f, &(struct entry){
		.kind = ENTRY_MESSAGE, .source = SOURCE_CALL, .number = step, .status = status,
		.meta = meta, .body = body });
}

static bool retryable(int status)
{
	return status == 0 || status == 408 || status == 429 || status >= 500;
}

static int64_t next_pause(struct call *c, int64_t retry_after_ms)
{
	struct seams *s = &c->flow->engine->config.seams;

	if (c->flow->engine->config.simulated)
		return retry_after_ms > 0 ? retry_after_ms : 0;
	int64_t pause = c->pause_ms ? 2 * c->pause_ms : PAUSE_FIRST_MS;

	c->pause_ms = pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS;
	pause = c->pause_ms - (int64_t)(s->jitter(s->owner) % (uint64_t)(c->pause_ms / 2 + 1));
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	return pause > retry_after_ms ? pause : retry_after_ms;
}

static void attempt_done(struct attempt *a, int status, struct slice meta, struct slice body,
                         int64_t retry_after_ms, const char *why)
{
	struct call *c = container_of(a, struct call, attempt);
	struct flow *f = c->flow;
	struct engine *e = f->engine;

	CHECK(c->state == CALL_TRYING);
	engine_catch_up(e);
	c->state = CALL_JUDGED;
	if (status || !c->last_status)
		c->last_status = status;
	snprintf(c->last_why, sizeof c->last_why, "%s", status || !why ? "" : why);
	/* The flow may run here, and a cancelled one may give this very call up. */
	uint32_t epoch = c->epoch;
	uint32_t step = c->step;

	if (!rule_off(e, RULE_DEADLINE_BEFORE_RESP))
		flow_settle(f);
	if (call_find(f, epoch, step) != c)
		return;
	c->state = CALL_PAUSING;
	int64_t due_ms = e->now_ms + next_pause(c, retry_after_ms);

	if (!retryable(status))
		answer(c, status, meta, body);
	else if (c->cancelled || (f->cancelled && f->closing) || f->state == FLOW_ENDED || due_ms >= c->give_up_ms)
		answer(c, c->last_status, status ? meta : SLICE_NONE, status ? body : SLICE_NONE);
	else
		heap_set(&e->pauses, &c->timer, due_ms);
}

void calls_ring(struct engine *e)
{
	struct heap_node *n;

	while ((n = heap_first(&e->pauses)) && n->due_ms <= e->now_ms) {
		struct call *c = container_of(n, struct call, timer);

		heap_remove(&e->pauses, n);
		call_let_out(c);
	}
}

void call_cancel(struct call *c)
{
	c->cancelled = true;
	if (c->state == CALL_PAUSING)
		answer(c, c->last_status, SLICE_NONE, SLICE_NONE);
}

void calls_cancel(struct flow *f)
{
	struct list *next;

	for (struct list *l = f->calls.next; l != &f->calls; l = next) {
		struct call *c = container_of(l, struct call, link);

		next = l->next;
		if (c->state == CALL_PAUSING)
			answer(c, c->last_status, SLICE_NONE, SLICE_NONE);
	}
}
