/* server_budget_test.c - bodies in flight have a budget: who has no room is told so before his body is
 * read, and what anybody held is given back whatever becomes of him. */
#include "server_kit.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(length) "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"
#define CHUNKED "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

enum { BUDGET = 100000 };

static void open_with_budget(struct kit *k, struct budget *b)
{
	kit_open(k);
	k->hold = true;
	*b = (struct budget){ .bytes_max = BUDGET };
	struct server_config config = kit_config(k);
	config.budget = b;
	kit_serve(k, &config);
}

static void expect_refused(struct kit *k, struct raw_peer *p)
{
	net_until(&k->loop, p, raw_has(p, "send it again"));
	assert_int_equal(strncmp(raw_text(p), "HTTP/1.1 503 ", 13), 0);
	assert_true(raw_has(p, "Retry-After: 1\r\n"));
	assert_true(raw_has(p, "Connection: close\r\n"));
	net_until(&k->loop, p, p->over);
	assert_false(p->reset);
}

/* Whoever was let in keeps his place; a request without a body needs none. */
static void no_room_is_503_before_the_body(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer in;
	struct raw_peer out;
	open_with_budget(&k, &b);
	raw_open(&in, server_address(k.server));
	raw_puts(&k.loop, &in, POST("60000"));
	net_until(&k.loop, &in, b.bytes == 60000);
	raw_open(&out, server_address(k.server));
	raw_puts(&k.loop, &out, POST("40001"));
	expect_refused(&k, &out);
	assert_int_equal(b.refused, 1);
	assert_int_equal(b.bytes, 60000);
	raw_close(&out);

	raw_open(&out, server_address(k.server));
	raw_puts(&k.loop, &out, GET("/g"));
	net_until(&k.loop, &out, k.nheld == 1);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("seen"));
	net_until(&k.loop, &out, raw_has(&out, "seen"));
	raw_puts(&k.loop, &out, POST("40000"));
	net_until(&k.loop, &out, b.bytes == BUDGET);
	assert_int_equal(b.refused, 1);
	raw_close(&out);
	net_until(&k.loop, &in, b.bytes == 60000);

	char *body = xalloc(60000);
	raw_send(&k.loop, &in, body, 60000);
	net_until(&k.loop, &in, k.nheld == 2);
	assert_int_equal(k.body.len, 60000);
	assert_true(b.bytes >= 60000);          /* until the answer */
	exchange_answer(k.held[1], 200, "", SLICE_LIT("stored"));
	assert_int_equal(b.bytes, 0);
	net_until(&k.loop, &in, raw_has(&in, "stored"));
	free(body);
	raw_close(&in);
	kit_close(&k);
	assert_int_equal(b.bytes, 0);
}

/* The whole body is sent before the answer is looked at, as most clients do. */
static void who_sends_all_the_same_sees_the_answer(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer p;
	enum { LENGTH = 1 << 20 };
	open_with_budget(&k, &b);
	char *body = xalloc(LENGTH);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST("1048576"));
	raw_send(&k.loop, &p, body, LENGTH);
	expect_refused(&k, &p);
	assert_int_equal(k.asked, 0);
	assert_int_equal(b.bytes, 0);
	free(body);
	raw_close(&p);
	kit_close(&k);
}

static void chunks_that_grow_over_are_refused(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer p;
	char piece[10000 + 2];
	open_with_budget(&k, &b);
	memset(piece, 'x', sizeof piece);
	memcpy(piece + 10000, "\r\n", 2);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, CHUNKED);
	for (size_t i = 0; i < 20 && b.refused == 0; i++) {
		raw_puts(&k.loop, &p, "2710\r\n");
		raw_send(&k.loop, &p, piece, sizeof piece);
		for (int round = 0; round < 3; round++)
			net_round(&k.loop, &p);
	}
	expect_refused(&k, &p);
	assert_int_equal(b.refused, 1);
	assert_int_equal(b.bytes, 0);
	raw_close(&p);

	/* What is announced is believed, before a byte of it came. */
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, CHUNKED "186a1\r\n");
	expect_refused(&k, &p);
	raw_close(&p);

	/* And one that comes whole in a single read. */
	raw_open(&p, server_address(k.server));
	b.bytes_max = 10;
	raw_puts(&k.loop, &p, CHUNKED "b\r\nhello world\r\n0\r\n\r\n");
	expect_refused(&k, &p);
	assert_int_equal(k.asked, 0);
	raw_close(&p);
	kit_close(&k);
}

/* Nobody is asked to send what would be refused, also when its length is not known. */
static void no_100_continue_without_room(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer p;
	size_t held = 0;
	open_with_budget(&k, &b);
	budget_hold(&b, &held, BUDGET);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
		"Expect: 100-continue\r\n\r\n");
	expect_refused(&k, &p);
	assert_false(raw_has(&p, "100 Continue"));
	budget_hold(&b, &held, 0);
	raw_close(&p);
	kit_close(&k);
}

/* 413 is for ever, so it is not hidden behind a 503. */
static void too_long_is_413_also_without_room(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer p;
	open_with_budget(&k, &b);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST("1048577"));
	net_until(&k.loop, &p, raw_has(&p, "HTTP/1.1 413 "));
	assert_int_equal(b.refused, 0);
	raw_close(&p);
	kit_close(&k);
}

/* Hung up in the middle, cut by a drain, gone before the answer: all is given back. */
static void nothing_stays_held(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer p;
	open_with_budget(&k, &b);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST("500") "abc");
	net_until(&k.loop, &p, b.bytes > 0);
	raw_close(&p);
	net_until(&k.loop, (struct raw_peer *)NULL, b.bytes == 0);

	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST("3") "abc");
	net_until(&k.loop, &p, k.nheld == 1);
	raw_puts(&k.loop, &p, POST("500") "abc");
	net_until(&k.loop, &p, b.bytes > 500);
	kit_stop(&k, 0);
	/* The handler has this one still; the rest is gone with the server. */
	assert_true(b.bytes > 0);
	assert_true(b.bytes < 500);
	exchange_answer(k.held[0], 200, "", SLICE_NONE);
	assert_int_equal(b.bytes, 0);
	raw_close(&p);
	kit_close(&k);
}

static void a_body_that_was_read_may_go_early(void **state)
{
	(void)state;
	struct kit k;
	struct budget b;
	struct raw_peer p;
	open_with_budget(&k, &b);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST("5") "hello");
	net_until(&k.loop, &p, k.nheld == 1);
	exchange_drop_body(k.held[0]);
	assert_int_equal(b.bytes, 0);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("late"));
	net_until(&k.loop, &p, raw_has(&p, "late"));
	/* The connection, and the parser, serve on. */
	raw_puts(&k.loop, &p, POST("5") "world");
	net_until(&k.loop, &p, k.nheld == 2);
	assert_string_equal(k.body.ptr, "world");
	exchange_answer(k.held[1], 200, "", SLICE_LIT("again"));
	net_until(&k.loop, &p, raw_has(&p, "again"));
	raw_close(&p);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_room_is_503_before_the_body),
		cmocka_unit_test(who_sends_all_the_same_sees_the_answer),
		cmocka_unit_test(chunks_that_grow_over_are_refused),
		cmocka_unit_test(no_100_continue_without_room),
		cmocka_unit_test(too_long_is_413_also_without_room),
		cmocka_unit_test(nothing_stays_held),
		cmocka_unit_test(a_body_that_was_read_may_go_early),
	};
	return cmocka_run_group_tests_name("server_budget", tests, NULL, NULL);
}
