/* render_list.c - `ls`: one flow a line, and the figures below. */
#include "host/render_member.h"
#include "host/words.h"

#include <inttypes.h>
#include <string.h>

enum {
	ID_WIDTH = 26,
	FLOW_WIDTH = 16,
	STATE_WIDTH = 9,
	STARTED_WIDTH = 14,
	UNTIL_WIDTH = 16
};

void render_list_head(struct buf *out, const struct render *r)
{
	member_colour(out, r, "1");
	buf_printf(out, "%-*s  %-*s  %-*s  %-*s  %-*s  %s", ID_WIDTH, "ID", FLOW_WIDTH,
		"FLOW", STATE_WIDTH, "STATE", STARTED_WIDTH, "STARTED", UNTIL_WIDTH,
		"WAITS UNTIL", "URLS  CALLS  UNTAKEN");
	member_colour(out, r, "0");
	buf_puts(out, "\n");
}

/* text in a column; what is longer pushes the rest to the right rather than being cut. */
static void put_column(struct buf *out, struct slice text, size_t width)
{
	size_t before = out->len;

	words_text(out, text);
	while (out->len - before < width && !buf_failed(out))
		buf_putc(out, ' ');
	buf_puts(out, "  ");
}

/* A time as the reader counts it: from now. */
static void put_relative_column(
	struct buf *out, const struct render *r, int64_t at_ms, size_t width)
{
	struct buf words;

	buf_init(&words, META_BYTES_MAX);
	words_relative(&words, at_ms, r->now_ms);
	put_column(out, buf_slice(&words), width);
	buf_fini(&words);
}

void render_list_row(struct buf *out, const struct render *r, const struct json_t *flow)
{
	const char *state = member_state(flow);
	const char *why = member_text(flow, "why");
	bool live = member_is_number(flow, "hooks_open");

	put_column(out, slice_of(member_text(flow, "id")), ID_WIDTH);
	put_column(out, slice_of(member_text(flow, "flow")), FLOW_WIDTH);
	member_colour(out, r, member_state_colour(state));
	put_column(out, slice_of(state), STATE_WIDTH);
	member_colour(out, r, "0");
	put_relative_column(out, r, member_number(flow, "started_ms"), STARTED_WIDTH);
	if (member_is_number(flow, "waits_until_ms"))
		put_relative_column(
			out, r, member_number(flow, "waits_until_ms"), UNTIL_WIDTH);
	else
		put_column(out, slice_of("-"), UNTIL_WIDTH);
	if (live)
		buf_printf(out, "%4" PRId64 "  %5" PRId64 "  %7" PRId64,
			member_number(flow, "hooks_open"), member_number(flow, "calls"),
			member_number(flow, "untaken"));
	if (why[0] != '\0' && strcmp(why, state) != 0) {
		buf_puts(out, live ? "  " : "");
		words_text(out, slice_of(why));
	}
	/* An ended flow without a reason leaves only the blanks of its last column. */
	while (out->len > 0 && !buf_failed(out) && out->ptr[out->len - 1] == ' ')
		out->ptr[--out->len] = '\0';
	buf_puts(out, "\n");
}

/* "1 flow", "2 flows". */
static void put_count(struct buf *out, int64_t n, const char *one, const char *many)
{
	buf_printf(out, "%" PRId64 " %s", n, n == 1 ? one : many);
}

/* "512 bytes", "64.0 KiB", "1.5 MiB". */
static void put_bytes(struct buf *out, int64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	double n = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		put_count(out, bytes, "byte", "bytes");
		return;
	}
	/* From here on it would read "1024.0". */
	for (; n >= 1023.95 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		n /= 1024;
	buf_printf(out, "%.1f %s", n, units[unit]);
}

void render_figures(struct buf *out, const struct json_t *figures)
{
	put_count(out, member_number(figures, "flows"), "flow", "flows");
	buf_printf(out, " live, %" PRId64 " waiting", member_number(figures, "waiting"));
	if (member_number(figures, "stopped") > 0)
		buf_printf(
			out, ", %" PRId64 " stopped", member_number(figures, "stopped"));
	buf_puts(out, "; ");
	put_count(out, member_number(figures, "hooks_open"), "URL", "URLs");
	buf_puts(out, " out, ");
	put_count(out, member_number(figures, "calls"), "call", "calls");
	buf_puts(out, " under way, ");
	put_count(out, member_number(figures, "untaken"), "message", "messages");
	buf_puts(out, " not yet taken\n");
	if (member_number(figures, "boxes") > 0) {
		put_count(out, member_number(figures, "boxes"), "box", "boxes");
		buf_puts(out, " of named doors, with ");
		put_count(out, member_number(figures, "boxes_untaken"), "message", "messages");
		buf_puts(out, " that nobody waits for yet\n");
	}
	buf_printf(out, "%" PRId64 " parked, the others take ", member_number(figures, "parked"));
	put_bytes(out, member_number(figures, "memory"));
	buf_puts(out, " of memory; ");
	put_bytes(out, member_number(figures, "bodies"));
	buf_puts(out, " of bodies in flight");
	if (member_number(figures, "refused") > 0)
		buf_printf(out, "; %" PRId64 " requests refused for want of memory",
			member_number(figures, "refused"));
	buf_puts(out, "\n");
}
