/* connection.c - one accepted socket: reads requests, holds back when too many are under
 * way, ends.
 *
 * Invariant: after each event connection_settle brings reading, deadline and end in line
 * with the state; nothing else starts, stops or finishes a connection. Surprise: an idle
 * connection owns no buffer at all; it reads into the server's, and a parser comes with
 * the first byte of a request. */
#include "net/server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

void connection_release(struct connection *c)
{
	if (!c->closed || c->nexchanges > 0)
		return;
	list_remove(&c->link);
	free(c);
}

/* The handle is gone. What the handler still has keeps the memory; the rest goes now. */
static void on_closed(uv_handle_t *handle)
{
	struct connection *c = handle->data;
	struct server *s = c->server;
	c->closed = true;
	c->current = NULL;
	if (c->counted) {
		struct id key = address_key(&c->address);
		crowd_leave(&s->crowd, &key);
	}
	buf_fini(&c->backlog);
	struct list *next = NULL;
	for (struct list *at = c->exchanges.next; at != &c->exchanges; at = next) {
		struct exchange *x = container_of(at, struct exchange, link);
		next = at->next;
		if (x->state != EXCHANGE_ASKED)
			exchange_release(x);
	}
	connection_release(c);
	server_connection_closed(s);
}

void connection_close(struct connection *c)
{
	if (c->closing)
		return;
	c->closing = true;
	/* Out of every queue at once: nobody may find it between here and on_closed. */
	list_remove(&c->dirty_link);
	list_remove(&c->wait_link);
	c->wait = WAIT_NONE;
	exchanges_gone(c);
	uv_close(&c->uv.handle, on_closed);
}

/* Takes what of bytes can be taken now; the rest has to wait until answers have left. */
static size_t feed(struct connection *c, const char *bytes, size_t len)
{
	size_t used = 0;
	while (used < len) {
		/* Nothing is read behind a last request, but what came decides how to
		 * close. */
		if (c->current == NULL && c->ending) {
			c->dropping = true;
			return len;
		}
		if (c->current == NULL) {
			if (c->nexchanges >= c->server->config.bounds.pipeline_max)
				break;
			c->current = exchange_new(c);
			/* A new request has a deadline of its own. */
			deadline_set(c, WAIT_NONE);
		}
		struct exchange *x = c->current;
		size_t took = http1_feed(&x->request, bytes + used, len - used);
		used += took;
		c->came += took;
		exchange_advance(x);
	}
	return used;
}

void connection_resume(struct connection *c)
{
	if (c->closing)
		return;
	/* feed may answer at once, but never flushes, so the backlog stands still
	 * meanwhile. */
	if (c->backlog.len > 0)
		buf_consume(&c->backlog, feed(c, c->backlog.ptr, c->backlog.len));
	if (c->backlog.len == 0)
		buf_fini(&c->backlog);
	connection_settle(c);
}

/* The peer sends no more. It may still read: who shut down its sending side gets its
 * answers. */
static void hung_up(struct connection *c)
{
	c->half_closed = true;
	c->ending = true;
	/* Half a request is none: nobody was asked. */
	if (c->current != NULL)
		exchange_release(c->current);
	exchanges_gone(c);
	if (c->lingering)
		connection_close(c);
	connection_settle(c);
}

/* The server's one buffer serves all: a read is used up before the next begins. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
	(void)suggested;
	struct connection *c = handle->data;
	*ret_buf = uv_buf_init(c->server->scratch, READ_BYTES);
}

/* Bytes, the end, or an error that leaves nobody to answer. */
static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
	struct connection *c = stream->data;
	if (nread == 0)
		return;
	if (nread == UV_EOF) {
		hung_up(c);
		return;
	}
	if (nread < 0) {
		connection_close(c);
		return;
	}
	/* The backlog is empty here, or there would be no reading. */
	size_t len = (size_t)nread;
	size_t used = feed(c, buf->base, len);
	if (used < len)
		buf_put(&c->backlog, buf->base + used, len - used);
	connection_settle(c);
}

/* All is answered. Unread bytes would turn the close into a reset that can overtake the
 * answer, so in that case only the sending side is shut, and the rest is read until the
 * peer has closed. */
static void finish(struct connection *c)
{
	uv_os_fd_t fd = -1;
	bool linger = c->dropping && !c->half_closed;
	if (!linger || uv_fileno(&c->uv.handle, &fd) < 0 || shutdown(fd, SHUT_WR) < 0) {
		connection_close(c);
		return;
	}
	c->lingering = true;
}

/* What the connection's next move depends on; only the peer's moves have a deadline. */
static enum wait wait_of(const struct connection *c)
{
	if (c->lingering)
		return WAIT_LINGER;
	if (c->write_pending)
		return WAIT_WRITE;
	if (c->current == NULL)
		return c->nexchanges == 0 ? WAIT_IDLE : WAIT_NONE;
	switch (c->current->request.phase) {
	case HTTP1_HEAD:
		/* An empty line before the request is no beginning yet. */
		return http1_started(&c->current->request) ? WAIT_HEAD : WAIT_IDLE;
	case HTTP1_BODY:
		/* Its leave to send waits for answers before it: that is our time, not its. */
		return c->current->continue_due ? WAIT_NONE : WAIT_BODY;
	case HTTP1_HEAD_DONE:
	case HTTP1_DONE:
	case HTTP1_BAD: break;
	}
	return WAIT_NONE;
}

void connection_settle(struct connection *c)
{
	if (c->ending && c->nexchanges == 0 && !c->lingering && !c->closing)
		finish(c);
	if (c->closing)
		return;
	/* Who does not take its answers, or asks too far ahead, is not read from. */
	bool read = !c->half_closed && !c->write_pending && c->backlog.len == 0;
	if (read && !c->reading)
		CHECK(uv_read_start(&c->uv.stream, on_alloc, on_read) == 0);
	if (!read && c->reading)
		uv_read_stop(&c->uv.stream);
	c->reading = read;
	/* The same wait goes on with its old deadline: a drip of bytes gains no time. */
	enum wait wait = wait_of(c);
	if (wait != c->wait)
		deadline_set(c, wait);
}

void connection_expire(struct connection *c, enum wait wait)
{
	switch (wait) {
	case WAIT_HEAD:
		exchange_refuse(
			c->current, 408, "the head of the request came too slowly");
		break;
	case WAIT_BODY:
		exchange_refuse(
			c->current, 408, "the body of the request came too slowly");
		break;
	case WAIT_IDLE:
	case WAIT_WRITE:
	case WAIT_LINGER: connection_close(c); break;
	case WAIT_NONE: break;
	}
	connection_settle(c);
}

/* Asked once, at the start: later the peer may have gone, and a handler still want its
 * name. */
static void note_peer(struct connection *c)
{
	const struct proxies *proxies = c->server->config.proxies;
	struct sockaddr_storage address = { 0 };
	int len = sizeof address;
	snprintf(c->peer, sizeof c->peer, "unix");
	c->by_proxy = c->server->is_unix && proxies != NULL && proxies->unix_peers;
	if (c->server->is_unix)
		return;
	if (uv_tcp_getpeername(&c->uv.tcp, (struct sockaddr *)&address, &len) == 0 &&
		address_of((struct sockaddr *)&address, &c->address)) {
		listener_name((struct sockaddr *)&address, c->peer, sizeof c->peer);
		c->by_proxy = proxies_hold(proxies, &c->address);
	} else {
		snprintf(c->peer, sizeof c->peer, "unknown"); /* it has gone already */
	}
}

/* One too many of its address: told so as far as the socket takes it at once, and closed. It gets no
 * lingering end, since what it must not have is just that, a place here. */
static void turn_away(struct connection *c)
{
	static const char words[] =
		"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 48\r\n"
		"Content-Type: text/plain\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
		"too many connections are open from this address\n";
	uv_os_fd_t fd = -1;
	uv_buf_t part = uv_buf_init((char *)(uintptr_t)words, sizeof words - 1);
	uv_try_write(&c->uv.stream, &part, 1);
	/* Unread bytes would turn the close into a reset that overtakes the words. */
	if (uv_fileno(&c->uv.handle, &fd) == 0 &&
		recv(fd, c->server->scratch, READ_BYTES, MSG_DONTWAIT) > 0)
		shutdown(fd, SHUT_WR);
	connection_close(c);
}

void connection_accept(struct server *s)
{
	struct connection *c = xalloc(sizeof *c);
	if (s->is_unix)
		CHECK(uv_pipe_init(s->config.loop, &c->uv.pipe, 0) == 0);
	else
		CHECK(uv_tcp_init(s->config.loop, &c->uv.tcp) == 0);
	c->uv.handle.data = c;
	c->server = s;
	c->wait = WAIT_NONE;
	list_init(&c->dirty_link);
	list_init(&c->wait_link);
	list_init(&c->exchanges);
	buf_init(&c->backlog, READ_BYTES);
	list_push(&s->connections, &c->link);
	s->nconnections++;
	/* Counted before it is taken, so that the failure is an ordinary close. */
	if (uv_accept(&s->listener.stream, &c->uv.stream) < 0) {
		connection_close(c);
		return;
	}
	note_peer(c);
	if (!s->is_unix && !c->by_proxy) {
		struct id key = address_key(&c->address);
		c->counted = crowd_join(&s->crowd, &key);
		if (!c->counted) {
			turn_away(c);
			return;
		}
	}
	connection_settle(c);
}
