/* listener.c - makes the listening socket: TCP on an address, or a unix socket for
 * whom its mode lets in.
 *
 * Invariant: on failure nothing is left open, and a living server's socket file is never
 * touched. Surprise: a socket file that nobody answers is what a kill -9 leaves, so it is
 * replaced; and the mode is set between bind and listen, when nobody can connect yet. */
#include "net/server_private.h"
#include "wire/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define UNIX_PREFIX "unix:"

const char *listener_path(const char *address)
{
	size_t len = sizeof(UNIX_PREFIX) - 1;
	return strncmp(address, UNIX_PREFIX, len) == 0 ? address + len : NULL;
}

void listener_name(const struct sockaddr *address, char *ret_text, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "";
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)address;
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(ret_text, size, "%s:%d", host, ntohs(v4->sin_port));
		return;
	}
	const struct sockaddr_in6 *v6 = (const void *)address;
	int port = ntohs(v6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host, sizeof host);
		snprintf(ret_text, size, "%s:%d", host, port);
		return;
	}
	inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
	snprintf(ret_text, size, "[%s]:%d", host, port);
}

/* Says what the system refused in words that name the address and the way out. */
static int listen_error(struct err *err, const char *address, int error)
{
	switch (error) {
	case EADDRINUSE:
		return err_set(err, FISH_EBUSY,
			"cannot listen on %s: another program listens there; "
			"stop it or choose another address (port 0 picks a free one)",
			address);
	case EACCES:
		return err_set(err, FISH_EIO,
			"cannot listen on %s: not permitted; ports below 1024 need "
			"privileges, and a socket file a directory that may be written",
			address);
	case EADDRNOTAVAIL:
		return err_set(err, FISH_EINVAL,
			"cannot listen on %s: this machine has no such address; "
			"choose one of its own, or :PORT for all of them",
			address);
	case ENOENT:
	case ENOTDIR:
		return err_set(err, FISH_ENOTFOUND,
			"cannot listen on %s: there is no such directory; make it or choose "
			"another place",
			address);
	default:
		return err_set(err, FISH_EIO,
			"cannot listen on %s: %s; choose another address", address,
			strerror(error));
	}
}

/* A TCP socket that listens at address; its descriptor, or minus an errno. */
static int tcp_listen(const struct sockaddr *address, socklen_t len)
{
	int fd =
		socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int on = 1;
	int off = 0;
	/* Connections of a server that was killed may linger at the port; they do not
	 * count. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	/* Accepted sockets inherit it, which spares a system call for each. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (address->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	/* A taken port shows here or there, depending on how the other has bound it. */
	if (bind(fd, address, len) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		int error = errno;
		close(fd);
		return -error;
	}
	return fd;
}

/* All addresses of the machine: v6 takes v4 in, unless the system has no v6. */
static int listen_anywhere(uint16_t port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = tcp_listen((struct sockaddr *)&v6, sizeof v6);
	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	return tcp_listen((struct sockaddr *)&v4, sizeof v4);
}

/* The first address of the host that takes it. */
static int listen_host(
	const char *listen, const char *host, uint16_t port, int *ret_fd, struct err *err)
{
	char service[8];
	snprintf(service, sizeof service, "%u", (unsigned)port);
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(host, service, &hints, &found);
	if (rc != 0)
		return err_set(err, FISH_EINVAL,
			"cannot listen on %s: no address for \"%s\" (%s); give an "
			"IP address of this machine, or :PORT for all",
			listen, host, gai_strerror(rc));
	int fd = -EADDRNOTAVAIL;
	for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
		fd = tcp_listen(at->ai_addr, at->ai_addrlen);
	freeaddrinfo(found);
	*ret_fd = fd;
	return 0;
}

/* "host:port" or ":port"; the address told is the one really bound, with its port. */
static int open_tcp(
	const char *listen, int *ret_fd, char ret_address[ADDRESS_SIZE], struct err *err)
{
	char host[256];
	uint16_t port = 0;
	int rc = url_parse_listen(slice_of(listen), host, &port, err);
	if (rc < 0)
		return rc;
	int fd = -1;
	if (host[0] == '\0')
		fd = listen_anywhere(port);
	else
		rc = listen_host(listen, host, port, &fd, err);
	if (rc < 0)
		return rc;
	if (fd < 0)
		return listen_error(err, listen, -fd);
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof bound;
	getsockname(fd, (struct sockaddr *)&bound, &len);
	listener_name((struct sockaddr *)&bound, ret_address, ADDRESS_SIZE);
	*ret_fd = fd;
	return 0;
}

/* Makes room for a socket at the path, if what stands there is a dead one's. */
static int clear_stale(const struct sockaddr_un *at, struct err *err)
{
	struct stat there;
	if (lstat(at->sun_path, &there) < 0)
		return errno == ENOENT ? 0 : listen_error(err, at->sun_path, errno);
	if (!S_ISSOCK(there.st_mode))
		return err_set(err, FISH_EINVAL,
			"cannot listen on unix:%s: a file that is no socket stands "
			"there; move it or choose another path",
			at->sun_path);
	/* Only a try tells the living from the dead: the file looks the same. */
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listen_error(err, at->sun_path, errno);
	int rc = connect(fd, (const struct sockaddr *)at, sizeof *at);
	int error = rc < 0 ? errno : 0;
	close(fd);
	/* Anything but a refusal, also a full queue, means that somebody is there. */
	if (error != ECONNREFUSED)
		return err_set(err, FISH_EBUSY,
			"cannot listen on unix:%s: a running server answers there; "
			"stop it or choose another path",
			at->sun_path);
	if (unlink(at->sun_path) < 0)
		return listen_error(err, at->sun_path, errno);
	return 0;
}

/* A socket file of that mode: who may write to it may connect. */
static int open_unix(const char *path, unsigned mode, int *ret_fd, char ret_address[ADDRESS_SIZE],
	struct err *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	size_t len = strlen(path);
	/* The kernel would cut a longer path, and two servers could meet at the stump. */
	if (len == 0 || len >= sizeof at.sun_path)
		return err_set(err, FISH_EINVAL,
			"a socket's path has 1 to %zu bytes, this one has %zu; "
			"choose a shorter one: %s",
			sizeof at.sun_path - 1, len, path);
	memcpy(at.sun_path, path, len + 1);
	int rc = clear_stale(&at, err);
	if (rc < 0)
		return rc;
	snprintf(ret_address, ADDRESS_SIZE, UNIX_PREFIX "%s", path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listen_error(err, ret_address, errno);
	if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0) {
		rc = listen_error(err, ret_address, errno);
		goto close_fd;
	}
	if (chmod(path, (mode_t)mode) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		rc = listen_error(err, ret_address, errno);
		goto remove_file;
	}
	*ret_fd = fd;
	return 0;
remove_file:
	unlink(path);
close_fd:
	close(fd);
	return rc;
}

int listener_socket(const char *listen, unsigned unix_mode, int *ret_fd, char ret_address[ADDRESS_SIZE],
	struct err *err)
{
	const char *path = listener_path(listen);
	if (path != NULL)
		return open_unix(path, unix_mode, ret_fd, ret_address, err);
	return open_tcp(listen, ret_fd, ret_address, err);
}
