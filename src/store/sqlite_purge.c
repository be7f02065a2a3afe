/* sqlite_purge.c - rows of parked whose flows have ended go, many at a time and in their
 * own order.
 *
 * To delete each row when its flow ends would write a page of the file for every flow, as
 * flows end in any order; so the row stays, dead, until as many have died that most pages
 * lose several. Invariant: a dead row's flow is among the ended ones, after sums.purged, so
 * that whoever meets the row can tell. Surprise: what has been found is in RAM only; after
 * a restart it is found again, and n is never used again, so that it cannot name another
 * row by then. */
#include "store/sqlite.h"

#include <stdlib.h>

void purge_reset(struct sqlite_store *s)
{
	free(s->purge.rows);
	s->purge = (struct purge){ .n = 0 };
}

bool purge_is_due(const struct sqlite_store *s)
{
	return s->purge.under_way ||
		(s->sums.dead >= s->dead_rows_min &&
			s->sums.dead * DEAD_ROWS_LIVE >= s->sums.parked.flows);
}

int purge_row(struct sqlite_store *s, int64_t n)
{
	if (n == 0)
		return SQLITE_OK;
	stmt_bind_int(s->statements[ST_PARKED_DELETE], 1, n);
	int rc = stmt_run(s->statements[ST_PARKED_DELETE]);
	if (rc == SQLITE_OK)
		s->sums.dead -= (uint64_t)sqlite3_changes(s->db);
	s->sums.changed = true;
	return rc;
}

static int row_order(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return left < right ? -1 : left > right;
}

/* Reads on through the ended rows, in order of the ends. */
static void find_some(struct sqlite_store *s)
{
	struct purge *p = &s->purge;
	sqlite3_stmt *stmt = s->statements[ST_ENDED_PARKED];
	int rc = SQLITE_OK;
	int read = 0;

	stmt_bind_int(stmt, 1, p->upto);
	stmt_bind_int(stmt, 2, PURGE_READ_MAX);
	for (; (rc = sqlite3_step(stmt)) == SQLITE_ROW; read++) {
		int64_t n = sqlite3_column_int64(stmt, 1);
		p->upto = sqlite3_column_int64(stmt, 0);
		if (n == 0)
			continue;
		if (p->n == p->cap) {
			p->cap = p->cap == 0 ? 1024 : 2 * p->cap;
			p->rows = xrealloc(p->rows, p->cap * sizeof *p->rows);
		}
		p->rows[p->n++] = n;
	}
	if (rc != SQLITE_DONE)
		sqlite_die(s, "look for ended flows");
	sqlite3_reset(stmt);
	p->found = read < PURGE_READ_MAX || p->n >= PURGE_ROWS_MAX;
	if (p->found && p->n > 0)
		qsort(p->rows, p->n, sizeof *p->rows, row_order);
}

/* The transaction of delete_some but its end. */
static int delete_write(struct sqlite_store *s, size_t upto)
{
	struct purge *p = &s->purge;
	int rc = sqlite_begin(s);

	for (; p->at < upto && rc == SQLITE_OK; p->at++)
		rc = purge_row(s, p->rows[p->at]);
	if (p->at == p->n && p->upto > s->sums.purged)
		s->sums.purged = p->upto;
	return rc == SQLITE_OK ? sums_put(s, s->time_ms) : rc;
}

static int delete_some(struct sqlite_store *s)
{
	struct purge *p = &s->purge;
	const struct sums before = s->sums;
	/* No fewer than the last commit may have added. */
	size_t upto = p->at + PURGE_DELETE_MAX + 2 * s->commit_rows;

	if (delete_write(s, upto < p->n ? upto : p->n) != SQLITE_OK ||
		sqlite_end(s) != SQLITE_OK) {
		int rc = sqlite_write_failed(s, "purge parked flows that have ended");
		s->sums = before;
		purge_reset(s);
		return rc;
	}
	s->sums.changed = false;
	if (p->at == p->n)
		purge_reset(s);
	return 0;
}

int sqlite_purge(struct sqlite_store *s)
{
	if (!s->purge.under_way)
		s->purge = (struct purge){ .under_way = true, .upto = s->sums.purged };
	if (!s->purge.found) {
		find_some(s);
		return 0;
	}
	return delete_some(s);
}
