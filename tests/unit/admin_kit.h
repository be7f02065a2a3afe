/* admin_kit.h - the engine and the store behind the admin listener, as stand-ins: the linker takes these
 * functions before the library's, so that each answer can be had at will, at once or late. */
#ifndef FISH_ADMIN_KIT_H
#define FISH_ADMIN_KIT_H

#include "net_test.h"

#include "engine/export.h"
#include "engine/import.h"
#include "net/admin.h"
#include "wire/entry.h"

struct engine {
	int rc; /* what it answers at once; 1: it holds what it was asked */
	int status;
	bool away;
	struct start *start; /* held */
	struct watch *watch;
	struct watch *forgetting; /* unwatched, and not let go of yet */
	void (*forgotten)(struct watch *w);
	bool holds_forgetting;
	size_t live; /* flows that engine_list tells of; … */
	bool boxes; /* … was it to tell of boxes? */
	int64_t hook; /* redeliver: to this one instead; -1: not */
	char name[64], input[64], key[64];
};

static const struct id flow_id = { { 1, 2, 3 } };
static char flow_text[ID_TEXT_SIZE];

static void copy(char *to, size_t size, struct slice from)
{
	snprintf(to, size, "%.*s", (int)from.len, from.ptr != NULL ? from.ptr : "");
}

void engine_start(struct engine *e, struct start *s)
{
	copy(e->name, sizeof e->name, s->flow);
	copy(e->input, sizeof e->input, s->input);
	copy(e->key, sizeof e->key, s->key);
	if (e->rc == 1)
		e->start = s;
	else
		s->done(s, e->rc, &flow_id, false,
			e->rc < 0 ? "the engine's words" : NULL);
}

void engine_watch(struct engine *e, struct watch *w) { e->watch = w; }

void engine_unwatch(struct engine *e, struct watch *w, void (*forgotten)(struct watch *w))
{
	assert_ptr_equal(e->watch, w);
	e->watch = NULL;
	e->forgetting = w;
	e->forgotten = forgotten;
	if (!e->holds_forgetting)
		forgotten(w);
}

void engine_cancel(struct engine *e, struct cancel *c) { c->done(c, e->rc); }

void engine_retry(struct engine *e, struct retry *r) { r->done(r, e->rc); }

void engine_redeliver(struct engine *e, struct redeliver *r)
{
	buf_puts(r->room, "what is delivered");
	copy(e->name, sizeof e->name, r->door);
	e->hook = r->elsewhere ? (int64_t)r->hook : -1;
	r->to = r->id;
	r->done(r, e->rc, "the engine's words");
}

bool engine_show_door(const struct engine *e, struct slice name, struct buf *out)
{
	(void)e;
	if (!slice_eq(name, SLICE_LIT("shop")))
		return false;
	buf_puts(out, "{\"door\": \"shop\"}");
	return true;
}

void engine_list_doors(const struct engine *e, struct buf *out)
{
	(void)engine_show_door(e, SLICE_LIT("shop"), out);
}

void engine_show(struct engine *e, struct show *s)
{
	s->done(s, e->rc, SLICE_LIT("{\"shown\": true}"));
}

void engine_list(struct engine *e, struct roll *r)
{
	struct id last = { { 0 } };
	struct buf out;
	size_t n = 0;

	e->boxes = r->boxes;
	buf_init(&out, SIZE_MAX);
	for (size_t i = r->after.b[15]; i < e->live && n < r->limit; i++, n++) {
		buf_printf(&out, "%s{\"live\": %zu}", n > 0 ? ", " : "", i);
		last.b[15] = (uint8_t)(i + 1);
	}
	r->nlines = n;
	r->done(r, 0, buf_slice(&out), n, &last);
	buf_fini(&out);
}

void engine_figures(const struct engine *e, struct engine_figures *ret)
{
	*ret = (struct engine_figures){ .flows = e->live };
}

bool engine_away(const struct engine *e) { return e->away; }

/* Three ended flows: places 3, 2 and 1; and for who asks from above it one that was a box, at place 4. */
void store_list(struct store *s, struct store_list *l)
{
	struct store_ended ended[4] = { 0 };
	uint64_t place = l->before == 0 ? 3 : l->before - 1;
	(void)s;
	l->ended = ended;
	for (; place > 0 && l->nended < l->limit; place--) {
		ended[l->nended++] = (struct store_ended){
			.flow = { { (uint8_t)place } },
			.name = place == 4 ? SLICE_LIT("/in/d") : SLICE_LIT("f"),
			.status = place == 2 ? END_FAILED : END_DONE,
			.result = place == 2 ? SLICE_LIT("say \"why\"")
					     : SLICE_LIT("{\"n\": 1}"),
		};
	}
	l->ret_next = place > 0 ? place + 1 : 0;
	l->done(l, 0);
}

void export_ask(struct store *s, struct export *x)
{
	(void)s;
	if (x->with_secrets)
		buf_puts(x->out, "secrets\n");
	x->done(x, x->with_secrets ? 0 : FISH_ENOTFOUND);
}

void engine_import(struct engine *e, struct import *im)
{
	im->err = (struct err){ .text = "so it is" };
	im->existed = e->rc == FISH_EGONE;
	im->done(im, e->rc);
}

int store_backup_begin(
	struct store *s, const char *path, enum store_backup_mode mode, struct err *err)
{
	(void)s;
	return strcmp(path, "/there") == 0 && mode == STORE_BACKUP_NEW
		? err_set(err, FISH_EBUSY, "%s is there", path)
		: 0;
}

void store_backup_look(struct store *s, struct store_backup *ret)
{
	(void)s;
	*ret = (struct store_backup){ .phase = STORE_BACKUP_COPIES,
		.number = 1,
		.bytes = 300,
		.left = 100 };
}

#endif
