/* sim.h - the simulator: one seed is one history, with virtual time and every fault there is.
 *
 * Random flows run over the engine and the memory store, while senders repeat, reorder and vanish,
 * a partner answers late or badly, commits fail and the process dies anywhere. What became durable is
 * kept aside, and everything that leaves the engine is held against it. At the quiet end faults cease,
 * everybody tries again, all flows must end, and each is run once more from its journal alone.
 * Before the end it goes on until SIM_WRITES_MIN journal writes, SIM_FLOWS_MIN flows and a crash have been.
 * Invariant: a seed always gives the same history; no clock, thread or address has a say in it. */
#ifndef FISH_SIM_H
#define FISH_SIM_H

#include "base/base.h"

enum { SIM_WRITES_MIN = 200, SIM_FLOWS_MIN = 5 };
enum sim_parking { SIM_PARK_BY_SEED, SIM_PARK_NEVER, SIM_PARK_ALWAYS };

struct sim_options {
	uint64_t         seed;
	uint64_t         rules_off;      /* RULE_BITs of enum engine_rule: a planted bug */
	enum sim_parking parking;
	bool             digest;         /* wanted also without say: each event is put into words for it */
	/* Told every event, for a person; NULL: silence. */
	void (*say)(void *owner, const char *line);
	void  *owner;
};

struct sim_stats {
	uint64_t events, turns, crashes, crashes_kept, commits, commits_failed, writes;
	uint64_t flows, parks, reruns, diverged;
	uint64_t deliveries, accepted, duplicates, gone, refused;
	uint64_t calls, resent, logs, taken, references;
	uint64_t deploys, renews, effects, works;
	uint64_t tells, publishes, replies, fallbacks;
};

enum { SIM_WHY_SIZE = 512 };

struct sim_result {
	bool             broken;                 /* a promise was */
	char             why[SIM_WHY_SIZE];      /* which */
	uint64_t         digest;                 /* of all that happened: the same for the same seed; if it was wanted */
	struct sim_stats stats;
};

void sim_history(const struct sim_options *options, struct sim_result *ret);
/* Adds up. */
void sim_stats_add(struct sim_stats *sum, const struct sim_stats *more);

#endif
