/* fields_put.c - structured field values as text (RFC 9651, section 4.1).
 *
 * Invariant: what fields.c read is put as its one canonical text, which reads back as the same. */
#include "wire/codec.h"
#include "wire/fields.h"

#include <inttypes.h>

enum { THOUSAND = 1000 };

/* At least one digit behind the point, and no zero more. */
static void put_decimal(struct buf *out, int64_t thousandths)
{
	int64_t n = thousandths < 0 ? -thousandths : thousandths;
	int third = (int)(n % THOUSAND);

	buf_printf(out, "%s%" PRId64 ".%d", thousandths < 0 ? "-" : "", n / THOUSAND, third / 100);
	if (third % 100 != 0)
		buf_printf(out, "%d", third / 10 % 10);
	if (third % 10 != 0)
		buf_printf(out, "%d", third % 10);
}

static void put_string(struct buf *out, struct slice text)
{
	buf_putc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, text.ptr[i]);
	}
	buf_putc(out, '"');
}

static void put_display(struct buf *out, struct slice text)
{
	buf_puts(out, "%\"");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '%' || c == '"' || c < 0x20 || c >= 0x7f)
			buf_printf(out, "%%%02x", (uint8_t)c);
		else
			buf_putc(out, c);
	}
	buf_putc(out, '"');
}

void fields_put_value(struct buf *out, const struct field_value *value)
{
	switch (value->kind) {
	case FIELD_INTEGER: buf_printf(out, "%" PRId64, value->number); break;
	case FIELD_DECIMAL: put_decimal(out, value->number); break;
	case FIELD_STRING:  put_string(out, value->text); break;
	case FIELD_TOKEN:   buf_put_slice(out, value->text); break;
	case FIELD_BOOLEAN: buf_puts(out, value->number != 0 ? "?1" : "?0"); break;
	case FIELD_DATE:    buf_printf(out, "@%" PRId64, value->number); break;
	case FIELD_DISPLAY: put_display(out, value->text); break;
	case FIELD_BINARY:
		buf_putc(out, ':');
		codec_put_base64(out, (const uint8_t *)value->text.ptr, value->text.len);
		buf_putc(out, ':');
		break;
	case FIELD_INNER_LIST:
		break;     /* fields_put_item puts its items */
	}
}

static bool is_true(const struct field_value *value)
{
	return value->kind == FIELD_BOOLEAN && value->number != 0;
}

static void put_params(struct buf *out, const struct field_item *item)
{
	for (size_t i = 0; i < item->nparams; i++) {
		buf_putc(out, ';');
		buf_put_slice(out, item->params[i].key);
		if (is_true(&item->params[i].value))
			continue;
		buf_putc(out, '=');
		fields_put_value(out, &item->params[i].value);
	}
}

void fields_put_item(struct buf *out, const struct field_item *item)
{
	if (item->value.kind != FIELD_INNER_LIST) {
		fields_put_value(out, &item->value);
		put_params(out, item);
		return;
	}
	buf_putc(out, '(');
	for (size_t i = 0; i < item->nitems; i++) {
		if (i > 0)
			buf_putc(out, ' ');
		fields_put_value(out, &item->items[i].value);
		put_params(out, &item->items[i]);
	}
	buf_putc(out, ')');
	put_params(out, item);
}

void fields_put_list(struct buf *out, const struct fields *list)
{
	for (size_t i = 0; i < list->nmembers; i++) {
		if (i > 0)
			buf_puts(out, ", ");
		fields_put_item(out, &list->members[i].item);
	}
}

void fields_put_dictionary(struct buf *out, const struct fields *dictionary)
{
	for (size_t i = 0; i < dictionary->nmembers; i++) {
		const struct field_item *item = &dictionary->members[i].item;

		if (i > 0)
			buf_puts(out, ", ");
		buf_put_slice(out, dictionary->members[i].key);
		if (is_true(&item->value)) {
			put_params(out, item);
			continue;
		}
		buf_putc(out, '=');
		fields_put_item(out, item);
	}
}
