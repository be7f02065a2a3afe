/* partner.c - a third party: answers each request with 200 and calls back the URL that stands in it.
 *
 *     bench_partner --server HOST:PORT      prints "listening on http://127.0.0.1:PORT"
 *
 * A callback goes over a connection that was used before, if one is free; its body holds the time of
 * sending behind "@". Surprise: the callback leaves right behind the 200, so
 * that it often overtakes what the server makes of that 200, as it does with real partners. */
#include "socket.h"

#include <stdbool.h>
#include <stdint.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { MESSAGE_MAX = 16 << 10, EVENTS = 256 };
enum end { LISTENER, ASKER, CALLBACK };

struct peer {
	enum end     end;
	int          fd;
	struct peer *free;                    /* the next callback connection that is not in use */
	size_t       got;
	char         text[MESSAGE_MAX];
};

struct partner {
	struct address server;
	int            epoll;
	struct peer   *free;
};

static struct peer *peer_new(const struct partner *p, enum end end, int fd)
{
	struct peer *peer = calloc(1, sizeof *peer);
	struct epoll_event in = { .events = EPOLLIN, .data.ptr = peer };

	peer->end = end;
	peer->fd = fd;
	if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &in) < 0)
		die("epoll_ctl");
	return peer;
}

static void peer_free(struct peer *peer)
{
	close(peer->fd);
	free(peer);
}

/* path: from the URL, up to its quote. */
static void call_back(struct partner *p, const char *path, size_t len)
{
	char text[1024];
	struct peer *peer = p->free;

	if (peer)
		p->free = peer->free;
	else
		peer = peer_new(p, CALLBACK, connect_to(&p->server));
	int n = snprintf(text, sizeof text,
	                 "POST %.*s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
	                 "Content-Length: 49\r\n\r\n{\"courier\": \"c-1\", \"at\": \"@%020d\"}",
	                 (int)len, path, 0);
	char *at = memchr(text, '@', (size_t)n);

	stamp(at + 1, now_ns());
	if (send(peer->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
		die("send");
}

/* One whole request, which ends with a NUL for now. */
static void answer(struct partner *p, const struct peer *asker)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
	const char *url = strstr(asker->text, "\"callback\"");
	const char *path = url ? strstr(url, "/h/") : NULL;

	if (send(asker->fd, ok, sizeof ok - 1, MSG_NOSIGNAL) != sizeof ok - 1)
		return;                       /* the server has gone */
	if (path)
		call_back(p, path, strcspn(path, "\""));
}

static void ready(struct partner *p, struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->text + peer->got, sizeof peer->text - 1 - peer->got, MSG_DONTWAIT);
	size_t len = 0;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		if (peer->end == CALLBACK)
			die("the server hung up on a callback");
		peer_free(peer);
		return;
	}
	peer->got += (size_t)n;
	peer->text[peer->got] = '\0';
	if (!(len = message_len(peer->text, peer->got)))
		return;
	if (len != peer->got)
		die("somebody pipelines");
	peer->got = 0;
	if (peer->end == ASKER) {
		answer(p, peer);
		return;
	}
	if (strncmp(peer->text, "HTTP/1.1 200", 12) != 0)
		die(peer->text);
	peer->free = p->free;
	p->free = peer;
}

static int listener(void)
{
	struct address a = address_of("127.0.0.1:0");
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (bind(fd, &a.sock.any, a.len) < 0 || listen(fd, 1024) < 0 ||
	    getsockname(fd, &a.sock.any, &a.len) < 0)
		die("listen");
	printf("listening on http://127.0.0.1:%d\n", ntohs(a.sock.in.sin_port));
	fflush(stdout);
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 3 || strcmp(argv[1], "--server") != 0) {
		fprintf(stderr, "bench_partner --server HOST:PORT\n");
		return 2;
	}
	struct partner p = { .server = address_of(argv[2]), .epoll = epoll_create1(EPOLL_CLOEXEC) };
	struct epoll_event events[EVENTS];

	peer_new(&p, LISTENER, listener());
	for (;;) {
		int n = epoll_wait(p.epoll, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *peer = events[i].data.ptr;

			if (peer->end == LISTENER)
				peer_new(&p, ASKER, accept(peer->fd, NULL, NULL));
			else
				ready(&p, peer);
		}
	}
}
