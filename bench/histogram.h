/* histogram.h - latencies in nanoseconds, counted by size: 32 steps to each doubling.
 *
 * Invariant: a bucket is at most 1/32 wide of what it holds, so that a percentile is off by 3 % at
 * most. Surprise: it is an array of counts and nothing else, so that a process may map it and
 * another read it; bench.py knows the same formula. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEP_BITS = 5, HISTOGRAM_BUCKETS = 2048 };

struct histogram {
	uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline size_t histogram_bucket(uint64_t ns)
{
	if (ns < 1u << HISTOGRAM_STEP_BITS)
		return (size_t)ns;
	int shift = 63 - __builtin_clzll(ns) - HISTOGRAM_STEP_BITS;

	return ((size_t)(shift + 1) << HISTOGRAM_STEP_BITS) + (size_t)(ns >> shift) -
	       (1u << HISTOGRAM_STEP_BITS);
}

/* The smallest value of a bucket. */
static inline uint64_t histogram_value(size_t bucket)
{
	if (bucket < 1u << HISTOGRAM_STEP_BITS)
		return bucket;
	size_t shift = (bucket >> HISTOGRAM_STEP_BITS) - 1;

	return ((bucket & ((1u << HISTOGRAM_STEP_BITS) - 1)) + (1u << HISTOGRAM_STEP_BITS)) << shift;
}

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
	h->counts[histogram_bucket(ns)]++;
}

/* share: 0 to 1. 0 when it is empty. */
static inline uint64_t histogram_at(const struct histogram *h, double share)
{
	uint64_t all = 0;
	uint64_t seen = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		all += h->counts[i];
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->counts[i];
		if (seen && (double)seen >= share * (double)all)
			return histogram_value(i);
	}
	return 0;
}

#endif
