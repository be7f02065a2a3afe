/* sqlite.h - the SQLite store from the inside: for sqlite*.c and its own tests only.
 *
 * One connection, used by one thread at a time: the opener until the store thread starts,
 * then that thread; recover borrows it while the thread is idle. Invariant: the index in
 * RAM changes only after the COMMIT that justifies it. Surprise: the file is locked from
 * open to close. */
#ifndef FISH_STORE_SQLITE_H
#define FISH_STORE_SQLITE_H

#include "base/map.h"
#include "store/request.h"

#include <pthread.h>
#include <sqlite3.h>

enum {
	SQLITE_STORE_FORMAT     = 1,            /* user_version */
	SQLITE_STORE_ID         = 0x46697368,   /* application_id: "Fish" */
	SQLITE_STORE_PAGE_BYTES = 16384,
	SEGMENT_BYTES_MAX       = 16 << 20,     /* then the next segment is begun */
	SEGMENT_ROW_BYTES       = 32,           /* of a row beside its bytes, about */
	WAL_FRAMES_MAX          = 1000,         /* then its pages are copied home */
	LIST_BYTES_MAX          = 4 << 20,      /* then a page of the list ends early */
};

/* What only tests set; zero means the default. */
struct sqlite_options {
	size_t segment_bytes_max;
	int    wal_frames_max;
	const char *vfs;          /* of SQLite's, by name: it makes the file; NULL: the system's */
};

/* Where a row is: segment number and rowid in one number that rises with arrival. */
typedef uint64_t place;
enum { PLACE_ROWID_BITS = 40 };

/* The index entry of one flow. Kept as long as a segment with rows of it stands. */
struct flow_rows {
	struct id flow;
	uint32_t  ended_in;       /* segment that says it has ended; 0: it has not */
	uint32_t  n, cap;         /* places; cap ROWS_FEW: they are in few */
	union {
		place  few[2];
		place *many;      /* owned */
	};
};
enum { ROWS_FEW = 2 };

/* One table journal_N. */
struct segment {
	uint32_t           number;    /* N, from 1 */
	uint32_t           live;      /* flows with rows in it that have not ended */
	uint64_t           bytes;
	struct flow_rows **flows;     /* flows with rows in it, each once */
	size_t             nflows, cap;
	sqlite3_stmt      *insert, *select;     /* prepared at first use */
};

struct sqlite_store {
	struct store      base;
	char             *path;
	const char       *vfs;             /* NULL: the system's; see struct sqlite_options */
	sqlite3          *db;
	sqlite3_stmt     *begin, *commit, *rollback;
	sqlite3_stmt     *time_set, *ended_insert, *ended_oldest, *ended_delete;
	sqlite3_stmt     *find_flow, *find_key, *list;
	struct segment  **segments;        /* oldest first; the last one takes the rows */
	size_t            nsegments;
	size_t            segment_bytes_max;
	struct map        flows;           /* flow id → struct flow_rows */
	int64_t           time_ms;         /* greatest now_ms that is durable */
	int64_t           expire_ms;       /* no ended row is old enough before this */
	int               wal_frames, wal_frames_max;

	/* Test only: SIGKILL at the k-th commit, see sqlite_commit.c. */
	uint64_t          commits, kill_at;
	bool              kill_after;

	pthread_t         thread;
	bool              has_thread;
	pthread_mutex_t   mutex;           /* guards what follows; busy guards the rest */
	pthread_cond_t    wake, idle;
	struct list       queue, finished;
	bool              busy, stopping;
};

/* sqlite.c */
int  sqlite_store_open(struct store **ret, const char *path,
                       const struct sqlite_options *o, struct err *err);
/* Test only: the file grows to so many pages and no further; 0: without bound. */
void sqlite_store_pages_max(struct store *s, int64_t pages);
size_t sqlite_store_segments(struct store *s);     /* test only: how many stand */
/* The connection's last error in words; for what happens before the first request. */
int  sqlite_failed(struct sqlite_store *s, struct err *err, const char *doing);

/* sqlite_schema.c: makes the tables in an empty file, or checks what is there. */
int  sqlite_schema(struct sqlite_store *s, struct err *err);

/* sqlite_log.c: what has been read of the write-ahead log is durable from here on; once,
 * when the lock is ours. */
int  sqlite_log_secure(struct sqlite_store *s, struct err *err);

/* sqlite_stmt.c: thin hands over prepared statements. An int is one of SQLite's codes. */
int  stmt_prepare(struct sqlite_store *s, sqlite3_stmt **ret, const char *sql);
int  stmt_run(sqlite3_stmt *stmt);       /* one without rows; SQLITE_OK when done */
sqlite3_stmt *stmt_free(sqlite3_stmt *stmt);
void stmt_bind_int(sqlite3_stmt *stmt, int i, int64_t value);
/* Both borrow until the next bind; a NULL id is null. */
void stmt_bind_slice(sqlite3_stmt *stmt, int i, struct slice s);
void stmt_bind_id(sqlite3_stmt *stmt, int i, const struct id *id);
bool stmt_id(sqlite3_stmt *stmt, int i, struct id *ret);  /* false: no id; null is zero */
struct slice stmt_slice(sqlite3_stmt *stmt, int i);       /* stands until the next step */
/* After a failed write: rolls back. FISH_ESTORE when nothing is in doubt, else aborts. */
int  sqlite_write_failed(struct sqlite_store *s, const char *doing);
/* Prints "store PATH: …" and aborts. */
__attribute__((noreturn)) void sqlite_die(struct sqlite_store *s, const char *doing);

/* sqlite_index.c: which rows a flow has, and which flows a segment holds. */
struct flow_rows *index_flow(struct sqlite_store *s, const struct id *flow); /* or NULL */
const place *index_places(const struct flow_rows *f);
void index_add(struct sqlite_store *s, struct segment *seg, const struct id *flow,
               uint64_t rowid);
void index_end(struct sqlite_store *s, struct segment *seg, const struct id *flow);
void index_drop(struct sqlite_store *s, struct segment *seg);
void index_fini(struct sqlite_store *s);
static inline uint32_t place_segment(place p)
{
	return (uint32_t)(p >> PLACE_ROWID_BITS);
}
static inline int64_t place_rowid(place p)
{
	return (int64_t)(p & ((UINT64_C(1) << PLACE_ROWID_BITS) - 1));
}

/* sqlite_segment.c: the tables of the journal. */
struct segment *segment_new(struct sqlite_store *s, uint32_t number);  /* the newest */
struct segment *segment_free(struct segment *seg);
struct segment *segment_by_number(const struct sqlite_store *s, uint32_t number);
int  segment_create_table(struct sqlite_store *s, uint32_t number);
int  segment_insert(struct sqlite_store *s, struct segment *seg,
                    const struct store_row *row, const int64_t *now_ms);
int  segment_select(struct sqlite_store *s, struct segment *seg, int64_t rowid);
void segment_tidy(struct sqlite_store *s);

/* sqlite_commit.c, sqlite_query.c: carry out one request; return what done is told. */
int  sqlite_commit(struct sqlite_store *s, const struct store_commit *c);
int  sqlite_load(struct sqlite_store *s, struct store_load *l);
int  sqlite_find(struct sqlite_store *s, struct store_find *f);
int  sqlite_list(struct sqlite_store *s, struct store_list *l);
/* Reads the columns that ENDED_COLUMNS names; leaves the long ones empty. */
bool ended_read(sqlite3_stmt *stmt, struct store_ended *ret);
#define ENDED_COLUMNS \
	"flow, parent, parent_source, parent_number, key, started_ms, ended_ms, status," \
	" name"

/* sqlite_recover.c */
int  sqlite_scan(struct sqlite_store *s, struct err *err);  /* at open: makes the index */
int  sqlite_recover(struct store *s, const struct store_recovery *r, struct err *err);

/* sqlite_thread.c */
int  sqlite_thread_start(struct sqlite_store *s, struct err *err);
void sqlite_thread_stop(struct sqlite_store *s);     /* when the queue is empty */
void sqlite_borrow(struct sqlite_store *s);     /* waits for the thread, holds it up … */
void sqlite_give_back(struct sqlite_store *s);  /* … until this */
void sqlite_submit(struct store *s, struct store_request *r);
void sqlite_poll(struct store *s);

#endif
