/* start.c - flows begin: asked for at the engine's door, by key at most once, or by another flow.
 *
 * Invariant: the id is told after START is durable, also to the second who asks with the same key.
 * Surprise: a key whose flow is parked or has ended is found in the store, so a start with a key may take a read. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"
#include "wire/template.h"

#include <string.h>

void flow_begin(struct flow *f)
{
	if (!f->def) {
		struct buf why;

		buf_init(&why, SIZE_MAX);
		buf_printf(&why, "the program has no flow named \"%s\"; start a build that has it", f->name);
		flow_stop(f, why.ptr);
		buf_fini(&why);
		return;
	}
	const struct seams *s = &f->engine->config.seams;

	if (s->quarantined && s->quarantined(s->owner, &f->id)) {
		flow_stop(f, "quarantined: the process crashed again and again while this flow ran; "
		             "start a build in which it does not");
		return;
	}
	f->state = FLOW_READY;
	list_push(&f->engine->ready, &f->ready);
}

struct flow *flow_start(struct engine *e, const struct birth *b)
{
	struct id id = engine_new_id(e);
	struct flow *f = flow_new(e, &id);
	struct entry start = {
		.kind = ENTRY_START, .name = b->name, .body = b->input, .meta = b->meta,
		.source = b->source, .number = b->number, .epoch = b->epoch,
		.has_key = b->has_key, .key = b->key, .build = e->config.build,
		.key_id = e->store->keys[0].id, .base_url = slice_of(e->base_url),
	};

	if (b->parent)
		start.flow = b->parent->id;
	f->run = run_new(f);
	flow_append(f, &start);
	flow_link(f);
	if (b->parent)
		tree_child_started(b->parent, f);
	flow_begin(f);
	return f;
}

static void refuse(struct start *s, int rc, const char *why)
{
	s->done(s, rc, &s->id, false, why);
}

/* The flow of that key lives: its id is told once its START is durable. */
static void existing(struct start *s, const struct flow *f)
{
	struct engine *e = s->engine;

	s->id = f->id;
	s->existed = true;
	if (flow_durable(f))
		s->done(s, 0, &s->id, true, NULL);
	else
		list_push(f->batch == e->gather->no ? &e->gather->starts : &e->inflight->starts, &s->link);
}

static void start_now(struct start *s)
{
	struct engine *e = s->engine;
	struct birth b = {
		.name = s->flow, .input = s->input, .has_key = s->key.len > 0, .key = s->key_hash };

	if (engine_away(e)) {
		refuse(s, FISH_ESTORE, "the store is away, nothing was started; try again");
		return;
	}
	struct flow *f = b.has_key ? map_get(&e->start_keys, &b.key) : NULL;

	if (f) {
		existing(s, f);
		return;
	}
	if (engine_crowded(e)) {
		refuse(s, FISH_EBUSY, engine_overfull(e)
		       ? "too much is waiting for the disk, nothing was started; try again"
		       : "the memory for flows is used up, nothing was started; try again");
		return;
	}
	s->id = flow_start(e, &b)->id;
	e->figures.starts++;
	list_push(&e->gather->starts, &s->link);
}

static void key_found(struct store_find *find, int rc)
{
	struct start *s = container_of(find, struct start, find);

	if (rc < 0) {
		start_now(s);
		return;
	}
	s->id = find->ended.flow;
	s->done(s, 0, &s->id, true, NULL);
}

void engine_start(struct engine *e, struct start *s)
{
	struct err err = { .code = 0 };
	struct slice parts[] = { SLICE_LIT("start"), s->flow, s->key };

	engine_catch_up(e);
	s->engine = e;
	s->existed = false;
	s->id = (struct id){ { 0 } };
	list_init(&s->link);
	if (!engine_def(e, s->flow)) {
		refuse(s, FISH_ENOTFOUND, "the program has no flow of that name");
		return;
	}
	if (s->key.len > START_KEY_BYTES_MAX) {
		refuse(s, FISH_EINVAL, "the key has more than 255 bytes");
		return;
	}
	if (template_check_value(s->input, &err) < 0) {
		refuse(s, FISH_EFORMAT, err.text);
		return;
	}
	if (!s->key.len) {
		start_now(s);
		return;
	}
	s->key_hash = hash128(parts, sizeof parts / sizeof *parts);
	if (engine_away(e) || map_get(&e->start_keys, &s->key_hash)) {
		start_now(s);
		return;
	}
	s->find = (struct store_find){ .by = STORE_BY_KEY, .what = s->key_hash, .done = key_found };
	store_find(e->store, &s->find);
}
