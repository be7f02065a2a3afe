/* sim_test.c - many seeds hold every promise; a planted bug is found; one seed is one history.
 *
 * FISH_SIM_SEEDS (default 3000) divided by FISH_SIM_SEEDS_DIVISOR histories are run, from
 * FISH_SIM_FIRST (default 1) on. A seed that breaks is printed with the command that repeats it. */
#include "engine/engine.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEEDS = 3000, PLANTED_SEEDS = 5000 };

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t value = text ? strtoull(text, NULL, 10) : otherwise;

	return value ? value : otherwise;
}

static uint64_t seeds(uint64_t otherwise)
{
	uint64_t n = number_of("FISH_SIM_SEEDS", otherwise) / number_of("FISH_SIM_SEEDS_DIVISOR", 1);

	return n ? n : 1;
}

static void print_stats(const struct sim_stats *t, uint64_t n)
{
	print_message("%" PRIu64 " histories: %" PRIu64 " events, %" PRIu64 " crashes, %" PRIu64
	              " commits failed, %" PRIu64 " parks, %" PRIu64 " duplicates, %" PRIu64 " journal writes (%.0f each)\n",
	              n, t->events, t->crashes, t->commits_failed, t->parks, t->duplicates, t->writes,
	              (double)t->writes / (double)n);
	print_message("%" PRIu64 " flows, %" PRIu64 " deliveries (%" PRIu64 " taken), %" PRIu64
	              " calls (%" PRIu64 " repeated), %" PRIu64 " log lines, %" PRIu64 " run again from their journals alone\n",
	              t->flows, t->deliveries, t->taken, t->calls, t->resent, t->logs, t->references);
	print_message("%" PRIu64 " deploys, %" PRIu64 " flows found diverged, %" PRIu64 " lives renewed, %" PRIu64
	              " effects of fish_once\n", t->deploys, t->diverged, t->renews, t->effects);
}

static void run_seeds(uint64_t first, uint64_t n, enum sim_parking parking, const char *word)
{
	struct sim_stats sum = { .events = 0 };

	for (uint64_t i = 0; i < n; i++) {
		struct sim_options o = { .seed = first + i, .parking = parking };
		struct sim_result r;

		sim_history(&o, &r);
		sim_stats_add(&sum, &r.stats);
		if (r.broken)
			fail_msg("%s; repeat: %s/tests/sim_run %" PRIu64 " %s", r.why,
			         getenv("FISH_BUILD") ? getenv("FISH_BUILD") : "build", o.seed, word);
	}
	print_stats(&sum, n);
	assert_true(sum.crashes >= n);
	assert_true(sum.commits_failed > 0 || n < 10);
	assert_true(n < 10 || sum.writes / n >= 100);
}

static void every_promise_holds(void **state)
{
	(void)state;
	run_seeds(number_of("FISH_SIM_FIRST", 1), seeds(SEEDS), SIM_PARK_BY_SEED, "");
}

static void every_promise_holds_when_flows_park_at_every_wait(void **state)
{
	(void)state;
	run_seeds(number_of("FISH_SIM_FIRST", 1), seeds(SEEDS) / 4 + 1, SIM_PARK_ALWAYS, "park");
}

static void one_seed_is_one_history(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct sim_options o = { .seed = seed };
		struct sim_result first;
		struct sim_result second;

		sim_history(&o, &first);
		sim_history(&o, &second);
		assert_int_equal(first.digest, second.digest);
		assert_memory_equal(&first.stats, &second.stats, sizeof first.stats);
	}
}

/* Exit code 0: found. A CHECK of the engine that fails counts as found too. */
static int hunt(unsigned rule)
{
	for (uint64_t seed = 1; seed <= PLANTED_SEEDS; seed++) {
		struct sim_options o = { .seed = seed, .rules_off = rule };
		struct sim_result r;

		sim_history(&o, &r);
		if (r.broken) {
			printf("  planted bug %#x: seed %" PRIu64 ", %s\n", rule, seed, r.why);
			fflush(stdout);
			return 0;
		}
	}
	return 1;
}

static void every_planted_bug_is_found(void **state)
{
	(void)state;
	for (unsigned rule = RULE_ACK_AFTER_COMMIT; rule < RULES_END; rule <<= 1) {
		int status = 0;

		/* Steps are compared one by one, so chance does not get there: engine_once_test has a
		 * journal that does. */
		if (rule == RULE_ONCE_INSIDE)
			continue;
		/* A process of its own, because what the bug breaks may be the engine itself. */
		pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			_exit(hunt(rule));
		assert_int_equal(waitpid(child, &status, 0), child);
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			fail_msg("rule %#x is off and %d seeds did not show it", rule, PLANTED_SEEDS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_seed_is_one_history),
		cmocka_unit_test(every_promise_holds),
		cmocka_unit_test(every_promise_holds_when_flows_park_at_every_wait),
		cmocka_unit_test(every_planted_bug_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
