/* engine_told_test.c - defects of what watchers, askers and people are told, each with what must hold.
 *
 * A test is named after what holds and says what was. Surprise: what is shown is compared as text,
 * cut to the list or object it is about, since a journal repeats much of it. */
#include "engine_kit.h"

/* ---- flows under test ---- */

/* Takes one delivery and stops by misuse at the next moment. */
static void stops(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_spawn(f, "h");
}

/* The same, with a moment in which deliveries come and are not taken. */
static void stops_later(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_sleep(f, 10);
	fish_spawn(f, "h");
}

static void waits_on_b(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_spawn(f, "a");
	fish_hook *b = fish_spawn(f, "b");

	(void)in;
	fish_log(f, "%s", fish_url(a));
	fish_next(b, FISH_HOUR);
}

static void gathers(fish_flow *f, const fish_msg *in)
{
	fish_hook *h[] = { fish_spawn(f, "a"), fish_spawn(f, "b") };
	const fish_msg *got[2];

	(void)in;
	fish_log(f, "%s", fish_url(h[0]));
	fish_gather(f, FISH_HOUR, h, 2, 2, got);
}

static void opens_later(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_spawn(f, "secret");
	fish_sleep(f, FISH_HOUR);
}

enum { LONG_LINE_BYTES = 20000, FIRST_NAME_BYTES = 50, SECOND_NAME_BYTES = 200 };

static char *of_letters(fish_flow *f, char letter, size_t n)
{
	char *text = fish_alloc(f, n + 1);

	memset(text, letter, n);
	return text;
}

static void wordy(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_log(f, "%s", of_letters(f, 'x', LONG_LINE_BYTES));
	fish_log(f, "a short one");
}

static void long_names(fish_flow *f, const fish_msg *in)
{
	fish_hook *a = fish_spawn(f, of_letters(f, 'a', FIRST_NAME_BYTES));
	fish_hook *b = fish_spawn(f, of_letters(f, 'b', SECOND_NAME_BYTES));

	(void)in;
	fish_any(f, FISH_HOUR, a, b);
}

static void long_call(fish_flow *f, const fish_msg *in)
{
	fish_hook *c = fish_send(f, &partner, fish_fmt(f, "/%s", of_letters(f, 'c', 300)), "{}");
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_any(f, FISH_HOUR, c, h);
}

static void kid(fish_flow *f, const fish_msg *in)
{
	fish_sleep(f, FISH_MINUTE);
	fish_log(f, "path [%s]", fish_header(in, ":path"));
}

/* One delivery is taken, one comes while it sleeps, the others when each delivery is a child. */
static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "orders");

	fish_log(f, "%s path [%s]", fish_url(h), fish_header(in, ":path"));
	fish_next(h, FISH_FOREVER);
	fish_sleep(f, 1000);
	fish_each(h, kid);
}

static const fish_def flows[] = {
	FISH_FLOW(stops), FISH_FLOW(stops_later), FISH_FLOW(waits_on_b), FISH_FLOW(gathers),
	FISH_FLOW(opens_later), FISH_FLOW(wordy), FISH_FLOW(long_names), FISH_FLOW(long_call),
	FISH_FLOW(kid), FISH_FLOW(shop), FISH_END,
};
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

/* What follows member in a shown flow, up to and with the first end. Stands until the next call. */
static const char *part(const char *shown, const char *member, char end)
{
	static char text[2000];
	const char *at = strstr(shown, member);
	const char *stop = at ? strchr(at + strlen(member), end) : NULL;

	if (!stop)
		fail_msg("no %s in %s", member, shown);
	snprintf(text, sizeof text, "%.*s", (int)(stop + 1 - at), at);
	return text;
}

/* ---- the tests ---- */

/* Was: a stopped flow was ended with nothing untaken, and what senders had been told 200 for was gone. */
static void cancelling_a_stopped_flow_keeps_its_untaken_deliveries(void **state)
{
	for (int crashes = 0; crashes < 2; crashes++) {
		struct kit k;

		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, "stops_later", "{}");

		assert_int_equal(kit_post(&k, k.log.ptr, "{\"is\": \"taken\"}", "m1"), 200);
		assert_int_equal(kit_post(&k, k.log.ptr, "{\"is\": \"before\"}", "m2"), 200);
		kit_pass(&k, 10);
		assert_int_equal(kit_figures(&k).stopped, 1);
		assert_int_equal(kit_post(&k, k.log.ptr, "{\"is\": \"after\"}", "m3"), 200);
		if (crashes) {
			kit_crash(&k, KIT_LOST);
			kit_turn(&k);
			assert_int_equal(kit_figures(&k).stopped, 1);
		}
		assert_int_equal(kit_post(&k, k.log.ptr, "{\"is\": \"last\"}", "m4"), 200);
		assert_int_equal(kit_cancel(&k, id), 0);
		assert_string_equal(kit_end(&k, id), "cancelled cancelled");
		const char *untaken = part(kit_show(&k, id), "\"untaken\": [", ']');

		assert_int_equal(count(untaken, "\"hook\": 0"), 3);
		assert_int_equal(count(untaken, "before"), 1);
		assert_int_equal(count(untaken, "after"), 1);
		assert_int_equal(count(untaken, "last"), 1);
		kit_close(&k);
	}
}

/* The flow takes a delivery that is not durable yet, and stops. The first watch is older than that,
 * the second younger. */
static void stop_unheard(struct kit *k, struct id id, struct look *early, struct look *late,
                         struct knock *n)
{
	*early = (struct look){ .kit = k, .rc = UNTOLD, .watch = { .id = id, .done = look_watched } };
	*late = *early;
	engine_watch(k->engine, &early->watch);

	store_memory_hold(k->store, true);
	kit_knock(k, n, k->log.ptr, "{}", "m1");
	kit_until_commit(k);
	engine_turn(k->engine);                   /* its rows may have come behind the commit */
	assert_int_equal(kit_figures(k).stopped, 1);
	engine_watch(k->engine, &late->watch);
	assert_int_equal(n->status, 0);
	assert_int_equal(early->rc, UNTOLD);
	assert_int_equal(late->rc, UNTOLD);
}

/* Was: watchers were told at once, of a flow that after a crash had never stopped. */
static void a_stop_is_told_when_what_led_to_it_is_durable(void **state)
{
	struct kit k;
	struct look early;
	struct look late;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "stops", "{}");

	stop_unheard(&k, id, &early, &late, &n);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	assert_int_equal(early.rc, FISH_ESTOPPED);
	assert_int_equal(late.rc, FISH_ESTOPPED);
	assert_non_null(strstr(kit_end(&k, id), "stopped misuse at step 2"));
	kit_close(&k);
}

/* Was: as above. */
static void a_stop_that_a_crash_undid_is_told_to_nobody(void **state)
{
	struct kit k;
	struct look early;
	struct look late;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "stops", "{}");

	stop_unheard(&k, id, &early, &late, &n);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(n.status, 503);
	assert_true(early.rc == FISH_ESTORE || early.rc == UNTOLD);
	assert_true(late.rc == FISH_ESTORE || late.rc == UNTOLD);
	assert_string_equal(kit_end(&k, id), "lives");
	stop_unheard(&k, id, &early, &late, &n);
	store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
	while (store_memory_pending(k.store))
		store_memory_complete(k.store, MEMORY_OK);
	store_memory_hold(k.store, false);
	engine_turn(k.engine);
	kit_pass(&k, 500);
	assert_int_equal(n.status, 503);
	assert_int_equal(early.rc, FISH_ESTORE);
	assert_int_equal(late.rc, FISH_ESTORE);
	assert_string_equal(kit_end(&k, id), "lives");
	kit_close(&k);
}

/* Was: a delivery that the present wait does not look at hid the wait. */
static void a_flow_that_waits_on_shows_its_wait(void **state)
{
	static const struct {
		const char *flow, *waiting;
	} waits[] = {
		{ "waits_on_b", "\"waiting\": {\"step\": 2, \"kind\": \"next\", \"label\": \"b\"" },
		{ "gathers", "\"waiting\": {\"step\": 2, \"kind\": \"gather\", \"label\": \"a|b\"" },
	};

	for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
		struct kit k;

		kit_open(&k, &program, park_of(state));
		struct id id = kit_start(&k, waits[i].flow, "{}");

		assert_non_null(strstr(kit_show(&k, id), waits[i].waiting));
		assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
		assert_non_null(strstr(kit_show(&k, id), waits[i].waiting));
		kit_crash(&k, KIT_LOST);
		kit_turn(&k);
		assert_non_null(strstr(kit_show(&k, id), waits[i].waiting));
		kit_close(&k);
	}
}

/* Was: the hooks were shown as in memory, with a URL that a crash took back. */
static void no_url_is_shown_before_its_hook_is_durable(void **state)
{
	struct kit k;
	struct launch other;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "opens_later", "{}");
	struct look l = { .kit = &k, .rc = UNTOLD, .show = { .id = id, .done = look_shown } };

	store_memory_hold(k.store, true);
	kit_launch(&k, &other, "waits_on_b", "{}", NULL);
	engine_turn(k.engine);
	engine_show(k.engine, &l.show);
	kit_knock(&k, &n, k.log.ptr, "{}", "m1");
	engine_turn(k.engine);
	store_memory_complete(k.store, MEMORY_OK);           /* the other's start */
	store_memory_complete(k.store, MEMORY_OK);           /* the rows that are shown */
	assert_int_equal(n.status, 0);
	assert_true(l.rc == UNTOLD || !strstr(k.words.ptr, "secret"));
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	assert_int_equal(l.rc, 0);
	const char *hooks = part(kit_show(&k, id), "\"hooks\": [", ']');

	assert_int_equal(count(hooks, "https://door/h/"), 2);
	assert_non_null(strstr(hooks, "\"secret\""));
	kit_close(&k);
}

/* Asks again from within the answer, unless that came from within asking. */
struct stubborn {
	struct watch   watch;
	struct engine *engine;
	bool           asking;
	int            told;
};

static void stubborn_told(struct watch *w, int rc, int status, struct slice result)
{
	struct stubborn *s = container_of(w, struct stubborn, watch);

	(void)status;
	(void)result;
	assert_int_equal(rc, FISH_ESTORE);
	s->told++;
	assert_true(s->told < 10);
	if (s->asking)
		return;
	s->asking = true;
	engine_watch(s->engine, w);
	s->asking = false;
}

/* Was: the new watch joined the list that was being told, for ever. */
static void a_watch_from_within_a_refusal_is_refused(void **state)
{
	struct kit k;
	struct launch other;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "waits_on_b", "{}");
	struct stubborn s = { .engine = k.engine, .watch = { .id = id, .done = stubborn_told } };

	engine_watch(k.engine, &s.watch);
	store_memory_hold(k.store, true);
	kit_launch(&k, &other, "waits_on_b", "{}", NULL);
	kit_until_commit(&k);
	store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
	store_memory_hold(k.store, false);
	engine_turn(k.engine);
	assert_int_equal(other.rc, FISH_ESTORE);
	assert_true(engine_away(k.engine));
	assert_int_equal(s.told, 2);
	kit_pass(&k, 500);
	assert_false(engine_away(k.engine));
	assert_string_equal(kit_end(&k, id), "lives");
	kit_close(&k);
}

/* Was: a line over the limit came out empty. */
static void an_overlong_log_line_is_cut_and_says_so(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "wordy", "{}");
	const char *log = kit_log_text(&k);
	const char *end = strchr(log, '\n');

	assert_int_equal(count(log, "\n"), 2);
	assert_int_equal(memcmp(log, "flow=", 5), 0);
	assert_non_null(strstr(log, " name=wordy xxxxxxxx"));
	assert_true(end - log < LONG_LINE_BYTES);
	assert_int_equal(count(log, "x … (cut)\n"), 1);
	assert_string_equal(strstr(end, "name="), "name=wordy a short one\n");
	kit_close(&k);
}

/* Was: a label that had no room for all names was empty. */
static void a_wait_on_long_names_is_labelled_by_the_first(void **state)
{
	char expected[200];
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "long_names", "{}");

	memset(expected, 'a', FIRST_NAME_BYTES);
	snprintf(expected + FIRST_NAME_BYTES, sizeof expected - FIRST_NAME_BYTES, "|bbbbbbbbb");
	assert_int_equal(strlen(expected), LABEL_BYTES_MAX);
	const char *waiting = part(kit_show(&k, id), "\"waiting\": {", '}');

	assert_non_null(strstr(waiting, expected));
	assert_int_equal(count(waiting, "b"), 10);       /* nine, and one in "label" */
	id = kit_start(&k, "long_call", "{}");
	waiting = part(kit_show(&k, id), "\"waiting\": {", '}');
	assert_non_null(strstr(waiting, "\"label\": \"partner /cccccccc"));
	kit_close(&k);
}

static void assert_received(struct kit *k, struct id id, int n)
{
	char expected[32];

	snprintf(expected, sizeof expected, "\"received\": %d,", n);
	const char *hooks = part(kit_show(k, id), "\"hooks\": [", ']');

	if (!strstr(hooks, expected))
		fail_msg("no %s in %s", expected, hooks);
}

/* Was: what had come before fish_each was counted again when it became a child. */
static void a_hook_counts_each_delivery_once(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "shop", "{}");

	assert_received(&k, id, 0);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m2"), 200);
	assert_received(&k, id, 2);
	kit_pass(&k, 1000);
	assert_int_equal(kit_figures(&k).flows, 2);
	assert_received(&k, id, 2);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m3"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m3"), 200);
	assert_received(&k, id, 3);
	kit_crash(&k, KIT_LOST);
	kit_turn(&k);
	assert_received(&k, id, 3);
	kit_pass(&k, FISH_MINUTE);
	assert_int_equal(kit_figures(&k).flows, 1);
	assert_received(&k, id, 3);
	kit_close(&k);
}

/* Was: a child's input had no hook, and so no path. */
static void a_hooks_child_knows_the_path_it_came_by(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "shop", "{}");
	assert_int_equal(count(kit_log_text(&k), "path []"), 1);       /* nobody's child */
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m1"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m2"), 200);
	kit_pass(&k, 1000);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", "m3"), 200);
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, FISH_MINUTE);
	char path[TOKEN_TEXT_SIZE + 20];

	snprintf(path, sizeof path, "path [%.*s]", TOKEN_TEXT_SIZE - 1 + 3,
	         strstr(kit_log_text(&k), "/h/"));
	assert_int_equal(count(kit_log_text(&k), path), 2);
	kit_close(&k);
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(cancelling_a_stopped_flow_keeps_its_untaken_deliveries, park), \
	STORY(a_stop_is_told_when_what_led_to_it_is_durable, park), \
	STORY(a_stop_that_a_crash_undid_is_told_to_nobody, park), \
	STORY(a_flow_that_waits_on_shows_its_wait, park), \
	STORY(no_url_is_shown_before_its_hook_is_durable, park), \
	STORY(a_watch_from_within_a_refusal_is_refused, park), \
	STORY(an_overlong_log_line_is_cut_and_says_so, park), \
	STORY(a_wait_on_long_names_is_labelled_by_the_first, park), \
	STORY(a_hook_counts_each_delivery_once, park), \
	STORY(a_hooks_child_knows_the_path_it_came_by, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { STORIES(stay), STORIES(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
