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
};
/* Behind these, where a hold ends with header lines of its own. */
static const struct pack_field given_fields[] = {
	PACK_RANGE(struct hook_options, reply_given, 1, 1),
	PACK_TEXT(struct hook_options, reply_lines),
};
static const struct pack_layout layout = PACK_LAYOUT(fields);
static const struct pack_layout more_layout = PACK_LAYOUT(more_fields);
static const struct pack_layout given_layout = PACK_LAYOUT(given_fields);

void options_put(struct buf *out, const struct hook_options *o)
{
	bool more = o->from.len || o->body_max || o->reply_given;

	if (more || o->expires_ms || o->shots || o->json || o->release || o->reply_ms)
		pack_put(out, &layout, o);
	if (more)
		pack_put(out, &more_layout, o);
	if (o->reply_given)
		pack_put(out, &given_layout, o);
}

int options_take(struct slice bytes, struct hook_options *ret_options)
{
	struct hook_options o = { .expires_ms = 0 };

	if (bytes.len && pack_take(&bytes, &layout, &o) != 1)
		return FISH_EFORMAT;
	bool more = bytes.len;

	if (more && pack_take(&bytes, &more_layout, &o) != 1)
		return FISH_EFORMAT;
	if (bytes.len && (pack_take(&bytes, &given_layout, &o) != 1 || bytes.len))
		return FISH_EFORMAT;
	if (more && !(o.from.len || o.body_max || o.reply_given))
		return FISH_EFORMAT;
	*ret_options = o;
	return 0;
}
