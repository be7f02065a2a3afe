/* render_ledger.c - tells of the requests to a flow's hooks or to a door: what became of each, and why.
 *
 * Surprise: their headers are for --json alone; what most of them say is who sent them. */
#include "host/render_member.h"
#include "host/words.h"

#include <inttypes.h>
#include <string.h>

/* "taken", or "hook 3" of a flow whose hooks are not told of any more. */
static void put_name(struct buf *out, const json_t *flow, int64_t number)
{
	const json_t *hooks = json_object_get(flow, "hooks");

	for (size_t i = 0; i < json_array_size(hooks); i++) {
		const json_t *hook = json_array_get(hooks, i);

		if (member_is_number(hook, "number") && member_number(hook, "number") == number) {
			words_text(out, slice_of(member_text(hook, "name")));
			return;
		}
	}
	buf_printf(out, "hook %" PRId64, number);
}

void render_counts(struct buf *out, const json_t *book)
{
	static const struct {
		const char *member, *one, *more;
	} counts[] = {
		{ "stored", "stored", "stored" },
		{ "refused", "refused", "refused" },
		{ "late", "late", "late" },
		{ "duplicates", "duplicate", "duplicates" },
		{ "questions", "question", "questions" },
		{ "nobody", "for nobody", "for nobody" },
		{ "put_back", "put back", "put back" },
	};
	const char *comma = "";

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int64_t n = member_number(book, counts[i].member);

		if (n <= 0)
			continue;
		buf_printf(out, "%s%" PRId64 " %s", comma, n, n == 1 ? counts[i].one : counts[i].more);
		comma = ", ";
	}
	buf_puts(out, comma[0] == '\0' ? "nothing" : "");
	if (member_is_number(book, "since_ms")) {
		buf_puts(out, " since ");
		words_time(out, member_number(book, "since_ms"));
	}
	buf_puts(out, "\n");
}

/* Of a header that is told as a pair. */
static const char *header_of(const json_t *request, const char *name)
{
	const json_t *headers = json_object_get(request, "headers");

	for (size_t i = 0; i < json_array_size(headers); i++) {
		const json_t *pair = json_array_get(headers, i);
		const char *has = json_string_value(json_array_get(pair, 0));
		const char *value = json_string_value(json_array_get(pair, 1));

		if (has != NULL && value != NULL && strcmp(has, name) == 0)
			return value;
	}
	return "";
}

/* By what it is named: of one that is stored the number of its entry. */
static void put_number(struct buf *out, const json_t *request)
{
	bool stored = member_is_number(request, "entry");

	buf_printf(out, stored ? "  entry %-6" PRId64 : "  %12" PRId64, member_number(request, stored ? "entry" : "number"));
}

static void put_request(struct buf *out, const struct render *r, const json_t *request)
{
	const char *peer = header_of(request, ":peer");

	put_number(out, request);
	buf_puts(out, "  ");
	member_colour(out, r, "2");
	words_time_exact(out, member_number(request, "time_ms"));
	member_colour(out, r, "0");
	buf_puts(out, "  ");
	words_text(out, slice_of(member_text(request, "fate")));
	if (member_number(request, "status") > 0)
		buf_printf(out, " %" PRId64, member_number(request, "status"));
	if (member_text(request, "flow")[0] != '\0') {
		buf_puts(out, " in ");
		words_text(out, slice_of(member_text(request, "flow")));
	}
	buf_puts(out, "  ");
	words_text(out, slice_of(member_text(request, "method")));
	if (peer[0] != '\0') {
		buf_puts(out, " from ");
		words_text(out, slice_of(peer));
	}
	buf_printf(out, "%s%" PRId64 " bytes ", member_text(request, "method")[0] != '\0' ? ", " : "",
		member_number(request, "len"));
	words_text(out, member_bytes(request, "text"));
	buf_puts(out, json_is_true(json_object_get(request, "cut")) ? " … (cut)\n" : "\n");
	if (member_text(request, "why")[0] == '\0')
		return;
	buf_puts(out, "                ");
	words_text(out, slice_of(member_text(request, "why")));
	buf_puts(out, json_is_false(json_object_get(request, "kept")) ? "; too long to be kept\n" : "\n");
}

void render_requests(struct buf *out, const struct render *r, const json_t *book)
{
	const json_t *requests = json_object_get(book, "requests");

	for (size_t i = 0; i < json_array_size(requests); i++)
		put_request(out, r, json_array_get(requests, i));
}

void render_ledger(struct buf *out, const struct render *r, const json_t *flow)
{
	const json_t *books = json_object_get(flow, "ledger");

	if (json_array_size(books) == 0)
		return;
	buf_puts(out, "\n");
	member_put_coloured(out, r, "1", "Requests");
	buf_puts(out, "\n");
	for (size_t i = 0; i < json_array_size(books); i++) {
		const json_t *book = json_array_get(books, i);

		buf_puts(out, "  ");
		put_name(out, flow, member_number(book, "hook"));
		buf_puts(out, "  ");
		render_counts(out, book);
		render_requests(out, r, book);
	}
}
