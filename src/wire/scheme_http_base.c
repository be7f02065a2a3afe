/* scheme_http_base.c - the signature base of RFC 9421, section 2.5.
 *
 * Invariant: each component gives exactly one line of ASCII, and none comes twice; what is unknown, or not
 * there, refuses the whole. Surprise: names and parameters are written anew in their canonical text, as
 * the RFC says, not copied from the header. */
#include "wire/codec.h"
#include "wire/scheme_http.h"

#include <string.h>

enum flag { FLAG_SF = 1, FLAG_KEY = 2, FLAG_BS = 4, FLAG_NAME = 8 };
enum { TYPED_FIELDS = 8 };

/* ---- fields ---- */

static struct slice trimmed(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* A line folded in the old way is one with a blank where the fold was. */
static void put_unfolded(struct slice value, struct buf *out)
{
	while (value.len > 0) {
		const char *lf = memchr(value.ptr, '\n', value.len);
		size_t len = lf == NULL ? value.len : (size_t)(lf - value.ptr);
		struct slice line = { value.ptr, len > 0 && lf != NULL && lf[-1] == '\r' ? len - 1 : len };
		struct slice rest = { value.ptr + len + (lf != NULL), value.len - len - (lf != NULL) };

		/* Anything else with a line break in it stays, and is refused. */
		if (lf == NULL || rest.len == 0 || (rest.ptr[0] != ' ' && rest.ptr[0] != '\t')) {
			buf_put_slice(out, value);
			return;
		}
		buf_put_slice(out, trimmed(line));
		buf_putc(out, ' ');
		value = trimmed(rest);
	}
}

bool http_field_put(const struct scheme_request *r, struct slice name, struct buf *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < r->nheaders; i++) {
		if (!slice_eq_nocase(r->headers[i].name, name))
			continue;
		if (lines++ > 0)
			buf_puts(out, ", ");
		put_unfolded(trimmed(r->headers[i].value), out);
	}
	return lines > 0;
}

static void put_bytes(const struct scheme_request *r, struct slice name, struct buf *out)
{
	size_t lines = 0;

	for (size_t i = 0; i < r->nheaders; i++) {
		struct slice value = trimmed(r->headers[i].value);

		if (!slice_eq_nocase(r->headers[i].name, name))
			continue;
		buf_puts(out, lines++ > 0 ? ", :" : ":");
		codec_put_base64(out, (const uint8_t *)value.ptr, value.len);
		buf_putc(out, ':');
	}
}

/* Which fields are dictionaries and which lists is in their own RFCs; of others nobody can write the
 * canonical text. */
static bool put_canonical(struct arena *arena, struct slice name, struct slice text, struct buf *out)
{
	static const char *const dictionaries[TYPED_FIELDS] = {
		"content-digest", "repr-digest", "want-content-digest", "want-repr-digest", "signature",
		"signature-input", "accept-signature", "priority",
	};
	struct fields all;

	for (size_t i = 0; i < TYPED_FIELDS; i++) {
		if (!slice_eq(name, slice_of(dictionaries[i])))
			continue;
		if (fields_dictionary(arena, text, &all) < 0)
			return false;
		fields_put_dictionary(out, &all);
		return true;
	}
	return false;
}

static bool put_member(struct arena *arena, struct slice text, struct slice key, struct buf *out)
{
	struct fields all;

	if (fields_dictionary(arena, text, &all) < 0)
		return false;
	const struct field_item *member = fields_find(&all, key);

	if (member != NULL)
		fields_put_item(out, member);
	return member != NULL;
}

static bool put_field(struct scheme_check *c, struct arena *arena, const struct field_item *item,
                      unsigned flags, struct buf *out)
{
	struct slice name = item->value.text;
	struct buf text;

	buf_init(&text, FIELDS_BYTES_MAX);
	bool good = http_field_put(c->r, name, &text) && !buf_failed(&text);

	if (good && flags == FLAG_SF)
		good = put_canonical(arena, name, buf_slice(&text), out);
	else if (good && flags == FLAG_KEY)
		good = put_member(arena, buf_slice(&text), field_param_find(item, "key")->text, out);
	else if (good && flags == FLAG_BS)
		put_bytes(c->r, name, out);
	else if (good)
		buf_put_slice(out, buf_slice(&text));
	buf_fini(&text);
	return good;
}

/* ---- derived components ---- */

static void put_authority(struct buf *out, const struct scheme_url *u)
{
	scheme_url_put_lower(out, u->host);
	if (u->port.len > 0) {
		buf_putc(out, ':');
		buf_put_slice(out, u->port);
	}
}

static void put_path(struct buf *out, const struct scheme_url *u)
{
	if (u->path.len == 0)
		buf_putc(out, '/');
	buf_put_slice(out, u->path);
}

static void put_query(struct buf *out, const struct scheme_url *u)
{
	buf_putc(out, '?');
	buf_put_slice(out, u->query);
}

/* Decoded as a form and written anew, so that two spellings are one. */
static void put_again(struct buf *out, struct slice text)
{
	struct buf plain;

	buf_init(&plain, SIZE_MAX);
	scheme_url_put_decoded(&plain, text);
	scheme_url_put_encoded(out, buf_slice(&plain), "*-._");
	buf_fini(&plain);
}

/* The one parameter of that name; two are none. */
static bool put_query_param(struct buf *out, const struct scheme_url *u, struct slice wanted)
{
	struct slice rest = u->query;
	struct slice name = SLICE_NONE;
	struct slice value = SLICE_NONE;
	struct slice found = SLICE_NONE;
	size_t count = 0;
	struct buf text;

	buf_init(&text, SIZE_MAX);
	while (scheme_url_next_pair(&rest, &name, &value)) {
		buf_reset(&text);
		put_again(&text, name);
		if (!slice_eq(buf_slice(&text), wanted))
			continue;
		found = value;
		count++;
	}
	buf_fini(&text);
	if (count == 1)
		put_again(out, found);
	return count == 1;
}

static bool put_derived(struct scheme_check *c, const struct scheme_url *u, const struct field_item *item,
                        struct buf *out)
{
	struct slice name = item->value.text;

	if (slice_eq(name, SLICE_LIT("@query-param")))
		return put_query_param(out, u, field_param_find(item, "name")->text);
	if (slice_eq(name, SLICE_LIT("@method"))) {
		buf_put_slice(out, c->r->method);
	} else if (slice_eq(name, SLICE_LIT("@authority"))) {
		put_authority(out, u);
	} else if (slice_eq(name, SLICE_LIT("@scheme"))) {
		scheme_url_put_lower(out, u->scheme);
	} else if (slice_eq(name, SLICE_LIT("@path"))) {
		put_path(out, u);
	} else if (slice_eq(name, SLICE_LIT("@query"))) {
		put_query(out, u);
	} else if (slice_eq(name, SLICE_LIT("@request-target"))) {
		put_path(out, u);
		if (u->query.ptr != NULL)
			put_query(out, u);
	} else if (slice_eq(name, SLICE_LIT("@target-uri"))) {
		size_t len = u->fragment.ptr == NULL ? c->r->url.len
		                                     : (size_t)(u->fragment.ptr - 1 - c->r->url.ptr);

		buf_put_slice(out, (struct slice){ c->r->url.ptr, len });
	} else {
		return false;
	}
	return true;
}

/* ---- lines ---- */

/* The parameters of a component; false: one that is unknown, of the wrong type, or does not go with the
 * others. There are no trailers here and no answers, so ;tr and ;req find nothing. */
static bool read_flags(const struct field_item *item, unsigned *ret_flags)
{
	static const struct { const char *name; unsigned flag; enum field_kind kind; } known[] = {
		{ "sf", FLAG_SF, FIELD_BOOLEAN }, { "key", FLAG_KEY, FIELD_STRING },
		{ "bs", FLAG_BS, FIELD_BOOLEAN }, { "name", FLAG_NAME, FIELD_STRING },
	};
	bool derived = item->value.text.len > 0 && item->value.text.ptr[0] == '@';
	bool query_param = slice_eq(item->value.text, SLICE_LIT("@query-param"));
	unsigned flags = 0;

	for (size_t i = 0; i < item->nparams; i++) {
		unsigned flag = 0;

		for (size_t j = 0; j < sizeof(known) / sizeof(known[0]); j++)
			if (slice_eq(item->params[i].key, slice_of(known[j].name)) &&
			    item->params[i].value.kind == known[j].kind)
				flag = known[j].flag;
		if (flag == 0 || (item->params[i].value.kind == FIELD_BOOLEAN &&
		                  item->params[i].value.number == 0))
			return false;
		flags |= flag;
	}
	*ret_flags = flags;
	if (derived)
		return flags == (query_param ? FLAG_NAME : 0U);
	return flags == 0 || flags == FLAG_SF || flags == FLAG_KEY || flags == FLAG_BS;
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= 0x20 || name.ptr[i] >= 0x7f || (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z'))
			return false;
	return name.len > 0;
}

/* A field's value may hold tabs; a byte that is not ASCII would be read in two ways. */
static bool is_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((text.ptr[i] < 0x20 && text.ptr[i] != '\t') || text.ptr[i] >= 0x7f)
			return false;
	return true;
}

static bool put_line(struct scheme_check *c, struct arena *arena, const struct scheme_url *u,
                     const struct field_item *item, struct buf *out)
{
	unsigned flags = 0;

	if (item->value.kind != FIELD_STRING || !is_name(item->value.text) || !read_flags(item, &flags))
		return false;
	fields_put_item(out, item);
	buf_puts(out, ": ");
	size_t from = out->len;
	bool good = item->value.text.ptr[0] == '@' ? put_derived(c, u, item, out)
	                                           : put_field(c, arena, item, flags, out);

	if (!good || buf_failed(out) || !is_ascii((struct slice){ out->ptr + from, out->len - from }))
		return false;
	buf_putc(out, '\n');
	return true;
}

/* With one flag at most each component has one text, so texts tell whether two are the same. */
static bool comes_twice(const struct field_item *covered, size_t i)
{
	struct buf a;
	struct buf b;
	bool twice = false;

	buf_init(&a, SIZE_MAX);
	buf_init(&b, SIZE_MAX);
	fields_put_item(&a, &covered->items[i]);
	for (size_t j = 0; j < i && !twice; j++) {
		buf_reset(&b);
		fields_put_item(&b, &covered->items[j]);
		twice = slice_eq(buf_slice(&a), buf_slice(&b));
	}
	buf_fini(&a);
	buf_fini(&b);
	return twice;
}

enum scheme_verdict http_base_put(struct scheme_check *c, struct arena *arena,
                                  const struct field_item *covered, struct buf *out)
{
	struct scheme_url u;

	if (!scheme_url_split(c->r->url, &u))
		return scheme_say(c->ret, SCHEME_BAD_URL, "the configured URL is missing or is none");
	if (covered->nitems > HTTP_COMPONENTS_MAX)
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "a signature of over %d components",
		                  HTTP_COMPONENTS_MAX);
	for (size_t i = 0; i < covered->nitems; i++) {
		if (comes_twice(covered, i))
			return scheme_say(c->ret, SCHEME_BAD_HEADER,
			                  "component %zu of the signature comes twice", i + 1);
		if (!put_line(c, arena, &u, &covered->items[i], out))
			return scheme_say(c->ret, SCHEME_BAD_HEADER,
			                  "component %zu of the signature is unknown, malformed, or "
			                  "not there",
			                  i + 1);
	}
	buf_puts(out, "\"@signature-params\": ");
	fields_put_item(out, covered);
	return SCHEME_VALID;
}
