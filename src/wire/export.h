/* export.h - a flow's journal as lines of JSON. Pure.
 *
 * The first line tells of the flow: {"fish_flow": 1, "id": "…", "ended": false, "from_seq": 0}, where
 * fish_flow is the version of this form. Each other line is one entry: "seq", "kind", "time_ms", those of
 * its fields that are not zero (a text as it is, or in base64 with "_base64" behind its name when it is no
 * UTF-8; see wire/entry.h for what they mean), and "entry", all its bytes in base64. Invariant: the lines
 * hold every byte of the journal, in entry. Surprise: so the other fields are for people and scripts, and
 * say nothing that entry does not. */
#ifndef FISH_EXPORT_H
#define FISH_EXPORT_H

#include "base/buf.h"
#include "base/id.h"

enum { EXPORT_VERSION = 1 };

/* from_seq: entries below it may be missing. Returns 0. */
int export_head(struct buf *out, const struct id *flow, bool ended, uint64_t from_seq);
/* One line for each entry of a row. FISH_EFORMAT: they do not decode. */
int export_row(struct buf *out, uint64_t seq, struct slice bytes);

#endif
