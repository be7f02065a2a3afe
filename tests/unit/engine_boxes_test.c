/* engine_boxes_test.c - boxes as a user sees them: left out of the list, counted by themselves, and told of in
 * words that hold. Nobody started one. */
#include "engine_kit.h"

enum { MANY = 60 };

static void waits(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .on = "shop", .key = fish_str(in, "/key") });

	(void)fish_next(h, FISH_FOREVER);
	fish_done(f, "null");
}

/* Rests within a step that is no call. */
static void charges(fish_flow *f, const fish_msg *in)
{
	int r = 0;

	(void)in;
	while (fish_once(f, "charge", &r, sizeof r))
		r = 1;
	fish_sleep(f, FISH_DAY);
}

static const fish_def flows[] = { FISH_FLOW(waits), FISH_FLOW(charges), FISH_END };
static const fish_door shop_door = { .name = "shop", .key = "/for", .open = true };
static const fish_door *const doors[] = { &shop_door, NULL };
static const fish_program program = { .flows = flows, .doors = doors };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

static void post(struct kit *k, const char *key)
{
	struct knock n = { .status = 0 };
	char body[60];

	snprintf(body, sizeof body, "{\"for\":\"%s\"}", key);
	n.delivery = (struct delivery){
		.door = SLICE_LIT("shop"), .body = slice_of(body), .meta = SLICE_LIT(":method: POST\n:path: /in/shop\n"),
		.done = knock_done };
	engine_deliver(k->engine, &n.delivery);
	kit_turn(k);
	assert_int_equal(n.status, 200);
}

static struct engine_figures figures(struct kit *k)
{
	struct engine_figures f;

	kit_pass(k, 1);
	engine_figures(k->engine, &f);
	return f;
}

static void they_are_counted_by_themselves(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	post(&k, "early");
	post(&k, "early");
	kit_start(&k, "waits", "{\"key\":\"late\"}");
	for (int life = 0; life < 3; life++) {
		struct engine_figures f = figures(&k);

		assert_int_equal(f.flows, 1);
		assert_int_equal(f.waiting, 1);
		assert_int_equal(f.hooks_open, 1);
		assert_int_equal(f.untaken, 0);
		assert_true(f.parked <= 1);
		assert_int_equal(f.boxes, 2);
		assert_int_equal(f.boxes_untaken, 2);
		kit_crash(&k, KIT_LOST);
	}
	uint64_t before = figures(&k).ended;

	post(&k, "late");
	for (int hours = 0; hours < 24 * 8; hours += 8)
		kit_pass(&k, 8 * FISH_HOUR);
	struct engine_figures f = figures(&k);

	assert_int_equal(f.ended - before, 1);
	assert_int_equal(f.flows + f.boxes + f.boxes_untaken + f.hooks_open, 0);
	kit_close(&k);
}

static size_t times(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text++)
		n++;
	return n;
}

/* The pages, one after the other: how many flows and boxes they told of. */
static void walk(struct kit *k, bool boxes, size_t limit, size_t *ret_flows, size_t *ret_boxes)
{
	struct roll r = { .limit = limit, .boxes = boxes };
	struct id last = { { 0 } };
	size_t n = 0;

	*ret_flows = *ret_boxes = 0;
	do {
		r.after = last;
		n = kit_roll(k, r, &last);
		*ret_flows += times(k->words.ptr ? k->words.ptr : "", "\"flow\": \"waits\"");
		*ret_boxes += times(k->words.ptr ? k->words.ptr : "", "\"flow\": \"/in/shop\"");
	} while (n == limit);
}

/* Flows stand between boxes, or all at the end: pages are found whatever lies between. */
static void they_are_left_out_of_the_list(void **state)
{
	struct kit k;
	size_t told = 0;
	size_t boxes = 0;

	kit_open(&k, &program, park_of(state));
	for (int i = 0; i < MANY; i++) {
		char key[40];

		snprintf(key, sizeof key, "early-%d", i);
		post(&k, key);
		snprintf(key, sizeof key, "{\"key\":\"early-x%d\"}", i);
		if (i % 20 == 0 || i > MANY - 5)
			kit_start(&k, "waits", key);
		kit_pass(&k, 1);
	}
	kit_crash(&k, KIT_LOST);
	kit_pass(&k, 1);
	for (size_t limit = 1; limit <= 2 * MANY; limit += limit) {
		walk(&k, false, limit, &told, &boxes);
		assert_int_equal(told, 7);
		assert_int_equal(boxes, 0);
		walk(&k, true, limit, &told, &boxes);
		assert_int_equal(told, 7);
		assert_int_equal(boxes, MANY + 7);
	}
	kit_close(&k);
}

/* Was: "1 call without an answer", of what makes no calls. */
static void their_journal_tells_of_no_calls(void **state)
{
	struct kit k;
	struct id last;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "waits", "{\"key\":\"k\"}");
	kit_pass(&k, FISH_HOUR);
	post(&k, "k");
	kit_pass(&k, 1);
	assert_int_equal(kit_roll(&k, (struct roll){ .limit = 9, .boxes = true }, &last), 1);
	const char *box = kit_show(&k, last);

	assert_non_null(strstr(box, "\"box\": true"));
	assert_non_null(strstr(box, "\"hooks_open\": 0"));
	assert_non_null(strstr(box, "tell hand on"));
	assert_null(strstr(box, "without an answer"));
	if (park_of(state) < 0)
		assert_non_null(strstr(box, "the flow that it acts on is being fetched"));
	struct id id = kit_start(&k, "charges", "null");

	assert_non_null(strstr(kit_show(&k, id), "once charge"));
	assert_null(strstr(kit_show(&k, id), "without an answer"));
	assert_null(strstr(kit_show(&k, id), "\"box\""));
	kit_close(&k);
}

int main(void)
{
	static int64_t never = 1 << 30;
	static int64_t always = -1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(they_are_counted_by_themselves, &never),
		cmocka_unit_test_prestate(they_are_counted_by_themselves, &always),
		cmocka_unit_test_prestate(they_are_left_out_of_the_list, &never),
		cmocka_unit_test_prestate(they_are_left_out_of_the_list, &always),
		cmocka_unit_test_prestate(their_journal_tells_of_no_calls, &never),
		cmocka_unit_test_prestate(their_journal_tells_of_no_calls, &always),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
