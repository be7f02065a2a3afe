/* sqlite_commit.c - carries out one commit: one transaction, one fdatasync.
 *
 * Invariant: all of it or nothing. Surprise: the index learns of rows while they are
 * written, because flows that end or park in the same commit are found through it; a
 * commit that fails has it built anew from the file. */
#include "store/sqlite.h"

int sums_put(struct sqlite_store *s, int64_t time_ms)
{
	sqlite3_stmt *stmt = s->statements[ST_STORE_PUT];
	const struct sums *sums = &s->sums;

	stmt_bind_int(stmt, 1, time_ms);
	stmt_bind_int(stmt, 2, (int64_t)sums->parked.flows);
	stmt_bind_int(stmt, 3, (int64_t)sums->parked.hooks);
	stmt_bind_int(stmt, 4, (int64_t)sums->parked.untaken);
	stmt_bind_int(stmt, 5, (int64_t)sums->ended_bytes);
	stmt_bind_int(stmt, 6, sums->stripped);
	stmt_bind_int(stmt, 7, sums->ended_last);
	stmt_bind_int(stmt, 8, sums->parked_last);
	stmt_bind_int(stmt, 9, (int64_t)sums->dead);
	stmt_bind_int(stmt, 10, sums->purged);
	stmt_bind_int(stmt, 11, sums->indexed);
	stmt_bind_int(stmt, 12, sums->swept);
	stmt_bind_int(stmt, 13, (int64_t)sums->parked.apart);
	stmt_bind_int(stmt, 14, (int64_t)sums->parked.apart_untaken);
	return stmt_run(stmt);
}

/* The rows, then what ends with them. */
static int rows_write(struct sqlite_store *s, const struct store_commit *c)
{
	int rc = segment_insert_rows(s, c->rows, c->nrows, &c->now_ms);

	for (size_t i = 0; i < c->nended && rc == SQLITE_OK; i++)
		rc = ended_write(s, &c->ended[i]);
	for (size_t i = 0; i < c->nrows && rc == SQLITE_OK; i++) {
		if (c->rows[i].last)
			rc = ended_orphan(s, &c->rows[i].flow);
	}
	return rc;
}

/* All of the transaction but its COMMIT. */
static int commit_write(struct sqlite_store *s, const struct store_commit *c)
{
	int64_t time_ms = c->now_ms > s->time_ms ? c->now_ms : s->time_ms;
	int rc = sqlite_begin(s);

	if (rc == SQLITE_OK)
		rc = rows_write(s, c);
	if (rc == SQLITE_OK && c->nparks > 0)
		rc = parks_write(s, c, c->nrows == 0 ? &c->now_ms : NULL);
	if (rc == SQLITE_OK)
		rc = ended_expire(s, c->now_ms, STORE_ENDED_DROPS + c->nended);
	if (rc == SQLITE_OK)
		rc = ended_strip(s, c->now_ms, STORE_ENDED_DROPS + 2 * c->nended);
	/* The time stands in the first row; only a commit without rows writes it by
	 * itself. */
	if (rc == SQLITE_OK && (s->sums.changed || (c->nrows == 0 && time_ms > s->time_ms)))
		rc = sums_put(s, time_ms);
	return rc;
}

int sqlite_commit(struct sqlite_store *s, const struct store_commit *c)
{
	const struct sums before = s->sums;
	const uint64_t young_bytes = s->young_bytes;

	s->commits++;
	s->commit_rows = c->nrows;
	s->commit_bytes = 0;
	int rc = commit_write(s, c);
	if (rc == SQLITE_OK)
		rc = sqlite_end(s);
	if (rc != SQLITE_OK) {
		rc = sqlite_write_failed(s, "commit");
		s->sums = before;
		/* What is known of the oldest ended rows is rolled back: look again. */
		s->expire_ms = s->strip_ms = 0;
		s->refused_ms = s->log_bytes != 0 ? c->now_ms : 0;
		/* On a full disk the log can be used again only when it is copied home. */
		s->wal_frames = s->wal_frames_max;
		sqlite_rescan(s);
		return rc;
	}
	s->sums.changed = false;
	s->commit_bytes = s->young_bytes - young_bytes;
	if (c->now_ms > s->time_ms)
		s->time_ms = c->now_ms;
	return 0;
}
