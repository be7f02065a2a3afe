/* engine_seeds_test.c - what seeds of the simulator have shown of the engine, each as a story of its own.
 *
 * A test is named after what holds and says what was. */
#include "engine_kit.h"
#include "engine/world.h"

static void answer(const void *arg, void *result)
{
	(void)arg;
	*(int *)result = 42;
}

static void works(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	int got = 0;

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_timer(f, 1000);
	fish_work(f, "think", answer, NULL, &got, sizeof got);
	fish_done(f, "%d", got);
}

static void works_and_says_so(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");
	int got = 0;

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_work(f, "think", answer, NULL, &got, sizeof got);
	fish_post(f, &partner, "/said", "%d", got);
}

static void two_shots(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .shots = 2 });
	int n = 0;

	(void)in;
	fish_log(f, "%s", fish_url(h));
	while (fish_next(h, FISH_FOREVER))
		n++;
	fish_done(f, "%d", n);
}

static void teller(fish_flow *f, const fish_msg *in)
{
	fish_tell(f, fish_str(in, "/to"), "h", "{told: true}");
}

static void kid(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "%-s", fish_raw(in, ""));
}

static void shop(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .shots = 3 });

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_sleep(f, 1000);
	fish_each(h, kid);
	fish_done(f, "{closed: %-s}", fish_closed(h) ? "true" : "false");
}

/* Ends with its second delivery; the sender of the first still waits for a reply then. */
static void curt(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .reply_ms = FISH_MINUTE });

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_next(h, FISH_FOREVER);
}

static void renews(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .expires_ms = 700 });

	if (!fish_has(in, "/n")) {
		fish_log(f, "%s", fish_url(h));
		fish_sleep(f, 500);
		fish_renew(f, "{n: 1}");
	}
	while (fish_next(h, FISH_FOREVER)) {}
}

/* Takes one delivery a life. */
static void three_shots(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .shots = 3 });
	long long n = fish_int(in, "/n", 0);

	if (n == 0)
		fish_log(f, "%s", fish_url(h));
	fish_next(h, FISH_FOREVER);
	fish_renew(f, "{n: %lld}", n + 1);
}

static void grandchild(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	fish_next(h, FISH_FOREVER);
}

static void child(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_next(fish_child(f, grandchild, "{}"), FISH_FOREVER);
}

static void grandparent(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_next(fish_child(f, child, "{}"), FISH_FOREVER);
	fish_done(f, "'the end'");
}

static const fish_def flows[] = {
	FISH_FLOW(three_shots), FISH_FLOW(grandchild), FISH_FLOW(child), FISH_FLOW(grandparent),
	FISH_FLOW(works), FISH_FLOW(works_and_says_so), FISH_FLOW(two_shots), FISH_FLOW(teller), FISH_FLOW(kid), FISH_FLOW(shop), FISH_FLOW(curt),
	FISH_FLOW(renews), FISH_END };
static const fish_program program = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

/* Was: only deliveries of senders closed a hook, which then took in one too many. */
static void what_is_told_is_a_shot_too(void **state)
{
	struct kit k;
	char id[ID_TEXT_SIZE];
	char input[64];

	kit_open(&k, &program, park_of(state));
	struct id to = kit_start(&k, "two_shots", "null");

	id_text(&to, id);
	snprintf(input, sizeof input, "{\"to\": \"%s\"}", id);
	kit_start(&k, "teller", input);
	kit_start(&k, "teller", input);
	assert_string_equal(kit_end(&k, to), "done 2");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), 410);
	kit_close(&k);
}

/* Was: deliveries without an id whose flows had ended were forgotten with the process. */
static void shots_that_became_flows_count_after_a_crash(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "shop", "null");

	assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), 200);     /* before fish_each */
	kit_pass(&k, 1000);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "2", NULL), 200);
	assert_int_equal(kit_figures(&k).flows, 1);
	kit_crash(&k, KIT_LOST);
	assert_string_equal(kit_end(&k, id), "lives");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "3", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"closed\": true}");
	assert_int_equal(kit_post(&k, kit_log_text(&k), "4", NULL), 410);
	kit_close(&k);
}

struct chatty {
	struct knock first;           /* its delivery is told to chatty_done */
	struct knock next;
	struct kit  *kit;
};

static void chatty_done(struct delivery *d, int status)
{
	struct chatty *c = container_of(d, struct chatty, first.delivery);

	c->first.status = status;
	kit_knock(c->kit, &c->next, kit_log_text(c->kit), "1", NULL);
}

/* Was: the flow was not told apart from one that lives while its last senders were answered, and a
 * delivery from within such an answer stood behind END. */
static void an_answer_at_the_end_may_lead_to_a_delivery(void **state)
{
	struct kit k;
	struct chatty c = { .kit = &k };

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "curt", "null");

	kit_knock(&k, &c.first, kit_log_text(&k), "1", "a");
	c.first.delivery.done = chatty_done;
	kit_turn(&k);
	assert_int_equal(c.first.status, 0);
	assert_int_equal(kit_post(&k, kit_log_text(&k), "2", "b"), 202);
	assert_int_equal(c.first.status, 202);
	assert_int_equal(c.next.status, 410);
	assert_string_equal(kit_end(&k, id), "done null");
	kit_close(&k);
}

static void work_over(struct kit *k)
{
	struct work_item *w = k->works[0];

	k->works[0] = NULL;
	w->fn(w->arg, w->result);
	w->done(w);
}

/* Was: a run that attached to its work by way of a commit did not look, after that, whether the work had
 * ended meanwhile, and began it once more. */
static void work_that_ends_while_its_run_awaits_a_commit_is_over(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works", "null");

	store_memory_hold(k.store, true);
	kit_knock(&k, &n, kit_log_text(&k), "1", "a");
	engine_turn(k.engine);
	while (store_memory_pending(k.store) > 1)     /* the load, not the commit */
		store_memory_complete(k.store, MEMORY_OK);
	engine_turn(k.engine);
	work_over(&k);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(k.nworks, 1);
	assert_string_equal(kit_end(&k, id), "done 42");
	kit_close(&k);
}

static void never(struct cancel *c, int rc)
{
	(void)c;
	(void)rc;
}

/* Was: a run that awaited a commit did not take the result that came before a cancel, and ended; run again
 * from the same journal it took it and went on. */
static void a_result_before_a_cancel_is_taken(void **state)
{
	struct kit k;
	struct knock n;
	struct cancel c = { .done = never };

	kit_open(&k, &program, park_of(state));
	c.id = kit_start(&k, "works_and_says_so", "null");
	store_memory_hold(k.store, true);
	kit_knock(&k, &n, kit_log_text(&k), "1", "a");
	engine_turn(k.engine);
	while (store_memory_pending(k.store) > 1)     /* the load, not the commit */
		store_memory_complete(k.store, MEMORY_OK);
	engine_turn(k.engine);
	work_over(&k);
	engine_cancel(k.engine, &c);
	engine_turn(k.engine);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(k.nsent, 1);
	kit_answer(&k, 0, 200, "{}");
	assert_string_equal(kit_end(&k, c.id), "cancelled cancelled");
	kit_close(&k);
}

/* Was: work that had ended was forgotten before RESULT stood. Its flow, which had to run in between (twice,
 * as a deadline was put off when too much was under way), began it once more. */
static void work_that_ends_before_its_flow_runs_is_over(void **state)
{
	struct kit k;
	struct knock n;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "works", "null");
	size_t room = k.engine->config.run_ahead_bytes;

	store_memory_hold(k.store, true);
	kit_knock(&k, &n, kit_log_text(&k), "1", "a");
	engine_turn(k.engine);
	while (store_memory_pending(k.store))
		store_memory_complete(k.store, MEMORY_OK);
	k.engine->config.run_ahead_bytes = 0;
	k.now_ms += 2000;
	engine_turn(k.engine);
	k.engine->config.run_ahead_bytes = room;
	work_over(&k);
	store_memory_hold(k.store, false);
	kit_turn(&k);
	assert_int_equal(k.nworks, 1);
	assert_string_equal(kit_end(&k, id), "done 42");
	kit_close(&k);
}

/* Was: RENEW took the expiry of open hooks off the deadlines until the next PROGRESS. */
static void a_hook_expires_between_two_lives(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "renews", "null");

	k.now_ms += 2000;                     /* both have passed, and no turn has seen it */
	assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), 410);
	kit_pass(&k, 700);                    /* parked it had expired before RENEW, and is another one now */
	assert_string_equal(kit_end(&k, id), "done null");
	kit_close(&k);
}

/* Was: a hook that had come through fish_renew had none left after a restart, and closed at the next delivery. */
static void shots_are_left_after_a_renewal_and_a_crash(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "three_shots", "null");
	for (int n = 1; n <= 4; n++) {
		assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), n <= 3 ? 200 : 410);
		kit_crash(&k, KIT_LOST);
	}
	kit_close(&k);
}

static struct id only(struct kit *k, const char *flow)
{
	const struct flow *f;
	struct id id = { { 0 } };

	for (size_t i = 0; (f = map_each(&k->engine->flows, &i));)
		if (strcmp(f->name, flow) == 0)
			id = f->id;
	return id;
}

/* Was: flows that came into memory above one that may have crashed did not know of each other. */
static void a_flow_that_crashed_tells_all_above_it(void **state)
{
	struct kit k;
	struct reached reached;

	kit_open(&k, &program, 1000);
	struct id id = kit_start(&k, "grandparent", "null");
	struct id last = only(&k, "grandchild");

	assert_false(id_is_zero(&last));
	for (int n = 0; n < 9 && park_of(state) < 0; n++)
		kit_pass(&k, 10000);
	kit_crash(&k, KIT_LOST);
	assert_int_equal(kit_figures(&k).parked, park_of(state) < 0 ? 3 : 0);
	assert_true(engine_reached(k.engine, &last, &reached));
	assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done \"the end\"");
	kit_pass(&k, 10000);
	assert_int_equal(kit_figures(&k).flows, 0);
	kit_close(&k);
}

/* A parked flow, and what is to be written behind it. */
struct damage {
	struct store_load   load;
	struct store_commit commit;
	struct store_park   park;
	uint64_t            seq;
};

static void damage_loaded(struct store_load *l, int rc)
{
	struct damage *d = container_of(l, struct damage, load);
	struct entry e;

	assert_int_equal(rc, 0);
	assert_true(l->parked);
	d->park = l->park;
	for (size_t i = 0; i < l->nrows; i++) {
		d->seq = l->rows[i].seq;
		for (struct slice rest = l->rows[i].bytes; entry_next(&rest, &e) == 1;)
			d->seq++;
	}
}

static void damage_done(struct store_commit *c, int rc)
{
	(void)c;
	assert_int_equal(rc, 0);
}

/* The journal of a parked flow gets a row that nobody can read. */
static void damage(struct kit *k, struct id flow)
{
	struct damage d = { .load = { .flow = flow, .done = damage_loaded } };

	store_load(k->store, &d.load);
	store_poll(k->store);
	struct store_row row = { .flow = flow, .seq = d.seq, .bytes = SLICE_LIT("\377nonsense") };

	d.commit = (struct store_commit){ .rows = &row, .nrows = 1, .parks = &d.park, .nparks = 1,
	                                  .now_ms = k->now_ms, .done = damage_done };
	store_commit(k->store, &d.commit);
	store_poll(k->store);
}

/* All of a line come into memory, or none: one that cannot be read leaves the others where they are. */
static void above_a_flow_that_crashed_one_is_damaged(void **state)
{
	struct kit k;
	struct reached reached;
	struct look l = { .kit = &k };

	(void)state;
	for (int damaged = 0; damaged < 3; damaged++) {
		kit_open(&k, &program, 1000);
		struct id line[] = { kit_start(&k, "grandparent", "null"), only(&k, "child"), only(&k, "grandchild") };

		for (int n = 0; n < 9; n++)
			kit_pass(&k, 10000);
		kit_crash(&k, KIT_LOST);
		assert_int_equal(kit_figures(&k).parked, 3);
		damage(&k, line[damaged]);
		const struct store_parked before = k.engine->parked;
		assert_false(engine_reached(k.engine, &line[2], &reached));
		assert_memory_equal(&k.engine->parked, &before, sizeof before);
		assert_int_equal(k.engine->flows.len, 0);
		/* It stands still, and whoever is below it goes on; was: the server ended with its child. */
		assert_int_equal(kit_post(&k, kit_log_text(&k), "1", NULL), damaged == 2 ? 503 : 200);
		kit_pass(&k, 1000);
		for (int i = 0; i < 3; i++)
			assert_string_equal(kit_end(&k, line[i]),
				i == damaged ? "stopped its journal in the store has a hole or is damaged"
				: i > damaged ? "done null" : "lives");
		assert_non_null(strstr(kit_show(&k, line[damaged]), "\"stopped\""));
		l.rc = UNTOLD;
		l.cancel = (struct cancel){ .id = line[damaged], .done = look_cancelled };
		engine_cancel(k.engine, &l.cancel);
		kit_pass(&k, 1000);
		assert_int_equal(l.rc, 0);
		assert_string_equal(kit_end(&k, line[damaged]), "cancelled cancelled");
		kit_close(&k);
	}
}

/* Was: a look for parked children that the store was slow with went on after the cancel had been refused. */
static void a_cancel_that_was_refused_reaches_nobody(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 1000);
	kit_start(&k, "grandparent", "null");
	struct id above = only(&k, "child");
	struct id below = only(&k, "grandchild");

	kit_pass(&k, 10000);
	assert_int_equal(kit_figures(&k).parked, 1);
	store_memory_hold(k.store, true);

	struct launch other;
	struct look l = { .kit = &k, .rc = UNTOLD, .cancel = { .id = above, .done = look_cancelled } };

	kit_launch(&k, &other, "three_shots", "null", NULL);
	kit_until_commit(&k);                 /* that one is under way … */
	engine_cancel(k.engine, &l.cancel);
	engine_turn(k.engine);                /* … and behind it the look for children */
	store_memory_complete(k.store, MEMORY_COMMIT_FAILS);
	engine_turn(k.engine);
	assert_int_equal(l.rc, FISH_ESTORE);
	k.now_ms += 1000;
	engine_turn(k.engine);                /* the store is back, and that look is still to come */
	assert_int_not_equal(store_memory_pending(k.store), 0);
	store_memory_hold(k.store, false);
	kit_pass(&k, 1000);
	assert_string_equal(kit_end(&k, below), "lives");
	assert_string_equal(kit_end(&k, above), "lives");
	kit_close(&k);
}

#define SEEN(fn, park) { #fn, fn, NULL, NULL, (void *)&(park) }
#define SEEN_ALL(park) \
	SEEN(what_is_told_is_a_shot_too, park), \
	SEEN(shots_that_became_flows_count_after_a_crash, park), \
	SEEN(an_answer_at_the_end_may_lead_to_a_delivery, park), \
	SEEN(work_that_ends_while_its_run_awaits_a_commit_is_over, park), \
	SEEN(a_result_before_a_cancel_is_taken, park), \
	SEEN(work_that_ends_before_its_flow_runs_is_over, park), \
	SEEN(a_hook_expires_between_two_lives, park), \
	SEEN(shots_are_left_after_a_renewal_and_a_crash, park), \
	SEEN(a_flow_that_crashed_tells_all_above_it, park), \
	SEEN(above_a_flow_that_crashed_one_is_damaged, park), \
	SEEN(a_cancel_that_was_refused_reaches_nobody, park)

int main(void)
{
	static const int64_t stay = 3600 * 1000;
	static const int64_t park = -1;
	const struct CMUnitTest tests[] = { SEEN_ALL(stay), SEEN_ALL(park) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
