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
	uint64_t   ps;                       /* which program it is: st at first */
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

/* One of few, so that a later life finds its hooks again. NULL: all are open. */
static const char *free_name(const struct walk *w, uint64_t r)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g" };

	for (unsigned n = 0; n < 7; n++) {
		const char *name = names[(r % 7 + n) % 7];
		bool is_free = true;

		for (size_t i = 0; i < w->nhooks; i++)
			is_free = is_free && strcmp(fish_name(w->hooks[i]), name) != 0;
		if (is_free)
			return name;
	}
	return NULL;
}

static void do_spawn(struct walk *w, uint64_t r)
{
	const char *name = free_name(w, r);

	if (!name)
		return;
	fish_hook *h = fish_spawn(w->f, name);

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
	size_t need = (n + 1) / 2;

	/* A change that no step's name or content tells of. */
	if (run_of(w->f)->engine->config.build == SIM_BUILD_RASH) {
		need = n;
		seen.timeout_ms = FISH_FOREVER;
	}
	seen.what = fish_gather(w->f, seen.timeout_ms, w->hooks + (w->nhooks - n), n, need, got);
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

static void do_once(struct walk *w, uint64_t r)
{
	const char *name = fish_fmt(w->f, "o%u", (unsigned)(r % 4));
	uint64_t got;

	while (fish_once(w->f, name, &got, sizeof got)) {
		past_effect(sim_of(w->f), run_of(w->f), name);
		got = sim_draw(sim_of(w->f));
	}
	saw_word(w, got);
}

static void do_cancel(struct walk *w, uint64_t r)
{
	fish_hook *h = w->others[r % w->nothers];

	if (h->source == SOURCE_CANCEL)
		return;
	fish_cancel(h);
	saw_word(w, 12);
	/* A timer that has not rung is closed; a call and a child still have their word. */
	if (r & 256)
		saw_message(w, fish_next(h, FISH_FOREVER), 0);
}

static void log_step(struct walk *w)
{
	uint32_t step = run_index(run_of(w->f));
	uint32_t epoch = run_of(w->f)->epoch;
	struct sight *seen = past_sight(past_of(sim_of(w->f), &run_of(w->f)->flow->id), epoch, step);

	seen->logs = true;
	fish_log(w->f, "life=%u step=%u what=%llx", epoch, step, (unsigned long long)seen->what);
}

static void one_step(struct walk *w, uint64_t r)
{
	unsigned k = (unsigned)((r >> 3) % 27);

	if (k <= 2 || !w->nhooks)
		do_spawn(w, r);
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
	else if (k <= 23)
		do_once(w, r);
	else if (k == 24 && w->nothers)
		do_cancel(w, r);
	else
		w->st = sim_mix(w->st, (uint64_t)fish_now(w->f));
}

/* What the second build does more, where it may. */
static void patched_step(struct walk *w, uint64_t n, uint64_t r)
{
	const char *name = fish_fmt(w->f, "p%llu", (unsigned long long)(r & 64 ? n : w->ps % 2));

	if (!fish_patch(w->f, name))
		return;
	do_send(w, r);
	w->st = sim_mix(w->st, 5);
}

/* What the third one does without asking: such a flow must stand still where a journal stands against it. */
static void rash_step(struct walk *w, uint64_t r)
{
	if (w->ps % 4 == 0)
		do_send(w, r);
	else if (w->ps % 4 == 1)
		do_spawn(w, r);
	else if (w->ps % 4 == 2)
		do_sleep(w, 256);
	else
		w->st = sim_mix(w->st, 1);
}

static void changes(struct walk *w, uint64_t n, uint64_t r)
{
	uint64_t build = run_of(w->f)->engine->config.build;

	if (build >= SIM_BUILD_PATCHED && r % 3 == 0)
		patched_step(w, n, r);
	if (build == SIM_BUILD_RASH && n == 3 + w->ps % 3)
		rash_step(w, r);
}

/* The same bytes in each life: only the key tells these calls apart. */
static void do_hello(struct walk *w)
{
	w->others[w->nothers++] = fish_send(w->f, &firm, "/hello", "{}");
	saw_word(w, 13);
}

static void walk(struct walk *w, const fish_msg *in, uint64_t steps)
{
	w->st = hash_of(in);
	w->ps = w->st;
	steps += w->st % steps;
	if (w->ps % 3 == 0) {
		w->others[w->nothers++] = fish_cancelled(w->f);
		saw_word(w, 11);
	} else if (w->ps % 3 == 1) {
		do_hello(w);
	}
	for (uint64_t n = 1; n <= steps; n++) {
		uint64_t r = sim_mix(w->st, n);
		uint32_t before = run_of(w->f)->steps;

		changes(w, n, r);
		one_step(w, r);
		if (r % 3 == 0 && run_of(w->f)->steps > before)
			log_step(w);
		if (n > 3 && r % 23 == 2 && run_of(w->f)->epoch < 3)
			fish_renew(w->f, "{seed: %llu}", (unsigned long long)(w->st >> 1));
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

	do_spawn(&w, 0);
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
