/* sqlite_rows.c - a flow's rows put together again from where they lie: chunks, the rows
 * in its own row, young ones.
 *
 * Packed, a row is its seq and then its bytes' length doubled and they themselves, or 1 and
 * the number of a row of big. Invariant: chunks are older than what lies in the flow's own
 * row, and that than what is young. Surprise: a read that fails is no news for a flow; the
 * file is damaged or the disk is, and the process ends with the words of SQLite. */
#include "store/sqlite.h"
#include "wire/pack.h"

#include <string.h>

void packed_put(struct buf *out, uint64_t seq, struct slice bytes)
{
	varint_put(out, seq);
	varint_put(out, (uint64_t)bytes.len << 1);
	buf_put_slice(out, bytes);
}

void packed_put_big(struct buf *out, uint64_t seq, int64_t big)
{
	varint_put(out, seq);
	varint_put(out, 1);
	varint_put(out, (uint64_t)big);
}

int packed_next(struct slice *rest, struct packed_row *ret)
{
	uint64_t len = 0;
	uint64_t big = 0;

	*ret = (struct packed_row){ .seq = 0 };
	if (rest->len == 0)
		return 0;
	if (varint_next(rest, &ret->seq) != 1 || varint_next(rest, &len) != 1)
		return FISH_EFORMAT;
	if (len == 1) {
		if (varint_next(rest, &big) != 1 || big == 0 || big > INT64_MAX)
			return FISH_EFORMAT;
		ret->big = (int64_t)big;
		return 1;
	}
	if (len % 2 != 0 || len / 2 > rest->len)
		return FISH_EFORMAT;
	ret->bytes = (struct slice){ rest->ptr, (size_t)(len / 2) };
	rest->ptr += ret->bytes.len;
	rest->len -= ret->bytes.len;
	return 1;
}

/* Rows while they are gathered; all memory is the arena's. */
struct gathering {
	struct sqlite_store *store;
	struct arena *arena;
	struct id flow;
	struct gathered {
		struct store_row row;
		int64_t big; /* its bytes are still to be read from there; 0: they are here */
	} * rows;
	size_t n, cap;
};

static struct slice keep(struct gathering *g, struct slice s)
{
	return (struct slice){ arena_dup(g->arena, s), s.len };
}

static void gather(struct gathering *g, struct gathered row)
{
	if (g->n == g->cap) {
		g->cap = g->cap == 0 ? 4 : 2 * g->cap;
		struct gathered *rows = arena_alloc(g->arena, g->cap * sizeof *rows);
		if (g->n > 0)
			memcpy(rows, g->rows, g->n * sizeof *rows);
		g->rows = rows;
	}
	row.row.flow = g->flow;
	g->rows[g->n++] = row;
}

/* False: they are there no more. Their number may be another row's by then. */
static bool big_read(struct gathering *g, const struct gathered *row, struct slice *ret)
{
	sqlite3_stmt *stmt = g->store->statements[ST_BIG_GET];

	stmt_bind_int(stmt, 1, row->big);
	stmt_bind_id(stmt, 2, &g->flow);
	stmt_bind_int(stmt, 3, (int64_t)row->row.seq);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret = keep(g, stmt_slice(stmt, 0));
	else if (rc != SQLITE_DONE)
		sqlite_die(g->store, "load long bytes");
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW;
}

/* packed stands as long as the arena. */
static void gather_packed(struct gathering *g, struct slice packed)
{
	struct packed_row row;
	int rc = 0;

	while ((rc = packed_next(&packed, &row)) == 1)
		gather(g, (struct gathered){ .row = { .seq = row.seq, .bytes = row.bytes }, .big = row.big });
	if (rc < 0)
		sqlite_die(g->store, "load a flow: its rows are damaged");
}

static void gather_chunks(struct gathering *g)
{
	sqlite3_stmt *stmt = g->store->statements[ST_CHUNK_GET];
	int rc = SQLITE_OK;

	stmt_bind_id(stmt, 1, &g->flow);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
		gather_packed(g, keep(g, stmt_slice(stmt, 0)));
	if (rc != SQLITE_DONE)
		sqlite_die(g->store, "load a flow");
	sqlite3_reset(stmt);
}

/* What lies at a place. False: nothing does. */
static bool gather_place(struct gathering *g, place at)
{
	struct placed p;
	int rc = place_read(g->store, at, &p);

	if (rc < 0)
		sqlite_die(g->store, rc == FISH_EFORMAT ? "load a flow: a row is damaged" : "load a flow");
	if (rc == 0)
		return false;
	p.row.bytes = p.big == 0 ? keep(g, p.row.bytes) : SLICE_NONE;
	gather(g, (struct gathered){ .row = p.row, .big = p.big });
	return true;
}

static void gather_young(struct gathering *g, struct flow_rows *f)
{
	const struct row_at *at = index_rows(f);

	for (uint32_t i = 0; i < f->n; i++) {
		if (!gather_place(g, at[i].place))
			sqlite_die(g->store, "load a flow: a row is missing");
	}
}

/* Leaves out what lies wholly below from_seq; its long bytes may be gone already. Of an
 * ended flow nobody knows from_seq any more: what has gone is a gap. */
static void hand_over(struct gathering *g, struct store_load *l, uint64_t from_seq, bool ended)
{
	size_t below = 0;

	while (below + 1 < g->n && g->rows[below + 1].row.seq <= from_seq)
		below++;
	l->nrows = 0;
	l->rows = arena_alloc(g->arena, (g->n - below) * sizeof *l->rows);
	for (size_t i = below; i < g->n; i++) {
		struct store_row row = g->rows[i].row;
		row.from_seq = from_seq;
		bool there = g->rows[i].big == 0 || big_read(g, &g->rows[i], &row.bytes);
		if (there)
			l->rows[l->nrows++] = row;
		else if (!ended)
			sqlite_die(g->store, "load a flow: long bytes are missing");
	}
}

bool rows_load(struct sqlite_store *s, struct flow_rows *f, struct store_load *l,
	struct arena *a)
{
	struct gathering g = { .store = s, .arena = a, .flow = l->flow };
	struct parked_row old = { .n = 0 };
	int rc = index_older(f) ? parked_get(s, &l->flow, &s->old, &old) : FISH_ENOTFOUND;

	if (f == NULL && (rc < 0 || parked_is_dead(s, &l->flow)))
		return false;
	if ((old.flags & FLOW_CHUNKS) != 0)
		gather_chunks(&g);
	if (rc == 0)
		gather_packed(&g, keep(&g, old.bytes));
	if (f != NULL)
		gather_young(&g, f);
	uint64_t from_seq = f != NULL && f->from_seq > old.from_seq ? f->from_seq
								    : old.from_seq;
	hand_over(&g, l, from_seq, false);
	l->parked = f == NULL && !old.awake;
	if (l->parked)
		l->park = old.park;
	return true;
}

/* Segments have gone, or their rows. */
static void gather_places(struct gathering *g, struct slice places)
{
	place at = 0;

	while (places.len > 0) {
		if (place_next(&places, &at) != 1)
			sqlite_die(g->store, "load an ended flow: its places are damaged");
		gather_place(g, at);
	}
}

bool rows_load_ended(struct sqlite_store *s, struct store_load *l, struct arena *a)
{
	struct gathering g = { .store = s, .arena = a, .flow = l->flow };
	sqlite3_stmt *stmt = s->statements[ST_ENDED_KEPT];

	stmt_bind_int(stmt, 1, ids_find(s, &l->flow));
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		bool chunks = (sqlite3_column_int(stmt, 0) & FLOW_CHUNKS) != 0;
		struct slice places = keep(&g, stmt_slice(stmt, 1));
		struct slice history = keep(&g, stmt_slice(stmt, 2));
		if (chunks)
			gather_chunks(&g);
		gather_packed(&g, history);
		gather_places(&g, places);
	} else if (rc != SQLITE_DONE) {
		sqlite_die(s, "load an ended flow");
	}
	sqlite3_reset(stmt);
	hand_over(&g, l, 0, true);
	return l->nrows > 0;
}
