/* api_note.c - fish_publish, fish_patch, fish_key.
 *
 * Invariant: the first answer of fish_patch for a name holds for the flow's life, live and replayed.
 * Surprise: fish_patch takes no step number, so that adding one moves no other step. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdarg.h>
#include <string.h>

static void check_name(struct run *r, const char *verb, const char *name)
{
	if (!name || !*name || strlen(name) > NAME_BYTES_MAX)
		run_misuse(r, "%s: its name has 1 to %d bytes", verb, NAME_BYTES_MAX);
}

void fish_publish(fish_flow *f, const char *name, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	check_name(r, "fish_publish", name);
	va_start(ap, json);
	struct slice body = run_template(r, "fish_publish", json, ap);

	va_end(ap);
	run_step(r, &(struct step){
		.kind = STEP_PUBLISH, .label = name, .content = hash64(HASH64_SEED, body) });
	if (!run_recorded(r))
		flow_append(r->flow, &(struct entry){
			.kind = ENTRY_PUBLISH, .name = slice_of(name), .body = body });
	run_step_end(r);
}

static struct patch *patch_find(const struct run *r, const char *name)
{
	for (struct patch *p = r->patches; p; p = p->next)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

/* It is no step, at whose end others could run: so a loop of nothing else has an end. */
static void check_asks(struct run *r)
{
	if (++r->patch_asks > PATCH_ASKS_MAX)
		run_misuse(r, "fish_patch was asked %d times since the last step", PATCH_ASKS_MAX);
}

bool fish_patch(fish_flow *f, const char *name)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	if (r->engine->current)                   /* else a deferred function asks */
		run_here(r);
	check_name(r, "fish_patch", name);
	check_asks(r);
	if (rule_off(r->engine, RULE_PATCH_NO_STEP))
		run_step(r, &(struct step){ .kind = STEP_PUBLISH, .label = name });
	struct patch *p = patch_find(r, name);

	if (p)
		return p->answer;
	if (!r->engine->current)                  /* a deferred function asks, and may not record */
		return false;
	if (r->steps < r->border) {               /* an older build went by here */
		if (!rule_off(r->engine, RULE_PATCH_MEMO))
			run_patch_keep(r, slice_of(name), false);
		return false;
	}
	if (r->npatches >= PATCHES_MAX)
		run_misuse(r, "fish_patch(\"%s\"): %d names in one life of the flow are as many as there may be",
		           name, PATCHES_MAX);
	if (rule_off(r->engine, RULE_PATCH_RECORDED)) {
		run_patch_keep(r, slice_of(name), true);
		return true;
	}
	/* Fed back by the append, like every other answer. */
	flow_append(r->flow, &(struct entry){ .kind = ENTRY_PATCH, .name = slice_of(name), .status = 1 });
	return patch_find(r, name)->answer;
}

const char *fish_key(fish_flow *f, const char *name)
{
	struct run *r = run_of(f);
	struct slice parts[] = {
		SLICE_LIT("key"),
		{ (const char *)r->id.b, sizeof r->id.b },
		{ (const char *)&r->epoch, sizeof r->epoch },
		slice_of(name),
	};
	struct id key = hash128(parts, sizeof parts / sizeof *parts);
	char text[ID_TEXT_SIZE];

	id_text(&key, text);
	return arena_dup(&r->arena, slice_of(text));
}
