/* json.h - a tree of jansson's as text again. Pure.
 *
 * jansson's own writer gives 17 digits to a real: 19.99 would leave as 19.989999999999998. */
#ifndef FISH_JSON_H
#define FISH_JSON_H

#include "base/buf.h"

struct json_t;

/* Appends value as JSON on one line: members in their order, text as UTF-8, a real in the fewest
 * digits that read back as the same number. The value came from template_read_value: it is not
 * cyclic, and no deeper than JSON_DEPTH_MAX. */
void json_put(struct buf *out, struct json_t *value);
/* What a JSON Pointer leads to, borrowed; NULL when it is not there or is no pointer. */
struct json_t *json_at(struct json_t *value, const char *pointer);
/* Objects and arrays open at once, at the deepest place of what may be JSON: jansson goes down as deep as it is
 * led, and a stranger leads far. */
size_t json_depth(struct slice text);
/* Are both JSON values, and equal? Members in any order; 1 is not 1.0. */
bool json_same(struct slice a, struct slice b);

#endif
