/* scene_act.c - what the scenario does: starts, posts, cancels, lets time pass, kills the process.
 *
 * Invariant: each is one unit (time that passes: one a deadline), after which the engine rests. */
#include "sim/scene.h"

#include "engine/world.h"
#include "engine/run.h"

#include <string.h>

const char *fish_sim_start(fish_sim *s, const char *flow, const char *json, ...)
{
	struct ask *a = ask_new(s, ASK_START);
	va_list ap;

	scene_begin(s);
	va_start(ap, json);
	bool good = scene_json(s, "fish_sim_start", &a->start.input, json, ap);

	va_end(ap);
	if (!good)
		return "";
	a->start.flow = slice_of(scene_text(s, "%s", flow));
	a->start.key = slice_of(scene_text(s, "start %llu of the scenario", (unsigned long long)++s->starts));
	ask_unit(a);
	if (a->state == ASK_TOLD && a->rc < 0)
		scene_broken(s, "fish_sim_start of \"%s\": %s", flow, a->why);
	if (a->state != ASK_TOLD || a->rc < 0)
		return "";
	return past_find(s, &a->start.id)->text;
}

static int post(fish_sim *s, const char *url, const fish_sim_delivery *d)
{
	const struct parcel *p = parcel_new(s, url, d);
	int64_t late_ms = scene_delay(s);

	if (late_ms)
		fish_sim_pass(s, late_ms);
	const struct ask *a = parcel_ask(s, p);

	while (a->state == ASK_UNDER_WAY && scene_step(s, SCENE_EVER)) {}
	if (a->state != ASK_TOLD)
		return 0;
	s->heard = a->heard;
	parcel_duplicate(s, p, a);
	return a->rc;
}

int fish_sim_post(fish_sim *s, const char *url, const char *message_id, const char *json, ...)
{
	struct slice body;
	va_list ap;

	scene_begin(s);
	va_start(ap, json);
	bool good = scene_json(s, "fish_sim_post", &body, json, ap);

	va_end(ap);
	if (!good)
		return 0;
	return post(s, url, &(fish_sim_delivery){ .message_id = message_id, .body = body.ptr, .len = body.len });
}

static bool is_header(const char *line)
{
	const char *colon = strchr(line, ':');

	if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
		return false;
	for (const char *c = line; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7f)
			return false;
	return true;
}

int fish_sim_post_with(fish_sim *s, const char *url, const fish_sim_delivery *d)
{
	scene_begin(s);
	if (!d || (d->len && !d->body)) {
		scene_broken(s, "fish_sim_post_with: the %s is NULL", d ? "body" : "delivery");
		return 0;
	}
	for (const char *const *h = d->headers; h && *h; h++)
		if (!is_header(*h)) {
			scene_broken(s, "fish_sim_post_with: \"%s\" is no header \"Name: value\"", *h);
			return 0;
		}
	return post(s, url, d);
}

const fish_msg *fish_sim_heard(const fish_sim *s)
{
	return s->heard;
}

int fish_sim_cancel(fish_sim *s, const char *id)
{
	struct ask *a = ask_new(s, ASK_CANCEL);

	scene_begin(s);
	if (!id || id_parse(slice_of(id), &a->cancel.id) < 0)
		return FISH_ENOTFOUND;
	const struct past *p = past_find(s, &a->cancel.id);

	a->gone_before = !p || p->ended;
	scene_say(s, "cancel %s", id);
	ask_unit(a);
	return a->state == ASK_TOLD ? a->rc : FISH_ESTORE;
}

void fish_sim_pass(fish_sim *s, int64_t ms)
{
	int64_t until_ms = scene_after(s, ms);

	scene_begin(s);
	while (scene_step(s, until_ms)) {}
	if (s->dead || s->now_ms == until_ms)
		return;
	s->now_ms = until_ms;
	scene_rest(s);
}

void fish_sim_settle(fish_sim *s)
{
	scene_begin(s);
	while (scene_step(s, SCENE_EVER)) {}
}

void fish_sim_crash(fish_sim *s)
{
	scene_begin(s);
	if (s->dead)
		return;
	scene_say(s, "the process dies");
	scene_crash(s, FAULT_LOST);
	scene_rest(s);
}

void fish_sim_deploy(fish_sim *s, const fish_program *program)
{
	scene_begin(s);
	if (!program || !program->flows)
		scene_broken(s, "fish_sim_deploy: the program is NULL, or has no list of flows");
	if (s->dead || !program || !program->flows)
		return;
	s->program = program;
	s->peers = scene_peers(&s->arena, program);
	s->build++;
	s->deployed = true;
	scene_say(s, "build %llu is deployed", (unsigned long long)s->build);
	scene_crash(s, FAULT_LOST);
	scene_rest(s);
}

void fish_sim_park(fish_sim *s)
{
	scene_begin(s);
	if (s->dead)
		return;
	leave_soon(s->engine);
	scene_rest(s);
}
