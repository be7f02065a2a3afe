/* paths.h - the files beside a store: its unix socket, the admin token, the black box. */
#ifndef FISH_PATHS_H
#define FISH_PATHS_H

#include "base/buf.h"

enum { SOCKET_PATH_BYTES_MAX = 107 };    /* sockaddr_un has 108 with the NUL */

struct paths {
	struct buf store, socket, token;     /* owned, NUL-terminated */
	struct buf running;                  /* the black box; empty for a store in memory */
};

/* store and socket are what was asked for, NULL for the default; socket "" for none. FISH_EINVAL when the
 * socket's path is too long, or a store in memory leaves none to be derived. */
int  paths_init(struct paths *p, const char *program, const char *store, const char *socket,
                struct err *err);
void paths_fini(struct paths *p);

/* The admin token: from FISH_ADMIN_TOKEN, else from the file p->token, which is made
 * (0600) when it is not there. *ret_token is the caller's to free; *ret_from_file says
 * where it came from. */
int  paths_admin_token(const struct paths *p, char **ret_token, bool *ret_from_file,
                       struct err *err);

#endif
