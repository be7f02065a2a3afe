/* fields_fuzz.c - strangers' bytes as structured fields.
 *
 * Invariant looked for: what is read has one canonical text, which reads back as the same and is its own
 * canonical text. Input: a byte that chooses the shape, and the text. */
#include "wire/fields.h"

#include <stdlib.h>
#include <string.h>

/* libFuzzer's name for it; there is no header that declares it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { SHAPES = 3 };

/* The canonical text of text into out. */
static int canonical(uint8_t shape, struct slice text, struct buf *out)
{
	struct arena arena;
	struct field_item item;
	struct fields all;
	int rc = 0;

	arena_init(&arena);
	if (shape == 0)
		rc = fields_item(&arena, text, &item);
	else
		rc = shape == 1 ? fields_list(&arena, text, &all) : fields_dictionary(&arena, text, &all);
	if (rc == 0 && shape == 0)
		fields_put_item(out, &item);
	else if (rc == 0 && shape == 1)
		fields_put_list(out, &all);
	else if (rc == 0)
		fields_put_dictionary(out, &all);
	arena_fini(&arena);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf once;
	struct buf twice;

	if (len == 0)
		return 0;
	buf_init(&once, SIZE_MAX);
	buf_init(&twice, SIZE_MAX);
	if (canonical(bytes[0] % SHAPES, (struct slice){ (const char *)bytes + 1, len - 1 }, &once) == 0) {
		CHECK(canonical(bytes[0] % SHAPES, buf_slice(&once), &twice) == 0);
		CHECK(slice_eq(buf_slice(&once), buf_slice(&twice)));
	}
	buf_fini(&once);
	buf_fini(&twice);
	return 0;
}
