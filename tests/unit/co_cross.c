/* co_cross.c - coroutines checked by a plain main, for machines that have no cmocka
 * (aarch64 in qemu).
 *
 * Prints one line for each check and a verdict; exits 1 when any failed. Surprise: an
 * emulator may accept MADV_GUARD_INSTALL and ignore it, and the pool must notice, or
 * the guard check fails. */
#include "engine/co.h"
#include "engine/co_stack.h"

#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 10000, FRAME = 1024 };

/* What a coroutine of these checks sees. */
struct part {
	struct co *co;
	size_t     turns;
	size_t     seen;
	double     real;
};

/* depth frames, each whole after the yield at the bottom; the number of those. */
__attribute__((noinline))
static size_t dig(struct part *p, size_t depth)
{
	volatile char frame[FRAME];
	for (size_t i = 0; i < FRAME; i++)
		frame[i] = (char)(depth + i);
	size_t whole = 1;
	if (depth > 1)
		whole += dig(p, depth - 1);
	else
		co_yield(p->co);
	for (size_t i = 0; i < FRAME; i++) {
		if (frame[i] != (char)(depth + i))
			return 0;
	}
	return whole;
}

static void digger(void *arg)
{
	struct part *p = arg;
	p->seen = dig(p, p->turns);
}

static void counter(void *arg)
{
	struct part *p = arg;
	for (size_t i = 0; i < p->turns; i++) {
		p->seen = i + 1;
		co_yield(p->co);
	}
}

static bool deep_recursion(struct co_pool *pool)
{
	struct part p = { .turns = 45 };
	p.co = co_new(pool, 0, digger, &p);
	bool good = co_resume(p.co) && co_stack_used(p.co) > p.turns * FRAME && !co_resume(p.co);
	co_free(p.co);
	return good && p.seen == p.turns;
}

static bool big_stack(struct co_pool *pool)
{
	struct part p = { .turns = 900 };
	p.co = co_new(pool, 1 << 20, digger, &p);
	bool good = co_resume(p.co) && !co_resume(p.co);
	co_free(p.co);
	return good && p.seen == p.turns;
}

/* Rounding mode, and doubles that the compiler likes to keep in callee-saved
 * registers. */
static void reckoner(void *arg)
{
	struct part *p = arg;
	volatile double one = 1.0;
	double a = one * 2, b = one * 3, c = one * 5, d = one * 7;
	double e = one * 11, f = one * 13, g = one * 17, h = one * 19;
	p->seen = fegetround() == FE_TONEAREST;
	fesetround(FE_DOWNWARD);
	for (size_t i = 0; i < p->turns; i++) {
		co_yield(p->co);
		a += one, b += one, c += one, d += one, e += one, f += one, g += one, h += one;
	}
	p->seen += fegetround() == FE_DOWNWARD;
	p->real = a * b * c * d * e * f * g * h;
}

static bool fp_state(struct co_pool *pool)
{
	struct part first = { .turns = 3 };
	struct part second = { .turns = 3 };
	fesetround(FE_UPWARD);
	first.co = co_new(pool, 0, reckoner, &first);
	second.co = co_new(pool, 0, reckoner, &second);
	while (co_resume(first.co) && co_resume(second.co))
		;
	bool good = !co_resume(second.co) && fegetround() == FE_UPWARD;
	fesetround(FE_TONEAREST);
	co_free(first.co);
	co_free(second.co);
	double want = 5.0 * 6 * 8 * 10 * 14 * 16 * 20 * 22;
	return good && first.seen == 2 && first.real == want &&
		second.seen == 2 && second.real == want;
}

static bool ten_thousand(struct co_pool *pool)
{
	struct part *all = xalloc(MANY * sizeof *all);
	bool good = true;
	for (size_t i = 0; i < MANY; i++) {
		all[i].turns = 1 + i % 3;
		all[i].co = co_new(pool, 0, counter, &all[i]);
		CHECK(all[i].co);
	}
	for (size_t turn = 0; turn < 4; turn++) {
		for (size_t i = 0; i < MANY; i++) {
			struct part *p = &all[i];
			if (p->co && !co_resume(p->co)) {
				good = good && turn == p->turns && p->seen == p->turns;
				p->co = co_free(p->co);
			}
		}
	}
	good = good && co_pool_stacks(pool) == 0;
	free(all);
	return good;
}

static bool drop_and_use_again(struct co_pool *pool)
{
	bool good = true;
	for (size_t i = 0; i < 2 * CO_IDLE_WARM_MAX; i++) {
		struct part p = { .turns = 1 + i % 30 };
		p.co = co_new(pool, 0, digger, &p);
		good = good && co_resume(p.co);
		co_free(p.co);
	}
	struct co_stack first;
	struct co_stack again;
	CHECK(co_pool_take(pool, 0, &first) == 0);
	const char *low = first.low;
	co_pool_give(pool, &first);
	CHECK(co_pool_take(pool, 0, &again) == 0);
	good = good && again.low == low;
	co_pool_give(pool, &again);
	return good && co_pool_stacks(pool) == 0;
}

/* Which signal ends a child that goes on digging. */
static int overflow_signal(struct co_pool *pool)
{
	fflush(stdout);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		struct part p = { .turns = SIZE_MAX };
		p.co = co_new(pool, 0, digger, &p);
		co_resume(p.co);
		_exit(0);
	}
	int status = 0;
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static bool guard_hit(struct co_pool *pool)
{
	struct co_pool *other = co_pool_new_guarded(CO_GUARD_MPROTECT, CO_GUARDS_MAX);
	bool good = overflow_signal(pool) == SIGSEGV && overflow_signal(other) == SIGSEGV;
	co_pool_free(other);
	return good;
}

int main(void)
{
	static const struct {
		const char *name;
		bool      (*run)(struct co_pool *pool);
	} checks[] = {
		{ "deep recursion",                 deep_recursion },
		{ "a stack of 1 MiB",               big_stack },
		{ "floating point state kept",      fp_state },
		{ "10,000 coroutines",              ten_thousand },
		{ "dropped, stacks used again",     drop_and_use_again },
		{ "a guard hit kills by SIGSEGV",   guard_hit },
	};
	size_t failed = 0;
	struct co_pool *pool = co_pool_new();
	for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
		bool good = checks[i].run(pool);
		printf("%s: %s\n", good ? "ok" : "FAILED", checks[i].name);
		failed += !good;
	}
	pool = co_pool_free(pool);
	printf("co_cross: %zu failed\n", failed);
	return failed > 0;
}
