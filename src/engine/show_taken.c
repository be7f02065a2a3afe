/* show_taken.c - which of the messages at a flow's hooks it has taken, as far as that can be told.
 *
 * Nothing is written when a message is taken, since a re-run finds that out. But each hook's are taken in
 * order, so whoever knows how many are untaken knows which. Surprise: a parked flow knows only how many are
 * untaken in all; where it has more hooks than one that may leave some open, and those are told as stored. */
#include "engine/run.h"
#include "engine/view.h"

#include <stdlib.h>

/* A run that has not begun was fed all that its life was ever sent, and a flow without one has nothing: they
 * know only how many are untaken in all. What follows from that for one hook is told, and else nothing. */
struct untaken_bounds show_untaken(const struct flow *f, uint32_t number)
{
	size_t fed = f->run ? run_waiting_at(f->run, number) : 0;
	size_t others = 0;

	if (!f->waiting)
		return (struct untaken_bounds){ 0, 0 };
	if (!f->run)
		return (struct untaken_bounds){ 0, f->waiting };
	if (f->run->begun)
		return (struct untaken_bounds){ fed, fed };
	for (size_t i = 0; i < f->nhooks; i++)
		if (f->hooks[i].number != number)
			others += run_waiting_at(f->run, f->hooks[i].number);
	return (struct untaken_bounds){ f->waiting > others ? f->waiting - others : 0, fed < f->waiting ? fed : f->waiting };
}

static int by_hook(const void *a, const void *b)
{
	const struct ledger_message *x = a;
	const struct ledger_message *y = b;

	if (x->hook != y->hook)
		return x->hook < y->hook ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

/* All of the hook that all[0] is of, but the last untaken. Returns how many it has. */
static size_t take(struct ledger_message *all, size_t n, size_t untaken)
{
	size_t own = 0;

	while (own < n && all[own].hook == all[0].hook)
		own++;
	for (size_t i = 0; untaken < own && i < own - untaken; i++)
		all[i].taken = true;
	return own;
}

void show_taken(struct view *v, const struct flow *f)
{
	if (v->nmessages)
		qsort(v->messages, v->nmessages, sizeof *v->messages, by_hook);
	for (size_t i = 0; i < v->nmessages;) {
		/* What a hook of an earlier life has left is gone with it: nobody took that. */
		bool stands = flow_hook((struct flow *)f, v->messages[i].hook) != NULL;

		i += take(&v->messages[i], v->nmessages - i, stands ? show_untaken(f, v->messages[i].hook).most : SIZE_MAX);
	}
}

static size_t untaken_at(struct slice untaken, uint32_t hook)
{
	struct entry e;
	size_t n = 0;

	while (entry_next(&untaken, &e) == 1)
		n += e.number == hook;
	return n;
}

void show_taken_ended(struct view *v, struct slice untaken)
{
	if (v->nmessages)
		qsort(v->messages, v->nmessages, sizeof *v->messages, by_hook);
	for (size_t i = 0; i < v->nmessages;)
		i += take(&v->messages[i], v->nmessages - i, untaken_at(untaken, v->messages[i].hook));
}
