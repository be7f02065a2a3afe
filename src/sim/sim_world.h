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
	SIM_URLS_MAX     = 400,
	SIM_MESSAGES_MAX = 1500,
	SIM_ORDERS_MAX   = 8,
};

/* One message of a sender: posted once or often. */
struct sim_message {
	uint32_t uid;
	bool     has_id;         /* else every post of it is a message of its own */
	uint32_t url;            /* which */
	uint32_t acked;          /* posts told 200 */
	bool     open;           /* its sender wants a word yet: posts again */
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

	struct sim_url     urls[SIM_URLS_MAX];
	size_t             nurls;
	struct sim_message messages[SIM_MESSAGES_MAX];
	size_t             nmessages;
	struct list        posts, starts, cancels, watches;   /* under way */
	struct sim_order   orders[SIM_ORDERS_MAX];
	size_t             norders;
	struct list        attempts;      /* with the partner */
	size_t             nattempts;
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

/* sim_world.c */
extern const fish_program sim_program;
void sim_boot(struct sim *s, struct engine **ret, struct store *store);
void sim_turn(struct sim *s);

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

/* sim_partner.c */
void partner_send(void *owner, struct attempt *a);
void partner_abandon(void *owner, struct attempt *a);
void partner_answer(struct sim *s);                           /* some attempt */

/* sim_check.c */
void check_log(struct sim *s, struct slice line);
void check_send(struct sim *s, struct attempt *a);
void check_status(struct sim *s, const struct sim_message *m, int status);
void check_stopped(struct sim *s);
/* After a commit has let everything out: no log line is missing. A dead process takes its lines along. */
void check_logged(struct sim *s);
void check_excuse(struct sim *s);
void check_deadlines(struct sim *s);     /* after a turn: none that passed before it is left */
void check_doubt(struct sim *s);                              /* after a restart, once all is loaded */
void check_end(struct sim *s);

/* sim_reference.c: every ended flow once more, from its journal alone. */
void reference_run(struct sim *s, struct past *p);

#endif
