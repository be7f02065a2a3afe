/* show.c - a flow as JSON, for people who ask what it waits on: its hooks, calls and journal.
 *
 * Invariant: made from the journal and the door's state alone, so a parked or stopped flow shows as
 * much as a running one. Surprise: only what is durable is shown; a flow that has returned, but not
 * durably yet, is ready: a restart would run it again. */
#include "engine/run.h"
#include "engine/view.h"
#include "engine/world.h"

#include "wire/template.h"

#include <stdlib.h>
#include <string.h>

static const char *state_name(const struct flow *f)
{
	if (f->state == FLOW_STOPPED)
		return "stopped";
	if (f->closing || f->cancelled)
		return f->closing_batch <= f->engine->durable_no ? "closing" : "ready";
	switch (f->state) {
	case FLOW_PARKED:
		return "parked";
	case FLOW_LOADING:
	case FLOW_READY:
	case FLOW_RUNNING:
	case FLOW_STOPPED:
	case FLOW_ENDED:      /* not durably yet: until then it has not */
		return "ready";
	case FLOW_WAITING:
		return "waiting";
	}
	return "ready";
}

static void put_id(struct buf *out, const char *name, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	if (id_is_zero(id))
		buf_printf(out, "\"%s\": null", name);
	else
		buf_printf(out, "\"%s\": \"%s\"", name, text);
}

static int64_t wait_until(const struct flow *f)
{
	for (size_t i = 0; i < f->ndeadlines; i++)
		if (f->deadlines[i].source == SOURCE_WAIT)
			return f->deadlines[i].due_ms;
	return INT64_MAX;
}

static void put_time(struct buf *out, const char *name, int64_t ms)
{
	if (ms == INT64_MAX)
		buf_printf(out, ", \"%s\": null", name);
	else
		buf_printf(out, ", \"%s\": %lld", name, (long long)ms);
}

/* The members that a list and a show have in common, without the braces. */
void show_flow(struct buf *out, const struct flow *f)
{
	size_t open = 0;
	size_t calls = 0;

	for (size_t i = 0; i < f->nhooks; i++)
		open += !f->hooks[i].closed && !flow_is_box(f);     /* those of a box have no URLs */
	for (const struct list *l = f->calls.next; l != &f->calls; l = l->next)
		calls++;
	put_id(out, "id", &f->id);
	buf_puts(out, ", \"flow\": ");
	buf_json_string(out, slice_of(f->name));
	buf_printf(out, ", \"state\": \"%s\", \"started_ms\": %lld, ", state_name(f), (long long)f->started_ms);
	put_id(out, "parent", &f->parent_id);
	buf_printf(out, ", \"children\": %llu, \"hooks_open\": %zu, \"calls\": %zu, \"untaken\": %u",
	           (unsigned long long)flow_children(f), open, calls, f->waiting);
	put_time(out, "waits_until_ms", wait_until(f));
	if (flow_is_box(f))
		buf_puts(out, ", \"box\": true");
	if (f->why) {
		buf_puts(out, ", \"why\": ");
		buf_json_string(out, slice_of(f->why));
	}
}

static const char *end_name(int status)
{
	return status == END_DONE ? "done" : status == END_FAILED ? "failed" : "cancelled";
}

static void put_door(struct buf *out, const struct hook *h)
{
	if (!h->options.on.len)
		return;
	buf_puts(out, ", \"door\": ");
	buf_json_string(out, h->options.on);
	buf_puts(out, ", \"key\": ");
	buf_json_string(out, h->options.key);
}

static void put_url(struct buf *out, const struct flow *f, const struct hook *h)
{
	char token[TOKEN_TEXT_SIZE] = "";
	struct buf url;

	if (flow_is_box(f)) {
		buf_puts(out, "null");
		return;
	}
	(void)token_text(f->engine->tokens, f->key_id, &f->id, h->number, token);
	buf_init(&url, SIZE_MAX);
	buf_printf(&url, "%s/h/%s", f->base_url, token);
	buf_json_string(out, buf_slice(&url));
	buf_fini(&url);
}

static void put_hook_untaken(struct buf *out, const struct flow *f, uint32_t number)
{
	struct untaken_bounds b = show_untaken(f, number);

	if (b.least == b.most)
		buf_printf(out, "\"untaken\": %zu", b.most);
	else
		buf_puts(out, "\"untaken\": null");
}

static void put_hooks(struct buf *out, const struct flow *f)
{
	const char *comma = "";

	buf_puts(out, ", \"hooks\": [");
	for (size_t i = 0; i < f->nhooks; i++) {
		const struct hook *h = &f->hooks[i];

		/* Nobody may have a URL whose hook could still be rolled back. */
		if (h->batch > f->engine->durable_no)
			continue;
		buf_printf(out, "%s{\"number\": %u, \"name\": ", comma, h->number);
		comma = ", ";
		buf_json_string(out, slice_of(h->name));
		buf_puts(out, ", \"url\": ");
		put_url(out, f, h);
		buf_printf(out, ", \"open\": %s, \"received\": %llu, ", h->closed ? "false" : "true",
		           (unsigned long long)h->received);
		put_hook_untaken(out, f, h->number);
		buf_puts(out, ", \"each\": ");
		if (h->each)
			buf_json_string(out, slice_of(h->each));
		else
			buf_puts(out, "null");
		put_door(out, h);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static bool hides(const void *senders, struct slice header)
{
	return senders_hide(senders, header);
}

struct ledger_hiding show_hiding(const struct engine *e)
{
	return (struct ledger_hiding){ hides, &e->senders };
}

static void put_ledger(struct buf *out, const struct show *s, const struct view *v)
{
	buf_puts(out, ", \"ledger\": ");
	ledger_show(out, s->engine->ledger, &s->id, v->messages, v->nmessages,
	            show_hiding(s->engine));
}

static void put_calls(struct buf *out, const struct flow *f)
{
	buf_puts(out, ", \"calls_under_way\": [");
	for (const struct list *l = f->calls.next; l != &f->calls; l = l->next) {
		const struct call *c = container_of(l, struct call, link);

		buf_printf(out, "%s{\"step\": %u, \"to\": ", l == f->calls.next ? "" : ", ", c->step);
		buf_json_string(out, slice_of(c->label));
		buf_puts(out, ", \"key\": ");
		buf_json_string(out, c->attempt.key);
		buf_printf(out, ", \"attempts\": %d, \"last\": ", c->attempts);
		if (*c->last_why)
			buf_json_string(out, slice_of(c->last_why));
		else if (c->last_status)
			buf_printf(out, "\"%d\"", c->last_status);
		else
			buf_puts(out, "null");
		put_time(out, "next_ms", c->state == CALL_PAUSING && c->timer.index ? c->timer.due_ms : INT64_MAX);
		buf_putc(out, '}');
	}
	buf_putc(out, ']');
}

static void put_waiting(struct buf *out, const struct flow *f, const struct view *v)
{
	if (!v->steps || f->state == FLOW_STOPPED || f->news) {
		buf_puts(out, ", \"waiting\": null");
		return;
	}
	buf_printf(out, ", \"waiting\": {\"step\": %u, \"kind\": \"%s\", \"label\": ", v->steps - 1,
	           step_kind_name(v->last.kind));
	buf_json_string(out, v->last.label);
	put_time(out, "since_ms", v->last_ms);
	put_time(out, "until_ms", wait_until(f));
	buf_putc(out, '}');
}

/* A JSON value as it is; anything else as a JSON string. */
static void put_value(struct buf *out, struct slice value)
{
	struct err err;

	if (template_check_value(value, &err) == 0)
		buf_put_slice(out, value);
	else
		buf_json_string(out, value);
}

static void put_published(struct buf *out, const struct view *v)
{
	buf_puts(out, ", \"published\": {");
	for (size_t i = 0; i < v->npublished; i++) {
		buf_puts(out, i ? ", " : "");
		buf_json_string(out, v->published[2 * i]);
		buf_puts(out, ": ");
		put_value(out, v->published[2 * i + 1]);
	}
	buf_putc(out, '}');
}

/* What somebody should do something about. */
static void put_warning(struct buf *out, const struct view *v)
{
	if (v->steps < STEPS_LONG)
		return;
	buf_printf(out, ", \"warning\": \"%u steps in one life, and each re-run takes them all again; "
	           "begin a new life with fish_renew now and then\"", v->steps);
}

static void put_journal(struct buf *out, const struct view *v)
{
	if (!v->steps && !v->journal.len)
		buf_puts(out, ", \"journal\": null");
	else
		buf_printf(out, ", \"journal\": [%s]", v->journal.ptr);
}

static void show_live(struct show *s, const struct flow *f, struct view *v)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	buf_putc(&out, '{');
	show_flow(&out, f);
	buf_puts(&out, ", \"input\": ");
	put_value(&out, v->input);
	put_warning(&out, v);
	put_waiting(&out, f, v);
	put_hooks(&out, f);
	show_taken(v, f);
	put_ledger(&out, s, v);
	put_calls(&out, f);
	put_published(&out, v);
	put_journal(&out, v);
	buf_putc(&out, '}');
	s->done(s, 0, buf_slice(&out));
	buf_fini(&out);
}

void view_ended(struct buf *out, const struct store_ended *x)
{
	put_id(out, "id", &x->flow);
	buf_puts(out, ", \"flow\": ");
	buf_json_string(out, x->name);
	buf_printf(out, ", \"state\": \"ended\", \"status\": \"%s\", \"started_ms\": %lld, \"ended_ms\": %lld, ",
	           end_name(x->status), (long long)x->started_ms, (long long)x->ended_ms);
	put_id(out, "parent", &x->parent);
	if (x->status == END_DONE) {
		buf_puts(out, ", \"result\": ");
		put_value(out, x->result);
	} else {
		buf_puts(out, ", \"result\": null, \"why\": ");
		buf_json_string(out, x->result);
	}
}

static void put_untaken(struct buf *out, struct slice untaken)
{
	struct entry e;
	bool first = true;

	buf_puts(out, ", \"untaken\": [");
	for (; entry_next(&untaken, &e) == 1; first = false) {
		buf_printf(out, "%s{\"hook\": %u, \"time_ms\": %lld, \"len\": %zu, \"text\": ", first ? "" : ", ",
		           e.number, (long long)e.time_ms, e.body.len);
		struct slice cut = view_cut(e.body);

		buf_json_string(out, cut);
		buf_puts(out, cut.len < e.body.len ? ", \"cut\": true}" : "}");
	}
	buf_putc(out, ']');
}

static void ended_found(struct store_find *find, int rc)
{
	struct show *s = container_of(find, struct show, find);
	struct buf out;

	if (rc < 0) {
		view_free(s->view);
		s->done(s, FISH_ENOTFOUND, SLICE_NONE);
		return;
	}
	buf_init(&out, SIZE_MAX);
	buf_putc(&out, '{');
	view_ended(&out, &find->ended);
	if (s->view->nentries) {
		buf_puts(&out, ", \"input\": ");
		put_value(&out, s->view->input);
	}
	put_untaken(&out, find->ended.untaken);
	show_taken_ended(s->view, find->ended.untaken);
	put_ledger(&out, s, s->view);
	put_published(&out, s->view);
	put_journal(&out, s->view);
	buf_putc(&out, '}');
	struct view *v = s->view;

	s->done(s, 0, buf_slice(&out));
	view_free(v);
	buf_fini(&out);
}

static void loaded(struct store_load *load, int rc)
{
	struct show *s = container_of(load, struct show, load);
	struct engine *e = s->engine;
	struct flow *f = map_get(&e->flows, &s->id);

	if (f && s->pinned == e->resets + 1)
		f->pins--;
	if (engine_away(e)) {
		s->done(s, FISH_ESTORE, SLICE_NONE);
		return;
	}
	(void)rc;                         /* no rows: it may have ended, and its segment gone */
	s->view = view_new(load);
	if (f && load->nrows) {
		struct view *v = s->view;

		show_live(s, f, v);
		view_free(v);
		return;
	}
	s->find = (struct store_find){ .by = STORE_BY_FLOW, .what = s->id,
	                               .wants = STORE_RESULT | STORE_UNTAKEN, .done = ended_found };
	store_find(e->store, &s->find);
}

static void fetched(struct wanted *w, struct flow *f)
{
	struct show *s = container_of(w, struct show, want);

	/* It is in memory still when its rows are there. */
	s->pinned = f ? s->engine->resets + 1 : 0;
	if (f)
		f->pins++;
	if (engine_away(s->engine)) {
		s->done(s, FISH_ESTORE, SLICE_NONE);
		return;
	}
	s->load = (struct store_load){ .flow = s->id, .done = loaded };
	store_load(s->engine->store, &s->load);
}

void engine_show(struct engine *e, struct show *s)
{
	s->engine = e;
	s->view = NULL;
	s->want = (struct wanted){ .id = s->id, .done = fetched };
	flow_want(e, &s->want);
}
