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
#define CONNECTIONS_MOST 1000000
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
	[LIMIT_CONNECTIONS] = { "--connections", "", KIND_SIZE, 1, CONNECTIONS_MOST, 10000,
		"give a number from 1 to 1000000, for example 20000" },
	[LIMIT_CONNECTIONS_EACH] = { "--connections-per-address", "", KIND_SIZE, 1, CONNECTIONS_MOST, 2000,
		"give a number from 1 to 1000000, for example 100" },
	[LIMIT_PIPELINE] = { "--pipeline", "", KIND_SIZE, 1, 1000, 16,
		"give a number from 1 to 1000, for example 4" },
	[LIMIT_HEAD_BYTES] = { "--max-head", "", KIND_SIZE, KIB, 64 * KIB, 32 * KIB,
		"give 1k to 64k bytes, for example 16k" },
	[LIMIT_HEAD_TIMEOUT] = { "--head-timeout", "", KIND_TIME, 10, HOUR_MS, 30 * 1000,
		"give a number and ms, s, m or h, from 10ms to 1h, for example 10s" },
	[LIMIT_BODY_TIMEOUT] = { "--body-timeout", "", KIND_TIME, 10, 24 * HOUR_MS, 300 * 1000,
		"give a number and ms, s, m or h, from 10ms to 24h, for example 1m" },
	[LIMIT_WRITE_TIMEOUT] = { "--write-timeout", "", KIND_TIME, 10, 24 * HOUR_MS, 300 * 1000,
		"give a number and ms, s, m or h, from 10ms to 24h, for example 1m" },
	[LIMIT_IDLE_TIMEOUT] = { "--idle-timeout", "", KIND_TIME, 10, 24 * HOUR_MS, 75 * 1000,
		"give a number and ms, s, m or h, from 10ms to 24h, for example 30s" },
	[LIMIT_MIN_RATE] = { "--min-rate", "", KIND_SIZE, 1, GIB, 256,
		"give 1 to 1g bytes a second, for example 1k" },
	[LIMIT_RATE_GRACE] = { "--rate-grace", "", KIND_TIME, 10, HOUR_MS, 10 * 1000,
		"give a number and ms, s, m or h, from 10ms to 1h, for example 5s" },
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
