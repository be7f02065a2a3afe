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
#include <sys/random.h>
#include <sys/stat.h>

/* Journal segments are made as they are needed, see sqlite_segment.c. The columns that a
 * restart reads of every row stand before the bytes, so that long bytes are never fetched
 * for them. */
static const char schema_sql[] =
	"CREATE TABLE store (" /* one row */
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  time_ms INTEGER NOT NULL" /* the store's time when a segment was begun */
	");"
	"INSERT INTO store VALUES (1, 0);"
	"CREATE TABLE mac_key ("
	"  n INTEGER PRIMARY KEY," /* the greatest is the newest */
	"  id INTEGER NOT NULL UNIQUE,"
	"  secret BLOB NOT NULL"
	");"
	"CREATE TABLE ended (" /* rowid: order of the ends */
	"  flow BLOB NOT NULL,"
	"  parent BLOB,"
	"  parent_source INTEGER NOT NULL,"
	"  parent_number INTEGER NOT NULL,"
	"  key BLOB,"
	"  started_ms INTEGER NOT NULL,"
	"  ended_ms INTEGER NOT NULL,"
	"  status INTEGER NOT NULL,"
	"  name BLOB NOT NULL,"
	"  result BLOB NOT NULL,"
	"  untaken BLOB NOT NULL,"
	"  seen BLOB NOT NULL"
	");"
	"CREATE UNIQUE INDEX ended_flow ON ended (flow);"
	"CREATE INDEX ended_key ON ended (key) WHERE parent IS NULL AND key IS NOT NULL;"
	/* Children of hooks, for the restart: nearly in order, as ends come with rising
           time. */
	"CREATE INDEX ended_child ON ended (ended_ms)"
	"  WHERE parent_source = 1 AND key IS NOT NULL;";

static int exec(struct sqlite_store *s, const char *sql)
{
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

/* The one number that sql gives. */
static int number_of(struct sqlite_store *s, const char *sql, int64_t *ret)
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

	if (number_of(s, "PRAGMA application_id", &id) != SQLITE_OK ||
		number_of(s, "PRAGMA user_version", &format) != SQLITE_OK ||
		number_of(s, "SELECT count(*) FROM sqlite_master", &tables) != SQLITE_OK)
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
	if (format < SQLITE_STORE_FORMAT)
		return err_set(err, FISH_EFORMAT,
			"store %s has format %lld, which never was: "
			"it is damaged",
			s->path, (long long)format);
	return 0;
}

/* Sets a pragma and makes sure that it took. */
static int pragma(struct sqlite_store *s, const char *set, const char *get, int64_t want,
	struct err *err)
{
	int64_t is = -1;

	if (exec(s, set) != SQLITE_OK || number_of(s, get, &is) != SQLITE_OK)
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
	if (exec(s, "BEGIN EXCLUSIVE; COMMIT") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot lock it");
	return 0;
}

/* The first MAC key; its id is 1. */
static int key_make(struct sqlite_store *s)
{
	char secret[TOKEN_SECRET_BYTES];
	sqlite3_stmt *stmt = NULL;

	if (getrandom(secret, sizeof secret, 0) != (ssize_t)sizeof secret)
		return SQLITE_IOERR;
	int rc = stmt_prepare(s, &stmt, "INSERT INTO mac_key VALUES (1, 1, ?)");
	if (rc == SQLITE_OK) {
		stmt_bind_slice(stmt, 1, (struct slice){ secret, sizeof secret });
		rc = stmt_run(stmt);
	}
	stmt_free(stmt);
	explicit_bzero(secret, sizeof secret);
	return rc;
}

/* One transaction: a kill in the middle leaves an empty file, which counts as new. */
static int tables_make(struct sqlite_store *s, struct err *err)
{
	char stamp[100];

	sqlite3_snprintf(sizeof stamp, stamp,
		"PRAGMA application_id = %d; PRAGMA user_version = %d", SQLITE_STORE_ID,
		SQLITE_STORE_FORMAT);
	if (exec(s, "BEGIN EXCLUSIVE") != SQLITE_OK || exec(s, schema_sql) != SQLITE_OK ||
		segment_create_table(s, 1) != SQLITE_OK || key_make(s) != SQLITE_OK ||
		exec(s, stamp) != SQLITE_OK || exec(s, "COMMIT") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot make its tables");
	/* The MAC keys in it are secret; a file that somebody made beforehand may be open
	 * to all. */
	if (s->vfs == NULL && chmod(s->path, 0600) != 0)
		return err_set(err, FISH_EIO, "store %s: cannot make it private: %s",
			s->path, strerror(errno));
	return 0;
}

/* Newest first, into the part that every store has. */
static int keys_read(struct sqlite_store *s, struct err *err)
{
	int64_t n = 0;
	sqlite3_stmt *stmt = NULL;

	if (number_of(s, "SELECT count(*) FROM mac_key", &n) != SQLITE_OK ||
		stmt_prepare(s, &stmt,
			"SELECT id, secret FROM mac_key ORDER BY n DESC") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read its keys");
	s->base.keys = xalloc((size_t)(n + 1) * sizeof *s->base.keys);
	while (sqlite3_step(stmt) == SQLITE_ROW && s->base.nkeys < (size_t)n) {
		struct token_key *key = &s->base.keys[s->base.nkeys];
		struct slice secret = stmt_slice(stmt, 1);
		if (secret.len != TOKEN_SECRET_BYTES)
			break;
		key->id = (uint8_t)sqlite3_column_int(stmt, 0);
		memcpy(key->secret, secret.ptr, TOKEN_SECRET_BYTES);
		s->base.nkeys++;
	}
	stmt_free(stmt);
	if (n == 0 || s->base.nkeys != (size_t)n)
		return err_set(err, FISH_EFORMAT,
			"store %s is damaged: its keys are not whole", s->path);
	return 0;
}

int sqlite_schema(struct sqlite_store *s, struct err *err)
{
	bool fresh = false;
	int rc = 0;

	/* Exclusive locking comes before the first read: the WAL's index then is in our
	 * own memory. */
	if (exec(s,
		    "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
		    "PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = -16384;"
		    "PRAGMA temp_store = MEMORY") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot set it up");
	if ((rc = stamp_check(s, &fresh, err)) < 0)
		return rc;
	char size[40];
	sqlite3_snprintf(
		sizeof size, size, "PRAGMA page_size = %d", SQLITE_STORE_PAGE_BYTES);
	if (fresh && exec(s, size) != SQLITE_OK)
		return sqlite_failed(s, err, size);
	if ((rc = wal_begin(s, err)) < 0 || (rc = lock_take(s, err)) < 0 ||
		(rc = sqlite_log_secure(s, err)) < 0 ||
		(rc = pragma(s, "PRAGMA synchronous = FULL", "PRAGMA synchronous", 2,
			 err)) < 0 ||
		(rc = pragma(s, "PRAGMA secure_delete = OFF", "PRAGMA secure_delete", 0,
			 err)) < 0)
		return rc;
	if (fresh && (rc = tables_make(s, err)) < 0)
		return rc;
	return keys_read(s, err);
}
