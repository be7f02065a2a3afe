/* sqlite_schema.c - the tables, the stamp that says whose they are, and the pragmas they
 * rest on.
 *
 * Invariant: a file is touched only after it proved to be ours or empty, and the tables
 * appear with their stamp and the first MAC key in one transaction. Surprise: an empty
 * file counts as new; a process that was killed while it made its store leaves one
 * behind. */
#include "store/sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Journal segments are made as they are needed, see sqlite_segment.c. Columns that are
 * read without their row's long ones stand before these, so that long bytes are never
 * fetched for them. docs/format.md says what each is for. */
static const char schema_sql[] =
	"CREATE TABLE store (" /* one row */
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  time_ms INTEGER NOT NULL," /* the store's time when the row was written */
	"  parked INTEGER NOT NULL DEFAULT 0," /* rows of parked with awake 0 whose flows live, … */
	"  hooks INTEGER NOT NULL DEFAULT 0," /* … sums over these */
	"  untaken INTEGER NOT NULL DEFAULT 0,"
	"  ended_bytes INTEGER NOT NULL DEFAULT 0," /* weight of ended up to ended_last */
	"  stripped INTEGER NOT NULL DEFAULT 0," /* rows of ended up to it are stripped */
	"  ended_last INTEGER NOT NULL DEFAULT 0,"
	"  parked_last INTEGER NOT NULL DEFAULT 0," /* n of parked are never used again */
	"  dead INTEGER NOT NULL DEFAULT 0," /* rows of parked whose flows have ended, … */
	"  purged INTEGER NOT NULL DEFAULT 0," /* … all after this row of ended */
	"  indexed INTEGER NOT NULL DEFAULT 0," /* rows of ended up to it are in ended_id */
	"  swept INTEGER NOT NULL DEFAULT 0," /* those up to it no more */
	"  apart INTEGER NOT NULL DEFAULT 0," /* of parked those with FLOW_APART, … */
	"  apart_untaken INTEGER NOT NULL DEFAULT 0" /* … and what these have untaken */
	");"
	"INSERT INTO store (one, time_ms) VALUES (1, 0);"
	"CREATE TABLE mac_key ("
	"  n INTEGER PRIMARY KEY," /* the greatest is the newest */
	"  id INTEGER NOT NULL UNIQUE,"
	"  secret BLOB NOT NULL"
	");"
	"CREATE TABLE ended (" /* rowid: order of the ends, never used again */
	"  flow BLOB NOT NULL,"
	"  parent BLOB,"
	"  parent_source INTEGER NOT NULL,"
	"  parent_number INTEGER NOT NULL,"
	"  key BLOB,"
	"  started_ms INTEGER NOT NULL,"
	"  ended_ms INTEGER NOT NULL,"
	"  status INTEGER NOT NULL,"
	"  flags INTEGER NOT NULL DEFAULT 0," /* enum row_flags */
	"  weight INTEGER NOT NULL DEFAULT 0," /* bytes that retention counts */
	"  parked_n INTEGER NOT NULL DEFAULT 0," /* its row of parked, if it had one */
	"  name BLOB NOT NULL,"
	"  result BLOB NOT NULL,"
	"  untaken BLOB NOT NULL,"
	"  seen BLOB NOT NULL,"
	"  places BLOB," /* of its rows in segments */
	"  history BLOB" /* packed rows, older than those */
	");"
	"CREATE INDEX ended_key ON ended (key) WHERE parent IS NULL AND key IS NOT NULL;";

const char sqlite_schema_parked[] =
	"CREATE TABLE ended_id (" /* n: the row of ended */
	"  flow BLOB PRIMARY KEY,"
	"  n INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE parked ("
	"  n INTEGER PRIMARY KEY,"
	"  flow BLOB NOT NULL,"
	"  parent BLOB,"
	"  key BLOB,"
	"  wake_ms INTEGER,"
	"  hooks INTEGER NOT NULL,"
	"  untaken INTEGER NOT NULL,"
	"  awake INTEGER NOT NULL," /* 1: resident, its older rows aged */
	"  flags INTEGER NOT NULL," /* enum row_flags */
	"  from_seq INTEGER NOT NULL,"
	"  bytes BLOB NOT NULL" /* packed rows */
	");"
	"CREATE UNIQUE INDEX parked_flow ON parked (flow);"
	"CREATE INDEX parked_parent ON parked (parent, flow) WHERE parent IS NOT NULL;"
	"CREATE INDEX parked_key ON parked (key) WHERE parent IS NULL AND key IS NOT NULL;"
	"CREATE INDEX parked_wake ON parked (wake_ms) WHERE wake_ms IS NOT NULL;"
	"CREATE INDEX parked_awake ON parked (awake) WHERE awake = 1;"
	"CREATE TABLE chunk ("
	"  n INTEGER PRIMARY KEY,"
	"  flow BLOB NOT NULL,"
	"  seq INTEGER NOT NULL," /* of the first row in it */
	"  bytes BLOB NOT NULL" /* packed rows */
	");"
	"CREATE INDEX chunk_flow ON chunk (flow, seq);"
	"CREATE TABLE big ("
	"  n INTEGER PRIMARY KEY,"
	"  flow BLOB NOT NULL,"
	"  seq INTEGER NOT NULL,"
	"  bytes BLOB NOT NULL" /* of one row */
	");"
	"CREATE INDEX big_flow ON big (flow, seq);"
	"CREATE TABLE retired (" /* segments that a restart does not read */
	"  number INTEGER PRIMARY KEY,"
	"  retired_ms INTEGER NOT NULL,"
	"  bytes INTEGER NOT NULL"
	");";

int sqlite_exec(struct sqlite_store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* The one number that sql gives. */
int sqlite_number(struct sqlite_store *s, const char *sql, int64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt, sql);

	if (rc != SQLITE_OK)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	rc = sqlite3_reset(stmt);
	stmt_free(stmt);
	return rc;
}

/* Refuses what is not ours. *ret_fresh: there is nothing in the file yet. */
static int stamp_check(struct sqlite_store *s, bool *ret_fresh, struct err *err)
{
	int64_t id = 0;
	int64_t format = 0;
	int64_t tables = 0;

	if (sqlite_number(s, "PRAGMA application_id", &id) != SQLITE_OK ||
		sqlite_number(s, "PRAGMA user_version", &format) != SQLITE_OK ||
		sqlite_number(s, "SELECT count(*) FROM sqlite_master", &tables) != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read it");
	*ret_fresh = id == 0 && format == 0 && tables == 0;
	if (*ret_fresh)
		return 0;
	if (id != SQLITE_STORE_ID)
		return err_set(err, FISH_EFORMAT,
			"store %s is a database of another program "
			"(application id 0x%08x, not 0x%08x): "
			"choose another file",
			s->path, (unsigned)id, (unsigned)SQLITE_STORE_ID);
	if (format > SQLITE_STORE_FORMAT)
		return err_set(err, FISH_EFORMAT,
			"store %s has format %lld, this program knows formats up to %d: "
			"run the newer program",
			s->path, (long long)format, SQLITE_STORE_FORMAT);
	if (format < 1)
		return err_set(err, FISH_EFORMAT,
			"store %s has format %lld, which never was: "
			"it is damaged",
			s->path, (long long)format);
	s->migrating = format < SQLITE_STORE_FORMAT ? format : 0;
	return 0;
}

/* Sets a pragma and makes sure that it took. */
static int pragma(struct sqlite_store *s, const char *set, const char *get, int64_t want,
	struct err *err)
{
	int64_t is = -1;

	if (sqlite_exec(s, set) != SQLITE_OK || sqlite_number(s, get, &is) != SQLITE_OK)
		return sqlite_failed(s, err, set);
	if (is != want)
		return err_set(
			err, FISH_EIO, "store %s: SQLite refuses \"%s\"", s->path, set);
	return 0;
}

/* Asks for the write-ahead log, and sees whether it is granted. */
static int wal_begin(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	bool wal = false;
	int rc = stmt_prepare(s, &stmt, "PRAGMA journal_mode = WAL");

	if (rc == SQLITE_OK) {
		if (sqlite3_step(stmt) == SQLITE_ROW)
			wal = slice_eq(stmt_slice(stmt, 0), SLICE_LIT("wal"));
		rc = sqlite3_reset(stmt);
	}
	stmt_free(stmt);
	if (rc != SQLITE_OK)
		return sqlite_failed(s, err, "cannot begin its write-ahead log");
	if (!wal)
		return err_set(err, FISH_EIO,
			"store %s: this file system takes no write-ahead log: "
			"choose another place",
			s->path);
	return 0;
}

/* The lock is real from here on: a transaction that writes has it, exclusive mode keeps
 * it. */
static int lock_take(struct sqlite_store *s, struct err *err)
{
	if (sqlite_exec(s, "BEGIN EXCLUSIVE; COMMIT") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot lock it");
	return 0;
}

/* One transaction: a kill in the middle leaves an empty file, which counts as new. */
static int tables_make(struct sqlite_store *s, struct err *err)
{
	char stamp[100];

	sqlite3_snprintf(sizeof stamp, stamp,
		"PRAGMA application_id = %d; PRAGMA user_version = %d", SQLITE_STORE_ID,
		SQLITE_STORE_FORMAT);
	if (sqlite_exec(s, "BEGIN EXCLUSIVE") != SQLITE_OK || sqlite_exec(s, schema_sql) != SQLITE_OK ||
		sqlite_exec(s, sqlite_schema_parked) != SQLITE_OK ||
		segment_create_table(s, 1) != SQLITE_OK || sqlite_key_make(s) != SQLITE_OK ||
		sqlite_exec(s, stamp) != SQLITE_OK || sqlite_exec(s, "COMMIT") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot make its tables");
	return 0;
}

/* The MAC keys in it are secret; a file that somebody made beforehand may be open to all. Its log, which
 * has them first, takes its mode when it is made. */
static int make_private(const struct sqlite_store *s, struct err *err)
{
	if (s->vfs == NULL && chmod(s->file, 0600) != 0)
		return err_set(err, FISH_EIO, "store %s: cannot make it private: %s",
			s->path, strerror(errno));
	return 0;
}

int sqlite_schema(struct sqlite_store *s, struct err *err)
{
	bool fresh = false;
	int rc = 0;

	/* Exclusive locking comes before the first read: the WAL's index then is in our
	 * own memory. */
	if (sqlite_exec(s,
		    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
		    "PRAGMA wal_autocheckpoint = 0;"
		    "PRAGMA temp_store = MEMORY") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot set it up");
	if ((rc = stamp_check(s, &fresh, err)) < 0)
		return rc;
	char size[40];
	sqlite3_snprintf(
		sizeof size, size, "PRAGMA page_size = %d", SQLITE_STORE_PAGE_BYTES);
	if (fresh && sqlite_exec(s, size) != SQLITE_OK)
		return sqlite_failed(s, err, size);
	if (fresh && (rc = make_private(s, err)) < 0)
		return rc;
	if ((rc = wal_begin(s, err)) < 0 || (rc = lock_take(s, err)) < 0 ||
		(rc = sqlite_log_secure(s, err)) < 0 ||
		(rc = pragma(s, "PRAGMA synchronous = FULL", "PRAGMA synchronous", 2,
			 err)) < 0 ||
		(rc = pragma(s, "PRAGMA secure_delete = OFF", "PRAGMA secure_delete", 0,
			 err)) < 0)
		return rc;
	/* Last, because SQLite works out how many pages these are when it is told, and
	 * before its first read it takes them for smaller than they are. */
	if (sqlite_exec(s, "PRAGMA cache_size = -12288") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot set it up");
	if (fresh && (rc = tables_make(s, err)) < 0)
		return rc;
	if (s->migrating != 0 && (rc = sqlite_migrate(s, err)) < 0)
		return rc;
	return sqlite_keys_read(s, err);
}
