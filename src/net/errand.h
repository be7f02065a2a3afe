/* errand.h - small things fetched because a webhook asks for it: a sender's certificate, the confirmation of a
 * subscription.
 *
 * A stranger wrote the URL, its host has been checked; it is fetched over https from public addresses only,
 * without a redirect. Certificates are kept for a day, at most 16 of them. Invariant: nobody waits for
 * an errand; who needs a certificate that is not there is told so, and asks again. */
#ifndef FISH_ERRAND_H
#define FISH_ERRAND_H

#include "base/base.h"

struct attempt;
struct errands;

struct errands_config {
	void   *owner;
	void    (*send)(void *owner, struct attempt *a);       /* as in seams.h */
	int64_t (*now_ms)(void *owner);
	void    (*log)(void *owner, const char *event, struct slice line);
};

struct errands *errands_new(const struct errands_config *config);
/* Nothing of it is under way any more: the client has abandoned or told all. NULL is let pass. */
struct errands *errands_free(struct errands *e);
/* True: *ret_pem stands until the next call. False: it is on its way, or failed less than a minute ago. */
bool errands_certificate(struct errands *e, struct slice url, struct slice *ret_pem);
void errands_confirm(struct errands *e, struct slice url);

#endif
