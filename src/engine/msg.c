/* msg.c - what a message's bytes hold: its header lines, and its body as JSON or a form.
 *
 * Invariant: reading is a pure function of the bytes, so that each re-run reads the same. Surprise:
 * the door journals bytes and judges none; a body is parsed by the first reader that asks, and one
 * that is refused (duplicate members, \u0000, numbers out of range, a BOM, too deep) has no tree. */
#include "engine/msg.h"

#include "wire/template.h"
#include "wire/url.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { FORM_FIELDS_MAX = 1000 };

void msgs_release(struct msg **parsed)
{
	for (struct msg *m = *parsed; m; m = m->parsed_next) {
		json_decref(m->json);
		m->json = NULL;
		m->parse = MSG_UNPARSED;
	}
	*parsed = NULL;
}

struct slice meta_find(struct slice meta, const char *name)
{
	size_t len = strlen(name);

	while (meta.len) {
		const char *eol = memchr(meta.ptr, '\n', meta.len);
		size_t line = eol ? (size_t)(eol - meta.ptr) : meta.len;

		if (line >= len + 2 && memcmp(meta.ptr, name, len) == 0
		    && memcmp(meta.ptr + len, ": ", 2) == 0)
			return (struct slice){ meta.ptr + len + 2, line - len - 2 };
		meta.ptr += line + (eol != NULL);
		meta.len -= line + (eol != NULL);
	}
	return SLICE_NONE;
}

/* ---- forms ---- */

/* Many senders, curl -d among them, call JSON a form. No form begins with a brace or bracket: they
 * would be escaped there (WHATWG URL, application/x-www-form-urlencoded serializing), and so would
 * be the white space that JSON may have before them. */
static bool looks_like_json(struct slice body)
{
	size_t at = 0;

	while (at < body.len && body.ptr[at] && strchr(" \t\r\n", body.ptr[at]))
		at++;
	return at < body.len && (body.ptr[at] == '{' || body.ptr[at] == '[');
}

/* The content type says so, and the body does not say otherwise. */
static bool is_form(struct slice meta, struct slice body)
{
	struct slice type = meta_find(meta, "content-type");
	struct slice form = SLICE_LIT("application/x-www-form-urlencoded");

	if (type.len < form.len || !slice_eq_nocase((struct slice){ type.ptr, form.len }, form))
		return false;
	/* A parameter may follow. */
	bool named = type.len == form.len || strchr("; \t", type.ptr[form.len]);

	return named && !looks_like_json(body);
}

/* Decodes name and value of one field into object. False when they are not text. */
static bool form_field(json_t *object, struct slice field)
{
	const char *eq = memchr(field.ptr, '=', field.len);
	struct slice name = { field.ptr, eq ? (size_t)(eq - field.ptr) : field.len };
	struct slice value = { eq ? eq + 1 : NULL, eq ? field.len - name.len - 1 : 0 };
	struct buf n;
	struct buf v;
	bool ok = false;

	buf_init(&n, field.len);
	buf_init(&v, field.len);
	if (url_decode_form(&n, name) == 0 && url_decode_form(&v, value) == 0) {
		const char *key = n.len ? n.ptr : "";
		json_t *text = json_stringn(v.len ? v.ptr : "", v.len);

		/* jansson makes no string of bytes that are not UTF-8. The first field of a name
		 * counts, as a reader of one field would find it. */
		ok = text != NULL;
		if (ok && !json_object_get(object, key))
			ok = json_object_set(object, key, text) == 0;
		json_decref(text);
	}
	buf_fini(&n);
	buf_fini(&v);
	return ok;
}

/* An object of strings, the caller's own; an empty body is an empty form. */
static json_t *form_read(struct slice body, struct err *err)
{
	json_t *object = json_object();

	for (size_t fields = 0; body.len; fields++) {
		const char *amp = memchr(body.ptr, '&', body.len);
		size_t len = amp ? (size_t)(amp - body.ptr) : body.len;
		bool good = fields < FORM_FIELDS_MAX
		            && (!len || form_field(object, (struct slice){ body.ptr, len }));

		if (!good) {
			err_set(err, FISH_EFORMAT, "field %zu of the form %s", fields + 1,
			        fields < FORM_FIELDS_MAX
			                ? "has a bad escape, a NUL or bytes that are not UTF-8"
			                : "is one too many");
			json_decref(object);
			return NULL;
		}
		body.ptr += len + (amp != NULL);
		body.len -= len + (amp != NULL);
	}
	return object;
}

/* ---- bodies ---- */

static json_t *body_read(struct slice meta, struct slice body, struct err *err)
{
	return is_form(meta, body) ? form_read(body, err) : template_read_value(body, err);
}

int body_check(struct slice meta, struct slice body, struct err *err)
{
	json_t *json = body_read(meta, body, err);

	json_decref(json);
	return json ? 0 : FISH_EFORMAT;
}

bool msg_is_form(const struct msg *m)
{
	return is_form(m->meta, (struct slice){ m->pub.body, m->pub.len });
}

json_t *msg_json(const struct msg *m)
{
	/* Parsing changes nothing that a flow can see: the const is for the user. */
	struct msg *own = (struct msg *)m;

	if (m->parse != MSG_UNPARSED)
		return m->json;
	own->json = body_read(m->meta, (struct slice){ m->pub.body, m->pub.len }, NULL);
	own->parse = m->json ? MSG_PARSED : MSG_REFUSED;
	/* The run's chain: the tree is jansson's, and not in the arena. */
	if (m->json && m->parsed) {
		own->parsed_next = *m->parsed;
		*own->parsed = own;
	}
	return m->json;
}
