/* fishctl_load.c - from a command line to a request: options, files, and the clock.
 *
 * Invariant: secrets lie in buffers that are wiped. Surprise: the header file is read as a person copies it:
 * with CRLF or LF, with a request line in front or without, or all that curl -v said. */
#include "host/fishctl.h"
#include "wire/codec.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHUNK_BYTES = 64 << 10, TOLERANCE_S_MAX = 1000000000 };

static const struct option {
	const char *name;
	bool        has_value;
} options[CTL_OPTIONS] = {
	[CTL_SECRET_FILE] = { "--secret-file", true },
	[CTL_HEADERS] = { "--headers", true },
	[CTL_BODY] = { "--body", true },
	[CTL_URL] = { "--url", true },
	[CTL_METHOD] = { "--method", true },
	[CTL_NOW] = { "--now", true },
	[CTL_TOLERANCE] = { "--tolerance", true },
	[CTL_CERTIFICATE] = { "--certificate", true },
	[CTL_ID] = { "--id", true },
	[CTL_JSON] = { "--json", false },
	[CTL_MARKDOWN] = { "--markdown", false },
	[CTL_HELP] = { "--help", false },
};

int ctl_complain(const char *fmt, ...)
{
	va_list ap;

	fputs("fishctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CTL_USAGE;
}

/* ---- the command line ---- */

static int keep_value(struct ctl *c, enum ctl_option o, const char *value)
{
	if (o != CTL_SECRET_FILE && c->values[o] != NULL)
		return ctl_complain("%s is given twice", options[o].name);
	if (o == CTL_SECRET_FILE && c->nsecrets == SCHEME_SECRETS_MAX)
		return ctl_complain("%s is given more than %d times", options[o].name, SCHEME_SECRETS_MAX);
	if (o == CTL_SECRET_FILE)
		c->secret_files[c->nsecrets++] = value;
	c->values[o] = value;
	return CTL_YES;
}

/* "--name value" or "--name=value". */
static int take_option(struct ctl *c, int argc, char **argv, int *at, unsigned allowed)
{
	const char *word = argv[*at];
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < CTL_OPTIONS; i++) {
		const struct option *o = &options[i];

		if (strlen(o->name) != len || memcmp(o->name, word, len) != 0 || (allowed & 1U << i) == 0)
			continue;
		if (!o->has_value)
			return word[len] == '\0' ? keep_value(c, (enum ctl_option)i, "")
			                         : ctl_complain("%s takes no value", o->name);
		if (word[len] == '=')
			return keep_value(c, (enum ctl_option)i, word + len + 1);
		if (*at + 1 == argc)
			return ctl_complain("%s needs a value", o->name);
		return keep_value(c, (enum ctl_option)i, argv[++*at]);
	}
	/* Somebody may have put a secret behind it: the word alone is shown. */
	return ctl_complain("there is no option %.*s here; --help lists them", (int)len, word);
}

int ctl_init(struct ctl *c, int argc, char **argv, int at, unsigned allowed)
{
	int rc = CTL_YES;

	*c = (struct ctl){ .nsecrets = 0 };
	buf_init(&c->scheme_text, SCHEME_TEXT_BYTES_MAX);
	buf_init(&c->headers_text, CTL_HEADER_BYTES_MAX);
	buf_init(&c->body, CTL_BODY_BYTES_MAX);
	buf_init(&c->certificate, CTL_HEADER_BYTES_MAX);
	for (size_t i = 0; i < SCHEME_SECRETS_MAX; i++)
		buf_init(&c->secrets[i], SCHEME_SECRET_BYTES_MAX);
	for (; at < argc && rc == CTL_YES; at++) {
		if (argv[at][0] == '-' && argv[at][1] == '-') {
			rc = take_option(c, argc, argv, &at, allowed);
			continue;
		}
		if (c->scheme_text.len > 0)
			buf_putc(&c->scheme_text, ' ');
		buf_puts(&c->scheme_text, argv[at]);
	}
	return rc;
}

void ctl_fini(struct ctl *c)
{
	for (size_t i = 0; i < SCHEME_SECRETS_MAX; i++) {
		if (c->secrets[i].ptr != NULL)
			OPENSSL_cleanse(c->secrets[i].ptr, c->secrets[i].cap);
		buf_fini(&c->secrets[i]);
	}
	buf_fini(&c->scheme_text);
	buf_fini(&c->headers_text);
	buf_fini(&c->body);
	buf_fini(&c->certificate);
	free(c->headers);
	c->scheme = scheme_free(c->scheme);
}

/* ---- files ---- */

/* A secret comes in one piece and past stdio's buffer, so that no copy of it stays behind. */
static int read_file(const char *name, struct buf *out)
{
	bool is_stdin = strcmp(name, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(name, "rb");
	char *chunk = xalloc(CHUNK_BYTES);
	size_t n = 0;
	int rc = CTL_YES;

	if (file == NULL) {
		rc = ctl_complain("%s: %s", name, strerror(errno));
		free(chunk);
		return rc;
	}
	setvbuf(file, NULL, _IONBF, 0);
	while ((n = fread(chunk, 1, CHUNK_BYTES, file)) > 0 && !buf_failed(out))
		buf_put(out, chunk, n);
	if (ferror(file))
		rc = ctl_complain("%s: it cannot be read", name);
	else if (buf_failed(out))
		rc = ctl_complain("%s: over %zu bytes", name, out->bytes_max);
	OPENSSL_cleanse(chunk, CHUNK_BYTES);
	free(chunk);
	if (!is_stdin)
		fclose(file);
	return rc;
}

static int read_secrets(struct ctl *c)
{
	int rc = CTL_YES;

	for (size_t i = 0; i < c->nsecrets && rc == CTL_YES; i++) {
		struct buf *b = &c->secrets[i];

		rc = read_file(c->secret_files[i], b);
		if (b->len > 0 && b->ptr[b->len - 1] == '\n')
			b->len--;
		if (b->len > 0 && b->ptr[b->len - 1] == '\r')
			b->len--;
		c->secret_slices[i] = buf_slice(b);
	}
	c->request.secrets = c->secret_slices;
	c->request.nsecrets = c->nsecrets;
	return rc;
}

static struct slice trimmed(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t')) {
		s.ptr++;
		s.len--;
	}
	while (s.len > 0 && strchr(" \t\r", s.ptr[s.len - 1]) != NULL && s.ptr[s.len - 1] != '\0')
		s.len--;
	return s;
}

/* "POST /h/x HTTP/1.1" */
static bool is_request_line(struct slice line)
{
	static const char version[] = " HTTP/1.";
	size_t method = 0;

	while (method < line.len && line.ptr[method] >= 'A' && line.ptr[method] <= 'Z')
		method++;
	return method > 0 && method < line.len && line.ptr[method] == ' '
	       && memmem(line.ptr, line.len, version, sizeof(version) - 1) != NULL;
}

static bool is_sent(struct slice line)
{
	return line.len >= 2 && memcmp(line.ptr, "> ", 2) == 0;
}

/* In what curl -v says, what it sends stands behind this; the rest is its own talk, and the answer. */
static bool is_of_curl(struct slice text)
{
	return is_sent(text) || (text.len > 0 && memmem(text.ptr, text.len, "\n> ", 3) != NULL);
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= 0x20 || name.ptr[i] >= 0x7f ||
		    strchr("\"(),/;<=>?@[\\]{}", name.ptr[i]) != NULL)
			return false;
	return name.len > 0;
}

static int keep_line(struct ctl *c, struct slice line, size_t number)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	struct slice name = { line.ptr, colon == NULL ? 0 : (size_t)(colon - line.ptr) };

	if (c->request.nheaders == 0 && is_request_line(line))
		return CTL_YES;
	if (!is_name(trimmed(name)) || strchr(" \t", line.ptr[0]) != NULL)
		return ctl_complain("%s, line %zu: it is not \"Name: value\"", c->values[CTL_HEADERS],
		                    number);
	if (c->request.nheaders == CTL_HEADERS_MAX)
		return ctl_complain("%s: over %d headers", c->values[CTL_HEADERS], CTL_HEADERS_MAX);
	c->headers[c->request.nheaders++] = (struct http1_field){
		trimmed(name),
		trimmed((struct slice){ colon + 1, line.len - name.len - 1 }),
	};
	return CTL_YES;
}

static int read_headers(struct ctl *c)
{
	int rc = read_file(c->values[CTL_HEADERS], &c->headers_text);
	struct slice rest = buf_slice(&c->headers_text);
	bool curl = is_of_curl(rest);

	c->headers = xalloc(CTL_HEADERS_MAX * sizeof(*c->headers));
	c->request.headers = c->headers;
	for (size_t number = 1; rc == CTL_YES && rest.len > 0; number++) {
		const char *end = memchr(rest.ptr, '\n', rest.len);
		size_t len = end == NULL ? rest.len : (size_t)(end - rest.ptr);
		struct slice line = { rest.ptr, len };

		rest.ptr += len + (end != NULL);
		rest.len -= len + (end != NULL);
		if (curl)
			line = is_sent(line) ? (struct slice){ line.ptr + 2, line.len - 2 } : SLICE_NONE;
		if (trimmed(line).len > 0)
			rc = keep_line(c, line, number);
	}
	return rc;
}

/* ---- the rest of a request ---- */

static int set_now(struct ctl *c)
{
	const char *text = c->values[CTL_NOW];
	struct timespec now;

	if (text == NULL) {
		clock_gettime(CLOCK_REALTIME, &now);
		c->request.now_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
		return CTL_YES;
	}
	if (codec_decimal(slice_of(text), &c->request.now_ms)) {
		c->request.now_ms *= 1000;
		return CTL_YES;
	}
	if (codec_rfc3339(slice_of(text), &c->request.now_ms))
		return CTL_YES;
	return ctl_complain("--now %s: it must be unix seconds or a time as in RFC 3339", text);
}

static int set_tolerance(struct ctl *c)
{
	const char *text = c->values[CTL_TOLERANCE];
	int64_t seconds = 0;

	if (text == NULL)
		return CTL_YES;
	if (strcmp(text, "none") == 0) {
		c->request.tolerance_ms = SCHEME_TOLERANCE_NONE;
		return CTL_YES;
	}
	if (!codec_decimal(slice_of(text), &seconds) || seconds < 1 || seconds > TOLERANCE_S_MAX)
		return ctl_complain("--tolerance %s: it must be seconds, or none", text);
	c->request.tolerance_ms = seconds * 1000;
	return CTL_YES;
}

void ctl_warn_of_secrets(const struct ctl *c)
{
	struct err err = { .text = "" };

	for (size_t i = 0; i < c->nsecrets; i++)
		if (scheme_check_secret(c->scheme, c->secret_slices[i], &err) < 0)
			fprintf(stderr, "fishctl: %s: %s\n", c->secret_files[i], err.text);
}

int ctl_load(struct ctl *c)
{
	struct err err = { .text = "" };
	int rc = CTL_YES;

	if (c->scheme_text.len == 0)
		return ctl_complain("SCHEME is missing; 'fishctl schemes' lists them");
	if (scheme_new(buf_slice(&c->scheme_text), &c->scheme, &err) < 0)
		return ctl_complain("%s", err.text);
	if (c->values[CTL_BODY] == NULL)
		return ctl_complain("--body is missing");
	c->request.method = slice_of(c->values[CTL_METHOD] != NULL ? c->values[CTL_METHOD] : "POST");
	c->request.url = slice_of(c->values[CTL_URL]);
	rc = read_secrets(c);
	if (rc == CTL_YES && c->values[CTL_HEADERS] != NULL)
		rc = read_headers(c);
	if (rc == CTL_YES)
		rc = read_file(c->values[CTL_BODY], &c->body);
	if (rc == CTL_YES && c->values[CTL_CERTIFICATE] != NULL)
		rc = read_file(c->values[CTL_CERTIFICATE], &c->certificate);
	if (rc == CTL_YES)
		rc = set_now(c);
	if (rc == CTL_YES)
		rc = set_tolerance(c);
	c->request.body = buf_slice(&c->body);
	c->request.certificate = buf_slice(&c->certificate);
	return rc;
}
