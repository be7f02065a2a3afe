/* sqlite_recover.c - the restart: builds the index from the segments, then hands out what
 * lives.
 *
 * Invariant: rows come out in order of arrival, and only of flows of which no standing
 * row or mark says that they have ended. Surprise: the scan at open reads every row's
 * head but not its long bytes; recover then fetches the rows of living flows alone,
 * however few they are among the dead. */
#include "store/sqlite.h"

#include <inttypes.h>
#include <stdlib.h>

static int damaged(struct sqlite_store *s, struct err *err, const char *what)
{
	return err_set(err, FISH_EFORMAT, "store %s is damaged: %s", s->path, what);
}

/* Takes in the row that stmt stands on: n, flow, last, now_ms, bytes. */
static int scan_row(
	struct sqlite_store *s, struct segment *seg, sqlite3_stmt *stmt, struct err *err)
{
	struct id flow = { 0 };
	int64_t rowid = sqlite3_column_int64(stmt, 0);
	int last = sqlite3_column_int(stmt, 2);
	int64_t now_ms = sqlite3_column_int64(stmt, 3);

	if (!stmt_id(stmt, 1, &flow) || rowid <= 0 || rowid >> PLACE_ROWID_BITS != 0)
		return damaged(s, err, "a journal row is not as it was written");
	if (last <= 1)
		index_add(s, seg, &flow, (uint64_t)rowid);
	else if (index_flow(s, &flow) == NULL)
		return damaged(s, err, "a journal row is missing");
	if (last != 0)
		index_end(s, seg, &flow);
	if (now_ms > s->time_ms)
		s->time_ms = now_ms;
	seg->bytes += SEGMENT_ROW_BYTES + (size_t)sqlite3_column_int64(stmt, 4);
	return 0;
}

/* Reads the heads of one segment's rows into the index. */
static int scan_segment(struct sqlite_store *s, uint32_t number, struct err *err)
{
	char sql[120];
	sqlite3_stmt *stmt = NULL;
	struct segment *seg = segment_new(s, number);

	sqlite3_snprintf(sizeof sql, sql,
		"SELECT n, flow, last, now_ms, length(bytes) FROM journal_%u ORDER BY n",
		number);
	int rc = stmt_prepare(s, &stmt, sql) == SQLITE_OK ? 0 : FISH_EIO;
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		rc = scan_row(s, seg, stmt, err);
	if (rc != FISH_EFORMAT && (rc != 0 || sqlite3_reset(stmt) != SQLITE_OK))
		rc = sqlite_failed(s, err, "cannot read its journal");
	stmt_free(stmt);
	return rc;
}

int sqlite_scan(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt,
		"SELECT CAST(substr(name, 9) AS INTEGER), (SELECT time_ms FROM store)"
		"  FROM sqlite_master WHERE type = 'table' "
		"  AND name GLOB 'journal_[1-9]*' ORDER BY 1");
	if (rc != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read its tables");
	rc = 0;
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		s->time_ms = s->time_ms > sqlite3_column_int64(stmt, 1)
			? s->time_ms
			: sqlite3_column_int64(stmt, 1);
		rc = scan_segment(s, (uint32_t)sqlite3_column_int64(stmt, 0), err);
	}
	if (rc == 0 && sqlite3_reset(stmt) != SQLITE_OK)
		rc = sqlite_failed(s, err, "cannot read its tables");
	stmt_free(stmt);
	if (rc == 0 && s->nsegments == 0)
		rc = damaged(s, err, "its journal is missing");
	s->base.time_ms = s->time_ms;
	return rc;
}

int sqlite_recover(struct store *base, struct store_recovery *r, struct err *err)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	size_t cursor = 0;

	(void)err;
	sqlite_borrow(s);
	for (const struct flow_rows *f; (f = map_each(&s->flows, &cursor)) != NULL;) {
		struct arena a;
		struct store_load l = { .nrows = 0 };
		if (f->ended_in != 0)
			continue;
		arena_init(&a);
		sqlite_rows_read(s, f, &l, &a);
		r->flow(r->owner, &l);
		arena_fini(&a);
	}
	sqlite_give_back(s);
	return 0;
}

int sqlite_recover_flow(struct store *base, const struct id *flow,
	const struct store_recovery *r, struct err *err)
{
	(void)base;
	(void)flow;
	(void)r;
	(void)err; /* nothing is parked */
	return 0;
}
