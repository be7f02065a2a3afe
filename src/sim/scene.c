/* scene.c - one run of a scenario: the engine behind its seams, units, the process that dies and
 * comes back, and time.
 *
 * Invariant: the clock moves between units only, so a crash and what it costs take no virtual time.
 * Surprise: the store is always held, since each commit is a moment at which something may go wrong. */
#include "sim/scene.h"

#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

enum {
	/* A commit waits until nobody is ready or read any more, and of parked flows that are told something
	 * one may be read at a time. So turns without a write grow with the flows; their number has a limit … */
	TURNS_MAX       = 2000,
	TURNS_PER_FLOW  = 20,
	UNIT_BYTES_MAX  = 64 << 20,          /* … and what one unit may write */
	RUN_AHEAD_BYTES = 1 << 20,           /* in one commit */
	EVENTS_MAX      = 1000 * 1000,
	YEARS_MAX       = 100,
};
#define YEAR_MS        (365 * FISH_DAY)
#define BEGIN_MS       INT64_C(1893456000000)      /* 2030-01-01 00:00 UTC */
/* Idle flows are parked after that, and what is due later than half of it is due never. */
#define PARK_NEVER_MS  (1000 * YEAR_MS)

/* ---- the seams ---- */

static int64_t clock_now(void *owner)
{
	return ((fish_sim *)owner)->now_ms;
}

static uint32_t no_jitter(void *owner)
{
	(void)owner;
	return 0;
}

static void log_line(void *owner, const char *event, struct slice line)
{
	fish_sim *s = owner;

	scene_say(s, "%s %.*s", strcmp(event, "flow.log") == 0 ? "log" : event, (int)line.len, line.ptr);
	if (strcmp(event, "flow.log") != 0)      /* the others are for those who operate a server */
		return;
	buf_put_slice(&s->log, line);
	buf_putc(&s->log, '\n');
}

static void boot(fish_sim *s)
{
	struct err err = { .code = 0 };
	struct engine_config config = {
		.program = s->program,
		.peers = s->peers,
		.senders = s->senders,
		.base_url = "https://sim",
		.build = s->build,
		.seams = { .owner = s, .now_ms = clock_now, .entropy = scene_entropy, .send = partner_send,
		           .abandon = partner_abandon, .log = log_line, .work = scene_work, .jitter = no_jitter },
		.store = s->store,
		.run_ahead_bytes = RUN_AHEAD_BYTES,
		.park_after_ms = s->options->park ? -1 : PARK_NEVER_MS,
		.simulated = true,
		.test_rules_off = s->options->reserved[0] ? *(const uint64_t *)s->options->reserved[0] : 0,
	};

	store_memory_hold(s->store, true);
	s->drawn = s->durable;
	s->write_no = 0;
	if (engine_new(&s->engine, &config, &err) == 0 && engine_recover(s->engine, &err) == 0)
		return;
	scene_broken(s, "the engine does not start: %s", err.text);
	s->dead = true;
}

/* ---- writes ---- */

static void commit_done(struct store_commit *c, int rc)
{
	struct batch *b = container_of(c, struct batch, commit);
	fish_sim *s = b->engine->config.seams.owner;

	if (rc == 0)
		past_commit(s, c);
	else
		s->drawn = s->durable;
	engine_batch_done(b->engine, b, rc);
}

static void carry_out(fish_sim *s, enum memory_fault fault)
{
	for (size_t n = store_memory_pending(s->store); n > 0; n--)
		store_memory_complete(s->store, fault);
}

static void write_begins(fish_sim *s)
{
	struct batch *b = s->engine->inflight;

	s->write_no = b->no;
	s->writes++;
	s->unit_bytes += b->bytes;
	b->commit.done = commit_done;
	enum fault fault = scene_fault(s);

	switch (fault) {
	case FAULT_NONE:
		scene_say(s, "write %llu: %zu rows", (unsigned long long)s->writes, b->nrows);
		carry_out(s, MEMORY_OK);
		break;
	case FAULT_ROLLED_BACK:
		scene_say(s, "write %llu: %zu rows, rolled back", (unsigned long long)s->writes, b->nrows);
		carry_out(s, MEMORY_COMMIT_FAILS);
		break;
	case FAULT_LOST:
	case FAULT_KEPT:
		scene_say(s, "write %llu: %zu rows, the process dies and they are %s",
		          (unsigned long long)s->writes, b->nrows, fault == FAULT_KEPT ? "kept" : "lost");
		scene_crash(s, fault);
		break;
	}
}

void scene_crash(fish_sim *s, enum fault how)
{
	if (how == FAULT_KEPT && s->engine->inflight)
		past_commit(s, &s->engine->inflight->commit);
	s->dying = true;
	s->store = store_memory_crash(s->store, how == FAULT_KEPT);
	s->engine = engine_free(s->engine);
	s->dying = false;
	s->nworks = 0;
	asks_lost(s);
	boot(s);
}

/* ---- units ---- */

static size_t turns_max(const fish_sim *s)
{
	return TURNS_MAX + TURNS_PER_FLOW * s->past_by_id.len;
}

static void engine_rests(fish_sim *s)
{
	size_t turns = 0;

	while (turns++ < turns_max(s) && s->unit_bytes < UNIT_BYTES_MAX && !s->dead) {
		uint64_t writes = s->writes;

		engine_turn(s->engine);
		if (s->engine->inflight && s->engine->inflight->no != s->write_no)
			write_begins(s);
		else if (store_memory_pending(s->store))
			carry_out(s, MEMORY_OK);
		else if (engine_idle(s->engine) && engine_next_ms(s->engine) > s->now_ms)
			return;
		if (s->writes != writes)
			turns = 0;
	}
	if (!s->dead)
		scene_broken(s, "the flows do not come to rest: %zu turns since write %llu, %zu bytes at once", turns,
		             (unsigned long long)s->writes, s->unit_bytes);
	s->dead = true;
}

void scene_rest(fish_sim *s)
{
	s->unit_bytes = 0;
	do
		engine_rests(s);
	while (!s->dead && (partner_again(s) || asks_again(s) || works_go(s)));
	if (!s->dead)
		partner_look(s);
}

static void happen(fish_sim *s, struct event *e)
{
	heap_remove(&s->queue, &e->node);
	switch (e->kind) {
	case EVENT_ANSWER:
		partner_due(s, container_of(e, struct sent, event));
		break;
	case EVENT_DELIVERY:
		parcel_due(s, container_of(e, struct parcel, event));
		break;
	}
}

static bool over_limit(fish_sim *s, int64_t until_ms, int64_t next_ms)
{
	if (++s->events > EVENTS_MAX)
		scene_broken(s, "it does not settle: more than %d events", EVENTS_MAX);
	else if (until_ms == SCENE_EVER && next_ms - s->begun_ms > YEARS_MAX * YEAR_MS)
		scene_broken(s, "it does not settle: more than %d virtual years (let some pass with fish_sim_pass)",
		             YEARS_MAX);
	else
		return false;
	s->dead = true;
	return true;
}

/* Deadlines of flows come before what the world does in the same millisecond: for the flow it is done
 * to they would anyway, since none is overtaken by what comes from outside. */
bool scene_step(fish_sim *s, int64_t until_ms)
{
	const struct heap_node *first = heap_first(&s->queue);

	if (s->dead)
		return false;
	if (first && first->due_ms <= s->now_ms) {
		if (over_limit(s, until_ms, s->now_ms))
			return false;
		happen(s, container_of(first, struct event, node));
		return true;
	}
	int64_t next_ms = engine_next_ms(s->engine);

	if (first && first->due_ms < next_ms)
		next_ms = first->due_ms;
	if (next_ms > until_ms || next_ms - s->now_ms > PARK_NEVER_MS / 2 || over_limit(s, until_ms, next_ms))
		return false;
	s->now_ms = next_ms;
	scene_rest(s);
	return true;
}

int64_t scene_after(const fish_sim *s, int64_t ms)
{
	if (ms > PARK_NEVER_MS)
		ms = PARK_NEVER_MS;
	return s->now_ms + (ms > 0 ? ms : 0);
}

void scene_begin(fish_sim *s)
{
	const struct flow *inside = s->engine->current;

	if (inside)
		words_failed("flow \"%s\" calls a function of fish-sim.h; only the scenario may, while no flow runs",
		             inside->name);
	s->events = 0;
	s->begun_ms = s->now_ms;
}

/* ---- coming and going ---- */

void scene_open(fish_sim *s, const fish_sim_options *o)
{
	uint8_t secret[TOKEN_SECRET_BYTES];

	*s = (fish_sim){ .options = o, .program = o->program, .build = 1, .chance = o->seed,
	                 .now_ms = o->now_ms ? o->now_ms : BEGIN_MS };
	s->zero_ms = s->now_ms;
	s->loud = voice_wanted(o);
	arena_init(&s->arena);
	buf_init(&s->log, SIZE_MAX);
	list_init(&s->pasts);
	list_init(&s->asks);
	map_init(&s->past_by_id);
	map_init(&s->acked);
	map_init(&s->sent_by_key);
	heap_init(&s->queue);
	s->peers = scene_peers(&s->arena, s->program);
	s->senders = scene_senders(&s->arena, s->program);
	for (size_t i = 0; i < sizeof secret; i++)
		secret[i] = (uint8_t)(o->seed >> 8 * (i % 8));
	store_open_memory(&s->store, secret, NULL);
	boot(s);
}

void scene_close(fish_sim *s)
{
	s->dying = true;
	s->store = store_close(s->store);
	s->engine = engine_free(s->engine);
	map_fini(&s->past_by_id);
	map_fini(&s->acked);
	map_fini(&s->sent_by_key);
	heap_fini(&s->queue);
	msgs_release(&s->parsed);
	arena_fini(&s->arena);
	buf_fini(&s->log);
	free(s->arrived);
	free(s->calls);
	free(s->works);
}
