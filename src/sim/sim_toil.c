/* sim_toil.c - the threads that fish_work runs on: each work waits until chance runs it, and again until
 * chance hands it back.
 *
 * Surprise: it reads its argument when it runs, maybe long after its flow was parked or has ended, so
 * that a sanitizer sees memory that went too early. */
#include "base/hash.h"
#include "engine/work.h"
#include "sim/sim_world.h"

#include <stdlib.h>

struct toil {
	struct list       link;          /* in sim->toils */
	struct work_item *item;
	bool              ran;
};

static const struct work *work_of(const struct toil *t)
{
	return container_of(t->item, struct work, item);
}

bool toil_under_way(const struct sim *s, const struct id *flow, uint32_t epoch, uint32_t step)
{
	for (const struct list *l = s->toils.next; l != &s->toils; l = l->next) {
		const struct work *w = work_of(container_of(l, struct toil, link));

		if (id_eq(&w->flow, flow) && w->epoch == epoch && w->step == step)
			return true;
	}
	return false;
}

void toil_begin(void *owner, struct work_item *item)
{
	struct sim *s = owner;
	struct toil *t = xalloc(sizeof *t);
	const struct work *w = container_of(item, struct work, item);
	const struct toil_task *task = item->arg;

	if (toil_under_way(s, &w->flow, w->epoch, w->step))
		sim_broken(s, "the work of step %u is under way twice", w->step);
	past_effect(s, &(struct effect){
		.flow = &w->flow, .epoch = w->epoch, .step = w->step, .kind = STEP_WORK, .name = w->name,
		.content = task->st });
	t->item = item;
	list_push(&s->toils, &t->link);
	s->ntoils++;
	s->result->stats.works++;
	sim_say(s, "work %s of step %u begins", w->name, w->step);
}

void sim_toil(const void *arg, void *result)
{
	const struct toil_task *task = arg;
	struct toil_result *got = result;

	got->st = task->st;
	got->drawn = sim_draw(task->sim);
}

void toil_ends(struct sim *s)
{
	if (!s->ntoils)
		return;
	struct list *l = s->toils.next;

	for (uint32_t n = sim_below(s, (uint32_t)s->ntoils); n > 0; n--)
		l = l->next;
	struct toil *t = container_of(l, struct toil, link);

	if (!t->ran)
		t->item->fn(t->item->arg, t->item->result);
	t->ran = true;
	if (!s->quiet && sim_percent(s, 40))
		return;                           /* its thread is slow to say so */
	struct work_item *item = t->item;

	sim_say(s, "work of step %u ends", work_of(t)->step);
	list_remove(&t->link);
	s->ntoils--;
	free(t);
	item->done(item);
}

void toils_forget(struct sim *s)
{
	for (struct list *l; (l = list_shift(&s->toils));)
		free(container_of(l, struct toil, link));
	s->ntoils = 0;
}
