/* client_private.h - what the files of the client share, and nobody else.
 *
 * client.c sends, abandons, drains; client_transfer.c carries one attempt through curl;
 * client_poll.c lends curl the loop; client_sign.c signs. Invariant: a transfer is in
 * exactly one list: busy (curl has it), finished (its attempt is to be told) or pool. */
#ifndef FISH_CLIENT_PRIVATE_H
#define FISH_CLIENT_PRIVATE_H

#include "base/buf.h"
#include "base/list.h"
#include "net/client.h"

#include <curl/curl.h>

enum {
	ANSWER_BYTES_DEFAULT     = 16 << 20,
	TRANSFERS_POOLED_MAX     = 64,
	TRANSFER_BYTES_KEPT      = 64 << 10,   /* a pooled transfer keeps no bigger body's memory */
	CONNECTIONS_IDLE_MAX     = 256,
	CONNECTIONS_MAX          = 512,        /* over it attempts wait for one */
	CONNECTIONS_PER_HOST_MAX = 256,        /* a slow peer cannot take them all */
	CONNECT_TIMEOUT_MS       = 10000,
	PORTS                    = 1 << 16,
};

struct transfer {
	struct list        link;
	struct client     *client;
	struct attempt    *attempt;      /* NULL in the pool */
	CURL              *easy;
	struct buf         text;         /* URL, method and header lines, each with its NUL */
	struct curl_slist *lines;        /* lines_cap of them; the header lines point into text */
	size_t             lines_cap;
	struct buf         meta, body;   /* of the answer */
	bool               head_done;    /* what comes as header from now on are trailers */
	int                status;       /* 0: none */
	const char        *why;          /* why none */
	curl_socket_t      opened[2];    /* the last sockets made for it: one for each kind of address */
	bool               stale;        /* it was to go out on a connection with bytes that nobody asked for */
	char               curl_why[CURL_ERROR_SIZE];
};

struct client {
	struct client_config config;     /* with the defaults put in */
	CURLM               *multi;      /* NULL once drained */
	uv_timer_t           timer;      /* curl's, and for telling of attempts that failed at once */
	struct list          busy, finished, pool;
	size_t               npool;
	uv_poll_t          **polls;      /* by descriptor number; NULL: none was made yet */
	size_t               npolls;
	size_t               handles_open;
	curl_socket_t       *sockets;    /* PORTS of them: who has this local port, for the guard; 0: nobody */
	void               (*done)(void *arg);
	void                *done_arg;
};

/* client_transfer.c */
struct transfer *transfer_new(struct client *c);
struct transfer *transfer_free(struct transfer *t);
int  transfer_begin(struct transfer *t, struct attempt *a);  /* FISH_EINVAL: cannot be sent; why tells */
/* False: it did not begin at all, and is to be added again, for a connection of its own. */
bool transfer_finish(struct transfer *t, CURLcode result);
void transfer_tell(struct transfer *t);                      /* calls the attempt's done */
void transfer_reset(struct transfer *t);                     /* ready for the next attempt */

/* client_poll.c */
int  client_poll_open(struct client *c);
void client_poll_close(struct client *c);
void client_poll_soon(struct client *c);                     /* tells of the finished in the next round */

/* client_guard.c: has its connections looked at before they are used again. */
void transfer_guard(struct transfer *t);

/* client.c: after curl has been driven. */
void client_collect(struct client *c);
void client_handle_closed(struct client *c);

/* client_sign.c: puts the three Standard Webhooks lines, each with its NUL. FISH_EFORMAT: the secret
 * begins with whsec_ and is no base64 behind it. */
int  sign_put(struct buf *out, struct slice secret, struct slice id, int64_t now_s, struct slice body);

#endif
