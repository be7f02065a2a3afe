/* engine_bounds_test.c - what strangers send must not fill memory, nor lead a call astray. */
#include "engine_kit.h"

enum { MIB = 1 << 20 };

/* Takes one message for each "go", so that a test decides how many lie untaken. */
static void slow(fish_flow *f, const fish_msg *in)
{
	fish_hook *data = fish_spawn(f, "data");
	fish_hook *go = fish_spawn(f, "go");

	(void)in;
	fish_log(f, "data %s", fish_url(data));
	fish_log(f, "go %s", fish_url(go));
	for (;;) {
		const fish_msg *m = fish_next(go, FISH_FOREVER);

		if (fish_true(m, "/stop"))
			return;
		(void)fish_next(data, FISH_FOREVER);
	}
}

/* Ends with the numbers of the five messages that it takes. */
static void collects(fish_flow *f, const fish_msg *in)
{
	fish_hook *data = fish_spawn(f, "data");
	fish_hook *more = fish_spawn(f, "more");
	long long all = 0;

	(void)in;
	fish_log(f, "data %s", fish_url(data));
	fish_log(f, "more %s", fish_url(more));
	for (int i = 0; i < 5; i++)
		all = 10 * all + fish_int(fish_next(data, FISH_FOREVER), "/n", 0);
	fish_done(f, "%lld", all);
}

static void asks(fish_flow *f, const fish_msg *in)
{
	const fish_msg *m = fish_post(f, &partner, fish_str(in, "/path"), "{}");

	fish_done(f, "{status: %d}", m->status);
}

static void anywhere(fish_flow *f, const fish_msg *in)
{
	const fish_peer p = { .name = "anywhere", .url = fish_str(in, "/url") };

	fish_post(f, &p, "/x", "{}");
}

struct head {
	const char *line, *token, *secret;
};

#define HEAD(text) { .line = (text) }
static const struct head bad_heads[] = {
	HEAD("Idempotency-Key: mine"), HEAD("idempotency-key:"), HEAD("Host: elsewhere"), HEAD("CONTENT-LENGTH: 0"),
	HEAD("Transfer-Encoding: chunked"), HEAD("Connection: close"), HEAD("Upgrade: h2c"), HEAD("TE: trailers"),
	HEAD(""), HEAD("no colon"), HEAD(": no name"), HEAD("two words: 1"), HEAD("before : 1"),
	HEAD("na\xc3\xafve: 1"), HEAD("a(b): 1"), HEAD("a: 1\r\nb: 2"), HEAD("a: 1\nb: 2"), HEAD("a: \a"), HEAD("a: \x7f"),
	{ .line = "Authorization: Basic eA==", .token = "t" }, { .line = "Webhook-Id: 1", .secret = "s" },
	{ .line = "webhook-signature: v1,x", .secret = "s" },
};
static const struct head good_heads[] = {
	HEAD("X-One: 2"), HEAD("a!#$%&'*+-.^_`|~9:"), HEAD("a:b:c"), HEAD("a: b\tc \xc3\xaf"), HEAD("Hosts: 1"),
	HEAD("Authorization: Basic eA=="), { .line = "Authorization: Basic eA==", .token = "" },
	{ .line = "webhook-id: 1", .token = "t" },
};

static void heads(fish_flow *f, const fish_msg *in)
{
	const struct head *h = &(fish_true(in, "/good") ? good_heads : bad_heads)[fish_int(in, "/n", 0)];
	const fish_peer p = { .name = "p", .url = "http://p", .token = h->token, .secret = h->secret };
	const char *const headers[] = { "X-One: 1", h->line, NULL };

	fish_send_with(f, &(fish_request){ .to = &p, .headers = headers });
	fish_sleep(f, FISH_HOUR);
}

static const fish_def flows[] = {
	FISH_FLOW(slow), FISH_FLOW(collects), FISH_FLOW(asks), FISH_FLOW(anywhere), FISH_FLOW(heads),
	FISH_END };
static const fish_program program = { .flows = flows };

/* Was: an ended row of more than a gigabyte of untaken messages, which no store takes, and a server
 * that died of it at each start. */
static void a_flow_that_takes_nothing_is_full_at_a_bound(void **state)
{
	char *body = xalloc(MIB + 1);
	const char *data = NULL;
	const char *go = NULL;
	int taken = 0;
	struct kit k;

	(void)state;
	memset(body, 'x', MIB);
	kit_open(&k, &program, 0);
	struct id id = kit_start(&k, "slow", "null");
	char *urls = xstrndup(k.log.ptr, k.log.len);

	data = strstr(urls, "data ");
	go = strstr(urls, "go ");
	while (kit_post(&k, data, body, NULL) == 200)
		taken++;
	assert_int_equal(taken, HOOK_UNTAKEN_BYTES_MAX / MIB - 1);     /* their headers count too */
	assert_int_equal(kit_post(&k, data, body, NULL), 429);
	kit_crash(&k, KIT_KEPT);
	kit_turn(&k);
	assert_int_equal(kit_post(&k, data, body, NULL), 429);
	assert_int_equal(kit_post(&k, go, "{}", NULL), 200);        /* another hook is not full */
	assert_int_equal(kit_post(&k, data, body, NULL), 200);
	assert_string_equal(kit_end(&k, id), "lives");
	free(urls);
	free(body);
	kit_close(&k);
}

/* Was: after a restart what a parked flow had taken counted as untaken. */
static void what_was_taken_before_a_restart_does_not_count(void **state)
{
	char *body = xalloc(MIB + 1);
	struct kit k;

	(void)state;
	memset(body, 'x', MIB);
	kit_open(&k, &program, 0);
	kit_start(&k, "slow", "null");
	char *urls = xstrndup(k.log.ptr, k.log.len);
	const char *data = strstr(urls, "data ");
	const char *go = strstr(urls, "go ");

	for (int i = 0; i < 12; i++) {
		assert_int_equal(kit_post(&k, data, body, NULL), 200);
		assert_int_equal(kit_post(&k, go, "{}", NULL), 200);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(kit_post(&k, data, body, NULL), 200);
	kit_crash(&k, KIT_KEPT);
	kit_turn(&k);
	(void)kit_post(&k, data, body, NULL);             /* may be refused once, while it is counted */
	assert_int_equal(kit_post(&k, data, body, NULL), 200);
	free(urls);
	free(body);
	kit_close(&k);
}

static void what_is_taken_makes_room(void **state)
{
	char *body = xalloc(MIB + 1);
	struct kit k;

	(void)state;
	memset(body, 'x', MIB);
	kit_open(&k, &program, 0);
	kit_start(&k, "slow", "null");
	char *urls = xstrndup(k.log.ptr, k.log.len);
	const char *data = strstr(urls, "data ");
	const char *go = strstr(urls, "go ");

	for (int i = 0; i < HOOK_UNTAKEN_BYTES_MAX / MIB - 2; i++)
		assert_int_equal(kit_post(&k, data, body, NULL), 200);
	assert_int_equal(kit_post(&k, go, "{}", NULL), 200);      /* takes one of them */
	assert_int_equal(kit_post(&k, data, body, NULL), 200);
	assert_int_equal(kit_post(&k, data, body, NULL), 200);
	assert_int_equal(kit_post(&k, data, body, NULL), 429);
	free(urls);
	free(body);
	kit_close(&k);
}

/* Was: "/../x" left the peer's base URL, with its bearer token. */
static void a_path_cannot_climb(void **state)
{
	static const char *const bad[] = {
		"{\"path\": \"/../x\"}", "{\"path\": \"/a/..\"}", "{\"path\": \"/./x\"}", "{\"path\": \"/a/../../b?c\"}" };
	static const char *const good[] = {
		"{\"path\": \"/a..b/...\"}", "{\"path\": \"/x?y=/../z\"}", "{\"path\": \"/.well-known\"}" };
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_non_null(strstr(kit_end(&k, kit_start(&k, "asks", bad[i])), "stopped misuse at step 0"));
	assert_int_equal(k.nsent, 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_string_equal(kit_end(&k, kit_start(&k, "asks", good[i])), "lives");
	assert_int_equal(k.nsent, sizeof good / sizeof *good);
	kit_close(&k);
}

/* Was: a peer made at run time with "${FOO}" for a URL was tried for a day. */
static void a_peer_without_a_real_url_is_misuse(void **state)
{
	static const char *const bad[] = {
		"{\"url\": \"${FOO}\"}", "{\"url\": \"\"}", "{\"url\": \"ftp://x\"}", "{\"url\": \"http://a b\"}" };
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_non_null(strstr(kit_end(&k, kit_start(&k, "anywhere", bad[i])), "stopped misuse at step 0"));
	kit_close(&k);
}

static struct id head_start(struct kit *k, bool good, size_t n)
{
	char input[64];

	snprintf(input, sizeof input, "{\"good\": %s, \"n\": %zu}", good ? "true" : "false", n);
	return kit_start(k, "heads", input);
}

/* Was: two Idempotency-Keys left with one call; what was no header's name left as it was, or not at all. */
static void a_header_is_one_line_that_fish_does_not_write(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	for (size_t i = 0; i < sizeof bad_heads / sizeof *bad_heads; i++) {
		const char *end = kit_end(&k, head_start(&k, false, i));

		if (!strstr(end, "stopped misuse at step 0: fish_send_with: "))
			fail_msg("\"%s\": %s", bad_heads[i].line, end);
	}
	assert_int_equal(k.nsent, 0);
	for (size_t i = 0; i < sizeof good_heads / sizeof *good_heads; i++) {
		const char *end = kit_end(&k, head_start(&k, true, i));

		if (k.nsent != i + 1)
			fail_msg("\"%s\": %s", good_heads[i].line, end);
	}
	kit_close(&k);
}

/* The line of the log that begins with the word. */
static const char *line_of(struct kit *k, const char *word)
{
	const char *at = strstr(kit_log_text(k), word);

	assert_non_null(at);
	return at;
}

enum { KNOCKS = 5 };

/* Hands in five deliveries, long ones, before any of them is durable. */
static void knock_all(struct kit *k, const char *word)
{
	char bodies[KNOCKS][120];
	char ids[KNOCKS][20];
	struct knock n[KNOCKS];

	store_memory_hold(k->store, true);
	for (int i = 0; i < KNOCKS; i++) {
		snprintf(bodies[i], sizeof bodies[i], "{\"n\": %d, \"long\": \"%080d\"}", i + 1, 0);
		snprintf(ids[i], sizeof ids[i], "%s%d", word, i);
		kit_knock(k, &n[i], line_of(k, word), bodies[i], ids[i]);
	}
	/* Those that a flow is fetched for, which may be parked. */
	while (store_memory_pending(k->store) && !k->store->committing)
		store_memory_complete(k->store, MEMORY_OK);
	assert_int_equal(k->engine->gather->nrows, k->engine->config.row_bytes_max < 200 ? KNOCKS : 1);
	store_memory_hold(k->store, false);
	kit_turn(k);
	for (int i = 0; i < KNOCKS; i++)
		assert_int_equal(n[i].status, 200);
}

/* Was: answers of 16 MiB, seventy of them in the time of one commit, came to a row that SQLite does not take, and the
 * server ended, again at each start. */
static void very_much_at_once_goes_into_several_rows(void **state)
{
	static const int64_t park[] = { 3600 * 1000, -1 };
	struct kit k;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		kit_open(&k, &program, park[i % 2]);
		k.engine->config.row_bytes_max = 100;
		struct id id = kit_start(&k, "collects", "{}");

		knock_all(&k, "more ");
		if (i / 2)
			kit_crash(&k, KIT_LOST);
		k.engine->config.row_bytes_max = 100;
		knock_all(&k, "data ");
		assert_string_equal(kit_end(&k, id), "done 12345");
		kit_close(&k);
	}
}

struct cut {
	struct store_find find;
	size_t untaken;
};

static void cut_found(struct store_find *find, int rc)
{
	struct cut *c = container_of(find, struct cut, find);
	struct slice rest = find->ended.untaken;
	struct entry e;

	assert_int_equal(rc, 0);
	assert_in_range(rest.len, 1, 700);
	for (; entry_next(&rest, &e) == 1; c->untaken++) {
		char n[10];

		snprintf(n, sizeof n, "{\"n\": %zu", c->untaken + 1);
		assert_memory_equal(e.body.ptr, n, strlen(n));
	}
}

/* The same of what nobody took: flows may tell one another more than strangers can send. */
static void an_ended_row_is_cut_at_a_bound(void **state)
{
	struct kit k;
	struct cut c = { .find = { .by = STORE_BY_FLOW, .wants = STORE_UNTAKEN, .done = cut_found } };

	(void)state;
	kit_open(&k, &program, 3600 * 1000);
	k.engine->config.ended_bytes_max = 700;
	c.find.what = kit_start(&k, "collects", "{}");
	knock_all(&k, "more ");
	knock_all(&k, "data ");
	assert_string_equal(kit_end(&k, c.find.what), "done 12345");
	store_find(k.store, &c.find);
	store_poll(k.store);
	assert_in_range(c.untaken, 2, KNOCKS - 1);      /* the oldest, whole */
	assert_non_null(strstr(k.events.ptr, "flow.cut"));
	/* The newest hook's ids have found room. */
	assert_int_equal(kit_post(&k, line_of(&k, "more "), "{}", "more 0"), 200);
	assert_int_equal(kit_post(&k, line_of(&k, "data "), "{}", "data 0"), 410);
	kit_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_that_takes_nothing_is_full_at_a_bound),
		cmocka_unit_test(what_is_taken_makes_room),
		cmocka_unit_test(what_was_taken_before_a_restart_does_not_count),
		cmocka_unit_test(very_much_at_once_goes_into_several_rows),
		cmocka_unit_test(an_ended_row_is_cut_at_a_bound),
		cmocka_unit_test(a_path_cannot_climb),
		cmocka_unit_test(a_peer_without_a_real_url_is_misuse),
		cmocka_unit_test(a_header_is_one_line_that_fish_does_not_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
