/* sim_sender.c - those outside who post to URLs, start flows and cancel them.
 *
 * They repeat, reorder and go deaf (an answer that got lost on its way). Most messages have an id;
 * each post of one without is a message of its own. */
#include "base/token.h"
#include "sim/sim_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct order {
	struct list  link;               /* in sim->starts */
	struct sim  *sim;
	struct start start;
	uint32_t     number;
	char         input[40], key[16];
};

struct wait {
	struct list  link;               /* in sim->watches */
	struct sim  *sim;
	struct watch watch;
};

struct quit {
	struct list   link;              /* in sim->cancels */
	struct sim   *sim;
	struct cancel cancel;
};

/* ---- URLs ---- */

static void url_add(struct sim *s, const char *text)
{
	struct sim_url url = { .gone = false };
	struct token token;

	memcpy(url.token, text, TOKEN_TEXT_SIZE - 1);
	for (size_t i = 0; i < s->nurls; i++)
		if (strcmp(s->urls[i].token, url.token) == 0)
			return;
	if (token_check(s->ring, slice_of(url.token), &token) < 0)
		sim_broken(s, "a URL went out that the door would call forged: %s", url.token);
	url.flow = token.flow;
	url.hook = token.hook;
	if (s->nurls < SIM_URLS_MAX)
		s->urls[s->nurls++] = url;
}

void sender_urls(struct sim *s, struct slice text)
{
	const char *at = text.ptr;
	const char *end = text.ptr + text.len;

	while (at && (at = memmem(at, (size_t)(end - at), "/h/", 3)) && end - at >= TOKEN_TEXT_SIZE + 2) {
		at += 3;
		url_add(s, at);
	}
}

void sender_learn(struct sim *s)
{
	char text[TOKEN_TEXT_SIZE];

	for (size_t i = 0; i < s->npasts; i++)
		for (size_t n = 0; n < s->pasts[i]->n && !s->pasts[i]->ended; n++) {
			if (s->pasts[i]->entries[n].kind != ENTRY_HOOK)
				continue;
			if (token_text(s->ring, s->store->keys[0].id, &s->pasts[i]->id, s->pasts[i]->entries[n].number,
			               text) < 0)
				sim_broken(s, "the ring lacks the store's key");
			url_add(s, text);
		}
}

/* ---- deliveries ---- */

static void posted(struct delivery *d, int status)
{
	struct post *p = container_of(d, struct post, delivery);
	struct sim *s = p->sim;
	struct sim_message *m = &s->messages[p->message];

	sim_say(s, "%d %.*s to message %u", status, (int)d->answer.len, d->answer.ptr, m->uid);
	bool accepted = held_accepted(s, p, status);

	check_status(s, p, accepted ? 200 : status);
	s->result->stats.accepted += accepted;
	s->result->stats.gone += status == 410;
	s->result->stats.refused += status == 503;
	if (status == 410)
		s->urls[m->url].gone = true;
	/* A post without an id whose 200 got lost counts as told: it is durable all the same. */
	if (accepted)
		m->acked++;
	if (status != 503 && !p->deaf)
		m->open = false;
	if (p->answered)
		*p->answered = true;
	list_remove(&p->link);
	free(p);
	/* A pipelining sender: its next delivery comes from within the answer. */
	if (!s->quiet && sim_percent(s, 8))
		sender_news(s);
}

/* Some of no JSON at all; some name a flow, so that who takes them can tell it something. */
static void body_put(struct post *p, const struct sim_message *m)
{
	char about[ID_TEXT_SIZE];

	id_text(&m->about, about);
	if (m->plain)
		snprintf(p->body, sizeof p->body, "\"uid\": %u, plain", m->uid);
	else if (id_is_zero(&m->about))
		snprintf(p->body, sizeof p->body, "{\"uid\": %u}", m->uid);
	else
		snprintf(p->body, sizeof p->body, "{\"uid\": %u, \"to\": \"%s\"}", m->uid, about);
}

bool sim_is_plain(struct slice body)
{
	return body.len && body.ptr[0] == '"';
}

void sender_again(struct sim *s, uint32_t message)
{
	const struct sim_message *m = &s->messages[message];
	const struct sim_url *url = &s->urls[m->url];
	struct post *p = xalloc(sizeof *p);
	bool answered = false;

	body_put(p, m);
	if (m->has_id)
		snprintf(p->id, sizeof p->id, "id-%u", m->uid);
	p->sim = s;
	p->message = message;
	p->deaf = !s->quiet && sim_percent(s, 15);
	p->answered = &answered;
	if (m->has_id)
		p->must = past_reply(past_of(s, &url->flow), url->hook, m->uid);
	p->delivery = (struct delivery){
		.token = slice_of(url->token), .body = slice_of(p->body),
		.meta = SLICE_LIT(":method: POST\n"), .message_id = slice_of(p->id), .done = posted };
	list_push(&s->posts, &p->link);
	s->result->stats.deliveries++;
	sim_say(s, "post message %u to hook %u", m->uid, url->hook);
	engine_deliver(s->engine, &p->delivery);
	if (answered)
		return;
	p->answered = NULL;
	held_begin(s, p);
}

void sender_news_to(struct sim *s, uint32_t url)
{
	if (s->nmessages == SIM_MESSAGES_MAX)
		return;
	struct sim_message *m = &s->messages[s->nmessages++];

	m->uid = (uint32_t)s->nmessages;
	m->has_id = sim_percent(s, 85);
	m->plain = sim_percent(s, 8);
	if (s->npasts && sim_percent(s, 50))
		m->about = s->pasts[sim_below(s, (uint32_t)s->npasts)]->id;
	m->url = url;
	m->open = true;
	sender_again(s, m->uid - 1);
}

void sender_news(struct sim *s)
{
	/* Young URLs are asked for more often than old ones. */
	if (s->nurls) {
		uint32_t n = (uint32_t)s->nurls;
		uint32_t back = sim_percent(s, 70) && n > 4 ? sim_below(s, 4) : sim_below(s, n);

		sender_news_to(s, n - 1 - back);
	}
}

/* ---- starts ---- */

static void ordered(struct start *start, int rc, const struct id *id, bool existed, const char *why)
{
	struct order *o = container_of(start, struct order, start);
	struct sim *s = o->sim;
	struct sim_order *order = &s->orders[o->number];

	(void)existed;
	sim_say(s, "start %u: %d %s", o->number, rc, why ? why : "");
	if (rc == 0 && !past_start(past_of(s, id)))
		sim_broken(s, "a start was told 0 before its commit");
	if (rc == 0 && order->told && order->has_key && !id_eq(&order->id, id))
		sim_broken(s, "one start key has two flows");
	if (rc == 0) {
		order->told = true;
		order->id = *id;
	}
	list_remove(&o->link);
	free(o);
}

static void ask(struct sim *s, uint32_t number)
{
	struct order *o = xalloc(sizeof *o);

	o->sim = s;
	o->number = number;
	snprintf(o->input, sizeof o->input, "{\"seed\": %u}",
	         number + 100 * (uint32_t)(s->options->seed % 1000000));
	if (s->orders[number].has_key)
		snprintf(o->key, sizeof o->key, "key-%u", number);
	o->start = (struct start){
		.flow = number % 3 == 1 ? SLICE_LIT("sim_shop") : SLICE_LIT("sim_root"),
		.input = slice_of(o->input), .key = slice_of(o->key), .done = ordered };
	list_push(&s->starts, &o->link);
	engine_start(s->engine, &o->start);
}

void sender_order(struct sim *s)
{
	/* Those whose start nobody confirmed ask again; with a key also the others, now and then. */
	for (uint32_t i = 0; i < s->norders; i++)
		if (!s->orders[i].told || (s->orders[i].has_key && sim_percent(s, s->quiet ? 4 : 20)))
			ask(s, i);
}

/* ---- cancels ---- */

static void cancelled(struct cancel *c, int rc)
{
	struct quit *q = container_of(c, struct quit, cancel);
	struct sim *s = q->sim;
	const struct past *p = past_of(s, &c->id);
	bool there = p->ended;

	for (size_t i = 0; i < p->n; i++)
		there = there || p->entries[i].kind == ENTRY_CANCEL;
	if ((rc == 0 && !there) || (rc == FISH_EGONE && !p->ended))
		sim_broken(s, "a cancel was told %d before its commit", rc);
	if (rc == FISH_ENOTFOUND)
		sim_broken(s, "a durable flow was not found");
	list_remove(&q->link);
	free(q);
}

void sender_cancel(struct sim *s, const struct id *flow)
{
	struct quit *q = xalloc(sizeof *q);

	q->sim = s;
	q->cancel = (struct cancel){ .id = *flow, .done = cancelled };
	list_push(&s->cancels, &q->link);
	sim_say(s, "cancel");
	engine_cancel(s->engine, &q->cancel);
}

/* ---- watches ---- */

static void watched(struct watch *w, int rc, int status, struct slice result)
{
	struct wait *x = container_of(w, struct wait, watch);
	struct sim *s = x->sim;
	const struct past *p = past_of(s, &w->id);

	if (rc == 0 && (!p->ended || p->end.status != status || !slice_eq(p->end.result, result)))
		sim_broken(s, "a watcher was told of an end that the history does not hold");
	if (rc == FISH_ENOTFOUND)
		sim_broken(s, "a watched flow is durable and was not found");
	if (rc == FISH_ESTOPPED && past_fits(p, s->build))
		sim_broken(s, "a watcher was told of a stop: %.*s", (int)result.len, result.ptr);
	list_remove(&x->link);
	free(x);
}

void sender_watch(struct sim *s, const struct id *flow)
{
	struct wait *x = xalloc(sizeof *x);

	x->sim = s;
	x->watch = (struct watch){ .id = *flow, .done = watched };
	list_push(&s->watches, &x->link);
	engine_watch(s->engine, &x->watch);
}

void sender_crashed(struct sim *s)
{
	for (struct list *l; (l = list_shift(&s->watches));)
		free(container_of(l, struct wait, link));
	for (struct list *l; (l = list_shift(&s->posts));)
		free(container_of(l, struct post, link));
	for (struct list *l; (l = list_shift(&s->starts));)
		free(container_of(l, struct order, link));
	for (struct list *l; (l = list_shift(&s->cancels));)
		free(container_of(l, struct quit, link));
}
