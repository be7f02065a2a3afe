/* scene.h - the inside of one run of a user's scenario, for the files of src/sim/scene*.c.
 *
 * The world happens in units: one thing (a delivery, an answer, a start, a cancel, time that passes, a
 * crash) is handed to the engine, and the engine is run until it rests. A process that dies in a unit
 * comes back within it, and what its death has cost an asker is asked again within it too, in no
 * virtual time. What the partner makes of new calls is decided when the unit is over, in the order of
 * (flow, life, step). Invariant: so a unit leaves the same behind, whatever happened in it.
 * Surprise: the world (the queue, the partner's memory of keys, what senders want) outlives the process. */
#ifndef FISH_SCENE_H
#define FISH_SCENE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "engine/msg.h"

#include <fish-sim.h>

/* ---- past: what is durable of each flow ---- */

struct published {
	const char       *name;
	const fish_msg   *value;
	struct published *next;
};

struct past {
	struct list  link;             /* in scene->pasts, in order of their START */
	struct id    id;
	char         text[ID_TEXT_SIZE];
	const char  *name;
	uint32_t     epoch, steps;     /* lives before this one; steps that a PROGRESS covers */
	bool         ended;
	enum end_status status;
	struct slice result;           /* of END: the result, or why */
	struct published *published;   /* in order of their names' first */
};

/* ---- events: what is due by itself ---- */

enum event_kind { EVENT_ANSWER, EVENT_DELIVERY };

struct event {
	struct heap_node node;         /* in scene->queue */
	enum event_kind  kind;
};

/* ---- asks: what somebody wants of the engine until he has heard ---- */

enum ask_kind { ASK_DELIVERY, ASK_START, ASK_CANCEL, ASK_SHOW };
enum ask_state { ASK_UNDER_WAY, ASK_LOST, ASK_TOLD };

struct ask {
	struct list     link;          /* in scene->asks until it is told */
	struct fish_sim *scene;
	enum ask_kind   kind;
	enum ask_state  state;
	int             rc;            /* what was told: a status or a code */
	const fish_msg *heard;         /* ASK_DELIVERY: the answer; ASK_SHOW: the JSON */
	const char     *why;           /* ASK_START that was refused */
	bool            gone_before;   /* ASK_CANCEL: of a flow that had ended when it was first asked */
	struct delivery delivery;
	struct start    start;
	struct cancel   cancel;
	struct show     show;
};

/* A delivery that comes by itself; copies and duplicates are more of these. */
struct parcel {
	struct event event;
	const char  *url, *message_id;
	struct slice meta, body;
	bool         overtaken;        /* once is enough */
};

/* ---- the partner ---- */

struct answer_rule {
	struct answer_rule *next;
	const char  *name;
	fish_sim_how how;
	uint32_t     used;
	int          status;
	struct slice json;
};

struct back_rule {
	struct back_rule *next;
	uint32_t      number;
	const char   *name, *pointer;
	fish_sim_back back;
	uint32_t      used;
	struct slice  json;
};

/* One call, whatever the number of its attempts: what the partner knows of a key. Its attempts come in
 * slots: a slot begins, has an outcome, and after a bad one the next begins a pause later. An attempt
 * that is made again because the process died falls into the slot it was made in, and hears the same. */
struct sent {
	struct event event;            /* the outcome of the slot, in the queue until it is told */
	struct attempt *attempt;       /* under way; NULL: none */
	bool        arrived;           /* … and not looked at yet */
	struct id   flow;
	uint32_t    epoch, step;
	const char *name;              /* "peer /path" */
	struct slice method, url, headers, body, key;
	const fish_msg *msg;           /* the body, for readers */
	int64_t     timeout_ms;
	bool        seen;              /* the partner knows of it: it is in scene->calls */
	bool        begun;             /* has a slot */
	bool        told;              /* the slot's outcome was */
	int         outcome;           /* status; 0: none came */
	int         outcome_told;      /* the last one that was no silence */
	const char *why;               /* … of status 0 */
	int64_t     due_ms;            /* of the outcome */
	int64_t     pause_ms;          /* after it */
	uint32_t    fails;             /* attempts yet that get fail_status */
	int         fail_status;
	int         status;            /* what it gets in the end, 0: nothing ever … */
	struct slice answer;
	int64_t     after_ms;
	int64_t     answer_ms;         /* … when; 0: not settled */
};

/* ---- the run ---- */

enum fault { FAULT_NONE, FAULT_LOST, FAULT_KEPT, FAULT_ROLLED_BACK };

struct fish_sim {
	const fish_sim_options *options;
	const fish_program *program;
	fish_peer      *peers;         /* as the program lists them, with names in place of "${NAME}" */
	fish_sender    *senders;       /* the same, but that nothing is signed */
	uint64_t        build;
	struct store   *store;
	struct engine  *engine;
	int64_t         now_ms;
	int64_t         zero_ms;       /* when the scenario began … */
	int64_t         begun_ms;      /* … and its last call */
	bool            loud;          /* somebody hears each event */
	uint64_t        chance;        /* the stream of faults */
	uint64_t        drawn, durable;/* flows that were given an id; that are durable */
	uint64_t        writes;
	uint64_t        write_no;      /* batch whose done goes through scene.c */
	size_t          unit_bytes;    /* written in this unit */
	bool            dying;         /* what askers hear now is a lost connection */
	bool            dead;          /* over a limit: nothing happens any more */
	bool            deployed;
	bool            failed;
	uint32_t        failures;
	uint64_t        events;        /* since the scenario last called */
	struct arena    arena;         /* all that lives as long as the scenario */
	struct msg     *parsed;
	struct buf      log;

	struct list     pasts;
	struct map      past_by_id;
	struct map      acked;         /* keys of durable deliveries */
	struct heap     queue;
	struct list     asks;
	uint64_t        starts, posts; /* so many were, for their names */
	const fish_msg *heard;
	struct answer_rule *answers;
	struct back_rule   *backs;
	uint32_t        nbacks;
	struct map      sent_by_key;
	struct sent   **arrived;       /* with a new attempt */
	size_t          narrived, arrived_cap;
	struct sent   **calls;         /* seen, in order of first sight */
	size_t          ncalls, calls_cap;
	struct work_item **works;
	size_t          nworks, works_cap;
};

/* scene.c: the engine and its seams, the process that dies and comes back, units. */
void     scene_open(fish_sim *s, const fish_sim_options *o);
void     scene_close(fish_sim *s);
void     scene_crash(fish_sim *s, enum fault how);
void     scene_rest(fish_sim *s);                          /* ends a unit */
/* The next thing that happens by itself, as a unit. False: none does by until_ms. */
bool     scene_step(fish_sim *s, int64_t until_ms);
void     scene_begin(fish_sim *s);                         /* first thing in what the scenario calls */
#define SCENE_EVER INT64_MAX
int64_t  scene_after(const fish_sim *s, int64_t ms);       /* so long from now; FISH_FOREVER is due never */

/* scene_fault.c: all chance, and what goes wrong. */
uint32_t   scene_below(fish_sim *s, uint32_t n);           /* 0 … n - 1 */
bool       scene_percent(fish_sim *s, uint32_t percent);   /* 0 draws nothing */
int64_t    scene_delay(fish_sim *s);
enum fault scene_fault(fish_sim *s);                       /* of the write that has just been submitted */
void       scene_entropy(void *owner, void *bytes, size_t len);

/* scene_peer.c */
fish_peer *scene_peers(struct arena *arena, const fish_program *p);
fish_sender *scene_senders(struct arena *arena, const fish_program *p);

/* scene_past.c */
void         past_commit(fish_sim *s, const struct store_commit *c);
struct past *past_find(const fish_sim *s, const struct id *id);
struct past *past_named(const fish_sim *s, const char *text);          /* by the text of its id */
bool         past_acked(const fish_sim *s, const struct delivery *d);

/* scene_ask.c */
struct ask *ask_new(fish_sim *s, enum ask_kind kind);
void        ask_unit(struct ask *a);                       /* hands it in, ends the unit */
bool        asks_again(fish_sim *s);                       /* those that were lost */
void        asks_lost(fish_sim *s);                        /* the process is dead */

/* scene_parcel.c */
struct parcel *parcel_new(fish_sim *s, const char *url, const fish_sim_delivery *d);   /* copies */
/* Into the queue so many times, as the faults have it; 0: once. */
void           parcel_copies(fish_sim *s, const struct parcel *p, uint32_t copies, int64_t after_ms);
void           parcel_send(fish_sim *s, struct parcel *p, int64_t after_ms);
void           parcel_due(fish_sim *s, struct parcel *p);
struct ask    *parcel_ask(fish_sim *s, const struct parcel *p);
void           parcel_duplicate(fish_sim *s, const struct parcel *p, const struct ask *a);
/* A header line as the journal has it: its name in lower case. */
void           header_put(struct buf *out, struct slice line);

/* scene_partner.c */
void partner_send(void *owner, struct attempt *a);
void partner_abandon(void *owner, struct attempt *a);
bool partner_again(fish_sim *s);       /* one whose outcome was told to a process that died */
void partner_look(fish_sim *s);        /* at all that is new */
void partner_due(fish_sim *s, struct sent *c);

/* scene_rule.c */
void rules_decide(fish_sim *s, struct sent *c);            /* what the call gets */
void rules_call_back(fish_sim *s, struct sent *c);
bool name_fits(const char *pattern, const char *name);

/* scene_work.c */
void scene_work(void *owner, struct work_item *w);
bool works_go(fish_sim *s);                                /* one of them */

/* scene_look.c */
const fish_msg *scene_msg(fish_sim *s, int status, struct slice meta, struct slice body);
struct slice    scene_keep(fish_sim *s, struct slice bytes);
const char     *scene_text(fish_sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The JSON of a template, kept. False: it was none, and the scenario has failed. */
bool scene_json(fish_sim *s, const char *verb, struct slice *ret, const char *json, va_list ap)
	__attribute__((format(printf, 4, 0)));

/* scene_voice.c: the only place that prints. */
void scene_say(fish_sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void scene_broken(fish_sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void scene_fail(fish_sim *s, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
void voice_tell(const fish_sim_options *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void voice_run(const fish_sim_options *o);                   /* one begins */
void voice_repeat(const fish_sim_options *o);                /* how to have this run again */
void voice_say(const fish_sim_options *o, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool voice_wanted(const fish_sim_options *o);

/* scene_report.c: what came of a run, to be compared. */
struct report;
struct report *report_new(fish_sim *s);
struct report *report_free(struct report *r);
/* NULL: the same; else words, for free(). */
char          *report_differs(const struct report *plain, const struct report *here);

/* scene_run.c */
/* One run, and what came of it. */
struct outcome {
	int            rc;             /* of fish_sim_run */
	uint64_t       writes;
	struct report *report;         /* the caller's to free */
};
void scene_run(const fish_sim_options *o, fish_sim_fn *scenario, void *arg, struct outcome *ret);

/* scene_each.c */
struct each_figures {
	uint64_t writes, runs;         /* writes of the plain run */
};
int scene_each_crash(const fish_sim_options *o, fish_sim_fn *scenario, void *arg, struct each_figures *ret);

#endif
