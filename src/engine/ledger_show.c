/* ledger_show.c - the ledger as JSON: of a flow hook by hook, with what is stored in between, and of a door.
 *
 * Surprise: the two kinds of numbers. A request that is not stored has one of this process; one that is
 * stored has its entry's. */
#include "engine/ledger_private.h"
#include "engine/view.h"

#include <string.h>

static const char *const fate_names[FATES] = {
	[FATE_NONE] = "?", [FATE_STORED] = "stored", [FATE_DUPLICATE] = "duplicate", [FATE_QUESTION] = "question",
	[FATE_REFUSED] = "refused", [FATE_LATE] = "late", [FATE_NOBODY] = "nobody", [FATE_PUT_BACK] = "put back",
};

/* "name: value" lines as pairs: a header may come twice. */
static void show_headers(struct buf *out, struct slice meta, struct ledger_hiding hiding)
{
	const char *comma = "";

	buf_puts(out, ", \"headers\": [");
	while (meta.len) {
		const char *eol = memchr(meta.ptr, '\n', meta.len);
		size_t len = eol ? (size_t)(eol - meta.ptr) : meta.len;
		const char *colon = len ? memchr(meta.ptr + 1, ':', len - 1) : NULL;

		if (colon && colon + 1 < meta.ptr + len) {
			struct slice name = { meta.ptr, (size_t)(colon - meta.ptr) };
			struct slice value = { colon + 2, len - name.len - 2 };

			buf_printf(out, "%s[", comma);
			buf_json_string(out, name);
			buf_puts(out, ", ");
			buf_json_string(out, value.len && hiding.hides(hiding.owner, name) ? SLICE_LIT("…") : value);
			buf_putc(out, ']');
			comma = ", ";
		}
		meta.ptr += len + (eol != NULL);
		meta.len -= len + (eol != NULL);
	}
	buf_putc(out, ']');
}

static void show_line(struct buf *out, const struct ledger_line *line, struct ledger_hiding hiding)
{
	struct slice cut = view_cut(line->body);

	buf_printf(out, "{\"number\": %llu, \"time_ms\": %lld, \"fate\": \"%s\", \"status\": %d, \"method\": ",
	           (unsigned long long)line->number, (long long)line->time_ms, fate_names[line->fate], line->status);
	buf_json_string(out, line->method);
	if (line->why.len) {
		buf_puts(out, ", \"why\": ");
		buf_json_string(out, line->why);
	}
	if (!id_is_zero(&line->to)) {
		char to[ID_TEXT_SIZE];

		id_text(&line->to, to);
		buf_printf(out, ", \"flow\": \"%s\"", to);
	}
	buf_printf(out, ", \"len\": %zu", line->body_len);
	if (line->sort != SORT_BARE) {
		buf_printf(out, ", \"kept\": %s, \"text\": ", line->whole ? "true" : "false");
		buf_json_string(out, cut);
		if (cut.len < line->body.len)
			buf_puts(out, ", \"cut\": true");
		show_headers(out, line->meta, hiding);
	}
	buf_putc(out, '}');
}

/* What is stored has the number of its entry: that is the same after a restart. */
static void show_message(struct buf *out, const struct ledger_message *m)
{
	struct slice cut = view_cut(m->body);

	buf_printf(out, "{\"entry\": %llu, \"time_ms\": %lld, \"fate\": \"%s\", \"len\": %zu, \"text\": ",
	           (unsigned long long)m->entry, (long long)m->time_ms, m->taken ? "taken" : "stored", m->body.len);
	buf_json_string(out, cut);
	buf_puts(out, cut.len < m->body.len ? ", \"cut\": true}" : "}");
}

static const struct ledger_line *line_of(const struct list *at)
{
	return container_of(at, const struct ledger_line, in_book);
}

/* Both are by age; so is what comes out. */
static void show_requests(struct buf *out, const struct book *b, const struct ledger_message *m, size_t n,
                          struct ledger_hiding hiding)
{
	const struct list *at = b->lines.next;
	const char *comma = "";

	buf_puts(out, ", \"requests\": [");
	for (size_t i = 0; at != &b->lines || i < n; comma = ", ") {
		buf_puts(out, comma);
		if (at == &b->lines || (i < n && m[i].time_ms <= line_of(at)->time_ms)) {
			show_message(out, &m[i++]);
		} else {
			show_line(out, line_of(at), hiding);
			at = at->next;
		}
	}
	buf_putc(out, ']');
}

static void show_counts(struct buf *out, const struct book *b, uint64_t stored)
{
	static const struct {
		const char *name;
		enum fate   fate;
	} counts[] = {
		{ "duplicates", FATE_DUPLICATE }, { "questions", FATE_QUESTION }, { "refused", FATE_REFUSED },
		{ "late", FATE_LATE }, { "nobody", FATE_NOBODY }, { "put_back", FATE_PUT_BACK },
	};

	if (b->since_ms == INT64_MIN)
		buf_puts(out, "\"since_ms\": null");
	else
		buf_printf(out, "\"since_ms\": %lld", (long long)b->since_ms);
	buf_printf(out, ", \"stored\": %llu", (unsigned long long)stored);
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		buf_printf(out, ", \"%s\": %llu", counts[i].name, (unsigned long long)b->counts[counts[i].fate]);
}

void ledger_show(struct buf *out, const struct ledger *l, const struct id *flow, const struct ledger_message *m,
                 size_t n, struct ledger_hiding hiding)
{
	const struct book *b = map_get(&l->flows, flow);
	const char *comma = "";
	struct book none = { .since_ms = INT64_MIN };

	list_init(&none.lines);
	buf_putc(out, '[');
	for (size_t i = 0; b || i < n; comma = ", ") {
		uint32_t hook = b && (i == n || b->hook <= m[i].hook) ? b->hook : m[i].hook;
		const struct book *at = b && b->hook == hook ? b : &none;
		size_t end = i;

		while (end < n && m[end].hook == hook)
			end++;
		size_t shown = end - i > LEDGER_HOOK_LINES_MAX ? end - LEDGER_HOOK_LINES_MAX : i;

		buf_printf(out, "%s{\"hook\": %u, ", comma, hook);
		show_counts(out, at, end - i);
		show_requests(out, at, end > i ? &m[shown] : NULL, end - shown, hiding);
		buf_putc(out, '}');
		i = end;
		b = at == b ? b->next : b;
	}
	buf_putc(out, ']');
}

/* Opened when the engine was made. */
static const struct book *door_book(const struct ledger *l, const struct id *door)
{
	const struct book *b = map_get(&l->flows, door);

	CHECK(b);
	return b;
}

void ledger_show_counts(struct buf *out, const struct ledger *l, const struct id *door)
{
	const struct book *b = door_book(l, door);

	show_counts(out, b, b->counts[FATE_STORED]);
}

void ledger_show_requests(struct buf *out, const struct ledger *l, const struct id *door, struct ledger_hiding hiding)
{
	show_requests(out, door_book(l, door), NULL, 0, hiding);
}
