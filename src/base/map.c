/* map.c - a hash map from 16-byte keys to pointers: open addressing, linear probing.
 *
 * Invariant: from a key's home slot to the slot it is in, no slot is free; at most
 * three of four slots are taken, and in a large map at least one of eight. Surprise: a
 * removal moves later entries back instead of leaving a tombstone, so a map that lives for
 * months does not slow down. */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

/* A power of two, as the header promises of cap. */
enum { MAP_FIRST_SLOTS = 16, MAP_SHRINK_SLOTS = 1024 };

void map_init(struct map *m)
{
	*m = (struct map){ .slots = NULL };
}

void map_fini(struct map *m)
{
	if (m == NULL)
		return;
	free(m->slots);
	map_init(m);
}

/* All 16 bytes count. No secret seed: keys hold 80 bits of our own chance or are
 * SHA-256's. */
static size_t map_home(const struct map *m, const struct id *key)
{
	uint64_t half[2];

	memcpy(half, key->b, sizeof(half));
	uint64_t h = half[0] ^ (half[1] >> 32 | half[1] << 32);

	h *= UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 32 ^ half[1]) * UINT64_C(0xd6e8feb86659fd93);
	return (size_t)(h ^ h >> 32) & (m->cap - 1);
}

/* The slot that holds key, or the free one where it belongs; m has a free slot. */
static struct map_slot *map_find(const struct map *m, const struct id *key)
{
	size_t i = map_home(m, key);

	while (m->slots[i].value != NULL && !id_eq(&m->slots[i].key, key))
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

/* A map that was never put into has no slots to look through. */
void *map_get(const struct map *m, const struct id *key)
{
	return m->cap == 0 ? NULL : map_find(m, key)->value;
}

/* Puts every entry where it belongs among so many new slots. */
static void map_resize(struct map *m, size_t cap)
{
	struct map old = *m;

	m->cap = cap;
	m->slots = xalloc(m->cap * sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++)
		if (old.slots[i].value != NULL)
			*map_find(m, &old.slots[i].key) = old.slots[i];
	free(old.slots);
}

void map_put(struct map *m, const struct id *key, void *value)
{
	CHECK(value != NULL);
	/* Above three quarters the runs get long. This may grow for a mere
	 * replacement; so be it. */
	if (4 * (m->len + 1) > 3 * m->cap)
		map_resize(m, m->cap == 0 ? MAP_FIRST_SLOTS : m->cap * 2);
	struct map_slot *slot = map_find(m, key);

	if (slot->value == NULL)
		m->len++;
	*slot = (struct map_slot){ *key, value };
}

/* Closes the gap at hole: each later entry of the run moves into it unless that would
 * put it before its home. */
static void map_close_gap(struct map *m, size_t hole)
{
	size_t mask = m->cap - 1;

	for (size_t i = (hole + 1) & mask; m->slots[i].value; i = (i + 1) & mask) {
		size_t home = map_home(m, &m->slots[i].key);

		/* Distances wrap around the end of the slots, hence the masks. */
		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		m->slots[hole] = m->slots[i];
		hole = i;
	}
	m->slots[hole] = (struct map_slot){ .value = NULL };
}

/* Gives the value back, for it is the caller who knows how to free it. */
void *map_remove(struct map *m, const struct id *key)
{
	if (m->cap == 0)
		return NULL;
	struct map_slot *slot = map_find(m, key);
	void *value = slot->value;

	if (value == NULL)
		return NULL;
	map_close_gap(m, (size_t)(slot - m->slots));
	m->len--;
	/* Who parked a million flows keeps no room for them. Half as large it is a quarter
	 * full, so that it does not grow again at once. */
	if (m->cap > MAP_SHRINK_SLOTS && 8 * m->len < m->cap)
		map_resize(m, m->cap / 2);
	return value;
}

/* In the order of slots, which means nothing: what must not depend on it sorts first. */
void *map_each(const struct map *m, size_t *cursor)
{
	while (*cursor < m->cap) {
		void *value = m->slots[(*cursor)++].value;

		if (value != NULL)
			return value;
	}
	return NULL;
}
