/* hash.h - one hash for digests (FNV-1a, 64 bits) and one for keys a stranger chooses (SHA-256 cut to 128 bits). */
#ifndef FISH_HASH_H
#define FISH_HASH_H

#include "base/id.h"

#define HASH64_SEED  UINT64_C(0xcbf29ce484222325)

uint64_t  hash64(uint64_t seed, struct slice s);              /* FNV-1a; feed the last result as the next seed */
uint64_t  hash64_u64(uint64_t seed, uint64_t value);
struct id hash128(const struct slice *parts, size_t n);       /* each part hashed with its length before it */

#endif
