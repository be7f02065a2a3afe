/* sender.h - the program's senders, ready to judge what is delivered in their name.
 *
 * Made once, at start: a scheme that does not exist, or a secret that cannot be one, fails there and not
 * with the first delivery. Secrets are wiped when they go. */
#ifndef FISH_ENGINE_SENDER_H
#define FISH_ENGINE_SENDER_H

#include "base/id.h"
#include "wire/handshake.h"
#include "wire/scheme.h"

enum { SENDER_WHY_SIZE = SCHEME_WHY_SIZE + 32 };

enum sender_id {
	SENDER_ID_OWN,         /* the scheme's, or else webhook-id and Idempotency-Key */
	SENDER_ID_HEADER,
	SENDER_ID_POINTER,     /* into the JSON body */
	SENDER_ID_BODY,        /* the body's own hash */
};

struct sender {
	char          *name;
	struct scheme *scheme;                 /* NULL: nothing is signed */
	struct slice   secrets[SCHEME_SECRETS_MAX];
	size_t         nsecrets;
	enum handshake handshake;
	char          *token, *certificate;    /* "" for none */
	enum sender_id id_from;
	char          *id;                     /* the header's name or the pointer */
	int64_t        tolerance_ms;
};

struct senders {
	struct sender *all;
	size_t         n;
};

/* list: expanded, n of them. FISH_EINVAL with words that hold no secret; *ret is then empty. */
int  senders_init(struct senders *ret, const fish_sender *list, size_t n, struct err *err);
void senders_fini(struct senders *s);
/* NULL: none of that name. */
const struct sender *senders_find(const struct senders *s, struct slice name);

/* What a request is, by what its sender and its own bytes say. */
struct sender_request {
	struct scheme_request    r;            /* method, url, headers, body, now_ms: from the caller; the rest is filled in */
	struct slice             query;
	struct slice             message_id;   /* webhook-id or Idempotency-Key */
	enum handshake_use       use;          /* of the hook or door that it came to */
};
enum sender_verdict {
	SENDER_DELIVERS,       /* it is genuine, or nothing of it is signed */
	SENDER_ASKS,           /* a check of the URL, answered in *ret_answer */
	SENDER_FORGED,         /* why tells in words, for the operator alone */
	SENDER_METHOD,         /* no method that delivers */
	SENDER_WAITS,          /* for the sender's certificate, which is being fetched */
};
/* As in seams.h. */
struct sender_fetch {
	void *owner;
	bool (*certificate)(void *owner, struct slice url, struct slice *ret_pem);
};
struct sender_told {
	bool      has_key;
	struct id key;                         /* the same for what is sent again */
	char      why[SENDER_WHY_SIZE];
};
/* The key of a request that a person vouches for, though it is not signed as it should be. */
void sender_key(const struct sender *s, struct sender_request *q, struct sender_told *ret);
/* May that header's value be told to nobody? One of a signature, a token or a password, as far as its name
 * or a sender's scheme says so. */
bool senders_hide(const struct senders *s, struct slice header);
/* answer: fresh. */
enum sender_verdict sender_judge(const struct sender *s, struct sender_request *q, const struct sender_fetch *fetch,
                                 struct sender_told *ret, struct handshake_answer *answer);

#endif
