/* scene_world_test.c - fish-sim.h: how partners answer and call back, what the scenario does and sees. */
#include "scene_kit.h"

#include <signal.h>
#include <sys/wait.h>

static const fish_peer bank = { .name = "bank", .url = "${BANK_URL}", .token = "${BANK_KEY}" };
static const fish_peer hasty = {
	.name = "hasty", .url = "http://hasty", .timeout_ms = 2 * FISH_SECOND, .give_up_ms = 10 * FISH_SECOND };

/* Calls n times, and tells the statuses and when each came. */
static void calls(fish_flow *f, const fish_msg *in)
{
	const char *all = "";

	for (long long i = 0; i < fish_int(in, "/n", 1); i++) {
		long long since = fish_now(f);
		const fish_msg *m = fish_post(f, fish_true(in, "/hasty") ? &hasty : &bank,
		                              fish_fmt(f, "/pay/%lld", i), "{i: %lld}", i);

		all = fish_fmt(f, "%s%d+%lld%s ", all, m->status, fish_now(f) - since, fish_str(m, "/say"));
	}
	fish_done(f, "%s", all);
}

/* Waits for deliveries for a minute each, and tells their words and when each came. */
static void hears(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	long long since = fish_now(f);
	const fish_msg *m = NULL;
	const char *all = "";

	fish_log(f, "opened");
	fish_publish(f, "state", "'waits'");
	fish_post(f, &bank, "/order", "{to: {callback: %s}, none: 1}", fish_url(h));
	while ((m = fish_next(h, FISH_MINUTE)))
		all = fish_fmt(f, "%s%s+%lld ", all, fish_str(m, "/w"), fish_now(f) - since);
	fish_publish(f, "state", "{heard: %s}", all);
	if (fish_true(in, "/fail"))
		fish_fail(f, "heard %s", all);
	fish_done(f, "%s", all);
}

static void replies(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "ask", &(fish_hook_options){ .reply_ms = 5 * FISH_SECOND });
	const fish_msg *m = NULL;

	(void)in;
	while ((m = fish_next(h, FISH_MINUTE))) {
		const char *who = fish_header(m, "X-Who");

		if (fish_true(m, "/late"))
			fish_sleep(f, 20 * FISH_SECOND);
		if (fish_true(m, "/bytes"))
			fish_reply_with(f, m, &(fish_response){
				.headers = (const char *const[]){ "Content-Type: text/xml", NULL }, .body = "<\0>", .len = 3 });
		else if (!fish_true(m, "/silent"))
			fish_reply(f, m, 409, "{who: %s, how: %s, q: %s, a: %s}", who, fish_header(m, ":method"),
			           fish_header(m, ":query"), fish_str(m, "/a"));
	}
}

static void endless(fish_flow *f, const fish_msg *in)
{
	fish_sleep(f, fish_int(in, "/ms", 0));
	fish_renew(f, "%-s", fish_raw(in, ""));
}

static void misuses(fish_flow *f, const fish_msg *in)
{
	fish_sleep(f, 0);
	fish_done(f, "{%s", fish_str(in, ""));
}

static const fish_def flows[] = {
	FISH_FLOW(calls), FISH_FLOW(hears), FISH_FLOW(replies), FISH_FLOW(endless), FISH_FLOW(misuses), FISH_END };
static const fish_peer *const peers[] = { &bank, NULL };
static const fish_program program = { .flows = flows, .peers = peers };
static const fish_sim_options options = { .program = &program };

/* ---- partners ---- */

static void answers(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "bank /pay/0", &(fish_sim_how){ .calls = 1, .after_ms = 500 }, 201, "{say: '!'}");
	fish_sim_answer(s, "bank /pay/1", &(fish_sim_how){ .fails = 3 }, 200, "{say: '?'}");
	fish_sim_answer(s, "bank /pay/2", &(fish_sim_how){ .fails = 1, .fail_status = -1 }, 404, "{say: %s}", "no");
	fish_sim_answer(s, "bank /pay*", NULL, 202, "{say: '*'}");
	fish_sim_answer(s, "bank /pay/3", NULL, 500, "null");
	fish_sim_ends(s, fish_sim_start(s, "calls", "{n: 4}"), "'201+500! 200+1400? 404+200no 202+0* '");
	/* The first rule is used up, and the next that fits counts. */
	fish_sim_ends(s, fish_sim_start(s, "calls", "{n: 1}"), "'202+0* '");
	fish_sim_check(s, fish_sim_calls(s, "bank /pay/*") == 5);
	fish_sim_check(s, fish_sim_calls(s, "bank /pay/0") == 2);
	fish_sim_check(s, fish_sim_calls(s, "bank /pay") == 0);
	const fish_msg *first = fish_sim_call(s, "bank /pay/0", 0);

	fish_sim_check(s, fish_int(first, "/i", -1) == 0);
	fish_sim_check(s, strcmp(fish_header(first, "Authorization"), "Bearer BANK_KEY") == 0);
	fish_sim_check(s, fish_sim_call(s, "bank /pay/0", 2) == NULL);
}

static void bad_answers(fish_sim *s, void *arg)
{
	(void)arg;
	/* In two seconds there is no time for an answer that takes five; it is there when asked again. */
	fish_sim_answer(s, "hasty /pay/0", &(fish_sim_how){ .after_ms = 5 * FISH_SECOND }, 200, "null");
	fish_sim_answer(s, "hasty /pay/1", NULL, 0, "null");
	fish_sim_answer(s, "hasty /pay/2", &(fish_sim_how){ .after_ms = 100 }, 503, "null");
	fish_sim_answer(s, "hasty /pay/3", &(fish_sim_how){ .fails = 2, .fail_status = 502 }, 0, "null");
	fish_sim_ends(s, fish_sim_start(s, "calls", "{n: 4, hasty: true}"), "'200+5000 0+9400 503+6800 502+9000 '");
	/* A call that nothing answers gets 200 and null. */
	fish_sim_ends(s, fish_sim_start(s, "calls", "{}"), "'200+0 '");
}

static void partners_answer_by_their_rules(void **state)
{
	(void)state;
	SURVIVES(program, answers);
	SURVIVES(program, bad_answers);
}

static void calls_back(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_call_back(s, "bank /order", "/to/callback",
	                   &(fish_sim_back){ .calls = 1, .after_ms = 1000, .times = 3, .every_ms = 2000, .copies = 2 },
	                   "{w: %s}", "b");
	fish_sim_call_back(s, "bank /*", "/to/callback", NULL, "{w: 'a'}");
	const char *one = fish_sim_start(s, "hears", "{}");
	const char *two = fish_sim_start(s, "hears", "{}");

	fish_sim_ends(s, one, "'a+0 b+1000 b+3000 b+5000 '");
	fish_sim_ends(s, two, "'a+0 '");
	fish_sim_check(s, strcmp(fish_str(fish_sim_published(s, one, "state"), "/heard"), "a+0 b+1000 b+3000 b+5000 ") == 0);
}

static void no_url(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_call_back(s, "bank /order", "/none", NULL, "{}");
	fish_sim_start(s, "hears", "{}");
}

static void partners_call_back_by_their_rules(void **state)
{
	(void)state;
	SURVIVES(program, calls_back);
	fails_with(&options, no_url, "the body of \"bank /order\" has no URL at \"/none\"");
}

/* ---- senders ---- */

static void posts(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "hears", "{fail: %s}", "true");
	const char *url = fish_sim_url(s, id, "in");

	(void)arg;
	fish_sim_check(s, fish_sim_heard(s) == NULL);
	fish_sim_check(s, fish_sim_post(s, url, "m1", "{w: 'x'}") == 200);
	fish_sim_check(s, fish_sim_post(s, url, "m1", "{w: 'y'}") == 200);
	fish_sim_check(s, fish_sim_post(s, url, NULL, "{w: 'z'}") == 200);
	fish_sim_check(s, fish_sim_post(s, "https://sim/h/forged", NULL, "{}") == 404);
	fish_sim_check(s, fish_sim_post(s, "", NULL, "{}") == 404);
	fish_sim_check(s, fish_sim_heard(s)->status == 404);
	const fish_msg *why = NULL;

	fish_sim_check(s, fish_sim_wait(s, id, &why) == FISH_EFAILED);
	fish_sim_check(s, strcmp(fish_str(why, ""), "heard x+0 z+0 ") == 0);
	fish_sim_check(s, fish_sim_post(s, url, "m1", "{w: 'x'}") == 200);
	fish_sim_check(s, fish_sim_post(s, url, "m9", "{w: 'x'}") == 410);
}

static void is_held(fish_sim *s, void *arg)
{
	static const char *const headers[] = { "X-Who: mia", "Content-Type: application/x-www-form-urlencoded", NULL };
	const char *id = fish_sim_start(s, "replies", "{}");
	const char *url = fish_sim_url(s, id, "ask");
	int64_t since = fish_sim_now(s);

	(void)arg;
	fish_sim_check(s, fish_sim_post_with(s, url, &(fish_sim_delivery){
		.method = "PUT", .query = "b=2", .headers = headers, .body = "a=1", .len = 3 }) == 409);
	const fish_msg *heard = fish_sim_heard(s);

	fish_sim_check(s, strcmp(fish_str(heard, "/who"), "mia") == 0);
	fish_sim_check(s, strcmp(fish_str(heard, "/how"), "PUT") == 0);
	fish_sim_check(s, strcmp(fish_str(heard, "/q"), "b=2") == 0);
	fish_sim_check(s, strcmp(fish_str(heard, "/a"), "1") == 0);
	fish_sim_check(s, strcmp(fish_header(heard, "Content-Type"), "application/json") == 0);
	fish_sim_check(s, fish_sim_post(s, url, "m0", "{bytes: true}") == 200);
	heard = fish_sim_heard(s);
	fish_sim_check(s, heard->len == 3 && memcmp(heard->body, "<\0>", 3) == 0);
	fish_sim_check(s, strcmp(fish_header(heard, "Content-Type"), "text/xml") == 0);
	fish_sim_check(s, fish_sim_now(s) == since);
	/* Nobody replies in time: the fallback, and not later for a crash meanwhile. */
	fish_sim_check(s, fish_sim_post(s, url, "m1", "{late: true}") == 202);
	fish_sim_check(s, fish_sim_now(s) == since + 5 * FISH_SECOND);
	/* Something else writes while this one is held. */
	fish_sim_answer(s, "bank /pay/0", &(fish_sim_how){ .after_ms = 2 * FISH_SECOND }, 200, "null");
	const char *other = fish_sim_start(s, "calls", "{}");

	fish_sim_check(s, fish_sim_post(s, url, "m2", "{silent: true}") == 202);
	fish_sim_check(s, fish_sim_now(s) == since + 10 * FISH_SECOND);
	fish_sim_ends(s, other, "'200+2000 '");
	fish_sim_pass(s, 30 * FISH_SECOND);
	fish_sim_check(s, fish_sim_post(s, url, "m1", "{late: true}") == 409);
	fish_sim_ends(s, id, "null");
}

static void senders_hear_what_they_would(void **state)
{
	(void)state;
	SURVIVES(program, posts);
	SURVIVES(program, is_held);
}

/* ---- time ---- */

static void time_passes(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "hears", "{}");
	int64_t since = fish_sim_now(s);

	(void)arg;
	fish_sim_check(s, since == 1893456000000);
	fish_sim_pass(s, 0);
	fish_sim_pass(s, FISH_MINUTE - 1);
	fish_sim_check(s, fish_sim_now(s) == since + FISH_MINUTE - 1);
	fish_sim_check(s, strcmp(fish_sim_published(s, id, "state")->body, "\"waits\"") == 0);
	fish_sim_pass(s, 1);
	fish_sim_ends(s, id, "''");
	fish_sim_settle(s);
	fish_sim_check(s, fish_sim_now(s) == since + FISH_MINUTE);
}

/* Time stands still where nothing is due. */
static void clock_says(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_check(s, fish_sim_now(s) == 5000);
	fish_sim_pass(s, -1);
	fish_sim_pass(s, 7);
	fish_sim_check(s, fish_sim_now(s) == 5007);
}

static void for_ever(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_start(s, "endless", "{ms: %lld}", (long long)(365 * FISH_DAY));
	fish_sim_settle(s);
	fish_sim_settle(s);
}

static void at_once_for_ever(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_start(s, "endless", "{ms: 0}");
	fish_sim_check(s, fish_sim_call(s, "bank /order", 0) == NULL);
}

static void time_is_virtual_and_has_limits(void **state)
{
	(void)state;
	SURVIVES(program, time_passes);
	assert_int_equal(fish_sim_run(&(fish_sim_options){ .program = &program, .now_ms = 5000 }, clock_says, NULL), 0);
	fails_with(&options, for_ever, "more than 100 virtual years");
	fails_with(&options, at_once_for_ever, "the flows do not come to rest");
}

/* ---- looking ---- */

static void looks(fish_sim *s, void *arg)
{
	const char *id = fish_sim_start(s, "hears", "{}");
	const fish_msg *end = NULL;

	(void)arg;
	fish_sim_check(s, strcmp(fish_sim_published(s, id, "state")->body, "\"waits\"") == 0);
	fish_sim_check(s, fish_sim_published(s, id, "nothing") == NULL);
	fish_sim_check(s, fish_sim_published(s, "nobody", "state") == NULL);
	fish_sim_check(s, strstr(fish_sim_show(s, id), "\"name\": \"in\"") != NULL);
	fish_sim_check(s, strcmp(fish_sim_show(s, "nobody"), "null") == 0);
	fish_sim_check(s, strstr(fish_sim_log(s), " opened\n") != NULL);
	fish_sim_check(s, fish_sim_wait(s, "nobody", &end) == FISH_ENOTFOUND);
	fish_sim_check(s, strcmp(end->body, "null") == 0);
	fish_sim_check(s, fish_sim_cancel(s, id) == 0);
	fish_sim_check(s, fish_sim_wait(s, id, &end) == FISH_ECANCELLED);
	fish_sim_check(s, strcmp(end->body, "\"cancelled\"") == 0);
	fish_sim_check(s, strstr(fish_sim_show(s, id), "\"cancelled\"") != NULL);
	fish_sim_check(s, fish_sim_cancel(s, id) == FISH_EGONE);
	fish_sim_check(s, fish_sim_cancel(s, "nobody") == FISH_ENOTFOUND);
	id = fish_sim_start(s, "misuses", "{}");
	fish_sim_check(s, fish_sim_wait(s, id, &end) == FISH_ESTOPPED);
	fish_sim_check(s, strstr(fish_str(end, ""), "misuse at step 1") != NULL);
	/* It waits for what never comes. */
	fish_sim_answer(s, "bank /order", &(fish_sim_how){ .after_ms = 1 }, 200, "null");
	id = fish_sim_start(s, "replies", "{}");
	fish_sim_check(s, fish_sim_wait(s, id, NULL) == 0);
}

static void all_can_be_looked_at(void **state)
{
	(void)state;
	/* Lines of the log go with the process that was to print them, so this is no story for crashes. */
	assert_int_equal(fish_sim_run(&options, looks, NULL), 0);
	assert_int_equal(fish_sim_run(&(fish_sim_options){ .program = &program, .park = true }, looks, NULL), 0);
}

/* ---- what fails ---- */

static void no_such_flow(fish_sim *s, void *arg)
{
	(void)arg;
	const char *id = fish_sim_start(s, "nobody", "{}");

	fish_sim_ends(s, id, "1");
}

static void bad_template(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "bank /order", NULL, 200, "{a: }");
}

static void other_end(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_ends(s, fish_sim_start(s, "calls", "{}"), "{paid: true}");
}

static void no_hook(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_check(s, strcmp(fish_sim_url(s, fish_sim_start(s, "calls", "{}"), "paid"), "") == 0);
}

static void bad_check(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_check(s, 1 + 1 == 3);
	fish_sim_fail(s, "and %d more", 1);
}

static void failures_say_what_and_how_to_repeat(void **state)
{
	fish_sim_options named = { .program = &program, .name = "sums", .seed = 9, .park = true };

	(void)state;
	fails_with(&options, no_such_flow, "fish_sim_start of \"nobody\": the program has no flow of that name");
	fails_with(&options, bad_template, "fish_sim_answer: ");
	fails_with(&options, other_end, "should end as done with {\"paid\": true}, but is done with \"200+0 \"");
	fails_with(&options, no_hook, "never has an open hook \"paid\"");
	fails_with(&named, bad_check, "fish-sim: sums, seed 9, flows park at each wait: ");
	fails_with(&named, bad_check, "scene_world_test.c:");
	fails_with(&named, bad_check, "1 + 1 == 3");
	fails_with(&named, bad_check, "and 1 more");
	fails_with(&named, bad_check, "fish_sim_run with these options and .seed = 9, .park = true; FISH_SIM_SAY=1");
}

/* ---- a scenario that is wrong ---- */

static fish_sim *current;          /* for the flow that should not have it */

static void meddles(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
	fish_sim_pass(current, FISH_SECOND);
}

static void meddling(fish_sim *s, void *arg)
{
	(void)arg;
	current = s;
	(void)fish_sim_start(s, "meddles", "null");
}

static void bad_header(fish_sim *s, void *arg)
{
	static const char *const headers[] = { "no colon", NULL };

	(void)arg;
	fish_sim_post_with(s, "https://sim/h/x", &(fish_sim_delivery){ .headers = headers });
}

static void bad_status(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "bank *", NULL, 9999, "null");
}

static void no_program(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_deploy(s, NULL);
}

static void no_delivery(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_post_with(s, "https://sim/h/x", NULL);
}

static void a_wrong_scenario_is_told_so(void **state)
{
	static const fish_def defs[] = { FISH_FLOW(meddles), FISH_END };
	static const fish_program meddler = { .flows = defs };
	FILE *file;
	int status = 0;

	(void)state;
	fails_with(&options, bad_header, "fish_sim_post_with: \"no colon\" is no header");
	fails_with(&options, bad_status, "fish_sim_answer(\"bank *\"): 9999 is no status");
	fails_with(&options, no_program, "fish_sim_deploy: the program is NULL");
	fails_with(&options, no_delivery, "fish_sim_post_with: the delivery is NULL");
	int was = quiet_begin(&file);
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGABRT, SIG_DFL);
		_exit(fish_sim_run(&(fish_sim_options){ .program = &meddler }, meddling, NULL));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	char *words = quiet_end(was, file);

	assert_true(WIFSIGNALED(status));
	assert_non_null(strstr(words, "fish: flow \"meddles\" calls a function of fish-sim.h"));
	free(words);
}

/* Was: a time of FISH_FOREVER was over at once, and a delivery under an empty id not found again. */
static void for_ever_is_never(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_call_back(s, "bank /order", "/to/callback", &(fish_sim_back){ .after_ms = FISH_FOREVER }, "{w: 'no'}");
	fish_sim_answer(s, "bank /pay/*", &(fish_sim_how){ .after_ms = FISH_FOREVER }, 200, "{say: 'no'}");
	const char *id = fish_sim_start(s, "hears", "null");

	(void)fish_sim_start(s, "calls", "{n: 1}");
	fish_sim_check(s, fish_sim_post(s, fish_sim_url(s, id, "in"), "", "{w: 'a'}") == 200);
	fish_sim_check(s, fish_sim_post(s, fish_sim_url(s, id, "in"), "", "{w: 'b'}") == 200);
	fish_sim_ends(s, id, "'a+0 b+0 '");
	fish_sim_pass(s, FISH_FOREVER);
}

static void odd_times_and_ids(void **state)
{
	(void)state;
	assert_int_equal(fish_sim_run(&options, for_ever_is_never, NULL), 0);
}

/* ---- much at once ---- */

static void notes(fish_flow *f, const fish_msg *in)
{
	for (long long i = 0; i < fish_int(in, "/n", 0); i++) {
		int result = 0;

		while (fish_once(f, "note", &result, sizeof result))
			result = 1;
	}
}

static void waiter(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "word");

	fish_tell(f, fish_str(in, "/to"), "ids", "%s", fish_id(f));
	fish_next(h, FISH_FOREVER);
}

/* Tells each of its children, who all are parked by then. */
static void family(fish_flow *f, const fish_msg *in)
{
	long long n = fish_int(in, "/n", 0);
	const char **ids = fish_alloc(f, (size_t)n * sizeof *ids);
	fish_hook *h = fish_spawn(f, "ids");

	for (long long i = 0; i < n; i++)
		fish_child(f, waiter, "{to: %s}", fish_id(f));
	for (long long i = 0; i < n; i++)
		ids[i] = fish_str(fish_next(h, FISH_FOREVER), "");
	fish_sleep(f, FISH_HOUR);
	for (long long i = 0; i < n; i++)
		fish_tell(f, ids[i], "word", "null");
}

static void goes_through(fish_sim *s, void *flow)
{
	fish_sim_ends(s, fish_sim_start(s, flow, "{n: 2500}"), "null");
}

/* Was: 2,000 turns in one moment were said to have no end. */
static void much_may_happen_at_once(void **state)
{
	static const fish_def defs[] = { FISH_FLOW(notes), FISH_FLOW(family), FISH_FLOW(waiter), FISH_END };
	static const fish_program big = { .flows = defs };
	char notes_name[] = "notes";
	char family_name[] = "family";

	(void)state;
	assert_int_equal(fish_sim_run(&(fish_sim_options){ .program = &big }, goes_through, notes_name), 0);
	assert_int_equal(fish_sim_run(&(fish_sim_options){ .program = &big, .park = true }, goes_through,
	                              family_name), 0);
}

/* ---- what a flow defers ---- */

static void asks_patch(void *f)
{
	(void)fish_patch(f, "asked when it parks");
}

static void defers_patch(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_defer(f, asks_patch, f);
	fish_sleep(f, FISH_MINUTE);
	fish_done(f, "{new: %d}", fish_patch(f, "asked when it parks"));
}

static void deferring(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_ends(s, fish_sim_start(s, "defers_patch", "null"), "{new: 1}");
}

/* Was: the answer was recorded while the flow left memory, and it never came back. */
static void what_is_deferred_may_ask_for_a_patch(void **state)
{
	static const fish_def defs[] = { FISH_FLOW(defers_patch), FISH_END };
	static const fish_program deferred = { .flows = defs };

	(void)state;
	SURVIVES(deferred, deferring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(partners_answer_by_their_rules),
		cmocka_unit_test(partners_call_back_by_their_rules),
		cmocka_unit_test(senders_hear_what_they_would),
		cmocka_unit_test(time_is_virtual_and_has_limits),
		cmocka_unit_test(all_can_be_looked_at),
		cmocka_unit_test(failures_say_what_and_how_to_repeat),
		cmocka_unit_test(a_wrong_scenario_is_told_so),
		cmocka_unit_test(odd_times_and_ids),
		cmocka_unit_test(much_may_happen_at_once),
		cmocka_unit_test(what_is_deferred_may_ask_for_a_patch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
