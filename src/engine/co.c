/* co.c - coroutines: when a stack may be entered and left, and what the sanitizers
 * hear of it.
 *
 * Invariant: a coroutine that runs has in ctx_caller the one who resumed it, which may
 * be another coroutine. Surprise: one that was dropped in the middle never learns of
 * it; its frames are forgotten where they lie, and the next coroutine on that stack
 * writes over them. */
#include "engine/co.h"

#include "engine/co_san.h"
#include "engine/co_stack.h"
#include "engine/co_switch.h"

#include <stdlib.h>

enum co_state {
	CO_READY,                    /* not begun, or it yielded */
	CO_RUNNING,                  /* or it resumed another that runs */
	CO_OVER,                     /* its function returned */
};

struct co {
	struct co_ctx   ctx;         /* while it is not running */
	struct co_ctx   ctx_caller;  /* while it is */
	enum co_state   state;
	struct co_stack stack;
	const char     *left_at;     /* about its sp at the last yield; at first the top */
	void          (*fn)(void *arg);
	void           *arg;
	struct co_pool *pool;        /* borrowed; outlives it */
	struct co_san   san;
};

/* Lies in the first frame of each coroutine. What only looks like one does not point to itself. */
struct co_mark {
	uint64_t              magic;
	const struct co_mark *self;
	struct co            *co;
};
#define CO_MARK_MAGIC  UINT64_C(0x6b72616d2d6f6366)

/* The mark must lie on the stack itself, and not where ASan may put the variables of a frame. */
__attribute__((no_sanitize_address, noinline))
static void marked(struct co *co)
{
	volatile struct co_mark mark = { CO_MARK_MAGIC, NULL, co };

	mark.self = (const struct co_mark *)&mark;
	co->fn(co->arg);
	mark.magic = 0;
}

/* The first frame of each coroutine, and the last. */
static void co_main(void *arg)
{
	struct co *co = arg;
	san_arrive(&co->san);
	marked(co);

	co->state = CO_OVER;
	san_leave_for_ever(&co->san);
	co_switch(&co->ctx, &co->ctx_caller);
	__builtin_trap();                     /* co_resume refuses one that is over */
}

/* A program's flows may have frames that ASan guards: what is read here is read as it lies. */
__attribute__((no_sanitize_address, noinline))
void *co_here(void)
{
	uintptr_t at = (uintptr_t)__builtin_frame_address(0) & ~(_Alignof(struct co_mark) - 1);

	for (;; at += _Alignof(struct co_mark)) {
		/* Frames of others: a number made a pointer. */
		const volatile struct co_mark *mark = (const volatile struct co_mark *)at;

		if (mark->magic == CO_MARK_MAGIC && (uintptr_t)mark->self == at)
			return mark->co->arg;
	}
}

struct co *co_new(struct co_pool *p, size_t stack_bytes, void (*fn)(void *arg), void *arg)
{
	struct co_stack stack;
	if (co_pool_take(p, stack_bytes, &stack) < 0)
		return NULL;

	struct co *co = xalloc(sizeof *co);
	co->state = CO_READY;
	co->stack = stack;
	co->left_at = stack.low + stack.bytes;
	co->fn = fn;
	co->arg = arg;
	co->pool = p;
	san_init(&co->san);
	co_ctx_init(&co->ctx, stack.low, stack.bytes, co_main, co);
	return co;
}

struct co *co_free(struct co *co)
{
	if (!co)
		return NULL;
	CHECK(co->state != CO_RUNNING);
	san_fini(&co->san, co->stack.low, co->stack.bytes);
	co_pool_give(co->pool, &co->stack);
	free(co);
	return NULL;
}

bool co_resume(struct co *co)
{
	CHECK(co->state == CO_READY);
	co->state = CO_RUNNING;
	san_leave_caller(&co->san, co->stack.low, co->stack.bytes);
	co_switch(&co->ctx_caller, &co->ctx);
	san_arrive_caller(&co->san);
	co_stack_check(&co->stack);
	return co->state != CO_OVER;
}

void co_yield(struct co *co)
{
	CHECK(co->state == CO_RUNNING);
	co->state = CO_READY;
	co->left_at = __builtin_frame_address(0);
	san_leave(&co->san);
	co_switch(&co->ctx, &co->ctx_caller);
	san_arrive(&co->san);
}

/* A wait's frames and its flow's, and a little below them. */
enum { NEAR_BYTES = 640, NEAR_BELOW_BYTES = 64 };

void co_near(const struct co *co)
{
	bytes_near(co->left_at - NEAR_BELOW_BYTES, NEAR_BYTES);
	bytes_near(co->stack.low, 1);         /* where its canary is */
}

size_t co_stack_used(const struct co *co)
{
	return (size_t)(co->stack.low + co->stack.bytes - co->left_at);
}
