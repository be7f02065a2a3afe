/* entry_fuzz.c - any bytes as a row of journal entries.
 *
 * Whatever decodes must lie inside the row and encode to the same bytes, and so must the items of
 * the packed lists that it holds. */
#include "wire/entry.h"
#include "wire/pack.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice inner, struct slice outer)
{
	if (!inner.len)
		return;
	CHECK(inner.ptr >= outer.ptr);
	CHECK(inner.len <= outer.len);
	CHECK(inner.ptr + inner.len <= outer.ptr + outer.len);
}

/* Written again, in out, an item is the bytes it was taken from. */
static void check_same(struct buf *out, struct slice before, struct slice rest)
{
	CHECK(!buf_failed(out));
	CHECK(rest.len < before.len);
	CHECK(slice_eq(buf_slice(out), (struct slice){ before.ptr, before.len - rest.len }));
	buf_reset(out);
}

static void check_steps(struct buf *out, struct slice rest)
{
	struct entry_step s;

	for (struct slice before = rest; entry_step_next(&rest, &s) == 1; before = rest) {
		check_inside(s.label, before);
		CHECK(strlen(step_kind_name(s.kind)) > 0);
		entry_step_put(out, &s);
		check_same(out, before, rest);
	}
}

static void check_deadlines(struct buf *out, struct slice rest)
{
	struct entry_deadline d;

	for (struct slice before = rest; entry_deadline_next(&rest, &d) == 1; before = rest) {
		CHECK(d.due_ms >= 0);
		entry_deadline_put(out, &d);
		check_same(out, before, rest);
	}
}

static void check_hooks(struct buf *out, struct slice rest)
{
	struct entry_open_hook h;

	for (struct slice before = rest; entry_open_hook_next(&rest, &h) == 1; before = rest) {
		check_inside(h.name, before);
		check_inside(h.options, before);
		entry_open_hook_put(out, &h);
		check_same(out, before, rest);
	}
}

static void check_born(struct buf *out, struct slice rest)
{
	struct entry_born b;

	for (struct slice before = rest; entry_born_next(&rest, &b) == 1; before = rest) {
		entry_born_put(out, &b);
		check_same(out, before, rest);
	}
}

static void check_door(struct buf *out, struct slice hooks, struct slice published)
{
	struct entry_door_hook h;
	struct entry_published p;

	for (struct slice before = hooks; entry_door_hook_next(&hooks, &h) == 1; before = hooks) {
		check_inside(h.name, before);
		check_inside(h.seen, before);
		CHECK(h.expires_ms >= 0);
		entry_door_hook_put(out, &h);
		check_same(out, before, hooks);
	}
	for (struct slice before = published; entry_published_next(&published, &p) == 1; before = published) {
		check_inside(p.body, before);
		entry_published_put(out, &p);
		check_same(out, before, published);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice row = { (const char *)data, size };
	struct slice rest = row;
	struct buf out;
	struct entry e;
	uint64_t number;

	buf_init(&out, SIZE_MAX);
	for (struct slice before = rest; entry_next(&rest, &e) == 1; before = rest) {
		CHECK(e.time_ms >= 0);
		CHECK(strcmp(entry_kind_name(e.kind), "?") != 0);
		check_inside(e.name, before);
		check_inside(e.body, before);
		check_inside(e.meta, before);
		entry_put(&out, &e);
		check_same(&out, before, rest);
		check_steps(&out, e.steps);
		check_deadlines(&out, e.deadlines);
		check_hooks(&out, e.kind == ENTRY_RENEW ? e.hooks : SLICE_NONE);
		check_born(&out, e.born);
		check_door(&out, e.kind == ENTRY_DOOR ? e.hooks : SLICE_NONE, e.published);
	}
	/* The lists also bare: few inputs get as far as one inside an entry. */
	check_steps(&out, row);
	check_deadlines(&out, row);
	check_hooks(&out, row);
	check_born(&out, row);
	check_door(&out, row, row);
	rest = row;
	for (struct slice before = rest; varint_next(&rest, &number) == 1; before = rest) {
		varint_put(&out, number);
		check_same(&out, before, rest);
	}
	buf_fini(&out);
	return 0;
}
