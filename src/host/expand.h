/* expand.h - `${NAME}` in a program's peers and senders, put in from the environment once, at start.
 *
 * Only those that the program lists are expanded, never one that a flow builds at run
 * time: a stranger's text that reached such a peer must not be able to ask for the
 * environment. */
#ifndef FISH_EXPAND_H
#define FISH_EXPAND_H

#include "base/base.h"

struct expanded {
	fish_peer *peers;       /* copies in the program's order; NULL: it lists none */
	fish_sender *senders;   /* the same */
	char     **texts;       /* all that was made, owned */
	size_t     ntexts;
	const char ***lists;    /* of secrets */
	size_t     nlists;
};

/* Borrows program's texts until expand_fini. An unset variable, a `${` without its end
 * and a URL that is none are FISH_EINVAL, naming peer, field and variable. */
int  expand_init(struct expanded *x, const fish_program *program, struct err *err);
void expand_fini(struct expanded *x);

#endif
