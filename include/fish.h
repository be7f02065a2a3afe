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
 * Fish hands out (but see release in fish_hook_options): a flow frees nothing. status: of a call's answer, 0 when none ever came; of a child
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

/* Who delivers to a hook, and how it shows that a request is its own. A hook names it (from in
 * fish_hook_options) out of the program's list; then each request is checked before it is stored, what the
 * sender asks of a new URL is answered without waking the flow, and what it sends again is known by the
 * id that it gives. "${NAME}" in secrets, token and certificate is expanded from the environment once, at
 * start. Only the name is recorded: a secret may be rotated under a waiting flow. */
typedef struct fish_sender {
	const char        *name;         /* in journals and `show`: 1 to 200 bytes */
	const char        *scheme;       /* "stripe", "github", … or a description of your own (docs/signatures.md); NULL: nothing is signed */
	const char *const *secrets;      /* any of them may have signed, while one is rolled over; NULL at the end, at most 8 */
	const char        *handshake;    /* the check of a new URL that is answered (docs/senders.md); NULL: the scheme's own; "": none */
	const char        *token;        /* what that check must name: Meta's verify token, WebSub's topic, CloudEvents' origin; of SNS each message: its TopicArn; NULL: none */
	const char        *id;           /* how a repetition is known: a header's name, a JSON Pointer ("/event/id") or "body"; NULL: the scheme's own */
	const char        *certificate;  /* PEM, for sns and paypal; NULL: it is fetched from where a request says, if that is the sender's host */
	int64_t            tolerance_ms; /* of the signed time; 0: the scheme's own; -1: any time will do */
	const void        *reserved[6];
} fish_sender;

typedef struct fish_request {
	const fish_peer   *to;
	const char        *method;       /* NULL: POST */
	const char        *path;         /* "" or "/…", no blanks */
	const char *const *headers;      /* "Name: value", NULL at the end; NULL: none */
	const void        *body;         /* sent as it is */
	size_t             len;
	const void        *reserved[4];
} fish_request;

/* What a sender that is held for it hears. */
typedef struct fish_response {
	int                status;       /* 200 to 599; 0: 200 */
	const char *const *headers;      /* "Name: value", NULL at the end; NULL: none */
	const void        *body;         /* sent as it is */
	size_t             len;
	const void        *reserved[4];
} fish_response;

/*
 * Each function says, in this order: its effect; its arguments ("name: …"); "Result: …"; how long that
 * "Lives …"; what it "Records …" in the journal; how it fails, "Misuse: …", "Fails: …" or "Cannot fail.".
 * What a heading says holds for each function below it, and "like fish_x" is as there wherever nothing
 * else is said. The man pages are made of these words; the build fails when one of the six is missing.
 * All is since 0.1 unless it says "Since …".
 *
 * "The run" is the time from one (re-)start of the flow's function to its parking or end. "Misuse"
 * stops the flow, visibly, with the reason; nothing is lost, and a mended build goes on. In each step,
 * and in fish_patch, it is misuse to name another flow, or a hook or delivery of one; and to take the step
 * inside fish_once, or to go over the server's steps_max in one life of the flow; fish_renew begins another
 * life. A NULL where a hook belongs is misuse, but among several it is skipped.
 *
 * f: the calling flow. h: a hook that the calling flow was given in this run. json, ...: a JSON template
 * and what it asks for.
 *
 * JSON templates (every const char *json, ...) are printf formats, so the compiler checks them:
 * bare keys; strings in 'single quotes'; %s a quoted and escaped string (NULL is null); %-s exactly one
 * JSON value, checked by itself (NULL is null); %d %i %u with hh h l ll z j t, and %g %f %e, numbers.
 * What does not come out as valid JSON is misuse.
 */

/* ---- hooks: what a flow can wait on ---- */

/* Opens a hook and, with it, a URL; deliveries are kept from then on, read or not. name: 1 to 200 bytes,
 * for labels, `show` and the log; no other hook of that name may be open. Result: the hook. Lives as
 * long as the run; its URL until it is closed or the flow ends. Records HOOK, so that the door knows the
 * URL from the commit that lets it out. Misuse: the name. */
fish_hook *fish_spawn(fish_flow *f, const char *name) FISH_NONNULL;

/* What a hook may do beyond keeping what comes; zero is the default. */
typedef struct fish_hook_options {
	int64_t     expires_ms;      /* closes itself so long after the spawn was first reached; 0: never */
	uint32_t    shots;           /* closes itself with so many deliveries; 0: any number */
	bool        json;            /* takes only what the readers can read (JSON or a form); others hear 400 */
	int64_t     reply_ms;        /* holds each sender so long for fish_reply; 0: 200 at once */
	int         reply_status;    /* what it hears when no reply came in time; 0: 202 */
	const char *reply_json;      /* the body of that; NULL: empty */
	bool        release;         /* a message goes when the hook's next one is taken; false: with the run */
	const fish_sender *from;     /* who may deliver: one of the program's senders; NULL: whoever has the URL */
	size_t      body_max;        /* bytes; others hear 413; 0: --max-body alone */
	const char *on;              /* also takes what comes to the program's door of this name … */
	const char *key;             /* … for this key: 1 to 255 bytes of UTF-8; both or neither */
	const fish_response *reply;  /* instead of reply_status and reply_json, as in fish_reply_with; NULL: these */
	const void *reserved[2];
} fish_hook_options;

/* fish_spawn with options; a hook that closes itself hands out what it holds first. With release, the
 * memory of a delivery, of its parsed body and of all that readers handed out of it is freed as soon as
 * the next one is taken from this hook: a loop without an end stays as big as it is, and what it is to
 * keep longer it copies (fish_fmt). With on and key, what comes to that door for that key is handed on to
 * this hook while it is open, at first what came before anybody waited, in order and each once; of several
 * hooks with one key the one that was spawned first has it. o: is copied; NULL: none. Records HOOK with the options, and a re-run,
 * and a life after fish_renew, goes by what was recorded. Misuse: the name; negative times, a reply_status
 * that is no status, a reply_json that is not one JSON value, a reply beside these or that fish_reply_with would
 * not send; a sender that is not in the program's list; a door that is not in it or starts flows, on without
 * key, or with json, reply_ms, from or body_max, which are for what comes to the hook's own URL. Else like
 * fish_spawn. */
fish_hook *fish_spawn_with(fish_flow *f, const char *name, const fish_hook_options *o) FISH_NONNULL;

/* Answers the sender that is held for m, with the template as the body. It leaves when REPLY is durable;
 * a sender that has gone, or was answered by the fallback, hears it when it sends the same message id
 * again. m: a delivery of a hook with reply_ms. status: 200 to 599. Records REPLY. Misuse: m is no such
 * delivery, or was replied to; the status; the template. */
void fish_reply(fish_flow *f, const fish_msg *m, int status, const char *json, ...) FISH_PRINTF(4);

/* Answers like fish_reply with any status, headers and bytes: TwiML, a text, an empty 204. What it is told
 * is told again, byte for byte, to whoever sends that message id again; when a hook's answers come to over
 * 16 MiB, the oldest keep their status alone. r: is copied; a body without a Content-Type gets
 * application/octet-stream. Records ANSWER. Misuse: a status outside 200 to 599; a line
 * that is no "Name: value", or a value with control characters; more than 64 of them, or 8 KiB; a name that
 * is there twice (but Set-Cookie, Link and Vary) or that belongs to the server (Content-Length,
 * Transfer-Encoding, Connection, Date …); a body over 1 MiB, or with 204, 205 or 304. Else like fish_reply. */
void fish_reply_with(fish_flow *f, const fish_msg *m, const fish_response *r);

/* Tells a spawned hook's URL: the public URL, "/h/" and a token that nobody can forge. No step. Result: the
 * URL, always the same in a flow's life; "" if fish_defer's function is the first to ask. Lives as long as
 * the run. Records nothing. Misuse: a timer, call or child; a key that is not in the store any more. */
const char *fish_url(const fish_hook *h) FISH_NONNULL;

/* Tells a hook's name. No step. Result: of a timer "timer", of a call "peer /path", of a child its flow,
 * of fish_cancelled's "cancelled", else as spawned. Lives as long as the run. Records nothing. Cannot fail. */
const char *fish_name(const fish_hook *h) FISH_NONNULL;

/* Takes the hook's next message in order of arrival, and waits for it. timeout_ms: how long, in ms; 0 or
 * less looks once, FISH_FOREVER never ends. It counts from when the step was first reached and survives
 * restarts. Result: the message; NULL: time ran out, or the hook is closed and empty. Lives as long as
 * the run; with release, until the next message of this hook is taken, by whatever wait. Records TIMEOUT
 * for NULL, and nothing for a message, which is in the journal since it came. Misuse: a hook of another
 * run. */
const fish_msg *fish_next(fish_hook *h, int64_t timeout_ms);

/* Takes the oldest message of several hooks; the losers keep what they hold. hooks, n: NULLs among them
 * are skipped, and closed hooks without messages. Result: the message, and m->hook tells whose it is;
 * NULL: time ran out, or all are closed and empty. Else like fish_next. */
const fish_msg *fish_any_of(fish_flow *f, int64_t timeout_ms, fish_hook *const *hooks, size_t n);

/* Takes one message from each of so many hooks; ends early when time runs out or no open hook is left.
 * need: how many are enough. ret: n places; ret[i] gets the message of hooks[i], or NULL. Result: how many
 * came. Lives as long as the run: what ret got. Records TIMEOUT when it ends early. Else like
 * fish_any_of. */
size_t fish_gather(fish_flow *f, int64_t timeout_ms, fish_hook *const *hooks, size_t n, size_t need,
                   const fish_msg **ret);

/* Each delivery to h, also those that came before, starts a child flow with it as input, in the same
 * commit; the calling flow is not woken for it. Returns when h is closed. flow: one of the program's
 * list. Records HOOK, one CHILDREN a commit, and TIMEOUT when h is closed. Misuse: h was not spawned, an
 * unlisted flow. */
void fish_each(fish_hook *h, fish_fn *flow);

/* Tells whether h has been closed, by the flow, its options or a cancel. No step. Result: true: closed, as
 * far as the flow has seen. Records nothing. Cannot fail. */
bool fish_closed(const fish_hook *h);

/* Closes h: its URL answers 410 from this commit on, a timer does not ring; a call or a child goes on (to give
 * it up is fish_cancel), but no wait waits for it any more. What has come, or comes of these two yet, is
 * there to be taken. Closing twice is harmless. Records CLOSED if h has a URL and was open. Misuse: a hook of another
 * flow. */
void fish_close(fish_hook *h);

/* ---- what hands back a hook: closed after its one message ----
 * Result: the hook. Lives as long as the run. */

/* Gives a hook that gets one empty message when the time has come. after_ms: in ms, counted from when the
 * step was first reached, restarts or not; FISH_FOREVER: never. Records MESSAGE when it rings. Cannot
 * fail. */
fish_hook *fish_timer(fish_flow *f, int64_t after_ms) FISH_NONNULL;

/* Starts flow as a child with the template as its input. Its message is its end: status 200 and the
 * result, 500 and why, or 499. A child ends with its parent, and a parent not before its children. flow:
 * one of the program's list. Records CHILDREN, and MESSAGE at its end. Misuse: an unlisted flow, the
 * template. */
fish_hook *fish_child(fish_flow *f, fish_fn *flow, const char *json, ...) FISH_PRINTF(3) FISH_NONNULL;

/* Calls out like fish_post without the wait: the hook's message is the answer. Result: the hook. */
fish_hook *fish_send(fish_flow *f, const fish_peer *to, const char *path, const char *json, ...)
	FISH_PRINTF(4) FISH_NONNULL;

/* Calls out like fish_call without the wait. Result: the hook. */
fish_hook *fish_send_with(fish_flow *f, const fish_request *r) FISH_NONNULL;

/* Gives a hook whose one message says that somebody cancelled this flow. A flow that asked for it has 30 s
 * from then on to wind up and end by itself; then it is dropped. One that never asks is dropped when it
 * next waits, or has taken 1,000 steps without. Records nothing; CANCEL is the canceller's. Cannot fail. */
fish_hook *fish_cancelled(fish_flow *f) FISH_NONNULL;

/* Cancels a child, or gives up a call after the attempt under way; the hook still gets its one message
 * (a child's status 499, a call's last status or 0). A timer is closed. Ended ones are left alone.
 * child_or_call: a hook of fish_child, fish_send, fish_send_with or fish_timer. Records CANCEL in the
 * child. Misuse: a hook with a URL, which is closed by fish_close. */
void fish_cancel(fish_hook *child_or_call);

/* ---- calls out and sleeping ---- */

/* POSTs the template to the peer as application/json and waits for the answer. It leaves after all
 * before it is durable, at least once, always with one Idempotency-Key and the same bytes. 5xx, 408,
 * 429 and lost connections are tried again with growing pauses until give_up_ms; other answers are
 * final. to: the partner. path: "" or begins with '/', without blanks, "." and ".." as parts. Result: the
 * answer; its status is 0 when none ever came. Lives as long as the run. Records MESSAGE. Misuse: a peer
 * without name or URL, the path, the template. */
const fish_msg *fish_post(fish_flow *f, const fish_peer *to, const char *path, const char *json, ...)
	FISH_PRINTF(4) FISH_NONNULL;

/* Calls like fish_post with any method, headers and body, bytes as they are. Idempotency-Key is added, and
 * for a peer with a token Authorization. r: is copied. Misuse: a peer without name or URL, the path, the
 * method; a header that is no "Name: value" on one line, or that Fish writes: Idempotency-Key; Host,
 * Content-Length, Transfer-Encoding, Connection and the like; Authorization beside a token; webhook-id,
 * webhook-timestamp and webhook-signature beside a secret. */
const fish_msg *fish_call(fish_flow *f, const fish_request *r) FISH_NONNULL;

/* Waits. ms: milliseconds from when the step was first reached, restarts or not; 0 or less: not at all.
 * Records TIMEOUT. Cannot fail. */
void fish_sleep(fish_flow *f, int64_t ms);

/* Runs the user's own effect and records what it gave:
 *
 *     while (fish_once(f, "charge", &receipt, sizeof receipt))
 *             receipt = charge(card);
 *
 * The effect runs at least once (again when the process dies in it), is recorded exactly once, and begins
 * only when everything before it is durable. No step, break or return inside. name: 1 to 200 bytes, for
 * the log and the journal. result, size: a flat object without pointers. Result: true: do it now, and come
 * back; false: *result holds what was recorded. Records RESULT. Misuse: the name, a step inside, a size
 * over 1 MiB. */
bool fish_once(fish_flow *f, const char *name, void *result, size_t size) FISH_USE;

/* Runs fn(arg, result) on a thread of the server, other flows going on meanwhile, and records what it
 * gave like fish_once. fn: sees no flow and takes no step. arg: may point into the flow's memory or stack,
 * which stays until fn has returned. result, size: a flat object without pointers, zeroed before fn.
 * Misuse: the name, a size over 1 MiB. */
void fish_work(fish_flow *f, const char *name, void (*fn)(const void *arg, void *result), const void *arg,
               void *result, size_t size);

/* Sends the template to a hook of another flow, as a delivery of status 200, exactly once, in this flow's
 * own commit. Silently nothing when that flow has ended or has no such open hook. flow_id: as fish_id gave
 * it there. hook_name: as it was spawned there. Records a MESSAGE there. Misuse: the template, an id that
 * is none, no name. */
void fish_tell(fish_flow *f, const char *flow_id, const char *hook_name, const char *json, ...) FISH_PRINTF(4);

/* Makes the template readable under a name, in `show` and over HTTP, as soon as it is durable and until
 * published again. name: 1 to 200 bytes. Records PUBLISH. Misuse: the template, the name. */
void fish_publish(fish_flow *f, const char *name, const char *json, ...) FISH_PRINTF(3);

/* ---- ends ---- */

/* Ends the flow with the template as its result. Does not return: calls without an answer are waited for,
 * children are cancelled. Records END with the result. Misuse: the template. */
void fish_done(fish_flow *f, const char *json, ...) FISH_PRINTF(2) FISH_NORETURN;

/* Ends the flow as failed. why, ...: a printf text. Records END with why. Misuse: a text over 16 MiB. Else
 * like fish_done. */
void fish_fail(fish_flow *f, const char *why, ...) FISH_PRINTF(2) FISH_NORETURN;

/* Begins the flow's next life: the same id, the template as its input, an empty journal. Does not return:
 * waits for calls under way; open hooks keep their URLs and untaken messages and are had again by
 * fish_spawn with the same name; children go on; timers, call hooks and child hooks do not survive.
 * fish_key, fish_random, fish_patch and the count of steps begin anew: each re-run takes all steps of the
 * present life again, so `show` and the log warn of a life of 10,000, and the server's steps_max (1,000,000)
 * stops the flow. Records RENEW. Misuse: the template. */
void fish_renew(fish_flow *f, const char *json, ...) FISH_PRINTF(2) FISH_NORETURN;

/* ---- reading ----
 * Reads a message; no step. A form body (application/x-www-form-urlencoded) reads as a flat object of
 * strings. A body that is no JSON, or that is refused (duplicate members, \u0000, numbers out of range, a
 * BOM, more than 128 levels), reads as absent everywhere; its bytes are in m->body. m: a message; NULL
 * reads as empty. pointer: a JSON Pointer (RFC 6901), "" the whole. Lives as long as the run. Records
 * nothing. Cannot fail. */

bool fish_ok(const fish_msg *m);                             /* Result: status is 200 … 299. */
bool fish_has(const fish_msg *m, const char *pointer);       /* Result: there is such a value, be it null. */
/* Result: a string's text, a number or boolean as JSON has it; "" if absent or anything else. */
const char *fish_str(const fish_msg *m, const char *pointer) FISH_NONNULL;
/* Result: always exactly one JSON value, for %-s: "" is the whole body as sent; "null" if absent or refused. */
const char *fish_raw(const fish_msg *m, const char *pointer) FISH_NONNULL;
/* otherwise: what absent reads as. Result: a number, or a string that is one; otherwise if absent, not
 * whole, or out of range. */
long long fish_int(const fish_msg *m, const char *pointer, long long otherwise);
/* otherwise: what absent reads as. Result: a number, or a string that is one; otherwise if absent. */
double fish_num(const fish_msg *m, const char *pointer, double otherwise);
bool fish_true(const fish_msg *m, const char *pointer);      /* Result: true, or the string "true". */
size_t fish_count(const fish_msg *m, const char *pointer);   /* Result: members of an array or object; else 0. */
/* name: in any case. Also ":method", ":path", ":query" (without '?') and ":peer" (address of the sender)
 * of a delivery. Result: a header's value, the first of several; "" if absent. */
const char *fish_header(const fish_msg *m, const char *name) FISH_NONNULL;
/* Result: jansson's tree, borrowed and not to be changed; NULL if there is none. */
struct json_t *fish_json(const fish_msg *m);

/* ---- about the flow itself ----
 * No step. Lives as long as the run. Records nothing. Cannot fail. */

/* Tells the flow's id. Result: 26 characters that sort by time. */
const char *fish_id(fish_flow *f) FISH_NONNULL;
/* Makes a key of one's own. name: any text. Result: 26 characters that are the same in each re-run and
 * never twice: of the flow, its life and the name. */
const char *fish_key(fish_flow *f, const char *name) FISH_NONNULL;
/* Asks whether this flow is to take the new way:
 *
 *     if (fish_patch(f, "audit first"))
 *             fish_post(f, &audit, "/signup", "{mail: %s}", mail);
 *
 * name: 1 to 200 bytes. Result: true for flows that come here live for the first time, false for those
 * that went by here in an older build, and from then on the same for that name in this life of the flow;
 * false if fish_defer's function is the first to ask, which decides nothing. Records PATCH when true for
 * the first time. Misuse: the name, a 1,001st name in one life, a million calls without a step between
 * them. */
bool fish_patch(fish_flow *f, const char *name);
/* Tells the time. Result: Unix time in ms of the newest entry taken so far: never goes back, the same in
 * each re-run. */
long long fish_now(fish_flow *f);
/* Draws a number. Result: 64 bits that are the same in each re-run. Foretellable from the flow's id: not
 * for secrets. */
uint64_t fish_random(fish_flow *f);
/* Allocates memory that is freed with the run. size: bytes. Result: zeroed, aligned for anything. Misuse:
 * a size over 1 GiB. */
void *fish_alloc(fish_flow *f, size_t size) FISH_NONNULL;
/* Formats a text into such memory. fmt, ...: printf's. Result: the text. Misuse: a text over 16 MiB. */
char *fish_fmt(fish_flow *f, const char *fmt, ...) FISH_PRINTF(2) FISH_NONNULL;
/* Writes one line to the server's log, after the commit of what led to it; silent in a re-run. fmt, ...:
 * printf's; a line over 16 KiB is cut. */
void fish_log(fish_flow *f, const char *fmt, ...) FISH_PRINTF(2);
/* Has fn(arg) run when the run ends: parked, stopped, done, or the server stops. Last in, first out, on the
 * server's thread, and again after each re-run. For what the flow itself has allocated elsewhere. fn: takes
 * no step: there is no flow left to stop, so that ends the process, with words. arg: handed to it. Misuse: a
 * fn that is NULL. */
void fish_defer(fish_flow *f, void (*fn)(void *), void *arg);

/* ---- programs ---- */

typedef struct fish_def {
	const char *name;             /* as `start` and the journal know it */
	fish_fn    *fn;
	size_t      stack_bytes;      /* 0: 64 KiB */
} fish_def;

/* A URL that is the same for all: "/in/" and the name, for senders that cannot be given one per wait. It is
 * public and can be guessed, so its sender should sign: a door without a scheme must be declared open. What
 * comes to it either starts a flow each (flow), or goes to the hook that waits for its key (key; .on and .key
 * of fish_hook_options), and is kept until there is one. */
typedef struct fish_door {
	const char        *name;         /* 1 to 64 of A-Z a-z 0-9 . _ - */
	const fish_sender *from;         /* who may deliver: one of the program's senders; NULL: whoever knows the name */
	const char        *key;          /* for whom a delivery is: a header's name, or a JSON Pointer ("/data/id") into its body; NULL: flow is set */
	fish_fn           *flow;         /* one of the program's flows, which each delivery starts with itself as input; NULL: key is set */
	int64_t            keep_ms;      /* what comes before anybody waits for its key is kept so long; 0: 24 h */
	bool               open;         /* it is meant that nothing is signed */
	size_t             body_max;     /* a longer delivery is told 413; 0: --max-body alone */
	const void        *reserved[3];
} fish_door;

typedef struct fish_program {
	const fish_def         *flows;       /* FISH_END at the end */
	const fish_peer *const *peers;       /* NULL at the end; NULL: none */
	const fish_sender *const *senders;   /* the same */
	const fish_door *const *doors;       /* the same */
	const void             *reserved[4];
} fish_program;

#define FISH_FLOW(fn) { #fn, fn, 0 }
#define FISH_END      { NULL, NULL, 0 }

/* Is a program's whole main: serve, start, ls, show, cancel, retry, redeliver, backup, check, export, import,
 * --help. argc, argv: main's. p: must stay, with all it points at. Result: the exit status. Records what
 * the flows do. Fails: with status 1 when what was asked could not be done, 2 for a command line that makes
 * no sense, 3 when a start with --wait has not ended in time; words about it go to stderr. */
int fish_main(int argc, char **argv, const fish_program *p);

/* ---- embedding: a server as a part of a program that has its own main ----
 * A server touches no signal handler, prints nothing, reads no environment but for "${NAME}" in peers and
 * senders, and changes no limit or umask. A process may hold several, each on a store of its own. Codes are 0 or
 * negative. None of these but fish_strerror may be called from inside a flow, or what a flow defers:
 * the loop would wait for itself. Where that is seen it is FISH_EINVAL, and of fish_server_close the end of
 * the process, with words. s: an open server. */

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
	size_t              steps_max;    /* a flow is stopped after so many steps without fish_renew; 0: 1,000,000 */
	const void         *reserved[4];
} fish_options;

/* Opens the store, reads what it holds and listens; no flow runs yet, and senders wait in line. ret: gets
 * the server; untouched on failure. o: its program is kept, the rest copied. err: says in words what
 * failed; may be NULL. Result: 0. Lives until fish_server_close. Records nothing but a new store's keys.
 * Fails: FISH_EINVAL: an option; FISH_EBUSY: somebody has the store, the address or the socket;
 * FISH_ENOTFOUND, FISH_EFORMAT, FISH_ESTORE, FISH_EIO. */
int fish_server_open(fish_server **ret, const fish_options *o, char err[FISH_ERR_SIZE]) FISH_USE;

/* Tells where the door is, with the port that it really got. From any thread. Result: "http://HOST:PORT".
 * Lives until the close. Records nothing. Cannot fail. */
const char *fish_server_url(const fish_server *s) FISH_NONNULL;

/* Runs the flows and serves in the calling thread, whichever that is, until fish_server_stop; once in a
 * server's life. While it runs SIGPIPE is blocked in this thread. Result: 0: stopped clean. Records what
 * the flows do. Fails: FISH_ETIMEOUT: stopped with work under way after 12 s, and the next open goes on
 * with it; FISH_EBUSY: another thread is in it; FISH_EGONE: it has been run; FISH_EINVAL: s is NULL. */
int fish_server_run(fish_server *s);

/* Begins a clean stop: the door closes, deliveries under way get their answers, what was gathered is
 * committed, fish_server_run returns. Returns at once. From any thread and from signal handlers; again
 * does no harm; before the run, that returns as soon as it begins. From now on fish_start and
 * fish_wait are FISH_EGONE. s: NULL is let pass. Records nothing. Cannot fail. */
void fish_server_stop(fish_server *s);

/* Stops, waits until fish_server_run and all that ask have returned and the functions of fish_work have,
 * then closes the store and frees the server. Also of one that never ran. After a run that was
 * FISH_ETIMEOUT, memory of what was under way is not freed. s: nobody may touch it from then on; NULL is let
 * pass. Records nothing: the flows go on at the next open. Cannot fail. */
void fish_server_close(fish_server *s);

/* Starts a flow of the program with the template as its input and returns once it is durable, so it
 * waits for fish_server_run to begin. From any thread. ret_id: gets the flow's id; may be NULL. flow: its
 * name in the program's list. key: 1 to 255 bytes; NULL or "": none. The same key and flow name is the same
 * flow, however often started. Result: 0. Records START. Fails: FISH_ENOTFOUND: the program has no such
 * flow; FISH_EFORMAT: the template (words are in the log); FISH_ETOOBIG; FISH_EINVAL: the key, or s is NULL;
 * FISH_EBUSY, FISH_ESTORE: nothing was started, try again; FISH_EGONE: the server stops; if it began to
 * while this waited the flow may have been started, which with a key another start tells. */
int fish_start(fish_server *s, char ret_id[FISH_ID_SIZE], const char *flow, const char *key,
               const char *json, ...) FISH_PRINTF(5) FISH_USE;

/* Waits for the durable end of a flow, also one that has ended already; the flow goes on whatever comes of
 * it. From any thread. id: the flow's. timeout_ms: how long, in ms; 0 or less looks once; FISH_FOREVER.
 * ret_json: may be NULL; gets the result, or with FISH_EFAILED, FISH_ECANCELLED and FISH_ESTOPPED why, as a
 * JSON string; else NULL. Result: 0: done. Lives until free(), whatever was returned: what ret_json
 * got. Records nothing. Fails: FISH_EFAILED, FISH_ECANCELLED, FISH_ESTOPPED (it stands still, and a
 * mended build may end it); FISH_ETIMEOUT: not ended yet; FISH_ENOTFOUND: no such flow, or ended more than
 * 3 days ago; FISH_EINVAL: no id, or s is NULL; FISH_ESTORE: the store is away, ask again; FISH_EGONE: the
 * server stops. */
int fish_wait(fish_server *s, const char *id, int64_t timeout_ms, char **ret_json) FISH_USE;

/* Says a code in words. code: of enum fish_code, or any other. Result: a constant sentence. Lives for ever.
 * Records nothing. Cannot fail. */
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
/* const fish_msg *fish_any(fish_flow *f, int64_t timeout_ms, fish_hook *h, ...): fish_any_of with its hooks
 * listed. h, ...: one or more hooks. Else like fish_any_of. */
#define FISH_HOOKS(...) (fish_hook *const[]){ __VA_ARGS__ }
#define fish_any(f, timeout_ms, ...) \
	fish_any_of((f), (timeout_ms), FISH_HOOKS(__VA_ARGS__), sizeof(FISH_HOOKS(__VA_ARGS__)) / sizeof(fish_hook *))
#endif
#endif
