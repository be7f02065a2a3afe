/* ingress.h - the door: POST and PUT to /h/TOKEN become deliveries.
 *
 * The order of refusals: 404 for a path that is no hook's or a token that is forged, 405 for other
 * methods (with Allow), 400 for a bad message id, 503 when the engine takes nothing in just now, 413, 503 when
 * bodies have no room, then whatever engine_deliver says; 200 has an empty body. Each 429 and 503 has a
 * Retry-After. */
#ifndef FISH_INGRESS_H
#define FISH_INGRESS_H

#include "engine/engine.h"
#include "net/server.h"

struct ingress;

struct ingress_config {
	uv_loop_t     *loop;
	struct engine *engine;
	const char    *listen;                         /* this and the next three as in server_config */
	unsigned       unix_mode;
	const struct proxies *proxies;
	struct server_bounds  bounds;
	size_t         head_bytes_max;                 /* 0: as in http1_limits */
	size_t         body_bytes_max;                 /* 0: BODY_BYTES_MAX_DEFAULT */
	struct budget *budget;                         /* of bodies, as in server_config */
	void         (*wake)(void *arg);               /* something was handed to the engine: a turn is due */
	void          *wake_arg;
};

int             ingress_open(struct ingress **ret, const struct ingress_config *config, struct err *err);
const char     *ingress_address(const struct ingress *in);
void            ingress_drain(struct ingress *in, int64_t grace_ms, void (*done)(void *arg), void *arg);
struct ingress *ingress_free(struct ingress *in);

/* A request's header as meta lines: "name: value\n", names in lower case, ":method", ":query" and
 * ":peer" first; connection matters (connection, keep-alive, content-length, transfer-encoding, te,
 * trailer, upgrade, expect, host, proxy-*) left out. False when it came to more than META_BYTES_MAX. */
bool meta_put(struct buf *out, const struct http1 *req, const char *peer);

#endif
