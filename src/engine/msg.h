/* msg.h - a message as a flow sees it: the public part first, so that a fish_msg is a struct msg.
 *
 * Body and meta are copies in the run's arena. Parsed lazily: json is made by the first reader that
 * asks and released with the run, which keeps all parsed messages in a chain. Surprise: a passing
 * message, of a hook with the release option, is memory of its own and in no chain; see release.c. */
#ifndef FISH_MSG_H
#define FISH_MSG_H

#include "base/arena.h"
#include "wire/entry.h"

#include <fish.h>

enum msg_parse { MSG_UNPARSED, MSG_PARSED, MSG_REFUSED };

struct run;

struct msg {
	fish_msg       pub;
	struct run    *input_of;       /* a flow's input: the run; NULL for all others */
	struct arena  *arena;          /* the run's, or its own if it passes: what readers hand out lives there */
	struct msg   **parsed;         /* head of the run's chain of parsed messages; NULL if it passes */
	struct msg    *parsed_next;
	struct msg    *next;           /* in its inbox */
	struct slice   meta;           /* header lines "name: value\n" */
	struct json_t *json;           /* MSG_PARSED: owned */
	bool           replied;        /* by fish_reply */
	bool           passes;         /* goes when the next one of its hook is taken */
	enum msg_parse parse;
	uint64_t       seq;            /* its place in the journal: the oldest wins */
	int64_t        time_ms;
};

/* What a delivery costs while nobody takes it. */
static inline size_t message_bytes(struct slice meta, struct slice body)
{
	return sizeof(struct msg) + meta.len + body.len;
}

static inline const struct msg *msg_of(const fish_msg *m) { return (const struct msg *)m; }

/* The body's tree, which the message keeps; NULL when it is no JSON and no form, or refused. */
struct json_t *msg_json(const struct msg *m);
/* Is the body a form, which reads as an object but is no JSON? */
bool           msg_is_form(const struct msg *m);
/* 0 if a message of these bytes has a tree; else FISH_EFORMAT with words in err. */
int            body_check(struct slice meta, struct slice body, struct err *err);
/* Drops the json of all messages of a chain. */
void           msgs_release(struct msg **parsed);
/* The line of meta with that lower-case name; ptr NULL when there is none. */
struct slice   meta_find(struct slice meta, const char *name);

#endif
