/* sim_world.h - the inside of one history, for the files of src/sim only. */
#ifndef FISH_SIM_WORLD_H
#define FISH_SIM_WORLD_H

#include "base/list.h"
#include "base/map.h"
#include "engine/engine.h"
#include "sim/sim_past.h"
#include "sim/sim.h"

#include <stdarg.h>

/* The second can replay what the first wrote, by fish_patch. The third changes steps without asking. */
enum { SIM_BUILD_FIRST = 1, SIM_BUILD_PATCHED, SIM_BUILD_RASH };

enum {
	SIM_URLS_MAX     = 1200,
	SIM_MESSAGES_MAX = 8000,
	SIM_ORDERS_MAX   = 40,
};

/* One message of a sender: posted once or often. */
struct sim_message {
	uint32_t uid;
	bool     has_id;         /* else every post of it is a message of its own */
	bool     plain;          /* no JSON */
	struct id about;         /* a flow that its body names */
	uint32_t url;            /* which */
	uint32_t acked;          /* posts told that it is taken in */
	bool     open;           /* its sender wants a word yet: posts again */
};

/* One post of a message, under way. */
struct post {
	struct list     link;            /* in sim->posts */
	struct sim     *sim;
	struct delivery delivery;
	uint32_t        message;
	bool            deaf;
	bool           *answered;        /* set when it is, while the engine is being asked; else NULL */
	int64_t         due_ms;          /* the hook's fallback is due; 0: its hook holds nobody */
	struct answer   must;            /* what it is to hear: the flow's reply was durable, or came in time */
	char            body[96], id[16];
};

struct sim_url {
	char      token[TOKEN_TEXT_SIZE];
	struct id flow;
	uint32_t  hook;
	bool      gone;          /* 410 was told, so every later answer to news is 410 */
};

/* A flow that somebody wants started, by key. */
struct sim_order {
	bool      has_key;
	bool      told;
	struct id id;
};

/* One step of a flow. */
struct place {
	const struct past *past;
	uint32_t           epoch, step;
};

/* Something that a step tells: it has arrived, or (at NULL) its step is durable. */
struct told {
	struct id    from;
	uint32_t     epoch, step;
	struct past *at;
	uint32_t     hook;
};

struct sim {
	const struct sim_options *options;
	struct sim_result        *result;
	uint64_t       chance;            /* state of the stream */
	struct store  *store;
	struct engine *engine;
	int64_t        clock_ms;
	int64_t        park_after_ms;
	size_t         run_ahead_bytes;
	uint32_t       turn_steps_max;
	bool           quiet;             /* no more faults */
	bool           deploys;           /* another build may run after a crash */
	uint64_t       build;             /* that runs: SIM_BUILD_FIRST and on */
	uint64_t       swapped_no;        /* batch whose done goes through sim_past.c */

	struct past  **pasts;             /* in order of their first commit or run */
	size_t         npasts, pasts_cap;
	struct map     past_by_id;
	bool           referring;         /* a reference run is under way */
	struct told   *told;              /* in the commit that is being judged */
	size_t         ntold, told_cap;

	struct token_ring *ring;          /* the store's keys, which last as long as it does */
	struct sim_url     urls[SIM_URLS_MAX];
	size_t             nurls;
	struct sim_message messages[SIM_MESSAGES_MAX];
	size_t             nmessages;
	struct list        posts, starts, cancels, watches;   /* under way */
	struct sim_order   orders[SIM_ORDERS_MAX];
	size_t             norders;
	struct list        attempts;      /* with the partner */
	size_t             nattempts;
	struct map         keys;          /* of calls: key → struct place */
	struct list        toils;         /* works on threads */
	size_t             ntoils;
};

/* ---- chance: every choice of a history is drawn here ---- */
uint64_t sim_mix(uint64_t a, uint64_t b);
uint64_t sim_draw(struct sim *s);
uint32_t sim_below(struct sim *s, uint32_t n);                /* 0 … n - 1 */
bool     sim_percent(struct sim *s, uint32_t percent);

/* A promise is broken: the first one stands, the history ends. */
__attribute__((format(printf, 2, 3))) void sim_broken(struct sim *s, const char *fmt, ...);
/* For the reader of a verbose run, and for the digest. */
__attribute__((format(printf, 2, 3))) void sim_say(struct sim *s, const char *fmt, ...);

/* sim_world.c: the seams, the store's moments, dying and coming back */
extern const fish_program sim_program;
void sim_boot(struct sim *s, struct engine **ret, struct store *store);
void sim_turn(struct sim *s);
void sim_complete(struct sim *s);             /* the store's next request, if there is one */
void sim_commit_fails(struct sim *s);         /* if one is under way */
void sim_crash(struct sim *s);
void sim_open(struct sim *s);                 /* the first time */
void sim_close(struct sim *s);

/* sim_sender.c */
void sender_urls(struct sim *s, struct slice text);           /* URLs a call's body tells of */
void sender_learn(struct sim *s);                             /* those of all durable hooks */
void sender_news(struct sim *s);                              /* a new message to some URL */
void sender_news_to(struct sim *s, uint32_t url);
void sender_again(struct sim *s, uint32_t message);
void sender_order(struct sim *s);
void sender_cancel(struct sim *s, const struct id *flow);
void sender_watch(struct sim *s, const struct id *flow);
void sender_crashed(struct sim *s);                           /* nobody will answer what is under way */

bool sim_is_plain(struct slice body);                         /* a sender's, and no JSON */

/* sim_held.c: what the senders of a hook with reply_ms hear */
struct hook_options;
struct hook_options held_options(const struct past *p, uint32_t hook);   /* of an ordinary inbox; else zero */
void held_begin(struct sim *s, struct post *p);               /* the engine has it */
void held_replied(struct sim *s, const struct past *p, const struct entry *reply);
/* Was it taken in, as that status says? The body is judged too. */
bool held_accepted(struct sim *s, const struct post *p, int status);
void check_held_senders(struct sim *s);                       /* nobody waits beyond the time */

/* sim_toil.c: works on threads */
void toil_begin(void *owner, struct work_item *w);
void toil_ends(struct sim *s);                                /* some work goes on, or ends */
void toils_forget(struct sim *s);
bool toil_under_way(const struct sim *s, const struct id *flow, uint32_t epoch, uint32_t step);
void sim_toil(const void *arg, void *result);                 /* what the flows have done: see struct toil_task */
struct toil_task {
	struct sim *sim;
	uint64_t    st;
};
struct toil_result {
	uint64_t st, drawn;
};

/* sim_partner.c */
void partner_send(void *owner, struct attempt *a);
void partner_abandon(void *owner, struct attempt *a);
void partner_answer(struct sim *s);                           /* some attempt */

/* sim_check.c */
void check_log(struct sim *s, struct slice line);
void check_send(struct sim *s, struct attempt *a);
void check_status(struct sim *s, const struct post *p, int status);
void check_stopped(struct sim *s);
/* After a commit has let everything out: no log line is missing. A dead process takes its lines along. */
void check_logged(struct sim *s);
void check_excuse(struct sim *s);
void check_deadlines(struct sim *s);     /* after a turn: none that passed before it is left */
void check_doubt(struct sim *s);                              /* after a restart, once all is loaded */
void check_awake(struct sim *s);                              /* nobody sleeps over its news */
void check_end(struct sim *s);

/* sim_reference.c: every ended flow once more, from its journal alone. */
void reference_run(struct sim *s, struct past *p);

#endif
