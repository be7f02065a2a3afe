/* sqlite_ended.c - rows of ended: written when a flow ends, stripped when its retention is
 * over, gone when nobody asks for its message ids any more.
 *
 * Invariant: rows stand in order of the ends, and all up to sums.stripped keep nothing but
 * what stands for the window. Surprise: a flow's history stays where it lies; its row only
 * notes the places, and takes along what stood in its row of parked. */
#include "store/sqlite.h"
#include "wire/pack.h"

void places_put(struct buf *out, struct flow_rows *f)
{
	const struct row_at *rows = index_rows(f);

	for (uint32_t i = 0; i < f->n; i++)
		place_put(out, rows[i].place);
}

/* The number that a statement gives for the flow. */
static uint64_t bytes_of(struct sqlite_store *s, enum statement st, const struct id *flow)
{
	sqlite3_stmt *stmt = s->statements[st];

	stmt_bind_id(stmt, 1, flow);
	if (sqlite3_step(stmt) != SQLITE_ROW)
		sqlite_die(s, "measure what an ended flow keeps");
	uint64_t bytes = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return bytes;
}

/* What an ended row keeps beside what it is told, and how much that is in all. */
struct kept {
	int64_t n; /* the row's own number */
	int flags;
	uint64_t weight;
	int64_t parked_n; /* its row of parked, which is to be purged */
	struct slice places, history;
};

static void insert_bind(
	sqlite3_stmt *stmt, const struct store_ended *e, const struct kept *kept)
{
	stmt_bind_id(stmt, 1, &e->flow);
	stmt_bind_id(stmt, 2, id_is_zero(&e->parent) ? NULL : &e->parent);
	stmt_bind_int(stmt, 3, e->parent_source);
	stmt_bind_int(stmt, 4, e->parent_number);
	stmt_bind_id(stmt, 5, e->has_key ? &e->key : NULL);
	stmt_bind_int(stmt, 6, e->started_ms);
	stmt_bind_int(stmt, 7, e->ended_ms);
	stmt_bind_int(stmt, 8, e->status);
	stmt_bind_slice(stmt, 9, e->name);
	stmt_bind_slice(stmt, 10, e->result);
	stmt_bind_slice(stmt, 11, e->untaken);
	stmt_bind_slice(stmt, 12, e->seen);
	stmt_bind_int(stmt, 13, kept->flags);
	stmt_bind_int(stmt, 14, (int64_t)kept->weight);
	stmt_bind_slice(stmt, 15, kept->places);
	if (kept->history.len > 0)
		stmt_bind_slice(stmt, 16, kept->history);
	else
		sqlite3_bind_null(stmt, 16);
	stmt_bind_int(stmt, 17, kept->parked_n);
	stmt_bind_int(stmt, 18, kept->n);
}

/* The flow's row of parked goes; what it held is for its history. */
static int parked_end(
	struct sqlite_store *s, const struct id *flow, struct flow_rows *f, struct kept *ret)
{
	struct parked_row old = { .n = 0 };

	ret->flags = f != NULL && f->bigs ? FLOW_BIGS : 0;
	if (!index_older(f) || parked_get(s, flow, &s->old, &old) < 0)
		return SQLITE_OK;
	ret->flags |= old.flags;
	ret->history = old.bytes;
	/* What is awake is looked for at a restart, so that it may not wait. */
	if (old.awake)
		return parked_delete(s, &old);
	ret->parked_n = old.n;
	parked_dies(s, &old);
	return SQLITE_OK;
}

/* Chunks and long bytes of a flow, as flags tell of them. */
static int more_delete(struct sqlite_store *s, const struct id *flow, int flags)
{
	int rc = SQLITE_OK;

	if ((flags & FLOW_CHUNKS) != 0) {
		stmt_bind_id(s->statements[ST_CHUNK_DELETE], 1, flow);
		rc = stmt_run(s->statements[ST_CHUNK_DELETE]);
	}
	if (rc == SQLITE_OK && (flags & FLOW_BIGS) != 0) {
		stmt_bind_id(s->statements[ST_BIG_DELETE], 1, flow);
		rc = stmt_run(s->statements[ST_BIG_DELETE]);
	}
	return rc;
}

int ended_write(struct sqlite_store *s, const struct store_ended *e)
{
	sqlite3_stmt *stmt = s->statements[ST_ENDED_INSERT];
	struct flow_rows *f = index_flow(s, &e->flow);
	struct kept kept = { .flags = 0 };
	int rc = parked_end(s, &e->flow, f, &kept);

	if (rc != SQLITE_OK)
		return rc;
	buf_reset(&s->places);
	if (f != NULL)
		places_put(&s->places, f);
	kept.places = buf_slice(&s->places);
	kept.weight = kept.places.len + kept.history.len + e->result.len + e->untaken.len;
	if ((kept.flags & FLOW_CHUNKS) != 0)
		kept.weight += bytes_of(s, ST_CHUNK_BYTES, &e->flow);
	if ((kept.flags & FLOW_BIGS) != 0)
		kept.weight += bytes_of(s, ST_BIG_BYTES, &e->flow);
	kept.n = s->sums.ended_last + 1;
	/* SQLite would begin anew when all rows have gone; the sums tell rows by order. */
	insert_bind(stmt, e, &kept);
	if ((rc = stmt_run(stmt)) != SQLITE_OK)
		return rc;
	if (f != NULL)
		index_end(s, f);
	s->sums.ended_last = kept.n;
	ids_add(s, &e->flow, kept.n, kept.weight);
	s->sums.ended_bytes += kept.weight;
	/* When this row will be too old for one or the other. */
	if (e->ended_ms + SEEN_WINDOW_MS < s->expire_ms)
		s->expire_ms = e->ended_ms + SEEN_WINDOW_MS;
	if (e->ended_ms + s->retain_ms < s->strip_ms)
		s->strip_ms = e->ended_ms + s->retain_ms;
	return SQLITE_OK;
}

int ended_orphan(struct sqlite_store *s, const struct id *flow)
{
	struct flow_rows *f = index_flow(s, flow);
	struct kept kept = { .flags = 0 };

	if (f == NULL)
		return SQLITE_OK;
	int rc = parked_end(s, flow, f, &kept);
	if (rc == SQLITE_OK)
		rc = purge_row(s, kept.parked_n);
	if (rc == SQLITE_OK)
		rc = more_delete(s, flow, kept.flags);
	index_remove(s, f);
	return rc;
}

/* The row of ended that a statement stands on. */
struct ended_head {
	int64_t rowid, ended_ms;
	uint64_t weight;
	int flags;
	struct id flow;
	int64_t parked_n;
};

/* SQLITE_ROW, SQLITE_DONE when there is none, or an error. */
static int head_read(struct sqlite_store *s, sqlite3_stmt *stmt, struct ended_head *ret)
{
	int rc = sqlite3_step(stmt);

	if (rc == SQLITE_ROW) {
		*ret = (struct ended_head){
			.rowid = sqlite3_column_int64(stmt, 0),
			.ended_ms = sqlite3_column_int64(stmt, 1),
			.weight = (uint64_t)sqlite3_column_int64(stmt, 2),
			.flags = sqlite3_column_int(stmt, 3),
			.parked_n = sqlite3_column_int64(stmt, 5),
		};
		if (!stmt_id(stmt, 4, &ret->flow))
			sqlite_die(s, "read an ended flow: its id is damaged");
	}
	int reset = sqlite3_reset(stmt);
	return reset == SQLITE_OK ? rc : reset;
}

/* The row keeps nothing more. */
static void sums_strip(struct sqlite_store *s, const struct ended_head *head)
{
	if (head->rowid <= s->sums.stripped)
		return;
	s->sums.stripped = head->rowid;
	s->sums.ended_bytes -= head->weight;
	s->sums.changed = true;
}

/* With the ended row goes what tells that the flow's row of parked is dead. */
static int dead_expire(struct sqlite_store *s, const struct ended_head *head)
{
	if (head->rowid <= s->sums.purged)
		return SQLITE_OK;
	s->sums.purged = head->rowid;
	s->sums.changed = true;
	return purge_row(s, head->parked_n);
}

/* Deletes a few rows that are too old. Mostly it is known without looking that there are
 * none. */
int ended_expire(struct sqlite_store *s, int64_t now_ms, size_t rows_max)
{
	if (now_ms <= s->expire_ms)
		return SQLITE_OK;
	for (size_t n = 0; n < rows_max; n++) {
		struct ended_head head;
		int rc = head_read(s, s->statements[ST_ENDED_OLDEST], &head);
		if (rc == SQLITE_DONE) {
			s->expire_ms = INT64_MAX;
			return SQLITE_OK;
		}
		if (rc != SQLITE_ROW)
			return rc;
		if (head.ended_ms >= now_ms - SEEN_WINDOW_MS) {
			s->expire_ms = head.ended_ms + SEEN_WINDOW_MS;
			return SQLITE_OK;
		}
		sums_strip(s, &head);
		ids_expire(s, &head.flow, head.rowid);
		stmt_bind_int(s->statements[ST_ENDED_DELETE], 1, head.rowid);
		if ((rc = dead_expire(s, &head)) != SQLITE_OK ||
			(rc = more_delete(s, &head.flow, head.flags)) != SQLITE_OK ||
			(rc = stmt_run(s->statements[ST_ENDED_DELETE])) != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

uint64_t retained_bytes(const struct sqlite_store *s)
{
	return s->sums.ended_bytes + s->retired_bytes;
}

/* Is this row, the oldest that is whole, to lose what it keeps? */
static bool is_over(
	const struct sqlite_store *s, const struct ended_head *head, int64_t now_ms)
{
	/* What lies in retired segments is kept as well; the older goes first. */
	bool segment_first = s->nretired > 0 && s->retired[0].retired_ms <= head->ended_ms;

	return head->ended_ms < now_ms - s->retain_ms ||
		(retained_bytes(s) > s->retain_bytes_max && !segment_first);
}

bool ended_is_due(const struct sqlite_store *s, int64_t now_ms)
{
	return now_ms > s->expire_ms || now_ms > s->strip_ms ||
		retained_bytes(s) > s->retain_bytes_max;
}

int ended_strip(struct sqlite_store *s, int64_t now_ms, size_t rows_max)
{
	if (now_ms <= s->strip_ms && retained_bytes(s) <= s->retain_bytes_max)
		return SQLITE_OK;
	for (size_t n = 0; n < rows_max; n++) {
		struct ended_head head;
		stmt_bind_int(s->statements[ST_ENDED_WHOLE], 1, s->sums.stripped);
		int rc = head_read(s, s->statements[ST_ENDED_WHOLE], &head);
		if (rc == SQLITE_DONE) {
			s->strip_ms = INT64_MAX;
			return SQLITE_OK;
		}
		if (rc != SQLITE_ROW)
			return rc;
		s->strip_ms = head.ended_ms + s->retain_ms;
		if (!is_over(s, &head, now_ms))
			return SQLITE_OK;
		sums_strip(s, &head);
		stmt_bind_int(s->statements[ST_ENDED_STRIP], 1, head.rowid);
		if ((rc = more_delete(s, &head.flow, head.flags)) != SQLITE_OK ||
			(rc = stmt_run(s->statements[ST_ENDED_STRIP])) != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

bool ended_read(sqlite3_stmt *stmt, struct store_ended *ret)
{
	struct store_ended e = {
		.parent_source = (uint8_t)sqlite3_column_int(stmt, 2),
		.parent_number = (uint32_t)sqlite3_column_int64(stmt, 3),
		.has_key = sqlite3_column_type(stmt, 4) != SQLITE_NULL,
		.started_ms = sqlite3_column_int64(stmt, 5),
		.ended_ms = sqlite3_column_int64(stmt, 6),
		.status = (uint8_t)sqlite3_column_int(stmt, 7),
		.name = stmt_slice(stmt, 8),
	};
	if (!stmt_id(stmt, 0, &e.flow) || !stmt_id(stmt, 1, &e.parent) ||
		!stmt_id(stmt, 4, &e.key))
		return false;
	*ret = e;
	return true;
}
