/* address.h - internet addresses as values, and the list of proxies that are believed.
 *
 * A v4 address is kept as the v6 one that stands for it (::ffff:a.b.c.d), so that there is one kind of
 * address and one comparison. Nothing here allocates or asks the system for more than the text forms. */
#ifndef FISH_ADDRESS_H
#define FISH_ADDRESS_H

#include "base/id.h"

#include <netinet/in.h>

struct sockaddr;

enum {
	ADDRESS_TEXT_SIZE = INET6_ADDRSTRLEN,
	PROXIES_MAX       = 64,          /* entries of one list */
};

struct address {
	uint8_t b[16];
};

struct address_net {
	struct address at;
	unsigned       bits;             /* of the 128 that count */
};

struct proxies {
	struct address_net nets[PROXIES_MAX];
	size_t             n;
	bool               unix_peers;   /* whoever comes over a unix socket is one */
};

/* False for what is neither v4 nor v6. */
bool address_of(const struct sockaddr *from, struct address *ret);
/* "192.0.2.1", "2001:db8::1"; no brackets, port, zone or blanks. False when it is none. */
bool address_parse(struct slice text, struct address *ret);
/* A v4 address as v4. */
void address_text(const struct address *a, char ret_text[ADDRESS_TEXT_SIZE]);
/* What one asker is counted by: a v4 address, or the first half of a v6 one, of which he has all. */
struct id address_key(const struct address *a);

/* May an URL that a stranger wrote lead there? False for all that is not the public internet: this
 * machine, private and shared nets, link-local ones (clouds' metadata), tunnels, documentation, multicast. */
bool address_is_public(const struct address *a);

/* "10.0.0.0/8,192.0.2.1,2001:db8::/32,unix". FISH_EINVAL with words; bits behind the prefix must be 0. */
int  proxies_parse(struct proxies *p, struct slice text, struct err *err);
bool proxies_hold(const struct proxies *p, const struct address *a);    /* p NULL: none */

#endif
