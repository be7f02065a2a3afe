/* sqlite_ids.c - which row of ended a flow has: a table by id that takes many ids at a time.
 *
 * Flows end in any order, and an index that learned of each end would write a page of the
 * file for it: most of what it cost to wake a million parked flows. So the ids of the
 * youngest ended rows are in RAM; when they are many they go to the table ended_id, in
 * order of ids and in pieces, one after each commit. Invariant: the ids of ended rows
 * after sums.indexed are in RAM, those of the others in the table. Surprise: a row that
 * expires leaves its id in the table until such ids are a quarter of all; whoever finds
 * one sees by the number that its row is gone, as numbers are never used again. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

static struct ids *merge_end(struct ids *ids)
{
	free(ids->merge);
	ids->merge = NULL;
	ids->nmerge = ids->at = 0;
	return ids;
}

void ids_fini(struct sqlite_store *s)
{
	map_fini(&merge_end(&s->ids)->young);
	s->ids.young_bytes = 0;
	s->ids.sweeping = false;
}

/* The map's values are pointers; these are numbers, which are never 0. */
static int64_t young_get(const struct sqlite_store *s, const struct id *flow)
{
	return (int64_t)(uintptr_t)map_get(&s->ids.young, flow);
}

void ids_add(struct sqlite_store *s, const struct id *flow, int64_t n, uint64_t bytes)
{
	CHECK(n > 0);
	CHECK((int64_t)(uintptr_t)n == n);
	map_put(&s->ids.young, flow, (void *)(uintptr_t)n);
	s->ids.young_bytes += IDS_ROW_BYTES + bytes;
}

void ids_expire(struct sqlite_store *s, const struct id *flow, int64_t n)
{
	s->ids.expired = n;
	if (n > s->sums.indexed)
		map_remove(&s->ids.young, flow);
}

int64_t ids_find(struct sqlite_store *s, const struct id *flow)
{
	sqlite3_stmt *stmt = s->statements[ST_ID_GET];
	int64_t n = young_get(s, flow);

	if (n != 0)
		return n;
	stmt_bind_id(stmt, 1, flow);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		n = sqlite3_column_int64(stmt, 0);
	else if (rc != SQLITE_DONE && !s->checking)
		sqlite_die(s, "look for an ended flow");
	sqlite3_reset(stmt);
	return n > s->ids.expired ? n : 0;
}

/* fish_ended(flow) in SQL: the number of its row, or 0. */
static void is_ended(sqlite3_context *context, int n, sqlite3_value **values)
{
	struct id flow;
	bool is_id = n == 1 && sqlite3_value_bytes(values[0]) == (int)sizeof flow.b;

	if (is_id)
		memcpy(flow.b, sqlite3_value_blob(values[0]), sizeof flow.b);
	sqlite3_result_int64(context, is_id ? ids_find(sqlite3_user_data(context), &flow) : 0);
}

int ids_function(struct sqlite_store *s)
{
	return sqlite3_create_function(s->db, "fish_ended", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
		s, is_ended, NULL, NULL);
}

int ids_scan(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt, "SELECT rowid, flow, weight FROM ended WHERE rowid > ?");

	ids_fini(s);
	if (rc == SQLITE_OK) {
		stmt_bind_int(stmt, 1, s->sums.indexed);
		while (sqlite3_step(stmt) == SQLITE_ROW) {
			struct id flow;
			if (!stmt_id(stmt, 1, &flow)) {
				stmt_free(stmt);
				return sqlite_damaged(s, err, "an ended flow is not as it was written");
			}
			ids_add(s, &flow, sqlite3_column_int64(stmt, 0),
				(uint64_t)sqlite3_column_int64(stmt, 2));
		}
		rc = sqlite3_reset(stmt);
	}
	stmt_free(stmt);
	return rc == SQLITE_OK ? 0 : sqlite_failed(s, err, "cannot read what has ended");
}

/* ---- merging ---- */

static int id_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

/* All that are in RAM now; they stay there until all of them are in the table. */
static void merge_begin(struct ids *ids, int64_t last)
{
	size_t cursor = 0;

	ids->merge = xalloc((ids->young.len + 1) * sizeof *ids->merge);
	ids->nmerge = ids->at = 0;
	ids->last = last;
	while (map_each(&ids->young, &cursor) != NULL)
		ids->merge[ids->nmerge++] = ids->young.slots[cursor - 1].key;
	qsort(ids->merge, ids->nmerge, sizeof *ids->merge, id_order);
	ids->young_bytes = 0;
}

/* The transaction of merge_some but its end. */
static int merge_write(struct sqlite_store *s, size_t upto)
{
	sqlite3_stmt *stmt = s->statements[ST_ID_PUT];
	int rc = sqlite_begin(s);

	for (size_t i = s->ids.at; i < upto && rc == SQLITE_OK; i++) {
		int64_t n = young_get(s, &s->ids.merge[i]);
		if (n == 0)
			continue;         /* it has expired meanwhile */
		stmt_bind_id(stmt, 1, &s->ids.merge[i]);
		stmt_bind_int(stmt, 2, n);
		rc = stmt_run(stmt);
	}
	if (rc != SQLITE_OK || upto < s->ids.nmerge)
		return rc;
	s->sums.indexed = s->ids.last;
	return sums_put(s, s->time_ms);
}

static int merge_some(struct sqlite_store *s)
{
	struct ids *ids = &s->ids;
	const struct sums before = s->sums;
	/* More than the last commit may have added. */
	size_t upto = ids->at + s->ids_merge_max + 2 * s->commit_rows;

	if (upto > ids->nmerge)
		upto = ids->nmerge;
	if (merge_write(s, upto) != SQLITE_OK || sqlite_end(s) != SQLITE_OK) {
		s->sums = before;
		return sqlite_write_failed(s, "note what has ended");
	}
	ids->at = upto;
	if (upto < ids->nmerge)
		return 0;
	s->sums.changed = false;
	for (size_t i = 0; i < ids->nmerge; i++)
		map_remove(&ids->young, &ids->merge[i]);
	merge_end(ids);
	return 0;
}

/* ---- sweeping ---- */

static int64_t sweep_upto(const struct sqlite_store *s)
{
	return s->ids.expired < s->sums.indexed ? s->ids.expired : s->sums.indexed;
}

static bool sweep_is_due(const struct sqlite_store *s)
{
	int64_t gone = sweep_upto(s) - s->sums.swept;

	return s->ids.sweeping || (gone >= s->ids_sweep_min && 4 * gone >= s->sums.ended_last - s->sums.swept);
}

/* The last id of the next piece; false: there are fewer, and they all belong to it. */
static bool sweep_bound(struct sqlite_store *s, struct id *ret)
{
	sqlite3_stmt *stmt = s->statements[ST_ID_NEXT];

	stmt_bind_id(stmt, 1, &s->ids.after);
	stmt_bind_int(stmt, 2, IDS_SWEEP_READ);
	int rc = sqlite3_step(stmt);
	if ((rc == SQLITE_ROW && !stmt_id(stmt, 0, ret)) || (rc != SQLITE_ROW && rc != SQLITE_DONE))
		sqlite_die(s, "look through the ended flows");
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW;
}

static int sweep_write(struct sqlite_store *s, const struct id *bound, bool last)
{
	sqlite3_stmt *stmt = s->statements[ST_ID_SWEEP];
	int rc = sqlite_begin(s);

	stmt_bind_id(stmt, 1, &s->ids.after);
	stmt_bind_id(stmt, 2, bound);
	stmt_bind_int(stmt, 3, s->ids.sweep_upto);
	if (rc == SQLITE_OK)
		rc = stmt_run(stmt);
	if (rc != SQLITE_OK || !last)
		return rc;
	s->sums.swept = s->ids.sweep_upto;
	return sums_put(s, s->time_ms);
}

static int sweep_some(struct sqlite_store *s)
{
	const struct sums before = s->sums;
	struct id bound;

	if (!s->ids.sweeping) {
		s->ids.sweeping = true;
		s->ids.after = (struct id){ 0 };
		s->ids.sweep_upto = sweep_upto(s);
	}
	bool last = !sweep_bound(s, &bound);
	if (last)
		memset(bound.b, 0xff, sizeof bound.b);
	if (sweep_write(s, &bound, last) != SQLITE_OK || sqlite_end(s) != SQLITE_OK) {
		s->sums = before;
		return sqlite_write_failed(s, "forget flows that ended long ago");
	}
	s->ids.after = bound;
	s->ids.sweeping = !last;
	if (last)
		s->sums.changed = false;
	return 0;
}

int ids_tidy(struct sqlite_store *s)
{
	struct ids *ids = &s->ids;

	if (ids->merge == NULL &&
		(ids->young.len >= IDS_YOUNG_MAX || ids->young_bytes >= s->young_bytes_max / 4))
		merge_begin(ids, s->sums.ended_last);
	if (ids->merge != NULL)
		return merge_some(s);
	return sweep_is_due(s) ? sweep_some(s) : 0;
}
