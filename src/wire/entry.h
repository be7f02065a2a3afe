/* entry.h - journal entries and their bytes. Pure; the decoder is fuzzed.
 *
 * A row of the store holds the entries that one flow added in one commit, one after the other:
 * kind (1 byte), length of the rest (varint), the rest. Numbers are varints (LEB128, unsigned),
 * times are unix milliseconds, texts are length and bytes. Sequence numbers are not written: a row
 * knows that of its first entry. Invariant: an entry that decodes encodes to the same bytes.
 * Surprise: a decoded entry borrows from the row's bytes. */
#ifndef FISH_ENTRY_H
#define FISH_ENTRY_H

#include "base/buf.h"
#include "base/id.h"

enum entry_kind {
	ENTRY_START = 1, ENTRY_HOOK, ENTRY_MESSAGE, ENTRY_TIMEOUT, ENTRY_RESULT, ENTRY_PATCH,
	ENTRY_PUBLISH, ENTRY_CLOSED, ENTRY_REPLY, ENTRY_CHILDREN, ENTRY_CANCEL, ENTRY_PROGRESS,
	ENTRY_RENEW, ENTRY_END,
	ENTRY_BORN,          /* beside CHILDREN: who they are */
	ENTRY_DOOR,          /* behind RENEW: all that the door knows, so that nothing before it is needed */
	ENTRY_ANSWER,        /* a REPLY with header lines of its own */
};
enum { ENTRY_KIND_MAX = ENTRY_ANSWER };

/* Where a message comes from; with its number it names one inbox of a flow. */
enum source {
	SOURCE_HOOK = 1,     /* number: the hook's, lifelong */
	SOURCE_TIMER,        /* number: the step that made it, as below */
	SOURCE_CALL,
	SOURCE_CHILD,
	SOURCE_WAIT,         /* a wait's own TIMEOUT; never in a MESSAGE */
	SOURCE_RESULT,       /* of fish_once and fish_work; never in a MESSAGE */
	SOURCE_CANCEL,       /* CANCEL, for a flow that asked; as a deadline: the end of its grace */
};

enum step_kind {
	STEP_SPAWN = 1, STEP_WAIT, STEP_GATHER, STEP_SLEEP, STEP_EACH, STEP_CLOSE, STEP_TIMER,
	STEP_CHILD, STEP_SEND, STEP_POST, STEP_DONE, STEP_FAIL, STEP_ONCE, STEP_WORK, STEP_TELL,
	STEP_PUBLISH, STEP_CANCELLED, STEP_CANCEL, STEP_RENEW, STEP_REPLY,
};
const char *step_kind_name(enum step_kind kind);     /* "spawn", "next" …; "?" for an unknown one */
const char *entry_kind_name(enum entry_kind kind);

enum end_status { END_DONE = 1, END_FAILED, END_CANCELLED };

struct entry_step {                  /* one step as PROGRESS keeps it, for the report of a divergence */
	enum step_kind kind;
	uint32_t       content;      /* hash of a call's bytes; 0 for the others */
	struct slice   label;        /* at most LABEL_BYTES_MAX */
};

/* How a flow came to rest. */
enum entry_rest {
	REST_WAITS,
	REST_CLOSING,                /* the function has returned, the end waits for calls or children */
	REST_MISUSED,                /* it stands still: a start runs it again, to say why or to go on */
	REST_PAUSED,                 /* it waits for nothing: others had their turn, and it goes on */
	REST_NEEDS,                  /* its last step acts on a flow that is being fetched; a RESULT says: done */
};

struct entry_deadline {
	enum source source;          /* SOURCE_TIMER or SOURCE_WAIT */
	uint32_t    step;
	int64_t     due_ms;
};

struct entry_open_hook {             /* in RENEW */
	uint32_t     number;
	struct slice name, options;
};

struct entry_born {                  /* in BORN: a child whose START is in the same commit */
	enum source source;          /* SOURCE_HOOK: id is the hash of the message id; SOURCE_CHILD: the child's flow */
	uint32_t    number;          /* the parent's hook or step */
	bool        has_id;
	struct id   id;
};

struct entry_door_hook {             /* in DOOR; closed ones too, while a duplicate may come */
	uint32_t     number;
	struct slice name, options, each;
	bool         closed;
	int64_t      expires_ms;     /* when; INT64_MAX: never */
	uint64_t     received;
	struct slice seen;           /* packed message ids, see engine/seen.h */
};

struct entry_published {             /* in DOOR */
	struct slice name, body;
};

/* One struct for all kinds; which fields count is written beside each. Others are zero. */
struct entry {
	enum entry_kind kind;
	int64_t         time_ms;         /* all */
	enum source     source;          /* MESSAGE; START DOOR: SOURCE_HOOK or SOURCE_CHILD when it has a parent */
	uint32_t        number;          /* HOOK MESSAGE CLOSED: hook or step; TIMEOUT RESULT PROGRESS: step;
	                                    START DOOR: the parent's hook or step */
	uint32_t        epoch;           /* START: the parent's epoch; of a hook's child 1 when the delivery
	                                    stands in the parent's journal too, as it came before fish_each */
	int             status;          /* MESSAGE REPLY ANSWER: HTTP status; END: enum end_status; PATCH: 0 or 1 */
	struct slice    name;            /* START DOOR: flow; HOOK; RESULT: label; PATCH; PUBLISH; CLOSED: why; END: why it failed */
	struct slice    options;         /* HOOK */
	struct slice    each;            /* HOOK: the flow that each delivery starts; else empty */
	struct slice    meta;            /* START, MESSAGE: header lines "name: value\n", names in lower case;
	                                    ANSWER: "Name: value\r\n" as they are sent */
	struct slice    body;            /* START RENEW: input; MESSAGE RESULT PUBLISH REPLY ANSWER; END: result */
	bool            has_key;         /* START MESSAGE: key counts */
	struct id       key;             /* START DOOR: hash of start key (no parent) or of the message id; MESSAGE: of the message id */
	struct id       flow;            /* START DOOR: parent, zero if none */
	uint64_t        build;           /* START RENEW PROGRESS: the program's build */
	uint8_t         key_id;          /* START RENEW: MAC key of the URLs */
	struct slice    base_url;        /* START RENEW */
	uint64_t        message_seq;     /* REPLY ANSWER: which message; DOOR: which entry is CANCEL */
	uint64_t        added, ended;    /* CHILDREN; DOOR: added are the live ones */
	uint64_t        digest;          /* PROGRESS */
	uint32_t        doubt;           /* PROGRESS: calls without an answer then */
	uint32_t        waiting;         /* PROGRESS: deliveries that had come and were not taken */
	uint8_t         rest;            /* PROGRESS: enum entry_rest */
	uint32_t        hook_next;       /* RENEW: next hook number */
	int64_t         now_ms;          /* RENEW: fish_now */
	/* Lists, borrowed by the encoder; the decoder leaves them packed, see entry_steps_next and so on. */
	struct slice    steps;           /* PROGRESS: packed steps since the last PROGRESS */
	struct slice    deadlines;       /* PROGRESS: packed, oldest first */
	struct slice    hooks;           /* RENEW: packed open hooks */
	struct slice    untaken;         /* RENEW: packed sequence numbers of messages, in order */
	struct slice    seen;            /* RENEW: empty; DOOR has the ids */
	struct slice    born;            /* BORN: packed */
	uint32_t        life;            /* DOOR: its number, from 1 */
	int64_t         started_ms;      /* DOOR: of START */
	int64_t         cancelled_ms;    /* DOOR: when CANCEL came; 0: it did not */
	struct slice    published;       /* DOOR: packed */
};

/* Appends e. Its kind must be one, its numbers in their ranges: a CHECK. */
void entry_put(struct buf *out, const struct entry *e);
/* Takes the first entry off *rest. 1: *ret_entry stands; 0: rest is empty; FISH_EFORMAT, and *rest is
 * as it was. */
int  entry_next(struct slice *rest, struct entry *ret_entry);

/* The packed lists: put one; take the first off *rest (1, 0 or FISH_EFORMAT as above). */
void entry_step_put(struct buf *out, const struct entry_step *s);
int  entry_step_next(struct slice *rest, struct entry_step *ret_step);
void entry_deadline_put(struct buf *out, const struct entry_deadline *d);
int  entry_deadline_next(struct slice *rest, struct entry_deadline *ret_deadline);
void entry_open_hook_put(struct buf *out, const struct entry_open_hook *h);
int  entry_open_hook_next(struct slice *rest, struct entry_open_hook *ret_hook);
void entry_born_put(struct buf *out, const struct entry_born *b);
int  entry_born_next(struct slice *rest, struct entry_born *ret_born);
void entry_door_hook_put(struct buf *out, const struct entry_door_hook *h);
int  entry_door_hook_next(struct slice *rest, struct entry_door_hook *ret_hook);
void entry_published_put(struct buf *out, const struct entry_published *p);
int  entry_published_next(struct slice *rest, struct entry_published *ret_published);

#endif
