/* forwarded.h - who asks, when proxies stand in between: Forwarded (RFC 7239) and X-Forwarded-For.
 *
 * Both are lists that each proxy appends to, so they are read from their ends, and only as far as
 * each writer is one that is believed: the first address that is no believed proxy's is the
 * asker's. What cannot be read ends the walk there: the last proxy that could be is then shown.
 * Surprise: where a request carries both headers and they come to different addresses, neither is
 * believed. A proxy writes one of them, and hands on the other as the asker made it up. */
#ifndef FISH_FORWARDED_H
#define FISH_FORWARDED_H

#include "net/address.h"
#include "wire/http1.h"

/* *address: of whoever the header came from, a believed proxy; becomes the asker's. False, and it stays,
 * when the header names nobody that could be believed. */
bool forwarded_from(const struct proxies *p, const struct http1 *head, struct address *address);

#endif
