/* render_door.c - tells of named doors: what each is for, and the requests that came to it. */
#include "host/render_member.h"
#include "host/words.h"

#include <inttypes.h>

static void put_line(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, "  %-8s ", name);
	words_text(out, slice_of(text));
	buf_puts(out, "\n");
}

/* Its name and URL, for whom what comes there is, and how much came. */
static void put_door(struct buf *out, const struct render *r, const json_t *door)
{
	bool starts = member_text(door, "flow")[0] != '\0';

	member_put_coloured(out, r, "1", "/in/");
	member_put_coloured(out, r, "1", member_text(door, "door"));
	buf_puts(out, "\n");
	put_line(out, "url", member_text(door, "url"));
	put_line(out, "from", member_text(door, "from")[0] != '\0' ? member_text(door, "from") : "anybody");
	put_line(out, starts ? "starts" : "key", member_text(door, starts ? "flow" : "key"));
	if (member_number(door, "body_max") > 0)
		buf_printf(out, "  takes    up to %" PRId64 " bytes\n", member_number(door, "body_max"));
	buf_puts(out, "  came     ");
	render_counts(out, door);
}

void render_door(struct buf *out, const struct render *r, const json_t *door)
{
	put_door(out, r, door);
	if (json_array_size(json_object_get(door, "requests")) == 0)
		return;
	buf_puts(out, "\n");
	member_put_coloured(out, r, "1", "Requests");
	buf_puts(out, "\n");
	render_requests(out, r, door);
}

void render_doors(struct buf *out, const struct render *r, const json_t *doors)
{
	if (json_array_size(doors) == 0)
		buf_puts(out, "The program has no named doors.\n");
	for (size_t i = 0; i < json_array_size(doors); i++) {
		buf_puts(out, i > 0 ? "\n" : "");
		put_door(out, r, json_array_get(doors, i));
	}
}
