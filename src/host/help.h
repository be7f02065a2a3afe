/* help.h - the texts of --help and --version, made from the tables in config.c. */
#ifndef FISH_HELP_H
#define FISH_HELP_H

#include "base/buf.h"
#include "host/config.h"

void help_program(struct buf *out, const struct config *c, const fish_program *program);
void help_command(struct buf *out, const struct config *c, const fish_program *program);
void help_version(struct buf *out, const struct config *c);

#endif
