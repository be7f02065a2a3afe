/* paths.c - derives, checks and makes the small files beside a store.
 *
 * Invariant: a token that others could read is refused, never used. Surprise: the token's
 * file is read again at each start, so that whoever was given it keeps access. */
#include "host/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOKEN_BYTES_MIN = 16, TOKEN_FILE_BYTES = 32, TOKEN_FILE_BYTES_MAX = 512 };

/* Up to three parts into one path, with the cap of the system. */
static void put_path(
	struct buf *b, const char *first, const char *second, const char *third)
{
	enum { PATH_BYTES_MAX = 4096 };

	buf_init(b, PATH_BYTES_MAX);
	buf_puts(b, first);
	buf_puts(b, second);
	buf_puts(b, third);
}

/* The system would cut a long socket path or refuse it with a number; this says it in
 * words. */
static int check_paths(const struct paths *p, struct err *err)
{
	if (buf_failed(&p->store) || buf_failed(&p->socket) ||
		buf_failed(&p->token) || buf_failed(&p->running))
		return err_set(
			err, FISH_EINVAL, "the path of the store or socket is too long");
	if (p->socket.len > SOCKET_PATH_BYTES_MAX)
		return err_set(err, FISH_EINVAL,
			"the socket's path has %zu bytes, and the system takes at "
			"most %d: name a shorter one with --socket PATH (%.110s...)",
			p->socket.len, SOCKET_PATH_BYTES_MAX, p->socket.ptr);
	return 0;
}

int paths_init(struct paths *p, const char *program, const char *store,
	const char *socket, struct err *err)
{
	bool in_memory = store != NULL && strcmp(store, ":memory:") == 0;

	*p = (struct paths){ 0 };
	if (in_memory && socket == NULL)
		return err_set(err, FISH_EINVAL,
			"a store in memory has no file to put the socket beside: "
			"name one with --socket PATH");
	if (store != NULL)
		put_path(&p->store, store, "", "");
	else
		put_path(&p->store, "./", program, ".db");
	const char *named = p->store.ptr != NULL ? p->store.ptr : "";

	if (socket != NULL)
		put_path(&p->socket, socket, "", "");
	else
		put_path(&p->socket, named, ".sock", "");
	put_path(&p->token, in_memory ? socket : named, ".token", "");
	put_path(&p->running, in_memory ? "" : named, in_memory ? "" : ".running", "");
	int rc = check_paths(p, err);

	if (rc < 0)
		paths_fini(p);
	return rc;
}

void paths_fini(struct paths *p)
{
	buf_fini(&p->store);
	buf_fini(&p->socket);
	buf_fini(&p->token);
	buf_fini(&p->running);
}

/* It must come through a header unchanged; a line break at the end is the usual slip. */
static int check_token(const char *token, const char *where, struct err *err)
{
	size_t len = strlen(token);

	for (size_t i = 0; i < len; i++) {
		if (token[i] <= 0x20 || token[i] >= 0x7f)
			return err_set(err, FISH_EINVAL,
				"the admin token in %.110s has a blank or a character "
				"that does not go into a header",
				where);
	}
	if (len < TOKEN_BYTES_MIN)
		return err_set(err, FISH_EINVAL,
			"the admin token in %.110s has %zu characters, and fewer than %d can be "
			"guessed: give a longer one, or none for one that the server makes",
			where, len, TOKEN_BYTES_MIN);
	return 0;
}

/* A file that others can read guards nothing, so it is refused. */
static int read_token(int fd, const char *path, char **ret_token, struct err *err)
{
	struct stat found;
	char text[TOKEN_FILE_BYTES_MAX + 1];

	if (fstat(fd, &found) != 0)
		return err_set(err, FISH_EIO, "the admin token in %.110s: %s", path,
			strerror(errno));
	if (!S_ISREG(found.st_mode))
		return err_set(err, FISH_EINVAL,
			"%.110s is where the admin token lies, and a %s stands there: move it "
			"away, or give the token in FISH_ADMIN_TOKEN",
			path, S_ISDIR(found.st_mode) ? "directory" : "device or the like");
	if ((found.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_set(err, FISH_EINVAL,
			"the admin token in %.110s can be read by others: chmod 600 "
			"it, or remove it for a new one",
			path);
	ssize_t n = read(fd, text, TOKEN_FILE_BYTES_MAX);

	if (n < 0)
		return err_set(err, FISH_EIO, "the admin token in %.110s: %s", path,
			strerror(errno));
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	text[n] = '\0';
	int rc = check_token(text, path, err);

	if (rc == 0)
		*ret_token = xstrndup(text, (size_t)n);
	return rc;
}

/* Made with O_EXCL: two servers that start together must not overwrite each other's. */
static int make_token(const char *path, char **ret_token, struct err *err)
{
	uint8_t chance[TOKEN_FILE_BYTES];
	struct buf text;

	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return err_set(err, FISH_EIO, "no chance to be had: %s", strerror(errno));
	buf_init(&text, TOKEN_FILE_BYTES_MAX);
	for (size_t i = 0; i < sizeof(chance); i++)
		buf_printf(&text, "%02x", chance[i]);
	buf_putc(&text, '\n');
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool written = fd >= 0 && write(fd, text.ptr, text.len) == (ssize_t)text.len;
	int why = errno;

	if (fd >= 0 && close(fd) != 0 && written) {
		written = false;
		why = errno;
	}
	if (written)
		*ret_token = xstrndup(text.ptr, text.len - 1);
	buf_fini(&text);
	if (written)
		return 0;
	if (fd >= 0)
		unlink(path); /* half a token would be taken for a whole one */
	return err_set(err, FISH_EIO, "the admin token cannot be written to %.110s: %s",
		path, strerror(why));
}

int paths_admin_token(
	const struct paths *p, char **ret_token, bool *ret_from_file, struct err *err)
{
	const char *given = getenv("FISH_ADMIN_TOKEN");
	const char *path = p->token.ptr;

	*ret_from_file = given == NULL;
	if (given != NULL) {
		int rc = check_token(given, "FISH_ADMIN_TOKEN", err);

		if (rc == 0)
			*ret_token = xstrndup(given, strlen(given));
		return rc;
	}
	/* NONBLOCK: a pipe that stands there must not hold the start up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return make_token(path, ret_token, err);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, FISH_EINVAL,
			"%.110s is where the admin token lies, and a link stands there, which is "
			"not followed: move it away, or give the token in FISH_ADMIN_TOKEN",
			path);
	if (fd < 0)
		return err_set(err, FISH_EIO, "the admin token in %.110s: %s", path,
			strerror(errno));
	int rc = read_token(fd, path, ret_token, err);

	close(fd);
	return rc;
}
