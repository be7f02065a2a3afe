/* run.c - a run comes to rest: begun, resumed, judged, its PROGRESS written, ended or stopped.
 *
 * Invariant: nothing a replay asks for leaves before the run has reached the border with every step
 * and digest matched. Surprise: PROGRESS goes before END, so that a restart between a flow's return
 * and its end knows where it stood. */
#include "engine/run.h"

#include "base/hash.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

struct run *run_new(struct flow *f)
{
	struct run *r = xalloc(sizeof *r);

	r->flow = f;
	r->id = f->id;
	r->engine = f->engine;
	arena_init(&r->arena);
	map_init(&r->inboxes);
	buf_init(&r->recorded, SIZE_MAX);
	buf_init(&r->fresh, SIZE_MAX);
	buf_init(&r->label, SIZE_MAX);
	list_init(&r->passing);
	r->epoch = f->epoch;
	list_init(&r->acts);
	r->digest = HASH64_SEED;
	r->wait_due_ms = INT64_MAX;
	return r;
}

size_t run_memory(const struct run *r)
{
	enum { PAGE = 4096 };
	size_t n = sizeof *r + r->arena.bytes + r->recorded.cap + r->fresh.cap
	           + r->progress_cap * sizeof *r->progress;

	return r->co ? n + (co_stack_used(r->co) / PAGE + 2) * PAGE : n;
}

static void names_cpu(const struct run *r, const struct id *flow)
{
	const struct seams *s = &r->engine->config.seams;

	if (s->on_cpu)
		s->on_cpu(s->owner, flow);
}

/* Before the stack goes: their arguments may lie there. They are the flow's own code too, so that a
 * crash in them is its crash. */
static void deferred_run(struct run *r)
{
	if (!r->deferred)
		return;
	names_cpu(r, &r->id);
	r->deferring = true;
	while (r->deferred) {
		struct deferred *d = r->deferred;

		r->deferred = d->next;
		d->fn(d->arg);
	}
	r->deferring = false;
	names_cpu(r, NULL);
}

/* There is no coroutine to leave, and what it was about to do must not go on. */
void run_deferred_misuse(struct run *r, const char *what)
{
	const struct seams *s = &r->engine->config.seams;
	char id[ID_TEXT_SIZE];
	struct buf place;

	id_text(&r->id, id);
	buf_init(&place, SIZE_MAX);
	if (s->where && r->at)
		s->where(s->owner, &place, r->at);
	words_failed("flow %s: a function of its fish_defer %s%s%.*s; it runs when the flow's run is over, also to be "
	           "parked, and is only to give back what the flow holds elsewhere", id, what,
	           place.len ? ", at " : "", (int)place.len, place.len ? place.ptr : "");
}

static void run_free(struct run *r)
{
	deferred_run(r);
	co_free(r->co);
	msgs_release(&r->parsed);
	run_passing_free(r);
	acts_drop(&r->acts);
	map_fini(&r->inboxes);
	buf_fini(&r->recorded);
	buf_fini(&r->fresh);
	buf_fini(&r->label);
	free(r->progress);
	arena_fini(&r->arena);
	free(r);
}

struct run *run_drop(struct run *r)
{
	if (!r)
		return NULL;
	if (r->needs)
		wanted_drop(&r->need);
	r->needs = false;
	r->dropped = true;
	if (!r->works)                            /* else the last of them takes it along */
		run_free(r);
	return NULL;
}

void run_work_over(struct run *r)
{
	r->works--;
	if (r->dropped && !r->works)
		run_free(r);
}

/* ---- on the coroutine ---- */

static void run_main(void *arg)
{
	struct run *r = arg;

	r->flow->def->fn((fish_flow *)(void *)r, &r->input->pub);
	run_step(r, &(struct step){ .kind = STEP_DONE, .label = "" });
	run_return(r, END_DONE, SLICE_LIT("null"));
}

void run_block(struct run *r)
{
	r->waits = true;
	co_yield(r->co);
	r->waits = false;
}

static void needed(struct wanted *w, struct flow *f)
{
	struct run *r = container_of(w, struct run, need);

	r->needs = false;
	r->need_lives = f != NULL;
	flow_wake(r->flow);
}

static void fetch(struct run *r, const struct id *id)
{
	/* It may have left again by the time that this run is on the CPU. */
	do {
		r->needs = true;
		r->need = (struct wanted){ .id = *id, .done = needed };
		flow_want(r->engine, &r->need);
		while (r->needs)
			run_block(r);
	} while (r->need_lives && !map_get(&r->engine->flows, id));
}

/* Mostly PROGRESS alone says that the act was done, in one commit. But a run that has to wait for the
 * other flow rests with the step begun and the act not done; then RESULT says it, in the act's commit. */
bool run_acts(struct run *r, const struct id *id, const char *label)
{
	struct inbox *done = run_inbox(r, SOURCE_RESULT, run_index(r));
	bool pending = r->act_open == r->steps;

	if (done->first) {
		(void)run_take(r, done);
		return false;
	}
	if (run_recorded(r) && !pending)
		return false;
	if (!pending && map_get(&r->engine->flows, id))
		return true;
	/* One that was cut short while it waited for the other flow goes no further here. */
	while (pending && !run_answers(r))
		run_block(r);
	fetch(r, id);
	flow_append(r->flow, &(struct entry){
		.kind = ENTRY_RESULT, .number = run_index(r), .name = run_label(label) });
	(void)run_take(r, done);
	return true;
}

/* Like run_acts, for a step that asks what came of the act: it rests as if it needed the other flow until
 * the act's own RESULT is there. */
bool run_act_opens(struct run *r, const struct id *id)
{
	bool pending = r->act_open == r->steps;

	if (run_inbox(r, SOURCE_RESULT, run_index(r))->first)
		return false;
	if (run_recorded(r) && !pending)
		run_diverge(r, "the journal has no outcome of the step");
	while (pending && !run_answers(r))
		run_block(r);
	fetch(r, id);
	return true;
}

enum act_outcome run_act_outcome(struct run *r)
{
	struct inbox *done = run_inbox(r, SOURCE_RESULT, run_index(r));

	while (!done->first) {
		r->needs = true;
		run_block(r);
	}
	r->needs = false;
	const struct msg *m = run_take(r, done);

	return m->pub.len == 1 && m->pub.body[0] >= '0' + ACT_NO_ROOM ? (enum act_outcome)(m->pub.body[0] - '0')
	                                                              : ACT_NOBODY;
}

/* Leaves the coroutine for good. */
static __attribute__((noreturn)) void leave(struct run *r)
{
	if (r->deferring)
		run_deferred_misuse(r, r->stop_why);
	co_yield(r->co);
	check_failed("a coroutine that was left for good stays so", __FILE__, __LINE__);
}

void run_return(struct run *r, enum end_status status, struct slice result)
{
	r->end_status = status;
	r->end_result = (struct slice){ arena_dup(&r->arena, result), result.len };
	r->returned = true;
	leave(r);
}

__attribute__((format(printf, 4, 0)))
static const char *reason(struct run *r, const char *kind, uint32_t step, const char *fmt, va_list ap)
{
	struct buf text;

	buf_init(&text, ERR_TEXT_SIZE * 4);
	buf_printf(&text, "%s at step %u: ", kind, step);
	buf_vprintf(&text, fmt, ap);
	const char *why = arena_dup(&r->arena, buf_slice(&text));

	buf_fini(&text);
	return why;
}

void run_misuse(struct run *r, const char *fmt, ...)
{
	struct flow *current = r->engine->current;
	va_list ap;

	/* It is the caller's coroutine that can be left, and his misuse. */
	if (current && current != r->flow && !r->deferring)
		run_misuse(current->run, "a hook or flow of another flow (%s) is used", r->flow->name);
	va_start(ap, fmt);
	r->stop_why = reason(r, "misuse", r->steps, fmt, ap);
	va_end(ap);
	r->misused = true;
	leave(r);
}

void run_diverge(struct run *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	r->stop_why = reason(r, "diverged", run_index(r), fmt, ap);
	va_end(ap);
	leave(r);
}

/* ---- at rest ---- */

/* One that asked to be told of a cancel may wind up for so long. */
static int64_t grace_ends_ms(const struct run *r)
{
	const struct flow *f = r->flow;

	return f->cancelled && r->asked_cancelled ? f->cancelled_ms + CANCEL_GRACE_MS : INT64_MAX;
}

static void deadlines_put(struct run *r, struct buf *out)
{
	for (struct timer *t = r->timers; t; t = t->next)
		entry_deadline_put(out, &(struct entry_deadline){ SOURCE_TIMER, t->step, t->due_ms });
	if (r->waits && r->wait_due_ms != INT64_MAX)
		entry_deadline_put(out, &(struct entry_deadline){ SOURCE_WAIT, run_index(r), r->wait_due_ms });
	if (grace_ends_ms(r) != INT64_MAX)
		entry_deadline_put(out, &(struct entry_deadline){ SOURCE_CANCEL, 0, grace_ends_ms(r) });
}

static enum entry_rest rest_of(const struct run *r)
{
	if (r->misused)
		return REST_MISUSED;
	if (r->returned)
		return REST_CLOSING;
	if (r->needs)
		return REST_NEEDS;
	return r->paused ? REST_PAUSED : REST_WAITS;
}

static void tell_long(const struct run *r)
{
	const struct flow *f = r->flow;
	char id[ID_TEXT_SIZE];
	struct buf line;

	id_text(&f->id, id);
	buf_init(&line, SIZE_MAX);
	buf_printf(&line, "flow=%s name=%s steps=%u most=%u why=\"each re-run takes them all again; begin a new life "
	           "with fish_renew now and then\"", id, f->name, r->steps, r->engine->config.steps_max);
	batch_log(r->engine->gather, "flow.long", buf_slice(&line));
	buf_fini(&line);
}

/* Rule 3. Nothing new since the last one: nothing to write. That the function is over is news too: it
 * fixes which messages a cancelled one had still seen. */
static void progress_put(struct run *r)
{
	struct entry e = {
		.kind = ENTRY_PROGRESS,
		.number = r->steps,
		.digest = r->digest,
		.build = r->engine->config.build,
		.doubt = r->doubt + ((r->awaits || r->needs) && !r->returned),   /* as good as a call: is run again after a crash */
		.waiting = r->untaken,
		.rest = (uint8_t)rest_of(r),
		.steps = buf_slice(&r->fresh),
	};
	struct buf deadlines;

	if (rule_off(r->engine, RULE_PROGRESS) || (r->steps <= r->border && r->rest == rest_of(r)))
		return;
	buf_init(&deadlines, SIZE_MAX);
	if (!r->returned && !rule_off(r->engine, RULE_PROGRESS_DEADLINES))
		deadlines_put(r, &deadlines);
	e.deadlines = buf_slice(&deadlines);
	if (r->border < STEPS_LONG && r->steps >= STEPS_LONG)
		tell_long(r);
	flow_append(r->flow, &e);
	buf_fini(&deadlines);
	buf_reset(&r->fresh);
}

/* The door goes by the running code's deadlines: a new build may wait longer or shorter. */
static void deadlines_follow(struct run *r)
{
	struct flow *f = r->flow;

	f->ndeadlines = 0;
	for (struct timer *t = r->returned ? NULL : r->timers; t; t = t->next)
		flow_deadline_add(f, (struct entry_deadline){ SOURCE_TIMER, t->step, t->due_ms });
	if (!r->returned && r->waits && r->wait_due_ms != INT64_MAX)
		flow_deadline_add(f, (struct entry_deadline){ SOURCE_WAIT, run_index(r), r->wait_due_ms });
	flow_expiries_add(f);
	if (!r->returned && grace_ends_ms(r) != INT64_MAX)
		flow_deadline_add(f, (struct entry_deadline){ SOURCE_CANCEL, 0, grace_ends_ms(r) });
	flow_deadlines_changed(f);
}

static void held_let_out(struct run *r)
{
	struct held_call *h = r->held;

	r->held = NULL;
	for (; h; h = h->next)
		call_let_out(call_new(r->flow, &h->request));
}

/* On the engine's stack: it may read the program's debug information. */
static void place_put(const struct run *r, struct buf *why)
{
	const struct seams *s = &r->engine->config.seams;
	struct buf place;

	buf_init(&place, ERR_TEXT_SIZE);
	if (s->where && r->at)
		s->where(s->owner, &place, r->at);
	if (place.len)
		buf_printf(why, "; the call is at %.*s", (int)place.len, place.ptr);
	buf_fini(&place);
}

static void stop(struct run *r)
{
	struct flow *f = r->flow;
	struct buf why;

	buf_init(&why, SIZE_MAX);
	buf_puts(&why, r->stop_why);
	place_put(r, &why);
	/* What was begun live has effects under way: they need their PROGRESS all the same, and what a
	 * replay asked for again before the misuse goes out again. */
	if (r->misused && r->steps >= r->border) {
		held_let_out(r);
		acts_queue(r);
		progress_put(r);
	}
	flow_stop(f, why.ptr);
	buf_fini(&why);
}

static void stop_short(struct run *r)
{
	struct entry_step s = { .kind = STEP_DONE };

	(void)entry_step_next(&r->recorded_rest, &s);
	struct buf why;

	buf_init(&why, SIZE_MAX);
	buf_printf(&why, "diverged at step %u: the code %s there, the journal goes on with %s \"%.*s\" "
	           "(recorded by build %016llx, now build %016llx)",
	           r->steps, r->returned ? "ends" : "waits", step_kind_name(s.kind), (int)s.label.len,
	           s.label.len ? s.label.ptr : "", (unsigned long long)r->flow->build,
	           (unsigned long long)r->engine->config.build);
	flow_stop(r->flow, why.ptr);
	buf_fini(&why);
}

static void end(struct run *r)
{
	struct buf untaken;

	buf_init(&untaken, SIZE_MAX);
	run_untaken(r, &untaken);
	flow_end(r->flow, r->end_status, r->end_result, buf_slice(&untaken));
	buf_fini(&untaken);
}

/* The function is over (or nobody wants it any more): calls and children are waited for. */
static void wind_up(struct run *r)
{
	struct flow *f = r->flow;

	if (!r->works) {                          /* they may read what lies on its stack */
		deferred_run(r);
		r->co = co_free(r->co);
	}
	r->timers = NULL;
	if (f->cancelled)
		calls_cancel(f);
	if (flow_children(f) && !r->renews)
		tree_cancel_children(f);
}

/* A cancelled flow goes no further, unless it asked for the cancel and still has time. */
static void cut_short(struct run *r)
{
	struct flow *f = r->flow;

	if (!f->cancelled || (r->returned && !r->renews))
		return;
	if (r->asked_cancelled && !r->out_of_time)
		return;
	/* Had the other flow been in memory, the act would be done by now. */
	if (r->needs && !r->out_of_time)
		return;
	run_give_back(r);
	r->returned = true;
	r->renews = false;
	r->paused = false;
	r->end_status = END_CANCELLED;
	r->end_result = SLICE_LIT("cancelled");
}

/* fish_once and fish_work go on when what they rest on is durable. True: now. */
static bool await_commit(struct run *r)
{
	struct flow *f = r->flow;

	if (!r->awaits || r->returned)
		return false;
	if (r->awaited == RUN_UNWRITTEN)
		r->awaited = f->batch;
	if (r->awaited > r->engine->durable_no) {
		if (list_empty(&f->uncommitted))
			list_push(&r->engine->uncommitted, &f->uncommitted);
		return false;
	}
	return true;
}

static void rest(struct run *r)
{
	struct flow *f = r->flow;
	struct engine *e = r->engine;

	if (r->steps < r->border && (r->closing || !rule_off(e, RULE_SHORT_BLOCK))) {
		stop_short(r);
		return;
	}
	held_let_out(r);
	acts_queue(r);
	cut_short(r);
	if (r->returned || r->effects || !rule_off(e, RULE_PROGRESS_REST))
		progress_put(r);
	r->effects = false;
	if (r->returned)
		wind_up(r);
	if (r->renews && !r->doubt) {
		run_renew(r);
		return;
	}
	if (r->returned && !r->renews && (!r->doubt || rule_off(e, RULE_END_WAITS_CALLS)) && !flow_children(f)) {
		end(r);
		return;
	}
	deadlines_follow(r);
	f->waiting = r->untaken;
	f->news = r->paused;                      /* else it has seen all there is */
	if (r->paused) {
		run_queue(r);
		return;
	}
	if (await_commit(r)) {
		f->state = FLOW_READY;
		list_push(&e->ready, &f->ready);
		return;
	}
	f->state = FLOW_WAITING;
	flow_idle(f);
}

static void on_cpu(struct run *r)
{
	names_cpu(r, &r->id);
	(void)co_resume(r->co);
	names_cpu(r, NULL);
}

void run_go(struct run *r)
{
	struct flow *f = r->flow;
	struct engine *e = r->engine;

	if (!r->co && !r->returned && !r->stop_why) {
		r->co = co_new(e->stacks, f->def->stack_bytes, run_main, r);
		if (!r->co) {                     /* no memory for a stack now: try again next turn */
			f->state = FLOW_READY;
			list_push(&e->starved, &f->ready);
			return;
		}
		r->recorded_rest = buf_slice(&r->recorded);
		r->begun = true;
	}
	f->state = FLOW_RUNNING;
	e->current = f;
	r->taken = 0;
	r->paused = false;
	if (!r->returned)
		on_cpu(r);
	e->current = NULL;
	if (r->stop_why)
		stop(r);
	else if (r->paused && !run_live(r))
		run_queue(r);
	else
		rest(r);
}
