/* budget.h - the memory that bodies may take: those that come in, and those that wait for their answer.
 *
 * One budget is shared by all listeners of a process. Invariant: bytes is the sum of what its holders
 * have told budget_hold. Surprise: a body counts from when its length is announced, not from when its
 * bytes come: whoever said how much he sends is not sent away half-way because of those let in after him. */
#ifndef FISH_BUDGET_H
#define FISH_BUDGET_H

#include "base/base.h"

struct budget {
	size_t   bytes_max;
	size_t   bytes;              /* held now, or promised */
	uint64_t refused;            /* requests that were told 503 for want of memory, since the start */
	void   (*on_refused)(void *arg, const char *why);   /* after each of them; NULL: nobody asks */
	void    *on_refused_arg;
};

/* A budget that is NULL has room for all, and counts nothing. */
bool budget_fits(const struct budget *b, size_t more);
/* The holder of *held bytes holds so many from now on. May go over bytes_max: who asks for more
 * than was promised asks budget_fits before. */
void budget_hold(struct budget *b, size_t *held, size_t bytes);
/* A request is refused, of this budget or another part of the memory; why is a constant phrase. */
void budget_refuse(struct budget *b, const char *why);

#endif
