/* command.h - all commands but serve: most ask the running server and print its answer; backup and
 * export open the store when none runs, check always opens a file. */
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
