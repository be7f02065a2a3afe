/* crowd.h - how many connections or requests each address has under way.
 *
 * Invariant: an address is in the map exactly while something of it is counted, so the map is never
 * larger than what is under way. Surprise: the map's values are the numbers themselves, no pointers. */
#ifndef FISH_CROWD_H
#define FISH_CROWD_H

#include "base/map.h"

struct crowd {
	struct map counts;
	size_t     each_max;
};

void crowd_init(struct crowd *c, size_t each_max);
void crowd_fini(struct crowd *c);
/* Counts one more; false, and it is not counted, when there are each_max. */
bool crowd_join(struct crowd *c, const struct id *key);
void crowd_leave(struct crowd *c, const struct id *key);    /* one that crowd_join has counted */

#endif
