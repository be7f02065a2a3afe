/* server.c - the server as a part of somebody else's program.
 *
 * Invariant: the process stays its owner's: no signal handler, no stdout, no umask, no limit is
 * touched. Surprise: writing to a sender that hung up raises SIGPIPE in the thread that writes, so
 * that thread blocks it while it is in here, and takes back what it raised. */
#include "host/ask.h"
#include "host/serve_private.h"
#include "wire/template.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { URL_SIZE = 512 };

struct fish_server {
	struct serve *serve;
	struct config config;
	struct paths  paths;
	struct asks   asks;
	uv_async_t    async;           /* asks have come, or a stop is asked for */
	char          url[URL_SIZE];
};

/* A thread's signals as they were before it came in here. */
struct pipe_guard {
	sigset_t before;
	bool     pending;
};

static void guard_begin(struct pipe_guard *g)
{
	sigset_t pipe_only;
	sigset_t pending;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	sigpending(&pending);
	g->pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, &pipe_only, &g->before);
}

/* One that was pending before is the program's own, and stays. */
static void guard_end(const struct pipe_guard *g)
{
	sigset_t pipe_only;

	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	while (!g->pending && sigtimedwait(&pipe_only, NULL, &(struct timespec){ 0 }) > 0)
		;
	pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}

static void on_async(uv_async_t *async)
{
	struct fish_server *s = async->data;

	if (__atomic_load_n(&s->asks.stopping, __ATOMIC_SEQ_CST)) {
		asks_shut(&s->asks);
		serve_stop(s->serve);
	} else {
		asks_take(&s->asks);
	}
	pulse_wake(&s->serve->pulse);
}

/* All but the memory of s. */
static int open_parts(struct fish_server *s, const fish_options *o, struct err *err)
{
	int rc = config_embed(&s->config, o, err);

	if (rc == 0)
		rc = paths_init(&s->paths, s->config.program, o->store,
			o->socket != NULL ? o->socket : "", err);
	if (rc < 0)
		return rc;
	rc = serve_open(&s->serve, &s->config, &s->paths, o->program, err);
	if (rc < 0) {
		paths_fini(&s->paths);
		return rc;
	}
	rc = uv_async_init(&s->serve->loop, &s->async, on_async);
	if (rc != 0) {
		serve_close(s->serve);
		paths_fini(&s->paths);
		return err_set(err, FISH_EIO, "the event loop: %s", uv_strerror(rc));
	}
	return 0;
}

int fish_server_open(fish_server **ret, const fish_options *o, char err[FISH_ERR_SIZE])
{
	struct fish_server *s = xalloc(sizeof *s);
	struct err words = { 0 };
	struct pipe_guard guard;

	guard_begin(&guard);
	int rc = open_parts(s, o, &words);

	guard_end(&guard);
	if (rc < 0) {
		if (err != NULL)
			snprintf(err, FISH_ERR_SIZE, "%s", words.text);
		free(s);
		return rc;
	}
	s->async.data = s;
	asks_init(&s->asks);
	s->asks.engine = s->serve->engine;
	s->asks.async = &s->async;
	snprintf(s->url, sizeof s->url, "http://%s", ingress_address(s->serve->ingress));
	*ret = s;
	return 0;
}

const char *fish_server_url(const fish_server *s) { return s->url; }

int fish_server_run(fish_server *s)
{
	struct pipe_guard guard;
	int rc = s == NULL ? FISH_EINVAL : asks_run_begin(&s->asks);

	if (rc < 0)
		return rc;
	guard_begin(&guard);
	rc = serve_loop(s->serve, NULL);
	guard_end(&guard);
	asks_run_end(&s->asks);
	return rc;
}

void fish_server_stop(fish_server *s)
{
	/* What a signal handler does to errno, the interrupted code would see. */
	int before = errno;

	if (s == NULL)
		return;
	__atomic_store_n(&s->asks.stopping, true, __ATOMIC_SEQ_CST);
	uv_async_send(&s->async);
	errno = before;
}

void fish_server_close(fish_server *s)
{
	struct pipe_guard guard;

	if (s == NULL)
		return;
	fish_server_stop(s);
	asks_end(&s->asks);
	guard_begin(&guard);
	/* serve_close goes round the loop until all its handles are closed. */
	uv_close((uv_handle_t *)&s->async, NULL);
	serve_close(s->serve);
	guard_end(&guard);
	asks_fini(&s->asks);
	paths_fini(&s->paths);
	free(s);
}

int fish_start(fish_server *s, char ret_id[FISH_ID_SIZE], const char *flow, const char *key,
	const char *json, ...)
{
	struct err err = { 0 };
	struct buf input;
	struct id id = { { 0 } };
	va_list ap;

	if (s == NULL)
		return FISH_EINVAL;
	buf_init(&input, TEMPLATE_BYTES_MAX);
	va_start(ap, json);
	int rc = template_put(&input, &err, json, ap);

	va_end(ap);
	if (rc == 0)
		rc = ask_start(&s->asks, &(struct start){
			.flow = slice_of(flow), .key = slice_of(key), .input = buf_slice(&input),
		}, &id);
	else
		world_log(&s->serve->world, "start.refused", "flow=%s why=\"%s\"", flow, err.text);
	buf_fini(&input);
	if (rc == 0 && ret_id != NULL)
		id_text(&id, ret_id);
	return rc;
}

int fish_wait(fish_server *s, const char *id, int64_t timeout_ms, char **ret_json)
{
	struct id parsed;

	if (ret_json != NULL)
		*ret_json = NULL;
	if (s == NULL || id_parse(slice_of(id), &parsed) < 0)
		return FISH_EINVAL;
	return ask_wait(&s->asks, &parsed, timeout_ms, ret_json);
}
