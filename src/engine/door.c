/* door.c - DOOR: all that the door knows of a flow as one entry, and a flow made of it.
 *
 * It stands behind RENEW, in the same commit. Invariant: a flow that is fed RENEW, DOOR and what came
 * after knows what one knows that was fed everything. Surprise: fed to a flow that was there already it
 * changes nothing but from where on the journal is needed. */
#include "engine/flow.h"
#include "engine/world.h"

#include <stdlib.h>

/* A closed hook counts while a duplicate of what it accepted may come. */
static bool counts(const struct hook *h)
{
	return !h->closed || (h->seen && seen_len(h->seen));
}

static void hook_put(struct buf *out, const struct hook *h)
{
	struct hook_options left = h->options;
	struct buf options;
	struct buf seen;

	/* What it has had stands below RENEW, and is not read again. */
	if (!h->closed)
		left.shots = h->shots_left;
	buf_init(&options, SIZE_MAX);
	buf_init(&seen, SIZE_MAX);
	options_put(&options, &left);
	if (h->seen)
		seen_keep(&seen, h->seen);
	entry_door_hook_put(out, &(struct entry_door_hook){
		.number = h->number, .name = slice_of(h->name), .options = buf_slice(&options),
		.each = slice_of(h->each), .closed = h->closed, .expires_ms = h->expires_ms,
		.received = h->received, .seen = buf_slice(&seen) });
	buf_fini(&options);
	buf_fini(&seen);
}

void door_append(struct flow *f)
{
	struct buf hooks;
	struct buf published;

	buf_init(&hooks, SIZE_MAX);
	buf_init(&published, SIZE_MAX);
	for (size_t i = 0; i < f->nhooks; i++)
		if (counts(&f->hooks[i]))
			hook_put(&hooks, &f->hooks[i]);
	for (size_t i = 0; i < f->npublished; i++)
		entry_published_put(&published, &(struct entry_published){
			slice_of(f->published[i].name), buf_slice(&f->published[i].body) });
	flow_append(f, &(struct entry){
		.kind = ENTRY_DOOR, .name = slice_of(f->name), .source = f->parent_source, .flow = f->parent_id,
		.number = f->parent_number, .epoch = f->parent_epoch, .has_key = f->has_key, .key = f->key,
		.life = f->epoch, .started_ms = f->started_ms, .added = f->children_live,
		.cancelled_ms = f->cancelled ? f->cancelled_ms : 0, .message_seq = f->cancelled_seq,
		.hooks = buf_slice(&hooks), .published = buf_slice(&published) });
	buf_fini(&hooks);
	buf_fini(&published);
}

static int hook_take(struct flow *f, const struct entry_door_hook *d)
{
	struct hook *h = flow_hook_add(f, d->number, d->name);
	struct hook_options o;

	if (options_take(d->options, &o) < 0)
		return FISH_EFORMAT;
	o.reply_body.ptr = o.reply_body.len ? xstrndup(o.reply_body.ptr, o.reply_body.len) : NULL;
	o.from.ptr = o.from.len ? xstrndup(o.from.ptr, o.from.len) : NULL;
	o.on.ptr = o.on.len ? xstrndup(o.on.ptr, o.on.len) : NULL;
	o.key.ptr = o.key.len ? xstrndup(o.key.ptr, o.key.len) : NULL;
	o.reply_lines.ptr = o.reply_given ? xstrndup(o.reply_lines.ptr, o.reply_lines.len) : NULL;
	h->options = o;
	h->shots_left = o.shots;
	h->each = d->each.len ? xstrndup(d->each.ptr, d->each.len) : NULL;
	h->closed = d->closed;
	h->expires_ms = d->expires_ms;
	h->received = d->received;
	if (!d->seen.len)
		return 0;
	h->seen = seen_new();
	int rc = seen_restore(h->seen, d->seen);

	flow_seen(f, h);
	return rc;
}

int door_feed(struct flow *f, const struct entry *e)
{
	struct slice rest = e->hooks;
	struct entry_door_hook h;
	struct entry_published p;
	int rc = 0;

	f->from_seq = f->renewed_from_seq;
	if (f->name)
		return 0;
	f->name = xstrndup(e->name.len ? e->name.ptr : "", e->name.len);
	f->def = flow_def(f->engine, e->name);
	f->epoch = e->life;
	f->started_ms = e->started_ms;
	f->parent_source = e->source;
	f->parent_id = e->source ? e->flow : (struct id){ { 0 } };
	f->parent_number = e->number;
	f->parent_epoch = e->epoch;
	f->has_key = e->has_key;
	f->key = e->key;
	f->children_live = e->added;
	f->cancelled = e->cancelled_ms > 0;
	f->cancelled_ms = e->cancelled_ms;
	f->cancelled_seq = e->message_seq;
	while (rc >= 0 && (rc = entry_door_hook_next(&rest, &h)) == 1)
		rc = hook_take(f, &h);
	rest = e->published;
	while (rc >= 0 && (rc = entry_published_next(&rest, &p)) == 1)
		flow_publish(f, p.name, p.body);
	flow_expiries_add(f);
	flow_deadlines_changed(f);
	return rc < 0 ? FISH_EFORMAT : 0;
}
