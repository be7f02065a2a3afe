/* forwarded_fuzz.c - any two header values, as Forwarded and as X-Forwarded-For, the latter in two fields.
 *
 * Whoever is named stands in the values: an address is never made up, and where the two disagree nobody
 * is named. The first byte says where the bytes are cut in two. */
#include "net/forwarded.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool named_alone(const struct proxies *p, const char *name, struct slice value, struct address *a)
{
	struct http1_field field = { slice_of(name), value };
	struct http1 head = { .fields = &field, .nfields = 1 };
	return forwarded_from(p, &head, a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxies proxies;
	const struct address peer = { { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 } };
	if (size < 1)
		return 0;
	CHECK(proxies_parse(&proxies, SLICE_LIT("10.0.0.0/8,2001:db8::/32"), NULL) == 0);
	const char *bytes = (const char *)data + 1;
	size_t cut = (size - 1) * data[0] / 255;
	struct slice one = { bytes, cut };
	struct slice two = { bytes + cut, size - 1 - cut };
	struct http1_field fields[] = { { SLICE_LIT("Forwarded"), one }, { SLICE_LIT("X-Forwarded-For"), two } };
	struct http1 head = { .fields = fields, .nfields = 2 };
	struct address both = peer;
	struct address left = peer;
	struct address right = peer;
	bool any = forwarded_from(&proxies, &head, &both);
	bool any_left = named_alone(&proxies, "forwarded", one, &left);
	bool any_right = named_alone(&proxies, "x-forwarded-for", two, &right);
	CHECK(any || memcmp(&both, &peer, sizeof peer) == 0);
	if (any) {
		CHECK(any_left);
		CHECK(any_right);
		CHECK(memcmp(&left, &right, sizeof left) == 0);
		CHECK(memcmp(&both, &left, sizeof both) == 0);
	}
	/* What an honest proxy appends is what counts, whatever stands before it. */
	char line[400] = "";
	static const char honest[] = ", 192.0.2.1";
	if (two.len + sizeof honest > sizeof line)
		return 0;
	if (two.len > 0)
		memcpy(line, two.ptr, two.len);
	memcpy(line + two.len, honest, sizeof honest);
	struct address asker = peer;
	struct address expected;
	CHECK(address_parse(SLICE_LIT("192.0.2.1"), &expected));
	CHECK(named_alone(&proxies, "x-forwarded-for", (struct slice){ line, two.len + sizeof honest - 1 }, &asker));
	CHECK(memcmp(&asker, &expected, sizeof asker) == 0);
	return 0;
}
