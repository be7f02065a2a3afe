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
	int64_t  reached_ms;                 /* by the first PROGRESS that covers it */
	bool     logs;                       /* the code logs after it … */
	bool     logged;                     /* … and the line is out, or died with its process */
	bool     called;                     /* its call is out, or its own effect was done … */
	uint64_t content;                    /* … with these bytes, or under this name */
	char     key[ID_TEXT_SIZE];          /* … and this key */
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
	size_t         last_row_at;          /* first entry of the last row */
	struct life   *lives;                /* of which the journal tells, or that a run ahead of it has begun */
	uint32_t       nlives;
	uint32_t       epoch;                /* the durable one */
	int64_t        last_ms;
	bool           ended;
	bool           torn;                 /* ended standing still, or strayed unseen: nobody can tell what it left */
	size_t         left;                 /* deliveries that a RENEW left behind, their hooks being closed */
	struct store_ended end;              /* its slices are in rows */
};

struct sim;
struct run;

struct past *past_of(struct sim *s, const struct id *id);     /* made when it is new */
void         pasts_free(struct sim *s);
/* A commit that is durable now; judged as a whole. */
void         past_commit(struct sim *s, const struct store_commit *c);
struct life  *past_life(struct past *p, uint32_t epoch);      /* stands until the next one is asked for */
struct sight *past_sight(struct past *p, uint32_t epoch, uint32_t step);
/* The flow of that life told its code to do the user's own effect of the present step. */
void         past_effect(struct sim *s, struct run *r, const char *name);
/* Must the journal fit the build that runs? Its last PROGRESS was written by it. */
bool         past_fits(const struct past *p, uint64_t build);
/* Has the journal the answer to that call? */
bool         past_answered(const struct past *p, uint32_t epoch, uint32_t step);
/* The run under way saw a step; names what it may not have seen. */
void         past_saw(struct sim *s, struct run *r, const struct sight *seen);
bool         past_closed(const struct past *p, uint32_t hook);
/* How often the journals hold that delivery, as a message or as a child's start. */
size_t       past_holds(struct sim *s, const struct id *flow, uint32_t hook, uint32_t uid);
uint32_t     uid_of(struct slice body);                       /* 0: none */
void         pasts_tell(struct sim *s);                       /* all journals, to the reader */
const struct entry *past_start(const struct past *p);         /* NULL: not durable */

#endif
