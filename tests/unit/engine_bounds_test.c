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
	FISH_FLOW(slow), FISH_FLOW(asks), FISH_FLOW(anywhere), FISH_FLOW(heads), FISH_END };
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_that_takes_nothing_is_full_at_a_bound),
		cmocka_unit_test(what_is_taken_makes_room),
		cmocka_unit_test(what_was_taken_before_a_restart_does_not_count),
		cmocka_unit_test(a_path_cannot_climb),
		cmocka_unit_test(a_peer_without_a_real_url_is_misuse),
		cmocka_unit_test(a_header_is_one_line_that_fish_does_not_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
