/* co_helper.h - what the tests of coroutines and of their stacks share: a world, a
 * digger, a child. */
#ifndef FISH_TEST_CO_HELPER_H
#define FISH_TEST_CO_HELPER_H

#include "engine/co.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
	FRAME = 1024,                         /* bytes that one level of dig() takes, at least */
	BIG   = 1 << 20,
};

/* What a test's coroutine sees: itself, and a log of what happened in order. */
struct world {
	struct co_pool *pool;
	struct co      *co;
	struct co      *other;
	size_t          depth;
	size_t          sum;
	double          real;
	char           *low;                  /* of a stack that is talked about */
	char            log[64];
};

static int setup(void **state)
{
	struct world *w = xalloc(sizeof *w);
	w->pool = co_pool_new();
	*state = w;
	return 0;
}

/* A test that failed in the middle may leave stacks behind; its own words come first
 * then. */
static int teardown(void **state)
{
	struct world *w = *state;
	w->co = co_free(w->co);
	w->other = co_free(w->other);
	bool clean = co_pool_stacks(w->pool) == 0;
	if (clean)
		w->pool = co_pool_free(w->pool);
	free(w);
	return clean ? 0 : -1;
}

/* Runs fn(w) in a child: the signal that ended it, or 0 when it came back. */
static int child_signal(void (*fn)(struct world *w), struct world *w)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit none = { 0, 0 };
		setrlimit(RLIMIT_CORE, &none);
		/* The sanitizers would turn these into an exit code, and CHECK writes
		 * to stderr. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		int null = open("/dev/null", O_WRONLY);
		dup2(null, STDERR_FILENO);
		fn(w);
		_exit(0);
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* Goes depth levels down, lets visit look from there, and finds each level's bytes
 * unharmed. ASan keeps out: its red zones would leave gaps between the frames, or put
 * them on the heap. */
__attribute__((noinline, no_sanitize_address))
static size_t dig(size_t depth, void (*visit)(struct world *w), struct world *w)
{
	volatile char frame[FRAME];
	for (size_t i = 0; i < FRAME; i++)
		frame[i] = (char)(depth + i);
	size_t sum = 1;
	if (depth > 1)
		sum += dig(depth - 1, visit, w);
	else
		visit(w);
	for (size_t i = 0; i < FRAME; i++) {
		if (frame[i] != (char)(depth + i))
			return 0;
	}
	return sum;
}

static void yield_there(struct world *w)
{
	co_yield(w->co);
}

static void digger(void *arg)
{
	struct world *w = arg;
	volatile char mark[64];
	for (size_t i = 0; i < sizeof mark; i++)
		mark[i] = (char)i;
	w->sum = dig(w->depth, yield_there, w);
	for (size_t i = 0; i < sizeof mark; i++)
		w->sum += mark[i] == (char)i ? 0 : 1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_ ## name, setup, teardown)

#endif
