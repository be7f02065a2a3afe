/* seams.h - the real world behind engine/seams.h: clock, entropy, calls out, log
 * lines. */
#ifndef FISH_HOST_SEAMS_H
#define FISH_HOST_SEAMS_H

#include "engine/seams.h"
#include "host/blackbox.h"
#include "host/threads.h"
#include "net/client.h"
#include "net/errand.h"

struct world {
	int64_t        wall_ms;       /* unix time at start … */
	int64_t        since_ms;      /* … and what the steady clock showed then */
	struct client *client;        /* borrowed; NULL: calls are not sent (any more) */
	struct errands *errands;      /* owned by who serves; NULL: nothing is fetched for senders */
	struct threads *threads;      /* borrowed; NULL: there are none yet */
	struct blackbox *blackbox;    /* owned by who serves; NULL: nobody counts crashes */
	int            log_fd;        /* -1: nothing is logged */
	bool           log_owned;     /* log_fd is a file that world_fini closes */
};

/* log: "stderr", "off" or a file that is appended to. */
int          world_init(struct world *w, const char *log, struct err *err);
void         world_fini(struct world *w);
struct seams world_seams(struct world *w);            /* borrows w */
struct errands *world_errands(struct world *w);       /* new ones, by way of its client */
int64_t      world_now_ms(const struct world *w);
/* One line: time, event, then key=value … */
void         world_log(const struct world *w, const char *event, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
