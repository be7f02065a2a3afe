/* api_tree.c - fish_cancelled, fish_cancel, fish_tell, fish_renew: flows and those around them.
 *
 * Invariant: what one flow does to another stands in one commit with the PROGRESS that covers the step,
 * so that it is done exactly once; below the border nothing is done again. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdarg.h>
#include <string.h>

fish_hook *fish_cancelled(fish_flow *f)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	run_step(r, &(struct step){ .kind = STEP_CANCELLED, .label = "" });
	r->asked_cancelled = true;
	fish_hook *h = run_hook_new(r, SOURCE_CANCEL, 0, "cancelled");

	run_step_end(r);
	return h;
}

/* NULL: it has ended, and has been told of. */
static const struct id *kid_of(const struct run *r, uint32_t step)
{
	const struct flow *f = r->flow;

	for (size_t i = 0; i < f->nkids; i++)
		if (f->kids[i].step == step)
			return &f->kids[i].id;
	return NULL;
}

static void cancel_child(struct run *r, uint32_t step, const char *label)
{
	const struct id *kid = kid_of(r, step);
	struct id to = kid ? *kid : (struct id){ { 0 } };      /* f->kids may move */

	if (!kid && !run_recorded(r))
		return;
	if (run_acts(r, &to, label) && kid)
		act_new(r, ACT_CANCEL, step)->to = to;
}

/* Below the border too: what a replay asks for again is given up again. */
static void cancel_call(struct run *r, uint32_t step)
{
	struct call *c = call_find(r->flow, r->epoch, step);

	for (struct held_call *h = r->held; h; h = h->next)
		h->request.cancelled = h->request.cancelled || h->request.step == step;
	if (c)
		call_cancel(c);
}

void fish_cancel(fish_hook *h)
{
	struct run *r = RUN_OF_HOOK(h, "fish_cancel");

	if (h->source == SOURCE_HOOK || h->source == SOURCE_CANCEL)
		run_misuse(r, "fish_cancel: \"%s\" is neither a child nor a call nor a timer; fish_close closes hooks",
		           h->name);
	run_step(r, &(struct step){
		.kind = STEP_CANCEL, .label = h->name, .content = (uint64_t)h->source << 32 | h->number });
	if (h->source == SOURCE_CHILD)
		cancel_child(r, h->number, h->name);
	else if (h->source == SOURCE_CALL)
		cancel_call(r, h->number);
	else
		run_timer_remove(r, h->number);
	if (h->source == SOURCE_TIMER)
		h->closed = true;
	run_step_end(r);
}

void fish_tell(fish_flow *f, const char *flow_id, const char *hook_name, const char *json, ...)
{
	struct run *r = run_of(f);
	struct id id;
	va_list ap;

	RUN_AT(r);
	if (id_parse(slice_of(flow_id), &id) < 0)
		run_misuse(r, "fish_tell: \"%.40s\" is no flow's id", flow_id ? flow_id : "(null)");
	if (!hook_name)
		run_misuse(r, "fish_tell: the hook's name is missing");
	va_start(ap, json);
	struct slice body = run_template(r, "fish_tell", json, ap);

	va_end(ap);
	run_step(r, &(struct step){
		.kind = STEP_TELL, .label = hook_name,
		.content = hash64(hash64(HASH64_SEED, slice_of(flow_id)), body) });
	if (run_acts(r, &id, hook_name) || rule_off(r->engine, RULE_TELL_ONCE)) {
		struct act *a = act_new(r, ACT_TELL, run_index(r));

		a->to = id;
		a->hook_name = xstrndup(hook_name, strlen(hook_name));
		buf_put_slice(&a->body, body);
	}
	run_step_end(r);
}

void fish_renew(fish_flow *f, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	va_start(ap, json);
	struct slice input = run_template(r, "fish_renew", json, ap);

	va_end(ap);
	run_step(r, &(struct step){ .kind = STEP_RENEW, .label = "", .content = hash64(HASH64_SEED, input) });
	r->renews = true;
	run_return(r, END_DONE, input);
}
