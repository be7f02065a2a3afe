/* http1_test.c - the HTTP/1.1 reader against raw requests that others collected, its
 * own policy case by case, and its limits to the byte.
 *
 * Every request here is read twice, fed whole and fed one byte at a time, and both
 * readings must agree in everything that a caller can see. Surprise: the collected
 * requests lie outside the checkout (FISH_VECTORS); without them that one test is
 * skipped. */
#include "wire/http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOST "Host: a\r\n"
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
#define LENGTH(text) "POST / HTTP/1.1\r\n" HOST "Content-Length: " text "\r\n\r\n"
#define PUT "PUT / HTTP/1.1\r\n" HOST
#define LEN(text) (sizeof(text) - 1)

/* Reads one request, going on at the head; *ret_used: the bytes taken. */
static void read_request(struct http1 *p, struct slice bytes, size_t step, size_t *ret_used)
{
	size_t used = 0;
	while (used < bytes.len) {
		size_t len = bytes.len - used < step ? bytes.len - used : step;
		size_t took = http1_feed(p, bytes.ptr + used, len);
		used += took;
		if (p->phase == HTTP1_HEAD_DONE)
			http1_continue(p, 0);
		else if (took < len)
			break;
		if (p->phase == HTTP1_DONE || p->phase == HTTP1_BAD)
			break;
	}
	*ret_used = used;
}

static void describe(struct buf *out, const struct http1 *p, size_t used)
{
	buf_printf(out, "phase %d status %d (%s) after %zu\n", (int)p->phase, p->status,
	           p->why == NULL ? "" : p->why, used);
	buf_printf(out, "minor %d keep %d expect %d body %d\n", p->minor, p->keep_alive,
	           p->expect_continue, p->has_body);
	const struct slice parts[] = { p->method, p->target, p->path, p->query, buf_slice(&p->body) };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		buf_json_string(out, parts[i]);
		buf_putc(out, '\n');
	}
	for (size_t i = 0; i < p->nfields; i++) {
		buf_json_string(out, p->fields[i].name);
		buf_json_string(out, p->fields[i].value);
		buf_putc(out, '\n');
	}
}

/* Fed whole into p; fails if a byte at a time comes to anything else. */
static void read_both_ways(struct http1 *p, const struct http1_limits *limits, struct slice bytes,
                           const char *name)
{
	struct buf whole, slow;
	struct http1 q;
	size_t used = 0;
	buf_init(&whole, 16 << 20);
	buf_init(&slow, 16 << 20);
	http1_init(p, limits);
	read_request(p, bytes, SIZE_MAX, &used);
	describe(&whole, p, used);
	http1_init(&q, limits);
	read_request(&q, bytes, 1, &used);
	describe(&slow, &q, used);
	http1_fini(&q);
	if (!slice_eq(buf_slice(&whole), buf_slice(&slow)))
		fail_msg("%s: whole:\n%s\nbyte by byte:\n%s", name, whole.ptr, slow.ptr);
	buf_fini(&whole);
	buf_fini(&slow);
}

/* 0: complete; -1: waits for more; else the status of the refusal. */
static int verdict(const struct http1 *p)
{
	if (p->phase == HTTP1_DONE)
		return 0;
	return p->phase == HTTP1_BAD ? p->status : -1;
}

static void expect_verdict(const struct http1_limits *limits, struct slice bytes, int expected)
{
	struct http1 p;
	read_both_ways(&p, limits, bytes, bytes.ptr);
	if (verdict(&p) != expected)
		fail_msg("%.200s\nis %d (%s), not %d", bytes.ptr, verdict(&p),
		         p.why == NULL ? "" : p.why, expected);
	http1_fini(&p);
}

static bool as_expected(const char *expect, int got)
{
	if (strcmp(expect, "accept") == 0)
		return got == 0;
	if (strcmp(expect, "reject") == 0)
		return got > 0;
	if (strcmp(expect, "wait") == 0)
		return got == -1;
	if (strcmp(expect, "reject-or-wait") == 0)
		return got != 0;
	return strcmp(expect, "either") == 0;
}

static struct slice read_file(const char *folder, const char *name)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/http1/%s", folder, name);
	FILE *f = fopen(path, "rb");
	if (f == NULL)
		return SLICE_NONE;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	size_t len = (size_t)ftell(f);
	rewind(f);
	char *bytes = malloc(len + 1);
	assert_non_null(bytes);
	assert_int_equal(fread(bytes, 1, len, f), len);
	bytes[len] = '\0';
	fclose(f);
	return (struct slice){ bytes, len };
}

/* One line of requests.tsv: file, suite, the suite's verdict, the verdict expected … */
static bool check_vector(const char *folder, char *line)
{
	char *rest = line;
	const char *file = strsep(&rest, "\t");
	strsep(&rest, "\t");
	strsep(&rest, "\t");
	const char *expect = strsep(&rest, "\t");
	assert_non_null(expect);
	struct slice bytes = read_file(folder, file);
	assert_non_null(bytes.ptr);
	struct http1 p;
	read_both_ways(&p, NULL, bytes, file);
	bool right = as_expected(expect, verdict(&p));
	if (!right)
		print_error("%s: expected %s, got %d (%s)\n", file, expect, verdict(&p),
		            p.why == NULL ? "" : p.why);
	http1_fini(&p);
	free((char *)bytes.ptr);
	return right;
}

static void collected_requests_get_their_verdict(void **state)
{
	(void)state;
	const char *folder = getenv("FISH_VECTORS");
	if (folder == NULL)
		folder = "../shared/vectors";
	struct slice index = read_file(folder, "requests.tsv");
	if (index.ptr == NULL) {
		print_message("no test data in %s: skipped\n", folder);
		skip();
	}
	size_t checked = 0;
	size_t wrong = 0;
	char *rest = (char *)index.ptr;
	strsep(&rest, "\n");
	for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';) {
		checked++;
		wrong += check_vector(folder, line) ? 0 : 1;
	}
	free((char *)index.ptr);
	assert_true(checked >= 500);
	assert_int_equal(wrong, 0);
}

static void a_request_comes_apart(void **state)
{
	(void)state;
	static const char text[] = "POST /h/a%2fb?x=1&y=?2 HTTP/1.1\r\nHost: h:80\r\nX-A: \t one two\t\r\n"
	                           "x-b:\r\nContent-Length: 5\r\nx-a: three\r\n\r\nhe\0loGET";
	struct http1 p;
	read_both_ways(&p, NULL, (struct slice){ text, LEN(text) }, "request");
	assert_int_equal(p.phase, HTTP1_DONE);
	assert_true(slice_eq(p.method, SLICE_LIT("POST")));
	assert_true(slice_eq(p.target, SLICE_LIT("/h/a%2fb?x=1&y=?2")));
	assert_true(slice_eq(p.path, SLICE_LIT("/h/a%2fb")));
	assert_true(slice_eq(p.query, SLICE_LIT("x=1&y=?2")));
	assert_int_equal(p.minor, 1);
	assert_true(p.keep_alive);
	assert_true(p.has_body);
	assert_false(p.expect_continue);
	assert_true(slice_eq(buf_slice(&p.body), SLICE_LIT("he\0lo")));
	assert_int_equal(p.nfields, 5);
	assert_true(slice_eq(p.fields[1].name, SLICE_LIT("X-A")));
	assert_true(slice_eq(p.fields[1].value, SLICE_LIT("one two")));

	size_t count = 7;
	assert_null(http1_field(&p, "x-a", &count).ptr);
	assert_int_equal(count, 2);
	struct slice empty = http1_field(&p, "X-B", &count);
	assert_non_null(empty.ptr);
	assert_int_equal(empty.len, 0);
	assert_int_equal(count, 1);
	assert_null(http1_field(&p, "x-c", &count).ptr);
	assert_int_equal(count, 0);
	assert_true(slice_eq(http1_field(&p, "HOST", NULL), SLICE_LIT("h:80")));
	http1_fini(&p);
	http1_fini(NULL);
}

static void chunks_are_joined_and_trailers_dropped(void **state)
{
	(void)state;
	static const char text[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
	                           "5;n=\"a;\\\"b\"; m=t\r\nhello\r\n00000B\r\n, big world\r\n0\r\n"
	                           "Host: evil\r\nContent-Length: 99\r\nX: y\r\n\r\nrest";
	struct http1 p;
	read_both_ways(&p, NULL, (struct slice){ text, LEN(text) }, "chunks");
	assert_int_equal(p.phase, HTTP1_DONE);
	assert_true(p.has_body);
	assert_true(slice_eq(buf_slice(&p.body), SLICE_LIT("hello, big world")));
	assert_int_equal(p.nfields, 2);
	http1_fini(&p);
}

static void targets_have_four_forms(void **state)
{
	(void)state;
	static const struct { const char *line, *path, *query; } cases[] = {
		{ "GET /", "/", "" },                       { "GET /a?", "/a", "" },
		{ "GET //a/../b", "//a/../b", "" },         { "GET /a#b?c#d", "/a#b", "c#d" },
		{ "GET http://h", "/", "" },                { "GET HTTPS://h:1?q", "/", "q" },
		{ "POST http://u:p@[::1]:8/x?y", "/x", "y" },
		{ "OPTIONS *", "*", "" },                   { "CONNECT h:443", "", "" },
		{ "CONNECT [::1]:443", "", "" },            { "X-Y.Z! /a", "", NULL },
		{ "M-SEARCH /a", "/a", "" },                { "GET *", NULL, "" },
		{ "CONNECT /", NULL, "" },                  { "CONNECT h", NULL, "" },
		{ "CONNECT h:", NULL, "" },                 { "CONNECT :1", NULL, "" },
		{ "GET h:443", NULL, "" },                  { "GET a/b", NULL, "" },
		{ "GET http://", NULL, "" },                { "GET http:///x", NULL, "" },
		{ "GET http://h:x/", NULL, "" },            { "GET http://a b/", NULL, "" },
		{ "GET http://[::1/", NULL, "" },           { "GET http://[x]/", NULL, "" },
		{ "GET ftp://h/", NULL, "" },               { "GET /\x7f", NULL, "" },
		{ "GET /\xc3\xa9", NULL, "" },              { "GET /\t", NULL, "" },
		{ "GET  /", NULL, "" },                     { "GET / ", NULL, "" },
		{ " GET /", NULL, "" },                     { "Get /", NULL, "" },
		{ "G@T /", NULL, "" },                      { "GET", NULL, "" },
		{ "GET ?a", NULL, "" },                     { "PRI *", NULL, "" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[200];
		snprintf(text, sizeof text, "%s HTTP/1.1\r\n" HOST "\r\n", cases[i].line);
		struct http1 p;
		read_both_ways(&p, NULL, slice_of(text), cases[i].line);
		if (cases[i].path == NULL) {
			assert_int_equal(verdict(&p), 400);
		} else if (cases[i].query != NULL) {
			assert_int_equal(verdict(&p), 0);
			assert_true(slice_eq(p.path, slice_of(cases[i].path)));
			assert_true(slice_eq(p.query, slice_of(cases[i].query)));
		} else {
			assert_int_equal(verdict(&p), 0);
		}
		http1_fini(&p);
	}
}

static void refusals_carry_their_status(void **state)
{
	(void)state;
	static const struct { int status; const char *text; } cases[] = {
		{ 505, "GET / HTTP/2.0\r\n" },          { 505, "GET / HTTP/1.2\r\n" },
		{ 505, "GET / HTTP/0.9\r\n" },          { 400, "GET / HTTP/1.10\r\n" },
		{ 400, "GET / HTTP/1.\r\n" },           { 400, "GET / http/1.1\r\n" },
		{ 400, "GET /\r\n" },                   { 400, "GET / HTTP/1.1\n" },
		{ 400, "GET / HTTP/1.1\r\r\n" },        { -1, "\r\nGET / HTTP/1.1\r\n" },
		{ 400, "\r\n\r\n" },                    { 400, "\n" },
		{ 400, "GET / HTTP/1.1\r\n\r\n" },      { 0, "GET / HTTP/1.0\r\n\r\n" },
		{ 0, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST HOST },
		{ 400, "GET / HTTP/1.0\r\n" HOST HOST },
		{ 0, "GET / HTTP/1.1\r\nHost: \t\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a b\r\n" }, { 400, "GET / HTTP/1.1\r\nHost: u@h\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: a, b\r\n" },
		{ 400, "GET / HTTP/1.1\r\nHost: h/x\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST " X: folded\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST "X : y\r\n" }, { 400, "GET / HTTP/1.1\r\n" HOST ": y\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST "X\r\n" },     { 400, "GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST "X: a\nY: b\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST "X: \x01\r\n" },
		{ 400, "GET / HTTP/1.1\r\n" HOST "X: \x7f\r\n" },
		{ 0, "GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\t\r\n\r\n" },
		{ 417, "GET / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n" },
		{ 0, "GET / HTTP/1.0\r\nExpect: 200-ok\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_verdict(NULL, slice_of(cases[i].text), cases[i].status);
	expect_verdict(NULL, SLICE_LIT("GET / HTTP/1.1\r\n" HOST "X: a\0b\r\n"), 400);
	expect_verdict(NULL, SLICE_LIT("GET /\0 HTTP/1.1\r\n"), 400);
	expect_verdict(NULL, SLICE_LIT("G\0T / HTTP/1.1\r\n"), 400);
}

static void framing_has_one_reading_or_none(void **state)
{
	(void)state;
	static const struct { int status; const char *fields; } cases[] = {
		{ 400, "Content-Length: 1\r\nContent-Length: 1\r\n\r\na" },
		{ 400, "Content-Length: 1, 1\r\n\r\na" },   { 400, "Content-Length:\r\n\r\n" },
		{ 400, "Content-Length: +1\r\n\r\na" },     { 400, "Content-Length: -1\r\n\r\n" },
		{ 400, "Content-Length: 0x1\r\n\r\na" },    { 0, "Content-Length: 0003\r\n\r\nabc" },
		{ 413, "Content-Length: 18446744073709551616\r\n\r\n" },
		{ 413, "Content-Length: 99999999999999999999999999\r\n\r\n" },
		{ 413, "Content-Length: 1048577\r\n\r\n" }, { -1, "Content-Length: 1048576\r\n\r\n" },
		{ 400, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ 400, "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" },
		{ 400, "Transfer-Encoding: identity\r\n\r\n" },
		{ 400, "Transfer-Encoding: identity, chunked\r\n\r\n" },
		{ 400, "Transfer-Encoding: gzip\r\n\r\n" },
		{ 501, "Transfer-Encoding: gzip, chunked\r\n\r\n" },
		{ 501, "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 400, "Transfer-Encoding: chunked, chunked\r\n\r\n" },
		{ 400, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" },
		{ 400, "Transfer-Encoding: chunked, gzip\r\n\r\n" },
		{ 400, "Transfer-Encoding: chunked,\r\n\r\n" }, { 400, "Transfer-Encoding:\r\n\r\n" },
		{ 400, "Transfer-Encoding: chunked;q=1\r\n\r\n" },
		{ 400, "Transfer-Encoding: \"chunked\"\r\n\r\n" },
		{ 400, "Transfer-Encoding: \x0b" "chunked\r\n\r\n" },
		{ 0, "Transfer_Encoding: gzip\r\nContent_Length: x\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[300];
		snprintf(text, sizeof text, "POST / HTTP/1.1\r\n" HOST "%s", cases[i].fields);
		expect_verdict(NULL, slice_of(text), cases[i].status);
	}
	expect_verdict(NULL, SLICE_LIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"
	                               "0\r\n\r\n"), 400);
}

static void chunk_lines_are_strict(void **state)
{
	(void)state;
	static const struct { int status; const char *body; } cases[] = {
		{ 0, "0\r\n\r\n" },                 { 0, "000\r\n\r\n" },
		{ 0, "1;a\r\nx\r\n0;b=c\r\n\r\n" }, { 0, "1; a=\"\\\"\"\r\nx\r\n0\r\n\r\n" },
		{ 0, "1;a=\"\"\r\nx\r\n0\r\n\r\n" }, { -1, "1\r\nx\r\n0\r\n" },
		{ 400, "\r\n" },                    { 400, ";a\r\n" },
		{ 400, "1 \r\n" },                  { 400, " 1\r\n" },
		{ 400, "1 ;a\r\n" },                { 400, "1;\r\n" },
		{ 400, "1; \r\n" },                 { 400, "1;a=\r\n" },
		{ 400, "1;a=\"\r\n" },              { 400, "1;a=\"\\\r\n" },
		{ 400, "1;a=\"b\"c\r\n" },          { 400, "1;a=\"\x01\"\r\n" },
		{ 400, "1;a = b\r\n" },             { 400, "0x1\r\n" },
		{ 400, "+1\r\n" },                  { 400, "1_0\r\n" },
		{ 400, "1\n" },                     { 400, "1\r\r\n" },
		{ 400, "1\r\nxy" },                 { 400, "1\r\nx\n" },
		{ 413, "100001\r\n" },              { 413, "ffffffffffffffff\r\n" },
		{ 413, "10000000000000001\r\n" },   { 400, "00000000000000001\r\n" },
		{ 400, "0\r\n folded\r\n" },        { 400, "0\r\nno colon\r\n" },
		{ 400, "0\r\nX: \x02\r\n" },        { 400, "0\r\nX: y\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char text[300];
		snprintf(text, sizeof text, CHUNKED "%s", cases[i].body);
		expect_verdict(NULL, slice_of(text), cases[i].status);
	}
}

static void keep_alive_is_what_the_client_asks_for(void **state)
{
	(void)state;
	static const struct { bool keep; const char *text; } cases[] = {
		{ true, "GET / HTTP/1.1\r\n" HOST "\r\n" },
		{ false, "GET / HTTP/1.1\r\n" HOST "Connection: Close\r\n\r\n" },
		{ false, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive, x ,close\r\n\r\n" },
		{ false, "GET / HTTP/1.1\r\n" HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n" },
		{ true, "GET / HTTP/1.1\r\n" HOST "Connection: closed,, upgrade\r\n\r\n" },
		{ false, "GET / HTTP/1.0\r\n\r\n" },
		{ true, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" },
		{ false, "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http1 p;
		read_both_ways(&p, NULL, slice_of(cases[i].text), cases[i].text);
		assert_int_equal(p.phase, HTTP1_DONE);
		assert_int_equal(p.keep_alive, cases[i].keep);
		http1_fini(&p);
	}
}

static bool waits_for_100(const char *text)
{
	struct http1 p;
	http1_init(&p, NULL);
	assert_int_equal(http1_feed(&p, text, strlen(text)), strlen(text));
	assert_int_equal(p.phase, HTTP1_HEAD_DONE);
	bool waits = p.expect_continue;
	http1_fini(&p);
	return waits;
}

static void expect_is_for_bodies_of_1_1(void **state)
{
	(void)state;
	assert_true(waits_for_100(PUT "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n"));
	assert_true(waits_for_100(PUT "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
	assert_false(waits_for_100(PUT "Expect: 100-continue\r\n\r\n"));
	assert_false(waits_for_100(PUT "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n"));
	assert_false(waits_for_100(PUT "Content-Length: 1\r\n\r\n"));
	assert_false(waits_for_100("PUT / HTTP/1.0\r\nExpect: 100-continue\r\n"
	                           "Content-Length: 1\r\n\r\n"));
}

/* head, count times middle, tail: exactly at a limit, then a byte or a line over it. */
static void expect_repeated(const struct http1_limits *limits, const char *head, const char *middle,
                            size_t count, const char *tail, int expected)
{
	struct buf text;
	buf_init(&text, 8 << 20);
	buf_puts(&text, head);
	for (size_t i = 0; i < count; i++)
		buf_puts(&text, middle);
	buf_puts(&text, tail);
	assert_false(buf_failed(&text));
	expect_verdict(limits, buf_slice(&text), expected);
	buf_fini(&text);
}

static void limits_are_exact(void **state)
{
	(void)state;
	const struct http1_limits small = {
		.line_bytes_max = 40, .head_bytes_max = 60, .fields_max = 3, .body_bytes_max = 10,
	};
	/* "GET /" and " HTTP/1.1" are 14 bytes of the line; a request line without end is one too. */
	expect_repeated(&small, "GET /", "a", 26, " HTTP/1.1\r\n" HOST "\r\n", 0);
	expect_repeated(&small, "GET /", "a", 27, " HTTP/1.1\r\n" HOST "\r\n", 414);
	expect_repeated(&small, "GET /", "a", 36, "", -1);
	expect_repeated(&small, "GET /", "a", 37, "", 414);
	/* HOST is 9 bytes with its CRLF, "X: \r\n" 5. */
	expect_repeated(&small, "GET / HTTP/1.1\r\n" HOST "X: ", "a", 46, "\r\n\r\n", 0);
	expect_repeated(&small, "GET / HTTP/1.1\r\n" HOST "X: ", "a", 47, "\r\n\r\n", 431);
	expect_repeated(&small, "GET / HTTP/1.1\r\n" HOST "X: ", "a", 100, "", 431);
	expect_repeated(&small, "GET / HTTP/1.1\r\n" HOST, "X: y\r\n", 2, "\r\n", 0);
	expect_repeated(&small, "GET / HTTP/1.1\r\n" HOST, "X: y\r\n", 3, "\r\n", 431);
	expect_repeated(&small, LENGTH("10"), "a", 10, "", 0);
	expect_repeated(&small, LENGTH("11"), "a", 0, "", 413);
	expect_repeated(&small, CHUNKED, "5\r\naaaaa\r\n", 2, "0\r\n\r\n", 0);
	expect_repeated(&small, CHUNKED, "5\r\naaaaa\r\n", 2, "1\r\n", 413);
	expect_repeated(&small, CHUNKED "0\r\nX: ", "a", 55, "\r\n\r\n", 0);
	expect_repeated(&small, CHUNKED "0\r\nX: ", "a", 56, "\r\n\r\n", 431);
	expect_repeated(&small, CHUNKED "0\r\n", "X: y\r\n", 3, "\r\n", 0);
	expect_repeated(&small, CHUNKED "0\r\n", "X: y\r\n", 4, "\r\n", 431);
	/* A chunk's line is 1024 bytes at most, all extensions 16 KiB. */
	expect_repeated(NULL, CHUNKED "0;", "a", 1022, "\r\n\r\n", 0);
	expect_repeated(NULL, CHUNKED "0;", "a", 1023, "\r\n\r\n", 400);
	expect_repeated(NULL, CHUNKED, "1;123456789abcdef\r\na\r\n", 1024, "0\r\n\r\n", 0);
	expect_repeated(NULL, CHUNKED, "1;123456789abcdef\r\na\r\n", 1024, "0;a\r\n\r\n", 400);
	/* The defaults. */
	expect_repeated(NULL, "GET /", "a", 8192 - 14, " HTTP/1.1\r\n" HOST "\r\n", 0);
	expect_repeated(NULL, "GET /", "a", 8192 - 13, " HTTP/1.1\r\n" HOST "\r\n", 414);
	expect_repeated(NULL, "GET / HTTP/1.1\r\n" HOST "X: ", "a", 32768 - 14, "\r\n\r\n", 0);
	expect_repeated(NULL, "GET / HTTP/1.1\r\n" HOST "X: ", "a", 32768 - 13, "\r\n\r\n", 431);
	expect_repeated(NULL, "GET / HTTP/1.1\r\n" HOST, "X: y\r\n", 99, "\r\n", 0);
	expect_repeated(NULL, "GET / HTTP/1.1\r\n" HOST, "X: y\r\n", 100, "\r\n", 431);
	expect_repeated(NULL, LENGTH("1048576"), "a", 1 << 20, "", 0);
}

static void the_caller_may_set_a_smaller_or_larger_body(void **state)
{
	(void)state;
	static const char text[] = LENGTH("6") "abcdef";
	const struct http1_limits five = { .body_bytes_max = 5 };
	struct http1 p;
	http1_init(&p, NULL);
	size_t used = http1_feed(&p, text, LEN(text));
	assert_int_equal(used, LEN(text) - 6);
	assert_int_equal(http1_feed(&p, text + used, 6), 0);
	http1_continue(&p, 5);
	assert_int_equal(verdict(&p), 413);
	assert_int_equal(http1_feed(&p, text + used, 6), 0);
	http1_fini(&p);

	http1_init(&p, &five);
	http1_feed(&p, text, LEN(text));
	http1_continue(&p, 6);
	assert_int_equal(http1_feed(&p, text + used, 6), 6);
	assert_int_equal(verdict(&p), 0);
	assert_true(slice_eq(buf_slice(&p.body), SLICE_LIT("abcdef")));
	http1_fini(&p);
}

static void a_pipeline_is_read_one_by_one(void **state)
{
	(void)state;
	static const char text[] = "POST /1 HTTP/1.1\r\n" HOST "Content-Length: 3\r\nA: b\r\n\r\none"
	                           "\r\nPOST /2 HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
	                           "3\r\ntwo\r\n0\r\n\r\n"
	                           "GET /3 HTTP/1.0\r\n\r\n";
	static const char *const bodies[] = { "one", "two", "" };
	struct http1 p;
	size_t at = 0;
	http1_init(&p, NULL);
	for (size_t i = 0; i < 3; i++) {
		assert_false(http1_started(&p));
		size_t used = 0;
		read_request(&p, (struct slice){ text + at, LEN(text) - at }, SIZE_MAX, &used);
		at += used;
		assert_int_equal(p.phase, HTTP1_DONE);
		assert_true(http1_started(&p));
		assert_int_equal(http1_feed(&p, text, LEN(text)), 0);
		assert_int_equal(p.path.ptr[1], '1' + (int)i);
		assert_true(slice_eq(buf_slice(&p.body), slice_of(bodies[i])));
		assert_int_equal(p.keep_alive, i < 2);
		http1_next(&p);
		assert_int_equal(p.nfields, 0);
		assert_int_equal(p.body.len, 0);
	}
	assert_int_equal(at, LEN(text));
	assert_int_equal(http1_feed(&p, "\r\n", 2), 2);
	assert_false(http1_started(&p));
	assert_int_equal(http1_feed(&p, "G", 1), 1);
	assert_true(http1_started(&p));
	http1_fini(&p);
}

static void a_large_body_is_given_back(void **state)
{
	(void)state;
	static const char head[] = LENGTH("100000");
	char *body = calloc(1, 100000);
	struct http1 p;
	http1_init(&p, NULL);
	for (int round = 0; round < 2; round++) {
		http1_feed(&p, head, LEN(head));
		http1_continue(&p, 0);
		assert_int_equal(http1_feed(&p, body, 100000), 100000);
		assert_int_equal(p.phase, HTTP1_DONE);
		if (round == 0)
			free(buf_take(&p.body));
		http1_next(&p);
		assert_true(p.body.cap <= 16 << 10);
	}
	http1_fini(&p);
	free(body);
}

static void expect_answer(int status, const char *extra, const char *body, bool keep,
                          const char *expected)
{
	struct buf out;
	buf_init(&out, 1000);
	http1_answer(&out, status, extra, slice_of(body), keep);
	assert_false(buf_failed(&out));
	assert_string_equal(out.ptr, expected);
	buf_fini(&out);
}

static void answers_are_framed(void **state)
{
	(void)state;
	expect_answer(200, "", "", true, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	expect_answer(503, "Retry-After: 2\r\n", "wait a bit", false,
	              "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 10\r\nRetry-After: 2\r\n"
	              "Connection: close\r\n\r\nwait a bit");
	expect_answer(100, "", "", true, "HTTP/1.1 100 Continue\r\n\r\n");
	expect_answer(204, "", "x", true, "HTTP/1.1 204 No Content\r\n\r\n");
	expect_answer(299, "", "", true, "HTTP/1.1 299 Status\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(http1_reason(410), "Gone");
	assert_string_equal(http1_reason(0), "Status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collected_requests_get_their_verdict),
		cmocka_unit_test(a_request_comes_apart),
		cmocka_unit_test(chunks_are_joined_and_trailers_dropped),
		cmocka_unit_test(targets_have_four_forms),
		cmocka_unit_test(refusals_carry_their_status),
		cmocka_unit_test(framing_has_one_reading_or_none),
		cmocka_unit_test(chunk_lines_are_strict),
		cmocka_unit_test(keep_alive_is_what_the_client_asks_for),
		cmocka_unit_test(expect_is_for_bodies_of_1_1),
		cmocka_unit_test(limits_are_exact),
		cmocka_unit_test(the_caller_may_set_a_smaller_or_larger_body),
		cmocka_unit_test(a_pipeline_is_read_one_by_one),
		cmocka_unit_test(a_large_body_is_given_back),
		cmocka_unit_test(answers_are_framed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
