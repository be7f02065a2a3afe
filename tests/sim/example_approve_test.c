/* example_approve_test.c - the stories of examples/approve, with a crash at every write. */
#include "scene_kit.h"

int approve_main(int argc, char **argv);
#define main approve_main
#include "../../examples/approve/approve.c"
#undef main

static const fish_program program = { .flows = flows, .peers = peers };

/* Somebody clicks on a link of the n-th mail. */
static int click(fish_sim *s, size_t mail_no, const char *link, const char *who, const char *body)
{
	const char *user = who ? scene_text(s, "X-User: %s", who) : NULL;
	const char *const headers[] = { "Content-Type: application/json", user, NULL };

	return fish_sim_post_with(s, fish_str(fish_sim_call(s, "mail /send", mail_no), link),
	                          &(fish_sim_delivery){ .headers = headers, .body = body, .len = strlen(body) });
}

static void mailed_to(fish_sim *s, const char *const *whom, size_t n)
{
	fish_sim_check(s, fish_sim_calls(s, "mail /send") == n);
	for (size_t i = 0; i < n; i++)
		fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "mail /send", i), "/to"), whom[i]) == 0);
}

static const char *begin(fish_sim *s)
{
	return fish_sim_start(s, "approval", "{what: 'order 7', manager: 'mia', director: 'dora'}");
}

static void approved(fish_sim *s, void *arg)
{
	const char *id = begin(s);

	(void)arg;
	fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "mail /send", 0), "/what"), "order 7") == 0);
	fish_sim_pass(s, FISH_DAY);
	fish_sim_check(s, click(s, 0, "/approve", "mia", "{\"why\": \"cheap\"}") == 200);
	fish_sim_ends(s, id, "{approved: true, by: 'mia', why: 'cheap'}");
	fish_sim_check(s, click(s, 0, "/reject", "mia", "{}") == 410);
	mailed_to(s, (const char *const[]){ "mia" }, 1);
}

static void rejected_without_a_reason(fish_sim *s, void *arg)
{
	const char *id = begin(s);

	(void)arg;
	fish_sim_check(s, click(s, 0, "/reject", NULL, "{}") == 200);
	fish_sim_ends(s, id, "{approved: false, by: '', why: null}");
}

/* Dora clicks before the mail server has answered. */
static void reminded_and_escalated(fish_sim *s, void *arg)
{
	const char *id = begin(s);

	(void)arg;
	fish_sim_answer(s, "mail /send", &(fish_sim_how){ .after_ms = FISH_SECOND }, 200, "{}");
	fish_sim_check(s, click(s, 3, "/approve", "dora", "{\"why\": \"fine\"}") == 200);
	fish_sim_ends(s, id, "{approved: true, by: 'dora', why: 'fine'}");
	mailed_to(s, (const char *const[]){ "mia", "mia", "mia", "dora" }, 4);
	for (size_t i = 1; i < 4; i++)
		fish_sim_check(s, strcmp(fish_str(fish_sim_call(s, "mail /send", i), "/approve"),
		                         fish_str(fish_sim_call(s, "mail /send", 0), "/approve")) == 0);
}

static void nobody_reads_what_bounced(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_answer(s, "mail /send", &(fish_sim_how){ .calls = 3 }, 404, "{}");
	const char *id = begin(s);

	fish_sim_call(s, "mail /send", 3);
	const fish_msg *asked = fish_sim_published(s, id, "asked");

	fish_sim_check(s, strcmp(fish_str(asked, "/who"), "dora") == 0 && fish_int(asked, "/mails", 0) == 1);
	fish_sim_check(s, click(s, 3, "/approve", "dora", "{}") == 200);
	fish_sim_ends(s, id, "{approved: true, by: 'dora', why: null}");
}

static void nobody_decided(fish_sim *s, void *arg)
{
	const char *id = begin(s);
	const fish_msg *why = NULL;
	int64_t since = fish_sim_now(s);

	(void)arg;
	fish_sim_check(s, fish_sim_wait(s, id, &why) == FISH_EFAILED);
	fish_sim_check(s, strcmp(fish_str(why, ""), "nobody decided") == 0);
	fish_sim_check(s, fish_sim_now(s) == since + 13 * FISH_DAY);
	mailed_to(s, (const char *const[]){ "mia", "mia", "mia", "dora" }, 4);
	fish_sim_check(s, click(s, 0, "/approve", "mia", "{}") == 410);
}

static void each_story_survives(void **state)
{
	(void)state;
	SURVIVES(program, approved);
	SURVIVES(program, rejected_without_a_reason);
	SURVIVES(program, reminded_and_escalated);
	SURVIVES(program, nobody_reads_what_bounced);
	SURVIVES(program, nobody_decided);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
