/* fields.c - reads structured field values (RFC 9651, section 4.2).
 *
 * Invariant: a reader that fails leaves what was asked for as it was, though the arena has grown. Every
 * list is capped, so a name is looked for among so many others at most. Surprise: a repeated key keeps its
 * first place and takes the last value, as the RFC wants it. */
#include "wire/fields.h"
#include "wire/codec.h"

#include <string.h>

enum {
	INTEGER_DIGITS_MAX  = 15,
	DECIMAL_WHOLE_MAX   = 12,        /* digits before the point … */
	DECIMAL_THIRD       = 3,         /* … and behind it */
	FIRST_ROOM          = 4,
};

struct reader {
	struct arena *arena;
	const char   *at, *end;
};

/* ---- letters ---- */

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
static bool is_among(char c, const char *set) { return c != '\0' && strchr(set, c) != NULL; }

static bool is_key_char(char c) { return is_lower(c) || is_digit(c) || is_among(c, "_-.*"); }

static bool is_token_char(char c)
{
	return is_alpha(c) || is_digit(c) || is_among(c, "!#$%&'*+-.^_`|~:/");
}

static bool is_printable(char c) { return c >= 0x20 && c < 0x7f; }

static bool next_is(const struct reader *r, char c) { return r->at < r->end && *r->at == c; }

static bool take(struct reader *r, char c)
{
	if (!next_is(r, c))
		return false;
	r->at++;
	return true;
}

static void skip_spaces(struct reader *r)
{
	while (next_is(r, ' '))
		r->at++;
}

static void skip_blanks(struct reader *r)
{
	while (next_is(r, ' ') || next_is(r, '\t'))
		r->at++;
}

/* Room for one more of so many bytes each: an array doubles when its length is a power of two. */
static void *grown(struct reader *r, void *array, size_t n, size_t bytes_each)
{
	if (n != 0 && (n < FIRST_ROOM || (n & (n - 1)) != 0))
		return array;
	void *more = arena_alloc(r->arena, (n == 0 ? FIRST_ROOM : 2 * n) * bytes_each);

	if (n > 0)
		memcpy(more, array, n * bytes_each);
	return more;
}

/* ---- bare items ---- */

static bool take_key(struct reader *r, struct slice *ret_key)
{
	const char *from = r->at;

	if (r->at == r->end || (!is_lower(*r->at) && *r->at != '*'))
		return false;
	while (r->at < r->end && is_key_char(*r->at))
		r->at++;
	*ret_key = (struct slice){ from, (size_t)(r->at - from) };
	return true;
}

/* How many digits there are; no more than so many of them go into the number. */
static size_t take_digits(struct reader *r, size_t digits_max, int64_t *number)
{
	size_t digits = 0;

	for (; r->at < r->end && is_digit(*r->at); r->at++)
		if (++digits <= digits_max)
			*number = *number * 10 + (*r->at - '0');
	return digits;
}

static bool take_number(struct reader *r, struct field_value *ret)
{
	bool negative = take(r, '-');
	int64_t number = 0;
	size_t digits = take_digits(r, INTEGER_DIGITS_MAX, &number);

	ret->kind = FIELD_INTEGER;
	if (digits == 0 || digits > INTEGER_DIGITS_MAX)
		return false;
	if (take(r, '.')) {
		size_t third = digits > DECIMAL_WHOLE_MAX ? 0 : take_digits(r, DECIMAL_THIRD, &number);

		ret->kind = FIELD_DECIMAL;
		if (third == 0 || third > DECIMAL_THIRD)
			return false;
		for (; third < DECIMAL_THIRD; third++)
			number *= 10;
	}
	ret->number = negative ? -number : number;
	return true;
}

/* How far it is to the quote that ends a string, for room that is no larger than needed: many short
 * strings in a long text would each take all of it. */
static size_t quoted_bytes(const struct reader *r)
{
	const char *at = r->at;

	while (at < r->end && *at != '"')
		at += *at == '\\' && r->end - at > 1 ? 2 : 1;
	return (size_t)(at - r->at);
}

static bool take_string(struct reader *r, struct field_value *ret)
{
	r->at++;
	char *text = arena_alloc(r->arena, quoted_bytes(r) + 1);
	size_t len = 0;

	ret->kind = FIELD_STRING;
	for (; r->at < r->end && *r->at != '"'; r->at++) {
		if (!is_printable(*r->at))
			return false;
		if (*r->at == '\\' && (++r->at == r->end || !is_among(*r->at, "\"\\")))
			return false;
		text[len++] = *r->at;
	}
	ret->text = (struct slice){ text, len };
	return take(r, '"');
}

static void take_token(struct reader *r, struct field_value *ret)
{
	const char *from = r->at;

	while (r->at < r->end && is_token_char(*r->at))
		r->at++;
	ret->kind = FIELD_TOKEN;
	ret->text = (struct slice){ from, (size_t)(r->at - from) };
}

static bool take_binary(struct reader *r, struct field_value *ret)
{
	const char *from = ++r->at;
	const char *colon = memchr(from, ':', (size_t)(r->end - from));

	if (colon == NULL)
		return false;
	struct slice text = { from, (size_t)(colon - from) };
	uint8_t *bytes = arena_alloc(r->arena, text.len / 4 * 3 + 1);
	size_t len = 0;

	if (!codec_base64(text, bytes, text.len / 4 * 3, &len))
		return false;
	r->at = colon + 1;
	ret->kind = FIELD_BINARY;
	ret->text = (struct slice){ (const char *)bytes, len };
	return true;
}

static bool take_boolean(struct reader *r, struct field_value *ret)
{
	r->at++;
	ret->kind = FIELD_BOOLEAN;
	ret->number = next_is(r, '1');
	return take(r, '1') || take(r, '0');
}

static bool take_date(struct reader *r, struct field_value *ret)
{
	r->at++;
	if (r->at == r->end || !take_number(r, ret) || ret->kind != FIELD_INTEGER)
		return false;
	ret->kind = FIELD_DATE;
	return true;
}

/* How long the UTF-8 sequence at s is; 0: it is none (overlong forms and surrogates are none). */
static size_t sequence(const uint8_t *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static bool is_utf8(const uint8_t *s, size_t len)
{
	for (size_t i = 0, n = 0; i < len; i += n)
		if ((n = sequence(s + i, len - i)) == 0)
			return false;
	return true;
}

static bool take_display(struct reader *r, struct field_value *ret)
{
	r->at++;
	if (!take(r, '"'))
		return false;
	uint8_t *text = arena_alloc(r->arena, quoted_bytes(r) + 1);
	size_t len = 0;

	for (; r->at < r->end && *r->at != '"'; r->at++, len++) {
		size_t one = 0;

		if (!is_printable(*r->at))
			return false;
		text[len] = (uint8_t)*r->at;
		if (*r->at != '%')
			continue;
		if (r->end - r->at < 3 ||
		    !codec_hex((struct slice){ r->at + 1, 2 }, CODEC_LOWER, text + len, 1, &one))
			return false;
		r->at += 2;
	}
	ret->kind = FIELD_DISPLAY;
	ret->text = (struct slice){ (const char *)text, len };
	return take(r, '"') && is_utf8(text, len);
}

static bool take_bare(struct reader *r, struct field_value *ret)
{
	if (r->at == r->end)
		return false;
	switch (*r->at) {
	case '"': return take_string(r, ret);
	case ':': return take_binary(r, ret);
	case '?': return take_boolean(r, ret);
	case '@': return take_date(r, ret);
	case '%': return take_display(r, ret);
	default:
		break;
	}
	if (*r->at == '-' || is_digit(*r->at))
		return take_number(r, ret);
	if (!is_alpha(*r->at) && *r->at != '*')
		return false;
	take_token(r, ret);
	return true;
}

/* ---- items and their parameters ---- */

static struct field_param *param_of(struct field_item *item, struct slice key)
{
	for (size_t i = 0; i < item->nparams; i++)
		if (slice_eq(item->params[i].key, key))
			return &item->params[i];
	return NULL;
}

static bool take_param(struct reader *r, struct field_item *item)
{
	struct field_param p = { .value = { .kind = FIELD_BOOLEAN, .number = 1 } };

	if (!take_key(r, &p.key))
		return false;
	if (take(r, '=') && !take_bare(r, &p.value))
		return false;
	struct field_param *there = param_of(item, p.key);

	if (there != NULL) {
		there->value = p.value;
		return true;
	}
	if (item->nparams == FIELDS_MEMBERS_MAX)
		return false;
	item->params = grown(r, item->params, item->nparams, sizeof(p));
	item->params[item->nparams++] = p;
	return true;
}

static bool take_params(struct reader *r, struct field_item *item)
{
	while (take(r, ';')) {
		skip_spaces(r);
		if (!take_param(r, item))
			return false;
	}
	return true;
}

static bool take_item(struct reader *r, struct field_item *ret)
{
	*ret = (struct field_item){ .nparams = 0 };
	return take_bare(r, &ret->value) && take_params(r, ret);
}

static bool take_inner_list(struct reader *r, struct field_item *ret)
{
	*ret = (struct field_item){ .value = { .kind = FIELD_INNER_LIST } };
	r->at++;
	for (;;) {
		struct field_item one;

		skip_spaces(r);
		if (take(r, ')'))
			return take_params(r, ret);
		if (ret->nitems == FIELDS_MEMBERS_MAX || !take_item(r, &one))
			return false;
		if (!next_is(r, ' ') && !next_is(r, ')'))
			return false;
		ret->items = grown(r, ret->items, ret->nitems, sizeof(one));
		ret->items[ret->nitems++] = one;
	}
}

static bool take_item_or_list(struct reader *r, struct field_item *ret)
{
	return next_is(r, '(') ? take_inner_list(r, ret) : take_item(r, ret);
}

/* ---- whole fields ---- */

static bool take_dictionary_member(struct reader *r, struct field_member *ret)
{
	if (!take_key(r, &ret->key))
		return false;
	if (take(r, '='))
		return take_item_or_list(r, &ret->item);
	ret->item = (struct field_item){ .value = { .kind = FIELD_BOOLEAN, .number = 1 } };
	return take_params(r, &ret->item);
}

static bool keep_member(struct reader *r, struct fields *all, const struct field_member *m)
{
	for (size_t i = 0; m->key.len > 0 && i < all->nmembers; i++) {
		if (slice_eq(all->members[i].key, m->key)) {
			all->members[i] = *m;
			return true;
		}
	}
	if (all->nmembers == FIELDS_MEMBERS_MAX)
		return false;
	all->members = grown(r, all->members, all->nmembers, sizeof(*m));
	all->members[all->nmembers++] = *m;
	return true;
}

enum shape { LIST, DICTIONARY };

static bool take_members(struct reader *r, enum shape shape, struct fields *ret)
{
	while (r->at < r->end) {
		struct field_member m = { .key = SLICE_NONE };
		bool good = shape == DICTIONARY ? take_dictionary_member(r, &m)
		                                : take_item_or_list(r, &m.item);

		if (!good || !keep_member(r, ret, &m))
			return false;
		skip_blanks(r);
		if (r->at == r->end)
			return true;
		if (!take(r, ','))
			return false;
		skip_blanks(r);
		if (r->at == r->end)
			return false;
	}
	return true;
}

/* Spaces around all of it are nothing. */
static struct reader reader_of(struct arena *arena, struct slice text)
{
	struct reader r = { arena, text.ptr, text.ptr == NULL ? NULL : text.ptr + text.len };

	skip_spaces(&r);
	while (r.end > r.at && r.end[-1] == ' ')
		r.end--;
	return r;
}

int fields_item(struct arena *arena, struct slice text, struct field_item *ret_item)
{
	struct reader r = reader_of(arena, text);
	struct field_item item;

	if (text.len > FIELDS_BYTES_MAX || !take_item(&r, &item) || r.at != r.end)
		return FISH_EFORMAT;
	*ret_item = item;
	return 0;
}

static int members(struct arena *arena, struct slice text, enum shape shape, struct fields *ret)
{
	struct reader r = reader_of(arena, text);
	struct fields all = { .nmembers = 0 };

	if (text.len > FIELDS_BYTES_MAX || !take_members(&r, shape, &all))
		return FISH_EFORMAT;
	*ret = all;
	return 0;
}

int fields_list(struct arena *arena, struct slice text, struct fields *ret_fields)
{
	return members(arena, text, LIST, ret_fields);
}

int fields_dictionary(struct arena *arena, struct slice text, struct fields *ret_fields)
{
	return members(arena, text, DICTIONARY, ret_fields);
}

const struct field_item *fields_find(const struct fields *dictionary, struct slice key)
{
	for (size_t i = 0; i < dictionary->nmembers; i++)
		if (slice_eq(dictionary->members[i].key, key))
			return &dictionary->members[i].item;
	return NULL;
}

const struct field_value *field_param_find(const struct field_item *item, const char *key)
{
	for (size_t i = 0; i < item->nparams; i++)
		if (slice_eq(item->params[i].key, slice_of(key)))
			return &item->params[i].value;
	return NULL;
}
