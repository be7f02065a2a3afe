/* sqlite_migrate.c - a file of an older format becomes one of this.
 *
 * Format 1 had journals alone: nothing parked, a segment went when all its flows had ended,
 * and a mark (last = 2) said of a flow that the row with its end went with its segment.
 * Invariant: all of it is one transaction, which begins in the schema and ends when the
 * journal has been scanned; a kill before that leaves the old format. Surprise: rows are not
 * moved; those of living flows age in the course of the next commits, as any do. Format 2 had no groups
 * and nothing that is apart, and its rows are taken as they are. */
#include "store/sqlite.h"

#include <stdlib.h>

static const char tables_sql[] =
	"ALTER TABLE store ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN hooks INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN untaken INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN ended_bytes INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN stripped INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN ended_last INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN parked_last INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN dead INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE store ADD COLUMN swept INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ended ADD COLUMN parked_n INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ended ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ended ADD COLUMN weight INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE ended ADD COLUMN places BLOB;"
	"ALTER TABLE ended ADD COLUMN history BLOB;"
	"DROP INDEX ended_child;"
	"DROP INDEX ended_flow;"
	"UPDATE ended SET weight = length(result) + length(untaken);"
	"CREATE TEMP TABLE marked (flow BLOB PRIMARY KEY) WITHOUT ROWID;";

/* Runs sql (with the number in it as often as it likes) for each journal. */
static int for_each_journal(struct sqlite_store *s, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt,
		"SELECT group_concat(replace(?, 'journal_N', name), ';') FROM sqlite_master"
		" WHERE type = 'table' AND name GLOB 'journal_[1-9]*'");

	if (rc != SQLITE_OK)
		return rc;
	rc = sqlite3_bind_text(stmt, 1, sql, -1, SQLITE_STATIC);
	CHECK(rc == SQLITE_OK);
	rc = sqlite3_step(stmt);
	const char *all = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
	char *copy = sqlite3_mprintf("%s", all != NULL ? all : "");
	stmt_free(stmt);
	rc = copy == NULL ? SQLITE_NOMEM : sqlite_exec(s, copy);
	sqlite3_free(copy);
	return rc;
}

static int from_1(struct sqlite_store *s)
{
	if (sqlite_exec(s, tables_sql) != SQLITE_OK ||
		sqlite_exec(s, sqlite_schema_parked) != SQLITE_OK ||
		sqlite_exec(s,
			"INSERT INTO ended_id SELECT flow, rowid FROM ended;"
			"UPDATE store SET indexed ="
			" (SELECT coalesce(max(rowid), 0) FROM ended)") != SQLITE_OK ||
		for_each_journal(s,
			"ALTER TABLE journal_N ADD COLUMN from_seq INTEGER;"
			"ALTER TABLE journal_N ADD COLUMN big INTEGER;"
			"INSERT OR IGNORE INTO marked SELECT flow FROM journal_N"
			" WHERE last = 2") != SQLITE_OK ||
		/* What marks were there for: segments went in any order. Now the oldest
		 * goes first, and the row with the end is the youngest of its flow. */
		for_each_journal(s,
			"DELETE FROM journal_N WHERE flow IN (SELECT flow FROM marked)") !=
			SQLITE_OK ||
		sqlite_exec(s, "DROP TABLE marked") != SQLITE_OK)
		return FISH_EIO;
	return 0;
}

int sqlite_migrate(struct sqlite_store *s, struct err *err)
{
	if (sqlite_exec(s, "BEGIN EXCLUSIVE") != SQLITE_OK || (s->migrating == 1 && from_1(s) < 0) ||
		sqlite_exec(s,
			"ALTER TABLE store ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;"
			"ALTER TABLE store ADD COLUMN apart_untaken INTEGER NOT NULL DEFAULT 0") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot bring it to the present format");
	return 0;
}

int sqlite_migrated(struct sqlite_store *s, struct err *err)
{
	char stamp[60];

	if (s->migrating == 0)
		return 0;
	sqlite3_snprintf(
		sizeof stamp, stamp, "PRAGMA user_version = %d", SQLITE_STORE_FORMAT);
	if (sums_put(s, s->time_ms) != SQLITE_OK ||
		sqlite_exec(s, stamp) != SQLITE_OK || sqlite_end(s) != SQLITE_OK)
		return sqlite_failed(s, err, "cannot bring it to the present format");
	s->migrating = 0;
	return 0;
}
