/* engine_kit.h - an engine over the memory store with a clock, a partner, threads and a log the test commands.
 *
 * The partner keeps every attempt until the test answers it; what it was told stays readable after
 * a crash. Surprise: kit_turn goes on until the engine is idle, so a test that wants to look into
 * the middle of a commit holds the store first and calls engine_turn itself. */
#ifndef FISH_ENGINE_KIT_H
#define FISH_ENGINE_KIT_H

#include "engine/engine.h"
#include "engine/world.h"
#include "wire/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { KIT_SENT_MAX = 64, KIT_TURNS_MAX = 200, KIT_WORKS_MAX = 16 };

/* One attempt as the partner saw it. */
struct sent {
	struct attempt *attempt;      /* NULL: answered, or its engine is gone */
	char            url[200], body[400], key[32];
};

struct kit {
	const fish_program *program;
	size_t memory_bytes;              /* 0: as the engine has it; counts from the next crash on */
	int64_t             park_after_ms;
	struct store       *store;
	struct engine      *engine;
	int64_t             now_ms;
	uint64_t            chance;
	struct sent         sent[KIT_SENT_MAX];
	size_t              nsent;
	uint64_t            build;
	struct work_item   *works[KIT_WORKS_MAX];   /* begun; NULL: done, or its process is gone */
	size_t              nworks;
	uint64_t            rules_off;
	uint32_t            steps_max, turn_steps_max;
	size_t              run_ahead_bytes;
	struct buf          log;          /* lines, each with its line feed */
	struct buf          events;       /* for operators: "EVENT LINE" */
	struct buf          words;        /* of the last watch or show */
};

static const fish_peer partner = {
	.name = "partner", .url = "http://partner", .give_up_ms = 5 * FISH_SECOND };

/* ---- the seams ---- */

static inline int64_t kit_now(void *owner)
{
	return ((struct kit *)owner)->now_ms;
}

static inline uint32_t kit_jitter(void *owner)
{
	(void)owner;
	return 0;
}

static inline void kit_entropy(void *owner, void *bytes, size_t len)
{
	struct kit *k = owner;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)bytes)[i] = (uint8_t)(++k->chance >> 8 * (i % 4));
}

static inline void kit_send(void *owner, struct attempt *a)
{
	struct kit *k = owner;

	assert_true(k->nsent < KIT_SENT_MAX);
	struct sent *s = &k->sent[k->nsent++];

	s->attempt = a;
	snprintf(s->url, sizeof s->url, "%.*s", (int)a->url.len, a->url.ptr);
	snprintf(s->body, sizeof s->body, "%.*s", (int)a->body.len, a->body.len ? a->body.ptr : "");
	snprintf(s->key, sizeof s->key, "%.*s", (int)a->key.len, a->key.ptr);
}

static inline void kit_abandon(void *owner, struct attempt *a)
{
	struct kit *k = owner;
	bool known = false;

	for (size_t i = 0; i < k->nsent; i++)
		if (k->sent[i].attempt == a) {
			k->sent[i].attempt = NULL;
			known = true;
		}
	assert_true(known);
}

static inline void kit_log(void *owner, const char *event, struct slice line)
{
	struct kit *k = owner;

	struct buf *to = strcmp(event, "flow.log") == 0 ? &k->log : &k->events;

	if (to == &k->events)
		buf_printf(to, "%s ", event);
	buf_put_slice(to, line);
	buf_putc(to, '\n');
}

static inline void kit_work(void *owner, struct work_item *w)
{
	struct kit *k = owner;

	assert_true(k->nworks < KIT_WORKS_MAX);
	k->works[k->nworks++] = w;
}

/* ---- coming and going ---- */

static inline void kit_engine(struct kit *k)
{
	struct err err = { .code = 0 };
	struct engine_config config = {
		.program = k->program,
		.base_url = "https://door",
		.build = k->build,
		.seams = { .owner = k, .now_ms = kit_now, .entropy = kit_entropy, .send = kit_send,
		           .abandon = kit_abandon, .log = kit_log, .work = kit_work, .jitter = kit_jitter },
		.store = k->store,
		.park_after_ms = k->park_after_ms,
		.memory_bytes = k->memory_bytes,
		.test_rules_off = k->rules_off,
		.steps_max = k->steps_max,
		.turn_steps_max = k->turn_steps_max,
		.run_ahead_bytes = k->run_ahead_bytes,
	};

	assert_int_equal(engine_new(&k->engine, &config, &err), 0);
	assert_int_equal(engine_recover(k->engine, &err), 0);
}

static inline void kit_open(struct kit *k, const fish_program *program, int64_t park_after_ms)
{
	uint8_t secret[TOKEN_SECRET_BYTES] = { 7 };
	struct err err = { .code = 0 };

	*k = (struct kit){ .program = program, .park_after_ms = park_after_ms, .now_ms = 1000000, .build = 1 };
	buf_init(&k->log, SIZE_MAX);
	buf_init(&k->events, SIZE_MAX);
	buf_init(&k->words, SIZE_MAX);
	assert_int_equal(store_open_memory(&k->store, secret, &err), 0);
	kit_engine(k);
}

static inline void kit_close(struct kit *k)
{
	k->store = store_close(k->store);
	k->engine = engine_free(k->engine);
	buf_fini(&k->log);
	buf_fini(&k->events);
	buf_fini(&k->words);
}

enum kit_commit { KIT_LOST, KIT_KEPT };      /* the commit under way when the power goes */

static inline void kit_crash(struct kit *k, enum kit_commit commit)
{
	struct store *survivor = store_memory_crash(k->store, commit == KIT_KEPT);

	k->engine = engine_free(k->engine);
	k->store = survivor;
	for (size_t i = 0; i < k->nsent; i++)
		assert_null(k->sent[i].attempt);
	for (size_t i = 0; i < k->nworks; i++)
		k->works[i] = NULL;
	kit_engine(k);
}

/* A new build takes over from one that was stopped in order. */
static inline void kit_deploy(struct kit *k, const fish_program *program)
{
	k->program = program;
	k->build++;
	kit_crash(k, KIT_LOST);
}

static inline void kit_turn(struct kit *k)
{
	for (int n = 0; n < KIT_TURNS_MAX; n++) {
		engine_turn(k->engine);
		if (engine_idle(k->engine) && !k->store->under_way)
			return;
	}
	fail_msg("the engine does not come to rest");
}

/* The store is held: completes what it is asked for, until a commit of rows is the next. */
static inline void kit_until_commit(struct kit *k)
{
	for (int n = 0; n < KIT_TURNS_MAX; n++) {
		engine_turn(k->engine);
		bool rows = k->engine->inflight && k->engine->inflight->nrows;

		while (store_memory_pending(k->store) > (rows ? 1 : 0))
			store_memory_complete(k->store, MEMORY_OK);
		if (rows)
			return;
	}
	fail_msg("nothing is committed");
}

static inline void kit_pass(struct kit *k, int64_t ms)
{
	k->now_ms += ms;
	kit_turn(k);
}

/* ---- asking the engine ---- */

enum { UNTOLD = 1 };      /* no code of the engine: nobody has answered yet */

/* A delivery, and what the door was told to say. */
struct knock {
	struct delivery delivery;
	int             status;       /* 0: nothing yet */
	char            answer[80], lines[120];
};

static inline void knock_done(struct delivery *d, int status)
{
	struct knock *n = container_of(d, struct knock, delivery);

	assert_int_equal(n->status, 0);
	n->status = status;
	snprintf(n->answer, sizeof n->answer, "%.*s", (int)d->answer.len, d->answer.len ? d->answer.ptr : "");
	snprintf(n->lines, sizeof n->lines, "%.*s", d->answer_lines.len ? (int)d->answer_lines.len : 4,
	         d->answer_lines.len ? d->answer_lines.ptr : d->answer_lines.ptr ? "none" : "JSON");
}

/* Hands in a delivery; the answer may come later. url may be a token, a URL or a text that holds one. */
static inline void kit_knock(struct kit *k, struct knock *n, const char *url, const char *body,
                             const char *message_id)
{
	const char *at = strstr(url, "/h/");
	struct slice token = slice_of(at ? at + 3 : url);

	if (at)
		token.len = TOKEN_TEXT_SIZE - 1;
	*n = (struct knock){ .delivery = {
		.token = token, .body = slice_of(body), .message_id = slice_of(message_id),
		.meta = SLICE_LIT(":method: POST\ncontent-type: application/json\n"), .done = knock_done } };
	engine_deliver(k->engine, &n->delivery);
}

static inline int kit_post(struct kit *k, const char *url, const char *body, const char *message_id)
{
	struct knock n;

	kit_knock(k, &n, url, body, message_id);
	kit_turn(k);
	assert_int_not_equal(n.status, 0);
	return n.status;
}

struct launch {
	struct start start;
	int          rc;
	struct id    id;
	bool         existed;
};

static inline void launch_done(struct start *s, int rc, const struct id *id, bool existed, const char *why)
{
	struct launch *l = container_of(s, struct launch, start);

	assert_int_equal(l->rc, UNTOLD);
	assert_int_equal(rc < 0, why != NULL);
	l->rc = rc;
	l->id = *id;
	l->existed = existed;
}

static inline void kit_launch(struct kit *k, struct launch *l, const char *flow, const char *input,
                              const char *key)
{
	*l = (struct launch){ .rc = UNTOLD, .start = {
		.flow = slice_of(flow), .input = slice_of(input), .key = slice_of(key),
		.done = launch_done } };
	engine_start(k->engine, &l->start);
}

static inline struct launch kit_try(struct kit *k, const char *flow, const char *input, const char *key)
{
	struct launch l;

	kit_launch(k, &l, flow, input, key);
	kit_turn(k);
	assert_int_not_equal(l.rc, UNTOLD);
	return l;
}

static inline struct id kit_start(struct kit *k, const char *flow, const char *input)
{
	struct launch l = kit_try(k, flow, input, NULL);

	assert_int_equal(l.rc, 0);
	return l.id;
}

struct look {
	struct watch watch;
	struct show  show;
	struct cancel cancel;
	struct kit  *kit;
	int          rc, status;
};

static inline void look_watched(struct watch *w, int rc, int status, struct slice result)
{
	struct look *l = container_of(w, struct look, watch);

	l->rc = rc;
	l->status = status;
	buf_reset(&l->kit->words);
	buf_put_slice(&l->kit->words, result);
}

static inline void look_shown(struct show *s, int rc, struct slice json)
{
	struct look *l = container_of(s, struct look, show);

	l->rc = rc;
	buf_reset(&l->kit->words);
	buf_put_slice(&l->kit->words, json);
}

static inline void look_cancelled(struct cancel *c, int rc)
{
	container_of(c, struct look, cancel)->rc = rc;
}

static inline void look_forgotten(struct watch *w)
{
	container_of(w, struct look, watch)->rc = UNTOLD;
}

/* How a flow ended: "done RESULT", "failed WHY", "cancelled cancelled", "stopped WHY", "lives" or
 * "unknown". Stands until the next look. */
static inline const char *kit_end(struct kit *k, struct id id)
{
	struct look l = { .kit = k, .rc = UNTOLD, .watch = { .id = id, .done = look_watched } };
	static const char *const words[] = {
		[END_DONE] = "done ", [END_FAILED] = "failed ", [END_CANCELLED] = "cancelled " };

	kit_turn(k);
	engine_watch(k->engine, &l.watch);
	kit_turn(k);
	if (l.rc == UNTOLD) {
		engine_unwatch(k->engine, &l.watch, look_forgotten);
		return "lives";
	}
	if (l.rc == FISH_ENOTFOUND)
		return "unknown";
	struct buf text;

	buf_init(&text, SIZE_MAX);
	buf_puts(&text, l.rc == FISH_ESTOPPED ? "stopped " : words[l.status]);
	buf_put_slice(&text, buf_slice(&k->words));
	buf_reset(&k->words);
	buf_put_slice(&k->words, buf_slice(&text));
	buf_fini(&text);
	return k->words.ptr;
}

static inline const char *kit_show(struct kit *k, struct id id)
{
	struct look l = { .kit = k, .rc = UNTOLD, .show = { .id = id, .done = look_shown } };

	engine_show(k->engine, &l.show);
	kit_turn(k);
	assert_int_equal(l.rc, 0);
	return k->words.ptr;
}

struct asked_again {
	struct retry retry;
	int          rc;
};

static inline void kit_retried(struct retry *r, int rc)
{
	container_of(r, struct asked_again, retry)->rc = rc;
}

static inline int kit_retry(struct kit *k, struct id id)
{
	struct asked_again a = { .rc = UNTOLD, .retry = { .id = id, .done = kit_retried } };

	engine_retry(k->engine, &a.retry);
	kit_turn(k);
	assert_int_not_equal(a.rc, UNTOLD);
	return a.rc;
}

struct rolled {
	struct roll roll;
	struct kit *kit;
	size_t      n;
	struct id   last;
};

static inline void kit_rolled(struct roll *r, int rc, struct slice json, size_t n, const struct id *last)
{
	struct rolled *x = container_of(r, struct rolled, roll);

	assert_int_equal(rc, 0);
	x->n = n;
	x->last = *last;
	buf_reset(&x->kit->words);
	buf_put_slice(&x->kit->words, json);
}

static inline size_t kit_roll(struct kit *k, struct roll roll, struct id *ret_last)
{
	struct rolled x = { .kit = k, .n = SIZE_MAX, .roll = roll };

	x.roll.done = kit_rolled;
	engine_list(k->engine, &x.roll);
	kit_turn(k);
	assert_int_not_equal(x.n, SIZE_MAX);
	*ret_last = x.last;
	return x.n;
}

/* The live flows above that id; their JSON is in k->words. */
static inline size_t kit_list(struct kit *k, struct id after, size_t limit, struct id *ret_last)
{
	return kit_roll(k, (struct roll){ .after = after, .limit = limit }, ret_last);
}

static inline int kit_cancel(struct kit *k, struct id id)
{
	struct look l = { .kit = k, .rc = UNTOLD, .cancel = { .id = id, .done = look_cancelled } };

	engine_cancel(k->engine, &l.cancel);
	kit_turn(k);
	assert_int_not_equal(l.rc, UNTOLD);
	return l.rc;
}

static inline struct engine_figures kit_figures(struct kit *k)
{
	struct engine_figures f;

	engine_figures(k->engine, &f);
	return f;
}

/* ---- putting back ---- */

struct putting {
	struct redeliver redeliver;
	struct buf       room;
	int              rc;
	char             why[240];
};

static inline void put_done(struct redeliver *r, int rc, const char *why)
{
	struct putting *p = container_of(r, struct putting, redeliver);

	assert_int_equal(p->rc, UNTOLD);
	p->rc = rc;
	snprintf(p->why, sizeof p->why, "%s", why);
	buf_fini(&p->room);
}

/* which: the request. */
static inline void kit_put_begin(struct kit *k, struct putting *p, const struct redeliver *which)
{
	*p = (struct putting){ .redeliver = *which, .rc = UNTOLD };
	buf_init(&p->room, SIZE_MAX);
	p->redeliver.room = &p->room;
	p->redeliver.done = put_done;
	engine_redeliver(k->engine, &p->redeliver);
}

static inline void kit_put_told(struct kit *k, const struct putting *p, int rc, const char *why)
{
	kit_turn(k);
	if (p->rc != rc || !strstr(p->why, why))
		fail_msg("%llu: %d %s", (unsigned long long)p->redeliver.number, p->rc, p->why);
}

/* ---- the partner ---- */

static inline void kit_answer_after(struct kit *k, size_t n, int status, const char *body,
                                    int64_t retry_after_ms)
{
	assert_true(n < k->nsent);
	struct attempt *a = k->sent[n].attempt;

	assert_non_null(a);
	k->sent[n].attempt = NULL;
	a->done(a, status, SLICE_LIT("content-type: application/json\n"), slice_of(body), retry_after_ms,
	        status ? NULL : "connection refused");
	kit_turn(k);
}

static inline void kit_answer(struct kit *k, size_t n, int status, const char *body)
{
	kit_answer_after(k, n, status, body, -1);
}

/* The thread comes to an end with the n-th work. */
static inline void kit_work_ends(struct kit *k, size_t n)
{
	assert_true(n < k->nworks);
	struct work_item *w = k->works[n];

	assert_non_null(w);
	k->works[n] = NULL;
	w->fn(w->arg, w->result);
	w->done(w);
	kit_turn(k);
}

static inline const char *kit_log_text(struct kit *k)
{
	return k->log.ptr ? k->log.ptr : "";
}

static inline size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

#endif
