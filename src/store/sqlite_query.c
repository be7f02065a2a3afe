/* sqlite_query.c - the reads: a flow's rows, parked and ended flows.
 *
 * Invariant: what is handed out is copied into the request's arena, so it stands while
 * the store thread goes on. Surprise: a parked flow that has woken still has its row, and
 * for a while one that has ended; both are passed over. A read that fails ends the process with the words
 * of SQLite: the file is damaged or the disk is. */
#include "store/sqlite.h"

#include <string.h>

/* SQLite's bytes are gone at the next step; the arena's stand until done returns. */
static struct slice keep(struct arena *a, struct slice s)
{
	return (struct slice){ arena_dup(a, s), s.len };
}

int sqlite_load(struct sqlite_store *s, struct store_load *l)
{
	struct arena *a = request_results(&l->request);

	if (rows_load(s, index_flow(s, &l->flow), l, a) || rows_load_ended(s, l, a))
		return 0;
	l->nrows = 0;
	return FISH_ENOTFOUND;
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

/* Is the flow of the row that stmt stands on (its id in the first column) parked? */
static bool is_parked(struct sqlite_store *s, sqlite3_stmt *stmt, int awake_column,
	struct id *ret_flow)
{
	if (!stmt_id(stmt, 0, ret_flow))
		sqlite_die(s, "read a parked flow: its id is damaged");
	return sqlite3_column_int(stmt, awake_column) == 0 &&
		index_flow(s, ret_flow) == NULL && !parked_is_dead(s, ret_flow);
}

static bool find_parked(struct sqlite_store *s, struct store_find *f)
{
	sqlite3_stmt *stmt =
		s->statements[f->by == STORE_BY_KEY ? ST_PARKED_KEY : ST_PARKED_FLOW];
	int rc = SQLITE_OK;

	stmt_bind_id(stmt, 1, &f->what);
	while (!f->parked && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		f->parked = is_parked(s, stmt, 1, &f->ended.flow);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlite_die(s, "find a parked flow");
	sqlite3_reset(stmt);
	return f->parked;
}

int sqlite_find(struct sqlite_store *s, struct store_find *f)
{
	sqlite3_stmt *stmt = s->statements[f->by == STORE_BY_KEY ? ST_FIND_KEY : ST_FIND_FLOW];

	/* What lives comes before what has ended: a key may have been used again. */
	if (find_parked(s, f))
		return 0;
	if (f->by == STORE_BY_KEY)
		stmt_bind_id(stmt, 1, &f->what);
	else
		stmt_bind_int(stmt, 1, ids_find(s, &f->what));
	stmt_bind_int(stmt, 2, f->wants);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		ended_keep(s, stmt, request_results(&f->request), &f->ended);
	else if (rc != SQLITE_DONE)
		sqlite_die(s, "find an ended flow");
	else
		f->ended = (struct store_ended){ 0 };
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 0 : FISH_ENOTFOUND;
}

int sqlite_list(struct sqlite_store *s, struct store_list *l)
{
	sqlite3_stmt *stmt = s->statements[ST_LIST];
	struct arena *a = request_results(&l->request);
	bool from_newest = l->before == 0 || l->before > INT64_MAX;
	size_t bytes = 0;
	uint64_t last = 0;
	int rc = SQLITE_ROW;

	/* One row more is asked for than is given: it tells whether there are more. */
	stmt_bind_int(stmt, 1, from_newest ? INT64_MAX : (int64_t)l->before);
	stmt_bind_int(stmt, 2, (int64_t)l->limit + 1);
	l->ended = arena_alloc(a, l->limit * sizeof *l->ended);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (l->nended == l->limit || bytes > LIST_BYTES_MAX) {
			l->ret_next = last;
			break;
		}
		bytes += ended_keep(s, stmt, a, &l->ended[l->nended++]);
		last = (uint64_t)sqlite3_column_int64(stmt, 12);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlite_die(s, "list ended flows");
	sqlite3_reset(stmt);
	return 0;
}

/* The statement that walks, at the first row of what is asked for. */
static sqlite3_stmt *walk_begin(struct sqlite_store *s, const struct store_walk *w)
{
	switch (w->by) {
	case STORE_WALK_ALL:
		stmt_bind_id(s->statements[ST_WALK_ALL], 1, &w->after);
		return s->statements[ST_WALK_ALL];
	case STORE_WALK_CHILDREN:
		stmt_bind_id(s->statements[ST_WALK_CHILDREN], 1, &w->parent);
		stmt_bind_id(s->statements[ST_WALK_CHILDREN], 2, &w->after);
		return s->statements[ST_WALK_CHILDREN];
	case STORE_WALK_DUE: break;
	}
	stmt_bind_int(s->statements[ST_WALK_DUE], 1, w->after_ms);
	return s->statements[ST_WALK_DUE];
}

/* Does the page end before next? */
static bool walk_ends(const struct store_walk *w, const struct store_walked *next)
{
	if (w->by != STORE_WALK_DUE)
		return w->nfound == w->limit;
	return next->wake_ms > w->until_ms ||
		(w->nfound >= w->limit && next->wake_ms != w->found[w->nfound - 1].wake_ms);
}

static void walk_put(struct store_walk *w, struct arena *a, struct store_walked next,
	size_t *cap)
{
	if (w->nfound == *cap) {
		*cap = *cap == 0 ? 16 : 2 * *cap;
		struct store_walked *found = arena_alloc(a, *cap * sizeof *found);
		if (w->nfound > 0)
			memcpy(found, w->found, w->nfound * sizeof *found);
		w->found = found;
	}
	w->found[w->nfound++] = next;
}

void sqlite_walk(struct sqlite_store *s, struct store_walk *w)
{
	struct arena *a = request_results(&w->request);
	sqlite3_stmt *stmt = walk_begin(s, w);
	size_t cap = 0;
	int rc = SQLITE_OK;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct store_walked next;
		if (!is_parked(s, stmt, 2, &next.flow))
			continue;
		next.wake_ms = sqlite3_column_type(stmt, 1) == SQLITE_NULL
			? INT64_MAX
			: sqlite3_column_int64(stmt, 1);
		next.apart = (sqlite3_column_int(stmt, 3) & FLOW_APART) != 0;
		if (walk_ends(w, &next)) {
			bool due = w->by == STORE_WALK_DUE;
			w->ret_next_ms = due ? next.wake_ms : INT64_MAX;
			w->ret_more = !due || next.wake_ms <= w->until_ms;
			break;
		}
		walk_put(w, a, next, &cap);
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		sqlite_die(s, "walk through parked flows");
	sqlite3_reset(stmt);
}
