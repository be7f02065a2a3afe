/* sim_past.h - what became durable of one flow, kept aside from the engine and the store; and what its
 * runs saw, step by step.
 *
 * Invariant: a step is confirmed once a durable PROGRESS stands beyond it; from then on every run
 * must see it again exactly so. */
#ifndef FISH_SIM_PAST_H
#define FISH_SIM_PAST_H

#include "store/store.h"
#include "wire/entry.h"

enum { SIGHT_TAKES_MAX = 4 };

/* One step as the code saw it. */
struct sight {
	bool     seen;
	uint64_t what;                       /* hash of the step's kind and answer */
	int64_t  now_ms;                     /* fish_now after it */
	int64_t  timeout_ms;                 /* of a wait that has one; else 0 */
	int64_t  rings_ms;                   /* of a timer: so long after the step; else 0 */
	int64_t  late_ms;                    /* time of the youngest message it took, timers aside; 0: none */
	uint64_t takes[SIGHT_TAKES_MAX];     /* journal places of the deliveries it took */
	uint32_t ntakes;
	int64_t  reached_ms;                 /* by the first PROGRESS that covers it … */
	uint64_t reached_by;                 /* … and the build that wrote that */
	uint64_t seen_by;                    /* the build whose run saw it so */
	bool     logs;                       /* the code logs after it … */
	bool     logged;                     /* … and the line is out, or died with its process */
	bool     called;                     /* its call is out, or its own effect was begun … */
	uint64_t content;                    /* … with these bytes, under this name, with this argument */
	char     key[ID_TEXT_SIZE];          /* … and this key */
	struct id to;                        /* whom it tells */
	uint32_t told;                       /* how often that has arrived */
	bool     settled;                    /* it has arrived by now or never will */
};

/* From START or a RENEW to the next one. */
struct life {
	size_t         begins;               /* place of its first entry */
	struct entry_step *steps;            /* all that PROGRESS told of */
	size_t         nsteps, steps_cap;
	uint32_t       border;
	uint64_t       build;                /* that wrote its last PROGRESS; 0: there is none */
	struct sight  *sights;               /* by step */
	size_t         sights_cap;
	uint32_t       confirmed;            /* steps below are */
	uint32_t       heard;                /* of steps below nothing is missing in the log */
	/* The present run gathered otherwise than the journal's build: no step's name tells of that, so
	 * it goes on to where its other answers show. */
	bool           strayed;
};

struct past {
	struct id      id;
	struct entry  *entries;
	size_t         n, cap;
	char         **rows;                 /* what the entries point into */
	size_t         nrows, rows_cap;
	size_t         last_row_at;          /* first entry of the last row … */
	uint64_t       last_row_in;          /* … and the number of its commit */
	struct life   *lives;                /* of which the journal tells, or that a run ahead of it has begun */
	uint32_t       nlives;
	uint32_t       epoch;                /* the durable one */
	int64_t        last_ms;
	bool           ended;
	bool           torn;                 /* ended standing still, or strayed unseen: nobody can tell what it left */
	size_t         left;                 /* deliveries that a RENEW left behind, their hooks being closed */
	struct store_ended end;              /* its slices are in rows */
};

/* What a sender was told, or is to be. */
struct answer {
	bool         set;
	int          status;
	struct slice body;
	struct slice lines;              /* ptr NULL: it has none of its own */
};

struct sim;
struct run;

/* ---- sim_past.c: finding things ---- */
struct past *past_of(struct sim *s, const struct id *id);     /* made when it is new */
void         pasts_free(struct sim *s);
struct life  *past_life(struct past *p, uint32_t epoch);      /* stands until the next one is asked for */
struct sight *past_sight(struct past *p, uint32_t epoch, uint32_t step);
/* Must the journal fit the build that runs? Its last PROGRESS was written by it. */
bool         past_fits(const struct past *p, uint64_t build);
/* Has the journal the answer to that call? */
bool         past_answered(const struct past *p, uint32_t epoch, uint32_t step);
const struct entry *past_hook(const struct past *p, uint32_t hook);     /* its first HOOK; NULL: not durable */
bool         past_closed(const struct past *p, uint32_t hook);
/* Entries from before the commit that is being judged. */
size_t       past_before(const struct sim *s, const struct past *p);
bool          is_reply(const struct entry *e);                /* REPLY or ANSWER */
struct answer answer_of(const struct entry *reply);
/* What the flow replied to that delivery, durably. */
struct answer past_reply(const struct past *p, uint32_t hook, uint32_t uid);
/* Is e the entry by which that hook of that flow took a delivery in? */
bool         takes_in(const struct entry *e, const struct id *owner, const struct id *flow, uint32_t hook);
bool         past_took(const struct past *p, size_t seq);               /* by a confirmed step */
/* How often the journals hold that delivery, as a message or as a child's start. */
size_t       past_holds(struct sim *s, const struct id *flow, uint32_t hook, uint32_t uid);
uint32_t     uid_of(struct slice body);                       /* 0: none */
void         pasts_tell(struct sim *s);                       /* all journals, to the reader */
const struct entry *past_start(const struct past *p);         /* NULL: not durable */
bool         seqs_have(struct slice packed, uint64_t seq);    /* RENEW's untaken */

/* ---- sim_commit.c: a commit that is durable now; judged as a whole ---- */
void         past_commit(struct sim *s, const struct store_commit *c);

/* ---- sim_sight.c: what runs see and do ---- */
/* PROGRESS has come further: steps below it are confirmed. */
void         sights_confirm(struct sim *s, struct past *p);
/* The run under way saw a step; names what it may not have seen. */
void         past_saw(struct sim *s, struct run *r, const struct sight *seen);
/* An effect of the user's own begins. */
struct effect {
	const struct id *flow;
	uint32_t         epoch, step;
	enum step_kind   kind;
	const char      *name;
	uint64_t         content;
};
void         past_effect(struct sim *s, const struct effect *x);

/* ---- sim_told.c: what flows tell each other, publish and give as results ---- */
void         told_arrived(struct sim *s, struct past *p, const struct entry *e);   /* maybe: e may be no tell */
void         told_judge(struct sim *s);                       /* the commit is complete */
void         told_step(struct sim *s, struct past *p, uint32_t step);              /* is durable: of any kind */
void         told_all_published(struct sim *s, const struct past *p);
void         told_result(struct sim *s, struct past *p, const struct entry *e);

#endif
