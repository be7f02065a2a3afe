/* net_test.h - raw peers for the tests of src/net: sockets of the test itself, on the server's loop.
 *
 * Everything waits for a condition, never for a time: net_until runs the loop and the peers' sockets
 * until it holds, and fails the test when it does not within NET_PATIENCE_MS. */
#ifndef FISH_NET_TEST_H
#define FISH_NET_TEST_H

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

enum { NET_PATIENCE_MS = 20000 };

struct raw_peer {
	int        fd;
	struct buf got;          /* all that came */
	bool       over;         /* the other side has closed */
	bool       reset;        /* and not in peace */
};

/* To a server_address. Blocks only as long as the kernel takes, the backlog answers. */
static inline void raw_open(struct raw_peer *p, const char *address)
{
	struct sockaddr_storage to = { 0 };
	socklen_t len = 0;
	*p = (struct raw_peer){ .fd = -1 };
	buf_init(&p->got, SIZE_MAX);
	if (strncmp(address, "unix:", 5) == 0) {
		struct sockaddr_un *un = (void *)&to;
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof un->sun_path, "%s", address + 5);
		len = sizeof *un;
	} else {
		struct sockaddr_in *in = (void *)&to;
		const char *colon = strrchr(address, ':');
		assert_non_null(colon);
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)atoi(colon + 1));
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		len = sizeof *in;
	}
	p->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(p->fd >= 0);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&to, len), 0);
}

static inline void raw_close(struct raw_peer *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	buf_fini(&p->got);
}

static inline void raw_read(struct raw_peer *p)
{
	char bytes[64 << 10];
	while (p->fd >= 0 && !p->over) {
		ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
		if (n > 0) {
			buf_put(&p->got, bytes, (size_t)n);
			continue;
		}
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		p->over = true;
		p->reset = n < 0;
	}
}

/* One round: the loop, then the peer, then wait for either (or the loop's own timer). */
static inline void net_round(uv_loop_t *loop, struct raw_peer *p)
{
	/* Twice: what the first round has begun to watch is looked at in the second. */
	uv_run(loop, UV_RUN_NOWAIT);
	uv_run(loop, UV_RUN_NOWAIT);
	bool was_over = p == NULL || p->over;
	if (p != NULL)
		raw_read(p);
	/* The end is news, and often all that was waited for. */
	if (!was_over && p->over)
		return;
	int wait_ms = uv_backend_timeout(loop);
	if (wait_ms < 0 || wait_ms > 20)
		wait_ms = 20;
	struct pollfd fds[2] = {
		{ .fd = uv_backend_fd(loop), .events = POLLIN },
		{ .fd = p == NULL || p->over ? -1 : p->fd, .events = POLLIN },
	};
	poll(fds, 2, wait_ms);
	if (p != NULL)
		raw_read(p);
}

static inline int64_t net_ms(void)
{
	return (int64_t)(uv_hrtime() / 1000000);
}

#define net_until(loop, p, cond) \
	do { \
		int64_t give_up_ms = net_ms() + NET_PATIENCE_MS; \
		while (!(cond)) { \
			if (net_ms() > give_up_ms) \
				fail_msg("never came true: %s; got: %s", #cond, \
				         (p) == NULL ? "" : raw_text(p)); \
			net_round(loop, p); \
		} \
	} while (0)

static inline const char *raw_text(const struct raw_peer *p)
{
	return p == NULL || p->got.ptr == NULL ? "" : p->got.ptr;
}

/* How often needle stands in what came. */
static inline size_t raw_count(const struct raw_peer *p, const char *needle)
{
	size_t n = 0;
	const char *at = raw_text(p);
	const char *end = at + p->got.len;
	while (at != end && (at = memmem(at, (size_t)(end - at), needle, strlen(needle))) != NULL) {
		n++;
		at++;
	}
	return n;
}

static inline bool raw_has(const struct raw_peer *p, const char *needle)
{
	return raw_count(p, needle) > 0;
}

/* Sends all, and lets the loop go on while the socket is full. Stops when the peer has closed. */
static inline void raw_send(uv_loop_t *loop, struct raw_peer *p, const void *bytes, size_t len)
{
	const char *at = bytes;
	while (len > 0 && !p->over) {
		ssize_t n = send(p->fd, at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return;
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
		if (len > 0)
			net_round(loop, p);
	}
}

static inline void raw_puts(uv_loop_t *loop, struct raw_peer *p, const char *text)
{
	raw_send(loop, p, text, strlen(text));
}

/* Open descriptors of this process, to see that none is left. */
static inline size_t count_fds(void)
{
	size_t n = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

#endif
