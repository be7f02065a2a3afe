/* sim_held.c - senders that a hook with reply_ms holds: what each of them is to hear, and by when.
 *
 * Invariant: once REPLY is durable, all who ask hear it, and who was held when it came in time does too;
 * before that there is only the fallback. Surprise: a fallback that was due is told when its message is
 * durable, which may be after the REPLY that came too late for it. */
#include "engine/world.h"
#include "sim/sim_world.h"
#include "wire/options.h"

struct hook_options held_options(const struct past *p, uint32_t hook)
{
	struct hook_options o = { .reply_ms = 0 };

	for (size_t i = 0; i < p->n; i++) {
		const struct entry *e = &p->entries[i];

		if (e->kind != ENTRY_HOOK || e->number != hook)
			continue;
		if (e->each.len)
			o.reply_ms = 0;
		else
			(void)options_take(e->options, &o);
	}
	return o;
}

void held_begin(struct sim *s, struct post *p)
{
	const struct sim_url *url = &s->urls[s->messages[p->message].url];
	struct hook_options o = held_options(past_of(s, &url->flow), url->hook);

	if (o.reply_ms)
		p->due_ms = engine_wait_until(engine_now_ms(s->engine), o.reply_ms);
}

void held_replied(struct sim *s, const struct past *p, const struct entry *reply)
{
	const struct entry *message = reply->message_seq < p->n ? &p->entries[reply->message_seq] : NULL;

	s->result->stats.replies++;
	if (!message || !takes_in(message, &p->id, &p->id, message->number)) {
		sim_broken(s, "a reply answers what is no delivery");
		return;
	}
	for (struct list *l = s->posts.next; l != &s->posts; l = l->next) {
		struct post *post = container_of(l, struct post, link);
		const struct sim_message *m = &s->messages[post->message];
		const struct sim_url *url = &s->urls[m->url];

		if (m->has_id && m->uid == uid_of(message->body) && id_eq(&url->flow, &p->id)
		    && url->hook == message->number && post->due_ms > reply->time_ms)
			post->must = answer_of(reply);
	}
}

static bool is_answer(const struct answer *a, int status, const struct delivery *d)
{
	return a->set && a->status == status && slice_eq(a->body, d->answer) && slice_eq(a->lines, d->answer_lines)
	       && !a->lines.ptr == !d->answer_lines.ptr;
}

/* Has it ended, as far as the engine knows? Who was not replied to by then hears 200. */
static bool over(struct sim *s, const struct past *p)
{
	const struct flow *f = map_get(&s->engine->flows, &p->id);

	return p->ended || (f && f->state == FLOW_ENDED);
}

/* One of several posts without an id has been replied to so. */
static bool some_reply(const struct past *p, uint32_t hook, uint32_t uid, int status,
                       const struct delivery *d)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct entry *e = &p->entries[i];
		struct answer a = answer_of(e);

		if (is_reply(e) && e->message_seq < p->n
		    && takes_in(&p->entries[e->message_seq], &p->id, &p->id, hook)
		    && uid_of(p->entries[e->message_seq].body) == uid && is_answer(&a, status, d))
			return true;
	}
	return false;
}

bool held_accepted(struct sim *s, const struct post *p, int status)
{
	const struct sim_message *m = &s->messages[p->message];
	const struct sim_url *url = &s->urls[m->url];
	const struct past *past = past_of(s, &url->flow);
	struct hook_options o = held_options(past, url->hook);
	struct slice body = p->delivery.answer;
	struct answer fallback = { true, o.reply_status, o.reply_body, o.reply_lines };

	if (status == 503 || status == 404 || status == 410 || status == 400 || status == 429) {
		if (body.len)
			sim_broken(s, "message %u was told %d with a body", m->uid, status);
		if (p->must.set && status != 503)
			sim_broken(s, "message %u was replied to and told %d", m->uid, status);
		return false;
	}
	if (p->must.set) {
		if (!is_answer(&p->must, status, &p->delivery))
			sim_broken(s, "message %u was told %d %.*s, and its reply is %d %.*s", m->uid, status,
			           (int)body.len, body.ptr, p->must.status, (int)p->must.body.len, p->must.body.ptr);
		return true;
	}
	if (some_reply(past, url->hook, m->uid, status, &p->delivery))
		return true;
	if (o.reply_ms && is_answer(&fallback, status, &p->delivery)) {
		s->result->stats.fallbacks++;
		return true;
	}
	if (status != 200 || body.len || (o.reply_ms && !over(s, past)))
		sim_broken(s, "message %u was told %d %.*s, which is no reply and no fallback", m->uid, status,
		           (int)body.len, body.ptr);
	return true;
}

/* Answers that wait for a commit are not late. */
void check_held_senders(struct sim *s)
{
	const struct engine *e = s->engine;

	if (engine_away(e) || !engine_idle(e) || store_memory_pending(s->store))
		return;
	for (const struct list *l = s->posts.next; l != &s->posts; l = l->next)
		if (container_of(l, const struct post, link)->due_ms
		    && container_of(l, const struct post, link)->due_ms < e->now_ms)
			sim_broken(s, "a sender is held beyond its time");
}
