/* client_poll.c - lends curl the loop: polls for its sockets, a timer for its timeouts.
 *
 * Invariant: curl is only ever driven from the loop, so no done function runs inside
 * client_send. Surprise: a poll handle is made once for each descriptor number and kept
 * for the sockets that get the same number later: making one costs three system calls,
 * and curl asks for one per transfer. */
#include "net/client_private.h"

#include <stdlib.h>

/* Lets curl work on a socket or on its timeouts, then tells of what came of it. */
static void drive(struct client *c, curl_socket_t fd, int events)
{
	int running = 0;
	curl_multi_socket_action(c->multi, fd, events, &running);
	client_collect(c);
}

/* An error is curl's to find out: it reads or writes and sees. */
static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct client *c = poll->data;
	uv_os_fd_t fd = -1;
	CHECK(uv_fileno((uv_handle_t *)poll, &fd) == 0);
	int curl_events = status < 0 ? CURL_CSELECT_ERR : 0;
	if (status == 0 && (events & UV_READABLE) != 0)
		curl_events |= CURL_CSELECT_IN;
	if (status == 0 && (events & UV_WRITABLE) != 0)
		curl_events |= CURL_CSELECT_OUT;
	drive(c, fd, curl_events);
}

static void on_timer(uv_timer_t *timer)
{
	drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

/* The poll handle for a descriptor number; NULL when the loop cannot poll it. */
static uv_poll_t *poll_of(struct client *c, curl_socket_t fd)
{
	size_t index = (size_t)fd;
	if (index >= c->npolls) {
		size_t n = c->npolls == 0 ? 64 : c->npolls;
		while (n <= index)
			n *= 2;
		c->polls = xrealloc(c->polls, n * sizeof *c->polls);
		for (size_t i = c->npolls; i < n; i++)
			c->polls[i] = NULL;
		c->npolls = n;
	}
	/* A stopped poll handle holds no claim on its number; others may use it. */
	if (c->polls[index] == NULL) {
		uv_poll_t *poll = xalloc(sizeof *poll);
		if (uv_poll_init(c->config.loop, poll, fd) < 0) {
			free(poll);
			return NULL;
		}
		poll->data = c;
		c->polls[index] = poll;
		c->handles_open++;
	}
	return c->polls[index];
}

/* curl wants a socket watched, otherwise watched, or forgotten. */
static int on_curl_socket(
	CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	(void)easy;
	(void)socket_arg;
	struct client *c = arg;
	uv_poll_t *poll = poll_of(c, fd);
	if (poll == NULL)
		return -1;
	int events = 0;
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= UV_READABLE;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= UV_WRITABLE;
	int rc = events == 0 ? uv_poll_stop(poll) : uv_poll_start(poll, events, on_poll);
	return rc < 0 ? -1 : 0;
}

/* curl wants to be driven after timeout_ms; -1: not any more. */
static int on_curl_timer(CURLM *multi, long timeout_ms, void *arg)
{
	(void)multi;
	struct client *c = arg;
	/* Attempts that failed at once wait for the timer too, and curl must not take it
	 * from them. */
	if (timeout_ms < 0 && list_empty(&c->finished))
		uv_timer_stop(&c->timer);
	else
		uv_timer_start(&c->timer, on_timer,
			timeout_ms < 0 ? 0 : (uint64_t)timeout_ms, 0);
	return 0;
}

void client_poll_soon(struct client *c)
{
	uv_timer_start(&c->timer, on_timer, 0, 0);
}

int client_poll_open(struct client *c)
{
	c->multi = curl_multi_init();
	if (c->multi == NULL)
		return FISH_EIO;
	CHECK(uv_timer_init(c->config.loop, &c->timer) == 0);
	c->timer.data = c;
	c->handles_open = 1;
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	/* Its own default follows the number of transfers, and closes what the next wave
	 * needs. */
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_IDLE_MAX);
	curl_multi_setopt(
		c->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)CONNECTIONS_MAX);
	curl_multi_setopt(
		c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)CONNECTIONS_PER_HOST_MAX);
	return 0;
}

/* The polls are ours to free, the timer is part of the client. */
static void on_poll_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;
	free(handle);
	client_handle_closed(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	client_handle_closed(handle->data);
}

void client_poll_close(struct client *c)
{
	/* curl closes its sockets in cleanup and would still call back for each. */
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, NULL);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, NULL);
	/* The polls go before the sockets, so that none watches a number that is free. */
	for (size_t i = 0; i < c->npolls; i++) {
		if (c->polls[i] != NULL)
			uv_close((uv_handle_t *)c->polls[i], on_poll_closed);
	}
	free(c->polls);
	c->polls = NULL;
	c->npolls = 0;
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	curl_multi_cleanup(c->multi);
	c->multi = NULL;
}
