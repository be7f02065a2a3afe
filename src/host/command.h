/* command.h - start, ls, show and cancel: they ask the running server and print its
 * answer. */
#ifndef FISH_COMMAND_H
#define FISH_COMMAND_H

#include "host/config.h"
#include "host/paths.h"

enum {
	EXIT_DONE = 0,
	EXIT_RUNTIME = 1,           /* it was asked rightly and did not work */
	EXIT_USAGE = 2,             /* it was asked wrongly */
	EXIT_NOT_YET = 3,           /* start --wait: the flow goes on */
};

/* Prints to stdout, and what is wrong to stderr; returns the exit status. */
int command_run(const struct config *c, const struct paths *paths);

#endif
