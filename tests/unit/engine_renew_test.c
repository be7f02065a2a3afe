/* engine_renew_test.c - fish_renew: what goes along into a flow's next life, and what stays behind. */
#include "engine_kit.h"

#include <fish-sim.h>

static void idle(fish_flow *f, const fish_msg *in)
{
	fish_sleep(f, 1000);
	fish_done(f, "%-s", fish_raw(in, ""));
}

/* Takes one message a life, and puts the words together. */
static void collects(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	long long n = fish_int(in, "/n", 0);

	if (n == 0)
		fish_log(f, "in %s", fish_url(h));
	const fish_msg *m = fish_next(h, FISH_FOREVER);
	const char *all = fish_fmt(f, "%s%s", fish_str(in, "/all"), fish_str(m, "/w"));

	if (n < 3)
		fish_renew(f, "{n: %lld, all: %s, url: %s}", n + 1, all, fish_url(h));
	fish_done(f, "{all: %s, same: %d}", all, strcmp(fish_url(h), fish_str(in, "/url")) == 0);
}

/* All that does not go along: a timer, a call hook, a closed hook, another number for a new one. */
static void leaves(fish_flow *f, const fish_msg *in)
{
	bool second = fish_has(in, "/key");
	fish_hook *old = fish_spawn(f, "old");
	fish_hook *gone = fish_spawn(f, "gone");

	if (second) {
		bool other = strcmp(fish_url(gone), fish_str(in, "/gone")) != 0;
		bool key = strcmp(fish_key(f, "k"), fish_str(in, "/key")) != 0;

		fish_log(f, "second %s", fish_url(gone));
		const fish_msg *m = fish_any(f, 10 * FISH_SECOND, old, gone);

		fish_done(f, "{other: %d, key: %d, random: %d, came: %d}", other, key,
		          fish_random(f) != strtoull(fish_str(in, "/random"), NULL, 10), m != NULL);
	}
	fish_log(f, "old %s gone %s", fish_url(old), fish_url(gone));
	fish_timer(f, 5 * FISH_SECOND);
	fish_send(f, &partner, "/quiet", "{}");
	fish_close(gone);
	fish_sleep(f, 0);
	fish_renew(f, "{key: %s, gone: %s, random: %s}", fish_key(f, "k"), fish_url(gone),
	           fish_fmt(f, "%llu", (unsigned long long)fish_random(f)));
}

/* Its child goes on; the child's end finds another life, with another child at the same step. */
static void parent(fish_flow *f, const fish_msg *in)
{
	bool second = fish_has(in, "/second");
	fish_hook *c = fish_child(f, idle, "{life: %d}", second ? 2 : 1);

	if (!second) {
		fish_sleep(f, 500);
		fish_renew(f, "{second: true}");
	}
	const fish_msg *m = fish_next(c, FISH_FOREVER);

	fish_done(f, "{of: %lld}", fish_int(m, "/life", 0));
}

/* Calls in doubt are waited for; what comes meanwhile belongs to the next life. */
static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	if (fish_has(in, "/again")) {
		const fish_msg *m = fish_next(h, 0);

		fish_done(f, "{got: %s}", m ? fish_str(m, "/w") : NULL);
	}
	fish_log(f, "in %s", fish_url(h));
	fish_send(f, &partner, "/slow", "{}");
	fish_renew(f, "{again: true}");
}

static void never_again(fish_flow *f, const fish_msg *in)
{
	if (fish_has(in, "/again"))
		fish_sleep(f, FISH_HOUR);
	fish_log(f, "in %s", fish_url(fish_spawn(f, "in")));
	fish_renew(f, "{again: true}");
}

static void endless(fish_flow *f, const fish_msg *in)
{
	long long n = fish_int(in, "/n", 0);

	if (n == 40)
		fish_done(f, "%lld", n);
	fish_renew(f, "{n: %lld}", n + 1);
}

/* All at once, for a crash at every moment. */
static void whole(fish_flow *f, const fish_msg *in)
{
	long long n = fish_int(in, "/n", 0);
	fish_hook *h = fish_spawn(f, "in");
	fish_hook *c = fish_child(f, idle, "%lld", n);

	if (n == 0)
		fish_post(f, &partner, "/offer", "{in: %s}", fish_url(h));
	fish_timer(f, 3000);
	fish_send(f, &partner, "/note", "{n: %lld}", n);
	const fish_msg *m = fish_next(h, FISH_FOREVER);
	const char *all = fish_fmt(f, "%s%s", fish_str(in, "/all"), fish_str(m, "/w"));

	if (n < 3)
		fish_renew(f, "{n: %lld, all: %s}", n + 1, all);
	m = fish_next(c, FISH_FOREVER);
	fish_done(f, "{all: %s, child: %lld}", all, fish_int(m, "", -1));
}

static const fish_def flows[] = {
	FISH_FLOW(idle), FISH_FLOW(collects), FISH_FLOW(leaves), FISH_FLOW(parent), FISH_FLOW(waits),
	FISH_FLOW(never_again), FISH_FLOW(endless), FISH_FLOW(whole), FISH_END };
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void open_hooks_keep_urls_and_messages_in_order(void **state)
{
	struct kit k;
	struct knock n[4];
	static const char *const bodies[] = { "{\"w\": \"a\"}", "{\"w\": \"b\"}", "{\"w\": \"c\"}", "{\"w\": \"d\"}" };

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "collects", "{}");

	for (int i = 0; i < 4; i++)
		kit_knock(&k, &n[i], kit_log_text(&k), bodies[i], NULL);
	kit_turn(&k);
	for (int i = 0; i < 4; i++)
		assert_int_equal(n[i].status, 200);
	assert_string_equal(kit_end(&k, id), "done {\"all\": \"abcd\", \"same\": 1}");
	assert_int_equal(count(kit_show(&k, id), "\"entry\": \"renew\""), 3);
	kit_close(&k);
}

static void a_duplicate_of_an_earlier_life_is_one(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "collects", "{}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"a\"}", "m1"), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"a\"}", "m1"), 200);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"a\"}", "m1"), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"b\"}", "m2"), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"a\"}", "m1"), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"c\"}", "m3"), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"d\"}", "m4"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"all\": \"abcd\", \"same\": 1}");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"a\"}", "m1"), 200);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"e\"}", "m5"), 410);
	kit_close(&k);
}

static void what_belongs_to_a_life_stays_behind(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "leaves", "{}");

	kit_answer(&k, 0, 200, "{}");
	assert_non_null(strstr(kit_log_text(&k), "second"));
	assert_int_equal(kit_post(&k, strstr(kit_log_text(&k), "gone "), "{}", "m1"), 410);
	kit_pass(&k, 6000);                   /* the old life's timer would have rung */
	assert_string_equal(kit_end(&k, id), "lives");
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 4000);
	assert_string_equal(kit_end(&k, id), "done {\"other\": 1, \"key\": 1, \"random\": 1, \"came\": 0}");
	assert_int_equal(k.nsent, 1);
	kit_close(&k);
}

static void children_go_on_and_their_end_finds_nobody(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "parent", "{}");

	kit_pass(&k, 500);
	assert_int_equal(kit_figures(&k).flows, 3);
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 500);
	assert_int_equal(kit_figures(&k).flows, 2);
	assert_string_equal(kit_end(&k, id), "lives");
	kit_pass(&k, 500);
	assert_string_equal(kit_end(&k, id), "done {\"of\": 2}");
	kit_close(&k);
}

static void a_call_in_doubt_holds_the_next_life(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "waits", "{}");

	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": \"late\"}", "m1"), 200);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(k.nsent, 2);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_int_equal(k.nsent, 3);
	assert_string_equal(k.sent[0].key, k.sent[2].key);
	kit_answer(&k, 2, 200, "{}");
	assert_string_equal(kit_end(&k, id), "done {\"got\": \"late\"}");
	kit_close(&k);
}

static void a_cancel_that_comes_before_the_next_life_ends_the_flow(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "waits", "{}");

	assert_int_equal(kit_cancel(&k, id), 0);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	kit_answer(&k, 1, 200, "{}");
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	id = kit_start(&k, "never_again", "{}");
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	kit_close(&k);
}

static void a_hook_that_nobody_spawns_again_stays_open_and_is_listed(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "never_again", "{}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "{\"w\": 1}", "m1"), 200);
	assert_non_null(strstr(kit_show(&k, id), "\"name\": \"in\""));
	assert_non_null(strstr(kit_show(&k, id), "\"open\": true, \"received\": 1"));
	assert_non_null(strstr(kit_show(&k, id), "\"input\": {\"again\": true}"));
	assert_int_equal(kit_cancel(&k, id), 0);
	assert_non_null(strstr(kit_show(&k, id), "\"untaken\": [{\"hook\": 0"));
	kit_close(&k);
}

static void lives_follow_each_other(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "endless", "{}");
	const char *end = "lives";

	for (int n = 0; n < 100 && strcmp(end, "lives") == 0; n++)
		end = kit_end(&k, id);
	assert_string_equal(end, "done 40");
	kit_close(&k);
}

static void whole_story(fish_sim *s, void *arg)
{
	static const char *const words[] = { "a", "b", "c", "d" };
	const char *id = fish_sim_start(s, "whole", "{}");
	const char *url = fish_str(fish_sim_call(s, "partner /offer", 0), "/in");

	(void)arg;
	for (int i = 0; i < 4; i++)
		fish_sim_check(s, fish_sim_post(s, url, NULL, "{w: %s}", words[i]) == 200);
	fish_sim_ends(s, id, "{all: 'abcd', child: 3}");
}

static void the_story_comes_out_the_same_after_each_crash(void **state)
{
	(void)state;
	assert_int_equal(fish_sim_each_crash(&(fish_sim_options){ .program = &program }, whole_story, NULL), 0);
}

#define TOLD(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define TOLD_ALL(park) \
	TOLD(open_hooks_keep_urls_and_messages_in_order, park), \
	TOLD(a_duplicate_of_an_earlier_life_is_one, park), \
	TOLD(what_belongs_to_a_life_stays_behind, park), \
	TOLD(children_go_on_and_their_end_finds_nobody, park), \
	TOLD(a_call_in_doubt_holds_the_next_life, park), \
	TOLD(a_cancel_that_comes_before_the_next_life_ends_the_flow, park), \
	TOLD(a_hook_that_nobody_spawns_again_stays_open_and_is_listed, park), \
	TOLD(lives_follow_each_other, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		TOLD_ALL(stay), TOLD_ALL(park), cmocka_unit_test(the_story_comes_out_the_same_after_each_crash) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
