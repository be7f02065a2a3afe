/* sqlite_segment.c - the journal's tables: journal_N holds rows in order of arrival.
 *
 * Young segments take rows and are read at a restart; a retired one only keeps what ended
 * flows have in it, until retention drops it whole. Invariant: segments retire oldest
 * first, and none before all living flows have let go of it; so the row that says that a
 * flow has ended or moved is young as long as any young row of it. Surprise: a segment in
 * which no flow has ended is dropped at once; one in which few have is thinned. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

struct segment *segment_new(struct sqlite_store *s, uint32_t number)
{
	struct segment *seg = xalloc(sizeof *seg);

	seg->number = number;
	list_init(&seg->flows);
	s->segments = xrealloc(s->segments, (s->nsegments + 1) * sizeof(void *));
	s->segments[s->nsegments++] = seg;
	return seg;
}

/* Its statements are prepared again when they are needed. */
static void segment_release(struct segment *seg)
{
	seg->insert = stmt_free(seg->insert);
	seg->select = stmt_free(seg->select);
}

void segments_fini(struct sqlite_store *s)
{
	for (size_t i = 0; i < s->nsegments; i++) {
		segment_release(s->segments[i]);
		free(s->segments[i]);
	}
	free(s->segments);
	free(s->retired);
	s->segments = NULL;
	s->retired = NULL;
	s->nsegments = s->nretired = 0;
	s->young_bytes = s->retired_bytes = 0;
}

struct segment *segment_by_number(const struct sqlite_store *s, uint32_t number)
{
	/* Young numbers have no gaps but in what format 1 left. */
	for (size_t i = s->nsegments; i > 0; i--) {
		if (s->segments[i - 1]->number == number)
			return s->segments[i - 1];
	}
	return NULL;
}

struct segment *segment_newest(const struct sqlite_store *s)
{
	return s->segments[s->nsegments - 1];
}

static int exec_numbered(struct sqlite_store *s, const char *format, uint32_t number)
{
	char sql[400];

	sqlite3_snprintf(sizeof sql, sql, format, number);
	return sqlite_exec(s, sql);
}

int segment_create_table(struct sqlite_store *s, uint32_t number)
{
	return exec_numbered(s,
		"CREATE TABLE journal_%u ("
		"  n INTEGER PRIMARY KEY," /* order of arrival */
		"  flow BLOB NOT NULL,"
		"  seq INTEGER NOT NULL,"
		"  last INTEGER NOT NULL," /* enum row_last */
		"  now_ms INTEGER," /* in the first row of each commit */
		"  from_seq INTEGER," /* where it rises */
		"  big INTEGER," /* the row of big that has the bytes */
		"  bytes BLOB NOT NULL"
		")",
		number);
}

static int prepare_numbered(
	struct sqlite_store *s, sqlite3_stmt **ret, const char *format, uint32_t number)
{
	char sql[200];

	if (*ret != NULL)
		return SQLITE_OK;
	sqlite3_snprintf(sizeof sql, sql, format, number);
	return stmt_prepare(s, ret, sql);
}

/* Long bytes go where they stay, however often their row moves. */
static int big_insert(
	struct sqlite_store *s, const struct store_row *row, int64_t *ret_rowid)
{
	sqlite3_stmt *stmt = s->statements[ST_BIG_INSERT];

	stmt_bind_id(stmt, 1, &row->flow);
	stmt_bind_int(stmt, 2, (int64_t)row->seq);
	stmt_bind_slice(stmt, 3, row->bytes);
	int rc = stmt_run(stmt);
	*ret_rowid = sqlite3_last_insert_rowid(s->db);
	return rc;
}

/* Tells the index, and lets long bytes go that from_seq lets go. */
static int flow_add(struct sqlite_store *s, struct segment *seg, int64_t rowid,
	const struct store_row *row, bool big)
{
	sqlite3_stmt *stmt = s->statements[ST_BIG_TRIM];
	struct flow_rows *f = index_add(s, seg, rowid, row, big);
	uint64_t oldest = index_rows(f)[0].seq;

	if (!f->bigs || row->from_seq == 0 || oldest > f->from_seq)
		return SQLITE_OK;
	stmt_bind_id(stmt, 1, &f->flow);
	sqlite3_bind_null(stmt, 2);
	stmt_bind_int(stmt, 3, (int64_t)oldest);
	return stmt_run(stmt);
}

/* now_ms is the commit's in its first row, else NULL: so the store's time costs no page
 * of its own. A row of the store's own has no flow. */
int segment_insert(struct sqlite_store *s, const struct store_row *row, enum row_last last,
	const int64_t *now_ms, int64_t *ret_rowid)
{
	struct segment *seg = segment_newest(s);
	bool big = last <= ROW_LAST && row->bytes.len > BIG_BYTES_MIN;
	int64_t big_rowid = 0;
	int rc = prepare_numbered(s, &seg->insert,
		"INSERT INTO journal_%u (flow, seq, last, now_ms, from_seq, big, bytes)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		seg->number);

	if (rc == SQLITE_OK && big)
		rc = big_insert(s, row, &big_rowid);
	if (rc != SQLITE_OK)
		return rc;
	sqlite3_clear_bindings(seg->insert);
	if (last <= ROW_LAST)
		stmt_bind_id(seg->insert, 1, &row->flow);
	else
		stmt_bind_slice(seg->insert, 1, SLICE_NONE);
	stmt_bind_int(seg->insert, 2, (int64_t)row->seq);
	stmt_bind_int(seg->insert, 3, (int64_t)last);
	if (now_ms != NULL)
		stmt_bind_int(seg->insert, 4, *now_ms);
	if (row->from_seq > 0)
		stmt_bind_int(seg->insert, 5, (int64_t)row->from_seq);
	if (big)
		stmt_bind_int(seg->insert, 6, big_rowid);
	stmt_bind_slice(seg->insert, 7, big ? SLICE_NONE : row->bytes);
	if ((rc = stmt_run(seg->insert)) != SQLITE_OK)
		return rc;
	*ret_rowid = sqlite3_last_insert_rowid(s->db);
	size_t bytes = SEGMENT_ROW_BYTES + (big ? 0 : row->bytes.len);
	seg->bytes += bytes;
	s->young_bytes += bytes;
	seg->rows++;
	return last <= ROW_LAST ? flow_add(s, seg, *ret_rowid, row, big) : SQLITE_OK;
}

int segment_select(struct sqlite_store *s, struct segment *seg, int64_t rowid)
{
	int rc = prepare_numbered(s, &seg->select,
		"SELECT flow, seq, last, big, bytes FROM journal_%u WHERE n = ?",
		seg->number);
	if (rc != SQLITE_OK)
		return rc;
	stmt_bind_int(seg->select, 1, rowid);
	return sqlite3_step(seg->select);
}

/* Notes the store's time and sums, as the rows that told of them may all be gone one
 * day. */
int segment_begin_next(struct sqlite_store *s)
{
	uint32_t number = segment_newest(s)->number + 1;

	if (sqlite_begin(s) != SQLITE_OK || sums_put(s, s->time_ms) != SQLITE_OK ||
		segment_create_table(s, number) != SQLITE_OK || sqlite_end(s) != SQLITE_OK)
		/* No room: this segment grows on, and the next commit tries again. */
		return sqlite_write_failed(s, "begin a journal segment");
	/* Rows go to the new one; the old one's statement would be kept for nothing. */
	segment_newest(s)->insert = stmt_free(segment_newest(s)->insert);
	segment_new(s, number);
	return 0;
}

void retired_put(struct sqlite_store *s, struct retired r)
{
	s->retired = xrealloc(s->retired, (s->nretired + 1) * sizeof *s->retired);
	s->retired[s->nretired++] = r;
	s->retired_bytes += r.bytes;
}

static int retired_insert(struct sqlite_store *s, const struct retired *r)
{
	sqlite3_stmt *stmt = s->statements[ST_RETIRED_INSERT];

	stmt_bind_int(stmt, 1, r->number);
	stmt_bind_int(stmt, 2, r->retired_ms);
	stmt_bind_int(stmt, 3, (int64_t)r->bytes);
	return stmt_run(stmt);
}

/* When less than half of its rows are history, the others are worth taking out. */
static bool is_to_thin(const struct segment *seg)
{
	return seg->ended_rows < seg->rows / 2;
}

int segment_retire(struct sqlite_store *s)
{
	struct segment *seg = s->segments[0];
	bool drop = seg->ended_rows == 0;
	struct retired r = {
		.number = seg->number,
		.retired_ms = s->time_ms,
		.bytes = seg->bytes,
		.thin_next = is_to_thin(seg) ? 1 : 0,
		.rows = seg->rows,
		.ended_rows = seg->ended_rows,
	};

	CHECK(s->nsegments > 1);
	CHECK(list_empty(&seg->flows));
	segment_release(seg); /* a table that statements know cannot be dropped */
	int rc = sqlite_begin(s);
	if (rc == SQLITE_OK)
		rc = drop ? exec_numbered(s, "DROP TABLE journal_%u", seg->number)
			  : retired_insert(s, &r);
	if (rc != SQLITE_OK || sqlite_end(s) != SQLITE_OK)
		return sqlite_write_failed(s, "retire a journal segment");
	if (!drop)
		retired_put(s, r);
	s->young_bytes -= seg->bytes;
	s->nsegments--;
	memmove(s->segments, s->segments + 1, s->nsegments * sizeof(void *));
	free(seg);
	return 0;
}

int retired_drop(struct sqlite_store *s)
{
	const struct retired *r = &s->retired[0];

	CHECK(s->nretired > 0);
	stmt_bind_int(s->statements[ST_RETIRED_DELETE], 1, r->number);
	if (sqlite_begin(s) != SQLITE_OK ||
		exec_numbered(s, "DROP TABLE journal_%u", r->number) != SQLITE_OK ||
		stmt_run(s->statements[ST_RETIRED_DELETE]) != SQLITE_OK ||
		sqlite_end(s) != SQLITE_OK)
		return sqlite_write_failed(s, "drop a journal segment");
	s->retired_bytes -= r->bytes;
	s->nretired--;
	memmove(s->retired, s->retired + 1, s->nretired * sizeof *s->retired);
	return 0;
}

/* The transaction of retired_thin but its end. *ret_rows: how many there were. */
static int thin_write(struct sqlite_store *s, const struct retired *r, uint64_t bytes)
{
	char sql[300];
	int rc = sqlite_begin(s);

	sqlite3_snprintf(sizeof sql, sql,
		"DELETE FROM journal_%u WHERE n BETWEEN %lld AND %lld"
		" AND NOT fish_ended(flow)",
		r->number, (long long)r->thin_next,
		(long long)r->thin_next + THIN_ROWS_MAX - 1);
	if (rc == SQLITE_OK)
		rc = sqlite_exec(s, sql);
	if (rc != SQLITE_OK || bytes == r->bytes)
		return rc;
	stmt_bind_int(s->statements[ST_RETIRED_BYTES], 1, r->number);
	stmt_bind_int(s->statements[ST_RETIRED_BYTES], 2, (int64_t)bytes);
	return stmt_run(s->statements[ST_RETIRED_BYTES]);
}

/* Takes out the next few rows of flows that have not ended. A restart forgets about the
 * rest: it is a matter of room only. */
int retired_thin(struct sqlite_store *s, struct retired *r)
{
	bool done = r->thin_next + THIN_ROWS_MAX > (int64_t)r->rows;
	uint64_t bytes = done ? r->bytes / r->rows * r->ended_rows : r->bytes;

	if (thin_write(s, r, bytes) != SQLITE_OK || sqlite_end(s) != SQLITE_OK)
		return sqlite_write_failed(s, "thin a journal segment");
	s->retired_bytes -= r->bytes - bytes;
	r->bytes = bytes;
	r->thin_next = done ? 0 : r->thin_next + THIN_ROWS_MAX;
	return 0;
}
