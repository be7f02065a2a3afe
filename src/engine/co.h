/* co.h - stackful coroutines: a function that can be left in the middle and gone on with later.
 *
 * Own switch for x86-64 and aarch64 (callee-saved registers, FP control words), ucontext elsewhere.
 * Stacks come from one slab of equal slots (bigger ones by themselves), are guarded below (pages
 * marked by MADV_GUARD_INSTALL where the kernel has it, mprotect up to a limit, a canary that
 * co_free and co_resume check beyond that), are pooled, and give their pages back when idle in the
 * pool. Each switch is announced to ASan and TSan.
 * Invariant: a coroutine never changes thread. Surprise: co_free drops a coroutine in the middle;
 * what it held is the owner's to free (C has no destructors, and that is what makes it safe). */
#ifndef FISH_CO_H
#define FISH_CO_H

#include "base/base.h"

enum {
	CO_STACK_BYTES_DEFAULT = 64 << 10,   /* four times that under a sanitizer */
	CO_STACK_BYTES_MAX     = 64 << 20,
};

struct co_pool;
struct co;

struct co_pool *co_pool_new(void);
struct co_pool *co_pool_free(struct co_pool *p);          /* every co must be gone; returns NULL */

/* A coroutine that will run fn(arg) when first resumed; fn may return. stack_bytes 0: the default.
 * More than CO_STACK_BYTES_MAX is the caller's error. NULL when the system gives no more memory
 * for stacks (the caller waits until one is freed). */
struct co *co_new(struct co_pool *p, size_t stack_bytes, void (*fn)(void *arg), void *arg);
struct co *co_free(struct co *co);                        /* NULL is fine; not from inside; returns NULL */

/* Runs co until it yields or its function returns. true: it yielded; false: it is over. */
bool       co_resume(struct co *co);
void       co_yield(struct co *co);                       /* from inside co only: back to who resumed it */
/* The arg of the coroutine on whose stack the caller runs. It must run on one: the memory above its frame
 * is looked through for the mark in the first. For reports only, where nothing else leads there. */
void      *co_here(void);
size_t     co_pool_stacks(const struct co_pool *p);       /* stacks in use, for figures */
/* It is resumed soon: what that reads is asked of memory now. At *co itself it was to be asked before. */
void       co_near(const struct co *co);
size_t     co_stack_used(const struct co *co);            /* bytes from the stack's top to where it last yielded */

#endif
