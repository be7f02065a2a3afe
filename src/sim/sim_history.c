/* sim_history.c - the order of events: what happens by chance, and the quiet end.
 *
 * Surprise: a history that has not seen enough (flows, journal writes, a crash) goes on until it has; new
 * flows are ordered meanwhile, for those there are may all have ended. */
#include "base/hash.h"
#include "engine/world.h"
#include "sim/sim_world.h"

#include <stdlib.h>

enum {
	TICK_MS_MAX   = 1500,
	QUIET_ROUNDS  = 3000,
	TURNS_MAX     = 400,      /* that one drain takes at most */
	EVENTS_MIN    = 150,      /* and as many again by chance */
	EVENTS_MORE   = 40,       /* at a time, when they were not enough … */
	MORE_MAX      = 200,      /* … so often at most */
};

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

/* Requests are carried out one by one, and often several before the engine looks again. */
static void complete_some(struct sim *s)
{
	for (uint32_t n = 1 + sim_below(s, 3); n > 0; n--)
		sim_complete(s);
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
		complete_some(s);
	else if (x < 647)
		sim_commit_fails(s);
	else if (x < 800)
		partner_answer(s);
	else if (x < 930)
		tick(s);
	else if (x < 960)
		sender_order(s);
	else if (x < 963)
		cancel_some(s);
	else if (x < 975)
		sim_crash(s);
	else if (x < 980)
		watch_some(s);
	else
		toil_ends(s);
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
			sim_complete(s);
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
	while ((s->nattempts || s->ntoils) && !s->result->broken) {
		partner_answer(s);
		toil_ends(s);
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
		sim_crash(s);
		drain(s);
	}
	tick(s);
}

static void quiet_end(struct sim *s)
{
	if (s->result->broken)
		return;
	s->quiet = true;
	s->build = SIM_BUILD_PATCHED;
	sim_say(s, "quiet");
	sim_crash(s);
	drain(s);
	check_doubt(s);
	for (int round = 0; round < QUIET_ROUNDS && !all_ended(s) && !s->result->broken; round++)
		quiet_round(s, round);
	drain(s);
}

static void last_words(struct sim *s)
{
	if (!s->result->broken)
		check_end(s);
	for (size_t i = 0; i < s->npasts && !s->result->broken; i++)
		if (s->pasts[i]->ended && !s->pasts[i]->torn)
			reference_run(s, s->pasts[i]);
}

/* ---- a history ---- */

static size_t flows_durable(const struct sim *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->npasts; i++)
		n += s->pasts[i]->n > 0;
	return n;
}

static bool has_enough(const struct sim *s, uint64_t writes)
{
	const struct sim_stats *t = &s->result->stats;

	return t->writes >= writes && t->crashes > 0 && flows_durable(s) >= SIM_FLOWS_MIN;
}

static void events(struct sim *s, uint32_t n)
{
	for (; n > 0 && !s->result->broken; n--)
		event(s);
}

/* Events alone get little done: between them everybody has a few rounds. */
static void more(struct sim *s)
{
	s->quiet = false;
	if (!s->result->stats.crashes)
		sim_crash(s);
	if (s->norders < SIM_ORDERS_MAX)
		s->orders[s->norders++].has_key = sim_percent(s, 70);
	for (int round = 0; round < 3 && !s->result->broken; round++)
		quiet_round(s, round);
	events(s, EVENTS_MORE);
}

/* The quiet end writes a good deal itself; what is then still missing comes before another one. */
static void live(struct sim *s)
{
	int left = MORE_MAX;

	events(s, EVENTS_MIN + sim_below(s, EVENTS_MIN));
	while (left-- > 0 && !s->result->broken && !has_enough(s, SIM_WRITES_MIN / 2))
		more(s);
	quiet_end(s);
	while (left-- > 0 && !s->result->broken && !has_enough(s, SIM_WRITES_MIN)) {
		more(s);
		quiet_end(s);
	}
	if (!has_enough(s, SIM_WRITES_MIN))
		sim_broken(s, "it had %d times more events, and they were not enough for a history", MORE_MAX);
}

void sim_history(const struct sim_options *options, struct sim_result *ret)
{
	struct sim *s = xalloc(sizeof *s);

	*ret = (struct sim_result){ .digest = HASH64_SEED };
	s->options = options;
	s->result = ret;
	sim_open(s);
	sender_order(s);
	live(s);
	last_words(s);
	sim_close(s);
	free(s);
}

void sim_stats_add(struct sim_stats *sum, const struct sim_stats *more)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)more;

	for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
		to[i] += from[i];
}
