/* budget.c - adds up what bodies take. */
#include "net/budget.h"

bool budget_fits(const struct budget *b, size_t more)
{
	return b == NULL || (b->bytes <= b->bytes_max && more <= b->bytes_max - b->bytes);
}

void budget_hold(struct budget *b, size_t *held, size_t bytes)
{
	if (b == NULL)
		return;
	CHECK(b->bytes >= *held);
	b->bytes += bytes - *held;
	*held = bytes;
}

void budget_refuse(struct budget *b, const char *why)
{
	if (b == NULL)
		return;
	b->refused++;
	if (b->on_refused != NULL)
		b->on_refused(b->on_refused_arg, why);
}
