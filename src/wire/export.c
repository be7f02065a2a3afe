/* export.c - the lines of export.h.
 *
 * Invariant: one table names the fields. Surprise: the lists that an entry packs are told as
 * base64, as nobody but a replay reads them. */
#include "wire/export.h"

#include "base/hash.h"
#include "wire/entry.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

enum field_type { FIELD_NUMBER, FIELD_SIGNED, FIELD_TEXT, FIELD_PACKED, FIELD_ID };

#define FIELD(type, member) \
	{ #member, (type), offsetof(struct entry, member), sizeof ((struct entry *)0)->member }

static const struct export_field {
	const char *name;
	enum field_type type;
	size_t offset, size;
} fields[] = {
	FIELD(FIELD_SIGNED, time_ms), FIELD(FIELD_NUMBER, source), FIELD(FIELD_NUMBER, number),
	FIELD(FIELD_NUMBER, epoch), FIELD(FIELD_NUMBER, status), FIELD(FIELD_TEXT, name),
	FIELD(FIELD_TEXT, options), FIELD(FIELD_TEXT, each), FIELD(FIELD_TEXT, meta),
	FIELD(FIELD_TEXT, body), FIELD(FIELD_ID, key), FIELD(FIELD_ID, flow),
	FIELD(FIELD_NUMBER, build), FIELD(FIELD_NUMBER, key_id), FIELD(FIELD_TEXT, base_url),
	FIELD(FIELD_NUMBER, message_seq), FIELD(FIELD_NUMBER, added),
	FIELD(FIELD_NUMBER, ended), FIELD(FIELD_NUMBER, digest), FIELD(FIELD_NUMBER, doubt),
	FIELD(FIELD_NUMBER, waiting), FIELD(FIELD_NUMBER, rest),
	FIELD(FIELD_NUMBER, hook_next), FIELD(FIELD_SIGNED, now_ms),
	FIELD(FIELD_PACKED, steps), FIELD(FIELD_PACKED, deadlines), FIELD(FIELD_PACKED, hooks),
	FIELD(FIELD_PACKED, untaken), FIELD(FIELD_PACKED, seen), FIELD(FIELD_PACKED, born),
	FIELD(FIELD_NUMBER, life), FIELD(FIELD_SIGNED, started_ms),
	FIELD(FIELD_SIGNED, cancelled_ms), FIELD(FIELD_PACKED, published),
};

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(struct buf *out, struct slice s)
{
	for (size_t i = 0; i < s.len; i += 3) {
		uint32_t word = (uint32_t)(uint8_t)s.ptr[i] << 16;
		size_t left = s.len - i;

		if (left > 1)
			word |= (uint32_t)(uint8_t)s.ptr[i + 1] << 8;
		if (left > 2)
			word |= (uint8_t)s.ptr[i + 2];
		buf_putc(out, digits[word >> 18]);
		buf_putc(out, digits[word >> 12 & 63]);
		buf_putc(out, left > 1 ? digits[word >> 6 & 63] : '=');
		buf_putc(out, left > 2 ? digits[word & 63] : '=');
	}
}

/* As jansson judges it, which whoever reads the line may use too. */
static bool is_text(struct slice s)
{
	json_t *text = json_stringn(s.ptr != NULL ? s.ptr : "", s.len);
	bool is = text != NULL;

	json_decref(text);
	return is;
}

static void put_number(struct buf *out, const struct export_field *f, const void *at)
{
	uint64_t value = 0;

	if (f->size == 8)
		memcpy(&value, at, 8);
	else if (f->size == 4)
		value = *(const uint32_t *)at;
	else
		value = *(const uint8_t *)at;
	if (value == 0)
		return;
	buf_printf(out, ", \"%s\": ", f->name);
	if (f->type == FIELD_SIGNED)
		buf_printf(out, "%" PRId64, (int64_t)value);
	else
		buf_printf(out, "%" PRIu64, value);
}

static void put_slice(struct buf *out, const struct export_field *f, struct slice s)
{
	if (s.len == 0)
		return;
	bool text = f->type == FIELD_TEXT && is_text(s);

	buf_printf(out, ", \"%s%s\": ", f->name, text ? "" : "_base64");
	if (text) {
		buf_json_string(out, s);
		return;
	}
	buf_putc(out, '"');
	put_base64(out, s);
	buf_putc(out, '"');
}

static void put_field(struct buf *out, const struct export_field *f, const struct entry *e)
{
	const void *at = (const char *)e + f->offset;
	char text[ID_TEXT_SIZE];

	switch (f->type) {
	case FIELD_NUMBER:
	case FIELD_SIGNED: put_number(out, f, at); break;
	case FIELD_TEXT:
	case FIELD_PACKED: put_slice(out, f, *(const struct slice *)at); break;
	case FIELD_ID:
		if (id_is_zero(at))
			break;
		id_text(at, text);
		buf_printf(out, ", \"%s\": \"%s\"", f->name, text);
	}
}

static void put_key(struct buf *out, const struct export_key *k)
{
	buf_printf(out, "{\"id\": %u, \"mark\": \"%s\"", k->key.id, k->mark);
	if (k->has_secret) {
		buf_puts(out, ", \"secret\": \"");
		put_base64(out,
			(struct slice){ (const char *)k->key.secret, sizeof k->key.secret });
		buf_putc(out, '"');
	}
	buf_putc(out, '}');
}

static void put_bytes(struct buf *out, const char *name, struct slice bytes)
{
	if (bytes.len == 0)
		return;
	buf_printf(out, ", \"%s\": \"", name);
	put_base64(out, bytes);
	buf_putc(out, '"');
}

void export_put_head(struct buf *out, const struct export_head *h)
{
	char text[ID_TEXT_SIZE];

	id_text(&h->flow, text);
	buf_printf(out,
		"{\"fish_flow\": %d, \"id\": \"%s\", \"ended\": %s, \"from_seq\": %" PRIu64
		", \"next_seq\": %" PRIu64 ", \"keys\": [",
		EXPORT_VERSION, text, h->ended ? "true" : "false", h->from_seq,
		h->next_seq);
	for (size_t i = 0; i < h->nkeys; i++) {
		buf_puts(out, i > 0 ? ", " : "");
		put_key(out, &h->keys[i]);
	}
	buf_putc(out, ']');
	put_bytes(out, "untaken", h->untaken);
	put_bytes(out, "seen", h->seen);
	id_text(&h->sum, text);
	buf_printf(out, ", \"sum\": \"%s\"}\n", text);
}

struct id export_sum(const struct export_head *h, struct slice bytes)
{
	char text[100];
	int len = snprintf(text, sizeof text, "%d %" PRIu64 " %" PRIu64, h->ended, h->from_seq,
		h->next_seq);
	const struct slice parts[] = { { (const char *)h->flow.b, sizeof h->flow.b },
		{ text, (size_t)len }, bytes, h->untaken, h->seen };

	return hash128(parts, sizeof parts / sizeof *parts);
}

void export_look_at(struct export_head *h, uint64_t seq, struct slice bytes)
{
	struct entry e;

	for (; entry_next(&bytes, &e) == 1; seq++) {
		size_t at = 0;

		h->next_seq = seq + 1;
		if ((e.kind != ENTRY_START && e.kind != ENTRY_RENEW) || e.key_id == 0)
			continue;
		while (at < h->nkeys && h->keys[at].key.id != e.key_id)
			at++;
		if (at == h->nkeys && at < EXPORT_KEYS_MAX)
			h->keys[h->nkeys++] = (struct export_key){ .key = { .id = e.key_id } };
	}
}

int export_put_row(struct buf *out, uint64_t seq, struct slice bytes)
{
	struct entry e;
	const char *at = bytes.ptr;
	int rc = 0;

	for (; (rc = entry_next(&bytes, &e)) == 1; seq++, at = bytes.ptr) {
		struct slice whole = { at, (size_t)(bytes.ptr - at) };

		buf_printf(out, "{\"seq\": %" PRIu64 ", \"kind\": \"%s\"", seq,
			entry_kind_name(e.kind));
		for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
			put_field(out, &fields[i], &e);
		buf_puts(out, ", \"entry\": \"");
		put_base64(out, whole);
		buf_puts(out, "\"}\n");
	}
	return rc;
}
