/* template.h - JSON templates: printf formats that come out as JSON, or not at all.
 *
 * bare keys {order: 1} becomes {"order": 1}; 'quoted' keys and %s are keys too strings
 * 'single quotes' becomes "single quotes"; %s %d … inside are put in, escaped; \' is a
 * quote, JSON's own escapes stay %s a quoted and escaped string; NULL is null; bad
 * UTF-8 becomes U+FFFD %-s exactly one JSON value, checked by itself before it is put
 * in; NULL is null %d %i %u with hh h l ll z j t; none over INT64_MAX %g %f %e finite
 * only; a point whatever the locale says %% a per cent sign, inside quotes only
 * "double quotes" are accepted too, and numbers, true, false and null. All else is a
 * fault: flags, widths, precisions, NULL inside quotes or as a key. Pure. */
#ifndef FISH_TEMPLATE_H
#define FISH_TEMPLATE_H

#include "base/buf.h"

#include <stdarg.h>

struct json_t;

/* Appends the JSON to out. FISH_EFORMAT with words in err (what, where in the
 * template) when the template or a value is at fault; FISH_ETOOBIG when it would be
 * over TEMPLATE_BYTES_MAX or what out may still take. On failure out is as it was, its
 * sticky error included. */
int template_put(struct buf *out, struct err *err, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
/* Text as a value the caller owns (json_decref), if it is exactly one JSON value as
 * Fish reads it: by jansson, any kind at the top, no duplicate members, no \u0000,
 * numbers in range, UTF-8 without a BOM, at most JSON_DEPTH_MAX deep. Else NULL, with
 * words in err (FISH_EFORMAT). Every reading of JSON from outside goes through here:
 * deeper values would overrun a flow's stack. */
struct json_t *template_read_value(struct slice text, struct err *err);
/* 0 if template_read_value would read it, else FISH_EFORMAT. */
int template_check_value(struct slice text, struct err *err);

#endif
