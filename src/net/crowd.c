/* crowd.c - counts by address, in a map. */
#include "net/crowd.h"

void crowd_init(struct crowd *c, size_t each_max)
{
	map_init(&c->counts);
	c->each_max = each_max;
}

void crowd_fini(struct crowd *c)
{
	map_fini(&c->counts);
}

static size_t count_of(const struct crowd *c, const struct id *key)
{
	return (size_t)(uintptr_t)map_get(&c->counts, key);
}

bool crowd_join(struct crowd *c, const struct id *key)
{
	size_t n = count_of(c, key);
	if (n >= c->each_max)
		return false;
	map_put(&c->counts, key, (void *)(uintptr_t)(n + 1));
	return true;
}

void crowd_leave(struct crowd *c, const struct id *key)
{
	size_t n = count_of(c, key);
	CHECK(n > 0);
	if (n == 1)
		map_remove(&c->counts, key);
	else
		map_put(&c->counts, key, (void *)(uintptr_t)(n - 1));
}
