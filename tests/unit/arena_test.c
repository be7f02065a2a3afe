/* arena_test.c - memory that goes all at once: zeroed, aligned, apart, and all given
 * back.
 *
 * Surprise: the last two are proved by ASan's build of this test, which sees leaks and
 * overlaps. */
#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void allocations_are_zeroed_aligned_and_apart(void **state)
{
	(void)state;
	enum { N = 2000 };
	struct arena a;
	unsigned char *ptrs[N];
	size_t sum = 0;

	arena_init(&a);
	for (size_t i = 0; i < N; i++) {
		size_t bytes = i * 7 % 1500;      /* both sides of what shares a chunk */

		ptrs[i] = arena_alloc(&a, bytes);
		sum += bytes;
		assert_int_equal((uintptr_t)ptrs[i] % _Alignof(max_align_t), 0);
		for (size_t k = 0; k < bytes; k++)
			assert_int_equal(ptrs[i][k], 0);
		memset(ptrs[i], (int)(i % 251) + 1, bytes);
	}
	assert_int_equal(a.bytes, sum);
	for (size_t i = 0; i < N; i++)
		for (size_t k = 0; k < i * 7 % 1500; k++)
			assert_int_equal(ptrs[i][k], i % 251 + 1);
	arena_fini(&a);
}

static void nothing_asked_for_is_an_address_of_its_own(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a);
	void *first = arena_alloc(&a, 0);
	void *second = arena_alloc(&a, 0);

	assert_ptr_not_equal(first, second);
	assert_int_equal(a.bytes, 0);
	arena_fini(&a);
}

static void fini_gives_an_arena_to_use_again(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a);
	memset(arena_alloc(&a, 3 << 20), 1, 3 << 20);
	memset(arena_alloc(&a, 10), 1, 10);
	arena_fini(&a);
	assert_null(a.chunks);
	assert_int_equal(a.bytes, 0);
	assert_int_equal(*(char *)arena_alloc(&a, 10), 0);
	arena_fini(&a);
	arena_fini(&a);
	arena_fini(NULL);
}

static void dup_ends_in_nul(void **state)
{
	(void)state;
	struct arena a;

	arena_init(&a);
	char *copy = arena_dup(&a, SLICE_LIT("a\0b"));

	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(arena_dup(&a, SLICE_NONE), "");
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allocations_are_zeroed_aligned_and_apart),
		cmocka_unit_test(nothing_asked_for_is_an_address_of_its_own),
		cmocka_unit_test(fini_gives_an_arena_to_use_again),
		cmocka_unit_test(dup_ends_in_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
