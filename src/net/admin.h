/* admin.h - the admin listener: start, list, show, cancel over HTTP, on a unix socket (mode 0600)
 * and, if asked for, a TCP address guarded by a bearer token.
 *
 * Surprise: a request that carries an Origin header is refused, whatever else it has. Browsers send
 * it, so no page that somebody looks at can start flows on his machine.
 *
 *   POST   /flows/NAME          body: the input, one JSON value (empty: null). Idempotency-Key optional.
 *                               202 {"id": …, "existed": false} once durable; ?wait=5s (ms s m h): 200 with
 *                               {"id": …, "status": "done", "result": …} when it ends in time, else the 202;
 *                               its "wait_ended" tells why, when the wait was broken off before its time
 *   GET    /flows               ?all=1 (ended ones too), ?boxes=1 (of named doors), ?limit=, ?after=ID, ?before=N: {"flows": […], "next": …, "figures": {…}};
 *                               next is the path of the next page, or null
 *   GET    /flows/ID            the flow as JSON; 404
 *   POST   /flows/ID/cancel     202 {"id": …}; 404; 410 has ended
 *   POST   /flows/ID/retry      202 {"id": …}: a flow that stands still is run again; 404; 409 it does not
 *   POST   /flows/ID/redeliver?number=N
 *                               200 {"id": …, "number": N}: what the ledger has of that request is delivered, and durable;
 *                               404; 409 it is stored already, or cannot be; 410 its hook is closed
 *                               …&hook=M: to hook M of the flow instead
 *   GET    /doors               {"doors": […]}: the program's named doors, with how many requests came to which end
 *   GET    /doors/NAME          the same of one, and "requests", the youngest of them; 404
 *   POST   /doors/NAME/redeliver?number=N
 *                               200 {"id": …, "number": N}: as of a flow; id: the box, or the flow that it started
 *   GET    /flows/ID/export     200: the flow as lines of JSON, see wire/export.h; ?keys=1 with the secrets of its keys
 *                               (unix socket only); 404
 *   POST   /import              body: these lines, of one flow. 201 {"id": …, "keys": n} once it is durable; ?keys=1: the
 *                               store takes keys that it lacks (unix socket only); 409 it is there; 400; 503
 *   POST   /backup?file=PATH    over the unix socket only; ?force=1 replaces a file. 202: begun; 409 one is under way, or
 *                               the file is there; 400
 *   GET    /backup              how far the last one is: {"backup": its number, "phase": "copies" | "secures" | "done" |
 *                               "failed" | "none", "bytes": …, "left": …, "held_us_max": …, "error": null or why}
 *   GET    /health              200 {"status": "ok"} or 503 {"status": "store away"}
 * HEAD is answered like GET, without the body. Errors, also those of the HTTP parser: {"error": "what was
 * wrong, with what value, and what to do"} with 400, 401, 403, 404, 405, 408, 409, 410, 413, 414, 417, 431, 501,
 * 503, 505. */
#ifndef FISH_ADMIN_H
#define FISH_ADMIN_H

#include "engine/engine.h"
#include "net/server.h"

struct admin;

struct admin_config {
	uv_loop_t     *loop;
	struct engine *engine;
	struct store  *store;                          /* for lists of ended flows, exports, backups */
	const char    *listen;                         /* "unix:/path" or "host:port" */
	const char    *token;                          /* copied; asked for as a bearer; NULL: none (unix socket only) */
	size_t         body_bytes_max;
	struct budget *budget;                         /* of bodies, as in server_config */
	struct server_bounds bounds;
	void         (*wake)(void *arg);
	void          *wake_arg;
};

int           admin_open(struct admin **ret, const struct admin_config *config, struct err *err);
const char   *admin_address(const struct admin *a);
void          admin_drain(struct admin *a, int64_t grace_ms, void (*done)(void *arg), void *arg);
struct admin *admin_free(struct admin *a);           /* after drain's done, and after engine_free */

/* "500ms", "5s", "2m", "1h" into milliseconds, at most 24 hours. FISH_EINVAL otherwise. */
int           admin_wait_parse(struct slice text, int64_t *ret_ms);

#endif
