/* admin_client.h - the command line's side of the admin listener: one request, one
 * answer, blocking. */
#ifndef FISH_ADMIN_CLIENT_H
#define FISH_ADMIN_CLIENT_H

#include "base/buf.h"

struct admin_ask {
	const char  *socket;          /* the unix socket's path */
	const char  *method;          /* "GET" or "POST" */
	struct slice path;            /* with its query, escaped */
	struct slice body;
	const char  *key;             /* Idempotency-Key; NULL: none */
	int64_t      timeout_ms;
};

struct admin_told {
	int        status;
	struct buf body;              /* the caller's to buf_fini, also after a failure */
};

/* FISH_ENOTFOUND: nobody answers at the socket; FISH_EINVAL: it may not be asked;
 * FISH_EIO: the talk broke off, and what was asked may have been done. Fills err. */
int  admin_ask(const struct admin_ask *ask, struct admin_told *ret, struct err *err);
/* Puts text so that it can stand in a path as one segment. */
void admin_escape(struct buf *out, struct slice text);

#endif
