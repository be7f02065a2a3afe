/* view.h - a journal put into words: one JSON object an entry, and what the last PROGRESS tells. */
#ifndef FISH_VIEW_H
#define FISH_VIEW_H

#include "base/buf.h"
#include "engine/ledger.h"
#include "store/store.h"
#include "wire/entry.h"

struct view {
	struct buf        journal;    /* JSON objects, comma-separated */
	struct slice      input;
	struct entry_step last;       /* the last step begun */
	int64_t           last_ms;    /* when it was reached */
	uint32_t          steps;
	size_t            nentries;
	struct slice     *published;  /* (name, JSON) pairs, the newest of each name */
	size_t            npublished;
	struct ledger_message *messages;   /* deliveries to hooks, by age; not known to be taken */
	size_t            nmessages, messages_cap;
	struct buf        kept;       /* the bytes that input and last point into */
};

struct view *view_new(const struct store_load *load);
struct view *view_free(struct view *v);
/* At most a line's worth, for a person's eye: whole characters if it is text. */
struct slice view_cut(struct slice bytes);
/* The members of a live flow's JSON object that a list has too, without the braces. */
struct flow;
void         show_flow(struct buf *out, const struct flow *f);
/* show_taken.c: which of the view's messages are taken, of a flow in memory or of an ended one whose untaken ones
 * these entries are; then they are in the order that the ledger wants. */
void         show_taken(struct view *v, const struct flow *f);
void         show_taken_ended(struct view *v, struct slice untaken);
/* How many messages of that hook are untaken, as far as is known. */
struct untaken_bounds {
	size_t least, most;
};
struct untaken_bounds show_untaken(const struct flow *f, uint32_t number);
/* The members of an ended flow's JSON object, without the braces. */
void         view_ended(struct buf *out, const struct store_ended *x);

#endif
