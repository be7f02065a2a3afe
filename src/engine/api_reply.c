/* api_reply.c - fish_reply, fish_reply_with: the flow answers the sender that is held for its message.
 *
 * Invariant: REPLY or ANSWER is journaled before anybody hears it, so a sender that asks again, after a
 * restart too, hears the same. Surprise: nobody may be held any more; then the reply is for the duplicate. */
#include "base/hash.h"
#include "engine/hold.h"
#include "engine/run.h"
#include "engine/world.h"
#include "wire/http1.h"

#include <stdarg.h>
#include <string.h>
#include <strings.h>

enum {
	REPLY_LINES_MAX       = 64,
	REPLY_LINES_BYTES_MAX = 8 << 10,
	REPLY_BODY_BYTES_MAX  = 1 << 20,     /* it is kept in memory for as long as a duplicate may come */
};

static void check_reply(struct run *r, const char *verb, const fish_msg *m, int status)
{
	/* Numbers of hooks and entries are a flow's own. */
	if (m && m->hook && m->hook->run != r)
		run_misuse(r, "fish_reply: a delivery to another flow, or to an earlier run of this one");
	const struct hook *h = m && m->hook && m->hook->source == SOURCE_HOOK
	                               ? flow_hook(r->flow, m->hook->number) : NULL;

	if (!h || !h->options.reply_ms || h->each)
		run_misuse(r, "%s: not a delivery of a hook whose options have reply_ms", verb);
	if (msg_of(m)->replied)
		run_misuse(r, "%s: a second reply to one delivery of hook \"%s\"", verb, h->name);
	if (status < 200 || status > 599)
		run_misuse(r, "%s: %d is no status of an answer", verb, status);
}

/* The step, and what it asked for; e has all but what the step itself knows. */
static void reply(struct run *r, const fish_msg *m, uint64_t content, struct entry *e)
{
	e->message_seq = msg_of(m)->seq;
	run_step(r, &(struct step){ .kind = STEP_REPLY, .label = m->hook->name, .content = content });
	/* What it marks is the run's own: the const is for its user. */
	((struct msg *)msg_of(m))->replied = true;
	if (!run_recorded(r)) {
		struct reply told = reply_of(e);

		flow_append(r->flow, e);
		holds_reply(r->flow, e->message_seq, &told);
	}
	run_step_end(r);
}

void fish_reply(fish_flow *f, const fish_msg *m, int status, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	check_reply(r, "fish_reply", m, status);
	va_start(ap, json);
	struct slice body = run_template(r, "fish_reply", json, ap);

	va_end(ap);
	uint64_t content = hash64(hash64_u64(hash64_u64(HASH64_SEED, msg_of(m)->seq), (uint64_t)status), body);

	reply(r, m, content, &(struct entry){ .kind = ENTRY_REPLY, .status = status, .body = body });
}

/* ---- with headers and bytes of its own ---- */

static size_t name_len(const char *line)
{
	return http1_token_len(slice_of(line));
}

static bool name_is(const char *line, const char *name)
{
	size_t len = name_len(line);

	return len == strlen(name) && strncasecmp(line, name, len) == 0;
}

static bool name_among(const char *line, const char *const *names)
{
	for (; *names; names++)
		if (name_is(line, *names))
			return true;
	return false;
}

static bool same_name(const char *a, const char *b)
{
	return name_len(a) == name_len(b) && strncasecmp(a, b, name_len(a)) == 0;
}

static void check_line(struct run *r, const char *verb, const char *const *lines, size_t at)
{
	static const char *const servers[] = {
		"Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "TE",
		"Trailer", "Upgrade", "Date", NULL };
	static const char *const lists[] = { "Set-Cookie", "Link", "Vary", NULL };
	const char *line = lines[at];
	size_t len = name_len(line);

	if (!len || line[len] != ':' || !http1_value_ok(slice_of(line + len)))
		run_misuse(r, "%s: \"%.80s\" is no header line \"Name: value\"", verb, line);
	if (name_among(line, servers))
		run_misuse(r, "%s: \"%.*s\" is the server's to send", verb, (int)len, line);
	for (size_t i = 0; i < at; i++)
		if (same_name(lines[i], line) && !name_among(line, lists))
			run_misuse(r, "%s: two lines of \"%.*s\"", verb, (int)len, line);
}

/* Leaves nothing behind when it does not return. */
static void check_response(struct run *r, const char *verb, const fish_response *a)
{
	size_t n = 0;
	size_t bytes = 0;

	if (a->len && !a->body)
		run_misuse(r, "%s: the body is NULL", verb);
	if (a->len > REPLY_BODY_BYTES_MAX)
		run_misuse(r, "%s: a body of %zu bytes; %d are taken", verb, a->len, REPLY_BODY_BYTES_MAX);
	if (a->len && (a->status == 204 || a->status == 205 || a->status == 304))
		run_misuse(r, "%s: an answer %d has no body", verb, a->status);
	for (; a->headers && a->headers[n]; n++) {
		if (n == REPLY_LINES_MAX)
			run_misuse(r, "%s: more than %d header lines", verb, REPLY_LINES_MAX);
		check_line(r, verb, a->headers, n);
		bytes += strlen(a->headers[n]) + 2;
	}
	if (bytes > REPLY_LINES_BYTES_MAX)
		run_misuse(r, "%s: %zu bytes of header lines; %d are taken", verb, bytes, REPLY_LINES_BYTES_MAX);
}

/* As they are sent: one blank behind the colon, none at the end. */
static struct slice response_lines(struct run *r, const fish_response *a)
{
	bool typed = !a->len;
	struct buf lines;

	buf_init(&lines, SIZE_MAX);
	for (const char *const *h = a->headers; h && *h; h++) {
		size_t name = name_len(*h);
		const char *value = *h + name + 1 + strspn(*h + name + 1, " \t");
		size_t len = strlen(value);

		while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
			len--;
		buf_printf(&lines, "%.*s: ", (int)name, *h);
		buf_put(&lines, value, len);
		buf_puts(&lines, "\r\n");
		typed = typed || name_is(*h, "Content-Type");
	}
	if (!typed)
		buf_puts(&lines, "Content-Type: application/octet-stream\r\n");
	struct slice s = { arena_dup(&r->arena, buf_slice(&lines)), lines.len };

	buf_fini(&lines);
	return s;
}

struct reply run_response(struct run *r, const char *verb, const fish_response *a)
{
	int status = a->status ? a->status : 200;

	if (status < 200 || status > 599)
		run_misuse(r, "%s: %d is no status of an answer", verb, status);
	check_response(r, verb, a);
	return (struct reply){ status, response_lines(r, a), { a->body, a->len } };
}

void fish_reply_with(fish_flow *f, const fish_msg *m, const fish_response *a)
{
	static const char verb[] = "fish_reply_with";
	struct run *r = run_of(f);

	RUN_AT(r);
	if (!a)
		run_misuse(r, "%s: the response is NULL", verb);
	check_reply(r, verb, m, a->status ? a->status : 200);
	struct reply told = run_response(r, verb, a);
	uint64_t content = hash64_u64(hash64_u64(HASH64_SEED, msg_of(m)->seq), (uint64_t)told.status);

	/* The length first: what is moved from the headers to the body is another answer. */
	content = hash64(hash64(hash64_u64(content, told.lines.len), told.lines), told.body);
	reply(r, m, content, &(struct entry){
		.kind = ENTRY_ANSWER, .status = told.status, .meta = told.lines, .body = told.body });
}
