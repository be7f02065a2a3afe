/* ledger.c - lines in two lists: all of them by age, and each hook's own, its book.
 *
 * Invariant: a line is in both; a hook's book has at least one line, and goes with its last. Surprise: the
 * counts of a book outlive its lines, but not the book; a door's book stays. */
#include "engine/ledger_private.h"

#include <stdlib.h>
#include <string.h>

/* How many lines of each sort one book has, at most: what cannot be put back must not push out what can. */
static const size_t sort_max[SORTS] = {
	[SORT_KEPT] = LEDGER_HOOK_LINES_MAX, [SORT_NOBODY] = LEDGER_HOOK_NOBODY_MAX, [SORT_BARE] = LEDGER_HOOK_BARE_MAX,
};

struct ledger *ledger_new(void)
{
	struct ledger *l = xalloc(sizeof *l);

	map_init(&l->flows);
	list_init(&l->lines);
	list_init(&l->staying);
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
	b->nsort[line->sort]--;
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
		if (!b->nlines && !b->stays)
			book_remove(l, b);
	}
	for (struct list *at; (at = list_shift(&l->staying));)
		book_remove(l, container_of(at, struct book, staying));
	map_fini(&l->flows);
	free(l);
	return NULL;
}

static struct ledger_line *oldest_of(struct book *b, enum line_sort sort)
{
	for (struct list *at = b->lines.next; at != &b->lines; at = at->next)
		if (container_of(at, struct ledger_line, in_book)->sort == sort)
			return container_of(at, struct ledger_line, in_book);
	return NULL;
}

/* For a line of that size in book b, which is not yet in it. */
static void make_room(struct ledger *l, struct book *b, const struct ledger_line *line)
{
	if (b->nsort[line->sort] == sort_max[line->sort])
		line_remove(l, oldest_of(b, line->sort));
	while (b->nlines && (b->nlines == LEDGER_HOOK_LINES_MAX || b->bytes + line->size > LEDGER_HOOK_BYTES_MAX))
		line_remove(l, container_of(b->lines.next, struct ledger_line, in_book));
	while (l->nlines && (l->nlines == LEDGER_LINES_MAX || l->bytes + line->size > LEDGER_BYTES_MAX)) {
		struct ledger_line *old = container_of(l->lines.next, struct ledger_line, by_age);
		struct book *olds = old->book;

		line_remove(l, old);
		if (!olds->nlines && !olds->stays && olds != b)
			book_remove(l, olds);
	}
}

/* ---- noting ---- */

static struct book *book_of(struct ledger *l, const struct id *flow, uint32_t hook, int64_t now_ms)
{
	struct book *first = map_get(&l->flows, flow);
	struct book *before = NULL;

	for (struct book *b = first; b && b->hook <= hook; b = b->next) {
		if (b->hook == hook)
			return b;
		before = b;
	}
	struct book *made = xalloc(sizeof *made);

	*made = (struct book){ .flow = *flow, .hook = hook, .since_ms = now_ms, .next = before ? before->next : first };
	list_init(&made->lines);
	list_init(&made->staying);
	if (before)
		before->next = made;
	else
		map_put(&l->flows, flow, made);
	return made;
}

void ledger_open_door(struct ledger *l, const struct id *door, int64_t now_ms)
{
	struct book *b = book_of(l, door, 0, now_ms);

	b->stays = true;
	list_push(&l->staying, &b->staying);
}

static struct slice put(char **at, struct slice s)
{
	struct slice kept = { *at, s.len };

	if (s.len)
		memcpy(*at, s.ptr, s.len);
	*at += s.len;
	return kept;
}

static enum line_sort sort_of(enum fate fate)
{
	if (fate == FATE_NOBODY)
		return SORT_NOBODY;
	return fate == FATE_REFUSED || fate == FATE_LATE ? SORT_KEPT : SORT_BARE;
}

static struct ledger_line *line_new(const struct ledger_request *q)
{
	bool bare = sort_of(q->fate) == SORT_BARE;
	bool whole = !bare && q->body.len <= LEDGER_BODY_BYTES_MAX;
	struct slice meta = bare ? SLICE_NONE : q->meta;
	struct slice body = whole ? q->body : SLICE_NONE;
	size_t n = q->why.len + q->message_id.len + q->method.len + meta.len + body.len;
	struct ledger_line *line = xalloc(sizeof *line + n);
	char *at = line->bytes;

	*line = (struct ledger_line){
		.number = q->number, .time_ms = q->time_ms, .fate = q->fate, .status = q->status,
		.sort = sort_of(q->fate), .to = q->to, .whole = whole, .body_len = q->body.len, .size = sizeof *line + n };
	line->why = put(&at, q->why);
	line->message_id = put(&at, q->message_id);
	line->method = put(&at, q->method);
	line->meta = put(&at, meta);
	line->body = put(&at, body);
	return line;
}

void ledger_note(struct ledger *l, const struct ledger_request *q)
{
	struct book *b = book_of(l, q->flow, q->hook, q->time_ms);
	struct ledger_line *line = line_new(q);

	make_room(l, b, line);
	line->book = b;
	list_push(&l->lines, &line->by_age);
	list_push(&b->lines, &line->in_book);
	l->nlines++;
	l->bytes += line->size;
	b->nlines++;
	b->nsort[line->sort]++;
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
