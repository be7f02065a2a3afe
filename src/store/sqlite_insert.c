/* sqlite_insert.c - rows into the newest segment, some at a time.
 *
 * Invariant: rows take their place in the order they are given, without a gap between those of one
 * statement. Surprise: sixteen rows in one statement cost a third less than in sixteen; what is
 * left over, and a row whose bytes are long, goes in alone. */
#include "store/sqlite.h"

enum {
	ROWS_AT_ONCE = 16,
	ROW_COLUMNS  = 7,
};

#define ROW_VALUES   "(?, ?, ?, ?, ?, ?, ?)"
#define ROWS_4       ", " ROW_VALUES ", " ROW_VALUES ", " ROW_VALUES ", " ROW_VALUES

void segment_insert_release(struct segment *seg)
{
	seg->insert = stmt_free(seg->insert);
	seg->insert_many = stmt_free(seg->insert_many);
}

static int prepare(struct sqlite_store *s, sqlite3_stmt **ret, uint32_t number, const char *more)
{
	char sql[700];

	if (*ret != NULL)
		return SQLITE_OK;
	sqlite3_snprintf(sizeof sql, sql,
		"INSERT INTO journal_%u (flow, seq, last, now_ms, from_seq, big, bytes)"
		" VALUES " ROW_VALUES "%s",
		number, more);
	return stmt_prepare(s, ret, sql);
}

/* The place of a row's first column is at + 1. A row of the store's own has no flow. big_rowid 0: it
 * has its bytes itself. */
static void row_bind(sqlite3_stmt *stmt, int at, const struct store_row *row, enum row_last last,
	const int64_t *now_ms, int64_t big_rowid)
{
	if (last <= ROW_LAST)
		stmt_bind_id(stmt, at + 1, &row->flow);
	else
		stmt_bind_slice(stmt, at + 1, SLICE_NONE);
	stmt_bind_int(stmt, at + 2, (int64_t)row->seq);
	stmt_bind_int(stmt, at + 3, (int64_t)last);
	if (now_ms != NULL)
		stmt_bind_int(stmt, at + 4, *now_ms);
	else
		sqlite3_bind_null(stmt, at + 4);
	if (row->from_seq > 0)
		stmt_bind_int(stmt, at + 5, (int64_t)row->from_seq);
	else
		sqlite3_bind_null(stmt, at + 5);
	if (big_rowid > 0)
		stmt_bind_int(stmt, at + 6, big_rowid);
	else
		sqlite3_bind_null(stmt, at + 6);
	stmt_bind_slice(stmt, at + 7, big_rowid > 0 ? SLICE_NONE : row->bytes);
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

static int row_note(struct sqlite_store *s, struct segment *seg, int64_t rowid,
	const struct store_row *row, enum row_last last, bool big)
{
	size_t bytes = SEGMENT_ROW_BYTES + (big ? 0 : row->bytes.len);

	seg->bytes += bytes;
	s->young_bytes += bytes;
	seg->rows++;
	return last <= ROW_LAST ? flow_add(s, seg, rowid, row, big) : SQLITE_OK;
}

int segment_insert(struct sqlite_store *s, const struct store_row *row, enum row_last last,
	const int64_t *now_ms, int64_t *ret_rowid)
{
	struct segment *seg = segment_newest(s);
	bool big = last <= ROW_LAST && row->bytes.len > BIG_BYTES_MIN;
	int64_t big_rowid = 0;
	int rc = prepare(s, &seg->insert, seg->number, "");

	if (rc == SQLITE_OK && big)
		rc = big_insert(s, row, &big_rowid);
	if (rc != SQLITE_OK)
		return rc;
	row_bind(seg->insert, 0, row, last, now_ms, big_rowid);
	if ((rc = stmt_run(seg->insert)) != SQLITE_OK)
		return rc;
	*ret_rowid = sqlite3_last_insert_rowid(s->db);
	return row_note(s, seg, *ret_rowid, row, last, big);
}

static enum row_last last_of(const struct store_row *row)
{
	return row->last ? ROW_LAST : ROW_MORE;
}

static int insert_many(struct sqlite_store *s, const struct store_row *rows, const int64_t *now_ms)
{
	struct segment *seg = segment_newest(s);
	int rc = prepare(s, &seg->insert_many, seg->number,
		ROWS_4 ROWS_4 ROWS_4 ", " ROW_VALUES ", " ROW_VALUES ", " ROW_VALUES);

	if (rc != SQLITE_OK)
		return rc;
	for (int i = 0; i < ROWS_AT_ONCE; i++)
		row_bind(seg->insert_many, i * ROW_COLUMNS, &rows[i], last_of(&rows[i]),
			i == 0 ? now_ms : NULL, 0);
	rc = stmt_run(seg->insert_many);
	int64_t first = sqlite3_last_insert_rowid(s->db) - (ROWS_AT_ONCE - 1);

	for (int i = 0; i < ROWS_AT_ONCE && rc == SQLITE_OK; i++)
		rc = row_note(s, seg, first + i, &rows[i], last_of(&rows[i]), false);
	return rc;
}

/* Can the next ROWS_AT_ONCE go in together? */
static bool are_many(const struct store_row *rows, size_t n)
{
	if (n < ROWS_AT_ONCE)
		return false;
	for (size_t i = 0; i < ROWS_AT_ONCE; i++)
		if (rows[i].bytes.len > BIG_BYTES_MIN)
			return false;
	return true;
}

int segment_insert_rows(
	struct sqlite_store *s, const struct store_row *rows, size_t n, const int64_t *now_ms)
{
	int rc = SQLITE_OK;
	int64_t rowid = 0;
	size_t step = 0;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i += step) {
		const int64_t *first_ms = i == 0 ? now_ms : NULL;

		step = are_many(rows + i, n - i) ? ROWS_AT_ONCE : 1;
		rc = step > 1 ? insert_many(s, rows + i, first_ms)
			      : segment_insert(s, &rows[i], last_of(&rows[i]), first_ms, &rowid);
	}
	return rc;
}
