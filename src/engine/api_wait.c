/* api_wait.c - fish_next, fish_any_of, fish_gather, fish_sleep: rule 1 of the model.
 *
 * Invariant: the winner is the oldest untaken entry in journal order, among the messages of the
 * hooks and the wait's own TIMEOUT; position decides, never a clock. Surprise: the live path too
 * appends its TIMEOUT and then finds it in the inbox, like a replay. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"

#include <string.h>

/* What a wait looks at: its hooks, and for each whether it still wants a message. */
struct wait {
	struct run       *run;
	fish_hook *const *hooks;
	const fish_msg  **got;        /* gather: NULL where nothing came yet; else NULL */
	size_t            n;
	int64_t           timeout_ms;
};

static bool wanted(const struct wait *w, size_t i)
{
	return w->hooks[i] && !(w->got && w->got[i]);
}

/* Names of the hooks, for the label; their numbers, for the digest. */
static struct step wait_step(struct run *r, enum step_kind kind, fish_hook *const *hooks, size_t n)
{
	struct buf *label = &r->label;
	struct step s = { .kind = kind, .content = HASH64_SEED };

	/* Most waits are for one hook, whose name lives as long as the run. */
	if (n == 1 && hooks[0]) {
		s.label = hooks[0]->name;
		s.content = hash64_u64(s.content, (uint64_t)hooks[0]->source << 32 | hooks[0]->number);
		return s;
	}
	buf_reset(label);
	for (size_t i = 0; i < n; i++) {
		if (!hooks[i])
			continue;
		if (label->len && label->len < LABEL_BYTES_MAX)
			buf_putc(label, '|');
		if (label->len < LABEL_BYTES_MAX)
			buf_puts(label, hooks[i]->name);
		s.content = hash64_u64(s.content, (uint64_t)hooks[i]->source << 32 | hooks[i]->number);
	}
	s.label = label->len ? label->ptr : "";
	return s;
}

static void check_hooks(struct run *r, fish_hook *const *hooks, size_t n)
{
	if (n && !hooks)
		run_misuse(r, "the list of %zu hooks to wait on is NULL", n);
	for (size_t i = 0; i < n; i++)
		if (hooks[i] && hooks[i]->run != r)
			run_misuse(r, "a hook of another flow, or of an earlier run of this one, is waited on");
}

/* The inbox with the oldest message; *ret_at says which hook's. NULL: none has any. */
static struct inbox *oldest(const struct wait *w, size_t *ret_at)
{
	struct inbox *best = NULL;

	for (size_t i = 0; i < w->n; i++) {
		if (!wanted(w, i))
			continue;
		struct inbox *in = run_inbox_of(w->hooks[i]);

		if (in->first && (!best || in->first->seq < best->first->seq)) {
			best = in;
			*ret_at = i;
		}
	}
	return best;
}

/* Did the journal close the hook before that entry? By its options, or a cancel. */
static bool closed_by(const fish_hook *h, uint64_t seq)
{
	if (h->source != SOURCE_HOOK)
		return false;
	uint64_t at = run_inbox_of(h)->closed_seq;

	return at && at < seq;
}

static bool all_closed(const struct wait *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (wanted(w, i) && !w->hooks[i]->closed && !closed_by(w->hooks[i], UINT64_MAX))
			return false;
	return true;
}

/* A hook that the journal closed before this entry is closed for the flow from here on: in a re-run
 * too, for position decides. */
static void note_closed(const struct wait *w, uint64_t seq)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->hooks[i] && closed_by(w->hooks[i], seq))
			w->hooks[i]->closed = true;
}

/* The next message, or NULL by a TIMEOUT entry. *ret_at: the hook it came to. */
static struct msg *wait_one(const struct wait *w, struct inbox *own, size_t *ret_at)
{
	struct run *r = w->run;

	for (;;) {
		struct inbox *in = oldest(w, ret_at);

		if (own->first && (!in || own->first->seq < in->first->seq)) {
			struct msg *rang = run_take(r, own);

			note_closed(w, rang->seq);
			run_wait_over(r, own, rang);
			return NULL;
		}
		if (in) {
			fish_hook *h = w->hooks[*ret_at];
			struct msg *m = run_take(r, in);

			m->pub.hook = h;
			if (h->source != SOURCE_HOOK)
				h->closed = true;         /* these have one message in their life */
			return m;
		}
		if (run_answers(r) && (w->timeout_ms <= 0 || all_closed(w))) {
			if (rule_off(r->engine, w->timeout_ms <= 0 ? RULE_POLL_RECORDED : RULE_NULL_CLOSED_RECORDED))
				return NULL;
			flow_append(r->flow, &(struct entry){ .kind = ENTRY_TIMEOUT, .number = run_index(r) });
			continue;
		}
		run_block(r);
	}
}

static void wait_begin(struct wait *w, enum step_kind kind)
{
	struct step s = wait_step(w->run, kind, w->hooks, w->n);

	run_step(w->run, &s);
	w->run->wait_due_ms = engine_wait_until(run_reached(w->run), w->timeout_ms);
}

/* A flow that is cut short here, before it has seen what it took, has not taken it. */
static void step_end(struct run *r, const fish_msg **got, size_t n)
{
	r->gathered = got;
	r->ngathered = n;
	run_step_end(r);
	r->gathered = NULL;
}

static const fish_msg *any_of(struct run *r, int64_t timeout_ms, fish_hook *const *hooks, size_t n)
{
	struct wait w = { .run = r, .hooks = hooks, .n = n, .timeout_ms = timeout_ms };
	size_t at = 0;

	check_hooks(r, hooks, n);
	wait_begin(&w, STEP_WAIT);
	struct inbox *own = run_inbox(r, SOURCE_WAIT, run_index(r));
	struct msg *m = wait_one(&w, own, &at);

	const fish_msg *got = m ? &m->pub : NULL;

	if (m)
		run_wait_over(r, own, NULL);
	step_end(r, &got, 1);
	return got;
}

const fish_msg *fish_any_of(fish_flow *f, int64_t timeout_ms, fish_hook *const *hooks, size_t n)
{
	RUN_AT(run_of(f));
	return any_of(run_of(f), timeout_ms, hooks, n);
}

const fish_msg *fish_next(fish_hook *h, int64_t timeout_ms)
{
	struct run *r = RUN_OF_HOOK(h, "fish_next");

	run_here(r);
	return any_of(r, timeout_ms, &h, 1);
}

size_t fish_gather(fish_flow *f, int64_t timeout_ms, fish_hook *const *hooks, size_t n, size_t need,
                   const fish_msg **ret)
{
	struct wait w = { .run = run_of(f), .hooks = hooks, .got = ret, .n = n, .timeout_ms = timeout_ms };
	size_t got = 0;
	size_t at = 0;
	struct inbox *own;
	struct msg *m;

	RUN_AT(w.run);
	check_hooks(w.run, hooks, n);
	if (n && !ret)
		run_misuse(w.run, "fish_gather: ret is NULL");
	for (size_t i = 0; i < n; i++)
		ret[i] = NULL;
	wait_begin(&w, STEP_GATHER);
	w.run->gathered = ret;
	w.run->ngathered = n;
	own = run_inbox(w.run, SOURCE_WAIT, run_index(w.run));
	while (got < need && (m = wait_one(&w, own, &at))) {
		ret[at] = &m->pub;
		got++;
	}
	if (got >= need)
		run_wait_over(w.run, own, NULL);
	step_end(w.run, ret, n);
	return got;
}

void fish_sleep(fish_flow *f, int64_t ms)
{
	struct run *r = run_of(f);
	struct inbox *own;

	RUN_AT(r);
	run_step(r, &(struct step){ .kind = STEP_SLEEP, .label = "" });
	r->wait_due_ms = engine_wait_until(run_reached(r), ms);
	own = run_inbox(r, SOURCE_WAIT, run_index(r));
	while (!own->first) {
		if (run_answers(r) && ms <= 0)
			flow_append(r->flow, &(struct entry){ .kind = ENTRY_TIMEOUT, .number = run_index(r) });
		else
			run_block(r);
	}
	run_wait_over(r, own, run_take(r, own));
	run_step_end(r);
}
