/* ledger.h - what became of the requests that were not stored: by hook and door, in memory, the youngest of them.
 *
 * What is stored stands in the journal, and `show` tells of it from there. The rest is here: who was refused
 * and why, who came too late, with headers and body, so that a person can look at it and put it back; and, in
 * one line each, duplicates and questions, and at doors in which flow the others are. Invariant: never more than the limits below, however much strangers send; the oldest go first,
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
	LEDGER_HOOK_BARE_MAX  = 16,          /* lines of one hook without headers and body … */
	LEDGER_HOOK_NOBODY_MAX = 16,         /* … and of one door, for nobody */
	LEDGER_BODY_BYTES_MAX = 256 << 10,   /* of a longer body only its length is kept */
};

enum fate {
	FATE_NONE,            /* not known yet, or nothing to tell: 503 */
	FATE_STORED,          /* in a line only at a door: it is in the journal */
	FATE_DUPLICATE,
	FATE_QUESTION,        /* of its sender, about the URL; answered */
	FATE_REFUSED,
	FATE_LATE,            /* the hook was closed, or the flow had ended */
	FATE_NOBODY,          /* at a door: it has no key; taken and dropped */
	FATE_PUT_BACK,        /* refused or late, and somebody has had it delivered since */
};
enum { FATES = FATE_PUT_BACK + 1 };

/* All borrowed. */
struct ledger_request {
	const struct id *flow;               /* or the door, with hook 0 */
	uint32_t         hook;
	uint64_t         number;             /* never the same twice in a process */
	int64_t          time_ms;
	enum fate        fate;
	int              status;             /* that it was answered with */
	struct id        to;                 /* at a door: the flow in whose journal it is; zero: in none */
	struct slice     why, message_id, method, meta, body;
};

/* A line. */
struct ledger_line;
struct ledger;

struct ledger *ledger_new(void);
struct ledger *ledger_free(struct ledger *l);
/* A door begins to be counted; its book stays though it have no line. door: no flow has that id. */
void ledger_open_door(struct ledger *l, const struct id *door, int64_t now_ms);
/* The oldest lines make room. Keeps headers and body of what was refused or late. */
void ledger_note(struct ledger *l, const struct ledger_request *q);
/* NULL: there is none of that number, or not any more. Stands until the next note. */
struct ledger_line *ledger_find(struct ledger *l, const struct id *flow, uint64_t number);
/* What the line has; body and meta only if whole. */
bool ledger_read(const struct ledger_line *line, struct ledger_request *ret);
void ledger_put_back(struct ledger_line *line);

/* Of one that is stored. body: borrowed. */
struct ledger_message {
	uint32_t     hook;
	uint64_t     entry;                  /* its number in the flow's journal */
	int64_t      time_ms;
	bool         taken;                  /* for sure */
	struct slice body;
};

/* May the value of that header not be shown? */
struct ledger_hiding {
	bool      (*hides)(const void *owner, struct slice name);
	const void *owner;
};

/* Appends a JSON array with an object for each hook of that flow: how many came to which end, and the requests,
 * oldest first: lines and, by time among them, the youngest of m. m: n of them, by hook and then by age. */
void ledger_show(struct buf *out, const struct ledger *l, const struct id *flow, const struct ledger_message *m,
                 size_t n, struct ledger_hiding hiding);
/* The same members for a door: what it counted since the process began, and its requests. */
void ledger_show_counts(struct buf *out, const struct ledger *l, const struct id *door);
void ledger_show_requests(struct buf *out, const struct ledger *l, const struct id *door, struct ledger_hiding hiding);

#endif
