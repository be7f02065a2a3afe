/* blackbox_test.c - crashes counted against flows over several lives of a process. */
#include "host/blackbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct id guilty = { { 1, 2, 3 } };
static const struct id other = { { 9 } };
static const struct reached here = { .own = 7, .entries = 20 };

struct place {
	char path[64];
};

static int set_up(void **state)
{
	struct place *p = xalloc(sizeof *p);

	snprintf(p->path, sizeof p->path, "/tmp/fish-blackbox-XXXXXX");
	close(mkstemp(p->path));
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	unlink(p->path);
	free(p);
	return 0;
}

static struct blackbox *opened(const struct place *p, uint64_t build)
{
	struct blackbox *b = NULL;
	struct err err = { .code = 0 };

	assert_int_equal(blackbox_open(&b, &(struct blackbox_config){ .path = p->path, .build = build }, &err), 0);
	return b;
}

/* A start that finds the flow on the CPU at the last death to have come so far. */
static struct blackbox *live_at(const struct place *p, uint64_t build, int64_t now_ms, struct reached reached)
{
	struct blackbox *b = opened(p, build);
	struct id flow;

	if (blackbox_crashed(b, &flow))
		(void)blackbox_count(b, &reached, now_ms);
	return b;
}

static struct blackbox *live(const struct place *p, uint64_t build, int64_t now_ms)
{
	return live_at(p, build, now_ms, here);
}

static void die_at(const struct place *p, const struct id *flow, int64_t now_ms, struct reached reached)
{
	struct blackbox *b = live_at(p, 1, now_ms, reached);

	blackbox_on_cpu(b, flow);
	blackbox_close(b);
}

/* A life that ends while flow is on the CPU. */
static void die_in(const struct place *p, const struct id *flow, int64_t now_ms)
{
	die_at(p, flow, now_ms, here);
}

static void three_crashes_put_a_flow_aside(void **state)
{
	for (int64_t i = 0; i < 3; i++)
		die_in(*state, &guilty, 1000 + i);
	struct blackbox *b = opened(*state, 1);
	struct id flow;

	assert_true(blackbox_crashed(b, &flow));
	assert_true(id_eq(&flow, &guilty));
	assert_int_equal(blackbox_count(b, &here, 1003), 3);
	assert_false(blackbox_crashed(b, &flow));
	assert_true(blackbox_quarantined(b, &guilty));
	assert_false(blackbox_quarantined(b, &other));
	blackbox_close(b);
	b = live(*state, 1, 1004);
	assert_true(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

static void two_crashes_do_not(void **state)
{
	die_in(*state, &guilty, 1000);
	die_in(*state, &guilty, 1001);
	struct blackbox *b = live(*state, 1, 1002);

	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

/* Was: kill -9 three times in a row with the same flow on the CPU put it aside, though it came further in
 * each life. */
static void progress_between_crashes_begins_the_count_anew(void **state)
{
	for (uint64_t i = 0; i < 10; i++)
		die_at(*state, &guilty, 1000 + (int64_t)i, (struct reached){ i, 2 * i });
	struct blackbox *b = opened(*state, 1);

	assert_int_equal(blackbox_count(b, &(struct reached){ 10, 20 }, 1010), 1);
	blackbox_close(b);
}

static void progress_before_the_first_crash_is_no_excuse(void **state)
{
	die_at(*state, &guilty, 1000, (struct reached){ 0, 0 });
	for (int64_t i = 1; i < 4; i++)
		die_at(*state, &guilty, 1000 + i, here);
	struct blackbox *b = live_at(*state, 1, 1004, here);

	assert_true(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

/* A flow that gathers 50 answers wakes for each and takes no step further before the last. But strangers, who
 * can send at any time, must not keep alive for ever what always crashes. */
static void deliveries_are_progress_for_a_while(void **state)
{
	struct blackbox *b = NULL;
	uint64_t lives = 0;

	do {
		blackbox_close(b);
		die_at(*state, &guilty, 1000, (struct reached){ 7, 20 + lives });
		b = live_at(*state, 1, 1000, (struct reached){ 7, 20 + ++lives });
	} while (lives < 100 && !blackbox_quarantined(b, &guilty));
	assert_int_equal(lives, 20);
	blackbox_close(b);
}

/* A process that dies before it could judge leaves that to the next. */
static void an_unjudged_crash_is_still_told(void **state)
{
	struct id flow;

	die_in(*state, &guilty, 1000);
	blackbox_close(opened(*state, 1));
	struct blackbox *b = opened(*state, 1);

	assert_true(blackbox_crashed(b, &flow));
	assert_true(id_eq(&flow, &guilty));
	blackbox_close(b);
}

static void who_has_ended_is_acquitted(void **state)
{
	struct id flow;

	die_in(*state, &guilty, 1000);
	die_in(*state, &guilty, 1001);
	die_in(*state, &guilty, 1002);
	struct blackbox *b = opened(*state, 1);

	blackbox_acquit(b);
	assert_false(blackbox_crashed(b, &flow));
	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

static void who_is_forgiven_runs_again(void **state)
{
	for (int64_t i = 0; i < 3; i++)
		die_in(*state, &guilty, 1000 + i);
	struct blackbox *b = live(*state, 1, 1003);

	assert_true(blackbox_quarantined(b, &guilty));
	blackbox_forgive(b, &guilty);
	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
	die_in(*state, &guilty, 1004);
	b = live(*state, 1, 1005);
	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

static void a_clean_end_counts_nothing(void **state)
{
	struct blackbox *b = live(*state, 1, 1000);
	struct id flow;

	blackbox_on_cpu(b, &guilty);
	blackbox_on_cpu(b, NULL);
	blackbox_close(b);
	b = opened(*state, 1);
	assert_false(blackbox_crashed(b, &flow));
	blackbox_close(b);
}

static void crashes_far_apart_are_no_series(void **state)
{
	for (int64_t i = 0; i < 5; i++)
		die_in(*state, &guilty, 1000 + i * 2 * 60 * 60 * 1000);
	struct blackbox *b = live(*state, 1, 1001 + INT64_C(8) * 60 * 60 * 1000);

	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

static void another_build_is_another_chance(void **state)
{
	for (int64_t i = 0; i < 3; i++)
		die_in(*state, &guilty, 1000 + i);
	struct blackbox *b = live(*state, 2, 1003);

	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

/* More suspects than the page has places: the oldest make room, nothing is overrun. */
static void many_suspects(void **state)
{
	for (uint8_t i = 1; i < 200; i++)
		die_in(*state, &(struct id){ { i } }, 1000 + i);
	struct blackbox *b = live(*state, 1, 2000);

	assert_false(blackbox_quarantined(b, &guilty));
	blackbox_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(three_crashes_put_a_flow_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_crashes_do_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(progress_between_crashes_begins_the_count_anew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(progress_before_the_first_crash_is_no_excuse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deliveries_are_progress_for_a_while, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unjudged_crash_is_still_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_has_ended_is_acquitted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_is_forgiven_runs_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_clean_end_counts_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(crashes_far_apart_are_no_series, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_build_is_another_chance, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many_suspects, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
