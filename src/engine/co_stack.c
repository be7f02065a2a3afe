/* co_stack.c - the pool of stacks: regions of slots, their guards, and what lies idle.
 *
 * Invariant: a slot is fresh (never used, no guard yet), in use, warm (idle, pages
 * kept) or cold (idle, pages given back). Warm ones go out first, the last one given
 * before all others: its pages are in the cache. Surprise: MADV_DONTNEED leaves the
 * guards of MADV_GUARD_INSTALL in place. */
#include "engine/co_stack.h"

#include "engine/co_san.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

enum {
	GUARD_INSTALL    = 102,      /* MADV_GUARD_INSTALL of Linux 6.13; older headers lack it */
	REGION_SLOTS_MIN = 16,
	REGION_SLOTS_MAX = 4096,     /* 256 MB of address space */
	CANARY_WORDS     = 16,
};

#define CANARY UINT64_C(0x9e3779b97f4a7c15)

/* An idle slot whose pages are given back. Its lowest address is that of a page, so the
 * guard's kind has room in it: a hundred thousand of these may lie about for long. */
typedef uintptr_t cold_slot;

struct region {
	char  *base;
	size_t bytes;
};

struct co_pool {
	size_t           page_bytes;
	size_t           slot_bytes;
	enum co_guard    best;       /* falls for good when the kernel refuses it */
	size_t           guards;     /* standing, by mprotect */
	size_t           guards_max;
	size_t           used;       /* stacks out, of both kinds */
	size_t           slots;      /* in all regions */
	char            *fresh;      /* the newest region's slots that were never used */
	size_t           fresh_slots;
	struct region   *regions;
	size_t           n_regions;
	cold_slot       *cold;       /* room for all slots */
	size_t           n_cold;
	size_t           n_warm;
	struct co_stack  warm[CO_IDLE_WARM_MAX];
};

/* Address space only: pages come when they are touched. NULL when the system refuses. */
static char *map_stacks(size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK;
	char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (base == MAP_FAILED)
		return NULL;

	/* Huge pages would make 64 KB of the 4 that a flow touches. A kernel without
	 * them says EINVAL. */
	madvise(base, bytes, MADV_NOHUGEPAGE);
	return base;
}

/* Emulators accept any advice and do nothing: so let the kernel write to the page and
 * see. */
static bool guard_works(const struct co_pool *p)
{
	char *page = map_stacks(p->page_bytes);
	if (!page)
		return false;
	bool works = madvise(page, p->page_bytes, GUARD_INSTALL) == 0 &&
		uname((struct utsname *)(void *)page) < 0 && errno == EFAULT;
	munmap(page, p->page_bytes);
	return works;
}

struct co_pool *co_pool_new_guarded(enum co_guard best, size_t guards_max)
{
	struct co_pool *p = xalloc(sizeof *p);
	p->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	p->slot_bytes = (size_t)CO_STACK_BYTES_DEFAULT * CO_SAN_STACK_FACTOR;
	/* With pages of 64 KB the guard must not be all there is. */
	if (p->slot_bytes < 4 * p->page_bytes)
		p->slot_bytes = 4 * p->page_bytes;
	p->best = best;
	p->guards_max = guards_max;
	if (p->best == CO_GUARD_MADVISE && !guard_works(p))
		p->best = CO_GUARD_MPROTECT;
	return p;
}

struct co_pool *co_pool_new(void)
{
	return co_pool_new_guarded(CO_GUARD_MADVISE, CO_GUARDS_MAX);
}

struct co_pool *co_pool_free(struct co_pool *p)
{
	if (!p)
		return NULL;
	CHECK(p->used == 0);
	for (size_t i = 0; i < p->n_regions; i++)
		munmap(p->regions[i].base, p->regions[i].bytes);
	free(p->regions);
	free(p->cold);
	free(p);
	return NULL;
}

size_t co_pool_stacks(const struct co_pool *p)
{
	return p->used;
}

enum co_guard co_pool_guard(const struct co_pool *p)
{
	return p->best;
}

static bool guard_by_mprotect(struct co_pool *p, char *page)
{
	if (p->guards == p->guards_max)
		return false;
	if (mprotect(page, p->page_bytes, PROT_NONE) < 0)
		return false;
	p->guards++;
	return true;
}

/* Guards the page at base as well as it still can be; what the kernel refuses is not
 * asked again. */
static enum co_guard guard_set(struct co_pool *p, char *base)
{
	if (p->best == CO_GUARD_MADVISE) {
		if (madvise(base, p->page_bytes, GUARD_INSTALL) == 0)
			return CO_GUARD_MADVISE;
		/* Locked memory (mlockall) takes none of these, but mprotect still
		 * works. */
		p->best = CO_GUARD_MPROTECT;
	}
	if (p->best == CO_GUARD_MPROTECT && guard_by_mprotect(p, base))
		return CO_GUARD_MPROTECT;
	return CO_GUARD_CANARY;
}

/* Makes a stack of [base, base + bytes); the guard page goes off its low end, canary
 * or not. */
static struct co_stack stack_make(struct co_pool *p, char *base, size_t bytes)
{
	return (struct co_stack){
		.low   = base + p->page_bytes,
		.bytes = bytes - p->page_bytes,
		.guard = guard_set(p, base),
	};
}

static void canary_set(const struct co_stack *s)
{
	uint64_t words[CANARY_WORDS];
	for (size_t i = 0; i < CANARY_WORDS; i++)
		words[i] = CANARY;
	memcpy(s->low, words, sizeof words);
}

void co_stack_canary_check(const struct co_stack *s)
{
	uint64_t words[CANARY_WORDS];
	memcpy(words, s->low, sizeof words);
	for (size_t i = 0; i < CANARY_WORDS; i++)
		CHECK(words[i] == CANARY);    /* a coroutine used more stack than it has */
}

/* Maps a region as big as all before it together, or what the system still gives. */
static int region_add(struct co_pool *p)
{
	size_t slots = p->slots;
	if (slots < REGION_SLOTS_MIN)
		slots = REGION_SLOTS_MIN;
	if (slots > REGION_SLOTS_MAX)
		slots = REGION_SLOTS_MAX;

	char *base = map_stacks(slots * p->slot_bytes);
	while (!base && slots > REGION_SLOTS_MIN) {
		slots /= 2;
		base = map_stacks(slots * p->slot_bytes);
	}
	if (!base)
		return FISH_EBUSY;

	p->regions = xrealloc(p->regions, (p->n_regions + 1) * sizeof *p->regions);
	p->regions[p->n_regions++] = (struct region){ base, slots * p->slot_bytes };
	p->slots += slots;
	p->cold = xrealloc(p->cold, p->slots * sizeof *p->cold);
	p->fresh = base;
	p->fresh_slots = slots;
	return 0;
}

static cold_slot cold_of(const struct co_stack *s)
{
	return (uintptr_t)s->low | (uintptr_t)s->guard;
}

static struct co_stack stack_of(const struct co_pool *p, cold_slot cold)
{
	uintptr_t guard = cold & (uintptr_t)(p->page_bytes - 1);

	return (struct co_stack){
		.low   = (char *)(cold - guard),
		.bytes = p->slot_bytes - p->page_bytes,
		.guard = (enum co_guard)guard,
		.slot  = true,
	};
}

static int slot_take(struct co_pool *p, struct co_stack *ret_stack)
{
	if (p->n_warm > 0) {
		*ret_stack = p->warm[--p->n_warm];
		return 0;
	}
	if (p->n_cold > 0) {
		*ret_stack = stack_of(p, p->cold[--p->n_cold]);
		return 0;
	}
	if (p->fresh_slots == 0) {
		int rc = region_add(p);
		if (rc < 0)
			return rc;
	}
	*ret_stack = stack_make(p, p->fresh, p->slot_bytes);
	ret_stack->slot = true;
	p->fresh += p->slot_bytes;
	p->fresh_slots--;
	return 0;
}

static int mapping_take(struct co_pool *p, size_t bytes, struct co_stack *ret_stack)
{
	size_t pages = (bytes + p->page_bytes - 1) / p->page_bytes + 1;
	char *base = map_stacks(pages * p->page_bytes);
	if (!base)
		return FISH_EBUSY;
	*ret_stack = stack_make(p, base, pages * p->page_bytes);
	return 0;
}

int co_pool_take(struct co_pool *p, size_t bytes, struct co_stack *ret_stack)
{
	CHECK(bytes <= CO_STACK_BYTES_MAX);
	if (p->used >= CO_SAN_STACKS_MAX)
		return FISH_EBUSY;

	int rc = bytes <= CO_STACK_BYTES_DEFAULT ? slot_take(p, ret_stack) :
		mapping_take(p, bytes * CO_SAN_STACK_FACTOR, ret_stack);
	if (rc < 0)
		return rc;
	if (ret_stack->guard == CO_GUARD_CANARY)
		canary_set(ret_stack);
	p->used++;
	return 0;
}

static void mapping_give(struct co_pool *p, const struct co_stack *s)
{
	if (s->guard == CO_GUARD_MPROTECT)
		p->guards--;
	munmap(s->low - p->page_bytes, s->bytes + p->page_bytes);
}

void co_pool_give(struct co_pool *p, struct co_stack *s)
{
	CHECK(p->used > 0);
	co_stack_check(s);
	p->used--;
	if (!s->slot) {
		mapping_give(p, s);
	} else if (p->n_warm < CO_IDLE_WARM_MAX) {
		p->warm[p->n_warm++] = *s;
	} else {
		madvise(s->low, s->bytes, MADV_DONTNEED);
		p->cold[p->n_cold++] = cold_of(s);
	}
	*s = (struct co_stack){ NULL, 0, CO_GUARD_CANARY, false };
}
