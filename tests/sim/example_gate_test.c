/* example_gate_test.c - the stories of examples/gate, with a crash at every write. */
#include "scene_kit.h"

int gate_main(int argc, char **argv);
#define main gate_main
#include "../../examples/gate/gate.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

static int report(fish_sim *s, const char *name, const char *passed)
{
	const fish_msg *run = NULL;

	for (size_t i = 0; (run = fish_sim_call(s, "runner /run", i)) && strcmp(fish_str(run, "/job"), name);)
		i++;
	return fish_sim_post(s, fish_str(run, "/callback"), NULL, "{passed: %-s}", passed);
}

/* It has ended so, has told the forge, and has cancelled these jobs. */
static void ended(fish_sim *s, const char *id, const char *end, const char *const *cancelled, size_t n)
{
	fish_sim_ends(s, id, "%-s", end);
	fish_sim_check(s, fish_sim_calls(s, "forge /status") == 1);
	fish_sim_check(s, fish_sim_calls(s, "runner /cancel") == n);
	for (size_t i = 0; i < n; i++)
		fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "runner /cancel", i), "/job"), cancelled[i]) == 0);
}

static const char *begin(fish_sim *s, int need)
{
	const char *id = fish_sim_start(s, "gate", "{sha: '5f64439', jobs: ['gcc', 'clang', 'asan', 'fuzz', 'lint'], "
	                                "need: %d}", need);

	fish_sim_call(s, "runner /run", 4);
	return id;
}

static void three_of_five(fish_sim *s, void *arg)
{
	const char *id = begin(s, 3);

	(void)arg;
	fish_sim_check(s, report(s, "lint", "true") == 200);
	fish_sim_check(s, report(s, "gcc", "false") == 200);
	fish_sim_check(s, report(s, "lint", "true") == 410);
	fish_sim_check(s, report(s, "fuzz", "true") == 200);
	fish_sim_check(s, report(s, "asan", "true") == 200);
	ended(s, id, "{\"state\": \"success\", \"good\": 3, \"of\": 5}", (const char *const[]){ "clang" }, 1);
	fish_sim_check(s, report(s, "clang", "true") == 410);
}

static void known_to_fail_early(fish_sim *s, void *arg)
{
	const char *id = begin(s, 4);

	(void)arg;
	report(s, "gcc", "false");
	report(s, "fuzz", "false");
	ended(s, id, "{\"state\": \"failure\", \"good\": 0, \"of\": 5}",
	      (const char *const[]){ "clang", "asan", "lint" }, 3);
}

static void a_job_that_never_began(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "runner /run", &(fish_sim_how){ .calls = 1 }, 200, "{}");
	fish_sim_answer(s, "runner /run", &(fish_sim_how){ .calls = 1 }, 422, "{}");
	const char *id = fish_sim_start(s, "gate", "{sha: 's', jobs: ['gcc', 'arm', 'clang'], need: 2}");

	fish_sim_call(s, "runner /run", 2);
	fish_sim_check(s, report(s, "arm", "true") == 410);
	fish_sim_check(s, report(s, "gcc", "true") == 200);
	fish_sim_check(s, report(s, "clang", "true") == 200);
	ended(s, id, "{\"state\": \"success\", \"good\": 2, \"of\": 3}", NULL, 0);
}

static void out_of_time(fish_sim *s, void *arg)
{
	const char *id = begin(s, 3);

	(void)arg;
	fish_sim_check(s, report(s, "gcc", "true") == 200);
	ended(s, id, "{\"state\": \"failure\", \"good\": 1, \"of\": 5}",
	      (const char *const[]){ "clang", "asan", "fuzz", "lint" }, 4);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, three_of_five);
	SURVIVES(program, known_to_fail_early);
	SURVIVES(program, a_job_that_never_began);
	SURVIVES(program, out_of_time);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
