/* expand.c - fills the gaps that a program leaves in its peers.
 *
 * Invariant: after expand_init every peer has a well-formed URL and a secret that calls can be
 * signed with, and no text holds a line break, so none can add a header to a call. Surprise: errors never show a token's or
 * secret's value. */
#include "host/expand.h"

#include "base/buf.h"
#include "engine/call.h"
#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

enum { PEER_TEXT_BYTES_MAX = 16 << 10, VARIABLE_BYTES_MAX = 128 };

/* Where a text stands, for the words of an error. */
struct place {
	const char *peer, *field;
};

/* What a shell takes for a name; a digit may not come first. */
static bool is_name_char(char c, bool first)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		(!first && c >= '0' && c <= '9');
}

/* Puts what stands for the `${NAME}` at text and returns its length, or a code. */
static int put_variable(struct buf *out, const char *text, const struct place *at,
	size_t *ret_len, struct err *err)
{
	size_t len = 0;
	char name[VARIABLE_BYTES_MAX + 1];

	while (len < VARIABLE_BYTES_MAX && is_name_char(text[2 + len], len == 0))
		len++;
	if (len == 0 || text[2 + len] != '}')
		return err_set(err, FISH_EINVAL,
			"peer '%.60s': its %s has '${' without a name and '}' "
			"behind it; write ${NAME}",
			at->peer, at->field);
	memcpy(name, text + 2, len);
	name[len] = '\0';
	const char *value = getenv(name);

	if (value == NULL)
		return err_set(err, FISH_EINVAL,
			"peer '%.60s': its %s asks for ${%.80s}, and %.80s is not "
			"set in the environment",
			at->peer, at->field, name, name);
	for (const char *c = value; *c != '\0'; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return err_set(err, FISH_EINVAL,
				"peer '%.60s': its %s asks for ${%.80s}, whose value "
				"has a line break or control character",
				at->peer, at->field, name);
	}
	buf_puts(out, value);
	*ret_len = len + 3;
	return 0;
}

/* text with its variables put in, owned by x; a text without any stays what it is. */
static int expand_text(
	struct expanded *x, const char **text, const struct place *at, struct err *err)
{
	struct buf out;
	const char *c = *text;

	if (c == NULL || strstr(c, "${") == NULL)
		return 0;
	buf_init(&out, PEER_TEXT_BYTES_MAX);
	while (*c != '\0') {
		size_t len = 1;
		int rc = 0;

		if (c[0] == '$' && c[1] == '{')
			rc = put_variable(&out, c, at, &len, err);
		else
			buf_putc(&out, *c);
		if (rc < 0) {
			buf_fini(&out);
			return rc;
		}
		c += len;
	}
	if (buf_failed(&out)) {
		buf_fini(&out);
		return err_set(err, FISH_ETOOBIG,
			"peer '%.60s': its %s comes to more than %d bytes", at->peer,
			at->field, PEER_TEXT_BYTES_MAX);
	}
	x->texts[x->ntexts] = buf_take(&out);
	*text = x->texts[x->ntexts++];
	return 0;
}

/* Judged after expansion, as most URLs are nothing but a variable. */
static int check_url(const fish_peer *p, const char *name, struct err *err)
{
	struct url url = { 0 };
	struct err why = { 0 };

	if (p->url == NULL)
		return err_set(err, FISH_EINVAL, "peer '%.60s' has no url", name);
	if (url_parse_base(slice_of(p->url), &url, &why) < 0)
		return err_set(err, FISH_EINVAL, "peer '%.60s': its url '%.80s': %.80s",
			name, p->url, why.text);
	return 0;
}

/* Only these three fields; a name is how errors and journals call the peer. */
static int expand_peer(struct expanded *x, fish_peer *p, struct err *err)
{
	const char *name = p->name;
	int rc = expand_text(x, &p->url, &(struct place){ name, "url" }, err);

	if (rc == 0)
		rc = expand_text(x, &p->token, &(struct place){ name, "token" }, err);
	if (rc == 0)
		rc = expand_text(x, &p->secret, &(struct place){ name, "secret" }, err);
	if (rc == 0 && p->secret != NULL && !call_secret_ok(p->secret))
		return err_set(err, FISH_EINVAL,
			"peer '%.60s': its secret is too long, or what stands behind "
			"'whsec_' is no base64; give it as the partner gave it to you",
			name);
	return rc == 0 ? check_url(p, name, err) : rc;
}

/* Labels, journals and logs know a peer by its name alone. */
static int check_name(const fish_peer *const *peers, size_t i, struct err *err)
{
	const char *name = peers[i]->name;

	if (name == NULL || name[0] == '\0')
		return err_set(err, FISH_EINVAL,
			"peer %zu of the program's list has no name: give it one in .name", i + 1);
	for (size_t other = 0; other < i; other++) {
		if (strcmp(peers[other]->name, name) == 0)
			return err_set(err, FISH_EINVAL,
				"two peers of the program's list are named '%.60s': each needs "
				"a name of its own",
				name);
	}
	return 0;
}

int expand_init(struct expanded *x, const fish_program *program, struct err *err)
{
	enum { TEXTS_PER_PEER = 3 };
	size_t n = 0;

	*x = (struct expanded){ 0 };
	if (program->peers == NULL)
		return 0;
	for (; program->peers[n] != NULL; n++) {
		int rc = check_name(program->peers, n, err);

		if (rc < 0)
			return rc;
	}
	x->peers = xalloc((n + 1) * sizeof(*x->peers));
	x->texts = xalloc((TEXTS_PER_PEER * n + 1) * sizeof(*x->texts));
	for (size_t i = 0; i < n; i++) {
		x->peers[i] = *program->peers[i];
		int rc = expand_peer(x, &x->peers[i], err);

		if (rc < 0) {
			expand_fini(x);
			return rc;
		}
	}
	return 0;
}

void expand_fini(struct expanded *x)
{
	for (size_t i = 0; i < x->ntexts; i++)
		free(x->texts[i]);
	free(x->texts);
	free(x->peers);
	*x = (struct expanded){ 0 };
}
