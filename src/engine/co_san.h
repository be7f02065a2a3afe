/* co_san.h - tells ASan and TSan of each switch; nothing at all in a plain build.
 *
 * ASan must know the bounds of the stack that runs, and keeps a fake stack for each
 * real one; TSan keeps a history and a call stack per fiber. Invariant: every
 * san_leave has its san_arrive on the stack that it named. Surprise: all are
 * always_inline, because TSan counts function entries and exits, and one that enters
 * on a fiber and exits on another would upset the count. */
#ifndef FISH_CO_SAN_H
#define FISH_CO_SAN_H

#include <stddef.h>
#include <stdint.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define CO_ASAN 1
#else
#define CO_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define CO_TSAN 1
#else
#define CO_TSAN 0
#endif

/* The runtime of gcc's TSan dies at 8,128 live fibers; clang does not define this
 * macro. */
#ifdef __SANITIZE_THREAD__
#define CO_SAN_STACKS_MAX 8000
#else
#define CO_SAN_STACKS_MAX SIZE_MAX
#endif

#define CO_SAN_INLINE static inline __attribute__((always_inline))

/* Red zones and unoptimised frames need room. */
enum { CO_SAN_STACK_FACTOR = CO_ASAN || CO_TSAN ? 4 : 1 };

#if CO_ASAN

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

struct co_san {
	void       *fake;            /* ASan's fake stack while the coroutine is left */
	void       *caller_fake;     /* and that of who resumed it, while it runs */
	const void *caller_low;
	size_t      caller_bytes;
};

CO_SAN_INLINE void san_init(struct co_san *s)
{
	*s = (struct co_san){ NULL, NULL, NULL, 0 };
}

/* ASan frees a fake stack only while it is the current one: pretend to be there for a
 * moment. */
__attribute__((no_sanitize_address, unused))
static void san_fake_drop(struct co_san *s, const char *low, size_t bytes)
{
	void *own_fake = NULL;
	const void *own_low = NULL;
	size_t own_bytes = 0;
	__sanitizer_start_switch_fiber(&own_fake, low, bytes);
	__sanitizer_finish_switch_fiber(s->fake, &own_low, &own_bytes);
	__sanitizer_start_switch_fiber(NULL, own_low, own_bytes);
	__sanitizer_finish_switch_fiber(own_fake, NULL, NULL);
	s->fake = NULL;
}

/* From outside; what the frames of a dropped coroutine poisoned becomes plain memory
 * again. */
CO_SAN_INLINE void san_fini(struct co_san *s, const char *low, size_t bytes)
{
	if (s->fake)
		san_fake_drop(s, low, bytes);
	__asan_unpoison_memory_region(low, bytes);
}

CO_SAN_INLINE void san_leave_caller(struct co_san *s, const char *low, size_t bytes)
{
	__sanitizer_start_switch_fiber(&s->caller_fake, low, bytes);
}

CO_SAN_INLINE void san_arrive_caller(struct co_san *s)
{
	__sanitizer_finish_switch_fiber(s->caller_fake, NULL, NULL);
}

CO_SAN_INLINE void san_arrive(struct co_san *s)
{
	__sanitizer_finish_switch_fiber(s->fake, &s->caller_low, &s->caller_bytes);
	s->fake = NULL;
}

CO_SAN_INLINE void san_leave(struct co_san *s)
{
	__sanitizer_start_switch_fiber(&s->fake, s->caller_low, s->caller_bytes);
}

/* No place to save the fake stack: ASan frees it. */
CO_SAN_INLINE void san_leave_for_ever(struct co_san *s)
{
	__sanitizer_start_switch_fiber(NULL, s->caller_low, s->caller_bytes);
}

#elif CO_TSAN

#include <sanitizer/tsan_interface.h>

struct co_san {
	void *fiber;                 /* TSan's idea of the coroutine */
	void *caller_fiber;          /* and of who resumed it */
};

CO_SAN_INLINE void san_init(struct co_san *s)
{
	*s = (struct co_san){ __tsan_create_fiber(0), NULL };
}

CO_SAN_INLINE void san_fini(struct co_san *s, const char *low, size_t bytes)
{
	(void)low;
	(void)bytes;
	__tsan_destroy_fiber(s->fiber);
}

CO_SAN_INLINE void san_leave_caller(struct co_san *s, const char *low, size_t bytes)
{
	(void)low;
	(void)bytes;
	s->caller_fiber = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(s->fiber, 0);
}

CO_SAN_INLINE void san_arrive_caller(struct co_san *s)
{
	(void)s;
}

CO_SAN_INLINE void san_arrive(struct co_san *s)
{
	(void)s;
}

CO_SAN_INLINE void san_leave(struct co_san *s)
{
	__tsan_switch_to_fiber(s->caller_fiber, 0);
}

CO_SAN_INLINE void san_leave_for_ever(struct co_san *s)
{
	san_leave(s);
}

#else

struct co_san {
	char none;                   /* ISO C has no empty struct */
};

CO_SAN_INLINE void san_init(struct co_san *s)
{
	s->none = 0;
}

CO_SAN_INLINE void san_fini(struct co_san *s, const char *low, size_t bytes)
{
	(void)s;
	(void)low;
	(void)bytes;
}

CO_SAN_INLINE void san_leave_caller(struct co_san *s, const char *low, size_t bytes)
{
	san_fini(s, low, bytes);
}

CO_SAN_INLINE void san_arrive_caller(struct co_san *s)
{
	(void)s;
}

CO_SAN_INLINE void san_arrive(struct co_san *s)
{
	(void)s;
}

CO_SAN_INLINE void san_leave(struct co_san *s)
{
	(void)s;
}

CO_SAN_INLINE void san_leave_for_ever(struct co_san *s)
{
	(void)s;
}

#endif
#endif
