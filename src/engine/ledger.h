/* ledger.h - what became of the requests that were not stored: by hook, in memory, the youngest of them.
 *
 * What is stored stands in the journal. The rest is here: who was refused and why, who came too late, with
 * headers and body, so that a person can look at it and put it back; and, in one line each, duplicates and
 * questions. Invariant: never more than the limits below, however much strangers send; the oldest go first,
 * those of a hook that is flooded before the others'. Surprise: all of it goes with the process. To write
 * down what comes unsigned would be to let whoever has a URL fill the disk. */
#ifndef FISH_LEDGER_H
#define FISH_LEDGER_H

#include "base/buf.h"
#include "base/id.h"

enum {
	LEDGER_LINES_MAX      = 1000,
	LEDGER_BYTES_MAX      = 16 << 20,
	LEDGER_HOOK_LINES_MAX = 50,
	LEDGER_HOOK_BYTES_MAX = 2 << 20,
	LEDGER_HOOK_BARE_MAX  = 16,          /* lines of one hook without headers and body */
	LEDGER_BODY_BYTES_MAX = 256 << 10,   /* of a longer body only its length is kept */
};

enum fate {
	FATE_NONE,            /* not known yet, or nothing to tell: 503 */
	FATE_STORED,          /* never in a line: it is in the journal */
	FATE_DUPLICATE,
	FATE_QUESTION,        /* of its sender, about the URL; answered */
	FATE_REFUSED,
	FATE_LATE,            /* the hook was closed, or the flow had ended */
	FATE_PUT_BACK,        /* one of the two before, which somebody has had delivered since */
};
enum { FATES = FATE_PUT_BACK + 1 };

/* All borrowed. */
struct ledger_request {
	const struct id *flow;
	uint32_t         hook;
	uint64_t         number;             /* never the same twice in a process */
	int64_t          time_ms;
	enum fate        fate;
	int              status;             /* that it was answered with */
	struct slice     why, message_id, method, meta, body;
};

/* A line. */
struct ledger_line;
struct ledger;

struct ledger *ledger_new(void);
struct ledger *ledger_free(struct ledger *l);
/* The oldest lines make room. Keeps headers and body of what was refused or late. */
void ledger_note(struct ledger *l, const struct ledger_request *q);
/* NULL: there is none of that number, or not any more. Stands until the next note. */
struct ledger_line *ledger_find(struct ledger *l, const struct id *flow, uint64_t number);
/* What the line has; body and meta only if whole. */
bool ledger_read(const struct ledger_line *line, struct ledger_request *ret);
void ledger_put_back(struct ledger_line *line);

/* Appends a JSON array with an object for each hook of that flow: how many came to which end, and the lines,
 * oldest first. hides: may the value of that header not be shown? */
typedef bool ledger_hides(const void *owner, struct slice name);
void ledger_show(struct buf *out, const struct ledger *l, const struct id *flow, ledger_hides *hides,
                 const void *owner);

#endif
