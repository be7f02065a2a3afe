/* entry.c - journal entries to bytes and back: a table of fields for each kind.
 *
 * Invariant: what entry_next accepts, entry_put writes again byte for byte: numbers have one
 * length, nothing is skipped, nothing may follow. Surprise: an unknown kind is refused, not
 * skipped: a flow must never be replayed with a hole in its journal. A table is a file format:
 * fields are neither moved nor changed, a new need is a new kind. */
#include "wire/entry.h"

#include "wire/pack.h"

#define TEXT(member)               PACK_TEXT(struct entry, member)
#define ID(member)                 PACK_ID(struct entry, member)
#define NUMBER(member, most)       PACK_NUMBER(struct entry, member, most)
#define SWITCH(member, skip, most) PACK_SWITCH(struct entry, member, skip, most)
#define TIME                       NUMBER(time_ms, INT64_MAX)
#define KEY                        SWITCH(has_key, 1, 1), ID(key)

/* The sizes that C leaves open; pack.c knows 1, 4 and 8 bytes. */
_Static_assert(sizeof(enum source) == 4, "a number of 1, 4 or 8 bytes");
_Static_assert(sizeof(enum step_kind) == 4, "a number of 1, 4 or 8 bytes");
_Static_assert(sizeof(int) == 4, "a number of 1, 4 or 8 bytes");
_Static_assert(sizeof(bool) == 1, "a number of 1, 4 or 8 bytes");

static const struct pack_field start_fields[] = {
	TIME, TEXT(name), TEXT(body), TEXT(meta),
	/* A parent, if there is one. */
	SWITCH(source, 3, SOURCE_CHILD), ID(flow), NUMBER(number, UINT32_MAX),
	NUMBER(epoch, UINT32_MAX),
	KEY, NUMBER(build, UINT64_MAX), NUMBER(key_id, UINT8_MAX), TEXT(base_url),
};
static const struct pack_field hook_fields[] = {
	TIME, NUMBER(number, UINT32_MAX), TEXT(name), TEXT(options), TEXT(each),
};
static const struct pack_field message_fields[] = {
	TIME,
	/* A wait's own end is a TIMEOUT, never a message. */
	PACK_RANGE(struct entry, source, SOURCE_HOOK, SOURCE_CHILD), NUMBER(number, UINT32_MAX),
	NUMBER(status, INT32_MAX), KEY, TEXT(meta), TEXT(body),
};
static const struct pack_field timeout_fields[] = { TIME, NUMBER(number, UINT32_MAX) };
static const struct pack_field result_fields[] = {
	TIME, NUMBER(number, UINT32_MAX), TEXT(name), TEXT(body),
};
static const struct pack_field patch_fields[] = { TIME, TEXT(name), NUMBER(status, 1) };
static const struct pack_field publish_fields[] = { TIME, TEXT(name), TEXT(body) };
static const struct pack_field closed_fields[] = { TIME, NUMBER(number, UINT32_MAX), TEXT(name) };
static const struct pack_field reply_fields[] = {
	TIME, NUMBER(message_seq, UINT64_MAX), NUMBER(status, INT32_MAX), TEXT(body),
};
static const struct pack_field answer_fields[] = {
	TIME, NUMBER(message_seq, UINT64_MAX), NUMBER(status, INT32_MAX), TEXT(meta), TEXT(body),
};
static const struct pack_field children_fields[] = {
	TIME, NUMBER(added, UINT64_MAX), NUMBER(ended, UINT64_MAX),
};
static const struct pack_field cancel_fields[] = { TIME };
static const struct pack_field progress_fields[] = {
	TIME, NUMBER(number, UINT32_MAX), NUMBER(digest, UINT64_MAX), NUMBER(build, UINT64_MAX),
	NUMBER(doubt, UINT32_MAX), NUMBER(waiting, UINT32_MAX), NUMBER(rest, REST_NEEDS),
	TEXT(steps), TEXT(deadlines),
};
static const struct pack_field renew_fields[] = {
	TIME, TEXT(body), NUMBER(build, UINT64_MAX), NUMBER(key_id, UINT8_MAX), TEXT(base_url),
	NUMBER(hook_next, UINT32_MAX), NUMBER(now_ms, INT64_MAX), TEXT(hooks), TEXT(untaken),
	TEXT(seen),
};
static const struct pack_field born_fields[] = { TIME, TEXT(born) };
static const struct pack_field door_fields[] = {
	TIME, TEXT(name),
	SWITCH(source, 3, SOURCE_CHILD), ID(flow), NUMBER(number, UINT32_MAX),
	NUMBER(epoch, UINT32_MAX),
	KEY, NUMBER(life, UINT32_MAX), NUMBER(started_ms, INT64_MAX), NUMBER(added, UINT64_MAX),
	NUMBER(cancelled_ms, INT64_MAX), NUMBER(message_seq, UINT64_MAX), TEXT(hooks), TEXT(published),
};
static const struct pack_field end_fields[] = {
	TIME, PACK_RANGE(struct entry, status, END_DONE, END_CANCELLED), TEXT(name), TEXT(body),
};

/* ---- items of the packed lists ---- */

static const struct pack_field step_fields[] = {
	/* Steps that a newer build knows may stand here: they are only ever compared. */
	PACK_NUMBER(struct entry_step, kind, INT32_MAX),
	PACK_NUMBER(struct entry_step, content, UINT32_MAX),
	PACK_TEXT(struct entry_step, label),
};
static const struct pack_field deadline_fields[] = {
	PACK_NUMBER(struct entry_deadline, source, SOURCE_CANCEL),
	PACK_NUMBER(struct entry_deadline, step, UINT32_MAX),
	PACK_NUMBER(struct entry_deadline, due_ms, INT64_MAX),
};
static const struct pack_field open_hook_fields[] = {
	PACK_NUMBER(struct entry_open_hook, number, UINT32_MAX),
	PACK_TEXT(struct entry_open_hook, name),
	PACK_TEXT(struct entry_open_hook, options),
};
static const struct pack_field born_item_fields[] = {
	PACK_RANGE(struct entry_born, source, SOURCE_HOOK, SOURCE_CHILD),
	PACK_NUMBER(struct entry_born, number, UINT32_MAX),
	PACK_SWITCH(struct entry_born, has_id, 1, 1),
	PACK_ID(struct entry_born, id),
};
static const struct pack_field door_hook_fields[] = {
	PACK_NUMBER(struct entry_door_hook, number, UINT32_MAX),
	PACK_TEXT(struct entry_door_hook, name),
	PACK_TEXT(struct entry_door_hook, options),
	PACK_TEXT(struct entry_door_hook, each),
	PACK_NUMBER(struct entry_door_hook, closed, 1),
	PACK_NUMBER(struct entry_door_hook, expires_ms, INT64_MAX),
	PACK_NUMBER(struct entry_door_hook, received, UINT64_MAX),
	PACK_TEXT(struct entry_door_hook, seen),
};
static const struct pack_field published_fields[] = {
	PACK_TEXT(struct entry_published, name),
	PACK_TEXT(struct entry_published, body),
};
static const struct pack_layout step_layout = PACK_LAYOUT(step_fields);
static const struct pack_layout deadline_layout = PACK_LAYOUT(deadline_fields);
static const struct pack_layout open_hook_layout = PACK_LAYOUT(open_hook_fields);
static const struct pack_layout born_layout = PACK_LAYOUT(born_item_fields);
static const struct pack_layout door_hook_layout = PACK_LAYOUT(door_hook_fields);
static const struct pack_layout published_layout = PACK_LAYOUT(published_fields);

/* ---- the kinds ---- */

static const struct {
	const char        *name;
	struct pack_layout layout;
} kinds[] = {
	[ENTRY_START]    = { "start", PACK_LAYOUT(start_fields) },
	[ENTRY_HOOK]     = { "hook", PACK_LAYOUT(hook_fields) },
	[ENTRY_MESSAGE]  = { "message", PACK_LAYOUT(message_fields) },
	[ENTRY_TIMEOUT]  = { "timeout", PACK_LAYOUT(timeout_fields) },
	[ENTRY_RESULT]   = { "result", PACK_LAYOUT(result_fields) },
	[ENTRY_PATCH]    = { "patch", PACK_LAYOUT(patch_fields) },
	[ENTRY_PUBLISH]  = { "publish", PACK_LAYOUT(publish_fields) },
	[ENTRY_CLOSED]   = { "closed", PACK_LAYOUT(closed_fields) },
	[ENTRY_REPLY]    = { "reply", PACK_LAYOUT(reply_fields) },
	[ENTRY_CHILDREN] = { "children", PACK_LAYOUT(children_fields) },
	[ENTRY_CANCEL]   = { "cancel", PACK_LAYOUT(cancel_fields) },
	[ENTRY_PROGRESS] = { "progress", PACK_LAYOUT(progress_fields) },
	[ENTRY_RENEW]    = { "renew", PACK_LAYOUT(renew_fields) },
	[ENTRY_END]      = { "end", PACK_LAYOUT(end_fields) },
	[ENTRY_BORN]     = { "born", PACK_LAYOUT(born_fields) },
	[ENTRY_DOOR]     = { "door", PACK_LAYOUT(door_fields) },
	[ENTRY_ANSWER]   = { "answer", PACK_LAYOUT(answer_fields) },
};

/* Also of a byte that anybody may have written. */
static bool is_kind(unsigned kind)
{
	return kind >= ENTRY_START && kind <= ENTRY_KIND_MAX;
}

const char *entry_kind_name(enum entry_kind kind)
{
	return is_kind(kind) ? kinds[kind].name : "?";
}

const char *step_kind_name(enum step_kind kind)
{
	static const char *const names[] = {
		[STEP_SPAWN] = "spawn", [STEP_WAIT] = "next",   [STEP_GATHER] = "gather",
		[STEP_SLEEP] = "sleep", [STEP_EACH] = "each",   [STEP_CLOSE] = "close",
		[STEP_TIMER] = "timer", [STEP_CHILD] = "child", [STEP_SEND] = "send",
		[STEP_POST] = "post",   [STEP_DONE] = "done",   [STEP_FAIL] = "fail",
		[STEP_ONCE] = "once",   [STEP_WORK] = "work",   [STEP_TELL] = "tell",
		[STEP_PUBLISH] = "publish", [STEP_CANCELLED] = "cancelled",
		[STEP_CANCEL] = "cancel", [STEP_RENEW] = "renew", [STEP_REPLY] = "reply",
	};

	if ((size_t)kind >= sizeof names / sizeof *names || !names[kind])
		return "?";
	return names[kind];
}

/* The length is found first, by a walk over the fields: cheaper than a buffer for them. */
void entry_put(struct buf *out, const struct entry *e)
{
	CHECK(is_kind(e->kind));
	const struct pack_layout *layout = &kinds[e->kind].layout;

	size_t len = pack_len(layout, e);

	buf_putc(out, (char)e->kind);
	varint_put(out, len);
	pack_put_len(out, layout, e, len);
}

int entry_next(struct slice *rest, struct entry *ret_entry)
{
	struct slice left = *rest;
	struct entry e = { .kind = 0 };
	uint64_t len = 0;

	if (!rest->len)
		return 0;
	uint8_t kind = (uint8_t)*left.ptr++;

	left.len--;
	if (!is_kind(kind) || varint_next(&left, &len) != 1 || len > left.len)
		return FISH_EFORMAT;
	struct slice fields = { left.ptr, (size_t)len };

	e.kind = (enum entry_kind)kind;
	if (pack_take(&fields, &kinds[kind].layout, &e) != 1 || fields.len)
		return FISH_EFORMAT;
	*rest = (struct slice){ left.ptr + len, left.len - (size_t)len };
	*ret_entry = e;
	return 1;
}

/* ---- the packed lists ---- */

static int item_next(struct slice *rest, const struct pack_layout *layout, void *ret_item)
{
	return rest->len ? pack_take(rest, layout, ret_item) : 0;
}

void entry_step_put(struct buf *out, const struct entry_step *s)
{
	pack_put(out, &step_layout, s);
}

int entry_step_next(struct slice *rest, struct entry_step *ret_step)
{
	return item_next(rest, &step_layout, ret_step);
}

void entry_deadline_put(struct buf *out, const struct entry_deadline *d)
{
	pack_put(out, &deadline_layout, d);
}

int entry_deadline_next(struct slice *rest, struct entry_deadline *ret_deadline)
{
	return item_next(rest, &deadline_layout, ret_deadline);
}

void entry_open_hook_put(struct buf *out, const struct entry_open_hook *h)
{
	pack_put(out, &open_hook_layout, h);
}

int entry_open_hook_next(struct slice *rest, struct entry_open_hook *ret_hook)
{
	return item_next(rest, &open_hook_layout, ret_hook);
}

void entry_born_put(struct buf *out, const struct entry_born *b)
{
	pack_put(out, &born_layout, b);
}

int entry_born_next(struct slice *rest, struct entry_born *ret_born)
{
	return item_next(rest, &born_layout, ret_born);
}

void entry_door_hook_put(struct buf *out, const struct entry_door_hook *h)
{
	pack_put(out, &door_hook_layout, h);
}

int entry_door_hook_next(struct slice *rest, struct entry_door_hook *ret_hook)
{
	return item_next(rest, &door_hook_layout, ret_hook);
}

void entry_published_put(struct buf *out, const struct entry_published *p)
{
	pack_put(out, &published_layout, p);
}

int entry_published_next(struct slice *rest, struct entry_published *ret_published)
{
	return item_next(rest, &published_layout, ret_published);
}
