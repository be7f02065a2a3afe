/* api_hook.c - fish_spawn, fish_url, fish_close, fish_each, fish_timer, fish_child.
 *
 * Invariant: a hook's HOOK entry is appended by the step that spawns it, so the door knows it from
 * the same commit that lets its URL leave. Surprise: a replay finds the entry there and appends
 * nothing. */
#include "base/hash.h"
#include "base/token.h"
#include "engine/run.h"
#include "engine/world.h"
#include "wire/template.h"

#include <stdarg.h>
#include <string.h>

static fish_hook *open_hook(struct run *r, const char *name)
{
	for (fish_hook *h = r->hooks; h; h = h->next)
		if (h->source == SOURCE_HOOK && !h->closed && !run_inbox(r, SOURCE_HOOK, h->number)->closed_seq && strcmp(h->name, name) == 0)
			return h;
	return NULL;
}

static void check_door(struct run *r, const char *name, const fish_hook_options *o)
{
	const struct door *d = o->on ? doors_find(&r->engine->doors, slice_of(o->on)) : NULL;

	if (!o->on) {
		if (o->key)
			run_misuse(r, "fish_spawn_with(\"%s\"): a key without a door (.on)", name);
		return;
	}
	if (!d)
		run_misuse(r, "fish_spawn_with(\"%s\"): the door \"%s\" is not in the program's list of doors", name, o->on);
	if (!d->key)
		run_misuse(r, "fish_spawn_with(\"%s\"): each delivery to the door \"%s\" starts a flow", name, o->on);
	if (!o->key || !door_key_fits(slice_of(o->key)))
		run_misuse(r, "fish_spawn_with(\"%s\"): a key has 1 to %d bytes of UTF-8", name, DOOR_KEY_BYTES_MAX);
	if (o->json || o->reply_ms || o->from || o->body_max)
		run_misuse(r, "fish_spawn_with(\"%s\"): json, reply_ms, from and body_max do not go with a door: what comes "
		           "by it has been checked and answered there", name);
}

static struct hook_options check_options(struct run *r, const char *name, const fish_hook_options *o)
{
	struct hook_options got = { .expires_ms = 0 };
	struct err err = { .code = 0 };

	if (!o)
		return got;
	if (o->expires_ms < 0 || o->reply_ms < 0)
		run_misuse(r, "fish_spawn_with(\"%s\"): a negative time", name);
	if (o->reply_status && (o->reply_status < 200 || o->reply_status > 599))
		run_misuse(r, "fish_spawn_with(\"%s\"): %d is no status of an answer", name, o->reply_status);
	if (o->reply_json && template_check_value(slice_of(o->reply_json), &err) < 0)
		run_misuse(r, "fish_spawn_with(\"%s\"): reply_json: %s", name, err.text);
	if (o->from && !senders_find(&r->engine->senders, slice_of(o->from->name)))
		run_misuse(r, "fish_spawn_with(\"%s\"): the sender \"%s\" is not in the program's list of senders", name,
		           o->from->name ? o->from->name : "");
	check_door(r, name, o);
	got = (struct hook_options){
		.expires_ms = o->expires_ms, .shots = o->shots, .json = o->json, .release = o->release,
		.reply_ms = o->reply_ms, .from = slice_of(o->from ? o->from->name : NULL), .body_max = o->body_max,
		.on = slice_of(o->on), .key = slice_of(o->on ? o->key : NULL) };
	if (o->reply && (o->reply_status || o->reply_json))
		run_misuse(r, "fish_spawn_with(\"%s\"): reply beside reply_status or reply_json", name);
	if (o->reply_ms && o->reply) {
		struct reply told = run_response(r, "fish_spawn_with: reply", o->reply);

		got.reply_given = true;
		got.reply_status = told.status;
		got.reply_lines = told.lines;
		got.reply_body = told.body;
	} else if (o->reply_ms) {
		got.reply_status = o->reply_status ? o->reply_status : 202;
		got.reply_body = slice_of(o->reply_json);
	}
	return got;
}

/* An open hook of that name from the flow's earlier life, or the next number. */
static uint32_t hook_number(struct run *r, const char *name)
{
	for (struct carried **c = &r->carried; *c; c = &(*c)->next)
		if (strcmp((*c)->name, name) == 0) {
			uint32_t number = (*c)->number;

			*c = (*c)->next;
			return number;
		}
	return r->hook_next++;
}

static void hook_append(struct run *r, uint32_t number, const char *name, const struct hook_options *o)
{
	struct buf options;

	buf_init(&options, SIZE_MAX);
	options_put(&options, o);
	flow_append(r->flow, &(struct entry){
		.kind = ENTRY_HOOK, .number = number, .name = slice_of(name), .options = buf_slice(&options) });
	buf_fini(&options);
}

static fish_hook *spawn(fish_flow *f, const char *name, const fish_hook_options *o)
{
	struct run *r = run_of(f);

	if (!name || !*name || strlen(name) > NAME_BYTES_MAX)
		run_misuse(r, "fish_spawn: a hook's name has 1 to %d bytes, not %zu", NAME_BYTES_MAX,
		           name ? strlen(name) : 0);
	if (open_hook(r, name))
		run_misuse(r, "fish_spawn: a hook named \"%s\" is open already", name);
	struct hook_options options = check_options(r, name, o);

	run_step(r, &(struct step){ .kind = STEP_SPAWN, .label = name });
	uint32_t number = hook_number(r, name);

	if (!flow_hook(r->flow, number)) {
		if (run_recorded(r))
			run_diverge(r, "the journal has no hook %u (\"%s\")", number, name);
		hook_append(r, number, name, &options);
		if (options.on.len)
			claim_hook(r->flow, number);
	}
	fish_hook *h = run_hook_new(r, SOURCE_HOOK, number, name);

	run_step_end(r);
	return h;
}

fish_hook *fish_spawn(fish_flow *f, const char *name)
{
	RUN_AT(run_of(f));
	return spawn(f, name, NULL);
}

fish_hook *fish_spawn_with(fish_flow *f, const char *name, const fish_hook_options *o)
{
	RUN_AT(run_of(f));
	return spawn(f, name, o);
}

const char *run_hook_url(const fish_hook *h)
{
	struct run *r = h->run;
	char token[TOKEN_TEXT_SIZE];
	struct buf url;

	if (r->engine->current)                   /* else a deferred function asks */
		run_here(r);
	if (h->url)
		return h->url;
	if (!r->engine->current)
		return "";
	const struct flow *f = r->flow;

	if (h->source != SOURCE_HOOK || token_text(r->engine->tokens, f->key_id, &f->id, h->number, token) < 0)
		run_misuse(r, h->source != SOURCE_HOOK ? "fish_url: hook \"%s\" has no URL, since it is a timer, call or child"
		                                       : "fish_url: the key of hook \"%s\" is not in the store any more",
		           h->name);
	buf_init(&url, BASE_URL_BYTES_MAX + TOKEN_TEXT_SIZE + 8);
	buf_printf(&url, "%s/h/%s", f->base_url, token);
	/* The handle is ours; the const is for its user. */
	((fish_hook *)h)->url = arena_dup(&r->arena, buf_slice(&url));
	buf_fini(&url);
	return h->url;
}

const char *fish_url(const fish_hook *h)
{
	(void)RUN_OF_HOOK(h, "fish_url");
	return run_hook_url(h);
}

const char *run_input_path(struct run *r)
{
	const struct flow *f = r->flow;
	const struct flow *parent = f->parent_source == SOURCE_HOOK ? f->parent : NULL;
	char path[TOKEN_TEXT_SIZE + 3] = "/h/";

	if (!parent || token_text(r->engine->tokens, parent->key_id, &f->parent_id, f->parent_number, path + 3) < 0)
		return "";
	return arena_dup(&r->arena, slice_of(path));
}

const char *fish_name(const fish_hook *h)
{
	(void)RUN_OF_HOOK(h, "fish_name");
	return h->name;
}

bool fish_closed(const fish_hook *h)
{
	(void)RUN_OF_HOOK(h, "fish_closed");
	return h->closed;
}

void fish_close(fish_hook *h)
{
	struct run *r = RUN_OF_HOOK(h, "fish_close");
	struct flow *f = r->flow;

	run_here(r);
	run_step(r, &(struct step){ .kind = STEP_CLOSE, .label = h->name, .content = h->number });
	h->closed = true;
	if (h->source == SOURCE_TIMER)
		run_timer_remove(r, h->number);
	const struct hook *row = h->source == SOURCE_HOOK ? flow_hook(f, h->number) : NULL;

	if (row && !row->closed)
		flow_append(f, &(struct entry){
			.kind = ENTRY_CLOSED, .number = h->number, .name = SLICE_LIT("by the flow") });
	run_step_end(r);
}

/* What had come before the hook began to start flows becomes flows in the same commit. A replay
 * finds these messages in the inbox again and knows by the HOOK entry's place that they were. */
static void each_begin(struct run *r, fish_hook *h, const fish_def *def)
{
	struct inbox *in = run_inbox(r, SOURCE_HOOK, h->number);
	struct flow *f = r->flow;

	if (!run_recorded(r))
		flow_append(f, &(struct entry){
			.kind = ENTRY_HOOK, .number = h->number, .name = slice_of(h->name),
			.each = slice_of(def->name) });
	while (in->first) {
		struct msg *m = run_take(r, in);

		if (!run_recorded(r))
			deliver_waiting(f, flow_hook(f, h->number), m);
	}
}

void fish_each(fish_hook *h, fish_fn *fn)
{
	struct run *r = RUN_OF_HOOK(h, "fish_each");
	const fish_def *def = engine_def_of(r->engine, fn);
	struct inbox *own;

	run_here(r);
	if (h->source != SOURCE_HOOK)
		run_misuse(r, "fish_each: \"%s\" is a timer, call or child; only a hook with a URL starts flows", h->name);
	if (!def)
		run_misuse(r, "fish_each(\"%s\"): its flow is not in the program's list of flows", h->name);
	run_step(r, &(struct step){ .kind = STEP_EACH, .label = def->name, .content = h->number });
	each_begin(r, h, def);
	own = run_inbox(r, SOURCE_WAIT, run_index(r));
	while (!own->first) {
		/* A cancel closes the hook too, but then a flow that did not ask for it ends right here. */
		if (run_answers(r) && flow_hook(r->flow, h->number)->closed
		    && (!r->flow->cancelled || r->asked_cancelled))
			flow_append(r->flow, &(struct entry){ .kind = ENTRY_TIMEOUT, .number = run_index(r) });
		else
			run_block(r);
	}
	run_wait_over(r, own, run_take(r, own));
	h->closed = true;
	run_step_end(r);
}

fish_hook *fish_timer(fish_flow *f, int64_t after_ms)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	run_step(r, &(struct step){ .kind = STEP_TIMER, .label = "" });
	uint32_t step = run_index(r);
	int64_t due_ms = engine_wait_until(run_reached(r), after_ms);

	if (!run_inbox(r, SOURCE_TIMER, step)->received && due_ms != INT64_MAX) {
		struct timer *t = arena_alloc(&r->arena, sizeof *t);

		*t = (struct timer){ .step = step, .due_ms = due_ms, .next = r->timers };
		r->timers = t;
	}
	fish_hook *h = run_hook_new(r, SOURCE_TIMER, step, "timer");

	run_step_end(r);
	return h;
}

fish_hook *fish_child(fish_flow *f, fish_fn *fn, const char *json, ...)
{
	struct run *r = run_of(f);
	const fish_def *def = engine_def_of(r->engine, fn);
	va_list ap;

	RUN_AT(r);
	if (!def)
		run_misuse(r, "fish_child: the flow is not in the program's list of flows");
	va_start(ap, json);
	struct slice input = run_template(r, "fish_child", json, ap);

	va_end(ap);
	run_step(r, &(struct step){
		.kind = STEP_CHILD, .label = def->name, .content = hash64(HASH64_SEED, input) });
	/* Below the border it was started: by the commit that made PROGRESS durable. */
	if (!run_recorded(r))
		(void)flow_start(r->engine, &(struct birth){
			.name = slice_of(def->name), .input = input, .parent = r->flow,
			.source = SOURCE_CHILD, .number = run_index(r), .epoch = r->epoch });
	fish_hook *h = run_hook_new(r, SOURCE_CHILD, run_index(r), def->name);

	run_step_end(r);
	return h;
}
