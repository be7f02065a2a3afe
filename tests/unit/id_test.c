/* id_test.c - ids and their text, and the two hashes. The wanted values were worked
 * out apart from this code: FNV-1a, SHA-256 and base32 as their papers have them. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t chance[10] = {
	0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9,
};

static void id_has_time_then_chance(void **state)
{
	(void)state;
	struct id id = id_make(1700000000123, chance);
	char text[ID_TEXT_SIZE];

	assert_int_equal(id_time_ms(&id), 1700000000123);
	assert_memory_equal(id.b + 6, chance, sizeof(chance));
	id_text(&id, text);
	assert_string_equal(text, "01hf7yat3vy3rz5wzmyqvffy7s");
	id = id_make((INT64_C(1) << 48) - 1, chance);
	assert_int_equal(id_time_ms(&id), (INT64_C(1) << 48) - 1);
}

static void text_goes_there_and_back(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 128; bit++) {
		struct id id = { { 0 } };
		struct id back = { { 1 } };
		char text[ID_TEXT_SIZE];

		id.b[bit / 8] = (uint8_t)(1U << bit % 8);
		id_text(&id, text);
		assert_int_equal(strlen(text), ID_TEXT_SIZE - 1);
		assert_int_equal(id_parse(slice_of(text), &back), 0);
		assert_true(id_eq(&id, &back));
	}
	struct id ones;

	assert_int_equal(id_parse(slice_of("7ZZZZZZZZZZZZZzzzzzzzzzzzz"), &ones), 0);
	for (size_t i = 0; i < sizeof(ones.b); i++)
		assert_int_equal(ones.b[i], 0xff);
}

static void text_sorts_by_time(void **state)
{
	(void)state;
	char last[ID_TEXT_SIZE] = "";

	for (int64_t ms = 0; ms < INT64_C(1) << 47; ms = ms * 3 + 1) {
		struct id id = id_make(ms, chance);
		char text[ID_TEXT_SIZE];

		id_text(&id, text);
		assert_true(strcmp(last, text) < 0);
		memcpy(last, text, sizeof(last));
	}
}

static void other_texts_are_refused(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"",
		"01hf7yat3vy3rz5wzmyqvffy7",      /* too short */
		"01hf7yat3vy3rz5wzmyqvffy7s0",    /* too long */
		"81hf7yat3vy3rz5wzmyqvffy7s",     /* over 128 bits */
		"01hf7yat3vy3rz5wzmyqvffy7i",     /* not digits of Crockford's */
		"01hf7yat3vy3rz5wzmyqvffy7L",
		"o1hf7yat3vy3rz5wzmyqvffy7s",
		"01hf7yat3vy3uz5wzmyqvffy7s",
		"01hf7yat3vy3-z5wzmyqvffy7s",
		"01hf7yat3vy3 z5wzmyqvffy7s",
		"01hf7yat3vy3\xf2z5wzmyqvffy7s",
	};
	struct id id = { { 42 } };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(id_parse(slice_of(bad[i]), &id), FISH_EINVAL);
	struct slice with_nul = SLICE_LIT("01hf7yat3vy3\0z5wzmyqvffy7s");

	assert_int_equal(id_parse(with_nul, &id), FISH_EINVAL);
	assert_int_equal(id.b[0], 42);
}

static void ids_compare_by_all_bytes(void **state)
{
	(void)state;
	struct id a = { { 0 } };
	struct id b = a;

	assert_true(id_is_zero(&a));
	assert_true(id_eq(&a, &b));
	b.b[15] = 1;
	assert_false(id_is_zero(&b));
	assert_false(id_eq(&a, &b));
}

static void hash64_is_fnv_1a(void **state)
{
	(void)state;
	assert_true(hash64(HASH64_SEED, SLICE_NONE) == HASH64_SEED);
	const uint64_t foobar = UINT64_C(0x85944171f73967e8);
	uint64_t foo = hash64(HASH64_SEED, SLICE_LIT("foo"));

	assert_true(hash64(HASH64_SEED, SLICE_LIT("foobar")) == foobar);
	assert_true(hash64(foo, SLICE_LIT("bar")) == foobar);
	assert_true(hash64_u64(HASH64_SEED, UINT64_C(0x0102030405060708))
	            == UINT64_C(0xc6d4496e17859d5));
}

static void assert_hash128(const struct slice *parts, size_t n, const char *wanted)
{
	struct id id = hash128(parts, n);

	assert_memory_equal(id.b, wanted, sizeof(id.b));
}

static void hash128_is_sha256_of_lengths_and_parts(void **state)
{
	(void)state;
	const struct slice parts[] = { SLICE_LIT("ab"), SLICE_LIT("c") };
	const struct slice moved[] = { SLICE_LIT("a"), SLICE_LIT("bc") };
	const struct slice none[] = { SLICE_NONE };

	assert_hash128(parts, 2, "\x43\xee\x65\x55\x79\xde\x01\xca"
	                         "\x73\x9b\x3f\x95\xc1\xc2\xd3\xf4");
	assert_hash128(NULL, 0, "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14"
	                        "\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24");
	assert_hash128(none, 1, "\xaf\x55\x70\xf5\xa1\x81\x0b\x7a"
	                        "\xf7\x8c\xaf\x4b\xc7\x0a\x66\x0f");
	struct id a = hash128(parts, 2);
	struct id b = hash128(moved, 2);

	assert_false(id_eq(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(id_has_time_then_chance),
		cmocka_unit_test(text_goes_there_and_back),
		cmocka_unit_test(text_sorts_by_time),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(ids_compare_by_all_bytes),
		cmocka_unit_test(hash64_is_fnv_1a),
		cmocka_unit_test(hash128_is_sha256_of_lengths_and_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
