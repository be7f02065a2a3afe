/* feed.c - flow_feed: how each entry changes what the door and the deadlines know of a flow.
 *
 * The same code runs when an entry is appended and when the store hands it back later, so that the two
 * can never differ. f->batch is 0 in the second case: all of it is durable. Surprise: the parent is not
 * asked; its own BORN entries tell it which deliveries became children. */
#include "engine/flow.h"
#include "engine/msg.h"
#include "engine/world.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <string.h>

static char *dup(struct slice s)
{
	return xstrndup(s.len ? s.ptr : "", s.len);
}

static void hook_seen(struct flow *f, struct hook *h, const struct entry *e, uint64_t batch, uint64_t seq)
{
	h->received++;
	if (!e->has_key)
		return;
	if (!h->seen)
		h->seen = seen_new();
	seen_add(h->seen, &(struct seen_entry){ .key = e->key, .time_ms = e->time_ms, .batch = batch, .seq = seq });
	flow_seen(f, h);
}

void flow_link(struct flow *f)
{
	struct engine *e = f->engine;
	struct flow *parent = f->parent_source ? map_get(&e->flows, &f->parent_id) : NULL;

	if (f->has_key && !f->parent_source)
		map_put(&e->start_keys, &f->key, f);
	if (!parent || f->parent)
		return;
	f->parent = parent;
	if (f->cancelled)         /* behind those that are not, see tree.c */
		list_push(&parent->children, &f->sibling);
	else
		list_unshift(&parent->children, &f->sibling);
}

void flow_hook_received(struct flow *f, uint32_t number, const struct id *key)
{
	struct hook *h = flow_hook(f, number);
	struct entry e = { .time_ms = f->engine->now_ms, .has_key = key != NULL };

	if (key)
		e.key = *key;
	if (h)
		hook_seen(f, h, &e, f->engine->gather->no, 0);
}

static void feed_parent(struct flow *f, const struct entry *e)
{
	f->parent_id = e->flow;
	f->parent_source = e->source;
	f->parent_number = e->number;
	f->parent_epoch = e->epoch;
}

void flow_kid_add(struct flow *f, uint32_t step, const struct id *id)
{
	f->kids = xrealloc(f->kids, (f->nkids + 1) * sizeof *f->kids);
	f->kids[f->nkids++] = (struct kid){ step, *id };
}

static void kid_remove(struct flow *f, uint32_t step)
{
	for (size_t i = 0; i < f->nkids; i++)
		if (f->kids[i].step == step) {
			f->kids[i] = f->kids[--f->nkids];
			return;
		}
}

/* What the engine itself has just counted, it need not count again. */
static int feed_born(struct flow *f, const struct entry *e)
{
	struct slice rest = f->flushing ? SLICE_NONE : e->born;
	struct entry_born b;
	int rc = 0;

	while ((rc = entry_born_next(&rest, &b)) == 1) {
		struct hook *h = b.source == SOURCE_HOOK ? flow_hook(f, b.number) : NULL;

		if (h)
			hook_seen(f, h, &(struct entry){ .time_ms = e->time_ms, .has_key = b.has_id, .key = b.id },
			          f->batch, 0);
		if (b.source == SOURCE_CHILD)
			flow_kid_add(f, b.number, &b.id);
	}
	return rc;
}

void flow_publish(struct flow *f, struct slice name, struct slice body)
{
	size_t at = 0;

	while (at < f->npublished && !slice_eq(slice_of(f->published[at].name), name))
		at++;
	if (at == f->npublished) {
		f->published = xrealloc(f->published, (f->npublished + 1) * sizeof *f->published);
		f->published[f->npublished].name = dup(name);
		buf_init(&f->published[f->npublished++].body, SIZE_MAX);
	}
	buf_reset(&f->published[at].body);
	buf_put_slice(&f->published[at].body, body);
}

static int feed_start(struct flow *f, const struct entry *e)
{
	if (f->name)
		return FISH_EFORMAT;
	f->name = dup(e->name);
	f->base_url = dup(e->base_url);
	f->key_id = e->key_id;
	f->def = flow_def(f->engine, e->name);
	f->started_ms = e->time_ms;
	f->build = e->build;
	f->has_key = e->has_key;
	f->key = e->key;
	f->news = true;
	if (e->source)
		feed_parent(f, e);
	return 0;
}

/* The time of HOOK is when its step was first reached. */
static bool options_feed(struct hook *h, const struct entry *e)
{
	struct hook_options o;

	if (options_take(e->options, &o) < 0)
		return false;
	o.reply_body.ptr = o.reply_body.len ? dup(o.reply_body) : NULL;
	o.from.ptr = o.from.len ? dup(o.from) : NULL;
	o.on.ptr = o.on.len ? dup(o.on) : NULL;
	o.key.ptr = o.key.len ? dup(o.key) : NULL;
	o.reply_lines.ptr = o.reply_given ? dup(o.reply_lines) : NULL;
	h->options = o;
	h->shots_left = o.shots;
	if (o.expires_ms)
		h->expires_ms = engine_wait_until(e->time_ms, o.expires_ms);
	return true;
}

void flow_expiries_add(struct flow *f)
{
	for (size_t i = 0; i < f->nhooks; i++)
		if (!f->hooks[i].closed && f->hooks[i].expires_ms != INT64_MAX)
			flow_deadline_add(f, (struct entry_deadline){
				SOURCE_HOOK, f->hooks[i].number, f->hooks[i].expires_ms });
}

struct hook *flow_hook_add(struct flow *f, uint32_t number, struct slice name)
{
	if (f->nhooks == f->hooks_cap) {
		f->hooks_cap = f->hooks_cap ? 2 * f->hooks_cap : 2;
		f->hooks = xrealloc(f->hooks, f->hooks_cap * sizeof *f->hooks);
	}
	struct hook *h = &f->hooks[f->nhooks++];

	*h = (struct hook){ .number = number, .name = dup(name), .expires_ms = INT64_MAX };
	return h;
}

static int feed_hook(struct flow *f, const struct entry *e)
{
	struct hook *h = flow_hook(f, e->number);

	if (!h) {
		h = flow_hook_add(f, e->number, e->name);
		if (!options_feed(h, e))
			return FISH_EFORMAT;
		if (h->expires_ms != INT64_MAX) {
			flow_deadline_add(f, (struct entry_deadline){ SOURCE_HOOK, h->number, h->expires_ms });
			flow_deadlines_changed(f);
		}
	} else if (e->options.len) {
		struct hook_options left;

		if (options_take(e->options, &left) < 0)
			return FISH_EFORMAT;
		h->shots_left = left.shots;
	}
	if (e->each.len && !h->each) {
		h->each = dup(e->each);
		f->waiting = 0;       /* what had come has become children */
	}
	h->batch = f->batch;
	return 0;
}

void flow_deadline_remove(struct flow *f, enum source source, uint32_t step)
{
	for (size_t i = 0; i < f->ndeadlines; i++) {
		if (f->deadlines[i].source != source || f->deadlines[i].step != step)
			continue;
		memmove(&f->deadlines[i], &f->deadlines[i + 1],
		        (f->ndeadlines - i - 1) * sizeof *f->deadlines);
		f->ndeadlines--;
		flow_deadlines_changed(f);
		return;
	}
}

static void feed_message(struct flow *f, const struct entry *e)
{
	struct hook *h = e->source == SOURCE_HOOK ? flow_hook(f, e->number) : NULL;

	f->news = true;
	f->answers += e->source != SOURCE_HOOK;
	if (h) {
		hook_seen(f, h, e, f->batch, f->seq_next - 1);
		h->shots_left -= h->shots_left > 0;
		f->waiting++;
		if (!f->run)          /* else that counts */
			flow_waiting_more(f, e->number, message_bytes(e->meta, e->body));
	}
	if (e->source == SOURCE_TIMER)
		flow_deadline_remove(f, SOURCE_TIMER, e->number);
	if (e->source == SOURCE_CALL && f->doubt)
		f->doubt--;
	if (e->source == SOURCE_CHILD)
		kid_remove(f, e->number);
}

/* Of an earlier life that is not fed itself: a message its RENEW took along. */
void flow_feed_taken_along(struct flow *f, const struct entry *e)
{
	f->waiting++;
	flow_waiting_more(f, e->number, message_bytes(e->meta, e->body));
}

static int feed_progress(struct flow *f, const struct entry *e)
{
	struct slice rest = e->deadlines;
	struct entry_deadline d;
	int rc;

	f->ndeadlines = 0;
	while ((rc = entry_deadline_next(&rest, &d)) == 1)
		flow_deadline_add(f, d);
	flow_expiries_add(f);
	flow_deadlines_changed(f);
	f->build = e->build;
	f->doubt = e->doubt;
	f->waiting = e->waiting;
	if (!f->waiting && !f->run)
		flow_waiting_none(f);
	if (e->rest == REST_CLOSING && !f->closing && !f->cancelled)
		f->closing_batch = f->batch;
	f->closing = e->rest == REST_CLOSING;
	f->news = e->rest == REST_MISUSED || e->rest == REST_PAUSED;
	f->steps = e->number;
	return rc;
}

void flow_deadline_add(struct flow *f, struct entry_deadline d)
{
	if (f->ndeadlines == f->deadlines_cap) {
		f->deadlines_cap = f->deadlines_cap ? 2 * f->deadlines_cap : 2;
		f->deadlines = xrealloc(f->deadlines, f->deadlines_cap * sizeof *f->deadlines);
	}
	f->deadlines[f->ndeadlines++] = d;
}

/* A timer before a wait of the same moment: it is the older promise. */
static int by_due(const void *a, const void *b)
{
	const struct entry_deadline *x = a;
	const struct entry_deadline *y = b;

	if (x->due_ms != y->due_ms)
		return x->due_ms < y->due_ms ? -1 : 1;
	if (x->source != y->source)
		return x->source == SOURCE_TIMER ? -1 : 1;
	return x->step < y->step ? -1 : x->step > y->step;
}

void flow_deadlines_changed(struct flow *f)
{
	if (f->ndeadlines > 1)
		qsort(f->deadlines, f->ndeadlines, sizeof *f->deadlines, by_due);
	if (f->ndeadlines)
		heap_set(&f->engine->deadlines, &f->due, f->deadlines[0].due_ms);
	else
		heap_remove(&f->engine->deadlines, &f->due);
}

static void feed_closed(struct flow *f, const struct entry *e)
{
	struct hook *h = flow_hook(f, e->number);

	if (h) {
		h->closed = true;
		h->batch = f->batch;
	}
	flow_deadline_remove(f, SOURCE_HOOK, e->number);
	f->news = true;
}

static int feed_children(struct flow *f, const struct entry *e)
{
	f->children_live += e->added;
	if (f->children_live < e->ended)
		return FISH_EFORMAT;              /* no journal of ours: one that was imported */
	f->children_live -= e->ended;
	f->news = f->news || (f->closing && e->ended);
	return 0;
}

static void feed_cancel(struct flow *f, const struct entry *e)
{
	f->news = true;
	if (f->cancelled) {                       /* the second: the grace is over */
		flow_deadline_remove(f, SOURCE_CANCEL, 0);
		return;
	}
	if (!f->closing)
		f->closing_batch = f->batch;
	f->cancelled = true;
	f->cancelled_ms = e->time_ms;
	f->cancelled_seq = f->seq_next - 1;
	if (!f->parent)
		return;
	list_remove(&f->sibling);
	list_push(&f->parent->children, &f->sibling);
}

/* Kept with the id of the message it answers, for duplicates. */
static void feed_reply(struct flow *f, const struct entry *e)
{
	struct reply told = reply_of(e);

	f->news = true;
	for (size_t i = 0; i < f->nhooks && !rule_off(f->engine, RULE_REPLY_KEPT); i++)
		if (f->hooks[i].seen && f->hooks[i].options.reply_ms) {
			seen_reply(f->hooks[i].seen, e->message_seq, f->batch, &told);
			flow_seen(f, &f->hooks[i]);
		}
}

/* The hooks stay as they are; what belonged to the old life's steps goes. */
static void feed_renew(struct flow *f, const struct entry *e)
{
	struct slice untaken = e->untaken;

	f->renewed_from_seq = f->seq_next - 1;
	(void)varint_next(&untaken, &f->renewed_from_seq);
	f->nkids = 0;
	f->epoch++;
	free(f->base_url);
	f->base_url = dup(e->base_url);
	f->key_id = e->key_id;
	f->build = e->build;
	f->ndeadlines = 0;
	flow_expiries_add(f);
	flow_deadlines_changed(f);
	f->doubt = 0;
	f->steps = 0;
	f->answers = 0;
	f->closing = false;
	f->news = true;
	for (size_t i = 0; rule_off(f->engine, RULE_RENEW_KEEPS_SEEN) && i < f->nhooks; i++) {
		f->hooks[i].seen = seen_free(f->hooks[i].seen);
		flow_seen(f, &f->hooks[i]);
	}
}

int flow_feed(struct flow *f, const struct entry *e)
{
	f->seq_next++;
	switch (e->kind) {
	case ENTRY_START:
		return feed_start(f, e);
	case ENTRY_HOOK:
		return feed_hook(f, e);
	case ENTRY_MESSAGE:
		feed_message(f, e);
		break;
	case ENTRY_TIMEOUT:
		flow_deadline_remove(f, SOURCE_WAIT, e->number);
		f->answers++;
		f->news = true;
		break;
	case ENTRY_CLOSED:
		feed_closed(f, e);
		break;
	case ENTRY_CHILDREN:
		return feed_children(f, e);
	case ENTRY_CANCEL:
		feed_cancel(f, e);
		break;
	case ENTRY_PROGRESS:
		return feed_progress(f, e);
	case ENTRY_REPLY:
	case ENTRY_ANSWER:
		feed_reply(f, e);
		break;
	case ENTRY_RENEW:
		feed_renew(f, e);
		break;
	case ENTRY_RESULT:
		f->doubt -= f->doubt > 0;
		f->answers++;
		f->news = true;
		break;
	case ENTRY_PUBLISH:
		flow_publish(f, e->name, e->body);
		f->news = true;
		break;
	case ENTRY_PATCH:
		f->news = true;
		break;
	case ENTRY_BORN:
		return feed_born(f, e);
	case ENTRY_DOOR:
		return door_feed(f, e);
	case ENTRY_END:
		break;
	}
	return 0;
}
