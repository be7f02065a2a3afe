/* scene_judge.c - what the scenario holds to be true. */
#include "sim/scene.h"

#include "wire/json.h"

static const char *end_word(int rc)
{
	switch (rc) {
	case 0:
		return "done";
	case FISH_EFAILED:
		return "failed";
	case FISH_ECANCELLED:
		return "cancelled";
	case FISH_ESTOPPED:
		return "stopped";
	case FISH_ENOTFOUND:
		return "unknown";
	default:
		return "waiting for what never comes";
	}
}

void fish_sim_ends(fish_sim *s, const char *id, const char *json, ...)
{
	struct slice wanted;
	const fish_msg *end = NULL;
	va_list ap;

	scene_begin(s);
	va_start(ap, json);
	bool good = scene_json(s, "fish_sim_ends", &wanted, json, ap);

	va_end(ap);
	if (!good)
		return;
	int rc = fish_sim_wait(s, id, &end);

	if (rc != 0 || !json_same((struct slice){ end->body, end->len }, wanted))
		scene_broken(s, "flow %s should end as done with %s, but is %s%s%s", id, wanted.ptr, end_word(rc),
		             rc == FISH_ETIMEOUT || rc == FISH_ENOTFOUND ? "" : rc ? ": " : " with ",
		             rc == FISH_ETIMEOUT || rc == FISH_ENOTFOUND ? "" : end->body);
}

void fish_sim_fail(fish_sim *s, const char *why, ...)
{
	va_list ap;

	va_start(ap, why);
	scene_fail(s, why, ap);
	va_end(ap);
}
