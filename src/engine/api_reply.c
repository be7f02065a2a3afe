/* api_reply.c - fish_reply: the flow answers the sender that is held for its message.
 *
 * Invariant: REPLY is journaled before anybody hears it, so a sender that asks again, after a restart
 * too, hears the same. Surprise: nobody may be held any more; then the reply is for the duplicate. */
#include "base/hash.h"
#include "engine/hold.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdarg.h>

static void check_reply(struct run *r, const fish_msg *m, int status)
{
	/* Numbers of hooks and entries are a flow's own. */
	if (m && m->hook && m->hook->run != r)
		run_misuse(r, "fish_reply: a delivery to another flow, or to an earlier run of this one");
	const struct hook *h = m && m->hook && m->hook->source == SOURCE_HOOK
	                               ? flow_hook(r->flow, m->hook->number) : NULL;

	if (!h || !h->options.reply_ms || h->each)
		run_misuse(r, "fish_reply: not a delivery of a hook whose options have reply_ms");
	if (msg_of(m)->replied)
		run_misuse(r, "fish_reply: a second reply to one delivery of hook \"%s\"", h->name);
	if (status < 200 || status > 599)
		run_misuse(r, "fish_reply: %d is no status of an answer", status);
}

void fish_reply(fish_flow *f, const fish_msg *m, int status, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	check_reply(r, m, status);
	va_start(ap, json);
	struct slice body = run_template(r, "fish_reply", json, ap);

	va_end(ap);
	uint64_t seq = msg_of(m)->seq;
	uint64_t content = hash64(hash64_u64(hash64_u64(HASH64_SEED, seq), (uint64_t)status), body);

	run_step(r, &(struct step){ .kind = STEP_REPLY, .label = m->hook->name, .content = content });
	/* What it marks is the run's own: the const is for its user. */
	((struct msg *)msg_of(m))->replied = true;
	if (!run_recorded(r)) {
		flow_append(r->flow, &(struct entry){
			.kind = ENTRY_REPLY, .message_seq = seq, .status = status, .body = body });
		holds_reply(r->flow, seq, status, body);
	}
	run_step_end(r);
}
