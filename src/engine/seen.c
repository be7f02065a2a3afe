/* seen.c - a ring of message ids in order of arrival, with a hash index over it.
 *
 * Invariant: index holds exactly the entries of the ring, each at ring position + 1. Surprise:
 * after a restart ids may be added out of time order (ended children last). They are sorted when
 * somebody looks, and until then the ring may go over its bound, so that no add costs a sort of
 * its own. */
#include "engine/seen.h"

#include "base/hash.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <string.h>

enum { SEEN_CAP_MIN = 8 };
/* Beside a status: header lines follow. A status is below it, so what was packed before there were such
 * lines reads as it did. */
#define WITH_LINES (UINT64_C(1) << 31)
enum { UNSORTED_MAX = SEEN_PER_HOOK_MAX + SEEN_PER_HOOK_MAX / 4 };

struct seen {
	struct seen_entry *ring;      /* cap entries, a power of two */
	uint32_t          *index;     /* 2 × cap slots: ring position + 1, or 0 */
	size_t             cap, head, len;
	size_t             told;      /* bytes that replies take */
	bool               unsorted;  /* some entry is older than the one before it */
	bool               mixed;     /* some seq, of those that are not 0, is below one before it; … */
	uint64_t           seq_last;  /* … else the last of them, or it is gone */
};

struct seen *seen_new(void)
{
	return xalloc(sizeof(struct seen));
}

struct seen *seen_free(struct seen *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->len; i++)
		free(s->ring[(s->head + i) & (s->cap - 1)].reply);
	free(s->ring);
	free(s->index);
	free(s);
	return NULL;
}

size_t seen_bytes(const struct seen *s)
{
	return !s ? 0 : sizeof *s + s->cap * (sizeof *s->ring + 2 * sizeof *s->index) + s->told;
}

static size_t reply_bytes(const struct seen_reply *r)
{
	return !r ? 0 : sizeof *r + r->told.lines.len + r->told.body.len;
}

/* r: fresh, or NULL. */
static void reply_set(struct seen *s, struct seen_entry *e, struct seen_reply *r)
{
	s->told += reply_bytes(r) - reply_bytes(e->reply);
	free(e->reply);
	e->reply = r;
}

static size_t slot_of(const struct seen *s, const struct id *key)
{
	/* Keys are cut from SHA-256: any eight bytes are spread well. */
	uint64_t h;

	memcpy(&h, key->b, sizeof h);
	return (size_t)h & (2 * s->cap - 1);
}

static void index_add(struct seen *s, size_t pos)
{
	size_t slot = slot_of(s, &s->ring[pos].key);

	while (s->index[slot])
		slot = (slot + 1) & (2 * s->cap - 1);
	s->index[slot] = (uint32_t)pos + 1;
}

/* The key's slot, or the empty one where it would be. */
static size_t index_find(const struct seen *s, const struct id *key)
{
	size_t slot = slot_of(s, key);

	while (s->index[slot] && !id_eq(&s->ring[s->index[slot] - 1].key, key))
		slot = (slot + 1) & (2 * s->cap - 1);
	return slot;
}

/* Deletion from linear probing: later members of the run move up into the hole. */
static void index_remove(struct seen *s, size_t hole)
{
	size_t mask = 2 * s->cap - 1;
	size_t slot = hole;

	s->index[hole] = 0;
	for (;;) {
		slot = (slot + 1) & mask;
		if (!s->index[slot])
			return;
		size_t home = slot_of(s, &s->ring[s->index[slot] - 1].key);

		if (((slot - home) & mask) < ((slot - hole) & mask))
			continue;
		s->index[hole] = s->index[slot];
		s->index[slot] = 0;
		hole = slot;
	}
}

/* Lays the entries out from position 0 in a ring of cap. */
static void lay_out(struct seen *s, size_t cap)
{
	struct seen_entry *ring = xalloc(cap * sizeof *ring);

	for (size_t i = 0; i < s->len; i++)
		ring[i] = s->ring[(s->head + i) & (s->cap - 1)];
	free(s->ring);
	free(s->index);
	s->ring = ring;
	s->cap = cap;
	s->head = 0;
	s->index = xalloc(2 * cap * sizeof *s->index);
	for (size_t i = 0; i < s->len; i++)
		index_add(s, i);
}

static int by_time(const void *a, const void *b)
{
	const struct seen_entry *x = a;
	const struct seen_entry *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* Of the entry that comes behind all others; births have none. */
static void note_seq(struct seen *s, uint64_t seq)
{
	if (seq && seq < s->seq_last)
		s->mixed = true;
	else if (seq)
		s->seq_last = seq;
}

/* Positions change, so the index is made anew. */
static void sort(struct seen *s)
{
	lay_out(s, s->cap);
	qsort(s->ring, s->len, sizeof *s->ring, by_time);
	memset(s->index, 0, 2 * s->cap * sizeof *s->index);
	s->mixed = false;
	s->seq_last = 0;
	for (size_t i = 0; i < s->len; i++) {
		index_add(s, i);
		note_seq(s, s->ring[i].seq);
	}
	s->unsorted = false;
}

/* Times are compared by subtraction: a sum with a damaged time could overflow. */
static bool is_old(int64_t time_ms, int64_t now_ms)
{
	return time_ms < now_ms - SEEN_WINDOW_MS;
}

/* Of a sorted ring that is the oldest. */
static void drop_first(struct seen *s)
{
	index_remove(s, index_find(s, &s->ring[s->head].key));
	reply_set(s, &s->ring[s->head], NULL);
	s->head = (s->head + 1) & (s->cap - 1);
	s->len--;
}

/* In order of time, and as many as may be kept. */
static void tidy(struct seen *s)
{
	if (s->unsorted)
		sort(s);
	while (s->len > SEEN_PER_HOOK_MAX)
		drop_first(s);
}

size_t seen_len(struct seen *s)
{
	tidy(s);
	return s->len;
}

const struct seen_entry *seen_find(struct seen *s, const struct id *key, int64_t now_ms)
{
	if (!s)
		return NULL;
	tidy(s);
	while (s->len && is_old(s->ring[s->head].time_ms, now_ms))
		drop_first(s);
	if (!s->len)
		return NULL;
	uint32_t at = s->index[index_find(s, key)];

	return at ? &s->ring[at - 1] : NULL;
}

/* An id that came again: the first counts, unless it was forgotten by then. */
static void add_again(struct seen *s, struct seen_entry *known, const struct seen_entry *entry)
{
	if (!is_old(known->time_ms, entry->time_ms))
		return;
	reply_set(s, known, NULL);
	*known = *entry;
	s->unsorted = s->mixed = true;
}

void seen_add(struct seen *s, const struct seen_entry *entry)
{
	uint32_t known = s->len ? s->index[index_find(s, &entry->key)] : 0;

	if (known) {
		add_again(s, &s->ring[known - 1], entry);
		return;
	}
	if (s->len == s->cap)
		lay_out(s, s->cap ? 2 * s->cap : SEEN_CAP_MIN);
	size_t last = (s->head + s->len - 1) & (s->cap - 1);
	size_t pos = (s->head + s->len) & (s->cap - 1);

	if (s->len && s->ring[last].time_ms > entry->time_ms)
		s->unsorted = true;
	s->ring[pos] = *entry;
	index_add(s, pos);
	note_seq(s, entry->seq);
	s->len++;
	/* The window is the finder's to keep; here only the count is bounded. */
	if (s->len > (s->unsorted ? UNSORTED_MAX : SEEN_PER_HOOK_MAX))
		tidy(s);
}

/* 0 for none; else the status, the lines if there are such, and the body. */
static void told_put(struct buf *out, const struct reply *told)
{
	varint_put(out, !told ? 0 : (uint64_t)told->status | (told->lines.ptr ? WITH_LINES : 0));
	if (!told)
		return;
	if (told->lines.ptr) {
		varint_put(out, told->lines.len);
		buf_put_slice(out, told->lines);
	}
	varint_put(out, told->body.len);
	buf_put_slice(out, told->body);
}

/* FISH_EFORMAT, or 1; its slices borrow. */
static int text_take(struct slice *rest, struct slice *ret_text)
{
	uint64_t len = 0;

	if (varint_next(rest, &len) != 1 || len > rest->len)
		return FISH_EFORMAT;
	*ret_text = (struct slice){ rest->ptr, (size_t)len };
	rest->ptr += len;
	rest->len -= (size_t)len;
	return 1;
}

/* The same; a status of 0 is none. */
static int told_take(struct slice *rest, struct reply *ret_told)
{
	struct reply told = { .status = 0 };
	uint64_t status = 0;

	if (varint_next(rest, &status) != 1 || status >= 2 * WITH_LINES)
		return FISH_EFORMAT;
	told.status = (int)(status & ~WITH_LINES);
	if ((status & WITH_LINES && text_take(rest, &told.lines) != 1)
	    || (status && text_take(rest, &told.body) != 1))
		return FISH_EFORMAT;
	*ret_told = told;
	return 1;
}

void seen_pack(struct buf *out, uint32_t hook, struct seen *s)
{
	tidy(s);
	varint_put(out, hook);
	varint_put(out, s->len);
	for (size_t i = 0; i < s->len; i++) {
		const struct seen_entry *e = &s->ring[(s->head + i) & (s->cap - 1)];

		buf_put(out, e->key.b, sizeof e->key.b);
		varint_put(out, (uint64_t)e->time_ms);
		told_put(out, e->reply ? &e->reply->told : NULL);
	}
}

void seen_keep(struct buf *out, struct seen *s)
{
	tidy(s);
	for (size_t i = 0; i < s->len; i++) {
		const struct seen_entry *e = &s->ring[(s->head + i) & (s->cap - 1)];

		buf_put(out, e->key.b, sizeof e->key.b);
		varint_put(out, (uint64_t)e->time_ms);
		varint_put(out, e->seq);
		told_put(out, e->reply ? &e->reply->told : NULL);
	}
}

static int restore_next(struct seen *s, struct slice *rest)
{
	struct seen_entry e = { .batch = 0 };
	struct reply told;
	uint64_t time_ms = 0;

	if (rest->len < sizeof e.key.b)
		return FISH_EFORMAT;
	memcpy(e.key.b, rest->ptr, sizeof e.key.b);
	rest->ptr += sizeof e.key.b;
	rest->len -= sizeof e.key.b;
	if (varint_next(rest, &time_ms) != 1 || varint_next(rest, &e.seq) != 1 || told_take(rest, &told) != 1)
		return FISH_EFORMAT;
	e.time_ms = (int64_t)time_ms;
	seen_add(s, &e);
	if (told.status)
		seen_reply(s, e.seq, 0, &told);
	return 0;
}

int seen_restore(struct seen *s, struct slice kept)
{
	int rc = 0;

	while (rc == 0 && kept.len)
		rc = restore_next(s, &kept);
	return rc;
}

struct reply reply_of(const struct entry *e)
{
	struct reply r = { .status = e->status, .body = e->body };

	if (e->kind == ENTRY_ANSWER)
		r.lines = (struct slice){ e->meta.len ? e->meta.ptr : "", e->meta.len };
	return r;
}

static struct seen_reply *reply_keep(const struct reply *told, uint64_t batch)
{
	struct seen_reply *r = xalloc(sizeof *r + told->lines.len + told->body.len);

	r->batch = batch;
	r->told = (struct reply){ told->status, SLICE_NONE, { r->bytes + told->lines.len, told->body.len } };
	if (told->lines.ptr)
		r->told.lines = (struct slice){ r->bytes, told->lines.len };
	if (told->lines.len)
		memcpy(r->bytes, told->lines.ptr, told->lines.len);
	if (told->body.len)
		memcpy(r->bytes + told->lines.len, told->body.ptr, told->body.len);
	return r;
}

/* The oldest keep their status alone, until a quarter is free: so that not each reply walks the ring. */
static void thin_out(struct seen *s)
{
	for (size_t i = 0; i < s->len && s->told > REPLIES_PER_HOOK_BYTES_MAX / 4 * 3; i++) {
		struct seen_entry *e = &s->ring[(s->head + i) & (s->cap - 1)];

		if (reply_bytes(e->reply) > sizeof *e->reply)
			reply_set(s, e, reply_keep(&(struct reply){ .status = e->reply->told.status }, e->reply->batch));
	}
}

static struct seen_entry *nth(const struct seen *s, size_t i)
{
	return &s->ring[(s->head + i) & (s->cap - 1)];
}

/* By halves: a flow may reply to any number of messages long after they came, or to those without an id, and all
 * of that is fed when it is loaded. */
static struct seen_entry *by_seq(const struct seen *s, uint64_t seq)
{
	size_t from = 0;
	size_t to = s->len;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		size_t at = mid;

		while (at > from && !nth(s, at)->seq)
			at--;
		if (nth(s, at)->seq == seq)
			return nth(s, at);
		if (nth(s, at)->seq < seq)
			from = mid + 1;
		else
			to = at;
	}
	return NULL;
}

static struct seen_entry *by_seq_mixed(const struct seen *s, uint64_t seq)
{
	for (size_t i = s->len; i > 0; i--)
		if (nth(s, i - 1)->seq == seq)
			return nth(s, i - 1);
	return NULL;
}

void seen_reply(struct seen *s, uint64_t seq, uint64_t batch, const struct reply *told)
{
	struct seen_entry *e = s->mixed ? by_seq_mixed(s, seq) : by_seq(s, seq);

	if (!e)
		return;
	reply_set(s, e, reply_keep(told, batch));
	if (s->told > REPLIES_PER_HOOK_BYTES_MAX)
		thin_out(s);
}

/* Takes one id and what was told off *rest. FISH_EFORMAT when they are cut; else 1. */
static int told_next(struct slice *rest, struct seen_entry *ret_entry, struct reply *ret_told)
{
	uint64_t time_ms = 0;

	if (rest->len < sizeof ret_entry->key.b)
		return FISH_EFORMAT;
	memcpy(ret_entry->key.b, rest->ptr, sizeof ret_entry->key.b);
	rest->ptr += sizeof ret_entry->key.b;
	rest->len -= sizeof ret_entry->key.b;
	if (varint_next(rest, &time_ms) != 1 || told_take(rest, ret_told) != 1)
		return FISH_EFORMAT;
	ret_entry->time_ms = (int64_t)time_ms;
	if (!ret_told->status)
		ret_told->status = 200;
	return 1;
}

bool seen_packed_find(struct slice packed, uint32_t hook, const struct id *key, int64_t now_ms,
                      struct reply *ret_told)
{
	while (packed.len) {
		struct seen_entry e = { .time_ms = 0 };
		struct reply told;
		uint64_t number = 0;
		uint64_t n = 0;

		if (varint_next(&packed, &number) != 1 || varint_next(&packed, &n) != 1)
			return false;
		for (; n > 0; n--) {
			if (told_next(&packed, &e, &told) != 1)
				return false;
			if (number != hook || !id_eq(&e.key, key) || is_old(e.time_ms, now_ms))
				continue;
			*ret_told = told;
			return true;
		}
	}
	return false;
}
