/* address.c - reads, writes and compares addresses, and lists of nets.
 *
 * Invariant: what is kept of a net has no bits behind its prefix. Surprise: "10.0.0.1/8" is refused,
 * since whoever wrote it meant one address or the net, and believed proxies are no place to guess. */
#include "net/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum {
	ALL_BITS = 128,
	V4_AT    = 12,                   /* where the four bytes of a v4 address stand */
	KEY_V6_BYTES = 8,                /* a site has a /64 at least */
};

static const uint8_t v4_prefix[V4_AT] = { [10] = 0xff, [11] = 0xff };

static bool is_v4(const struct address *a)
{
	return memcmp(a->b, v4_prefix, V4_AT) == 0;
}

static void set_v4(struct address *a, const void *four)
{
	memcpy(a->b, v4_prefix, V4_AT);
	memcpy(a->b + V4_AT, four, 4);
}

bool address_of(const struct sockaddr *from, struct address *ret)
{
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;
		set_v4(ret, &v4->sin_addr);
		return true;
	}
	if (from->sa_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *v6 = (const void *)from;
	memcpy(ret->b, &v6->sin6_addr, sizeof ret->b);
	return true;
}

bool address_parse(struct slice text, struct address *ret)
{
	char copy[ADDRESS_TEXT_SIZE];
	uint8_t four[4];
	if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, '\0', text.len) != NULL)
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	if (inet_pton(AF_INET, copy, four) == 1) {
		set_v4(ret, four);
		return true;
	}
	return inet_pton(AF_INET6, copy, ret->b) == 1;
}

void address_text(const struct address *a, char ret_text[ADDRESS_TEXT_SIZE])
{
	if (is_v4(a))
		inet_ntop(AF_INET, a->b + V4_AT, ret_text, ADDRESS_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, a->b, ret_text, ADDRESS_TEXT_SIZE);
}

struct id address_key(const struct address *a)
{
	struct id key = { { 0 } };
	memcpy(key.b, a->b, is_v4(a) ? sizeof key.b : KEY_V6_BYTES);
	return key;
}

static bool bit_of(const struct address *a, unsigned i)
{
	return (a->b[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* "24" behind the slash: how many bits count, of 128, the first before of them in any case. False when
 * it is no such number. */
static bool read_bits(struct slice text, unsigned before, unsigned *ret_bits)
{
	unsigned n = 0;
	if (text.len == 0 || text.len > 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		n = n * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*ret_bits = before + n;
	return before + n <= ALL_BITS;
}

static const char *read_net(struct slice text, struct address_net *ret)
{
	const char *slash = text.len == 0 ? NULL : memchr(text.ptr, '/', text.len);
	size_t len = slash == NULL ? text.len : (size_t)(slash - text.ptr);
	struct address_net net = { .bits = ALL_BITS };
	if (!address_parse((struct slice){ text.ptr, len }, &net.at))
		return "is no address";
	/* As it is written, not as it is kept: "::ffff:10.0.0.0/104" counts from the front. */
	unsigned before = memchr(text.ptr, ':', len) == NULL ? V4_AT * 8 : 0;
	if (slash != NULL && !read_bits((struct slice){ slash + 1, text.len - len - 1 }, before, &net.bits))
		return "has no valid number of bits behind '/'";
	for (unsigned i = net.bits; i < ALL_BITS; i++) {
		if (bit_of(&net.at, i))
			return "has bits set behind its prefix";
	}
	*ret = net;
	return NULL;
}

int proxies_parse(struct proxies *p, struct slice text, struct err *err)
{
	*p = (struct proxies){ 0 };
	while (text.ptr != NULL) {
		const char *comma = text.len == 0 ? NULL : memchr(text.ptr, ',', text.len);
		struct slice item = { text.ptr, comma == NULL ? text.len : (size_t)(comma - text.ptr) };
		const char *why = NULL;
		if (slice_eq(item, SLICE_LIT("unix")))
			p->unix_peers = true;
		else if (p->n == PROXIES_MAX)
			why = "is one too many";
		else if ((why = read_net(item, &p->nets[p->n])) == NULL)
			p->n++;
		if (why != NULL)
			return err_set(err, FISH_EINVAL, "'%.*s' %s", (int)(item.len < 60 ? item.len : 60),
				item.ptr, why);
		text = comma == NULL ? SLICE_NONE
				     : (struct slice){ comma + 1, text.len - item.len - 1 };
	}
	return 0;
}

static bool net_holds(const struct address_net *net, const struct address *a)
{
	size_t whole = net->bits / 8;
	if (memcmp(net->at.b, a->b, whole) != 0)
		return false;
	unsigned rest = net->bits % 8;
	return rest == 0 || (net->at.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

bool proxies_hold(const struct proxies *p, const struct address *a)
{
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		if (net_holds(&p->nets[i], a))
			return true;
	}
	return false;
}
