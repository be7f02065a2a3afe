/* co_stack_test.c - the pool of stacks: what it keeps, what it gives back, what guards
 * it.
 *
 * What must kill a process (a guard hit, a canary, no memory) is run in a forked
 * child. Surprise: under ASan and TSan stacks are four times as big, so sizes come
 * from the stack at hand. */
#include "co_helper.h"

#include "engine/co_san.h"
#include "engine/co_stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGES_MAX = 1024 };

/* Yields once, for tests that need any coroutine at all. */
static void once(void *arg)
{
	struct world *w = arg;
	co_yield(w->co);
}

static void test_big_stack_has_its_own_mapping(void **state)
{
	struct world *w = *state;
	struct co_stack s;
	assert_int_equal(co_pool_take(w->pool, BIG, &s), 0);
	assert_true(s.bytes >= BIG);
	char *low = s.low;
	unsigned char page = 0;
	assert_int_equal(mincore(low, 1, &page), 0);
	co_pool_give(w->pool, &s);
	assert_int_equal(mincore(low, 1, &page), -1);
	assert_int_equal(errno, ENOMEM);
}

static size_t resident_pages(const struct co_stack *s)
{
	unsigned char pages[PAGES_MAX];
	size_t n = s->bytes / (size_t)sysconf(_SC_PAGESIZE);
	assert_true(n <= PAGES_MAX);
	assert_int_equal(mincore(s->low, s->bytes, pages), 0);
	size_t resident = 0;
	for (size_t i = 0; i < n; i++)
		resident += pages[i] & 1;
	return resident;
}

static void test_idle_stacks_give_pages_back(void **state)
{
	enum { COLD = 40, ALL = CO_IDLE_WARM_MAX + COLD };
	struct world *w = *state;
	struct co_stack stacks[ALL];
	struct co_stack where[ALL];
	for (size_t i = 0; i < ALL; i++) {
		assert_int_equal(co_pool_take(w->pool, 0, &stacks[i]), 0);
		memset(stacks[i].low, 1, stacks[i].bytes);
		assert_true(resident_pages(&stacks[i]) > 0);
		where[i] = stacks[i];
	}
	for (size_t i = 0; i < ALL; i++)
		co_pool_give(w->pool, &stacks[i]);
	assert_null(stacks[0].low);
	for (size_t i = 0; i < ALL; i++)
		assert_int_equal(resident_pages(&where[i]) > 0, i < CO_IDLE_WARM_MAX);

	/* The warm one given last goes out first, a cold one only when no warm one is
	 * left. */
	for (size_t i = 0; i < ALL; i++) {
		assert_int_equal(co_pool_take(w->pool, 0, &stacks[i]), 0);
		if (i < CO_IDLE_WARM_MAX)
			assert_ptr_equal(stacks[i].low, where[CO_IDLE_WARM_MAX - 1 - i].low);
	}
	for (size_t i = 0; i < ALL; i++)
		co_pool_give(w->pool, &stacks[i]);
}

static void dig_too_deep(struct world *w)
{
	w->depth = SIZE_MAX;
	w->co = co_new(w->pool, 0, digger, w);
	co_resume(w->co);
}

static void dig_too_deep_in_big(struct world *w)
{
	w->depth = SIZE_MAX;
	w->co = co_new(w->pool, BIG, digger, w);
	co_resume(w->co);
}

static void test_guard_stops_an_overflow(void **state)
{
	struct world *w = *state;
	for (enum co_guard g = CO_GUARD_MADVISE; g <= CO_GUARD_MPROTECT; g++) {
		struct co_pool *own = w->pool;
		w->pool = co_pool_new_guarded(g, CO_GUARDS_MAX);
		assert_true(co_pool_guard(w->pool) == g || g == CO_GUARD_MADVISE);
		assert_int_equal(child_signal(dig_too_deep, w), SIGSEGV);
		assert_int_equal(child_signal(dig_too_deep_in_big, w), SIGSEGV);
		w->pool = co_pool_free(w->pool);
		w->pool = own;
	}
}

static void touch_below(struct world *w)
{
	volatile char *below = w->low - 1;
	*below = 1;
}

static void touch_lowest(struct world *w)
{
	volatile char *lowest = w->low;
	*lowest = 1;
}

/* Was a doubt: whether MADV_DONTNEED takes MADV_GUARD_INSTALL's guards away. It does
 * not. */
static void test_guard_outlives_giving_pages_back(void **state)
{
	enum { ALL = CO_IDLE_WARM_MAX + 1 };
	struct world *w = *state;
	struct co_stack stacks[ALL];
	for (size_t i = 0; i < ALL; i++)
		assert_int_equal(co_pool_take(w->pool, 0, &stacks[i]), 0);
	w->low = stacks[ALL - 1].low;
	for (size_t i = 0; i < ALL; i++)
		co_pool_give(w->pool, &stacks[i]);
	assert_int_equal(child_signal(touch_below, w), SIGSEGV);
	assert_int_equal(child_signal(touch_lowest, w), 0);
}

static void test_guards_by_mprotect_are_bounded(void **state)
{
	struct world *w = *state;
	struct co_pool *p = co_pool_new_guarded(CO_GUARD_MPROTECT, 2);
	struct co_stack a, b, c, d;
	assert_int_equal(co_pool_take(p, 0, &a), 0);
	assert_int_equal(co_pool_take(p, BIG, &b), 0);
	assert_int_equal(co_pool_take(p, 0, &c), 0);
	assert_int_equal(a.guard, CO_GUARD_MPROTECT);
	assert_int_equal(b.guard, CO_GUARD_MPROTECT);
	assert_int_equal(c.guard, CO_GUARD_CANARY);
	co_pool_give(p, &b);                  /* its guard goes with its mapping */
	assert_int_equal(co_pool_take(p, BIG, &d), 0);
	assert_int_equal(d.guard, CO_GUARD_MPROTECT);
	co_pool_give(p, &a);
	co_pool_give(p, &c);
	co_pool_give(p, &d);
	assert_null(co_pool_free(p));
	assert_int_equal(co_pool_stacks(w->pool), 0);
}

/* Breaks what lies at the stack's low end; another slot's memory, where there is one,
 * stays whole. */
static void break_canary(struct world *w)
{
	struct co_stack s;
	CHECK(co_pool_take(w->pool, 0, &s) == 0);
	s.low[100] ^= 1;
	co_pool_give(w->pool, &s);
}

static void overflow_then_yield(void *arg)
{
	struct world *w = arg;
	size_t left = (size_t)((char *)__builtin_frame_address(0) - w->low);
	dig(left / FRAME, yield_there, w);
}

static void overflow_canary(struct world *w)
{
	/* The second slot is carved behind the first, so what runs over lands in known
	 * memory. */
	struct co_stack first;
	struct co_stack second;
	CHECK(co_pool_take(w->pool, 0, &first) == 0);
	CHECK(co_pool_take(w->pool, 0, &second) == 0);
	w->low = second.low;
	co_pool_give(w->pool, &second);
	w->co = co_new(w->pool, 0, overflow_then_yield, w);
	co_resume(w->co);
}

static void test_canary_tells_of_an_overflow(void **state)
{
	struct world *w = *state;
	struct co_pool *own = w->pool;
	w->pool = co_pool_new_guarded(CO_GUARD_CANARY, 0);
	w->co = co_new(w->pool, 0, once, w);
	assert_true(co_resume(w->co));
	w->co = co_free(w->co);
	assert_int_equal(child_signal(break_canary, w), SIGABRT);
	assert_int_equal(child_signal(overflow_canary, w), SIGABRT);
	w->pool = co_pool_free(w->pool);
	w->pool = own;
}

/* Exits 0 when the pool said no, and yes again once a stack was free. */
static void exhaust(struct world *w)
{
	/* The heap must not need the system once the address space is used up. */
	free(malloc(100 << 10));
	struct rlimit limit = { 0, 0 };
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long pages = 0;
	CHECK(f);
	CHECK(fscanf(f, "%llu", &pages) == 1);
	fclose(f);
	limit.rlim_cur = pages * (rlim_t)sysconf(_SC_PAGESIZE) + (40 << 20);
	limit.rlim_max = limit.rlim_cur;
	CHECK(setrlimit(RLIMIT_AS, &limit) == 0);

	struct co_stack s;
	struct co_stack last = { .low = NULL };
	size_t n = 0;
	while (co_pool_take(w->pool, 0, &s) == 0) {
		last = s;
		n++;
	}
	CHECK(n > 500);
	CHECK(n < 700);
	CHECK(co_pool_take(w->pool, BIG, &s) == FISH_EBUSY);
	CHECK(!co_new(w->pool, 0, once, w));
	co_pool_give(w->pool, &last);
	w->co = co_new(w->pool, 0, once, w);
	CHECK(w->co);
	CHECK(co_resume(w->co));
}

static void test_no_more_memory(void **state)
{
	/* The sanitizers need address space of their own. */
	if (CO_ASAN || CO_TSAN)
		skip();
	assert_int_equal(child_signal(exhaust, *state), 0);
}

static void test_cap_under_gcc_tsan(void **state)
{
	struct world *w = *state;
	size_t max = CO_SAN_STACKS_MAX % SIZE_MAX;    /* 0 where there is no cap */
	if (max == 0)
		skip();
	struct co **all = xalloc(max * sizeof(struct co *));
	for (size_t i = 0; i < max; i++) {
		all[i] = co_new(w->pool, 0, once, w);
		assert_non_null(all[i]);
	}
	assert_null(co_new(w->pool, 0, once, w));
	for (size_t i = 0; i < max; i++)
		all[i] = co_free(all[i]);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(big_stack_has_its_own_mapping),
		TEST(idle_stacks_give_pages_back),
		TEST(guard_stops_an_overflow),
		TEST(guard_outlives_giving_pages_back),
		TEST(guards_by_mprotect_are_bounded),
		TEST(canary_tells_of_an_overflow),
		TEST(no_more_memory),
		TEST(cap_under_gcc_tsan),
	};
	return cmocka_run_group_tests_name("co_stack", tests, NULL, NULL);
}
