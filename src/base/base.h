/* base.h - what every file of Fish leans on: slices, checks, codes and limits.
 *
 * Invariant: nothing in src/base does I/O (but the last words of a failed CHECK), reads a clock
 * or keeps a global. Surprise: CHECK stays on in release builds; the journal makes a crash cheap. */
#ifndef FISH_BASE_H
#define FISH_BASE_H

#include <fish.h>            /* the codes */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes that somebody else owns. ptr may be NULL only when len is 0. */
struct slice {
	const char *ptr;
	size_t      len;
};

#define SLICE_LIT(text)  ((struct slice){ (text), sizeof(text) - 1 })
#define SLICE_NONE       ((struct slice){ NULL, 0 })

struct slice slice_of(const char *text);                  /* borrows; NULL is empty */
bool         bytes_eq_nocase(const char *a, const char *b, size_t len); /* ASCII only */

static inline bool slice_eq(struct slice a, struct slice b)
{
	/* memcmp may not be given NULL, which an empty slice is free to hold. */
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* For names in protocols, of which most differ in their length already. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && bytes_eq_nocase(a.ptr, b.ptr, a.len);
}

/* Asks memory for what will soon be read, and goes on: one line after the other. NULL is let pass. */
static inline void bytes_near(const void *at, size_t len)
{
	enum { LINE_BYTES = 64 };

	for (size_t i = 0; at && i < len; i += LINE_BYTES)
		__builtin_prefetch((const char *)at + i);
}

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Programmer errors: prints condition, file and line to stderr and aborts. Never for input. */
#define CHECK(cond) \
	do { \
		if (__builtin_expect(!(cond), 0)) \
			check_failed(#cond, __FILE__, __LINE__); \
	} while (0)
__attribute__((noreturn, cold)) void check_failed(const char *cond, const char *file, int line);
/* For what a user's program did wrong where there is nothing left to stop but the process: prints
 * "fish: " and the words to stderr as one line, and aborts. */
__attribute__((noreturn, cold, format(printf, 1, 2))) void words_failed(const char *fmt, ...);

/* Heap for our own small objects: zeroed, never NULL (out of memory aborts). */
__attribute__((malloc, returns_nonnull)) void *xalloc(size_t bytes);
__attribute__((returns_nonnull)) void *xrealloc(void *ptr, size_t bytes);
__attribute__((returns_nonnull)) char *xstrndup(const char *text, size_t len);

/* A code with words, only where a human will read it (store, config, command line). */
enum { ERR_TEXT_SIZE = 256 };
struct err {
	int  code;
	char text[ERR_TEXT_SIZE];
};
/* Fills *err (may be NULL) and returns code, so that "return err_set(err, FISH_EINVAL, …)" reads. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *fmt, ...);

/* Named limits. Every buffer, queue and loop fed by the outside has one here. */
enum {
	BODY_BYTES_MAX_DEFAULT = 1 << 20,   /* --max-body */
	NAME_BYTES_MAX         = 200,       /* a flow's, hook's or peer's name */
	LABEL_BYTES_MAX        = 60,        /* a step's label as kept in PROGRESS */
	META_BYTES_MAX         = 64 << 10,  /* headers kept with a message */
	SEEN_PER_HOOK_MAX      = 100000,    /* message ids remembered per hook */
	REPLIES_PER_HOOK_BYTES_MAX = 16 << 20, /* … and what they were told */
	BASE_URL_BYTES_MAX     = 1024,
	START_KEY_BYTES_MAX    = 255,
	HOOK_UNTAKEN_BYTES_MAX = 16 << 20,  /* deliveries that a flow has not taken of one hook … */
	FLOW_UNTAKEN_BYTES_MAX = 256 << 20, /* … and of all; over either 429 */
	TEMPLATE_BYTES_MAX     = 16 << 20,  /* JSON that one template may come to */
	TEMPLATE_DEPTH_MAX     = 32,        /* objects and arrays written inside one another */
	STEPS_LONG             = 10000,     /* of one life of a flow: it is told that fish_renew is due … */
	STEPS_MAX_DEFAULT      = 1000000,   /* … and --steps-max: here it is stopped */
	STEPS_PER_TURN         = 1000,      /* of a run that never waits: then others have their turn */
	ALLOC_BYTES_MAX        = 1 << 30,   /* that one fish_alloc may ask for */
	PATCHES_MAX            = 1000,      /* names that fish_patch said yes to in one life */
	PATCH_ASKS_MAX         = 1000000,   /* calls of fish_patch without a step between them */
	JSON_DEPTH_MAX         = 128,       /* the same in what strangers send: it is read on a
	                                     * flow's small stack, at 80 bytes a level */
};
#define CANCEL_GRACE_MS (INT64_C(30) * 1000)                  /* of a flow that asked to be told */
#define SEEN_WINDOW_MS  (INT64_C(3) * 24 * 60 * 60 * 1000)   /* and for how long */

#endif
