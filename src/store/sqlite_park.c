/* sqlite_park.c - rows of parked: one for each flow that is parked, or that is resident
 * and has rows that aged.
 *
 * Invariant: what a flow's row and its chunks hold is older than its young rows, and a row
 * of the journal (ROW_PARKED, ROW_AGED) says so in the commit that moved them. Surprise: a
 * parked flow that wakes costs nothing here, its row is found again when it parks or ends;
 * and when it ends the row stays dead for a while, see sqlite_purge.c. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

int parked_get(struct sqlite_store *s, const struct id *flow, struct buf *into,
	struct parked_row *ret)
{
	sqlite3_stmt *stmt = s->statements[ST_PARKED_GET];

	stmt_bind_id(stmt, 1, flow);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		bool timed = sqlite3_column_type(stmt, 3) != SQLITE_NULL;
		*ret = (struct parked_row){
			.n = sqlite3_column_int64(stmt, 0),
			.awake = sqlite3_column_int(stmt, 6) != 0,
			.flags = sqlite3_column_int(stmt, 7) & FLOW_HAS,
			.from_seq = (uint64_t)sqlite3_column_int64(stmt, 8),
			.park = { .flow = *flow,
				.has_key = sqlite3_column_type(stmt, 2) != SQLITE_NULL,
				.wake_ms = timed ? sqlite3_column_int64(stmt, 3)
						 : INT64_MAX,
				.apart = (sqlite3_column_int(stmt, 7) & FLOW_APART) != 0,
				.hooks = (uint32_t)sqlite3_column_int64(stmt, 4),
				.untaken = (uint32_t)sqlite3_column_int64(stmt, 5) },
		};
		if (!stmt_id(stmt, 1, &ret->park.parent) || !stmt_id(stmt, 2, &ret->park.key))
			sqlite_die(s, "read a parked flow: its ids are damaged");
		buf_reset(into);
		buf_put_slice(into, stmt_slice(stmt, 9));
		ret->bytes = buf_slice(into);
	} else if (rc != SQLITE_DONE) {
		sqlite_die(s, "read a parked flow");
	}
	sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? 0 : FISH_ENOTFOUND;
}

/* Takes the row out of the sums that it is in. */
static void sums_less(struct sums *sums, const struct parked_row *row)
{
	if (row->awake)
		return;
	store_parked_less(&sums->parked, &row->park);
	sums->changed = true;
}

static void sums_more(struct sums *sums, const struct store_park *park)
{
	store_parked_more(&sums->parked, park);
	sums->changed = true;
}

void parked_dies(struct sqlite_store *s, const struct parked_row *row)
{
	sums_less(&s->sums, row);
	s->sums.dead++;
	s->sums.changed = true;
}

bool parked_is_dead(struct sqlite_store *s, const struct id *flow)
{
	return s->sums.dead > 0 && ids_find(s, flow) != 0;
}

int parked_delete(struct sqlite_store *s, const struct parked_row *row)
{
	stmt_bind_int(s->statements[ST_PARKED_DELETE], 1, row->n);
	sums_less(&s->sums, row);
	return stmt_run(s->statements[ST_PARKED_DELETE]);
}

/* What moves, while it is gathered in the store's packed. */
struct moving {
	struct sqlite_store *store;
	struct id flow;
	uint64_t from_seq;
	int flags;
	size_t start; /* what is before it in packed lies wholly below from_seq */
	uint64_t start_seq; /* of the row at start */
	bool below; /* that row is at from_seq or below, so that nothing older is of use */
};

static void moving_row(struct moving *m, uint64_t seq)
{
	struct buf *packed = &m->store->packed;

	if (seq <= m->from_seq) {
		m->start = packed->len;
		m->below = true;
	}
	if (m->start == packed->len)
		m->start_seq = seq;
}

/* Puts what is gathered into a row of chunk. */
static int moving_chunk(struct moving *m)
{
	sqlite3_stmt *stmt = m->store->statements[ST_CHUNK_INSERT];
	struct slice all = buf_slice(&m->store->packed);

	stmt_bind_id(stmt, 1, &m->flow);
	stmt_bind_int(stmt, 2, (int64_t)m->start_seq);
	stmt_bind_slice(stmt, 3, (struct slice){ all.ptr + m->start, all.len - m->start });
	int rc = stmt_run(stmt);
	m->store->moved_bytes += all.len - m->start;
	buf_reset(&m->store->packed);
	m->start = 0;
	m->flags |= FLOW_CHUNKS;
	return rc;
}

static void moving_old(struct moving *m, struct slice rest)
{
	struct buf *packed = &m->store->packed;
	struct packed_row row;
	int rc = 0;

	while ((rc = packed_next(&rest, &row)) == 1) {
		moving_row(m, row.seq);
		if (row.big != 0)
			packed_put_big(packed, row.seq, row.big);
		else
			packed_put(packed, row.seq, row.bytes);
	}
	if (rc < 0)
		sqlite_die(m->store, "park a flow: its rows are damaged");
}

static int moving_young(struct moving *m, struct flow_rows *f, uint32_t upto)
{
	struct sqlite_store *s = m->store;
	const struct row_at *at = index_rows(f);
	int rc = SQLITE_OK;

	for (uint32_t i = 0; i < f->n && rc == SQLITE_OK; i++) {
		struct placed p;
		if (place_segment(at[i].place) > upto)
			break;
		if (place_read(s, at[i].place, &p) != 1)
			sqlite_die(s, "park a flow");
		moving_row(m, at[i].seq);
		if (p.big != 0)
			packed_put_big(&s->packed, at[i].seq, p.big);
		else
			packed_put(&s->packed, at[i].seq, p.row.bytes);
		if (s->packed.len - m->start > CHUNK_BYTES_MAX)
			rc = moving_chunk(m);
	}
	return rc;
}

/* Deletes older chunks and long bytes that from_seq lets go. */
static int moving_trim(struct moving *m)
{
	sqlite3_stmt *const *st = m->store->statements;
	int rc = SQLITE_OK;

	if (m->from_seq == 0)
		return SQLITE_OK;
	if ((m->flags & FLOW_BIGS) != 0) {
		stmt_bind_id(st[ST_BIG_TRIM], 1, &m->flow);
		stmt_bind_int(st[ST_BIG_TRIM], 2, (int64_t)m->from_seq);
		if (m->below)
			stmt_bind_int(st[ST_BIG_TRIM], 3, (int64_t)m->start_seq);
		else
			sqlite3_bind_null(st[ST_BIG_TRIM], 3);
		rc = stmt_run(st[ST_BIG_TRIM]);
	}
	if (rc == SQLITE_OK && (m->flags & FLOW_CHUNKS) != 0) {
		stmt_bind_id(st[ST_CHUNK_TRIM], 1, &m->flow);
		stmt_bind_int(st[ST_CHUNK_TRIM], 2, (int64_t)m->from_seq);
		rc = stmt_run(st[ST_CHUNK_TRIM]);
	}
	if (rc == SQLITE_OK && (m->flags & FLOW_CHUNKS) != 0 && m->below) {
		stmt_bind_id(st[ST_CHUNK_DELETE], 1, &m->flow);
		rc = stmt_run(st[ST_CHUNK_DELETE]);
		m->flags &= ~FLOW_CHUNKS;
	}
	return rc;
}

/* The row of a flow that was resident and stays so, with what is left in packed: nothing else of it is
 * another than before, and mostly nothing at all, since what moved went to chunk. */
static int moving_put_aged(const struct moving *m, const struct parked_row *old, struct slice left)
{
	sqlite3_stmt *stmt = m->store->statements[ST_PARKED_AGED];

	if (m->flags == old->flags && m->from_seq == old->from_seq && slice_eq(left, old->bytes))
		return SQLITE_OK;
	m->store->moved_bytes += left.len;
	stmt_bind_int(stmt, 1, old->n);
	stmt_bind_int(stmt, 2, m->flags);
	stmt_bind_int(stmt, 3, (int64_t)m->from_seq);
	stmt_bind_slice(stmt, 4, left);
	return stmt_run(stmt);
}

/* The flow's own row, with what is left in packed. park: NULL when it stays resident. */
static int moving_put(
	struct moving *m, const struct parked_row *old, const struct store_park *park)
{
	struct sqlite_store *s = m->store;
	sqlite3_stmt *stmt = s->statements[old->n != 0 ? ST_PARKED_UPDATE : ST_PARKED_INSERT];
	struct slice all = buf_slice(&s->packed);
	struct slice left = { all.ptr != NULL ? all.ptr + m->start : NULL, all.len - m->start };
	bool timed = park != NULL && park->wake_ms != INT64_MAX;
	bool parent = park != NULL && !id_is_zero(&park->parent);

	if (park == NULL && old->awake)
		return moving_put_aged(m, old, left);
	stmt_bind_int(stmt, 1, old->n != 0 ? old->n : ++s->sums.parked_last);
	if (old->n == 0)
		stmt_bind_id(stmt, 11, &m->flow);
	s->sums.changed = true;
	stmt_bind_id(stmt, 2, parent ? &park->parent : NULL);
	stmt_bind_id(stmt, 3, park != NULL && park->has_key ? &park->key : NULL);
	if (timed)
		stmt_bind_int(stmt, 4, park->wake_ms);
	else
		sqlite3_bind_null(stmt, 4);
	stmt_bind_int(stmt, 5, park != NULL ? park->hooks : 0);
	stmt_bind_int(stmt, 6, park != NULL ? park->untaken : 0);
	stmt_bind_int(stmt, 7, park == NULL);
	stmt_bind_int(stmt, 8, m->flags | (park != NULL && park->apart ? FLOW_APART : 0));
	stmt_bind_int(stmt, 9, (int64_t)m->from_seq);
	stmt_bind_slice(stmt, 10, left);
	s->moved_bytes += left.len;
	if (old->n != 0)
		sums_less(&s->sums, old);
	if (park != NULL)
		sums_more(&s->sums, park);
	return stmt_run(stmt);
}

int parked_move(struct sqlite_store *s, const struct id *flow, struct flow_rows *f,
	const struct store_park *park, uint32_t upto)
{
	struct parked_row old = { .n = 0 };
	struct moving m = { .store = s, .flow = *flow };

	if (index_older(f) && parked_get(s, flow, &s->old, &old) == 0) {
		m.from_seq = old.from_seq;
		m.flags = old.flags;
	}
	CHECK(f != NULL || old.n != 0); /* what parks has rows */
	if (f != NULL && f->from_seq > m.from_seq)
		m.from_seq = f->from_seq;
	m.flags |= f != NULL && f->bigs ? FLOW_BIGS : 0;
	buf_reset(&s->packed);
	s->moved_bytes = 0;
	moving_old(&m, old.bytes);
	/* Chunks of before go before new ones come: those hold nothing below from_seq, but
	 * may begin there. */
	if (f != NULL && index_rows(f)[0].seq <= m.from_seq) {
		m.below = true;
		m.start_seq = index_rows(f)[0].seq;
		m.start = s->packed.len;
	}
	int rc = moving_trim(&m);
	if (rc == SQLITE_OK && f != NULL)
		rc = moving_young(&m, f, upto);
	if (rc == SQLITE_OK && s->packed.len - m.start > PARKED_BYTES_MAX)
		rc = moving_chunk(&m);
	return rc == SQLITE_OK ? moving_put(&m, &old, park) : rc;
}

static int park_order(const void *a, const void *b)
{
	const struct store_park *left = *(const struct store_park *const *)a;
	const struct store_park *right = *(const struct store_park *const *)b;

	return memcmp(&left->flow, &right->flow, sizeof left->flow);
}

/* In order of ids, which is nearly that of the table's index. */
int parks_write(
	struct sqlite_store *s, const struct store_commit *c, const int64_t *now_ms)
{
	int rc = SQLITE_OK;
	const struct store_park **parks = xalloc((c->nparks + 1) * sizeof(void *));

	for (size_t i = 0; i < c->nparks; i++)
		parks[i] = &c->parks[i];
	qsort(parks, c->nparks, sizeof(void *), park_order);
	buf_reset(&s->moved);
	for (size_t i = 0; i < c->nparks && rc == SQLITE_OK; i++) {
		struct flow_rows *f = index_flow(s, &parks[i]->flow);
		rc = parked_move(s, &parks[i]->flow, f, parks[i], UINT32_MAX);
		if (f == NULL)
			continue;
		buf_put(&s->moved, f->flow.b, sizeof f->flow.b);
		index_remove(s, f);
	}
	free(parks);
	struct store_row row = { .bytes = buf_slice(&s->moved) };
	if (rc == SQLITE_OK && row.bytes.len > 0)
		rc = segment_insert(s, &row, ROW_PARKED, now_ms);
	return rc;
}
