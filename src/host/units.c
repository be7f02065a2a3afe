/* units.c - a number and its unit.
 *
 * Invariant: what is not read whole is refused; nothing is rounded or cut. Surprise: a size may go
 * without a unit, a time may not, since nobody can tell seconds from milliseconds. */
#include "host/units.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* strtoull takes blanks and signs, and what is read here has none. */
static int take_number(const char *text, unsigned long long *ret, const char **ret_rest)
{
	char *end = NULL;

	if (text[0] < '0' || text[0] > '9')
		return FISH_EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	*ret_rest = end;
	return errno != 0 ? FISH_EINVAL : 0;
}

int units_size(const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "kmgt";
	unsigned long long n = 0;
	const char *rest = NULL;
	unsigned shift = 0;

	if (take_number(text, &n, &rest) < 0)
		return FISH_EINVAL;
	for (unsigned i = 0; i < sizeof(units) - 1 && rest[0] != '\0'; i++) {
		if ((rest[0] | 0x20) == units[i]) {
			shift = 10 * (i + 1);
			rest++;
			break;
		}
	}
	if (rest[0] != '\0' || n > UINT64_MAX >> shift)
		return FISH_EINVAL;
	*ret_bytes = (uint64_t)n << shift;
	return 0;
}

int units_time(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{ "ms", 1 },
		{ "s", INT64_C(1000) },
		{ "m", INT64_C(60) * 1000 },
		{ "h", INT64_C(60) * 60 * 1000 },
		{ "d", INT64_C(24) * 60 * 60 * 1000 },
	};
	unsigned long long n = 0;
	const char *rest = NULL;

	if (take_number(text, &n, &rest) < 0)
		return FISH_EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(rest, units[i].name) == 0 &&
			n <= (unsigned long long)(INT64_MAX / units[i].ms)) {
			*ret_ms = (int64_t)n * units[i].ms;
			return 0;
		}
	}
	return FISH_EINVAL;
}
