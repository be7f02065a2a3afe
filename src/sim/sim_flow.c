/* sim_flow.c - the random program: flows whose every later step depends on each answer so far, so
 * that any wrong replay shows.
 *
 * Invariant: all that it does follows from its input and from what Fish answers. Surprise: it tells
 * sim_past.c what it saw, which no flow of a user may do. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"
#include "sim/sim_world.h"

#include <string.h>

enum { HANDLES_MAX = 48 };

struct walk {
	fish_flow *f;
	uint64_t   st;                       /* all answers so far */
	int        depth;
	fish_hook *hooks[HANDLES_MAX];       /* open, with URLs */
	size_t     nhooks;
	fish_hook *others[HANDLES_MAX];      /* timers, calls, children */
	size_t     nothers;
};

static const fish_peer firm = { .name = "firm", .url = "http://firm" };
static const fish_peer weak = { .name = "weak", .url = "http://weak/api/", .give_up_ms = 900 };

static void sim_leaf(fish_flow *f, const fish_msg *in);
static void sim_twig(fish_flow *f, const fish_msg *in);

static struct sim *sim_of(fish_flow *f)
{
	return run_of(f)->engine->config.seams.owner;
}

/* ---- telling what was seen ---- */

static uint64_t hash_of(const fish_msg *m)
{
	if (!m)
		return 77;
	uint64_t h = hash64(HASH64_SEED, (struct slice){ m->body, m->len });
	const char *name = m->hook ? fish_name(m->hook) : "";

	return sim_mix(h, sim_mix((uint64_t)m->status, hash64(HASH64_SEED, slice_of(name))));
}

static void sight_message(struct sight *seen, const fish_msg *m)
{
	seen->what = sim_mix(seen->what, hash_of(m));
	if (!m)
		return;
	const struct msg *inner = msg_of(m);

	if (m->hook->source == SOURCE_HOOK && seen->ntakes < SIGHT_TAKES_MAX)
		seen->takes[seen->ntakes++] = inner->seq;
	if (m->hook->source != SOURCE_TIMER && inner->time_ms > seen->late_ms)
		seen->late_ms = inner->time_ms;
}

static void saw(struct walk *w, struct sight *seen)
{
	seen->now_ms = fish_now(w->f);
	past_saw(sim_of(w->f), run_of(w->f), seen);
	w->st = sim_mix(w->st, seen->what);
}

static void saw_message(struct walk *w, const fish_msg *m, int64_t timeout_ms)
{
	struct sight seen = { .timeout_ms = timeout_ms };

	sight_message(&seen, m);
	saw(w, &seen);
}

static void saw_word(struct walk *w, uint64_t what)
{
	saw(w, &(struct sight){ .what = what });
}

/* ---- steps ---- */

static void do_spawn(struct walk *w)
{
	uint32_t step = run_of(w->f)->steps;
	fish_hook *h = fish_spawn(w->f, fish_fmt(w->f, "h%u", step));

	saw_word(w, hash64(HASH64_SEED, slice_of(fish_url(h))));
	if (w->nhooks < HANDLES_MAX)
		w->hooks[w->nhooks++] = h;
}

static int64_t pick(uint64_t r, const int64_t *from, size_t n)
{
	return from[(r >> 8) % n];
}

static void do_next(struct walk *w, uint64_t r)
{
	static const int64_t timeouts[] = { 0, 5, 40, 200, 1500, 40, 0, FISH_FOREVER };
	int64_t timeout_ms = pick(r, timeouts, 8);

	saw_message(w, fish_next(w->hooks[r % w->nhooks], timeout_ms), timeout_ms);
}

static void do_any(struct walk *w, uint64_t r)
{
	static const int64_t timeouts[] = { 5, 40, 300, 0 };
	fish_hook *all[2 * HANDLES_MAX];
	size_t n = 0;
	int64_t timeout_ms = pick(r, timeouts, 4);

	for (size_t i = 0; i < w->nhooks; i++)
		all[n++] = w->hooks[i];
	for (size_t i = 0; i < w->nothers; i++)
		all[n++] = w->others[i];
	saw_message(w, fish_any_of(w->f, timeout_ms, all, n), timeout_ms);
}

static void do_gather(struct walk *w, uint64_t r)
{
	static const int64_t timeouts[] = { 0, 60, 400 };
	size_t n = w->nhooks < 3 ? w->nhooks : 3;
	const fish_msg *got[3];
	struct sight seen = { .timeout_ms = pick(r, timeouts, 3) };

	seen.what = fish_gather(w->f, seen.timeout_ms, w->hooks + (w->nhooks - n), n, (n + 1) / 2, got);
	for (size_t i = 0; i < n; i++)
		sight_message(&seen, got[i]);
	saw(w, &seen);
}

static void do_timer(struct walk *w, uint64_t r)
{
	static const int64_t times[] = { 3, 30, 0, 250 };
	int64_t after_ms = pick(r, times, 4);
	fish_hook *h = fish_timer(w->f, after_ms);

	saw(w, &(struct sight){ .what = 3, .rings_ms = after_ms });
	if (w->nothers < HANDLES_MAX)
		w->others[w->nothers++] = h;
}

static void do_sleep(struct walk *w, uint64_t r)
{
	static const int64_t times[] = { 0, 4, 25, 600 };

	fish_sleep(w->f, pick(r, times, 4));
	saw_word(w, 4);
}

/* The URLs of the youngest hooks, as a JSON text. */
static const char *urls_of(struct walk *w)
{
	const char *text = "";

	for (size_t i = w->nhooks > 3 ? w->nhooks - 3 : 0; i < w->nhooks; i++)
		text = fish_fmt(w->f, "%s %s", text, fish_url(w->hooks[i]));
	return text;
}

static void do_send(struct walk *w, uint64_t r)
{
	const char *path = fish_fmt(w->f, "/s%u", (unsigned)(r % 5));
	fish_hook *h = fish_send(w->f, r & 256 ? &firm : &weak, path, "{st: %llu, urls: %s}",
	                         (unsigned long long)(w->st >> 1), urls_of(w));

	saw_word(w, 5);
	if (w->nothers < HANDLES_MAX)
		w->others[w->nothers++] = h;
}

static void do_post(struct walk *w, uint64_t r)
{
	const fish_msg *m = fish_post(w->f, r & 256 ? &firm : &weak, "/p", "{st: %llu, urls: %s}",
	                              (unsigned long long)(w->st >> 1), urls_of(w));

	saw_message(w, m, 0);
}

static void do_call(struct walk *w, uint64_t r)
{
	static const char *const headers[] = { "X-Kind: sim", NULL };
	const char *body = fish_fmt(w->f, "st=%llu%s", (unsigned long long)w->st, urls_of(w));
	const fish_msg *m = fish_call(w->f, &(fish_request){
		.to = r & 256 ? &firm : &weak, .method = "PUT", .path = "/c", .headers = headers,
		.body = body, .len = strlen(body) });

	saw_message(w, m, 0);
}

static void do_child(struct walk *w, uint64_t r)
{
	if (w->depth >= 2 || w->nothers >= HANDLES_MAX)
		return;
	fish_hook *h = fish_child(w->f, w->depth ? sim_leaf : sim_twig, "{seed: %llu}",
	                          (unsigned long long)(w->st >> 1));

	saw_word(w, 6);
	w->others[w->nothers++] = h;
	if (r & 512)
		return;
	int64_t timeout_ms = r & 1024 ? FISH_FOREVER : 30;

	saw_message(w, fish_next(h, timeout_ms), timeout_ms);
}

/* A timer, call or child that nobody wants any more. */
static void do_drop(struct walk *w, uint64_t r)
{
	size_t at = r % w->nothers;
	fish_hook *h = w->others[at];

	w->others[at] = w->others[--w->nothers];
	fish_close(h);
	saw_word(w, 10);
	if (r & 256)
		saw_message(w, fish_next(h, FISH_FOREVER), 0);
}

static void do_close(struct walk *w, uint64_t r)
{
	size_t at = r % w->nhooks;
	fish_hook *h = w->hooks[at];

	w->hooks[at] = w->hooks[--w->nhooks];
	fish_close(h);
	saw_word(w, 7);
	if (r & 256)
		saw_message(w, fish_next(h, FISH_FOREVER), 0);
}

static void log_step(struct walk *w)
{
	uint32_t step = run_index(run_of(w->f));
	struct sight *seen = past_sight(past_of(sim_of(w->f), &run_of(w->f)->flow->id), step);

	seen->logs = true;
	fish_log(w->f, "step=%u what=%llx", step, (unsigned long long)seen->what);
}

/* A foreign build asks for something that no journal holds, but only where one stands against it:
 * such a flow must stand still, and nothing of it may leave. */
static void stray(struct walk *w)
{
	struct sim *s = sim_of(w->f);
	struct run *r = run_of(w->f);
	uint32_t border = past_of(s, &r->flow->id)->border_at_boot;

	if (s->foreign && !s->referring && border > 8 && r->steps + 2 == border)
		fish_spawn(w->f, "stray");
}

static void one_step(struct walk *w, uint64_t r)
{
	unsigned k = (unsigned)((r >> 3) % 23);

	stray(w);
	if (k <= 2 || !w->nhooks)
		do_spawn(w);
	else if (k <= 6)
		do_next(w, r);
	else if (k <= 8)
		do_any(w, r);
	else if (k == 9)
		do_gather(w, r);
	else if (k == 10)
		do_timer(w, r);
	else if (k == 11)
		do_sleep(w, r);
	else if (k <= 14)
		do_send(w, r);
	else if (k == 15)
		do_post(w, r);
	else if (k == 16)
		do_call(w, r);
	else if (k == 17)
		do_child(w, r);
	else if (k <= 19)
		do_close(w, r);
	else if (k == 20 && w->nothers)
		do_drop(w, r);
	else if (k == 21)
		w->st = sim_mix(w->st, fish_random(w->f));
	else
		w->st = sim_mix(w->st, (uint64_t)fish_now(w->f));
}

static void walk(struct walk *w, const fish_msg *in, uint64_t steps)
{
	w->st = hash_of(in);
	steps += w->st % steps;
	for (uint64_t n = 1; n <= steps; n++) {
		uint64_t r = sim_mix(w->st, n);
		uint32_t before = run_of(w->f)->steps;

		one_step(w, r);
		if (r % 3 == 0 && run_of(w->f)->steps > before)
			log_step(w);
		if (n > 8 && r % 31 == 0)
			fish_fail(w->f, "failed at %llu", (unsigned long long)w->st);
		if (n > 8 && r % 31 == 1)
			return;
	}
	fish_done(w->f, "{st: %llu}", (unsigned long long)(w->st >> 1));
}

/* ---- the flows ---- */

static void sim_root(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f };

	walk(&w, in, 24);
}

static void sim_twig(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f, .depth = 1 };

	walk(&w, in, 6);
}

static void sim_leaf(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f, .depth = 2 };

	walk(&w, in, 3);
}

/* A hook whose deliveries become flows, after some that did not. */
static void sim_shop(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f, .st = hash_of(in) };

	do_spawn(&w);
	do_post(&w, w.st);
	for (unsigned n = 0; n < w.st % 3; n++)
		do_next(&w, sim_mix(w.st, n) & ~UINT64_C(0x700));
	do_sleep(&w, w.st);
	if (w.st % 4 == 0) {
		fish_close(w.hooks[0]);
		saw_word(&w, 8);
	}
	fish_each(w.hooks[0], sim_leaf);
	saw_word(&w, 9);
	do_post(&w, w.st);
}

static const fish_def flows[] = {
	FISH_FLOW(sim_root), FISH_FLOW(sim_shop), FISH_FLOW(sim_twig), FISH_FLOW(sim_leaf), FISH_END };
static const fish_peer *const peers[] = { &firm, &weak, NULL };

const fish_program sim_program = { .flows = flows, .peers = peers };
