/* limits.h - how much memory, disk and time a server may take: defaults and bounds.
 *
 * The same for `serve` and for an embedded server, so that both refuse the same; of the door's an
 * embedded one has the defaults. */
#ifndef FISH_LIMITS_H
#define FISH_LIMITS_H

#include "base/base.h"

enum limit {
	LIMIT_MEMORY,            /* bytes: flows in memory and bodies in flight */
	LIMIT_YOUNG,             /* bytes of the store that a restart reads */
	LIMIT_RETAIN_FOR,        /* ms that an ended flow's history is kept */
	LIMIT_RETAIN_BYTES,      /* … and how many bytes of them all */
	LIMIT_PARK_AFTER,        /* ms at rest until a flow leaves memory */
	/* Of the door: see struct server_bounds. */
	LIMIT_CONNECTIONS,
	LIMIT_CONNECTIONS_EACH,
	LIMIT_PIPELINE,
	LIMIT_HEAD_BYTES,
	LIMIT_HEAD_TIMEOUT,
	LIMIT_BODY_TIMEOUT,
	LIMIT_WRITE_TIMEOUT,
	LIMIT_IDLE_TIMEOUT,
	LIMIT_MIN_RATE,          /* bytes a second */
	LIMIT_RATE_GRACE,
};
enum { LIMITS = LIMIT_RATE_GRACE + 1 };

/* Bodies in flight may take one of so many parts of the memory, flows the rest. */
enum { MEMORY_PARTS_OF_BODIES = 4 };

/* That the store's log has on the disk, however empty it is: then it is copied home and begins anew. */
enum { LOG_BYTES = 17 << 20 };

/* text: as given to the flag; NULL: the default. FISH_EINVAL with the bounds in words. */
int limit_parse(enum limit limit, const char *text, int64_t *ret, struct err *err);
/* The same of a member of fish_options; 0: the default. */
int limit_take(enum limit limit, int64_t given, int64_t *ret, struct err *err);

#endif
