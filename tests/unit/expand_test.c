/* expand_test.c - `${NAME}` in a program's peers: what is put in, and what is refused. */
#include "host/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

static int expand_one(struct expanded *x, const fish_peer *peer, struct err *err)
{
	const fish_peer *const peers[] = { peer, NULL };
	*err = (struct err){ 0 };
	return expand_init(x, &(fish_program){ .peers = peers }, err);
}

static void refused(const fish_peer *peer, const char *const *words)
{
	struct expanded x;
	struct err err;
	assert_int_equal(expand_one(&x, peer, &err), FISH_EINVAL);
	for (; *words != NULL; words++) {
		if (strstr(err.text, *words) == NULL)
			fail_msg("'%s' should say '%s'", err.text, *words);
	}
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_variables_are_put_in(void **state)
{
	(void)state;
	struct expanded x;
	struct err err;
	setenv("EXPAND_HOST", "partner.example", 1);
	setenv("EXPAND_TOKEN", "s3cret", 1);
	setenv("EXPAND_EMPTY", "", 1);
	const fish_peer peer = {
		.name = "partner",
		.url = "http://${EXPAND_HOST}:80/${EXPAND_HOST}",
		.token = "x${EXPAND_TOKEN}",
		.secret = "${EXPAND_EMPTY}",
		.timeout_ms = 7,
	};
	assert_int_equal(expand_one(&x, &peer, &err), 0);
	assert_string_equal(x.peers[0].url, "http://partner.example:80/partner.example");
	assert_string_equal(x.peers[0].token, "xs3cret");
	assert_string_equal(x.peers[0].secret, "");
	assert_int_equal(x.peers[0].timeout_ms, 7);
	expand_fini(&x);
}

/* Two of one name could not be told apart in a journal, one without has no label. */
static void test_names(void **state)
{
	(void)state;
	static const fish_peer a = { .name = "a", .url = "http://a" };
	static const fish_peer b = { .name = "b", .url = "http://b" };
	static const fish_peer a_again = { .name = "a", .url = "http://other" };
	static const fish_peer nameless = { .url = "http://a" };
	static const fish_peer empty = { .name = "", .url = "http://a" };
	const fish_peer *const twice[] = { &a, &b, &a_again, NULL };
	struct expanded x;
	struct err err;
	refused(&nameless, WORDS("peer 1", "has no name"));
	refused(&empty, WORDS("peer 1", "has no name"));
	assert_int_equal(expand_init(&x, &(fish_program){ .peers = twice }, &err), FISH_EINVAL);
	assert_non_null(strstr(err.text, "two peers"));
	assert_non_null(strstr(err.text, "'a'"));
}

static void test_other_dollars_stay(void **state)
{
	(void)state;
	struct expanded x;
	struct err err;
	const fish_peer peer = { .name = "p", .url = "http://h/", .token = "a$b$$c$(d)" };
	assert_int_equal(expand_one(&x, &peer, &err), 0);
	assert_ptr_equal(x.peers[0].token, peer.token);
	assert_null(x.peers[0].secret);
	expand_fini(&x);
}

/* What a variable holds is a value, not a further template. */
static void test_values_are_not_expanded(void **state)
{
	(void)state;
	struct expanded x;
	struct err err;
	setenv("EXPAND_TOKEN", "${EXPAND_HOST}", 1);
	const fish_peer peer = {
		.name = "p", .url = "http://h", .token = "${EXPAND_TOKEN}"
	};
	assert_int_equal(expand_one(&x, &peer, &err), 0);
	assert_string_equal(x.peers[0].token, "${EXPAND_HOST}");
	expand_fini(&x);
}

static void test_order_is_the_program_s(void **state)
{
	(void)state;
	struct expanded x;
	struct err err = { 0 };
	const fish_peer a = { .name = "a", .url = "http://a" };
	const fish_peer b = { .name = "b", .url = "http://b" };
	const fish_peer *const peers[] = { &a, &b, NULL };
	assert_int_equal(expand_init(&x, &(fish_program){ .peers = peers }, &err), 0);
	assert_string_equal(x.peers[0].name, "a");
	assert_string_equal(x.peers[1].name, "b");
	expand_fini(&x);
	assert_int_equal(expand_init(&x, &(fish_program){ .peers = NULL }, &err), 0);
	assert_null(x.peers);
	expand_fini(&x);
}

static void test_unset_variable_is_named(void **state)
{
	(void)state;
	unsetenv("EXPAND_UNSET");
	refused(&(fish_peer){ .name = "partner", .url = "${EXPAND_UNSET}" },
		WORDS("'partner'", "url", "EXPAND_UNSET", "not set"));
	refused(&(fish_peer){ .name = "partner",
			.url = "http://h",
			.secret = "a${EXPAND_UNSET}" },
		WORDS("'partner'", "secret", "EXPAND_UNSET"));
}

/* Was: found at the first call, which was tried for a day. */
static void test_secrets_can_sign(void **state)
{
	(void)state;
	static const char *const bad[] = { "whsec_", "whsec_!!!!", "whsec_AAA", "whsec_AA==A", "whsec_A===", "whsec_====" };
	static const char *const good[] = { "", "raw!", "whsec", "whsec_AAAA", "whsec_AA==", "whsec_AAA=", "whsec_+/09" };
	char long_one[514] = { 0 };
	struct expanded x;
	struct err err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refused(&(fish_peer){ .name = "p", .url = "http://h", .secret = bad[i] },
			WORDS("'p'", "secret", "no base64"));
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		const fish_peer peer = { .name = "p", .url = "http://h", .secret = good[i] };

		assert_int_equal(expand_one(&x, &peer, &err), 0);
		expand_fini(&x);
	}
	memset(long_one, 'x', sizeof long_one - 1);
	refused(&(fish_peer){ .name = "p", .url = "http://h", .secret = long_one }, WORDS("'p'", "too long"));
}

static void test_bad_templates(void **state)
{
	(void)state;
	refused(&(fish_peer){ .name = "p", .url = "http://h", .token = "${" },
		WORDS("'p'", "token", "${NAME}"));
	refused(&(fish_peer){ .name = "p", .url = "http://h", .token = "${}" },
		WORDS("token"));
	refused(&(fish_peer){ .name = "p", .url = "http://h", .token = "${A B}" },
		WORDS("token"));
	refused(&(fish_peer){ .name = "p", .url = "http://h", .token = "${1A}" },
		WORDS("token"));
	refused(&(fish_peer){ .name = "p", .url = "http://h", .token = "${ABC" },
		WORDS("token"));
}

static void test_bad_values(void **state)
{
	(void)state;
	struct expanded x;
	struct err err;
	refused(&(fish_peer){ .name = "p" }, WORDS("'p'", "no url"));
	refused(&(fish_peer){ .name = "p", .url = "partner:80" },
		WORDS("'p'", "partner:80"));
	setenv("EXPAND_TOKEN", "s3cret\nX-Evil: 1", 1);
	const fish_peer peer = {
		.name = "p", .url = "http://h", .token = "${EXPAND_TOKEN}"
	};
	refused(&peer, WORDS("'p'", "token", "EXPAND_TOKEN", "line break"));
	assert_int_equal(expand_one(&x, &peer, &err), FISH_EINVAL);
	assert_null(strstr(err.text, "s3cret"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables_are_put_in),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_other_dollars_stay),
		cmocka_unit_test(test_values_are_not_expanded),
		cmocka_unit_test(test_order_is_the_program_s),
		cmocka_unit_test(test_unset_variable_is_named),
		cmocka_unit_test(test_secrets_can_sign),
		cmocka_unit_test(test_bad_templates),
		cmocka_unit_test(test_bad_values),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
