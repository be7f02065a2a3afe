/* sqlite_insert.c - rows into the newest segment.
 *
 * Invariant: rows take their places in the order they are given. Surprise: what one commit brings goes in
 * as groups, but for long rows and one that is alone. */
#include "store/sqlite.h"

enum { GROUP_ROWS_MAX = (1 << PLACE_NUMBER_BITS) - 1 };

void segment_insert_release(struct segment *seg)
{
	seg->insert = stmt_free(seg->insert);
}

/* What fails is rolled back, and then needs no savepoint, which would copy each page. */
static int prepare(struct sqlite_store *s, struct segment *seg)
{
	char sql[200];

	if (seg->insert != NULL)
		return SQLITE_OK;
	sqlite3_snprintf(sizeof sql, sql,
		"INSERT OR ROLLBACK INTO journal_%u (flow, seq, last, now_ms, from_seq, big, bytes)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		seg->number);
	return stmt_prepare(s, &seg->insert, sql);
}

/* A row of the store's own has no flow. big_rowid 0: it has its bytes itself. */
static void row_bind(sqlite3_stmt *stmt, const struct store_row *row, enum row_last last,
	const int64_t *now_ms, int64_t big_rowid)
{
	if (last <= ROW_LAST)
		stmt_bind_id(stmt, 1, &row->flow);
	else
		stmt_bind_slice(stmt, 1, SLICE_NONE);
	stmt_bind_int(stmt, 2, (int64_t)row->seq);
	stmt_bind_int(stmt, 3, (int64_t)last);
	if (now_ms != NULL)
		stmt_bind_int(stmt, 4, *now_ms);
	else
		sqlite3_bind_null(stmt, 4);
	if (row->from_seq > 0)
		stmt_bind_int(stmt, 5, (int64_t)row->from_seq);
	else
		sqlite3_bind_null(stmt, 5);
	if (big_rowid > 0)
		stmt_bind_int(stmt, 6, big_rowid);
	else
		sqlite3_bind_null(stmt, 6);
	stmt_bind_slice(stmt, 7, big_rowid > 0 ? SLICE_NONE : row->bytes);
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
static int flow_add(struct sqlite_store *s, struct segment *seg, place at,
	const struct store_row *row, bool big)
{
	sqlite3_stmt *stmt = s->statements[ST_BIG_TRIM];
	struct flow_rows *f = index_add(s, seg, at, row, big);
	uint64_t oldest = index_rows(f)[0].seq;

	if (!f->bigs || row->from_seq == 0 || oldest > f->from_seq)
		return SQLITE_OK;
	stmt_bind_id(stmt, 1, &f->flow);
	sqlite3_bind_null(stmt, 2);
	stmt_bind_int(stmt, 3, (int64_t)oldest);
	return stmt_run(stmt);
}

static void row_count(struct sqlite_store *s, struct segment *seg, size_t bytes)
{
	seg->bytes += SEGMENT_ROW_BYTES + bytes;
	s->young_bytes += SEGMENT_ROW_BYTES + bytes;
	seg->rows++;
}

/* Puts the row that is bound. */
static int put(struct sqlite_store *s, struct segment *seg, int64_t *ret_rowid)
{
	int rc = stmt_run(seg->insert);

	*ret_rowid = sqlite3_last_insert_rowid(s->db);
	CHECK(rc != SQLITE_OK || place_fits(*ret_rowid));
	seg->n_last = *ret_rowid;
	return rc;
}

int segment_insert(struct sqlite_store *s, const struct store_row *row, enum row_last last,
	const int64_t *now_ms)
{
	struct segment *seg = segment_newest(s);
	bool big = last <= ROW_LAST && row->bytes.len > BIG_BYTES_MIN;
	int64_t big_rowid = 0;
	int64_t rowid = 0;
	int rc = prepare(s, seg);

	if (rc == SQLITE_OK && big)
		rc = big_insert(s, row, &big_rowid);
	if (rc != SQLITE_OK)
		return rc;
	row_bind(seg->insert, row, last, now_ms, big_rowid);
	if ((rc = put(s, seg, &rowid)) != SQLITE_OK)
		return rc;
	row_count(s, seg, big ? 0 : row->bytes.len);
	return last <= ROW_LAST ? flow_add(s, seg, place_of(seg->number, rowid, 0), row, big) : SQLITE_OK;
}

static int insert_group(struct sqlite_store *s, const struct store_row *rows, size_t n, const int64_t *now_ms)
{
	struct segment *seg = segment_newest(s);
	int64_t rowid = 0;
	int rc = prepare(s, seg);

	if (rc != SQLITE_OK)
		return rc;
	buf_reset(&s->group);
	for (size_t i = 0; i < n; i++)
		group_put(&s->group, &rows[i]);
	const struct store_row group = { .seq = n, .bytes = buf_slice(&s->group) };
	row_bind(seg->insert, &group, ROW_GROUP, now_ms, 0);
	rc = put(s, seg, &rowid);
	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		row_count(s, seg, rows[i].bytes.len);
		rc = flow_add(s, seg, place_of(seg->number, rowid, i + 1), &rows[i], false);
	}
	return rc;
}

/* How many of the next rows go together; 0: the first is too long. */
static size_t group_len(const struct store_row *rows, size_t n)
{
	size_t bytes = 0;
	size_t i = 0;

	for (; i < n && i < GROUP_ROWS_MAX && rows[i].bytes.len <= GROUP_ROW_BYTES_MAX && bytes < GROUP_BYTES_MAX;
		i++)
		bytes += SEGMENT_ROW_BYTES + rows[i].bytes.len;
	return i;
}

int segment_insert_rows(
	struct sqlite_store *s, const struct store_row *rows, size_t n, const int64_t *now_ms)
{
	int rc = SQLITE_OK;
	size_t step = 0;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i += step) {
		const int64_t *first_ms = i == 0 ? now_ms : NULL;
		size_t many = group_len(rows + i, n - i);

		step = many > 1 ? many : 1;
		rc = many > 1 ? insert_group(s, rows + i, many, first_ms)
			      : segment_insert(s, &rows[i], rows[i].last ? ROW_LAST : ROW_MORE, first_ms);
	}
	return rc;
}
