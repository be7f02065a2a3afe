/* sim_world.c - one history: the clock, chance, the store's moments, crashes, and the order of events.
 *
 * Invariant: every choice is drawn from one stream, so that a seed repeats. Surprise: the store is
 * always held; a commit becomes durable, fails or dies only when an event says so. */
#include "sim/sim_world.h"

#include "base/hash.h"
#include "engine/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TICK_MS_MAX   = 1500,
	QUIET_ROUNDS  = 3000,
	TURNS_MAX     = 400,      /* that one drain takes at most */
	SAY_SIZE      = 400,
};

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
		           .abandon = partner_abandon, .log = log_line, .jitter = jitter },
		.store = store,
		.park_after_ms = s->park_after_ms,
		.run_ahead_bytes = s->run_ahead_bytes,
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
}

static void complete(struct sim *s)
{
	if (store_memory_pending(s->store))
		store_memory_complete(s->store, MEMORY_OK);
}

static void commit_fails(struct sim *s)
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
		SIM_BUILD_PATCHED, SIM_BUILD_PATCHED, SIM_BUILD_PATCHED, SIM_BUILD_RASH, SIM_BUILD_FIRST };

	s->build = builds[sim_below(s, 5)];
	s->result->stats.deploys++;
	sim_say(s, "deploy build %llu", (unsigned long long)s->build);
}

static void crash(struct sim *s)
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

/* ---- events ---- */

static void tick(struct sim *s)
{
	static const int64_t steps[] = { 1, 2, 6, 50, 50, 300, TICK_MS_MAX };
	int64_t now_ms = engine_now_ms(s->engine);

	if (s->clock_ms < now_ms)
		s->clock_ms = now_ms;
	s->clock_ms += steps[sim_below(s, 7)];
	if (engine_away(s->engine) && sim_percent(s, 60))
		s->clock_ms = engine_next_ms(s->engine);
	sim_say(s, "time %lld", (long long)s->clock_ms);
	/* Else what comes next is handed in at a time that no turn has seen. */
	if (s->quiet || sim_percent(s, 60))
		sim_turn(s);
}

static void cancel_some(struct sim *s)
{
	const struct past *p = s->npasts ? s->pasts[sim_below(s, (uint32_t)s->npasts)] : NULL;

	if (p && p->n)
		sender_cancel(s, &p->id);
}

static void watch_some(struct sim *s)
{
	const struct past *p = s->npasts ? s->pasts[sim_below(s, (uint32_t)s->npasts)] : NULL;

	if (p && p->n)
		sender_watch(s, &p->id);
}

static void again_some(struct sim *s)
{
	if (!s->nmessages)
		return;
	uint32_t at = sim_below(s, (uint32_t)s->nmessages);

	/* Now and then also one that has its answer: it never heard it. */
	if (s->messages[at].open || sim_percent(s, 50))
		sender_again(s, at);
}

static void event(struct sim *s)
{
	uint32_t x = sim_below(s, 1000);

	s->result->stats.events++;
	if (x < 170)
		sender_news(s);
	else if (x < 270)
		again_some(s);
	else if (x < 400)
		sim_turn(s);
	else if (x < 640)
		complete(s);
	else if (x < 647)
		commit_fails(s);
	else if (x < 800)
		partner_answer(s);
	else if (x < 930)
		tick(s);
	else if (x < 960)
		sender_order(s);
	else if (x < 963)
		cancel_some(s);
	else if (x < 975)
		crash(s);
	else if (x < 980)
		watch_some(s);
	else
		complete(s);
	if (sim_percent(s, 60))
		sim_turn(s);
}

/* ---- the quiet end ---- */

static bool all_ended(const struct sim *s)
{
	for (uint32_t i = 0; i < s->norders; i++)
		if (!s->orders[i].told)
			return false;
	for (size_t i = 0; i < s->npasts; i++)
		if (s->pasts[i]->n && !s->pasts[i]->ended)
			return false;
	return list_empty(&s->posts);
}

static void drain(struct sim *s)
{
	for (int n = 0; n < TURNS_MAX && !s->result->broken; n++) {
		sim_turn(s);
		if (engine_idle(s->engine) && !store_memory_pending(s->store))
			return;
		while (store_memory_pending(s->store))
			complete(s);
	}
}

static bool flow_stopped(struct sim *s)
{
	struct engine_figures f;

	engine_figures(s->engine, &f);
	return f.stopped > 0;
}

static void quiet_round(struct sim *s, int round)
{
	for (uint32_t i = 0; i < s->nmessages; i++)
		if (s->messages[i].open)
			sender_again(s, i);
	sender_order(s);
	drain(s);
	while (s->nattempts && !s->result->broken) {
		partner_answer(s);
		drain(s);
	}
	if (round % 3 == 2) {
		sender_learn(s);
		for (uint32_t i = 0; i < s->nurls; i++)
			if (!s->urls[i].gone)
				sender_news_to(s, i);
		drain(s);
	}
	if (round == 0 && sim_percent(s, 20))
		cancel_some(s);
	/* A shop is open until somebody closes it. */
	if (round == 12 || round == 40)
		for (size_t i = 0; i < s->npasts; i++) {
			const struct entry *start = past_start(s->pasts[i]);

			if (start && !s->pasts[i]->ended && slice_eq(start->name, SLICE_LIT("sim_shop")))
				sender_cancel(s, &s->pasts[i]->id);
		}
	/* A flow that stands still may fit another build. */
	if (round % 5 == 4 && s->deploys && flow_stopped(s)) {
		s->build = s->build == SIM_BUILD_RASH ? SIM_BUILD_FIRST : s->build + 1;
		crash(s);
		drain(s);
	}
	tick(s);
}

static void quiet_end(struct sim *s)
{
	s->quiet = true;
	s->build = SIM_BUILD_PATCHED;
	sim_say(s, "quiet");
	crash(s);
	drain(s);
	check_doubt(s);
	for (int round = 0; round < QUIET_ROUNDS && !all_ended(s) && !s->result->broken; round++)
		quiet_round(s, round);
	drain(s);
	if (!s->result->broken)
		check_end(s);
	for (size_t i = 0; i < s->npasts && !s->result->broken; i++)
		if (s->pasts[i]->ended && !s->pasts[i]->torn)
			reference_run(s, s->pasts[i]);
}

/* ---- a history ---- */

static void open_world(struct sim *s)
{
	static const int64_t parking[] = { -1, -1, 20, 1000, 3600000 };
	uint8_t secret[TOKEN_SECRET_BYTES];

	map_init(&s->past_by_id);
	list_init(&s->posts);
	list_init(&s->starts);
	list_init(&s->cancels);
	list_init(&s->watches);
	list_init(&s->attempts);
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
	boot(s);
	sender_order(s);
}

static void close_world(struct sim *s)
{
	if (s->result->broken)
		pasts_tell(s);
	parks_count(s);
	for (size_t i = 0; i < s->npasts; i++)
		s->result->stats.flows += s->pasts[i]->n > 0;
	s->store = store_close(s->store);
	s->engine = engine_free(s->engine);
	sender_crashed(s);
	pasts_free(s);
}

void sim_history(const struct sim_options *options, struct sim_result *ret)
{
	struct sim *s = xalloc(sizeof *s);

	*ret = (struct sim_result){ .digest = HASH64_SEED };
	s->options = options;
	s->result = ret;
	open_world(s);
	for (uint32_t n = 330 + sim_below(s, 330); n > 0 && !ret->broken; n--)
		event(s);
	if (!ret->broken)
		quiet_end(s);
	close_world(s);
	free(s);
}

void sim_stats_add(struct sim_stats *sum, const struct sim_stats *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += from[i];
}
