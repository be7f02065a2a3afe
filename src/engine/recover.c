/* recover.c - everything in memory is dropped, and rebuilt from what the store holds.
 *
 * Used at start, and after a commit that was rolled back: one path for both. Only door state is
 * rebuilt here; a flow's code is re-run when there is news for it, or when a call of it was in doubt.
 * Invariant: each flow comes whole, its rows in order. A parent may come after its child. */
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

struct recovery {
	struct engine *engine;
	struct err    *err;
	int            rc;
};

static void damaged(struct recovery *rec, const struct store_row *row, const char *how)
{
	char id[ID_TEXT_SIZE];

	id_text(&row->flow, id);
	rec->rc = err_set(rec->err, FISH_EFORMAT, "the journal of flow %s is damaged at entry %llu: %s", id,
	                  (unsigned long long)row->seq, how);
}

static void row_in(void *owner, const struct store_row *row)
{
	struct recovery *rec = owner;
	struct engine *e = rec->engine;
	struct flow *f = map_get(&e->flows, &row->flow);
	struct slice rest = row->bytes;
	struct entry entry;
	int rc;

	if (rec->rc < 0)
		return;
	if (!f)
		f = flow_new(e, &row->flow);
	if (row->seq != f->seq_next) {
		damaged(rec, row, "entries are missing before it");
		return;
	}
	while ((rc = entry_next(&rest, &entry)) == 1) {
		if ((entry.kind == ENTRY_START) != (f->seq_next == 0) || flow_feed(f, &entry) < 0) {
			damaged(rec, row, "an entry does not fit");
			return;
		}
		if (entry.time_ms > e->now_ms)
			e->now_ms = entry.time_ms;
	}
	if (rc < 0)
		damaged(rec, row, "bytes that are no entry");
}

static void flow_in(void *owner, const struct store_load *l)
{
	for (size_t i = 0; i < l->nrows; i++)
		row_in(owner, &l->rows[i]);
}

/* Does this flow have to run, though nothing new has come? One that another build left has, too: it may
 * have diverged under this one before, and is to say so again. */
static bool wants_run(const struct flow *f)
{
	return f->news || (f->doubt && !rule_off(f->engine, RULE_INDOUBT_RELOAD)) || f->closing || f->cancelled
	       || f->build != f->engine->config.build;
}

int engine_rebuild(struct engine *e, struct err *err)
{
	struct recovery rec = { .engine = e, .err = err };
	struct store_recovery r = { .flow = flow_in, .owner = &rec };
	struct flow *f;
	int rc = store_recover(e->store, &r, err);

	if (rc < 0 || rec.rc < 0)
		return rc < 0 ? rc : rec.rc;
	for (size_t i = 0; (f = map_each(&e->flows, &i));)
		if (wants_run(f))
			flow_wake(f);
	return 0;
}

void engine_forget(struct engine *e)
{
	size_t n = 0;
	struct flow **all = xalloc((e->flows.len + 1) * sizeof(struct flow *));
	struct flow *f;

	for (size_t i = 0; (f = map_each(&e->flows, &i));)
		all[n++] = f;
	for (size_t i = 0; i < n; i++) {
		watch_tell(all[i], FISH_ESTORE, 0, SLICE_NONE);
		flow_free(all[i]);
	}
	free(all);
	acts_drop(&e->acts);
}
