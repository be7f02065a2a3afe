/* scene_crash_test.c - fish-sim.h: what fish_sim_each_crash lets pass and what it finds, and faults by seed.
 *
 * Surprise: some of these flows are wrong on purpose, and so is the engine where a rule is switched off. */
#include "scene_kit.h"

static const fish_peer bank = { .name = "bank", .url = "http://bank", .give_up_ms = FISH_MINUTE };

/* ---- flows that keep to the rules ---- */

static void leaf(fish_flow *f, const fish_msg *in)
{
	long long n = fish_int(in, "/n", 0);

	fish_sleep(f, FISH_SECOND);
	const fish_msg *m = fish_post(f, &bank, "/leaf", "{n: %lld, at: %lld, r: %llu}", n, fish_now(f),
	                              (unsigned long long)(fish_random(f) >> 1));

	fish_tell(f, fish_str(in, "/root"), "in", "{n: %lld, said: %lld}", n, fish_int(m, "/turn", -1));
	fish_sleep(f, FISH_SECOND);
	fish_child(f, leaf, "{n: %lld, root: %s}", n + 100, fish_str(in, "/root"));
	if (n < 100)
		fish_sleep(f, 3 * FISH_SECOND);
	fish_done(f, "%lld", n);
}

/* Children whose deadlines all fall together: what they do to a third must not depend on restarts. */
static void crowd(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	fish_hook *children[4];
	const fish_msg *m = NULL;
	const char *all = "";

	(void)in;
	for (int i = 0; i < 4; i++)
		children[i] = fish_child(f, leaf, "{n: %d, root: %s}", i, fish_id(f));
	for (int i = 0; i < 8 && (m = fish_next(h, FISH_MINUTE)); i++)
		all = fish_fmt(f, "%s%s=%s ", all, fish_raw(m, "/n"), fish_raw(m, "/said"));
	fish_publish(f, "all", "%s", all);
	for (int i = 0; i < 4 && (m = fish_any_of(f, FISH_MINUTE, children, 4)); i++)
		all = fish_fmt(f, "%s%s ", all, fish_raw(m, ""));
	fish_done(f, "%s", all);
}

static void doubled(const void *arg, void *result)
{
	*(int *)result = 2 * *(const int *)arg;
}

/* A step of each kind. */
static void whole(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "in", &(fish_hook_options){ .json = true });
	fish_hook *gone = fish_cancelled(f);
	long long life = fish_int(in, "/life", 0);
	int n = (int)life + 1;
	int got = 0;

	fish_publish(f, "life", "%lld", life);
	fish_send(f, &bank, "/note", "{life: %lld}", life);
	while (fish_once(f, "count", &got, sizeof got))
		got = n;
	fish_work(f, "double", doubled, &n, &got, sizeof got);
	fish_hook *late = fish_timer(f, FISH_HOUR);
	const fish_msg *m = fish_any(f, 2 * FISH_HOUR, h, gone, late);

	if (m && m->hook == gone)
		fish_fail(f, "cancelled in life %lld", life);
	m = fish_post(f, &bank, "/told", "{what: %-s, got: %d, now: %lld, key: %s}", fish_raw(m, ""), got,
	              fish_now(f), fish_key(f, "k"));
	fish_renew(f, "{life: %lld}", life + fish_int(m, "/more", 1));
}

static void listens(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	fish_post(f, &bank, "/open", "{url: %s}", fish_url(h));
	for (long long i = 0; i < fish_int(in, "/n", 1); i++)
		fish_post(f, &bank, "/got", "{w: %-s}", fish_raw(fish_next(h, FISH_HOUR), ""));
}

static void greets(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "{hello: %s}", fish_str(in, "/who"));
}

/* ---- and flows that do not ---- */

static int count_of_all_runs;

static void goes_by_a_static(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_post(f, &bank, "/count", "{n: %d}", ++count_of_all_runs);
}

/* As often as it is run in one history, so that each history begins alike. */
static int runs_of_this_history;

static void goes_by_its_runs(fish_flow *f, const fish_msg *in)
{
	int run = ++runs_of_this_history;

	(void)in;
	fish_sleep(f, FISH_SECOND);
	fish_post(f, &bank, "/run", "{run: %d}", run);
	fish_done(f, "%d", run);
}

static void asks_otherwise(fish_flow *f, const fish_msg *in)
{
	int run = ++runs_of_this_history;

	(void)in;
	fish_post(f, &bank, run > 1 ? "/second" : "/first", "{}");
	fish_sleep(f, FISH_SECOND);
}

static const fish_def flows[] = {
	FISH_FLOW(leaf), FISH_FLOW(crowd), FISH_FLOW(whole), FISH_FLOW(listens), FISH_FLOW(greets),
	FISH_FLOW(goes_by_a_static), FISH_FLOW(goes_by_its_runs), FISH_FLOW(asks_otherwise), FISH_END };
static const fish_program program = { .flows = flows };
static const fish_sim_options options = { .program = &program };

/* ---- what survives ---- */

static void many_at_once(fish_sim *s, void *arg)
{
	(void)arg;
	for (int i = 0; i < 8; i++)
		fish_sim_answer(s, "bank /leaf", &(fish_sim_how){ .calls = 1 }, 200, "{turn: %d}", i);
	const char *one = fish_sim_start(s, "crowd", "{}");
	const char *two = fish_sim_start(s, "crowd", "{}");

	fish_sim_ends(s, one, "'0=0 1=1 2=2 3=3 100=-1 101=-1 102=-1 103=-1 0 1 2 3 '");
	fish_sim_ends(s, two, "'0=4 1=5 2=6 3=7 100=-1 101=-1 102=-1 103=-1 0 1 2 3 '");
	fish_sim_settle(s);
}

static void all_steps(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "whole", "{}");
	const char *url = fish_sim_url(s, id, "in");

	(void)arg;
	fish_sim_answer(s, "bank /note", &(fish_sim_how){ .fails = 4, .after_ms = 40 * FISH_SECOND }, 200, "null");
	fish_sim_answer(s, "bank /told", &(fish_sim_how){ .after_ms = 10 }, 200, "{more: 2}");
	fish_sim_check(s, fish_sim_post(s, url, NULL, "{w: 1}") == 200);
	fish_sim_check(s, strstr(fish_sim_call(s, "bank /told", 0)->body, "\"w\": 1") != NULL);
	fish_sim_pass(s, FISH_HOUR + 30 * FISH_MINUTE);
	fish_sim_check(s, strcmp(fish_sim_published(s, id, "life")->body, "4") == 0);
	fish_sim_check(s, strcmp(fish_sim_url(s, id, "in"), url) == 0);
	fish_sim_check(s, fish_sim_calls(s, "bank /told") == 2);
	fish_sim_check(s, fish_sim_post(s, url, "m2", "{w: 2}") == 200);
	fish_sim_crash(s);
	fish_sim_park(s);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	fish_sim_settle(s);
	fish_sim_check(s, fish_sim_post(s, url, "m2", "{w: 2}") == 200);
	fish_sim_check(s, fish_sim_wait(s, id, NULL) == FISH_EFAILED);
}

static void repeated_deliveries(fish_sim *s, void *arg)
{
	fish_sim_back back = { .after_ms = 5, .times = 3, .every_ms = 5, .copies = 3 };

	(void)arg;
	fish_sim_call_back(s, "bank /open", "/url", &back, "'x'");
	fish_sim_ends(s, fish_sim_start(s, "listens", "{n: 4}"), "null");
	fish_sim_check(s, fish_sim_calls(s, "bank /got") == 4);
	fish_sim_check(s, strstr(fish_sim_call(s, "bank /got", 3)->body, "null") != NULL);
}

/* It is left in the middle, with a delivery that nobody has taken and an answer on its way. */
static void stands(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "bank /told", NULL, 0, "null");
	const char *id = fish_sim_start(s, "whole", "{}");

	for (int i = 0; i < 3; i++)
		fish_sim_check(s, fish_sim_post(s, fish_sim_url(s, id, "in"), NULL, "{w: %d}", i) == 200);
	fish_sim_pass(s, 40 * FISH_SECOND);
}

/* Told or not, a flow is cancelled once. */
static void cancels(fish_sim *s, void *arg)
{
	const char *ids[] = { fish_sim_start(s, "crowd", "{}"), fish_sim_start(s, "listens", "{}") };

	(void)arg;
	fish_sim_pass(s, 2500);
	for (int i = 0; i < 2; i++) {
		fish_sim_check(s, fish_sim_cancel(s, ids[i]) == 0);
		fish_sim_check(s, fish_sim_wait(s, ids[i], NULL) == FISH_ECANCELLED);
		fish_sim_check(s, fish_sim_cancel(s, ids[i]) == FISH_EGONE);
	}
}

static void right_flows_survive(void **state)
{
	(void)state;
	SURVIVES(program, many_at_once);
	SURVIVES(program, all_steps);
	SURVIVES(program, repeated_deliveries);
	SURVIVES(program, stands);
	SURVIVES(program, cancels);
}

/* ---- deploys ---- */

static void old_way(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_sleep(f, FISH_HOUR);
	fish_done(f, "'old'");
}

static void new_way(fish_flow *f, const fish_msg *in)
{
	bool checks = fish_patch(f, "checks");

	(void)in;
	if (checks)
		fish_post(f, &bank, "/check", "{}");
	fish_sleep(f, FISH_HOUR);
	fish_done(f, "{checks: %d}", checks);
}

static void rash_way(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_post(f, &bank, "/check", "{}");
	fish_done(f, "'rash'");
}

static const fish_program old_build = { .flows = (const fish_def[]){ { "way", old_way, 0 }, FISH_END } };
static const fish_program new_build = { .flows = (const fish_def[]){ { "way", new_way, 0 }, FISH_END } };
static const fish_program rash_build = { .flows = (const fish_def[]){ { "way", rash_way, 0 }, FISH_END } };

static void deploys(fish_sim *s, void *arg)
{
	const fish_msg *why = NULL;
	const char *old = fish_sim_start(s, "way", "{}");

	(void)arg;
	fish_sim_deploy(s, &rash_build);
	fish_sim_pass(s, FISH_HOUR);              /* a parked flow meets the new build when it wakes */
	fish_sim_check(s, fish_sim_wait(s, old, &why) == FISH_ESTOPPED);
	fish_sim_check(s, strstr(fish_str(why, ""), "diverged at step 0") != NULL);
	fish_sim_deploy(s, &new_build);
	const char *young = fish_sim_start(s, "way", "{}");

	fish_sim_ends(s, old, "{checks: 0}");
	fish_sim_ends(s, young, "{checks: 1}");
}

static void a_deploy_can_be_tried(void **state)
{
	(void)state;
	SURVIVES(old_build, deploys);
}

/* ---- what is found ---- */

static void counts(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_start(s, "goes_by_a_static", "{}");
}

static void begins_anew(fish_sim *s, void *arg)
{
	(void)arg;
	runs_of_this_history = 0;
	fish_sim_start(s, "goes_by_its_runs", "{}");
	fish_sim_settle(s);
}

static void begins_anew_otherwise(fish_sim *s, void *arg)
{
	(void)arg;
	runs_of_this_history = 0;
	fish_sim_start(s, "asks_otherwise", "{}");
	fish_sim_settle(s);
}

/* Goes by what a crash takes away. */
static void reads_the_log(fish_sim *s, void *arg)
{
	(void)arg;
	static int run;

	if (++run > 2)
		fish_sim_start(s, "greets", "{}");
	fish_sim_start(s, "greets", "{}");
}

static void wrong_flows_are_found(void **state)
{
	fish_sim_options o = { .program = &program, .name = "runs", .crash_at = 2 };

	(void)state;
	crash_fails_with(&options, counts, "the same run came out otherwise the second time");
	crash_fails_with(&options, counts, "call 1\n    plain: \"bank /count\", POST http://bank/count");
	crash_fails_with(&options, begins_anew, "this came out otherwise than in the plain run:");
	crash_fails_with(&options, begins_anew, "its end\n    plain: done: 1\n    here : done: 2");
	crash_fails_with(&options, begins_anew, "to repeat this run");
	crash_fails_with(&options, begins_anew_otherwise, "here : \"bank /second\"");
	crash_fails_with(&options, reads_the_log, "plain: nothing");
	fails_with(&o, begins_anew_otherwise, "runs, seed 0, the process dies at write 2 and the write is lost: ");
	o.crash_keeps = true;
	o.park = true;
	fails_with(&o, begins_anew_otherwise, ".crash_at = 2, .crash_keeps = true, .park = true");
}

/* The engine with one rule switched off, and a story that breaks by it. */
static void wrong_engines_are_found(void **state)
{
	static const struct {
		uint64_t rule;
		fish_sim_fn *scenario;
	} planted[] = {
		{ RULE_BIT(RULE_ACK_AFTER_COMMIT), all_steps },     { RULE_BIT(RULE_EFFECTS_AFTER_COMMIT), all_steps },
		{ RULE_BIT(RULE_DUP_BEFORE_GONE), all_steps },      { RULE_BIT(RULE_PROGRESS_REST), all_steps },
		{ RULE_BIT(RULE_INDOUBT_RELOAD), all_steps },       { RULE_BIT(RULE_RENEW_KEEPS_SEEN), all_steps },
		{ RULE_BIT(RULE_PROGRESS_TIME), many_at_once },     { RULE_BIT(RULE_PROGRESS_DEADLINES), many_at_once } };

	(void)state;
	for (size_t i = 0; i < sizeof planted / sizeof *planted; i++) {
		fish_sim_options o = { .program = &program, .reserved = { &planted[i].rule } };
		FILE *file;
		int was = quiet_begin(&file);
		int rc = fish_sim_each_crash(&o, planted[i].scenario, NULL);

		free(quiet_end(was, file));
		if (!rc)
			fail_msg("rule %zu was switched off, and nothing found", i);
	}
}

/* ---- faults by seed ---- */

static void much(fish_sim *s, void *arg)
{
	fish_sim_back back = { .after_ms = 10, .times = 5, .every_ms = 20 };

	(void)arg;
	fish_sim_answer(s, "bank /told", &(fish_sim_how){ .after_ms = 100 }, 200, "{more: 2}");
	fish_sim_call_back(s, "bank /open", "/url", &back, "{w: 1}");
	for (int i = 0; i < 3; i++) {
		const char *id = fish_sim_start(s, "listens", "{n: 5}");
		const char *other = fish_sim_start(s, "whole", "{}");

		fish_sim_check(s, fish_sim_post(s, fish_sim_url(s, other, "in"), NULL, "{w: %d}", i) == 200);
		fish_sim_check(s, fish_sim_wait(s, id, NULL) == 0);
		fish_sim_check(s, fish_sim_cancel(s, other) == 0);
		fish_sim_check(s, fish_sim_wait(s, other, NULL) == FISH_EFAILED);
	}
}

static void faulty(fish_sim_options *o, struct told *t, uint64_t seed)
{
	buf_init(&t->lines, SIZE_MAX);
	*o = (fish_sim_options){
		.program = &program, .seed = seed, .crash_percent = 10, .store_fails_percent = 10,
		.duplicate_percent = 20, .reorder_percent = 20, .drop_percent = 10, .delay_ms = 300,
		.call_fails_percent = 20, .say = told_line, .owner = t };
}

static void a_seed_is_a_history(void **state)
{
	struct told a;
	struct told b;
	struct told c;
	fish_sim_options o;

	(void)state;
	faulty(&o, &a, 3);
	assert_int_equal(fish_sim_run(&o, much, NULL), 0);
	faulty(&o, &b, 3);
	assert_int_equal(fish_sim_run(&o, much, NULL), 0);
	assert_string_equal(a.lines.ptr, b.lines.ptr);
	faulty(&o, &c, 4);
	assert_int_equal(fish_sim_run(&o, much, NULL), 0);
	assert_string_not_equal(a.lines.ptr, c.lines.ptr);
	buf_fini(&a.lines);
	buf_fini(&b.lines);
	buf_fini(&c.lines);
}

static void each_fault_comes(void **state)
{
	static const char *const faults[] = {
		"they are lost", "they are kept", "rolled back", "will come once more", "is overtaken by",
		"is never sent", "hears 0", "call \"bank /got\"" };
	fish_sim_options o;
	struct told t;
	double begun = kit_us();

	(void)state;
	faulty(&o, &t, 100);
	assert_int_equal(fish_sim_each_seed(&o, 50, much, NULL), 0);
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		printf("# 50 seeds: %5zu times \"%s\"\n", told_count(&t, faults[i]), faults[i]);
		assert_true(told_count(&t, faults[i]) > 20);
	}
	printf("# 50 seeds in %.0f ms\n", (kit_us() - begun) / 1000);
	buf_fini(&t.lines);
}

static void fails_now_and_then(fish_sim *s, void *arg)
{
	(void)arg;
	const char *id = fish_sim_start(s, "listens", "{}");

	fish_sim_call_back(s, "bank /open", "/url", NULL, "{w: 1}");
	fish_sim_settle(s);
	fish_sim_check(s, strstr(fish_sim_show(s, id), "no such") || fish_sim_calls(s, "bank /got") == 2);
}

static void a_seed_that_breaks_is_told(void **state)
{
	fish_sim_options o = { .program = &program, .seed = 40 };
	FILE *file;
	int was = quiet_begin(&file);
	int rc = fish_sim_each_seed(&o, 10, fails_now_and_then, NULL);
	char *words = quiet_end(was, file);

	(void)state;
	assert_int_equal(rc, 1);
	assert_non_null(strstr(words, "fish-sim: seed 40: "));
	assert_non_null(strstr(words, ".seed = 40;"));
	free(words);
}

/* ---- FISH_SIM_SAY ---- */

static void says_each_event(void **state)
{
	FILE *file;
	int was = quiet_begin(&file);

	(void)state;
	setenv("FISH_SIM_SAY", "1", 1);
	int rc = fish_sim_run(&(fish_sim_options){ .program = &program, .store_fails_at = 1 }, repeated_deliveries, NULL);

	unsetenv("FISH_SIM_SAY");
	char *words = quiet_end(was, file);

	assert_int_equal(rc, 0);
	assert_non_null(strstr(words, "---- seed 0, write 1 is rolled back\n"));
	assert_non_null(strstr(words, "     0.000 s  write 1: 1 rows, rolled back\n"));
	assert_non_null(strstr(words, "     0.005 s  delivery "));
	free(words);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_flows_survive),
		cmocka_unit_test(a_deploy_can_be_tried),
		cmocka_unit_test(wrong_flows_are_found),
		cmocka_unit_test(wrong_engines_are_found),
		cmocka_unit_test(a_seed_is_a_history),
		cmocka_unit_test(each_fault_comes),
		cmocka_unit_test(a_seed_that_breaks_is_told),
		cmocka_unit_test(says_each_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
