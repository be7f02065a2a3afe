/* engine_door_ledger_test.c - what became of the requests to a named door, and how one is put back. */
#include "engine_kit.h"

static const char *const secrets[] = { "whsec_test", NULL };
static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = secrets };
static const fish_sender shop = { .name = "shop", .id = "/id" };
static const fish_sender *const senders[] = { &stripe, &shop, NULL };

static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .on = fish_str(in, "/on"), .key = "pi_1" });
	const fish_msg *m = fish_next(h, FISH_FOREVER);

	fish_done(f, "%-s", fish_raw(m, "/n"));
}

static void each(fish_flow *f, const fish_msg *in)
{
	fish_log(f, "began with %s", fish_str(in, "/text"));
	fish_sleep(f, FISH_DAY);
}

static const fish_def flows[] = { FISH_FLOW(waits), FISH_FLOW(each), FISH_END };
static const fish_door keyed = { .name = "keyed", .from = &stripe, .key = "/for", .body_max = 100 };
static const fish_door starts = { .name = "starts", .from = &stripe, .flow = each };
static const fish_door open_door = { .name = "open", .from = &shop, .key = "/for", .open = true };
static const fish_door *const doors[] = { &keyed, &starts, &open_door, NULL };
static const fish_program program = { .flows = flows, .senders = senders, .doors = doors };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static int post(struct kit *k, const char *door, const char *body)
{
	struct knock n = { .delivery = {
		.door = slice_of(door), .body = slice_of(body), .done = knock_done,
		.meta = SLICE_LIT(":method: POST\n:peer: 192.0.2.1\nstripe-signature: t=1,v1=0badc0de\n") } };

	engine_deliver(k->engine, &n.delivery);
	kit_turn(k);
	assert_int_not_equal(n.status, 0);
	return n.status;
}

static void assert_shows(struct kit *k, const char *door, const char *words)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	assert_true(engine_show_door(k->engine, slice_of(door), &out));
	if (!strstr(out.ptr, words))
		fail_msg("no %s in\n%s", words, out.ptr);
	assert_null(strstr(out.ptr, "0badc0de"));
	buf_fini(&out);
}

static void put_begin(struct kit *k, struct putting *p, const char *door, uint64_t number)
{
	char name[80];

	snprintf(name, sizeof name, "%s", door);
	kit_put_begin(k, p, &(struct redeliver){ .door = slice_of(name), .number = number });
	memset(name, 'x', sizeof name);           /* it is borrowed no longer */
}

/* Where it went; zero when it went nowhere. */
static struct id assert_put(struct kit *k, const char *door, uint64_t number, int rc, const char *why)
{
	struct putting p;

	put_begin(k, &p, door, number);
	kit_put_told(k, &p, rc, why);
	return p.redeliver.to;
}

static void a_forged_one_goes_to_who_waits_for_it(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "waits", "{\"on\": \"keyed\"}");

	assert_int_equal(post(&k, "keyed", "{\"for\": \"pi_1\", \"n\": 1, \"id\": \"evt_1\"}"), 401);
	assert_non_null(strstr(k.events.ptr, "door.refused door=keyed number=1 sender=stripe "));
	assert_shows(&k, "keyed", "{\"door\": \"keyed\", \"url\": \"https://door/in/keyed\", \"from\": \"stripe\", "
	             "\"key\": \"/for\", \"flow\": null, \"keep_ms\": 86400000, \"body_max\": 100, ");
	assert_shows(&k, "keyed", "\"stored\": 0, \"duplicates\": 0, \"questions\": 0, \"refused\": 1, ");
	assert_shows(&k, "keyed", "\"fate\": \"refused\", \"status\": 401, \"method\": \"POST\", \"why\": \"");
	assert_shows(&k, "keyed", "[\"stripe-signature\", \"…\"]");
	assert_put(&k, "keyed", 2, FISH_ENOTFOUND, "no such request of this door");
	assert_put(&k, "starts", 1, FISH_ENOTFOUND, "no such request of this door");
	assert_put(&k, "none", 1, FISH_ENOTFOUND, "no such door");
	struct id box = assert_put(&k, "keyed", 1, 0, "");

	assert_non_null(strstr(kit_show(&k, box), "\"flow\": \"/in/keyed\""));
	assert_string_equal(kit_end(&k, id), "done 1");
	assert_shows(&k, "keyed", "\"fate\": \"put back\"");
	assert_shows(&k, "keyed", "\"refused\": 0, \"late\": 0, \"nobody\": 0, \"put_back\": 1, ");
	assert_non_null(strstr(k.events.ptr, "door.redelivered door=keyed flow="));
	assert_put(&k, "keyed", 1, FISH_EINVAL, "put back already");
	kit_close(&k);
}

/* It comes before anybody waits, as a genuine one may; its sender's id is known from then on. */
static void what_is_put_back_early_is_kept_and_known_by_its_id(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "keyed", "{\"for\": \"pi_1\", \"n\": 1, \"id\": \"evt_1\"}"), 401);
	assert_int_equal(post(&k, "keyed", "{\"for\": \"pi_1\", \"n\": 2, \"id\": \"evt_1\"}"), 401);
	assert_put(&k, "keyed", 1, 0, "");
	assert_put(&k, "keyed", 2, FISH_EINVAL, "has been stored already");
	kit_crash(&k, KIT_KEPT);
	assert_put(&k, "keyed", 2, FISH_ENOTFOUND, "no such request");
	assert_shows(&k, "keyed", "\"put_back\": 0, \"requests\": []");
	struct id id = kit_start(&k, "waits", "{\"on\": \"keyed\"}");

	assert_string_equal(kit_end(&k, id), "done 1");
	kit_close(&k);
}

static void what_is_put_back_starts_a_flow_once(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "starts", "{\"text\": \"a\", \"id\": \"evt_1\"}"), 401);
	assert_int_equal(post(&k, "starts", "{\"text\": \"b\", \"id\": \"evt_1\"}"), 401);
	struct id id = assert_put(&k, "starts", 1, 0, "");

	assert_non_null(strstr(kit_show(&k, id), "\"flow\": \"each\""));
	assert_put(&k, "starts", 2, FISH_EINVAL, "has been stored already");
	assert_int_equal(count(kit_log_text(&k), "began with"), 1);
	assert_int_equal(count(kit_log_text(&k), "began with a"), 1);
	kit_close(&k);
}

static void what_has_no_key_or_too_many_bytes_stays_out(void **state)
{
	struct kit k;
	char big[200] = "{\"for\": \"pi_1\", \"x\": \"";

	memset(big + strlen(big), 'a', sizeof big - strlen(big) - 1);
	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "keyed", "{\"n\": 1}"), 401);                          /* 1 */
	assert_int_equal(post(&k, "keyed", big), 413);                                    /* 2 */
	assert_int_equal(post(&k, "open", "{\"n\": 1}"), 200);                           /* 3 */
	assert_int_equal(post(&k, "starts", big), 401);       /* takes as much as the server does */
	assert_shows(&k, "keyed", "\"status\": 413, \"method\": \"POST\", \"why\": \"more bytes than this door takes\"");
	assert_put(&k, "keyed", 1, FISH_EINVAL, "it has no /for that could be a key, so nobody can wait for it");
	assert_put(&k, "keyed", 2, FISH_EINVAL, "more bytes than its door takes");
	assert_shows(&k, "open", "\"fate\": \"nobody\", \"status\": 200, \"method\": \"POST\", \"why\": "
	             "\"it has no /for that could be a key\", \"len\": 8, \"kept\": true, \"text\": \"{\\\"n\\\": 1}\"");
	assert_shows(&k, "open", "\"nobody\": 1, ");
	assert_put(&k, "open", 3, FISH_EINVAL, "it has no /for that could be a key");
	assert_int_equal(kit_figures(&k).flows, 0);
	kit_close(&k);
}

/* The flow in whose journal it is: its box, which hands it on. */
static void what_is_stored_says_where(void **state)
{
	struct kit k;
	char words[120];
	char text[ID_TEXT_SIZE];

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "open", "{\"for\": \"pi_1\", \"n\": 1, \"id\": 1}"), 200);
	assert_int_equal(post(&k, "open", "{\"for\": \"pi_1\", \"n\": 1, \"id\": 1}"), 200);
	assert_shows(&k, "open", "\"stored\": 1, \"duplicates\": 1, ");
	struct id box;

	(void)kit_roll(&k, (struct roll){ .limit = 10, .boxes = true }, &box);
	id_text(&box, text);
	snprintf(words, sizeof words, "\"fate\": \"stored\", \"status\": 200, \"method\": \"POST\", \"flow\": \"%s\"", text);
	assert_shows(&k, "open", words);
	assert_put(&k, "open", 1, FISH_EINVAL, "it is stored");
	assert_put(&k, "open", 2, FISH_EINVAL, "duplicate of what is stored");
	struct buf out;

	buf_init(&out, SIZE_MAX);
	engine_list_doors(k.engine, &out);
	assert_int_equal(count(out.ptr, "{\"door\": "), 3);
	assert_null(strstr(out.ptr, "requests"));
	assert_false(engine_show_door(k.engine, SLICE_LIT("none"), &out));
	buf_fini(&out);
	kit_close(&k);
}

/* What a commit that was rolled back would have stored is no line, and can be put back once more. */
static void nothing_is_told_before_it_is_durable(void **state)
{
	struct kit k;
	struct putting p;
	struct knock n = { .delivery = {
		.door = SLICE_LIT("open"), .body = SLICE_LIT("{\"for\": \"k\"}"), .done = knock_done } };

	kit_open(&k, &program, park_of(state));
	assert_int_equal(post(&k, "keyed", "{\"for\": \"pi_1\", \"n\": 1}"), 401);
	store_memory_hold(k.store, true);
	put_begin(&k, &p, "keyed", 1);
	engine_deliver(k.engine, &n.delivery);
	for (int i = 0; i < 9 && (p.rc == UNTOLD || !n.status); i++) {
		engine_turn(k.engine);
		assert_shows(&k, "open", "\"stored\": 0, ");
		while (store_memory_pending(k.store))
			store_memory_complete(k.store, k.engine->inflight ? MEMORY_COMMIT_FAILS : MEMORY_OK);
		engine_turn(k.engine);
	}
	assert_int_equal(p.rc, FISH_ESTORE);
	assert_int_equal(n.status, 503);
	store_memory_hold(k.store, false);
	kit_pass(&k, FISH_MINUTE);
	assert_shows(&k, "open", "\"stored\": 0, ");
	assert_shows(&k, "keyed", "\"fate\": \"refused\"");
	assert_put(&k, "keyed", 1, 0, "");
	kit_close(&k);
}

#define STORY(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define STORIES(park) \
	STORY(a_forged_one_goes_to_who_waits_for_it, park), \
	STORY(what_is_put_back_early_is_kept_and_known_by_its_id, park), \
	STORY(what_is_put_back_starts_a_flow_once, park), \
	STORY(what_has_no_key_or_too_many_bytes_stays_out, park), \
	STORY(what_is_stored_says_where, park), \
	STORY(nothing_is_told_before_it_is_durable, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { STORIES(stay), STORIES(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
