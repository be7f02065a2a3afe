/* fields.h - structured field values (RFC 9651, and so RFC 8941): read into a tree, put as text. Pure.
 *
 * Strict: what the RFC lets a reader refuse is refused (base64 without padding, or with bits that are
 * lost). Surprise: a decimal is a whole number of thousandths, so that none is rounded twice. */
#ifndef FISH_FIELDS_H
#define FISH_FIELDS_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	FIELDS_BYTES_MAX   = 256 << 10,  /* of a text that is read */
	FIELDS_MEMBERS_MAX = 2048,       /* of a list or dictionary, an inner list, the parameters of one item */
};

enum field_kind {
	FIELD_INTEGER,       /* number */
	FIELD_DECIMAL,       /* number, in thousandths */
	FIELD_STRING,        /* text */
	FIELD_TOKEN,         /* text */
	FIELD_BINARY,        /* text: the bytes */
	FIELD_BOOLEAN,       /* number: 0 or 1 */
	FIELD_DATE,          /* number: unix seconds */
	FIELD_DISPLAY,       /* text: UTF-8 */
	FIELD_INNER_LIST,    /* the item's items */
};

struct field_value {
	enum field_kind kind;
	int64_t         number;
	struct slice    text;
};

struct field_param {
	struct slice       key;
	struct field_value value;            /* never an inner list */
};

struct field_item {
	struct field_value  value;
	struct field_param *params;          /* in the order of their first places, the last value of each */
	size_t              nparams;
	struct field_item  *items;           /* of an inner list; these have none of their own */
	size_t              nitems;
};

struct field_member {
	struct slice      key;               /* of a dictionary; in a list empty */
	struct field_item item;
};

struct fields {
	struct field_member *members;        /* a dictionary's: in the order of their first places */
	size_t               nmembers;
};

/* Read text, the lines of a field joined by ", "; what they give lives in arena. FISH_EFORMAT. A list
 * and a dictionary may be empty, an item not. */
int fields_item(struct arena *arena, struct slice text, struct field_item *ret_item);
int fields_list(struct arena *arena, struct slice text, struct fields *ret_fields);
int fields_dictionary(struct arena *arena, struct slice text, struct fields *ret_fields);

/* NULL when there is none of that name. */
const struct field_item  *fields_find(const struct fields *dictionary, struct slice key);
const struct field_value *field_param_find(const struct field_item *item, const char *key);

/* Append the canonical text of what was read. */
void fields_put_value(struct buf *out, const struct field_value *value);
void fields_put_item(struct buf *out, const struct field_item *item);
void fields_put_list(struct buf *out, const struct fields *list);
void fields_put_dictionary(struct buf *out, const struct fields *dictionary);

#endif
