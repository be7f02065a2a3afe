/* render_member.c - reads members and leaves out what is not there.
 *
 * Surprise: jansson's readers give 0 and NULL for a member of another type, which is what
 * is wanted of JSON that another version of the server may have made. */
#include "host/render_member.h"

#include "host/words.h"

#include <string.h>

const char *member_state_colour(const char *state)
{
	if (strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0)
		return "31";
	if (strcmp(state, "waiting") == 0 || strcmp(state, "parked") == 0)
		return "33";
	if (strcmp(state, "done") == 0)
		return "32";
	return "1";
}

void member_colour(struct buf *out, const struct render *r, const char *sgr)
{
	if (r->colours)
		buf_printf(out, "\033[%sm", sgr);
}

void member_put_coloured(
	struct buf *out, const struct render *r, const char *sgr, const char *text)
{
	member_colour(out, r, sgr);
	words_text(out, slice_of(text));
	member_colour(out, r, "0");
}

const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

struct slice member_bytes(const json_t *object, const char *name)
{
	const json_t *text = json_object_get(object, name);

	return (struct slice){ json_string_value(text), json_string_length(text) };
}

int64_t member_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool member_is_number(const json_t *object, const char *name)
{
	return json_is_integer(json_object_get(object, name));
}

const char *member_state(const json_t *flow)
{
	const char *state = member_text(flow, "state");
	const char *status = member_text(flow, "status");

	return strcmp(state, "ended") == 0 && status[0] != '\0' ? status : state;
}
