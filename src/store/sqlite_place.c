/* sqlite_place.c - what lies at a place: a row of a segment, or one in a group.
 *
 * Invariant: rows do not change where they lie until they are rolled back, and then place_forget is called.
 * (What is thinned out of a retired segment nobody asks for.) Surprise: the group that was read last stays unpacked, because
 * who asks for one of its rows mostly asks for others, too. */
#include "store/sqlite.h"
#include "wire/pack.h"

#include <string.h>

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

void place_forget(struct sqlite_store *s)
{
	s->read.group = 0;
}

void place_fini(struct sqlite_store *s)
{
	buf_fini(&s->read.bytes);
	buf_fini(&s->read.rows);
}

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

	place_forget(s);
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

static int take_number(struct sqlite_store *s, uint64_t number, struct placed *ret)
{
	const struct store_row *rows = (const struct store_row *)(const void *)s->read.rows.ptr;

	if (number > s->read.rows.len / sizeof *rows || id_is_zero(&rows[number - 1].flow))
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
	int rc = number > 0 && s->read.group == at - number ? 1 : read_row(s, at, ret);

	return rc == 1 && number > 0 ? take_number(s, number, ret) : rc;
}
