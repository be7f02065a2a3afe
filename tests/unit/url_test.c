/* url_test.c - base URLs, listen addresses, joins, and queries as strangers write
 * them. */
#include "wire/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void base_urls_come_apart(void **state)
{
	(void)state;
	static const struct { const char *text, *scheme, *host, *port, *path; } cases[] = {
		{ "http://a", "http", "a", "", "" },
		{ "HTTPS://Ex-1.org:443/", "HTTPS", "Ex-1.org", "443", "/" },
		{ "https://h:65535/p/q%2Fr;x=(1)", "https", "h", "65535", "/p/q%2Fr;x=(1)" },
		{ "http://[::1]:8080/x", "http", "::1", "8080", "/x" },
		{ "http://[2001:db8::2]", "http", "2001:db8::2", "", "" },
		{ "http://127.0.0.1:80", "http", "127.0.0.1", "80", "" },
		{ "http://under_score/", "http", "under_score", "", "/" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct url u = { 0 };
		struct err err = { 0 };
		if (url_parse_base(slice_of(cases[i].text), &u, &err) != 0)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_true(slice_eq(u.scheme, slice_of(cases[i].scheme)));
		assert_true(slice_eq(u.host, slice_of(cases[i].host)));
		assert_true(slice_eq(u.port, slice_of(cases[i].port)));
		assert_true(slice_eq(u.path, slice_of(cases[i].path)));
	}
}

static void bad_base_urls_say_what_is_wrong(void **state)
{
	(void)state;
	static const struct { const char *text, *why; } cases[] = {
		{ "", "http://" },                  { "example.org", "http://" },
		{ "ftp://h", "http://" },           { "http:/h", "http://" },
		{ "http:", "http://" },             { " http://h", "http://" },
		{ "http://", "host" },              { "http:///p", "host" },
		{ "http://:80", "host" },           { "http://h h", "host" },
		{ "http://h\\x", "host" },          { "http://\xc3\xa9", "host" },
		{ "http://[::1", "host" },          { "http://[::g]", "host" },
		{ "http://[::1]x", "host" },        { "http://[fe80::1%25eth0]", "host" },
		{ "http://::1", "host" },           { "http://h:", "port" },
		{ "http://h:0", "port" },           { "http://h:65536", "port" },
		{ "http://h:x", "port" },           { "http://h:+1", "port" },
		{ "http://h:000080", "port" },      { "http://u@h", "user" },
		{ "http://u:p@h/", "user" },        { "http://h?q", "query" },
		{ "http://h/#f", "fragment" },      { "http://h/a b", "escapes" },
		{ "http://h/%zz", "escapes" },      { "http://h/%a", "escapes" },
		{ "http://h/\"", "escapes" },       { "http://h/\xc3\xa9", "escapes" },
		{ "http://h/\r\n", "escapes" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct url u = { .host = SLICE_LIT("untouched") };
		struct err err = { 0 };
		assert_int_equal(url_parse_base(slice_of(cases[i].text), &u, &err), FISH_EINVAL);
		assert_int_equal(err.code, FISH_EINVAL);
		if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
		assert_true(slice_eq(u.host, SLICE_LIT("untouched")));
	}
	struct url u;
	assert_int_equal(url_parse_base(SLICE_LIT("http://h/\0"), &u, NULL), FISH_EINVAL);
	assert_int_equal(url_parse_base(SLICE_NONE, &u, NULL), FISH_EINVAL);
}

static void a_base_url_may_be_as_long_as_the_limit(void **state)
{
	(void)state;
	char text[BASE_URL_BYTES_MAX + 1];
	struct url u;
	struct err err;
	memset(text, 'a', sizeof text);
	memcpy(text, "http://h/", 9);
	assert_int_equal(url_parse_base((struct slice){ text, BASE_URL_BYTES_MAX }, &u, &err), 0);
	assert_int_equal(url_parse_base((struct slice){ text, BASE_URL_BYTES_MAX + 1 }, &u, &err),
	                 FISH_EINVAL);
}

static void listen_addresses(void **state)
{
	(void)state;
	static const struct { const char *text, *host; int port; } cases[] = {
		{ ":8080", "", 8080 },              { "127.0.0.1:0", "127.0.0.1", 0 },
		{ "localhost:65535", "localhost", 65535 },
		{ "[::]:1", "::", 1 },              { "[::1]:00080", "::1", 80 },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char host[256] = "x";
		uint16_t port = 1;
		assert_int_equal(url_parse_listen(slice_of(cases[i].text), host, &port, NULL), 0);
		assert_string_equal(host, cases[i].host);
		assert_int_equal(port, cases[i].port);
	}
	static const struct { const char *text, *why; } bad[] = {
		{ "", "empty" },             { "8080", "needs a port" },    { "host", "needs a port" },
		{ "[::1]", "needs a port" },      { ":", "valid port" },    { ":65536", "valid port" },
		{ ":-1", "valid port" },     { ":http", "valid port" },{ "::1:80", "[brackets]" },
		{ "2001:db8::1:80", "[brackets]" },                    { "a b:80", "valid host" },
		{ "[::1:80", "valid host" }, { "[1.2]:80", "valid host" }, { "[]:80", "valid host" },
		{ "http://h:80", "is a URL" },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		char host[256] = "x";
		uint16_t port = 1;
		struct err err = { 0 };
		assert_int_equal(url_parse_listen(slice_of(bad[i].text), host, &port, &err), FISH_EINVAL);
		if (strstr(err.text, bad[i].why) == NULL)
			fail_msg("%s: %s", bad[i].text, err.text);
		assert_string_equal(host, "x");
		assert_int_equal(port, 1);
	}
}

static void joins_have_one_slash(void **state)
{
	(void)state;
	static const struct { const char *base, *path, *whole; } cases[] = {
		{ "http://h", "/a", "http://h/a" },    { "http://h/", "a", "http://h/a" },
		{ "http://h//", "//a", "http://h/a" }, { "http://h", "a/", "http://h/a/" },
		{ "http://h/x", "/", "http://h/x/" },  { "http://h/x", "", "http://h/x" },
		{ "http://h/x/", "", "http://h/x/" },  { "http://h/x", "?q=1", "http://h/x?q=1" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out;
		buf_init(&out, 100);
		url_join(&out, slice_of(cases[i].base), slice_of(cases[i].path));
		assert_string_equal(out.ptr, cases[i].whole);
		buf_fini(&out);
	}
}

static void escapes_are_decoded_whole_or_not_at_all(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 12);
	buf_puts(&out, ">");
	assert_int_equal(url_decode(&out, SLICE_LIT("a%2fb+%C3%a9")), 0);
	assert_string_equal(out.ptr, ">a/b+\xc3\xa9");
	static const char *const bad[] = { "x%", "x%4", "x%4g", "x%g4", "x%00", "x%%41" };
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(url_decode(&out, slice_of(bad[i])), FISH_EFORMAT);
		assert_string_equal(out.ptr, ">a/b+\xc3\xa9");
	}
	assert_int_equal(url_decode(&out, SLICE_LIT("a\0b")), FISH_EFORMAT);
	buf_reset(&out);
	assert_int_equal(url_decode_form(&out, SLICE_LIT("a+b%2B")), 0);
	assert_string_equal(out.ptr, "a b+");
	assert_int_equal(url_decode(&out, SLICE_LIT("123456789")), FISH_ETOOBIG);
	buf_fini(&out);
}

static void parameters_are_found_by_their_decoded_name(void **state)
{
	(void)state;
	static const struct { const char *query, *value; } cases[] = {
		{ "a.b=1", "1" },               { "x=0&a%2eb=2&a.b=3", "2" },
		{ "&&a.b=x+y%3D=z", "x y==z" }, { "a.b", "" },
		{ "a.b=", "" },                 { "a.bc=1&a.b=2", "2" },
		{ "a=1&a.b=2&", "2" },          { "", NULL },
		{ "a.bc=1", NULL },             { "a=1", NULL },
		{ "=a.b", NULL },               { "A.B=1", NULL },
		{ "a.b=%", NULL },              { "a.b%00=1", NULL },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf out;
		buf_init(&out, 100);
		bool found = url_param(slice_of(cases[i].query), "a.b", &out);
		assert_int_equal(found, cases[i].value != NULL);
		assert_true(slice_eq(buf_slice(&out), slice_of(cases[i].value)));
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_urls_come_apart),
		cmocka_unit_test(bad_base_urls_say_what_is_wrong),
		cmocka_unit_test(a_base_url_may_be_as_long_as_the_limit),
		cmocka_unit_test(listen_addresses),
		cmocka_unit_test(joins_have_one_slash),
		cmocka_unit_test(escapes_are_decoded_whole_or_not_at_all),
		cmocka_unit_test(parameters_are_found_by_their_decoded_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
