/* sim_step.c - what a walk saw, told to sim_sight.c; and its steps that wait, or ask for what can be waited on.
 *
 * Surprise: no flow of a user may tell anybody outside what it saw. These do, and judge nothing. */
#include "base/hash.h"
#include "engine/world.h"
#include "sim/sim_walk.h"

#include <string.h>

const fish_peer sim_firm = { .name = "firm", .url = "http://firm" };
const fish_peer sim_weak = { .name = "weak", .url = "http://weak/api/", .give_up_ms = 900 };

struct sim *walk_sim(const struct walk *w)
{
	return run_of(w->f)->engine->config.seams.owner;
}

/* ---- telling what was seen ---- */

uint64_t walk_hash(const fish_msg *m)
{
	if (!m)
		return 77;
	uint64_t h = hash64(HASH64_SEED, (struct slice){ m->body, m->len });
	const char *name = m->hook ? fish_name(m->hook) : "";

	return sim_mix(h, sim_mix((uint64_t)m->status, hash64(HASH64_SEED, slice_of(name))));
}

void walk_hears(struct walk *w, const fish_msg *m)
{
	const char *id = fish_str(m, "/to");
	const char *name = m->hook ? fish_name(m->hook) : "";

	if (*id) {
		if (w->nfriends == FRIENDS_MAX)
			memmove(w->friends, w->friends + 1, --w->nfriends * sizeof *w->friends);
		w->friends[w->nfriends++] = id;
	}
	if (m->hook && m->hook->source == SOURCE_HOOK && (*name == 'f' || *name == 'g') && w->nowed < OWED_MAX)
		w->owed[w->nowed++] = m;
}

static void sight_message(struct walk *w, struct sight *seen, const fish_msg *m)
{
	seen->what = sim_mix(seen->what, walk_hash(m));
	if (!m)
		return;
	walk_hears(w, m);
	const struct msg *inner = msg_of(m);

	if (m->hook->source == SOURCE_HOOK && seen->ntakes < SIGHT_TAKES_MAX)
		seen->takes[seen->ntakes++] = inner->seq;
	if (m->hook->source != SOURCE_TIMER && inner->time_ms > seen->late_ms)
		seen->late_ms = inner->time_ms;
}

void walk_saw(struct walk *w, struct sight *seen)
{
	seen->now_ms = fish_now(w->f);
	past_saw(walk_sim(w), run_of(w->f), seen);
	w->st = sim_mix(w->st, seen->what);
}

void walk_saw_message(struct walk *w, const fish_msg *m, int64_t timeout_ms)
{
	struct sight seen = { .timeout_ms = timeout_ms };

	sight_message(w, &seen, m);
	walk_saw(w, &seen);
}

void walk_saw_word(struct walk *w, uint64_t what)
{
	walk_saw(w, &(struct sight){ .what = what });
}

/* ---- steps ---- */

/* One of few, so that a later life finds its hooks again; and by its name it has the same options there. */
static const struct {
	const char       *name;
	fish_hook_options options;
} kinds[] = {
	{ "a", { .expires_ms = 0 } },
	{ "b", { .expires_ms = 0 } },
	{ "c", { .json = true } },
	{ "d", { .shots = 2 } },
	{ "e", { .expires_ms = 700 } },
	{ "f", { .reply_ms = 60, .reply = &(const fish_response){ .status = 203, .body = "<later/>", .len = 8 } } },
	{ "g", { .reply_ms = 900, .reply_status = 299, .reply_json = "{\"later\": true}", .shots = 5 } },
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* NULL: all are open. */
static const char *free_name(const struct walk *w, uint64_t r, const fish_hook_options **ret_options)
{
	for (unsigned n = 0; n < KINDS; n++) {
		const char *name = kinds[(r + n) % KINDS].name;
		bool is_free = true;

		for (size_t i = 0; i < w->nhooks; i++)
			is_free = is_free && strcmp(fish_name(w->hooks[i]), name) != 0;
		*ret_options = &kinds[(r + n) % KINDS].options;
		if (is_free)
			return name;
	}
	return NULL;
}

void step_spawn(struct walk *w, uint64_t r)
{
	const fish_hook_options *options = NULL;
	const char *name = free_name(w, r, &options);

	if (!name)
		return;
	fish_hook *h = fish_spawn_with(w->f, name, options);

	walk_saw_word(w, h->number);              /* its URL shows in the calls that tell of it */
	if (w->nhooks < HANDLES_MAX)
		w->hooks[w->nhooks++] = h;
}

static int64_t pick(uint64_t r, const int64_t *from, size_t n)
{
	return from[(r >> 8) % n];
}

void step_next(struct walk *w, uint64_t r)
{
	static const int64_t timeouts[] = { 0, 5, 40, 200, 1500, 40, 0, FISH_FOREVER };
	int64_t timeout_ms = pick(r, timeouts, 8);

	walk_saw_message(w, fish_next(w->hooks[r % w->nhooks], timeout_ms), timeout_ms);
}

void step_any(struct walk *w, uint64_t r)
{
	static const int64_t timeouts[] = { 5, 40, 300, 0 };
	fish_hook *all[2 * HANDLES_MAX];
	size_t n = 0;
	int64_t timeout_ms = pick(r, timeouts, 4);

	for (size_t i = 0; i < w->nhooks; i++)
		all[n++] = w->hooks[i];
	for (size_t i = 0; i < w->nothers; i++)
		all[n++] = w->others[i];
	walk_saw_message(w, fish_any_of(w->f, timeout_ms, all, n), timeout_ms);
}

void step_gather(struct walk *w, uint64_t r)
{
	static const int64_t timeouts[] = { 0, 400, 3000 };
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
		sight_message(w, &seen, got[i]);
	walk_saw(w, &seen);
}

void step_timer(struct walk *w, uint64_t r)
{
	static const int64_t times[] = { 3, 30, 0, 250 };
	int64_t after_ms = pick(r, times, 4);
	fish_hook *h = fish_timer(w->f, after_ms);

	walk_saw(w, &(struct sight){ .what = 3, .rings_ms = after_ms });
	if (w->nothers < HANDLES_MAX)
		w->others[w->nothers++] = h;
}

void step_sleep(struct walk *w, uint64_t r)
{
	static const int64_t times[] = { 0, 4, 25, 600 };

	fish_sleep(w->f, pick(r, times, 4));
	walk_saw_word(w, 4);
}

/* The URLs of the youngest hooks, as a text, in two of three calls. */
static const char *urls_of(struct walk *w, uint64_t r)
{
	const char *text = "";

	for (size_t i = w->nhooks > 2 ? w->nhooks - 2 : 0; r % 3 && i < w->nhooks; i++)
		text = fish_fmt(w->f, "%s %s", text, fish_url(w->hooks[i]));
	return text;
}

void step_send(struct walk *w, uint64_t r)
{
	const char *path = fish_fmt(w->f, "/s%u", (unsigned)(r % 5));
	const fish_peer *to = r & 256 ? &sim_firm : &sim_weak;
	fish_hook *h;

	if (r & 1536) {
		const char *body = fish_fmt(w->f, "st=%llu&urls=%s", (unsigned long long)w->st, urls_of(w, r));

		h = fish_send_with(w->f, &(fish_request){ .to = to, .path = path, .body = body, .len = strlen(body) });
	} else {
		h = fish_send(w->f, to, path, "{st: %llu, urls: %s}", (unsigned long long)(w->st >> 1), urls_of(w, r));
	}
	walk_saw_word(w, 5);
	if (w->nothers < HANDLES_MAX)
		w->others[w->nothers++] = h;
}

void step_post(struct walk *w, uint64_t r)
{
	const fish_msg *m = fish_post(w->f, r & 256 ? &sim_firm : &sim_weak, "/p", "{st: %llu, urls: %s}",
	                              (unsigned long long)(w->st >> 1), urls_of(w, r));

	walk_saw_message(w, m, 0);
}

void step_call(struct walk *w, uint64_t r)
{
	static const char *const headers[] = { "X-Kind: sim", NULL };
	const char *body = fish_fmt(w->f, "st=%llu%s", (unsigned long long)w->st, urls_of(w, r));
	const fish_msg *m = fish_call(w->f, &(fish_request){
		.to = r & 256 ? &sim_firm : &sim_weak, .method = "PUT", .path = "/c", .headers = headers,
		.body = body, .len = strlen(body) });

	walk_saw_message(w, m, 0);
}

void step_child(struct walk *w, uint64_t r)
{
	if (w->depth >= 2 || w->nothers >= HANDLES_MAX)
		return;
	fish_hook *h = fish_child(w->f, w->depth ? sim_leaf : sim_twig, "{seed: %llu, to: %s}",
	                          (unsigned long long)(w->st >> 1), fish_id(w->f));

	walk_saw_word(w, 6);
	w->others[w->nothers++] = h;
	if (r & 512)
		return;
	int64_t timeout_ms = r & 1024 ? FISH_FOREVER : 30;

	walk_saw_message(w, fish_next(h, timeout_ms), timeout_ms);
}

/* A timer, call or child that nobody wants any more. */
void step_drop(struct walk *w, uint64_t r)
{
	size_t at = r % w->nothers;
	fish_hook *h = w->others[at];

	w->others[at] = w->others[--w->nothers];
	fish_close(h);
	walk_saw_word(w, 10);
	if (r & 256)
		walk_saw_message(w, fish_next(h, FISH_FOREVER), 0);
}

void step_close(struct walk *w, uint64_t r)
{
	size_t at = r % w->nhooks;
	fish_hook *h = w->hooks[at];

	w->hooks[at] = w->hooks[--w->nhooks];
	fish_close(h);
	walk_saw_word(w, 7);
	if (r & 256)
		walk_saw_message(w, fish_next(h, FISH_FOREVER), 0);
}

