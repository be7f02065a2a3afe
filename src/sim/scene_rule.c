/* scene_rule.c - how partners answer, and whom they call back: the scenario's rules.
 *
 * Invariant: a rule is asked once for each call, in the order in which the calls were seen. */
#include "sim/scene.h"

#include <string.h>

bool name_fits(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (len && pattern[len - 1] == '*')
		return strncmp(pattern, name, len - 1) == 0;
	return strcmp(pattern, name) == 0;
}

static struct answer_rule *answer_for(fish_sim *s, const char *name)
{
	for (struct answer_rule *r = s->answers; r; r = r->next)
		if (name_fits(r->name, name) && (!r->how.calls || r->used < r->how.calls))
			return r;
	return NULL;
}

void rules_decide(fish_sim *s, struct sent *c)
{
	struct answer_rule *r = answer_for(s, c->name);

	c->status = 200;
	c->answer = SLICE_LIT("null");
	if (!r)
		return;
	r->used++;
	c->status = r->status;
	c->answer = r->json;
	c->after_ms = r->how.after_ms;
	c->fails = r->how.fails;
	c->fail_status = r->how.fail_status == 0 ? 503 : r->how.fail_status < 0 ? 0 : r->how.fail_status;
}

static void call_back(fish_sim *s, const struct sent *c, struct back_rule *r)
{
	const char *url = fish_str(c->msg, r->pointer);
	uint32_t times = r->back.times ? r->back.times : 1;

	if (!strstr(url, "/h/")) {
		scene_broken(s, "fish_sim_call_back: the body of \"%s\" has no URL at \"%s\": %s", c->name, r->pointer,
		             c->msg->body);
		return;
	}
	for (uint32_t i = 0; i < times; i++) {
		const char *id = scene_text(s, "%.*s-%u-%u", (int)c->key.len, c->key.ptr, r->number, i);
		struct parcel *p = parcel_new(s, url, &(fish_sim_delivery){
			.message_id = id, .body = r->json.ptr, .len = r->json.len });

		parcel_copies(s, p, r->back.copies, r->back.after_ms + (int64_t)i * r->back.every_ms);
	}
}

void rules_call_back(fish_sim *s, struct sent *c)
{
	for (struct back_rule *r = s->backs; r; r = r->next) {
		if (!name_fits(r->name, c->name) || (r->back.calls && r->used >= r->back.calls))
			continue;
		r->used++;
		call_back(s, c, r);
	}
}

/* ---- the scenario's side ---- */

void fish_sim_answer(fish_sim *s, const char *call, const fish_sim_how *how, int status, const char *json, ...)
{
	struct answer_rule *r = arena_alloc(&s->arena, sizeof *r);
	struct answer_rule **at = &s->answers;
	va_list ap;

	scene_begin(s);
	va_start(ap, json);
	bool good = scene_json(s, "fish_sim_answer", &r->json, json, ap);

	va_end(ap);
	if (!good)
		return;
	if (!call || (status && (status < 200 || status > 599))) {
		scene_broken(s, "fish_sim_answer(\"%s\"): %d is no status of an answer, or no name was given",
		             call ? call : "", status);
		return;
	}
	r->name = scene_text(s, "%s", call);
	r->status = status;
	if (how)
		r->how = *how;
	while (*at)
		at = &(*at)->next;
	*at = r;
}

void fish_sim_call_back(fish_sim *s, const char *call, const char *pointer, const fish_sim_back *back,
                        const char *json, ...)
{
	struct back_rule *r = arena_alloc(&s->arena, sizeof *r);
	struct back_rule **at = &s->backs;
	va_list ap;

	scene_begin(s);
	va_start(ap, json);
	bool good = scene_json(s, "fish_sim_call_back", &r->json, json, ap);

	va_end(ap);
	if (!good)
		return;
	if (!call || !pointer) {
		scene_broken(s, "fish_sim_call_back: the %s is NULL", call ? "pointer" : "name of the call");
		return;
	}
	r->number = ++s->nbacks;
	r->name = scene_text(s, "%s", call);
	r->pointer = scene_text(s, "%s", pointer);
	if (back)
		r->back = *back;
	/* Sums of them are due never, too. */
	r->back.after_ms = scene_after(s, r->back.after_ms) - s->now_ms;
	r->back.every_ms = scene_after(s, r->back.every_ms) - s->now_ms;
	while (*at)
		at = &(*at)->next;
	*at = r;
}
