/* client_test.c - calls out, against a server of our own on the same loop.
 *
 * What went over the wire is looked at from the server's side; answers that a server of
 * ours would not give come from a raw socket that the test answers by hand. */
#include "server_kit.h"

#include "net/client.h"
#include "net/client_private.h"
#include "net/ingress.h"
#include "net/retry_after.h"

enum { PEERS_SEEN_MAX = 512 };

struct call {
	struct attempt attempt;
	struct buf url, meta, body;
	char why[300];
	int status;
	int64_t retry_after_ms;
	size_t done;
};

struct bench {
	uv_loop_t loop;
	struct server *server;
	struct client *client;
	struct exchange *held;
	bool hold;
	bool sending; /* inside client_send */
	struct buf meta; /* of the last request */
	struct buf body;
	const char *lines; /* of the answers */
	struct slice answer; /* NONE: the request's body */
	int status;
	size_t asked;
	struct buf peers; /* those seen, a line each */
	size_t npeers;
	size_t wakes;
	size_t drained;
	size_t fds;
};

static int on_head(void *owner, struct exchange *x, const struct http1 *head)
{
	(void)owner;
	(void)x;
	(void)head;
	return 0;
}

static void on_request(void *owner, struct exchange *x, const struct http1 *req)
{
	struct bench *b = owner;
	char peer[80];
	b->asked++;
	buf_reset(&b->meta);
	assert_true(meta_put(&b->meta, req, "-"));
	buf_printf(&b->meta, "path: %.*s\n", (int)req->path.len, req->path.ptr);
	buf_reset(&b->body);
	buf_put_slice(&b->body, buf_slice(&req->body));
	snprintf(peer, sizeof peer, "%s\n", exchange_peer(x));
	if (b->peers.ptr == NULL || strstr(b->peers.ptr, peer) == NULL) {
		buf_puts(&b->peers, peer);
		b->npeers++;
	}
	if (b->hold)
		b->held = x;
	else
		exchange_answer(x, b->status, b->lines,
			b->answer.ptr == NULL ? buf_slice(&req->body) : b->answer);
}

static void on_wake(void *arg)
{
	struct bench *b = arg;
	b->wakes++;
}

static struct bench *bench_of_test; /* done gets only the attempt */

static void on_done(struct attempt *a, int status, struct slice meta, struct slice body,
	int64_t retry_after_ms, const char *why)
{
	struct call *c = container_of(a, struct call, attempt);
	assert_false(bench_of_test->sending);
	c->done++;
	c->status = status;
	c->retry_after_ms = retry_after_ms;
	buf_put_slice(&c->meta, meta);
	buf_put_slice(&c->body, body);
	if (status == 0) {
		assert_non_null(why);
		snprintf(c->why, sizeof c->why, "%s", why);
	}
}

static void bench_open(struct bench *b, size_t answer_bytes_max)
{
	signal(SIGPIPE, SIG_IGN);
	*b = (struct bench){ .status = 200, .lines = "" };
	bench_of_test = b;
	buf_init(&b->meta, SIZE_MAX);
	buf_init(&b->body, SIZE_MAX);
	buf_init(&b->peers, SIZE_MAX);
	/* The first loop of a process opens descriptors that libuv keeps. */
	assert_int_equal(uv_loop_init(&b->loop), 0);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	b->fds = count_fds();
	assert_int_equal(uv_loop_init(&b->loop), 0);
	struct server_config server = {
		.loop = &b->loop,
		.handler = { .owner = b, .head = on_head, .request = on_request },
		.listen = "127.0.0.1:0",
		.limits = { .body_bytes_max = 8 << 20 },
	};
	struct client_config client = {
		.loop = &b->loop,
		.answer_bytes_max = answer_bytes_max,
		.wake = on_wake,
		.wake_arg = b,
	};
	struct err err = { 0 };
	assert_int_equal(server_open(&b->server, &server, &err), 0);
	assert_int_equal(client_open(&b->client, &client, &err), 0);
}

static void on_drained(void *arg)
{
	struct bench *b = arg;
	b->drained++;
}

static void bench_close(struct bench *b)
{
	struct raw_peer *none = NULL;
	client_drain(b->client, on_drained, b);
	net_until(&b->loop, none, b->drained == 1);
	b->client = client_free(b->client);
	server_drain(b->server, 0, on_drained, b);
	net_until(&b->loop, none, b->drained == 2);
	b->server = server_free(b->server);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&b->loop), 0);
	assert_int_equal(count_fds(), b->fds);
	buf_fini(&b->meta);
	buf_fini(&b->body);
	buf_fini(&b->peers);
}

/* A POST of "{}" to the path at the address; the test changes what it wants before
 * call_send. */
static void call_init(struct call *c, const char *address, const char *path)
{
	*c = (struct call){ .status = -1 };
	buf_init(&c->url, SIZE_MAX);
	buf_init(&c->meta, SIZE_MAX);
	buf_init(&c->body, SIZE_MAX);
	buf_printf(&c->url, "http://%s%s", address, path);
	c->attempt = (struct attempt){
		.method = SLICE_LIT("POST"),
		.url = buf_slice(&c->url),
		.headers = SLICE_LIT(
			"Idempotency-Key: k-1\nContent-Type: application/json\n"),
		.body = SLICE_LIT("{}"),
		.key = SLICE_LIT("k-1"),
		.timeout_ms = NET_PATIENCE_MS,
		.done = on_done,
	};
}

static void call_send(struct bench *b, struct call *c)
{
	b->sending = true;
	client_send(b->client, &c->attempt);
	b->sending = false;
}

static void call_fini(struct call *c)
{
	buf_fini(&c->url);
	buf_fini(&c->meta);
	buf_fini(&c->body);
}

/* Sends and waits until it is done. */
static void call_run(struct bench *b, struct call *c)
{
	call_send(b, c);
	net_until(&b->loop, (struct raw_peer *)NULL, c->done == 1);
}

static bool has(const struct buf *b, const char *text)
{
	return b->ptr != NULL && strstr(b->ptr, text) != NULL;
}

static void headers_and_body_as_given(void **state)
{
	(void)state;
	struct bench b;
	struct call c;
	bench_open(&b, 0);
	call_init(&c, server_address(b.server), "/p?q=1");
	c.attempt.headers =
		SLICE_LIT("Idempotency-Key: k-1\nX-Empty:\nAuthorization: Bearer t\n"
			  "Content-Length: 77\n");
	c.attempt.body = (struct slice){ "a\0b\xff\r\n", 6 };
	b.lines = "X-Answer:  Yes \r\nX-Two: 2\r\n";
	b.status = 201;
	call_run(&b, &c);
	assert_int_equal(c.status, 201);
	assert_int_equal(c.body.len, 6);
	assert_memory_equal(c.body.ptr, "a\0b\xff\r\n", 6);
	assert_true(has(&c.meta, "x-answer: Yes\nx-two: 2\n"));
	assert_int_equal(c.retry_after_ms, -1);
	assert_true(has(&b.meta, ":method: POST\n:query: q=1\n"));
	assert_true(has(
		&b.meta, "idempotency-key: k-1\nx-empty: \nauthorization: Bearer t\n"));
	assert_true(has(&b.meta, "user-agent: fish\n"));
	assert_false(has(&b.meta, "content-type"));
	assert_int_equal(b.wakes, 1);
	call_fini(&c);

	/* A large one both ways, without a pause for the leave to send it. */
	size_t len = 3 << 20;
	char *much = xalloc(len);
	for (size_t i = 0; i < len; i++)
		much[i] = (char)(i * 7 + i / 4093);
	call_init(&c, server_address(b.server), "/");
	c.attempt.body = (struct slice){ much, len };
	call_run(&b, &c);
	assert_int_equal(c.body.len, len);
	assert_memory_equal(c.body.ptr, much, len);
	free(much);
	call_fini(&c);
	bench_close(&b);
}

static void methods(void **state)
{
	(void)state;
	static const char *const names[] = { "GET", "PUT", "HEAD", "DELETE", "POST",
		"PATCH", "GET" };
	struct bench b;
	bench_open(&b, 0);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct call c;
		char line[32];
		snprintf(line, sizeof line, ":method: %s\n", names[i]);
		call_init(&c, server_address(b.server), "/m");
		c.attempt.method = slice_of(names[i]);
		c.attempt.body = SLICE_NONE;
		b.answer = SLICE_LIT("answer");
		call_run(&b, &c);
		assert_int_equal(c.status, 200);
		assert_true(has(&b.meta, line));
		assert_int_equal(b.body.len, 0);
		assert_int_equal(c.body.len, strcmp(names[i], "HEAD") == 0 ? 0 : 6);
		call_fini(&c);
	}
	bench_close(&b);
}

static void connections_are_used_again(void **state)
{
	(void)state;
	enum { ROUNDS = 20,
		TOGETHER = 100 };
	struct bench b;
	struct call c;
	bench_open(&b, 0);
	for (int i = 0; i < ROUNDS; i++) {
		call_init(&c, server_address(b.server), "/r");
		call_run(&b, &c);
		assert_int_equal(c.status, 200);
		call_fini(&c);
	}
	assert_int_equal(b.npeers, 1);
	struct call *many = xalloc(TOGETHER * sizeof *many);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < TOGETHER; i++) {
			call_init(&many[i], server_address(b.server), "/r");
			call_send(&b, &many[i]);
		}
		for (size_t i = 0; i < TOGETHER; i++) {
			net_until(&b.loop, (struct raw_peer *)NULL, many[i].done == 1);
			assert_int_equal(many[i].status, 200);
			call_fini(&many[i]);
		}
	}
	assert_true(b.npeers <= TOGETHER);
	assert_int_equal(b.asked, ROUNDS + 3 * TOGETHER);
	free(many);
	bench_close(&b);
}

static void answers_that_do_not_come(void **state)
{
	(void)state;
	struct bench b;
	struct call c;
	bench_open(&b, 1000);
	b.hold = true;
	call_init(&c, server_address(b.server), "/");
	c.attempt.timeout_ms = 50;
	call_run(&b, &c);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.why, "timed out"));
	exchange_answer(b.held, 200, "", SLICE_NONE);
	call_fini(&c);

	/* Nobody listens on a port that was just given back. */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	char address[32];
	snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
	call_init(&c, address, "/");
	call_run(&b, &c);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.why, "onnect"));
	assert_int_equal(c.retry_after_ms, -1);
	call_fini(&c);
	close(fd);

	b.hold = false;
	char large[1001] = "";
	b.answer = (struct slice){ large, 1001 };
	call_init(&c, server_address(b.server), "/");
	call_run(&b, &c);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.why, "larger than the limit"));
	call_fini(&c);
	b.answer.len = 1000;
	call_init(&c, server_address(b.server), "/");
	call_run(&b, &c);
	assert_int_equal(c.status, 200);
	assert_int_equal(c.body.len, 1000);
	call_fini(&c);
	bench_close(&b);
}

static void what_cannot_be_sent(void **state)
{
	(void)state;
	struct bench b;
	struct call c;
	bench_open(&b, 0);
	call_init(&c, server_address(b.server), "/");
	c.attempt.headers = SLICE_LIT("X-A: 1\rX-Injected: 2\n");
	call_run(&b, &c);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.why, "line end"));
	call_fini(&c);
	call_init(&c, server_address(b.server), "/");
	c.attempt.url = SLICE_LIT("file:///etc/hostname");
	call_run(&b, &c);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.why, "rotocol"));
	call_fini(&c);
	call_init(&c, server_address(b.server), "/");
	c.attempt.secret = SLICE_LIT("whsec_!!!");
	call_run(&b, &c);
	assert_int_equal(c.status, 0);
	assert_non_null(strstr(c.why, "whsec_"));
	call_fini(&c);
	assert_int_equal(b.asked, 0);
	bench_close(&b);
}

static void redirects_are_answers(void **state)
{
	(void)state;
	struct bench b;
	struct call c;
	bench_open(&b, 0);
	b.status = 307;
	b.lines = "Location: /elsewhere\r\n";
	call_init(&c, server_address(b.server), "/here");
	call_run(&b, &c);
	assert_int_equal(c.status, 307);
	assert_true(has(&c.meta, "location: /elsewhere\n"));
	assert_int_equal(b.asked, 1);
	call_fini(&c);
	bench_close(&b);
}

static void abandoned_in_the_middle(void **state)
{
	(void)state;
	struct bench b;
	struct call c;
	struct call later;
	bench_open(&b, 0);
	b.hold = true;
	call_init(&c, server_address(b.server), "/");
	call_send(&b, &c);
	net_until(&b.loop, (struct raw_peer *)NULL, b.asked == 1);
	client_abandon(b.client, &c.attempt);
	assert_null(c.attempt.transport_data);
	call_init(&later, server_address(b.server), "/");
	call_send(&b, &later);
	client_abandon(b.client, &later.attempt);
	call_fini(&later);
	exchange_answer(b.held, 200, "", SLICE_NONE);
	b.hold = false;
	call_init(&later, server_address(b.server), "/");
	call_run(&b, &later);
	assert_int_equal(later.status, 200);
	assert_int_equal(c.done, 0);
	call_fini(&later);
	/* One more is under way when all ends. */
	b.hold = true;
	call_send(&b, &c);
	net_until(&b.loop, (struct raw_peer *)NULL, b.asked == 3);
	bench_close(&b);
	exchange_answer(b.held, 200, "", SLICE_NONE);
	assert_int_equal(c.done, 0);
	call_fini(&c);
}

static void retry_after_of_answers(void **state)
{
	(void)state;
	struct bench b;
	struct call c;
	bench_open(&b, 0);
	b.status = 503;
	b.lines = "Retry-After: 7\r\n";
	call_init(&c, server_address(b.server), "/");
	call_run(&b, &c);
	assert_int_equal(c.status, 503);
	assert_int_equal(c.retry_after_ms, 7000);
	call_fini(&c);
	char line[64];
	time_t at = time(NULL) + 3600;
	struct tm date;
	strftime(line, sizeof line, "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n",
		gmtime_r(&at, &date));
	b.lines = line;
	call_init(&c, server_address(b.server), "/");
	call_run(&b, &c);
	assert_true(c.retry_after_ms > 3500000);
	assert_true(c.retry_after_ms <= 3600000);
	call_fini(&c);
	bench_close(&b);
}

static void retry_after_values(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		int64_t ms;
	} cases[] = {
		{ "120", 120000 },
		{ "0", 0 },
		{ "120.1", 121000 },
		{ "120.0", 120000 },
		{ "invalid", -1 },
		{ "", -1 },
		{ "-5", -1 },
		{ "5 s", -1 },
		{ "1e3", -1 },
		{ "99999999999999999999", -1 },
		{ "20261123", INT64_C(20261123000) },
		/* now is Sun, 06 Nov 1994 08:49:00 GMT. */
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 37000 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 37000 },
		{ "Sun Nov  6 08:49:37 1994", 37000 },
		{ "Sun, 06 Nov 1994 08:48:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 CET", -1 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT+1", -1 },
		{ "Sun, 31 Feb 1995 08:49:37 GMT", -1 },
		{ "Sun, 06 Nov 1994 28:49:37 GMT", -1 },
		{ "Sun, 06 Foo 1994 08:49:37 GMT", -1 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t ms = retry_after_ms(slice_of(cases[i].value), 784111740);
		if (ms != cases[i].ms)
			fail_msg("\"%s\" gave %lld", cases[i].value, (long long)ms);
	}
}

static void signed_by_standard_webhooks(void **state)
{
	(void)state;
	/* The example of the specification's own documentation. */
	static const char want[] =
		"webhook-id: msg_loFOjxBNrRLzqYUf\0webhook-timestamp: 1731705121\0"
		"webhook-signature: v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=";
	struct buf out;
	buf_init(&out, SIZE_MAX);
	assert_int_equal(
		sign_put(&out, SLICE_LIT("whsec_plJ3nmyCDGBKInavdOK15jsl"),
			SLICE_LIT("msg_loFOjxBNrRLzqYUf"), 1731705121,
			SLICE_LIT(
				"{\"event_type\":\"ping\",\"data\":{\"success\":true}}")),
		0);
	assert_int_equal(out.len, sizeof want);
	assert_memory_equal(out.ptr, want, sizeof want);
	/* A secret without the prefix is its own bytes: here those of the base64 above. */
	struct buf plain;
	buf_init(&plain, SIZE_MAX);
	static const char bytes[] =
		"\xa6\x52\x77\x9e\x6c\x82\x0c\x60\x4a\x22\x76\xaf\x74\xe2\xb5\xe6\x3b\x25";
	assert_int_equal(
		sign_put(&plain, SLICE_LIT(bytes), SLICE_LIT("msg_loFOjxBNrRLzqYUf"),
			1731705121,
			SLICE_LIT(
				"{\"event_type\":\"ping\",\"data\":{\"success\":true}}")),
		0);
	assert_memory_equal(plain.ptr, want, sizeof want);
	buf_fini(&out);
	buf_fini(&plain);

	struct bench b;
	struct call c;
	bench_open(&b, 0);
	call_init(&c, server_address(b.server), "/");
	c.attempt.secret = SLICE_LIT("whsec_plJ3nmyCDGBKInavdOK15jsl");
	int64_t before_s = time(NULL);
	call_run(&b, &c);
	assert_true(has(&b.meta, "webhook-id: k-1\n"));
	const char *at = strstr(b.meta.ptr, "webhook-timestamp: ");
	assert_non_null(at);
	int64_t stamp_s = atoll(at + strlen("webhook-timestamp: "));
	assert_true(stamp_s >= before_s && stamp_s <= time(NULL));
	struct buf again;
	buf_init(&again, SIZE_MAX);
	assert_int_equal(sign_put(&again, c.attempt.secret, SLICE_LIT("k-1"), stamp_s,
				 c.attempt.body),
		0);
	const char *signature = memmem(again.ptr, again.len, "webhook-signature: ", 19);
	assert_non_null(signature);
	assert_true(has(&b.meta, signature));
	buf_fini(&again);
	call_fini(&c);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_and_body_as_given),
		cmocka_unit_test(methods),
		cmocka_unit_test(connections_are_used_again),
		cmocka_unit_test(answers_that_do_not_come),
		cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(redirects_are_answers),
		cmocka_unit_test(abandoned_in_the_middle),
		cmocka_unit_test(retry_after_of_answers),
		cmocka_unit_test(retry_after_values),
		cmocka_unit_test(signed_by_standard_webhooks),
	};
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
