/* seen.h - the message ids a hook has accepted: 16-byte hashes with their times, oldest first.
 *
 * Bounded by SEEN_PER_HOOK_MAX and SEEN_WINDOW_MS; the oldest go first. */
#ifndef FISH_SEEN_H
#define FISH_SEEN_H

#include "base/buf.h"
#include "base/id.h"
#include "wire/entry.h"

struct seen;

struct seen_entry {
	struct id key;
	int64_t   time_ms;
	uint64_t  batch;      /* the batch that makes it durable; 0: it is */
	uint64_t  seq;        /* of its message, for a hook that holds the sender for a reply */
	struct seen_reply *reply;   /* the set's own; NULL: 200 with an empty body, or none yet */
};

/* What a flow has a sender told. */
struct reply {
	int          status;
	struct slice lines;   /* "Name: value\r\n"; ptr NULL: none were given, and the body is JSON */
	struct slice body;
};

/* Of REPLY and ANSWER; borrows. */
struct reply reply_of(const struct entry *e);

/* What the first one was told by the flow. */
struct seen_reply {
	struct reply told;    /* points into bytes */
	uint64_t     batch;   /* that makes it durable */
	char         bytes[];
};

struct seen *seen_new(void);
struct seen *seen_free(struct seen *s);
/* NULL: never accepted, or forgotten. Stands until the next add. */
const struct seen_entry *seen_find(struct seen *s, const struct id *key, int64_t now_ms);
size_t seen_bytes(const struct seen *s);                        /* of memory; 0 for NULL */
/* In any order of time. An id that is held already stays as it is, unless it would be forgotten by
 * the time of entry. Forgets the oldest when there are too many. */
void   seen_add(struct seen *s, const struct seen_entry *entry);
/* Those over the window count until the next find. */
/* The message of that seq was replied to; nothing if its id is not among these. When replies take more
 * than REPLIES_PER_HOOK_BYTES_MAX, the oldest keep their status alone. */
void   seen_reply(struct seen *s, uint64_t seq, uint64_t batch, const struct reply *told);
size_t seen_len(struct seen *s);
/* For DOOR: all of it, and back into an empty set (as durable). FISH_EFORMAT: damaged. */
void   seen_keep(struct buf *out, struct seen *s);
int    seen_restore(struct seen *s, struct slice kept);

/* For the ended row: appends "hook, count, (key, time) …"; and a look into a row of such pieces, in
 * which a damaged one and all behind it hold nothing. */
void   seen_pack(struct buf *out, uint32_t hook, struct seen *s);
/* ret_told borrows from the row; 200 when the flow gave no reply. */
bool   seen_packed_find(struct slice packed, uint32_t hook, const struct id *key, int64_t now_ms,
                        struct reply *ret_told);

#endif
