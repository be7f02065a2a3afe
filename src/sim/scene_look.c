/* scene_look.c - what the scenario reads: calls, URLs, ends, what was published, `show`, the log.
 *
 * Invariant: a look changes nothing but the time, and that only where the header says so. */
#include "sim/scene.h"

#include "engine/world.h"
#include "wire/template.h"

#include <stdio.h>
#include <string.h>

/* ---- what is kept for the scenario ---- */

struct slice scene_keep(fish_sim *s, struct slice bytes)
{
	return (struct slice){ arena_dup(&s->arena, bytes), bytes.len };
}

const char *scene_text(fish_sim *s, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, SIZE_MAX);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	const char *kept = arena_dup(&s->arena, buf_slice(&text));

	buf_fini(&text);
	return kept;
}

const fish_msg *scene_msg(fish_sim *s, int status, struct slice meta, struct slice body)
{
	struct msg *m = arena_alloc(&s->arena, sizeof *m);

	m->pub.body = scene_keep(s, body).ptr;
	m->pub.len = body.len;
	m->pub.status = status;
	m->arena = &s->arena;
	m->parsed = &s->parsed;
	m->meta = scene_keep(s, meta);
	return &m->pub;
}

bool scene_json(fish_sim *s, const char *verb, struct slice *ret, const char *json, va_list ap)
{
	struct err err = { .code = 0 };
	struct buf out;

	buf_init(&out, SIZE_MAX);
	bool good = template_put(&out, &err, json, ap) == 0;

	if (good)
		*ret = scene_keep(s, buf_slice(&out));
	else
		scene_broken(s, "%s: %s", verb, err.text);
	buf_fini(&out);
	return good;
}

/* ---- calls ---- */

static const struct sent *call_at(const fish_sim *s, const char *name, size_t n)
{
	for (size_t i = 0; i < s->ncalls; i++)
		if (name_fits(name, s->calls[i]->name) && n-- == 0)
			return s->calls[i];
	return NULL;
}

size_t fish_sim_calls(const fish_sim *s, const char *call)
{
	size_t n = 0;

	for (size_t i = 0; i < s->ncalls; i++)
		n += name_fits(call, s->calls[i]->name);
	return n;
}

const fish_msg *fish_sim_call(fish_sim *s, const char *call, size_t n)
{
	const struct sent *c = NULL;

	scene_begin(s);
	while (!(c = call_at(s, call, n)) && scene_step(s, SCENE_EVER)) {}
	return c ? c->msg : NULL;
}

/* ---- flows ---- */

static const char *url_of(fish_sim *s, const char *id, const char *name)
{
	const struct past *p = past_named(s, id);

	if (!p)
		return NULL;
	struct ask *a = ask_new(s, ASK_SHOW);

	a->show.id = p->id;
	ask_unit(a);
	for (size_t i = 0; i < fish_count(a->heard, "/hooks"); i++) {
		const char *at = scene_text(s, "/hooks/%zu", i);

		if (fish_true(a->heard, scene_text(s, "%s/open", at))
		    && strcmp(fish_str(a->heard, scene_text(s, "%s/name", at)), name) == 0)
			return fish_str(a->heard, scene_text(s, "%s/url", at));
	}
	return NULL;
}

const char *fish_sim_url(fish_sim *s, const char *id, const char *hook)
{
	const char *url = NULL;

	scene_begin(s);
	while (!(url = url_of(s, id, hook)) && scene_step(s, SCENE_EVER)) {}
	if (!url)
		scene_broken(s, "flow %s never has an open hook \"%s\"", id ? id : "(null)", hook);
	return url ? url : "";
}

/* Ended, or standing still. */
static bool over(const fish_sim *s, const struct past *p)
{
	const struct flow *f = map_get(&s->engine->flows, &p->id);

	return p->ended || (f && f->state == FLOW_STOPPED);
}

static const fish_msg *why(fish_sim *s, struct slice text)
{
	struct buf json;

	buf_init(&json, SIZE_MAX);
	buf_json_string(&json, text);
	const fish_msg *m = scene_msg(s, 200, SLICE_NONE, buf_slice(&json));

	buf_fini(&json);
	return m;
}

static int end_of(fish_sim *s, const struct past *p, const fish_msg **ret_end)
{
	const struct flow *f = map_get(&s->engine->flows, &p->id);

	if (p->ended && p->status == END_DONE) {
		*ret_end = scene_msg(s, 200, SLICE_NONE, p->result);
		return 0;
	}
	if (p->ended) {
		*ret_end = why(s, p->result);
		return p->status == END_FAILED ? FISH_EFAILED : FISH_ECANCELLED;
	}
	if (f && f->state == FLOW_STOPPED) {
		*ret_end = why(s, slice_of(f->why));
		return FISH_ESTOPPED;
	}
	return FISH_ETIMEOUT;
}

int fish_sim_wait(fish_sim *s, const char *id, const fish_msg **ret_end)
{
	const struct past *p = past_named(s, id);
	const fish_msg *end = NULL;
	int rc = FISH_ENOTFOUND;

	scene_begin(s);
	if (p) {
		while (!over(s, p) && scene_step(s, SCENE_EVER)) {}
		rc = end_of(s, p, &end);
	}
	if (ret_end)
		*ret_end = end ? end : scene_msg(s, 200, SLICE_NONE, SLICE_LIT("null"));
	return rc;
}

const fish_msg *fish_sim_published(fish_sim *s, const char *id, const char *name)
{
	const struct past *p = past_named(s, id);

	for (const struct published *at = p ? p->published : NULL; at; at = at->next)
		if (strcmp(at->name, name) == 0)
			return at->value;
	return NULL;
}

const char *fish_sim_show(fish_sim *s, const char *id)
{
	struct ask *a = ask_new(s, ASK_SHOW);

	scene_begin(s);
	if (!id || id_parse(slice_of(id), &a->show.id) < 0)
		return "null";
	ask_unit(a);
	return a->state == ASK_TOLD && a->rc == 0 ? a->heard->body : "null";
}

const char *fish_sim_log(const fish_sim *s)
{
	return s->log.ptr ? s->log.ptr : "";
}

int64_t fish_sim_now(const fish_sim *s)
{
	return s->now_ms;
}
