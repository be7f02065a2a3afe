/* seen.h - the message ids a hook has accepted: 16-byte hashes with their times, oldest first.
 *
 * Bounded by SEEN_PER_HOOK_MAX and SEEN_WINDOW_MS; the oldest go first. */
#ifndef FISH_SEEN_H
#define FISH_SEEN_H

#include "base/buf.h"
#include "base/id.h"

struct seen;

struct seen_entry {
	struct id key;
	int64_t   time_ms;
	uint64_t  batch;      /* the batch that makes it durable; 0: it is */
	uint64_t  seq;        /* of its message, for a hook that holds the sender for a reply */
	struct seen_reply *reply;   /* the set's own; NULL: 200 with an empty body, or none yet */
};

/* What the first one was told by the flow. */
struct seen_reply {
	int      status;
	uint64_t batch;       /* that makes it durable */
	size_t   len;
	char     body[];
};

struct seen *seen_new(void);
struct seen *seen_free(struct seen *s);
/* NULL: never accepted, or forgotten. Stands until the next add. */
const struct seen_entry *seen_find(struct seen *s, const struct id *key, int64_t now_ms);
/* In any order of time. An id that is held already stays as it is, unless it would be forgotten by
 * the time of entry. Forgets the oldest when there are too many. */
void   seen_add(struct seen *s, const struct seen_entry *entry);
/* Those over the window count until the next find. */
/* The message of that seq was replied to; nothing if its id is not among these. */
void   seen_reply(struct seen *s, uint64_t seq, uint64_t batch, int status, struct slice body);
size_t seen_len(struct seen *s);
/* For DOOR: all of it, and back into an empty set (as durable). FISH_EFORMAT: damaged. */
void   seen_keep(struct buf *out, struct seen *s);
int    seen_restore(struct seen *s, struct slice kept);

/* For the ended row: appends "hook, count, (key, time) …"; and a look into a row of such pieces, in
 * which a damaged one and all behind it hold nothing. */
void   seen_pack(struct buf *out, uint32_t hook, struct seen *s);
struct seen_told {
	int          status;       /* 200 when the flow gave no reply */
	struct slice body;         /* borrowed from the row */
};
bool   seen_packed_find(struct slice packed, uint32_t hook, const struct id *key, int64_t now_ms,
                        struct seen_told *ret_told);

#endif
