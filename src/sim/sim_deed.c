/* sim_deed.c - the steps of a walk that do something to others or to the world: effects of its own, works,
 * cancels, tells, replies.
 *
 * Surprise: an effect's result is drawn by chance, so that two of one step never give the same. */
#include "base/hash.h"
#include "engine/world.h"
#include "sim/sim_walk.h"

#include <string.h>

void deed_once(struct walk *w, uint64_t r)
{
	const char *name = fish_fmt(w->f, "o%u", (unsigned)(r % 4));
	uint64_t got;

	while (fish_once(w->f, name, &got, sizeof got)) {
		past_effect(walk_sim(w), &(struct effect){
			.flow = &run_of(w->f)->flow->id, .epoch = run_of(w->f)->epoch,
			.step = run_index(run_of(w->f)), .kind = STEP_ONCE, .name = name,
			.content = hash64(HASH64_SEED, slice_of(name)) });
		got = sim_draw(walk_sim(w));
	}
	walk_saw_word(w, got);
}

/* The task lies on the stack: it must be there for as long as the work may read it. */
void deed_work(struct walk *w, uint64_t r)
{
	struct toil_task task = { walk_sim(w), w->st };
	struct toil_result got;

	fish_work(w->f, fish_fmt(w->f, "w%u", (unsigned)(r % 3)), sim_toil, &task, &got, sizeof got);
	walk_saw_word(w, sim_mix(got.st, got.drawn));
}

/* Some flow that it has heard of, or itself; at a hook that may not be open. */
void deed_tell(struct walk *w, uint64_t r)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	const char *to = r & 1024 || !w->nfriends ? fish_id(w->f) : w->friends[(r >> 11) % w->nfriends];
	struct run *run = run_of(w->f);
	struct id id;

	if (id_parse(slice_of(to), &id) < 0)
		return;
	past_sight(past_of(walk_sim(w), &run->flow->id), run->epoch, run->steps)->to = id;
	fish_tell(w->f, to, names[(r >> 16) % 8], "{tell: %s, life: %u, step: %u, to: %s, st: %llu}", fish_id(w->f),
	          (unsigned)run->epoch, (unsigned)run->steps, fish_id(w->f), (unsigned long long)(w->st >> 1));
	walk_saw_word(w, 14);
}

void deed_publish(struct walk *w, uint64_t r)
{
	struct run *run = run_of(w->f);

	fish_publish(w->f, r & 256 ? "state" : "other", "{step: %u, st: %llu}", (unsigned)run->steps,
	             (unsigned long long)(w->st >> 1));
	walk_saw_word(w, 15);
}

/* Bytes that are no JSON, or none at all; with lines, or with none. */
static void reply_bytes(struct walk *w, const fish_msg *m, uint64_t r)
{
	const char *body = fish_fmt(w->f, "<%llx>", (unsigned long long)w->st);
	const char *const lines[] = { "Content-Type: text/xml", fish_fmt(w->f, "X-St: %s", body), NULL };
	size_t len = r >> 21 & 1 ? strlen(body) : 0;

	fish_reply_with(w->f, m, &(fish_response){
		.status = len ? 201 : 204, .headers = r >> 22 & 1 ? lines : NULL, .body = body, .len = len });
}

void deed_reply(struct walk *w, uint64_t r)
{
	static const int statuses[] = { 200, 201, 409, 500 };

	if (!w->nowed)
		return;
	size_t at = (r >> 10) % w->nowed;
	const fish_msg *m = w->owed[at];

	w->owed[at] = w->owed[--w->nowed];
	if (r >> 20 & 1)
		reply_bytes(w, m, r);
	else
		fish_reply(w->f, m, statuses[(r >> 8) % 4], "{reply: %llu}", (unsigned long long)(w->st >> 1));
	walk_saw_word(w, 16);
}

/* A hook that closes itself, and whose deliveries become flows until then. */
void deed_each(struct walk *w, uint64_t r)
{
	if (w->depth >= 2)
		return;
	fish_hook *h = fish_spawn_with(w->f, "h", &(fish_hook_options){
		.expires_ms = r & 256 ? 150 : 800, .shots = r & 512 ? 2 : 0 });

	walk_saw_word(w, h->number);
	(void)fish_send(w->f, &sim_firm, "/each", "{urls: %s}", fish_url(h));
	walk_saw_word(w, 17);
	fish_each(h, sim_leaf);
	walk_saw_word(w, (uint64_t)fish_closed(h));
}

void deed_cancel(struct walk *w, uint64_t r)
{
	fish_hook *h = w->others[r % w->nothers];

	if (h->source == SOURCE_CANCEL)
		return;
	fish_cancel(h);
	walk_saw_word(w, 12);
	/* A timer that has not rung is closed; a call and a child still have their word. */
	if (r & 256)
		walk_saw_message(w, fish_next(h, FISH_FOREVER), 0);
}

void deed_log(struct walk *w)
{
	uint32_t step = run_index(run_of(w->f));
	uint32_t epoch = run_of(w->f)->epoch;
	struct sight *seen = past_sight(past_of(walk_sim(w), &run_of(w->f)->flow->id), epoch, step);

	seen->logs = true;
	fish_log(w->f, "life=%u step=%u what=%llx", epoch, step, (unsigned long long)seen->what);
}

