/* world.h - the inside of an engine, for the files of src/engine only. */
#ifndef FISH_WORLD_H
#define FISH_WORLD_H

#include "base/heap.h"
#include "base/map.h"
#include "engine/batch.h"
#include "engine/box.h"
#include "engine/call.h"
#include "engine/co.h"
#include "engine/doors.h"
#include "engine/due.h"
#include "engine/engine.h"
#include "engine/fetch.h"
#include "engine/flow.h"
#include "engine/import.h"
#include "engine/leave.h"
#include "engine/sender.h"

struct engine {
	struct engine_config config;
	char           *base_url;
	struct store   *store;
	int64_t         now_ms;
	int64_t         ahead_ms;       /* of the clock: the store's time was later at the start */
	struct co_pool *stacks;
	struct map      flows;          /* id → struct flow: the live ones in memory … */
	struct store_parked parked;     /* … and how many the store keeps for us */
	struct map      fetching;       /* id → struct fetch */
	struct list     fetches;        /* the same, and forgotten ones that the store has still */
	struct list     walks;          /* over parked children */
	struct due      due;            /* deadlines of parked flows */
	struct token_ring *tokens;
	struct senders  senders;
	struct doors    doors;
	struct list     claims;         /* made, not looked into */
	struct list     claims_asked;   /* their boxes are being looked for */
	struct ledger  *ledger;
	uint64_t        requests;       /* to hooks and doors, since the process began */
	struct {
		int64_t  minute;
		uint64_t lines, more;   /* logged, and not any more */
	} refusals;                     /* in the log: gate_tells */
	struct map      start_keys;     /* hash → struct flow */
	struct list     ready;
	struct list     starved;        /* FLOW_READY without memory for a stack: tried again next turn */
	struct list     paused;         /* FLOW_READY, interrupted: go on in the next turn */
	struct list     idle;
	struct list     cancelling;
	struct list     loads;
	struct list     works;          /* on threads */
	struct import  *import;         /* under way, or NULL */
	struct list     acts;           /* to be done before the batch leaves */
	struct list     uncommitted;    /* flows that wait for a batch to be durable */
	struct heap     deadlines;      /* the first one of each flow */
	struct heap     holds;          /* senders that are held for a reply */
	struct heap     pauses;         /* calls between attempts */
	struct batch   *gather;         /* never NULL */
	struct batch   *inflight;       /* NULL: the store is free */
	struct list     rows_spare;     /* with their memory, for the batches to come */
	size_t          nrows_spare;
	uint64_t        durable_no;     /* batches up to here are durable */
	size_t          memory;         /* what flows in memory take, about */
	uint64_t        resets;         /* everything in memory was dropped so often */
	bool            failed;         /* the last commit was rolled back: reset at the next turn */
	bool            away;           /* … and until then nothing is taken in */
	int64_t         away_until_ms;
	int64_t         away_pause_ms;
	struct flow    *current;        /* on the CPU */
	bool            winds_down;     /* paused flows stay so */
	struct engine_figures figures;
};

/* A planted bug, in tests only. */
static inline bool rule_off(const struct engine *e, enum engine_rule rule)
{
	return e->config.test_rules_off & RULE_BIT(rule);
}

/* An event for those who operate the server: printed at once. */
void            engine_log(struct engine *e, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int64_t         engine_wait_until(int64_t from_ms, int64_t timeout_ms);    /* saturating; FISH_FOREVER stays */
const fish_def *engine_def(const struct engine *e, struct slice name);      /* NULL: none */
const fish_def *flow_def(const struct engine *e, struct slice name);        /* the same, and boxes (box.c) */
const fish_def *engine_def_of(const struct engine *e, fish_fn *fn);
const fish_peer *engine_peer(const struct engine *e, const fish_peer *p);   /* the expanded one, or p */
struct id       engine_new_id(struct engine *e);
void            engine_catch_up(struct engine *e);                          /* the clock is looked at, if it may be */
bool            engine_overfull(const struct engine *e);                    /* the run-ahead bound is reached */
void            engine_run_flow(struct engine *e, struct flow *f);          /* a READY flow, to rest */
void            engine_batch_done(struct engine *e, struct batch *b, int rc);

/* start.c: a flow's START, at the door of the engine or by another flow. */
struct birth {
	struct slice    name;           /* the flow's; one that the program does not have stands still */
	struct slice    input, meta;
	struct flow    *parent;         /* NULL: none */
	enum source     source;
	uint32_t        number, epoch;
	bool            has_key;
	struct id       key;
};
struct flow *flow_start(struct engine *e, const struct birth *b);
/* A flow whose journal is in memory: made ready to run, or stopped when the program does not have it. */
void flow_begin(struct flow *f);

/* tree.c */
void tree_child_started(struct flow *parent, struct flow *child);
void tree_child_ended(struct flow *child, enum end_status status, struct slice result);
void tree_flush(struct flow *parent);                   /* writes its CHILDREN entry, if one is due */
void tree_cancel(struct flow *f);                       /* CANCEL, each-hooks closed; children follow in later turns */
void tree_cancel_children(struct flow *f);
void tree_stopped(struct flow *f);                      /* a stopped flow that was cancelled: ends with its children */
void tree_walk(struct engine *e);                       /* cancels the next children, a bounded number a turn */

/* deliver.c: a hook in each mode turns a delivery into a child. */
/* The delivery's answer, after a batch is durable: its status, and the body it was given. */
void deliver_after(struct delivery *d, int status, uint64_t batch);
void delivery_tell(struct delivery *d, int status);
void delivery_answer_set(struct delivery *d, struct slice body);      /* JSON; copied; empty: none */
struct reply;
void delivery_answer_reply(struct delivery *d, const struct reply *r);   /* copied */
void delivery_answer_give(struct delivery *d, struct buf *lines, struct buf *body);   /* takes what they hold */
/* Not stored, and why not (NULL: that goes without saying): into the ledger, unless it comes from there. */
void delivery_note(struct delivery *d, enum fate fate, int status, const char *why);
void delivery_refuse(struct delivery *d, int status, const char *why);     /* the same, and tells */
/* To the flow and hook that it names, without a token. */
void deliver_begin(struct delivery *d);
struct delivery_key {
	bool      has;
	struct id id;
};
void deliver_each(struct flow *f, const struct hook *h, struct slice body, struct slice meta, struct delivery_key key);
/* To an open hook: a child, or a MESSAGE. */
void deliver_to(struct flow *f, const struct hook *h, struct slice body, struct slice meta, struct delivery_key key);
void deliver_shots(struct flow *f, uint32_t number);        /* after a delivery: closes the hook that has had all it was to have */
void deliver_live(struct delivery *d, struct flow *f);      /* to hook d->hook of f, which is in memory */
bool deliver_full(struct flow *f, const struct hook *h, size_t bytes);
void deliver_look(struct flow *f, uint32_t number, size_t bytes);    /* before it is asked; the flow may run */
struct msg;
void deliver_waiting(struct flow *f, const struct hook *h, const struct msg *m);   /* one that had come before */

/* gate.c: a hook that names its sender. */
/* May d, a request to h of f, be delivered? Then its key is that of its sender. False: it has been answered. */
bool gate_pass(struct delivery *d, const struct flow *f, const struct hook *h);
/* The key that d has if it is this sender's and genuine; false: it is not. */
bool gate_key(struct delivery *d, const struct sender *s, struct slice base_url, struct id *ret_key);
/* May a line about a refusal go to the log? Strangers write them: so many in a minute, the rest is counted. */
enum { GATE_LINES_MAX = 100 };
bool gate_tells(struct engine *e);
/* The same as gate_pass for a request to a named door. */
bool gate_door(struct delivery *d, const struct door *door);

/* doorway.c: a request to a named door. */
void doorway_deliver(struct delivery *d);

/* show.c: headers that sign or let in. */
struct ledger_hiding show_hiding(const struct engine *e);

/* watch.c */
void watch_tell(struct flow *f, int rc, int status, struct slice result);

void walks_free(struct engine *e);                      /* the store is closed */

/* load.c */
struct load;
void flow_load(struct flow *f);
void load_forget(struct load *l);                       /* its flow goes; NULL is let pass */
void loads_free(struct engine *e);                      /* the store is closed: their done will not come */
/* recover.c: everything in memory goes; flows are rebuilt from the store. */
/* Does a flow at rest that was read from its rows have to run, though nothing new has come? */
bool flow_wants_run(const struct flow *f);
void engine_forget(struct engine *e);
int  engine_rebuild(struct engine *e, struct err *err);

#endif
