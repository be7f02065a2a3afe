/* admin_test.c - the admin listener: how it is guarded, and what becomes of each of the
 * engine's answers.
 *
 * The engine is a stand-in here (the linker takes these functions before the library's),
 * so that each of its answers can be had at will, at once or late. */
#include "admin_kit.h"

#include "net/admin_client.h"

#include <signal.h>

struct desk {
	uv_loop_t loop;
	struct engine engine;
	struct admin *admin;
	struct raw_peer peer;
	struct budget budget;
	size_t wakes;
	bool drained;
};

static void on_wake(void *arg)
{
	struct desk *d = arg;
	d->wakes++;
}

static void on_drained(void *arg)
{
	struct desk *d = arg;
	d->drained = true;
}

static void desk_open(struct desk *d)
{
	struct err err = { 0 };
	signal(SIGPIPE, SIG_IGN);
	*d = (struct desk){ .peer = { .fd = -1 }, .budget = { .bytes_max = 1000 } };
	id_text(&flow_id, flow_text);
	assert_int_equal(uv_loop_init(&d->loop), 0);
	struct admin_config config = {
		.loop = &d->loop,
		.engine = &d->engine,
		.listen = "127.0.0.1:0",
		.token = "t0ken",
		.body_bytes_max = 100,
		.budget = &d->budget,
		.wake = on_wake,
		.wake_arg = d,
	};
	if (admin_open(&d->admin, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void desk_close(struct desk *d)
{
	raw_close(&d->peer);
	admin_drain(d->admin, 10, on_drained, d);
	net_until(&d->loop, NULL, d->drained);
	d->admin = admin_free(d->admin);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&d->loop), 0);
}

static void put_request(
	struct desk *d, const char *line, const char *lines, const char *body)
{
	char request[512];
	raw_close(&d->peer);
	raw_open(&d->peer, admin_address(d->admin));
	snprintf(request, sizeof request,
		"%s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n%s\r\n%s", line,
		strlen(body), lines, body);
	raw_puts(&d->loop, &d->peer, request);
}

static bool answered(struct raw_peer *p) { return raw_has(p, "}\n"); }

static void told(struct desk *d, int status, const char *words)
{
	char line[32];
	net_until(&d->loop, &d->peer, answered(&d->peer));
	snprintf(line, sizeof line, "HTTP/1.1 %d ", status);
	if (strncmp(raw_text(&d->peer), line, strlen(line)) != 0 ||
		!raw_has(&d->peer, words))
		fail_msg("%s\nis not %d with %s", raw_text(&d->peer), status, words);
}

#define TOKEN "Authorization: Bearer t0ken\r\n"

static void ask(
	struct desk *d, const char *line, const char *body, int status, const char *words)
{
	put_request(d, line, TOKEN, body);
	told(d, status, words);
}

static void test_wait_units(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} good[] = {
		{ "0s", 0 },
		{ "1ms", 1 },
		{ "500ms", 500 },
		{ "5s", 5000 },
		{ "2m", 120000 },
		{ "24h", 86400000 },
	};
	static const char *const bad[] = {
		"",
		"5",
		"s",
		"-1s",
		"5 s",
		"5sec",
		"1.5s",
		"25h",
		"86400001ms",
		"99999999999999999999s",
		"5S",
	};
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		int64_t ms = -1;
		assert_int_equal(admin_wait_parse(slice_of(good[i].text), &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t ms = -1;
		assert_int_equal(admin_wait_parse(slice_of(bad[i]), &ms), FISH_EINVAL);
		assert_int_equal(ms, -1);
	}
}

static void test_escape(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 100);
	admin_escape(&out, SLICE_LIT("aZ9-_~./?%&\0\xff"));
	assert_string_equal(out.ptr, "aZ9-_~%2E%2F%3F%25%26%00%FF");
	buf_fini(&out);
}

static void test_guard(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	put_request(&d, "POST /flows/f", "", "{}");
	told(&d, 401, "WWW-Authenticate: Bearer\r\n");
	put_request(&d, "POST /flows/f", "Authorization: Bearer t0kem\r\n", "{}");
	told(&d, 401, "token");
	put_request(&d, "POST /flows/f", TOKEN TOKEN, "{}");
	told(&d, 401, "token");
	put_request(&d, "POST /flows/f", TOKEN "Origin: null\r\n", "{}");
	told(&d, 403, "Origin");
	assert_string_equal(d.engine.name, "");
	put_request(&d, "POST /flows/f", "Authorization: BEARER t0ken\r\n", "{}");
	told(&d, 202, "id");
	desk_close(&d);
}

static void test_start_is_told_when_it_is_durable(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	d.engine.rc = 1;
	put_request(
		&d, "POST /flows/a%20flow", TOKEN "Idempotency-Key: k\r\n", "{\"a\":1}");
	net_until(&d.loop, &d.peer, d.engine.start != NULL);
	assert_string_equal(d.engine.name, "a flow");
	assert_string_equal(d.engine.input, "{\"a\":1}");
	assert_string_equal(d.engine.key, "k");
	assert_int_equal(d.wakes, 1);
	assert_string_equal(raw_text(&d.peer), "");
	d.engine.start->done(d.engine.start, 0, &flow_id, true, NULL);
	told(&d, 202, flow_text);
	told(&d, 202, "\"existed\": true}");
	desk_close(&d);
}

static void test_start_refusals(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	d.engine.rc = FISH_ENOTFOUND;
	ask(&d, "POST /flows/nope", "", 404, "no flow named 'nope'");
	assert_string_equal(d.engine.input, "null");
	d.engine.rc = FISH_EFORMAT;
	ask(&d, "POST /flows/f", "{", 400, "not one JSON value: the engine's words");
	d.engine.rc = FISH_ESTORE;
	ask(&d, "POST /flows/f", "", 503, "Retry-After: 1\r\n");
	d.engine.rc = FISH_EBUSY;
	assert_int_equal(d.budget.refused, 0);
	ask(&d, "POST /flows/f", "", 503, "Retry-After: 1\r\n");
	told(&d, 503, "the engine's words");
	assert_int_equal(d.budget.refused, 1);
	d.engine.rc = 0;
	ask(&d, "POST /flows/f?wait=never", "", 400, "wait=never");
	ask(&d, "POST /flows/%zz", "", 404, "escape");
	put_request(&d, "POST /flows/f", TOKEN "Idempotency-Key:\r\n", "");
	told(&d, 400, "Idempotency-Key");
	desk_close(&d);
}

static void start_and_wait(struct desk *d, const char *wait)
{
	char line[64];
	snprintf(line, sizeof line, "POST /flows/f?wait=%s", wait);
	put_request(d, line, TOKEN, "");
	net_until(&d->loop, &d->peer, d->engine.watch != NULL || answered(&d->peer));
}

static void test_wait_for_the_end(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	start_and_wait(&d, "1h");
	d.engine.watch->done(d.engine.watch, 0, END_DONE, SLICE_LIT("[1]"));
	told(&d, 200, "\"status\": \"done\", \"result\": [1]}");
	d.engine.watch = NULL;
	start_and_wait(&d, "1h");
	d.engine.watch->done(d.engine.watch, 0, END_FAILED, SLICE_LIT("no \"word\""));
	told(&d, 200, "\"status\": \"failed\", \"why\": \"no \\\"word\\\"\"}");
	d.engine.watch = NULL;
	start_and_wait(&d, "1h");
	d.engine.watch->done(d.engine.watch, FISH_ESTOPPED, 0, SLICE_LIT("it diverged"));
	told(&d, 202, "\"status\": \"stopped\", \"why\": \"it diverged\"}");
	d.engine.watch = NULL;
	start_and_wait(&d, "1h");
	d.engine.watch->done(d.engine.watch, FISH_ESTORE, 0, SLICE_NONE);
	told(&d, 202, "\"existed\": false, \"wait_ended\": \"the store is away\"}");
	desk_close(&d);
}

/* The flow has its input; a wait of an hour must not keep the memory from others. */
static void test_wait_holds_no_body(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	put_request(&d, "POST /flows/f?wait=1h", TOKEN, "{\"a\": 1}");
	net_until(&d.loop, &d.peer, d.engine.watch != NULL);
	assert_int_equal(d.budget.bytes, 0);
	d.engine.watch->done(d.engine.watch, 0, END_DONE, SLICE_LIT("1"));
	told(&d, 200, "done");
	desk_close(&d);
}

/* An operator must be able to look when there is no room for bodies. */
static void test_no_room_for_bodies(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	d.budget.bytes_max = 5;
	d.engine.live = 1;
	ask(&d, "POST /flows/f", "{\"a\": 1}", 503, "Retry-After: 1\r\n");
	told(&d, 503, "{\"error\": \"the request is refused: too many bodies");
	ask(&d, "GET /flows", "", 200, "\"bodies\": 0, \"bodies_max\": 5, \"refused\": 1");
	desk_close(&d);
}

static void test_wait_gives_up(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	start_and_wait(&d, "1ms");
	told(&d, 202, "\"existed\": false}");
	assert_null(d.engine.watch);
	/* The store still has the watch: the answer comes when it lets go of it. */
	d.engine.holds_forgetting = true;
	d.engine.forgetting = NULL;
	start_and_wait(&d, "1ms");
	net_until(&d.loop, &d.peer, d.engine.forgetting != NULL);
	assert_string_equal(raw_text(&d.peer), "");
	d.engine.forgotten(d.engine.forgetting);
	told(&d, 202, "\"existed\": false}");
	desk_close(&d);
}

static void test_wait_ends_when_the_asker_goes(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	start_and_wait(&d, "1h");
	raw_close(&d.peer);
	net_until(&d.loop, NULL, d.engine.watch == NULL);
	desk_close(&d);
}

static void test_drain_lets_those_who_wait_go(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	start_and_wait(&d, "1h");
	admin_drain(d.admin, 10000, on_drained, &d);
	told(&d, 202, "\"existed\": false, \"wait_ended\": \"the server is stopping\"}");
	net_until(&d.loop, &d.peer, d.drained);
	raw_close(&d.peer);
	d.admin = admin_free(d.admin);
	uv_run(&d.loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&d.loop), 0);
}

static void test_show_and_cancel(void **state)
{
	(void)state;
	struct desk d;
	char show[64];
	char cancel[64];
	desk_open(&d);
	snprintf(show, sizeof show, "GET /flows/%s", flow_text);
	snprintf(cancel, sizeof cancel, "POST /flows/%s/cancel", flow_text);
	ask(&d, show, "", 200, "{\"shown\": true}\n");
	ask(&d, cancel, "", 202, flow_text);
	d.engine.rc = FISH_ENOTFOUND;
	ask(&d, show, "", 404, flow_text);
	ask(&d, cancel, "", 404, flow_text);
	ask(&d, "GET /flows/abc", "", 404, "'abc'");
	d.engine.rc = FISH_EGONE;
	ask(&d, cancel, "", 410, "has ended");
	d.engine.rc = FISH_ESTORE;
	ask(&d, show, "", 503, "Retry-After");
	ask(&d, cancel, "", 503, "Retry-After");
	desk_close(&d);
}

static void test_redeliver(void **state)
{
	(void)state;
	struct desk d;
	char path[120];
	desk_open(&d);
	snprintf(path, sizeof path, "POST /flows/%s/redeliver?number=17", flow_text);
	ask(&d, path, "", 200, ", \"number\": 17}");
	d.engine.rc = FISH_ENOTFOUND;
	ask(&d, path, "", 404, ": the engine's words");
	d.engine.rc = FISH_EGONE;
	ask(&d, path, "", 410, "request 17 of flow ");
	d.engine.rc = FISH_EINVAL;
	ask(&d, path, "", 409, ": the engine's words");
	d.engine.rc = FISH_EBUSY;
	ask(&d, path, "", 503, ": the engine's words");
	static const char *const wrong[] = { "", "?number=", "?number=x1", "?number=1x", "?number=-1",
		"?number=1234567890123456789", NULL };
	for (const char *const *query = wrong; *query != NULL; query++) {
		snprintf(path, sizeof path, "POST /flows/%s/redeliver%s", flow_text, *query);
		ask(&d, path, "", 400, "?number=N");
	}
	snprintf(path, sizeof path, "POST /flows/%s/redeliver?number=17&hook=x", flow_text);
	ask(&d, path, "", 400, "hook: give the number");
	d.engine.rc = 0;
	snprintf(path, sizeof path, "POST /flows/%s/redeliver?number=17&hook=3", flow_text);
	ask(&d, path, "", 200, ", \"number\": 17}");
	assert_int_equal(d.engine.hook, 3);
	snprintf(path, sizeof path, "POST /flows/%s/redeliver?number=17", flow_text);
	ask(&d, path, "", 200, ", \"number\": 17}");
	assert_int_equal(d.engine.hook, -1);
	ask(&d, "POST /flows/a/redeliver?number=1", "", 404, "no flow has the id 'a'");
	ask(&d, "GET /flows/a/redeliver", "", 405, "Allow: POST\r\n");
	desk_close(&d);
}

static void test_doors(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	ask(&d, "GET /doors", "", 200, "{\"doors\": [{\"door\": \"shop\"}]}");
	ask(&d, "GET /doors/", "", 200, "{\"doors\": [{\"door\": \"shop\"}]}");
	ask(&d, "GET /doors/shop", "", 200, "{\"door\": \"shop\"}");
	ask(&d, "GET /doors/none", "", 404, "the program has no door 'none'");
	ask(&d, "POST /doors/shop", "", 405, "Allow: GET, HEAD\r\n");
	ask(&d, "GET /doors/shop/other", "", 404, "no such path");
	ask(&d, "POST /doors//redeliver?number=1", "", 404, "no such path");
	ask(&d, "GET /doors/shop/redeliver?number=1", "", 405, "Allow: POST\r\n");
	ask(&d, "POST /doors/shop/redeliver", "", 400, "?number=N: show lists those of the door /in/shop");
	ask(&d, "POST /doors/shop/redeliver?number=18", "", 200, ", \"number\": 18}");
	assert_string_equal(d.engine.name, "shop");
	d.engine.rc = FISH_EINVAL;
	ask(&d, "POST /doors/shop/redeliver?number=18", "", 409, "request 18 of the door /in/shop: the engine's words");
	desk_close(&d);
}

static void test_paths_and_methods(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	ask(&d, "GET /", "", 404, "/flows/NAME");
	ask(&d, "GET /flows/", "", 404, "/flows/NAME");
	ask(&d, "GET /flows/a/b", "", 404, "/flows/NAME");
	ask(&d, "DELETE /flows/a", "", 405, "Allow: GET, HEAD, POST\r\n");
	ask(&d, "PUT /flows/a", "{}", 405, "does not take PUT, only GET, HEAD, POST");
	ask(&d, "GET /flows/a/retry", "", 405, "Allow: POST\r\n");
	ask(&d, "GET /import", "", 405, "Allow: POST\r\n");
	ask(&d, "GET /flows/a/cancel", "", 405, "Allow: POST\r\n");
	ask(&d, "POST /flows", "", 405, "Allow: GET, HEAD\r\n");
	ask(&d, "POST /health", "", 405, "Allow: GET, HEAD\r\n");
	ask(&d, "GET /health", "", 200, "\"ok\"");
	d.engine.away = true;
	ask(&d, "GET /health", "", 503, "store away");
	desk_close(&d);
}

/* Over TCP, where the token may do less than the owner of the socket. */
static void test_import_and_keys(void **state)
{
	(void)state;
	struct desk d;
	char body[] = "{\"fish_flow\": 9, \"more than\": \"a hundred bytes\", \"as the limit of the "
		      "other bodies in this test is\": 1}";
	desk_open(&d);
	ask(&d, "POST /import?keys=1", "{}", 403, "over the unix socket only");
	ask(&d, "POST /import", body, 400, "line 1: the flow is in form 9");
	ask(&d, "POST /import", "", 400, "there is no flow in it");
	desk_close(&d);
}

/* Was: a list without flows, as if all had been lost, and words of what was not kept for
 * who had only asked. */
static void test_store_away_is_no_empty_list(void **state)
{
	(void)state;
	struct desk d;
	char show[64];
	desk_open(&d);
	snprintf(show, sizeof show, "GET /flows/%s", flow_text);
	d.engine.away = true;
	ask(&d, "GET /flows", "", 503, "the store is away just now");
	told(&d, 503, "Retry-After: 1\r\n");
	ask(&d, "GET /flows?all=1&before=3", "", 503, "try again");
	d.engine.rc = FISH_ESTORE;
	ask(&d, show, "", 503, "the store is away just now");
	assert_false(raw_has(&d.peer, "kept"));
	desk_close(&d);
}

/* What the parser refuses has the form of all refusals, and names limit and value. */
static void test_refusals_of_the_parser(void **state)
{
	(void)state;
	struct desk d;
	char body[200] = "";
	char line[9000] = "GET /";
	desk_open(&d);
	memset(body, '1', 150);
	ask(&d, "POST /flows/f", body, 413, "Content-Type: application/json\r\n");
	told(&d, 413, "{\"error\": \"the request is refused: body too large: at most 100 bytes");
	told(&d, 413, "it has 150; ");
	told(&d, 413, "--max-body");
	put_request(&d, "GET /flows", TOKEN "a b: c\r\n", "");
	told(&d, 400, "{\"error\": \"the request is refused: ");
	raw_close(&d.peer);
	raw_open(&d.peer, admin_address(d.admin));
	memset(line + 5, 'a', sizeof line - 6);
	raw_puts(&d.loop, &d.peer, line);
	told(&d, 414, "at most 8192 bytes");
	desk_close(&d);
}

static void test_pages(void **state)
{
	(void)state;
	struct desk d;
	desk_open(&d);
	d.engine.live = 3;
	ask(&d, "GET /flows", "", 200,
		"[{\"live\": 0}, {\"live\": 1}, {\"live\": 2}], \"next\": null");
	ask(&d, "GET /flows?limit=2", "", 200,
		"[{\"live\": 0}, {\"live\": 1}], \"next\": \"/flows?limit=2&after="
		"00000000000000000000000002\"");
	ask(&d, "GET /flows?limit=2&all=1&after=00000000000000000000000002", "", 200,
		"[{\"live\": 2}, {\"id\": \"03");
	ask(&d, "GET /flows?limit=2&all=1&before=3", "", 200,
		"\"status\": \"failed\", \"result\": null, "
		"\"why\": \"say \\\"why\\\"\"}, {");
	told(&d, 200, "\"status\": \"done\", \"result\": {\"n\": 1}}], \"next\": null");
	ask(&d, "GET /flows?limit=1&all=1&before=3", "", 200,
		"\"next\": \"/flows?limit=1&all=1&before=2\"");
	assert_false(d.engine.boxes);
	ask(&d, "GET /flows?limit=2&all=1&before=5", "", 200, "\"flows\": [{\"id\": \"03");
	told(&d, 200, "}], \"next\": \"/flows?limit=2&all=1&before=3\"");
	ask(&d, "GET /flows?limit=2&all=1&boxes=1&before=5", "", 200,
		"\"next\": \"/flows?limit=2&boxes=1&all=1&before=3\"");
	told(&d, 200, "\"flow\": \"/in/d\", \"state\": \"ended\"");
	ask(&d, "GET /flows?limit=1&boxes=1", "", 200,
		"\"next\": \"/flows?limit=1&boxes=1&after=00000000000000000000000001\"");
	assert_true(d.engine.boxes);
	ask(&d, "GET /flows?limit=0", "", 400, "limit");
	ask(&d, "GET /flows?before=x", "", 400, "before");
	ask(&d, "GET /flows?after=x", "", 400, "after");
	desk_close(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wait_units),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_start_is_told_when_it_is_durable),
		cmocka_unit_test(test_start_refusals),
		cmocka_unit_test(test_wait_for_the_end),
		cmocka_unit_test(test_wait_holds_no_body),
		cmocka_unit_test(test_no_room_for_bodies),
		cmocka_unit_test(test_wait_gives_up),
		cmocka_unit_test(test_wait_ends_when_the_asker_goes),
		cmocka_unit_test(test_drain_lets_those_who_wait_go),
		cmocka_unit_test(test_show_and_cancel),
		cmocka_unit_test(test_paths_and_methods),
		cmocka_unit_test(test_redeliver),
		cmocka_unit_test(test_doors),
		cmocka_unit_test(test_import_and_keys),
		cmocka_unit_test(test_store_away_is_no_empty_list),
		cmocka_unit_test(test_refusals_of_the_parser),
		cmocka_unit_test(test_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
