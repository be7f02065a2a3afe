/* token_test.c - tokens: one known by heart, and that nothing else is one. */
#include "base/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* HMAC-SHA-256 and base64url of it were worked out with other software. */
static const char known[] = "AQcQERITFBUWFxgZGhscHR4fAQIDBOwOCtT2eMymk2rX1ZdhrSQ";

static struct token_key key_of(uint8_t id, uint8_t first_byte)
{
	struct token_key key = { .id = id };

	for (size_t i = 0; i < sizeof(key.secret); i++)
		key.secret[i] = (uint8_t)(first_byte + i);
	return key;
}

/* By a checker that has seen nothing yet. */
static int check(struct slice text, const struct token_key *keys, size_t nkeys, struct token *ret)
{
	struct token_ring *c = token_ring_new(keys, nkeys);
	int rc = token_check(c, text, ret);

	assert_null(token_ring_free(c));
	return rc;
}

/* By one that has this key alone. */
static void text_of(const struct token_key *key, const struct id *flow, uint32_t hook,
                    char ret_text[TOKEN_TEXT_SIZE])
{
	struct token_ring *c = token_ring_new(key, 1);

	assert_int_equal(token_text(c, key->id, flow, hook, ret_text), 0);
	token_ring_free(c);
}

static struct id flow_of_known(void)
{
	struct id flow;

	for (size_t i = 0; i < sizeof(flow.b); i++)
		flow.b[i] = (uint8_t)(0x10 + i);
	return flow;
}

static void token_is_as_known(void **state)
{
	(void)state;
	struct token_key key = key_of(7, 0);
	struct id flow = flow_of_known();
	char text[TOKEN_TEXT_SIZE];

	text_of(&key, &flow, 0x01020304, text);
	assert_string_equal(text, known);
	struct token t;

	assert_int_equal(check(slice_of(known), &key, 1, &t), 0);
	assert_int_equal(t.key_id, 7);
	assert_int_equal(t.hook, 0x01020304);
	assert_true(id_eq(&t.flow, &flow));
}

static void old_keys_go_on_working(void **state)
{
	(void)state;
	const struct token_key keys[] = {
		key_of(255, 9), key_of(7, 3), key_of(7, 0), key_of(1, 0),
	};
	struct token t;

	assert_int_equal(check(slice_of(known), keys, 4, &t), 0);
	assert_int_equal(check(slice_of(known), keys, 2, &t), FISH_EINVAL);
	assert_int_equal(check(slice_of(known), keys + 3, 1, &t), FISH_EINVAL);
	assert_int_equal(check(slice_of(known), NULL, 0, &t), FISH_EINVAL);
	for (uint32_t i = 0; i < 32; i++) {
		struct id flow = { { (uint8_t)i } };
		char text[TOKEN_TEXT_SIZE];

		text_of(&keys[i % 4], &flow, UINT32_C(1) << i, text);
		assert_int_equal(strlen(text), TOKEN_TEXT_SIZE - 1);
		assert_int_equal(check(slice_of(text), keys, 4, &t), 0);
		assert_int_equal(t.hook, UINT32_C(1) << i);
		assert_int_equal(t.key_id, keys[i % 4].id);
		assert_true(id_eq(&t.flow, &flow));
	}
}

/* All 255 other bytes in each of the 51 places: the unused bits of the last one
 * included. */
static void no_other_byte_anywhere_is_accepted(void **state)
{
	(void)state;
	struct token_key key = key_of(7, 0);
	struct token_ring *checker = token_ring_new(&key, 1);
	struct token t;

	/* It has just seen the genuine one, so that its memory is tried as well. */
	assert_int_equal(token_check(checker, slice_of(known), &t), 0);
	t.hook = 42;
	for (size_t i = 0; i < sizeof(known) - 1; i++) {
		for (int c = 0; c < 256; c++) {
			char text[sizeof(known)];

			memcpy(text, known, sizeof(text));
			text[i] = (char)c;
			if (text[i] == known[i])
				continue;
			struct slice forged = { text, sizeof(text) - 1 };

			assert_int_equal(token_check(checker, forged, &t), FISH_EINVAL);
		}
	}
	assert_int_equal(t.hook, 42);
	token_ring_free(checker);
}

/* What it remembers of the last one is neither mixed up with another nor there at first. */
static void each_is_answered_with_its_own(void **state)
{
	(void)state;
	struct token_key keys[] = { key_of(7, 0), key_of(8, 1) };
	struct token_ring *c = token_ring_new(keys, 2);
	const char zeros[TOKEN_TEXT_SIZE] = { 0 };
	struct id flow = flow_of_known();
	struct token t = { .hook = 42 };

	assert_int_equal(token_check(c, (struct slice){ zeros, TOKEN_TEXT_SIZE - 1 }, &t), FISH_EINVAL);
	assert_int_equal(t.hook, 42);
	for (uint32_t i = 0; i < 12; i++) {
		char text[TOKEN_TEXT_SIZE];

		assert_int_equal(token_text(c, keys[i / 2 % 2].id, &flow, i / 3, text), 0);
		assert_int_equal(token_check(c, slice_of(text), &t), 0);
		assert_int_equal(t.hook, i / 3);
		assert_int_equal(t.key_id, keys[i / 2 % 2].id);
	}
	char none[TOKEN_TEXT_SIZE];

	assert_int_equal(token_text(c, 9, &flow, 1, none), FISH_ENOTFOUND);
	assert_string_equal(none, "");
	assert_null(token_ring_free(c));
	assert_null(token_ring_free(NULL));
}

static void other_lengths_are_refused(void **state)
{
	(void)state;
	struct token_key key = key_of(7, 0);
	struct token t;
	char longer[sizeof(known) + 1];

	for (size_t len = 0; len < sizeof(known) - 1; len++) {
		struct slice cut = { known, len };

		assert_int_equal(check(cut, &key, 1, &t), FISH_EINVAL);
	}
	memcpy(longer, known, sizeof(known));
	memcpy(longer + sizeof(known) - 1, "=", 2);
	assert_int_equal(check(slice_of(longer), &key, 1, &t), FISH_EINVAL);
	assert_int_equal(check(SLICE_NONE, &key, 1, &t), FISH_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_is_as_known),
		cmocka_unit_test(old_keys_go_on_working),
		cmocka_unit_test(no_other_byte_anywhere_is_accepted),
		cmocka_unit_test(each_is_answered_with_its_own),
		cmocka_unit_test(other_lengths_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
