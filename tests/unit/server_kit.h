/* server_kit.h - a server whose handler the test commands: answers at once, or holds what it is asked.
 *
 * The kit checks at its end that no descriptor is left and that the loop closes. */
#ifndef FISH_SERVER_KIT_H
#define FISH_SERVER_KIT_H

#include "net_test.h"

#include "net/server.h"

#include <signal.h>

enum { HELD_MAX = 64 };

struct kit {
	uv_loop_t        loop;
	struct server   *server;
	struct exchange *held[HELD_MAX];   /* asked and not yet answered, when hold is set */
	size_t           nheld;
	bool             hold;
	size_t           asked;            /* requests seen whole */
	size_t           gone;             /* on_gone calls */
	int              refuse;           /* status that head refuses with; 0: none */
	bool             refuse_itself;    /* and answers itself, with a header line */
	struct buf       body;             /* of the last request */
	struct slice     answer;           /* body of each answer; NONE: the path */
	size_t           fds;
	bool             drained;
};

static inline int kit_head(void *owner, struct exchange *x, const struct http1 *head)
{
	struct kit *k = owner;
	assert_int_equal(head->phase, HTTP1_HEAD_DONE);
	if (k->refuse != 0 && k->refuse_itself)
		exchange_answer(x, k->refuse, "Allow: POST\r\n", SLICE_LIT("mine\n"));
	return k->refuse;
}

static inline void kit_gone(struct exchange *x)
{
	struct kit *k = exchange_data(x);
	assert_false(exchange_alive(x));
	k->gone++;
}

static inline void kit_request(void *owner, struct exchange *x, const struct http1 *req)
{
	struct kit *k = owner;
	k->asked++;
	buf_reset(&k->body);
	buf_put_slice(&k->body, buf_slice(&req->body));
	exchange_set_data(x, k);
	exchange_on_gone(x, kit_gone);
	assert_true(exchange_alive(x));
	if (!k->hold) {
		exchange_answer(x, 200, "", k->answer.ptr == NULL ? req->path : k->answer);
		return;
	}
	assert_true(k->nheld < HELD_MAX);
	k->held[k->nheld++] = x;
}

static inline struct server_config kit_config(struct kit *k)
{
	return (struct server_config){
		.loop = &k->loop,
		.handler = { .owner = k, .head = kit_head, .request = kit_request },
		.listen = "127.0.0.1:0",
	};
}

static inline void kit_open(struct kit *k)
{
	signal(SIGPIPE, SIG_IGN);
	/* The first loop of a process opens descriptors that libuv keeps. */
	uv_loop_t first;
	assert_int_equal(uv_loop_init(&first), 0);
	assert_int_equal(uv_loop_close(&first), 0);
	*k = (struct kit){ .fds = count_fds() };
	buf_init(&k->body, SIZE_MAX);
	assert_int_equal(uv_loop_init(&k->loop), 0);
}

/* The usual start: a server with the defaults. */
static inline void kit_serve(struct kit *k, const struct server_config *config)
{
	struct err err = { 0 };
	if (server_open(&k->server, config, &err) < 0)
		fail_msg("%s", err.text);
}

static inline void kit_drained(void *arg)
{
	struct kit *k = arg;
	assert_false(k->drained);
	k->drained = true;
}

static inline void kit_stop(struct kit *k, int64_t grace_ms)
{
	if (k->server == NULL)
		return;
	server_drain(k->server, grace_ms, kit_drained, k);
	net_until(&k->loop, (struct raw_peer *)NULL, k->drained);
	k->server = server_free(k->server);
}

static inline void kit_close(struct kit *k)
{
	kit_stop(k, 0);
	uv_run(&k->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&k->loop), 0);
	buf_fini(&k->body);
	assert_int_equal(count_fds(), k->fds);
}

#endif
