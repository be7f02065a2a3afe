/* example_quote_test.c - the stories of examples/quote, with a crash at every write.
 *
 * Surprise: fifty partners make fifty writes, fifty runs for each kind of crash, and fifty replays in each
 * that parks. So the crashes come over a market of a fifth, and the whole one is run without. */
#include "scene_kit.h"

int quote_main(int argc, char **argv);
#define main quote_main
#include "../../examples/quote/quote.c"
#undef main

static const fish_program program = { .flows = flows };

struct market {
	int good, slow, sulky;
};

static void put_partners(struct buf *out, const char *kind, int n)
{
	for (int i = 0; i < n; i++)
		buf_printf(out, "%s{\"name\": \"%s-%d\", \"url\": \"http://market/%s-%d\"}", out->len > 1 ? ", " : "",
		           kind, i, kind, i);
}

static const char *begin(fish_sim *s, struct market m, int quorum)
{
	struct buf partners;

	for (int i = 0; i < m.good; i++)
		fish_sim_answer(s, scene_text(s, "good-%d /quote", i), NULL, 200, "{cents: %d}", 1000 - i);
	fish_sim_answer(s, "sulky-*", NULL, 403, "{cents: 1}");
	buf_init(&partners, SIZE_MAX);
	buf_putc(&partners, '[');
	put_partners(&partners, "good", m.good);
	put_partners(&partners, "slow", m.slow);
	put_partners(&partners, "sulky", m.sulky);
	buf_putc(&partners, ']');
	const char *id = fish_sim_start(s, "quote", "{item: {sku: 'anvil'}, quorum: %d, partners: %-s}", quorum,
	                                partners.ptr);

	buf_fini(&partners);
	fish_sim_pass(s, 0);
	fish_sim_check(s, fish_sim_calls(s, "*") == (size_t)(m.good + m.slow + m.sulky));
	return id;
}

/* Of each ten partners of the whole market there are so many. */
static int part(const void *arg, int n)
{
	return n * *(const int *)arg / 10;
}

static void ends_with(fish_sim *s, const char *id, int n)
{
	fish_sim_ends(s, id, "{from: %s, quote: {cents: %d}}", scene_text(s, "good-%d", n - 1), 1001 - n);
}

static void fifty_answer(fish_sim *s, void *arg)
{
	int n = part(arg, 50);

	ends_with(s, begin(s, (struct market){ .good = n }, n), n);
}

/* The slow ones ask less, and come when it is decided. */
static void quorum_without_the_slow_and_the_sulky(fish_sim *s, void *arg)
{
	int64_t since = fish_sim_now(s);

	int n = part(arg, 30);
	struct market m = { .good = n, .slow = part(arg, 10), .sulky = part(arg, 10) };

	fish_sim_answer(s, "slow-*", &(fish_sim_how){ .after_ms = 5 * FISH_SECOND }, 200, "{cents: 1}");
	const char *id = begin(s, m, n);

	fish_sim_check(s, fish_int(fish_sim_published(s, id, "best"), "/cents", 0) == 1001 - n);
	ends_with(s, id, n);
	fish_sim_check(s, fish_sim_now(s) == since + 5 * FISH_SECOND);
}

static void no_quorum_in_time(fish_sim *s, void *arg)
{
	const fish_msg *why = NULL;
	struct market m = { .good = part(arg, 20), .slow = part(arg, 10), .sulky = part(arg, 20) };

	fish_sim_answer(s, "slow-*", NULL, 0, "null");
	const char *id = begin(s, m, part(arg, 30));

	fish_sim_check(s, fish_sim_wait(s, id, &why) == FISH_EFAILED);
	fish_sim_check(s, strcmp(fish_str(why, ""), "too few quotes in time") == 0);
}

static const char *const scene_name[] = {
	"fifty_answer", "quorum_without_the_slow_and_the_sulky", "no_quorum_in_time" };

static void each_story_survives(void **state)
{
	static fish_sim_fn *const stories[] = {
		fifty_answer, quorum_without_the_slow_and_the_sulky, no_quorum_in_time };
	int whole = 10;
	int fifth = 2;

	(void)state;
	for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
		survives(scene_name[i], &program, stories[i], &fifth);
		for (int park = 0; park < 2; park++)
			assert_int_equal(fish_sim_run(&(fish_sim_options){ .program = &program, .park = park },
			                              stories[i], &whole), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(each_story_survives) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
