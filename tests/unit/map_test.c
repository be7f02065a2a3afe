/* map_test.c - the map against the plainest model there is: an array indexed by the
 * key's number. */
#include "base/hash.h"
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 3000 };

/* Keys as flows have them: one millisecond, and chance that differs in a few low bits. */
static struct id key_of(uint32_t number)
{
	const uint8_t chance[10] = {
		[8] = (uint8_t)(number >> 8), [9] = (uint8_t)number,
	};

	return id_make(1700000000000, chance);
}

static void empty_map_has_nothing(void **state)
{
	(void)state;
	struct map m;
	struct id key = key_of(1);
	size_t cursor = 0;

	map_init(&m);
	assert_null(map_get(&m, &key));
	assert_null(map_remove(&m, &key));
	assert_null(map_each(&m, &cursor));
	map_fini(&m);
	map_fini(&m);
	map_fini(NULL);
}

static void put_replaces(void **state)
{
	(void)state;
	struct map m;
	struct id key = { { 0 } };      /* zero is a key like any other */
	int values[2];

	map_init(&m);
	map_put(&m, &key, &values[0]);
	map_put(&m, &key, &values[1]);
	assert_int_equal(m.len, 1);
	assert_ptr_equal(map_get(&m, &key), &values[1]);
	assert_ptr_equal(map_remove(&m, &key), &values[1]);
	assert_null(map_get(&m, &key));
	assert_int_equal(m.len, 0);
	map_fini(&m);
}

/* Every key has the value it should have, and a walk meets each value once. */
static void assert_agrees(const struct map *m, char *const model[KEYS],
                          const char *values)
{
	bool met[KEYS] = { false };
	size_t count = 0;

	for (uint32_t k = 0; k < KEYS; k++) {
		struct id key = key_of(k);

		assert_ptr_equal(map_get(m, &key), model[k]);
		count += model[k] != NULL;
	}
	assert_int_equal(m->len, count);
	const char *v = NULL;

	for (size_t i = 0; (v = map_each(m, &i)) != NULL; count--) {
		assert_false(met[v - values]);
		met[v - values] = true;
	}
	assert_int_equal(count, 0);
}

static void any_history_agrees_with_the_model(void **state)
{
	(void)state;
	static char values[KEYS];
	static char *model[KEYS];
	struct map m;
	uint64_t chance = HASH64_SEED;

	map_init(&m);
	for (uint32_t i = 0; i < 60000; i++) {
		chance = hash64_u64(chance, i);
		uint32_t k = (uint32_t)(chance >> 20) % KEYS;
		struct id key = key_of(k);
		/* Long waves of mostly putting and mostly removing. */
		bool puts = (chance >> 50) % 10 < (i / 10000 % 2 == 0 ? 8 : 2);

		if (puts) {
			model[k] = &values[k];
			map_put(&m, &key, model[k]);
		} else {
			assert_ptr_equal(map_remove(&m, &key), model[k]);
			model[k] = NULL;
		}
		if (i % 5000 == 0)
			assert_agrees(&m, model, values);
	}
	assert_agrees(&m, model, values);
	for (uint32_t k = 0; k < KEYS; k++) {
		struct id key = key_of(k);

		assert_ptr_equal(map_remove(&m, &key), model[k]);
		model[k] = NULL;
	}
	assert_agrees(&m, model, values);
	map_fini(&m);
}

/* Room that was needed once is given back, but not so that it is needed again at once. */
static void emptied_map_is_small(void **state)
{
	(void)state;
	static char value;
	struct map m;
	size_t resized = 0;

	map_init(&m);
	for (uint32_t k = 0; k < 60000; k++) {
		struct id key = key_of(k);

		map_put(&m, &key, &value);
	}
	assert_true(m.cap >= 60000);
	for (uint32_t k = 60000; k-- > 100;) {
		struct id key = key_of(k);
		size_t cap = m.cap;

		map_remove(&m, &key);
		resized += m.cap != cap;
		cap = m.cap;
		map_put(&m, &key, &value);
		assert_int_equal(m.cap, cap);
		map_remove(&m, &key);
	}
	assert_true(m.cap <= 1024);
	assert_true(resized > 4);
	assert_int_equal(m.len, 100);
	for (uint32_t k = 0; k < 100; k++) {
		struct id key = key_of(k);

		assert_ptr_equal(map_get(&m, &key), &value);
	}
	map_fini(&m);
}

/* Alike keys must not pile up: the longest run of taken slots stays short. */
static void alike_keys_are_spread(void **state)
{
	(void)state;
	struct map m;
	size_t run = 0;
	size_t longest = 0;

	map_init(&m);
	for (uint32_t k = 0; k < KEYS; k++) {
		struct id key = key_of(k);

		map_put(&m, &key, &m);
	}
	for (size_t i = 0; i < m.cap; i++) {
		run = m.slots[i].value == NULL ? 0 : run + 1;
		longest = run > longest ? run : longest;
	}
	assert_true(longest < 200);
	map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty_map_has_nothing),
		cmocka_unit_test(put_replaces),
		cmocka_unit_test(any_history_agrees_with_the_model),
		cmocka_unit_test(emptied_map_is_small),
		cmocka_unit_test(alike_keys_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
