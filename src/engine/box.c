/* box.c - how the engine finds and starts boxes. */
#include "engine/box.h"

#include "base/hash.h"
#include "engine/world.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const fish_def box_def = { BOX_NAME, box_run, 0 };

bool box_has_name(struct slice name)
{
	return name.len > strlen(BOX_NAME) && memcmp(name.ptr, BOX_NAME, strlen(BOX_NAME)) == 0;
}

const fish_def *flow_def(const struct engine *e, struct slice name)
{
	return box_has_name(name) ? &box_def : engine_def(e, name);
}

bool flow_is_box(const struct flow *f)
{
	return f->def == &box_def;
}

struct id box_key(struct slice door, struct slice key)
{
	struct slice parts[] = { SLICE_LIT("box"), door, key };

	return hash128(parts, sizeof parts / sizeof *parts);
}

/* ---- finding ---- */

static struct flow *living(struct engine *e, const struct id *key)
{
	struct flow *f = map_get(&e->start_keys, key);

	return f && f->state != FLOW_ENDED ? f : NULL;
}

/* By the key again, and not what was fetched: another may have begun meanwhile. */
static void fetched(struct wanted *w, struct flow *f)
{
	struct box_seek *s = container_of(w, struct box_seek, want);

	(void)f;
	s->done(s, engine_away(s->engine) ? NULL : living(s->engine, &s->key));
}

static void found(struct store_find *find, int rc)
{
	struct box_seek *s = container_of(find, struct box_seek, find);

	if (rc < 0 || !find->parked || engine_away(s->engine)) {
		fetched(&s->want, NULL);
		return;
	}
	s->want = (struct wanted){ .id = find->ended.flow, .done = fetched };
	flow_want(s->engine, &s->want);
}

void box_seek(struct engine *e, struct box_seek *s)
{
	s->engine = e;
	list_init(&s->want.link);
	/* One that ends just now leaves no other in the store. */
	if (engine_away(e) || map_get(&e->start_keys, &s->key)) {
		fetched(&s->want, NULL);
		return;
	}
	s->find = (struct store_find){ .by = STORE_BY_KEY, .what = s->key, .done = found };
	store_find(e->store, &s->find);
}

/* ---- beginning ---- */

static void hook_put(struct flow *f, uint32_t number, const char *name)
{
	struct hook_options release = { .release = true };
	struct buf options;

	buf_init(&options, SIZE_MAX);
	options_put(&options, &release);
	flow_append(f, &(struct entry){
		.kind = ENTRY_HOOK, .number = number, .name = slice_of(name), .options = buf_slice(&options) });
	buf_fini(&options);
}

/* Its hooks stand from the beginning, so that it can be delivered to before it has run. */
struct flow *box_start(struct engine *e, struct slice door, struct slice key, int64_t keep_ms)
{
	json_t *input = json_pack("{s:s%, s:I}", "key", key.ptr, key.len, "keep_ms", (json_int_t)keep_ms);
	char *text = json_dumps(input, JSON_COMPACT);
	struct buf name;

	CHECK(text);                              /* the key fits: it is UTF-8 */
	buf_init(&name, SIZE_MAX);
	buf_puts(&name, BOX_NAME);
	buf_put_slice(&name, door);
	struct flow *f = flow_start(e, &(struct birth){
		.name = buf_slice(&name), .input = slice_of(text), .has_key = true, .key = box_key(door, key) });

	hook_put(f, BOX_IN, "in");
	hook_put(f, BOX_CLAIMS, "claims");
	free(text);
	json_decref(input);
	buf_fini(&name);
	return f;
}
