/* scene_run.c - a scenario is run, once or under many seeds.
 *
 * Surprise: a flow that diverges fails the run by itself, unless another build was deployed: nothing in
 * a scenario could make it differ from its own journal but what it may not do. */
#include "sim/scene.h"

#include "engine/world.h"

#include <stdlib.h>
#include <string.h>

static void check_diverged(fish_sim *s)
{
	const struct flow *f;

	for (size_t i = 0; !s->deployed && (f = map_each(&s->engine->flows, &i));)
		if (f->state == FLOW_STOPPED && strncmp(f->why, "diverged", strlen("diverged")) == 0)
			scene_broken(s, "a flow is not deterministic: %s", f->why);
}

void scene_run(const fish_sim_options *o, fish_sim_fn *scenario, void *arg, struct outcome *ret)
{
	fish_sim *s = xalloc(sizeof *s);

	*ret = (struct outcome){ .rc = 0 };
	voice_run(o);
	scene_open(s, o);
	if (!s->dead)
		scenario(s, arg);
	if (!s->dead)
		scene_rest(s);
	if (!s->dead)
		check_diverged(s);
	/* Before what only looks. */
	ret->writes = s->writes;
	ret->report = report_new(s);
	ret->rc = s->failed;
	scene_close(s);
	free(s);
}

int fish_sim_run(const fish_sim_options *o, fish_sim_fn *scenario, void *arg)
{
	struct outcome out;

	scene_run(o, scenario, arg, &out);
	report_free(out.report);
	if (out.rc)
		voice_repeat(o);
	return out.rc;
}

int fish_sim_each_seed(const fish_sim_options *o, uint64_t n, fish_sim_fn *scenario, void *arg)
{
	for (uint64_t i = 0; i < n; i++) {
		fish_sim_options one = *o;

		one.seed += i;
		if (fish_sim_run(&one, scenario, arg))
			return 1;
	}
	return 0;
}
