/* words.h - times and strangers' texts in the words that a terminal shows. Pure. */
#ifndef FISH_WORDS_H
#define FISH_WORDS_H

#include "base/buf.h"

/* "4 min 12 s", "3 d 4 h", "under a second": the two greatest units. */
void words_span(struct buf *out, int64_t ms);
/* "in 4 min 12 s", "12 s ago", "now" */
void words_relative(struct buf *out, int64_t at_ms, int64_t now_ms);
/* "2026-11-23 10:14:00 UTC"; "never" for times that no calendar has. */
void words_time(struct buf *out, int64_t at_ms);
/* The same with milliseconds: "2026-11-23 10:14:00.250 UTC". */
void words_time_exact(struct buf *out, int64_t at_ms);
/* text with what could move a cursor or forge a line written out as \xNN. */
void words_text(struct buf *out, struct slice text);

#endif
