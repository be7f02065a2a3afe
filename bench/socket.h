/* socket.h - what the generators share: the clock, addresses, and one HTTP message in a buffer.
 *
 * Surprise: the parser believes what it is told (Content-Length or nothing): both ends are ours. */
#ifndef BENCH_SOCKET_H
#define BENCH_SOCKET_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { STAMP_DIGITS = 20 };                   /* of a clock in nanoseconds, with zeros in front */

static inline uint64_t now_ns(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (uint64_t)at.tv_sec * 1000000000 + (uint64_t)at.tv_nsec;
}

static inline void stamp(char *to, uint64_t value)
{
	for (int i = STAMP_DIGITS; i-- > 0; value /= 10)
		to[i] = (char)('0' + value % 10);
}

static inline void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "not as it must be");
	exit(1);
}

struct address {
	union {
		struct sockaddr     any;
		struct sockaddr_in  in;
		struct sockaddr_un  un;
	} sock;
	socklen_t len;
};

/* "127.0.0.1:80" or "unix:/path"; text need not end where the address does. */
static inline struct address address_of(const char *text)
{
	struct address a = { .len = sizeof a.sock.in };
	char host[64] = "";
	int port = 0;

	if (strncmp(text, "unix:", 5) == 0) {
		a.sock.un.sun_family = AF_UNIX;
		a.len = sizeof a.sock.un;
		snprintf(a.sock.un.sun_path, sizeof a.sock.un.sun_path, "%s", text + 5);
		return a;
	}
	a.sock.in.sin_family = AF_INET;
	if (sscanf(text, "%63[0-9.]:%d", host, &port) != 2 ||
	    inet_pton(AF_INET, host, &a.sock.in.sin_addr) != 1)
		die("an address is 1.2.3.4:PORT or unix:/path");
	a.sock.in.sin_port = htons((uint16_t)port);
	return a;
}

/* Connects while it blocks, and blocks no more after that. */
static inline int connect_to(const struct address *a)
{
	int fd = socket(a->sock.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || connect(fd, &a->sock.any, a->len) < 0)
		die("connect");
	int one = 1;

	if (a->sock.any.sa_family == AF_INET)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	return fd;
}

/* How long the HTTP message at text is with its body; 0: it is not whole yet. text ends with a NUL. */
static inline size_t message_len(const char *text, size_t len)
{
	const char *end = strstr(text, "\r\n\r\n");
	size_t body = 0;

	if (!end)
		return 0;
	for (const char *line = strstr(text, "\r\n"); line && line < end; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, "content-length:", 15) == 0)
			body = strtoul(line + 17, NULL, 10);
	size_t all = (size_t)(end - text) + 4 + body;

	return all <= len ? all : 0;
}

#endif
