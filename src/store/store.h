/* store.h - where journals live: the contract that every store keeps (tests/store proves it).
 *
 * A store has one owner thread. Requests are carried out in the order they were made, so a load sees
 * every commit submitted before it and none after. Their done functions run on the owner's thread,
 * inside store_poll; notify is called (from any thread) when a poll would find something.
 * Invariants: a commit is all or nothing; when done says 0 it survives kill -9 and power loss.
 * A commit that was rolled back (disk full, busy) says FISH_ESTORE and left nothing; the store stays
 * usable. Any other failure of a write is ambiguous: the store prints it and aborts the process, and
 * what was durable is read back at the next start.
 *
 * A live flow is resident (its rows are young: the owner has it in memory, and a restart hands it out)
 * or parked (out of the owner's memory; a restart does not look at it, a load brings it back). It is
 * parked by a store_park in a commit, and resident again from the commit that next adds a row to it.
 * Surprise: nothing here knows what an entry is; a store keeps rows of bytes in order of arrival. */
#ifndef FISH_STORE_H
#define FISH_STORE_H

#include "base/id.h"
#include "base/list.h"
#include "base/token.h"

struct store;
struct arena;

/* The store's own part of each request; the owner leaves it alone. Zero before the first use. */
struct store_request {
	struct list   link;      /* in the store's queue, then among its finished ones */
	enum store_kind { STORE_COMMIT = 1, STORE_LOAD, STORE_FIND, STORE_LIST, STORE_WALK } kind;
	int           rc;
	struct arena *results;   /* what is handed out and freed when done returns; or NULL */
};

/* What one flow adds to its journal in one commit; it may have several, in order. A row, and an ended flow's
 * long slices together, have less than STORE_ROW_BYTES_MAX. */
struct store_row {
	struct id    flow;
	uint64_t     seq;        /* of the first entry in bytes */
	bool         last;       /* the flow's END is in it: no row of this flow comes after */
	uint64_t     from_seq;   /* what lies wholly below this is of no use to a load any more; never falls */
	struct slice bytes;
};

/* A flow that goes out of memory with this commit: all its rows are older than the commit or in it. */
struct store_park {
	struct id    flow;
	struct id    parent;     /* zero: none */
	bool         has_key;    /* key is the hash of its start key */
	struct id    key;
	int64_t      wake_ms;    /* its first deadline; INT64_MAX: none */
	bool         apart;      /* nobody's but the owner's: counted in all, and by itself as well */
	uint32_t     hooks;      /* open ones (none of one that is apart), and … */
	uint32_t     untaken;    /* … deliveries not taken: for the figures */
};

/* How many flows are parked, and sums over them. */
struct store_parked {
	uint64_t flows, hooks, untaken;
	uint64_t apart, apart_untaken;      /* of those above */
};
void store_parked_more(struct store_parked *sums, const struct store_park *p);
void store_parked_less(struct store_parked *sums, const struct store_park *p);

/* What is kept of a flow that has ended; written in the same commit as its last row. */
struct store_ended {
	struct id    flow;
	struct id    parent;            /* zero: none */
	uint32_t     parent_number;     /* the parent's hook or step … */
	uint8_t      parent_source;     /* … and its enum source; 0: none */
	bool         has_key;           /* key is the hash of the start key, or for a child of a hook that of its message id */
	struct id    key;
	int64_t      started_ms, ended_ms;
	uint8_t      status;            /* enum end_status */
	struct slice name;              /* the flow's name */
	struct slice result;            /* the result, or why it failed */
	struct slice seen;              /* its own hooks' message ids: packed by the engine, opaque here */
	struct slice untaken;           /* messages nobody took: packed by the engine, opaque here */
};

struct store_commit {
	const struct store_row   *rows;      size_t nrows;      /* borrowed until done */
	const struct store_ended *ended;     size_t nended;
	const struct store_park  *parks;     size_t nparks;     /* of flows that end in no row of this commit */
	int64_t                   now_ms;    /* stored as the store's time */
	void (*done)(struct store_commit *c, int rc);           /* 0 or FISH_ESTORE */
	struct store_request      request;
};

/* All rows of one flow, oldest first, from the one that holds its from_seq on (older ones may be there);
 * of an ended flow those that are still kept, maybe with gaps. The flow stays parked if it was. */
struct store_load {
	struct id         flow;
	struct store_row *rows;   size_t nrows;   /* the store's; stand until done returns */
	bool              parked;                 /* a live flow that is parked, with … */
	struct store_park park;                   /* … what it was parked with */
	void (*done)(struct store_load *l, int rc);             /* 0, or FISH_ENOTFOUND: no row (nrows 0) */
	struct store_request request;
};

enum store_find_by { STORE_BY_FLOW = 1, STORE_BY_KEY };
/* What may be long of an ended flow: hundreds of mebibytes. */
enum store_find_wants { STORE_RESULT = 1, STORE_UNTAKEN = 2, STORE_SEEN = 4 };

/* One parked or ended flow, by id or by start key (children are never found by key). */
struct store_find {
	enum store_find_by by;
	struct id          what;
	unsigned           wants;               /* bits of store_find_wants: only these are read, … */
	bool               parked;              /* it lives: of ended only flow is filled in */
	struct store_ended ended;               /* … the others are empty; its slices stand until done returns */
	void (*done)(struct store_find *f, int rc);             /* 0 or FISH_ENOTFOUND */
	struct store_request request;
};

/* Ended flows, newest first, that ended before the given place (0: from the newest). A page may end
 * short of its limit when what it holds is large; only ret_next says whether there are more. */
struct store_list {
	uint64_t            before;              /* 0, or ret_next of the last call */
	size_t              limit;               /* 1 … STORE_LIST_MAX */
	struct store_ended *ended;  size_t nended;  /* stand until done returns */
	uint64_t            ret_next;            /* 0: there are no more */
	void (*done)(struct store_list *l, int rc);
	struct store_request request;
};

enum store_walk_by { STORE_WALK_ALL = 1, STORE_WALK_CHILDREN, STORE_WALK_DUE };

/* Ids of parked flows: all or one parent's, in order of id; or those whose deadline comes, in order of
 * wake_ms. A flow that was parked once and is resident now may be among them: whoever asks knows. */
struct store_walk {
	enum store_walk_by by;
	struct id          parent;              /* CHILDREN: whose */
	struct id          after;               /* ALL, CHILDREN: those above it; zero: from the first */
	int64_t            after_ms, until_ms;  /* DUE: wake_ms above the one, at most the other */
	size_t             limit;               /* 1 … STORE_WALK_MAX; DUE hands out all of its last millisecond */
	struct store_walked {
		struct id flow;
		int64_t   wake_ms;
		bool      apart;
	}                 *found;   size_t nfound;      /* stand until done returns */
	bool               ret_more;            /* there were more within the bounds */
	int64_t            ret_next_ms;         /* DUE: the first wake_ms above the last one handed out, or above
	                                           until_ms when all were; INT64_MAX: none */
	void (*done)(struct store_walk *w, int rc);     /* 0 */
	struct store_request request;
};

/* What store_recover hands out; all slices stand for the one call. */
struct store_recovery {
	/* Each resident flow, whole: as a load would hand it out (parked is false). A parent may come after its child. */
	void (*flow)(void *owner, const struct store_load *l);
	void  *owner;
	struct store_parked ret_parked;         /* of the parked ones, which are not handed out */
};

/* A copy of the whole store as it is at one moment between two commits, made while it goes on. */
enum store_backup_mode { STORE_BACKUP_NEW, STORE_BACKUP_REPLACES };
struct store_backup {
	enum store_backup_phase {
		STORE_BACKUP_NONE, STORE_BACKUP_COPIES, STORE_BACKUP_SECURES, STORE_BACKUP_DONE,
		STORE_BACKUP_FAILED,
	} phase;
	uint64_t   number;               /* counts them */
	uint64_t   bytes, left;          /* about; of the copy, and what is not copied yet */
	int64_t    held_us_max;          /* the longest that the store's thread was held up by it at one go */
	struct err err;                  /* FAILED: why */
};

struct store_ops {
	void (*submit)(struct store *s, struct store_request *r);
	void (*poll)(struct store *s);
	int  (*recover)(struct store *s, struct store_recovery *r, struct err *err);
	int  (*recover_flow)(struct store *s, const struct id *flow, const struct store_recovery *r, struct err *err);
	void (*close)(struct store *s);
	/* NULL: there is nothing to be copied. */
	int  (*backup_begin)(struct store *s, const char *path, enum store_backup_mode mode, struct err *err);
	void (*backup_look)(struct store *s, struct store_backup *ret);
	/* NULL: its keys are its own. */
	int  (*add_key)(struct store *s, const struct token_key *key, struct err *err);
};

/* The part that every store has; a kind of store embeds it first. */
struct store {
	const struct store_ops *ops;
	void (*notify)(void *arg);       /* set by the owner before the first request; may be NULL */
	void  *notify_arg;
	void (*notified)(void *arg);     /* notify as it was at the first request, from when on it stays */
	bool   asked;                    /* there was one */
	int64_t time_ms;                 /* greatest now_ms of any durable commit when it was opened */
	struct token_key *keys;          /* MAC keys, newest first; the first is made with the store */
	size_t  nkeys;
	size_t  under_way;               /* requests not yet done */
	bool    committing;              /* one of them is a commit */
};

/* An ended row goes once it is older than SEEN_WINDOW_MS by a commit's now_ms: oldest first, at most
 * so many in one commit beyond the number that the commit adds. */
enum { STORE_ENDED_DROPS = 16, STORE_LIST_MAX = 1000, STORE_WALK_MAX = 10000 };
enum { STORE_ROW_BYTES_MAX = 990 * 1000 * 1000 };    /* SQLite takes 10^9 in a row, with all there is beside them */

/* How a store is kept; zero is the default. */
struct store_options {
	size_t      young_bytes_max;     /* of rows that a restart reads, about; 0: 64 MiB */
	int64_t     retain_ms;           /* an ended flow's input, result and history stay so long; 0: a day */
	uint64_t    retain_bytes_max;    /* … and at most so many bytes of them all, the oldest go first; 0: 1 GiB */
	uint64_t    log_bytes;           /* that its write-ahead log has on the disk from the beginning; then a commit that
	                                    finds no room also has retention carried out by its now_ms; 0: none */
	const char *vfs;                 /* SQLite's, by name; tests bring their own; NULL: the system's */
};

/* Opens or makes a store. path ":memory:" is the memory store. Fills err with what a person can act
 * on: unwritable, foreign file, newer format, in use by another server. o may be NULL. */
int store_open(struct store **ret, const char *path, const struct store_options *o, struct err *err);
int store_open_memory(struct store **ret, const uint8_t secret[TOKEN_SECRET_BYTES], struct err *err);
int store_open_sqlite(struct store **ret, const char *path, const struct store_options *o, struct err *err);

/* Short hands over ops. At most one commit at a time; loads, finds and lists as many as one likes. */
void store_commit(struct store *s, struct store_commit *c);
void store_load(struct store *s, struct store_load *l);
void store_find(struct store *s, struct store_find *f);
void store_list(struct store *s, struct store_list *l);
void store_walk(struct store *s, struct store_walk *w);
void store_poll(struct store *s);
/* Blocking; no commit may be under way. Loads, finds and lists under way are carried out first; their
 * done functions run at the next poll. Used at start and after a commit that failed. */
int  store_recover(struct store *s, struct store_recovery *r, struct err *err);
/* Within store_recover's bounds, after it: one parked flow more, through r->flow. Not through it when there is
 * no such parked flow. */
int  store_recover_flow(struct store *s, const struct id *flow, const struct store_recovery *r, struct err *err);
struct store *store_close(struct store *s);      /* waits for what is under way (done is not called); returns NULL */

/* Begins a copy to path, which begins with '/': it grows in path.tmp, and gets its name once it is durable. All
 * commits that are done before are in it. FISH_EBUSY: one is under way, or the name is taken (NEW), or
 * a server has it; FISH_EINVAL; FISH_EIO. */
int  store_backup_begin(struct store *s, const char *path, enum store_backup_mode mode, struct err *err);
void store_backup_look(struct store *s, struct store_backup *ret);   /* how far the last one is */

/* Blocking: keeps one more MAC key, older than all others, of another id than theirs; keys and nkeys change.
 * FISH_ESTORE: rolled back, as a commit; FISH_EINVAL: this kind of store takes none. */
int  store_add_key(struct store *s, const struct token_key *key, struct err *err);

/* Judges the file of a store that nobody has open, and does not change it. Calls found for each thing that is
 * wrong (flow NULL: it is no flow's), progress (may be NULL) now and then with a count of flows. 0: it is
 * clean; 1: it is not; FISH_EBUSY, FISH_ENOTFOUND, FISH_EFORMAT, FISH_EINVAL, FISH_EIO: it cannot be judged. */
struct store_check {
	void (*found)(void *owner, const struct id *flow, const char *words);
	void (*progress)(void *owner, uint64_t done, uint64_t all);
	void  *owner;
	bool   opaque;                   /* its rows hold no entries: for the stores of tests */
};
int  store_check_file(const char *path, const struct store_check *c, struct err *err);

/* The memory store's extras, for tests and the simulator. A fault counts for a commit only. */
enum memory_fault { MEMORY_OK, MEMORY_COMMIT_FAILS };
void store_memory_hold(struct store *s, bool held);                     /* while held, poll completes nothing */
void store_memory_complete(struct store *s, enum memory_fault fault);   /* the oldest request, also while held: carried out (or failed) and done */
size_t store_memory_pending(const struct store *s);
/* What a crash leaves: a new store with the durable rows only; the commit under way is lost, or
 * (kept) counts as durable though nobody was told. The old store is closed. */
struct store *store_memory_crash(struct store *s, bool keep_pending_commit);

#endif
