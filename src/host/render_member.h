/* render_member.h - members of the server's JSON, for the files that render it. */
#ifndef FISH_RENDER_MEMBER_H
#define FISH_RENDER_MEMBER_H

#include "host/render.h"

#include <jansson.h>

const char *member_text(const json_t *object, const char *name);         /* "" when it is no text */
/* The same for bytes among which there may be a NUL. */
struct slice member_bytes(const json_t *object, const char *name);
int64_t     member_number(const json_t *object, const char *name);       /* 0 when it is none */
bool        member_is_number(const json_t *object, const char *name);
/* How a flow stands: an ended one's end says more than that it ended. */
const char *member_state(const json_t *flow);

/* SGR codes: what needs somebody is red, what waits is yellow, what is done is green. */
const char *member_state_colour(const char *state);
void        member_colour(struct buf *out, const struct render *r, const char *sgr);
void        member_put_coloured(struct buf *out, const struct render *r, const char *sgr,
                                const char *text);

/* render_ledger.c: the requests that came, and what became of them. */
void render_ledger(struct buf *out, const struct render *r, const json_t *flow);
/* A line: "3 stored, 1 refused since …". */
void render_counts(struct buf *out, const json_t *book);
void render_requests(struct buf *out, const struct render *r, const json_t *book);

#endif
