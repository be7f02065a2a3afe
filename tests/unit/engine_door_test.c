/* engine_door_test.c - named doors: deliveries that come before anybody waits, to one that waits, and to none;
 * over crashes and parking. */
#include "engine_kit.h"

static const char *const secrets[] = { "whsec_test", NULL };
static const fish_sender shop = { .name = "shop", .id = "/id" };
static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = secrets, .id = "/id" };
static const fish_sender meta = { .name = "meta", .handshake = "meta", .token = "let me in" };
static const fish_sender hub = { .name = "hub", .handshake = "websub", .token = "news" };
static const fish_sender *const senders[] = { &shop, &stripe, &meta, &hub, NULL };

/* Takes what comes for its key until "last": the texts, one after the other. */
static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){
		.on = "shop", .key = fish_str(in, "/key"), .shots = (uint32_t)fish_int(in, "/shots", 0),
		.expires_ms = fish_int(in, "/expires_ms", 0) });
	const char *all = "";

	for (const fish_msg *m; (m = fish_next(h, FISH_DAY * 30));) {
		all = fish_fmt(f, "%s%.20s", all, fish_str(m, "/text"));
		if (fish_true(m, "/last"))
			break;
	}
	fish_done(f, "%s", all);
}

/* The same over lives. */
static void lives(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .on = "shop", .key = "k" });
	const fish_msg *m = fish_next(h, FISH_FOREVER);
	const char *all = fish_fmt(f, "%s%s", fish_str(in, "/all"), fish_str(m, "/text"));

	if (fish_true(m, "/last"))
		fish_done(f, "%s", all);
	fish_renew(f, "{all: %s}", all);
}

static void never_takes(fish_flow *f, const fish_msg *in)
{
	(void)in;
	(void)fish_spawn_with(f, "h", &(fish_hook_options){ .on = "shop", .key = "k" });
	fish_hook *go = fish_spawn(f, "go");

	fish_log(f, "url %s", fish_url(go));
	(void)fish_next(go, FISH_FOREVER);
	fish_done(f, "null");
}

static void each(fish_flow *f, const fish_msg *in)
{
	fish_log(f, "began with %s of %s", fish_str(in, "/text"), fish_header(in, ":path"));
	fish_done(f, "null");
}

static void wrong(fish_flow *f, const fish_msg *in)
{
	(void)fish_spawn_with(f, "h", &(fish_hook_options){
		.on = fish_str(in, "/on"), .key = fish_str(in, "/key"), .json = fish_true(in, "/json") });
	fish_done(f, "null");
}

static const fish_def flows[] = {
	FISH_FLOW(waits), FISH_FLOW(lives), FISH_FLOW(never_takes), FISH_FLOW(each), FISH_FLOW(wrong), FISH_END };
static const fish_door shop_door = { .name = "shop", .from = &shop, .key = "/for", .open = true };
static const fish_door header_door = { .name = "header", .key = "X-For", .open = true };
static const fish_door stripe_door = { .name = "stripe", .from = &stripe, .key = "/data/object/id" };
static const fish_door meta_door = { .name = "meta", .from = &meta, .key = "/id", .open = true };
static const fish_door each_door = { .name = "each", .from = &shop, .flow = each, .open = true };
static const fish_door hub_door = { .name = "hub", .from = &hub, .key = "/id", .open = true };
static const fish_door *const doors[] = { &hub_door, &shop_door, &header_door, &stripe_door, &meta_door, &each_door, NULL };
static const fish_program program = { .flows = flows, .senders = senders, .doors = doors };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void come(struct kit *k, struct knock *n, const char *door, const char *lines, const char *body)
{
	static char text[600];

	snprintf(text, sizeof text, ":method: POST\n:path: /in/%s\n%s", door, lines);
	*n = (struct knock){ .delivery = {
		.door = slice_of(door), .body = slice_of(body), .meta = slice_of(text), .done = knock_done } };
	engine_deliver(k->engine, &n->delivery);
}

static int post(struct kit *k, const char *door, const char *body)
{
	struct knock n;

	come(k, &n, door, "", body);
	kit_turn(k);
	assert_int_not_equal(n.status, 0);
	return n.status;
}

static void what_comes_early_is_handed_over(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1,\"text\":\"a\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":2,\"text\":\"b\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1,\"text\":\"x\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"other\",\"id\":3,\"text\":\"x\"}"), 200);
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, FISH_HOUR);
	struct id id = kit_start(&k, "waits", "{\"key\":\"k\"}");

	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":4,\"text\":\"c\"}"), 200);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":2,\"text\":\"x\"}"), 200);
	kit_pass(&k, FISH_HOUR);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":4,\"text\":\"x\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":5,\"text\":\"d\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done \"abcd\"");
	/* A second one that waits for the key gets nothing that the first one had, days later too. */
	for (int hours = 0; hours < 60; hours += 10)
		kit_pass(&k, 10 * FISH_HOUR);
	struct id next = kit_start(&k, "waits", "{\"key\":\"k\"}");

	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":5,\"text\":\"x\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":6,\"text\":\"e\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, next), "done \"e\"");
	kit_close(&k);
}

/* A story of deliveries with a crash at the n-th commit, kept or lost. False: it has fewer commits. */
struct tale {
	struct kit k;
	int        crash_at, commits;
	enum kit_commit how;
	bool       crashed;
};

static void tale_turn(struct tale *t)
{
	struct kit *k = &t->k;

	for (int n = 0; n < KIT_TURNS_MAX; n++) {
		engine_turn(k->engine);
		bool commits = k->engine->inflight != NULL;

		if (commits && t->commits++ == t->crash_at) {
			t->crashed = true;
			kit_crash(k, t->how);
			store_memory_hold(k->store, true);
			continue;
		}
		while (store_memory_pending(k->store))
			store_memory_complete(k->store, MEMORY_OK);
		if (engine_idle(k->engine) && !k->store->under_way)
			return;
	}
	fail_msg("it does not come to rest");
}

/* As senders do: again until it is 200. */
static void tale_post(struct tale *t, const char *body)
{
	struct knock n = { .status = 0 };

	for (int tries = 0; n.status != 200; tries++) {
		assert_true(tries < 3);
		come(&t->k, &n, "shop", "", body);
		tale_turn(t);
		assert_true(n.status == 200 || (n.status == 0 && t->crashed) || n.status == 503);
	}
}

static struct id tale_start(struct tale *t, const char *input, const char *key)
{
	struct launch l = { .rc = UNTOLD };

	for (int tries = 0; l.rc != 0; tries++) {
		assert_true(tries < 3);
		kit_launch(&t->k, &l, "waits", input, key);
		tale_turn(t);
	}
	return l.id;
}

static bool tell(int crash_at, enum kit_commit how, int64_t park_after_ms)
{
	struct tale t = { .crash_at = crash_at, .how = how };

	kit_open(&t.k, &program, park_after_ms);
	store_memory_hold(t.k.store, true);
	tale_post(&t, "{\"for\":\"k\",\"id\":1,\"text\":\"a\"}");
	tale_post(&t, "{\"for\":\"k\",\"id\":2,\"text\":\"b\"}");
	struct id one = tale_start(&t, "{\"key\":\"k\",\"shots\":3}", "one");
	struct id two = tale_start(&t, "{\"key\":\"k\"}", "two");

	tale_post(&t, "{\"for\":\"k\",\"id\":3,\"text\":\"c\"}");
	tale_post(&t, "{\"for\":\"k\",\"id\":4,\"text\":\"d\"}");
	tale_post(&t, "{\"for\":\"k\",\"id\":2,\"text\":\"x\"}");
	tale_post(&t, "{\"for\":\"k\",\"id\":5,\"text\":\"e\",\"last\":true}");
	store_memory_hold(t.k.store, false);
	kit_turn(&t.k);
	assert_string_equal(kit_end(&t.k, one), "done \"abc\"");
	assert_string_equal(kit_end(&t.k, two), "done \"de\"");
	kit_close(&t.k);
	return t.crashed;
}

static void a_crash_at_any_commit_loses_and_doubles_nothing(void **state)
{
	int n = 0;

	while (tell(n, KIT_LOST, park_of(state)))
		n++;
	assert_true(n >= 6);
	for (n = 0; tell(n, KIT_KEPT, park_of(state));)
		n++;
}

static void several_that_wait_for_one_key_stand_in_line(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id one = kit_start(&k, "waits", "{\"key\":\"k\",\"shots\":1}");
	struct id two = kit_start(&k, "waits", "{\"key\":\"k\",\"expires_ms\":1000}");
	struct id three = kit_start(&k, "waits", "{\"key\":\"k\"}");

	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1,\"text\":\"a\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":2,\"text\":\"b\"}"), 200);
	kit_pass(&k, 2000);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":3,\"text\":\"c\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, one), "done \"a\"");
	assert_string_equal(kit_end(&k, two), "done \"b\"");
	assert_string_equal(kit_end(&k, three), "done \"c\"");
	kit_close(&k);
}

static void a_box_goes_when_nothing_can_come_of_it(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1,\"text\":\"a\"}"), 200);
	kit_pass(&k, 23 * FISH_HOUR);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":2,\"text\":\"b\"}"), 200);
	assert_int_equal(kit_figures(&k).boxes, 1);
	kit_pass(&k, 2 * FISH_HOUR);
	kit_crash(&k, KIT_KEPT);
	struct id id = kit_start(&k, "waits", "{\"key\":\"k\"}");

	/* The first one was too old, the second was not. */
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":3,\"text\":\"c\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done \"bc\"");
	for (int days = 0; days < 8; days++)
		kit_pass(&k, FISH_DAY);
	assert_int_equal(kit_figures(&k).boxes, 0);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":4,\"text\":\"d\"}"), 200);
	assert_int_equal(kit_figures(&k).boxes, 1);
	kit_pass(&k, 25 * FISH_HOUR);
	assert_int_equal(kit_figures(&k).boxes, 0);
	kit_close(&k);
}

static void a_long_wait_is_not_forgotten(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "waits", "{\"key\":\"k\"}");

	for (int days = 0; days < 20; days++)
		kit_pass(&k, FISH_DAY);
	kit_crash(&k, KIT_KEPT);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":4,\"text\":\"d\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done \"d\"");
	kit_close(&k);
}

static void boxes_and_flows_live_on_for_ever(void **state)
{
	struct kit k;
	char body[80];

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "lives", "{}");

	for (int i = 0; i < 500; i++) {
		snprintf(body, sizeof body, "{\"for\":\"k\",\"id\":%d,\"text\":\"%s\"}", i, i % 100 ? "" : "a");
		assert_int_equal(post(&k, "shop", body), 200);
		if (i % 170 == 0)
			kit_crash(&k, KIT_KEPT);
	}
	assert_non_null(strstr(kit_show(&k, id), "\"door\": \"shop\", \"key\": \"k\""));
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":499,\"text\":\"x\"}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":999,\"text\":\"z\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done \"aaaaaz\"");
	kit_close(&k);
}

static void what_has_no_room_waits(void **state)
{
	struct kit k;
	char *big = test_malloc((1 << 20) + 100);
	int accepted = 0;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "never_takes", "{}");
	int n = 0;

	for (; n < 60; n++) {
		snprintf(big, 100, "{\"for\":\"k\",\"id\":%d,\"text\":\"", n);
		size_t len = strlen(big);

		memset(big + len, 'x', 1 << 20);
		strcpy(big + len + (1 << 20), "\"}");
		/* The first refusal may only be for want of knowing: a parked one is looked at for it. */
		if (post(&k, "shop", big) != 200 && post(&k, "shop", big) != 200)
			break;
		accepted++;
	}
	assert_int_equal(post(&k, "shop", big), 429);
	assert_in_range(accepted, 30, 34);         /* 16 MiB there, 16 MiB in the box */
	assert_int_equal(post(&k, "shop", "{\"for\":\"else\",\"id\":1}"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "{}", ""), 200);
	assert_string_equal(kit_end(&k, id), "done null");
	struct id next = kit_start(&k, "waits", "{\"key\":\"k\"}");

	kit_pass(&k, FISH_MINUTE);
	assert_int_equal(post(&k, "shop", big), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":\"end\",\"last\":true}"), 200);
	/* All that the first one had not been given, and the one that was refused before. */
	size_t texts = strlen(kit_end(&k, next)) - strlen("done \"\"");

	assert_int_equal(texts, 20 * (size_t)(accepted + 1 - 15));
	kit_close(&k);
	test_free(big);
}

static void so_many_are_kept_of_a_key(void **state)
{
	struct kit k;
	char body[80];

	kit_open(&k, &program, park_of(state));
	for (int i = 0; i <= BOX_WAITING_MAX; i++) {
		snprintf(body, sizeof body, "{\"for\":\"k\",\"id\":%d,\"text\":\"\"}", i);
		assert_int_equal(post(&k, "shop", body), i < BOX_WAITING_MAX ? 200 : 429);
	}
	struct id id = kit_start(&k, "waits", "{\"key\":\"k\"}");

	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":-1,\"text\":\"z\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done \"z\"");
	kit_close(&k);
}

static void so_many_are_kept_in_all(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1}"), 200);
	kit_crash(&k, KIT_LOST);                   /* it is in memory */
	k.engine->parked.untaken = 1000 * 1000;    /* no test has the time to bring them */
	assert_int_equal(post(&k, "shop", "{\"for\":\"other\",\"id\":2}"), 429);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":3}"), 200);
	k.engine->parked.untaken = 1000 * 1000 - 1;
	assert_int_equal(post(&k, "shop", "{\"for\":\"other\",\"id\":2}"), 200);
	kit_close(&k);
}

static void each_delivery_starts_a_flow_once(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "each", "{\"id\":1,\"text\":\"a\"}"), 200);
	assert_int_equal(post(&k, "each", "{\"id\":1,\"text\":\"x\"}"), 200);
	kit_crash(&k, KIT_KEPT);
	assert_int_equal(post(&k, "each", "{\"id\":1,\"text\":\"x\"}"), 200);
	assert_int_equal(post(&k, "each", "{\"id\":2,\"text\":\"b\"}"), 200);
	assert_int_equal(post(&k, "each", "{\"text\":\"c\"}"), 200);
	assert_int_equal(post(&k, "each", "{\"text\":\"c\"}"), 200);
	assert_int_equal(count(kit_log_text(&k), "began with"), 4);
	assert_int_equal(count(kit_log_text(&k), "began with a of /in/each"), 1);
	assert_int_equal(count(kit_log_text(&k), "began with b of"), 1);
	kit_close(&k);
}

static void a_flow_is_told_of_when_it_is_durable(void **state)
{
	for (enum kit_commit how = KIT_LOST; how <= KIT_KEPT; how++) {
		struct kit k;
		struct knock n;

		kit_open(&k, &program, park_of(state));
		store_memory_hold(k.store, true);
		come(&k, &n, "each", "", "{\"id\":1,\"text\":\"a\"}");
		kit_until_commit(&k);
		assert_int_equal(n.status, 0);
		kit_crash(&k, how);
		assert_int_equal(n.status, 503);
		assert_int_equal(post(&k, "each", "{\"id\":1,\"text\":\"a\"}"), 200);
		assert_int_equal(kit_figures(&k).duplicates, how == KIT_KEPT);
		assert_int_equal(kit_figures(&k).starts, how == KIT_LOST);
		kit_close(&k);
	}
}

static void keys_are_headers_or_members(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	come(&k, &n, "header", "x-for: me\n", "anything");
	kit_turn(&k);
	assert_int_equal(n.status, 200);
	assert_int_equal(kit_figures(&k).boxes, 1);
	assert_int_equal(post(&k, "header", "{}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":17}"), 200);
	assert_int_equal(kit_figures(&k).boxes, 2);
	assert_int_equal(post(&k, "shop", "{\"for\":1.5}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"\"}"), 200);
	assert_int_equal(post(&k, "shop", "no json"), 200);
	assert_int_equal(kit_figures(&k).boxes, 2);
	assert_int_equal(count(k.events.ptr, "door.nobody door=shop"), 3);
	assert_int_equal(post(&k, "no-such", "{}"), 404);
	kit_close(&k);
}

static void forged_ones_and_questions(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "stripe", "{\"data\":{\"object\":{\"id\":\"pi_1\"}}}"), 401);
	assert_non_null(strstr(k.events.ptr, "door.refused door=stripe number=1 sender=stripe why=\""));
	assert_int_equal(kit_figures(&k).flows, 0);
	n = (struct knock){ .delivery = {
		.door = SLICE_LIT("meta"), .method = SLICE_LIT("GET"), .done = knock_done,
		.meta = SLICE_LIT(":query: hub.mode=subscribe&hub.challenge=77&hub.verify_token=let+me+in\n") } };
	engine_deliver(k.engine, &n.delivery);
	assert_int_equal(n.status, 200);
	assert_string_equal(n.answer, "77");
	/* Everybody knows the URL: a hub that is asked to by a stranger must not end the subscription. */
	n = (struct knock){ .delivery = {
		.door = SLICE_LIT("hub"), .method = SLICE_LIT("GET"), .done = knock_done,
		.meta = SLICE_LIT(":query: hub.mode=unsubscribe&hub.challenge=77&hub.topic=news\n") } };
	engine_deliver(k.engine, &n.delivery);
	assert_int_equal(n.status, 404);
	n.status = 0;
	n.delivery.meta = SLICE_LIT(":query: hub.mode=subscribe&hub.challenge=77&hub.topic=news\n");
	engine_deliver(k.engine, &n.delivery);
	assert_int_equal(n.status, 200);
	n.status = 0;
	n.delivery.door = SLICE_LIT("shop");
	engine_deliver(k.engine, &n.delivery);
	assert_int_equal(n.status, 405);
	kit_close(&k);
}

/* Its hooks are hooks like others, and a genuine token of one can be made with the key alone. */
static void a_box_is_no_way_around_its_door(void **state)
{
	struct kit k;
	const struct flow *box = NULL;
	char token[TOKEN_TEXT_SIZE];

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1}"), 200);
	for (size_t i = 0; !box;) {
		box = map_each(&k.engine->flows, &i);
		assert_non_null(box);
	}
	struct id id = box->id;

	for (uint32_t number = BOX_IN; number <= BOX_CLAIMS; number++) {
		assert_int_equal(token_text(k.engine->tokens, box->key_id, &id, number, token), 0);
		assert_int_equal(kit_post(&k, token, "{\"for\":\"k\",\"id\":2}", NULL), 404);
	}
	const char *shown = kit_show(&k, id);

	assert_non_null(strstr(shown, "\"name\": \"in\", \"url\": null, \"open\": true, \"received\": 1"));
	assert_null(strstr(shown, "/h/"));
	/* Was: its claims went with it, and who waited got nothing more. */
	assert_int_equal(kit_cancel(&k, id), FISH_EINVAL);
	/* Was: when it had ended, 410. */
	kit_pass(&k, FISH_DAY * 8);
	assert_int_equal(kit_figures(&k).flows, 0);
	assert_int_equal(kit_post(&k, token, "{\"for\":\"k\",\"id\":2}", NULL), 404);
	kit_close(&k);
}

/* Was: a parked flow was shown as if it had taken nothing in its whole life. */
static void what_a_parked_one_has_taken_is_shown(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "waits", "{\"key\":\"k\"}");

	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":1,\"text\":\"a\"}"), 200);
	kit_crash(&k, KIT_KEPT);
	kit_pass(&k, FISH_HOUR);
	assert_non_null(strstr(kit_show(&k, id), "\"received\": 1, \"untaken\": 0, "));
	struct id other = kit_start(&k, "never_takes", "null");

	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":2,\"text\":\"b\",\"last\":true}"), 200);
	assert_int_equal(post(&k, "shop", "{\"for\":\"k\",\"id\":3}"), 200);
	kit_pass(&k, FISH_HOUR);
	assert_non_null(strstr(kit_show(&k, other), "\"received\": 1, \"untaken\": 1, "));
	kit_close(&k);
}

/* Who knows a door's name must not be able to fill the disk with lines of the log. */
static void a_flood_of_forged_ones_makes_few_lines(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	for (int i = 0; i < 500; i++) {
		assert_int_equal(post(&k, "stripe", "{\"data\":{\"object\":{\"id\":\"pi_1\"}}}"), 401);
		assert_int_equal(post(&k, "shop", "{}"), 200);
	}
	assert_int_equal(count(k.events.ptr, "door.refused") + count(k.events.ptr, "door.nobody"), GATE_LINES_MAX);
	assert_int_equal(count(k.events.ptr, "door.flood lines="), 1);
	kit_pass(&k, FISH_MINUTE);
	assert_int_equal(post(&k, "stripe", "{}"), 401);
	assert_non_null(strstr(k.events.ptr, "door.flood.over more=900"));
	assert_int_equal(count(k.events.ptr, "door.refused") + count(k.events.ptr, "door.nobody"), GATE_LINES_MAX + 1);
	kit_close(&k);
}

static void misuse_is_said(void **state)
{
	struct kit k;
	static const struct { const char *input, *words; } all[] = {
		{ "{\"on\":\"no\",\"key\":\"k\"}", "the door \"no\" is not in the program's list of doors" },
		{ "{\"on\":\"each\",\"key\":\"k\"}", "each delivery to the door \"each\" starts a flow" },
		{ "{\"on\":\"shop\",\"key\":\"\"}", "a key has 1 to 255 bytes of UTF-8" },
		{ "{\"on\":\"shop\",\"key\":\"k\",\"json\":true}", "do not go with a door" },
	};

	kit_open(&k, &program, park_of(state));
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_non_null(strstr(kit_end(&k, kit_start(&k, "wrong", all[i].input)), all[i].words));
	/* Nobody starts a box by its name. */
	assert_int_equal(kit_try(&k, "/in/shop", "{}", NULL).rc, FISH_ENOTFOUND);
	kit_close(&k);
}

int main(void)
{
	static int64_t never = 1 << 30;
	static int64_t always = -1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(what_comes_early_is_handed_over, &never),
		cmocka_unit_test_prestate(what_comes_early_is_handed_over, &always),
		cmocka_unit_test_prestate(a_crash_at_any_commit_loses_and_doubles_nothing, &never),
		cmocka_unit_test_prestate(a_crash_at_any_commit_loses_and_doubles_nothing, &always),
		cmocka_unit_test_prestate(several_that_wait_for_one_key_stand_in_line, &never),
		cmocka_unit_test_prestate(several_that_wait_for_one_key_stand_in_line, &always),
		cmocka_unit_test_prestate(a_box_goes_when_nothing_can_come_of_it, &never),
		cmocka_unit_test_prestate(a_box_goes_when_nothing_can_come_of_it, &always),
		cmocka_unit_test_prestate(a_long_wait_is_not_forgotten, &never),
		cmocka_unit_test_prestate(a_long_wait_is_not_forgotten, &always),
		cmocka_unit_test_prestate(boxes_and_flows_live_on_for_ever, &never),
		cmocka_unit_test_prestate(boxes_and_flows_live_on_for_ever, &always),
		cmocka_unit_test_prestate(what_has_no_room_waits, &never),
		cmocka_unit_test_prestate(what_has_no_room_waits, &always),
		cmocka_unit_test_prestate(so_many_are_kept_of_a_key, &never),
		cmocka_unit_test_prestate(so_many_are_kept_in_all, &never),
		cmocka_unit_test_prestate(each_delivery_starts_a_flow_once, &never),
		cmocka_unit_test_prestate(each_delivery_starts_a_flow_once, &always),
		cmocka_unit_test_prestate(a_flow_is_told_of_when_it_is_durable, &never),
		cmocka_unit_test_prestate(a_flow_is_told_of_when_it_is_durable, &always),
		cmocka_unit_test_prestate(keys_are_headers_or_members, &always),
		cmocka_unit_test_prestate(forged_ones_and_questions, &always),
		cmocka_unit_test_prestate(a_box_is_no_way_around_its_door, &never),
		cmocka_unit_test_prestate(what_a_parked_one_has_taken_is_shown, &never),
		cmocka_unit_test_prestate(what_a_parked_one_has_taken_is_shown, &always),
		cmocka_unit_test_prestate(a_flood_of_forged_ones_makes_few_lines, &never),
		cmocka_unit_test_prestate(misuse_is_said, &always),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
