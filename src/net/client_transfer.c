/* client_transfer.c - one attempt as curl sees it: options in, the answer out.
 *
 * Invariant: what curl borrows (header lines, body) stands until the transfer is out of
 * its hands. Surprise: the constant options are set once and stay when the handle is used
 * again, which is most of the price of a handle; only what differs from attempt to
 * attempt is set each time. */
#include "net/client_private.h"
#include "net/retry_after.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Some bytes of the answer's body; fewer taken than given makes curl give up. */
static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	buf_put(&t->body, bytes, size * n);
	if (!buf_failed(&t->body))
		return size * n;
	t->why = "the answer's body is larger than the limit";
	return 0;
}

/* Without blanks at either end, and without a line end. */
static struct slice trim(struct slice s)
{
	while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		s = (struct slice){ s.ptr + 1, s.len - 1 };
	while (s.len > 0 && strchr(" \t\r\n", s.ptr[s.len - 1]) != NULL)
		s.len--;
	return s;
}

/* "Name: value" as "name: value\n"; a line that is folded goes on with the one before. */
static void put_meta(struct buf *meta, struct slice line)
{
	if ((line.ptr[0] == ' ' || line.ptr[0] == '\t') && meta->len > 0) {
		meta->ptr[meta->len - 1] = ' ';
		buf_put_slice(meta, trim(line));
		buf_putc(meta, '\n');
		return;
	}
	const char *colon = memchr(line.ptr, ':', line.len);
	if (colon == NULL)
		return;
	size_t name_len = (size_t)(colon - line.ptr);
	for (size_t i = 0; i < name_len; i++) {
		char ch = line.ptr[i];
		buf_putc(meta, ch >= 'A' && ch <= 'Z' ? (char)(ch | 0x20) : ch);
	}
	buf_puts(meta, ": ");
	buf_put_slice(meta, trim((struct slice){ colon + 1, line.len - name_len - 1 }));
	buf_putc(meta, '\n');
}

/* One line of a header: of an interim answer, of the answer, or of its trailers. */
static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;
	struct slice line = { bytes, size * n };
	bool is_status = line.len >= 5 && memcmp(line.ptr, "HTTP/", 5) == 0;
	if (is_status && (t->head_done || t->meta.len == 0)) {
		/* Also that of the answer behind a 100: what came before it does not
		 * count. */
		buf_reset(&t->meta);
		t->head_done = false;
		return line.len;
	}
	if (t->head_done)
		return line.len;
	if (trim(line).len == 0)
		t->head_done = true;
	else
		put_meta(&t->meta, line);
	if (!buf_failed(&t->meta))
		return line.len;
	t->why = "the answer's header is larger than 64 KiB";
	return 0;
}

struct transfer *transfer_new(struct client *c)
{
	struct transfer *t = xalloc(sizeof *t);
	list_init(&t->link);
	t->client = c;
	buf_init(&t->text, SIZE_MAX);
	buf_init(&t->meta, META_BYTES_MAX);
	buf_init(&t->body, c->config.answer_bytes_max);
	t->easy = curl_easy_init();
	CHECK(t->easy != NULL); /* fails for lack of memory only */
	CURL *e = t->easy;
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_why);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	transfer_guard(t);
	curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	/* HTTP/2 would save connections and cost more for each call. */
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "fish");
	return t;
}

struct transfer *transfer_free(struct transfer *t)
{
	if (t == NULL)
		return NULL;
	curl_easy_cleanup(t->easy);
	buf_fini(&t->text);
	buf_fini(&t->meta);
	buf_fini(&t->body);
	free(t->lines);
	free(t);
	return NULL;
}

/* Is line a field of that name, as "name: value"? */
static bool named(struct slice line, const char *name)
{
	struct slice wanted = slice_of(name);
	return line.len > wanted.len && line.ptr[wanted.len] == ':' &&
		slice_eq_nocase((struct slice){ line.ptr, wanted.len }, wanted);
}

/* Puts one of the attempt's lines, as curl wants it. */
static void put_line(struct buf *out, struct slice line)
{
	/* How the bytes are framed is curl's own; a second opinion would only break it. */
	if (named(line, "content-length") || named(line, "transfer-encoding"))
		return;
	const char *colon = memchr(line.ptr, ':', line.len);
	if (colon == NULL || colon == line.ptr)
		return;
	size_t name_len = (size_t)(colon - line.ptr);
	struct slice value = trim((struct slice){ colon + 1, line.len - name_len - 1 });
	if (value.len == 0) {
		/* "Name:" would make curl leave the field out; this is its way to write
		 * an empty one. */
		buf_put(out, line.ptr, name_len);
		buf_put(out, ";", 2);
		return;
	}
	buf_put_slice(out, line);
	buf_putc(out, '\0');
}

/* URL, method and all header lines into text. */
static int put_text(struct transfer *t, const struct attempt *a)
{
	struct slice rest = a->headers;
	bool has_type = false;
	bool has_expect = false;
	buf_reset(&t->text);
	buf_put_slice(&t->text, a->url);
	buf_putc(&t->text, '\0');
	buf_put_slice(&t->text, a->method);
	buf_putc(&t->text, '\0');
	while (rest.len > 0) {
		const char *lf = memchr(rest.ptr, '\n', rest.len);
		size_t len = lf == NULL ? rest.len : (size_t)(lf - rest.ptr);
		struct slice line = { rest.ptr, len };
		has_type = has_type || named(line, "content-type");
		has_expect = has_expect || named(line, "expect");
		put_line(&t->text, line);
		len += lf == NULL ? 0 : 1;
		rest = (struct slice){ rest.ptr + len, rest.len - len };
	}
	/* curl would call every body a form, and wait a second for the leave to send a
	 * large one. */
	if (!has_type)
		buf_put(&t->text, "Content-Type:", sizeof "Content-Type:");
	if (!has_expect)
		buf_put(&t->text, "Expect:", sizeof "Expect:");
	if (a->secret.len == 0)
		return 0;
	return sign_put(&t->text, a->secret, a->key, (int64_t)time(NULL), a->body);
}

/* Chains the lines of text behind URL and method; text does not move any more. */
static struct curl_slist *chain_lines(struct transfer *t, char *at)
{
	const char *end = t->text.ptr + t->text.len;
	size_t n = 0;
	for (; at < end; at += strlen(at) + 1) {
		if (n == t->lines_cap) {
			t->lines_cap = n == 0 ? 16 : n * 2;
			t->lines = xrealloc(t->lines, t->lines_cap * sizeof *t->lines);
		}
		t->lines[n++].data = at;
	}
	for (size_t i = 0; i < n; i++)
		t->lines[i].next = i + 1 < n ? &t->lines[i + 1] : NULL;
	return n == 0 ? NULL : t->lines;
}

/* curl has modes, and a name to write instead; the modes decide about bodies. */
static void set_method(CURL *e, const char *method, const struct attempt *a)
{
	bool plain = a->body.len == 0;
	if (plain && strcmp(method, "HEAD") == 0) {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
		curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	}
	if (plain && strcmp(method, "GET") == 0) {
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
		return;
	}
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)a->body.len);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, plain ? "" : a->body.ptr);
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
}

/* A stray line end would let what stands in a value become a header of its own. */
static bool has_stray(struct slice s, const char *stray, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (s.len > 0 && memchr(s.ptr, stray[i], s.len) != NULL)
			return true;
	}
	return false;
}

int transfer_begin(struct transfer *t, struct attempt *a)
{
	t->attempt = a;
	t->status = 0;
	t->why = NULL;
	t->curl_why[0] = '\0';
	t->head_done = false;
	t->stale = false;
	curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 0L);
	if (has_stray(a->headers, "\r", 2) || has_stray(a->url, "\r\n", 3) ||
		has_stray(a->method, "\r\n ", 4) || has_stray(a->key, "\r\n", 3)) {
		t->why = "a header, the URL or the method holds a line end or a NUL";
		return FISH_EINVAL;
	}
	if (put_text(t, a) < 0) {
		t->why = "behind whsec_ the peer's secret is no base64";
		return FISH_EINVAL;
	}
	const char *url = t->text.ptr;
	char *method = t->text.ptr + a->url.len + 1;
	int64_t timeout_ms = a->timeout_ms < 1 ? 1 : a->timeout_ms;
	if (timeout_ms > INT32_MAX)
		timeout_ms = INT32_MAX;
	/* A peer that is not there should not use up the time of one that is slow. */
	int64_t connect_ms =
		timeout_ms < CONNECT_TIMEOUT_MS ? timeout_ms : CONNECT_TIMEOUT_MS;
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	/* A connection that a program's own call has made may lead anywhere. */
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, a->stranger ? "https" : "http,https");
	curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, (long)a->stranger);
	curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, (long)a->stranger);
	/* As the flow asked for it: no dots are folded away. */
	curl_easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
	curl_easy_setopt(
		t->easy, CURLOPT_HTTPHEADER, chain_lines(t, method + a->method.len + 1));
	set_method(t->easy, method, a);
	return 0;
}

bool transfer_finish(struct transfer *t, CURLcode result)
{
	if (result == CURLE_ABORTED_BY_CALLBACK && t->stale) {
		t->stale = false;
		curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, 1L);
		return false;
	}
	/* An answer that broke off in its body is none: a status alone would mislead. */
	long status = 0;
	if (result == CURLE_OK)
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->status = (int)status;
	if (status == 0 && t->why == NULL)
		t->why =
			t->curl_why[0] != '\0' ? t->curl_why : curl_easy_strerror(result);
	return true;
}

/* The value of the first field of that name; empty when there is none. */
static struct slice meta_value(struct slice meta, const char *name)
{
	while (meta.len > 0) {
		const char *lf = memchr(meta.ptr, '\n', meta.len);
		CHECK(lf != NULL); /* put_meta ends each line */
		struct slice line = { meta.ptr, (size_t)(lf - meta.ptr) };
		if (named(line, name)) {
			size_t skip = strlen(name) + 1;
			return trim((struct slice){ line.ptr + skip, line.len - skip });
		}
		meta = (struct slice){ lf + 1, meta.len - line.len - 1 };
	}
	return SLICE_NONE;
}

void transfer_tell(struct transfer *t)
{
	struct attempt *a = t->attempt;
	/* Before done, in which the attempt may go, or be sent again. */
	t->attempt = NULL;
	a->transport_data = NULL;
	if (t->status == 0) {
		a->done(a, 0, SLICE_NONE, SLICE_NONE, -1, t->why);
		return;
	}
	struct slice meta = buf_slice(&t->meta);
	int64_t pause_ms =
		retry_after_ms(meta_value(meta, "retry-after"), (int64_t)time(NULL));
	a->done(a, t->status, meta, buf_slice(&t->body), pause_ms, NULL);
}

void transfer_reset(struct transfer *t)
{
	t->attempt = NULL;
	buf_reset(&t->meta);
	buf_reset(&t->body);
	if (t->body.cap > TRANSFER_BYTES_KEPT)
		buf_fini(&t->body);
	/* Who holds a secret no longer than needed cannot show it in a core file. */
	if (t->text.ptr != NULL)
		memset(t->text.ptr, 0, t->text.len);
}
