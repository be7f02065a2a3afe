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

static void segment_release(struct segment *seg)
{
	segment_insert_release(seg);
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
		"  from_seq INTEGER," /* null: 0 */
		"  big INTEGER," /* the row of big that has the bytes */
		"  bytes BLOB NOT NULL"
		")",
		number);
}

int segment_select(struct sqlite_store *s, struct segment *seg, int64_t rowid)
{
	char sql[100];

	if (seg->select == NULL) {
		sqlite3_snprintf(sizeof sql, sql,
			"SELECT flow, seq, last, big, bytes FROM journal_%u WHERE n = ?",
			seg->number);
		int rc = stmt_prepare(s, &seg->select, sql);
		if (rc != SQLITE_OK)
			return rc;
	}
	stmt_bind_int(seg->select, 1, rowid);
	return sqlite3_step(seg->select);
}

/* Notes the store's time and sums, as the rows that told of them may all be gone one
 * day. */
int segment_begin_next(struct sqlite_store *s)
{
	uint32_t number = segment_newest(s)->number + 1;

	CHECK(number <= SEGMENT_NUMBER_MAX);
	if (sqlite_begin(s) != SQLITE_OK || sums_put(s, s->time_ms) != SQLITE_OK ||
		segment_create_table(s, number) != SQLITE_OK || sqlite_end(s) != SQLITE_OK)
		/* No room: this segment grows on, and the next commit tries again. */
		return sqlite_write_failed(s, "begin a journal segment");
	/* Rows go to the new one; the old one's statement would be kept for nothing. */
	segment_insert_release(segment_newest(s));
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
		.n_last = seg->n_last,
		.rows = seg->rows,
		.ended_rows = seg->ended_rows,
	};

	CHECK(s->nsegments > 1);
	CHECK(list_empty(&seg->flows));
	segment_release(seg); /* a table that statements know cannot be dropped */
	place_forget(s);
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
	char sql[400];
	long long to = (long long)r->thin_next + THIN_ROWS_MAX - 1;
	int rc = sqlite_begin(s);

	sqlite3_snprintf(sizeof sql, sql,
		"UPDATE journal_%u SET bytes = fish_thinned(bytes)"
		" WHERE n BETWEEN %lld AND %lld AND last = %d;"
		"DELETE FROM journal_%u WHERE n BETWEEN %lld AND %lld"
		" AND CASE WHEN last = %d THEN bytes = x'' ELSE NOT fish_ended(flow) END",
		r->number, (long long)r->thin_next, to, ROW_GROUP, r->number, (long long)r->thin_next, to,
		ROW_GROUP);
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
	bool done = r->thin_next + THIN_ROWS_MAX > r->n_last;
	uint64_t bytes = done ? r->bytes / r->rows * r->ended_rows : r->bytes;

	if (thin_write(s, r, bytes) != SQLITE_OK || sqlite_end(s) != SQLITE_OK)
		return sqlite_write_failed(s, "thin a journal segment");
	s->retired_bytes -= r->bytes - bytes;
	r->bytes = bytes;
	r->thin_next = done ? 0 : r->thin_next + THIN_ROWS_MAX;
	return 0;
}
