/* doors.h - the program's named doors, ready to say for whom a delivery is.
 *
 * Made once, at start: a door that names a sender or a flow that is not in the program, or that nobody
 * would have to sign for, fails there and not with the first delivery. */
#ifndef FISH_DOORS_H
#define FISH_DOORS_H

#include "base/buf.h"
#include "engine/sender.h"

struct engine_config;

enum { DOOR_NAME_BYTES_MAX = 64, DOOR_KEY_BYTES_MAX = 255 };
#define DOOR_KEEP_MS  (INT64_C(24) * 60 * 60 * 1000)      /* when keep_ms says nothing */

struct door {
	char                *name;
	struct id            book;         /* its ledger's: no flow has that id */
	const struct sender *from;         /* NULL: nobody is checked */
	char                *key;          /* a header's name in lower case, or a JSON Pointer; NULL: flow is set */
	const fish_def      *flow;         /* NULL: key is set */
	int64_t              keep_ms;
	size_t               body_max;     /* 0: what the server takes */
};

struct doors {
	struct door *all;
	size_t       n;
};

/* Of config->program; s: its senders, which must stay. FISH_EINVAL with words; *ret is then empty. */
int  doors_init(struct doors *ret, const struct engine_config *config, const struct senders *s, struct err *err);
void doors_fini(struct doors *d);
/* NULL: none of that name. */
const struct door *doors_find(const struct doors *d, struct slice name);
/* Could it be a key: 1 to DOOR_KEY_BYTES_MAX bytes of UTF-8 without a NUL? */
bool door_key_fits(struct slice key);
/* Appends to ret for whom these bytes are. False: for nobody that could be named. */
bool door_key_of(const struct door *d, struct slice meta, struct slice body, struct buf *ret);

#endif
