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
static const struct pack_layout layout = PACK_LAYOUT(fields);

void options_put(struct buf *out, const struct hook_options *o)
{
	if (o->expires_ms || o->shots || o->json || o->release || o->reply_ms)
		pack_put(out, &layout, o);
}

int options_take(struct slice bytes, struct hook_options *ret_options)
{
	struct hook_options o = { .expires_ms = 0 };

	if (bytes.len && (pack_take(&bytes, &layout, &o) != 1 || bytes.len))
		return FISH_EFORMAT;
	*ret_options = o;
	return 0;
}
