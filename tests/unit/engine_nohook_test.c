/* engine_nohook_test.c - NULL where a hook or another argument belongs stops the flow with words, and
 * nothing else; what cannot be stopped any more ends the process with words. */
#include "engine_kit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Not to be known to the compiler, and on top of a frame or two. */
static fish_hook *nothing(void)
{
	fish_hook *volatile none = NULL;

	return none;
}

/* Deep in the flow's own functions. */
static const fish_msg *deep(int depth)
{
	volatile char room[200] = { (char)depth };

	return depth ? deep(depth - 1 + room[1]) : fish_next(nothing(), 0);
}

static void leaf(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
}

static void passes_null(fish_flow *f, const fish_msg *in)
{
	const char *what = fish_str(in, "/what");

	(void)fish_spawn(f, "a hook that is one");
	if (strcmp(what, "fish_next") == 0)
		(void)fish_next(nothing(), FISH_SECOND);
	if (strcmp(what, "deep") == 0)
		(void)deep(50);
	if (strcmp(what, "fish_url") == 0)
		(void)fish_url(nothing());
	if (strcmp(what, "fish_name") == 0)
		(void)fish_name(nothing());
	if (strcmp(what, "fish_closed") == 0)
		(void)fish_closed(nothing());
	if (strcmp(what, "fish_close") == 0)
		fish_close(nothing());
	if (strcmp(what, "fish_each") == 0)
		fish_each(nothing(), leaf);
	if (strcmp(what, "fish_cancel") == 0)
		fish_cancel(nothing());
	fish_done(f, "{any: %d}", fish_any(f, FISH_SECOND, nothing(), nothing()) != NULL);
}

static void twice(fish_flow *f, int *outer)
{
	int inner = 0;

	while (fish_once(f, "one name", outer, sizeof *outer))
		while (fish_once(f, "one name", &inner, sizeof inner))
			inner = 1;
}

/* The compiler takes its format to be like that of its argument, and does not know that it is none. */
static __attribute__((format_arg(1))) const char *no(const char *format)
{
	return *format ? NULL : format;
}

static void passes_nonsense(fish_flow *f, const fish_msg *in)
{
	const char *what = fish_str(in, "/what");
	fish_hook *h = fish_spawn(f, "a hook that is one");
	int result = 0;

	if (strcmp(what, "template") == 0)
		fish_publish(f, "x", no("%d"), 1);
	if (strcmp(what, "text") == 0)
		fish_fail(f, no("%d"), 1);
	if (strcmp(what, "hooks") == 0)
		(void)fish_any_of(f, 0, NULL, 3);
	if (strcmp(what, "ret") == 0)
		(void)fish_gather(f, 0, &h, 1, 1, NULL);
	if (strcmp(what, "request") == 0)
		(void)fish_call(f, NULL);
	if (strcmp(what, "function") == 0)
		fish_work(f, "w", NULL, NULL, NULL, 0);
	if (strcmp(what, "alloc") == 0)
		(void)fish_alloc(f, (size_t)fish_int(in, "/none", -1) * 8);
	if (strcmp(what, "deferred") == 0)
		fish_defer(f, NULL, NULL);
	while (strcmp(what, "result") == 0 && fish_once(f, "o", NULL, 4))
		continue;
	twice(f, &result);
}

/* ---- what is deferred and takes steps ---- */

static void takes_a_step(void *f)
{
	(void)fish_spawn(f, "late");
}

static void waits_for_hook(void *h)
{
	(void)fish_next(h, 0);
}

static void misuses(void *f)
{
	(void)fish_patch(f, "");
}

static void defers(fish_flow *f, const fish_msg *in)
{
	const char *what = fish_str(in, "/what");

	if (strcmp(what, "takes_a_step") == 0)
		fish_defer(f, takes_a_step, f);
	if (strcmp(what, "waits_for_hook") == 0)
		fish_defer(f, waits_for_hook, fish_spawn(f, "h"));
	if (strcmp(what, "misuses") == 0)
		fish_defer(f, misuses, f);
	if (fish_true(in, "/parks"))
		fish_sleep(f, FISH_HOUR);
}

static const fish_def flows[] = {
	FISH_FLOW(leaf), FISH_FLOW(passes_null), FISH_FLOW(passes_nonsense), FISH_FLOW(defers), FISH_END };
static const fish_program program = { .flows = flows };

static void told(struct kit *k, const char *what, const char *verb)
{
	char input[60];
	char why[120];

	snprintf(input, sizeof input, "{\"what\": \"%s\"}", what);
	snprintf(why, sizeof why, "stopped misuse at step 1: %s: the hook is NULL", verb);
	struct id other = kit_start(k, "leaf", "{}");
	struct id id = kit_start(k, "passes_null", input);

	assert_non_null(strstr(kit_end(k, id), why));
	assert_string_equal(kit_end(k, other), "done null");
}

/* Was: the process died, with all its flows. */
static void each_function_says_so(void **state)
{
	static const char *const verbs[] = {
		"fish_next", "fish_url", "fish_name", "fish_closed", "fish_close", "fish_each", "fish_cancel" };
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		told(&k, verbs[i], verbs[i]);
	told(&k, "deep", "fish_next");
	kit_close(&k);
}

/* Stacks are used again, and so are the marks that lie on them. */
static void it_is_the_flow_on_the_cpu_that_is_stopped(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	for (int i = 0; i < 20; i++) {
		(void)kit_start(&k, "leaf", "{}");
		told(&k, i % 2 ? "fish_url" : "deep", i % 2 ? "fish_url" : "fish_next");
	}
	assert_int_equal(kit_figures(&k).stopped, 20);
	kit_close(&k);
}

static void among_several_hooks_they_are_skipped(void **state)
{
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	assert_string_equal(kit_end(&k, kit_start(&k, "passes_null", "{}")), "done {\"any\": 0}");
	kit_close(&k);
}

/* Was: the process died; with a loop of fish_once in one of its own name, the flow never came to an end. */
static void other_arguments_are_told_of_too(void **state)
{
	static const char *const what_why[][2] = {
		{ "template", "step 1: fish_publish: the template is NULL" },
		{ "text", "step 1: the format of a text is NULL" },
		{ "hooks", "step 1: the list of 3 hooks to wait on is NULL" },
		{ "ret", "step 1: fish_gather: ret is NULL" },
		{ "request", "step 1: fish_call: the request is NULL" },
		{ "alloc", "step 1: fish_alloc: 18446744073709551608 bytes, and at most 1073741824 are given" },
		{ "deferred", "step 1: fish_defer: the function is NULL" },
		{ "function", "step 1: fish_work(\"w\"): the function is NULL" },
		{ "result", "step 1: fish_once(\"o\"): the result is NULL, its size 4" },
		{ "twice", "step 2: fish_once(\"one name\") inside fish_once(\"one name\")" },
	};
	struct kit k;

	(void)state;
	kit_open(&k, &program, 0);
	for (size_t i = 0; i < sizeof what_why / sizeof *what_why; i++) {
		char input[60];

		snprintf(input, sizeof input, "{\"what\": \"%s\"}", what_why[i][0]);
		assert_non_null(strstr(kit_end(&k, kit_start(&k, "passes_nonsense", input)), what_why[i][1]));
	}
	kit_close(&k);
}

/* The flow's last words, and those of its process, which must die of SIGABRT. */
static void dies_with(const char *input, const char *words)
{
	int ends[2];
	char said[1200];
	size_t len = 0;
	ssize_t n = 0;
	int status = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct kit k;

		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		kit_open(&k, &program, -1);
		(void)kit_start(&k, "defers", input);
		_exit(7);
	}
	close(ends[1]);
	while (len < sizeof said - 1 && (n = read(ends[0], said + len, sizeof said - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	if (strncmp(said, "fish: flow ", 11) != 0 || !strstr(said, words) || strchr(said, '\n') != said + len - 1)
		fail_msg("%s: it said \"%s\", not \"%s\"", input, said, words);
}

/* Was: "CHECK(current) failed", or a jump off a stack that was not the flow's. */
static void a_step_of_what_is_deferred_ends_the_process_with_words(void **state)
{
	(void)state;
	dies_with("{\"what\": \"takes_a_step\"}", ": a function of its fish_defer takes a step; ");
	dies_with("{\"what\": \"takes_a_step\", \"parks\": true}", ": a function of its fish_defer takes a step; ");
	dies_with("{\"what\": \"waits_for_hook\", \"parks\": true}", ": a function of its fish_defer takes a step; ");
	dies_with("{\"what\": \"misuses\"}", "misuse at step 1: fish_patch: its name has 1 to 200 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_function_says_so),
		cmocka_unit_test(it_is_the_flow_on_the_cpu_that_is_stopped),
		cmocka_unit_test(among_several_hooks_they_are_skipped),
		cmocka_unit_test(other_arguments_are_told_of_too),
		cmocka_unit_test(a_step_of_what_is_deferred_ends_the_process_with_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
