/* flow.h - a live flow: what the door and the deadlines need of it, without running it.
 *
 * All of it is derived by flow_feed from the flow's entries, in order: at append, and again when it comes
 * back from the store, for a parked flow is not in memory at all (fetch.h, leave.c). The running function is a struct run, which comes and goes. Invariant: hooks, seen ids,
 * deadlines and children are the same whether fed live or from the store.
 * Surprise: a stopped flow (diverged, misuse, not yet re-run) goes on accepting through this. */
#ifndef FISH_FLOW_H
#define FISH_FLOW_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/id.h"
#include "base/list.h"
#include "engine/batch.h"
#include "engine/seen.h"
#include "store/store.h"
#include "wire/options.h"
#include "wire/entry.h"

#include <fish.h>

struct engine;
struct run;

enum flow_state {
	FLOW_PARKED,       /* without a run, or with one that is fed and not begun */
	FLOW_LOADING,      /* its rows were asked of the store */
	FLOW_READY,        /* has a run with news, in engine->ready */
	FLOW_RUNNING,      /* on the CPU */
	FLOW_WAITING,      /* has a run, at rest */
	FLOW_STOPPED,      /* diverged or misuse: why tells */
	FLOW_ENDED,        /* END is appended; goes when that is durable */
};

struct hook {
	uint32_t     number;
	char        *name;
	char        *each;         /* flow that each delivery starts; NULL: an ordinary inbox */
	bool         closed;
	struct hook_options options;    /* reply_body: owned */
	int64_t      expires_ms;   /* when; INT64_MAX: never */
	uint64_t     batch;        /* that made its last change */
	size_t       waiting_bytes;/* its part of the flow's */
	uint64_t     received;     /* deliveries accepted, as far as is known after a restart */
	uint32_t     shots_left;   /* of options.shots */
	struct seen *seen;         /* NULL: none yet */
	size_t       seen_bytes;   /* its part of the flow's */
};

struct flow_published {
	char      *name;
	struct buf body;
};

/* A child that a step started, while it lives. */
struct kid {
	uint32_t  step;
	struct id id;
};

struct flow {
	struct id         id;
	struct engine    *engine;
	const fish_def   *def;          /* NULL: the program has no such flow any more */
	char             *name;
	char             *base_url;     /* pinned by START */
	uint8_t           key_id;       /* the same */
	enum flow_state   state;
	char             *why;          /* FLOW_STOPPED */
	struct buf        untaken;      /* FLOW_STOPPED: packed deliveries nobody took, for the ended row */
	bool              unread;       /* FLOW_STOPPED: nobody could read its journal to the end; it takes nothing */
	struct list       stopped;      /* in batch->stopped: its watchers hear of it after that */
	int64_t           started_ms;
	uint64_t          build;        /* that wrote the last PROGRESS, START's at first */
	uint32_t          epoch;        /* lives before this one */
	uint64_t          seq_next;
	uint64_t          from_seq;     /* of no use before it; see store_row */
	uint64_t          renewed_from_seq;     /* what that is to be, once DOOR stands */
	uint64_t          batch;        /* that holds its newest entry; 0: all durable */
	struct row       *row;          /* in the gathering batch, if row_batch is its number */
	uint64_t          row_batch;

	struct id         parent_id;
	struct flow      *parent;       /* NULL: none, or ended */
	enum source       parent_source;/* 0: none */
	uint32_t          parent_number, parent_epoch;
	bool              has_key;
	struct id         key;          /* start key, or for a hook's child the message id */
	struct list       sibling;      /* in parent->children */
	struct list       children;     /* those in memory */
	uint64_t          children_live;
	uint64_t          children_added, children_ended;   /* not yet written by a CHILDREN entry */
	struct buf        born;         /* the same, packed for BORN */
	bool              flushing;     /* BORN is being written */
	struct kid       *kids;         /* live children of steps, parked or not */
	size_t            nkids;
	bool              walked;       /* its parked children have been cancelled */
	bool              walking;      /* … are being */
	struct flow_published *published;
	size_t            npublished;
	struct list       parents_link; /* in batch->parents */

	struct hook      *hooks;
	size_t            nhooks, hooks_cap;
	struct entry_deadline *deadlines;        /* open ones, oldest first */
	size_t            ndeadlines, deadlines_cap;
	struct heap_node  due;          /* in engine->deadlines */
	uint32_t          doubt;        /* calls without an answer at the last PROGRESS, less answers since */
	uint32_t          waiting;      /* deliveries not taken … */
	size_t            waiting_bytes;/* … and their bytes: exact while it has a run, else at least so many */
	bool              cancelled;    /* CANCEL stands */
	bool              closing;      /* the function had returned at the last PROGRESS */
	uint64_t          closing_batch;/* that made it closing or cancelled, if it is; 0: durable */
	uint32_t          steps;        /* of this life, as the last PROGRESS says … */
	uint32_t          answers;      /* … and what came of them: answers, rings, results, its waits' ends */
	bool              news;         /* entries after the last PROGRESS that may move it */

	struct run       *run;
	struct load      *load;         /* FLOW_LOADING */
	struct buf        tail;         /* FLOW_LOADING: rows appended since the load was asked for */
	struct list       ready;        /* in engine->ready */
	struct list       idle;         /* in engine->idle while FLOW_WAITING, longest idle first */
	int64_t           idle_since_ms;
	struct list       cancelling;   /* in engine->cancelling: its children are being cancelled */
	struct list       calls;
	struct list       holds;        /* senders that wait for a reply */
	struct list       watches;
	struct list       uncommitted;  /* in engine->uncommitted: its run waits for a commit */
	int64_t           cancelled_ms; /* when CANCEL came … */
	uint64_t          cancelled_seq;/* … and its place */
	size_t            seen_bytes;   /* that ids take, and what they were told */
	size_t            memory;       /* its part of engine->memory */
	uint32_t          pins;         /* it must stay in memory */
	bool              stored;       /* the store has it as parked, and nothing came since: may leave at once */
	struct store_park park;         /* … as this */
	struct list       leaving;      /* in batch->leaving: goes once that is durable */
	uint64_t          leaving_no;   /* … that batch's number */
};

struct flow *flow_new(struct engine *e, const struct id *id);  /* in engine->flows, FLOW_PARKED */
void         flow_link(struct flow *f);                        /* once fed: to its parent, or under its start key */
void         flow_idle(struct flow *f);                        /* at rest: in engine->idle, its memory counted */
void         flow_free(struct flow *f);                        /* out of all lists; drops run and calls */
/* Derives the door's state from one more entry. FISH_EFORMAT: a START that is not the first entry. */
int          flow_feed(struct flow *f, const struct entry *e);
void         flow_feed_taken_along(struct flow *f, const struct entry *e);     /* a message of an earlier life */
void         flow_publish(struct flow *f, struct slice name, struct slice body);
/* A delivery became a child in the gathering batch; key: its message id's, or NULL. */
void         flow_hook_received(struct flow *f, uint32_t number, const struct id *key);
void         flow_kid_add(struct flow *f, uint32_t step, const struct id *id);
struct hook *flow_hook_add(struct flow *f, uint32_t number, struct slice name);
struct hook *flow_hook(struct flow *f, uint32_t number);       /* NULL: none. Stands until the next feed */
/* Appends an entry: to the gathering batch, to the door's state, to the run if there is one. */
void         flow_append(struct flow *f, struct entry *e);
void         flow_wake(struct flow *f);                        /* there is news: run it, or load it */
/* Rule 2: rings the deadlines that have passed, oldest first, running the flow in between. To be
 * called before any entry from outside is appended. */
void         flow_settle(struct flow *f);
void         flow_expiries_add(struct flow *f);                /* to the deadlines: of all open hooks that have one */
void         flow_ring(struct flow *f);                        /* the same without running it, when flows must not run */
void         flow_deadline_remove(struct flow *f, enum source source, uint32_t step);
void         flow_deadline_add(struct flow *f, struct entry_deadline d);
void         flow_deadlines_changed(struct flow *f);           /* sorts, and sets due */
uint64_t     flow_children(const struct flow *f);              /* live ones */
/* Deliveries in that hook's inbox: n more bytes, or fewer. */
void         flow_waiting_more(struct flow *f, uint32_t number, size_t n);
void         flow_waiting_less(struct flow *f, uint32_t number, size_t n);
void         flow_seen(struct flow *f, struct hook *h);         /* the hook's set has changed */
void         flow_waiting_none(struct flow *f);                /* to be counted anew */
bool         flow_durable(const struct flow *f);               /* all its entries are */
void         flow_stop(struct flow *f, const char *why);       /* FLOW_STOPPED; takes its run down */
void         flow_tell_stopped(struct flow *f);                /* tells its watchers, if it is */
void         flow_rest(struct flow *f);                        /* drops the run of a flow that waits */
/* END: the row for the store, news for the parent. untaken: packed, borrowed. */
void         flow_end(struct flow *f, enum end_status status, struct slice result, struct slice untaken);
/* The same of one whose END has been fed: all of it is in the gathering batch, whoever was to hear of it has. */
void         flow_has_ended(struct flow *f, struct slice entries, struct slice untaken, struct slice seen);

/* door.c */
void         door_append(struct flow *f);                      /* DOOR, behind RENEW */
int          door_feed(struct flow *f, const struct entry *e);

#endif
