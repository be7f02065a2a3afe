/* blackbox.h - a mapped file beside the store that tells, after a crash, which flow was on the CPU.
 *
 * A crash in one flow kills the process: this is C. The next start counts it against the flow that
 * was named here; after CRASHES_MAX within CRASH_WINDOW_MS, with no progress between them, that flow is
 * put aside (quarantined) until another build starts, and all others go on. Deliveries are progress too, as a
 * flow may gather them without a step further; but strangers must not keep alive for ever what always
 * crashes, so CRASHES_BUSY_MAX is the end of that.
 * Invariant: progress is what the journal holds at the next start, not what the flow did before it took
 * the process along. Surprise: a kill -9 while a flow is on the CPU counts too; three in a row on one
 * that came no further are no chance. */
#ifndef FISH_BLACKBOX_H
#define FISH_BLACKBOX_H

#include "engine/engine.h"

struct blackbox;

struct blackbox_config {
	const char *path;        /* NULL: nothing is kept over a crash (a ":memory:" store keeps no flows either) */
	uint64_t    build;       /* of this program: another one gives every flow a new chance */
};

int  blackbox_open(struct blackbox **ret, const struct blackbox_config *config, struct err *err);
struct blackbox *blackbox_close(struct blackbox *b);       /* takes NULL; returns NULL */

void blackbox_on_cpu(struct blackbox *b, const struct id *flow);       /* NULL: none is */
bool blackbox_quarantined(const struct blackbox *b, const struct id *flow);
void blackbox_forgive(struct blackbox *b, const struct id *flow);      /* its crashes are forgotten */
/* The flow that was on the CPU when the last process ended without a word; false: none. It stays so, for
 * the next process too, until one of the next two has judged it. */
bool blackbox_crashed(const struct blackbox *b, struct id *ret_flow);
/* It lives and has durably come so far: counts the crash, from 1 again if it had come less far at the one
 * before. Returns the count. */
unsigned blackbox_count(struct blackbox *b, const struct reached *reached, int64_t now_ms);
/* It has ended, or never was: nobody is to blame. */
void blackbox_acquit(struct blackbox *b);

#endif
