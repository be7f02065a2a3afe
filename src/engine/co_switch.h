/* co_switch.h - one step from a stack to another: the only code of Fish that knows the
 * machine.
 *
 * Three implementations, each a file that is empty where it is not meant, so a build
 * may name them all: x86-64 and aarch64 in assembly, ucontext elsewhere or with
 * -DFISH_CO_UCONTEXT=1. Invariant: what the ABI calls callee-saved, the FP control
 * words among it, is the stack's own. Surprise: signal masks are not (but ucontext's
 * swapcontext keeps them, which is why it is slow). */
#ifndef FISH_CO_SWITCH_H
#define FISH_CO_SWITCH_H

#if !defined(FISH_CO_UCONTEXT) && \
	!(defined(__x86_64__) && defined(__LP64__)) && !(defined(__aarch64__) && defined(__LP64__))
#define FISH_CO_UCONTEXT 1
#endif

#if defined(FISH_CO_UCONTEXT) && FISH_CO_UCONTEXT
#define CO_SWITCH_UCONTEXT 1
#else
#define CO_SWITCH_UCONTEXT 0
#endif

#ifndef __ASSEMBLER__

#include <stddef.h>

#if CO_SWITCH_UCONTEXT
#include <ucontext.h>
struct co_ctx {
	ucontext_t uc;
};
#else
struct co_ctx {
	void *sp;            /* the registers lie on the stack that it points to */
};
#endif

/* Lays out a stack on [low, low + bytes) so that the first switch to ctx calls
 * entry(arg) with the FP control words that the ABI gives a new process. low + bytes
 * is 16-aligned; entry never returns. */
void co_ctx_init(struct co_ctx *ctx, char *low, size_t bytes, void (*entry)(void *), void *arg);

/* Leaves the running stack in *save and goes on where to was left; returns when
 * something switches back to save. Both are borrowed until then. */
void co_switch(struct co_ctx *save, const struct co_ctx *to);

#endif
#endif
