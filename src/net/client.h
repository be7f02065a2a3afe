/* client.h - calls out: the engine's attempts carried out by libcurl multi on the loop.
 *
 * Connections are kept alive and shared by all peers; one with bytes in it that nobody asked for is not
 * used again. One attempt is one transfer: retries belong to
 * the engine. Redirects are not followed; bodies over a limit fail the attempt. An attempt's own
 * Content-Length and Transfer-Encoding are left out: framing is curl's. A secret that begins with
 * "whsec_" is base64 behind it, any other its own bytes. At most 256 connections go to one peer and
 * 512 out in all; over that attempts wait. The process must ignore SIGPIPE. */
#ifndef FISH_CLIENT_H
#define FISH_CLIENT_H

#include "engine/seams.h"

#include <uv.h>

struct client;

struct client_config {
	uv_loop_t *loop;
	size_t     answer_bytes_max;             /* of one answer's body; 0: 16 MiB */
	void     (*wake)(void *arg);             /* an attempt is done: a turn is due */
	void      *wake_arg;
};

int            client_open(struct client **ret, const struct client_config *config, struct err *err);
void           client_send(struct client *c, struct attempt *a);
void           client_abandon(struct client *c, struct attempt *a);
/* Abandons all; done runs on the loop when its handles are closed. */
void           client_drain(struct client *c, void (*done)(void *arg), void *arg);
struct client *client_free(struct client *c);

#endif
