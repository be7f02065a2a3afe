/* sqlite_place.c - what lies at a place: a row of a segment, or one in a group.
 *
 * Invariant: rows do not change where they lie until they are rolled back, and then place_forget is called.
 * (What is thinned out of a retired segment nobody asks for.) Surprise: the group that was read last stays
 * unpacked, because who asks for one of its rows mostly asks for others, too; and so do all of the segment
 * that ages, as its flows move one by one, and each has a row here and a row there. */
#include "store/sqlite.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <string.h>

struct kept_group {
	size_t           n;
	struct store_row rows[];   /* the bytes of all of them stand behind */
};

place place_of(uint32_t segment, int64_t rowid, uint64_t number)
{
	return (place)segment << PLACE_SEGMENT_SHIFT | (uint64_t)rowid << PLACE_NUMBER_BITS | number;
}

bool place_fits(int64_t rowid)
{
	return rowid > 0 && rowid >> PLACE_ROWID_BITS == 0;
}

void place_put(struct buf *out, place p)
{
	varint_put(out, place_segment(p));
	varint_put(out, (uint64_t)place_rowid(p) | place_number(p) << PLACE_FILE_BITS);
}

int place_next(struct slice *rest, place *ret)
{
	uint64_t segment = 0;
	uint64_t low = 0;

	if (varint_next(rest, &segment) != 1 || varint_next(rest, &low) != 1)
		return FISH_EFORMAT;
	int64_t rowid = (int64_t)(low & ((UINT64_C(1) << PLACE_FILE_BITS) - 1));
	uint64_t number = low >> PLACE_FILE_BITS;
	if (segment > SEGMENT_NUMBER_MAX || !place_fits(rowid) || number >> PLACE_NUMBER_BITS != 0)
		return FISH_EFORMAT;
	*ret = place_of((uint32_t)segment, rowid, number);
	return 1;
}

/* ---- what stays unpacked ---- */

static void kept_drop(struct kept_groups *k)
{
	for (int64_t i = 0; i <= k->n && k->groups != NULL; i++)
		free(k->groups[i]);
	free(k->groups);
	*k = (struct kept_groups){ .groups = NULL };
}

void place_keep(struct sqlite_store *s, const struct segment *seg)
{
	if (s->kept.segment == seg->number)
		return;
	kept_drop(&s->kept);
	s->kept.segment = seg->number;
	s->kept.n = seg->n_last;
	s->kept.groups = xalloc(((size_t)seg->n_last + 1) * sizeof(struct kept_group *));
}

/* A copy of the group that was just read from at. */
static void kept_put(struct kept_groups *k, place at, const struct placed_bytes *read)
{
	size_t bytes = sizeof(struct kept_group) + read->rows.len + read->bytes.len;

	if (k->segment != place_segment(at) || place_rowid(at) > k->n || k->bytes + bytes > KEPT_BYTES_MAX)
		return;
	struct kept_group *g = xalloc(bytes);
	char *to = (char *)g->rows + read->rows.len;

	g->n = read->rows.len / sizeof g->rows[0];
	memcpy(g->rows, read->rows.ptr, read->rows.len);
	memcpy(to, read->bytes.ptr, read->bytes.len);
	for (size_t i = 0; i < g->n; i++) {
		if (g->rows[i].bytes.ptr != NULL)
			g->rows[i].bytes.ptr = to + (g->rows[i].bytes.ptr - read->bytes.ptr);
	}
	k->groups[place_rowid(at)] = g;
	k->bytes += bytes;
}

static const struct kept_group *kept_get(const struct kept_groups *k, place at)
{
	return k->segment == place_segment(at) && place_rowid(at) <= k->n ? k->groups[place_rowid(at)] : NULL;
}

void place_forget(struct sqlite_store *s)
{
	s->read.group = 0;
	kept_drop(&s->kept);
}

void place_fini(struct sqlite_store *s)
{
	place_forget(s);
	buf_fini(&s->read.bytes);
	buf_fini(&s->read.rows);
}

/* ---- reading ---- */

/* Notes where each row of the group in read.bytes lies. */
static int unpack(struct placed_bytes *r)
{
	struct slice rest = buf_slice(&r->bytes);
	struct store_row row;
	int rc = 0;

	buf_reset(&r->rows);
	while ((rc = group_next(&rest, &row)) == 1)
		buf_put(&r->rows, &row, sizeof row);
	return rc;
}

/* The row that stmt stands on: flow, seq, last, big, bytes. */
static int take(struct sqlite_store *s, sqlite3_stmt *stmt, place at, struct placed *ret)
{
	int last = sqlite3_column_int(stmt, 2);

	s->read.group = 0;
	buf_reset(&s->read.bytes);
	buf_put_slice(&s->read.bytes, stmt_slice(stmt, 4));
	*ret = (struct placed){
		.row = { .seq = (uint64_t)sqlite3_column_int64(stmt, 1), .last = last == ROW_LAST,
			.bytes = buf_slice(&s->read.bytes) },
		.big = sqlite3_column_int64(stmt, 3),
	};
	if ((last == ROW_GROUP) != (place_number(at) > 0))
		return FISH_EFORMAT;
	if (last != ROW_GROUP)
		return stmt_id(stmt, 0, &ret->row.flow) ? 1 : FISH_EFORMAT;
	if (unpack(&s->read) < 0)
		return FISH_EFORMAT;
	s->read.group = at - place_number(at);
	return 1;
}

static int take_number(const struct store_row *rows, size_t n, uint64_t number, struct placed *ret)
{
	if (number > n || id_is_zero(&rows[number - 1].flow))
		return 0;
	*ret = (struct placed){ .row = rows[number - 1] };
	return 1;
}

/* A young segment keeps its statement; rows of a retired one are read for people alone. */
static int read_row(struct sqlite_store *s, place at, struct placed *ret)
{
	struct segment old = { .number = place_segment(at) };
	struct segment *seg = segment_by_number(s, old.number);

	for (size_t i = 0; i < s->nretired && seg == NULL; i++)
		seg = s->retired[i].number == old.number ? &old : NULL;
	if (seg == NULL)
		return 0;
	int rc = segment_select(s, seg, place_rowid(at));
	int found = rc == SQLITE_ROW ? take(s, seg->select, at, ret) : rc == SQLITE_DONE ? 0 : FISH_EIO;
	sqlite3_reset(seg->select);
	stmt_free(old.select);
	return found;
}

int place_read(struct sqlite_store *s, place at, struct placed *ret)
{
	uint64_t number = place_number(at);
	const struct kept_group *g = number > 0 ? kept_get(&s->kept, at) : NULL;

	if (g != NULL)
		return take_number(g->rows, g->n, number, ret);
	if (number == 0 || s->read.group != at - number) {
		int rc = read_row(s, at, ret);

		if (rc != 1 || number == 0)
			return rc;
		kept_put(&s->kept, at, &s->read);
	}
	const struct store_row *rows = (const struct store_row *)(const void *)s->read.rows.ptr;

	return take_number(rows, s->read.rows.len / sizeof *rows, number, ret);
}
