/* engine_long_test.c - flows that take very many steps: told of, stopped at a limit, and interrupted when
 * they never wait, so that all others have their turn. */
#include "engine_kit.h"

#include "engine/view.h"

enum { LONG = 10000, SPIN_TURNS = 60 };

static int64_t number_of(const fish_msg *m, const char *pointer)
{
	return fish_int(m, pointer, 0);
}

/* Takes so many steps a life, in so many lives. */
static void walks(fish_flow *f, const fish_msg *in)
{
	int64_t steps = number_of(in, "/steps");
	int64_t lives = number_of(in, "/lives");
	fish_hook *h = fish_spawn(f, "word");

	for (int64_t i = 1; i < steps; i++)
		fish_publish(f, "at", "%lld", (long long)i);
	if (lives > 1)
		fish_renew(f, "{steps: %lld, lives: %lld}", (long long)steps, (long long)lives - 1);
	fish_log(f, "%s", fish_url(h));
	fish_done(f, "{word: %-s}", fish_raw(fish_next(h, FISH_HOUR), ""));
}

static void leaf(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
}

static bool one_step(fish_flow *f, const char *what, fish_hook *h, long long i)
{
	if (strcmp(what, "publish") == 0)
		fish_publish(f, "at", "%lld", i);
	if (strcmp(what, "look") == 0)
		(void)fish_next(h, 0);
	if (strcmp(what, "gather") == 0)
		(void)fish_gather(f, 0, &h, 1, 1, &(const fish_msg *){ NULL });
	if (strcmp(what, "sleep") == 0)
		fish_sleep(f, 0);
	if (strcmp(what, "timer") == 0)
		fish_close(fish_timer(f, FISH_HOUR));
	if (strcmp(what, "spawn") == 0)
		fish_close(fish_spawn(f, "again"));
	if (strcmp(what, "send") == 0 && i < 20)      /* the partner keeps each */
		(void)fish_any(f, 0, fish_send(f, &partner, "/x", "{}"));
	if (strcmp(what, "tell") == 0)
		fish_tell(f, fish_id(f), "nobody", "{}");
	if (strcmp(what, "cancelled") == 0)
		return fish_next(fish_cancelled(f), 0) != NULL;
	return false;
}

static void spins(fish_flow *f, const fish_msg *in)
{
	fish_hook *stop = fish_spawn(f, "stop");
	fish_hook *other = fish_spawn(f, "other");

	fish_log(f, "%s", fish_url(stop));
	for (long long i = 0; !fish_next(stop, 0); i++)
		if (one_step(f, fish_str(in, "/what"), other, i))
			fish_fail(f, "cancelled");
	fish_done(f, "{stopped: true}");
}

static void shouts(fish_flow *f, const fish_msg *in)
{
	(void)in;
	(void)fish_send(f, &partner, "/x", "{}");
	for (;;)
		fish_publish(f, "what", "null");
}

static void asks_only(fish_flow *f, const fish_msg *in)
{
	const char *name = "same";

	while (fish_patch(f, name) || true)
		name = fish_true(in, "/same") ? name : fish_fmt(f, "%016llx", (unsigned long long)fish_random(f));
}

static void echo(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_done(f, "{got: %-s}", fish_raw(fish_next(h, FISH_FOREVER), ""));
}

static void big(fish_flow *f, const fish_msg *in)
{
	char *text = fish_alloc(f, 1000);

	(void)in;
	memset(text, 'x', 999);
	for (int i = 0; i < 2000; i++)
		fish_publish(f, "big", "%s", text);
}

static void posts(fish_flow *f, const fish_msg *in)
{
	(void)in;
	(void)fish_post(f, &partner, "/x", "{}");
}

/* Sent before it is seen that nobody wants the flow any more. */
static void calls_and_ends(fish_flow *f, const fish_msg *in)
{
	(void)in;
	(void)fish_send(f, &partner, "/x", "{}");
}

static const fish_def flows[] = {
	FISH_FLOW(walks), FISH_FLOW(spins), FISH_FLOW(shouts), FISH_FLOW(asks_only), FISH_FLOW(echo), FISH_FLOW(big), FISH_FLOW(posts),
	FISH_FLOW(calls_and_ends), FISH_FLOW(leaf), FISH_END };
static const fish_program program = { .flows = flows };

static void reopen(struct kit *k)
{
	kit_crash(k, KIT_KEPT);
}

/* ---- steps in one life ---- */

static void a_long_life_is_warned_of(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	struct id below = kit_start(&k, "walks", "{\"steps\": 9990}");
	struct id above = kit_start(&k, "walks", "{\"steps\": 10005}");

	assert_null(strstr(kit_show(&k, below), "\"warning\""));
	assert_non_null(strstr(kit_show(&k, above), "\"warning\": \"10006 steps in one life"));
	assert_non_null(strstr(k.words.ptr, "fish_renew"));
	assert_int_equal(count(k.events.ptr, "flow.long"), 1);
	reopen(&k);
	kit_turn(&k);
	(void)kit_post(&k, kit_log_text(&k), "{}", NULL);
	assert_int_equal(count(k.events.ptr, "flow.long"), 1);
	kit_close(&k);
}

static void a_new_life_counts_anew(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.steps_max = 120;
	reopen(&k);
	struct id id = kit_start(&k, "walks", "{\"steps\": 119, \"lives\": 40}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "7", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"word\": 7}");
	assert_null(k.events.ptr && strstr(k.events.ptr, "flow.long") ? "told" : NULL);
	kit_close(&k);
}

static void at_the_limit_it_may_still_end(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.steps_max = 50;
	reopen(&k);
	struct id fits = kit_start(&k, "walks", "{\"steps\": 49}");
	struct id renews = kit_start(&k, "walks", "{\"steps\": 50, \"lives\": 2}");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), 200);
	assert_string_equal(kit_end(&k, fits), "done {\"word\": 1}");
	assert_int_equal(count(kit_show(&k, renews), "\"entry\": \"renew\""), 1);
	kit_close(&k);
}

/* The spawn and 49 steps are taken; the wait is one too many. */
static void over_the_limit_it_stops_and_a_higher_one_goes_on(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.steps_max = 50;
	reopen(&k);
	struct id id = kit_start(&k, "walks", "{\"steps\": 50}");
	const char *end = kit_end(&k, id);

	assert_non_null(strstr(end, "stopped misuse at step 50: 50 steps in one life"));
	assert_non_null(strstr(end, "fish_renew"));
	assert_non_null(strstr(end, "--steps-max"));
	assert_non_null(strstr(kit_show(&k, id), "\"state\": \"stopped\""));
	assert_int_equal(kit_retry(&k, id), 0);
	assert_non_null(strstr(kit_end(&k, id), "stopped misuse at step 50"));
	reopen(&k);
	assert_non_null(strstr(kit_end(&k, id), "stopped misuse at step 50"));
	k.steps_max = 51;
	reopen(&k);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, id), "lives");
	k.steps_max = 5;                       /* what it has taken, it has */
	reopen(&k);
	kit_turn(&k);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "2", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"word\": 2}");
	kit_close(&k);
}

/* ---- steps that never wait ---- */

static void turns(struct kit *k, int n)
{
	for (int i = 0; i < n; i++)
		engine_turn(k->engine);
}

static const char *const kinds[] = {
	"publish", "look", "gather", "sleep", "timer", "spawn", "send", "tell", "cancelled" };

static void answer_all(struct kit *k)
{
	for (size_t n = 0; n < k->nsent; n++)
		if (k->sent[n].attempt)
			kit_answer(k, n, 200, "{}");
}

static void others_run_while_one_spins(int64_t park_after_ms, const char *kind)
{
	struct launch spinner;
	struct launch other;
	struct knock knock;
	char input[40];
	struct kit k;

	kit_open(&k, &program, park_after_ms);
	k.turn_steps_max = 10;
	reopen(&k);
	snprintf(input, sizeof input, "{\"what\": \"%s\"}", kind);
	kit_launch(&k, &spinner, "spins", input, NULL);
	turns(&k, SPIN_TURNS);
	assert_int_equal(spinner.rc, 0);
	char *urls = xstrndup(k.log.ptr, k.log.len);

	kit_launch(&k, &other, "echo", "null", NULL);
	turns(&k, 4);
	assert_int_equal(other.rc, 0);
	kit_knock(&k, &knock, kit_log_text(&k) + strlen(urls), "1", NULL);
	turns(&k, 4);
	assert_int_equal(knock.status, 200);
	assert_false(engine_idle(k.engine));
	assert_int_equal(engine_next_ms(k.engine), k.now_ms);
	kit_crash(&k, KIT_LOST);
	turns(&k, SPIN_TURNS);
	assert_false(engine_idle(k.engine));               /* a restart goes on with it by itself */
	kit_knock(&k, &knock, urls, "{}", "stop");
	for (int i = 0; i < 1000 && !engine_idle(k.engine); i++)
		engine_turn(k.engine);
	assert_int_equal(knock.status, 200);
	answer_all(&k);
	assert_string_equal(kit_end(&k, spinner.id), "done {\"stopped\": true}");
	assert_string_equal(kit_end(&k, other.id), "done {\"got\": 1}");
	free(urls);
	kit_close(&k);
}

/* Was: such a flow held the engine for ever. */
static void others_run_while_one_never_waits(void **state)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		others_run_while_one_spins(*(const int64_t *)*state, kinds[i]);
}

static void one_that_never_waits_can_be_cancelled(void **state)
{
	struct launch spinner;
	struct look l;
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.turn_steps_max = 10;
	reopen(&k);
	kit_launch(&k, &spinner, "spins", "{\"what\": \"publish\"}", NULL);
	turns(&k, SPIN_TURNS);
	l = (struct look){ .kit = &k, .rc = UNTOLD, .cancel = { .id = spinner.id, .done = look_cancelled } };
	engine_cancel(k.engine, &l.cancel);
	assert_string_equal(kit_end(&k, spinner.id), "cancelled cancelled");
	assert_int_equal(l.rc, 0);
	kit_close(&k);
}

/* It was cut short between two steps, and has a call in doubt: after a restart it must go no further. */
static void one_that_was_cut_short_stays_so(void **state)
{
	struct launch l;
	struct look cancel;
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.turn_steps_max = 30;
	reopen(&k);
	kit_launch(&k, &l, "shouts", "null", NULL);
	turns(&k, 5);
	cancel = (struct look){ .kit = &k, .rc = UNTOLD, .cancel = { .id = l.id, .done = look_cancelled } };
	engine_cancel(k.engine, &cancel.cancel);
	kit_turn(&k);
	assert_int_equal(cancel.rc, 0);
	size_t entries = count(kit_show(&k, l.id), "\"entry\":");

	k.turn_steps_max = 1000;               /* no pause in the same place */
	kit_crash(&k, KIT_KEPT);
	kit_turn(&k);
	assert_int_equal(count(kit_show(&k, l.id), "\"entry\":"), entries);
	assert_non_null(strstr(k.words.ptr, "\"state\": \"closing\""));
	answer_all(&k);
	assert_string_equal(kit_end(&k, l.id), "cancelled cancelled");
	kit_close(&k);
}

/* Message and cancel come while it is loaded. The message is neither lost nor taken: no code saw it. */
static void what_it_took_as_it_was_cut_short_is_untaken(void **state)
{
	struct launch l;
	struct look cancel;
	struct knock knock;
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.turn_steps_max = 1;
	reopen(&k);
	kit_launch(&k, &l, "echo", "null", NULL);
	kit_turn(&k);
	kit_knock(&k, &knock, kit_log_text(&k), "{\"w\": 1}", NULL);
	cancel = (struct look){ .kit = &k, .rc = UNTOLD, .cancel = { .id = l.id, .done = look_cancelled } };
	engine_cancel(k.engine, &cancel.cancel);
	assert_string_equal(kit_end(&k, l.id), "cancelled cancelled");
	assert_int_equal(knock.status, 200);
	assert_non_null(strstr(kit_show(&k, l.id), "\"untaken\": [{\"hook\": 0"));
	kit_close(&k);
}

static void replays_are_interrupted_too(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "walks", "{\"steps\": 5000}");

	k.turn_steps_max = 50;
	reopen(&k);
	struct knock knock;

	kit_knock(&k, &knock, kit_log_text(&k), "3", NULL);
	turns(&k, 20);
	assert_int_equal(knock.status, 200);           /* while it is in the middle of its past */
	assert_false(engine_idle(k.engine));
	turns(&k, 200);
	assert_string_equal(kit_end(&k, id), "done {\"word\": 3}");
	kit_close(&k);
}

static void what_it_gathers_is_bounded(void **state)
{
	struct launch l;
	struct kit k;
	uint64_t most = 0;

	kit_open(&k, &program, *(const int64_t *)*state);
	k.run_ahead_bytes = 20000;
	reopen(&k);
	store_memory_hold(k.store, true);
	kit_launch(&k, &l, "big", "null", NULL);
	turns(&k, 50);
	most = kit_figures(&k).entries;
	/* One batch with the store, and one that gathers: some 20 steps each. */
	assert_in_range(most, 30, 60);
	store_memory_hold(k.store, false);
	for (int i = 0; i < 2000 && !engine_idle(k.engine); i++)
		engine_turn(k.engine);
	assert_string_equal(kit_end(&k, l.id), "done null");
	kit_close(&k);
}

static void a_loop_of_patches_has_an_end(void **state)
{
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "asks_only", "{\"same\": true}")),
	                       "stopped misuse at step 0: fish_patch was asked 1000000 times since the last step"));
	assert_non_null(strstr(kit_end(&k, kit_start(&k, "asks_only", "{}")), "1000 names in one life of the flow"));
	kit_close(&k);
}

static void a_winding_down_leaves_it_to_the_next_start(void **state)
{
	struct launch spinner;
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	kit_launch(&k, &spinner, "spins", "{\"what\": \"publish\"}", NULL);
	turns(&k, 5);
	engine_wind_down(k.engine);
	kit_turn(&k);                                  /* comes to an end */
	assert_true(engine_next_ms(k.engine) > k.now_ms);
	assert_string_equal(kit_end(&k, spinner.id), "lives");
	kit_crash(&k, KIT_LOST);
	turns(&k, 50);
	assert_false(engine_idle(k.engine));
	kit_close(&k);
}

/* ---- what `show` says of an end that is not durable ---- */

/* What a list says of the flows in memory; with the store held nobody is told a list. */
static const char *listed(struct kit *k)
{
	const struct flow *f;

	buf_reset(&k->words);
	for (size_t i = 0; (f = map_each(&k->engine->flows, &i));)
		if (f->state != FLOW_ENDED || !flow_durable(f))
			show_flow(&k->words, f);
	buf_putc(&k->words, '\0');
	return k->words.ptr;
}

/* Was: "closing", of which a crash would have left nothing. */
static void a_flow_is_closing_when_that_is_durable(void **state)
{
	struct launch first;
	struct launch second;
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	store_memory_hold(k.store, true);
	kit_launch(&k, &first, "leaf", "null", NULL);
	engine_turn(k.engine);
	assert_non_null(strstr(listed(&k), "\"state\": \"ready\""));
	kit_launch(&k, &second, "calls_and_ends", "null", NULL);
	engine_turn(k.engine);
	assert_int_equal(count(listed(&k), "\"state\": \"ready\""), 2);
	assert_int_equal(count(listed(&k), "\"state\": \"closing\""), 0);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(count(listed(&k), "\"state\": \"closing\""), 1);
	kit_answer(&k, 0, 200, "{}");
	assert_string_equal(listed(&k), "");
	kit_close(&k);
}

static void a_cancelled_flow_is_closing_when_that_is_durable(void **state)
{
	struct look l;
	struct kit k;

	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "posts", "null");

	store_memory_hold(k.store, true);
	l = (struct look){ .kit = &k, .rc = UNTOLD, .cancel = { .id = id, .done = look_cancelled } };
	engine_cancel(k.engine, &l.cancel);
	engine_turn(k.engine);
	assert_int_equal(count(listed(&k), "\"state\": \"ready\""), 1);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(l.rc, 0);
	assert_int_equal(count(listed(&k), "\"state\": \"closing\""), 1);
	kit_answer(&k, 0, 200, "{}");
	assert_string_equal(kit_end(&k, id), "cancelled cancelled");
	kit_close(&k);
}

#define TOLD(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define TOLD_ALL(park) \
	TOLD(a_long_life_is_warned_of, park), \
	TOLD(a_new_life_counts_anew, park), \
	TOLD(at_the_limit_it_may_still_end, park), \
	TOLD(over_the_limit_it_stops_and_a_higher_one_goes_on, park), \
	TOLD(others_run_while_one_never_waits, park), \
	TOLD(one_that_never_waits_can_be_cancelled, park), \
	TOLD(one_that_was_cut_short_stays_so, park), \
	TOLD(replays_are_interrupted_too, park), \
	TOLD(what_it_gathers_is_bounded, park), \
	TOLD(a_loop_of_patches_has_an_end, park), \
	TOLD(a_winding_down_leaves_it_to_the_next_start, park), \
	TOLD(a_flow_is_closing_when_that_is_durable, park), \
	TOLD(a_cancelled_flow_is_closing_when_that_is_durable, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { 
		TOLD_ALL(stay), TOLD_ALL(park), TOLD(what_it_took_as_it_was_cut_short_is_untaken, park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
