/* api_once.c - fish_once and fish_work: effects of the user's own, begun when all before is durable.
 *
 * Invariant: the effect begins only after a durable PROGRESS covers its step, so that a flow which has
 * begun it can never be replayed to a place before it with other answers. Surprise: fish_once takes two
 * calls for one step: the first hands over, the second records and takes the answer. */
#include "engine/run.h"
#include "engine/work.h"
#include "engine/world.h"

#include <string.h>

enum { RESULT_BYTES_MAX = 1 << 20 };

static void check_effect(struct run *r, const char *verb, const char *name, const void *result, size_t size)
{
	if (!name || !*name || strlen(name) > NAME_BYTES_MAX)
		run_misuse(r, "%s: its name has 1 to %d bytes", verb, NAME_BYTES_MAX);
	if (size > RESULT_BYTES_MAX)
		run_misuse(r, "%s(\"%s\"): a result of %zu bytes, at most %d are kept", verb, name, size,
		           RESULT_BYTES_MAX);
	if (size && !result)
		run_misuse(r, "%s(\"%s\"): the result is NULL, its size %zu", verb, name, size);
}

/* The recorded answer of the present step into result; false: there is none yet. */
static bool recorded(struct run *r, void *result, size_t size)
{
	struct inbox *in = run_inbox(r, SOURCE_RESULT, run_index(r));

	if (!in->first)
		return false;
	const struct msg *m = run_take(r, in);

	if (m->pub.len != size)
		run_diverge(r, "the journal holds a result of %zu bytes, the code asks for %zu", m->pub.len, size);
	if (size)
		memcpy(result, m->pub.body, size);
	return true;
}

/* Returns when a PROGRESS that covers the present step is durable: at rest one is written. True: what an
 * earlier run began has ended meanwhile, and its result is taken. It is taken as soon as it is there, for
 * what comes behind it in the journal (a cancel) a replay meets behind it too. */
static bool wait_durable(struct run *r, void *result, size_t size)
{
	bool taken = false;

	if (!run_live(r) && rule_off(r->engine, RULE_ONCE_INSIDE))
		return false;
	if (!run_live(r))
		run_diverge(r, "its effect is not in the journal, though later steps are");
	if (rule_off(r->engine, RULE_ONCE_DURABLE) || (rule_off(r->engine, RULE_ONCE_PROGRESS) && flow_durable(r->flow)))
		return false;
	r->awaits = true;
	r->awaited = RUN_UNWRITTEN;
	while (!taken && r->awaited > r->engine->durable_no) {
		run_block(r);
		taken = recorded(r, result, size);
	}
	r->awaits = false;
	return taken;
}

bool fish_once(fish_flow *f, const char *name, void *result, size_t size)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	if (r->once) {
		/* Its own loop asks for the same place: a loop in it, even of one name, has another. */
		if (strcmp(r->once, name ? name : "") != 0 || r->once_result != result)
			run_misuse(r, "fish_once(\"%s\") inside fish_once(\"%s\")", name ? name : "", r->once);
		r->once = NULL;
		flow_append(r->flow, &(struct entry){
			.kind = ENTRY_RESULT, .number = run_index(r), .name = slice_of(name),
			.body = { result, size } });
	} else {
		check_effect(r, "fish_once", name, result, size);
		run_step(r, &(struct step){ .kind = STEP_ONCE, .label = name });
	}
	if (recorded(r, result, size)) {
		run_step_end(r);
		return false;
	}
	if (wait_durable(r, result, size)) {
		run_step_end(r);
		return false;
	}
	r->once = arena_dup(&r->arena, slice_of(name));
	r->once_result = result;
	return true;
}

void fish_work(fish_flow *f, const char *name, void (*fn)(const void *arg, void *result), const void *arg,
               void *result, size_t size)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	check_effect(r, "fish_work", name, result, size);
	if (!fn)
		run_misuse(r, "fish_work(\"%s\"): the function is NULL", name);
	if (!r->engine->config.seams.work)
		run_misuse(r, "fish_work(\"%s\"): this host has no threads to work on", name);
	run_step(r, &(struct step){ .kind = STEP_WORK, .label = name });
	if (!recorded(r, result, size) && !wait_durable(r, result, size)) {
		work_begin(r, name, fn, arg, size);
		while (!recorded(r, result, size))
			run_block(r);
	}
	run_step_end(r);
}
