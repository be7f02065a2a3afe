/* server_life_test.c - how connections end, what limits cut, and what may be listened on.
 *
 * Timeouts are short here and awaited by their effect; nothing sleeps. */
#include "server_kit.h"

#include <malloc.h>
#include <sys/stat.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HALF_POST "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"

static void slow_ones_are_cut(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.head_timeout_ms = 60;
	config.bounds.body_timeout_ms = 40;
	config.bounds.idle_timeout_ms = 200;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, "GET /slow HTTP/1.1\r\nHo");
	net_until(&k.loop, &p, p.over);
	assert_true(raw_has(&p, "HTTP/1.1 408 "));
	assert_true(raw_has(&p, "head of the request"));
	raw_close(&p);

	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, HALF_POST);
	net_until(&k.loop, &p, p.over);
	assert_true(raw_has(&p, "HTTP/1.1 408 "));
	assert_true(raw_has(&p, "body of the request"));
	raw_close(&p);

	/* Idle: before the first request, and after one. */
	raw_open(&p, server_address(k.server));
	net_until(&k.loop, &p, p.over);
	assert_int_equal(p.got.len, 0);
	raw_close(&p);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/i"));
	net_until(&k.loop, &p, p.over);
	assert_int_equal(raw_count(&p, "HTTP/1.1 "), 1);
	raw_close(&p);
	kit_close(&k);
}

static void dripping_does_not_help(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.head_timeout_ms = 80;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, "GET /slow HTTP/1.1\r\nX: ");
	int64_t give_up_ms = net_ms() + NET_PATIENCE_MS;
	while (!p.over && net_ms() < give_up_ms) {
		raw_puts(&k.loop, &p, "y");
		net_round(&k.loop, &p);
	}
	assert_true(raw_has(&p, "HTTP/1.1 408 "));
	raw_close(&p);
	kit_close(&k);
}

static void who_never_reads_is_cut(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	size_t len = 16 << 20;
	k.answer = (struct slice){ xalloc(len), len };
	struct server_config config = kit_config(&k);
	config.bounds.write_timeout_ms = 60;
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/1"));
	net_until(&k.loop, (struct raw_peer *)NULL, k.asked == 1);
	size_t fds = count_fds();
	net_until(&k.loop, (struct raw_peer *)NULL, count_fds() == fds - 1);
	free((char *)(uintptr_t)k.answer.ptr);
	raw_close(&p);
	kit_close(&k);
}

static void drain_lets_the_asked_be_answered(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer busy;
	struct raw_peer half;
	struct raw_peer idle;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&busy, server_address(k.server));
	raw_open(&half, server_address(k.server));
	raw_open(&idle, server_address(k.server));
	raw_puts(&k.loop, &busy, GET("/busy"));
	raw_puts(&k.loop, &half, HALF_POST);
	net_until(&k.loop, &busy, k.nheld == 1);
	for (int i = 0; i < 5; i++)
		net_round(&k.loop, &half);
	server_drain(k.server, 60000, kit_drained, &k);
	net_until(&k.loop, &idle, idle.over);
	assert_int_equal(idle.got.len, 0);
	assert_false(k.drained);
	raw_puts(&k.loop, &half, "-body");
	net_until(&k.loop, &half, k.nheld == 2);
	exchange_answer(k.held[1], 200, "", SLICE_LIT("two"));
	net_until(&k.loop, &half, half.over);
	assert_true(raw_has(&half, "Connection: close\r\n"));
	exchange_answer(k.held[0], 200, "", SLICE_LIT("one"));
	net_until(&k.loop, &busy, busy.over);
	assert_true(raw_has(&busy, "Connection: close\r\n"));
	assert_true(raw_has(&busy, "one"));
	net_until(&k.loop, &busy, k.drained);
	assert_int_equal(k.gone, 0);
	k.server = server_free(k.server);
	raw_close(&busy);
	raw_close(&half);
	raw_close(&idle);
	kit_close(&k);
}

static void drain_cuts_after_its_grace(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/1") GET("/2"));
	net_until(&k.loop, &p, k.nheld == 2);
	kit_stop(&k, 30);
	net_until(&k.loop, &p, p.over);
	assert_int_equal(k.gone, 2);
	/* The server is freed, and the exchanges still wait for their answers. */
	assert_false(exchange_alive(k.held[0]));
	exchange_answer(k.held[1], 200, "", SLICE_LIT("to nobody"));
	exchange_answer(k.held[0], 200, "", SLICE_LIT("to nobody"));
	raw_close(&p);
	kit_close(&k);
}

static void gone_before_the_answer(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	k.hold = true;
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/1") GET("/2"));
	net_until(&k.loop, &p, k.nheld == 2);
	struct linger reset = { .l_onoff = 1 };
	setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	raw_close(&p);
	net_until(&k.loop, (struct raw_peer *)NULL, k.gone == 2);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("to nobody"));
	exchange_answer(k.held[1], 200, "", SLICE_LIT("to nobody"));

	/* Who only has nothing more to send still gets its answer. */
	k.nheld = 0;
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, GET("/3"));
	shutdown(p.fd, SHUT_WR);
	net_until(&k.loop, &p, k.gone == 3);
	exchange_answer(k.held[0], 200, "", SLICE_LIT("three"));
	net_until(&k.loop, &p, p.over);
	assert_true(raw_has(&p, "three"));
	raw_close(&p);

	/* And one that goes in the middle of its request was never asked about. */
	raw_open(&p, server_address(k.server));
	raw_puts(&k.loop, &p, HALF_POST);
	shutdown(p.fd, SHUT_WR);
	net_until(&k.loop, &p, p.over);
	assert_int_equal(p.got.len, 0);
	assert_int_equal(k.asked, 3);
	raw_close(&p);
	kit_close(&k);
}

static void connections_over_the_limit_wait(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer one;
	struct raw_peer two;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.bounds.connections_max = 1;
	kit_serve(&k, &config);
	raw_open(&one, server_address(k.server));
	k.hold = true;
	raw_puts(&k.loop, &one, GET("/one"));
	net_until(&k.loop, &one, k.nheld == 1);
	raw_open(&two, server_address(k.server));
	raw_puts(&k.loop, &two, GET("/two"));
	for (int i = 0; i < 5; i++)
		net_round(&k.loop, &two);
	/* Who waits for an answer is not idle. */
	assert_int_equal(k.asked, 1);
	assert_false(one.over);
	k.hold = false;
	exchange_answer(k.held[0], 200, "", SLICE_LIT("one"));
	raw_close(&one);
	net_until(&k.loop, &two, raw_has(&two, "/two"));
	raw_close(&two);
	kit_close(&k);
}

static void idle_connections_are_small(void **state)
{
	(void)state;
	enum { IDLE = 300,
		BYTES_EACH_MAX = 2048 };
	struct kit k;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	struct raw_peer *peers = xalloc(IDLE * sizeof *peers);
	char head[4096];
	snprintf(head, sizeof head,
		"POST /m HTTP/1.1\r\nHost: a\r\nX: %01000d\r\nContent-Length: 3000\r\n\r\n%03000d",
		1, 2);
	raw_open(&peers[0], server_address(k.server));
	raw_puts(&k.loop, &peers[0], head);
	net_until(&k.loop, &peers[0], raw_has(&peers[0], "/m"));
	size_t before = mallinfo2().uordblks;
	for (size_t i = 1; i < IDLE; i++) {
		raw_open(&peers[i], server_address(k.server));
		raw_puts(&k.loop, &peers[i], head);
		net_until(&k.loop, &peers[i], raw_has(&peers[i], "/m"));
		buf_fini(&peers[i].got);
	}
	size_t after = mallinfo2().uordblks;
	assert_true(after <= before + (size_t)IDLE * BYTES_EACH_MAX);
	for (size_t i = 0; i < IDLE; i++)
		raw_close(&peers[i]);
	free(peers);
	kit_close(&k);
}

static void taken_port(void **state)
{
	(void)state;
	struct kit k;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	kit_serve(&k, &config);
	struct server *other = NULL;
	struct err err = { 0 };
	config.listen = server_address(k.server);
	assert_int_equal(server_open(&other, &config, &err), FISH_EBUSY);
	assert_null(other);
	assert_non_null(strstr(err.text, server_address(k.server)));
	assert_non_null(strstr(err.text, "choose another address"));
	config.listen = "127.0.0.1:notaport";
	assert_true(server_open(&other, &config, &err) < 0);
	config.listen = "192.0.2.1:0";
	assert_int_equal(server_open(&other, &config, &err), FISH_EINVAL);
	assert_non_null(strstr(err.text, "192.0.2.1:0"));
	kit_close(&k);
}

static void all_addresses(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.listen = ":0";
	kit_serve(&k, &config);
	raw_open(&p, server_address(k.server));
	k.hold = true;
	raw_puts(&k.loop, &p, GET("/v4"));
	net_until(&k.loop, &p, k.nheld == 1);
	assert_int_equal(strncmp(exchange_peer(k.held[0]), "127.0.0.1:", 10), 0);
	exchange_answer(k.held[0], 200, "", SLICE_NONE);
	net_until(&k.loop, &p, raw_has(&p, "200 OK"));
	raw_close(&p);
	kit_close(&k);
}

/* A directory of its own for a socket; the caller removes it. */
static void make_dir(char dir[64], char listen[96])
{
	snprintf(dir, 64, "/tmp/fish-server-test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(listen, 96, "unix:%s/s.sock", dir);
}

static void unix_socket(void **state)
{
	(void)state;
	struct kit k;
	struct raw_peer p;
	char dir[64];
	char listen[96];
	struct stat at;
	struct err err = { 0 };
	make_dir(dir, listen);
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.listen = listen;

	/* What a kill -9 leaves behind: a socket file that nobody answers. */
	struct sockaddr_un dead = { .sun_family = AF_UNIX };
	snprintf(dead.sun_path, sizeof dead.sun_path, "%s", listen + 5);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&dead, sizeof dead), 0);
	close(fd);
	kit_serve(&k, &config);
	assert_string_equal(server_address(k.server), listen);
	assert_int_equal(stat(listen + 5, &at), 0);
	assert_int_equal(at.st_mode & 0777, 0600);

	/* A living one is left in peace, and goes on. */
	struct server *other = NULL;
	assert_int_equal(server_open(&other, &config, &err), FISH_EBUSY);
	assert_non_null(strstr(err.text, "a running server answers there"));
	assert_non_null(strstr(err.text, listen));
	raw_open(&p, listen);
	k.hold = true;
	raw_puts(&k.loop, &p, GET("/u"));
	net_until(&k.loop, &p, k.nheld == 1);
	assert_string_equal(exchange_peer(k.held[0]), "unix");
	exchange_answer(k.held[0], 200, "", SLICE_LIT("unix"));
	net_until(&k.loop, &p, raw_has(&p, "unix"));
	raw_close(&p);
	kit_close(&k);
	assert_int_equal(stat(listen + 5, &at), -1); /* it took its file along */
	assert_int_equal(rmdir(dir), 0);
}

static void unix_paths_that_cannot_be(void **state)
{
	(void)state;
	struct kit k;
	char dir[64];
	char listen[96];
	struct err err = { 0 };
	struct server *server = NULL;
	make_dir(dir, listen);
	kit_open(&k);
	struct server_config config = kit_config(&k);
	config.listen = listen;
	FILE *file = fopen(listen + 5, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(server_open(&server, &config, &err), FISH_EINVAL);
	assert_non_null(strstr(err.text, "no socket"));
	assert_int_equal(unlink(listen + 5), 0); /* it is still there */
	assert_int_equal(rmdir(dir), 0);
	assert_true(server_open(&server, &config, &err) < 0);
	assert_non_null(strstr(err.text, listen));
	char longer[200];
	snprintf(longer, sizeof longer, "unix:/tmp/%0120d", 0);
	config.listen = longer;
	assert_int_equal(server_open(&server, &config, &err), FISH_EINVAL);
	assert_non_null(strstr(err.text, "107"));
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_ones_are_cut),
		cmocka_unit_test(dripping_does_not_help),
		cmocka_unit_test(who_never_reads_is_cut),
		cmocka_unit_test(drain_lets_the_asked_be_answered),
		cmocka_unit_test(drain_cuts_after_its_grace),
		cmocka_unit_test(gone_before_the_answer),
		cmocka_unit_test(connections_over_the_limit_wait),
		cmocka_unit_test(idle_connections_are_small),
		cmocka_unit_test(taken_port),
		cmocka_unit_test(all_addresses),
		cmocka_unit_test(unix_socket),
		cmocka_unit_test(unix_paths_that_cannot_be),
	};
	return cmocka_run_group_tests_name("server life", tests, NULL, NULL);
}
