/* engine_door_seeds_test.c - random stories at a named door, which the simulator of src/sim does not have.
 *
 * In them: senders that repeat, also what was handed on to a flow that has ended; flows that take so many,
 * that go on in new lives, that lose patience or are cancelled while something is on its way to them; flows
 * and boxes parked at every wait, never, or when it happens; crashes and rolled-back commits at random, and in
 * a few stories each of them at every single commit. FISH_SEEDS says how many stories.
 *
 * What must hold: all that heard 200 goes to the flows that wait for its key, in the order of the
 * deliveries, each once; it is taken or among what its flow left untaken; at the end nothing is left of the
 * boxes. Not here: keeping times (engine_door_test), several senders of one key at a time (doors_test.py).
 * Surprise: a sender asks again until it hears 200, and only then is the next one's turn, so that there is
 * one order to hold against. */
#include "engine_kit.h"

enum {
	SEEDS = 300, EACH_SEEDS = 4, EVENTS = 60, EACH_EVENTS = 40, IDS_MAX = 100, TAKERS_MAX = 60, TRIES_MAX = 60,
	LIVES = 0,          /* the key that one flow has to itself; */
	LEAVES = 1,         /* the key of flows that may leave before they have got what they want */
	KEYS = 4,
};

static const fish_sender shop = { .name = "shop", .id = "/id" };
static const fish_sender *const senders[] = { &shop, NULL };

/* So many for this key, unless it has to wait too long; what it has taken is published. */
static void leaves(fish_flow *f, const fish_msg *in)
{
	const char *ids = "";
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){
		.on = "shop", .key = fish_str(in, "/key"), .shots = (uint32_t)fish_int(in, "/left", 0) });

	for (const fish_msg *m; (m = fish_next(h, fish_int(in, "/patience_ms", 0)));) {
		ids = fish_fmt(f, "%s%s.", ids, fish_raw(m, "/id"));
		fish_publish(f, "ids", "%s", ids);
		fish_sleep(f, FISH_SECOND);
	}
	fish_done(f, "%s", ids);
}

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

static const fish_def flows[] = { FISH_FLOW(takes), FISH_FLOW(lives), FISH_FLOW(leaves), FISH_END };
static const fish_door door = { .name = "shop", .from = &shop, .key = "/for", .open = true };
static const fish_door *const doors[] = { &door, NULL };
static const fish_program program = { .flows = flows, .senders = senders, .doors = doors };

/* The one fault of a story that has one at a certain commit. */
enum fault { FAULT_LOST, FAULT_KEPT, FAULT_FAILS, FAULTS, FAULT_RANDOM };

struct story {
	struct kit k;
	uint64_t   seed, chance;
	bool       quiet;                          /* no more faults */
	enum fault fault;
	int        fault_at, commits;              /* commits so far; the one that the fault meets, 0: none */
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

static bool is_faulty(struct story *s)
{
	if (!s->k.engine->inflight)
		return false;
	s->commits++;
	if (s->fault != FAULT_RANDOM)
		return s->commits == s->fault_at;
	return !s->quiet && below(s, 12) == 0;
}

/* False: the commit is to be rolled back. */
static bool crashes(struct story *s)
{
	enum fault fault = s->fault;

	if (fault == FAULT_RANDOM) {
		fault = below(s, 3) == 0 ? FAULT_FAILS : below(s, 2) ? FAULT_LOST : FAULT_KEPT;
		s->k.park_after_ms = below(s, 2) ? -1 : 1 << 30;
	}
	if (fault == FAULT_FAILS)
		return false;
	kit_crash(&s->k, fault == FAULT_LOST ? KIT_LOST : KIT_KEPT);
	return true;
}

/* To rest, or to the next crash. */
static void go(struct story *s)
{
	struct kit *k = &s->k;

	for (int n = 0; n < 10 * KIT_TURNS_MAX; n++) {
		engine_turn(k->engine);
		bool faulty = is_faulty(s);

		s->faults += faulty;
		if (faulty && crashes(s)) {
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
	char input[128], start_key[32];

	if (s->ntakers[key] == (key == LIVES ? 1 : TAKERS_MAX))
		return;
	snprintf(input, sizeof input, "{\"key\": \"k%d\", \"left\": %d, \"in_a_life\": %u, \"patience_ms\": %u}", key,
	         wants, 1 + below(s, 3), 1000 * (1 + below(s, 400)));
	snprintf(start_key, sizeof start_key, "%d-%d", key, s->ntakers[key]);
	for (int tries = 0; l.rc != 0; tries++) {
		assert_true(tries < TRIES_MAX);
		kit_launch(&s->k, &l, key == LIVES || !wants ? "lives" : key == LEAVES ? "leaves" : "takes", input, start_key);
		go(s);
	}
	s->takers[key][s->ntakers[key]++] = l.id;
	s->promised[key] += wants;
}

static void cancelled(struct cancel *c, int rc)
{
	(void)c;
	assert_true(rc == 0 || rc == FISH_EGONE || rc == FISH_ESTORE);
}

/* Whether it was is nobody's promise: a crash may come first. */
static void cancel(struct story *s)
{
	struct cancel c = { .done = cancelled };

	if (!s->ntakers[LEAVES])
		return;
	c.id = s->takers[LEAVES][below(s, (uint32_t)s->ntakers[LEAVES])];
	engine_cancel(s->k.engine, &c);
	go(s);
}

static void event(struct story *s)
{
	int key = (int)below(s, KEYS);

	switch (below(s, 9)) {
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
	case 8:
		cancel(s);
		break;
	}
}

/* Time goes by, to the end of it whatever happens. */
static void pass(struct story *s, int64_t ms)
{
	for (int64_t until = s->k.now_ms + ms; s->k.now_ms < until;) {
		s->k.now_ms += FISH_SECOND;
		go(s);
	}
}

/* All that wait get what they wait for, and all that came is taken by somebody. */
static void settle(struct story *s, int key)
{
	if (key == LEAVES)
		pass(s, 10 * FISH_MINUTE);         /* who had to wait has gone */
	if (key == LEAVES || (key == LIVES && !s->ntakers[key]))
		start(s, key, 0);
	if (key == LEAVES || key == LIVES) {
		post_new(s, key, true);
		return;
	}
	while (s->promised[key] > s->nids[key])
		post_new(s, key, false);
	if (s->nids[key] > s->promised[key])
		start(s, key, s->nids[key] - s->promised[key]);
}

/* The ids of all that flow was given: what it has taken, then what it left behind. */
static void put_given(struct story *s, struct id id, struct buf *out)
{
	const char *all = kit_show(&s->k, id);
	const char *taken = strstr(all, "\"published\": {\"ids\": \"");
	const char *left = strstr(all, "\"untaken\": [");
	const char *ledger = strstr(all, "\"ledger\"");

	if (taken) {
		taken += strlen("\"published\": {\"ids\": \"");
		buf_printf(out, "%.*s", (int)strcspn(taken, "\""), taken);
	}
	while (left && (left = strstr(left, "id\\\": ")) && left < ledger) {
		left += strlen("id\\\": ");
		buf_printf(out, "%d.", atoi(left));
	}
}

static void put_taken(struct story *s, int key, int taker, struct buf *out)
{
	struct id id = s->takers[key][taker];
	const char *end = kit_end(&s->k, id);

	if (key == LEAVES && taker < s->ntakers[key] - 1) {
		if (strncmp(end, "done ", 5) != 0 && strncmp(end, "cancelled ", 10) != 0)
			fail_msg("seed %llu: taker %d: %s", (unsigned long long)s->seed, taker, end);
		put_given(s, id, out);
		return;
	}
	if (strncmp(end, "done \"", 6) != 0)
		fail_msg("seed %llu: taker %d of k%d: %s", (unsigned long long)s->seed, taker, key, end);
	buf_printf(out, "%.*s", (int)strlen(end) - 7, end + 6);
}

static void judge(struct story *s, int key)
{
	struct buf got, want;

	buf_init(&got, SIZE_MAX);
	buf_init(&want, SIZE_MAX);
	buf_puts(&got, "");
	buf_puts(&want, "");
	for (int i = 0; i < s->nids[key]; i++)
		buf_printf(&want, "%d.", s->ids[key][i]);
	for (int i = 0; i < s->ntakers[key]; i++)
		put_taken(s, key, i, &got);
	if (got.len != want.len || (got.len && memcmp(got.ptr, want.ptr, got.len) != 0))
		fail_msg("seed %llu, fault %d at %d: k%d: came %.*s taken %.*s", (unsigned long long)s->seed, (int)s->fault,
		         s->fault_at, key, (int)want.len, want.ptr, (int)got.len, got.ptr);
	buf_fini(&got);
	buf_fini(&want);
}

/* All is sent once more, and then somebody waits: it was handed on, and nobody gets it again. */
static void again(struct story *s)
{
	struct id late[KEYS];

	for (int key = 0; key < KEYS; key++)
		for (int i = 0; i < s->nids[key]; i++)
			post(s, key, s->ids[key][i], true);
	for (int key = 0; key < KEYS; key++) {
		char input[64];

		snprintf(input, sizeof input, "{\"key\": \"k%d\", \"left\": 9, \"patience_ms\": 5000}", key);
		late[key] = kit_start(&s->k, "leaves", input);
	}
	for (int i = 0; i < 9; i++)
		kit_pass(&s->k, FISH_SECOND);
	for (int key = 0; key < KEYS; key++)
		assert_string_equal(kit_end(&s->k, late[key]), "done \"\"");
}

/* How many faults it had, or commits if it was to have none. */
static int story(uint64_t seed, int64_t park_after_ms, enum fault fault, int fault_at)
{
	struct story *s = test_calloc(1, sizeof *s);

	s->seed = seed;
	s->chance = seed * 7919;
	s->fault = fault;
	s->fault_at = fault_at;
	(void)below(s, 2);
	kit_open(&s->k, &program, park_after_ms);
	store_memory_hold(s->k.store, true);
	for (int i = fault == FAULT_RANDOM ? EVENTS : EACH_EVENTS; i > 0; i--)
		event(s);
	s->quiet = true;
	for (int key = 0; key < KEYS; key++)
		settle(s, key);
	int told = fault == FAULT_RANDOM || fault_at ? s->faults : s->commits;

	s->fault = FAULT_RANDOM;
	store_memory_hold(s->k.store, false);
	for (int i = 0; i < 3 * IDS_MAX; i++)
		kit_pass(&s->k, FISH_SECOND);
	for (int key = 0; key < KEYS; key++)
		judge(s, key);
	again(s);

	/* Nobody waits, and nothing can come again: the boxes go. */
	for (int days = 0; days < 8; days++)
		kit_pass(&s->k, FISH_DAY);
	assert_int_equal(kit_figures(&s->k).flows + kit_figures(&s->k).boxes, 0);
	kit_close(&s->k);
	test_free(s);
	return told;
}

static void nothing_is_lost_or_handed_on_twice(void **state)
{
	const char *asked = getenv("FISH_SEEDS");
	uint64_t seeds = asked ? strtoull(asked, NULL, 10) : SEEDS;
	int faults = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= seeds; seed++)
		faults += story(seed, seed % 2 ? -1 : 1 << 30, FAULT_RANDOM, 0);
	assert_true((uint64_t)faults > 4 * seeds);
}

static void nor_by_any_fault_at_any_commit(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= EACH_SEEDS; seed++) {
		for (int parks = 0; parks < 2; parks++) {
			int64_t park_after_ms = parks ? -1 : 1 << 30;
			int commits = story(seed, park_after_ms, FAULT_LOST, 0);

			assert_true(commits > EACH_EVENTS / 2);
			for (int at = 1; at <= commits; at++)
				for (enum fault fault = 0; fault < FAULTS; fault++)
					assert_int_equal(story(seed, park_after_ms, fault, at), 1);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost_or_handed_on_twice),
		cmocka_unit_test(nor_by_any_fault_at_any_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
