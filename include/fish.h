/* fish.h - C programs that await webhooks and callbacks in straight-line code, and lose nothing.
 *
 * A flow is a C function that is re-run from the top with the same answers after a crash, a deploy
 * or a while on disk. What it may not do itself (read a clock, draw chance, wait, call out) it asks
 * of Fish. A call that takes a flow or a hook and can wait or record is a step: one per statement.
 *
 * Nothing here returns what a flow cannot act on: when the store is away, memory is short or the
 * server stops, the flow's stack is dropped and the flow is re-run later. What is left is news of
 * the world: NULL (nobody came in time, or closed) and a status. */
#ifndef FISH_H
#define FISH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FISH_PRINTF(n)  __attribute__((format(printf, n, (n) + 1)))
#define FISH_NORETURN   __attribute__((noreturn))
#define FISH_NONNULL    __attribute__((returns_nonnull))
#define FISH_USE        __attribute__((warn_unused_result))

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)      /* the library itself is built with hidden symbols */

/* Durations are milliseconds. */
#define FISH_SECOND  INT64_C(1000)
#define FISH_MINUTE  (60 * FISH_SECOND)
#define FISH_HOUR    (60 * FISH_MINUTE)
#define FISH_DAY     (24 * FISH_HOUR)
#define FISH_FOREVER INT64_MAX

#define FISH_ID_SIZE  32      /* a flow's id as text, with its NUL */
#define FISH_ERR_SIZE 256

enum fish_code {
	FISH_OK        = 0,
	FISH_EINVAL    = -1,      /* an argument or a flag is not as it must be */
	FISH_ENOTFOUND = -2,      /* no such flow, hook or file */
	FISH_EGONE     = -3,      /* it was there and has ended or closed */
	FISH_ETOOBIG   = -4,      /* over a limit */
	FISH_EBUSY     = -5,      /* somebody else has it, or too much is under way: try later */
	FISH_ESTORE    = -6,      /* the store is away: nothing was kept */
	FISH_EIO       = -7,      /* the operating system refused */
	FISH_ETIMEOUT  = -8,      /* not in time */
	FISH_EFORMAT   = -9,      /* bytes that are not what they should be */
	FISH_ESTOPPED  = -10,     /* the flow stands still: diverged or misuse */
	FISH_EFAILED   = -11,     /* the flow ended by fish_fail */
	FISH_ECANCELLED = -12,    /* the flow was cancelled */
};

struct json_t;                                                   /* jansson's */
typedef struct fish_flow fish_flow;
typedef struct fish_hook fish_hook;
typedef struct fish_msg fish_msg;

/* A flow: runs as a coroutine, and again from the top with the same answers whenever it must.
 * in is its input. To return is fish_done(f, "null"). */
typedef void fish_fn(fish_flow *f, const fish_msg *in);

/* Anything that arrives at a hook, and a flow's input. Lives as long as the flow's run, like all that
 * Fish hands out: a flow frees nothing. status: of a call's answer, 0 when none ever came; of a child
 * 200 done, 500 failed, 499 cancelled; 200 for everything else. */
struct fish_msg {
	const char *body;         /* bytes as they came; a NUL stands behind them */
	size_t      len;
	int         status;
	fish_hook  *hook;         /* NULL for a flow's input */
};

/* An HTTP partner. Copied at the call. "${NAME}" in the strings is expanded from the environment once,
 * at start, and only in the peers that the program lists. url, token and secret are no part of what a
 * replay compares: a partner may move and a secret be rotated under a waiting flow. */
typedef struct fish_peer {
	const char *name;         /* in labels and logs */
	const char *url;          /* base: a call's path is put behind it */
	const char *token;        /* sent as "Authorization: Bearer"; NULL: none */
	const char *secret;       /* calls are signed with it (Standard Webhooks v1, "whsec_…" or raw bytes); NULL: not */
	int64_t     timeout_ms;   /* of one attempt; 0: 30 s */
	int64_t     give_up_ms;   /* of all attempts together; 0: 1 day */
	const void *reserved[4];
} fish_peer;

typedef struct fish_request {
	const fish_peer   *to;
	const char        *method;       /* NULL: POST */
	const char        *path;         /* "" or "/…", no blanks */
	const char *const *headers;      /* "Name: value", NULL at the end; NULL: none */
	const void        *body;         /* sent as it is */
	size_t             len;
	const void        *reserved[4];
} fish_request;

/*
 * Each function says: effect; arguments; result; how long that lives; what it records; how it fails.
 * "The run" is the time from one (re-)start of the flow's function to its parking or end. "Misuse"
 * stops the flow, visibly, with the reason; nothing is lost, and a mended build goes on.
 *
 * JSON templates (every const char *json, ...) are printf formats, so the compiler checks them:
 * bare keys; strings in 'single quotes'; %s a quoted and escaped string (NULL is null); %-s exactly one
 * JSON value, checked by itself (NULL is null); %d %i %u with hh h l ll z j t, and %g %f %e, numbers.
 * What does not come out as valid JSON is misuse.
 */

/* ---- hooks: what a flow can wait on ---- */

/* Opens a hook and, with it, a URL. name: 1 to 200 bytes, for labels, `show` and the log; no other hook
 * of that name may be open. The handle lives as long as the run. Records HOOK, so that the door knows
 * the URL from the commit that lets it out. Deliveries are kept from then on, read or not. Misuse: name. */
fish_hook *fish_spawn(fish_flow *f, const char *name) FISH_NONNULL;

/* What a hook may do beyond keeping what comes; zero is the default. */
typedef struct fish_hook_options {
	int64_t     expires_ms;      /* closes itself so long after the spawn was first reached; 0: never */
	uint32_t    shots;           /* closes itself with so many deliveries; 0: any number */
	bool        json;            /* takes only what the readers can read (JSON or a form); others hear 400 */
	int64_t     reply_ms;        /* holds each sender so long for fish_reply; 0: 200 at once */
	int         reply_status;    /* what it hears when no reply came in time; 0: 202 */
	const char *reply_json;      /* the body of that; NULL: empty */
	const void *reserved[6];
} fish_hook_options;

/* fish_spawn with options, which are copied (NULL: none). Records them in HOOK; a re-run goes by what was
 * recorded. A hook that closes itself hands out what it holds first. Misuse: as fish_spawn; negative
 * times, reply_status that is no status, reply_json that is not one JSON value. */
fish_hook *fish_spawn_with(fish_flow *f, const char *name, const fish_hook_options *o) FISH_NONNULL;

/* Answers the sender that is held for m, a delivery of a hook with reply_ms: status (200 to 599) and the
 * template as its body. It leaves when REPLY is durable; a sender that has gone, or was answered by the
 * fallback, hears it when it sends the same message id again. Records REPLY. Misuse: m is no such
 * delivery, or was replied to; the status; the template. */
void fish_reply(fish_flow *f, const fish_msg *m, int status, const char *json, ...) FISH_PRINTF(4);

/* The URL of a spawned hook: the public URL, "/h/" and a token that nobody can forge. No step, records
 * nothing. Lives as long as the run; always the same in a flow's life. Misuse: a timer, call or child. */
const char *fish_url(const fish_hook *h) FISH_NONNULL;

/* The hook's name; of a timer "timer", of a call "peer /path", of a child its flow. No step. Lives as
 * long as the run. Cannot fail. */
const char *fish_name(const fish_hook *h) FISH_NONNULL;

/* The hook's next message in order of arrival; waits for it up to timeout_ms (ms; 0 or less looks once,
 * FISH_FOREVER never ends). The deadline counts from when the step was first reached and survives
 * restarts. NULL: time ran out, or the hook is closed and empty. Lives as long as the run. Records
 * nothing for a message (it is in the journal), TIMEOUT for NULL. Misuse: a hook of another run. */
const fish_msg *fish_next(fish_hook *h, int64_t timeout_ms);

/* The oldest message of any of the n hooks; m->hook tells whose. NULLs among hooks and closed hooks
 * without messages are skipped. The losers keep what they hold. Else like fish_next; NULL when all are
 * closed and empty. */
const fish_msg *fish_any_of(fish_flow *f, int64_t timeout_ms, fish_hook *const *hooks, size_t n);

/* One message from each of need out of n hooks: ret[i] is that of hooks[i] or NULL. Ends early when
 * time runs out or no open hook is left. Returns how many came. Else like fish_any_of. */
size_t fish_gather(fish_flow *f, int64_t timeout_ms, fish_hook *const *hooks, size_t n, size_t need,
                   const fish_msg **ret);

/* Each delivery to h, also those that came before, starts a child flow with it as input, in the same
 * commit; the calling flow is not woken for it. flow must be in the program's list. Returns when h is
 * closed. Records HOOK, then one CHILDREN a commit. Misuse: not a spawned hook, an unlisted flow. */
void fish_each(fish_hook *h, fish_fn *flow);

/* Has h been closed, by the flow, its options or a cancel, as far as the flow has seen? No step. */
bool fish_closed(const fish_hook *h);

/* Closes h: its URL answers 410 from this commit on, what has come stays to be taken, a timer does not
 * ring. Closing twice is harmless. Records CLOSED. Cannot fail. */
void fish_close(fish_hook *h);

/* ---- what hands back a hook: closed after its one message ---- */

/* A hook that gets an empty message after after_ms (ms; FISH_FOREVER: never), counted from when the
 * step was first reached, restarts or not. Lives as long as the run. Records MESSAGE when it rings. */
fish_hook *fish_timer(fish_flow *f, int64_t after_ms) FISH_NONNULL;

/* Starts flow as a child with the template as its input. Its message is its end: status 200 and the
 * result, 500 and why, or 499. A child ends with its parent, and a parent not before its children.
 * Records CHILDREN, and MESSAGE at its end. Misuse: an unlisted flow, the template. */
fish_hook *fish_child(fish_flow *f, fish_fn *flow, const char *json, ...) FISH_PRINTF(3) FISH_NONNULL;

/* Like fish_post without the wait: the hook's message is the answer. */
fish_hook *fish_send(fish_flow *f, const fish_peer *to, const char *path, const char *json, ...)
	FISH_PRINTF(4) FISH_NONNULL;

/* Like fish_call without the wait. */
fish_hook *fish_send_with(fish_flow *f, const fish_request *r) FISH_NONNULL;

/* A hook whose one message says that somebody cancelled this flow. A flow that asked for it has 30 s
 * from then on to wind up and end by itself; then it is dropped. One that never asks is dropped when
 * it next waits. Lives as long as the run. Records nothing; CANCEL is the canceller's. */
fish_hook *fish_cancelled(fish_flow *f) FISH_NONNULL;

/* Cancels a child, or gives up a call after the attempt under way; the hook still gets its one message
 * (a child's status 499, a call's last status or 0). A timer is closed. Ended ones are left alone.
 * Records CANCEL in the child. Misuse: a hook with a URL, which is closed by fish_close. */
void fish_cancel(fish_hook *child_or_call);

/* ---- calls out and sleeping ---- */

/* POSTs the template to the peer as application/json and waits for the answer. It leaves after all
 * before it is durable, at least once, always with one Idempotency-Key and the same bytes. 5xx, 408,
 * 429 and lost connections are tried again with growing pauses until give_up_ms; other answers are
 * final. Never NULL: status 0 when no answer ever came. Lives as long as the run. Records MESSAGE.
 * Misuse: a peer without name or URL, a path that does not begin with '/', the template. */
const fish_msg *fish_post(fish_flow *f, const fish_peer *to, const char *path, const char *json, ...)
	FISH_PRINTF(4) FISH_NONNULL;

/* Like fish_post with any method, headers (no Idempotency-Key or Authorization needed: they are added)
 * and body, bytes as they are. */
const fish_msg *fish_call(fish_flow *f, const fish_request *r) FISH_NONNULL;

/* Waits ms milliseconds from when the step was first reached; 0 or less not at all. Records TIMEOUT. */
void fish_sleep(fish_flow *f, int64_t ms);

/* Runs the user's own effect and records what it gave: while (fish_once(f, "charge", &r, sizeof r))
 * r = charge();  true: do it now, and come back; false: *result holds what was recorded. name: for the
 * log and the journal. result, size: a flat object without pointers. The effect runs at least once
 * (again when the process dies in it), is recorded exactly once, and begins only when everything
 * before it is durable. No step, break or return inside. Records RESULT. Misuse: a step inside, size
 * over 1 MiB. */
bool fish_once(fish_flow *f, const char *name, void *result, size_t size) FISH_USE;

/* Like fish_once, with fn(arg, result) run on a thread of the server, other flows going on meanwhile. fn
 * sees no flow and takes no step; arg may point into the flow's memory or stack, which stays until fn
 * has returned. result: zeroed before fn. */
void fish_work(fish_flow *f, const char *name, void (*fn)(const void *arg, void *result), const void *arg,
               void *result, size_t size);

/* Sends the template to the hook of that name of another flow (by its id), as a delivery of status 200,
 * exactly once, in this flow's own commit. Silently nothing when that flow has ended or has no such
 * open hook. Records a MESSAGE there. Misuse: the template, an id that is none. */
void fish_tell(fish_flow *f, const char *flow_id, const char *hook_name, const char *json, ...) FISH_PRINTF(4);

/* Makes the template readable under name, in `show` and over HTTP, until published again. Records
 * PUBLISH. Misuse: the template, a name of more than 200 bytes. */
void fish_publish(fish_flow *f, const char *name, const char *json, ...) FISH_PRINTF(3);

/* ---- ends ---- */

/* Ends the flow with the template as its result. Does not return: calls without an answer are waited
 * for, children are cancelled, then END is recorded with the result. Misuse: the template. */
void fish_done(fish_flow *f, const char *json, ...) FISH_PRINTF(2) FISH_NORETURN;

/* Ends the flow as failed; why is a printf text. Else like fish_done. */
void fish_fail(fish_flow *f, const char *why, ...) FISH_PRINTF(2) FISH_NORETURN;

/* Begins the flow's next life: the same id, the template as its input, an empty journal. Does not return:
 * waits for calls under way; open hooks keep their URLs and untaken messages and are had again by
 * fish_spawn with the same name; children go on; timers, call hooks and child hooks do not survive.
 * fish_key, fish_random and fish_patch begin anew. Records RENEW. Misuse: the template. */
void fish_renew(fish_flow *f, const char *json, ...) FISH_PRINTF(2) FISH_NORETURN;

/* ---- reading: no steps, nothing recorded, never fails; m may be NULL, which reads as empty ----
 * pointer is a JSON Pointer (RFC 6901), "" the whole. A form body (application/x-www-form-urlencoded)
 * reads as a flat object of strings. A body that is no JSON, or that is refused (duplicate members,
 * \u0000, numbers out of range, a BOM, more than 128 levels), reads as absent everywhere; its bytes
 * are in m->body. What is handed out lives as long as the run. */

bool fish_ok(const fish_msg *m);                             /* status is 200 … 299 */
bool fish_has(const fish_msg *m, const char *pointer);       /* there, be it null */
/* A string's text, a number or boolean as JSON has it; "" if absent or anything else. */
const char *fish_str(const fish_msg *m, const char *pointer) FISH_NONNULL;
/* Always exactly one JSON value, for %-s: "" is the whole body as sent; "null" if absent or refused. */
const char *fish_raw(const fish_msg *m, const char *pointer) FISH_NONNULL;
/* A number, or a string that is one; otherwise if absent, not whole, or out of range. */
long long fish_int(const fish_msg *m, const char *pointer, long long otherwise);
double fish_num(const fish_msg *m, const char *pointer, double otherwise);
bool fish_true(const fish_msg *m, const char *pointer);      /* true, or the string "true" */
size_t fish_count(const fish_msg *m, const char *pointer);   /* members of an array or object; else 0 */
/* A header's value, name in any case; "" if absent. Also ":method", ":path", ":query" (without '?') and
 * ":peer" (address of the sender) of a delivery. The first of several. */
const char *fish_header(const fish_msg *m, const char *name) FISH_NONNULL;
/* jansson's tree, borrowed and not to be changed; NULL if there is none. */
struct json_t *fish_json(const fish_msg *m);

/* ---- about the flow itself: no steps, nothing recorded ---- */

/* The flow's id, 26 characters, sorts by time. Lives as long as the run. */
const char *fish_id(fish_flow *f) FISH_NONNULL;
/* 26 characters that are the same in each re-run and never twice: of the flow, its life and name. For
 * keys of one's own. Lives as long as the run. */
const char *fish_key(fish_flow *f, const char *name) FISH_NONNULL;
/* Is this flow to take the new way? if (fish_patch(f, "twice")) new; else old; true for flows that come
 * here live for the first time, false for those that went by here in an older build, and from then on the
 * same for that name in this life of the flow. No step. Records PATCH when true for the first time. */
bool fish_patch(fish_flow *f, const char *name);
/* Unix time in ms of the newest entry taken so far: never goes back, the same in each re-run. */
long long fish_now(fish_flow *f);
/* 64 bits that are the same in each re-run. Foretellable from the flow's id: not for secrets. */
uint64_t fish_random(fish_flow *f);
/* size bytes, zeroed, aligned for anything, freed with the run. Never NULL. */
void *fish_alloc(fish_flow *f, size_t size) FISH_NONNULL;
/* A printf text in such memory. */
char *fish_fmt(fish_flow *f, const char *fmt, ...) FISH_PRINTF(2) FISH_NONNULL;
/* One line to the server's log, after the commit of what led to it; silent in a re-run. */
void fish_log(fish_flow *f, const char *fmt, ...) FISH_PRINTF(2);
/* fn(arg) runs when the run ends: parked, stopped, done, or the server stops. Last in, first out, on the
 * server's thread, and again after each re-run. For what the flow itself has allocated elsewhere; must
 * take no step. */
void fish_defer(fish_flow *f, void (*fn)(void *), void *arg);

/* ---- programs ---- */

typedef struct fish_def {
	const char *name;             /* as `start` and the journal know it */
	fish_fn    *fn;
	size_t      stack_bytes;      /* 0: 64 KiB */
} fish_def;

typedef struct fish_program {
	const fish_def         *flows;       /* FISH_END at the end */
	const fish_peer *const *peers;       /* NULL at the end; NULL: none */
	const void             *reserved[6];
} fish_program;

#define FISH_FLOW(fn) { #fn, fn, 0 }
#define FISH_END      { NULL, NULL, 0 }

/* A program's whole main: serve, start, ls, show, cancel, --help. p and what it points at must stay.
 * Returns the exit status: 0; 1 when what was asked could not be done; 2 for a command line that
 * makes no sense. Words about it go to stderr. */
int fish_main(int argc, char **argv, const fish_program *p);

/* ---- embedding: a server as a part of a program that has its own main ----
 * It touches no signal handler, prints nothing, reads no environment but for "${NAME}" in peers, and
 * changes no limit or umask. A process may hold several, each on a store of its own. Codes are 0 or
 * negative. None of these but fish_strerror may be called from inside a flow, or what a flow defers:
 * the loop would wait for itself. Where that is seen it is FISH_EINVAL. */

typedef struct fish_server fish_server;

/* Zero is the default. */
typedef struct fish_options {
	const fish_program *program;      /* must stay until the close, with all it points at */
	const char         *store;        /* a file, or ":memory:"; there is no default */
	const char         *listen;       /* where callbacks arrive, "HOST:PORT"; port 0 picks a free one; NULL: 127.0.0.1:8080 */
	const char         *public_url;   /* what callback URLs begin with; NULL: as fish_server_url */
	const char         *socket;       /* a unix socket for the commands `ls`, `show` … of fish_main; NULL: none */
	const char         *log;          /* "stderr" or a file that is appended to; NULL: nothing is logged */
	int64_t             memory_bytes;   /* for flows in memory and bodies in flight: over it idle flows leave memory,
	                                     * then senders get 503 and fish_start FISH_EBUSY; from 16 MiB; 0: 1 GiB */
	int64_t             young_bytes;    /* of the store that an open reads, about; from 1 MiB; 0: 64 MiB */
	int64_t             retain_ms;      /* an ended flow's input, result and history are kept so long; 1 s to 3 days; 0: a day */
	int64_t             retain_bytes;   /* and so much of them all, the oldest go first; from 1 MiB; 0: 1 GiB */
	int64_t             park_after_ms;  /* a flow that waits so long leaves memory until there is news; from 10 ms; 0: 10 s */
	const void         *reserved[1];
} fish_options;

/* Opens the store, reads what it holds and listens; no flow runs yet, and senders wait in line. Keeps
 * o's program and copies the rest. *ret is for fish_server_close; untouched on failure. Records nothing
 * but a new store's keys. FISH_EINVAL: an option; FISH_EBUSY: somebody has the store, the address or
 * the socket; FISH_ENOTFOUND, FISH_EFORMAT, FISH_ESTORE, FISH_EIO; err (may be NULL) says it in words. */
int fish_server_open(fish_server **ret, const fish_options *o, char err[FISH_ERR_SIZE]) FISH_USE;

/* "http://HOST:PORT" of the door, with the port that it really got. From any thread. Lives until the
 * close. Records nothing. Cannot fail. */
const char *fish_server_url(const fish_server *s) FISH_NONNULL;

/* Runs the flows and serves in the calling thread, whichever that is, until fish_server_stop; once in a
 * server's life. While it runs SIGPIPE is blocked in this thread. Result 0: stopped clean. Records what
 * the flows do. FISH_ETIMEOUT: stopped with work under way after 12 s, and the next open goes on with
 * it; FISH_EBUSY: another thread is in it; FISH_EGONE: it has been run. */
int fish_server_run(fish_server *s);

/* Begins a clean stop: the door closes, deliveries under way get their answers, what was gathered is
 * committed, fish_server_run returns. Returns at once. From any thread and from signal handlers; again
 * does no harm; before the run, that returns as soon as it begins. From now on fish_start and
 * fish_wait are FISH_EGONE. Records nothing. Cannot fail. */
void fish_server_stop(fish_server *s);

/* Stops, waits until fish_server_run and all that ask have returned and the functions of fish_work
 * have, then closes the store and frees s, which nobody may touch from then on. Also of a server that
 * never ran. NULL is let pass. Records nothing: the flows go on at the next open. Cannot fail. After a
 * run that was FISH_ETIMEOUT, memory of what was under way is not freed. */
void fish_server_close(fish_server *s);

/* Starts a flow of the program with the template as its input and returns once it is durable, so it
 * waits for fish_server_run to begin. From any thread. The same key (1 to 255 bytes; NULL or "": none)
 * and flow name is the same flow, however often started. ret_id (may be NULL) gets its id. Result 0.
 * Records START. FISH_ENOTFOUND: the program has no such flow; FISH_EFORMAT: the template (words are in
 * the log); FISH_ETOOBIG; FISH_EINVAL: the key; FISH_EBUSY, FISH_ESTORE: nothing was started, try
 * again; FISH_EGONE: the server stops; if it began to while this waited the flow may have been started,
 * which with a key another start tells. */
int fish_start(fish_server *s, char ret_id[FISH_ID_SIZE], const char *flow, const char *key,
               const char *json, ...) FISH_PRINTF(5) FISH_USE;

/* Waits up to timeout_ms (0 or less looks once; FISH_FOREVER) for the durable end of a flow, also one that
 * has ended already; the flow goes on whatever comes of it. From any thread. Result 0: done, *ret_json
 * is its result. FISH_EFAILED, FISH_ECANCELLED, FISH_ESTOPPED (it stands still, and a mended build may
 * end it): *ret_json is why, a JSON string. Else *ret_json is NULL. It is for free(), whatever was returned;
 * ret_json may be NULL. Records nothing. FISH_ETIMEOUT: not ended yet; FISH_ENOTFOUND: no such flow, or
 * ended more than 3 days ago; FISH_EINVAL: no id; FISH_ESTORE: the store is away, ask again; FISH_EGONE:
 * the server stops. */
int fish_wait(fish_server *s, const char *id, int64_t timeout_ms, char **ret_json) FISH_USE;

/* A constant sentence for one of enum fish_code; also for unknown codes. */
const char *fish_strerror(int code) FISH_NONNULL;

#pragma GCC visibility pop

#ifdef __cplusplus
}
template <class... H> inline const fish_msg *fish_any(fish_flow *f, int64_t timeout_ms, H... h)
{
	fish_hook *const hooks[] = { h... };
	return fish_any_of(f, timeout_ms, hooks, sizeof...(h));
}
#else
#define FISH_HOOKS(...) (fish_hook *const[]){ __VA_ARGS__ }
#define fish_any(f, timeout_ms, ...) \
	fish_any_of((f), (timeout_ms), FISH_HOOKS(__VA_ARGS__), sizeof(FISH_HOOKS(__VA_ARGS__)) / sizeof(fish_hook *))
#endif
#endif
