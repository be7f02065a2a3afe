/* export.c - reads one flow from the store and puts its lines together.
 *
 * Invariant: both reads show the store at one moment, since nothing is asked of it between them.
 * Surprise: what an ended flow's journal does not tell, its untaken messages and its message ids,
 * is in its row of ended alone. */
#include "engine/export.h"

#include "wire/export.h"

#include <string.h>

static void found(struct store_find *find, int rc)
{
	struct export *x = container_of(find, struct export, find);

	if (rc < 0 || find->parked)
		return;
	buf_put_slice(&x->untaken, find->ended.untaken);
	buf_put_slice(&x->seen, find->ended.seen);
}

/* Those that the flow's entries name, as far as the store has them. */
static void fill_in_keys(const struct export *x, struct export_head *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->nkeys; i++)
		for (size_t j = 0; j < x->store->nkeys; j++) {
			const struct token_key *key = &x->store->keys[j];

			if (key->id != h->keys[i].key.id)
				continue;
			struct export_key *k = &h->keys[kept++];

			*k = (struct export_key){ .key = { .id = key->id } };
			token_key_mark(key, k->mark);
			k->has_secret = x->with_secrets;
			if (k->has_secret)
				memcpy(k->key.secret, key->secret, sizeof k->key.secret);
			break;
		}
	h->nkeys = kept;
}

/* In one piece: where rows begin is the store's affair. */
static struct id sum_of(const struct export_head *h, const struct store_load *l)
{
	struct buf all;

	buf_init(&all, SIZE_MAX);
	for (size_t i = 0; i < l->nrows; i++)
		buf_put_slice(&all, l->rows[i].bytes);
	struct id sum = export_sum(h, buf_slice(&all));

	buf_fini(&all);
	return sum;
}

static int put(struct export *x, const struct store_load *l)
{
	struct export_head h = {
		.flow = l->flow, .from_seq = l->rows[0].from_seq,
		.untaken = buf_slice(&x->untaken), .seen = buf_slice(&x->seen) };
	int rc = 0;

	for (size_t i = 0; i < l->nrows; i++) {
		h.ended = h.ended || l->rows[i].last;
		export_look_at(&h, l->rows[i].seq, l->rows[i].bytes);
	}
	fill_in_keys(x, &h);
	h.sum = sum_of(&h, l);
	export_put_head(x->out, &h);
	explicit_bzero(h.keys, sizeof h.keys);
	for (size_t i = 0; i < l->nrows && rc == 0; i++)
		rc = export_put_row(x->out, l->rows[i].seq, l->rows[i].bytes);
	return rc;
}

static void loaded(struct store_load *load, int rc)
{
	struct export *x = container_of(load, struct export, load);

	if (rc == 0)
		rc = put(x, load);
	buf_fini(&x->untaken);
	buf_fini(&x->seen);
	x->done(x, rc);
}

void export_ask(struct store *s, struct export *x)
{
	x->store = s;
	buf_init(&x->untaken, SIZE_MAX);
	buf_init(&x->seen, SIZE_MAX);
	x->find = (struct store_find){ .by = STORE_BY_FLOW, .what = x->flow,
	                               .wants = STORE_UNTAKEN | STORE_SEEN, .done = found };
	x->load = (struct store_load){ .flow = x->flow, .done = loaded };
	store_find(s, &x->find);
	store_load(s, &x->load);
}
