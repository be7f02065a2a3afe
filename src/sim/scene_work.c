/* scene_work.c - functions of fish_work, run here and now: an event of no duration.
 *
 * Invariant: of several the one of the oldest flow goes first, so that a restart does not change the order. */
#include "sim/scene.h"

#include "engine/work.h"

#include <string.h>

static const struct work *work_of(const struct work_item *item)
{
	return container_of((struct work_item *)item, struct work, item);
}

static int by_place(const struct work *a, const struct work *b)
{
	int by_flow = memcmp(a->flow.b, b->flow.b, sizeof a->flow.b);

	if (by_flow)
		return by_flow;
	if (a->epoch != b->epoch)
		return a->epoch < b->epoch ? -1 : 1;
	return a->step < b->step ? -1 : a->step > b->step;
}

void scene_work(void *owner, struct work_item *w)
{
	fish_sim *s = owner;

	if (s->nworks == s->works_cap) {
		s->works_cap = s->works_cap ? 2 * s->works_cap : 4;
		s->works = xrealloc(s->works, s->works_cap * sizeof(struct work_item *));
	}
	s->works[s->nworks++] = w;
}

bool works_go(fish_sim *s)
{
	size_t first = 0;

	if (!s->nworks)
		return false;
	for (size_t i = 1; i < s->nworks; i++)
		if (by_place(work_of(s->works[i]), work_of(s->works[first])) < 0)
			first = i;
	struct work_item *w = s->works[first];

	s->works[first] = s->works[--s->nworks];
	scene_say(s, "work \"%s\" is done", work_of(w)->name);
	w->fn(w->arg, w->result);
	w->done(w);
	return true;
}
