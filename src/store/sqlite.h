/* sqlite.h - the SQLite store from the inside: for sqlite*.c and its own tests only.
 *
 * One connection, used by one thread at a time: the opener until the store thread starts,
 * then that thread; recover borrows it while the thread is idle. Invariant: the index in
 * RAM says what the file says: a commit changes it as it writes, and one that is rolled back
 * has it built anew. Surprise: the file is locked from open to close. docs/format.md tells of
 * the tables. */
#ifndef FISH_STORE_SQLITE_H
#define FISH_STORE_SQLITE_H

#include "base/buf.h"
#include "base/map.h"
#include "store/request.h"

#include <pthread.h>
#include <sqlite3.h>

enum {
	SQLITE_STORE_FORMAT     = 3,            /* user_version */
	SQLITE_STORE_ID         = 0x46697368,   /* application_id: "Fish" */
	SQLITE_STORE_PAGE_BYTES = 16384,
	SEGMENT_BYTES_MAX       = 8 << 20,      /* then the next segment is begun, or at a quarter of … */
	YOUNG_BYTES_MAX         = 64 << 20,     /* … what all young ones may have */
	SEGMENT_ROW_BYTES       = 32,           /* of a row beside its bytes, about */
	BIG_BYTES_MIN           = 64 << 10,     /* longer rows lie in the table big, once */
	GROUP_ROW_BYTES_MAX     = 4 << 10,      /* rows of a commit that are no longer lie in groups, … */
	GROUP_BYTES_MAX         = 4 << 10,      /* … each ends with the row that brings it there */
	PARKED_BYTES_MAX        = 2 << 10,      /* of the rows that lie in a parked flow's own row */
	CHUNK_BYTES_MAX         = 256 << 10,    /* of those that go to one row of chunk, about */
	KEPT_BYTES_MAX          = 16 << 20,     /* of unpacked groups; a segment's, with what goes with them */
	AGE_FLOWS_MAX           = 256,          /* survivors that move after one commit, … */
	AGE_BYTES_MAX           = 1 << 20,      /* … and their bytes, about */
	DEAD_ROWS_MIN           = 500,          /* so many rows of parked have died at least … */
	DEAD_ROWS_LIVE          = 4,            /* … and one for so many that live, before they go; … */
	PURGE_ROWS_MAX          = 200000,       /* … that many at one go, … */
	PURGE_READ_MAX          = 5000,         /* … found and … */
	PURGE_DELETE_MAX        = 1000,         /* … deleted in pieces, one after each commit */
	IDS_YOUNG_MAX           = 16384,        /* ids of ended rows in RAM before they go to ended_id … */
	IDS_ROW_BYTES           = 128,          /* … or as many as a restart reads a quarter of the young for */
	IDS_MERGE_MAX           = 250,          /* that many after each commit */
	IDS_SWEEP_MIN           = 1000,         /* so many ids have no row any more before they go, … */
	IDS_SWEEP_READ          = 5000,         /* … looked for among so many after each commit */
	THIN_ROWS_MAX           = 64,           /* rows and groups of a retired segment looked at after one commit */
	WAL_FRAMES_MAX          = 1000,         /* then its pages are copied home */
	LIST_BYTES_MAX          = 4 << 20,      /* then a page of the list ends early */
};
#define RETAIN_MS_DEFAULT   (INT64_C(24) * 60 * 60 * 1000)
#define RETAIN_BYTES_MAX    (UINT64_C(1) << 30)

/* What only tests set; zero means the default. */
struct sqlite_options {
	struct store_options store;
	int      wal_frames_max;
	uint64_t dead_rows_min;
	size_t   ids_merge_max;
	int64_t  ids_sweep_min;
};

/* What a row of a journal is, in its column last. 2 was a mark of format 1. */
enum row_last {
	ROW_MORE = 0, ROW_LAST = 1,
	ROW_PARKED = 3,      /* bytes: ids of flows whose older rows have moved; they are parked now */
	ROW_AGED = 4,        /* the same of their rows up to segment seq; they are resident still */
	ROW_GROUP = 5,       /* bytes: seq rows, as sqlite_group.c packs them */
};

/* What else a flow has, in the column flags of parked and ended. */
enum row_flags { FLOW_CHUNKS = 1, FLOW_BIGS = 2, FLOW_HAS = FLOW_CHUNKS | FLOW_BIGS,
	FLOW_APART = 4 /* in parked alone, while it is parked */ };

/* Where a row is: the segment's number, the rowid there, and its number in that row if it is a group,
 * else 0: in one number that rises with arrival. */
typedef uint64_t place;
enum {
	PLACE_NUMBER_BITS = 11, PLACE_ROWID_BITS = 22,
	PLACE_SEGMENT_SHIFT = PLACE_NUMBER_BITS + PLACE_ROWID_BITS,
	PLACE_FILE_BITS = 24,      /* of the rowid in ended.places */
};
/* Of the smallest segments there are, a quarter of a mebibyte, this is half a pebibyte. */
#define SEGMENT_NUMBER_MAX  (UINT32_MAX >> 1)
static inline uint32_t place_segment(place p) { return (uint32_t)(p >> PLACE_SEGMENT_SHIFT); }
static inline int64_t place_rowid(place p)
{
	return (int64_t)(p >> PLACE_NUMBER_BITS & ((UINT64_C(1) << PLACE_ROWID_BITS) - 1));
}
static inline uint64_t place_number(place p)
{
	return p & ((UINT64_C(1) << PLACE_NUMBER_BITS) - 1);
}

/* The index entry of one resident flow: its young rows that it has use for. A flow that aged whole
 * has none, until its next row. */
struct flow_rows {
	struct id   flow;
	struct list link;         /* in the segment that holds the oldest of them */
	uint64_t    from_seq;     /* the greatest that a young row told */
	bool        bigs;         /* some of its young rows lie in big */
	uint32_t    n, cap;       /* places; cap ROWS_FEW: they are in few */
	struct row_at {
		place    place;
		uint64_t seq;
	} few[2], *many;          /* many is owned */
};
enum { ROWS_FEW = 2 };

/* What is kept of a read. */
struct placed_bytes {
	struct buf bytes;
	place      group;          /* whose bytes they are; 0: no group's */
	struct buf rows;           /* struct store_row of it */
};

/* Groups of the segment that ages. Its rows are asked for flow by flow, and each group has some of many
 * flows: so those that were read stay unpacked. */
struct kept_groups {
	uint32_t           segment;   /* 0: of none */
	int64_t            n;         /* the greatest rowid there may be */
	struct kept_group **groups;   /* by rowid; NULL: not read yet */
	size_t             bytes;     /* at most KEPT_BYTES_MAX */
};

/* One table journal_N that a restart reads. */
struct segment {
	uint32_t      number;          /* N, from 1 */
	uint64_t      bytes;
	int64_t       n_last;          /* the greatest n in it */
	uint64_t      rows, ended_rows;/* of these, of flows that have ended */
	struct list   flows;           /* struct flow_rows whose oldest place is here */
	sqlite3_stmt *insert, *select; /* prepared at first use */
};

/* One that a restart does not read: kept for the history of ended flows. */
struct retired {
	uint32_t number;
	int64_t  retired_ms;
	uint64_t bytes;
	int64_t  thin_next;        /* rows with an n below it have been thinned; 0: it is not thinned */
	int64_t  n_last;           /* the greatest n in it, while it is thinned */
	uint64_t rows, ended_rows; /* while it is thinned */
};

/* Dead rows of parked that are on their way out. */
struct purge {
	bool     under_way, found;   /* found: rows holds all of them, in order */
	int64_t *rows;               /* their n; owned */
	size_t   n, cap, at;         /* those before at are deleted */
	int64_t  upto;               /* rows of ended that were looked at */
};

/* Which row of ended a flow has, as far as ended_id does not say it yet. */
struct ids {
	struct map young;            /* flow id → number of its row, not a pointer */
	uint64_t   young_bytes;      /* of those rows that no merge has taken, about */
	int64_t    expired;          /* the youngest ended row that is gone; older ones are, too */
	struct id *merge;            /* what is on its way to the table, in order; owned; NULL: nothing */
	size_t     nmerge, at;       /* those before at are there */
	int64_t    last;             /* the youngest row among them */
	bool       sweeping;         /* the table is looked through for … */
	int64_t    sweep_upto;       /* … rows up to this one … */
	struct id  after;            /* … after this id */
};

/* Sums that stand in the row of store; what a roll-back must bring back. */
struct sums {
	struct store_parked parked;       /* rows of parked with awake 0 whose flows live */
	int64_t             parked_last;  /* the greatest n that a row of parked ever had */
	uint64_t            dead;         /* rows of parked whose flows have ended; … */
	int64_t             purged;       /* … they ended after this row of ended */
	uint64_t            ended_bytes;  /* what ended rows keep beyond their window */
	int64_t             stripped;     /* the youngest ended row that keeps nothing more */
	int64_t             ended_last;   /* the youngest ended row there ever was */
	int64_t             indexed;      /* ended rows up to this one are in ended_id */
	int64_t             swept;        /* no id of a row up to this one is in ended_id any more */
	bool                changed;      /* since the row was written */
};

/* The statements that live as long as the store; their words are in sqlite_stmt.c. */
enum statement {
	ST_BEGIN, ST_COMMIT, ST_ROLLBACK, ST_STORE_PUT,
	ST_ENDED_INSERT, ST_ENDED_OLDEST, ST_ENDED_DELETE, ST_ENDED_WHOLE, ST_ENDED_STRIP,
	ST_ENDED_KEPT, ST_ENDED_PLACES, ST_ENDED_PARKED, ST_FIND_FLOW, ST_FIND_KEY, ST_LIST,
	ST_PARKED_GET, ST_PARKED_INSERT, ST_PARKED_UPDATE, ST_PARKED_AGED, ST_PARKED_DELETE,
	ST_PARKED_FLOW, ST_PARKED_KEY, ST_PARKED_AWAKE,
	ST_WALK_ALL, ST_WALK_CHILDREN, ST_WALK_DUE,
	ST_ID_GET, ST_ID_PUT, ST_ID_NEXT, ST_ID_SWEEP,
	ST_CHUNK_INSERT, ST_CHUNK_GET, ST_CHUNK_TRIM, ST_CHUNK_DELETE, ST_CHUNK_BYTES,
	ST_BIG_INSERT, ST_BIG_GET, ST_BIG_TRIM, ST_BIG_DELETE, ST_BIG_BYTES,
	ST_PAGES, ST_RETIRED_INSERT, ST_RETIRED_BYTES, ST_RETIRED_DELETE,
	STATEMENTS
};

struct sqlite_store {
	struct store      base;
	char             *path;            /* as it was given, for words */
	char             *file;            /* the same without links, as SQLite has it: its log lies beside that */
	const char       *vfs;             /* NULL: the system's */
	sqlite3          *db;
	sqlite3_stmt     *statements[STATEMENTS];
	struct segment  **segments;        /* the young ones, oldest first; the last takes the rows */
	size_t            nsegments;
	uint64_t          young_bytes;     /* of all of them */
	struct retired   *retired;         /* oldest first */
	size_t            nretired;
	uint64_t          retired_bytes;
	size_t            segment_bytes_max, young_bytes_max;
	int64_t           retain_ms;
	uint64_t          retain_bytes_max;
	uint64_t          dead_rows_min;
	size_t            ids_merge_max;
	int64_t           ids_sweep_min;
	struct map        flows;           /* flow id → struct flow_rows */
	struct sums       sums;
	struct purge      purge;
	struct ids        ids;
	int64_t           time_ms;         /* greatest now_ms that is durable */
	int64_t           expire_ms;       /* no ended row is old enough to go before this … */
	int64_t           strip_ms;        /* … or to lose what it keeps */
	size_t            commit_rows;     /* of the last commit, and … */
	uint64_t          commit_bytes;    /* … by how much it made the young more: how much a tidy has to do */
	uint64_t          moved_bytes;     /* that parked_move has written last */
	int               wal_frames, wal_frames_max;
	uint64_t          log_bytes;       /* as in store_options */
	bool              grows;           /* the file is made long enough before each COMMIT … */
	uint64_t          file_bytes;      /* … and is at least as long */
	int               file_fd;         /* the same file; -1: it is not opened so. Closed after SQLite's own */
	bool              no_room;         /* that was refused */
	int64_t           refused_ms;      /* time of the commit that found no room; 0: it did */
	bool              checking;        /* the file may be damaged: a read that fails is no end */
	int64_t           migrating;       /* the older format that it has, while it is opened; else 0 */
	struct buf        packed, places, moved, group; /* scratch: nothing stands in them from call to call */
	struct placed_bytes read;          /* what place_read gave last */
	struct kept_groups kept;
	struct buf        old;             /* scratch of parked_get's callers */

	/* Test only: SIGKILL at the k-th commit or write, see sqlite_stmt.c. */
	uint64_t          commits, kill_at_commit, writes, kill_at_write;
	bool              kill_after;

	pthread_t         thread;
	bool              has_thread;
	pthread_mutex_t   mutex;           /* guards what follows; busy guards the rest */
	pthread_cond_t    wake, idle;
	struct list       queue, finished;
	bool              busy, stopping;
	unsigned          wanted;          /* who waits to borrow the connection */
	struct sqlite_backup *backup;      /* the last one, or NULL */
};

/* sqlite.c */
int  sqlite_store_open(struct store **ret, const char *path, const struct sqlite_options *o,
                       struct err *err);
/* Without a connection; store_close frees it. */
struct sqlite_store *sqlite_store_new(const char *path, const struct sqlite_options *o);
/* Sets file; the file is there. */
int  sqlite_file_find(struct sqlite_store *s, struct err *err);
/* Test only: the file grows to so many pages and no further; 0: without bound. */
void sqlite_store_pages_max(struct store *s, int64_t pages);
/* Test only: how many segments stand. */
struct sqlite_counts {
	size_t young, retired;
};
struct sqlite_counts sqlite_store_counts(struct store *s);
/* The connection's last error in words; for what happens before the first request. */
int  sqlite_failed(struct sqlite_store *s, struct err *err, const char *doing);
int  sqlite_damaged(struct sqlite_store *s, struct err *err, const char *what);

/* sqlite_schema.c: makes the tables in an empty file, or checks what is there. A file of an older
 * format is changed in a transaction that sqlite_migrated ends. */
int  sqlite_schema(struct sqlite_store *s, struct err *err);
int  sqlite_exec(struct sqlite_store *s, const char *sql);
int  sqlite_number(struct sqlite_store *s, const char *sql, int64_t *ret);
extern const char sqlite_schema_parked[];

/* sqlite_keys.c: the first one, for a new store; all of them, newest first, into the part that every store
 * has; and store_add_key. */
int  sqlite_key_make(struct sqlite_store *s);
int  sqlite_keys_read(struct sqlite_store *s, struct err *err);
int  sqlite_add_key(struct store *base, const struct token_key *key, struct err *err);

/* sqlite_migrate.c */
int  sqlite_migrate(struct sqlite_store *s, struct err *err);
int  sqlite_migrated(struct sqlite_store *s, struct err *err);

/* sqlite_log.c: what has been read of the write-ahead log is durable from here on; once,
 * when the lock is ours. */
int  sqlite_log_secure(struct sqlite_store *s, struct err *err);

/* sqlite_stmt.c: thin hands over prepared statements. An int is one of SQLite's codes. */
int  statements_prepare(struct sqlite_store *s, struct err *err);
int  stmt_prepare(struct sqlite_store *s, sqlite3_stmt **ret, const char *sql);
int  stmt_run(sqlite3_stmt *stmt);       /* one without rows; SQLITE_OK when done */
sqlite3_stmt *stmt_free(sqlite3_stmt *stmt);
void stmt_bind_int(sqlite3_stmt *stmt, int i, int64_t value);
/* Both borrow until the next bind; a NULL id is null. */
void stmt_bind_slice(sqlite3_stmt *stmt, int i, struct slice s);
void stmt_bind_id(sqlite3_stmt *stmt, int i, const struct id *id);
bool stmt_id(sqlite3_stmt *stmt, int i, struct id *ret);  /* false: no id; null is zero */
struct slice stmt_slice(sqlite3_stmt *stmt, int i);       /* stands until the next step */
int  sqlite_begin(struct sqlite_store *s);
int  sqlite_end(struct sqlite_store *s);
/* After a failed write: rolls back. FISH_ESTORE when nothing is in doubt, else aborts. */
int  sqlite_write_failed(struct sqlite_store *s, const char *doing);
/* Prints "store PATH: …" and aborts. */
__attribute__((noreturn)) void sqlite_die(struct sqlite_store *s, const char *doing);

/* sqlite_index.c: which young rows a resident flow has. */
struct flow_rows *index_flow(struct sqlite_store *s, const struct id *flow); /* or NULL */
static inline struct row_at *index_rows(struct flow_rows *f)
{
	return f->cap == ROWS_FEW ? f->few : f->many;
}
/* A flow without entry, or whose first young row is not its first, may have rows in parked. */
static inline bool index_older(struct flow_rows *f)
{
	return f == NULL || index_rows(f)[0].seq > 0;
}
struct flow_rows *index_add(struct sqlite_store *s, struct segment *seg, place at,
                            const struct store_row *row, bool big);
void index_remove(struct sqlite_store *s, struct flow_rows *f);
void index_end(struct sqlite_store *s, struct flow_rows *f);     /* and counts its rows as ended */
void index_aged(struct sqlite_store *s, struct flow_rows *f, uint32_t upto);
void index_fini(struct sqlite_store *s);

/* sqlite_segment.c: the tables of the journal. */
struct segment *segment_new(struct sqlite_store *s, uint32_t number);  /* the newest */
struct segment *segment_by_number(const struct sqlite_store *s, uint32_t number);  /* or NULL */
struct segment *segment_newest(const struct sqlite_store *s);
void segments_fini(struct sqlite_store *s);
int  segment_create_table(struct sqlite_store *s, uint32_t number);
/* SQLITE_ROW: *ret is on (flow, seq, last, big, bytes); the caller resets it. */
int  segment_select(struct sqlite_store *s, struct segment *seg, int64_t rowid);
int  segment_begin_next(struct sqlite_store *s);
int  segment_retire(struct sqlite_store *s);       /* the oldest, whose flows have all gone */
int  retired_drop(struct sqlite_store *s);         /* the oldest */
int  retired_thin(struct sqlite_store *s, struct retired *r);
void retired_put(struct sqlite_store *s, struct retired r);

/* sqlite_group.c */
void group_put(struct buf *out, const struct store_row *row);
/* 1, and a zero id for a row that is no more; 0 at the end; FISH_EFORMAT. */
int  group_next(struct slice *rest, struct store_row *ret);
int  group_function(struct sqlite_store *s);                /* fish_thinned(bytes), for SQL; SQLite's code */

/* sqlite_place.c */
/* segment: at most SEGMENT_NUMBER_MAX. */
place place_of(uint32_t segment, int64_t rowid, uint64_t number);
bool  place_fits(int64_t rowid);
void  place_put(struct buf *out, place p);
int   place_next(struct slice *rest, place *ret);           /* 1 or FISH_EFORMAT */
struct placed {
	struct store_row row;      /* but from_seq */
	int64_t          big;      /* its bytes are there; 0: they are here */
};
/* 1, and bytes stand until the next read; 0: nothing is there; FISH_EFORMAT: it is not as it was written;
 * FISH_EIO: SQLite knows more. */
int   place_read(struct sqlite_store *s, place at, struct placed *ret);
/* From now on groups of seg that are read stay unpacked, till another's do or place_forget. */
void  place_keep(struct sqlite_store *s, const struct segment *seg);
void  place_forget(struct sqlite_store *s);
void  place_fini(struct sqlite_store *s);

/* sqlite_insert.c: rows into the newest segment. now_ms is the commit's in its first row, else NULL: so the
 * store's time costs no page of its own. */
int  segment_insert(struct sqlite_store *s, const struct store_row *row, enum row_last last,
                    const int64_t *now_ms);
int  segment_insert_rows(struct sqlite_store *s, const struct store_row *rows, size_t n,
                         const int64_t *now_ms);
void segment_insert_release(struct segment *seg);  /* its statements; they are prepared again when needed */

/* sqlite_rows.c: rows in and out of what is not a journal. */
void packed_put(struct buf *out, uint64_t seq, struct slice bytes);
void packed_put_big(struct buf *out, uint64_t seq, int64_t big);
struct packed_row {
	uint64_t     seq;
	int64_t      big;          /* 0: they are here */
	struct slice bytes;
};
int  packed_next(struct slice *rest, struct packed_row *ret);    /* 1, 0 at the end, or FISH_EFORMAT */
/* Fills l in: everything that is kept of a flow. False: nothing is. f: its entry, or NULL. */
bool rows_load(struct sqlite_store *s, struct flow_rows *f, struct store_load *l, struct arena *a);
bool rows_load_ended(struct sqlite_store *s, struct store_load *l, struct arena *a);

/* sqlite_park.c: rows of parked. */
struct parked_row {
	int64_t           n;
	bool              awake;       /* resident, as a restart is told */
	int               flags;
	uint64_t          from_seq;
	struct slice      bytes;       /* in the buffer that was given */
	struct store_park park;
};
/* The flow's row; its bytes go to *into. 0 or FISH_ENOTFOUND. */
int  parked_get(struct sqlite_store *s, const struct id *flow, struct buf *into, struct parked_row *ret);
/* Its flow lives no more: the row goes at once, or is left to be purged. */
int  parked_delete(struct sqlite_store *s, const struct parked_row *row);
void parked_dies(struct sqlite_store *s, const struct parked_row *row);
/* Is a row of parked one that nobody has purged yet? */
bool parked_is_dead(struct sqlite_store *s, const struct id *flow);
/* Moves the flow's young rows up to a segment to its row; NULL: it stays resident. */
int  parked_move(struct sqlite_store *s, const struct id *flow, struct flow_rows *f,
                 const struct store_park *park, uint32_t upto);
int  parks_write(struct sqlite_store *s, const struct store_commit *c, const int64_t *now_ms);

/* sqlite_purge.c */
bool purge_is_due(const struct sqlite_store *s);
int  sqlite_purge(struct sqlite_store *s);         /* the next piece */
void purge_reset(struct sqlite_store *s);
int  purge_row(struct sqlite_store *s, int64_t n); /* within a transaction */

/* sqlite_ids.c: the row of ended by the flow's id. */
int64_t ids_find(struct sqlite_store *s, const struct id *flow);        /* or 0 */
void ids_add(struct sqlite_store *s, const struct id *flow, int64_t n, uint64_t bytes);
void ids_expire(struct sqlite_store *s, const struct id *flow, int64_t n);  /* the row is gone */
int  ids_scan(struct sqlite_store *s, struct err *err);     /* anew, as sums.indexed says */
int  ids_function(struct sqlite_store *s);                  /* fish_ended(flow), for SQL; SQLite's code */
int  ids_tidy(struct sqlite_store *s);                      /* the next piece, if one is due */
void ids_fini(struct sqlite_store *s);

/* sqlite_age.c */
/* True: it has done a piece. */
bool sqlite_tidy(struct sqlite_store *s);

/* sqlite_room.c */
void room_open(struct sqlite_store *s);
void room_close(struct sqlite_store *s);    /* behind sqlite3_close */
bool room_grow(struct sqlite_store *s);     /* before a COMMIT; false: it must be rolled back */
void room_copied(struct sqlite_store *s);   /* the log has been copied home */
void room_make(struct sqlite_store *s);     /* after a commit that was refused: all that is due and fits in a while */

/* sqlite_ended.c */
int  ended_write(struct sqlite_store *s, const struct store_ended *e);
int  ended_orphan(struct sqlite_store *s, const struct id *flow);  /* it ended, and no row tells of it */
int  ended_expire(struct sqlite_store *s, int64_t now_ms, size_t rows_max);
bool ended_is_due(const struct sqlite_store *s, int64_t now_ms);
int  ended_strip(struct sqlite_store *s, int64_t now_ms, size_t rows_max);
void places_put(struct buf *out, struct flow_rows *f);
uint64_t retained_bytes(const struct sqlite_store *s);
bool ended_read(sqlite3_stmt *stmt, struct store_ended *ret);  /* leaves the long columns empty */
#define ENDED_COLUMNS \
	"flow, parent, parent_source, parent_number, key, started_ms, ended_ms, status," \
	" name"

/* sqlite_commit.c, sqlite_query.c: carry out one request; return what done is told. */
int  sqlite_commit(struct sqlite_store *s, const struct store_commit *c);
int  sums_put(struct sqlite_store *s, int64_t time_ms);   /* within a transaction */
int  sqlite_load(struct sqlite_store *s, struct store_load *l);
int  sqlite_find(struct sqlite_store *s, struct store_find *f);
int  sqlite_list(struct sqlite_store *s, struct store_list *l);
void sqlite_walk(struct sqlite_store *s, struct store_walk *w);

/* sqlite_recover.c */
int  sqlite_scan(struct sqlite_store *s, struct err *err);  /* at open: makes the index */
void sqlite_rescan(struct sqlite_store *s);                 /* after a roll-back */
extern const char sqlite_sums_sql[];
int  sqlite_recover(struct store *s, struct store_recovery *r, struct err *err);
int  sqlite_recover_flow(struct store *s, const struct id *flow, const struct store_recovery *r,
                         struct err *err);

/* sqlite_backup.c; due and piece are for the store's thread, due under the mutex. */
bool backup_is_due(const struct sqlite_store *s);
void backup_piece(struct sqlite_store *s);          /* copies the next few pages */
void backup_stop(struct sqlite_store *s);           /* at close, when the thread has gone */
int  sqlite_backup_begin(struct store *base, const char *path, enum store_backup_mode mode,
                         struct err *err);
void sqlite_backup_look(struct store *base, struct store_backup *ret);

/* sqlite_thread.c */
/* 0 or an errno; no signal is delivered to it. */
int  sqlite_thread_new(pthread_t *ret, void *(*main)(void *arg), void *arg);
int  sqlite_thread_start(struct sqlite_store *s, struct err *err);
void sqlite_thread_stop(struct sqlite_store *s);     /* when the queue is empty */
void sqlite_borrow(struct sqlite_store *s);     /* waits for the thread, holds it up … */
void sqlite_give_back(struct sqlite_store *s);  /* … until this */
void sqlite_submit(struct store *s, struct store_request *r);
void sqlite_poll(struct store *s);

#endif
