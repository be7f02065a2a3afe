/* sqlite_recover.c - the restart: builds the index from the segments, then hands out what
 * lives.
 *
 * Invariant: rows come out in order of arrival, and only of flows of which no standing
 * row or mark says that they have ended. Surprise: the scan at open reads every row's
 * head but not its long bytes; recover then fetches the rows of living flows alone,
 * however few they are among the dead. */
#include "store/sqlite.h"
#include "wire/entry.h"

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

static int place_order(const void *a, const void *b)
{
	place left = *(const place *)a;
	place right = *(const place *)b;

	return left < right ? -1 : left > right;
}

/* The places in seg of flows that have not ended, in order; the caller frees. */
static place *living_places(const struct segment *seg, size_t *ret_n)
{
	size_t n = 0;
	size_t cap = 64;
	place *all = xalloc(cap * sizeof *all);

	for (size_t i = 0; i < seg->nflows; i++) {
		const struct flow_rows *f = seg->flows[i];
		const place *places = index_places(f);
		for (uint32_t k = 0; k < f->n && f->ended_in == 0; k++) {
			if (place_segment(places[k]) != seg->number)
				continue;
			if (n == cap) {
				cap *= 2;
				all = xrealloc(all, cap * sizeof *all);
			}
			all[n++] = places[k];
		}
	}
	qsort(all, n, sizeof *all, place_order);
	*ret_n = n;
	return all;
}

/* Hands out what lives in seg, in order of arrival. */
static int recover_segment(struct sqlite_store *s, struct segment *seg,
	const struct store_recovery *r, struct err *err)
{
	size_t n = 0;
	int rc = 0;
	place *all = seg->live > 0 ? living_places(seg, &n) : NULL;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct store_row row = { .last = false };
		if (segment_select(s, seg, place_rowid(all[i])) != SQLITE_ROW ||
			!stmt_id(seg->select, 0, &row.flow)) {
			rc = sqlite_failed(s, err, "cannot read its journal");
		} else {
			row.seq = (uint64_t)sqlite3_column_int64(seg->select, 1);
			row.bytes = stmt_slice(seg->select, 3);
			r->row(r->owner, &row);
		}
		sqlite3_reset(seg->select);
	}
	free(all);
	return rc;
}

/* Hands out the ended children of hooks, for the duplicate check. */
static int recover_ended(
	struct sqlite_store *s, const struct store_recovery *r, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	/* SQLite uses the partial index only when it sees the number of SOURCE_HOOK. */
	_Static_assert(SOURCE_HOOK == 1, "the schema and this query spell it out");
	int rc = stmt_prepare(s, &stmt,
		"SELECT " ENDED_COLUMNS
		" FROM ended WHERE parent_source = 1 AND key IS NOT NULL"
		"  AND ended_ms >= ? ORDER BY ended_ms, rowid");
	if (rc != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read its ended flows");
	stmt_bind_int(stmt, 1, s->time_ms - SEEN_WINDOW_MS);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		struct store_ended e = { 0 };
		if (!ended_read(stmt, &e)) {
			stmt_free(stmt);
			return damaged(s, err, "an ended flow is not as it was written");
		}
		r->ended(r->owner, &e);
	}
	rc = sqlite3_reset(stmt) == SQLITE_OK
		? 0
		: sqlite_failed(s, err, "cannot read its ended flows");
	stmt_free(stmt);
	return rc;
}

int sqlite_recover(struct store *base, const struct store_recovery *r, struct err *err)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	int rc = 0;

	sqlite_borrow(s);
	for (size_t i = 0; i < s->nsegments && rc == 0; i++)
		rc = recover_segment(s, s->segments[i], r, err);
	if (rc == 0)
		rc = recover_ended(s, r, err);
	sqlite_give_back(s);
	return rc;
}
