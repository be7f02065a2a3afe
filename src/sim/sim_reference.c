/* sim_reference.c - the last word: a flow that has ended is run once more from its journal alone, in
 * an engine and a store of its own.
 *
 * It must see every step again, ask for nothing, append nothing but its END, and end as it did. */
#include "engine/world.h"
#include "sim/sim_world.h"

#include <string.h>

enum { TURNS_MAX = 400 };

struct found {
	struct store_find find;
	struct sim       *sim;
	const struct past *past;
	bool              done;
};

static void found_done(struct store_find *find, int rc)
{
	struct found *x = container_of(find, struct found, find);
	const struct store_ended *was = &x->past->end;

	x->done = true;
	if (rc < 0)
		sim_broken(x->sim, "run from its journal alone, a flow does not end");
	else if (find->ended.status != was->status || !slice_eq(find->ended.result, was->result)
	         || !slice_eq(find->ended.untaken, was->untaken))
		sim_broken(x->sim, "run from its journal alone, a flow ends otherwise: %d %.*s, not %d %.*s",
		           (int)find->ended.status, (int)find->ended.result.len, find->ended.result.ptr,
		           (int)was->status, (int)was->result.len, was->result.ptr);
}

static void committed(struct store_commit *c, int rc)
{
	(void)c;
	CHECK(rc == 0);
}

/* All entries but END, as one row. */
static void journal_put(struct store *store, const struct past *p)
{
	struct buf bytes;

	buf_init(&bytes, SIZE_MAX);
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].kind != ENTRY_END)
			entry_put(&bytes, &p->entries[i]);
	struct store_row row = { .flow = p->id, .bytes = buf_slice(&bytes) };
	struct store_commit c = { .rows = &row, .nrows = 1, .now_ms = p->last_ms, .done = committed };

	store_commit(store, &c);
	store_poll(store);
	buf_fini(&bytes);
}

void reference_run(struct sim *s, struct past *p)
{
	struct found x = {
		.sim = s, .past = p,
		.find = { .by = STORE_BY_FLOW, .what = p->id, .wants = STORE_RESULT | STORE_UNTAKEN, .done = found_done },
	};
	struct store *store = NULL;
	struct engine *engine = NULL;
	struct engine_figures figures;
	char id[ID_TEXT_SIZE];

	id_text(&p->id, id);
	sim_say(s, "run %s from its journal alone", id);
	s->result->stats.references++;
	s->referring = true;
	store_open_memory(&store, s->store->keys[0].secret, NULL);
	journal_put(store, p);
	uint64_t build = s->build;
	uint32_t turn_steps_max = s->turn_steps_max;

	/* Interrupted in its replay, it would meet deadlines that passed before it had got there. */
	s->turn_steps_max = 0;
	s->build = p->lives[p->epoch].build ? p->lives[p->epoch].build : build;
	sim_boot(s, &engine, store);
	s->build = build;
	s->turn_steps_max = turn_steps_max;
	for (int n = 0; n < TURNS_MAX && (!engine_idle(engine) || store->under_way); n++)
		engine_turn(engine);
	engine_figures(engine, &figures);
	if (figures.stopped)
		sim_broken(s, "run from its journal alone, a flow stands still");
	if (figures.entries != 1)
		sim_broken(s, "run from its journal alone, a flow adds %llu entries",
		           (unsigned long long)figures.entries);
	store_find(store, &x.find);
	store_poll(store);
	CHECK(x.done);
	store = store_close(store);
	engine_free(engine);
	s->referring = false;
}
