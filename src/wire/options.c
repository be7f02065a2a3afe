/* options.c - the table of a hook's options. */
#include "wire/options.h"

static const struct pack_field fields[] = {
	PACK_NUMBER(struct hook_options, expires_ms, INT64_MAX),
	PACK_NUMBER(struct hook_options, shots, UINT32_MAX),
	PACK_NUMBER(struct hook_options, json, 1),
	PACK_NUMBER(struct hook_options, release, 1),
	/* What is told at the end of a hold, if there is one. */
	PACK_SWITCH(struct hook_options, reply_ms, 2, INT64_MAX),
	PACK_NUMBER(struct hook_options, reply_status, INT32_MAX),
	PACK_TEXT(struct hook_options, reply_body),
};
/* Behind them, if there is any of these: hooks of before there were any have nothing here. */
static const struct pack_field more_fields[] = {
	PACK_TEXT(struct hook_options, from),
	PACK_NUMBER(struct hook_options, body_max, UINT64_MAX),
	/* Where a hold ends with header lines of its own. */
	PACK_SWITCH(struct hook_options, reply_given, 1, 1),
	PACK_TEXT(struct hook_options, reply_lines),
	/* Of a hook that waits at a door. */
	PACK_TEXT(struct hook_options, on),
	PACK_TEXT(struct hook_options, key),
};
static const struct pack_layout layout = PACK_LAYOUT(fields);
static const struct pack_layout more_layout = PACK_LAYOUT(more_fields);

static bool has_more(const struct hook_options *o)
{
	return o->from.len || o->body_max || o->reply_given || o->on.len;
}

void options_put(struct buf *out, const struct hook_options *o)
{
	if (has_more(o) || o->expires_ms || o->shots || o->json || o->release || o->reply_ms)
		pack_put(out, &layout, o);
	if (has_more(o))
		pack_put(out, &more_layout, o);
}

int options_take(struct slice bytes, struct hook_options *ret_options)
{
	struct hook_options o = { .expires_ms = 0 };

	if (bytes.len && pack_take(&bytes, &layout, &o) != 1)
		return FISH_EFORMAT;
	if (bytes.len && (pack_take(&bytes, &more_layout, &o) != 1 || bytes.len || !has_more(&o)))
		return FISH_EFORMAT;
	*ret_options = o;
	return 0;
}
