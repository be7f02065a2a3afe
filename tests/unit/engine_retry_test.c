/* engine_retry_test.c - a flow that stands still is run again when somebody says so. */
#include "engine_kit.h"

/* What a mended build would change: the same code, other behaviour. */
static bool mended;

static void fragile(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "h");

	(void)in;
	fish_log(f, "url %s", fish_url(h));
	const fish_msg *m = fish_next(h, FISH_FOREVER);

	fish_done(f, "{said: %-s}", mended ? fish_raw(m, "") : "not JSON");
}

static const fish_def flows[] = { FISH_FLOW(fragile), FISH_END };
static const fish_program program = { .flows = flows };

static void a_retry_runs_it_again(void **state)
{
	struct kit k;

	mended = false;
	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "fragile", "null");

	assert_int_equal(kit_retry(&k, id), FISH_EINVAL);      /* it waits, and that is well */
	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);
	assert_non_null(strstr(kit_end(&k, id), "stopped misuse"));
	assert_int_equal(kit_retry(&k, id), 0);
	assert_non_null(strstr(kit_end(&k, id), "stopped misuse"));      /* nothing is mended yet */
	mended = true;
	assert_int_equal(kit_retry(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "done {\"said\": 1}");
	assert_int_equal(kit_retry(&k, id), FISH_ENOTFOUND);
	kit_close(&k);
}

static void what_came_while_it_stood_is_there(void **state)
{
	struct kit k;

	mended = false;
	kit_open(&k, &program, *(const int64_t *)*state);
	struct id id = kit_start(&k, "fragile", "null");

	assert_int_equal(kit_post(&k, k.log.ptr, "1", "a"), 200);
	assert_int_equal(kit_post(&k, k.log.ptr, "2", "b"), 200);
	mended = true;
	assert_int_equal(kit_retry(&k, id), 0);
	assert_string_equal(kit_end(&k, id), "done {\"said\": 1}");
	assert_non_null(strstr(kit_show(&k, id), "\"untaken\": [{\"hook\": 0"));
	kit_close(&k);
}

int main(void)
{
	static int64_t stay = 3600 * 1000;
	static int64_t park = -1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(a_retry_runs_it_again, &stay),
		cmocka_unit_test_prestate(a_retry_runs_it_again, &park),
		cmocka_unit_test_prestate(what_came_while_it_stood_is_there, &stay),
		cmocka_unit_test_prestate(what_came_while_it_stood_is_there, &park),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
