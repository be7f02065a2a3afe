/* sqlite_stmt.c - thin hands over prepared statements, and what becomes of a failed
 * write.
 *
 * Invariant: after a failed write the transaction is over: rolled back and said so, or
 * the process has ended. Surprise: only errors that leave nothing in doubt come back (the
 * disk or the quota is full, the file is busy); after any other one nobody knows what is
 * durable, so nobody goes on. */
#include "store/sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int stmt_prepare(struct sqlite_store *s, sqlite3_stmt **ret, const char *sql)
{
	return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL);
}

int stmt_run(sqlite3_stmt *stmt)
{
	int rc = sqlite3_step(stmt);

	CHECK(rc != SQLITE_ROW); /* only statements without rows come here */
	return sqlite3_reset(stmt);
}

sqlite3_stmt *stmt_free(sqlite3_stmt *stmt)
{
	sqlite3_finalize(stmt);
	return NULL;
}

void stmt_bind_int(sqlite3_stmt *stmt, int i, int64_t value)
{
	int rc = sqlite3_bind_int64(stmt, i, value);
	CHECK(rc == SQLITE_OK);
}

void stmt_bind_slice(sqlite3_stmt *stmt, int i, struct slice s)
{
	/* A null pointer would bind NULL, but no bytes are still bytes. */
	const char *bytes = s.ptr != NULL ? s.ptr : "";
	int rc = sqlite3_bind_blob64(stmt, i, bytes, s.len, SQLITE_STATIC);
	CHECK(rc == SQLITE_OK);
}

void stmt_bind_id(sqlite3_stmt *stmt, int i, const struct id *id)
{
	int rc = id == NULL
		? sqlite3_bind_null(stmt, i)
		: sqlite3_bind_blob(stmt, i, id->b, sizeof id->b, SQLITE_STATIC);
	CHECK(rc == SQLITE_OK);
}

bool stmt_id(sqlite3_stmt *stmt, int i, struct id *ret)
{
	if (sqlite3_column_type(stmt, i) == SQLITE_NULL) {
		*ret = (struct id){ 0 };
		return true;
	}
	struct slice s = stmt_slice(stmt, i);
	if (s.len != sizeof ret->b)
		return false;
	memcpy(ret->b, s.ptr, sizeof ret->b);
	return true;
}

struct slice stmt_slice(sqlite3_stmt *stmt, int i)
{
	/* The pointer comes first: it settles the type that the length is told in. */
	const char *bytes = sqlite3_column_blob(stmt, i);
	return (struct slice){ bytes, (size_t)sqlite3_column_bytes(stmt, i) };
}

/* Why the last failed operation on the write-ahead log failed; 0 when none has. */
static int wal_errno(sqlite3 *db)
{
	sqlite3_file *wal = NULL;
	int last = 0;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
	if (wal != NULL && wal->pMethods != NULL)
		wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &last);
	return last;
}

void sqlite_die(struct sqlite_store *s, const char *doing)
{
	int system_errno = wal_errno(s->db);

	fprintf(stderr,
		"store %s: %s: %s (SQLite code %d%s%s); "
		"what is durable is read back at the next start\n",
		s->path, doing, sqlite3_errmsg(s->db), sqlite3_extended_errcode(s->db),
		system_errno != 0 ? ", " : "",
		system_errno != 0 ? strerror(system_errno) : "");
	abort();
}

/* True when the failed write has left nothing behind: there was no room, or somebody was
 * in the way. */
static bool left_nothing(sqlite3 *db)
{
	int code = sqlite3_extended_errcode(db);

	if ((code & 0xff) == SQLITE_FULL || (code & 0xff) == SQLITE_BUSY)
		return true;
	/* SQLite knows only ENOSPC as "full"; a quota or a file size limit is no
	 * different. The frame that would have made the transaction durable was refused,
	 * not half believed. */
	return code == SQLITE_IOERR_WRITE &&
		(wal_errno(db) == EDQUOT || wal_errno(db) == EFBIG);
}

int sqlite_write_failed(struct sqlite_store *s, const char *doing)
{
	if (!left_nothing(s->db))
		sqlite_die(s, doing);
	/* Some errors have rolled back by themselves. */
	if (!sqlite3_get_autocommit(s->db) && stmt_run(s->rollback) != SQLITE_OK)
		sqlite_die(s, "rollback");
	return FISH_ESTORE;
}
