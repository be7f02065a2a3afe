/* sqlite_recover.c - the restart: builds the index from the young segments, then hands out
 * what is resident.
 *
 * Invariant: all that is read grows with the young rows, never with the flows that are
 * parked or have ended. Surprise: the scan at open reads every young row's head but not its
 * long bytes; recover then fetches the rows of resident flows alone, however few they are
 * among the others. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

/* A flow has ended. What format 1 knew only in RAM is written down. */
static int scan_end(struct sqlite_store *s, struct flow_rows *f)
{
	sqlite3_stmt *stmt = s->statements[ST_ENDED_PLACES];
	int rc = SQLITE_OK;

	if (s->migrating == 1) {
		buf_reset(&s->places);
		places_put(&s->places, f);
		stmt_bind_slice(stmt, 1, buf_slice(&s->places));
		stmt_bind_int(stmt, 2, (int64_t)s->places.len);
		stmt_bind_int(stmt, 3, ids_find(s, &f->flow));
		rc = stmt_run(stmt);
	}
	index_end(s, f);
	return rc;
}

/* Flows whose older rows have moved: all of them, or those up to a segment. */
static bool scan_moved(
	struct sqlite_store *s, struct slice ids, enum row_last last, uint64_t upto)
{
	struct id flow;

	for (; ids.len >= sizeof flow.b; ids.ptr += sizeof flow.b, ids.len -= sizeof flow.b) {
		memcpy(flow.b, ids.ptr, sizeof flow.b);
		struct flow_rows *f = index_flow(s, &flow);
		if (f == NULL)
			continue;
		if (last == ROW_PARKED)
			index_remove(s, f);
		else
			index_aged(s, f, (uint32_t)upto);
	}
	return ids.len == 0;
}

/* A row of a flow. */
static int scan_flow(struct sqlite_store *s, struct segment *seg, place at, const struct store_row *row,
	size_t bytes, bool big, struct err *err)
{
	seg->rows++;
	seg->bytes += SEGMENT_ROW_BYTES + bytes;
	s->young_bytes += SEGMENT_ROW_BYTES + bytes;
	struct flow_rows *f = index_add(s, seg, at, row, big);
	if (row->last && scan_end(s, f) != SQLITE_OK)
		return sqlite_failed(s, err, "cannot note what has ended");
	return 0;
}

/* Damaged is what has another number of rows than it says. */
static int scan_group(struct sqlite_store *s, struct segment *seg, int64_t rowid, struct slice group,
	uint64_t rows, struct err *err)
{
	struct store_row row;
	uint64_t number = 0;
	int rc = 0;

	while ((rc = group_next(&group, &row)) == 1) {
		if (id_is_zero(&row.flow) || ++number > rows)
			break;
		rc = scan_flow(s, seg, place_of(seg->number, rowid, number), &row, row.bytes.len, false, err);
		if (rc < 0)
			return rc;
	}
	return rc == 0 && number == rows ? 0 : sqlite_damaged(s, err, "a journal row is not as it was written");
}

/* A row of the store's own. */
static int scan_own(struct sqlite_store *s, struct segment *seg, sqlite3_stmt *stmt, struct err *err)
{
	uint64_t seq = (uint64_t)sqlite3_column_int64(stmt, 2);
	int last = sqlite3_column_int(stmt, 3);
	size_t bytes = SEGMENT_ROW_BYTES + (size_t)sqlite3_column_int64(stmt, 7);

	if (last == ROW_GROUP && seq >> PLACE_NUMBER_BITS == 0)
		return scan_group(s, seg, sqlite3_column_int64(stmt, 0), stmt_slice(stmt, 8), seq, err);
	if ((last != ROW_PARKED && last != ROW_AGED) ||
		!scan_moved(s, stmt_slice(stmt, 8), (enum row_last)last, seq))
		return sqlite_damaged(s, err, "a journal row is not as it was written");
	seg->rows++;
	seg->bytes += bytes;
	s->young_bytes += bytes;
	return 0;
}

/* Takes in the row that stmt stands on: n, flow, seq, last, now_ms, from_seq, big,
 * length(bytes), the bytes of the store's own. */
static int scan_row(
	struct sqlite_store *s, struct segment *seg, sqlite3_stmt *stmt, struct err *err)
{
	int64_t rowid = sqlite3_column_int64(stmt, 0);
	int last = sqlite3_column_int(stmt, 3);
	struct store_row row = {
		.seq = (uint64_t)sqlite3_column_int64(stmt, 2),
		.last = last == ROW_LAST,
		.from_seq = (uint64_t)sqlite3_column_int64(stmt, 5),
	};

	if (sqlite3_column_int64(stmt, 4) > s->time_ms)
		s->time_ms = sqlite3_column_int64(stmt, 4);
	seg->n_last = rowid;
	if (place_fits(rowid) && last != ROW_MORE && last != ROW_LAST)
		return scan_own(s, seg, stmt, err);
	if (!place_fits(rowid) || !stmt_id(stmt, 1, &row.flow) || id_is_zero(&row.flow))
		return sqlite_damaged(s, err, "a journal row is not as it was written");
	return scan_flow(s, seg, place_of(seg->number, rowid, 0), &row, (size_t)sqlite3_column_int64(stmt, 7),
		sqlite3_column_int64(stmt, 6) != 0, err);
}

/* Reads the heads of one segment's rows into the index. */
static int scan_segment(struct sqlite_store *s, uint32_t number, struct err *err)
{
	char sql[200];
	sqlite3_stmt *stmt = NULL;
	struct segment *seg = segment_new(s, number);
	int rc = 0;

	sqlite3_snprintf(sizeof sql, sql,
		"SELECT n, flow, seq, last, now_ms, from_seq, big, length(bytes),"
		" CASE WHEN last > 2 THEN bytes END FROM journal_%u ORDER BY n",
		number);
	if (stmt_prepare(s, &stmt, sql) != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read its journal");
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		rc = scan_row(s, seg, stmt, err);
	if (rc == 0 && sqlite3_reset(stmt) != SQLITE_OK)
		rc = sqlite_failed(s, err, "cannot read its journal");
	stmt_free(stmt);
	return rc;
}

static int scan_retired(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt,
		"SELECT number, retired_ms, bytes FROM retired ORDER BY number");

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		retired_put(s, (struct retired){
				       .number = (uint32_t)sqlite3_column_int64(stmt, 0),
				       .retired_ms = sqlite3_column_int64(stmt, 1),
				       .bytes = (uint64_t)sqlite3_column_int64(stmt, 2),
			       });
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	stmt_free(stmt);
	return rc == SQLITE_OK ? 0 : sqlite_failed(s, err, "cannot read its tables");
}

/* The segments that are young, oldest first. */
static int scan_young(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt,
		"SELECT CAST(substr(name, 9) AS INTEGER) AS number FROM sqlite_master"
		" WHERE type = 'table' AND name GLOB 'journal_[1-9]*'"
		" AND number NOT IN (SELECT number FROM retired) ORDER BY 1");

	if (rc != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read its tables");
	rc = 0;
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		int64_t number = sqlite3_column_int64(stmt, 0);
		rc = number <= SEGMENT_NUMBER_MAX ? scan_segment(s, (uint32_t)number, err)
						  : sqlite_damaged(s, err, "a segment has a number that none can have");
	}
	if (rc == 0 && sqlite3_reset(stmt) != SQLITE_OK)
		rc = sqlite_failed(s, err, "cannot read its tables");
	stmt_free(stmt);
	return rc == 0 && s->nsegments == 0 ? sqlite_damaged(s, err, "its journal is missing")
					    : rc;
}

const char sqlite_sums_sql[] =
	"SELECT time_ms, parked, hooks, untaken, stripped, ended_bytes +"
	" (SELECT coalesce(sum(weight), 0) FROM ended WHERE rowid > ended_last),"
	" max(ended_last, purged, (SELECT coalesce(max(rowid), 0) FROM ended)),"
	" parked_last, dead, purged,"
	" indexed, swept, (SELECT min(rowid) - 1 FROM ended), apart, apart_untaken"
	" FROM store";

/* Counts in what has ended since the sums were written: no more than a segment's. */
static int scan_sums(struct sqlite_store *s, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt, sqlite_sums_sql);

	if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		s->sums = (struct sums){
			.parked = { (uint64_t)sqlite3_column_int64(stmt, 1),
				(uint64_t)sqlite3_column_int64(stmt, 2),
				(uint64_t)sqlite3_column_int64(stmt, 3),
				(uint64_t)sqlite3_column_int64(stmt, 13),
				(uint64_t)sqlite3_column_int64(stmt, 14) },
			.stripped = sqlite3_column_int64(stmt, 4),
			.ended_bytes = (uint64_t)sqlite3_column_int64(stmt, 5),
			.ended_last = sqlite3_column_int64(stmt, 6),
			.parked_last = sqlite3_column_int64(stmt, 7),
			.dead = (uint64_t)sqlite3_column_int64(stmt, 8),
			.purged = sqlite3_column_int64(stmt, 9),
			.indexed = sqlite3_column_int64(stmt, 10),
			.swept = sqlite3_column_int64(stmt, 11),
		};
		s->ids.expired = sqlite3_column_type(stmt, 12) == SQLITE_NULL
			? s->sums.ended_last
			: sqlite3_column_int64(stmt, 12);
		if (sqlite3_column_int64(stmt, 0) > s->time_ms)
			s->time_ms = sqlite3_column_int64(stmt, 0);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	stmt_free(stmt);
	return rc == SQLITE_OK ? 0 : sqlite_failed(s, err, "cannot read its sums");
}

int sqlite_scan(struct sqlite_store *s, struct err *err)
{
	int rc = scan_retired(s, err);

	if (rc == 0)
		rc = scan_young(s, err);
	if (rc == 0)
		rc = scan_sums(s, err);
	if (rc == 0)
		rc = ids_scan(s, err);
	s->base.time_ms = s->time_ms;
	return rc;
}

void sqlite_rescan(struct sqlite_store *s)
{
	struct err err;
	const struct sums sums = s->sums;
	int64_t opened_ms = s->base.time_ms;

	index_fini(s);
	map_init(&s->flows);
	segments_fini(s);
	place_forget(s);
	if (sqlite_scan(s, &err) < 0)
		sqlite_die(s, err.text);
	s->sums = sums; /* which are not written at every commit */
	s->base.time_ms = opened_ms;
}

/* Hands one flow out. False: nothing of it is there. */
static bool hand_out(struct sqlite_store *s, const struct id *flow, struct flow_rows *f,
	const struct store_recovery *r)
{
	struct arena a;
	struct store_load l = { .flow = *flow };

	arena_init(&a);
	bool found = rows_load(s, f, &l, &a);
	if (found)
		r->flow(r->owner, &l);
	arena_fini(&a);
	return found;
}

/* Flows that woke are counted in the sums as long as their rows stand. */
static void parked_less(
	struct sqlite_store *s, struct flow_rows *f, struct store_parked *parked)
{
	struct parked_row old;

	if (!index_older(f) || parked_get(s, &f->flow, &s->old, &old) < 0 || old.awake)
		return;
	store_parked_less(parked, &old.park);
}

/* Resident flows without young rows: all they have has aged. */
static int recover_aged(
	struct sqlite_store *s, const struct store_recovery *r, struct err *err)
{
	sqlite3_stmt *stmt = s->statements[ST_PARKED_AWAKE];
	int rc = SQLITE_OK;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct id flow;
		if (!stmt_id(stmt, 0, &flow)) {
			sqlite3_reset(stmt);
			return sqlite_damaged(s, err, "a parked flow is not as it was written");
		}
		if (index_flow(s, &flow) == NULL)
			hand_out(s, &flow, NULL, r);
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_DONE ? 0 : sqlite_failed(s, err, "cannot read its parked flows");
}

int sqlite_recover(struct store *base, struct store_recovery *r, struct err *err)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	sqlite_borrow(s);
	r->ret_parked = s->sums.parked;
	/* In the order of their oldest rows: those of one group are asked for together. */
	for (size_t i = 0; i < s->nsegments; i++) {
		const struct list *flows = &s->segments[i]->flows;
		for (struct list *l = flows->next; l != flows; l = l->next) {
			struct flow_rows *f = container_of(l, struct flow_rows, link);
			parked_less(s, f, &r->ret_parked);
			hand_out(s, &f->flow, f, r);
		}
	}
	int rc = recover_aged(s, r, err);
	sqlite_give_back(s);
	return rc;
}

int sqlite_recover_flow(struct store *base, const struct id *flow,
	const struct store_recovery *r, struct err *err)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	struct parked_row row;

	(void)err; /* a read that fails ends the process, as it does in a load */
	sqlite_borrow(s);
	if (index_flow(s, flow) == NULL && parked_get(s, flow, &s->old, &row) == 0 &&
		!row.awake)
		hand_out(s, flow, NULL, r);
	sqlite_give_back(s);
	return 0;
}
