/* heap_test.c - the heap of due times against a plain search for the smallest. */
#include "base/hash.h"
#include "base/heap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { NODES = 200 };

static struct heap_node *shift(struct heap *h)
{
	struct heap_node *n = heap_first(h);

	if (n != NULL)
		heap_remove(h, n);
	return n;
}

static void equal_times_leave_in_the_order_they_came(void **state)
{
	(void)state;
	struct heap h;
	struct heap_node nodes[NODES] = { { 0 } };

	heap_init(&h);
	assert_null(heap_first(&h));
	for (size_t i = 0; i < NODES; i++)
		heap_set(&h, &nodes[i], (int64_t)(i % 3));
	for (size_t due = 0; due < 3; due++)
		for (size_t i = due; i < NODES; i += 3)
			assert_ptr_equal(shift(&h), &nodes[i]);
	assert_null(heap_first(&h));
	heap_fini(&h);
}

static void moved_node_comes_last_of_its_new_time(void **state)
{
	(void)state;
	struct heap h;
	struct heap_node nodes[3] = { { 0 } };

	heap_init(&h);
	for (size_t i = 0; i < 3; i++)
		heap_set(&h, &nodes[i], 5);
	heap_set(&h, &nodes[0], 5);
	heap_set(&h, &nodes[2], INT64_MIN);
	assert_int_equal(h.len, 3);
	assert_ptr_equal(shift(&h), &nodes[2]);
	assert_ptr_equal(shift(&h), &nodes[1]);
	assert_ptr_equal(shift(&h), &nodes[0]);
	heap_fini(&h);
}

static void removal_and_fini_leave_nodes_free(void **state)
{
	(void)state;
	struct heap h;
	struct heap other;
	struct heap_node a = { 0 };
	struct heap_node b = { 0 };

	heap_init(&h);
	heap_init(&other);
	heap_remove(&h, &a);
	heap_set(&h, &a, 1);
	heap_set(&h, &b, 2);
	heap_remove(&h, &a);
	heap_remove(&h, &a);
	heap_set(&other, &a, 1);
	heap_fini(&h);
	heap_set(&other, &b, 0);
	assert_ptr_equal(heap_first(&other), &b);
	heap_fini(&other);
	heap_fini(NULL);
}

/* Whom the heap should name: the least due, then the least order, of those that are
 * in. */
static struct heap_node *search_first(struct heap_node *nodes)
{
	struct heap_node *first = NULL;

	for (struct heap_node *n = nodes; n < nodes + NODES; n++) {
		if (n->index == 0)
			continue;
		if (first == NULL || n->due_ms < first->due_ms
		    || (n->due_ms == first->due_ms && n->order < first->order))
			first = n;
	}
	return first;
}

static void any_history_agrees_with_a_search(void **state)
{
	(void)state;
	struct heap h;
	struct heap_node nodes[NODES] = { { 0 } };
	uint64_t chance = HASH64_SEED;

	heap_init(&h);
	for (uint32_t i = 0; i < 50000; i++) {
		chance = hash64_u64(chance, i);
		struct heap_node *n = &nodes[(chance >> 8) % NODES];

		if ((chance >> 40) % 3 == 0)
			heap_remove(&h, n);
		else
			heap_set(&h, n, (int64_t)((chance >> 24) % 64) - 32);
		assert_ptr_equal(heap_first(&h), search_first(nodes));
	}
	for (struct heap_node *n = NULL; (n = shift(&h)) != NULL;)
		assert_int_equal(n->index, 0);
	assert_null(search_first(nodes));
	heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_times_leave_in_the_order_they_came),
		cmocka_unit_test(moved_node_comes_last_of_its_new_time),
		cmocka_unit_test(removal_and_fini_leave_nodes_free),
		cmocka_unit_test(any_history_agrees_with_a_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
