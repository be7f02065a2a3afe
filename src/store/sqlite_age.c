/* sqlite_age.c - what is due after a commit: segments begin, age, retire and go.
 *
 * Invariant: all of it is bounded, so that no commit waits long for it, and each piece is
 * a transaction of its own; one that fails for want of room is tried again after the next
 * commit. Surprise: a flow that survives in the oldest segment moves to parked and is
 * resident nevertheless; that keeps what a restart reads short though a busy flow never
 * rests. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>

/* Checkpoint: the log's pages go to their places, so that the log can begin anew. */
static void copy_home(struct sqlite_store *s)
{
	int frames = 0;
	int copied = 0;
	int rc = sqlite3_wal_checkpoint_v2(
		s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);

	/* A page that could not be written home stands in the log still, and is tried
	 * again. A failed sync is another matter: the kernel may tell of it only once. */
	if (rc == SQLITE_OK)
		s->wal_frames = frames - copied;
	if (rc == SQLITE_OK && frames == copied)
		room_copied(s);
	if (rc != SQLITE_OK && rc != SQLITE_IOERR_WRITE)
		sqlite_write_failed(s, "copy the write-ahead log home");
}

static int flow_order(const void *a, const void *b)
{
	const struct flow_rows *left = *(struct flow_rows *const *)a;
	const struct flow_rows *right = *(struct flow_rows *const *)b;

	return memcmp(&left->flow, &right->flow, sizeof left->flow);
}

/* The next flows of seg that are to move, in order of ids; the caller frees. */
static struct flow_rows **survivors(
	struct sqlite_store *s, struct segment *seg, size_t *ret_n)
{
	/* As many as came with the last commit must be able to go, or the young would
	 * grow on. */
	size_t most = AGE_FLOWS_MAX + 2 * s->commit_rows;
	struct flow_rows **all = xalloc(most * sizeof(void *));
	size_t n = 0;

	for (struct list *l = seg->flows.next; l != &seg->flows && n < most; l = l->next)
		all[n++] = container_of(l, struct flow_rows, link);
	qsort(all, n, sizeof(void *), flow_order);
	*ret_n = n;
	return all;
}

/* The transaction of age but its end. *ret_n: how many of them it has moved. */
static int age_write(struct sqlite_store *s, struct segment *seg, struct flow_rows **all,
	size_t n, size_t *ret_n)
{
	/* As with survivors: what came with the last commit must be able to go. */
	uint64_t most = AGE_BYTES_MAX + 2 * s->commit_bytes;
	int rc = sqlite_begin(s);
	uint64_t bytes = 0;
	size_t done = 0;

	buf_reset(&s->moved);
	while (done < n && bytes < most && rc == SQLITE_OK) {
		struct flow_rows *f = all[done++];
		rc = parked_move(s, &f->flow, f, NULL, seg->number);
		buf_put(&s->moved, f->flow.b, sizeof f->flow.b);
		bytes += s->moved_bytes;
	}
	struct store_row row = { .seq = seg->number, .bytes = buf_slice(&s->moved) };
	if (rc == SQLITE_OK)
		rc = segment_insert(s, &row, ROW_AGED, NULL);
	if (rc == SQLITE_OK && s->sums.changed)
		rc = sums_put(s, s->time_ms);
	*ret_n = done;
	return rc;
}

/* Moves some of what lives in the oldest segment. */
static int age(struct sqlite_store *s)
{
	struct segment *seg = s->segments[0];
	const struct sums before = s->sums;
	size_t n = 0;
	struct flow_rows **all = survivors(s, seg, &n);

	place_keep(s, seg);
	int rc = age_write(s, seg, all, n, &n);

	if (rc == SQLITE_OK)
		rc = sqlite_end(s);
	if (rc == SQLITE_OK) {
		s->sums.changed = false;
		for (size_t i = 0; i < n; i++)
			index_aged(s, all[i], seg->number);
	} else {
		rc = sqlite_write_failed(s, "move what is old");
		s->sums = before;
		sqlite_rescan(s);
	}
	free(all);
	return rc;
}

static int retain(struct sqlite_store *s)
{
	const struct retired *r = &s->retired[0];
	bool old = r->retired_ms < s->time_ms - s->retain_ms;
	/* Rows of ended are told by the time of the oldest that is whole: older ones go
	 * first, with the next commit. */
	bool first = r->retired_ms <= s->strip_ms - s->retain_ms;

	if (old || (first && retained_bytes(s) > s->retain_bytes_max))
		return retired_drop(s);
	for (size_t i = 0; i < s->nretired; i++) {
		if (s->retired[i].thin_next != 0)
			return retired_thin(s, &s->retired[i]);
	}
	return 0;
}

bool sqlite_tidy(struct sqlite_store *s)
{
	const uint64_t writes = s->writes;
	int rc = 0;

	/* Without room all of this needs a log that can begin anew. */
	if (s->refused_ms != 0)
		copy_home(s);
	if (segment_newest(s)->bytes >= s->segment_bytes_max)
		rc = segment_begin_next(s);
	if (rc == 0 && s->nsegments > 1 && s->young_bytes > s->young_bytes_max &&
		!list_empty(&s->segments[0]->flows))
		rc = age(s);
	if (rc == 0 && s->nsegments > 1 && list_empty(&s->segments[0]->flows))
		rc = segment_retire(s);
	if (rc == 0 && s->nretired > 0)
		rc = retain(s);
	if (rc == 0 && purge_is_due(s))
		sqlite_purge(s);
	if (rc == 0)
		ids_tidy(s);
	if (s->wal_frames >= s->wal_frames_max)
		copy_home(s);
	return s->writes != writes;
}
