/* config_door.c - where the door listens, who may connect to a socket file, which proxies it believes.
 *
 * Invariant: only forms are judged; whether an address can be had shows when it is bound. Surprise: a
 * door on a unix socket needs a public URL, because no URL could name the socket. */
#include "host/config.h"

#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

int config_address(const char *flag, const char *text, struct err *err)
{
	char host[256];
	uint16_t port = 0;
	struct err why = { 0 };

	if (url_parse_listen(slice_of(text), host, &port, &why) < 0)
		return err_set(err, FISH_EINVAL,
			"%s '%.60s': %.100s; for example 127.0.0.1:8080", flag, text,
			why.text);
	return 0;
}

static int use_listen(struct config *c, struct err *err)
{
	size_t prefix = sizeof(UNIX_PREFIX) - 1;

	if (strncmp(c->listen, UNIX_PREFIX, prefix) != 0)
		return config_address("--listen", c->listen, err);
	if (c->listen[prefix] == '\0')
		return err_set(err, FISH_EINVAL, "--listen 'unix:' lacks the path: unix:/run/fish/door.sock");
	if (c->public_url[0] == '\0')
		return err_set(err, FISH_EINVAL,
			"--listen '%.60s' needs --public-url: callback URLs begin with it, and none can name a "
			"socket file",
			c->listen);
	return 0;
}

/* "660", "0660": three octal digits of permissions, the owner's own among them. */
static int use_listen_mode(struct config *c, const char *text, struct err *err)
{
	if (text == NULL)
		return 0;
	char *end = NULL;
	unsigned long mode = strspn(text, "01234567") == strlen(text) ? strtoul(text, &end, 8) : 0;

	if (mode > 0777 || (mode & 0600) != 0600)
		return err_set(err, FISH_EINVAL,
			"--listen-mode '%.40s': give permissions like chmod's, with 6 for the owner, for example "
			"660 or 600",
			text);
	if (strncmp(c->listen, UNIX_PREFIX, sizeof(UNIX_PREFIX) - 1) != 0)
		return err_set(err, FISH_EINVAL,
			"--listen-mode is for a socket file, and --listen is '%.60s': give --listen unix:PATH",
			c->listen);
	c->listen_mode = (unsigned)mode;
	return 0;
}

static int use_proxies(struct config *c, const char *text, struct err *err)
{
	struct err why = { 0 };

	if (text == NULL || proxies_parse(&c->proxies, slice_of(text), &why) == 0)
		return 0;
	return err_set(err, FISH_EINVAL,
		"--trusted-proxy: %.120s; give addresses and nets with commas between them, for example "
		"10.0.0.0/8,2001:db8::1, and 'unix' for --listen unix:PATH",
		why.text);
}

int config_door(struct config *c, struct err *err)
{
	int rc = use_listen(c, err);

	if (rc == 0)
		rc = use_listen_mode(c, c->values[FLAG_LISTEN_MODE], err);
	if (rc == 0)
		rc = use_proxies(c, c->values[FLAG_TRUSTED_PROXY], err);
	return rc;
}
