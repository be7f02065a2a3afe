/* view.c - journal entries in words that a person reads. */
#include "engine/view.h"

#include <stdlib.h>
#include <string.h>

enum { CUT_BYTES = 80 };

struct slice view_cut(struct slice bytes)
{
	/* Not in the middle of a character: a continuation byte goes with its head. */
	while (bytes.len > CUT_BYTES || (bytes.len == CUT_BYTES && ((uint8_t)bytes.ptr[bytes.len - 1] & 0x80)))
		bytes.len--;
	return bytes;
}

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
			buf_printf(t, "the call of step %u was given up without an answer", e->number);
			return;
		}
		buf_printf(t, "answer %d to the call of step %u: ", e->status, e->number);
		break;
	case SOURCE_CHILD:
		buf_printf(t, "the child of step %u ended (%d): ", e->number, e->status);
		break;
	case SOURCE_WAIT:
		break;
	}
	put_bytes(t, e->body);
}

static void put_progress(struct buf *t, const struct entry *e)
{
	struct slice rest = e->steps;
	struct entry_step s;
	bool first = true;

	buf_printf(t, "reached step %u: ", e->number);
	for (; entry_step_next(&rest, &s) == 1; first = false)
		buf_printf(t, "%s%s%s%.*s", first ? "" : ", ", step_kind_name(s.kind), s.label.len ? " " : "",
		           (int)s.label.len, s.label.len ? s.label.ptr : "");
	if (e->doubt)
		buf_printf(t, "; %u call%s without an answer", e->doubt, e->doubt == 1 ? "" : "s");
	if (e->closing)
		buf_puts(t, "; its function has returned");
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

static void put_text(struct buf *t, const struct entry *e)
{
	switch (e->kind) {
	case ENTRY_START:
		buf_printf(t, "started as %.*s with ", (int)e->name.len, e->name.ptr);
		put_bytes(t, e->body);
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
		buf_printf(t, "hook %u closed: %.*s", e->number, (int)e->name.len, e->name.len ? e->name.ptr : "");
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
	case ENTRY_RESULT:
	case ENTRY_PATCH:
	case ENTRY_PUBLISH:
	case ENTRY_REPLY:
	case ENTRY_RENEW:
		buf_printf(t, "%s %.*s", entry_kind_name(e->kind), (int)e->name.len, e->name.len ? e->name.ptr : "");
		break;
	}
}

static void put_entry(struct view *v, uint64_t seq, const struct entry *e)
{
	struct buf text;

	buf_init(&text, SIZE_MAX);
	put_text(&text, e);
	buf_printf(&v->journal, "%s{\"seq\": %llu, \"time_ms\": %lld, \"entry\": \"%s\", \"text\": ",
	           v->journal.len ? ", " : "", (unsigned long long)seq, (long long)e->time_ms,
	           entry_kind_name(e->kind));
	buf_json_string(&v->journal, buf_slice(&text));
	buf_putc(&v->journal, '}');
	buf_fini(&text);
}

static void take(struct view *v, const struct entry *e)
{
	struct slice rest = e->steps;
	struct entry_step s;

	if (e->kind == ENTRY_START)
		v->input = e->body;
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
	struct entry e;

	buf_init(&v->journal, SIZE_MAX);
	buf_init(&v->kept, SIZE_MAX);
	for (size_t i = 0; i < load->nrows; i++)
		buf_put_slice(&v->kept, load->rows[i].bytes);
	struct slice rest = buf_slice(&v->kept);

	for (; entry_next(&rest, &e) == 1; v->nentries++) {
		put_entry(v, v->nentries, &e);
		take(v, &e);
	}
	return v;
}

struct view *view_free(struct view *v)
{
	if (!v)
		return NULL;
	buf_fini(&v->journal);
	buf_fini(&v->kept);
	free(v);
	return NULL;
}
