/* serve.h - the server: store, engine, door and admin on one loop, from start to a clean
 * stop. */
#ifndef FISH_SERVE_H
#define FISH_SERVE_H

#include "host/config.h"
#include "host/paths.h"

struct serve;

/* Everything up and listening, nothing running yet; borrows all until serve_close. What
 * is on disk has been read. On failure nothing is left open. */
int  serve_open(struct serve **ret, const struct config *c, const struct paths *paths,
                const fish_program *program, struct err *err);
/* Runs until serve_stop; FISH_ETIMEOUT when what was under way did not finish in time. */
int  serve_loop(struct serve *s, struct err *err);
/* Begins a clean stop; on the loop's thread. Harmless when one is under way. */
void serve_stop(struct serve *s);
/* Closes and frees what there is, also s, whether the loop ever ran or not. */
void serve_close(struct serve *s);

/* A program's `serve`: all of the above, with its signals, its ready line and its umask.
 * 0, or a code with words in err. */
int serve_run(const struct config *c, const struct paths *paths, const fish_program *program,
              struct err *err);

#endif
