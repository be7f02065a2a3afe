/* engine_clock_test.c - time enters the engine with what is handed in, not with the last turn. */
#include "engine_kit.h"

static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	const fish_msg *m = fish_next(h, 5 * FISH_SECOND);

	fish_done(f, "{came: %-s}", m ? "true" : "false");
}

static const fish_def flows[] = { FISH_FLOW(waits), FISH_END };
static const fish_program program = { .flows = flows };

/* Was: a start after an idle spell ran at the time of the last turn, and its wait had run out before
 * it began. */
static void a_wait_after_an_idle_spell_has_its_whole_length(void **state)
{
	struct launch l;
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	k.now_ms += 6 * FISH_SECOND;
	kit_launch(&k, &l, "waits", "null", NULL);
	kit_turn(&k);
	kit_pass(&k, 4 * FISH_SECOND);
	assert_string_equal(kit_end(&k, l.id), "lives");
	assert_int_equal(kit_post(&k, k.log.ptr, "1", NULL), 200);
	assert_string_equal(kit_end(&k, l.id), "done {\"came\": true}");
	kit_close(&k);
}

/* A delivery that comes when the deadline has passed, but before the turn that would ring it, is late. */
static void a_delivery_after_the_deadline_is_late_before_any_turn(void **state)
{
	struct kit k;
	struct id id;

	(void)state;
	kit_open(&k, &program, 0);
	id = kit_start(&k, "waits", "null");
	k.now_ms += 5 * FISH_SECOND;
	assert_int_equal(kit_post(&k, k.log.ptr, "1", NULL), 410);
	assert_string_equal(kit_end(&k, id), "done {\"came\": false}");
	kit_close(&k);
}

/* Two deliveries of one round: the clock moves between them, but no flow has run in between. */
static void the_time_stands_still_while_there_is_news(void **state)
{
	struct knock first;
	struct knock second;
	struct kit k;
	struct id id;

	(void)state;
	kit_open(&k, &program, 0);
	id = kit_start(&k, "waits", "null");
	k.now_ms += 5 * FISH_SECOND - 1;
	kit_knock(&k, &first, k.log.ptr, "1", NULL);
	k.now_ms += 1;
	kit_knock(&k, &second, k.log.ptr, "2", NULL);
	kit_turn(&k);
	assert_int_equal(first.status, 200);
	assert_string_equal(kit_end(&k, id), "done {\"came\": true}");
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wait_after_an_idle_spell_has_its_whole_length),
		cmocka_unit_test(a_delivery_after_the_deadline_is_late_before_any_turn),
		cmocka_unit_test(the_time_stands_still_while_there_is_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
