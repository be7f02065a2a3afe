/* units.h - sizes and times as people type them. */
#ifndef FISH_UNITS_H
#define FISH_UNITS_H

#include "base/base.h"

/* "4096", "64k", "512M", "2g": bytes. FISH_EINVAL for anything else and for what overflows. */
int  units_size(const char *text, uint64_t *ret_bytes);
/* "500ms", "5s", "2m", "24h", "3d": milliseconds. FISH_EINVAL likewise. */
int  units_time(const char *text, int64_t *ret_ms);

#endif
