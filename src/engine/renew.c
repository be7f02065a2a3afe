/* renew.c - RENEW: a flow's next life under the same id.
 *
 * Invariant: what an open hook holds untaken is taken along by reference, in order, and the hook with
 * its number, so URLs and messages outlive the life that spawned them. With DOOR behind it, nothing
 * older than those messages is needed any more. Surprise: the new run is fed from the store like any
 * other that comes back. */
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

static void hooks_put(const struct flow *f, struct buf *out)
{
	for (size_t i = 0; i < f->nhooks; i++)
		if (!f->hooks[i].closed)
			entry_open_hook_put(out, &(struct entry_open_hook){
				.number = f->hooks[i].number, .name = slice_of(f->hooks[i].name) });
}

void run_renew(struct run *r)
{
	struct flow *f = r->flow;
	struct engine *e = r->engine;
	struct buf hooks;
	struct buf untaken;

	buf_init(&hooks, SIZE_MAX);
	buf_init(&untaken, SIZE_MAX);
	hooks_put(f, &hooks);
	if (!rule_off(e, RULE_RENEW_KEEPS_UNTAKEN))
		run_untaken_seqs(r, &untaken);
	/* From here on the flow has no run; what it adds is fed to the next one. */
	f->run = NULL;
	f->state = FLOW_PARKED;
	flow_append(f, &(struct entry){
		.kind = ENTRY_RENEW, .body = r->end_result, .build = e->config.build,
		.key_id = e->store->keys[0].id, .base_url = slice_of(e->base_url),
		.hook_next = rule_off(e, RULE_HOOKNUM_LIFELONG) ? 0 : r->hook_next, .now_ms = r->now_ms,
		.hooks = buf_slice(&hooks), .untaken = buf_slice(&untaken) });
	door_append(f);
	run_drop(r);
	buf_fini(&hooks);
	buf_fini(&untaken);
	flow_load(f);
}
