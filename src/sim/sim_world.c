/* sim_world.c - the world of one history: the clock, chance, the store's moments, crashes.
 *
 * Invariant: every choice is drawn from one stream, so that a seed repeats. Surprise: the store is
 * always held; a commit becomes durable, fails or dies only when an event says so. */
#include "sim/sim_world.h"

#include "base/hash.h"
#include "engine/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAY_SIZE = 400 };

/* ---- chance ---- */

uint64_t sim_mix(uint64_t a, uint64_t b)
{
	uint64_t z = a ^ (b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t sim_draw(struct sim *s)
{
	s->chance += UINT64_C(0x9e3779b97f4a7c15);
	return sim_mix(s->chance, 0);
}

uint32_t sim_below(struct sim *s, uint32_t n)
{
	return (uint32_t)(sim_draw(s) % n);
}

bool sim_percent(struct sim *s, uint32_t percent)
{
	return sim_below(s, 100) < percent;
}

/* ---- telling ---- */

void sim_say(struct sim *s, const char *fmt, ...)
{
	char line[SAY_SIZE];
	va_list ap;

	if (!s->options->say && !s->options->digest)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	s->result->digest = hash64(s->result->digest, slice_of(line));
	if (s->options->say)
		s->options->say(s->options->owner, line);
}

void sim_broken(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (s->result->broken)
		return;
	s->result->broken = true;
	va_start(ap, fmt);
	vsnprintf(s->result->why, sizeof s->result->why, fmt, ap);
	va_end(ap);
	sim_say(s, "BROKEN: %s", s->result->why);
}

/* ---- the seams ---- */

static int64_t clock_now(void *owner)
{
	return ((struct sim *)owner)->clock_ms;
}

static void entropy(void *owner, void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)bytes)[i] = (uint8_t)sim_draw(owner);
}

static uint32_t jitter(void *owner)
{
	return (uint32_t)sim_draw(owner);
}

static void log_line(void *owner, const char *event, struct slice line)
{
	struct sim *s = owner;

	sim_say(s, "%s %.*s", event, (int)line.len, line.ptr);
	if (strcmp(event, "flow.log") != 0)       /* for operators: the flows did not write it */
		return;
	if (s->referring)
		sim_broken(s, "run from its journal alone, a flow logs");
	else
		check_log(s, line);
}

void sim_boot(struct sim *s, struct engine **ret, struct store *store)
{
	struct err err = { .code = 0 };
	struct engine_config config = {
		.program = &sim_program,
		.base_url = "http://door",
		.build = s->build,
		.seams = { .owner = s, .now_ms = clock_now, .entropy = entropy, .send = partner_send,
		           .abandon = partner_abandon, .log = log_line, .jitter = jitter,
		           .work = toil_begin },
		.store = store,
		.park_after_ms = s->park_after_ms,
		.run_ahead_bytes = s->run_ahead_bytes,
		.row_bytes_max = s->options->seed % 8 == 5,      /* then each entry has a row of its own; not drawn either */
		.turn_steps_max = s->turn_steps_max,
		.test_rules_off = s->options->rules_off,
	};

	CHECK(engine_new(ret, &config, &err) == 0);
	if (engine_recover(*ret, &err) < 0)
		sim_broken(s, "the engine does not recover: %s", err.text);
}

/* ---- commits ---- */

static void commit_done(struct store_commit *c, int rc)
{
	struct batch *b = container_of(c, struct batch, commit);
	struct sim *s = b->engine->config.seams.owner;

	if (rc == 0)
		past_commit(s, c);
	else
		s->result->stats.commits_failed++;
	sim_say(s, "commit of %zu rows: %d", c->nrows, rc);
	engine_batch_done(b->engine, b, rc);
	if (rc == 0)
		check_logged(s);
}

void sim_turn(struct sim *s)
{
	struct engine *e = s->engine;

	s->result->stats.turns++;
	engine_turn(e);
	if (e->inflight && e->inflight->no != s->swapped_no) {
		e->inflight->commit.done = commit_done;
		s->swapped_no = e->inflight->no;
	}
	check_stopped(s);
	check_deadlines(s);
	check_held_senders(s);
	check_awake(s);
}

void sim_complete(struct sim *s)
{
	if (store_memory_pending(s->store))
		store_memory_complete(s->store, MEMORY_OK);
}

void sim_commit_fails(struct sim *s)
{
	if (!s->engine->inflight)
		return;
	/* Reads before it in the queue cannot fail. */
	while (s->engine->inflight && !s->engine->failed)
		store_memory_complete(s->store, MEMORY_COMMIT_FAILS);
	sim_turn(s);
}

/* ---- dying and coming back ---- */

static void boot(struct sim *s)
{
	s->swapped_no = 0;
	store_memory_hold(s->store, true);
	sim_boot(s, &s->engine, s->store);
}

static void parks_count(struct sim *s)
{
	struct engine_figures f;

	engine_figures(s->engine, &f);
	s->result->stats.parks += f.parks;
	s->result->stats.duplicates += f.duplicates;
	s->result->stats.diverged += f.stopped;
}

static void deploy(struct sim *s)
{
	static const uint64_t builds[] = {
		SIM_BUILD_PATCHED, SIM_BUILD_PATCHED, SIM_BUILD_RASH, SIM_BUILD_RASH, SIM_BUILD_FIRST };

	s->build = builds[sim_below(s, 5)];
	s->result->stats.deploys++;
	sim_say(s, "deploy build %llu", (unsigned long long)s->build);
}

void sim_crash(struct sim *s)
{
	bool kept = s->engine->inflight && sim_percent(s, 50);

	sim_say(s, "crash, the commit under way is %s", kept ? "kept" : "lost");
	s->result->stats.crashes++;
	s->result->stats.crashes_kept += kept;
	parks_count(s);
	if (kept)
		past_commit(s, &s->engine->inflight->commit);
	check_excuse(s);
	s->store = store_memory_crash(s->store, kept);
	s->engine = engine_free(s->engine);
	toils_forget(s);
	sender_crashed(s);
	if (s->nattempts)
		sim_broken(s, "%zu calls outlive their engine", s->nattempts);
	if (!s->quiet && s->deploys && sim_percent(s, 40))
		deploy(s);
	if (!s->quiet && sim_percent(s, 15))
		s->clock_ms -= sim_below(s, 200);      /* set back while we were away */
	else
		s->clock_ms += sim_below(s, 4) * sim_below(s, 60);
	boot(s);
}

/* ---- the whole ---- */

void sim_open(struct sim *s)
{
	static const int64_t parking[] = { -1, -1, 20, 1000, 3600000 };
	uint8_t secret[TOKEN_SECRET_BYTES];

	map_init(&s->past_by_id);
	map_init(&s->keys);
	list_init(&s->posts);
	list_init(&s->starts);
	list_init(&s->cancels);
	list_init(&s->watches);
	list_init(&s->attempts);
	list_init(&s->toils);
	s->chance = sim_mix(s->options->seed, 1);
	s->clock_ms = 1000000;
	s->park_after_ms = parking[sim_below(s, 5)];
	if (s->options->parking == SIM_PARK_ALWAYS)
		s->park_after_ms = -1;
	if (s->options->parking == SIM_PARK_NEVER)
		s->park_after_ms = parking[4];
	s->run_ahead_bytes = sim_percent(s, 25) ? 200 + sim_below(s, 2000) : 0;
	/* Flows that are interrupted at the end of each step, or each few; else hardly ever. Not drawn, so that
	 * the histories of all other seeds stay as they were. */
	s->turn_steps_max = s->options->seed % 4 == 3 ? 1 + (uint32_t)(s->options->seed / 4 % 4) : 0;
	s->deploys = sim_percent(s, 60);
	s->build = s->deploys && sim_percent(s, 67) ? SIM_BUILD_FIRST : SIM_BUILD_PATCHED;
	s->norders = 3 + sim_below(s, 3);
	for (uint32_t i = 0; i < s->norders; i++)
		s->orders[i].has_key = sim_percent(s, 70);
	entropy(s, secret, sizeof secret);
	store_open_memory(&s->store, secret, NULL);
	s->ring = token_ring_new(s->store->keys, s->store->nkeys);
	boot(s);
}

void sim_close(struct sim *s)
{
	struct place *place;

	if (s->result->broken)
		pasts_tell(s);
	parks_count(s);
	for (size_t i = 0; i < s->npasts; i++)
		s->result->stats.flows += s->pasts[i]->n > 0;
	s->store = store_close(s->store);
	s->engine = engine_free(s->engine);
	s->ring = token_ring_free(s->ring);
	toils_forget(s);
	sender_crashed(s);
	free(s->told);
	for (size_t i = 0; (place = map_each(&s->keys, &i));)
		free(place);
	map_fini(&s->keys);
	pasts_free(s);
}
