/* box_run.c - what a box does: a flow that hands on what comes to the flows that wait for its key.
 *
 * The oldest waiting hook that is open gets what comes, in order. With nobody there one message is held
 * and the others stay in the box's own hook, where the door's limits count them. Invariant: what is held
 * goes to one open hook or is too old, and never into a next life. Surprise: hooks that have closed do
 * not sign off; that is seen when there is something for them. A change to these steps needs fish_patch:
 * boxes of older builds are waiting. */
#include "base/hash.h"
#include "engine/box.h"
#include "engine/run.h"
#include "engine/world.h"

#include <string.h>

enum {
	TURNS_PER_LIFE = 200,
	TURN_BYTES     = 64 << 10, /* so many handed on count as a turn: a re-run is fed a life's messages again */
	LOOKED_AT_FROM = 16,       /* so many wait: they are looked at whenever there are twice as many */
};

#define NO_ROOM_MS  (10 * FISH_SECOND)    /* until it is tried again */

struct claimer {
	const char *flow;
	long long   hook;
};

struct box {
	fish_flow      *f;
	fish_hook      *in, *claims;
	const char     *key;
	long long       keep_ms;
	long long       quiet_ms;      /* until then repetitions of what was handed on may come: it must not end */
	struct claimer *all;           /* oldest first */
	size_t          n, cap;
	const fish_msg *held;          /* taken and not handed on */
	unsigned        turns;         /* in this life */
};

/* ---- one step: to another flow's hook, with word of what came of it ---- */

/* m: NULL only looks whether it is open. */
static enum act_outcome hand_on(struct run *r, const struct claimer *c, const struct msg *m)
{
	struct slice body = m ? (struct slice){ m->pub.body, m->pub.len } : SLICE_NONE;
	const char *label = m ? "hand on" : "look";
	struct id to;

	if (id_parse(slice_of(c->flow), &to) < 0)
		return ACT_NOBODY;
	run_step(r, &(struct step){
		.kind = STEP_TELL, .label = label,
		.content = hash64(hash64_u64(hash64(HASH64_SEED, slice_of(c->flow)), (uint64_t)c->hook), body) });
	if (run_act_opens(r, &to)) {
		struct act *a = act_new(r, m ? ACT_HAND_ON : ACT_LOOK, run_index(r));

		a->to = to;
		a->hook = (uint32_t)c->hook;
		if (m) {
			buf_put_slice(&a->meta, m->meta);
			buf_put_slice(&a->body, body);
		}
	}
	enum act_outcome outcome = run_act_outcome(r);

	run_step_end(r);
	return outcome;
}

/* ---- who waits ---- */

static void drop(struct box *b, size_t at)
{
	b->n--;
	memmove(&b->all[at], &b->all[at + 1], (b->n - at) * sizeof *b->all);
}

/* All of them: those that are gone need no room. */
static void look(struct box *b)
{
	for (size_t i = 0; i < b->n;)
		if (hand_on(run_of(b->f), &b->all[i], NULL) == ACT_NOBODY)
			drop(b, i);
		else
			i++;
}

static void add(struct box *b, const char *flow, long long hook)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->all[i].hook == hook && strcmp(b->all[i].flow, flow) == 0)
			return;
	if (b->n == b->cap) {
		size_t cap = b->cap ? 2 * b->cap : 4;
		struct claimer *more = fish_alloc(b->f, cap * sizeof *more);

		if (b->n)
			memcpy(more, b->all, b->n * sizeof *more);
		b->all = more;
		b->cap = cap;
	}
	/* The message goes when the next one is taken. */
	b->all[b->n++] = (struct claimer){ fish_fmt(b->f, "%s", flow), hook };
}

static void claimed(struct box *b, const fish_msg *m)
{
	add(b, fish_str(m, "/flow"), fish_int(m, "/hook", 0));
	if (b->n >= LOOKED_AT_FROM && (b->n & (b->n - 1)) == 0)
		look(b);
}

static void pass_on(struct box *b)
{
	while (b->held && b->n) {
		switch (hand_on(run_of(b->f), &b->all[0], msg_of(b->held))) {
		case ACT_NOBODY:
			drop(b, 0);
			break;
		case ACT_NO_ROOM:
			return;
		case ACT_DONE:
			b->turns += (unsigned)(b->held->len / TURN_BYTES);
			b->held = NULL;
			b->quiet_ms = fish_now(b->f) + SEEN_WINDOW_MS;
			break;
		}
	}
}

/* ---- its life ---- */

static FISH_NORETURN void renew(struct box *b)
{
	struct buf waiting;

	buf_init(&waiting, SIZE_MAX);
	for (size_t i = 0; i < b->n; i++)
		buf_printf(&waiting, "%s{\"flow\":\"%s\",\"hook\":%lld}", i ? "," : "", b->all[i].flow, b->all[i].hook);
	char *all = fish_fmt(b->f, "[%s]", waiting.len ? waiting.ptr : "");

	buf_fini(&waiting);
	fish_renew(b->f, "{key: %s, keep_ms: %lld, quiet_ms: %lld, waiting: %-s}", b->key, b->keep_ms, b->quiet_ms, all);
}

static long long left_ms(const struct box *b)
{
	return msg_of(b->held)->time_ms + b->keep_ms - fish_now(b->f);
}

/* Nobody waits, and time has passed: what is too old goes. */
static void expire(struct box *b)
{
	while (!b->n) {
		if (b->held && left_ms(b) > 0)
			return;
		b->held = NULL;
		if (b->turns >= TURNS_PER_LIFE)
			renew(b);
		b->turns++;
		b->held = fish_next(b->in, 0);
		if (!b->held && b->quiet_ms <= fish_now(b->f))
			fish_done(b->f, "null");
		if (!b->held)
			return;
	}
}

/* How long to wait for somebody, when there is nobody. */
static long long patience_ms(const struct box *b)
{
	long long quiet = b->quiet_ms - fish_now(b->f);

	if (b->held)
		return left_ms(b);
	return quiet > 0 && quiet < b->keep_ms ? quiet : b->keep_ms;
}

static void turn(struct box *b)
{
	const fish_msg *m;

	if (!b->n)
		m = fish_next(b->claims, patience_ms(b));
	else if (b->held)                         /* there was no room for it */
		m = fish_next(b->claims, NO_ROOM_MS);
	else
		m = fish_any(b->f, SEEN_WINDOW_MS, b->claims, b->in);
	if (m && m->hook == b->claims)
		claimed(b, m);
	else if (m)
		b->held = m;
	else if (b->n && !b->held)
		look(b);
	pass_on(b);
	if (!m)
		expire(b);
	if (++b->turns >= TURNS_PER_LIFE && !b->held)
		renew(b);
}

void box_run(fish_flow *f, const fish_msg *in)
{
	struct box b = {
		.f = f, .key = fish_str(in, "/key"), .keep_ms = fish_int(in, "/keep_ms", 0),
		.quiet_ms = fish_int(in, "/quiet_ms", 0) };

	for (size_t i = 0; i < fish_count(in, "/waiting"); i++)
		add(&b, fish_str(in, fish_fmt(f, "/waiting/%zu/flow", i)),
		    fish_int(in, fish_fmt(f, "/waiting/%zu/hook", i), 0));
	b.in = fish_spawn_with(f, "in", &(fish_hook_options){ .release = true });
	b.claims = fish_spawn_with(f, "claims", &(fish_hook_options){ .release = true });
	for (;;)
		turn(&b);
}
