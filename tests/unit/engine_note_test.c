/* engine_note_test.c - fish_patch over builds, fish_key, fish_publish, fish_tell. */
#include "engine_kit.h"

#include <fish-sim.h>

/* ---- one flow in three builds ---- */

static void old_way(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "h %s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_sleep(f, 1000);
	fish_done(f, "{way: 'old'}");
}

/* Asks in two places for one name, and again afterwards. */
static void both_ways(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	bool first = fish_patch(f, "early");

	(void)in;
	if (first)
		fish_publish(f, "way", "'new'");
	fish_log(f, "h %s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	bool late = fish_patch(f, "late");

	if (late)
		fish_publish(f, "late", "true");
	fish_sleep(f, 1000);
	fish_done(f, "{early: %d, late: %d, again: %d, third: %d}", first, late,
	          fish_patch(f, "early") == first && fish_patch(f, "late") == late, fish_patch(f, "third"));
}

static void lives(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	fish_log(f, "h %s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_renew(f, "{old: %-s}", fish_raw(in, ""));
}

static void lives_patched(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	bool patched = fish_patch(f, "twice");

	fish_log(f, "h %s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	if (patched)
		fish_done(f, "{before: %-s}", fish_raw(in, ""));
	fish_renew(f, "{old: %-s}", fish_raw(in, ""));
}

static const fish_def old_flows[] = { { "ways", old_way, 0 }, { "lives", lives, 0 }, FISH_END };
static const fish_program old_program = { .flows = old_flows };
static const fish_def new_flows[] = { { "ways", both_ways, 0 }, { "lives", lives_patched, 0 }, FISH_END };
static const fish_program new_program = { .flows = new_flows };

/* ---- notes of one build ---- */

static void keys(fish_flow *f, const fish_msg *in)
{
	const char *a = fish_key(f, "a");
	const char *b = fish_key(f, "b");
	const char *seen = fish_str(in, "/key");

	if (!*seen) {
		fish_sleep(f, 1000);
		fish_log(f, "key %s", a);
		fish_renew(f, "{key: %s}", a);
	}
	fish_done(f, "{len: %zu, same: %d, other_name: %d, other_life: %d}", strlen(a),
	          strcmp(a, fish_key(f, "a")) == 0, strcmp(a, b) != 0, strcmp(a, seen) != 0);
}

static void publishes(fish_flow *f, const fish_msg *in)
{
	fish_publish(f, "state", "'begun'");
	fish_publish(f, "more", "{n: %d}", 1);
	if (fish_has(in, "/again"))
		fish_sleep(f, 1000);
	fish_publish(f, "state", "{at: %s}", "the end");
	fish_sleep(f, 1000);
	if (!fish_has(in, "/again"))
		fish_renew(f, "{again: 1}");
	fish_publish(f, "last", "true");
}

static void publishes_and_renews(fish_flow *f, const fish_msg *in)
{
	long long n = fish_int(in, "/n", 0);

	fish_publish(f, "n", "%lld", n);
	if (n == 0)
		fish_publish(f, "first", "true");
	fish_sleep(f, 500);
	if (n < 2)
		fish_renew(f, "{n: %lld}", n + 1);
}

static void publishes_badly(fish_flow *f, const fish_msg *in)
{
	fish_publish(f, fish_raw(in, "/none")[0] == 'n' ? "" : "x", "1");
}

static void hears(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	const char *all = "";

	fish_log(f, "hears %s", fish_id(f));
	for (long long n = fish_int(in, "/n", 1); n > 0; n--) {
		const fish_msg *m = fish_next(h, FISH_FOREVER);

		all = fish_fmt(f, "%s%s", all, fish_str(m, "/w"));
	}
	fish_done(f, "{all: %s}", all);
}

static void tells(fish_flow *f, const fish_msg *in)
{
	const char *to = fish_str(in, "/to");

	for (int n = 0; n < 3; n++)
		fish_tell(f, to, "in", "{w: %s}", fish_fmt(f, "%c", 'a' + n));
	fish_tell(f, to, "no such hook", "{}");
	fish_sleep(f, 1000);
	fish_tell(f, to, "in", "{w: 'd'}");
}

/* Stands still until the other build. */
static void stops(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	(void)in;
	fish_url(fish_timer(f, 5));
	fish_next(h, FISH_FOREVER);
}

static void goes_on(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	(void)in;
	fish_timer(f, 5);
	fish_done(f, "{heard: %s}", fish_str(fish_next(h, FISH_FOREVER), "/w"));
}

static void echo(fish_flow *f, const fish_msg *in)
{
	fish_log(f, "echo %s", fish_str(in, "/w"));
}

static void each(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_each(fish_spawn(f, "in"), echo);
}

static void tells_itself(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	(void)in;
	fish_tell(f, fish_id(f), "in", "{w: 'me'}");
	const fish_msg *early = fish_next(h, 0);
	const fish_msg *m = early ? early : fish_next(h, FISH_FOREVER);

	fish_tell(f, fish_id(f), "in", "{w: 'too late'}");
	fish_done(f, "{heard: %s, status: %d}", fish_str(m, "/w"), m->status);
}

static void speaker(fish_flow *f, const fish_msg *in)
{
	for (int n = 0; n < 4; n++) {
		fish_tell(f, fish_str(in, "/to"), "in", "{w: %s}", fish_fmt(f, "%s%d", fish_str(in, "/name"), n));
		fish_post(f, &partner, "/said", "{n: %d}", n);
	}
}

static void whole(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	const char *all = "";

	(void)in;
	fish_child(f, speaker, "{to: %s, name: 'x'}", fish_id(f));
	for (int n = 0; n < 5; n++) {
		const fish_msg *m = fish_next(h, FISH_FOREVER);

		all = fish_fmt(f, "%s %s", all, fish_str(m, "/w"));
		fish_publish(f, "all", "%s", all);
		if (n == 0)
			fish_tell(f, fish_id(f), "in", "{w: 'self'}");
	}
	/* The others come in one order; one's own word anywhere among them. */
	fish_done(f, "{others: %d, self: %d}", strstr(all, "x0") && strstr(strstr(all, "x0"), "x1")
	          && strstr(strstr(all, "x1"), "x2") && strstr(strstr(all, "x2"), "x3"),
	          strstr(all, "self") != NULL);
}

static void bad_id(fish_flow *f, const fish_msg *in)
{
	fish_tell(f, fish_str(in, "/id"), "in", "{}");
}

static const fish_def flows[] = {
	FISH_FLOW(keys), FISH_FLOW(publishes), FISH_FLOW(publishes_badly), FISH_FLOW(publishes_and_renews),
	FISH_FLOW(hears), FISH_FLOW(tells),
	FISH_FLOW(stops), FISH_FLOW(echo), FISH_FLOW(each), FISH_FLOW(tells_itself), FISH_FLOW(speaker), FISH_FLOW(whole), FISH_FLOW(bad_id), FISH_END };
static const fish_program program = { .flows = flows };
static const fish_def mended_flows[] = { { "stops", goes_on, 0 }, FISH_FLOW(tells), FISH_END };
static const fish_program mended = { .flows = mended_flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void a_patch_is_false_below_the_border_and_true_after_it(void **state)
{
	struct kit k;

	kit_open(&k, &old_program, park_of(state));
	struct id early = kit_start(&k, "ways", "{}");
	struct id late = kit_start(&k, "ways", "{}");
	char *urls = xstrndup(k.log.ptr, k.log.len);

	assert_int_equal(kit_post(&k, strchr(urls, '\n'), "{}", "m1"), 200);      /* late sleeps already */
	kit_deploy(&k, &new_program);
	struct id fresh = kit_start(&k, "ways", "{}");

	assert_int_equal(kit_post(&k, urls, "{}", "m1"), 200);
	assert_int_equal(kit_post(&k, strrchr(kit_log_text(&k), ' ') , "{}", "m1"), 200);
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, early), "done {\"early\": 0, \"late\": 1, \"again\": 1, \"third\": 1}");
	assert_string_equal(kit_end(&k, late), "done {\"early\": 0, \"late\": 0, \"again\": 1, \"third\": 1}");
	assert_string_equal(kit_end(&k, fresh), "done {\"early\": 1, \"late\": 1, \"again\": 1, \"third\": 1}");
	assert_int_equal(count(kit_show(&k, fresh), "\"entry\": \"patch\""), 3);
	free(urls);
	kit_close(&k);
}

/* A build without the patch meets a journal that has gone the new way: its flow stands still. */
static void the_old_build_diverges_where_the_new_way_was_gone(void **state)
{
	struct kit k;

	kit_open(&k, &new_program, park_of(state));
	struct id id = kit_start(&k, "ways", "{}");

	kit_deploy(&k, &old_program);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m1"), 200);
	assert_non_null(strstr(kit_end(&k, id), "stopped diverged at step 1"));
	kit_deploy(&k, &new_program);
	kit_turn(&k);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, id), "done {\"early\": 1, \"late\": 1, \"again\": 1, \"third\": 1}");
	kit_close(&k);
}

static void a_patch_is_asked_anew_in_each_life(void **state)
{
	struct kit k;

	kit_open(&k, &old_program, park_of(state));
	struct id id = kit_start(&k, "lives", "{}");
	const char *url = kit_log_text(&k);

	kit_deploy(&k, &new_program);
	assert_int_equal(kit_post(&k, url, "{}", "m1"), 200);     /* the first life goes the old way */
	assert_string_equal(kit_end(&k, id), "lives");
	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "{}", "m2"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"before\": {\"old\": {}}}");
	kit_close(&k);
}

static void keys_are_of_flow_life_and_name(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "keys", "{}");

	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, id), "done {\"len\": 26, \"same\": 1, \"other_name\": 1, \"other_life\": 1}");
	kit_close(&k);
}

static void show_tells_what_was_published(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "publishes", "{}");

	assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"state\": {\"at\": \"the end\"}, \"more\": {\"n\": 1}}"));
	kit_crash(&k, KIT_LOST);
	assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"state\": {\"at\": \"the end\"}, \"more\": {\"n\": 1}}"));
	kit_pass(&k, 1000);
	assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"state\": \"begun\", \"more\": {\"n\": 1}}"));
	kit_pass(&k, 1000);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, id), "done null");
	assert_non_null(strstr(kit_show(&k, id), "\"last\": true}"));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "publishes_badly", "{}")), "fish_publish: its name has 1 to 200 bytes"));
	kit_close(&k);
}

/* Was: what the flow had published since the show was asked for, of which a crash would have left nothing. */
static void only_what_is_durable_is_shown_as_published(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "publishes", "{}");
	struct look l = { .kit = &k, .rc = UNTOLD, .show = { .id = id, .done = look_shown } };

	kit_pass(&k, 1000);
	store_memory_hold(k.store, true);
	engine_show(k.engine, &l.show);
	k.now_ms += 1000;                         /* "state" is published anew in the turn that follows */
	while (l.rc == UNTOLD) {
		engine_turn(k.engine);
		if (l.rc == UNTOLD)
			store_memory_complete(k.store, MEMORY_OK);
	}
	assert_non_null(strstr(k.words.ptr, "\"published\": {\"state\": \"begun\", \"more\": {\"n\": 1}}"));
	assert_non_null(k.engine->inflight);
	assert_true(k.engine->inflight->nrows > 0);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"state\": {\"at\": \"the end\"}, \"more\": {\"n\": 1}}"));
	kit_close(&k);
}

/* Was: an ended flow's show left out what lives before its last one had published. */
static void what_earlier_lives_published_is_shown_after_the_end(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "publishes_and_renews", "{}");

	for (int life = 0; life < 3; life++)
		kit_pass(&k, 500);
	assert_string_equal(kit_end(&k, id), "done null");
	assert_non_null(strstr(kit_show(&k, id), "\"published\": {\"n\": 2, \"first\": true}"));
	kit_close(&k);
}

static const char *to_json(const struct id *id, char out[64])
{
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	snprintf(out, 64, "{\"to\": \"%s\"}", text);
	return out;
}

static void a_tell_comes_once_over_crashes(void **state)
{
	struct kit k;
	char to[64];

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "hears", "{\"n\": 4}");
	struct id teller = kit_start(&k, "tells", to_json(&id, to));

	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(count(kit_show(&k, id), "delivery to hook 0"), 3);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, id), "done {\"all\": \"abcd\"}");
	assert_string_equal(kit_end(&k, teller), "done null");
	/* Nobody is there any more. */
	teller = kit_start(&k, "tells", to_json(&id, to));
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, teller), "done null");
	kit_close(&k);
}

static void a_tell_reaches_a_flow_that_stands_still(void **state)
{
	struct kit k;
	char to[64];

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "stops", "{}");

	assert_non_null(strstr(kit_end(&k, id), "stopped misuse"));
	kit_start(&k, "tells", to_json(&id, to));
	kit_deploy(&k, &mended);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, id), "done {\"heard\": \"a\"}");
	kit_close(&k);
}

static void a_tell_starts_a_flow_at_an_each_hook(void **state)
{
	struct kit k;
	char to[64];

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "each", "{}");

	kit_start(&k, "tells", to_json(&id, to));
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 1000);
	for (char c = 'a'; c <= 'd'; c++) {
		char line[] = "echo x\n";

		line[5] = c;
		assert_int_equal(count(kit_log_text(&k), line), 1);
	}
	kit_close(&k);
}

static void a_flow_tells_itself(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_string_equal(kit_end(&k, kit_start(&k, "tells_itself", "{}")),
	                    "done {\"heard\": \"me\", \"status\": 200}");
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "bad_id", "{\"id\": \"nobody\"}")), "is no flow's id"));
	kit_close(&k);
}

static void whole_story(fish_sim *s, void *arg)
{
	(void)arg;
	fish_sim_ends(s, fish_sim_start(s, "whole", "{}"), "{others: 1, self: 1}");
}

static void the_story_comes_out_the_same_after_each_crash(void **state)
{
	(void)state;
	assert_int_equal(fish_sim_each_crash(&(fish_sim_options){ .program = &program }, whole_story, NULL), 0);
}

#define TOLD(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define TOLD_ALL(park) \
	TOLD(a_patch_is_false_below_the_border_and_true_after_it, park), \
	TOLD(the_old_build_diverges_where_the_new_way_was_gone, park), \
	TOLD(a_patch_is_asked_anew_in_each_life, park), \
	TOLD(keys_are_of_flow_life_and_name, park), \
	TOLD(show_tells_what_was_published, park), \
	TOLD(only_what_is_durable_is_shown_as_published, park), \
	TOLD(what_earlier_lives_published_is_shown_after_the_end, park), \
	TOLD(a_tell_comes_once_over_crashes, park), \
	TOLD(a_tell_reaches_a_flow_that_stands_still, park), \
	TOLD(a_tell_starts_a_flow_at_an_each_hook, park), \
	TOLD(a_flow_tells_itself, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = {
		TOLD_ALL(stay), TOLD_ALL(park), cmocka_unit_test(the_story_comes_out_the_same_after_each_crash) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
