/* forwarded.c - walks the lists of Forwarded and X-Forwarded-For from their ends.
 *
 * Invariant: no more than the header's own bytes are looked at, each a few times. Surprise: a comma
 * inside a string of Forwarded is no end of an item, so the items are found forwards first, though they
 * are read backwards; the last ITEMS_MAX are kept, more hops than any chain of proxies has. */
#include "net/forwarded.h"

#include <string.h>

enum { ITEMS_MAX = 32 };

struct items {
	struct slice last[ITEMS_MAX];    /* a ring: item i stands at i % ITEMS_MAX */
	size_t       n;                  /* found, also those that left the ring */
};

static struct slice trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = (struct slice){ s.ptr + 1, s.len - 1 };
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

enum quoting { QUOTING_NONE, QUOTING_STRINGS };

/* How much of s stands before the first such byte outside of strings; s.len: there is none. */
static size_t find_outside(struct slice s, char wanted, enum quoting quoting)
{
	bool quoted = false;
	for (size_t i = 0; i < s.len; i++) {
		if (quoted && s.ptr[i] == '\\')
			i++;
		else if (quoting == QUOTING_STRINGS && s.ptr[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.ptr[i] == wanted)
			return i;
	}
	return s.len;
}

/* Cuts off what stands before the next separator; false at the end of the list. */
static bool next_part(struct slice *rest, char separator, enum quoting quoting, struct slice *ret_part)
{
	if (rest->ptr == NULL)
		return false;
	size_t len = find_outside(*rest, separator, quoting);
	*ret_part = trim((struct slice){ rest->ptr, len });
	*rest = len == rest->len ? SLICE_NONE
				 : (struct slice){ rest->ptr + len + 1, rest->len - len - 1 };
	return true;
}

/* The items of all fields of that name, as of one list (RFC 9110 5.3). */
static void gather(const struct http1 *head, struct slice name, enum quoting quoting, struct items *ret)
{
	ret->n = 0;
	for (size_t i = 0; i < head->nfields; i++) {
		if (!slice_eq_nocase(head->fields[i].name, name))
			continue;
		struct slice rest = head->fields[i].value;
		struct slice item = SLICE_NONE;
		while (next_part(&rest, ',', quoting, &item))
			ret->last[ret->n++ % ITEMS_MAX] = item;
	}
}

/* "192.0.2.1", "192.0.2.1:80", "[2001:db8::1]", "[2001:db8::1]:80", and a bare v6 address. */
static bool read_node(struct slice node, struct address *ret)
{
	if (node.len > 0 && node.ptr[0] == '[') {
		const char *end = memchr(node.ptr, ']', node.len);
		if (end == NULL)
			return false;
		size_t len = (size_t)(end - node.ptr);
		if (len + 1 < node.len && end[1] != ':')
			return false;
		struct slice inner = { node.ptr + 1, len - 1 };
		return inner.len > 0 && memchr(inner.ptr, ':', inner.len) != NULL &&
			address_parse(inner, ret);
	}
	if (address_parse(node, ret))
		return true;
	const char *colon = node.len == 0 ? NULL : memchr(node.ptr, ':', node.len);
	return colon != NULL && address_parse((struct slice){ node.ptr, (size_t)(colon - node.ptr) }, ret);
}

/* name=value, or name="value" and nothing behind it. A string that does not end may have swallowed
 * what an honest proxy wrote behind it: then nothing in the element is believed. */
static bool read_pair(struct slice pair, struct slice *ret_name, struct slice *ret_value)
{
	const char *sign = pair.len == 0 ? NULL : memchr(pair.ptr, '=', pair.len);
	if (sign == NULL)
		return false;
	*ret_name = (struct slice){ pair.ptr, (size_t)(sign - pair.ptr) };
	struct slice value = { sign + 1, pair.len - ret_name->len - 1 };
	if (memchr(pair.ptr, '"', ret_name->len) != NULL)
		return false;
	if (value.len == 0 || value.ptr[0] != '"') {
		*ret_value = value;
		return value.len > 0 && memchr(value.ptr, '"', value.len) == NULL;
	}
	struct slice inner = { value.ptr + 1, value.len - 1 };
	size_t end = 0;
	for (; end < inner.len && inner.ptr[end] != '"'; end++)
		end += inner.ptr[end] == '\\' ? 1 : 0;
	*ret_value = (struct slice){ inner.ptr, end };
	return end + 1 == inner.len;
}

/* The value of "for" in "by=…;for=…;proto=…"; false when it is not there exactly once, or a pair of
 * the element is malformed. */
static bool read_for(struct slice element, struct slice *ret_node)
{
	struct slice pair = SLICE_NONE;
	size_t found = 0;
	while (next_part(&element, ';', QUOTING_STRINGS, &pair)) {
		struct slice name = SLICE_NONE;
		struct slice value = SLICE_NONE;
		if (!read_pair(pair, &name, &value))
			return false;
		if (!slice_eq_nocase(name, SLICE_LIT("for")))
			continue;
		*ret_node = value;
		found++;
	}
	return found == 1;
}

enum kind { KIND_FORWARDED, KIND_X };

static bool read_item(enum kind kind, struct slice item, struct address *ret)
{
	struct slice node = item;
	if (kind == KIND_FORWARDED && !read_for(item, &node))
		return false;
	return read_node(node, ret);
}

/* From the end to the first that is no believed proxy, or the last that can be read. False: none. */
static bool walk(const struct proxies *p, const struct items *items, enum kind kind, struct address *ret)
{
	bool any = false;
	size_t kept = items->n < ITEMS_MAX ? items->n : ITEMS_MAX;
	for (size_t back = 1; back <= kept; back++) {
		struct address at;
		if (!read_item(kind, items->last[(items->n - back) % ITEMS_MAX], &at))
			return any;
		*ret = at;
		any = true;
		if (!proxies_hold(p, &at))
			return true;
	}
	return any;
}

bool forwarded_from(const struct proxies *p, const struct http1 *head, struct address *address)
{
	struct items items;
	struct address one = *address;
	struct address other = *address;
	gather(head, SLICE_LIT("forwarded"), QUOTING_STRINGS, &items);
	bool has_one = items.n > 0;
	bool good_one = has_one && walk(p, &items, KIND_FORWARDED, &one);
	gather(head, SLICE_LIT("x-forwarded-for"), QUOTING_NONE, &items);
	bool has_other = items.n > 0;
	bool good_other = has_other && walk(p, &items, KIND_X, &other);
	if (has_one && has_other && (!good_one || !good_other || memcmp(&one, &other, sizeof one) != 0))
		return false;
	if (!good_one && !good_other)
		return false;
	*address = good_one ? one : other;
	return true;
}
