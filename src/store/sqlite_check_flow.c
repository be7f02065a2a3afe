/* sqlite_check_flow.c - is one flow's journal whole?
 *
 * Rows come in the order chunk, own row, young ones, and each must begin where the entries of
 * the one before end. Surprise: what lies wholly below from_seq may have gone or have lost its
 * long bytes, and that a row lies there shows only when the next one comes. */
#include "store/sqlite_check.h"

#include "wire/entry.h"
#include "wire/pack.h"

#include <inttypes.h>

/* A journal while it is read. */
struct reading {
	struct check *check;
	struct id flow;
	uint64_t from_seq;
	bool ended; /* history may have gaps */
	bool any, known; /* a row came; and next is where it ends */
	bool lost; /* its long bytes are not there */
	bool over; /* END came */
	uint64_t seq, next; /* of the last row */
	struct told told;
};

/* The entries of one row. False: they do not decode. */
static bool read_entries(struct reading *r, struct slice bytes, uint64_t *ret_entries)
{
	struct entry e;
	int rc = 0;

	*ret_entries = 0;
	while ((rc = entry_next(&bytes, &e)) == 1) {
		if (r->over)
			check_found(r->check, &r->flow, "an entry stands behind its end");
		r->over = e.kind == ENTRY_END;
		told_entry(&r->told, &e);
		++*ret_entries;
	}
	return rc == 0;
}

/* Does the row that begins at seq follow on the last one? */
static void read_joint(struct reading *r, uint64_t seq)
{
	if (!r->any) {
		if (seq > r->from_seq && !r->ended)
			check_found(r->check, &r->flow,
				"its journal begins at %" PRIu64 " and is needed from %" PRIu64,
				seq, r->from_seq);
		return;
	}
	if (seq <= r->seq || (r->known && seq < r->next)) {
		check_found(r->check, &r->flow,
			"the row at %" PRIu64 " comes behind that at %" PRIu64
			", which reaches to %" PRIu64,
			seq, r->seq, r->next);
		return;
	}
	if (r->ended || seq <= r->from_seq)
		return;
	if (r->lost)
		check_found(r->check, &r->flow, "the long bytes of the row at %" PRIu64 " are missing",
			r->seq);
	else if (r->known && seq != r->next)
		check_found(r->check, &r->flow,
			"its journal has a hole from %" PRIu64 " to %" PRIu64, r->next, seq);
}

static void read_bytes(struct reading *r, uint64_t seq, struct slice bytes)
{
	uint64_t entries = 0;

	read_joint(r, seq);
	r->any = true;
	r->lost = false;
	r->seq = seq;
	/* The store's own tests keep rows that are no entries. */
	r->known = !r->check->asked->opaque;
	if (r->check->asked->opaque)
		return;
	if (!read_entries(r, bytes, &entries)) {
		r->known = false;
		check_found(r->check, &r->flow, "the row at %" PRIu64 " is damaged: entry %" PRIu64 " does not decode",
			seq, seq + entries);
	} else if (entries == 0) {
		check_found(r->check, &r->flow, "the row at %" PRIu64 " is empty", seq);
	}
	r->next = seq + entries;
}

static void read_big(struct reading *r, uint64_t seq, int64_t big, const struct id *flow)
{
	struct sqlite_store *s = r->check->store;
	sqlite3_stmt *stmt = NULL;
	struct id whose;

	if (stmt_prepare(s, &stmt, "SELECT bytes, flow FROM big WHERE n = ?") != SQLITE_OK)
		return; /* the tables were judged before */
	stmt_bind_int(stmt, 1, big);
	bool there = sqlite3_step(stmt) == SQLITE_ROW;
	if (there && (!stmt_id(stmt, 1, &whose) || !id_eq(&whose, flow)))
		check_found(r->check, flow, "the row at %" PRIu64 " names long bytes of another flow", seq);
	if (there) {
		read_bytes(r, seq, stmt_slice(stmt, 0));
	} else {
		read_joint(r, seq);
		r->any = true;
		r->known = false;
		r->lost = true;
		r->seq = seq;
	}
	stmt_free(stmt);
}

static void read_packed(struct reading *r, struct slice packed, const char *where)
{
	struct packed_row row;
	int rc = 0;

	while ((rc = packed_next(&packed, &row)) == 1) {
		if (row.big != 0)
			read_big(r, row.seq, row.big, &r->flow);
		else
			read_bytes(r, row.seq, row.bytes);
	}
	if (rc < 0)
		check_found(r->check, &r->flow, "its rows in %s are damaged", where);
}

static void read_chunks(struct reading *r)
{
	struct sqlite_store *s = r->check->store;
	sqlite3_stmt *stmt = NULL;
	bool any = false;

	if (stmt_prepare(s, &stmt, "SELECT bytes, seq FROM chunk WHERE flow = ? ORDER BY seq, n") !=
		SQLITE_OK)
		return;
	stmt_bind_id(stmt, 1, &r->flow);
	for (; sqlite3_step(stmt) == SQLITE_ROW; any = true) {
		struct slice bytes = stmt_slice(stmt, 0);
		struct slice first = bytes;
		uint64_t seq = 0;

		if (varint_next(&first, &seq) != 1 ||
			seq != (uint64_t)sqlite3_column_int64(stmt, 1))
			check_found(r->check, &r->flow, "a row of chunk does not begin where it says");
		read_packed(r, bytes, "chunk");
	}
	stmt_free(stmt);
	if (!any)
		check_found(r->check, &r->flow, "its rows in chunk are missing");
}

static void read_placed(struct reading *r, const struct placed *p)
{
	if (!id_eq(&p->row.flow, &r->flow)) {
		check_found(r->check, &r->flow, "a row that is said to be its own is another's");
		return;
	}
	if (p->big != 0)
		read_big(r, p->row.seq, p->big, &r->flow);
	else
		read_bytes(r, p->row.seq, p->row.bytes);
	if (!r->check->asked->opaque && r->known && p->row.last != r->over)
		check_found(r->check, &r->flow,
			p->row.last ? "its last row has no end" : "its end stands in a row that is not its last");
}

/* False: there is no such row any more. */
static bool read_place(struct reading *r, place at)
{
	struct placed p;
	int rc = place_read(r->check->store, at, &p);

	if (rc == FISH_EFORMAT)
		check_found(r->check, &r->flow, "a row of its journal is not as it was written");
	if (rc == 1)
		read_placed(r, &p);
	return rc == 1 || rc == FISH_EFORMAT;
}

/* The row says what was so when its flow parked, which is what has been read; unless that is of no use
 * any more, or could not be read. */
static void judge_row(struct reading *r, const struct parked_row *old, uint64_t found_before)
{
	if (!old->awake && r->from_seq <= old->from_seq && !r->check->asked->opaque &&
		r->check->found == found_before)
		told_judge(r->check, &r->told, &old->park);
}

void check_living(struct check *c, const struct id *flow, struct flow_rows *f,
	const struct parked_row *old)
{
	struct reading r = { .check = c, .flow = *flow };
	uint64_t found = c->found;

	told_init(&r.told);
	r.from_seq = old != NULL ? old->from_seq : 0;
	if (f != NULL && f->from_seq > r.from_seq)
		r.from_seq = f->from_seq;
	if (old != NULL && (old->flags & FLOW_CHUNKS) != 0)
		read_chunks(&r);
	if (old != NULL)
		read_packed(&r, old->bytes, "parked");
	if (old != NULL)
		judge_row(&r, old, found);
	for (uint32_t i = 0; f != NULL && i < f->n; i++) {
		if (!read_place(&r, index_rows(f)[i].place))
			check_found(c, flow, "a row of its journal cannot be read");
	}
	if (!r.any)
		check_found(c, flow, "its journal is empty");
	if (r.lost)
		check_found(c, flow, "the long bytes of the row at %" PRIu64 " are missing", r.seq);
	if (r.over)
		check_found(c, flow, "it has ended, and is kept as one that lives");
	told_fini(&r.told);
	check_flow_done(c);
}

void check_ended(struct check *c, const struct id *flow, int flags, struct slice places,
	struct slice history)
{
	struct reading r = { .check = c, .flow = *flow, .ended = true };
	place at = 0;

	told_init(&r.told);
	if ((flags & FLOW_CHUNKS) != 0)
		read_chunks(&r);
	read_packed(&r, history, "ended");
	while (places.len > 0) {
		if (place_next(&places, &at) != 1) {
			check_found(c, flow, "the places of its history are damaged");
			break;
		}
		read_place(&r, at);
	}
	told_fini(&r.told);
	check_flow_done(c);
}
