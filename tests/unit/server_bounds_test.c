/* server_bounds_test.c - what slow peers and crowds get: stretches with too few bytes, connections at
 * their limit, askers behind believed proxies.
 *
 * Times are short and awaited by their effect. Peers of another address bind 127.0.0.2, which every
 * Linux has. */
#include "server_kit.h"

#include <sys/stat.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST_OF(length) "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

/* A peer that comes from this address of the loopback net. */
static void open_from(struct raw_peer *p, const char *server, const char *from)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(strrchr(server, ':') + 1)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in at = { .sin_family = AF_INET };
	*p = (struct raw_peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	buf_init(&p->got, SIZE_MAX);
	assert_int_equal(inet_pton(AF_INET, from, &at.sin_addr), 1);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&to, sizeof to), 0);
}

/* Sends a byte a round until the server has closed. */
static void drip(struct kit *k, struct raw_peer *p, size_t bytes_max)
{
	int64_t give_up_ms = net_ms() + NET_PATIENCE_MS;
	for (size_t i = 0; !p->over && net_ms() < give_up_ms; i++) {
		if (i < bytes_max)
			raw_puts(&k->loop, p, "y");
		net_round(&k->loop, p);
	}
	assert_true(p->over);
}

static void a_drip_is_cut_before_its_time_is_up(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	/* The time-outs would leave it an hour. */
	config.bounds.head_timeout_ms = 3600000;
	config.bounds.body_timeout_ms = 3600000;
	config.bounds.rate_grace_ms = 60;
	config.bounds.rate_bytes_min = 1 << 20;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, "GET /slow HTTP/1.1\r\nX: ");
	drip(&k, &p, SIZE_MAX);
	assert_true(raw_has(&p, "HTTP/1.1 408 "));
	assert_true(raw_has(&p, "head of the request"));
	raw_close(&p);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST_OF("900000"));
	drip(&k, &p, SIZE_MAX);
	assert_true(raw_has(&p, "HTTP/1.1 408 "));
	assert_true(raw_has(&p, "body of the request"));
	assert_true(raw_has(&p, "Connection: close\r\n"));
	raw_close(&p);
	assert_int_equal(k.asked, 0);
	kit_close(&k);
}

static void who_is_fast_enough_has_as_many_stretches_as_it_takes(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.rate_grace_ms = 30;
	config.bounds.rate_bytes_min = 1;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, POST_OF("1000000"));
	int64_t begun_ms = net_ms();
	size_t sent = 0;
	char some[1000];
	memset(some, 'z', sizeof some);
	while (net_ms() < begun_ms + 200) {     /* that is six stretches and more */
		if (sent < 900) {
			raw_send(&k.loop, &p, some, 1);
			sent++;
		}
		net_round(&k.loop, &p);
	}
	assert_false(p.over);
	while (sent < 1000000) {
		size_t len = 1000000 - sent < sizeof some ? 1000000 - sent : sizeof some;
		raw_send(&k.loop, &p, some, len);
		sent += len;
	}
	net_until(&k.loop, &p, raw_has(&p, "200 OK"));
	assert_int_equal(k.body.len, 1000000);
	raw_close(&p);
	kit_close(&k);
}

/* Was: the time in which it had no leave to send was held against it. */
static void waiting_for_the_leave_to_send_is_not_slow(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	config.bounds.body_timeout_ms = 40;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p,
		GET("/first") "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
			      "Expect: 100-continue\r\n\r\n");
	net_until(&k.loop, &p, k.nheld == 1);
	int64_t begun_ms = net_ms();
	while (net_ms() < begun_ms + 100)
		net_round(&k.loop, &p);
	assert_int_equal(p.got.len, 0);
	k.hold = false;
	exchange_answer(k.held[0], 200, "", SLICE_LIT("now"));
	net_until(&k.loop, &p, raw_has(&p, "100 Continue"));
	raw_puts(&k.loop, &p, "hello");
	net_until(&k.loop, &p, raw_count(&p, "200 OK") == 2);
	raw_close(&p);
	kit_close(&k);
}

static void many_slow_ones_do_not_hold_up_a_good_one(void **state)
{
	(void)state;
	enum { SLOW = 300 };
	struct kit k;
	struct raw_peer good;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.rate_grace_ms = 150;
	kit_serve(&k, &config);
	struct raw_peer *slow = xalloc(SLOW * sizeof *slow);
	for (size_t i = 0; i < SLOW; i++) {
		raw_open(&slow[i], server_address(k.server));
		raw_puts(&k.loop, &slow[i], i % 2 == 0 ? "POST /s HTTP/1.1\r\nHo" : POST_OF("99"));
	}
	raw_open(&good, server_address(k.server));
	raw_puts(&k.loop, &good, GET("/good"));
	net_until(&k.loop, &good, raw_has(&good, "/good"));
	for (size_t i = 0; i < SLOW; i++) {
		net_until(&k.loop, &slow[i], slow[i].over);
		assert_true(raw_has(&slow[i], "HTTP/1.1 408 Request Timeout\r\n"));
		raw_close(&slow[i]);
	}
	assert_false(good.over);
	raw_puts(&k.loop, &good, GET("/again"));
	net_until(&k.loop, &good, raw_has(&good, "/again"));
	raw_close(&good);
	free(slow);
	kit_close(&k);
}

static void who_is_idle_longest_gives_way(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p[3];
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.connections_max = 2;
	kit_serve(&k, &config);
	for (int i = 0; i < 2; i++) {
		raw_open(&p[i], server_address(k.server));
		raw_puts(&k.loop, &p[i], GET("/one"));
		net_until(&k.loop, &p[i], raw_has(&p[i], "/one"));
	}
	/* Now the second one is. */
	raw_puts(&k.loop, &p[0], GET("/two"));
	net_until(&k.loop, &p[0], raw_has(&p[0], "/two"));
	raw_open(&p[2], server_address(k.server));
	raw_puts(&k.loop, &p[2], GET("/three"));
	net_until(&k.loop, &p[2], raw_has(&p[2], "/three"));
	net_until(&k.loop, &p[1], p[1].over);
	assert_int_equal(raw_count(&p[1], "HTTP/1.1"), 1);
	raw_puts(&k.loop, &p[0], GET("/four"));
	net_until(&k.loop, &p[0], raw_has(&p[0], "/four"));
	for (int i = 0; i < 3; i++)
		raw_close(&p[i]);
	kit_close(&k);
}

static void one_address_has_only_so_many_connections(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer one[2];
	struct raw_peer more;
	struct raw_peer other;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.connections_each_max = 2;
	kit_serve(&k, &config);
	for (int i = 0; i < 2; i++) {
		raw_open(&one[i], server_address(k.server));
		raw_puts(&k.loop, &one[i], GET("/one"));
		net_until(&k.loop, &one[i], raw_has(&one[i], "/one"));
	}
	raw_open(&more, server_address(k.server));
	raw_puts(&k.loop, &more, GET("/more"));
	net_until(&k.loop, &more, more.over);
	assert_true(raw_has(&more, "HTTP/1.1 429 Too Many Requests\r\n"));
	assert_true(raw_has(&more, "Retry-After: "));
	assert_true(raw_has(&more, "from this address\n"));
	assert_int_equal(k.asked, 2);
	raw_close(&more);
	open_from(&other, server_address(k.server), "127.0.0.2");
	raw_puts(&k.loop, &other, GET("/other"));
	net_until(&k.loop, &other, raw_has(&other, "/other"));
	raw_close(&other);
	/* A place that is given up can be had, as soon as its end is seen. */
	raw_close(&one[0]);
	bool served = false;
	for (int64_t end_ms = net_ms() + NET_PATIENCE_MS; !served && net_ms() < end_ms;) {
		raw_open(&more, server_address(k.server));
		raw_puts(&k.loop, &more, GET("/more"));
		net_until(&k.loop, &more, more.got.len > 0);
		served = raw_has(&more, "/more");
		if (!served)
			raw_close(&more);
	}
	assert_true(served);
	raw_close(&more);
	raw_close(&one[1]);
	kit_close(&k);
}

struct behind {
	struct kit k;                    /* first: the handler's owner */
	struct proxies proxies;
};

static void behind_open(struct behind *b, const char *proxies, size_t each_max)
{
	struct err err = { 0 };
	kit_open(&b->k);
	assert_int_equal(proxies_parse(&b->proxies, slice_of(proxies), &err), 0);
	struct server_config config = kit_config(&b->k);
	config.proxies = &b->proxies;
	config.bounds.connections_each_max = each_max;
	kit_serve(&b->k, &config);
}

static void a_proxys_requests_count_by_their_askers(void **state)
{
	(void)state;
	struct behind b;
	struct raw_peer p;
	behind_open(&b, "127.0.0.1", 2);
	b.k.hold = true;
	raw_open(&p, server_address(b.k.server));
#define FOR(who) "GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: " who "\r\n\r\n"
	raw_puts(&b.k.loop, &p, FOR("6.6.6.6, 192.0.2.1") FOR("192.0.2.1") FOR("7.7.7.7, 192.0.2.1") FOR("192.0.2.2"));
	net_until(&b.k.loop, &p, b.k.nheld == 3);
	assert_string_equal(exchange_peer(b.k.held[0]), "192.0.2.1");
	assert_string_equal(exchange_peer(b.k.held[1]), "192.0.2.1");
	assert_string_equal(exchange_peer(b.k.held[2]), "192.0.2.2");
	for (size_t i = 0; i < 3; i++)
		exchange_answer(b.k.held[i], 200, "", SLICE_LIT("ok"));
	net_until(&b.k.loop, &p, raw_count(&p, "HTTP/1.1 ") == 4);
	assert_int_equal(raw_count(&p, "HTTP/1.1 429 "), 1);
	assert_true(raw_has(&p, "Retry-After: "));
	/* It is no fault of the connection, which many share; and their places are free again. */
	assert_false(p.over);
	b.k.hold = false;
	raw_puts(&b.k.loop, &p, FOR("192.0.2.1") FOR("nonsense"));
	net_until(&b.k.loop, &p, raw_count(&p, "HTTP/1.1 200 ") == 5);
	raw_close(&p);

	/* Whoever is no believed proxy says nothing of others. */
	open_from(&p, server_address(b.k.server), "127.0.0.2");
	b.k.hold = true;
	b.k.nheld = 0;
	raw_puts(&b.k.loop, &p, FOR("192.0.2.1"));
	net_until(&b.k.loop, &p, b.k.nheld == 1);
	assert_int_equal(strncmp(exchange_peer(b.k.held[0]), "127.0.0.2:", 10), 0);
	exchange_answer(b.k.held[0], 200, "", SLICE_NONE);
	raw_close(&p);
	kit_close(&b.k);
}

static void a_proxys_connections_are_not_counted(void **state)
{
	(void)state;
	struct behind b;
	struct raw_peer p[4];
	behind_open(&b, "127.0.0.0/8", 1);
	for (int i = 0; i < 4; i++) {
		raw_open(&p[i], server_address(b.k.server));
		raw_puts(&b.k.loop, &p[i], FOR("[2001:db8::7]:80"));
		net_until(&b.k.loop, &p[i], raw_has(&p[i], "200 OK"));
	}
	for (int i = 0; i < 4; i++)
		raw_close(&p[i]);
	kit_close(&b.k);
}

static void a_socket_file_has_the_mode_it_was_told(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	struct proxies proxies;
	struct err err = { 0 };
	struct stat there = { 0 };
	char dir[] = "/tmp/fish-bounds-XXXXXX";
	char listen[64];
	assert_non_null(mkdtemp(dir));
	snprintf(listen, sizeof listen, "unix:%s/s", dir);
	assert_int_equal(proxies_parse(&proxies, SLICE_LIT("unix"), &err), 0);
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.listen = listen;
	config.unix_mode = 0660;
	config.proxies = &proxies;
	config.bounds.connections_each_max = 1;
	kit_serve(&k, &config);
	assert_int_equal(stat(listen + 5, &there), 0);
	assert_int_equal(there.st_mode & 0777, 0660);
	k.hold = true;
	raw_open(&p, listen);
	raw_puts(&k.loop, &p, FOR("192.0.2.9") GET("/") GET("/"));
	net_until(&k.loop, &p, k.nheld == 3);
	assert_string_equal(exchange_peer(k.held[0]), "192.0.2.9");
	assert_string_equal(exchange_peer(k.held[1]), "unix");
	for (size_t i = 0; i < 3; i++)
		exchange_answer(k.held[i], 200, "", SLICE_NONE);
	raw_close(&p);
	kit_close(&k);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_drip_is_cut_before_its_time_is_up),
		cmocka_unit_test(who_is_fast_enough_has_as_many_stretches_as_it_takes),
		cmocka_unit_test(waiting_for_the_leave_to_send_is_not_slow),
		cmocka_unit_test(many_slow_ones_do_not_hold_up_a_good_one),
		cmocka_unit_test(who_is_idle_longest_gives_way),
		cmocka_unit_test(one_address_has_only_so_many_connections),
		cmocka_unit_test(a_proxys_requests_count_by_their_askers),
		cmocka_unit_test(a_proxys_connections_are_not_counted),
		cmocka_unit_test(a_socket_file_has_the_mode_it_was_told),
	};
	return cmocka_run_group_tests_name("server bounds", tests, NULL, NULL);
}
