/* server_test.c - the listener as its peers see it: framing, order, refusals.
 *
 * Raw bytes over real sockets on a port that the kernel picks; how connections end and
 * what limits cut is in server_life_test.c. */
#include "server_kit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define CHUNKED_POST "POST /z HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static void keep_alive_and_close(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	assert_int_equal(strncmp(server_address(k.server), "127.0.0.1:", 10), 0);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/one"));
	net_until(&k.loop, &p, raw_has(&p, "/one"));
	assert_false(raw_has(&p, "Connection: close"));
	raw_puts(&k.loop, &p,
		"POST /two HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
		"Connection: close\r\n\r\nabc" GET("/late"));
	net_until(&k.loop, &p, p.over);
	assert_false(p.reset);
	assert_int_equal(k.asked, 2);
	assert_true(raw_has(&p, "/two"));
	assert_true(raw_has(&p, "Connection: close\r\n"));
	assert_int_equal(k.body.len, 3);
	assert_int_equal(raw_count(&p, "HTTP/1.1 200 OK\r\n"), 2);
	raw_close(&p);
	kit_close(&k);
}

static void pipelined_answers_keep_the_order(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		GET("/a") "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" GET(
			"/c"));
	net_until(&k.loop, &p, k.nheld == 3);
	exchange_answer(k.held[2], 202, "", SLICE_LIT("third"));
	exchange_answer(k.held[1], 201, "X-Two: 2\r\n", SLICE_LIT("second"));
	for (int i = 0; i < 3; i++)
		net_round(&k.loop, &p);
	assert_int_equal(p.got.len, 0);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("first"));
	net_until(&k.loop, &p, raw_has(&p, "third"));
	assert_string_equal(raw_text(&p),
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst"
		"HTTP/1.1 201 Created\r\nContent-Length: 6\r\nX-Two: 2\r\n\r\nsecond"
		"HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nthird");
	raw_close(&p);
	kit_close(&k);
}

static void long_pipeline_is_held_back(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	config.bounds.pipeline_max = 2;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	struct buf many;
	buf_init(&many, SIZE_MAX);
	for (int i = 0; i < 40; i++)
		buf_printf(&many, GET("/n%02d"), i);
	raw_send(&k.loop, &p, many.ptr, many.len);
	net_until(&k.loop, &p, k.nheld == 2);
	for (int i = 0; i < 3; i++)
		net_round(&k.loop, &p);
	assert_int_equal(k.asked, 2);
	k.hold = false;
	exchange_answer(k.held[1], 200, "", SLICE_LIT("/n01"));
	exchange_answer(k.held[0], 200, "", SLICE_LIT("/n00"));
	net_until(&k.loop, &p, raw_has(&p, "/n39"));
	const char *at = raw_text(&p);
	for (int i = 0; i < 40; i++) {
		char path[16];
		snprintf(path, sizeof path, "/n%02d", i);
		at = strstr(at, path);
		assert_non_null(at);
	}
	buf_fini(&many);
	raw_close(&p);
	kit_close(&k);
}

static void expect_continue(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
		"Expect: 100-continue\r\n\r\n");
	net_until(&k.loop, &p, raw_has(&p, "HTTP/1.1 100 Continue\r\n\r\n"));
	assert_int_equal(k.asked, 0);
	raw_puts(&k.loop, &p, "hello");
	net_until(&k.loop, &p, raw_has(&p, "200 OK"));
	assert_string_equal(k.body.ptr, "hello");

	/* Behind a request that is not answered yet, the leave to send waits for its
	 * turn. */
	buf_reset(&p.got);
	k.hold = true;
	raw_puts(&k.loop, &p,
		GET("/first") "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
			      "Expect: 100-continue\r\n\r\n");
	net_until(&k.loop, &p, k.nheld == 1);
	for (int i = 0; i < 3; i++)
		net_round(&k.loop, &p);
	assert_int_equal(p.got.len, 0);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("now"));
	net_until(&k.loop, &p, raw_has(&p, "nowHTTP/1.1 100 Continue\r\n\r\n"));
	k.hold = false;
	raw_puts(&k.loop, &p, "world");
	net_until(&k.loop, &p, raw_has(&p, "/e"));
	raw_close(&p);
	kit_close(&k);
}

static void chunked_byte_by_byte(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	static const char bytes[] =
		"PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\na\0b\r\n2;x=y\r\n\xff\xfe\r\n0\r\nTrailer: t\r\n\r\n";
	for (size_t i = 0; i + 1 < sizeof bytes; i++) {
		raw_send(&k.loop, &p, bytes + i, 1);
		uv_run(&k.loop, UV_RUN_NOWAIT);
	}
	net_until(&k.loop, &p, raw_has(&p, "/c"));
	assert_int_equal(k.body.len, 5);
	assert_memory_equal(k.body.ptr, "a\0b\xff\xfe", 5);
	raw_close(&p);
	kit_close(&k);
}

static void too_big_from_its_length(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.limits.body_bytes_max = 1000;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n"
		"Expect: 100-continue\r\n\r\n");
	net_until(&k.loop, &p, p.over);
	assert_true(raw_has(&p, "HTTP/1.1 413 "));
	assert_true(raw_has(&p, "Connection: close\r\n"));
	assert_false(raw_has(&p, "100 Continue"));
	raw_close(&p);

	/* Who sends all the same and reads later finds the answer, not a reset. */
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
	char *much = xalloc(8000000);
	raw_send(&k.loop, &p, much, 8000000);
	free(much);
	net_until(&k.loop, &p, p.over);
	assert_false(p.reset);
	assert_true(raw_has(&p, "HTTP/1.1 413 "));
	assert_int_equal(k.asked, 0);
	raw_close(&p);
	kit_close(&k);
}

static void too_big_in_chunks(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.limits.body_bytes_max = 10;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
		"8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n");
	net_until(&k.loop, &p, p.over);
	assert_true(raw_has(&p, "HTTP/1.1 413 "));
	assert_false(p.reset);
	raw_close(&p);
	kit_close(&k);
}

static void refused_by_the_head(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.refuse = 405;
	k.refuse_itself = true;
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	/* Without a body the connection goes on. */
	raw_puts(&k.loop, &p, GET("/x"));
	net_until(&k.loop, &p, raw_has(&p, "mine\n"));
	assert_true(raw_has(&p, "HTTP/1.1 405 Method Not Allowed\r\n"));
	assert_true(raw_has(&p, "Allow: POST\r\n"));
	assert_false(raw_has(&p, "close"));
	k.refuse = 404;
	k.refuse_itself = false;
	raw_puts(&k.loop, &p, GET("/y"));
	net_until(&k.loop, &p, raw_has(&p, "Not Found\n"));
	assert_false(raw_has(&p, "close"));
	/* Also behind a short body, which is read and dropped; the answer leaves behind it. */
	raw_puts(&k.loop, &p, "POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
	for (int i = 0; i < 3; i++)
		net_round(&k.loop, &p);
	assert_int_equal(raw_count(&p, "HTTP/1.1 404 "), 1);
	raw_puts(&k.loop, &p, "b" GET("/more") CHUNKED_POST "2\r\nab\r\n0\r\n\r\n" GET("/late"));
	net_until(&k.loop, &p, raw_count(&p, "HTTP/1.1 404 ") == 5);
	assert_false(raw_has(&p, "close"));
	raw_close(&p);
	assert_int_equal(k.asked, 0);
	kit_close(&k);
}

/* What is no short body of well-formed bytes ends the connection. */
static void refused_with_a_body(void **state)
{
	(void)state;
	static const struct { const char *request; int status; } cases[] = {
		{ "POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\nab" GET("/late"), 404 },
		{ "POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n", 404 },
		{ "POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab" GET("/late"), 404 },
		{ CHUNKED_POST "2\r\nabc\r\n0\r\n\r\n" GET("/late"), 400 },
		{ CHUNKED_POST "10001\r\n" GET("/late"), 413 },
		{ CHUNKED_POST "0\r\nX : y\r\n\r\n" GET("/late"), 400 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kit k;
		struct raw_peer p;
		char status[32];
		kit_open(&k);
		k.refuse = 404;
		struct server_config config = kit_config(&k);
		kit_serve(&k, &config);
		raw_open(&p, server_address(k.server));
		raw_puts(&k.loop, &p, cases[i].request);
		net_until(&k.loop, &p, p.over);
		snprintf(status, sizeof status, "HTTP/1.1 %d ", cases[i].status);
		if (strncmp(raw_text(&p), status, strlen(status)) != 0 || raw_count(&p, "HTTP/1.1 ") != 1 ||
			!raw_has(&p, "Connection: close\r\n"))
			fail_msg("%s gave %s", cases[i].request, raw_text(&p));
		raw_close(&p);
		kit_close(&k);
	}
}

static void refused_bodies_are_cut_like_others(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.refuse = 404;
	struct server_config config = kit_config(&k);
	config.bounds.body_timeout_ms = 40;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, "POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
	net_until(&k.loop, &p, p.over);
	assert_int_equal(strncmp(raw_text(&p), "HTTP/1.1 408 ", 13), 0);
	assert_int_equal(raw_count(&p, "HTTP/1.1 "), 1);
	raw_close(&p);
	/* And who gives up in the middle of one is gone without an answer. */
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, "POST /z HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\na");
	shutdown(p.fd, SHUT_WR);
	net_until(&k.loop, &p, p.over);
	assert_int_equal(p.got.len, 0);
	raw_close(&p);
	kit_close(&k);
}

static void malformed_behind_a_good_one(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		GET("/good") "GET / HTTP/1.1\r\nHost : a\r\n\r\n" GET("/never"));
	net_until(&k.loop, &p, k.nheld == 1);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("good"));
	net_until(&k.loop, &p, p.over);
	assert_false(p.reset);
	assert_true(raw_has(&p, "goodHTTP/1.1 400 Bad Request\r\n"));
	assert_int_equal(raw_count(&p, "HTTP/1.1 "), 2);
	assert_int_equal(k.asked, 1);
	raw_close(&p);
	kit_close(&k);
}

static void old_clients_and_head(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, "\r\nHEAD /h HTTP/1.1\r\nHost: a\r\n\r\n");
	net_until(&k.loop, &p, raw_has(&p, "\r\n\r\n"));
	assert_false(raw_has(&p, "/h"));
	/* As long as GET's answer would be. */
	assert_true(raw_has(&p, "Content-Length: 2\r\n"));
	raw_puts(&k.loop, &p, "GET /k HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	net_until(&k.loop, &p, raw_has(&p, "/k"));
	assert_true(raw_has(&p, "Connection: keep-alive\r\n"));
	raw_puts(&k.loop, &p, "GET /o HTTP/1.0\r\n\r\n");
	net_until(&k.loop, &p, p.over);
	assert_true(raw_has(&p, "/o"));
	raw_close(&p);
	kit_close(&k);
}

static void large_answer_to_a_late_reader(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	size_t len = 9 << 20;
	char *much = xalloc(len);
	for (size_t i = 0; i < len; i++)
		much[i] = (char)(i * 31 + i / 977);
	k.answer = (struct slice){ much, len };
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/1") GET("/2"));
	/* The loop alone, until the sockets are full: the peer does not read. */
	net_until(&k.loop, (struct raw_peer *)NULL, k.asked == 2);
	for (int i = 0; i < 5; i++)
		net_round(&k.loop, NULL);
	net_until(&k.loop, &p, p.got.len > 2 * len);
	const char *body = memmem(p.got.ptr, p.got.len, "\r\n\r\n", 4);
	assert_non_null(body);
	assert_memory_equal(body + 4, much, len);
	body = memmem(body + 4 + len, p.got.len - len - 100, "\r\n\r\n", 4);
	assert_non_null(body);
	assert_memory_equal(body + 4, much, len);
	free(much);
	raw_close(&p);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keep_alive_and_close),
		cmocka_unit_test(pipelined_answers_keep_the_order),
		cmocka_unit_test(long_pipeline_is_held_back),
		cmocka_unit_test(expect_continue),
		cmocka_unit_test(chunked_byte_by_byte),
		cmocka_unit_test(too_big_from_its_length),
		cmocka_unit_test(too_big_in_chunks),
		cmocka_unit_test(refused_by_the_head),
		cmocka_unit_test(refused_with_a_body),
		cmocka_unit_test(refused_bodies_are_cut_like_others),
		cmocka_unit_test(malformed_behind_a_good_one),
		cmocka_unit_test(old_clients_and_head),
		cmocka_unit_test(large_answer_to_a_late_reader),
	};
	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
