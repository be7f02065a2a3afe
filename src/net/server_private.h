/* server_private.h - what the files of the listener share, and nobody else.
 *
 * server.c opens, drains and frees; listener.c makes the listening socket; connection.c
 * reads and closes; exchange.c asks and takes answers, exchange_flush.c writes them;
 * deadline.c cuts what is slow. Invariant: a connection is in at most one deadline queue,
 * and its exchanges are in the order of their requests, the one being read last. */
#ifndef FISH_SERVER_PRIVATE_H
#define FISH_SERVER_PRIVATE_H

#include "base/list.h"
#include "net/crowd.h"
#include "net/server.h"

enum {
	READ_BYTES           = 64 << 10,   /* one read, into the server's own buffer */
	ADDRESS_SIZE         = 320,        /* "unix:" and a path, or "host:port" */
	PEER_SIZE            = 56,         /* "[v6]:port" */
	LISTEN_BACKLOG       = 4096,
	LINGER_MS            = 5000,       /* how long dropped bytes are read after a refusal */
	WRITE_PARTS_MAX      = 32,         /* answers in one write */
	EXCHANGES_POOLED_MAX = 256,
	DISCARD_BYTES_MAX    = 64 << 10,   /* of a refused request's body, read so that the connection can go on */
	ANSWER_BYTES_KEPT    = 4 << 10,    /* a pooled exchange keeps no more for its next answer */
};

/* What a connection waits for; each has a queue of its own, the oldest first. */
enum wait { WAIT_IDLE, WAIT_HEAD, WAIT_BODY, WAIT_WRITE, WAIT_LINGER, WAITS, WAIT_NONE = WAITS };

enum exchange_state {
	EXCHANGE_READING,        /* its request is coming in */
	EXCHANGE_ASKED,          /* the handler has it */
	EXCHANGE_DISCARDING,     /* its answer stands; the body that comes is judged and not kept */
	EXCHANGE_ANSWERED,       /* its answer waits for its turn to leave */
};

struct exchange {
	struct list         link;          /* in its connection's exchanges, or in the pool */
	struct connection  *connection;
	enum exchange_state state;
	bool                last;          /* nothing is read or answered behind it */
	bool                continue_due;  /* the asker waits for "100 Continue" */
	struct http1        request;
	struct buf          answer;        /* whole, with its head */
	struct budget      *budget;        /* the server's */
	size_t              body_bytes_max;/* of this request's body; 0: as in the limits */
	size_t              held;          /* of it, for the request's body */
	void               *data;          /* the handler's */
	void              (*on_gone)(struct exchange *x);
	bool                counted;       /* in the server's crowd, as asker */
	struct id           asker;
	char                peer[ADDRESS_TEXT_SIZE];   /* named by a proxy; "": the connection's */
};

union stream_handle {
	uv_handle_t handle;
	uv_stream_t stream;
	uv_tcp_t    tcp;
	uv_pipe_t   pipe;
};

struct connection {
	union stream_handle uv;
	struct server      *server;        /* NULL: the server was freed first */
	struct list         link;          /* in the server's connections */
	struct list         dirty_link;    /* in the server's dirty while answers may leave */
	struct list         wait_link;     /* in one of the server's waits */
	enum wait           wait;
	int64_t             deadline_ms;   /* loop time; counts when wait is not WAIT_NONE */
	unsigned            stretches;     /* of this wait, the one under way included: see struct pace */
	size_t              came;          /* bytes in this stretch; WAIT_WRITE: to leave at its beginning */
	struct list         exchanges;
	size_t              nexchanges;
	struct exchange    *current;       /* the one being read; NULL between requests */
	size_t              writing;       /* exchanges whose answers are in the write under way */
	uv_write_t          write;
	struct buf          backlog;       /* read, but more than pipeline_max requests were under way */
	bool                reading;
	bool                write_pending;
	bool                ending;        /* no further request is begun */
	bool                dropping;      /* bytes of no request came, or may come */
	bool                half_closed;   /* the peer has sent its last byte */
	bool                lingering;     /* all is answered; its last bytes are read and dropped */
	bool                closing;       /* uv_close was called */
	bool                closed;        /* and is over; only unanswered exchanges keep this memory */
	bool                counted;       /* in the server's crowd, by its address */
	bool                by_proxy;      /* the peer is a believed proxy: its requests are counted, by their askers */
	struct address      address;       /* all zero of a unix peer */
	char                peer[PEER_SIZE];
};

/* What a wait is cut into: it ends after the last stretch, or after one with too few bytes. */
struct pace {
	int64_t  stretch_ms;
	unsigned stretches;
	size_t   bytes_min;                /* in a stretch */
};

struct server {
	struct server_config config;       /* with the defaults put in */
	union stream_handle  listener;
	uv_idle_t            flusher;      /* active while a connection is dirty */
	uv_timer_t           deadlines;
	uv_timer_t           grace;
	int64_t              deadlines_due_ms;
	size_t               handles_open; /* of these four */
	struct list          connections;  /* all, also those closed with an exchange unanswered */
	size_t               nconnections; /* those not closed */
	bool                 accept_due;   /* one waits at the listener until another closes */
	struct list          dirty;
	struct list          waits[WAITS];
	struct pace          paces[WAITS];
	struct crowd         crowd;
	struct list          pool;         /* exchanges to use again */
	size_t               npool;
	bool                 draining;
	bool                 drained;      /* done was called */
	void               (*done)(void *arg);
	void                *done_arg;
	bool                 is_unix;
	char                 address[ADDRESS_SIZE];
	char                 scratch[READ_BYTES];
};

/* listener.c: a bound, listening socket. address gets its name as in server_address. */
int  listener_socket(const char *listen, unsigned unix_mode, int *ret_fd, char ret_address[ADDRESS_SIZE],
                     struct err *err);
/* The path of a "unix:/path" address; NULL for another. */
const char *listener_path(const char *address);
/* "192.0.2.1:1234", "[::1]:1234"; a v4 address inside v6 is written as v4. */
void listener_name(const struct sockaddr *address, char *ret_text, size_t size);

/* connection.c */
void connection_accept(struct server *s);
void connection_close(struct connection *c);
void connection_settle(struct connection *c);        /* reads, waits and ends as its state asks for */
void connection_expire(struct connection *c, enum wait wait);   /* its deadline has passed */
void connection_release(struct connection *c);       /* frees it once closed and without exchanges */
void connection_resume(struct connection *c);        /* goes on with the backlog */

/* exchange.c */
struct exchange *exchange_new(struct connection *c);
bool exchange_count(struct exchange *x);             /* the head stands: by its asker; false: one too many */
void exchange_advance(struct exchange *x);           /* its parser has taken bytes */
void exchange_release(struct exchange *x);           /* to the pool; its connection may go with the last */
void exchange_refuse(struct exchange *x, int status, const char *why);
void exchange_free_pool(struct server *s);
void exchanges_gone(struct connection *c);           /* tells the handlers that the asker has hung up */

/* exchange_flush.c */
void exchanges_flush(struct connection *c);          /* writes the answers whose turn it is */
void exchanges_flush_later(struct connection *c);    /* once, when the round of the loop is over */
void exchanges_flush_all(uv_idle_t *flusher);

/* deadline.c */
void deadline_init(struct server *s);                /* from its bounds */
void deadline_set(struct connection *c, enum wait wait);
bool deadline_again(struct connection *c, enum wait wait);     /* expired, and has earned another stretch */
void deadline_make_room(struct server *s);           /* closes the connection that is idle longest */
void deadline_on_timer(uv_timer_t *timer);

/* server.c */
void server_settle(struct server *s);                /* accepts what waits, or has drained */
void server_connection_closed(struct server *s);

#endif
