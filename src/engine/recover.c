/* recover.c - everything in memory is dropped, and rebuilt from what the store holds.
 *
 * Used at start, and after a commit that was rolled back: one path for both. Only the young flows come
 * back, as door state; a flow's code is re-run when there is news for it, or when a call of it was in
 * doubt. Invariant: each of them has its parent beside it, parked or not. Surprise: a parked flow is
 * not looked at, so it costs a restart nothing. */
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

struct recovery {
	struct engine *engine;
	struct err    *err;
	int            rc;
};

static int64_t newest_ms(const struct store_load *l)
{
	int64_t newest = 0;
	struct entry e;

	for (size_t i = 0; i < l->nrows; i++)
		for (struct slice rest = l->rows[i].bytes; entry_next(&rest, &e) == 1;)
			newest = e.time_ms > newest ? e.time_ms : newest;
	return newest;
}

static void flow_in(void *owner, const struct store_load *l)
{
	struct recovery *rec = owner;
	struct engine *e = rec->engine;
	char id[ID_TEXT_SIZE];

	if (rec->rc < 0)
		return;
	CHECK(!map_get(&e->flows, &l->flow));
	struct flow *f = flow_new(e, &l->flow);

	if (flow_feed_rows(f, l) < 0) {
		id_text(&l->flow, id);
		rec->rc = err_set(rec->err, FISH_EFORMAT, "the journal of flow %s is damaged near entry %llu", id,
		                  (unsigned long long)f->seq_next);
	}
	if (newest_ms(l) > e->now_ms)
		e->now_ms = newest_ms(l);
}

/* One that another build left has to, too: it may have diverged under this one before, and is to say so
 * again. */
bool flow_wants_run(const struct flow *f)
{
	return f->news || (f->doubt && !rule_off(f->engine, RULE_INDOUBT_RELOAD)) || f->closing || f->cancelled
	       || f->build != f->engine->config.build;
}

/* A parked flow comes into memory beside the others, if there is one of that id. */
static int pull(struct recovery *rec, const struct id *id)
{
	struct engine *e = rec->engine;
	struct store_recovery r = { .flow = flow_in, .owner = rec };
	int rc = store_recover_flow(e->store, id, &r, rec->err);
	struct flow *f = map_get(&e->flows, id);

	if (rc < 0 || rec->rc < 0)
		return rc < 0 ? rc : rec->rc;
	if (!f)
		return 0;
	f->news = false;                          /* it was at rest when it was parked */
	f->stored = true;
	f->park = leave_park(f);
	store_parked_less(&e->parked, &f->park);
	return 0;
}

/* All there are now; the caller frees the array. */
static struct flow **flows_now(struct engine *e, size_t *ret_n)
{
	struct flow **all = xalloc((e->flows.len + 1) * sizeof(struct flow *));
	struct flow *f;

	*ret_n = 0;
	for (size_t i = 0; (f = map_each(&e->flows, &i));)
		all[(*ret_n)++] = f;
	return all;
}

/* Parents that are parked come too, and theirs. */
static void parents_in(struct recovery *rec)
{
	struct engine *e = rec->engine;
	size_t before = 0;

	while (rec->rc == 0 && before != e->flows.len) {
		size_t n = 0;
		struct flow **all = flows_now(e, &n);

		before = n;
		for (size_t i = 0; i < n && rec->rc == 0; i++)
			if (all[i]->parent_source && !map_get(&e->flows, &all[i]->parent_id))
				rec->rc = pull(rec, &all[i]->parent_id);
		free(all);
	}
}

int engine_rebuild(struct engine *e, struct err *err)
{
	struct recovery rec = { .engine = e, .err = err };
	struct store_recovery r = { .flow = flow_in, .owner = &rec };
	size_t n = 0;
	int rc = store_recover(e->store, &r, err);

	if (rc < 0)
		return rc;
	e->parked = r.ret_parked;
	parents_in(&rec);
	if (rec.rc < 0)
		return rec.rc;
	due_begin(e);
	struct flow **all = flows_now(e, &n);

	for (size_t i = 0; i < n; i++)
		flow_link(all[i]);
	for (size_t i = 0; i < n; i++) {
		flow_idle(all[i]);
		claims_of(all[i]);
		if (flow_wants_run(all[i]))
			flow_wake(all[i]);
	}
	free(all);
	return 0;
}

/* It goes back to the store, where it is as it was. */
static void push_back(struct flow *f)
{
	if (f->stored)
		store_parked_more(&f->engine->parked, &f->park);
	flow_free(f);
}

/* A parked flow and all above it, up to one that is in memory: all of them come, or none. */
static void line_in(struct engine *e, const struct id *flow)
{
	struct err err = { .code = 0 };
	struct recovery rec = { .engine = e, .err = &err };
	struct list came;
	int rc = 0;

	list_init(&came);
	while (rc == 0 && !map_get(&e->flows, flow)) {
		rc = pull(&rec, flow);
		struct flow *f = map_get(&e->flows, flow);

		if (!f)
			break;
		list_push(&came, &f->idle);
		if (!f->parent_source)
			break;
		flow = &f->parent_id;
	}
	for (struct list *l; (l = list_shift(&came));) {
		struct flow *f = container_of(l, struct flow, idle);

		if (rc < 0) {
			push_back(f);
			continue;
		}
		flow_link(f);
		flow_idle(f);
	}
}

bool engine_reached(struct engine *e, const struct id *flow, struct reached *ret)
{
	line_in(e, flow);
	const struct flow *f = map_get(&e->flows, flow);

	if (!f || f->state == FLOW_ENDED)
		return false;
	*ret = (struct reached){
		.own = ((uint64_t)f->epoch << 32) + f->steps + f->answers, .entries = f->seq_next };
	return true;
}

void engine_forget(struct engine *e)
{
	size_t n = 0;
	struct flow **all = flows_now(e, &n);

	for (size_t i = 0; i < n; i++) {
		watch_tell(all[i], FISH_ESTORE, 0, SLICE_NONE);
		flow_free(all[i]);
	}
	free(all);
	e->resets++;
	acts_drop(&e->acts);
	claims_forget(e);
	e->parked = (struct store_parked){ 0 };
	fetches_forget(e);
	due_begin(e);
}
