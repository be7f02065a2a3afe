/* show_door.c - a named door as JSON, for people who ask what came to it.
 *
 * Surprise: what waits behind it is not told here but by its boxes, which are flows (`ls`, `show`). */
#include "engine/world.h"

static void put_text(struct buf *out, const char *name, const char *text)
{
	buf_printf(out, ", \"%s\": ", name);
	if (text)
		buf_json_string(out, slice_of(text));
	else
		buf_puts(out, "null");
}

/* Without the closing brace. */
static void put_door(const struct engine *e, const struct door *d, struct buf *out)
{
	struct buf url;

	buf_init(&url, SIZE_MAX);
	buf_printf(&url, "%s/in/%s", e->base_url, d->name);
	buf_puts(out, "{\"door\": ");
	buf_json_string(out, slice_of(d->name));
	put_text(out, "url", url.ptr);
	put_text(out, "from", d->from ? d->from->name : NULL);
	put_text(out, "key", d->key);
	put_text(out, "flow", d->flow ? d->flow->name : NULL);
	if (d->key)
		buf_printf(out, ", \"keep_ms\": %lld", (long long)d->keep_ms);
	if (d->body_max)
		buf_printf(out, ", \"body_max\": %zu", d->body_max);
	buf_puts(out, ", ");
	buf_fini(&url);
}

bool engine_show_door(const struct engine *e, struct slice name, struct buf *out)
{
	const struct door *d = doors_find(&e->doors, name);

	if (!d)
		return false;
	put_door(e, d, out);
	ledger_show_counts(out, e->ledger, &d->book);
	ledger_show_requests(out, e->ledger, &d->book, show_hiding(e));
	buf_putc(out, '}');
	return true;
}

void engine_list_doors(const struct engine *e, struct buf *out)
{
	for (size_t i = 0; i < e->doors.n; i++) {
		buf_puts(out, i ? ", " : "");
		put_door(e, &e->doors.all[i], out);
		ledger_show_counts(out, e->ledger, &e->doors.all[i].book);
		buf_putc(out, '}');
	}
}
