/* fault_story_test.c - the broker's story over the SQLite store, cut off at random operations of its
 * disk and told on by the next process, until every order is done.
 *
 * Orders park while they wait, at once or after a while, in most stories; deliveries come to them
 * and deadlines pass. FISH_CUTS (100) power cuts and as many kills, divided by FISH_SIM_SEEDS_DIVISOR,
 * from seed FISH_CUTS_FIRST (1) on, in PARKING_STORIES stories at least.
 * Surprise: a seed draws what the world does and where the cut comes; which deliveries share a
 * commit is up to two threads, so a seed that breaks may need a few runs to break again. */
#include "file_check.h"
#include "story.h"

#include <inttypes.h>

enum { CUTS = 100,
	PLANTED_SEEDS = 200,     /* one of them is mostly found by the tenth, as threads happen to meet */
	FULL_WRITES_MAX = 40,
	FULL_STORIES = 20,
	PARKING_STORIES = 20, /* over so many the store thread's pace does not matter */
	LIVES_MAX = 5,
	PER_ORDER_POSTS = 3 + NOTES,
	PER_ORDER_CALLS = 3 };

/* One process of the story. */
struct life {
	struct world *w;
	struct kit kit;
	struct launch launch;
	size_t come; /* of kit.sent: those that the partners have heard */
};

struct post_on_its_way {
	struct delivery delivery;
	struct story_post *post;
	char *body; /* owned */
};

static void post_done(struct delivery *d, int status)
{
	struct post_on_its_way *way = container_of(d, struct post_on_its_way, delivery);

	/* 503 is for a store that is away, and the sender tries again. */
	CHECK(status == 200 || status == 503);
	way->post->on_its_way = false;
	way->post->acked = way->post->acked || status == 200;
	free(way->body);
	free(way);
}

/* JSON as it was promised, with blanks behind it if it is to be long. */
static char *body_of(const struct story_post *p)
{
	size_t len = strlen(p->body);
	size_t all = len + (p->padded ? PAD_BYTES : 0);
	char *body = xalloc(all + 1);

	memset(body, ' ', all);
	memcpy(body, p->body, len);
	return body;
}

static void post_send(struct life *l, struct story_post *p)
{
	struct post_on_its_way *way = xalloc(sizeof *way);
	const char *token = strstr(p->url, "/h/");

	CHECK(token != NULL);
	p->on_its_way = true;
	way->post = p;
	way->body = body_of(p);
	way->delivery = (struct delivery){ .token = slice_of(token + 3),
		.body = slice_of(way->body),
		.message_id = slice_of(p->id),
		.meta = SLICE_LIT(":method: POST\ncontent-type: application/json\n"),
		.done = post_done };
	engine_deliver(l->kit.engine, &way->delivery);
}

static void turn(struct life *l)
{
	struct kit *k = &l->kit;
	size_t kept = 0;

	engine_turn(k->engine);
	for (; l->come < k->nsent; l->come++)
		call_come(l->w, &k->sent[l->come]);
	/* A disk that is full for long lets many attempts be made again. */
	for (size_t i = 0; i < k->nsent; i++)
		if (k->sent[i].attempt != NULL)
			k->sent[kept++] = k->sent[i];
	l->come = k->nsent = kept;
}

/* Until nothing is left to do but to wait for the world. */
static void rest(struct life *l)
{
	for (int n = 0; n < MOVES_MAX; n++) {
		uint64_t count = 0;
		struct pollfd pfd = { .fd = l->w->fx.wake, .events = POLLIN };
		turn(l);
		bool away = engine_away(l->kit.engine);
		if (away)
			l->kit.now_ms += 500;
		else if (engine_idle(l->kit.engine) && l->kit.store->under_way == 0)
			return;
		if (l->kit.store->under_way == 0)
			continue;
		CHECK(poll(&pfd, 1, STORY_MS_MAX) == 1);
		CHECK(read(l->w->fx.wake, &count, sizeof count) == sizeof count);
	}
	CHECK(false); /* the engine does not come to rest */
}

static uint64_t chance(struct life *l, uint64_t below) { return fault_disk_draw(l->w->disk, below); }

/* Answers a call that waits, or sends a delivery that is due, or a duplicate. False: there is
 * nothing to do. */
static bool move(struct life *l)
{
	struct world *w = l->w;
	size_t n = l->kit.nsent + w->nposts;
	size_t first = n > 0 ? (size_t)chance(l, n) : 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = (first + i) % n;
		struct story_post *p = at < w->nposts ? &w->posts[at] : NULL;
		if (p != NULL && !p->on_its_way && (!p->acked || p->again)) {
			p->again = !p->acked && chance(l, 3) == 0;
			post_send(l, p);
			return true;
		}
		struct sent *s = p == NULL ? &l->kit.sent[at - w->nposts] : NULL;
		if (s != NULL && s->attempt != NULL) {
			struct attempt *a = s->attempt;
			s->attempt = NULL;
			a->done(a, 200, SLICE_NONE, SLICE_LIT("{}"), -1, NULL);
			return true;
		}
	}
	return false;
}

static void pass(struct life *l)
{
	int64_t next_ms = engine_next_ms(l->kit.engine);

	l->kit.now_ms = next_ms > l->kit.now_ms && next_ms < l->kit.now_ms + FISH_HOUR ? next_ms
										       : l->kit.now_ms + 1;
}

static bool all_told(const struct world *w)
{
	size_t acked = 0;

	for (size_t i = 0; i < w->nposts; i++)
		acked += w->posts[i].acked;
	return acked == ORDERS * PER_ORDER_POSTS && w->ncalls == 1 + ORDERS * PER_ORDER_CALLS;
}

static void life_open(struct life *l)
{
	struct world *w = l->w;
	struct store *s = NULL;
	struct err err = { .code = 0 };

	/* On a full disk whoever starts the process tries again. */
	for (unsigned n = 0; n < w->opens_max && s == NULL; n++)
		if (sqlite_store_open(&s, w->fx.path, &w->options, &err) < 0)
			fprintf(stderr, "%s\n", err.text);
	CHECK(s != NULL);
	w->opened = true;
	fixture_adopt(&w->fx, s);
	/* Chance never comes again, or two flows would have one name. */
	l->kit = (struct kit){ .program = &broker,
		.park_after_ms = w->park_after_ms,
		.now_ms = w->now_ms,
		.chance = (uint64_t)++w->lives << 20,
		.build = 1,
		.rules_off = w->rules_off,
		.store = s };
	buf_init(&l->kit.log, SIZE_MAX);
	buf_init(&l->kit.words, SIZE_MAX);
	for (size_t i = 0; i < w->nposts; i++)
		w->posts[i].on_its_way = false;
	kit_engine(&l->kit);
	do {
		kit_launch(&l->kit, &l->launch, "region", "{}", "the story");
		rest(l);
	} while (l->launch.rc == FISH_ESTORE);
	CHECK(l->launch.rc == 0);
}

static void cancelled(struct cancel *c, int rc) { (void)c, (void)rc; }

/* The region ends last, when somebody says so. */
static void life_close(struct life *l)
{
	struct cancel cancel = { .id = l->launch.id, .done = cancelled };

	for (int n = 0; kit_figures(&l->kit).flows > 0; n++) {
		CHECK(n < MOVES_MAX);
		/* A store that was away may have given an order back that had ended. */
		if (kit_figures(&l->kit).flows == 1)
			engine_cancel(l->kit.engine, &cancel);
		rest(l);
		if (!move(l))
			pass(l);
	}
	struct engine_figures figures = kit_figures(&l->kit);
	l->w->ended = true;
	l->w->parks += figures.parks;
	l->kit.store = store_close(l->kit.store);
	l->kit.engine = engine_free(l->kit.engine);
}

/* Tells the story on from where it is to its end. */
static void tell(struct fixture *fx)
{
	static struct life l;

	/* An assert of the kit's must not go on with the next test, here in the child. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	l.w = container_of(fx, struct world, fx);
	life_open(&l);
	for (int n = 0; !all_told(l.w) || kit_figures(&l.kit).flows > 1; n++) {
		CHECK(n < MOVES_MAX);
		if (!move(&l)) {
			rest(&l);
			if (!move(&l))
				pass(&l);
		}
		if (chance(&l, 2) == 0)
			rest(&l);
		else
			turn(&l);
		l.w->now_ms = l.kit.now_ms;
	}
	rest(&l);
	life_close(&l);
	_exit(0);
}

/* ---- the tests ---- */

static int setup(void **state)
{
	struct world *w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(w != MAP_FAILED);
	fixture_init(&w->fx);
	w->disk = fault_disk_new();
	fault_vfs_mount(w->disk);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fixture_fini(&w->fx);
	fault_disk_free(w->disk);
	munmap(w, sizeof *w);
	return 0;
}

static void world_begin(struct world *w, uint64_t seed)
{
	fault_disk_wipe(w->disk, seed);
	fault_disk_delays(w->disk, seed % 3 == 0 ? 200 : 0);
	static const size_t young[] = { 3000, 0, 24000 };
	static const int64_t park_after_ms[] = { -1, 20, -1, FISH_HOUR, 100 };
	w->options = (struct sqlite_options){
		.store = { .young_bytes_max = young[seed % 3],
			.retain_ms = seed % 2 == 0 ? 100 : 0,
			.retain_bytes_max = seed % 7 == 0 ? 1000 : 0,
			.vfs = FAULT_VFS },
		.wal_frames_max = 10 + (int)(seed % 4) * 20,
		.dead_rows_min = 1 + seed % 3,
		.ids_merge_max = 1,
	};
	w->now_ms = 1000000;
	w->park_after_ms = park_after_ms[seed % 5];
	w->lives = 0;
	w->nposts = w->ncalls = 0;
	w->rules_off = 0;
	w->opens_max = 1;
	w->opened = w->ended = false;
	w->parks = 0;
}

static int world_live(struct world *w, const struct fault_plan *plan)
{
	fault_disk_plan(w->disk, plan);
	int status = child_status(tell, &w->fx, w->said, sizeof w->said);
	fault_disk_orphan(w->disk);
	w->fx.s = NULL;
	return status;
}

/* Each order was done once, with all that was sent to it, each taken once. */
static void world_check(struct world *w)
{
	for (int i = 0; i < ORDERS; i++) {
		char want[80];
		unsigned found = 0;
		snprintf(want, sizeof want,
			"{\"order\": \"%d\", \"courier\": \"c%d\", \"grant\": %d, \"sum\": %d}", i, i, 100 + i,
			(1 << NOTES) - 1);
		for (size_t n = 0; n < w->ncalls; n++)
			found += strcmp(w->calls[n].path, "/done") == 0 && strcmp(w->calls[n].body, want) == 0;
		if (found != 1)
			fail_msg("order %d is done %u times", i, found);
	}
}

static void list_counted(struct store_list *l, int rc)
{
	assert_int_equal(rc, 0);
	assert_int_equal(l->nended, ORDERS + 1);
}

/* The store has every flow's end, and nothing that lives. */
static void store_check(struct world *w)
{
	struct store_list list = { .limit = 100, .done = list_counted };
	struct store *s = NULL;
	struct recovered all;

	fault_disk_plan(w->disk, NULL);
	assert_int_equal(sqlite_store_open(&s, w->fx.path, &w->options, NULL), 0);
	fixture_adopt(&w->fx, s);
	store_list(s, &list);
	recover_text(&w->fx, &all);
	assert_int_equal(all.nrows, 0);
	settle(&w->fx);
	file_check(s);
	w->fx.s = store_close(s);
	assert_true(file_is_clean(w->disk, w->fx.path, false));
}

static void story_ends(struct world *w, uint64_t seed)
{
	int status = world_live(w, NULL);

	if (status != 0)
		fail_msg("seed %" PRIu64 ": status %x: %s", seed, (unsigned)status, w->said);
	assert_true(w->ended);
	world_check(w);
	store_check(w);
}

/* So many operations of a kind has a story without faults. */
static uint64_t operations(struct world *w, unsigned ops)
{
	const struct fault_plan counts = { .ops = ops };

	world_begin(w, 1);
	int status = world_live(w, &counts);
	if (status != 0)
		fail_msg("without a fault: status %x: %s", (unsigned)status, w->said);
	return fault_disk_seen(w->disk);
}

static bool died_of_the_cut(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == FAULT_CUT_STATUS;
}

static bool died_of_the_kill(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

struct faults {
	uint64_t cuts, kills;
};

/* Tells the story up to its last life. False: it broke, and w->said tells. */
static bool story_cuts(struct world *w, uint64_t length, struct faults *came)
{
	for (unsigned life = 0; life < LIVES_MAX; life++) {
		const struct fault_plan plan = { .ops = FAULT_CHANGES,
			.how = fault_disk_draw(w->disk, 2) == 0 ? FAULT_KILL : FAULT_CUT,
			.at = 1 + fault_disk_draw(w->disk, length / 2) };
		int status = world_live(w, &plan);
		if (status == 0)
			break;
		if (plan.how == FAULT_CUT ? !died_of_the_cut(status) : !died_of_the_kill(status))
			return false;
		/* The disk may have gone before there was a store. */
		if (w->opened && !file_is_clean(w->disk, w->fx.path, false))
			return false;
		came->cuts += plan.how == FAULT_CUT;
		came->kills += plan.how == FAULT_KILL;
	}
	return true;
}

static void the_story_survives_power_cuts_and_kills(void **state)
{
	struct world *w = *state;
	uint64_t wanted = number_of("FISH_CUTS", CUTS) / number_of("FISH_SIM_SEEDS_DIVISOR", 1);
	uint64_t seed = number_of("FISH_CUTS_FIRST", 1);
	uint64_t length = operations(w, FAULT_CHANGES);
	struct faults came = { .cuts = 0 };
	uint64_t stories = 0;
	uint64_t parks = 0;

	for (; came.cuts < wanted || came.kills < wanted || stories < PARKING_STORIES; stories++) {
		world_begin(w, seed + stories);
		if (!story_cuts(w, length, &came))
			fail_msg("seed %" PRIu64 ": %s", seed + stories, w->said);
		story_ends(w, seed + stories);
		parks += w->parks;
	}
	print_message("%" PRIu64 " power cuts, %" PRIu64 " kills in %" PRIu64 " stories of %" PRIu64
		      " operations, %" PRIu64 " parks in their last lives\n",
		came.cuts, came.kills, stories, length, parks);
	/* How many a life has time for is the store thread's pace: two to seven, more or less. */
	assert_true(parks > stories / 2);
}

/* An engine that answers before its commit is found out, or the story proves nothing. */
static void an_early_ack_is_found(void **state)
{
	static const uint64_t rules[] = {
		RULE_BIT(RULE_ACK_AFTER_COMMIT), RULE_BIT(RULE_EFFECTS_AFTER_COMMIT) };
	struct world *w = *state;
	uint64_t length = operations(w, FAULT_CHANGES);
	struct faults came = { .cuts = 0 };

	for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
		bool found = false;
		for (uint64_t seed = 1; seed <= PLANTED_SEEDS && !found; seed++) {
			world_begin(w, seed);
			w->rules_off = rules[i];
			found = !story_cuts(w, length, &came) || world_live(w, NULL) != 0;
		}
		assert_true(found);
	}
}

/* While there is no room senders hear 503 and flows pause; then all goes on by itself. */
static void the_story_survives_full_disks(void **state)
{
	struct world *w = *state;
	uint64_t n = operations(w, FAULT_WRITE);

	for (uint64_t seed = 1; seed <= FULL_STORIES; seed++) {
		world_begin(w, seed);
		w->opens_max = FULL_WRITES_MAX;
		const struct fault_plan plan = { .ops = FAULT_WRITE,
			.how = seed % 2 ? FAULT_FULL : FAULT_QUOTA,
			.at = 1 + fault_disk_draw(w->disk, n),
			.times = 1 + fault_disk_draw(w->disk, FULL_WRITES_MAX - 1) };
		int status = world_live(w, &plan);
		if (status != 0)
			fail_msg("seed %" PRIu64 ": status %x: %s", seed, (unsigned)status, w->said);
		world_check(w);
		store_check(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_story_survives_power_cuts_and_kills, setup, teardown),
		cmocka_unit_test_setup_teardown(an_early_ack_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(the_story_survives_full_disks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
