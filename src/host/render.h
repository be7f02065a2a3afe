/* render.h - the server's JSON as a person reads it: what `show` and `ls` print. Pure. */
#ifndef FISH_RENDER_H
#define FISH_RENDER_H

#include "base/buf.h"

struct render {
	int64_t now_ms;         /* for "in 4 min" and "12 s ago" */
	bool    colours;
};

/* One flow as GET /flows/ID tells it; text is the JSON that flow was read from. A member
 * that is missing is left out, not an error. */
void render_show(struct buf *out, const struct render *r, const struct json_t *flow,
                 struct slice text);
/* A named door as GET /doors/NAME tells it, and the array of GET /doors. */
void render_door(struct buf *out, const struct render *r, const struct json_t *door);
void render_doors(struct buf *out, const struct render *r, const struct json_t *doors);
/* The head of the table that render_list_row goes on with. */
void render_list_head(struct buf *out, const struct render *r);
void render_list_row(struct buf *out, const struct render *r, const struct json_t *flow);
/* "3 flows: 2 waiting, 1 stopped; 2 URLs out, 1 call under way" */
void render_figures(struct buf *out, const struct json_t *figures);

#endif
