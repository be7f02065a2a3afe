/* admin_list.c - GET /flows: the live flows in the order of their ids, then, if asked
 * for, the ended ones, newest first. Boxes, which nobody started, are passed over unless asked for.
 *
 * Invariant: next leads through all pages without a gap, though a flow that ends between
 * two of them may be seen in both states. Surprise: a page may be shorter than asked for
 * and not the last. */
#include "net/admin_private.h"
#include "wire/entry.h"
#include "wire/url.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list_op {
	struct admin_op op;
	struct roll roll;
	struct store_list list;
	struct engine_figures figures; /* as asked: the list itself fetches what is parked */
	size_t limit, live, told;
	bool all;
};

struct page {
	size_t limit;
	bool all, boxes;
	struct id after;
	uint64_t before; /* 0: not asked for */
};

/* An unknown one can only come from a newer store, which is not opened; said all the
 * same. */
static const char *ended_status(uint8_t status)
{
	switch ((enum end_status)status) {
	case END_DONE: return "done";
	case END_FAILED: return "failed";
	case END_CANCELLED: return "cancelled";
	}
	return "unknown";
}

/* The same members as in show, without what takes a journal to tell. */
static void put_ended(struct buf *out, const struct store_ended *e)
{
	char text[ID_TEXT_SIZE];

	id_text(&e->flow, text);
	buf_printf(out, "{\"id\": \"%s\", \"flow\": ", text);
	buf_json_string(out, e->name);
	buf_printf(out,
		", \"state\": \"ended\", \"started_ms\": %" PRId64
		", \"ended_ms\": %" PRId64,
		e->started_ms, e->ended_ms);
	id_text(&e->parent, text);
	if (id_is_zero(&e->parent))
		buf_puts(out, ", \"parent\": null");
	else
		buf_printf(out, ", \"parent\": \"%s\"", text);
	buf_printf(out, ", \"status\": \"%s\", \"result\": ", ended_status(e->status));
	if (e->status == END_DONE && e->result.len > 0)
		buf_put_slice(out, e->result);
	else
		buf_puts(out, "null");
	if (e->status != END_DONE) {
		buf_puts(out, ", \"why\": ");
		buf_json_string(out, e->result);
	}
	buf_puts(out, "}");
}

/* All of them, for the tests and for monitoring. */
static void put_figures(
	struct buf *out, const struct admin *a, const struct engine_figures *f)
{
	const struct budget none = { 0 };
	const struct budget *bodies = a->config.budget != NULL ? a->config.budget : &none;

	buf_printf(out,
		"{\"flows\": %zu, \"waiting\": %zu, \"boxes\": %zu, \"boxes_untaken\": %zu, \"resident\": %zu, \"running\": %zu, "
		"\"stopped\": %zu, \"closing\": %zu, \"hooks_open\": %zu, \"calls\": %zu, \"works\": %zu, "
		"\"untaken\": %zu, \"parked\": %zu, ",
		f->flows, f->waiting, f->boxes, f->boxes_untaken, f->resident, f->running, f->stopped, f->closing,
		f->hooks_open, f->calls, f->works, f->untaken, f->parked);
	buf_printf(out,
		"\"memory\": %zu, \"bodies\": %zu, \"bodies_max\": %zu, \"refused\": %" PRIu64 ", ",
		f->memory, bodies->bytes, bodies->bytes_max, bodies->refused);
	buf_printf(out,
		"\"commits\": %" PRIu64 ", \"entries\": %" PRIu64
		", \"deliveries\": %" PRIu64 ", \"duplicates\": %" PRIu64
		", \"starts\": %" PRIu64 ", \"ended\": %" PRIu64 "}",
		f->commits, f->entries, f->deliveries, f->duplicates, f->starts, f->ended);
}

/* next: the query behind "/flows?limit=…", or NULL when this was the last page. */
static void finish(struct list_op *op, const char *next)
{
	buf_puts(&op->op.text, "], \"next\": ");
	if (next != NULL)
		buf_printf(&op->op.text, "\"/flows?limit=%zu%s%s\"", op->limit, op->roll.boxes ? "&boxes=1" : "", next);
	else
		buf_puts(&op->op.text, "null");
	buf_puts(&op->op.text, ", \"figures\": ");
	put_figures(&op->op.text, op->op.admin, &op->figures);
	buf_puts(&op->op.text, "}");
	if (buf_failed(&op->op.text))
		admin_error(
			op->op.x, 503, "the list is too long: ask for less with limit=");
	else
		admin_answer(op->op.x, 200, "", buf_slice(&op->op.text));
	admin_op_free(&op->op);
}

static bool is_box(const struct store_ended *e)
{
	struct slice front = SLICE_LIT(BOX_NAME);

	return e->name.len > front.len && memcmp(e->name.ptr, front.ptr, front.len) == 0;
}

/* The ended flows that fill up the page. */
static void on_list(struct store_list *l, int rc)
{
	struct list_op *op = container_of(l, struct list_op, list);
	char next[64];

	if (rc < 0) {
		admin_unknown(op->op.x);
		admin_op_free(&op->op);
		return;
	}
	for (size_t i = 0; i < l->nended; i++) {
		if (!op->roll.boxes && is_box(&l->ended[i]))
			continue;
		if (op->told++ > 0)
			buf_puts(&op->op.text, ", ");
		put_ended(&op->op.text, &l->ended[i]);
	}
	snprintf(next, sizeof(next), "&all=1&before=%" PRIu64, l->ret_next);
	finish(op, l->ret_next != 0 ? next : NULL);
}

/* A parameter that is absent leaves *ret as it is; false when it is no number from 1 to
 * max. */
static bool take_number(struct slice query, const char *name, uint64_t max, uint64_t *ret)
{
	struct buf text;
	bool fits = true;

	buf_init(&text, NAME_BYTES_MAX);
	if (url_param(query, name, &text)) {
		const char *digits = text.ptr != NULL ? text.ptr : "";
		char *end = NULL;
		unsigned long long n = strtoull(digits, &end, 10);

		fits = digits[0] >= '1' && digits[0] <= '9' && *end == '\0' && n <= max;
		if (fits)
			*ret = n;
	}
	buf_fini(&text);
	return fits;
}

/* Anything but 0. */
static bool take_yes(struct slice query, const char *name)
{
	struct buf text;

	buf_init(&text, NAME_BYTES_MAX);
	bool yes = url_param(query, name, &text) && !slice_eq(buf_slice(&text), SLICE_LIT("0"));

	buf_fini(&text);
	return yes;
}

/* False, and answered, when the query is at fault. */
static bool take_page(struct exchange *x, struct slice query, struct page *ret_page)
{
	struct buf text;
	uint64_t limit = ADMIN_PAGE_DEFAULT;
	bool fits = true;

	*ret_page = (struct page){ 0 };
	if (!take_number(query, "limit", ADMIN_PAGE_MAX, &limit)) {
		admin_error(x, 400, "limit: give a number from 1 to %d", ADMIN_PAGE_MAX);
		return false;
	}
	ret_page->limit = (size_t)limit;
	if (!take_number(query, "before", INT64_MAX, &ret_page->before)) {
		admin_error(x, 400, "before: take it from the next of an earlier page");
		return false;
	}
	buf_init(&text, NAME_BYTES_MAX);
	ret_page->all = take_yes(query, "all");
	ret_page->boxes = take_yes(query, "boxes");
	if (url_param(query, "after", &text) &&
		id_parse(buf_slice(&text), &ret_page->after) < 0) {
		admin_error(x, 400, "after: give the id of a flow, whole");
		fits = false;
	}
	buf_fini(&text);
	return fits;
}

static void list_ended(struct list_op *op, uint64_t before)
{
	op->list.before = before;
	op->list.limit = op->limit - op->live;
	op->list.done = on_list;
	store_list(op->op.admin->config.store, &op->list);
}

static void on_roll(struct roll *r, int rc, struct slice json, size_t n, const struct id *last)
{
	struct list_op *op = container_of(r, struct list_op, roll);
	char text[ID_TEXT_SIZE];
	char next[64];

	if (rc < 0) {
		admin_unknown(op->op.x);
		admin_op_free(&op->op);
		return;
	}
	buf_put_slice(&op->op.text, json);
	op->live = op->told = n;
	if (!id_is_zero(last) && r->nlines == r->limit) {
		id_text(last, text);
		snprintf(next, sizeof(next), "%s&after=%s", op->all ? "&all=1" : "", text);
		finish(op, next);
		return;
	}
	if (op->all)
		list_ended(op, 0);
	else
		finish(op, NULL);
}

void admin_list(struct admin *a, struct exchange *x, const struct http1 *req)
{
	struct page page = { 0 };

	if (!take_page(x, req->query, &page))
		return;
	/* The engine has forgotten its flows until the store is back: a list would be
	 * empty. */
	if (engine_away(a->config.engine)) {
		admin_unknown(x);
		return;
	}
	struct list_op *op = admin_op_new(a, x, sizeof(*op));

	op->limit = page.limit;
	engine_figures(a->config.engine, &op->figures);
	op->all = page.all;
	op->roll.boxes = page.boxes;
	buf_puts(&op->op.text, "{\"flows\": [");
	if (page.before != 0) {
		list_ended(op, page.before);
		return;
	}
	op->roll.after = page.after;
	op->roll.limit = page.limit;
	op->roll.done = on_roll;
	engine_list(a->config.engine, &op->roll);
}
