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

/* IANA's special-purpose registries for IPv4 and IPv6, what is not "globally reachable" there, and tunnels
 * that carry a v4 address which nobody would look at. */
bool address_is_public(const struct address *a)
{
	static const struct proxies denied = {
		.n = 27,
		.nets = {
#define V4(a, b, c, prefix) { { { [10] = 0xff, [11] = 0xff, [12] = (a), [13] = (b), [14] = (c) } }, 96 + (prefix) }
			V4(0, 0, 0, 8), V4(10, 0, 0, 8), V4(100, 64, 0, 10), V4(127, 0, 0, 8),
			V4(169, 254, 0, 16), V4(172, 16, 0, 12), V4(192, 0, 0, 24), V4(192, 0, 2, 24),
			V4(192, 88, 99, 24), V4(192, 168, 0, 16), V4(198, 18, 0, 15), V4(198, 51, 100, 24),
			V4(203, 0, 113, 24), V4(224, 0, 0, 4), V4(240, 0, 0, 4),
#undef V4
			{ { { 0 } }, 96 },                                /* ::, ::1, and v4 in its old form */
			{ { { [1] = 0x64, [2] = 0xff, [3] = 0x9b } }, 96 },         /* 64:ff9b::/96 */
			{ { { [1] = 0x64, [2] = 0xff, [3] = 0x9b, [5] = 1 } }, 48 },/* 64:ff9b:1::/48 */
			{ { { 0x01 } }, 64 },                             /* 100::/64 */
			{ { { 0x20, 0x01 } }, 32 },                       /* Teredo */
			{ { { 0x20, 0x01, 0x0d, 0xb8 } }, 32 },
			{ { { 0x20, 0x02 } }, 16 },                       /* 6to4 */
			{ { { 0x3f, 0xff } }, 20 },
			{ { { 0x5f } }, 16 },
			{ { { 0xfc } }, 7 },
			{ { { 0xfe, 0x80 } }, 10 },
			{ { { 0xff } }, 8 },
		},
	};
	return !proxies_hold(&denied, a);
}

bool proxies_hold(const struct proxies *p, const struct address *a)
{
	for (size_t i = 0; p != NULL && i < p->n; i++) {
		if (net_holds(&p->nets[i], a))
			return true;
	}
	return false;
}
