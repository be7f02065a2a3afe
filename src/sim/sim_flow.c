/* sim_flow.c - the random program: flows whose every later step depends on each answer so far, so
 * that any wrong replay shows.
 *
 * Here is the order of steps and what each build makes of it; the steps are in sim_step.c and sim_deed.c. */
#include "base/hash.h"
#include "engine/world.h"
#include "sim/sim_walk.h"

#include <string.h>

static void one_deed(struct walk *w, uint64_t r, unsigned k)
{
	if (k <= 27)
		deed_tell(w, r);
	else if (k == 28)
		step_gather(w, r);
	else if (k == 29)
		deed_work(w, r);
	else if (k == 30)
		deed_publish(w, r);
	else if (k <= 33 || w->nowed)
		deed_reply(w, r);
	else if (k == 34)
		deed_each(w, r);
	else
		step_next(w, r);
}

static void one_step(struct walk *w, uint64_t r)
{
	unsigned k = (unsigned)((r >> 3) % 37);

	if (k <= 2 || !w->nhooks)
		step_spawn(w, r);
	else if (k <= 6)
		step_next(w, r);
	else if (k <= 8)
		step_any(w, r);
	else if (k == 9)
		step_gather(w, r);
	else if (k == 10)
		step_timer(w, r);
	else if (k == 11)
		step_sleep(w, r);
	else if (k <= 14)
		step_send(w, r);
	else if (k == 15)
		step_post(w, r);
	else if (k == 16)
		step_call(w, r);
	else if (k == 17)
		step_child(w, r);
	else if (k <= 19)
		step_close(w, r);
	else if (k == 20 && w->nothers)
		step_drop(w, r);
	else if (k == 21)
		w->st = sim_mix(w->st, fish_random(w->f));
	else if (k <= 23)
		deed_once(w, r);
	else if (k == 24 && w->nothers)
		deed_cancel(w, r);
	else if (k == 25)
		w->st = sim_mix(w->st, hash64((uint64_t)fish_now(w->f), slice_of(fish_key(w->f, "k"))));
	else
		one_deed(w, r, k);
}

/* What the second build does more, where it may. */
static void patched_step(struct walk *w, uint64_t n, uint64_t r)
{
	const char *name = fish_fmt(w->f, "p%llu", (unsigned long long)(r & 64 ? n : w->ps % 2));

	if (!fish_patch(w->f, name))
		return;
	step_send(w, r);
	w->st = sim_mix(w->st, 5);
}

/* What the third one does without asking: such a flow must stand still where a journal stands against it. */
static void rash_step(struct walk *w, uint64_t r)
{
	if (w->ps % 4 == 0)
		step_send(w, r);
	else if (w->ps % 4 == 1)
		step_spawn(w, r);
	else if (w->ps % 4 == 2)
		step_sleep(w, 256);
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
	w->others[w->nothers++] = fish_send(w->f, &sim_firm, "/hello", "{}");
	walk_saw_word(w, 13);
}

static void walk(struct walk *w, const fish_msg *in, uint64_t steps)
{
	w->st = walk_hash(in);
	w->ps = w->st;
	walk_hears(w, in);
	steps += w->st % steps;
	if (w->ps % 3 == 0) {
		w->others[w->nothers++] = fish_cancelled(w->f);
		walk_saw_word(w, 11);
	} else if (w->ps % 3 == 1) {
		do_hello(w);
	}
	for (uint64_t n = 1; n <= steps; n++) {
		uint64_t r = sim_mix(w->st, n);
		uint32_t before = run_of(w->f)->steps;

		changes(w, n, r);
		one_step(w, r);
		if (r % 3 == 0 && run_of(w->f)->steps > before)
			deed_log(w);
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

void sim_twig(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f, .depth = 1 };

	walk(&w, in, 6);
}

void sim_leaf(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f, .depth = 2 };

	walk(&w, in, 3);
}

/* A hook whose deliveries become flows, after some that did not. */
static void sim_shop(fish_flow *f, const fish_msg *in)
{
	struct walk w = { .f = f, .st = walk_hash(in) };

	step_spawn(&w, 0);
	step_spawn(&w, 1);
	step_post(&w, w.st);
	if (w.st % 2)
		step_gather(&w, 512);
	for (unsigned n = 0; n < w.st % 3; n++)
		step_next(&w, sim_mix(w.st, n) & ~UINT64_C(0x700));
	step_sleep(&w, w.st);
	if (w.st % 4 == 0) {
		fish_close(w.hooks[0]);
		walk_saw_word(&w, 8);
	}
	fish_each(w.hooks[0], sim_leaf);
	walk_saw_word(&w, 9);
	step_post(&w, w.st);
}

static const fish_def flows[] = {
	FISH_FLOW(sim_root), FISH_FLOW(sim_shop), FISH_FLOW(sim_twig), FISH_FLOW(sim_leaf), FISH_END };
static const fish_peer *const peers[] = { &sim_firm, &sim_weak, NULL };

const fish_program sim_program = { .flows = flows, .peers = peers };
