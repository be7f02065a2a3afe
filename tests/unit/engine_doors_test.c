/* engine_doors_test.c - what cannot be a named door is said at the start. */
#include "engine_kit.h"

static const char *const secrets[] = { "whsec_test", NULL };
static const fish_sender shop = { .name = "shop", .id = "/id" };
static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = secrets, .id = "/id" };
static const fish_sender *const senders[] = { &shop, &stripe, NULL };

static void each(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_done(f, "null");
}

static const fish_def flows[] = { FISH_FLOW(each), FISH_END };

/* What the engine says of one door; "" when it takes it. */
static const char *fault(struct err *err, fish_door d)
{
	const fish_door *const list[] = { &d, NULL };
	fish_program p = { .flows = flows, .senders = senders, .doors = list };
	struct engine_config config = { .program = &p };
	struct senders s;
	struct doors ready;
	fish_sender copies[] = { shop, stripe };

	*err = (struct err){ .code = 0 };
	assert_int_equal(senders_init(&s, copies, 2, err), 0);
	if (doors_init(&ready, &config, &s, err) == 0)
		doors_fini(&ready);
	senders_fini(&s);
	return err->text;
}

static void what_cannot_be_a_door_is_said_at_the_start(void **state)
{
	static const fish_sender unlisted = { .name = "unlisted" };
	struct err err;

	(void)state;
	assert_string_equal(fault(&err, (fish_door){ .name = "a", .from = &stripe, .key = "/id" }), "");
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a/b", .key = "/id", .open = true }), "a name has"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "..", .key = "/id", .open = true }), "a name has"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .open = true }), "either a .key or a .flow"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .key = "/id", .flow = each, .open = true }),
	                       "and not both"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .key = "a b", .open = true }), "neither a header's"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .key = "/id" }), "whatever anybody sends"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .from = &shop, .key = "/id" }), "whatever anybody"));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .from = &unlisted, .key = "/id" }), "\"unlisted\""));
	assert_non_null(strstr(fault(&err, (fish_door){ .name = "a", .key = "/id", .open = true, .keep_ms = -1 }), "negative"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_cannot_be_a_door_is_said_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
