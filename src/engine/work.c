/* work.c - hands work to the host's threads and records what comes back. */
#include "engine/work.h"

#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

static struct work *find(const struct engine *e, const struct flow *f, uint32_t epoch, uint32_t step)
{
	for (struct list *l = e->works.next; l != &e->works; l = l->next) {
		struct work *w = container_of(l, struct work, link);

		if (id_eq(&w->flow, &f->id) && w->epoch == epoch && w->step == step)
			return w;
	}
	return NULL;
}

static void record(struct work *w)
{
	struct flow *f = map_get(&w->engine->flows, &w->flow);

	if (!f || f->epoch != w->epoch)
		return;
	flow_settle(f);
	if (f->state == FLOW_ENDED || f->epoch != w->epoch)
		return;
	flow_append(f, &(struct entry){
		.kind = ENTRY_RESULT, .number = w->step, .name = slice_of(w->name),
		.body = { w->result, w->size } });
}

static void forget(struct work *w)
{
	list_remove(&w->link);
	run_work_over(w->run);
	free(w->name);
	free(w);
}

static void done(struct work_item *item)
{
	struct work *w = container_of(item, struct work, item);

	engine_catch_up(w->engine);
	w->engine->figures.works--;
	/* Its flow may run before RESULT stands, and is to find the work under way until then. */
	record(w);
	forget(w);
}

void works_drop(struct engine *e)
{
	while (!list_empty(&e->works))
		forget(container_of(e->works.next, struct work, link));
}

void work_begin(struct run *r, const char *name, void (*fn)(const void *arg, void *result), const void *arg,
                size_t size)
{
	struct engine *e = r->engine;
	struct seams *s = &e->config.seams;

	if (find(e, r->flow, r->epoch, run_index(r)) && !rule_off(e, RULE_WORK_ATTACHES))
		return;
	struct work *w = xalloc(sizeof *w + size);

	w->item = (struct work_item){ .fn = fn, .arg = arg, .result = w->result, .done = done };
	w->engine = e;
	w->run = r;
	w->flow = r->flow->id;
	w->epoch = r->epoch;
	w->step = run_index(r);
	w->name = xstrndup(name, strlen(name));
	w->size = size;
	r->works++;
	e->figures.works++;
	list_push(&e->works, &w->link);
	s->work(s->owner, &w->item);
}
