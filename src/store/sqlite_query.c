/* sqlite_query.c - the reads: a flow's rows through the index, ended flows through SQL.
 *
 * Invariant: what is handed out is copied into the request's arena, so it stands while
 * the store thread goes on. Surprise: a read that fails is no news for a flow; the file
 * is damaged or the disk is, and the process ends with the words of SQLite. */
#include "store/sqlite.h"

#include <stdlib.h>

/* SQLite's bytes are gone at the next step; the arena's stand until done returns. */
static struct slice keep(struct arena *a, struct slice s)
{
	return (struct slice){ arena_dup(a, s), s.len };
}

void sqlite_rows_read(struct sqlite_store *s, const struct flow_rows *f,
	struct store_load *l, struct arena *a)
{
	const place *places = index_places(f);

	l->flow = f->flow;
	l->rows = arena_alloc(a, f->n * sizeof *l->rows);
	for (uint32_t i = 0; i < f->n; i++) {
		struct segment *seg = segment_by_number(s, place_segment(places[i]));
		if (segment_select(s, seg, place_rowid(places[i])) != SQLITE_ROW)
			sqlite_die(s, "load a flow");
		l->rows[i] = (struct store_row){
			.flow = l->flow,
			.seq = (uint64_t)sqlite3_column_int64(seg->select, 1),
			.last = sqlite3_column_int(seg->select, 2) != 0,
			.bytes = keep(a, stmt_slice(seg->select, 3)),
		};
		sqlite3_reset(seg->select);
	}
	l->nrows = f->n;
}

int sqlite_load(struct sqlite_store *s, struct store_load *l)
{
	const struct flow_rows *f = index_flow(s, &l->flow);

	if (f == NULL)
		return FISH_ENOTFOUND;
	sqlite_rows_read(s, f, l, request_results(&l->request));
	return 0;
}

void sqlite_walk(struct sqlite_store *s, struct store_walk *w)
{
	(void)s;
	(void)w; /* nothing is parked */
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

/* Copies the row that stmt stands on, with its long columns. Returns how many bytes. */
static size_t ended_keep(struct sqlite_store *s, sqlite3_stmt *stmt, struct arena *a,
	struct store_ended *ret)
{
	if (!ended_read(stmt, ret))
		sqlite_die(s, "read an ended flow: its ids are damaged");
	ret->name = keep(a, ret->name);
	ret->result = keep(a, stmt_slice(stmt, 9));
	ret->untaken = keep(a, stmt_slice(stmt, 10));
	ret->seen = keep(a, stmt_slice(stmt, 11));
	return ret->name.len + ret->result.len + ret->untaken.len + ret->seen.len;
}

int sqlite_find(struct sqlite_store *s, struct store_find *f)
{
	sqlite3_stmt *stmt = f->by == STORE_BY_KEY ? s->find_key : s->find_flow;

	stmt_bind_id(stmt, 1, &f->what);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		ended_keep(s, stmt, request_results(&f->request), &f->ended);
	else if (rc != SQLITE_DONE)
		sqlite_die(s, "find an ended flow");
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 0 : FISH_ENOTFOUND;
}

int sqlite_list(struct sqlite_store *s, struct store_list *l)
{
	struct arena *a = request_results(&l->request);
	bool from_newest = l->before == 0 || l->before > INT64_MAX;
	size_t bytes = 0;
	uint64_t last = 0;
	int rc = SQLITE_ROW;

	/* One row more is asked for than is given: it tells whether there are more. */
	stmt_bind_int(s->list, 1, from_newest ? INT64_MAX : (int64_t)l->before);
	stmt_bind_int(s->list, 2, (int64_t)l->limit + 1);
	l->ended = arena_alloc(a, l->limit * sizeof *l->ended);
	while ((rc = sqlite3_step(s->list)) == SQLITE_ROW) {
		if (l->nended == l->limit || bytes > LIST_BYTES_MAX) {
			l->ret_next = last;
			break;
		}
		bytes += ended_keep(s, s->list, a, &l->ended[l->nended++]);
		last = (uint64_t)sqlite3_column_int64(s->list, 12);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlite_die(s, "list ended flows");
	sqlite3_reset(s->list);
	return 0;
}
