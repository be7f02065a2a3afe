/* http1_vectors.c - each raw request of a folder gets its verdict: http1_vectors [FOLDER]
 *
 * Every request is read by the parser, and sent to a server over a socket: whole, one byte at a time,
 * behind a good request, with a good one behind it, and by a server that refuses every head. Each case that differs is named with what was
 * expected and what was seen, and the exit code is then 1. Without the folder it is 77.
 * Surprise: the peer shuts its sending side down when all is sent, so that a request which is not
 * complete is told from one that is under way without any waiting: its connection ends unanswered. */
#include "../unit/net_test.h"
#include "index.h"

#include "net/server.h"

#include <netinet/tcp.h>
#include <signal.h>

#define FIRST "GET /the-first HTTP/1.1\r\nHost: a\r\n\r\n"
#define LAST  "GET /the-last HTTP/1.1\r\nHost: a\r\n\r\n"

enum { ANSWERS_MAX = 64, WAITS = -1, HOUR_MS = 3600 * 1000 };

enum way { WAY_WHOLE, WAY_BYTES, WAY_BEHIND, WAY_FOLLOWED, WAY_REFUSED, WAYS };
static const char *const way_names[WAYS] = { "whole", "byte by byte", "behind another", "followed",
	"refused by its head" };

struct answer {
	int  status;
	bool of_first, of_last;
};

struct door {
	uv_loop_t      loop;
	struct server *server;
	bool           drained;
	bool           refuses;          /* every head, as one that names no hook */
};

struct reading {                 /* what the parser makes of a request */
	int  verdict;            /* 0: complete, WAITS, or the status of the refusal */
	bool alone;              /* complete, nothing follows, and the connection may go on */
	bool unread;             /* its body would not be read if its head were refused */
};

static int on_head(void *owner, struct exchange *x, const struct http1 *head)
{
	const struct door *d = owner;
	(void)x;
	(void)head;
	return d->refuses ? 404 : 0;
}

/* Without a body, so that an answer to HEAD looks like any other. */
static void on_request(void *owner, struct exchange *x, const struct http1 *req)
{
	(void)owner;
	const char *line = "";
	if (slice_eq(req->path, SLICE_LIT("/the-first")))
		line = "X-Of: first\r\n";
	if (slice_eq(req->path, SLICE_LIT("/the-last")))
		line = "X-Of: last\r\n";
	exchange_answer(x, 200, line, SLICE_NONE);
}

static void on_drained(void *arg)
{
	struct door *d = arg;
	d->drained = true;
}

static void door_open(struct door *d)
{
	struct err err = { 0 };
	*d = (struct door){ 0 };
	assert_int_equal(uv_loop_init(&d->loop), 0);
	struct server_config config = {
		.loop = &d->loop,
		.handler = { .owner = d, .head = on_head, .request = on_request },
		.listen = "127.0.0.1:0",
		/* Nothing here is judged by time. */
		.bounds = { .head_timeout_ms = HOUR_MS, .body_timeout_ms = HOUR_MS, .rate_grace_ms = HOUR_MS },
	};
	if (server_open(&d->server, &config, &err) < 0)
		fail_msg("%s", err.text);
}

static void door_close(struct door *d)
{
	server_drain(d->server, 0, on_drained, d);
	net_until(&d->loop, (struct raw_peer *)NULL, d->drained);
	d->server = server_free(d->server);
	uv_run(&d->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&d->loop), 0);
}

/* A Content-Length over what is read of a refused request's body. */
static bool is_long(struct slice length)
{
	return length.ptr != NULL && (length.len > 9 || strtol(length.ptr, NULL, 10) > 64 << 10);
}

/* By the parser: fed in steps of so many bytes. */
static struct reading read_request(struct slice bytes, size_t step)
{
	struct http1 p;
	size_t used = 0;
	struct reading r = { .verdict = WAITS };
	http1_init(&p, NULL);
	while (used < bytes.len && p.phase != HTTP1_DONE && p.phase != HTTP1_BAD) {
		size_t len = bytes.len - used < step ? bytes.len - used : step;
		used += http1_feed(&p, bytes.ptr + used, len);
		if (p.phase == HTTP1_HEAD_DONE) {
			r.unread = p.expect_continue || is_long(http1_field(&p, "content-length", NULL));
			http1_continue(&p, 0);
		}
	}
	if (p.phase == HTTP1_BAD)
		r.verdict = p.status;
	if (p.phase == HTTP1_DONE)
		r.verdict = 0;
	r.alone = p.phase == HTTP1_DONE && used == bytes.len && p.keep_alive;
	http1_fini(&p);
	return r;
}

/* Cuts the next final answer off; false when there is none (or it is not whole). */
static bool next_answer(struct slice *got, struct answer *ret)
{
	for (;;) {
		const char *end = got->len < 16 ? NULL : memmem(got->ptr, got->len, "\r\n\r\n", 4);
		if (end == NULL)
			return false;
		size_t head = (size_t)(end - got->ptr) + 4;
		const char *length = memmem(got->ptr, head, "Content-Length: ", 16);
		size_t body = length == NULL ? 0 : (size_t)atoi(length + 16);
		*ret = (struct answer){
			.status = atoi(got->ptr + 9),
			.of_first = memmem(got->ptr, head, "X-Of: first", 11) != NULL,
			.of_last = memmem(got->ptr, head, "X-Of: last", 10) != NULL,
		};
		size_t all = head + body < got->len ? head + body : got->len;
		*got = (struct slice){ got->ptr + all, got->len - all };
		if (ret->status >= 200)
			return true;
	}
}

static void send_bytes(struct door *d, struct raw_peer *p, struct slice bytes, size_t step)
{
	for (size_t at = 0; at < bytes.len && !p->over; at += step) {
		size_t len = bytes.len - at < step ? bytes.len - at : step;
		raw_send(&d->loop, p, bytes.ptr + at, len);
		uv_run(&d->loop, UV_RUN_NOWAIT);
	}
}

/* All answers to bytes sent that way. */
static size_t ask(struct door *d, struct slice bytes, enum way way, struct answer answers[ANSWERS_MAX])
{
	struct raw_peer p;
	size_t n = 0;
	int on = 1;
	d->refuses = way == WAY_REFUSED;
	raw_open(&p, server_address(d->server));
	setsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (way == WAY_BEHIND)
		raw_puts(&d->loop, &p, FIRST);
	send_bytes(d, &p, bytes, way == WAY_BYTES ? 1 : SIZE_MAX / 2);
	if (way == WAY_FOLLOWED)
		raw_puts(&d->loop, &p, LAST);
	shutdown(p.fd, SHUT_WR);
	net_until(&d->loop, &p, p.over);
	struct slice got = buf_slice(&p.got);
	while (n < ANSWERS_MAX && next_answer(&got, &answers[n]))
		n++;
	raw_close(&p);
	return n;
}

static bool is_refusal(int status)
{
	const int refusals[] = { 400, 413, 414, 417, 431, 501, 505 };
	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
		if (status == refusals[i])
			return true;
	}
	return false;
}

/* What was seen, as the parser would say it. */
static int seen(struct door *d, struct slice bytes, enum way way, const struct reading *r, const char **ret_why)
{
	struct answer answers[ANSWERS_MAX];
	size_t n = ask(d, bytes, way, answers);
	size_t at = way == WAY_BEHIND ? 1 : 0;
	*ret_why = NULL;
	if (at == 1 && (n == 0 || !answers[0].of_first))
		*ret_why = "the good request before it was not answered";
	for (size_t i = at; i < n; i++) {
		if (is_refusal(answers[i].status) && i + 1 < n)
			*ret_why = "something was answered behind a refusal";
	}
	if (way == WAY_FOLLOWED && r->alone && (n != 2 || !answers[1].of_last))
		*ret_why = "the good request behind it was not answered as such";
	if (n <= at)
		return WAITS;
	return is_refusal(answers[at].status) ? answers[at].status : 0;
}

static bool as_expected(const char *expect, int verdict)
{
	if (strcmp(expect, "accept") == 0)
		return verdict == 0;
	if (strcmp(expect, "reject") == 0)
		return verdict > 0;
	if (strcmp(expect, "wait") == 0)
		return verdict == WAITS;
	if (strcmp(expect, "reject-or-wait") == 0)
		return verdict != 0;
	return strcmp(expect, "either") == 0;
}

static const char *in_words(int verdict, char ret_text[16])
{
	snprintf(ret_text, 16, "%d", verdict);
	return verdict == WAITS ? "wait" : verdict == 0 ? "accept" : ret_text;
}

/* Names a case that differs. */
static void differs(const struct index *x, const char *how, const char *expect, const char *what)
{
	printf("%s (%s), %s: expected %s, seen %s\n", index_cell(x, "file"), index_cell(x, "name"), how,
		expect, what);
}

/* True when parser and door agree with the table, and with each other in every way of sending. */
static bool check(struct door *d, const struct index *x)
{
	char text[16];
	const char *expect = index_cell(x, "expect");
	struct slice bytes = vectors_read(x->folder, index_cell(x, "file"));
	if (bytes.ptr == NULL) {
		differs(x, "reading", "a file", "none");
		return false;
	}
	struct reading whole = read_request(bytes, SIZE_MAX / 2);
	struct reading slow = read_request(bytes, 1);
	bool well = as_expected(expect, whole.verdict);
	if (!well)
		differs(x, "parser", expect, in_words(whole.verdict, text));
	const char *policy = in_words(whole.verdict, text);
	char seen_text[16];
	if (slow.verdict != whole.verdict || slow.alone != whole.alone) {
		differs(x, "parser, byte by byte", policy, in_words(slow.verdict, seen_text));
		well = false;
	}
	for (enum way way = WAY_WHOLE; way < WAYS; way++) {
		/* What follows an incomplete request belongs to it. */
		if (way == WAY_FOLLOWED && whole.verdict == WAITS)
			continue;
		if (way == WAY_REFUSED && whole.unread)
			continue;
		const char *why = NULL;
		int verdict = seen(d, bytes, way, &whole, &why);
		if (verdict != whole.verdict)
			why = in_words(verdict, seen_text);
		if (why != NULL)
			differs(x, way_names[way], policy, why);
		well = well && why == NULL;
	}
	free((char *)(uintptr_t)bytes.ptr);
	return well;
}

int main(int argc, char **argv)
{
	struct index x;
	struct door d;
	size_t checked = 0;
	size_t wrong = 0;
	if (!index_open(&x, vectors_folder(argc, argv), "requests.tsv")) {
		printf("no http1/requests.tsv in %s: skipped\n", x.folder);
		return EXIT_SKIPPED;
	}
	signal(SIGPIPE, SIG_IGN);
	door_open(&d);
	for (; index_next(&x); checked++)
		wrong += check(&d, &x) ? 0 : 1;
	door_close(&d);
	index_close(&x);
	printf("%zu requests, %zu differ\n", checked, wrong);
	return wrong > 0 || checked == 0 ? 1 : 0;
}
