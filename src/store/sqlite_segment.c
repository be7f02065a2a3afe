/* sqlite_segment.c - the journal's tables: journal_N holds rows in order of arrival.
 *
 * last is 0, 1 for a flow's last row, or 2 for a mark: "this flow has ended, the row that
 * said so went with its segment". Invariant: while any row of an ended flow stands, some
 * standing row or mark says that it has ended; else a restart would bring the flow back
 * to life. Surprise: a segment goes as soon as all its flows have ended, whether or not
 * older ones stand, so that one flow that waits for a month does not hold a month of
 * journal. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

enum { LAST_MARK = 2 };

struct segment *segment_new(struct sqlite_store *s, uint32_t number)
{
	struct segment *seg = xalloc(sizeof *seg);

	seg->number = number;
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

struct segment *segment_free(struct segment *seg)
{
	segment_release(seg);
	free(seg->flows);
	free(seg);
	return NULL;
}

/* Index of the segment; numbers rise, so it is found by halving. */
static size_t segment_index(const struct sqlite_store *s, uint32_t number)
{
	size_t low = 0;
	size_t high = s->nsegments;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (s->segments[middle]->number <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}

struct segment *segment_by_number(const struct sqlite_store *s, uint32_t number)
{
	struct segment *seg = s->segments[segment_index(s, number)];

	CHECK(seg->number == number); /* the index names standing segments only */
	return seg;
}

/* The one that takes the rows; it is never dropped. */
static struct segment *newest(const struct sqlite_store *s)
{
	return s->segments[s->nsegments - 1];
}

static int exec_numbered(struct sqlite_store *s, const char *format, uint32_t number)
{
	char sql[300];

	sqlite3_snprintf(sizeof sql, sql, format, number);
	return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

int segment_create_table(struct sqlite_store *s, uint32_t number)
{
	return exec_numbered(s,
		"CREATE TABLE journal_%u ("
		"  n INTEGER PRIMARY KEY," /* order of arrival */
		"  flow BLOB NOT NULL,"
		"  seq INTEGER NOT NULL,"
		"  last INTEGER NOT NULL,"
		"  now_ms INTEGER," /* in the first row of each commit */
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

static int insert(struct sqlite_store *s, struct segment *seg,
	const struct store_row *row, int last, const int64_t *now_ms)
{
	int rc = prepare_numbered(s, &seg->insert,
		"INSERT INTO journal_%u (flow, seq, last, now_ms, bytes)"
		" VALUES (?, ?, ?, ?, ?)",
		seg->number);
	if (rc != SQLITE_OK)
		return rc;
	stmt_bind_id(seg->insert, 1, &row->flow);
	stmt_bind_int(seg->insert, 2, (int64_t)row->seq);
	stmt_bind_int(seg->insert, 3, last);
	if (now_ms != NULL)
		stmt_bind_int(seg->insert, 4, *now_ms);
	else
		sqlite3_bind_null(seg->insert, 4);
	stmt_bind_slice(seg->insert, 5, row->bytes);
	return stmt_run(seg->insert);
}

/* now_ms is the commit's in its first row, else NULL: so the store's time costs no page
 * of its own. */
int segment_insert(struct sqlite_store *s, struct segment *seg,
	const struct store_row *row, const int64_t *now_ms)
{
	return insert(s, seg, row, row->last ? 1 : 0, now_ms);
}

/* Leaves seg->select on the row (flow, seq, last, bytes) and gives SQLITE_ROW; the caller
 * resets. */
int segment_select(struct sqlite_store *s, struct segment *seg, int64_t rowid)
{
	int rc = prepare_numbered(s, &seg->select,
		"SELECT flow, seq, last, bytes FROM journal_%u WHERE n = ?", seg->number);
	if (rc != SQLITE_OK)
		return rc;
	stmt_bind_int(seg->select, 1, rowid);
	return sqlite3_step(seg->select);
}

/* Begins the next segment and notes the store's time, as its rows may all be gone one
 * day. */
static void rotate(struct sqlite_store *s)
{
	uint32_t number = newest(s)->number + 1;

	stmt_bind_int(s->time_set, 1, s->time_ms);
	if (stmt_run(s->begin) != SQLITE_OK || stmt_run(s->time_set) != SQLITE_OK ||
		segment_create_table(s, number) != SQLITE_OK ||
		stmt_run(s->commit) != SQLITE_OK) {
		/* No room: this segment grows on, and the next commit tries again. */
		sqlite_write_failed(s, "begin a journal segment");
		return;
	}
	/* Rows go to the new one; the old one's statement would be kept for nothing. */
	newest(s)->insert = stmt_free(newest(s)->insert);
	segment_new(s, number);
}

/* Before seg goes: its ended flows that have rows elsewhere get a mark in the oldest such
 * segment. */
static int marks_move(struct sqlite_store *s, const struct segment *seg)
{
	for (size_t i = 0; i < seg->nflows; i++) {
		const struct flow_rows *f = seg->flows[i];
		if (f->ended_in != seg->number)
			continue;
		const place *places = index_places(f);
		uint32_t n = 0;
		while (n < f->n && place_segment(places[n]) == seg->number)
			n++;
		if (n == f->n)
			continue;
		struct segment *other = segment_by_number(s, place_segment(places[n]));
		const struct store_row mark = { .flow = f->flow };
		int rc = insert(s, other, &mark, LAST_MARK, NULL);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

/* Drops a segment of which all flows have ended, with what the index knows of it. */
static void drop(struct sqlite_store *s, size_t index)
{
	struct segment *seg = s->segments[index];

	segment_release(seg); /* a table that statements know cannot be dropped */
	if (stmt_run(s->begin) != SQLITE_OK || marks_move(s, seg) != SQLITE_OK ||
		exec_numbered(s, "DROP TABLE journal_%u", seg->number) != SQLITE_OK ||
		stmt_run(s->commit) != SQLITE_OK) {
		sqlite_write_failed(s, "drop a journal segment");
		return;
	}
	index_drop(s, seg);
	memmove(s->segments + index, s->segments + index + 1,
		(s->nsegments - index - 1) * sizeof(void *));
	s->nsegments--;
	segment_free(seg);
}

/* Checkpoint: the log's pages go to their places, so that the log can begin anew. */
static void copy_home(struct sqlite_store *s)
{
	int frames = 0;
	int copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(
		s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);

	/* A page that could not be written home stands in the log still, and is tried
	 * again. A failed sync is another matter: the kernel may tell of it only once. */
	if (rc == SQLITE_OK)
		s->wal_frames = frames - copied;
	else if (rc != SQLITE_IOERR_WRITE)
		sqlite_write_failed(s, "copy the write-ahead log home");
}

/* What is due after a commit; one segment at most is dropped, so that no commit waits for
 * many. */
void segment_tidy(struct sqlite_store *s)
{
	if (newest(s)->bytes >= s->segment_bytes_max)
		rotate(s);
	for (size_t i = 0; i + 1 < s->nsegments; i++) {
		if (s->segments[i]->live == 0) {
			drop(s, i);
			break;
		}
	}
	if (s->wal_frames >= s->wal_frames_max)
		copy_home(s);
}
