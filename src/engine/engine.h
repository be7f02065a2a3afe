/* engine.h - one thread's share-nothing world of flows: what the door, the admin and the host call.
 *
 * The engine takes things in (deliveries, starts, answers, passed deadlines), runs what is ready,
 * commits what came of it in one batch and only then lets effects out: that is a turn. Everything
 * that answers a caller does so through a done function, once, on the engine's thread, after the
 * commit that justifies it (possibly before the asking function returns, when no commit is needed).
 * Invariant: from when something is handed in to the next turn the time stands still.
 * Surprise: a commit that failed is a crash that spares the process: everything in memory is dropped
 * and recovered from the store, senders get FISH_ESTORE. */
#ifndef FISH_ENGINE_H
#define FISH_ENGINE_H

#include "base/buf.h"
#include "base/id.h"
#include "base/list.h"
#include "base/token.h"
#include "engine/box.h"
#include "engine/fetch.h"
#include "engine/ledger.h"
#include "engine/seams.h"
#include "store/store.h"

#include <fish.h>

struct engine;

/* Rules of the model, as ARCHITECTURE names them, and some of the engine's own. For tests only: an engine
 * that leaves one out is a planted bug, and the simulator must find it (tests/sim/rules.h). */
enum engine_rule {
	RULE_ACK_AFTER_COMMIT, RULE_DUP_ACK_WAITS, RULE_NEG_WAITS, RULE_DUP_BEFORE_GONE,
	RULE_DEADLINE_FIRST_LOAD, RULE_DEADLINE_FIRST_TURN, RULE_DEADLINE_BEFORE_RESP,
	RULE_PROGRESS, RULE_PROGRESS_REST, RULE_PROGRESS_DEADLINES, RULE_PROGRESS_TIME,
	RULE_EFFECTS_HELD, RULE_EFFECTS_AFTER_COMMIT, RULE_END_WAITS_CALLS,
	RULE_INDOUBT_RELOAD, RULE_ONE_ANSWER, RULE_POLL_RECORDED, RULE_NULL_CLOSED_RECORDED,
	RULE_EPOCH_IN_KEY, RULE_HOOKNUM_LIFELONG, RULE_RENEW_KEEPS_SEEN,
	RULE_RENEW_KEEPS_UNTAKEN, RULE_ONCE_INSIDE, RULE_ONCE_DURABLE, RULE_ONCE_PROGRESS,
	RULE_DIGEST, RULE_DIGEST_BODY, RULE_SHORT_BLOCK, RULE_PATCH_MEMO, RULE_PATCH_RECORDED,
	RULE_PATCH_NO_STEP, RULE_NOW_MAX,
	RULE_WAKE_PARKED,        /* a message wakes a parked flow */
	RULE_TELL_ONCE,          /* a replay tells nobody again */
	RULE_WORK_ATTACHES,      /* a re-run attaches to work under way */
	RULE_REPLY_KEPT,         /* a duplicate hears what the flow replied to the first */
	RULE_REPLY_AFTER_COMMIT, /* … once REPLY is durable */
	RULE_SHOTS_CLOSE,        /* the last shot closes its hook */
	RULES_END,
};
#define RULE_BIT(rule) (UINT64_C(1) << (rule))

struct engine_config {
	const fish_program *program;      /* as the user wrote it */
	const fish_peer    *peers;        /* expanded copies in the order of program->peers, used in place of
	                                     those when a flow names one of them; NULL: as they are */
	const fish_sender  *senders;      /* the same for program->senders */
	const char         *base_url;     /* of new flows' URLs: "https://example.com" or with a path; no '/' at the end */
	uint64_t            build;        /* of the running program */
	struct seams        seams;
	struct store       *store;        /* borrowed */
	int64_t             park_after_ms;     /* idle this long: parked; 0: 10 s; -1: at every wait (a test mode) */
	size_t              memory_bytes;      /* for flows in memory and what they gather: over it those at rest leave at
	                                          once, and deliveries and starts are FISH_EBUSY until there is room; 0: 1 GiB */
	uint32_t            steps_max;         /* in one life of a flow, which is stopped there; 0: STEPS_MAX_DEFAULT */
	uint32_t            turn_steps_max;    /* of a run that never waits, in one turn; 0: STEPS_PER_TURN */
	size_t              run_ahead_bytes;   /* gathered and not yet durable; over it deliveries and starts are FISH_EBUSY; 0: 64 MiB */
	size_t              row_bytes_max;     /* then a flow's next entry begins another row; 0: 300 MiB */
	size_t              ended_bytes_max;   /* of untaken deliveries, and again of message ids, that an ended flow's row
	                                          has; the newest deliveries and the oldest hooks' ids are left out; 0: 300 MiB */
	/* For simulators: a history with a fault in it, or with flows parked, keeps the times and the order of
	 * one without. There are no pauses of its own: it is back at once after a commit that was rolled back,
	 * and a call is tried again when the transport says (retry_after_ms). Of several flows that are to
	 * run the oldest goes first, in memory or not. */
	bool                simulated;
	uint64_t            test_rules_off;    /* RULE_BITs; 0 but in tests of the simulator */
};

int            engine_new(struct engine **ret, const struct engine_config *config, struct err *err);
/* Drops all that is not durable; runs fish_defer's; returns NULL. The store must be closed before:
 * it may still be filling in what the engine asked for. */
struct engine *engine_free(struct engine *e);
int            engine_recover(struct engine *e, struct err *err);   /* once, before anything else; blocking */
/* Reads the clock, rings deadlines, runs what is ready, submits the batch. Call it after every round
 * of the loop in which something was handed in, when the store notified, and at engine_next_ms. */
void           engine_turn(struct engine *e);
/* A turn without its commit, for a loop that has more to hand in at once: larger batches cost less. True:
 * a batch could go and waits for engine_turn, which is due soon. */
bool           engine_gather(struct engine *e);
int64_t        engine_next_ms(const struct engine *e);   /* engine time of the next thing to do; INT64_MAX: none */
int64_t        engine_now_ms(const struct engine *e);    /* engine time: max(store's, clock), as of the last turn or hand-in */
void           engine_set_base_url(struct engine *e, const char *base_url); /* before the first flow: the real port is known late */

/* A delivery to a hook's URL. All slices are borrowed until done. */
struct delivery {
	struct slice token;           /* what came after /h/ */
	struct slice door;            /* or after /in/; empty: it came to a token */
	struct slice method;          /* "POST" and "PUT" deliver, others are for hooks whose sender asks so; empty: POST */
	struct slice body;
	struct slice meta;            /* header lines "name: value\n" with lower-case names, ":method", ":query", ":peer" first */
	struct slice message_id;      /* webhook-id or Idempotency-Key; empty: none */
	int64_t      asked_ms;        /* a sender that is held is held from then on; 0: from now */
	/* status and, when they are not empty, a body that the flow or a sender's check gave, with header lines
	 * "Name: value\r\n"; both stand until done returns. Where the lines' ptr is NULL the body is JSON; where
	 * it is not, that is all there is to tell, be it empty.
	 * 200 stored or a duplicate of a stored one; 404 forged; 400 no JSON where it is asked for; 401 not
	 * signed by its sender; 405 the method; 410 closed or ended; 413 over the hook's size; 429 the flow has
	 * not taken what came before; 503 store away or too much under way. */
	void (*done)(struct delivery *d, int status);
	struct slice answer, answer_lines;   /* set by the engine before done */
	struct list link;             /* the engine's */
	char       *answer_owned;
	char       *meta_owned;       /* meta without what nobody may keep; NULL: it is as it came */
	struct id   flow;
	struct id   to;               /* of a door's: the flow that it started, or its box */
	struct id   key;
	bool        has_key;
	bool        put_back;         /* a person vouches for it: its sender's check is passed over */
	enum fate   fate;             /* what became of it */
	uint64_t    number;           /* of the request, in this process; of one that is put back: its own of then */
	uint32_t    hook;
	int         status;
	struct wanted want;
	struct store_find find;
	struct box_seek seek;
	struct engine *engine;
};
void engine_deliver(struct engine *e, struct delivery *d);

/* Delivers a request that the ledger has to its hook or door, past the check of its sender, as if it came now.
 * Nobody is held for the reply. */
struct redeliver {
	struct id    id;              /* the flow's; not asked for with a door */
	struct slice door;            /* a door's name; borrowed until engine_redeliver returns; empty: a flow's hook */
	uint64_t     number;          /* the request's, as `show` tells it */
	bool         elsewhere;       /* to another hook of the flow than it came to … */
	uint32_t     hook;            /* … this one */
	struct buf  *room;            /* the caller's, empty: what is delivered is kept there until done */
	/* 0: stored, durably. FISH_ENOTFOUND: the ledger has no such request, or the program no such door; FISH_EGONE: the
	 * hook is not open or the flow has ended; FISH_EINVAL: it is stored already, or cannot be; FISH_EBUSY,
	 * FISH_ESTORE: not now. why: in words. */
	void (*done)(struct redeliver *r, int rc, const char *why);
	struct id    to;              /* set before done with 0: the flow in whose journal it is; of a door's a box, or a new one */
	struct delivery delivery;     /* the engine's */
	struct engine  *engine;
};
void engine_redeliver(struct engine *e, struct redeliver *r);
/* Is token genuine? Pure and cheap, for refusing before a body is read. */
bool engine_token_genuine(const struct engine *e, struct slice token);
/* The same for a door's name. */
bool engine_has_door(const struct engine *e, struct slice name);
/* Appends a named door as a JSON object: what it is, and its ledger. False, and nothing: there is none. */
bool engine_show_door(const struct engine *e, struct slice name, struct buf *out);
/* All of them, without the requests: objects, comma-separated. */
void engine_list_doors(const struct engine *e, struct buf *out);

/* Starts a flow. */
struct start {
	struct slice flow;            /* its name in the program */
	struct slice input;           /* one JSON value; checked (FISH_EFORMAT) */
	struct slice key;             /* empty: none. The same key and flow name is the same flow */
	/* 0: durable; *id is the flow's; existed: it was there already. FISH_ENOTFOUND no such flow in the
	 * program, FISH_EFORMAT, FISH_ESTORE, FISH_EBUSY with words in why. */
	void (*done)(struct start *s, int rc, const struct id *id, bool existed, const char *why);
	struct list link;             /* the engine's */
	struct id   id, key_hash;
	int         rc;
	bool        existed;
	struct store_find find;
	struct engine *engine;
};
void engine_start(struct engine *e, struct start *s);

/* Tells when a flow has ended (durably): at once if it has. */
struct watch {
	struct id id;
	/* rc 0: status is an enum end_status, result its bytes. FISH_ENOTFOUND: no such flow is known.
	 * FISH_ESTOPPED: the flow stands still (diverged or misuse), result is why. FISH_ESTORE: the
	 * store is away. */
	void (*done)(struct watch *w, int rc, int status, struct slice result);
	struct list link;             /* the engine's */
	struct wanted want;
	struct store_find find;
	struct engine *engine;
	void (*forgotten)(struct watch *w);
};
void engine_watch(struct engine *e, struct watch *w);
/* Instead of done, forgotten is called once w may be freed: at once, or when the store has let go of it. */
void engine_unwatch(struct engine *e, struct watch *w, void (*forgotten)(struct watch *w));

/* Ends a flow and all its children. done after CANCEL is durable: 0, FISH_ENOTFOUND, FISH_EGONE (has ended),
 * FISH_EINVAL (a box of a named door), FISH_ESTORE. */
struct cancel {
	struct id id;
	void (*done)(struct cancel *c, int rc);
	struct list link;             /* the engine's */
	int rc;
	struct wanted want;
	struct store_find find;
	struct engine *engine;
};
void engine_cancel(struct engine *e, struct cancel *c);

/* Runs a stopped flow again from the top. 0; FISH_ENOTFOUND; FISH_EINVAL: it is not stopped; FISH_EBUSY: what
 * stopped it is not durable yet, ask again; FISH_ESTORE. */
struct retry {
	struct id id;
	void (*done)(struct retry *r, int rc);
	struct wanted want;           /* the engine's */
	struct engine *engine;
};
void engine_retry(struct engine *e, struct retry *r);

/* A flow as JSON, with its hooks, what it waits on, its calls and its journal in words. Live or ended. */
struct show {
	struct id id;
	void (*done)(struct show *s, int rc, struct slice json);    /* 0, FISH_ENOTFOUND or FISH_ESTORE */
	struct wanted want;           /* the engine's */
	uint64_t pinned;              /* 0: it is not, else the engine's reset number + 1 */
	struct store_load load;
	struct store_find find;
	struct engine *engine;
	struct view *view;
};
void engine_show(struct engine *e, struct show *s);

/* Live flows as JSON objects, comma-separated, in id order from the first id above after
 * (zero: from the start), at most limit. Boxes, which nobody started, only if they are asked for, or stand still. */
struct roll {
	struct id after;
	size_t limit;                 /* 1 … STORE_WALK_MAX */
	bool boxes;
	/* n of them, last is the id of the last one; rc 0 or FISH_ESTORE. */
	void (*done)(struct roll *r, int rc, struct slice json, size_t n, const struct id *last);
	struct store_walk walk;       /* the engine's */
	struct roll_line *lines;
	size_t nlines, cap, pending;
	struct engine *engine;
};
void engine_list(struct engine *e, struct roll *r);
#define BOX_NAME "/in/"               /* with the door's name behind it a box's; no path is a name of the program's */

/* Figures for `ls`, `demo` and tests: what is in memory now. Boxes are no flows here, have no URLs, and are
 * counted by themselves; what uses memory or stands still counts whatever it is. */
struct engine_figures {
	size_t flows, waiting, resident, running, stopped, closing;  /* live flows; those at rest in a wait; those with a stack … */
	size_t boxes;                   /* keys of named doors that something is kept or known of … */
	size_t boxes_untaken;           /* … and deliveries in them that nobody waits for (a box may have one in hand besides) */
	size_t memory;                  /* bytes that flows in memory take, about */
	size_t parked;                  /* of the live ones those that are not in memory */
	size_t hooks_open;              /* URLs that are out */
	size_t calls;                   /* under way or pausing between attempts */
	size_t works;                   /* functions on threads */
	size_t untaken;                 /* durable deliveries that have come to flows and were not taken yet */
	uint64_t commits, entries, deliveries, duplicates, starts, ended, parks;   /* since the process started */
};
size_t engine_memory(const struct engine *e);    /* bytes that flows in memory take, about */
void engine_figures(const struct engine *e, struct engine_figures *ret);
/* Too much is gathered for the disk, or the memory is used up: deliveries and starts are refused just now. */
bool engine_crowded(const struct engine *e);
bool engine_away(const struct engine *e);    /* the last commit failed and the pause is not over */
bool engine_idle(const struct engine *e);    /* nothing ready, gathered or being committed */
/* From here on flows that were interrupted are left as they are, for the next start: so the engine comes
 * to be idle, whatever they do. */
void engine_wind_down(struct engine *e);
/* How far a live flow has come, as two numbers: own grows with its lives, its steps and what came of them,
 * entries with deliveries too. false: no such flow lives; a parked one comes into memory. Right after engine_recover all of it is durable. */
struct reached {
	uint64_t own, entries;
};
bool engine_reached(struct engine *e, const struct id *flow, struct reached *ret);

#endif
