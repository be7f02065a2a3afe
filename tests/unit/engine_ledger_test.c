/* engine_ledger_test.c - requests that were not stored: their fates in `show`, and how one is put back. */
#include "engine_kit.h"

static const char *const secrets[] = { "It's a Secret to Everybody", NULL };
static const fish_sender github = { .name = "github", .scheme = "github", .secrets = secrets };
static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = secrets };
static const fish_sender own = {
	.name = "own", .secrets = secrets, .scheme = "hmac-sha256 header=X-Check encoding=hex sign={body}" };
static const fish_sender gitlab = { .name = "gitlab", .scheme = "gitlab", .secrets = secrets };
static const fish_sender meta = { .name = "meta", .handshake = "meta", .token = "let me in" };
static const fish_sender *const senders[] = { &github, &stripe, &own, &gitlab, &meta, NULL };

/* Takes two messages from the sender that its input names, then ends. */
static void two(fish_flow *f, const fish_msg *in)
{
	fish_hook_options o = { .body_max = 100, .json = true };
	int n = 0;

	for (size_t i = 0; senders[i]; i++)
		if (strcmp(senders[i]->name, fish_str(in, "/from")) == 0)
			o.from = senders[i];
	if (fish_true(in, "/held"))
		o.reply_ms = FISH_MINUTE;
	fish_hook *h = fish_spawn_with(f, "h", &o);

	fish_log(f, "url %s", fish_url(h));
	for (const fish_msg *m; n < 2 && (m = fish_next(h, FISH_FOREVER)); n++)
		fish_publish(f, "last", "{body: %-s, type: %s}", fish_raw(m, ""), fish_header(m, "X-GitHub-Event"));
	if (fish_true(in, "/closes")) {
		fish_close(h);
		fish_sleep(f, FISH_HOUR);
	}
}

/* Takes one at its first hook, closes it, and takes one at its second. */
static void moves(fish_flow *f, const fish_msg *in)
{
	fish_hook *before = fish_spawn(f, "before");
	fish_hook *after = fish_spawn_with(f, "after", &(fish_hook_options){ .json = true });

	(void)in;
	fish_log(f, "url %s", fish_url(before));
	(void)fish_next(before, FISH_FOREVER);
	fish_close(before);
	const fish_msg *m = fish_next(after, FISH_FOREVER);

	fish_sleep(f, FISH_HOUR);
	fish_done(f, "%-s", fish_raw(m, ""));
}

/* Takes one of what comes, and another one an hour later. */
static void slow(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	(void)fish_next(h, FISH_FOREVER);
	fish_sleep(f, FISH_HOUR);
	(void)fish_next(h, FISH_FOREVER);
	fish_sleep(f, FISH_HOUR);
}

static const fish_def flows[] = { FISH_FLOW(two), FISH_FLOW(moves), FISH_FLOW(slow), FISH_END };
static const fish_program program = { .flows = flows, .senders = senders };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static int ask(struct kit *k, const char *method, const char *lines, const char *body)
{
	struct knock n = { .status = 0 };
	const char *at = strstr(k->log.ptr, "/h/");
	char text[400];

	snprintf(text, sizeof text, ":method: %s\n:query: \n:peer: 192.0.2.1\n%s", method, lines);
	n.delivery = (struct delivery){
		.token = { at + 3, TOKEN_TEXT_SIZE - 1 }, .method = slice_of(method), .body = slice_of(body),
		.meta = slice_of(text), .done = knock_done };
	engine_deliver(k->engine, &n.delivery);
	kit_turn(k);
	assert_int_not_equal(n.status, 0);
	return n.status;
}

/* hook: -1: the one that it came to. */
static void put_begin(struct kit *k, struct putting *p, struct id id, uint64_t number, int hook)
{
	kit_put_begin(k, p, &(struct redeliver){
		.id = id, .number = number, .elsewhere = hook >= 0, .hook = (uint32_t)hook });
}

static void assert_put_at(struct kit *k, struct id id, uint64_t number, int hook, int rc, const char *why)
{
	struct putting p;

	put_begin(k, &p, id, number, hook);
	kit_put_told(k, &p, rc, why);
	if (!rc)
		assert_memory_equal(&p.redeliver.to, &id, sizeof id);
}

static void assert_put(struct kit *k, struct id id, uint64_t number, int rc, const char *why)
{
	assert_put_at(k, id, number, -1, rc, why);
}

static void assert_shows(struct kit *k, struct id id, const char *words)
{
	const char *all = kit_show(k, id);

	if (!strstr(all, words))
		fail_msg("no %s in\n%s", words, all);
}

static const char delivery[] = "x-github-delivery: d1\nx-github-event: push\nx-hub-signature-256: sha256=0badc0de\n";

static void a_forged_one_is_shown_and_put_back_once(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"from\": \"github\"}");

	assert_int_equal(ask(&k, "POST", delivery, "{\"n\": 1}"), 401);
	assert_shows(&k, id, "\"ledger\": [{\"hook\": 0, \"since_ms\": ");
	assert_shows(&k, id, "\"number\": 1, ");
	assert_shows(&k, id, "\"fate\": \"refused\", \"status\": 401, \"method\": \"POST\", \"why\": \"");
	assert_shows(&k, id, "[\"x-github-event\", \"push\"], [\"x-hub-signature-256\", \"…\"]");
	assert_put(&k, id, 2, FISH_ENOTFOUND, "no such request");
	assert_put(&k, (struct id){ { 1 } }, 1, FISH_ENOTFOUND, "no such request");
	assert_put(&k, id, 1, 0, "");
	assert_shows(&k, id, "\"published\": {\"last\": {\"body\": {\"n\": 1}, \"type\": \"push\"}}");
	assert_shows(&k, id, "\"fate\": \"put back\"");
	assert_non_null(strstr(k.events.ptr, "hook.redelivered"));
	assert_null(strstr(k.events.ptr, "0badc0de"));
	assert_put(&k, id, 1, FISH_EINVAL, "put back already");
	kit_crash(&k, KIT_KEPT);
	assert_shows(&k, id, "\"n\": 1}");            /* what is stored stays … */
	assert_shows(&k, id, "\"since_ms\": null, \"stored\": 1, ");     /* … and the rest goes */
	assert_shows(&k, id, "\"refused\": 0, \"late\": 0, \"nobody\": 0, \"put_back\": 0, ");
	assert_put(&k, id, 1, FISH_ENOTFOUND, "no such request");
	kit_close(&k);
}

/* The id is the sender's own, though nobody signed it: its genuine retry is known. */
static void what_is_put_back_is_known_by_its_id(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"from\": \"stripe\"}");

	assert_int_equal(ask(&k, "POST", "", "{\"id\": \"evt_1\"}"), 401);
	assert_int_equal(ask(&k, "POST", "", "{\"id\": \"evt_1\"}"), 401);
	assert_int_equal(ask(&k, "POST", "", "{\"id\": \"evt_2\"}"), 401);
	assert_put(&k, id, 1, 0, "");
	assert_put(&k, id, 2, FISH_EINVAL, "has been stored already");
	assert_put(&k, id, 3, 0, "");
	assert_string_equal(kit_end(&k, id), "done null");
	kit_close(&k);
}

static void what_is_late_or_not_fit_stays_out(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"closes\": true}");

	assert_int_equal(ask(&k, "POST", "", "no JSON"), 400);                         /* 1 */
	assert_int_equal(ask(&k, "GET", "", ""), 405);                                 /* 2 */
	char big[102] = "\"";

	memset(big + 1, 'a', 99);
	big[100] = '"';
	assert_int_equal(ask(&k, "POST", "", big), 413);                               /* 3 */
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);                      /* 4 */
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);                      /* 5: a duplicate */
	assert_put(&k, id, 1, FISH_EINVAL, "not JSON");
	assert_put(&k, id, 3, FISH_EINVAL, "more bytes than its hook takes");
	assert_put(&k, id, 4, FISH_ENOTFOUND, "no such request");
	assert_put(&k, id, 5, FISH_EINVAL, "duplicate of what is stored");
	assert_int_equal(kit_post(&k, k.log.ptr, "2", "b"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "3", "c"), 410);                      /* 7 */
	assert_shows(&k, id, "\"duplicates\": 1, \"questions\": 0, \"refused\": 3, \"late\": 1");
	assert_shows(&k, id, "\"fate\": \"late\", \"status\": 410, \"method\": \"POST\", \"why\": \"the hook is closed\"");
	assert_put(&k, id, 7, FISH_EGONE, "hook 0 is not open");
	kit_pass(&k, FISH_HOUR);
	assert_string_equal(kit_end(&k, id), "done null");
	assert_int_equal(kit_post(&k, k.log.ptr, "4", "d"), 410);                      /* 8 */
	assert_shows(&k, id, "\"state\": \"ended\"");
	assert_shows(&k, id, "\"why\": \"the flow has ended\"");
	assert_put(&k, id, 8, FISH_EGONE, "the flow has ended");
	kit_close(&k);
}

static void a_question_is_noted(void **state)
{
	struct kit k;
	struct knock n = { .status = 0 };

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"from\": \"meta\"}");

	n.delivery = (struct delivery){
		.token = { strstr(k.log.ptr, "/h/") + 3, TOKEN_TEXT_SIZE - 1 }, .method = SLICE_LIT("GET"), .done = knock_done,
		.meta = SLICE_LIT(":method: GET\n:query: hub.mode=subscribe&hub.challenge=7&hub.verify_token=let+me+in\n") };
	engine_deliver(k.engine, &n.delivery);
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	assert_shows(&k, id, "\"questions\": 1");
	assert_null(strstr(kit_show(&k, id), "let+me+in"));
	assert_put(&k, id, 1, FISH_EINVAL, "a question");
	kit_close(&k);
}

/* Of a scheme that the user has described, too. */
static void no_signature_is_ever_shown(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"from\": \"own\"}");

	assert_int_equal(ask(&k, "POST", "x-check: 4711\nauthorization: Basic 4711\ncookie: a=4711\nx-other: 1\n", "{}"), 401);
	assert_shows(&k, id, "[\"x-check\", \"…\"], [\"authorization\", \"…\"], [\"cookie\", \"…\"], [\"x-other\", \"1\"]");
	assert_null(strstr(kit_show(&k, id), "4711"));
	kit_close(&k);
}

/* All that the store has of the flow. */
struct reading {
	struct store_load load;
	struct buf        bytes;
};

static void read_rows(struct store_load *l, int rc)
{
	struct reading *r = container_of(l, struct reading, load);

	assert_int_equal(rc, 0);
	for (size_t i = 0; i < l->nrows; i++)
		buf_put_slice(&r->bytes, l->rows[i].bytes);
}

static bool has(struct buf *bytes, const char *text)
{
	return memmem(bytes->ptr, bytes->len, text, strlen(text)) != NULL;
}

static void assert_kept_without(struct kit *k, struct id id, const char *kept, const char *lacks)
{
	struct reading r = { .load = { .flow = id, .done = read_rows } };

	buf_init(&r.bytes, SIZE_MAX);
	store_load(k->store, &r.load);
	kit_turn(k);
	assert_true(has(&r.bytes, kept));
	assert_false(has(&r.bytes, lacks));
	buf_fini(&r.bytes);
}

/* The header is the secret itself: not even the journal has it. */
static void a_token_is_kept_nowhere(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"from\": \"gitlab\", \"closes\": true}");

	assert_int_equal(ask(&k, "POST", "x-gitlab-token: guessed 4711\n", "{\"n\": 1}"), 401);
	assert_int_equal(ask(&k, "POST", "x-first: 1\nx-gitlab-token: It's a Secret to Everybody\n"
	                                 "x-gitlab-event-uuid: e-1\n", "{\"n\": 2}"), 200);
	assert_int_equal(ask(&k, "POST", "x-gitlab-token: It's a Secret to Everybody\nx-gitlab-event-uuid: e-1\n",
	                     "{\"n\": 2}"), 200);
	assert_shows(&k, id, "\"duplicates\": 1");
	assert_put(&k, id, 1, 0, "");
	assert_shows(&k, id, "\"last\": {\"body\": {\"n\": 1}");
	assert_int_equal(ask(&k, "POST", "x-gitlab-token: It's a Secret to Everybody\n", "{\"n\": 3}"), 410);
	const char *const secret[] = { secrets[0], "4711", "x-gitlab-token" };

	for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
		assert_true(i == 2 || !strstr(kit_show(&k, id), secret[i]));
		assert_null(strstr(k.log.ptr, secret[i]));
		assert_null(strstr(k.events.ptr, secret[i]));
		assert_kept_without(&k, id, "x-first: 1\nx-gitlab-event-uuid: e-1\n", secret[i]);
	}
	kit_close(&k);
}

static void nobody_hears_of_it_before_it_is_durable(void **state)
{
	struct kit k;
	struct putting p;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "two", "{\"from\": \"github\", \"held\": true}");

	assert_int_equal(ask(&k, "POST", delivery, "{\"n\": 1}"), 401);
	store_memory_hold(k.store, true);
	put_begin(&k, &p, id, 1, -1);
	for (int i = 0; i < 3; i++)
		engine_turn(k.engine);
	assert_int_equal(p.rc, UNTOLD);
	for (int i = 0; i < 9 && p.rc == UNTOLD && store_memory_pending(k.store); i++) {
		store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
		engine_turn(k.engine);
	}
	assert_int_equal(p.rc, FISH_ESTORE);          /* rolled back */
	store_memory_hold(k.store, false);
	kit_pass(&k, FISH_MINUTE);
	assert_shows(&k, id, "\"fate\": \"refused\"");
	put_begin(&k, &p, id, 1, -1);
	kit_turn(&k);
	assert_int_equal(p.rc, 0);                    /* and is not held for a reply */
	kit_close(&k);
}

/* A closed hook never opens again; what came to it may be for another. */
static void what_is_late_can_go_to_another_hook(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "moves", "null");

	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);                      /* 1 */
	assert_int_equal(kit_post(&k, k.log.ptr, "{\"n\": 2}", "b"), 410);             /* 2 */
	assert_int_equal(ask(&k, "POST", "", "no JSON"), 410);                         /* 3 */
	assert_put(&k, id, 2, FISH_EGONE, "hook 0 is not open, and a hook that was closed never is again: name another one");
	assert_put_at(&k, id, 2, 7, FISH_EGONE, "hook 7 is not open");
	assert_put_at(&k, id, 3, 1, FISH_EINVAL, "not JSON");
	assert_put_at(&k, id, 2, 1, 0, "");
	assert_put_at(&k, id, 2, 1, FISH_EINVAL, "put back already");
	assert_non_null(strstr(k.events.ptr, "hook=1 number=2"));
	kit_pass(&k, FISH_HOUR);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 2}");
	kit_close(&k);
}

static void assert_entries(struct kit *k, struct id id, const char *const *fates, size_t n)
{
	const char *at = strstr(kit_show(k, id), "\"ledger\": ");

	assert_non_null(at);
	for (size_t i = 0; i < n; i++) {
		char wanted[40];

		at = strstr(at, "{\"entry\": ");
		assert_non_null(at);
		at = strstr(at, "\"fate\"");
		snprintf(wanted, sizeof wanted, "\"fate\": \"%s\"", fates[i]);
		assert_memory_equal(at, wanted, strlen(wanted));
	}
	assert_null(strstr(at, "{\"entry\": "));
}

/* Their numbers are those of their entries, so a restart changes none. */
static void what_is_stored_is_told_with_what_is_not(void **state)
{
	static const char *const fates[][3] = {
		{ "taken", "stored", "stored" }, { "taken", "taken", "stored" } };
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "slow", "null");

	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);
	kit_pass(&k, 1);
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);                      /* request 2 */
	kit_pass(&k, 1);
	assert_int_equal(kit_post(&k, k.log.ptr, "2", "b"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "3", "c"), 200);
	assert_entries(&k, id, fates[0], 3);
	assert_shows(&k, id, "\"stored\": 3, \"duplicates\": 1, ");
	/* By time among the others. */
	assert_shows(&k, id, "\"fate\": \"taken\", \"len\": 1, \"text\": \"1\"}, {\"number\": 2, ");
	char *at = strstr(k.words.ptr, "{\"entry\": ");
	char first[24];

	snprintf(first, sizeof first, "%s", at);
	kit_crash(&k, KIT_KEPT);
	assert_entries(&k, id, fates[0], 3);
	assert_memory_equal(strstr(k.words.ptr, "{\"entry\": "), first, 14);
	kit_pass(&k, FISH_HOUR);
	assert_entries(&k, id, fates[1], 3);
	kit_crash(&k, KIT_KEPT);
	assert_entries(&k, id, fates[1], 3);
	kit_pass(&k, FISH_HOUR);
	assert_string_equal(kit_end(&k, id), "done null");
	assert_entries(&k, id, fates[1], 3);
	kit_close(&k);
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(a_forged_one_is_shown_and_put_back_once, park), \
	STORY(what_is_put_back_is_known_by_its_id, park), \
	STORY(what_is_late_or_not_fit_stays_out, park), \
	STORY(a_question_is_noted, park), \
	STORY(no_signature_is_ever_shown, park), \
	STORY(what_is_late_can_go_to_another_hook, park), \
	STORY(what_is_stored_is_told_with_what_is_not, park), \
	STORY(a_token_is_kept_nowhere, park), \
	STORY(nobody_hears_of_it_before_it_is_durable, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { STORIES(stay), STORIES(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
