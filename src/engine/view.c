/* view.c - journal entries in words that a person reads.
 *
 * Invariant: valid JSON comes out whatever bytes strangers sent. Surprise: the numbers of entries
 * are those of their rows, since the rows of an ended flow may have gaps. */
#include "engine/view.h"

#include "engine/msg.h"

#include <stdlib.h>
#include <string.h>

enum { CUT_BYTES = 80 };

/* Of UTF-8: does a character go on with this byte? */
static bool goes_on(char c)
{
	return ((uint8_t)c & 0xc0) == 0x80;
}

struct slice view_cut(struct slice bytes)
{
	size_t len = CUT_BYTES;

	if (bytes.len <= CUT_BYTES)
		return bytes;
	/* What is left out must not begin in the middle of a character. One goes on for three
	 * bytes at most; where there are more it is no text, and may be cut anywhere. */
	while (len > CUT_BYTES - 3 && goes_on(bytes.ptr[len]))
		len--;
	return (struct slice){ bytes.ptr, goes_on(bytes.ptr[len]) ? CUT_BYTES : len };
}

/* How many, and how they begin; of binary ones only how many. */
static void put_bytes(struct buf *t, struct slice bytes)
{
	struct slice cut = view_cut(bytes);

	buf_printf(t, "%zu bytes", bytes.len);
	if (!cut.len || memchr(cut.ptr, '\0', cut.len))
		return;
	buf_puts(t, " ");
	buf_put_slice(t, cut);
	if (cut.len < bytes.len)
		buf_puts(t, " … (cut)");
}

/* The same, and why a flow reads it as absent if it does. */
static void put_body(struct buf *t, const struct entry *e)
{
	struct err why;

	put_bytes(t, e->body);
	if (e->body.len && body_check(e->meta, e->body, &why) < 0)
		buf_printf(t, " (not read as JSON: %s)", why.text);
}

static void put_message(struct buf *t, const struct entry *e)
{
	switch (e->source) {
	case SOURCE_HOOK:
		buf_printf(t, "delivery to hook %u: ", e->number);
		break;
	case SOURCE_TIMER:
		buf_printf(t, "the timer of step %u rang", e->number);
		return;
	case SOURCE_CALL:
		if (!e->status) {
			buf_printf(t, "the call of step %u was given up without an answer",
			           e->number);
			return;
		}
		buf_printf(t, "answer %d to the call of step %u: ", e->status, e->number);
		break;
	case SOURCE_CHILD:
		/* Of one that failed it is why, and no JSON. */
		buf_printf(t, "the child of step %u ended (%d): ", e->number, e->status);
		put_bytes(t, e->body);
		return;
	case SOURCE_WAIT:
	case SOURCE_RESULT:
	case SOURCE_CANCEL:
		break;
	}
	put_body(t, e);
}

/* What is begun when it is durable counts in doubt as a call does, since a restart has to run it again. */
static uint32_t calls_of(const struct entry *e, enum step_kind last)
{
	bool begins = e->rest == REST_NEEDS || (e->rest == REST_WAITS && (last == STEP_ONCE || last == STEP_WORK));

	return e->doubt - (e->doubt && begins);
}

static void put_progress(struct buf *t, const struct entry *e)
{
	struct slice rest = e->steps;
	struct entry_step s = { .content = 0 };
	bool first = true;

	buf_printf(t, "reached step %u", e->number);
	for (; entry_step_next(&rest, &s) == 1; first = false)
		buf_printf(t, "%s%s%s%.*s", first ? ": " : ", ", step_kind_name(s.kind),
		           s.label.len ? " " : "", (int)s.label.len, s.label.ptr);
	uint32_t calls = calls_of(e, s.kind);

	if (calls)
		buf_printf(t, "; %u call%s without an answer", calls, calls == 1 ? "" : "s");
	if (e->rest == REST_NEEDS)
		buf_puts(t, "; the flow that it acts on is being fetched");
	if (e->rest == REST_CLOSING)
		/* Without a step since it last came to rest, it may have been cancelled. */
		buf_puts(t, first ? "; it goes no further" : "; its function has returned");
	if (e->rest == REST_PAUSED)
		buf_puts(t, "; interrupted there, for others to run");
}

static void put_born(struct buf *t, const struct entry *e)
{
	struct slice rest = e->born;
	struct entry_born b;
	size_t n = 0;

	while (entry_born_next(&rest, &b) == 1)
		n++;
	buf_printf(t, "%zu of these children by name", n);
}

static void put_hook(struct buf *t, const struct entry *e)
{
	if (e->each.len)
		buf_printf(t, "hook %u \"%.*s\" starts a flow %.*s for each delivery", e->number,
		           (int)e->name.len, e->name.ptr, (int)e->each.len, e->each.ptr);
	else
		buf_printf(t, "hook %u \"%.*s\" opened", e->number, (int)e->name.len, e->name.ptr);
}

static void put_end(struct buf *t, const struct entry *e)
{
	if (e->status == END_DONE) {
		buf_puts(t, "done: ");
		put_bytes(t, e->body);
	} else {
		buf_printf(t, "%s: ", e->status == END_FAILED ? "failed" : "ended");
		buf_put_slice(t, view_cut(e->name));
	}
}

static void put_reply(struct buf *t, const struct entry *e)
{
	size_t lines = 0;

	for (size_t i = 0; i < e->meta.len; i++)
		lines += e->meta.ptr[i] == '\n';
	buf_printf(t, "reply %d to the delivery of entry %llu: ", e->status, (unsigned long long)e->message_seq);
	if (e->kind == ENTRY_ANSWER)
		buf_printf(t, "%zu header%s, ", lines, lines == 1 ? "" : "s");
	put_bytes(t, e->body);
}

/* Texts of a decoded entry point into the row, even empty ones. */
static void put_text(struct buf *t, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_START:
		buf_printf(t, "started as %.*s with ", (int)e->name.len, e->name.ptr);
		put_body(t, e);
		break;
	case ENTRY_HOOK:
		put_hook(t, e);
		break;
	case ENTRY_MESSAGE:
		put_message(t, e);
		break;
	case ENTRY_TIMEOUT:
		buf_printf(t, "the wait of step %u ended with nothing", e->number);
		break;
	case ENTRY_CLOSED:
		buf_printf(t, "hook %u closed: %.*s", e->number, (int)e->name.len, e->name.ptr);
		break;
	case ENTRY_CHILDREN:
		buf_printf(t, "children: %llu started, %llu ended", (unsigned long long)e->added,
		           (unsigned long long)e->ended);
		break;
	case ENTRY_CANCEL:
		buf_puts(t, "cancelled");
		break;
	case ENTRY_PROGRESS:
		put_progress(t, e);
		break;
	case ENTRY_END:
		put_end(t, e);
		break;
	case ENTRY_BORN:
		put_born(t, e);
		break;
	case ENTRY_DOOR:
		buf_puts(t, "the hooks that are open stay so");
		break;
	case ENTRY_RESULT:
		buf_printf(t, "the result of step %u (%.*s): %zu bytes", e->number, (int)e->name.len,
		           e->name.ptr, e->body.len);
		break;
	case ENTRY_PUBLISH:
		buf_printf(t, "published %.*s: ", (int)e->name.len, e->name.ptr);
		put_bytes(t, e->body);
		break;
	case ENTRY_RENEW:
		buf_puts(t, "renewed with ");
		put_body(t, e);
		break;
	case ENTRY_REPLY:
	case ENTRY_ANSWER:
		put_reply(t, e);
		break;
	case ENTRY_PATCH:
		buf_printf(t, "patch %.*s", (int)e->name.len, e->name.len ? e->name.ptr : "");
		break;
	}
}

/* One object of the list that `show` has. */
static void put_entry(struct view *v, uint64_t seq, const struct entry *e)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	put_text(&text, e);
	buf_printf(&v->journal, "%s{\"seq\": %llu, \"time_ms\": %lld, \"entry\": \"%s\"",
	           v->journal.len ? ", " : "", (unsigned long long)seq, (long long)e->time_ms,
	           entry_kind_name(e->kind));
	buf_puts(&v->journal, ", \"text\": ");
	buf_json_string(&v->journal, buf_slice(&text));
	buf_putc(&v->journal, '}');
	buf_fini(&text);
}

static void publish(struct view *v, struct slice name, struct slice body)
{
	size_t at = 0;

	while (at < v->npublished && !slice_eq(v->published[2 * at], name))
		at++;
	if (at == v->npublished)
		v->published = xrealloc(v->published, 2 * ++v->npublished * sizeof *v->published);
	v->published[2 * at] = name;
	v->published[2 * at + 1] = body;
}

/* What earlier lives published: their entries may be gone, and of those still here it is the newest. */
static void publish_again(struct view *v, const struct entry *door)
{
	struct slice rest = door->published;
	struct entry_published p;

	while (entry_published_next(&rest, &p) == 1)
		publish(v, p.name, p.body);
}

static void deliver(struct view *v, uint64_t seq, const struct entry *e)
{
	if (v->nmessages == v->messages_cap) {
		v->messages_cap = v->messages_cap ? 2 * v->messages_cap : 16;
		v->messages = xrealloc(v->messages, v->messages_cap * sizeof *v->messages);
	}
	v->messages[v->nmessages++] = (struct ledger_message){
		.hook = e->number, .entry = seq, .time_ms = e->time_ms, .body = e->body };
}

/* What `show` tells besides the list. */
static void take(struct view *v, uint64_t seq, const struct entry *e)
{
	struct slice rest = e->steps;
	struct entry_step s;

	if (e->kind == ENTRY_START || e->kind == ENTRY_RENEW)
		v->input = e->body;
	if (e->kind == ENTRY_RENEW)
		v->steps = 0;
	if (e->kind == ENTRY_PUBLISH)
		publish(v, e->name, e->body);
	if (e->kind == ENTRY_DOOR)
		publish_again(v, e);
	if (e->kind == ENTRY_MESSAGE && e->source == SOURCE_HOOK)
		deliver(v, seq, e);
	if (e->kind != ENTRY_PROGRESS)
		return;
	v->steps = e->number;
	v->last_ms = e->time_ms;
	while (entry_step_next(&rest, &s) == 1)
		v->last = s;
}

struct view *view_new(const struct store_load *load)
{
	struct view *v = xalloc(sizeof *v);
	size_t at = 0;

	buf_init(&v->journal, SIZE_MAX);
	buf_init(&v->kept, SIZE_MAX);
	/* All first: the buffer moves while it grows. */
	for (size_t i = 0; i < load->nrows; i++)
		buf_put_slice(&v->kept, load->rows[i].bytes);
	for (size_t i = 0; i < load->nrows; i++) {
		struct slice rest = { v->kept.ptr + at, load->rows[i].bytes.len };
		uint64_t seq = load->rows[i].seq;
		struct entry e;

		at += rest.len;
		for (; entry_next(&rest, &e) == 1; v->nentries++) {
			put_entry(v, seq, &e);
			take(v, seq++, &e);
		}
	}
	return v;
}

struct view *view_free(struct view *v)
{
	if (!v)
		return NULL;
	buf_fini(&v->journal);
	buf_fini(&v->kept);
	free(v->published);
	free(v->messages);
	free(v);
	return NULL;
}
