/* sim_walk.h - the inside of the random program, for the files that make it up.
 *
 * A walk is one run of a flow: each of its steps depends on every answer so far (st), so that any wrong
 * replay shows. Invariant: all that it does follows from its input and from what Fish answers. */
#ifndef FISH_SIM_WALK_H
#define FISH_SIM_WALK_H

#include "engine/run.h"
#include "sim/sim_world.h"

enum { HANDLES_MAX = 48, FRIENDS_MAX = 4, OWED_MAX = 4 };

struct walk {
	fish_flow *f;
	uint64_t   st;                       /* all answers so far */
	uint64_t   ps;                       /* which program it is: st at first */
	int        depth;
	fish_hook *hooks[HANDLES_MAX];       /* open, with URLs */
	size_t     nhooks;
	fish_hook *others[HANDLES_MAX];      /* timers, calls, children */
	size_t     nothers;
	const char *friends[FRIENDS_MAX];    /* ids of flows it heard of, the youngest last */
	size_t     nfriends;
	const fish_msg *owed[OWED_MAX];      /* whose senders want a reply */
	size_t     nowed;
};

extern const fish_peer sim_firm, sim_weak;

/* sim_flow.c */
void sim_leaf(fish_flow *f, const fish_msg *in);
void sim_twig(fish_flow *f, const fish_msg *in);

/* sim_step.c: telling what was seen, and the steps that wait or ask for something to wait for */
struct sim *walk_sim(const struct walk *w);
uint64_t    walk_hash(const fish_msg *m);
void        walk_saw(struct walk *w, struct sight *seen);
void        walk_saw_word(struct walk *w, uint64_t what);
void        walk_saw_message(struct walk *w, const fish_msg *m, int64_t timeout_ms);
void        walk_hears(struct walk *w, const fish_msg *m);        /* whom it can tell something from now on */
/* One of the steps by r. Of some there is no possible one just then: nothing is done. */
void        step_spawn(struct walk *w, uint64_t r);
void        step_next(struct walk *w, uint64_t r);                /* there is an open hook */
void        step_any(struct walk *w, uint64_t r);
void        step_gather(struct walk *w, uint64_t r);
void        step_timer(struct walk *w, uint64_t r);
void        step_sleep(struct walk *w, uint64_t r);
void        step_send(struct walk *w, uint64_t r);
void        step_post(struct walk *w, uint64_t r);
void        step_call(struct walk *w, uint64_t r);
void        step_child(struct walk *w, uint64_t r);
void        step_drop(struct walk *w, uint64_t r);                /* there are others */
void        step_close(struct walk *w, uint64_t r);

/* sim_deed.c: the steps that do something to others, or to the world */
void        deed_once(struct walk *w, uint64_t r);
void        deed_work(struct walk *w, uint64_t r);
void        deed_cancel(struct walk *w, uint64_t r);
void        deed_tell(struct walk *w, uint64_t r);
void        deed_publish(struct walk *w, uint64_t r);
void        deed_reply(struct walk *w, uint64_t r);
void        deed_each(struct walk *w, uint64_t r);
void        deed_log(struct walk *w);

#endif
