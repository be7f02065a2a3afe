/* seams.h - all that the engine asks of the world: time, chance, calls out, log lines, entropy.
 *
 * The host plugs in the real ones, the simulator its own. Nothing in src/engine goes around them.
 * The store is the fifth seam: store/store.h. */
#ifndef FISH_SEAMS_H
#define FISH_SEAMS_H

#include "base/base.h"
#include "base/buf.h"
#include "base/id.h"

/* One attempt of one HTTP call. The engine owns it and keeps it alive until done has run. Retries,
 * pauses and giving up are the engine's; a transport makes one attempt and tells how it went. */
struct attempt {
	struct slice method;          /* "POST" … */
	struct slice url;             /* absolute */
	struct slice headers;         /* lines "Name: value\n"; Idempotency-Key and Authorization stand there */
	struct slice body;
	struct slice secret;          /* not empty: sign by Standard Webhooks with it */
	struct slice key;             /* the idempotency key: also the webhook-id when signed */
	int64_t      timeout_ms;      /* for the whole attempt */
	bool         stranger;        /* a stranger wrote the URL: https only, to public addresses, a connection of its own */
	void        *transport_data;  /* the transport's own */
	/* Called once on the engine's thread, never from within send. status 0: no answer, why tells.
	 * meta: the answer's header lines "name: value\n", lower-case names; retry_after_ms -1: none. */
	void (*done)(struct attempt *a, int status, struct slice meta, struct slice body,
	             int64_t retry_after_ms, const char *why);
};

/* A function of a flow for a thread. The engine owns it and keeps it until done has run. */
struct work_item {
	void (*fn)(const void *arg, void *result);    /* on any thread */
	const void *arg;
	void       *result;
	void       *host_data;
	void (*done)(struct work_item *w);            /* on the engine's thread, never from within work */
};

struct seams {
	void *owner;
	int64_t (*now_ms)(void *owner);                        /* unix ms of start + monotonic: never goes back */
	void    (*entropy)(void *owner, void *bytes, size_t len);
	void    (*send)(void *owner, struct attempt *a);
	void    (*abandon)(void *owner, struct attempt *a);    /* forget it: done will not be called */
	void    (*log)(void *owner, const char *event, struct slice line);  /* one event with keys, after its commit */
	/* NULL: there are no threads. Before engine_free the host waits until no thread is in fn; what is
	 * not done by then is forgotten. */
	void    (*work)(void *owner, struct work_item *w);
	/* A return address as a place in the source, for reports; puts nothing when it is not known. NULL: never. */
	void    (*where)(void *owner, struct buf *out, const void *return_address);
	/* So that a crash can be laid at a flow's door (NULL: nobody keeps count). on_cpu comes before a
	 * flow's code runs and, with NULL, after it; a quarantined flow is not run; forgive: somebody wants
	 * it run again all the same. */
	void    (*on_cpu)(void *owner, const struct id *flow);
	bool    (*quarantined)(void *owner, const struct id *flow);
	void    (*forgive)(void *owner, const struct id *flow);
	/* What a request to a hook may ask for, of the sender's own hosts, whose names the engine has checked (NULL:
	 * nothing is fetched). The certificate at url: true, and it stands until the next call; false: it was
	 * asked for, or cannot be had just now. confirm gets url once, and nobody hears how it went but the log. */
	bool    (*certificate)(void *owner, struct slice url, struct slice *ret_pem);
	void    (*confirm)(void *owner, struct slice url);
	/* Chance for pauses between attempts; need not be unforeseeable. */
	uint32_t (*jitter)(void *owner);
};

#endif
