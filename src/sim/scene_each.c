/* scene_each.c - a scenario is run once for each write of the journal and each thing that can happen there.
 *
 * Invariant: each run is held against the plain one. Surprise: the plain run is made twice, since what
 * does not even repeat itself is told in other words than what does not survive. */
#include "sim/scene.h"

#include <stdlib.h>

struct each {
	const fish_sim_options *o;
	fish_sim_fn  *scenario;
	void         *arg;
	struct report *plain;
	uint64_t       runs;
};

/* One run, held against the plain one. False: it broke or differs, and stderr has said so. */
static bool same(struct each *e, const fish_sim_options *o, uint64_t *ret_writes)
{
	struct outcome out;

	e->runs++;
	scene_run(o, e->scenario, e->arg, &out);
	char *words = out.rc ? NULL : report_differs(e->plain, out.report);
	bool again = !o->crash_at && !o->store_fails_at && o->park == e->o->park;

	if (words && again)
		voice_tell(o, "the same run came out otherwise the second time: a flow or the scenario goes by "
		           "something that stays between runs or comes from outside (a static variable, a clock, chance)%s",
		           words);
	else if (words)
		voice_tell(o, "this came out otherwise than in the plain run:%s", words);
	if (out.rc || (words && !again))
		voice_repeat(o);
	if (ret_writes)
		*ret_writes = out.writes;
	report_free(out.report);
	bool good = !words && !out.rc;

	free(words);
	return good;
}

static bool each_write(struct each *e, const fish_sim_options *o, uint64_t writes)
{
	for (uint32_t at = 1; at <= writes; at++) {
		fish_sim_options lost = *o;
		fish_sim_options kept = *o;
		fish_sim_options back = *o;

		lost.crash_at = kept.crash_at = back.store_fails_at = at;
		kept.crash_keeps = true;
		if (!same(e, &lost, NULL) || !same(e, &kept, NULL) || !same(e, &back, NULL))
			return false;
	}
	return true;
}

static bool all_same(struct each *e, uint64_t writes)
{
	fish_sim_options parked = *e->o;

	parked.park = true;
	if (!same(e, e->o, NULL) || !each_write(e, e->o, writes))
		return false;
	return e->o->park || (same(e, &parked, &writes) && each_write(e, &parked, writes));
}

int scene_each_crash(const fish_sim_options *o, fish_sim_fn *scenario, void *arg, struct each_figures *ret)
{
	struct each e = { .o = o, .scenario = scenario, .arg = arg, .runs = 1 };
	struct outcome plain;

	scene_run(o, scenario, arg, &plain);
	if (plain.rc)
		voice_repeat(o);
	e.plain = plain.report;
	int rc = plain.rc || !all_same(&e, plain.writes);

	report_free(plain.report);
	*ret = (struct each_figures){ .writes = plain.writes, .runs = e.runs };
	voice_say(o, "%s%s%llu writes, %llu runs, %s", o->name ? o->name : "", o->name ? ": " : "",
	          (unsigned long long)plain.writes, (unsigned long long)e.runs, rc ? "failed" : "all the same");
	return rc;
}

int fish_sim_each_crash(const fish_sim_options *o, fish_sim_fn *scenario, void *arg)
{
	struct each_figures figures;

	return scene_each_crash(o, scenario, arg, &figures);
}
