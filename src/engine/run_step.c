/* run_step.c - a run's feed and its steps: what the journal says, held against what the code asks.
 *
 * Invariant: recorded steps are compared one by one, digests where a PROGRESS stands, before the
 * step's answer is looked for. Surprise: entries are fed before the code has reached the step they
 * belong to, so an inbox may exist before its hook. */
#include "engine/run.h"

#include "base/hash.h"
#include "engine/world.h"
#include "wire/pack.h"

#include <stdlib.h>

/* ---- feeding ---- */

static struct id inbox_key(enum source source, uint32_t number, enum inbox_reach reach)
{
	return (struct id){ { (uint8_t)source, (uint8_t)number, (uint8_t)(number >> 8),
	                      (uint8_t)(number >> 16), (uint8_t)(number >> 24), (uint8_t)reach } };
}

static struct inbox *inbox(struct run *r, enum source source, uint32_t number, enum inbox_reach reach)
{
	struct id key = inbox_key(source, number, reach);
	struct inbox *in = map_get(&r->inboxes, &key);

	if (in)
		return in;
	in = run_spare_inbox(r);
	in->tail = &in->first;
	in->source = source;
	in->number = number;
	map_put(&r->inboxes, &key, in);
	return in;
}

struct inbox *run_inbox(struct run *r, enum source source, uint32_t number)
{
	return inbox(r, source, number, INBOX_OPEN);
}

size_t run_waiting_at(const struct run *r, uint32_t hook)
{
	size_t n = 0;

	for (int reach = INBOX_OPEN; reach <= INBOX_LATE; reach++) {
		struct id key = inbox_key(SOURCE_HOOK, hook, (enum inbox_reach)reach);
		const struct inbox *in = map_get(&r->inboxes, &key);

		for (const struct msg *m = in ? in->first : NULL; m; m = m->next)
			n++;
	}
	return n;
}

struct inbox *run_inbox_of(const fish_hook *h)
{
	/* Where it is cannot change: the const is for those who only read the hook. */
	struct fish_hook *own = (struct fish_hook *)h;

	if (!h->inbox)
		own->inbox = run_inbox(h->run, h->source, h->number);
	return h->inbox;
}

void run_inbox_remove(struct run *r, struct inbox *in)
{
	struct id key = inbox_key(in->source, in->number, INBOX_OPEN);

	(void)map_remove(&r->inboxes, &key);
}

/* In the run's arena, but for what is empty. */
static const char *copy(struct run *r, struct slice s)
{
	return s.len ? arena_dup(&r->arena, s) : "";
}

static struct msg *lasting_new(struct run *r, const struct entry *e)
{
	struct msg *m = run_spare_msg(r);

	m->pub.body = copy(r, e->body);
	m->pub.len = e->body.len;
	m->arena = &r->arena;
	m->parsed = &r->parsed;
	m->meta = (struct slice){ copy(r, e->meta), e->meta.len };
	return m;
}

static struct msg *msg_new(struct run *r, const struct entry *e, uint64_t seq)
{
	struct msg *m = run_passes(r, e) ? run_passing_new(r, e) : lasting_new(r, e);

	m->pub.status = e->status;
	m->seq = seq;
	m->time_ms = e->time_ms;
	return m;
}

void run_timer_remove(struct run *r, uint32_t step)
{
	for (struct timer **t = &r->timers; *t; t = &(*t)->next)
		if ((*t)->step == step) {
			*t = (*t)->next;
			return;
		}
}

static size_t bytes_of(const struct msg *m)
{
	return message_bytes(m->meta, (struct slice){ m->pub.body, m->pub.len });
}

static void feed_inbox(struct run *r, const struct entry *e, uint64_t seq, enum source source)
{
	struct inbox *in = run_inbox(r, source, e->number);
	struct msg *m = msg_new(r, e, seq);

	in->received++;
	if (source == SOURCE_CALL && in->asked && in->received == 1)
		r->doubt--;
	/* A cancelled flow ended its function in a wait: a replay must not wake it there. */
	if (r->closing || r->out_of_time)
		in = inbox(r, source, e->number, INBOX_LATE);
	*in->tail = m;
	in->tail = &m->next;
	if (source == SOURCE_HOOK) {
		r->untaken++;
		flow_waiting_more(r->flow, e->number, bytes_of(m));
	}
	if (source == SOURCE_TIMER)
		run_timer_remove(r, e->number);
}

static void feed_progress(struct run *r, const struct entry *e)
{
	/* What stands behind a run that goes on live is never asked for again. */
	if (r->begun && run_live(r)) {
		r->nprogress = 0;
		r->progress_at = 0;
	}
	if (r->nprogress == r->progress_cap) {
		r->progress_cap = r->progress_cap ? 2 * r->progress_cap : 4;
		r->progress = xrealloc(r->progress, r->progress_cap * sizeof *r->progress);
	}
	r->progress[r->nprogress++] = (struct progress){ e->number, e->digest, e->build, e->time_ms };
	r->border = e->number > r->border ? e->number : r->border;
	r->closing = r->closing || e->rest == REST_CLOSING;
	r->rest = (enum entry_rest)e->rest;
	if (e->rest == REST_NEEDS)
		r->act_open = e->number;
	if (!r->begun)
		buf_put_slice(&r->recorded, e->steps);
}

void run_patch_keep(struct run *r, struct slice name, bool answer)
{
	struct patch *p = arena_alloc(&r->arena, sizeof *p);

	*p = (struct patch){ .name = arena_dup(&r->arena, name), .answer = answer, .next = r->patches };
	r->patches = p;
	r->npatches += answer;
}

/* The first entry of a later life stands in the place of START. */
static void feed_renew(struct run *r, const struct entry *e, uint64_t seq)
{
	struct entry input = { .kind = ENTRY_START, .body = e->body, .time_ms = e->time_ms, .status = 200 };
	struct slice rest = e->hooks;
	struct entry_open_hook h;

	r->input = msg_new(r, &input, seq);
	r->now_ms = e->now_ms > e->time_ms ? e->now_ms : e->time_ms;
	r->hook_next = e->hook_next;
	while (entry_open_hook_next(&rest, &h) == 1) {
		struct carried *c = arena_alloc(&r->arena, sizeof *c);

		*c = (struct carried){ h.number, arena_dup(&r->arena, h.name), r->carried };
		r->carried = c;
	}
}

static void feed_cancel(struct run *r, const struct entry *e, uint64_t seq)
{
	struct entry said = { .kind = ENTRY_CANCEL, .time_ms = e->time_ms, .status = 200 };

	if (r->cancelled) {
		r->out_of_time = true;
		return;
	}
	r->cancelled = true;
	feed_inbox(r, &said, seq, SOURCE_CANCEL);
}

void run_feed(struct run *r, const struct entry *e, uint64_t seq)
{
	switch (e->kind) {
	case ENTRY_START: {
		struct entry input = *e;

		input.status = 200;
		r->input = msg_new(r, &input, seq);
		r->input->input_of = r;
		r->now_ms = e->time_ms;
		break;
	}
	case ENTRY_MESSAGE:
		feed_inbox(r, e, seq, e->source);
		break;
	case ENTRY_TIMEOUT:
		feed_inbox(r, e, seq, SOURCE_WAIT);
		break;
	case ENTRY_PROGRESS:
		feed_progress(r, e);
		break;
	case ENTRY_CLOSED:
		run_inbox(r, SOURCE_HOOK, e->number)->closed_seq = seq;
		break;
	case ENTRY_RESULT:
		feed_inbox(r, e, seq, SOURCE_RESULT);
		break;
	case ENTRY_CANCEL:
		feed_cancel(r, e, seq);
		break;
	case ENTRY_PATCH:
		run_patch_keep(r, e->name, true);
		break;
	case ENTRY_RENEW:
		feed_renew(r, e, seq);
		break;
	case ENTRY_DOOR:
		if (e->cancelled_ms && !r->cancelled)     /* CANCEL itself may be gone */
			feed_cancel(r, &(struct entry){ .time_ms = e->cancelled_ms }, e->message_seq);
		break;
	case ENTRY_HOOK:
	case ENTRY_PUBLISH:
	case ENTRY_REPLY:
	case ENTRY_ANSWER:
	case ENTRY_CHILDREN:
	case ENTRY_BORN:
	case ENTRY_END:
		break;
	}
}

struct msg *run_take(struct run *r, struct inbox *in)
{
	struct msg *m = in->first;

	CHECK(m);
	in->first = m->next;
	if (!in->first)
		in->tail = &in->first;
	if (in->source == SOURCE_HOOK) {
		r->untaken--;
		flow_waiting_less(r->flow, in->number, bytes_of(m));
	}
	if (m->time_ms > r->now_ms || rule_off(r->engine, RULE_NOW_MAX))
		r->now_ms = m->time_ms;
	run_took(r, in, m);
	return m;
}

void run_give_back(struct run *r)
{
	for (size_t i = 0; r->gathered && i < r->ngathered; i++) {
		const fish_msg *got = r->gathered[i];

		if (!got || got->hook->source != SOURCE_HOOK)
			continue;
		struct inbox *in = inbox(r, SOURCE_HOOK, got->hook->number, INBOX_LATE);
		struct msg *m = (struct msg *)msg_of(got);

		m->next = NULL;
		*in->tail = m;
		in->tail = &m->next;
		r->untaken++;
		flow_waiting_more(r->flow, in->number, bytes_of(m));
	}
	r->gathered = NULL;
}

static int by_seq(const void *a, const void *b)
{
	const struct msg *const *x = a;
	const struct msg *const *y = b;

	return (*x)->seq < (*y)->seq ? -1 : (*x)->seq > (*y)->seq;
}

/* All deliveries in inboxes, oldest first; the caller frees the array of r->untaken. */
static struct msg **untaken_sorted(struct run *r)
{
	size_t n = 0;
	struct msg **all = xalloc((r->untaken + 1) * sizeof(struct msg *));
	const struct inbox *in;

	for (size_t i = 0; (in = map_each(&r->inboxes, &i));)
		for (struct msg *m = in->source == SOURCE_HOOK ? in->first : NULL; m; m = m->next) {
			m->pub.status = (int)in->number;      /* nobody reads it any more: carries the hook */
			all[n++] = m;
		}
	CHECK(n == r->untaken);
	qsort(all, n, sizeof *all, by_seq);
	return all;
}

void run_untaken(struct run *r, struct buf *out)
{
	struct msg **all = untaken_sorted(r);

	for (size_t i = 0; i < r->untaken; i++)
		entry_put(out, &(struct entry){
			.kind = ENTRY_MESSAGE,
			.source = SOURCE_HOOK,
			.number = (uint32_t)all[i]->pub.status,
			.time_ms = all[i]->time_ms,
			.meta = all[i]->meta,
			.body = { all[i]->pub.body, all[i]->pub.len },
		});
	free(all);
}

void run_untaken_seqs(struct run *r, struct buf *out)
{
	struct msg **all = untaken_sorted(r);

	for (size_t i = 0; i < r->untaken; i++) {
		const struct hook *h = flow_hook(r->flow, (uint32_t)all[i]->pub.status);

		if (h && !h->closed)
			varint_put(out, all[i]->seq);
	}
	free(all);
}

/* ---- steps ---- */

uint32_t run_index(const struct run *r)
{
	return r->steps - 1;
}

bool run_live(const struct run *r)
{
	return r->steps >= r->border;
}

/* What a run that is over appended would be fed to the inboxes that no wait looks at. */
bool run_answers(const struct run *r)
{
	return run_live(r) && !r->closing && !r->out_of_time;
}

bool run_recorded(const struct run *r)
{
	return r->steps <= r->border;
}

int64_t run_reached(struct run *r)
{
	while (r->progress_at < r->nprogress && r->progress[r->progress_at].step < r->steps)
		r->progress_at++;
	if (rule_off(r->engine, RULE_PROGRESS_TIME))
		return r->engine->now_ms;
	return r->progress_at < r->nprogress ? r->progress[r->progress_at].time_ms : r->engine->now_ms;
}

struct slice run_label(const char *label)
{
	struct slice s = slice_of(label);

	if (s.len > LABEL_BYTES_MAX)
		s.len = LABEL_BYTES_MAX;
	return s;
}

/* p is the PROGRESS that covers the present step. */
static void compare(struct run *r, const struct entry_step *asked, const struct progress *p)
{
	struct entry_step was;
	unsigned long long build_was = p->build;
	unsigned long long build_is = r->engine->config.build;

	if (entry_step_next(&r->recorded_rest, &was) != 1)
		run_diverge(r, "the journal says that %u steps were taken and tells of fewer", r->border);
	if (was.kind != asked->kind || !slice_eq(was.label, asked->label))
		run_diverge(r, "the journal recorded %s \"%.*s\", the code asks for %s \"%.*s\" "
		            "(recorded by build %016llx, now build %016llx); to let flows of both builds go on: "
		            "if (fish_patch(f, \"%s-%.*s\")) the new step; else the recorded one",
		            step_kind_name(was.kind), (int)was.label.len, was.label.ptr,
		            step_kind_name(asked->kind), (int)asked->label.len, asked->label.ptr,
		            build_was, build_is,
		            step_kind_name(asked->kind), (int)asked->label.len, asked->label.ptr);
	if (was.content != asked->content)
		run_diverge(r, "%s \"%.*s\" asks for other content than the journal recorded "
		            "(recorded by build %016llx, now build %016llx)",
		            step_kind_name(asked->kind), (int)asked->label.len, asked->label.ptr,
		            build_was, build_is);
	if (p->step == r->steps && p->digest != r->digest)
		run_diverge(r, "the steps up to here match by name, but not in all they ask for "
		            "(recorded by build %016llx, now build %016llx)", build_was, build_is);
}

/* With another flow's handle it is still the flow on the CPU that calls. */
void run_at(struct run *r, const void *return_address)
{
	struct flow *current = r->engine->current;

	(current && current->run ? current->run : r)->at = return_address;
}

/* A handle of another flow would begin a step there, on a stack that is not on the CPU. */
void run_here(struct run *r)
{
	struct flow *current = r->engine->current;

	if (r->deferring)
		run_deferred_misuse(r, "takes a step");
	CHECK(current);                           /* else only what is on the CPU can call */
	if (current != r->flow)
		run_misuse(r, "the flow is not on the CPU");      /* so it is the caller's */
}

struct run *run_of_hook(const fish_hook *h, const char *verb, const void *return_address)
{
	struct run *r = h ? h->run : co_here();

	run_at(r, return_address);
	if (!h)
		run_misuse(r, "%s: the hook is NULL", verb);
	return r;
}

/* Steps that end a life are what it is told to take. */
static bool ends_life(enum step_kind kind)
{
	return kind == STEP_DONE || kind == STEP_FAIL || kind == STEP_RENEW;
}

static void check_length(struct run *r, enum step_kind kind)
{
	uint32_t most = r->engine->config.steps_max;

	if (r->steps >= most && r->steps >= r->border && !ends_life(kind))
		run_misuse(r, "%u steps in one life of the flow, and at most %u are taken; begin a new life with "
		           "fish_renew now and then, or serve with a higher --steps-max", r->steps, most);
}

void run_step(struct run *r, const struct step *s)
{
	run_here(r);
	if (r->once)
		run_misuse(r, "a step inside fish_once(\"%s\")", r->once);
	check_length(r, s->kind);
	struct entry_step step = {
		.kind = s->kind,
		.content = (uint32_t)(s->content ^ s->content >> 32),
		.label = run_label(s->label),
	};

	r->steps++;
	r->taken++;
	r->patch_asks = 0;
	r->digest = hash64_u64(r->digest, (uint64_t)s->kind);
	r->digest = hash64(r->digest, slice_of(s->label));
	r->digest = hash64_u64(r->digest, s->content);
	r->wait_due_ms = INT64_MAX;
	if (run_recorded(r)) {
		(void)run_reached(r);
		if (!rule_off(r->engine, RULE_DIGEST))
			compare(r, &step, &r->progress[r->progress_at]);
	} else {
		entry_step_put(&r->fresh, &step);
	}
}

static const char *keep(struct run *r, const char *text)
{
	return text ? arena_dup(&r->arena, slice_of(text)) : NULL;
}

void run_hold(struct run *r, const struct call_request *q)
{
	if (call_find(r->flow, q->epoch, q->step) && !rule_off(r->engine, RULE_ONE_ANSWER))
		return;
	if (rule_off(r->engine, RULE_EFFECTS_HELD)) {
		call_let_out(call_new(r->flow, q));
		return;
	}
	struct held_call *h = arena_alloc(&r->arena, sizeof *h);
	struct held_call **last = &r->held;

	while (*last)
		last = &(*last)->next;
	/* The code goes on before the call is made: what it points at may be gone by then. Key, label and
	 * headers are in the arena already. */
	*h = (struct held_call){ .request = *q, .peer = *q->to };
	h->request.method = keep(r, q->method);
	h->request.path = slice_of(arena_dup(&r->arena, q->path));
	h->request.body = (struct slice){ arena_dup(&r->arena, q->body), q->body.len };
	h->peer.url = keep(r, q->to->url);
	h->peer.token = keep(r, q->to->token);
	h->peer.secret = keep(r, q->to->secret);
	h->request.to = &h->peer;
	*last = h;
}

fish_hook *run_hook_new(struct run *r, enum source source, uint32_t number, const char *name)
{
	struct fish_hook *h = arena_alloc(&r->arena, sizeof *h);

	h->run = r;
	h->source = source;
	h->number = number;
	h->name = arena_dup(&r->arena, slice_of(name));
	h->next = r->hooks;
	r->hooks = h;
	return h;
}
