/* doorway.c - what becomes of a request to a named door.
 *
 * The order of questions: is there such a door, is it from its sender (a question is answered), is it for
 * anybody, is there room. Then it starts a flow, or goes into the box of its key. Invariant: as at hooks,
 * 200 waits for the commit that makes it true, and a repetition hears 200 and does nothing. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"

#include <string.h>

enum { EARLY_MAX = 1000 * 1000 };            /* deliveries of parked flows that wait, before new keys are refused */

bool engine_has_door(const struct engine *e, struct slice name)
{
	return doors_find(&e->doors, name) != NULL;
}

/* Senders of a door and their keys are the program's. */
static const struct door *door_of(const struct delivery *d)
{
	const struct door *door = doors_find(&d->engine->doors, d->door);

	CHECK(door);                              /* doorway_deliver has seen it */
	return door;
}

/* ---- each delivery starts a flow ---- */

static void flow_now(struct delivery *d)
{
	struct engine *e = d->engine;
	struct flow *f = d->has_key ? map_get(&e->start_keys, &d->key) : NULL;

	if (engine_away(e) || (!f && engine_crowded(e))) {
		delivery_tell(d, 503);
		return;
	}
	if (f) {
		e->figures.duplicates++;
		delivery_note(d, FATE_DUPLICATE, 200, NULL);
		deliver_after(d, 200, f->batch);
		return;
	}
	const struct flow *born = flow_start(e, &(struct birth){
		.name = slice_of(door_of(d)->flow->name), .input = d->body, .meta = d->meta, .has_key = d->has_key,
		.key = d->key });
	d->to = born->id;
	d->fate = FATE_STORED;
	e->figures.starts++;
	e->figures.deliveries++;
	deliver_after(d, 200, e->gather->no);
}

static void key_found(struct store_find *find, int rc)
{
	struct delivery *d = container_of(find, struct delivery, find);

	if (rc < 0) {
		flow_now(d);
		return;
	}
	d->engine->figures.duplicates++;
	delivery_note(d, FATE_DUPLICATE, 200, NULL);
	delivery_tell(d, 200);
}

static void flow_each(struct delivery *d)
{
	struct slice parts[] = { SLICE_LIT("door"), d->door, { (const char *)d->key.b, sizeof d->key.b } };

	if (d->has_key)
		d->key = hash128(parts, sizeof parts / sizeof *parts);
	if (!d->has_key || map_get(&d->engine->start_keys, &d->key)) {
		flow_now(d);
		return;
	}
	d->find = (struct store_find){ .by = STORE_BY_KEY, .what = d->key, .done = key_found };
	store_find(d->engine->store, &d->find);
}

/* ---- it goes into the box of its key ---- */

static struct flow *box_new(struct delivery *d)
{
	const struct door *door = door_of(d);
	struct buf key;

	buf_init(&key, SIZE_MAX);
	CHECK(door_key_of(door, d->meta, d->body, &key));  /* as before */
	struct flow *box = box_start(d->engine, d->door, buf_slice(&key), door->keep_ms);

	buf_fini(&key);
	return box;
}

static void into_box(struct box_seek *s, struct flow *box)
{
	struct delivery *d = container_of(s, struct delivery, seek);
	struct engine *e = d->engine;

	if (engine_away(e) || engine_crowded(e)) {
		delivery_tell(d, 503);
		return;
	}
	if (box)
		flow_settle(box);
	if (box && box->state == FLOW_ENDED)
		box = NULL;
	if (box ? box->waiting >= BOX_WAITING_MAX : e->parked.untaken >= EARLY_MAX) {
		delivery_refuse(d, 429, box ? "as much of its key as is kept waits already"
		                            : "as much as is kept in all waits already");
		return;
	}
	if (!box)
		box = box_new(d);
	d->flow = d->to = box->id;
	d->hook = BOX_IN;
	deliver_live(d, box);
}

/* Its sender can do nothing about that. */
static void for_nobody(struct delivery *d)
{
	struct buf why;

	buf_init(&why, SIZE_MAX);
	buf_printf(&why, "it has no %s that could be a key", door_of(d)->key);
	if (!d->put_back && gate_tells(d->engine))
		engine_log(d->engine, "door.nobody", "door=%.*s number=%llu why=\"%s\"", (int)d->door.len, d->door.ptr,
		           (unsigned long long)d->number, why.ptr);
	d->has_key = false;
	delivery_note(d, FATE_NOBODY, 200, why.ptr);
	delivery_tell(d, 200);
	buf_fini(&why);
}

static void by_key(struct delivery *d)
{
	struct buf key;

	buf_init(&key, SIZE_MAX);
	if (door_key_of(door_of(d), d->meta, d->body, &key)) {
		d->seek = (struct box_seek){ .key = box_key(d->door, buf_slice(&key)), .done = into_box };
		box_seek(d->engine, &d->seek);
	} else {
		for_nobody(d);
	}
	buf_fini(&key);
}

void doorway_deliver(struct delivery *d)
{
	struct slice parts[] = { SLICE_LIT("message"), d->message_id };
	const struct door *door = doors_find(&d->engine->doors, d->door);

	if (!door) {
		delivery_tell(d, 404);
		return;
	}
	d->flow = (struct id){ { 0 } };
	d->hook = 0;
	d->has_key = d->message_id.len > 0;
	if (d->has_key)
		d->key = hash128(parts, sizeof parts / sizeof *parts);
	if (engine_away(d->engine) || engine_crowded(d->engine)) {
		delivery_tell(d, 503);
		return;
	}
	if (!gate_door(d, door))
		return;
	if (door->flow)
		flow_each(d);
	else
		by_key(d);
}
