/* sqlite_group.c - small rows of one commit that lie in one row of their segment.
 *
 * Packed, each is its flow's id, then three varints: seq, from_seq or 0, and its bytes' length doubled,
 * one more when it is the flow's last; then the bytes. Invariant: a row keeps its number in the group,
 * counted from 1. Surprise: a row that was taken out leaves a zero id behind and nothing more. Sixty rows
 * that go in one by one cost as much as all the rest of their commit. */
#include "store/sqlite.h"
#include "wire/pack.h"

#include <string.h>

void group_put(struct buf *out, const struct store_row *row)
{
	buf_put(out, row->flow.b, sizeof row->flow.b);
	varint_put(out, row->seq);
	varint_put(out, row->from_seq);
	varint_put(out, (uint64_t)row->bytes.len << 1 | (row->last ? 1 : 0));
	buf_put_slice(out, row->bytes);
}

int group_next(struct slice *rest, struct store_row *ret)
{
	uint64_t len = 0;

	*ret = (struct store_row){ .seq = 0 };
	if (rest->len == 0)
		return 0;
	if (rest->len < sizeof ret->flow.b)
		return FISH_EFORMAT;
	memcpy(ret->flow.b, rest->ptr, sizeof ret->flow.b);
	rest->ptr += sizeof ret->flow.b;
	rest->len -= sizeof ret->flow.b;
	if (id_is_zero(&ret->flow))
		return 1;
	if (varint_next(rest, &ret->seq) != 1 || varint_next(rest, &ret->from_seq) != 1 ||
		varint_next(rest, &len) != 1 || len >> 1 > rest->len)
		return FISH_EFORMAT;
	ret->last = (len & 1) != 0;
	ret->bytes = (struct slice){ rest->ptr, (size_t)(len >> 1) };
	rest->ptr += ret->bytes.len;
	rest->len -= ret->bytes.len;
	return 1;
}

/* Copies what is of flows that have ended. False: the group is damaged. */
static bool keep_ended(struct sqlite_store *s, struct slice group, struct buf *out)
{
	struct store_row row;
	size_t kept = 0; /* so far, without the zero ids at the end */
	int rc = 0;

	while ((rc = group_next(&group, &row)) == 1) {
		if (id_is_zero(&row.flow) || ids_find(s, &row.flow) == 0) {
			buf_put(out, (struct id){ 0 }.b, sizeof row.flow.b);
			continue;
		}
		group_put(out, &row);
		kept = out->len;
	}
	out->len = kept;
	return rc == 0;
}

/* fish_thinned(bytes) in SQL: the group without what is of flows that have not ended. */
static void thinned(sqlite3_context *context, int n, sqlite3_value **values)
{
	struct sqlite_store *s = sqlite3_user_data(context);
	struct slice group = { .ptr = NULL };
	struct buf out;

	if (n == 1) {
		group.ptr = sqlite3_value_blob(values[0]);
		group.len = (size_t)sqlite3_value_bytes(values[0]);
	}
	buf_init(&out, SIZE_MAX);
	struct slice left = keep_ended(s, group, &out) ? buf_slice(&out) : group;
	sqlite3_result_blob64(context, left.ptr != NULL ? left.ptr : "", left.len, SQLITE_TRANSIENT);
	buf_fini(&out);
}

int group_function(struct sqlite_store *s)
{
	return sqlite3_create_function(s->db, "fish_thinned", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, s, thinned,
		NULL, NULL);
}
