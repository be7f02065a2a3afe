/* forwarded_test.c - who is taken for the asker behind proxies, and what is believed of nobody.
 *
 * The header lines go through the real parser. The last test feeds garbage by chance, from a fixed
 * seed: whatever it is, it ends, stays in its bytes, and invents no address that is not in it. */
#include "net/forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static const char proxies_text[] = "10.0.0.0/8,2001:db8:aaaa::/48";
#define PEER "10.0.0.1"

/* The asker of a request with these header lines, as text; the peer when they name nobody. */
static const char *asker(const char *lines)
{
	static char text[ADDRESS_TEXT_SIZE];
	struct proxies proxies;
	struct err err = { 0 };
	struct http1 p;
	struct buf request;
	struct address a;
	assert_int_equal(proxies_parse(&proxies, slice_of(proxies_text), &err), 0);
	assert_true(address_parse(SLICE_LIT(PEER), &a));
	buf_init(&request, SIZE_MAX);
	buf_printf(&request, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
	http1_init(&p, NULL);
	http1_feed(&p, request.ptr, request.len);
	if (p.phase != HTTP1_HEAD_DONE)
		fail_msg("%s is no head: %s", request.ptr, p.why);
	struct address before = a;
	if (!forwarded_from(&proxies, &p, &a))
		assert_memory_equal(&a, &before, sizeof a);
	address_text(&a, text);
	http1_fini(&p);
	buf_fini(&request);
	return text;
}

#define X "X-Forwarded-For: "
#define F "Forwarded: "
#define N "\r\n"

static void the_rightmost_that_is_no_proxy(void **state)
{
	(void)state;
	assert_string_equal(asker(""), PEER);
	assert_string_equal(asker(X "192.0.2.1" N), "192.0.2.1");
	assert_string_equal(asker(X "6.6.6.6, 192.0.2.1" N), "192.0.2.1");
	assert_string_equal(asker(X "6.6.6.6,192.0.2.1 , 10.1.1.1,\t10.2.2.2" N), "192.0.2.1");
	assert_string_equal(asker(X "6.6.6.6" N "x-forwarded-for: 192.0.2.1" N X "10.2.2.2" N), "192.0.2.1");
	assert_string_equal(asker(X "10.3.3.3, 10.2.2.2" N), "10.3.3.3");
	assert_string_equal(asker(X "192.0.2.1:4711" N), "192.0.2.1");
	assert_string_equal(asker(X "2001:db8::1" N), "2001:db8::1");
	assert_string_equal(asker(X "192.0.2.1, [2001:db8:aaaa::5]:80" N), "192.0.2.1");
	assert_string_equal(asker(X "::ffff:192.0.2.1" N), "192.0.2.1");
}

static void forwarded_is_read_alike(void **state)
{
	(void)state;
	assert_string_equal(asker(F "for=192.0.2.1" N), "192.0.2.1");
	assert_string_equal(asker(F "for=6.6.6.6;proto=http, FOR=\"192.0.2.1:80\" ; by=10.0.0.9" N), "192.0.2.1");
	assert_string_equal(asker(F "for=\"[2001:db8::1]:8080\";proto=https" N), "2001:db8::1");
	assert_string_equal(asker(F "for=192.0.2.1" N F "proto=https;for=10.1.1.1" N), "192.0.2.1");
	assert_string_equal(asker(F "for=192.0.2.1;host=\"a,b;for=7.7.7.7\"" N), "192.0.2.1");
}

static void what_cannot_be_read_ends_the_walk(void **state)
{
	(void)state;
	/* The last known hop is shown, never what stands left of the garbage. */
	assert_string_equal(asker(X "6.6.6.6, unknown" N), PEER);
	assert_string_equal(asker(X "6.6.6.6, unknown, 10.1.1.1" N), "10.1.1.1");
	assert_string_equal(asker(X "6.6.6.6," N), PEER);
	assert_string_equal(asker(X N), PEER);
	static const char *const nobody[] = { "for=unknown", "for=_gazonk", "proto=http", "for=6.6.6.6;for=7.7.7.7",
		"for=", "for", "=6.6.6.6", "for=\"6.6.6.6", "for=6.6.6.6;x=\"y\"z", "for=6.6.6.6;x", "for=6.6.6.6;",
		"for=\"6.6.6.6\\\"", "for=[::1", "for=\"[6.6.6.6]\"", "for=\"[::1]x\"", "for=6.6.6.6 7.7.7.7" };
	for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
		char line[200];
		snprintf(line, sizeof line, F "%s" N, nobody[i]);
		assert_string_equal(asker(line), PEER);
	}
}

/* An asker's own text stands before what the first believed proxy adds, in one line or in two. */
static void an_asker_cannot_talk_for_the_proxy(void **state)
{
	(void)state;
	static const char *const tries[] = { "6.6.6.6", "for=6.6.6.6", "\"", "for=6.6.6.6;x=\"", "for=\"6.6.6.6",
		"for=6.6.6.6;x=\"\\", "for=6.6.6.6, x=\"", "for=6.6.6.6;x='", "for=6.6.6.6;", ",,,", "for=6.6.6.6,",
		"for=6.6.6.6;x=\"\"", "for=\"", "\\", "for=6.6.6.6;by=\"[", "6.6.6.6 ", "(", "for=6.6.6.6;\"" };
	static const char *const added[] = { "for=192.0.2.1", "for=\"192.0.2.1\"", "for=\"192.0.2.1:1\";by=\"[2001:db8:aaaa::1]\"",
		"proto=http;for=192.0.2.1" };
	char line[300];
	for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
		snprintf(line, sizeof line, X "%s, 192.0.2.1" N, tries[i]);
		assert_string_equal(asker(line), "192.0.2.1");
		for (size_t j = 0; j < sizeof added / sizeof added[0]; j++) {
			snprintf(line, sizeof line, F "%s, %s" N, tries[i], added[j]);
			const char *got = asker(line);
			if (strcmp(got, "192.0.2.1") != 0 && strcmp(got, PEER) != 0)
				fail_msg("%s was believed to be %s", line, got);
			snprintf(line, sizeof line, F "%s" N F "%s" N, tries[i], added[j]);
			assert_string_equal(asker(line), "192.0.2.1");
		}
	}
}

static void two_headers_must_agree(void **state)
{
	(void)state;
	/* A proxy that writes the one hands on the other as it came. */
	assert_string_equal(asker(X "192.0.2.1" N F "for=6.6.6.6" N), PEER);
	assert_string_equal(asker(X "6.6.6.6" N F "for=192.0.2.1" N), PEER);
	assert_string_equal(asker(X "192.0.2.1" N F "for=nobody" N), PEER);
	assert_string_equal(asker(X "192.0.2.1" N F "for=192.0.2.1" N), "192.0.2.1");
}

static void long_chains_end(void **state)
{
	(void)state;
	struct buf line;
	buf_init(&line, SIZE_MAX);
	buf_puts(&line, X "6.6.6.6");
	for (int i = 0; i < 2000; i++)
		buf_printf(&line, ", 10.1.%d.%d", i / 250, i % 250);
	buf_puts(&line, N);
	assert_int_equal(strncmp(asker(line.ptr), "10.1.", 5), 0);
	buf_fini(&line);
}

static void garbage_is_harmless(void **state)
{
	(void)state;
	static const char alphabet[] = "for=FOR;,,\"\"\\[]::.. \t10.192.0x2_unknown=;by=h\xc3\xa9";
	uint64_t seed = 7;
	for (int i = 0; i < 20000; i++) {
		char line[100] = "";
		size_t at = (size_t)snprintf(line, sizeof line, "%s", i % 2 == 0 ? X : F);
		for (size_t n = 0; n < 70; n++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			line[at++] = alphabet[(seed >> 33) % (sizeof alphabet - 1)];
		}
		memcpy(line + at, N, sizeof N);
		assert_true(strlen(asker(line)) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rightmost_that_is_no_proxy),
		cmocka_unit_test(forwarded_is_read_alike),
		cmocka_unit_test(what_cannot_be_read_ends_the_walk),
		cmocka_unit_test(an_asker_cannot_talk_for_the_proxy),
		cmocka_unit_test(two_headers_must_agree),
		cmocka_unit_test(long_chains_end),
		cmocka_unit_test(garbage_is_harmless),
	};
	return cmocka_run_group_tests_name("forwarded", tests, NULL, NULL);
}
