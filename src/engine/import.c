/* import.c - a flow that was exported is brought in, in one commit.
 *
 * Invariant: it is fed by the code that feeds flows at a restart, and refused, whole, when that refuses.
 * The questions to the store come first; then, in one go, the last look at what may have changed
 * meanwhile, the keys, the flow in memory and its rows in the gathering batch. Surprise: it takes
 * deliveries from then on, though it is not durable yet; they wait for the same commit. */
#include "engine/import.h"

#include "engine/run.h"
#include "engine/world.h"
#include "wire/export.h"

#include <string.h>

enum { AHEAD_MS_MAX = 60 * 1000 };

static void over(struct import *im, int rc)
{
	im->engine->import = NULL;
	im->done(im, rc);
}

static void exists(struct import *im)
{
	im->existed = true;
	over(im, err_set(&im->err, FISH_EINVAL, "a flow of that id is in the store already"));
}

static const struct token_key *key_of(const struct store *s, uint8_t id)
{
	for (size_t i = 0; i < s->nkeys; i++)
		if (s->keys[i].id == id)
			return &s->keys[i];
	return NULL;
}

static const struct export_key *key_lacking(const struct import *im, struct err *err)
{
	const struct export_head *h = &im->flow->head;

	for (size_t i = 0; i < h->nkeys; i++) {
		const struct export_key *k = &h->keys[i];
		const struct token_key *own = key_of(im->engine->store, k->key.id);
		char mark[TOKEN_MARK_SIZE] = "";

		if (own)
			token_key_mark(own, mark);
		if (own && memcmp(own ? mark : "", k->mark, sizeof mark) == 0)
			continue;
		if (own)
			err_set(err, FISH_EINVAL,
			        "the flow's URLs were made with key %u, and this store has another key of "
			        "that number: bring it into another store",
			        k->key.id);
		else if (!k->has_secret)
			err_set(err, FISH_EINVAL,
			        "the flow's URLs were made with key %u, which this store does not have: "
			        "export it with --with-keys",
			        k->key.id);
		else if (!im->takes_keys)
			err_set(err, FISH_EINVAL,
			        "the flow's URLs were made with key %u, which this store does not have and "
			        "the export does: import it with --with-keys",
			        k->key.id);
		return k;
	}
	return NULL;
}

/* Whoever has a store's keys can make URLs for it, so that they are taken only when asked for. An ended
 * flow needs none: its URLs answer 404 without, instead of 410. */
static int keys_in(struct import *im)
{
	struct engine *e = im->engine;
	const struct export_key *k;
	struct err err = { .code = 0 };

	while ((k = key_lacking(im, &err))) {
		if (err.code && im->flow->head.ended)
			return 0;
		if (!err.code && store_add_key(e->store, &k->key, &err) == 0) {
			token_ring_free(e->tokens);
			e->tokens = token_ring_new(e->store->keys, e->store->nkeys);
			im->keys++;
			continue;
		}
		im->err = err;
		return err.code;
	}
	return 0;
}

/* The flow in memory, not linked to others; NULL: its journal is none. */
static struct flow *build(struct import *im)
{
	const struct exported *x = im->flow;
	struct engine *e = im->engine;
	struct flow *f = flow_new(e, &x->head.flow);
	struct store_row row = { .flow = f->id, .seq = x->seq, .bytes = buf_slice(&x->bytes) };
	struct store_load l = { .flow = f->id, .rows = &row, .nrows = 1 };

	f->batch = e->gather->no;
	if (flow_feed_rows(f, &l) == 0 && f->name && f->seq_next == x->next_seq
	    && (x->head.ended || (flow_feed_run(f, &l) == 0 && f->from_seq == x->head.from_seq)))
		return f;
	flow_free(f);
	return NULL;
}

static void row_put(struct import *im, struct flow *f)
{
	struct batch *b = im->engine->gather;

	f->row = batch_row(b, &f->id, im->flow->seq);
	f->row_batch = b->no;
	f->row->from_seq = f->from_seq;
	buf_put_slice(&f->row->bytes, buf_slice(&im->flow->bytes));
	CHECK(!buf_failed(&f->row->bytes));
	b->bytes += f->row->bytes.len;
}

static void put(struct import *im)
{
	const struct exported *x = im->flow;
	struct engine *e = im->engine;
	struct flow *f = build(im);

	if (!f) {
		over(im, err_set(&im->err, FISH_EFORMAT,
		                 "its entries do not fit together: entries are missing, or were changed"));
		return;
	}
	int rc = keys_in(im);

	if (rc < 0) {
		flow_free(f);
		over(im, rc);
		return;
	}
	row_put(im, f);
	list_push(&e->gather->imports, &im->link);
	if (x->head.ended) {
		flow_has_ended(f, buf_slice(&x->bytes), x->head.untaken, x->head.seen);
		return;
	}
	flow_link(f);
	flow_idle(f);
	claims_of(f);                             /* in this store nobody knows of them */
	if (flow_wants_run(f))
		flow_wake(f);
}

/* A child lives or ends in its parent's journal, too; the two must have been exported at one moment. */
static int fits_parent(struct import *im, const struct flow *parent)
{
	const struct exported *x = im->flow;

	if (!parent && !x->head.ended)
		return err_set(&im->err, FISH_EINVAL,
		               "it is the child of a flow that is not in the store, or has ended: bring its "
		               "parent in first");
	for (size_t i = 0; parent && x->head.ended && i < parent->nkids; i++)
		if (id_eq(&parent->kids[i].id, &x->head.flow))
			return err_set(&im->err, FISH_EINVAL,
			               "it has ended, and its parent does not know of that: export both again, "
			               "while no server runs");
	return 0;
}

static void parent_there(struct wanted *w, struct flow *parent)
{
	struct import *im = container_of(w, struct import, want);
	struct engine *e = im->engine;
	const struct exported *x = im->flow;

	if (engine_away(e)) {
		over(im, err_set(&im->err, FISH_ESTORE, "the store is away just now"));
	} else if (map_get(&e->flows, &x->head.flow)) {
		exists(im);
	} else if (x->has_key && !x->head.ended && map_get(&e->start_keys, &x->key)) {
		over(im, err_set(&im->err, FISH_EINVAL, "another flow was started with its --key"));
	} else if (engine_crowded(e)) {
		over(im, err_set(&im->err, FISH_EBUSY, "the memory for flows is used up just now"));
	} else if (x->newest_ms > e->now_ms + AHEAD_MS_MAX) {
		over(im, err_set(&im->err, FISH_EINVAL,
		                 "its newest entry is %lld s ahead of this server's clock: one of the two "
		                 "machines' clocks is wrong",
		                 (long long)((x->newest_ms - e->now_ms) / 1000)));
	} else if (x->newest_ms > e->now_ms) {
		over(im, err_set(&im->err, FISH_EBUSY,
		                 "its newest entry is %lld ms ahead of this server's clock: wait so long",
		                 (long long)(x->newest_ms - e->now_ms)));
	} else {
		int rc = x->parent_source ? fits_parent(im, parent) : 0;

		if (rc < 0)
			over(im, rc);
		else
			put(im);
	}
}

static void no_such_key(struct store_find *find, int rc)
{
	struct import *im = container_of(find, struct import, find);

	if (rc == 0 && find->parked) {
		over(im, err_set(&im->err, FISH_EINVAL, "another flow was started with its --key"));
		return;
	}
	parent_there(&im->want, NULL);
}

static void no_such_flow(struct store_find *find, int rc)
{
	struct import *im = container_of(find, struct import, find);
	struct engine *e = im->engine;
	const struct exported *x = im->flow;

	if (rc == 0) {
		exists(im);
	} else if (x->has_key && !x->head.ended && !engine_away(e)) {
		im->find = (struct store_find){ .by = STORE_BY_KEY, .what = x->key, .done = no_such_key };
		store_find(e->store, &im->find);
	} else if (x->parent_source) {
		im->want = (struct wanted){ .id = x->parent, .done = parent_there };
		flow_want(e, &im->want);
	} else {
		parent_there(&im->want, NULL);
	}
}

void engine_import(struct engine *e, struct import *im)
{
	const struct exported *x = im->flow;

	engine_catch_up(e);
	im->engine = e;
	im->existed = false;
	im->keys = 0;
	list_init(&im->link);
	if (engine_away(e) || e->import) {
		im->done(im, err_set(&im->err, engine_away(e) ? FISH_ESTORE : FISH_EBUSY,
		                     e->import ? "another flow is being imported just now"
		                               : "the store is away just now"));
		return;
	}
	e->import = im;
	if (map_get(&e->flows, &x->head.flow)) {
		exists(im);
		return;
	}
	im->find = (struct store_find){ .by = STORE_BY_FLOW, .what = x->head.flow, .done = no_such_flow };
	store_find(e->store, &im->find);
}

void import_forget(struct engine *e)
{
	struct import *im = e->import;

	e->import = NULL;
	if (im)
		im->done(im, err_set(&im->err, FISH_ESTORE, "the store is away just now"));
}
