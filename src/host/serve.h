/* serve.h - the server: store, engine, door and admin on one loop, from start to a clean
 * stop. */
#ifndef FISH_SERVE_H
#define FISH_SERVE_H

#include "host/config.h"
#include "host/paths.h"

/* Runs until it is told to stop; 0, or a code with words in err. */
int serve_run(const struct config *c, const struct paths *paths, const fish_program *program,
              struct err *err);

#endif
