/* limits.c - the table of what a server may take.
 *
 * Invariant: whatever is accepted lies within its bounds. Surprise: history is kept at most as long
 * as message ids are, three days, because it goes with its flow's row. */
#include "host/limits.h"

#include "host/units.h"

#include <inttypes.h>

#define KIB INT64_C(1024)
#define MIB (KIB * KIB)
#define GIB (KIB * MIB)
#define HOUR_MS (INT64_C(60) * 60 * 1000)

enum kind { KIND_SIZE, KIND_TIME };

static const struct limit_def {
	const char *flag;
	const char *member;          /* of fish_options */
	enum kind   kind;
	int64_t     min, max;
	int64_t     fallback;
	const char *bounds;          /* min and max in words, and an example */
} limit_defs[LIMITS] = {
	[LIMIT_MEMORY] = { "--memory", "memory_bytes", KIND_SIZE, 16 * MIB, KIB * GIB, GIB,
		"give 16m to 1t bytes, for example 512m or 2g" },
	[LIMIT_YOUNG] = { "--young", "young_bytes", KIND_SIZE, MIB, 64 * GIB, 64 * MIB,
		"give 1m to 64g bytes, for example 256m" },
	[LIMIT_RETAIN_FOR] = { "--retain-for", "retain_ms", KIND_TIME, 1000, SEEN_WINDOW_MS, 24 * HOUR_MS,
		"give a number and ms, s, m, h or d, from 1s to 3d, for example 24h" },
	[LIMIT_RETAIN_BYTES] = { "--retain-bytes", "retain_bytes", KIND_SIZE, MIB, KIB * KIB * GIB, GIB,
		"give 1m to 1024t bytes, for example 10g" },
	[LIMIT_PARK_AFTER] = { "--park-after", "park_after_ms", KIND_TIME, 10, 24 * HOUR_MS, 10000,
		"give a number and ms, s, m, h or d, from 10ms to 24h, for example 10s" },
};

static bool within(const struct limit_def *def, int64_t n)
{
	return n >= def->min && n <= def->max;
}

static int parse(const struct limit_def *def, const char *text, int64_t *ret)
{
	uint64_t bytes = 0;

	if (def->kind == KIND_TIME)
		return units_time(text, ret);
	if (units_size(text, &bytes) < 0 || bytes > INT64_MAX)
		return FISH_EINVAL;
	*ret = (int64_t)bytes;
	return 0;
}

int limit_parse(enum limit limit, const char *text, int64_t *ret, struct err *err)
{
	const struct limit_def *def = &limit_defs[limit];
	int64_t n = def->fallback;

	if (text != NULL && (parse(def, text, &n) < 0 || !within(def, n)))
		return err_set(err, FISH_EINVAL, "%s '%.40s': %s", def->flag, text, def->bounds);
	*ret = n;
	return 0;
}

int limit_take(enum limit limit, int64_t given, int64_t *ret, struct err *err)
{
	const struct limit_def *def = &limit_defs[limit];

	if (given != 0 && !within(def, given))
		return err_set(err, FISH_EINVAL, "%s is %" PRId64 ": give %" PRId64 " to %" PRId64 ", or 0 for %" PRId64,
			def->member, given, def->min, def->max, def->fallback);
	*ret = given != 0 ? given : def->fallback;
	return 0;
}
