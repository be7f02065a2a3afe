/* sqlite_commit.c - carries out one commit: one transaction, one fdatasync.
 *
 * Invariant: all of it or nothing; the index in RAM learns of it only after the COMMIT.
 * Surprise, for tests only: with FISH_TEST_KILL_AT_COMMIT=K in the environment at open,
 * the process kills itself at the K-th commit, before its COMMIT or
 * (FISH_TEST_KILL_PHASE=after) right after it, when it is durable and nobody has been
 * told. */
#include "store/sqlite.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum kill_phase { KILL_BEFORE,
	KILL_AFTER };

static void kill_if_asked(const struct sqlite_store *s, enum kill_phase phase)
{
	if (s->commits == s->kill_at && s->kill_after == (phase == KILL_AFTER))
		kill(getpid(), SIGKILL);
}

/* The hash that is a key of the row, or NULL. */
static const struct id *key_of(const struct store_ended *e)
{
	return e->has_key ? &e->key : NULL;
}

/* Also notes when this row will be too old, for ended_expire. */
static int ended_write(struct sqlite_store *s, const struct store_ended *e)
{
	sqlite3_stmt *stmt = s->ended_insert;
	const struct id *parent = id_is_zero(&e->parent) ? NULL : &e->parent;

	stmt_bind_id(stmt, 1, &e->flow);
	stmt_bind_id(stmt, 2, parent);
	stmt_bind_int(stmt, 3, e->parent_source);
	stmt_bind_int(stmt, 4, e->parent_number);
	stmt_bind_id(stmt, 5, key_of(e));
	stmt_bind_int(stmt, 6, e->started_ms);
	stmt_bind_int(stmt, 7, e->ended_ms);
	stmt_bind_int(stmt, 8, e->status);
	stmt_bind_slice(stmt, 9, e->name);
	stmt_bind_slice(stmt, 10, e->result);
	stmt_bind_slice(stmt, 11, e->untaken);
	stmt_bind_slice(stmt, 12, e->seen);
	if (e->ended_ms + SEEN_WINDOW_MS < s->expire_ms)
		s->expire_ms = e->ended_ms + SEEN_WINDOW_MS;
	return stmt_run(stmt);
}

/* The oldest ended row. SQLITE_ROW, SQLITE_DONE when there is none, or an error. */
static int ended_oldest(struct sqlite_store *s, int64_t *ret_rowid, int64_t *ret_ended_ms)
{
	int rc = sqlite3_step(s->ended_oldest);

	if (rc == SQLITE_ROW) {
		*ret_rowid = sqlite3_column_int64(s->ended_oldest, 0);
		*ret_ended_ms = sqlite3_column_int64(s->ended_oldest, 1);
	}
	int reset = sqlite3_reset(s->ended_oldest);
	return reset == SQLITE_OK ? rc : reset;
}

/* Deletes a few rows that are too old. Mostly it is known without looking that there are
 * none. */
static int ended_expire(struct sqlite_store *s, int64_t now_ms, size_t rows_max)
{
	if (now_ms <= s->expire_ms)
		return SQLITE_OK;
	for (size_t n = 0; n < rows_max; n++) {
		int64_t rowid = 0;
		int64_t ended_ms = 0;
		int rc = ended_oldest(s, &rowid, &ended_ms);
		if (rc == SQLITE_DONE) {
			s->expire_ms = INT64_MAX;
			return SQLITE_OK;
		}
		if (rc != SQLITE_ROW)
			return rc;
		if (ended_ms >= now_ms - SEEN_WINDOW_MS) {
			s->expire_ms = ended_ms + SEEN_WINDOW_MS;
			return SQLITE_OK;
		}
		stmt_bind_int(s->ended_delete, 1, rowid);
		if ((rc = stmt_run(s->ended_delete)) != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

/* All of the transaction but its COMMIT. *ret_first: the rowid of the first row. */
static int commit_write(
	struct sqlite_store *s, const struct store_commit *c, int64_t *ret_first)
{
	struct segment *seg = s->segments[s->nsegments - 1];
	int rc = stmt_run(s->begin);

	for (size_t i = 0; i < c->nrows && rc == SQLITE_OK; i++)
		rc = segment_insert(s, seg, &c->rows[i], i == 0 ? &c->now_ms : NULL);
	/* Only this connection writes, so the rowids of one commit have no gaps. */
	*ret_first = sqlite3_last_insert_rowid(s->db) - (int64_t)c->nrows + 1;
	for (size_t i = 0; i < c->nended && rc == SQLITE_OK; i++)
		rc = ended_write(s, &c->ended[i]);
	if (rc == SQLITE_OK)
		rc = ended_expire(s, c->now_ms, STORE_ENDED_DROPS + c->nended);
	/* The time stands in the first row; only a commit without rows writes it by
	 * itself. */
	if (rc == SQLITE_OK && c->nrows == 0 && c->now_ms > s->time_ms) {
		stmt_bind_int(s->time_set, 1, c->now_ms);
		rc = stmt_run(s->time_set);
	}
	return rc;
}

/* The rows are durable: now the index may say so. */
static void commit_index(
	struct sqlite_store *s, const struct store_commit *c, int64_t first)
{
	struct segment *seg = s->segments[s->nsegments - 1];

	for (size_t i = 0; i < c->nrows; i++) {
		const struct store_row *row = &c->rows[i];
		index_add(s, seg, &row->flow, (uint64_t)first + i);
		if (row->last)
			index_end(s, seg, &row->flow);
		seg->bytes += SEGMENT_ROW_BYTES + row->bytes.len;
	}
	if (c->now_ms > s->time_ms)
		s->time_ms = c->now_ms;
}

int sqlite_commit(struct sqlite_store *s, const struct store_commit *c)
{
	int64_t first = 0;

	s->commits++;
	for (size_t i = 0; i < c->nrows; i++) {
		const struct flow_rows *f = index_flow(s, &c->rows[i].flow);
		CHECK(f == NULL ||
			f->ended_in == 0); /* no row of a flow comes after its last */
	}
	int rc = commit_write(s, c, &first);
	if (rc == SQLITE_OK) {
		kill_if_asked(s, KILL_BEFORE);
		rc = stmt_run(s->commit);
	}
	if (rc != SQLITE_OK) {
		/* What is known of the oldest ended row is rolled back: look again. */
		s->expire_ms = 0;
		/* On a full disk the log can be used again only when it is copied home. */
		s->wal_frames = s->wal_frames_max;
		return sqlite_write_failed(s, "commit");
	}
	kill_if_asked(s, KILL_AFTER);
	commit_index(s, c, first);
	return 0;
}
