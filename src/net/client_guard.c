/* client_guard.c - looks at a connection before it is used again, and where a stranger's URL leads.
 *
 * What lies unread in it answers nothing that we asked: a peer that sends an answer too many would have
 * it taken for the next call's, and curl looks only whether the connection is still open. Such a one is
 * given up, and the attempt begins anew on one of its own. Surprise: curl does not tell the socket at
 * that point, only its ports; so each new connection's socket is noted by its local port, and what is
 * noted is compared with the other end, as the kernel may give one port to several connections. */
#include "net/address.h"
#include "net/client_private.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = arg;
	struct address at;
	(void)purpose;
	/* The address itself, behind the only look-up there is: a name may change its mind in between. */
	if (t->attempt != NULL && t->attempt->stranger &&
		!(address_of(&address->addr, &at) && address_is_public(&at))) {
		t->why = "the URL leads to an address that is not public";
		return CURL_SOCKET_BAD;
	}
	curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	t->opened[1] = t->opened[0];
	t->opened[0] = fd;
	return fd;
}

enum end { END_OURS, END_THEIRS };

/* The port at that end of a socket; -1: it has none. */
static int port_of(curl_socket_t fd, enum end end)
{
	struct sockaddr_storage at = { 0 };
	socklen_t len = sizeof at;
	int rc = end == END_OURS ? getsockname(fd, (struct sockaddr *)&at, &len)
				 : getpeername(fd, (struct sockaddr *)&at, &len);
	if (rc < 0)
		return -1;
	if (at.ss_family == AF_INET)
		return ntohs(((struct sockaddr_in *)(void *)&at)->sin_port);
	return at.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)(void *)&at)->sin6_port) : -1;
}

static void note_socket(struct transfer *t, int port)
{
	for (size_t i = 0; i < 2; i++) {
		if (t->opened[i] > 0 && port_of(t->opened[i], END_OURS) == port)
			t->client->sockets[port] = t->opened[i];
	}
}

/* Of a connection that is used again: nothing lies in it, as far as its socket is known. */
static bool is_clean(curl_socket_t fd, int our_port, int their_port)
{
	char one = 0;
	return fd > 0 && port_of(fd, END_OURS) == our_port && port_of(fd, END_THEIRS) == their_port &&
		recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

/* Before the request leaves. In a new connection there may be what TLS has to say after its handshake. */
static int on_ready(void *arg, char *their_address, char *our_address, int their_port, int our_port)
{
	struct transfer *t = arg;
	(void)their_address;
	(void)our_address;
	long connects = 0;
	if (our_port <= 0 || our_port >= PORTS)
		return CURL_PREREQFUNC_OK;
	curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
	if (connects > 0) {
		note_socket(t, our_port);
		return CURL_PREREQFUNC_OK;
	}
	if (is_clean(t->client->sockets[our_port], our_port, their_port))
		return CURL_PREREQFUNC_OK;
	t->stale = true;
	return CURL_PREREQFUNC_ABORT;
}

void transfer_guard(struct transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(t->easy, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_PREREQFUNCTION, on_ready);
	curl_easy_setopt(t->easy, CURLOPT_PREREQDATA, t);
}
