/* sqlite_stmt.c - the statements, thin hands over them, and what becomes of a failed
 * write.
 *
 * Invariant: after a failed write the transaction is over: rolled back and said so, or
 * the process has ended. Surprise: only errors that leave nothing in doubt come back (the
 * disk or the quota is full, the file is busy); after any other one nobody knows what is
 * durable, so nobody goes on. */
#include "store/sqlite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDED_ALL ENDED_COLUMNS ", result, untaken, seen"
/* A column in a branch that is not taken is not read: the pages behind its row's first are left alone. seen has
 * no such luck when it is wanted and not empty: it stands behind the other two, and the way there leads
 * through their pages, one after the other. */
#define ENDED_WANTED(wants) ENDED_COLUMNS ", CASE WHEN " wants " & 1 THEN result END," \
	" CASE WHEN " wants " & 2 THEN untaken END, CASE WHEN " wants " & 4 THEN seen END"
_Static_assert(STORE_RESULT == 1 && STORE_UNTAKEN == 2 && STORE_SEEN == 4, "ENDED_WANTED has these numbers");
#define PARKED_ALL \
	"flow, parent, key, wake_ms, hooks, untaken, awake, flags, from_seq, bytes"

static const char *const statement_sql[STATEMENTS] = {
	[ST_BEGIN] = "BEGIN IMMEDIATE",
	[ST_COMMIT] = "COMMIT",
	[ST_ROLLBACK] = "ROLLBACK",
	[ST_STORE_PUT] = "UPDATE store SET time_ms = ?, parked = ?, hooks = ?, untaken = ?,"
			 " ended_bytes = ?, stripped = ?, ended_last = ?,"
			 " parked_last = ?, dead = ?, purged = ?, indexed = ?, swept = ?,"
			 " apart = ?, apart_untaken = ? WHERE one = 1",
	[ST_ENDED_INSERT] = "INSERT INTO ended (" ENDED_ALL ", flags, weight, places, history,"
			    " parked_n, rowid)"
			    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	[ST_ENDED_OLDEST] = "SELECT rowid, ended_ms, weight, flags, flow, parked_n FROM ended"
			    " ORDER BY rowid LIMIT 1",
	[ST_ENDED_DELETE] = "DELETE FROM ended WHERE rowid = ?",
	[ST_ENDED_WHOLE] = "SELECT rowid, ended_ms, weight, flags, flow, parked_n FROM ended"
			   " WHERE rowid > ? ORDER BY rowid LIMIT 1",
	[ST_ENDED_STRIP] = "UPDATE ended SET result = x'', untaken = x'', flags = 0,"
			   " weight = 0, places = NULL, history = NULL WHERE rowid = ?",
	[ST_ENDED_KEPT] = "SELECT flags, places, history FROM ended WHERE rowid = ?",
	[ST_ENDED_PLACES] = "UPDATE ended SET places = ?, weight = weight + ? WHERE rowid = ?",
	[ST_ENDED_PARKED] = "SELECT rowid, parked_n FROM ended WHERE rowid > ?"
			    " ORDER BY rowid LIMIT ?",
	[ST_FIND_FLOW] = "SELECT " ENDED_WANTED("?2") " FROM ended WHERE rowid = ?1",
	[ST_FIND_KEY] = "SELECT " ENDED_WANTED("?2") " FROM ended WHERE key = ?1 AND parent IS NULL"
			" ORDER BY rowid DESC LIMIT 1",
	[ST_LIST] = "SELECT " ENDED_ALL ", rowid FROM ended WHERE rowid < ?"
		    " ORDER BY rowid DESC LIMIT ?",
	[ST_PARKED_GET] = "SELECT n, parent, key, wake_ms, hooks, untaken, awake, flags,"
			  " from_seq, bytes FROM parked WHERE flow = ?",
	[ST_PARKED_INSERT] = "INSERT INTO parked (n, " PARKED_ALL ")"
			     " VALUES (?1, ?11, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ST_PARKED_UPDATE] = "UPDATE parked SET parent = ?2, key = ?3, wake_ms = ?4, hooks = ?5,"
			     " untaken = ?6, awake = ?7, flags = ?8, from_seq = ?9, bytes = ?10"
			     " WHERE n = ?1",
	[ST_PARKED_AGED] = "UPDATE parked SET flags = ?2, from_seq = ?3, bytes = ?4 WHERE n = ?1",
	[ST_PARKED_DELETE] = "DELETE FROM parked WHERE n = ?",
	[ST_PARKED_FLOW] = "SELECT flow, awake FROM parked WHERE flow = ?",
	[ST_PARKED_KEY] = "SELECT flow, awake FROM parked WHERE key = ? AND parent IS NULL",
	[ST_PARKED_AWAKE] = "SELECT flow FROM parked WHERE awake = 1",
	[ST_WALK_ALL] = "SELECT flow, wake_ms, awake, flags FROM parked WHERE flow > ?"
			" ORDER BY flow",
	[ST_WALK_CHILDREN] = "SELECT flow, wake_ms, awake, flags FROM parked"
			     " WHERE parent = ? AND flow > ? ORDER BY flow",
	[ST_WALK_DUE] = "SELECT flow, wake_ms, awake, flags FROM parked WHERE wake_ms > ?"
			" ORDER BY wake_ms",
	[ST_ID_GET] = "SELECT n FROM ended_id WHERE flow = ?",
	[ST_ID_PUT] = "INSERT OR REPLACE INTO ended_id (flow, n) VALUES (?, ?)",
	[ST_ID_NEXT] = "SELECT flow FROM ended_id WHERE flow > ? ORDER BY flow LIMIT 1 OFFSET ?",
	[ST_ID_SWEEP] = "DELETE FROM ended_id WHERE flow > ?1 AND flow <= ?2 AND n <= ?3",
	[ST_CHUNK_INSERT] = "INSERT INTO chunk (flow, seq, bytes) VALUES (?, ?, ?)",
	[ST_CHUNK_GET] = "SELECT bytes FROM chunk WHERE flow = ? ORDER BY seq, n",
	[ST_CHUNK_TRIM] = "DELETE FROM chunk WHERE flow = ?1 AND seq <"
			  " (SELECT max(seq) FROM chunk WHERE flow = ?1 AND seq <= ?2)",
	[ST_CHUNK_DELETE] = "DELETE FROM chunk WHERE flow = ?",
	[ST_CHUNK_BYTES] = "SELECT sum(length(bytes)) FROM chunk WHERE flow = ?",
	[ST_BIG_INSERT] = "INSERT INTO big (flow, seq, bytes) VALUES (?, ?, ?)",
	[ST_BIG_GET] = "SELECT bytes FROM big WHERE n = ? AND flow = ? AND seq = ?",
	[ST_BIG_TRIM] = "DELETE FROM big WHERE flow = ?1 AND seq < coalesce(?3,"
			" (SELECT max(seq) FROM chunk WHERE flow = ?1 AND seq <= ?2))",
	[ST_BIG_DELETE] = "DELETE FROM big WHERE flow = ?",
	[ST_BIG_BYTES] = "SELECT sum(length(bytes)) FROM big WHERE flow = ?",
	[ST_PAGES] = "PRAGMA page_count",
	[ST_RETIRED_INSERT] = "INSERT INTO retired (number, retired_ms, bytes) VALUES (?, ?, ?)",
	[ST_RETIRED_BYTES] = "UPDATE retired SET bytes = ?2 WHERE number = ?1",
	[ST_RETIRED_DELETE] = "DELETE FROM retired WHERE number = ?",
};

/* Segments have statements of their own. */
int statements_prepare(struct sqlite_store *s, struct err *err)
{
	if (ids_function(s) != SQLITE_OK || group_function(s) != SQLITE_OK)
		return sqlite_failed(s, err, "cannot set it up");
	for (size_t i = 0; i < STATEMENTS; i++) {
		if (stmt_prepare(s, &s->statements[i], statement_sql[i]) != SQLITE_OK)
			return sqlite_failed(
				s, err, "its tables are not as they should be");
	}
	return 0;
}

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
	/* SQLITE_TOOBIG no more than anything else: the engine sees to STORE_ROW_BYTES_MAX, and what is put together
	 * here (groups, chunks, places) has bounds far below. */
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

int sqlite_begin(struct sqlite_store *s) { return stmt_run(s->statements[ST_BEGIN]); }

enum kill_phase { KILL_BEFORE,
	KILL_AFTER };

static void kill_if_asked(const struct sqlite_store *s, enum kill_phase phase)
{
	bool at_commit = s->kill_at_commit != 0 && s->commits == s->kill_at_commit;
	bool at_write = s->kill_at_write != 0 && s->writes == s->kill_at_write;

	if ((at_commit || at_write) && s->kill_after == (phase == KILL_AFTER))
		kill(getpid(), SIGKILL);
}

/* For tests only: with FISH_TEST_KILL_AT_COMMIT=K in the environment at open, the process
 * kills itself at the owner's K-th commit, with FISH_TEST_KILL_AT_WRITE=K at the K-th
 * transaction of any kind: before its COMMIT or (FISH_TEST_KILL_PHASE=after) right after
 * it, when it is durable and nobody has been told. */
int sqlite_end(struct sqlite_store *s)
{
	if (!room_grow(s))
		return SQLITE_FULL;
	s->writes++;
	kill_if_asked(s, KILL_BEFORE);
	int rc = stmt_run(s->statements[ST_COMMIT]);
	if (rc == SQLITE_OK)
		kill_if_asked(s, KILL_AFTER);
	return rc;
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
	int code = sqlite3_errcode(s->db);

	/* SQLite has read all of it; what it read is not what was written. */
	if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) {
		fprintf(stderr, "store %s: %s: the file is damaged, its check tells where\n", s->path, doing);
		abort();
	}
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
	if (!s->no_room && !left_nothing(s->db))
		sqlite_die(s, doing);
	s->no_room = false;
	/* Some errors have rolled back by themselves. */
	if (!sqlite3_get_autocommit(s->db) &&
		stmt_run(s->statements[ST_ROLLBACK]) != SQLITE_OK)
		sqlite_die(s, "rollback");
	return FISH_ESTORE;
}
