/* render.c - tells of one flow, top down: what it is, what it waits on, its URLs, its
 * journal.
 *
 * Invariant: every text of the JSON passes words_text, as any of them may be a
 * stranger's. Surprise: the JSON may come from another version of the server, so nothing
 * in it is relied on. */
#include "host/raw.h"
#include "host/render_member.h"
#include "host/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { INPUT_BYTES_SHOWN = 400 };

static const char bold[] = "1";
static const char dim[] = "2";

/* "2026-11-23 10:14:00 UTC (in 4 min 12 s)" */
static void put_moment(struct buf *out, const struct render *r, int64_t at_ms)
{
	words_time(out, at_ms);
	buf_puts(out, " (");
	words_relative(out, at_ms, r->now_ms);
	buf_puts(out, ")");
}

/* A value as it was sent, in one line; a long one is cut, and says so. */
static void put_value(struct buf *out, struct slice value)
{
	struct slice shown = value;
	struct buf line;

	if (shown.len > INPUT_BYTES_SHOWN)
		shown.len = INPUT_BYTES_SHOWN;
	/* Not in the middle of a character. */
	while (shown.len < value.len && shown.len > 0 &&
		((unsigned char)value.ptr[shown.len] & 0xc0) == 0x80)
		shown.len--;
	buf_init(&line, INPUT_BYTES_SHOWN);
	raw_put_line(&line, shown);
	words_text(out, buf_slice(&line));
	if (value.len > shown.len)
		buf_printf(out, "... (%zu bytes)", value.len);
	buf_fini(&line);
}

/* What it is: name, id and state first, the rest as far as it is known. */
static void put_head(struct buf *out, const struct render *r, const json_t *flow,
	struct slice text)
{
	const char *state = member_state(flow);

	member_put_coloured(out, r, bold, member_text(flow, "flow"));
	buf_puts(out, " ");
	words_text(out, slice_of(member_text(flow, "id")));
	buf_puts(out, "  ");
	member_put_coloured(out, r, member_state_colour(state), state);
	buf_puts(out, "\n");
	if (json_is_true(json_object_get(flow, "box")))
		buf_puts(out, "  box      of a named door: nobody started it; what comes for its key is kept here until a "
			      "flow waits\n");
	if (member_is_number(flow, "started_ms")) {
		buf_puts(out, "  started  ");
		put_moment(out, r, member_number(flow, "started_ms"));
		buf_puts(out, "\n");
	}
	if (member_is_number(flow, "ended_ms")) {
		buf_puts(out, "  ended    ");
		put_moment(out, r, member_number(flow, "ended_ms"));
		buf_puts(out, "\n");
	}
	if (member_text(flow, "parent")[0] != '\0') {
		buf_puts(out, "  parent   ");
		words_text(out, slice_of(member_text(flow, "parent")));
		buf_puts(out, "\n");
	}
	if (member_number(flow, "children") > 0)
		buf_printf(out, "  children %" PRId64 " live\n",
			member_number(flow, "children"));
	for (const char *const *name = (const char *const[]){ "input", "result", NULL };
		*name; name++) {
		struct slice value = SLICE_NONE;

		if (!raw_member(text, *name, &value) ||
			(slice_eq(value, SLICE_LIT("null")) && strcmp(*name, "result") == 0))
			continue;
		buf_printf(out, "  %-8s ", *name);
		put_value(out, value);
		buf_puts(out, "\n");
	}
	if (member_text(flow, "why")[0] != '\0') {
		buf_puts(out, "  why      ");
		words_text(out, slice_of(member_text(flow, "why")));
		buf_puts(out, "\n");
	}
	if (member_text(flow, "warning")[0] != '\0') {
		buf_puts(out, "  warning  ");
		words_text(out, slice_of(member_text(flow, "warning")));
		buf_puts(out, "\n");
	}
}

/* A blank line and a heading. */
static void put_title(struct buf *out, const struct render *r, const char *title)
{
	buf_puts(out, "\n");
	member_put_coloured(out, r, bold, title);
	buf_puts(out, "\n");
}

/* A step's label names what it waits at, one after the other with bars between. */
static void put_names(struct buf *out, const char *label)
{
	struct slice rest = slice_of(label);

	while (rest.len > 0) {
		const char *bar = memchr(rest.ptr, '|', rest.len);
		struct slice name = { rest.ptr,
			bar != NULL ? (size_t)(bar - rest.ptr) : rest.len };
		size_t taken = bar != NULL ? name.len + 1 : name.len;

		buf_puts(out, "\"");
		words_text(out, name);
		rest = (struct slice){ rest.ptr + taken, rest.len - taken };
		buf_puts(out, rest.len > 0 ? "\", " : "\"");
	}
}

/* What a flow waits for whose last step was of this kind; NULL for a kind that this
 * program does not know. */
static const char *wait_words(const char *kind, const char *label)
{
	/* Steps that wait for nothing: a flow that rests behind one has no more to do. */
	static const char at_its_end[] = "for its calls and children to end, having returned";
	static const struct {
		const char *kind, *words;
	} table[] = {
		{ "sleep", "for time to pass (it sleeps)" },
		{ "post", "for the answer of the call" },
		{ "each", "for messages, each of which starts" },
		{ "gather", "for enough to come at" },
		{ "once", "for the outcome of" },
		{ "work", "for the outcome of the work" },
		{ "spawn", at_its_end }, { "close", at_its_end }, { "timer", at_its_end },
		{ "child", at_its_end }, { "send", at_its_end }, { "done", at_its_end },
		{ "fail", at_its_end }, { "tell", at_its_end }, { "publish", at_its_end },
		{ "cancelled", at_its_end }, { "cancel", at_its_end }, { "renew", at_its_end },
		{ "reply", at_its_end },
	};

	if (strcmp(kind, "next") == 0 && label[0] == '\0')
		return "for what comes next";
	if (strcmp(kind, "next") == 0)
		return strchr(label, '|') != NULL ? "for the first that comes at"
						  : "for what comes at";
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(kind, table[i].kind) == 0)
			return table[i].words;
	}
	return NULL;
}

/* What must come for the flow to go on. */
static void put_wait_for(struct buf *out, const json_t *waiting)
{
	const char *kind = member_text(waiting, "kind");
	const char *label = member_text(waiting, "label");
	const char *words = wait_words(kind, label);

	if (words != NULL) {
		buf_puts(out, words);
	} else {
		buf_puts(out, "at its step \"");
		words_text(out, slice_of(kind));
		buf_puts(out, "\"");
	}
	/* What it did last is not what its calls and children are. */
	if (label[0] == '\0' || (words != NULL && strstr(words, "returned") != NULL))
		return;
	buf_puts(out, " ");
	put_names(out, label);
}

/* Nothing for a flow that is ended, stopped or about to run. */
static void put_waiting(struct buf *out, const struct render *r, const json_t *flow)
{
	const json_t *waiting = json_object_get(flow, "waiting");

	if (!json_is_object(waiting))
		return;
	put_title(out, r, "Waits");
	buf_puts(out, "  ");
	put_wait_for(out, waiting);
	if (member_is_number(waiting, "step"))
		buf_printf(out, " (step %" PRId64 ")", member_number(waiting, "step"));
	buf_puts(out, "\n");
	if (member_is_number(waiting, "since_ms")) {
		buf_puts(out, "  since ");
		put_moment(out, r, member_number(waiting, "since_ms"));
		buf_puts(out, "\n");
	}
	buf_puts(out, "  until ");
	if (member_is_number(waiting, "until_ms"))
		put_moment(out, r, member_number(waiting, "until_ms"));
	else
		buf_puts(out, "it comes, however long that takes");
	buf_puts(out, "\n");
}

/* Each URL on a line of its own, to be copied whole. */
static void put_hooks(struct buf *out, const struct render *r, const json_t *flow)
{
	const json_t *hooks = json_object_get(flow, "hooks");

	if (json_array_size(hooks) == 0)
		return;
	/* Those of a box have none: what comes to it comes by its door. */
	put_title(out, r, json_is_true(json_object_get(flow, "box")) ? "Hooks" : "URLs");
	for (size_t i = 0; i < json_array_size(hooks); i++) {
		const json_t *hook = json_array_get(hooks, i);
		bool open = json_is_true(json_object_get(hook, "open"));
		int64_t untaken = member_number(hook, "untaken");

		buf_puts(out, "  ");
		member_put_coloured(out, r, open ? bold : dim, member_text(hook, "name"));
		buf_printf(out, "  hook %" PRId64 ", %s, %" PRId64 " received", member_number(hook, "number"),
			open ? "open" : "closed", member_number(hook, "received"));
		if (untaken > 0)
			buf_printf(out, ", %" PRId64 " not yet taken", untaken);
		if (member_text(hook, "each")[0] != '\0') {
			buf_puts(out, ", each starts ");
			words_text(out, slice_of(member_text(hook, "each")));
		}
		if (member_text(hook, "door")[0] != '\0') {
			buf_puts(out, ", waits at /in/");
			words_text(out, slice_of(member_text(hook, "door")));
			buf_puts(out, " for ");
			words_text(out, slice_of(member_text(hook, "key")));
		}
		buf_puts(out, "\n");
		if (member_text(hook, "url")[0] != '\0') {
			buf_puts(out, "    ");
			words_text(out, slice_of(member_text(hook, "url")));
			buf_puts(out, "\n");
		}
	}
}

/* Calls without an answer, with their key, by which the partner can find them. */
static void put_calls(struct buf *out, const struct render *r, const json_t *flow)
{
	const json_t *calls = json_object_get(flow, "calls_under_way");

	if (json_array_size(calls) == 0)
		return;
	put_title(out, r, "Calls under way");
	for (size_t i = 0; i < json_array_size(calls); i++) {
		const json_t *call = json_array_get(calls, i);
		int64_t attempts = member_number(call, "attempts");

		buf_puts(out, "  ");
		words_text(out, slice_of(member_text(call, "to")));
		buf_printf(out, "  step %" PRId64 ", %" PRId64 " attempt%s",
			member_number(call, "step"), attempts, attempts == 1 ? "" : "s");
		if (member_text(call, "last")[0] != '\0') {
			buf_puts(out, ", the last: ");
			words_text(out, slice_of(member_text(call, "last")));
		}
		if (member_is_number(call, "next_ms")) {
			buf_puts(out, ", the next ");
			words_relative(out, member_number(call, "next_ms"), r->now_ms);
		}
		buf_puts(out, "\n    key ");
		words_text(out, slice_of(member_text(call, "key")));
		buf_puts(out, "\n");
	}
}

static void put_untaken(struct buf *out, const struct render *r, const json_t *flow)
{
	/* A live flow's "untaken" is a number, told with its hooks; an ended one's a
	 * list. */
	const json_t *untaken = json_object_get(flow, "untaken");

	if (json_array_size(untaken) == 0)
		return;
	put_title(out, r, "Messages that it never took");
	for (size_t i = 0; i < json_array_size(untaken); i++) {
		const json_t *message = json_array_get(untaken, i);
		buf_printf(out, "  hook %" PRId64 ", %" PRId64 " bytes  ",
			member_number(message, "hook"), member_number(message, "len"));
		words_text(out, member_bytes(message, "text"));
		buf_puts(out,
			json_is_true(json_object_get(message, "cut")) ? " … (cut)\n" : "\n");
	}
}

/* One entry a line, oldest first. */
static void put_journal(struct buf *out, const struct render *r, const json_t *flow)
{
	const json_t *journal = json_object_get(flow, "journal");

	if (json_is_null(journal)) {
		buf_puts(out, "\nIts journal is no longer kept.\n");
		return;
	}
	if (json_array_size(journal) == 0)
		return;
	put_title(out, r, "Journal");
	for (size_t i = 0; i < json_array_size(journal); i++) {
		const json_t *entry = json_array_get(journal, i);
		int64_t at_ms = member_number(entry, "time_ms");
		char padded[40];

		buf_printf(out, "  %4" PRId64 "  ", member_number(entry, "seq"));
		member_colour(out, r, dim);
		words_time_exact(out, at_ms);
		member_colour(out, r, "0");
		snprintf(padded, sizeof(padded), "  %-9s ", member_text(entry, "entry"));
		words_text(out, slice_of(padded));
		words_text(out, member_bytes(entry, "text"));
		buf_puts(out, "\n");
	}
}

void render_show(struct buf *out, const struct render *r, const struct json_t *flow,
	struct slice text)
{
	put_head(out, r, flow, text);
	put_waiting(out, r, flow);
	put_hooks(out, r, flow);
	render_ledger(out, r, flow);
	put_calls(out, r, flow);
	put_untaken(out, r, flow);
	put_journal(out, r, flow);
}
