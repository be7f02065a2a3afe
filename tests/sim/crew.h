/* crew.h - many histories at once: each worker is a process and takes every n-th of them.
 *
 * What they find stands in memory that all share, so nothing is sent and a worker that dies leaves what it
 * knew. Invariant: the failure that is told is that of the first history that fails, whoever was faster.
 * Surprise: a worker that dies (a CHECK, a sanitizer) is a history that failed. */
#ifndef CREW_H
#define CREW_H

#include "rules.h"
#include "sim/sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CREW_MAX = 256 };

struct crew_task {
	uint64_t first;                  /* seed */
	uint64_t count;                  /* histories; UINT64_MAX: until the time is over */
	uint64_t rules_off;
	int64_t  seconds;                /* at most so long; 0: however long it takes */
	unsigned jobs;
	bool     keep;                   /* the figures of each history: count is small then */
	bool     strict;                 /* each is to have SIM_WRITES_MIN … */
	/* What the history at that place is to be; its seed and rules_off are set already. */
	void   (*plan)(uint64_t at, struct sim_options *o);
};

struct crew_seat {
	uint64_t at;                     /* the history under way */
	uint64_t done;
	uint64_t failed_at;              /* UINT64_MAX: none */
	char     why[SIM_WHY_SIZE];
	struct sim_stats sum;
};

struct crew {
	_Atomic uint64_t stop_at;        /* nothing from here on is wanted any more */
	size_t           size;           /* of all this */
	struct crew_seat seats[CREW_MAX];
	struct sim_stats each[];         /* when they are kept */
};

struct crew_found {
	bool             failed;
	struct sim_options options;      /* of the history that did */
	char             why[SIM_WHY_SIZE];
	uint64_t         done;
	struct sim_stats sum;
};

static inline unsigned crew_cores(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > CREW_MAX ? CREW_MAX : (unsigned)n;
}

static inline int64_t crew_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static inline struct sim_options crew_options(const struct crew_task *task, uint64_t at)
{
	struct sim_options o = { .seed = task->first + at, .rules_off = task->rules_off };

	if (task->plan)
		task->plan(at, &o);
	return o;
}

static inline void crew_fail(struct crew *c, struct crew_seat *seat, const char *why)
{
	uint64_t at = seat->at;
	uint64_t before = atomic_load(&c->stop_at);

	seat->failed_at = at;
	snprintf(seat->why, sizeof seat->why, "%s", why);
	while (at < before && !atomic_compare_exchange_weak(&c->stop_at, &before, at)) {}
}

/* On a terminal: how far it is, once a second. */
static inline void crew_tell(const struct crew_task *task, const struct crew *c, int64_t passed_s, bool over)
{
	uint64_t done = 0;

	if (!isatty(STDERR_FILENO))
		return;
	for (unsigned i = 0; i < task->jobs; i++)
		done += c->seats[i].done;
	fprintf(stderr, "\r\033[K");
	if (!over && task->count != UINT64_MAX)
		fprintf(stderr, "%" PRIu64 " of %" PRIu64 " histories, %" PRId64 " s", done, task->count, passed_s);
	else if (!over)
		fprintf(stderr, "%" PRIu64 " histories, %" PRId64 " of %" PRId64 " s", done, passed_s, task->seconds);
}

static inline void crew_work(struct crew *c, const struct crew_task *task, unsigned number)
{
	struct crew_seat *seat = &c->seats[number];
	int64_t begun = crew_seconds();
	int64_t told = begun;

	for (uint64_t at = number; at < task->count && at < atomic_load(&c->stop_at); at += task->jobs) {
		struct sim_options o = crew_options(task, at);
		struct sim_result r;
		int64_t now = crew_seconds();

		if (task->seconds && now - begun >= task->seconds)
			return;
		if (!number && now > told)
			crew_tell(task, c, (told = now) - begun, false);
		seat->at = at;
		sim_history(&o, &r);
		seat->done++;
		sim_stats_add(&seat->sum, &r.stats);
		if (task->keep)
			c->each[at] = r.stats;
		if (r.broken)
			crew_fail(c, seat, r.why);
		else if (task->strict && (r.stats.writes < SIM_WRITES_MIN || r.stats.flows < SIM_FLOWS_MIN
		                          || !r.stats.crashes))
			crew_fail(c, seat, "too little has happened in it");
	}
}

static inline void crew_wait(struct crew *c, const pid_t *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		int status = 0;
		char why[80];

		if (waitpid(workers[i], &status, 0) != workers[i])
			status = -1;
		if (status == 0)
			continue;
		snprintf(why, sizeof why, "its process died (%s %d)", WIFSIGNALED(status) ? "signal" : "exit status",
		         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		crew_fail(c, &c->seats[i], why);
	}
}

/* Ends the program when there is no memory or no process to be had. */
static inline struct crew *crew_run(const struct crew_task *task, struct crew_found *ret)
{
	size_t size = sizeof(struct crew) + (task->keep ? task->count * sizeof(struct sim_stats) : 0);
	struct crew *c = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t workers[CREW_MAX];
	const struct crew_seat *worst = NULL;

	CHECK(c != MAP_FAILED);
	CHECK(task->jobs > 0);
	CHECK(task->jobs <= CREW_MAX);
	c->size = size;
	atomic_store(&c->stop_at, UINT64_MAX);
	fflush(NULL);
	for (unsigned i = 0; i < task->jobs; i++) {
		c->seats[i].failed_at = UINT64_MAX;
		workers[i] = fork();
		CHECK(workers[i] >= 0);
		if (workers[i])
			continue;
		crew_work(c, task, i);
		_exit(0);
	}
	crew_wait(c, workers, task->jobs);
	crew_tell(task, c, 0, true);
	*ret = (struct crew_found){ .failed = false };
	for (unsigned i = 0; i < task->jobs; i++) {
		ret->done += c->seats[i].done;
		sim_stats_add(&ret->sum, &c->seats[i].sum);
		if (c->seats[i].failed_at != UINT64_MAX && (!worst || c->seats[i].failed_at < worst->failed_at))
			worst = &c->seats[i];
	}
	if (worst) {
		ret->failed = true;
		ret->options = crew_options(task, worst->failed_at);
		snprintf(ret->why, sizeof ret->why, "%s", worst->why);
	}
	return c;
}

static inline void crew_free(struct crew *c)
{
	munmap(c, c->size);
}

/* The command that tells that history again. */
static inline const char *crew_command(const struct sim_options *o, char *text, size_t size)
{
	static const char *const parkings[] = {
		[SIM_PARK_BY_SEED] = "", [SIM_PARK_NEVER] = " nopark", [SIM_PARK_ALWAYS] = " park" };
	const char *build = getenv("FISH_BUILD");
	const struct planted *p = o->rules_off ? rule_of(o->rules_off) : NULL;

	snprintf(text, size, "%s/tests/sim_run%s%s %" PRIu64 "%s", build ? build : "build/gcc",
	         p ? " --without " : "", p ? p->name : "", o->seed, parkings[o->parking]);
	return text;
}

#endif
