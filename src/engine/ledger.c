/* ledger.c - lines in two lists: all of them by age, and each hook's own, its book.
 *
 * Invariant: a line is in both; a book has at least one line, and goes with its last. Surprise: the counts
 * of a book outlive its lines, but not the book. */
#include "engine/ledger.h"

#include "base/list.h"
#include "base/map.h"
#include "engine/view.h"

#include <stdlib.h>
#include <string.h>

/* One hook's. */
struct book {
	struct id    flow;
	uint32_t     hook;
	int64_t      since_ms;            /* its first line's time; the counts begin there */
	uint64_t     counts[FATES];
	struct list  lines;               /* oldest first */
	size_t       nlines, nbare, bytes;
	struct book *next;                /* of the same flow, by number */
};

struct ledger_line {
	struct list  by_age, in_book;
	struct book *book;
	uint64_t     number;
	int64_t      time_ms;
	enum fate    fate;
	int          status;
	bool         bare;                /* never had headers and body … */
	bool         whole;               /* … or has both */
	size_t       body_len;            /* as it was sent */
	size_t       size;                /* bytes that it takes */
	struct slice why, message_id, method, meta, body;   /* point into bytes */
	char         bytes[];
};

struct ledger {
	struct map  flows;                /* id → its first book */
	struct list lines;
	size_t      nlines, bytes;
};

struct ledger *ledger_new(void)
{
	struct ledger *l = xalloc(sizeof *l);

	map_init(&l->flows);
	list_init(&l->lines);
	return l;
}

/* ---- making room ---- */

static void book_remove(struct ledger *l, struct book *b)
{
	struct book *first = map_get(&l->flows, &b->flow);

	if (first == b) {
		(void)map_remove(&l->flows, &b->flow);
		if (b->next)
			map_put(&l->flows, &b->flow, b->next);
	} else {
		while (first->next != b)
			first = first->next;
		first->next = b->next;
	}
	free(b);
}

/* Its book may stay empty: who has it in hand puts a line into it. */
static void line_remove(struct ledger *l, struct ledger_line *line)
{
	struct book *b = line->book;

	list_remove(&line->by_age);
	list_remove(&line->in_book);
	l->nlines--;
	l->bytes -= line->size;
	b->nlines--;
	b->nbare -= line->bare;
	b->bytes -= line->size;
	free(line);
}

struct ledger *ledger_free(struct ledger *l)
{
	if (!l)
		return NULL;
	while (!list_empty(&l->lines)) {
		struct ledger_line *line = container_of(l->lines.next, struct ledger_line, by_age);
		struct book *b = line->book;

		line_remove(l, line);
		if (!b->nlines)
			book_remove(l, b);
	}
	map_fini(&l->flows);
	free(l);
	return NULL;
}

static struct ledger_line *oldest_bare(struct book *b)
{
	for (struct list *at = b->lines.next; at != &b->lines; at = at->next)
		if (container_of(at, struct ledger_line, in_book)->bare)
			return container_of(at, struct ledger_line, in_book);
	return NULL;
}

/* For a line of that size in book b, which is not yet in it. */
static void make_room(struct ledger *l, struct book *b, const struct ledger_line *line)
{
	if (line->bare && b->nbare == LEDGER_HOOK_BARE_MAX)
		line_remove(l, oldest_bare(b));
	while (b->nlines && (b->nlines == LEDGER_HOOK_LINES_MAX || b->bytes + line->size > LEDGER_HOOK_BYTES_MAX))
		line_remove(l, container_of(b->lines.next, struct ledger_line, in_book));
	while (l->nlines && (l->nlines == LEDGER_LINES_MAX || l->bytes + line->size > LEDGER_BYTES_MAX)) {
		struct ledger_line *old = container_of(l->lines.next, struct ledger_line, by_age);
		struct book *olds = old->book;

		line_remove(l, old);
		if (!olds->nlines && olds != b)
			book_remove(l, olds);
	}
}

/* ---- noting ---- */

static struct book *book_of(struct ledger *l, const struct ledger_request *q)
{
	struct book *first = map_get(&l->flows, q->flow);
	struct book *before = NULL;

	for (struct book *b = first; b && b->hook <= q->hook; b = b->next) {
		if (b->hook == q->hook)
			return b;
		before = b;
	}
	struct book *made = xalloc(sizeof *made);

	*made = (struct book){ .flow = *q->flow, .hook = q->hook, .since_ms = q->time_ms,
	                       .next = before ? before->next : first };
	list_init(&made->lines);
	if (before)
		before->next = made;
	else
		map_put(&l->flows, q->flow, made);
	return made;
}

static struct slice put(char **at, struct slice s)
{
	struct slice kept = { *at, s.len };

	if (s.len)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return kept;
}

static struct ledger_line *line_new(const struct ledger_request *q)
{
	bool bare = q->fate != FATE_REFUSED && q->fate != FATE_LATE;
	bool whole = !bare && q->body.len <= LEDGER_BODY_BYTES_MAX;
	struct slice meta = bare ? SLICE_NONE : q->meta;
	struct slice body = whole ? q->body : SLICE_NONE;
	size_t n = q->why.len + q->message_id.len + q->method.len + meta.len + body.len;
	struct ledger_line *line = xalloc(sizeof *line + n);
	char *at = line->bytes;

	*line = (struct ledger_line){
		.number = q->number, .time_ms = q->time_ms, .fate = q->fate, .status = q->status, .bare = bare,
		.whole = whole, .body_len = q->body.len, .size = sizeof *line + n };
	line->why = put(&at, q->why);
	line->message_id = put(&at, q->message_id);
	line->method = put(&at, q->method);
	line->meta = put(&at, meta);
	line->body = put(&at, body);
	return line;
}

void ledger_note(struct ledger *l, const struct ledger_request *q)
{
	struct book *b = book_of(l, q);
	struct ledger_line *line = line_new(q);

	make_room(l, b, line);
	line->book = b;
	list_push(&l->lines, &line->by_age);
	list_push(&b->lines, &line->in_book);
	l->nlines++;
	l->bytes += line->size;
	b->nlines++;
	b->nbare += line->bare;
	b->bytes += line->size;
	b->counts[line->fate]++;
}

/* ---- reading ---- */

struct ledger_line *ledger_find(struct ledger *l, const struct id *flow, uint64_t number)
{
	for (struct book *b = map_get(&l->flows, flow); b; b = b->next)
		for (struct list *at = b->lines.next; at != &b->lines; at = at->next)
			if (container_of(at, struct ledger_line, in_book)->number == number)
				return container_of(at, struct ledger_line, in_book);
	return NULL;
}

bool ledger_read(const struct ledger_line *line, struct ledger_request *ret)
{
	*ret = (struct ledger_request){
		.flow = &line->book->flow, .hook = line->book->hook, .number = line->number, .time_ms = line->time_ms,
		.fate = line->fate, .status = line->status, .why = line->why, .message_id = line->message_id,
		.method = line->method, .meta = line->meta, .body = line->body };
	return line->whole;
}

void ledger_put_back(struct ledger_line *line)
{
	line->book->counts[line->fate]--;
	line->fate = FATE_PUT_BACK;
	line->book->counts[line->fate]++;
}

static const char *const fate_names[FATES] = {
	[FATE_NONE] = "?", [FATE_STORED] = "stored", [FATE_DUPLICATE] = "duplicate", [FATE_QUESTION] = "question",
	[FATE_REFUSED] = "refused", [FATE_LATE] = "late", [FATE_PUT_BACK] = "put back",
};

/* "name: value" lines as pairs: a header may come twice. */
static void show_headers(struct buf *out, struct slice meta, ledger_hides *hides, const void *owner)
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
			buf_json_string(out, value.len && hides(owner, name) ? SLICE_LIT("…") : value);
			buf_putc(out, ']');
			comma = ", ";
		}
		meta.ptr += len + (eol != NULL);
		meta.len -= len + (eol != NULL);
	}
	buf_putc(out, ']');
}

static void show_line(struct buf *out, const struct ledger_line *line, ledger_hides *hides, const void *owner)
{
	struct slice cut = view_cut(line->body);

	buf_printf(out, "{\"number\": %llu, \"time_ms\": %lld, \"fate\": \"%s\", \"status\": %d, \"method\": ",
	           (unsigned long long)line->number, (long long)line->time_ms, fate_names[line->fate], line->status);
	buf_json_string(out, line->method);
	if (line->why.len) {
		buf_puts(out, ", \"why\": ");
		buf_json_string(out, line->why);
	}
	buf_printf(out, ", \"len\": %zu", line->body_len);
	if (!line->bare) {
		buf_printf(out, ", \"kept\": %s, \"text\": ", line->whole ? "true" : "false");
		buf_json_string(out, cut);
		if (cut.len < line->body.len)
			buf_puts(out, ", \"cut\": true");
		show_headers(out, line->meta, hides, owner);
	}
	buf_putc(out, '}');
}

void ledger_show(struct buf *out, const struct ledger *l, const struct id *flow, ledger_hides *hides,
                 const void *owner)
{
	const struct book *first = map_get(&l->flows, flow);

	buf_putc(out, '[');
	for (const struct book *b = first; b; b = b->next) {
		const char *comma = "";

		buf_printf(out, "%s{\"hook\": %u, \"since_ms\": %lld, \"duplicates\": %llu, \"questions\": %llu, "
		           "\"refused\": %llu, \"late\": %llu, \"put_back\": %llu, \"requests\": [", b == first ? "" : ", ",
		           b->hook, (long long)b->since_ms, (unsigned long long)b->counts[FATE_DUPLICATE],
		           (unsigned long long)b->counts[FATE_QUESTION], (unsigned long long)b->counts[FATE_REFUSED],
		           (unsigned long long)b->counts[FATE_LATE], (unsigned long long)b->counts[FATE_PUT_BACK]);
		for (const struct list *at = b->lines.next; at != &b->lines; at = at->next, comma = ", ") {
			buf_puts(out, comma);
			show_line(out, container_of(at, const struct ledger_line, in_book), hides, owner);
		}
		buf_puts(out, "]}");
	}
	buf_putc(out, ']');
}
