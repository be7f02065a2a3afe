/* template.c - JSON templates: a parser that copies the template out as JSON while it
 * reads it.
 *
 * Invariant: a conversion stands only where a value, a key or a part of a string may
 * stand, a %-s is one whole value by itself, and the outcome is read by jansson before
 * anybody gets it; so what a sender wrote stays inside the place that the template
 * gave it. Surprise: arguments are taken in the order and with the types that printf
 * would take them in, since the compiler checks the template as a printf format. */
#include "wire/template.h"

#include "wire/json.h"

#include <float.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

enum {
	FAULT_TEXT_SIZE  = 176,                 /* of ERR_TEXT_SIZE */
	DOUBLE_TEXT_SIZE = DBL_MAX_10_EXP + 32, /* what %f of the largest number takes */
	SHOWN_BYTES_MAX  = 16,                  /* of the template, in an error */
};

struct template {
	const char *fmt;
	const char *at;       /* what is read next */
	struct buf  json;     /* what it has come to so far */
	struct err *err;      /* the caller's; may be NULL */
	size_t      depth;
	va_list     args;
};

/* Where a conversion stands decides what it may be and how it is written. */
enum place {
	PLACE_VALUE,          /* after a colon, in an array, or as the whole template */
	PLACE_KEY,
	PLACE_QUOTED,         /* inside a string, which may be a key or a value */
};

/* The lengths of C's integers, by what they are taken as from the argument list. */
enum length {
	LENGTH_INT,
	LENGTH_CHAR,          /* travels as an int and is cut down, as printf does */
	LENGTH_SHORT,
	LENGTH_LONG,
	LENGTH_LONG_LONG,
	LENGTH_SIZE,
	LENGTH_INTMAX,
	LENGTH_PTRDIFF,
};

static int put_value(struct template *t);

/* What is wrong, and where in the template: a person must find it in a line of C. */
__attribute__((format(printf, 2, 3)))
static int fault(const struct template *t, const char *fmt, ...)
{
	char what[FAULT_TEXT_SIZE] = "";
	size_t at = (size_t)(t->at - t->fmt);
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(what, sizeof(what), fmt, ap) < 0)
		what[0] = '\0';
	va_end(ap);
	if (*t->at == '\0')
		return err_set(t->err, FISH_EFORMAT, "%s, at the end of the template",
		               what);
	return err_set(t->err, FISH_EFORMAT, "%s, at byte %zu of the template: %.*s",
	               what, at, SHOWN_BYTES_MAX, t->at);
}

/* The depth is looked at first: jansson goes down to 2048 levels of 80 bytes each, and
 * a flow's stack may be 64 KiB. */
struct json_t *template_read_value(struct slice text, struct err *err)
{
	json_error_t why;

	if (json_depth(text) > JSON_DEPTH_MAX) {
		err_set(err, FISH_EFORMAT,
		        "more than %d objects and arrays inside one another",
		        JSON_DEPTH_MAX);
		return NULL;
	}
	/* jansson steps over a NUL behind a number. */
	if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL) {
		err_set(err, FISH_EFORMAT, "a NUL byte");
		return NULL;
	}
	/* jansson calls NULL a wrong argument and says nothing. */
	json_t *value = json_loadb(text.len == 0 ? "" : text.ptr, text.len,
	                           JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);

	if (value != NULL)
		return value;
	/* The words end with a piece of the text, which may be a stranger's: it stays
	 * out. */
	char *near = strstr(why.text, " near '");

	if (near != NULL)
		*near = '\0';
	err_set(err, FISH_EFORMAT, "%s at byte %d", why.text, why.position);
	return NULL;
}

/* Builds the value only to drop it; jansson has no cheaper way to say yes. */
int template_check_value(struct slice text, struct err *err)
{
	json_t *value = template_read_value(text, err);

	json_decref(value);
	return value == NULL ? FISH_EFORMAT : 0;
}

/* The argument of a %d, with the type that the length names. */
static intmax_t take_signed(struct template *t, enum length length)
{
	switch (length) {
	case LENGTH_INT:       return va_arg(t->args, int);
	case LENGTH_CHAR:      return (signed char)va_arg(t->args, int);
	case LENGTH_SHORT:     return (short)va_arg(t->args, int);
	case LENGTH_LONG:      return va_arg(t->args, long);
	case LENGTH_LONG_LONG: return va_arg(t->args, long long);
	case LENGTH_SIZE:      return va_arg(t->args, ssize_t);
	case LENGTH_INTMAX:    return va_arg(t->args, intmax_t);
	case LENGTH_PTRDIFF:   return va_arg(t->args, ptrdiff_t);
	}
	return 0;
}

/* The same for %u. %tu is the unsigned type of ptrdiff_t's size, which has no name of
 * its own. */
static uintmax_t take_unsigned(struct template *t, enum length length)
{
	switch (length) {
	case LENGTH_INT:       return va_arg(t->args, unsigned int);
	case LENGTH_CHAR:      return (unsigned char)va_arg(t->args, unsigned int);
	case LENGTH_SHORT:     return (unsigned short)va_arg(t->args, unsigned int);
	case LENGTH_LONG:      return va_arg(t->args, unsigned long);
	case LENGTH_LONG_LONG: return va_arg(t->args, unsigned long long);
	case LENGTH_SIZE:      return va_arg(t->args, size_t);
	case LENGTH_INTMAX:    return va_arg(t->args, uintmax_t);
	case LENGTH_PTRDIFF:   return (size_t)va_arg(t->args, ptrdiff_t);
	}
	return 0;
}

/* Inside quotes larger numbers would be harmless, but one rule is easier to remember. */
static int put_unsigned(struct template *t, enum length length)
{
	uintmax_t value = take_unsigned(t, length);

	/* jansson would refuse it as well, but could not say which argument it was. */
	if (value > INT64_MAX)
		return fault(t, "%ju is more than a JSON integer holds here", value);
	buf_printf(&t->json, "%ju", value);
	return 0;
}

/* Literal formats, one per kind, so that the compiler checks these as well. */
static int put_double(struct template *t, char kind)
{
	char text[DOUBLE_TEXT_SIZE];
	double value = va_arg(t->args, double);
	bool in_point = false;

	if (!isfinite(value))
		return fault(t, "JSON has no %f", value);
	if (kind == 'f')
		snprintf(text, sizeof(text), "%f", value);
	else if (kind == 'e')
		snprintf(text, sizeof(text), "%e", value);
	else
		snprintf(text, sizeof(text), "%g", value);
	/* Under a locale with a decimal comma [%g] would come out with two elements. */
	for (const char *c = text; *c != '\0'; c++) {
		bool was_point = in_point;

		in_point = strchr("+-e0123456789", *c) == NULL;
		if (!in_point)
			buf_putc(&t->json, *c);
		else if (!was_point)
			buf_putc(&t->json, '.');
	}
	return 0;
}

/* A %s. Where there are quotes around it, null would come out as the text "null": a
 * fault. */
static int put_text(struct template *t, enum place place)
{
	const char *text = va_arg(t->args, const char *);

	if (text == NULL && place != PLACE_VALUE)
		return fault(t, "NULL for a %%s that is %s",
		             place == PLACE_KEY ? "a key" : "inside quotes");
	if (text == NULL)
		buf_puts(&t->json, "null");
	else if (place == PLACE_QUOTED)
		buf_json_escaped(&t->json, slice_of(text));
	else
		buf_json_string(&t->json, slice_of(text));
	return 0;
}

/* The argument of a %-s. It is put in byte for byte, so big numbers and the order of
 * members stay as the sender wrote them. */
static int put_json(struct template *t)
{
	const char *text = va_arg(t->args, const char *);
	struct err why;

	if (text == NULL)
		buf_puts(&t->json, "null");
	else if (template_check_value(slice_of(text), &why) < 0)
		return fault(t, "the value for %%-s is not JSON to put in (%s)",
		             why.text);
	else
		buf_puts(&t->json, text);
	return 0;
}

/* Reads a length if one is there: none is LENGTH_INT. */
static enum length read_length(const char **at)
{
	/* The longer ones first. */
	static const struct {
		char        text[3];
		enum length length;
	} table[] = {
		{ "hh", LENGTH_CHAR }, { "h", LENGTH_SHORT },
		{ "ll", LENGTH_LONG_LONG }, { "l", LENGTH_LONG },
		{ "z", LENGTH_SIZE }, { "j", LENGTH_INTMAX }, { "t", LENGTH_PTRDIFF },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t len = strlen(table[i].text);

		if (strncmp(*at, table[i].text, len) == 0) {
			*at += len;
			return table[i].length;
		}
	}
	return LENGTH_INT;
}

/* Names what was read, up to the letter that would end it in printf. Nothing may be
 * taken from the arguments after this: their types are not known any more. */
static int unknown_conversion(const struct template *t)
{
	size_t len = 1 + strspn(t->at + 1, "-+ #'0123456789.*$hlLqjzt");

	len += t->at[len] != '\0';
	if (len > SHOWN_BYTES_MAX)
		len = SHOWN_BYTES_MAX;
	return fault(t,
	             "%.*s is none of %%s %%-s %%d %%i %%u (with hh h l ll z j t)"
	             " %%g %%f %%e",
	             (int)len, t->at);
}

/* A %-s; t->at is at the per cent sign. */
static int put_minus_conversion(struct template *t, enum place place)
{
	if (t->at[2] != 's')
		return unknown_conversion(t);
	if (place != PLACE_VALUE)
		return fault(t, "%%-s is a value, not %s",
		             place == PLACE_KEY ? "a key" : "a part of a string");
	int rc = put_json(t);

	t->at += 3;
	return rc;
}

/* Any conversion; t->at is at the per cent sign, and stays there for the words of a
 * fault. */
static int put_conversion(struct template *t, enum place place)
{
	const char *at = t->at + 1;
	int rc = 0;

	if (*at == '-')
		return put_minus_conversion(t, place);
	enum length length = read_length(&at);
	bool has_length = at > t->at + 1;
	bool number = *at != '\0' && strchr(has_length ? "diu" : "diugfe", *at) != NULL;
	bool plain = !has_length && (*at == 's' || *at == '%');

	if (!number && !plain)
		return unknown_conversion(t);
	if (number && place == PLACE_KEY)
		return fault(t, "a number is no key; put it in quotes");
	if (*at == '%' && place != PLACE_QUOTED)
		return fault(t, "%%%% outside quotes");
	if (*at == '%')
		buf_putc(&t->json, '%');
	else if (*at == 's')
		rc = put_text(t, place);
	else if (*at == 'u')
		rc = put_unsigned(t, length);
	else if (*at == 'd' || *at == 'i')
		buf_printf(&t->json, "%jd", take_signed(t, length));
	else
		rc = put_double(t, *at);
	if (rc == 0)
		t->at = at + 1;
	return rc;
}

/* Copies len bytes of the template as they are. */
static void copy(struct template *t, size_t len)
{
	buf_put(&t->json, t->at, len);
	t->at += len;
}

static void copy_space(struct template *t)
{
	copy(t, strspn(t->at, " \t\r\n"));
}

/* JSON's escapes pass through, checked here so that none can reach into what comes
 * after it: the four digits of \u must stand in the template, not in an argument. */
static int put_backslash(struct template *t, char quote)
{
	char what = t->at[1];

	if (what == '\'' && quote == '\'') {
		t->at++;
		copy(t, 1);
		return 0;
	}
	if (what == 'u' && strspn(t->at + 2, "0123456789abcdefABCDEF") >= 4) {
		copy(t, 6);
		return 0;
	}
	if (what == '\0' || strchr("\"\\/bfnrt", what) == NULL)
		return fault(t, "a backslash that JSON does not know");
	copy(t, 2);
	return 0;
}

/* A string in either kind of quotes. */
static int put_quoted(struct template *t)
{
	char quote = *t->at;
	int rc = 0;

	buf_putc(&t->json, '"');
	t->at++;
	while (*t->at != quote) {
		if (*t->at == '%')
			rc = put_conversion(t, PLACE_QUOTED);
		else if (*t->at == '\\')
			rc = put_backslash(t, quote);
		else if (*t->at == '\0')
			rc = fault(t, "a string without its closing %c", quote);
		else if ((unsigned char)*t->at < 0x20)
			rc = fault(t, "a control character in a string; write \\u00XX");
		else if (*t->at == '"') {
			/* Only in single quotes; in double ones it has ended the loop. */
			buf_puts(&t->json, "\\\"");
			t->at++;
		} else
			copy(t, 1);
		if (rc < 0)
			return rc;
	}
	buf_putc(&t->json, '"');
	t->at++;
	return 0;
}

/* A name as in C or JavaScript. */
static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
	       || c == '_' || c == '$';
}

/* A number at the front would make {1: 2} look like JSON for something else. */
static int put_key(struct template *t)
{
	size_t len = 0;

	if (*t->at == '\'' || *t->at == '"')
		return put_quoted(t);
	if (*t->at == '%')
		return put_conversion(t, PLACE_KEY);
	while (is_name_byte(t->at[len]))
		len++;
	if (len == 0 || (*t->at >= '0' && *t->at <= '9'))
		return fault(t, "expected a key: a name, 'quoted' or %%s");
	buf_putc(&t->json, '"');
	copy(t, len);
	buf_putc(&t->json, '"');
	return 0;
}

/* A member or element with the space around it. */
static int put_item(struct template *t, char close)
{
	if (close == '}') {
		copy_space(t);
		int rc = put_key(t);

		if (rc < 0)
			return rc;
		copy_space(t);
		if (*t->at != ':')
			return fault(t, "expected ':' after a key");
		copy(t, 1);
	}
	return put_value(t);
}

/* An object or an array; close is the bracket that ends it. */
static int put_group(struct template *t, char close)
{
	/* The parser recurses on the caller's stack, too. */
	if (t->depth == TEMPLATE_DEPTH_MAX)
		return fault(t, "more than %d objects and arrays inside one another",
		             TEMPLATE_DEPTH_MAX);
	t->depth++;
	copy(t, 1);
	copy_space(t);
	/* After the first item a closing bracket may not follow a comma. */
	for (bool first = true; !first || *t->at != close; first = false) {
		int rc = put_item(t, close);

		if (rc < 0)
			return rc;
		if (*t->at == close)
			break;
		if (*t->at != ',')
			return fault(t, "expected ',' or '%c' after a value", close);
		copy(t, 1);
	}
	copy(t, 1);
	t->depth--;
	return 0;
}

/* A number, true, false or null: whatever jansson takes of the kind. */
static int put_word(struct template *t)
{
	size_t len = 0;
	struct err why;

	while (is_name_byte(t->at[len]) || t->at[len] == '-' || t->at[len] == '+'
	       || t->at[len] == '.')
		len++;
	if (len == 0)
		return fault(t, "expected a value");
	/* Numbers out of range and leading zeros are refused here, where the place is
	 * known. */
	if (template_check_value((struct slice){ t->at, len }, &why) < 0)
		return fault(t, "this is no value (%s); strings need quotes", why.text);
	copy(t, len);
	return 0;
}

/* Any value, with the space around it. */
static int put_value(struct template *t)
{
	int rc = 0;

	copy_space(t);
	if (*t->at == '{')
		rc = put_group(t, '}');
	else if (*t->at == '[')
		rc = put_group(t, ']');
	else if (*t->at == '\'' || *t->at == '"')
		rc = put_quoted(t);
	else if (*t->at == '%')
		rc = put_conversion(t, PLACE_VALUE);
	else
		rc = put_word(t);
	if (rc == 0)
		copy_space(t);
	return rc;
}

/* The whole template into t->json. */
static int put_whole(struct template *t)
{
	struct err why;
	int rc = put_value(t);

	if (rc < 0)
		return rc;
	if (*t->at != '\0')
		return fault(t, "something after the value");
	if (buf_failed(&t->json))
		return err_set(t->err, FISH_ETOOBIG,
		               "the template comes to more than %zu bytes",
		               t->json.bytes_max);
	/* What the pieces cannot show: two members of one name, lone surrogates, the
	 * depth. */
	if (template_check_value(buf_slice(&t->json), &why) < 0)
		return err_set(t->err, FISH_EFORMAT,
		               "the template does not come out as JSON (%s of %zu)",
		               why.text, t->json.len);
	return 0;
}

int template_put(struct buf *out, struct err *err, const char *fmt, va_list ap)
{
	if (!fmt)
		return err_set(err, FISH_EFORMAT, "the template is NULL");
	struct template t = { .fmt = fmt, .at = fmt, .err = err };
	/* Built apart and appended in one put: out is never left with half a value. */
	size_t room = buf_failed(out) ? 0 : out->bytes_max - out->len;

	buf_init(&t.json, room < TEMPLATE_BYTES_MAX ? room : TEMPLATE_BYTES_MAX);
	/* A va_list may be an array, which cannot be kept in a struct but by a copy. */
	va_copy(t.args, ap);
	int rc = put_whole(&t);

	va_end(t.args);
	if (rc == 0)
		buf_put_slice(out, buf_slice(&t.json));
	buf_fini(&t.json);
	return rc;
}
