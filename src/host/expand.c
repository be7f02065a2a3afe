/* expand.c - fills the gaps that a program leaves in its peers and senders.
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

enum { PEER_TEXT_BYTES_MAX = 16 << 10, VARIABLE_BYTES_MAX = 128, SENDER_SECRETS_MAX = 8 };

/* Where a text stands, for the words of an error. */
struct place {
	const char *kind, *name, *field;
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
			"%s '%.60s': its %s has '${' without a name and '}' "
			"behind it; write ${NAME}",
			at->kind, at->name, at->field);
	memcpy(name, text + 2, len);
	name[len] = '\0';
	const char *value = getenv(name);

	if (value == NULL)
		return err_set(err, FISH_EINVAL,
			"%s '%.60s': its %s asks for ${%.80s}, and %.80s is not "
			"set in the environment",
			at->kind, at->name, at->field, name, name);
	bool lines = strcmp(at->field, "certificate") == 0;

	for (const char *c = value; *c != '\0'; c++) {
		if (((unsigned char)*c < 0x20 && !(lines && *c == '\n')) || *c == 0x7f)
			return err_set(err, FISH_EINVAL,
				"%s '%.60s': its %s asks for ${%.80s}, whose value "
				"has a line break or control character",
				at->kind, at->name, at->field, name);
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
			"%s '%.60s': its %s comes to more than %d bytes", at->kind, at->name,
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
	int rc = expand_text(x, &p->url, &(struct place){ "peer", name, "url" }, err);

	if (rc == 0)
		rc = expand_text(x, &p->token, &(struct place){ "peer", name, "token" }, err);
	if (rc == 0)
		rc = expand_text(x, &p->secret, &(struct place){ "peer", name, "secret" }, err);
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

/* ---- senders ---- */

/* Their secrets are a list, so that has to be a copy, too. */
static int expand_sender(struct expanded *x, fish_sender *f, struct err *err)
{
	const char *name = f->name != NULL ? f->name : "";
	const char **secrets = xalloc((SENDER_SECRETS_MAX + 1) * sizeof(*secrets));
	int rc = 0;

	x->lists[x->nlists++] = secrets;
	for (size_t i = 0; rc == 0 && f->secrets != NULL && f->secrets[i] != NULL; i++) {
		if (i == SENDER_SECRETS_MAX)
			return err_set(err, FISH_EINVAL, "sender '%.60s' has more than %d secrets",
				name, SENDER_SECRETS_MAX);
		secrets[i] = f->secrets[i];
		rc = expand_text(x, &secrets[i], &(struct place){ "sender", name, "secret" }, err);
	}
	f->secrets = secrets;
	if (rc == 0)
		rc = expand_text(x, &f->token, &(struct place){ "sender", name, "token" }, err);
	if (rc == 0)
		rc = expand_text(x, &f->certificate, &(struct place){ "sender", name, "certificate" }, err);
	return rc;
}

static int expand_peers(struct expanded *x, const fish_program *program, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = check_name(program->peers, i, err);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		x->peers[i] = *program->peers[i];
		rc = expand_peer(x, &x->peers[i], err);
	}
	return rc;
}

/* Their names are judged with all else of them, where they are made ready. */
static int expand_senders(struct expanded *x, const fish_program *program, size_t n, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		x->senders[i] = *program->senders[i];
		rc = expand_sender(x, &x->senders[i], err);
	}
	return rc;
}

int expand_init(struct expanded *x, const fish_program *program, struct err *err)
{
	enum { TEXTS_PER_PEER = 3, TEXTS_PER_SENDER = SENDER_SECRETS_MAX + 2 };
	size_t npeers = 0;
	size_t nsenders = 0;

	while (program->peers != NULL && program->peers[npeers] != NULL)
		npeers++;
	while (program->senders != NULL && program->senders[nsenders] != NULL)
		nsenders++;
	*x = (struct expanded){
		.peers = program->peers != NULL ? xalloc((npeers + 1) * sizeof(*x->peers)) : NULL,
		.senders = xalloc((nsenders + 1) * sizeof(*x->senders)),
		.lists = xalloc((nsenders + 1) * sizeof(*x->lists)),
		.texts = xalloc((TEXTS_PER_PEER * npeers + TEXTS_PER_SENDER * nsenders + 1) * sizeof(*x->texts)),
	};
	int rc = expand_peers(x, program, npeers, err);

	if (rc == 0)
		rc = expand_senders(x, program, nsenders, err);
	if (rc < 0)
		expand_fini(x);
	return rc;
}

/* Most of them are secrets. */
void expand_fini(struct expanded *x)
{
	for (size_t i = 0; i < x->ntexts; i++) {
		explicit_bzero(x->texts[i], strlen(x->texts[i]));
		free(x->texts[i]);
	}
	for (size_t i = 0; i < x->nlists; i++)
		free(x->lists[i]);
	free(x->texts);
	free(x->lists);
	free(x->senders);
	free(x->peers);
	*x = (struct expanded){ 0 };
}
