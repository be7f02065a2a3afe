/* sim_run.c - repeats one history, or looks for one that breaks: sim_run SEED [park|nopark] tells it
 * event by event; sim_run FIRST COUNT runs that many and names the first that breaks.
 *
 * FISH_SIM_RULES_OFF (a number, bits of enum engine_rule) plants bugs. */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(void *owner, const char *line)
{
	(void)owner;
	puts(line);
}

static void print_stats(const struct sim_stats *t)
{
	printf("events %" PRIu64 ", turns %" PRIu64 ", crashes %" PRIu64 " (%" PRIu64
	       " kept the commit), commits %" PRIu64 ", failed %" PRIu64 ", journal writes %" PRIu64 "\n",
	       t->events, t->turns, t->crashes, t->crashes_kept, t->commits, t->commits_failed, t->writes);
	printf("flows %" PRIu64 ", parks %" PRIu64 ", diverged %" PRIu64 ", deliveries %" PRIu64 ", 200 %" PRIu64
	       ", duplicates %" PRIu64 ", 410 %" PRIu64 ", 503 %" PRIu64 ", taken %" PRIu64 ", calls %" PRIu64
	       ", of them repeated %" PRIu64 ", log lines %" PRIu64 ", references %" PRIu64 "\n",
	       t->flows, t->parks, t->diverged, t->deliveries, t->accepted, t->duplicates, t->gone, t->refused,
	       t->taken, t->calls, t->resent, t->logs, t->references);
	printf("deploys %" PRIu64 ", lives renewed %" PRIu64 ", effects %" PRIu64 "\n", t->deploys, t->renews,
	       t->effects);
}

static int run_many(struct sim_options *o, uint64_t count)
{
	struct sim_stats sum = { .events = 0 };
	int broken = 0;

	for (uint64_t i = 0; i < count && !broken; i++, o->seed++) {
		struct sim_result r;

		sim_history(o, &r);
		sim_stats_add(&sum, &r.stats);
		if (r.broken)
			printf("seed %" PRIu64 ": %s\n", o->seed, r.why);
		broken = r.broken;
	}
	print_stats(&sum);
	return broken;
}

int main(int argc, char **argv)
{
	const char *off = getenv("FISH_SIM_RULES_OFF");
	struct sim_options o = { .rules_off = off ? (unsigned)strtoul(off, NULL, 0) : 0 };
	struct sim_result r;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: sim_run SEED [park|nopark]\n       sim_run FIRST COUNT\n");
		return 2;
	}
	o.seed = strtoull(argv[1], NULL, 0);
	if (argc == 3 && strcmp(argv[2], "park") == 0)
		o.parking = SIM_PARK_ALWAYS;
	else if (argc == 3 && strcmp(argv[2], "nopark") == 0)
		o.parking = SIM_PARK_NEVER;
	else if (argc == 3)
		return run_many(&o, strtoull(argv[2], NULL, 0));
	o.say = say;
	sim_history(&o, &r);
	print_stats(&r.stats);
	printf("digest %016" PRIx64 ": %s\n", r.digest, r.broken ? r.why : "every promise held");
	return r.broken;
}
