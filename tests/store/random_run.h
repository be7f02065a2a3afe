/* random_run.h - what a run of random operations has done so far, and its chance.
 *
 * Invariant: all of it stands in one piece that points only into itself, so that a copy kept
 * in its place goes on like the run. Surprise: chance depends on the seed alone. */
#ifndef FISH_TESTS_STORE_RANDOM_RUN_H
#define FISH_TESTS_STORE_RANDOM_RUN_H

#include "fixture.h"

enum {
	RANDOM_FLOWS_MAX = 3000,
	RANDOM_ROWS_MAX = 6000,
	RANDOM_LIVING = 25,
	RANDOM_ROW_BYTES = 300,
	RANDOM_LONG_BYTES = 5000, /* so that rows go to chunks … */
	RANDOM_BIG_BYTES = 70000 /* … and to big */
};
#define RANDOM_RETAIN_MS (INT64_C(24) * 60 * 60 * 1000)

struct random_flow {
	struct id id;
	bool ended, parked;
	bool recovered; /* by the recovery under way */
	uint64_t seq_next, from_seq;
	struct store_park park; /* the last one; all but its times and sums from the start */
	struct store_ended e; /* once it has ended; its slices point into content */
	bool kept; /* its ended row has not expired */
};

struct random_row {
	unsigned flow;
	uint64_t seq;
	bool last;
	size_t offset, len; /* of its bytes in content */
};

struct random_run {
	struct fixture *fx;
	void (*reopen)(struct fixture *fx); /* or NULL: it stays open */
	void (*stop)(const char *why); /* when a recovery fails; NULL: none may */
	bool tell; /* a dot on stderr for each commit that is done */
	uint64_t seed, state;
	int64_t now_ms;
	struct random_flow flows[RANDOM_FLOWS_MAX];
	unsigned nflows;
	unsigned living[RANDOM_LIVING]; /* flows that get rows; RANDOM_FLOWS_MAX: none */
	struct random_row rows[RANDOM_ROWS_MAX]; /* in order of arrival */
	size_t nrows;
	unsigned ends[RANDOM_FLOWS_MAX]; /* in order of their end */
	size_t nends, nexpired;
	/* What the store is told to keep of the ended: for so long, or only as much as fits. */
	int64_t retain_ms;
	bool retains_bytes;
	unsigned long_one_in, big_one_in; /* rows; see RANDOM_LONG_BYTES */
	char content[100000];
	size_t answers; /* requests that are done */
	bool may_be_refused, refused; /* may a commit say FISH_ESTORE; did the last one */
};

static inline uint64_t random_below(struct random_run *run, uint64_t n)
{
	/* xorshift64*: good enough to mix things up, and the same on every machine. */
	run->state ^= run->state >> 12;
	run->state ^= run->state << 25;
	run->state ^= run->state >> 27;
	return (run->state * UINT64_C(2685821657736338717) >> 33) % n;
}

#define RANDOM_CHECK(run, cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "seed %llu: %s\n", \
				(unsigned long long)(run)->seed, #cond); \
			abort(); \
		} \
	} while (0)

static inline void random_init(struct random_run *run, struct fixture *fx,
	void (*reopen)(struct fixture *fx), uint64_t seed)
{
	memset(run, 0, sizeof *run);
	run->fx = fx;
	run->reopen = reopen;
	run->seed = seed;
	run->state = seed * UINT64_C(0x9e3779b97f4a7c15);
	run->now_ms = INT64_C(1700000000000);
	run->retain_ms = RANDOM_RETAIN_MS;
	run->long_one_in = 30;
	run->big_one_in = 100;
	for (size_t i = 0; i < RANDOM_LIVING; i++)
		run->living[i] = RANDOM_FLOWS_MAX;
	for (size_t i = 0; i < sizeof run->content; i++)
		run->content[i] = (char)random_below(run, 256);
}

/* As to = from, but for what nobody has written yet, and for content, which must be the same. */
static inline void random_copy(struct random_run *to, const struct random_run *from)
{
	size_t tail = offsetof(struct random_run, nends);

	memcpy(to, from, offsetof(struct random_run, flows));
	memcpy(to->flows, from->flows, from->nflows * sizeof from->flows[0]);
	to->nflows = from->nflows;
	memcpy(to->living, from->living, sizeof from->living);
	memcpy(to->rows, from->rows, from->nrows * sizeof from->rows[0]);
	to->nrows = from->nrows;
	memcpy(to->ends, from->ends, from->nends * sizeof from->ends[0]);
	memcpy((char *)to + tail, (const char *)from + tail,
		offsetof(struct random_run, content) - tail);
}

static inline struct random_run *random_new(
	struct fixture *fx, void (*reopen)(struct fixture *fx), uint64_t seed)
{
	struct random_run *run = xalloc(sizeof *run);

	random_init(run, fx, reopen, seed);
	return run;
}

static inline void random_free(struct random_run *run) { free(run); }

static inline struct slice random_bytes(struct random_run *run, size_t bytes_max)
{
	size_t len = (size_t)random_below(run, bytes_max + 1);
	if (bytes_max == RANDOM_ROW_BYTES && random_below(run, run->big_one_in) == 0)
		len = RANDOM_BIG_BYTES + len;
	else if (bytes_max == RANDOM_ROW_BYTES && random_below(run, run->long_one_in) == 0)
		len = RANDOM_LONG_BYTES + len;
	size_t offset = (size_t)random_below(run, sizeof run->content - len);

	return (struct slice){ run->content + offset, len };
}

static inline struct id random_key(unsigned n)
{
	struct id id = flow_id(n);

	id.b[0] = 0xbb;
	return id;
}

#endif
