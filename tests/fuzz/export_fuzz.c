/* export_fuzz.c - any bytes as the lines of an exported flow.
 *
 * A flow that is taken as whole must come out again, from what was read of it, as lines that are read as
 * the same flow. */
#include "wire/export.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool read_all(struct exported *x, struct slice text)
{
	struct err err = { .code = 0 };
	int rc = 0;

	exported_init(x);
	while (text.len && rc == 0) {
		const char *feed = memchr(text.ptr, '\n', text.len);
		size_t len = feed ? (size_t)(feed - text.ptr) : text.len;
		size_t taken = len + (feed ? 1 : 0);

		rc = exported_line(x, (struct slice){ text.ptr, len }, &err);
		text.ptr += taken;
		text.len -= taken;
	}
	if (rc == 0)
		rc = exported_end(x, &err);
	CHECK(rc == 0 || (rc == FISH_EFORMAT && err.text[0] != '\0'));
	return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exported first;
	struct exported again;
	struct buf lines;

	if (read_all(&first, (struct slice){ (const char *)data, size })) {
		buf_init(&lines, SIZE_MAX);
		export_put_head(&lines, &first.head);
		CHECK(export_put_row(&lines, first.seq, buf_slice(&first.bytes)) == 0);
		CHECK(read_all(&again, buf_slice(&lines)));
		CHECK(slice_eq(buf_slice(&first.bytes), buf_slice(&again.bytes)));
		CHECK(slice_eq(first.head.seen, again.head.seen));
		exported_fini(&again);
		buf_fini(&lines);
	}
	exported_fini(&first);
	return 0;
}
