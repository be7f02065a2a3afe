/* co_test.c - coroutines: order, drops in the middle, registers, backtraces, what a
 * misuse does.
 *
 * What must kill a process is run in a forked child. Surprise: under gcc's TSan fewer
 * coroutines can live at once, so the number of MANY depends on the build. */
#include "co_helper.h"

#include "engine/co_san.h"
#include "engine/co_stack.h"

#include <execinfo.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 10000 < CO_SAN_STACKS_MAX ? 10000 : 7000 };

static void say(struct world *w, char what)
{
	size_t len = strlen(w->log);
	w->log[len] = what;
}

static void twice(void *arg)
{
	struct world *w = arg;
	say(w, 'a');
	co_yield(w->co);
	say(w, 'b');
	co_yield(w->co);
	say(w, 'c');
}

static void test_yields_and_ends(void **state)
{
	struct world *w = *state;
	w->co = co_new(w->pool, 0, twice, w);
	assert_non_null(w->co);
	assert_int_equal(co_pool_stacks(w->pool), 1);
	assert_string_equal(w->log, "");
	assert_true(co_resume(w->co));
	say(w, '1');
	assert_true(co_resume(w->co));
	say(w, '2');
	assert_false(co_resume(w->co));
	assert_string_equal(w->log, "a1b2c");
	w->co = co_free(w->co);
	assert_null(w->co);
	assert_null(co_free(NULL));
	assert_null(co_pool_free(NULL));
	assert_int_equal(co_pool_stacks(w->pool), 0);
}

static void test_dropped_at_any_point(void **state)
{
	struct world *w = *state;
	for (size_t runs = 0; runs < 4; runs++) {
		w->depth = 8;
		w->co = co_new(w->pool, 0, runs % 2 ? digger : twice, w);
		for (size_t i = 0; i < runs / 2; i++)
			assert_true(co_resume(w->co));
		w->co = co_free(w->co);
		assert_int_equal(co_pool_stacks(w->pool), 0);
	}
}

/* A stack that held poisoned frames of a dropped coroutine must be plain memory for
 * the next. */
static void test_stack_of_a_dropped_one_is_used_again(void **state)
{
	struct world *w = *state;
	for (size_t i = 0; i < 1000; i++) {
		w->depth = 2 + i % 20;
		w->co = co_new(w->pool, 0, digger, w);
		assert_true(co_resume(w->co));
		if (i % 3 == 0) {
			assert_false(co_resume(w->co));
			assert_int_equal(w->sum, w->depth);
		}
		w->co = co_free(w->co);
	}
}

static void test_deep_recursion(void **state)
{
	struct world *w = *state;
	struct co_stack s;
	assert_int_equal(co_pool_take(w->pool, 0, &s), 0);
	w->depth = s.bytes / FRAME * 3 / 5;
	size_t bytes = s.bytes;
	co_pool_give(w->pool, &s);

	w->co = co_new(w->pool, 0, digger, w);
	assert_int_equal(co_stack_used(w->co), 0);
	assert_true(co_resume(w->co));
	assert_in_range(co_stack_used(w->co), w->depth * FRAME, bytes);
	assert_false(co_resume(w->co));
	assert_int_equal(w->sum, w->depth);
	w->co = co_free(w->co);
}

static void test_big_stack(void **state)
{
	struct world *w = *state;
	w->depth = BIG / FRAME * 3 / 5;
	w->co = co_new(w->pool, BIG, digger, w);
	assert_true(co_resume(w->co));
	assert_false(co_resume(w->co));
	assert_int_equal(w->sum, w->depth);
	w->co = co_free(w->co);
}

static void inner(void *arg)
{
	struct world *w = arg;
	say(w, 'x');
	co_yield(w->other);
	say(w, 'y');
	co_yield(w->other);
	say(w, '!');
}

static void outer(void *arg)
{
	struct world *w = arg;
	w->other = co_new(w->pool, 0, inner, w);
	co_resume(w->other);
	say(w, '1');
	co_yield(w->co);
	co_resume(w->other);
	say(w, '2');
	w->other = co_free(w->other);
}

static void test_one_inside_another(void **state)
{
	struct world *w = *state;
	w->co = co_new(w->pool, 0, outer, w);
	assert_true(co_resume(w->co));
	say(w, '-');
	assert_int_equal(co_pool_stacks(w->pool), 2);
	assert_false(co_resume(w->co));
	assert_string_equal(w->log, "x1-y2");
	w->co = co_free(w->co);
}

/* Enough live values that some stay in callee-saved registers over the yield. */
static void reckon(void *arg)
{
	struct world *w = arg;
	volatile double one = 1.0;
	double a = one * 2, b = one * 3, c = one * 5, d = one * 7;
	double e = one * 11, f = one * 13, g = one * 17, h = one * 19;
	for (int i = 0; i < 3; i++) {
		co_yield(w->co);
		a += one, b += one, c += one, d += one, e += one, f += one, g += one, h += one;
	}
	w->real = a * b * c * d * e * f * g * h;
}

static void test_registers_are_kept(void **state)
{
	struct world *w = *state;
	w->co = co_new(w->pool, 0, reckon, w);
	volatile double noise = 0.5;
	while (co_resume(w->co)) {
		double x = noise * 3, y = noise * 5, z = noise * 7;
		snprintf(w->log, sizeof w->log, "%f %f %f", x, y, z);
		assert_string_equal(w->log, "1.500000 2.500000 3.500000");
	}
	assert_true(w->real == 5.0 * 6 * 8 * 10 * 14 * 16 * 20 * 22);
	w->co = co_free(w->co);
}

/* 1/10 is rounded up to nearest, 1/3 down: together they tell any mode. On x86-64 this
 * asks MXCSR, where fegetround asks the x87 control word. A call, lest it is moved
 * past a change of mode. */
__attribute__((noinline))
static int rounding(void)
{
	volatile double one = 1.0;
	volatile double ten = 10.0;
	volatile double three = 3.0;
	bool tenth_up = one / ten == 0x1.999999999999ap-4;
	bool third_up = one / three == 0x1.5555555555556p-2;
	if (tenth_up && third_up)
		return FE_UPWARD;
	return tenth_up ? FE_TONEAREST : FE_DOWNWARD;
}

static void rounds_down(void *arg)
{
	struct world *w = arg;
	w->sum = fegetround() == FE_TONEAREST;
	w->sum += rounding() == FE_TONEAREST;
	fesetround(FE_DOWNWARD);
	co_yield(w->co);
	w->sum += fegetround() == FE_DOWNWARD;
	w->sum += rounding() == FE_DOWNWARD;
}

/* Else a flow's arithmetic would depend on who runs beside it. */
static void test_rounding_mode_is_its_own(void **state)
{
	struct world *w = *state;
	fesetround(FE_UPWARD);
	w->co = co_new(w->pool, 0, rounds_down, w);
	assert_true(co_resume(w->co));
	assert_int_equal(fegetround(), FE_UPWARD);
	assert_int_equal(rounding(), FE_UPWARD);
	fesetround(FE_TONEAREST);
	assert_false(co_resume(w->co));
	assert_int_equal(fegetround(), FE_TONEAREST);
	assert_int_equal(rounding(), FE_TONEAREST);
	assert_int_equal(w->sum, 4);
	w->co = co_free(w->co);
}

/* One of many: counts its own resumes, in its own locals. */
struct one {
	struct co *co;
	size_t     seen;
	size_t     turns;
};

static void count(void *arg)
{
	struct one *o = arg;
	size_t seen = 0;
	while (seen < o->turns) {
		seen++;
		o->seen = seen;
		co_yield(o->co);
	}
}

static void test_ten_thousand(void **state)
{
	struct world *w = *state;
	struct one *all = xalloc(MANY * sizeof *all);
	for (size_t i = 0; i < MANY; i++) {
		all[i].turns = 1 + i % 5;
		all[i].co = co_new(w->pool, 0, count, &all[i]);
		assert_non_null(all[i].co);
	}
	assert_int_equal(co_pool_stacks(w->pool), MANY);
	for (size_t turn = 0; turn < 6; turn++) {
		/* 7,919 is prime to both values of MANY: each once, in no order. */
		for (size_t i = 0, at = 0; i < MANY; i++, at = (at + 7919) % MANY) {
			struct one *o = &all[at];
			if (!o->co)
				continue;
			bool yielded = co_resume(o->co);
			assert_int_equal(o->seen, turn < o->turns ? turn + 1 : o->turns);
			assert_int_equal(yielded, turn < o->turns);
			if (!yielded)
				o->co = co_free(o->co);
		}
	}
	assert_int_equal(co_pool_stacks(w->pool), 0);
	free(all);
}

static void look_back(struct world *w)
{
	void *frames[64];
	w->sum = (size_t)backtrace(frames, 64);
}

static void looker(void *arg)
{
	struct world *w = arg;
	if (dig(5, look_back, w) != 5)
		w->sum = 0;
}

/* A stack's first frame is where a backtrace ends; else it runs off the top, into the
 * next guard. */
static void test_backtrace_ends(void **state)
{
	struct world *w = *state;
	w->co = co_new(w->pool, 0, looker, w);
	w->other = co_new(w->pool, 0, looker, w);
	assert_false(co_resume(w->co));
	assert_in_range(w->sum, 7, 20);
	w->other = co_free(w->other);
	w->co = co_free(w->co);
}

static void resume_ended(struct world *w)
{
	w->co = co_new(w->pool, 0, twice, w);
	while (co_resume(w->co))
		;
	co_resume(w->co);
}

static void resume_itself(void *arg)
{
	struct world *w = arg;
	co_resume(w->co);
}

static void free_itself(void *arg)
{
	struct world *w = arg;
	co_free(w->co);
}

static void resume_from_inside(struct world *w)
{
	w->co = co_new(w->pool, 0, resume_itself, w);
	co_resume(w->co);
}

static void free_from_inside(struct world *w)
{
	w->co = co_new(w->pool, 0, free_itself, w);
	co_resume(w->co);
}

static void yield_from_outside(struct world *w)
{
	w->co = co_new(w->pool, 0, twice, w);
	co_yield(w->co);
}

static void free_pool_in_use(struct world *w)
{
	w->co = co_new(w->pool, 0, twice, w);
	co_pool_free(w->pool);
}

static void take_too_big(struct world *w)
{
	co_new(w->pool, CO_STACK_BYTES_MAX + 1, twice, w);
}

static void test_misuse_aborts(void **state)
{
	struct world *w = *state;
	assert_int_equal(child_signal(resume_ended, w), SIGABRT);
	assert_int_equal(child_signal(resume_from_inside, w), SIGABRT);
	assert_int_equal(child_signal(free_from_inside, w), SIGABRT);
	assert_int_equal(child_signal(yield_from_outside, w), SIGABRT);
	assert_int_equal(child_signal(free_pool_in_use, w), SIGABRT);
	assert_int_equal(child_signal(take_too_big, w), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(yields_and_ends),
		TEST(dropped_at_any_point),
		TEST(stack_of_a_dropped_one_is_used_again),
		TEST(deep_recursion),
		TEST(big_stack),
		TEST(one_inside_another),
		TEST(registers_are_kept),
		TEST(rounding_mode_is_its_own),
		TEST(ten_thousand),
		TEST(backtrace_ends),
		TEST(misuse_aborts),
	};
	return cmocka_run_group_tests_name("co", tests, NULL, NULL);
}
