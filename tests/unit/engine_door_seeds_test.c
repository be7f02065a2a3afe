/* engine_door_seeds_test.c - random stories at a named door: senders that repeat, flows that come and go,
 * crashes at any commit, commits that are rolled back, parking, lives; FISH_SEEDS says how many.
 *
 * What must hold: all that heard 200 goes to the flows that wait for its key, in the order of the
 * deliveries, each once. Surprise: a sender asks again until it hears 200, and only then is the next one's
 * turn, so that there is one order to hold against. */
#include "engine_kit.h"

enum { SEEDS = 300, KEYS = 3, LIVES = 0 /* the key that one flow has to itself */, EVENTS = 60, IDS_MAX = 100, TAKERS_MAX = 60, TRIES_MAX = 60 };

static const fish_sender shop = { .name = "shop", .id = "/id" };
static const fish_sender *const senders[] = { &shop, NULL };

/* So many for this key; the ids, one behind the other. */
static void takes(fish_flow *f, const fish_msg *in)
{
	long long left = fish_int(in, "/left", 0);
	const char *ids = "";
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){
		.on = "shop", .key = fish_str(in, "/key"), .shots = (uint32_t)left });

	for (; left; left--) {
		ids = fish_fmt(f, "%s%s.", ids, fish_raw(fish_next(h, FISH_FOREVER), "/id"));
		if (left % 2)
			fish_sleep(f, 10);
	}
	fish_done(f, "%s", ids);
}

/* All for this key until the last one, a few in each life. */
static void lives(fish_flow *f, const fish_msg *in)
{
	const char *ids = fish_str(in, "/ids");
	const char *key = fish_str(in, "/key");
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .on = "shop", .key = key, .release = true });

	for (long long n = fish_int(in, "/in_a_life", 0); n > 0; n--) {
		const fish_msg *m = fish_next(h, FISH_FOREVER);

		ids = fish_fmt(f, "%s%s.", ids, fish_raw(m, "/id"));
		if (fish_true(m, "/last"))
			fish_done(f, "%s", ids);
	}
	fish_renew(f, "{key: %s, ids: %s, in_a_life: %lld}", key, ids, fish_int(in, "/in_a_life", 0));
}

static const fish_def flows[] = { FISH_FLOW(takes), FISH_FLOW(lives), FISH_END };
static const fish_door door = { .name = "shop", .from = &shop, .key = "/for", .open = true };
static const fish_door *const doors[] = { &door, NULL };
static const fish_program program = { .flows = flows, .senders = senders, .doors = doors };

struct story {
	struct kit k;
	uint64_t   chance;
	bool       quiet;                          /* no more faults */
	int        faults;
	int        ids[KEYS][IDS_MAX], nids[KEYS];
	int        promised[KEYS];                 /* what the takers want, in all */
	struct id  takers[KEYS][TAKERS_MAX];
	int        ntakers[KEYS];
	int        next_id;
};

static uint32_t below(struct story *s, uint32_t n)
{
	s->chance = s->chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(s->chance >> 33) % n;
}

/* To rest, or to the next crash. */
static void go(struct story *s)
{
	struct kit *k = &s->k;

	for (int n = 0; n < 10 * KIT_TURNS_MAX; n++) {
		engine_turn(k->engine);
		bool faulty = !s->quiet && k->engine->inflight && below(s, 12) == 0;

		s->faults += faulty;
		if (faulty && below(s, 3)) {
			k->park_after_ms = below(s, 2) ? -1 : 1 << 30;
			kit_crash(k, below(s, 2) ? KIT_LOST : KIT_KEPT);
			store_memory_hold(k->store, true);
			return;
		}
		while (store_memory_pending(k->store))
			store_memory_complete(k->store, faulty ? MEMORY_COMMIT_FAILS : MEMORY_OK);
		if (faulty || engine_away(k->engine))
			k->now_ms += 20 * FISH_SECOND;     /* the engine's pause goes by */
		else if (engine_idle(k->engine) && !k->store->under_way)
			return;
	}
	fail_msg("it does not come to rest");
}

static void post(struct story *s, int key, int id, bool last)
{
	struct knock n = { .status = 0 };
	char body[64];

	snprintf(body, sizeof body, "{\"for\": \"k%d\", \"id\": %d%s}", key, id, last ? ", \"last\": true" : "");
	for (int tries = 0; n.status != 200; tries++) {
		assert_true(tries < TRIES_MAX);
		n = (struct knock){ .delivery = {
			.door = SLICE_LIT("shop"), .body = slice_of(body), .meta = SLICE_LIT(":method: POST\n"), .done = knock_done } };
		engine_deliver(s->k.engine, &n.delivery);
		go(s);
		assert_true(n.status == 200 || n.status == 503 || n.status == 0);
	}
}

static void post_new(struct story *s, int key, bool last)
{
	int id = ++s->next_id;

	if (s->nids[key] == IDS_MAX)
		return;
	s->ids[key][s->nids[key]++] = id;
	post(s, key, id, last);
}

static void start(struct story *s, int key, int wants)
{
	struct launch l = { .rc = UNTOLD };
	char input[96], start_key[32];

	if (s->ntakers[key] == (key == LIVES ? 1 : TAKERS_MAX))
		return;
	snprintf(input, sizeof input, "{\"key\": \"k%d\", \"left\": %d, \"in_a_life\": %u}", key, wants, 1 + below(s, 3));
	snprintf(start_key, sizeof start_key, "%d-%d", key, s->ntakers[key]);
	for (int tries = 0; l.rc != 0; tries++) {
		assert_true(tries < TRIES_MAX);
		kit_launch(&s->k, &l, key == LIVES ? "lives" : "takes", input, start_key);
		go(s);
	}
	s->takers[key][s->ntakers[key]++] = l.id;
	s->promised[key] += wants;
}

static void event(struct story *s)
{
	int key = (int)below(s, KEYS);

	switch (below(s, 8)) {
	case 0:
	case 1:
	case 2:
		post_new(s, key, false);
		break;
	case 3:
	case 4:
		if (s->nids[key])
			post(s, key, s->ids[key][below(s, (uint32_t)s->nids[key])], false);
		break;
	case 5:
		start(s, key, 1 + (int)below(s, 5));
		break;
	case 6:
		s->k.now_ms += below(s, 5 * 60 * 1000);
		go(s);
		break;
	case 7:
		leave_soon(s->k.engine);
		go(s);
		break;
	}
}

/* All that wait get what they wait for, and all that came is taken by somebody. */
static void settle(struct story *s, int key)
{
	if (key == LIVES && !s->ntakers[key])
		start(s, key, 0);
	if (key == LIVES) {
		post_new(s, key, true);
		return;
	}
	while (s->promised[key] > s->nids[key])
		post_new(s, key, false);
	if (s->nids[key] > s->promised[key])
		start(s, key, s->nids[key] - s->promised[key]);
}

static void judge(struct story *s, int key, uint64_t seed)
{
	struct buf got, want;

	buf_init(&got, SIZE_MAX);
	buf_init(&want, SIZE_MAX);
	buf_puts(&got, "");
	buf_puts(&want, "");
	for (int i = 0; i < s->nids[key]; i++)
		buf_printf(&want, "%d.", s->ids[key][i]);
	for (int i = 0; i < s->ntakers[key]; i++) {
		const char *end = kit_end(&s->k, s->takers[key][i]);

		if (strncmp(end, "done \"", 6) != 0)
			fail_msg("seed %llu: taker %d of k%d: %s", (unsigned long long)seed, i, key, end);
		buf_printf(&got, "%.*s", (int)strlen(end) - 7, end + 6);
	}
	if (got.len != want.len || (got.len && memcmp(got.ptr, want.ptr, got.len) != 0))
		fail_msg("seed %llu: k%d: came %.*s taken %.*s", (unsigned long long)seed, key, (int)want.len, want.ptr,
		         (int)got.len, got.ptr);
	buf_fini(&got);
	buf_fini(&want);
}

static int story(uint64_t seed)
{
	struct story *s = test_calloc(1, sizeof *s);

	s->chance = seed * 7919;
	(void)below(s, 2);
	kit_open(&s->k, &program, below(s, 2) ? -1 : 1 << 30);
	store_memory_hold(s->k.store, true);
	for (int i = 0; i < EVENTS; i++)
		event(s);
	s->quiet = true;
	for (int key = 0; key < KEYS; key++)
		settle(s, key);
	store_memory_hold(s->k.store, false);
	for (int i = 0; i < 3 * IDS_MAX; i++)
		kit_pass(&s->k, FISH_SECOND);
	for (int key = 0; key < KEYS; key++)
		judge(s, key, seed);
	int faults = s->faults;

	/* Nobody waits, and nothing can come again: the boxes go. */
	for (int days = 0; days < 8; days++)
		kit_pass(&s->k, FISH_DAY);
	assert_int_equal(kit_figures(&s->k).flows + kit_figures(&s->k).boxes, 0);
	kit_close(&s->k);
	test_free(s);
	return faults;
}

static void nothing_is_lost_or_handed_on_twice(void **state)
{
	const char *asked = getenv("FISH_SEEDS");
	uint64_t seeds = asked ? strtoull(asked, NULL, 10) : SEEDS;
	int faults = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++)
		faults += story(seed);
	assert_true((uint64_t)faults > 5 * seeds);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_lost_or_handed_on_twice) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
