/* seen.c - a ring of message ids in order of arrival, with a hash index over it.
 *
 * Invariant: index holds exactly the entries of the ring, each at ring position + 1. Surprise: after
 * a restart ids may be added out of time order (ended children last); the ring is then sorted once. */
#include "engine/seen.h"

#include "base/hash.h"
#include "wire/pack.h"

#include <stdlib.h>
#include <string.h>

enum { SEEN_CAP_MIN = 8 };

struct seen {
	struct seen_entry *ring;      /* cap entries, a power of two */
	uint32_t          *index;     /* 2 × cap slots: ring position + 1, or 0 */
	size_t             cap, head, len;
	bool               unsorted;
};

struct seen *seen_new(void)
{
	return xalloc(sizeof(struct seen));
}

struct seen *seen_free(struct seen *s)
{
	if (!s)
		return NULL;
	free(s->ring);
	free(s->index);
	free(s);
	return NULL;
}

size_t seen_len(const struct seen *s)
{
	return s->len;
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

	return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

static void sort(struct seen *s)
{
	lay_out(s, s->cap);
	qsort(s->ring, s->len, sizeof *s->ring, by_time);
	memset(s->index, 0, 2 * s->cap * sizeof *s->index);
	for (size_t i = 0; i < s->len; i++)
		index_add(s, i);
	s->unsorted = false;
}

static void forget_old(struct seen *s, int64_t now_ms)
{
	if (s->unsorted)
		sort(s);
	while (s->len && (s->len > SEEN_PER_HOOK_MAX || s->ring[s->head].time_ms + SEEN_WINDOW_MS < now_ms)) {
		index_remove(s, index_find(s, &s->ring[s->head].key));
		s->head = (s->head + 1) & (s->cap - 1);
		s->len--;
	}
}

const struct seen_entry *seen_find(struct seen *s, const struct id *key, int64_t now_ms)
{
	if (!s || !s->len)
		return NULL;
	forget_old(s, now_ms);
	if (!s->len)
		return NULL;
	uint32_t at = s->index[index_find(s, key)];

	return at ? &s->ring[at - 1] : NULL;
}

void seen_add(struct seen *s, const struct seen_entry *entry)
{
	if (s->len && s->index[index_find(s, &entry->key)])
		return;
	if (s->len == s->cap)
		lay_out(s, s->cap ? 2 * s->cap : SEEN_CAP_MIN);
	size_t last = (s->head + s->len - 1) & (s->cap - 1);
	size_t pos = (s->head + s->len) & (s->cap - 1);

	if (s->len && s->ring[last].time_ms > entry->time_ms)
		s->unsorted = true;
	s->ring[pos] = *entry;
	index_add(s, pos);
	s->len++;
	/* The window is the finder's to keep; here only the count is bounded. */
	if (s->len > SEEN_PER_HOOK_MAX)
		forget_old(s, entry->time_ms);
}

void seen_pack(struct buf *out, uint32_t hook, const struct seen *s)
{
	varint_put(out, hook);
	varint_put(out, s->len);
	for (size_t i = 0; i < s->len; i++) {
		const struct seen_entry *e = &s->ring[(s->head + i) & (s->cap - 1)];

		buf_put(out, e->key.b, sizeof e->key.b);
		varint_put(out, (uint64_t)e->time_ms);
	}
}

bool seen_packed_find(struct slice packed, uint32_t hook, const struct id *key, int64_t now_ms)
{
	uint64_t number = 0;
	uint64_t n = 0;
	bool found = false;

	while (packed.len && !found) {
		if (varint_next(&packed, &number) != 1 || varint_next(&packed, &n) != 1)
			return false;
		for (; n > 0; n--) {
			uint64_t time_ms = 0;
			struct id id;

			if (packed.len < sizeof id.b)
				return false;
			memcpy(id.b, packed.ptr, sizeof id.b);
			packed.ptr += sizeof id.b;
			packed.len -= sizeof id.b;
			if (varint_next(&packed, &time_ms) != 1)
				return false;
			found = found || (number == hook && id_eq(&id, key)
			                  && (int64_t)time_ms + SEEN_WINDOW_MS >= now_ms);
		}
	}
	return found;
}
