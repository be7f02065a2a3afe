/* sim_check.c - everything that leaves the engine, held against what is durable at that moment.
 *
 * Invariant: a call, a log line, a 200 and a 410 alike have their reason in the durable history
 * before they leave; nothing here asks the engine what it thinks is durable. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"
#include "sim/sim_world.h"
#include "wire/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- log lines ---- */

static bool number_after(struct slice line, const char *mark, int base, unsigned long long *ret)
{
	const char *at = memmem(line.ptr, line.len, mark, strlen(mark));
	char digits[24] = "";

	if (!at)
		return false;
	at += strlen(mark);
	for (size_t n = 0; n + 1 < sizeof digits && at < line.ptr + line.len && *at != ' '; n++)
		digits[n] = *at++;
	*ret = strtoull(digits, NULL, base);
	return true;
}

void check_log(struct sim *s, struct slice line)
{
	unsigned long long step = 0;
	unsigned long long what = 0;
	unsigned long long epoch = 0;
	struct id id;

	s->result->stats.logs++;
	struct slice text = { line.ptr + 5, ID_TEXT_SIZE - 1 };

	if (line.len < 5 + ID_TEXT_SIZE || id_parse(text, &id) < 0
	    || !number_after(line, " step=", 10, &step) || !number_after(line, " what=", 16, &what)
	    || !number_after(line, " life=", 10, &epoch)) {
		sim_broken(s, "a log line that no flow wrote: %.*s", (int)line.len, line.ptr);
		return;
	}
	struct past *p = past_of(s, &id);
	struct sight *seen = past_sight(p, (uint32_t)epoch, (uint32_t)step);

	if (past_life(p, (uint32_t)epoch)->border < step + 2)
		sim_broken(s, "a log line of step %llu left before its commit", step);
	else if (seen->what != what && !p->torn)
		sim_broken(s, "a log line of step %llu tells of what the history does not hold", step);
	if (seen->logged)
		sim_broken(s, "the log line of step %llu came twice", step);
	seen->logged = true;
}

void check_logged(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++)
		for (uint32_t epoch = 0; epoch < s->pasts[i]->nlives && !s->pasts[i]->torn; epoch++)
			for (struct life *life = &s->pasts[i]->lives[epoch]; life->heard < life->confirmed; life->heard++)
				if (life->sights[life->heard].logs && !life->sights[life->heard].logged)
					sim_broken(s, "the log line of step %u did not come", life->heard);
}

void check_excuse(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++)
		for (uint32_t epoch = 0; epoch < s->pasts[i]->nlives && !s->pasts[i]->torn; epoch++)
			for (struct life *life = &s->pasts[i]->lives[epoch]; life->heard < life->confirmed; life->heard++)
				life->sights[life->heard].logged = true;
}

/* ---- calls ---- */

/* The step's content as the journal hashes it: method, the flow's own headers, body. */
static uint64_t content_of(const struct attempt *a)
{
	static const char mark[] = "Idempotency-Key: ";
	const char *end = memmem(a->headers.ptr, a->headers.len, mark, sizeof mark - 1);
	struct slice own = { a->headers.ptr, end ? (size_t)(end - a->headers.ptr) : 0 };

	return hash64(hash64(hash64(HASH64_SEED, a->method), own), a->body);
}

static void check_held(struct sim *s, struct past *p, const struct call *c, uint64_t content)
{
	const struct life *life = past_life(p, c->epoch);

	if (life->border <= c->step || life->nsteps <= c->step) {
		sim_broken(s, "the call of step %u left before its commit", c->step);
		return;
	}
	const struct entry_step *step = &life->steps[c->step];
	bool same = step->content == (uint32_t)(content ^ content >> 32)
	            || (s->options->rules_off & RULE_BIT(RULE_DIGEST_BODY));

	if ((step->kind != STEP_SEND && step->kind != STEP_POST) || !same
	    || !slice_eq(step->label, slice_of(c->label)))
		sim_broken(s, "the call of step %u is not the one the history holds", c->step);
}

static void check_key(struct sim *s, const struct past *p, const struct call *c, struct slice key)
{
	struct id id;

	if (id_parse(key, &id) < 0) {
		sim_broken(s, "a call's key is none: %.*s", (int)key.len, key.ptr);
		return;
	}
	struct place *other = map_get(&s->keys, &id);

	if (other) {
		if (other->past != p || other->epoch != c->epoch || other->step != c->step)
			sim_broken(s, "two calls have one key");
		return;
	}
	struct place *mine = xalloc(sizeof *mine);

	*mine = (struct place){ p, c->epoch, c->step };
	map_put(&s->keys, &id, mine);
}

void check_send(struct sim *s, struct attempt *a)
{
	const struct call *c = container_of(a, struct call, attempt);
	struct past *p = past_of(s, &c->flow->id);
	uint64_t content = content_of(a);

	s->result->stats.calls++;
	if (s->referring) {
		sim_broken(s, "run from its journal alone, a flow that has ended calls out");
		return;
	}
	check_held(s, p, c, content);
	struct sight *mine = past_sight(p, c->epoch, c->step);

	if (!mine->called) {
		mine->called = true;
		mine->content = content;
		snprintf(mine->key, sizeof mine->key, "%.*s", (int)a->key.len, a->key.ptr);
		check_key(s, p, c, a->key);
		return;
	}
	s->result->stats.resent++;
	if (mine->content != content || !slice_eq(a->key, slice_of(mine->key)))
		sim_broken(s, "the call of step %u went out with two contents or keys", c->step);
}

/* ---- the door ---- */

void check_status(struct sim *s, const struct post *post, int status)
{
	const struct sim_message *m = &s->messages[post->message];
	const struct sim_url *url = &s->urls[m->url];
	const struct past *p = past_of(s, &url->flow);
	size_t held = past_holds(s, &url->flow, url->hook, m->uid);

	if (status == 200 && held < (m->has_id ? 1 : m->acked + 1))
		sim_broken(s, "message %u was told 200 and is not durable", m->uid);
	if (status == 404)
		sim_broken(s, "a genuine URL was told 404");
	if (status == 400 && (!m->plain || !held_options(p, url->hook).json))
		sim_broken(s, "message %u was told 400 and is as it should be", m->uid);
	if (status == 429)
		sim_broken(s, "message %u was told 429 though little has come", m->uid);
	if (status != 410)
		return;
	if (held && m->has_id)
		sim_broken(s, "message %u is durable and was told 410", m->uid);
	if (!p->ended && !past_closed(p, url->hook))
		sim_broken(s, "message %u was told 410 though its hook is durably open", m->uid);
}

/* ---- at rest and at the end ---- */

void check_stopped(struct sim *s)
{
	const struct flow *f;

	for (size_t i = 0; (f = map_each(&s->engine->flows, &i));) {
		if (f->state == FLOW_ENDED && f->why)
			past_of(s, &f->id)->torn = true;
		if (f->state == FLOW_WAITING && f->run && f->run->steps < f->run->border)
			sim_broken(s, "a flow rests short of its journal, and nobody is told");
		if (f->state != FLOW_STOPPED)
			continue;
		if (past_fits(past_of(s, &f->id), s->build))
			sim_broken(s, "stopped under the build that wrote it: %.300s", f->why);
		else if (!list_empty(&f->calls))
			sim_broken(s, "a flow that diverged let a call out");
	}
}

/* A timer rings so long after its step was first reached, however often it was run since. */
static void check_timers(struct sim *s, const struct flow *f)
{
	struct past *p = past_of(s, &f->id);

	for (size_t i = 0; i < f->ndeadlines; i++) {
		const struct entry_deadline *d = &f->deadlines[i];

		if (d->source != SOURCE_TIMER || d->step >= past_life(p, f->epoch)->confirmed)
			continue;
		const struct sight *seen = past_sight(p, f->epoch, d->step);

		/* No step's name or content tells when it rings: another build may want it at another time. */
		if (seen->seen_by != s->build || seen->seen_by != f->build)
			continue;
		if (seen->rings_ms && d->due_ms != seen->reached_ms + seen->rings_ms)
			sim_broken(s, "the timer of step %u would ring at %lld, not at %lld", d->step,
			           (long long)d->due_ms, (long long)(seen->reached_ms + seen->rings_ms));
	}
}

/* A host sleeps until engine_next_ms or until the store is done: neither may be too late. */
static void check_wakeup(struct sim *s)
{
	struct engine *e = s->engine;
	int64_t next_ms = engine_next_ms(e);
	bool room = !e->inflight || !engine_overfull(e);
	const struct flow *f;

	if (engine_away(e))
		return;
	for (size_t i = 0; room && (f = map_each(&e->flows, &i));)
		if (f->state != FLOW_ENDED && f->ndeadlines && f->deadlines[0].due_ms < next_ms && next_ms > e->now_ms)
			sim_broken(s, "the engine would sleep beyond a deadline");
	if (!engine_idle(e) && !store_memory_pending(s->store) && next_ms > e->now_ms)
		sim_broken(s, "work is left and nobody would come back for it");
}

void check_deadlines(struct sim *s)
{
	const struct flow *f;

	check_wakeup(s);

	for (size_t i = 0; (f = map_each(&s->engine->flows, &i));)
		check_timers(s, f);
	/* With little room the engine may put deadlines off until the next commit is on its way. */
	if (engine_away(s->engine) || s->run_ahead_bytes)
		return;
	for (size_t i = 0; (f = map_each(&s->engine->flows, &i));)
		if (f->state != FLOW_ENDED && f->ndeadlines && f->deadlines[0].due_ms < s->engine->now_ms)
			sim_broken(s, "a deadline has passed and nobody rang");
}

/* What has come to a parked flow is either nothing to it, as a run has seen, or it is on its way back. One
 * whose function is over is left alone until all its children or calls are; the end would show it. */
void check_awake(struct sim *s)
{
	const struct flow *f;

	for (size_t i = 0; (f = map_each(&s->engine->flows, &i));)
		if (f->state == FLOW_PARKED && f->news && !f->closing && !engine_away(s->engine))
			sim_broken(s, "news came to a parked flow, and nobody wakes it");
}

static bool past_resulted(const struct past *p, uint32_t step)
{
	for (size_t i = p->lives[p->epoch].begins; i < p->n; i++)
		if (p->entries[i].kind == ENTRY_RESULT && p->entries[i].number == step)
			return true;
	return false;
}

void check_doubt(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++) {
		const struct past *p = s->pasts[i];
		const struct flow *f = map_get(&s->engine->flows, &p->id);
		const struct life *life = p->n ? &p->lives[p->epoch] : NULL;

		if (!f || !life || f->state == FLOW_STOPPED || f->epoch != p->epoch)
			continue;
		for (uint32_t step = 0; step < life->nsteps; step++)
			if ((life->steps[step].kind == STEP_SEND || life->steps[step].kind == STEP_POST)
			    && !past_answered(p, p->epoch, step) && !call_find(f, p->epoch, step))
				sim_broken(s, "after a restart nobody asks again for the call of step %u", step);
		uint32_t last = life->border - 1;

		if (life->border && life->nsteps == life->border && life->steps[last].kind == STEP_WORK
		    && !f->closing && !f->cancelled && !past_resulted(p, last)
		    && !toil_under_way(s, &p->id, p->epoch, last))
			sim_broken(s, "after a restart nobody does the work of step %u", last);
	}
}

/* Calls and the user's own effects alike. */
static void check_went_out(struct sim *s, struct past *p, uint32_t epoch)
{
	const struct life *life = past_life(p, epoch);

	for (uint32_t step = 0; step < life->nsteps; step++) {
		enum step_kind kind = life->steps[step].kind;
		bool called = past_sight(p, epoch, step)->called;

		if ((kind == STEP_SEND || kind == STEP_POST) && !called)
			sim_broken(s, "the call of step %u never went out", step);
		/* The last step may be one that a cancel came before. */
		if ((kind == STEP_ONCE || kind == STEP_WORK) && !called && step + 1 < life->nsteps)
			sim_broken(s, "the effect of step %u never was", step);
		if (called && kind != STEP_SEND && kind != STEP_POST && kind != STEP_ONCE
		    && kind != STEP_WORK)
			sim_broken(s, "a call went out for step %u, which is none", step);
	}
	for (size_t step = life->nsteps; step < life->sights_cap; step++)
		if (life->sights[step].called)
			sim_broken(s, "a call went out for step %zu, which the history does not have", step);
}

void check_end(struct sim *s)
{
	for (size_t i = 0; i < s->npasts; i++) {
		struct past *p = s->pasts[i];
		char id[ID_TEXT_SIZE];

		if (!p->n)
			continue;
		id_text(&p->id, id);
		if (!p->ended)
			sim_broken(s, "flow %.*s %s has not ended at the quiet end (step %u of life %u, journal %zu)",
			           (int)p->entries[0].name.len, p->entries[0].name.ptr, id,
			           p->lives[p->epoch].border, p->epoch, p->n);
		for (uint32_t epoch = 0; !p->torn && epoch < p->nlives; epoch++)
			check_went_out(s, p, epoch);
	}
	for (size_t i = 0; i < s->nmessages; i++) {
		const struct sim_message *m = &s->messages[i];
		size_t held = past_holds(s, &s->urls[m->url].flow, s->urls[m->url].hook, m->uid);

		if (held < (m->has_id ? m->acked > 0 : m->acked))
			sim_broken(s, "message %u was acked and is lost", m->uid);
	}
}
