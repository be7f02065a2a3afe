/* run.h - one run of a flow's function: a coroutine that is answered from the journal.
 *
 * A run is a pure function of the entries fed to it. A step takes the next number, is held against
 * what PROGRESS recorded, and finds its answer in an inbox or blocks. Below the border (the steps of
 * the last PROGRESS) nothing new is asked of the world. Invariant: the live path appends its answer
 * and then takes it through the journal: live and replay are one code path.
 * Surprise: the struct lives on after its coroutine: a returned run waits for its calls. */
#ifndef FISH_RUN_H
#define FISH_RUN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "engine/act.h"
#include "engine/call.h"
#include "engine/co.h"
#include "engine/fetch.h"
#include "engine/flow.h"
#include "engine/msg.h"

#include <stdarg.h>

/* Untaken messages of one source, oldest first. A message may come before its step is reached. What
 * comes to a closing flow goes to an inbox of its own, which no wait looks at. */
enum inbox_reach { INBOX_OPEN, INBOX_LATE };
struct inbox {
	struct msg *first, **tail;
	enum source source;
	uint32_t    number;
	uint64_t    received;      /* also those taken */
	uint64_t    closed_seq;    /* SOURCE_HOOK: where the journal closed it; 0: it did not */
	bool        asked;         /* SOURCE_CALL: the code has asked for the call */
	struct msg *held;          /* the last one taken, if it passes: the flow may read it */
	struct inbox *spare;       /* in run->spare_inboxes */
};

struct fish_hook {
	struct run *run;
	enum source source;
	uint32_t    number;        /* hook number, or the step that made it */
	const char *name;
	const char *url;           /* made when first asked for */
	struct inbox *inbox;       /* found when first asked for */
	bool        closed;        /* as the code has seen it */
	struct fish_hook *next;    /* the run's chain */
};

struct timer {                     /* not yet rung */
	uint32_t      step;
	int64_t       due_ms;
	struct timer *next;
};

struct progress {
	uint32_t step;
	uint64_t digest;
	uint64_t build;
	int64_t  time_ms;
};

struct held_call {                 /* asked for below the border, to be sent once that has matched */
	struct call_request request;
	fish_peer           peer;       /* what request.to points at; its strings are in the arena */
	struct held_call   *next;
};

struct patch {                     /* the answer of fish_patch for a name */
	const char   *name;
	bool          answer;
	struct patch *next;
};

/* An open hook that RENEW carried over, until it is spawned again. */
struct carried {
	uint32_t        number;
	const char     *name;
	struct carried *next;
};

struct deferred {
	void (*fn)(void *arg);
	void *arg;
	struct deferred *next;
};

#define RUN_UNWRITTEN UINT64_MAX

struct run {
	struct flow   *flow;            /* a dropped run may outlive it … */
	struct id      id;              /* … but not its id */
	struct engine *engine;
	struct co     *co;              /* NULL: not begun, or over */
	struct arena   arena;
	struct msg    *input;
	struct msg    *parsed;          /* chain of messages with json */
	struct list    passing;         /* messages that go before the run does: see release.c */
	struct inbox  *spare_inboxes;   /* of waits that are over … */
	struct msg    *spare_msgs;      /* … and their TIMEOUTs: used again */
	struct buf     label;           /* of the wait that is begun */
	struct map     inboxes;         /* by (source, number) */
	struct fish_hook *hooks;
	uint32_t       epoch;
	uint32_t       hook_next;       /* number of the next hook */
	uint32_t       steps;           /* begun so far; the present one is steps - 1 */
	uint32_t       taken;           /* … since it was last given the CPU */
	uint32_t       border;          /* steps that the last PROGRESS covers */
	uint64_t       digest;
	int64_t        now_ms;          /* fish_now */
	uint64_t       random_next;
	struct buf     recorded;        /* packed steps of all PROGRESS fed before the run began */
	struct slice   recorded_rest;   /* not yet compared */
	struct buf     fresh;           /* packed steps since the last PROGRESS */
	struct progress *progress;      /* the PROGRESS of this epoch, but those that a running code has passed */
	size_t         nprogress, progress_cap;
	size_t         progress_at;     /* first that covers the present step; nprogress: none does */
	struct timer  *timers;
	uint32_t       doubt;           /* calls asked for and not answered */
	uint32_t       untaken;         /* deliveries in inboxes */
	struct held_call *held;
	const fish_msg **gathered;      /* what the wait it is in has taken so far, NULL where nothing is; NULL: in none */
	size_t         ngathered;
	struct deferred  *deferred;
	bool           deferring;       /* they are being run: the flow's code itself does not go on */
	struct patch  *patches;
	uint32_t       npatches;        /* of them true */
	uint32_t       patch_asks;      /* since the last step */
	struct carried *carried;
	const char    *once;            /* fish_once has handed over: its name; NULL: not */
	const void    *once_result;     /* … and the place of its result */
	uint32_t       act_open;        /* the step of that number, from 1, rested with its act not done; 0: none */
	bool           needs;           /* waits for a flow that a step acts on … */
	struct wanted  need;            /* … to be in memory */
	bool           need_lives;      /* it does */
	size_t         works;           /* on threads, that read this run's memory */
	bool           dropped;         /* only its works keep it */
	bool           asked_cancelled; /* has a hook for CANCEL */
	bool           cancelled;       /* CANCEL was fed */
	bool           out_of_time;     /* … and its second, that ends the grace: the code goes no further */
	bool           renews;          /* returned into another life */
	bool           awaits;          /* goes on only when its PROGRESS is durable … */
	uint64_t       awaited;         /* … by this batch; RUN_UNWRITTEN: it is not written yet */
	struct list    acts;            /* what its steps do to other flows, in order: see act.h */
	int64_t        wait_due_ms;     /* deadline of the wait it is in; INT64_MAX: none */
	bool           waits;
	bool           paused;          /* interrupted at the end of a step: in engine->paused, or ->ready again */
	bool           begun;           /* feeding is over, the function runs */
	bool           effects;         /* calls were asked for since the flow last came to rest */
	enum entry_rest rest;           /* as the last PROGRESS says */
	bool           closing;         /* a PROGRESS says that the function goes no further */
	bool           returned;        /* done, failed, or its function returned */
	enum end_status end_status;
	struct slice   end_result;      /* in the arena */
	const void    *at;              /* return address of the last public function called */
	const char    *stop_why;        /* not NULL: diverged or misuse */
	bool           misused;         /* … misuse, found before the step was begun */
};

static inline struct run *run_of(fish_flow *f) { return (struct run *)(void *)f; }

struct run *run_new(struct flow *f);
size_t      run_memory(const struct run *r);         /* about: stack, arena, what is kept of its journal */
struct run *run_drop(struct run *r);                 /* deferred in reverse, stack, arena; returns NULL */
void        run_feed(struct run *r, const struct entry *e, uint64_t seq);
/* Runs to rest: waiting, ended or stopped, with PROGRESS appended and held calls let out. The flow
 * goes to FLOW_WAITING, FLOW_ENDED or FLOW_STOPPED; FLOW_READY when there is no memory for a stack. */
void        run_go(struct run *r);

/* For the api files; all run on the coroutine. */
struct step {
	enum step_kind kind;
	const char    *label;
	uint64_t       content;      /* hash of bytes that belong to the step (a call's, the hooks of a wait); 0: none */
};
void          run_step(struct run *r, const struct step *s);     /* begins the next step; may not return (diverged) */
/* Ends the step, last thing in each function that takes one: others may run before it returns, and it does
 * not return when the flow was cut short there. */
void          run_step_end(struct run *r);
void          run_queue(struct run *r);                          /* a paused run: goes on in a later turn */
void          run_block(struct run *r);                          /* until there is news */
/* For a step that acts on that flow, which may be parked: returns when it is in memory, or known not to
 * live. label: the step's. True: the act is to be done now; false: it was. */
bool          run_acts(struct run *r, const struct id *id, const char *label);
/* The same for an act that says what came of it. Opens: the act is to be made now; then the outcome is waited for. */
bool          run_act_opens(struct run *r, const struct id *id);
enum act_outcome run_act_outcome(struct run *r);
struct slice  run_label(const char *label);                      /* as PROGRESS keeps it */
void          run_work_over(struct run *r);                      /* one of its works has returned: frees a dropped run */
void          run_patch_keep(struct run *r, struct slice name, bool answer);
__attribute__((noreturn, format(printf, 2, 3))) void run_misuse(struct run *r, const char *fmt, ...);
/* For who cannot be stopped any more: what is deferred. Says so, and ends the process. */
__attribute__((noreturn)) void run_deferred_misuse(struct run *r, const char *what);
__attribute__((noreturn, format(printf, 2, 3))) void run_diverge(struct run *r, const char *fmt, ...);
__attribute__((noreturn)) void run_return(struct run *r, enum end_status status, struct slice result);
uint32_t      run_index(const struct run *r);                    /* of the present step */
bool          run_live(const struct run *r);                     /* the present step may wait and record */
/* … and this run is to go on: else a wait blocks, and the flow is cut short when it rests. */
bool          run_answers(const struct run *r);
/* Notes where in the user's code the present call is, for reports; first thing in each public function. */
#define RUN_AT(r)  run_at((r), __builtin_return_address(0))
void          run_at(struct run *r, const void *return_address);
/* The same for a function that has a hook instead of a flow: its run. NULL is misuse of the flow on the CPU. */
#define RUN_OF_HOOK(h, verb)  run_of_hook((h), (verb), __builtin_return_address(0))
struct run   *run_of_hook(const fish_hook *h, const char *verb, const void *return_address)
	__attribute__((returns_nonnull));
void          run_here(struct run *r);                           /* misuse of the flow on the CPU, unless it is this one */
bool          run_recorded(const struct run *r);                 /* the present step was begun before: its effects are out */
int64_t       run_reached(struct run *r);                        /* when the present step was first reached */
struct inbox *run_inbox(struct run *r, enum source source, uint32_t number);
size_t        run_waiting_at(const struct run *r, uint32_t hook);    /* messages of that hook that nobody has taken */
struct inbox *run_inbox_of(const fish_hook *h);                  /* the same for a hook, found but once */
fish_hook    *run_hook_new(struct run *r, enum source source, uint32_t number, const char *name);
struct msg   *run_take(struct run *r, struct inbox *in);         /* its oldest message; time goes with it */
void          run_give_back(struct run *r);                      /* a gather is given up: its deliveries are untaken again */
void          run_timer_remove(struct run *r, uint32_t step);
/* release.c: memory that goes before the run does. */
bool          run_passes(const struct run *r, const struct entry *e);           /* is it a message that does? */
struct msg   *run_passing_new(struct run *r, const struct entry *e);
void          run_passing_free(struct run *r);                                  /* all of them */
void          run_took(struct run *r, struct inbox *in, struct msg *m);         /* out of in: the one before may go */
struct inbox *run_spare_inbox(struct run *r);                                   /* zeroed */
struct msg   *run_spare_msg(struct run *r);                                     /* zeroed */
void          run_wait_over(struct run *r, struct inbox *in, struct msg *rang); /* a wait's own; rang may be NULL */
void          run_inbox_remove(struct run *r, struct inbox *in);                /* nothing finds it any more */
/* A call asked for below the border: let out once that has matched, unless its answer is there or it
 * is under way. */
void          run_hold(struct run *r, const struct call_request *q);
/* The URL of a hook; misuse for one that has none. */
const char   *run_hook_url(const fish_hook *h);
/* The path of the hook whose delivery began this flow; "" when it began otherwise. */
const char   *run_input_path(struct run *r);
/* The JSON of a template, in the arena; misuse, naming verb, when it does not come out as JSON. */
struct slice  run_template(struct run *r, const char *verb, const char *json, va_list ap)
	__attribute__((format(printf, 3, 0)));
/* What the program wants told, checked, in the run's memory but for its body. Misuse does not return. */
struct reply  run_response(struct run *r, const char *verb, const fish_response *a);
void          run_renew(struct run *r);                          /* RENEW; the run is gone after it */
/* Packed sequence numbers of deliveries that open hooks hold, in order, for RENEW. */
void          run_untaken_seqs(struct run *r, struct buf *out);
/* Packed MESSAGE entries of deliveries nobody took, for the ended row. */
void          run_untaken(struct run *r, struct buf *out);

#endif
