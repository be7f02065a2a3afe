/* doors.c - the table of named doors, and the key of what comes to one.
 *
 * Surprise: what cannot be told (no such header, no such member, a body that is no JSON) is for nobody;
 * it is no fault of the sender's, who delivers all its events to one URL. */
#include "engine/doors.h"

#include "base/hash.h"
#include "engine/engine.h"
#include "engine/msg.h"
#include "wire/http1.h"
#include "wire/json.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* ---- making ready ---- */

static bool is_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	return len && len <= DOOR_NAME_BYTES_MAX && strspn(name, LETTERS "._-") == len && strcmp(name, ".") != 0
	       && strcmp(name, "..") != 0;
}

static bool is_field(const char *name)
{
	struct slice text = slice_of(name);

	return http1_token_len(text) == text.len;
}

static int take_key(struct door *d, const fish_door *f, struct err *err)
{
	if (!f->key == !f->flow)
		return err_set(err, FISH_EINVAL, "door '%s' needs either a .key or a .flow, and not both", f->name);
	if (!f->key)
		return 0;
	if (!*f->key || strlen(f->key) > NAME_BYTES_MAX || (*f->key != '/' && !is_field(f->key)))
		return err_set(err, FISH_EINVAL,
		               "door '%s': its key '%.80s' is neither a header's name nor a JSON Pointer (\"/data/id\")",
		               f->name, f->key);
	d->key = xstrndup(f->key, strlen(f->key));
	for (char *c = d->key; *f->key != '/' && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return 0;
}

static int take_flow(struct door *d, const fish_door *f, const fish_program *p, struct err *err)
{
	for (const fish_def *def = p->flows; f->flow && !d->flow && def && def->name; def++)
		if (def->fn == f->flow)
			d->flow = def;
	if (f->flow && !d->flow)
		return err_set(err, FISH_EINVAL, "door '%s': its flow is not in the program's list of flows", f->name);
	return 0;
}

static int take_sender(struct door *d, const fish_door *f, const struct engine_config *config,
                       const struct senders *s, struct err *err)
{
	const char *name = f->from && f->from->name ? f->from->name : "";

	d->from = f->from ? senders_find(s, slice_of(name)) : NULL;
	if (f->from && !d->from)
		return err_set(err, FISH_EINVAL, "door '%s': the sender \"%.60s\" is not in the program's list of senders",
		               f->name, name);
	/* In a simulation nothing is signed. */
	if (!f->open && !config->simulated && (!d->from || !d->from->scheme))
		return err_set(err, FISH_EINVAL,
		               "door '%s' takes whatever anybody sends: give it a sender (.from) with a scheme, or "
		               "say that it is meant by .open = true", f->name);
	return 0;
}

static struct id book_of(const char *name)
{
	struct slice parts[] = { SLICE_LIT("ledger of a door"), slice_of(name) };

	return hash128(parts, sizeof parts / sizeof *parts);
}

static int take(struct doors *all, const fish_door *f, const struct engine_config *config,
                const struct senders *s, struct err *err)
{
	if (!is_name(f->name))
		return err_set(err, FISH_EINVAL, "door \"%.80s\": a name has 1 to %d of A-Z a-z 0-9 . _ -",
		               f->name ? f->name : "", DOOR_NAME_BYTES_MAX);
	if (doors_find(all, slice_of(f->name)))
		return err_set(err, FISH_EINVAL, "two doors of the program's list are named '%s'", f->name);
	if (f->keep_ms < 0)
		return err_set(err, FISH_EINVAL, "door '%s': its keep_ms is negative", f->name);
	struct door *d = &all->all[all->n++];

	*d = (struct door){
		.name = xstrndup(f->name, strlen(f->name)), .keep_ms = f->keep_ms ? f->keep_ms : DOOR_KEEP_MS,
		.body_max = f->body_max, .book = book_of(f->name) };
	int rc = take_key(d, f, err);

	rc = rc < 0 ? rc : take_flow(d, f, config->program, err);
	return rc < 0 ? rc : take_sender(d, f, config, s, err);
}

int doors_init(struct doors *ret, const struct engine_config *config, const struct senders *s, struct err *err)
{
	const fish_door *const *listed = config->program->doors;
	size_t n = 0;

	while (listed && listed[n])
		n++;
	*ret = (struct doors){ .all = n ? xalloc(n * sizeof *ret->all) : NULL };
	for (size_t i = 0; i < n; i++) {
		int rc = take(ret, listed[i], config, s, err);

		if (rc < 0) {
			doors_fini(ret);
			return rc;
		}
	}
	return 0;
}

void doors_fini(struct doors *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->all[i].name);
		free(d->all[i].key);
	}
	free(d->all);
	*d = (struct doors){ .n = 0 };
}

const struct door *doors_find(const struct doors *d, struct slice name)
{
	for (size_t i = 0; i < d->n; i++)
		if (slice_eq(slice_of(d->all[i].name), name))
			return &d->all[i];
	return NULL;
}

/* ---- keys ---- */

bool door_key_fits(struct slice key)
{
	if (!key.len || key.len > DOOR_KEY_BYTES_MAX || memchr(key.ptr, '\0', key.len))
		return false;
	json_t *text = json_stringn(key.ptr, key.len);     /* makes none of what is not UTF-8 */
	bool fits = text != NULL;

	json_decref(text);
	return fits;
}

static bool put(struct buf *ret, struct slice key)
{
	if (!door_key_fits(key))
		return false;
	buf_put_slice(ret, key);
	return true;
}

static bool put_value(struct buf *ret, const json_t *at)
{
	char number[32];

	if (json_is_string(at))
		return put(ret, (struct slice){ json_string_value(at), json_string_length(at) });
	if (!json_is_integer(at))
		return false;
	snprintf(number, sizeof number, "%lld", (long long)json_integer_value(at));
	return put(ret, slice_of(number));
}

bool door_key_of(const struct door *d, struct slice meta, struct slice body, struct buf *ret)
{
	if (*d->key != '/')
		return put(ret, meta_find(meta, d->key));
	struct msg m = { .pub = { .body = body.ptr, .len = body.len }, .meta = meta };
	bool is = put_value(ret, json_at(msg_json(&m), d->key));

	json_decref(m.json);
	return is;
}
