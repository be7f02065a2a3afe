/* server.c - the listener: opens, drains, frees.
 *
 * Invariant: all that can fail is done before the first handle is made, because a handle
 * needs the loop to go away again. Surprise: over connections_max the connection
 * that is idle longest is closed; with none idle the next one is simply not taken from
 * libuv, which then looks no further until it is, and the others wait in the kernel's
 * queue. */
#include "net/server_private.h"

#include <stdlib.h>
#include <unistd.h>

enum {
	HEAD_TIMEOUT_MS  = 30000,
	BODY_TIMEOUT_MS  = 300000,
	WRITE_TIMEOUT_MS = 300000,
	IDLE_TIMEOUT_MS  = 75000,
	RATE_GRACE_MS    = 10000,
	RATE_BYTES_MIN   = 256,
	CONNECTIONS_MAX  = 10000,
	CONNECTIONS_EACH_MAX = 2000,
	PIPELINE_MAX     = 16,
	UNIX_MODE        = 0600,
};

/* Zero and less ask for the default. */
static int64_t ms_or(int64_t ms, int64_t fallback_ms)
{
	return ms > 0 ? ms : fallback_ms;
}

static size_t size_or(size_t n, size_t fallback)
{
	return n > 0 ? n : fallback;
}

/* Copies the caller's wishes, with the defaults put in. */
static void take_config(struct server *s, const struct server_config *config)
{
	struct server_bounds *b = &s->config.bounds;
	s->config = *config;
	b->head_timeout_ms = ms_or(b->head_timeout_ms, HEAD_TIMEOUT_MS);
	b->body_timeout_ms = ms_or(b->body_timeout_ms, BODY_TIMEOUT_MS);
	b->write_timeout_ms = ms_or(b->write_timeout_ms, WRITE_TIMEOUT_MS);
	b->idle_timeout_ms = ms_or(b->idle_timeout_ms, IDLE_TIMEOUT_MS);
	b->rate_grace_ms = ms_or(b->rate_grace_ms, RATE_GRACE_MS);
	b->rate_bytes_min = size_or(b->rate_bytes_min, RATE_BYTES_MIN);
	b->connections_max = size_or(b->connections_max, CONNECTIONS_MAX);
	b->connections_each_max = size_or(b->connections_each_max, CONNECTIONS_EACH_MAX);
	b->pipeline_max = size_or(b->pipeline_max, PIPELINE_MAX);
	s->config.listen = NULL; /* the caller's; address has what counts */
	crowd_init(&s->crowd, b->connections_each_max);
	deadline_init(s);
}

/* libuv holds one accepted socket ready; server_settle takes it when there is room. */
static void on_connection(uv_stream_t *listener, int status)
{
	struct server *s = listener->data;
	/* A failed accept (no descriptor left) says nothing that could be acted on here:
	 * libuv has dropped that connection and goes on. */
	if (status < 0)
		return;
	s->accept_due = true;
	/* An idle connection may be closed at any time (RFC 9112 9.6), and only one that waits for
	 * nothing can be closed without harm. Its end is what lets the next in. */
	if (s->nconnections >= s->config.bounds.connections_max)
		deadline_make_room(s);
	server_settle(s);
}

/* Nothing in here can fail but for lack of memory, or by a mistake of ours. */
static void open_handles(struct server *s, int fd)
{
	uv_loop_t *loop = s->config.loop;
	if (s->is_unix) {
		CHECK(uv_pipe_init(loop, &s->listener.pipe, 0) == 0);
		CHECK(uv_pipe_open(&s->listener.pipe, fd) == 0);
	} else {
		CHECK(uv_tcp_init(loop, &s->listener.tcp) == 0);
		CHECK(uv_tcp_open(&s->listener.tcp, fd) == 0);
	}
	CHECK(uv_idle_init(loop, &s->flusher) == 0);
	CHECK(uv_timer_init(loop, &s->deadlines) == 0);
	CHECK(uv_timer_init(loop, &s->grace) == 0);
	s->handles_open = 4;
	s->listener.handle.data = s;
	s->flusher.data = s;
	s->deadlines.data = s;
	s->grace.data = s;
	CHECK(uv_listen(&s->listener.stream, LISTEN_BACKLOG, on_connection) == 0);
}

int server_open(struct server **ret, const struct server_config *config, struct err *err)
{
	struct server *s = xalloc(sizeof *s);
	/* All that the outside can refuse is in this call. */
	int fd = -1;
	unsigned mode = config->unix_mode != 0 ? config->unix_mode : UNIX_MODE;
	int rc = listener_socket(config->listen, mode, &fd, s->address, err);
	if (rc < 0) {
		free(s);
		return rc;
	}
	take_config(s, config);
	s->is_unix = listener_path(s->address) != NULL;
	list_init(&s->connections);
	list_init(&s->dirty);
	list_init(&s->pool);
	for (enum wait wait = 0; wait < WAITS; wait++)
		list_init(&s->waits[wait]);
	open_handles(s, fd);
	*ret = s;
	return 0;
}

const char *server_address(const struct server *s)
{
	return s->address;
}

void server_settle(struct server *s)
{
	if (s->draining) {
		if (s->handles_open == 0 && s->nconnections == 0 && !s->drained) {
			s->drained = true;
			s->done(s->done_arg);
		}
		return;
	}
	if (s->accept_due && s->nconnections < s->config.bounds.connections_max) {
		s->accept_due = false;
		connection_accept(s);
	}
}

/* The last handle to go may be what a drain waits for. */
static void on_handle_closed(uv_handle_t *handle)
{
	struct server *s = handle->data;
	s->handles_open--;
	server_settle(s);
}

/* The helpers go when no connection is left that could need them. */
static void close_helpers(struct server *s)
{
	uv_handle_t *helpers[] = {
		(uv_handle_t *)&s->flusher,
		(uv_handle_t *)&s->deadlines,
		(uv_handle_t *)&s->grace,
	};
	for (size_t i = 0; i < sizeof helpers / sizeof helpers[0]; i++) {
		if (!uv_is_closing(helpers[i]))
			uv_close(helpers[i], on_handle_closed);
	}
}

/* Who is not done by now is cut; its exchanges hear of it and live on until answered. */
static void on_grace_over(uv_timer_t *timer)
{
	struct server *s = timer->data;
	struct list *next = NULL;
	for (struct list *at = s->connections.next; at != &s->connections; at = next) {
		next = at->next;
		connection_close(container_of(at, struct connection, link));
	}
}

void server_drain(struct server *s, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
	CHECK(!s->draining);
	s->draining = true;
	s->done = done;
	s->done_arg = arg;
	/* The file goes before the socket: who comes next finds either a living server or
	 * nothing. */
	if (s->is_unix)
		unlink(listener_path(s->address));
	uv_close(&s->listener.handle, on_handle_closed);
	/* Ending connections begin no request: the idle ones close here and now, the
	 * others when the last of theirs is answered. */
	struct list *next = NULL;
	for (struct list *at = s->connections.next; at != &s->connections; at = next) {
		struct connection *c = container_of(at, struct connection, link);
		next = at->next;
		c->ending = true;
		connection_settle(c);
	}
	/* A closed connection says so from the loop, so even without one left this is not
	 * the end. */
	if (s->nconnections == 0)
		close_helpers(s);
	else
		uv_timer_start(&s->grace, on_grace_over,
			grace_ms > 0 ? (uint64_t)grace_ms : 0, 0);
}

void server_connection_closed(struct server *s)
{
	s->nconnections--;
	if (s->draining && s->nconnections == 0)
		close_helpers(s);
	server_settle(s);
}

struct server *server_free(struct server *s)
{
	if (s == NULL)
		return NULL;
	CHECK(s->drained);
	/* Exchanges that are still unanswered keep their connection's memory, and must do
	 * without s. */
	for (struct list *at = list_shift(&s->connections); at != NULL;
		at = list_shift(&s->connections))
		container_of(at, struct connection, link)->server = NULL;
	exchange_free_pool(s);
	crowd_fini(&s->crowd);
	free(s);
	return NULL;
}
