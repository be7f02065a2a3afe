/* blackbox.h - a mapped file beside the store that tells, after a crash, which flow was on the CPU.
 *
 * A crash in one flow kills the process: this is C. The next start counts it against the flow that
 * was named here; after CRASHES_MAX within CRASH_WINDOW_MS, with no progress between them, that flow is
 * put aside (quarantined) until another build starts, and all others go on.
 * Surprise: a kill -9 while a flow is on the CPU counts too; three in a row on one flow are no chance. */
#ifndef FISH_BLACKBOX_H
#define FISH_BLACKBOX_H

#include "base/base.h"
#include "base/id.h"

struct blackbox;

struct blackbox_config {
	const char *path;        /* NULL: nothing is kept over a crash (a ":memory:" store keeps no flows either) */
	uint64_t    build;       /* of this program: another one gives every flow a new chance */
	int64_t     now_ms;
};

int  blackbox_open(struct blackbox **ret, const struct blackbox_config *config, struct err *err);
struct blackbox *blackbox_close(struct blackbox *b);       /* takes NULL; returns NULL */

void blackbox_on_cpu(struct blackbox *b, const struct id *flow);       /* NULL: none is */
bool blackbox_quarantined(const struct blackbox *b, const struct id *flow);
void blackbox_progressed(struct blackbox *b, const struct id *flow);   /* it got further: its crashes are forgotten */
/* The flow that was on the CPU when the last process ended without a word; false: none. */
bool blackbox_crashed(const struct blackbox *b, struct id *ret_flow, unsigned *ret_crashes);

#endif
