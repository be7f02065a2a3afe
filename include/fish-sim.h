/* fish-sim.h - tests of flows without a socket, a clock or a wait.
 *
 * A scenario is a C function that plays the world around the flows: it says how partners answer, posts
 * what senders post, lets time pass and looks at what came of it. It meets the real engine over a
 * store in memory, in virtual time, in microseconds. fish_sim_each_crash runs it once for each write
 * of the journal, lets the process die there, recovers, and compares. docs/testing.md shows how.
 *
 *     static void paid(fish_sim *s, void *arg)
 *     {
 *             fish_sim_answer(s, "stripe /v1/intents", NULL, 200, "{id: 'pi_1'}");
 *             fish_sim_call_back(s, "stripe /v1/intents", "/callback",
 *                                &(fish_sim_back){ .after_ms = 3 * FISH_SECOND }, "{paid: true}");
 *             const char *id = fish_sim_start(s, "pay", "{order: '7'}");
 *             fish_sim_ends(s, id, "{order: '7', paid: true}");
 *     }
 *
 *     int main(void)
 *     {
 *             return fish_sim_each_crash(&(fish_sim_options){ .program = &program }, paid, NULL);
 *     }
 *
 * Link with libfish-sim in place of libfish: it holds all of that too. Each function tells its six facts in
 * the form of fish.h; "Fails the scenario" is to be told on stderr and by the result of the run, and the
 * scenario goes on. All are for the scenario's thread only, and none may be called from inside a flow.
 *
 * Things happen one at a time, and after each the flows run until they rest. In one millisecond the
 * deadlines of flows come first, then what the world does, in the order in which that became due. A
 * crash takes no time. Functions of fish_work take none either, and run in the scenario's thread. In peers
 * "${NAME}" reads as NAME: the environment has no say in a test.
 *
 * s: the simulator, as the scenario was given it. json, ...: a JSON template as in fish.h. id: a flow's, as
 * fish_sim_start gave it. */
#ifndef FISH_SIM_PUBLIC_H
#define FISH_SIM_PUBLIC_H

#include <fish.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

typedef struct fish_sim fish_sim;
typedef void fish_sim_fn(fish_sim *s, void *arg);

/* Zero is the default: nothing goes wrong, and nothing is left to chance. The faults are drawn from the
 * seed, so one seed is one history. In each_crash leave them at zero: there the same must come out. */
typedef struct fish_sim_options {
	const fish_program *program;
	const char *name;                /* of the scenario, in what is told of it; NULL: none */
	uint64_t    seed;                /* of ids and faults */
	int64_t     now_ms;              /* the clock at first, unix ms; 0: 2030-01-01 00:00 UTC */
	bool        park;                /* flows park at each wait */
	uint32_t    crash_at;            /* the process dies at this write of the journal, from 1; 0: at none */
	bool        crash_keeps;         /* … and the write is durable, though nobody was told */
	uint32_t    store_fails_at;      /* this write is rolled back, as on a full disk; 0: none is */
	uint32_t    crash_percent;       /* of writes: the process dies there */
	uint32_t    store_fails_percent; /* of writes: rolled back, as on a full disk */
	uint32_t    duplicate_percent;   /* of deliveries that got 2xx: sent once more, later */
	uint32_t    reorder_percent;     /* of deliveries by fish_sim_call_back: overtaken by the next one */
	uint32_t    drop_percent;        /* of deliveries by fish_sim_call_back: never sent */
	int64_t     delay_ms;            /* each delivery comes up to so much later */
	uint32_t    call_fails_percent;  /* of attempts of calls: connection lost, half of them after the partner has seen them */
	/* Told each event, for a person; NULL: silence, or stderr when FISH_SIM_SAY is set in the environment. */
	void      (*say)(void *owner, const char *line);
	void       *owner;
	const void *reserved[4];         /* the first is for Fish's own tests */
} fish_sim_options;

/* ---- running a scenario ----
 * o: what goes wrong; its program is kept, the rest copied. scenario: plays the world. arg: handed to it.
 * Records what the flows do, in memory. */

/* Runs scenario(s, arg) once, with the faults that o asks for. Result: 0: every fish_sim_check held, no
 * flow diverged from its own journal, and no promise of Fish was broken; 1: not, and stderr has said what,
 * and how to have this run again. Fit for main's return.
 * Fails: by its result. */
int fish_sim_run(const fish_sim_options *o, fish_sim_fn *scenario, void *arg) FISH_USE;

/* Runs the scenario, which must begin each run alike, twice plainly, then for each write of the journal three times over: the process dies
 * there and the write is lost; dies and it is kept; the write is rolled back. All of that again with
 * flows parked at each wait. Each time every flow must end as it did, or stand where it stood, publish
 * the same, and send the same calls in the same order with the same bodies (a call that was in doubt
 * may be repeated); the first run that differs is told with its write and both sides. Not compared are lines
 * of the log, which a crash takes along, and how often the effects of fish_once and fish_work ran. Else like fish_sim_run. */
int fish_sim_each_crash(const fish_sim_options *o, fish_sim_fn *scenario, void *arg) FISH_USE;

/* Runs the scenario under several seeds, with o's faults; ends with the first that breaks, which is told
 * with its seed. n: how many seeds, from o->seed on. Else like fish_sim_run. */
int fish_sim_each_seed(const fish_sim_options *o, uint64_t n, fish_sim_fn *scenario, void *arg) FISH_USE;

/* ---- partners: what answers the flows' calls ----
 * A call is named as fish_name names it, "peer /path"; '*' at the end of a name stands for any rest. A call
 * that nothing answers gets 200 and null. The first attempt of a call (by its Idempotency-Key) decides
 * what it gets, and every later one gets the same, as from a partner that knows its keys. */

typedef struct fish_sim_how {
	uint32_t    calls;               /* this rule answers so many calls, then it is used up; 0: all */
	int64_t     after_ms;            /* the answer takes so long */
	uint32_t    fails;               /* the first attempts of each call get fail_status */
	int         fail_status;         /* 0: 503; -1: connection lost */
	const void *reserved[4];
} fish_sim_how;

/* From now on calls of that name are answered with status and the template. Of several rules the oldest
 * that fits and is not used up counts. It lasts as long as the scenario. call: their name. how: in which
 * way, is copied; NULL: at once, all. status: of the answer, 200 to 599; 0: none ever comes. Records nothing.
 * Fails the scenario: the template, the status. */
void fish_sim_answer(fish_sim *s, const char *call, const fish_sim_how *how, int status, const char *json, ...)
	FISH_PRINTF(5);

typedef struct fish_sim_back {
	uint32_t    calls;               /* for so many calls; 0: for all */
	int64_t     after_ms;            /* the first delivery comes so long after the call */
	uint32_t    times;               /* so many deliveries, each with a message id of its own; 0: one */
	int64_t     every_ms;            /* between them */
	uint32_t    copies;              /* each is sent so often, under one id; 0: once */
	const void *reserved[4];
} fish_sim_back;

/* From now on each call of that name has a URL that stands in its body posted to with the template. Each
 * delivery is sent again until it hears something else than 503 or 429. It lasts as long as the scenario.
 * call: their name. pointer: where in the body, a JSON Pointer. back: in which way, is copied; NULL: at
 * once, one. Records what deliveries do. Fails the scenario: the template, a body without a URL there. */
void fish_sim_call_back(fish_sim *s, const char *call, const char *pointer, const fish_sim_back *back,
                        const char *json, ...) FISH_PRINTF(5);

/* ---- what the world does ---- */

/* Starts a flow of the program with the template as its input; asks until it is durable. flow: its name in
 * the program's list. Result: its id. Lives as long as the scenario. Records START. Fails the scenario: no
 * such flow, the template. */
const char *fish_sim_start(fish_sim *s, const char *flow, const char *json, ...) FISH_PRINTF(3) FISH_NONNULL;

/* Posts the template to a hook's URL, as application/json, until somebody has answered; lets time pass while
 * the sender is held for a reply. url: the hook's, or "/in/" and the name of a door. message_id: of the delivery; NULL: one that is never
 * used again. Result: the status; 0 after a failure. Records what a delivery does. Fails the scenario: the
 * template. */
int fish_sim_post(fish_sim *s, const char *url, const char *message_id, const char *json, ...) FISH_PRINTF(4);

/* Any delivery; zero is the default. */
typedef struct fish_sim_delivery {
	const char        *message_id;   /* NULL: one that is never used again */
	const char        *method;       /* NULL: POST */
	const char        *query;        /* what would stand behind the '?'; NULL: nothing */
	const char *const *headers;      /* "Name: value", NULL at the end; NULL: a Content-Type of JSON */
	const void        *body;
	size_t             len;
	const void        *reserved[4];
} fish_sim_delivery;

/* Posts like fish_sim_post with any headers and body, bytes as they are. d: is copied. Fails the scenario:
 * a header that is none. */
int fish_sim_post_with(fish_sim *s, const char *url, const fish_sim_delivery *d);

/* Gives what the last fish_sim_post heard. Result: its status, and the headers and body that fish_reply or
 * fish_reply_with gave; NULL: none was posted. Lives as long as the scenario. Records nothing. Cannot fail. */
const fish_msg *fish_sim_heard(const fish_sim *s);

/* Cancels a flow. Result: 0. Records CANCEL. Fails: FISH_ENOTFOUND: no such flow; FISH_EGONE: it has
 * ended. */
int fish_sim_cancel(fish_sim *s, const char *id);

/* Lets time pass, with all that is due in it. ms: so much; 0: only what can be done at once. Records what
 * happens meanwhile. Cannot fail. */
void fish_sim_pass(fish_sim *s, int64_t ms);

/* Lets all happen that will happen by itself: until nothing is due any more. Records what happens
 * meanwhile. Fails the scenario: after 100 virtual years or 1,000,000 events, as do all that let time pass
 * "until", or when flows do not come to rest in one millisecond; then nothing more happens in it. */
void fish_sim_settle(fish_sim *s);

/* Tells the virtual clock. Result: Unix time in ms. Records nothing. Cannot fail. */
int64_t fish_sim_now(const fish_sim *s);

/* Lets the process die here and come back: what was not durable is gone. Records nothing. Cannot fail. */
void fish_sim_crash(fish_sim *s);

/* Deploys: like fish_sim_crash, and from then on another program runs, as a new build. program: must stay,
 * with all it points at. */
void fish_sim_deploy(fish_sim *s, const fish_program *program);

/* Parks every flow that rests. Records nothing. Cannot fail. */
void fish_sim_park(fish_sim *s);

/* ---- looking ----
 * Lives as long as the scenario. Records nothing itself. Cannot fail. */

/* Gives the body of a call; lets time pass until it has come. call: its name. n: the n-th, from 0, each
 * counted once however often it was sent. Result: it reads with fish_str, fish_int …; NULL: it never
 * comes. */
const fish_msg *fish_sim_call(fish_sim *s, const char *call, size_t n);

/* Counts the calls of a name. call: the name. Result: how many have been sent so far, each counted once. */
size_t fish_sim_calls(const fish_sim *s, const char *call);

/* Gives the URL of a flow's open hook; lets time pass until there is one. hook: its name. Result: the URL.
 * Fails the scenario: there never is one. */
const char *fish_sim_url(fish_sim *s, const char *id, const char *hook) FISH_NONNULL;

/* Lets time pass until that flow has ended, or nothing more will happen. ret_end: gets its result as a
 * message's body, or why as a JSON string, or null; may be NULL. Result: 0: done. Lives as long as the
 * scenario: what ret_end got. Fails: FISH_EFAILED, FISH_ECANCELLED, FISH_ESTOPPED; FISH_ETIMEOUT: it waits for
 * what never comes. */
int fish_sim_wait(fish_sim *s, const char *id, const fish_msg **ret_end);

/* Gives what that flow has published by now. name: under this name. Result: as a message's body; NULL: nothing. */
const fish_msg *fish_sim_published(fish_sim *s, const char *id, const char *name);

/* Gives all that `show` would print of that flow. Result: JSON. */
const char *fish_sim_show(fish_sim *s, const char *id) FISH_NONNULL;

/* Gives all lines that flows have logged so far. Result: the lines, each with its '\n'; those of a
 * process that died before it could print them are lost, so this is nothing to check in
 * fish_sim_each_crash. Lives until the next call of the simulator. */
const char *fish_sim_log(const fish_sim *s) FISH_NONNULL;

/* ---- judging ---- */

/* Checks that a flow ends as done with a result equal to the template, compared as JSON. Lets time pass like
 * fish_sim_wait. Records what happens meanwhile. Fails the scenario: unless it does; it goes on. */
void fish_sim_ends(fish_sim *s, const char *id, const char *json, ...) FISH_PRINTF(3);

/* Says that the scenario does not hold; it goes on. why, ...: a printf text, the reason. Records nothing.
 * Fails the scenario: always. */
void fish_sim_fail(fish_sim *s, const char *why, ...) FISH_PRINTF(2);

/* void fish_sim_check(fish_sim *s, bool cond): checks what must be true; says where, and what cond was. cond:
 * evaluated once. Records nothing. Fails the scenario: unless cond is true; it goes on. */
#define fish_sim_check(s, cond) \
	((cond) ? (void)0 : fish_sim_fail((s), "%s:%d: %s", __FILE__, __LINE__, #cond))

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
