/* co_switch_ucontext.c - the switch for machines without one of their own, on
 * makecontext.
 *
 * Invariant: the same contract as the assembly, so co.c cannot tell them apart.
 * Surprise: each switch makes two system calls for the signal mask, which is nearly
 * all of its cost. */
#include "engine/co_switch.h"

#if CO_SWITCH_UCONTEXT

#include "base/base.h"

#include <fenv.h>

/* What a new stack is to call; makecontext passes ints only, so its address goes in
 * two halves. */
struct start {
	void (*entry)(void *);
	void  *arg;
};

/* The first frame. getcontext kept the creator's FP control words, so the defaults are
 * set here. */
static void start_run(unsigned high, unsigned low)
{
	uint64_t bits = (uint64_t)high << 32 | low;
	const struct start *start = (const struct start *)(uintptr_t)bits;
	fesetenv(FE_DFL_ENV);
	start->entry(start->arg);
	__builtin_trap();                     /* co_ctx_init's contract: entry never returns */
}

void co_ctx_init(struct co_ctx *ctx, char *low, size_t bytes, void (*entry)(void *), void *arg)
{
	size_t top = bytes - ((sizeof(struct start) + 15) & ~(size_t)15);
	struct start *start = (struct start *)(void *)(low + top);
	*start = (struct start){ entry, arg };

	CHECK(getcontext(&ctx->uc) == 0);
	ctx->uc.uc_link = NULL;
	ctx->uc.uc_stack.ss_sp = low;
	ctx->uc.uc_stack.ss_size = top;
	uint64_t bits = (uintptr_t)start;
	makecontext(&ctx->uc, (void (*)(void))start_run, 2,
		(unsigned)(bits >> 32), (unsigned)bits);
}

void co_switch(struct co_ctx *save, const struct co_ctx *to)
{
	CHECK(swapcontext(&save->uc, &to->uc) == 0);
}

#endif
