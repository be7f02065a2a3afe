/* ingress_test.c - the door: what is refused, in which order, and what the engine is
 * handed.
 *
 * The engine is a stand-in of four functions here (the linker takes them before the
 * library's), so that each of its answers can be had at will. */
#include "net_test.h"

#include "net/ingress.h"

#include <signal.h>

enum { HELD_MAX = 8 };

struct engine {
	int status; /* answered at once; 0: hold */
	bool crowded, away;
	struct delivery *held[HELD_MAX];
	size_t nheld;
	size_t asked; /* deliveries */
	struct buf token, body, meta, message_id; /* of the last one */
};

bool engine_token_genuine(const struct engine *e, struct slice token)
{
	(void)e;
	return token.len >= 4 && memcmp(token.ptr, "good", 4) == 0;
}

bool engine_has_door(const struct engine *e, struct slice name)
{
	(void)e;
	return slice_eq(name, SLICE_LIT("door"));
}

bool engine_crowded(const struct engine *e) { return e->crowded; }

bool engine_away(const struct engine *e) { return e->away; }

void engine_deliver(struct engine *e, struct delivery *d)
{
	struct {
		struct buf *to;
		struct slice from;
	} copies[] = {
		{ &e->token, d->token },
		{ &e->body, d->body },
		{ &e->meta, d->meta },
		{ &e->message_id, d->message_id },
	};
	for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
		buf_reset(copies[i].to);
		buf_put(copies[i].to, "", 0);
		buf_put_slice(copies[i].to, copies[i].from);
	}
	e->asked++;
	if (e->status != 0) {
		d->done(d, e->status);
		return;
	}
	assert_true(e->nheld < HELD_MAX);
	e->held[e->nheld++] = d;
}

struct door {
	uv_loop_t loop;
	struct engine engine;
	struct ingress *ingress;
	struct raw_peer peer;
	struct budget budget;
	size_t wakes;
	bool drained;
};

static void on_wake(void *arg)
{
	struct door *d = arg;
	d->wakes++;
}

static void on_drained(void *arg)
{
	struct door *d = arg;
	d->drained = true;
}

static void door_open(struct door *d)
{
	signal(SIGPIPE, SIG_IGN);
	*d = (struct door){ .engine = { .status = 200 }, .budget = { .bytes_max = 1 << 20 } };
	buf_init(&d->engine.token, SIZE_MAX);
	buf_init(&d->engine.body, SIZE_MAX);
	buf_init(&d->engine.meta, SIZE_MAX);
	buf_init(&d->engine.message_id, SIZE_MAX);
	assert_int_equal(uv_loop_init(&d->loop), 0);
	struct ingress_config config = {
		.loop = &d->loop,
		.engine = &d->engine,
		.listen = "127.0.0.1:0",
		.body_bytes_max = 100,
		.budget = &d->budget,
		.wake = on_wake,
		.wake_arg = d,
	};
	struct err err = { 0 };
	if (ingress_open(&d->ingress, &config, &err) < 0)
		fail_msg("%s", err.text);
	raw_open(&d->peer, ingress_address(d->ingress));
}

static void door_drain(struct door *d)
{
	ingress_drain(d->ingress, 10, on_drained, d);
	net_until(&d->loop, &d->peer, d->drained);
	d->ingress = ingress_free(d->ingress);
}

static void door_close(struct door *d)
{
	raw_close(&d->peer);
	if (d->ingress != NULL)
		door_drain(d);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&d->loop), 0);
	buf_fini(&d->engine.token);
	buf_fini(&d->engine.body);
	buf_fini(&d->engine.meta);
	buf_fini(&d->engine.message_id);
}

/* Sends a request on a connection of its own and waits for the end of the answer's head. */
static void ask(struct door *d, const char *request)
{
	raw_close(&d->peer);
	raw_open(&d->peer, ingress_address(d->ingress));
	raw_puts(&d->loop, &d->peer, request);
	net_until(&d->loop, &d->peer, raw_has(&d->peer, "\r\n\r\n"));
}

static void expect_status(struct door *d, const char *request, int status)
{
	char line[32];
	snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
	ask(d, request);
	if (strncmp(raw_text(&d->peer), line, strlen(line)) != 0)
		fail_msg("%s gave %s instead of %d", request, raw_text(&d->peer), status);
}

#define POST(path, more) \
	"POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" more "\r\nhi"

static void stored_is_200_and_empty(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	ask(&d,
		"POST /h/good1?x=1&y HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nX-Kind:  odd \r\n"
		"Connection: keep-alive\r\nProxy-Thing: p\r\nExpect: 100-continue\r\nTE: trailers\r\n"
		"Webhook-Id: m1\r\nX-kind: two\r\n\r\na\1\2b");
	const char *text = raw_text(&d.peer);
	const char *interim = "HTTP/1.1 100 Continue\r\n\r\n";
	if (strncmp(text, interim, strlen(interim)) == 0)
		text += strlen(interim);
	assert_string_equal(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(d.engine.token.ptr, "good1");
	assert_string_equal(d.engine.body.ptr, "a\1\2b");
	assert_string_equal(d.engine.message_id.ptr, "m1");
	char meta[200];
	static const char peer_name[] = ":peer: 127.0.0.1:";
	const char *peer = strstr(d.engine.meta.ptr, peer_name);
	assert_non_null(peer);
	int port = atoi(peer + sizeof peer_name - 1);
	snprintf(meta, sizeof meta,
		":method: POST\n:query: x=1&y\n:peer: 127.0.0.1:%d\n"
		"x-kind: odd\nwebhook-id: m1\nx-kind: two\n",
		port);
	assert_string_equal(d.engine.meta.ptr, meta);
	assert_int_equal(d.wakes, 1);
	expect_status(
		&d, "PUT /h/good2 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 200);
	assert_int_equal(d.engine.body.len, 0);
	door_close(&d);
}

static void a_named_door_is_told_of_its_path(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	expect_status(&d, POST("/in/door?a", "Idempotency-Key: m1\r\n"), 200);
	assert_int_equal(d.engine.token.len, 0);
	assert_string_equal(d.engine.message_id.ptr, "m1");
	static const char path[] = ":path: /in/door\n:method: POST\n:query: a\n";
	assert_int_equal(strncmp(d.engine.meta.ptr, path, sizeof path - 1), 0);
	expect_status(&d, "GET /in/door HTTP/1.1\r\nHost: a\r\n\r\n", 200);
	expect_status(&d, POST("/in/", ""), 404);
	expect_status(&d, POST("/in/other", ""), 404);
	expect_status(&d, POST("/in/door/", ""), 404);
	expect_status(&d, POST("/in", ""), 404);
	assert_int_equal(d.engine.asked, 2);
	door_close(&d);
}

static void refused_in_order(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	expect_status(&d, POST("/", ""), 404);
	expect_status(&d, POST("/h/", ""), 404);
	expect_status(&d, POST("/x/good", ""), 404);
	expect_status(&d, POST("/h/forged", ""), 404);
	/* A forged token is nobody's business, whatever else is wrong. */
	expect_status(&d,
		"DELETE /h/forged HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n",
		404);
	expect_status(&d, "DELETE /h/good HTTP/1.1\r\nHost: a\r\n\r\n", 405);
	assert_true(raw_has(&d.peer, "Allow: POST, PUT\r\n"));
	/* Only a request without a body asks whose URL this is. */
	expect_status(&d,
		"GET /h/good HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n", 405);
	expect_status(&d,
		"PATCH /h/good HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n", 405);
	expect_status(&d,
		"POST /h/good HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413);
	expect_status(&d, POST("/h/good", "Bad Name: x\r\n"), 400);
	assert_int_equal(d.engine.asked, 0);
	/* Whether its hook has a sender that may ask is for the engine to say. */
	d.engine.status = 405;
	expect_status(&d, "GET /h/good HTTP/1.1\r\nHost: a\r\n\r\n", 405);
	assert_int_equal(d.engine.asked, 1);
	d.engine.asked = 0;
	d.engine.status = 410;
	expect_status(&d, POST("/h/good", ""), 410);
	d.engine.status = 404;
	expect_status(&d, POST("/h/good", ""), 404);
	d.engine.status = 503;
	expect_status(&d, POST("/h/good", ""), 503);
	assert_true(raw_has(&d.peer, "Retry-After: 1\r\n"));
	assert_int_equal(d.engine.asked, 3);
	door_close(&d);
}

/* A full hook and a full memory both say when to come again. */
static void every_later_says_when(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	d.engine.status = 429;
	expect_status(&d, POST("/h/good", ""), 429);
	assert_true(raw_has(&d.peer, "Retry-After: 60\r\n"));
	assert_int_equal(d.budget.refused, 0);
	d.engine.status = 503;
	expect_status(&d, POST("/h/good", ""), 503);
	assert_true(raw_has(&d.peer, "Retry-After: 1\r\n"));
	assert_int_equal(d.budget.refused, 0); /* the store is away: another story */
	door_close(&d);
}

/* The head alone is enough to refuse; a turn is asked for, since it may make room. */
static void crowded_is_503_before_the_body(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	d.engine.crowded = true;
	expect_status(&d, "POST /h/good HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n", 503);
	assert_true(raw_has(&d.peer, "Retry-After: 1\r\n"));
	assert_int_equal(d.engine.asked, 0);
	assert_int_equal(d.budget.refused, 1);
	assert_int_equal(d.wakes, 1);
	/* Without a body it is the engine's to say, and is counted just the same. */
	d.engine.status = 503;
	expect_status(&d, "POST /h/good HTTP/1.1\r\nHost: a\r\n\r\n", 503);
	assert_int_equal(d.engine.asked, 1);
	assert_int_equal(d.budget.refused, 2);
	d.engine.away = true;
	expect_status(&d, POST("/h/good", ""), 503);
	assert_int_equal(d.budget.refused, 2);
	/* Forged ones are told so at any time. */
	expect_status(&d, POST("/h/bad", ""), 404);
	door_close(&d);
}

static void message_ids(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	expect_status(&d, POST("/h/good", ""), 200);
	assert_int_equal(d.engine.message_id.len, 0);
	expect_status(&d, POST("/h/good", "Idempotency-Key: \"k\"\r\n"), 200);
	assert_string_equal(d.engine.message_id.ptr, "\"k\"");
	expect_status(
		&d, POST("/h/good", "Idempotency-Key: k\r\nWebhook-ID: w\r\n"), 200);
	assert_string_equal(d.engine.message_id.ptr, "w");
	expect_status(&d, POST("/h/good", "webhook-id: a\r\nwebhook-id: a\r\n"), 400);
	expect_status(
		&d, POST("/h/good", "Idempotency-Key: a\r\nIdempotency-key: b\r\n"), 400);
	expect_status(&d, POST("/h/good", "webhook-id: \r\n"), 400);
	assert_int_equal(d.engine.asked, 3);
	char request[600];
	for (int len = 255; len <= 256; len++) {
		char id[300];
		memset(id, 'i', sizeof id);
		id[len] = '\0';
		snprintf(request, sizeof request,
			"POST /h/good HTTP/1.1\r\nHost: a\r\n"
			"Content-Length: 0\r\nwebhook-id: %s\r\n\r\n",
			id);
		expect_status(&d, request, len == 255 ? 200 : 400);
	}
	assert_int_equal(d.engine.message_id.len, 255);
	door_close(&d);
}

static void nothing_is_said_before_done(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	d.engine.status = 0;
	raw_puts(&d.loop, &d.peer, POST("/h/good", "") POST("/h/good", ""));
	net_until(&d.loop, &d.peer, d.engine.nheld == 2);
	for (int i = 0; i < 3; i++)
		net_round(&d.loop, &d.peer);
	assert_int_equal(d.peer.got.len, 0);
	d.engine.held[1]->done(d.engine.held[1], 200);
	d.engine.held[0]->done(d.engine.held[0], 503);
	net_until(&d.loop, &d.peer, raw_has(&d.peer, "200 OK"));
	assert_int_equal(strncmp(raw_text(&d.peer), "HTTP/1.1 503 ", 13), 0);
	door_close(&d);
}

static void engine_that_answers_after_the_door_is_gone(void **state)
{
	(void)state;
	struct door d;
	door_open(&d);
	d.engine.status = 0;
	raw_puts(&d.loop, &d.peer, POST("/h/good", "") POST("/h/good", ""));
	net_until(&d.loop, &d.peer, d.engine.nheld == 2);
	door_drain(&d);
	/* Its slices stand until done. */
	assert_memory_equal(d.engine.held[0]->token.ptr, "good", 4);
	assert_memory_equal(d.engine.held[0]->body.ptr, "hi", 2);
	d.engine.held[0]->done(d.engine.held[0], 200);
	d.engine.held[1]->done(d.engine.held[1], 503);
	door_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_is_200_and_empty),
		cmocka_unit_test(a_named_door_is_told_of_its_path),
		cmocka_unit_test(refused_in_order),
		cmocka_unit_test(every_later_says_when),
		cmocka_unit_test(crowded_is_503_before_the_body),
		cmocka_unit_test(message_ids),
		cmocka_unit_test(nothing_is_said_before_done),
		cmocka_unit_test(engine_that_answers_after_the_door_is_gone),
	};
	return cmocka_run_group_tests_name("ingress", tests, NULL, NULL);
}
