/* where.h - an address in this process as a place in the source. */
#ifndef FISH_WHERE_H
#define FISH_WHERE_H

#include "base/buf.h"

/* Puts "broker.c:27" for the instruction before a return address; "order+0x1a" without debug
 * information; nothing when even that is not known. Slow (reads the program's debug information):
 * for reports only. */
void where_put(struct buf *out, const void *return_address);

#endif
