/* map.h - a hash map from 16-byte keys to pointers (open addressing, linear probing).
 *
 * Keys are spread by a hash of all 16 bytes: flow ids share their leading bytes. Values are not NULL. */
#ifndef FISH_MAP_H
#define FISH_MAP_H

#include "base/id.h"

struct map_slot {
	struct id key;
	void     *value;     /* NULL: free */
};

struct map {
	struct map_slot *slots;
	size_t           cap;     /* 0 or a power of two */
	size_t           len;
};

void  map_init(struct map *m);
void  map_fini(struct map *m);                                  /* the values are the caller's */
void *map_get(const struct map *m, const struct id *key);       /* NULL: not there */
void  map_put(struct map *m, const struct id *key, void *value);/* replaces */
void *map_remove(struct map *m, const struct id *key);          /* what was there, or NULL */
/* for (size_t i = 0; (v = map_each(m, &i)) != NULL;) …; the map must not change meanwhile */
void *map_each(const struct map *m, size_t *cursor);

#endif
