/* answer_vectors.c - the outgoing client against each raw answer of a folder: answer_vectors [FOLDER]
 *
 * A peer answers a call with the bytes of the case, whole and one at a time, and closes. The reading of
 * answers is libcurl's: where the table says that curl itself decides otherwise than a strict client
 * would, that is listed and does not count as wrong. Anything else that differs is named, and the exit
 * code is then 1; without the folder it is 77. Whatever the bytes, a call ends once, and in time. */
#include "../unit/net_test.h"
#include "index.h"

#include "net/client.h"

#include <netinet/tcp.h>
#include <signal.h>

enum { TIMEOUT_MS = 10000, UNANSWERED = 0 };

struct call {
	struct attempt attempt;
	int    status;           /* UNANSWERED: no answer that could be used */
	size_t done;
};

struct side {
	uv_loop_t      loop;
	struct client *client;
	int            listener;
	char           url[64];
	bool           drained;
};

static void on_done(struct attempt *a, int status, struct slice meta, struct slice body,
	int64_t retry_after_ms, const char *why)
{
	struct call *c = container_of(a, struct call, attempt);
	(void)meta;
	(void)body;
	(void)retry_after_ms;
	(void)why;
	c->status = status;
	c->done++;
}

static void on_wake(void *arg)
{
	(void)arg;
}

static void on_drained(void *arg)
{
	struct side *s = arg;
	s->drained = true;
}

/* A port of its own for each call, so that no connection is used again: how that goes is client_test's. */
static void side_listen(struct side *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof at;
	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(s->listener, 16), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&at, &len), 0);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%d/", ntohs(at.sin_port));
}

static void side_open(struct side *s)
{
	*s = (struct side){ 0 };
	assert_int_equal(uv_loop_init(&s->loop), 0);
	struct err err = { 0 };
	struct client_config config = { .loop = &s->loop, .wake = on_wake };
	if (client_open(&s->client, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void side_close(struct side *s)
{
	client_drain(s->client, on_drained, s);
	net_until(&s->loop, (struct raw_peer *)NULL, s->drained);
	s->client = client_free(s->client);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
}

/* The call's connection, once its whole request has come: nothing unread turns the close into a reset. */
static void accept_call(struct side *s, struct raw_peer *p)
{
	*p = (struct raw_peer){ .fd = -1 };
	buf_init(&p->got, SIZE_MAX);
	net_until(&s->loop, (struct raw_peer *)NULL, (p->fd = accept(s->listener, NULL, NULL)) >= 0);
	net_until(&s->loop, p, raw_has(p, "\r\n\r\n{}"));
}

/* The call's status when these bytes are its answer; UNANSWERED when they were none. */
static int ask(struct side *s, struct slice bytes, size_t step)
{
	struct raw_peer p;
	int on = 1;
	side_listen(s);
	struct call c = {
		.attempt = {
			.method = SLICE_LIT("POST"),
			.url = slice_of(s->url),
			.headers = SLICE_LIT("Content-Type: application/json\n"),
			.body = SLICE_LIT("{}"),
			.timeout_ms = TIMEOUT_MS,
			.done = on_done,
		},
	};
	client_send(s->client, &c.attempt);
	accept_call(s, &p);
	setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	for (size_t at = 0; at < bytes.len; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		raw_send(&s->loop, &p, bytes.ptr + at, len);
		uv_run(&s->loop, UV_RUN_NOWAIT);
	}
	raw_close(&p);
	close(s->listener);
	net_until(&s->loop, (struct raw_peer *)NULL, c.done > 0);
	assert_int_equal(c.done, 1);
	return c.status;
}

/* "200 len=5 exit=0" is an answer that curl took. */
static bool curl_took(const struct index *x)
{
	for (size_t i = 0; i < x->ncolumns; i++) {
		if (strncmp(x->names[i], "curl", 4) != 0)
			continue;
		const char *code = strstr(x->cells[i], "exit=");
		return code != NULL && atoi(code + 5) == 0 && atoi(x->cells[i]) > 0;
	}
	return false;
}

static void tell(const struct index *x, const char *how, int status, const char *whose)
{
	printf("%s (%s), %s: expected %s, seen %s %d%s\n", index_cell(x, "file"), index_cell(x, "name"),
		how, index_cell(x, "expect"), status == UNANSWERED ? "reject" : "accept", status, whose);
}

/* False when the client differs from the table in a way that curl does not. */
static bool check(struct side *s, const struct index *x)
{
	const char *expect = index_cell(x, "expect");
	struct slice bytes = vectors_read(x->folder, index_cell(x, "file"));
	if (bytes.ptr == NULL) {
		tell(x, "reading", UNANSWERED, " (there is no such file)");
		return false;
	}
	bool well = true;
	int whole = ask(s, bytes, SIZE_MAX / 2);
	int slow = ask(s, bytes, 1);
	bool took = whole != UNANSWERED;
	bool differs = strcmp(expect, "either") != 0 && took != (strcmp(expect, "accept") == 0);
	if (differs && took == curl_took(x)) {
		tell(x, "whole", whole, ": libcurl decides so");
	} else if (differs) {
		tell(x, "whole", whole, "");
		well = false;
	}
	if (slow != whole) {
		tell(x, "byte by byte", slow, " (unlike whole)");
		well = false;
	}
	free((char *)(uintptr_t)bytes.ptr);
	return well;
}

int main(int argc, char **argv)
{
	struct index x;
	struct side s;
	size_t checked = 0;
	size_t wrong = 0;
	if (!index_open(&x, vectors_folder(argc, argv), "responses.tsv")) {
		printf("no http1/responses.tsv in %s: skipped\n", x.folder);
		return EXIT_SKIPPED;
	}
	signal(SIGPIPE, SIG_IGN);
	side_open(&s);
	for (; index_next(&x); checked++)
		wrong += check(&s, &x) ? 0 : 1;
	side_close(&s);
	index_close(&x);
	printf("%zu answers, %zu differ\n", checked, wrong);
	return wrong > 0 || checked == 0 ? 1 : 0;
}
