/* retry_after.h - how long an answer's Retry-After asks to wait (RFC 9110 10.2.3). Pure. */
#ifndef FISH_RETRY_AFTER_H
#define FISH_RETRY_AFTER_H

#include "base/base.h"

/* Milliseconds from now_s (unix seconds): whole seconds, decimals (rounded up, as some senders and
 * receivers use them) or any of the three forms of HTTP-date; a date gone by is 0. -1: neither. */
int64_t retry_after_ms(struct slice value, int64_t now_s);

#endif
