/* embed_test.c - flows of an embedded server are started and waited for, from several threads at once. */
#include "embed_kit.h"

#include <signal.h>
#include <sys/wait.h>

static void *starts_one_key(void *arg)
{
	struct asker *a = arg;

	a->rc = fish_start(a->server, a->got, "silent", "one", "%d", a->number);
	return NULL;
}

static void starts_and_waits_from_threads(void **state)
{
	(void)state;
	struct asker askers[THREADS] = { 0 };
	struct up up;

	up_begin(&up, opened(":memory:"));
	askers_begin(askers, up.server, greets);
	askers_end(askers, 0);
	up_end(&up);
}

static void asks_before_the_run_wait_for_it(void **state)
{
	(void)state;
	struct asker askers[THREADS] = { 0 };
	fish_server *s = opened(":memory:");
	struct up up;
	char *result = NULL;

	askers_begin(askers, s, greets);
	assert_int_equal(fish_wait(s, "01m83zy3091fg89j2kh2zvngk9", 1, &result), FISH_ETIMEOUT);
	assert_int_equal(fish_wait(s, "01m83zy3091fg89j2kh2zvngk9", 0, &result), FISH_ETIMEOUT);
	up_begin(&up, s);
	askers_end(askers, 0);
	up_end(&up);
}

static void one_key_is_one_flow(void **state)
{
	(void)state;
	struct asker askers[THREADS] = { 0 };
	struct file file;
	struct up up;
	char id[FISH_ID_SIZE];
	char *result = NULL;

	file_make(&file);
	up_begin(&up, opened(file.store));
	askers_begin(askers, up.server, starts_one_key);
	askers_end(askers, 0);
	for (int i = 1; i < THREADS; i++)
		assert_string_equal(askers[0].got, askers[i].got);
	up_end(&up);

	/* Also for the next server on that store. */
	up_begin(&up, opened(file.store));
	assert_int_equal(fish_start(up.server, id, "silent", "one", "null"), 0);
	assert_string_equal(id, askers[0].got);
	assert_int_equal(fish_wait(up.server, id, PATIENCE, &result), 0);
	assert_string_equal(result, "null");
	free(result);
	up_end(&up);
	file_drop(&file);
}

static void a_wait_tells_each_end(void **state)
{
	(void)state;
	struct up up;
	char *result = NULL;

	up_begin(&up, opened(":memory:"));
	ends_as(up.server, "fails", FISH_EFAILED, "\"no \\\"luck\\\" to be had\"");
	assert_int_equal(end_of(up.server, "misuses", &result), FISH_ESTOPPED);
	assert_non_null(strstr(result, "fish_done"));
	free(result);

	assert_int_equal(end_of(up.server, "cancels", &result), 0);
	char child[FISH_ID_SIZE] = "";

	assert_int_equal(sscanf(result, "{\"child\": \"%26[0-9a-z]", child), 1);
	free(result);
	assert_int_equal(fish_wait(up.server, child, PATIENCE, &result), FISH_ECANCELLED);
	assert_non_null(result);
	free(result);
	up_end(&up);
}

static void a_wait_ends_in_time(void **state)
{
	(void)state;
	struct up up;
	char id[FISH_ID_SIZE];
	char *result = NULL;

	up_begin(&up, opened(":memory:"));
	assert_int_equal(fish_start(up.server, id, "holds", NULL, "null"), 0);
	for (int i = 0; i < ROUNDS; i++) {
		assert_int_equal(fish_wait(up.server, id, i % 3, &result), FISH_ETIMEOUT);
		assert_null(result);
	}
	/* A look at one that has ended is no wait. */
	assert_int_equal(fish_start(up.server, id, "silent", NULL, "null"), 0);
	assert_int_equal(fish_wait(up.server, id, PATIENCE, NULL), 0);
	assert_int_equal(fish_wait(up.server, id, 0, &result), 0);
	assert_string_equal(result, "null");
	free(result);
	up_end(&up);
}

static void refusals_have_their_codes(void **state)
{
	(void)state;
	struct up up;
	char key[300];
	char id[FISH_ID_SIZE] = "as it was";
	char *result = id;

	up_begin(&up, opened(":memory:"));
	memset(key, 'k', sizeof key - 1);
	key[sizeof key - 1] = '\0';
	assert_int_equal(fish_start(up.server, id, "nobody", NULL, "null"), FISH_ENOTFOUND);
	assert_int_equal(fish_start(up.server, id, "greet", key, "null"), FISH_EINVAL);
	assert_int_equal(fish_start(up.server, id, "greet", NULL, "{"), FISH_EFORMAT);
	assert_string_equal(id, "as it was");
	assert_int_equal(fish_wait(up.server, "no id", PATIENCE, &result), FISH_EINVAL);
	assert_null(result);
	assert_int_equal(fish_wait(up.server, "01m83zy3091fg89j2kh2zvngk9", PATIENCE, &result),
	                 FISH_ENOTFOUND);
	assert_int_equal(fish_server_run(up.server), FISH_EBUSY);
	up_end(&up);
}

/* Was: SIGSEGV, in whoever goes on after an open that failed. */
static void no_server_is_no_crash(void **state)
{
	char id[FISH_ID_SIZE] = "as it was";
	char *result = id;

	(void)state;
	assert_int_equal(fish_start(NULL, id, "greet", NULL, "{"), FISH_EINVAL);
	assert_string_equal(id, "as it was");
	assert_int_equal(fish_wait(NULL, "01m83zy3091fg89j2kh2zvngk9", FISH_FOREVER, &result), FISH_EINVAL);
	assert_null(result);
	assert_int_equal(fish_server_run(NULL), FISH_EINVAL);
	fish_server_stop(NULL);
	fish_server_close(NULL);
}

static void a_flow_cannot_ask_its_own_server(void **state)
{
	(void)state;
	struct up up;
	char wanted[40];

	outer = opened(":memory:");
	up_begin(&up, outer);
	snprintf(wanted, sizeof wanted, "[%d, %d, %d]", FISH_EINVAL, FISH_EINVAL, FISH_EINVAL);
	ends_as(up.server, "asks_itself", 0, wanted);
	up_end(&up);
}

static void closes_its_own(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
	fish_server_close(outer);
}

/* In a process of its own: dies of SIGABRT, with its words in said. */
static void close_in_child(char *said, size_t size)
{
	static const fish_def own_flows[] = { FISH_FLOW(closes_its_own), FISH_END };
	static const fish_program own = { .flows = own_flows };
	int ends[2];
	size_t len = 0;
	ssize_t n = 0;
	int status = 0;

	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct up up;

		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		alarm(20);               /* what it was: waiting for itself */
		outer = NULL;
		if (fish_server_open(&outer, &(fish_options){ .program = &own, .store = ":memory:",
		                                              .listen = "127.0.0.1:0" }, NULL) < 0)
			_exit(7);
		up_begin(&up, outer);
		_exit(fish_start(outer, NULL, "closes_its_own", NULL, "null") < 0 || pause() ? 8 : 9);
	}
	close(ends[1]);
	while (len < size - 1 && (n = read(ends[0], said + len, size - 1 - len)) > 0)
		len += (size_t)n;
	said[len] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* Was: the server stood still for ever. */
static void a_flow_cannot_close_its_own_server(void **state)
{
	char said[1200];

	(void)state;
	close_in_child(said, sizeof said);
	assert_non_null(strstr(said, "fish: fish_server_close is called from inside of fish_server_run"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_and_waits_from_threads),
		cmocka_unit_test(asks_before_the_run_wait_for_it),
		cmocka_unit_test(one_key_is_one_flow),
		cmocka_unit_test(a_wait_tells_each_end),
		cmocka_unit_test(a_wait_ends_in_time),
		cmocka_unit_test(refusals_have_their_codes),
		cmocka_unit_test(no_server_is_no_crash),
		cmocka_unit_test(a_flow_cannot_ask_its_own_server),
		cmocka_unit_test(a_flow_cannot_close_its_own_server),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
