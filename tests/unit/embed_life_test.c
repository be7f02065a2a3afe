/* embed_life_test.c - an embedded server comes up in somebody else's process, beside others, and goes
 * down again: before its run, while threads ask it, by a signal's handler. */
#include "embed_kit.h"

#include "host/ask.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

static void *waits(void *arg)
{
	struct asker *a = arg;
	char *result = NULL;

	a->rc = fish_wait(a->server, a->id, FISH_FOREVER, &result);
	free(result);
	return NULL;
}

static void a_stop_ends_waits(void **state)
{
	(void)state;
	struct asker askers[THREADS] = { 0 };
	struct up up;
	char id[FISH_ID_SIZE];

	up_begin(&up, opened(":memory:"));
	assert_int_equal(fish_start(up.server, id, "holds", NULL, "null"), 0);
	for (int i = 0; i < THREADS; i++)
		askers[i].id = id;
	askers_begin(askers, up.server, waits);
	fish_server_stop(up.server);
	fish_server_stop(up.server);
	assert_int_equal(fish_start(up.server, id, "greet", NULL, "null"), FISH_EGONE);
	askers_end(askers, FISH_EGONE);
	pthread_join(up.thread, NULL);
	assert_int_equal(up.rc, 0);
	assert_int_equal(fish_wait(up.server, id, FISH_FOREVER, NULL), FISH_EGONE);
	assert_int_equal(fish_server_run(up.server), FISH_EGONE);
	fish_server_stop(up.server);
	fish_server_close(up.server);
}

/* fish_server_close is the stop as well. */
static void a_close_waits_for_the_run(void **state)
{
	(void)state;
	struct up up;
	char id[FISH_ID_SIZE];

	up_begin(&up, opened(":memory:"));
	assert_int_equal(fish_start(up.server, id, "holds", NULL, "null"), 0);
	fish_server_close(up.server);
	pthread_join(up.thread, NULL);
	assert_int_equal(up.rc, 0);
}

/* A function of fish_work, which a stop cannot call off; it runs on until the run is over. */
struct errand {
	pthread_mutex_t lock;
	pthread_cond_t  news;
	bool            begun, may_end, done;
};

static struct errand errand = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static void set(bool *what)
{
	pthread_mutex_lock(&errand.lock);
	*what = true;
	pthread_cond_broadcast(&errand.news);
	pthread_mutex_unlock(&errand.lock);
}

static void await(const bool *what)
{
	pthread_mutex_lock(&errand.lock);
	while (!*what)
		pthread_cond_wait(&errand.news, &errand.lock);
	pthread_mutex_unlock(&errand.lock);
}

static void runs_the_errand(const void *arg, void *result)
{
	(void)arg;
	(void)result;
	set(&errand.begun);
	await(&errand.may_end);
	/* Long enough for the other flow's deadlines to pass while the server closes. */
	poll(NULL, 0, 50);
	set(&errand.done);
}

static void works(fish_flow *f, const fish_msg *in)
{
	(void)in;
	char result = 0;

	fish_work(f, "errand", runs_the_errand, NULL, &result, sizeof result);
}

static void ticks(fish_flow *f, const fish_msg *in)
{
	(void)in;
	for (;;)
		fish_sleep(f, 5);
}

static const fish_def busy_flows[] = { FISH_FLOW(works), FISH_FLOW(ticks), FISH_END };
static const fish_program busy = { .flows = busy_flows };

static void a_close_waits_for_work(void **state)
{
	(void)state;
	fish_options o = options_of(":memory:");
	fish_server *s = NULL;
	struct up up;

	o.program = &busy;
	assert_int_equal(fish_server_open(&s, &o, NULL), 0);
	up_begin(&up, s);
	assert_int_equal(fish_start(s, NULL, "ticks", NULL, "null"), 0);
	assert_int_equal(fish_start(s, NULL, "works", NULL, "null"), 0);
	await(&errand.begun);
	fish_server_stop(s);
	pthread_join(up.thread, NULL);
	assert_int_equal(up.rc, 0);
	set(&errand.may_end);
	fish_server_close(s);
	assert_true(errand.done);
}

static void a_stop_before_the_run_ends_it(void **state)
{
	(void)state;
	fish_server *s = opened(":memory:");

	fish_server_stop(s);
	assert_int_equal(fish_server_run(s), 0);
	fish_server_close(s);
}

static void closes_without_a_run(void **state)
{
	(void)state;
	struct file file;

	file_make(&file);
	fish_server_close(opened(file.store));
	fish_server_close(opened(file.store));
	file_drop(&file);
	fish_server_close(NULL);
}

static void *asks_in_vain(void *arg)
{
	struct asker *a = arg;
	struct asks *asks = a->arg;
	struct start start = { .flow = SLICE_LIT("greet"), .input = SLICE_LIT("null") };
	struct id id = { { 0 } };

	a->rc = a->number % 2 ? ask_start(asks, &start, &id)
	                      : ask_wait(asks, &id, FISH_FOREVER, NULL);
	return NULL;
}

/* What fish_server_close does for threads that wait for a run which never comes. */
static void the_end_answers_all(void **state)
{
	(void)state;
	struct asker askers[THREADS] = { 0 };
	struct asks asks = { .async = NULL };
	uv_loop_t loop;
	uv_async_t async;

	assert_int_equal(uv_loop_init(&loop), 0);
	assert_int_equal(uv_async_init(&loop, &async, NULL), 0);
	asks_init(&asks);
	asks.async = &async;
	for (int i = 0; i < THREADS; i++)
		askers[i].arg = &asks;
	askers_begin(askers, NULL, asks_in_vain);
	for (size_t inside = 0; inside < THREADS;) {
		pthread_mutex_lock(&asks.lock);
		inside = asks.inside;
		pthread_mutex_unlock(&asks.lock);
		sched_yield();
	}
	asks_end(&asks);
	asks_fini(&asks);
	askers_end(askers, FISH_EGONE);
	uv_close((uv_handle_t *)&async, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* Starts until it is told that the server stops; got is the last one that was promised. */
static void *starts_on_and_on(void *arg)
{
	struct asker *a = arg;
	char id[FISH_ID_SIZE] = "";

	while ((a->rc = fish_start(a->server, id, "silent", NULL, "null")) == 0)
		memcpy(a->got, id, sizeof id);
	return NULL;
}

static void what_was_told_outlives_a_stop(void **state)
{
	(void)state;
	struct asker askers[THREADS] = { 0 };
	struct file file;
	struct up up;
	char id[FISH_ID_SIZE];

	file_make(&file);
	for (int round = 0; round < ROUNDS; round++) {
		up_begin(&up, opened(file.store));
		for (int i = 0; i < THREADS; i++)
			if (askers[i].got[0] != '\0')
				assert_int_equal(fish_wait(up.server, askers[i].got, PATIENCE, NULL), 0);
		memset(askers, 0, sizeof askers);
		askers_begin(askers, up.server, starts_on_and_on);
		for (int i = 0; i < round; i++)
			assert_int_equal(fish_start(up.server, id, "silent", NULL, "null"), 0);
		fish_server_stop(up.server);
		askers_end(askers, FISH_EGONE);
		up_end(&up);
	}
	file_drop(&file);
}

static void on_signal(int number)
{
	(void)number;
	fish_server_stop(outer);
}

/* The program's signals are its own, and its handler may stop the server. */
static void touches_no_signal(void **state)
{
	(void)state;
	static const int signals[] = { SIGTERM, SIGINT, SIGPIPE, SIGHUP, SIGCHLD, SIGUSR2 };
	/* Whoever started the test may have set some: nohup does. */
	struct sigaction now, before[sizeof signals / sizeof *signals];
	struct up up;

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		assert_int_equal(sigaction(signals[i], NULL, &before[i]), 0);
	outer = opened(":memory:");
	signal(SIGUSR1, on_signal);
	up_begin(&up, outer);
	ends_as(outer, "greet", 0, "{\"hello\": \"\"}");
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
		assert_int_equal(sigaction(signals[i], NULL, &now), 0);
		assert_true(now.sa_handler == before[i].sa_handler);
	}
	raise(SIGUSR1);
	pthread_join(up.thread, NULL);
	assert_int_equal(up.rc, 0);
	signal(SIGUSR1, SIG_DFL);
	fish_server_close(outer);
}

static void writes_to_nobody(fish_flow *f, const fish_msg *in)
{
	(void)in;
	int ends[2];

	if (pipe(ends) < 0)
		fish_fail(f, "no pipe");
	close(ends[0]);
	bool broken = write(ends[1], "x", 1) < 0 && errno == EPIPE;

	close(ends[1]);
	fish_done(f, broken ? "true" : "false");
}

static const fish_def writing_flows[] = { FISH_FLOW(writes_to_nobody), FISH_END };
static const fish_program writing = { .flows = writing_flows };

struct masked {
	struct up up;
	bool blocked, pending;           /* is SIGPIPE, in the thread that ran it, afterwards? */
};

static void *run_and_look(void *arg)
{
	struct masked *m = arg;
	sigset_t blocked, pending;

	run(&m->up);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	sigpending(&pending);
	m->blocked = sigismember(&blocked, SIGPIPE) == 1;
	m->pending = sigismember(&pending, SIGPIPE) == 1;
	return NULL;
}

/* Whoever hangs up on the server must not kill a program that did not ignore SIGPIPE. */
static void a_broken_pipe_kills_nobody(void **state)
{
	(void)state;
	fish_options o = options_of(":memory:");
	struct masked m = { .pending = true };

	o.program = &writing;
	assert_int_equal(fish_server_open(&m.up.server, &o, NULL), 0);
	assert_int_equal(pthread_create(&m.up.thread, NULL, run_and_look, &m), 0);
	ends_as(m.up.server, "writes_to_nobody", 0, "true");
	up_end(&m.up);
	assert_false(m.blocked);
	assert_false(m.pending);
}

static void several_in_one_process(void **state)
{
	(void)state;
	struct file file;
	struct up first, second;
	struct asker askers[THREADS] = { 0 }, others[THREADS] = { 0 };

	file_make(&file);
	up_begin(&first, opened(file.store));
	up_begin(&second, opened(":memory:"));
	assert_string_not_equal(fish_server_url(first.server), fish_server_url(second.server));
	askers_begin(askers, first.server, greets);
	askers_begin(others, second.server, greets);
	askers_end(askers, 0);
	askers_end(others, 0);
	up_end(&second);
	ends_as(first.server, "greet", 0, "{\"hello\": \"\"}");
	up_end(&first);
	file_drop(&file);
}

static void refused(const fish_options *o, int rc, const char *words)
{
	char err[FISH_ERR_SIZE] = "";
	fish_server *s = NULL;

	assert_int_equal(fish_server_open(&s, o, err), rc);
	assert_null(s);
	if (strstr(err, words) == NULL)
		fail_msg("'%s' should say '%s'", err, words);
	assert_int_equal(fish_server_open(&s, o, NULL), rc);
}

static void a_taken_store_is_refused_in_words(void **state)
{
	(void)state;
	struct file file;
	struct up up;

	file_make(&file);
	up_begin(&up, opened(file.store));
	fish_options o = options_of(file.store);

	refused(&o, FISH_EBUSY, file.store);
	/* The first one has lost nothing by that. */
	ends_as(up.server, "greet", 0, "{\"hello\": \"\"}");
	up_end(&up);
	file_drop(&file);
}

static void options_are_refused_in_words(void **state)
{
	(void)state;
	fish_options o = options_of(":memory:");
	static const fish_program empty = { .flows = NULL };

	o.listen = "nowhere";
	refused(&o, FISH_EINVAL, "listen 'nowhere'");
	o = options_of(":memory:");
	o.public_url = "ftp://a";
	refused(&o, FISH_EINVAL, "public_url 'ftp://a'");
	o = options_of(NULL);
	refused(&o, FISH_EINVAL, "store");
	o = options_of(":memory:");
	o.program = &empty;
	refused(&o, FISH_EINVAL, "program");
	o = options_of(":memory:");
	o.memory_bytes = 5;
	refused(&o, FISH_EINVAL, "memory_bytes is 5: give 16777216 to");
	o = options_of(":memory:");
	o.park_after_ms = -1;
	refused(&o, FISH_EINVAL, "park_after_ms is -1");
	o = options_of(":memory:");
	o.reserved[3] = &o;
	refused(&o, FISH_EINVAL, "reserved");
	o = options_of(":memory:");
	o.steps_max = (size_t)2000000001;
	refused(&o, FISH_EINVAL, "steps_max");
	o = options_of(":memory:");
	o.log = "/dev/null/log";
	refused(&o, FISH_EIO, "/dev/null/log");
}

static void a_socket_and_a_log_when_asked_for(void **state)
{
	(void)state;
	struct file file;
	char socket[128], log[128];
	struct stat found;
	struct up up;
	fish_server *s = NULL;

	file_make(&file);
	snprintf(socket, sizeof socket, "%s/s", file.folder);
	snprintf(log, sizeof log, "%s/log", file.folder);
	fish_options o = options_of(file.store);

	o.socket = socket;
	o.log = log;
	assert_int_equal(fish_server_open(&s, &o, NULL), 0);
	up_begin(&up, s);
	ends_as(s, "greet", 0, "{\"hello\": \"\"}");
	assert_int_equal(stat(socket, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 0777, 0600);
	up_end(&up);
	assert_int_equal(stat(log, &found), 0);
	assert_true(found.st_size > 0);
	unlink(log);
	file_drop(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stop_ends_waits),
		cmocka_unit_test(a_close_waits_for_the_run),
		cmocka_unit_test(a_close_waits_for_work),
		cmocka_unit_test(a_stop_before_the_run_ends_it),
		cmocka_unit_test(closes_without_a_run),
		cmocka_unit_test(the_end_answers_all),
		cmocka_unit_test(what_was_told_outlives_a_stop),
		cmocka_unit_test(touches_no_signal),
		cmocka_unit_test(a_broken_pipe_kills_nobody),
		cmocka_unit_test(several_in_one_process),
		cmocka_unit_test(a_taken_store_is_refused_in_words),
		cmocka_unit_test(options_are_refused_in_words),
		cmocka_unit_test(a_socket_and_a_log_when_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
