/* client_guard_test.c - a connection that holds more than was asked for is not used again.
 *
 * The peer is a raw socket that the test answers by hand, byte by byte as it likes. */
#include "net_test.h"

#include "net/client.h"

#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>

struct call {
	struct attempt attempt;
	struct buf     body;
	int            status;
	size_t         done;
};

struct side {
	uv_loop_t      loop;
	struct client *client;
	int            listener;
	char           url[64];
	bool           drained;
};

static void on_done(struct attempt *a, int status, struct slice meta, struct slice body,
	int64_t retry_after_ms, const char *why)
{
	struct call *c = container_of(a, struct call, attempt);
	(void)meta;
	(void)retry_after_ms;
	if (status == 0)
		print_message("%s\n", why);
	c->status = status;
	c->done++;
	buf_put_slice(&c->body, body);
}

static void on_wake(void *arg)
{
	(void)arg;
}

static void on_drained(void *arg)
{
	struct side *s = arg;
	s->drained = true;
}

static void side_open(struct side *s)
{
	*s = (struct side){ 0 };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	signal(SIGPIPE, SIG_IGN);
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
	assert_int_equal(uv_loop_init(&s->loop), 0);
	struct err err = { 0 };
	assert_int_equal(client_open(&s->client, &(struct client_config){ .loop = &s->loop, .wake = on_wake }, &err), 0);
}

static void side_close(struct side *s)
{
	client_drain(s->client, on_drained, s);
	net_until(&s->loop, (struct raw_peer *)NULL, s->drained);
	s->client = client_free(s->client);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
	close(s->listener);
}

static void call_send(struct side *s, struct call *c)
{
	*c = (struct call){
		.attempt = {
			.method = SLICE_LIT("POST"),
			.url = slice_of(s->url),
			.headers = SLICE_LIT("Content-Type: application/json\n"),
			.body = SLICE_LIT("{}"),
			.timeout_ms = NET_PATIENCE_MS,
			.done = on_done,
		},
	};
	buf_init(&c->body, SIZE_MAX);
	client_send(s->client, &c->attempt);
}

/* The call has come over this connection; it is answered, and has heard. */
static void serve(struct side *s, struct call *c, struct raw_peer *p, const char *answer, int status)
{
	net_until(&s->loop, p, raw_has(p, "\r\n\r\n{}"));
	buf_reset(&p->got);
	raw_puts(&s->loop, p, answer);
	net_until(&s->loop, (struct raw_peer *)NULL, c->done == 1);
	assert_int_equal(c->status, status);
}

/* The call opens a connection. */
static void take(struct side *s, struct raw_peer *p)
{
	*p = (struct raw_peer){ .fd = -1 };
	buf_init(&p->got, SIZE_MAX);
	net_until(&s->loop, (struct raw_peer *)NULL, (p->fd = accept(s->listener, NULL, NULL)) >= 0);
}

/* Bytes that the other end's system has not said yet to have received. */
static int unreceived(int fd)
{
	int n = -1;
	assert_int_equal(ioctl(fd, SIOCOUTQ, &n), 0);
	return n;
}

#define ANSWER(status, text) "HTTP/1.1 " status " X\r\nContent-Length: 4\r\n\r\n" text

/* Was: curl took what lay in the connection for the answer to the next call. */
static void an_answer_that_nobody_asked_for(void **state)
{
	(void)state;
	struct side s;
	struct call c;
	struct raw_peer one;
	struct raw_peer two;
	side_open(&s);
	call_send(&s, &c);
	take(&s, &one);
	serve(&s, &c, &one, ANSWER("200", "good"), 200);
	buf_fini(&c.body);
	/* In order, so it is used again. */
	call_send(&s, &c);
	serve(&s, &c, &one, ANSWER("200", "good"), 200);
	buf_fini(&c.body);
	raw_puts(&s.loop, &one, ANSWER("200", "evil"));
	net_until(&s.loop, &one, unreceived(one.fd) == 0);

	call_send(&s, &c);
	take(&s, &two);
	serve(&s, &c, &two, ANSWER("201", "good"), 201);
	assert_string_equal(c.body.ptr, "good");
	buf_fini(&c.body);
	net_until(&s.loop, &one, one.over);
	raw_close(&one);

	/* The second has done nothing wrong. */
	call_send(&s, &c);
	serve(&s, &c, &two, ANSWER("202", "good"), 202);
	buf_fini(&c.body);
	raw_close(&two);
	side_close(&s);
}

/* What a stranger wrote is https to the public internet, or nothing: here is the listener it would reach. */
static void a_strangers_url_leads_nowhere_near(void **state)
{
	(void)state;
	struct side s;
	side_open(&s);
	char secure[80];
	snprintf(secure, sizeof secure, "https%s", s.url + 4);
	const char *const urls[] = { s.url, secure, "https://localhost:1/", "https://[::ffff:127.0.0.1]:1/", "https://0x7f.1:1/",
		"https://169.254.169.254/latest/meta-data", "file:///etc/passwd" };
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct call c = { .attempt = { .method = SLICE_LIT("GET"), .url = slice_of(urls[i]), .timeout_ms = 20000,
			.stranger = true, .done = on_done } };
		buf_init(&c.body, SIZE_MAX);
		client_send(s.client, &c.attempt);
		net_until(&s.loop, (struct raw_peer *)NULL, c.done == 1);
		assert_int_equal(c.status, 0);
		buf_fini(&c.body);
	}
	assert_int_equal(accept(s.listener, NULL, NULL), -1);    /* nobody knocked */
	side_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_that_nobody_asked_for),
		cmocka_unit_test(a_strangers_url_leads_nowhere_near),
	};
	return cmocka_run_group_tests_name("client guard", tests, NULL, NULL);
}
