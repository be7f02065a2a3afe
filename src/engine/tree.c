/* tree.c - parents and children: counted, waited for, cancelled downwards.
 *
 * Invariants: a child's START and its parent's PROGRESS, a child's END and the news of it for the
 * parent stand in one commit each; a parent ends after its children. In a parent's list of children
 * those not yet cancelled stand before those that are, so that the walk down never looks twice.
 * Surprise: the parent of many is not woken by each child: one CHILDREN entry a commit counts. */
#include "engine/fetch.h"
#include "engine/run.h"
#include "engine/world.h"

#include <stdlib.h>

enum { CANCELS_PER_TURN = 256, STATUS_DONE = 200, STATUS_FAILED = 500, STATUS_CANCELLED = 499 };

static void count_later(struct flow *parent)
{
	if (list_empty(&parent->parents_link))
		list_push(&parent->engine->gather->parents, &parent->parents_link);
}

void tree_flush(struct flow *parent)
{
	struct entry e = {
		.kind = ENTRY_CHILDREN, .added = parent->children_added, .ended = parent->children_ended };

	list_remove(&parent->parents_link);
	if ((!e.added && !e.ended) || parent->state == FLOW_ENDED)
		return;
	parent->children_added = 0;
	parent->children_ended = 0;
	flow_append(parent, &e);
	if (!parent->born.len)
		return;
	parent->flushing = true;
	flow_append(parent, &(struct entry){ .kind = ENTRY_BORN, .born = buf_slice(&parent->born) });
	parent->flushing = false;
	buf_reset(&parent->born);
}

/* Who it is, for the parent: a hook's child by its message, so that a duplicate is known. One whose
 * delivery stands in the parent's journal (epoch) is known by that. */
static void note_birth(struct flow *parent, const struct flow *child, bool in_journal)
{
	struct entry_born b = {
		.source = child->parent_source, .number = child->parent_number,
		.has_id = child->has_key, .id = child->key };

	if (child->parent_source == SOURCE_CHILD) {
		b.has_id = true;
		b.id = child->id;
		flow_kid_add(parent, b.number, &b.id);
	} else if (in_journal) {
		return;
	} else {
		flow_hook_received(parent, b.number, child->has_key ? &child->key : NULL);
	}
	entry_born_put(&parent->born, &b);
}

void tree_child_started(struct flow *parent, struct flow *child)
{
	CHECK(child->parent == parent);
	note_birth(parent, child, child->parent_source == SOURCE_HOOK && child->parent_epoch);
	parent->children_added++;
	count_later(parent);
}

static int status_of(enum end_status status)
{
	switch (status) {
	case END_DONE:
		return STATUS_DONE;
	case END_FAILED:
		return STATUS_FAILED;
	case END_CANCELLED:
		return STATUS_CANCELLED;
	}
	return STATUS_FAILED;
}

static void tell(struct flow *parent, const struct flow *child, enum end_status status, struct slice result)
{
	flow_settle(parent);
	/* The life that held its hook may be over, perhaps only just now. */
	if (parent->state == FLOW_ENDED || child->parent_epoch != parent->epoch)
		return;
	flow_append(parent, &(struct entry){
		.kind = ENTRY_MESSAGE, .source = SOURCE_CHILD, .number = child->parent_number,
		.status = status_of(status), .body = result });
}

/* A stopped flow has no run to wind up: once cancelled, it goes when its children have. */
void tree_stopped(struct flow *f)
{
	if (f->state != FLOW_STOPPED || !f->cancelled)
		return;
	if (flow_children(f)) {
		tree_cancel_children(f);
		return;
	}
	while (!list_empty(&f->calls))
		call_drop(container_of(f->calls.next, struct call, link));
	flow_end(f, END_CANCELLED, SLICE_LIT("cancelled"), buf_slice(&f->untaken));
}

void tree_child_ended(struct flow *child, enum end_status status, struct slice result)
{
	struct flow *parent = child->parent;

	if (!parent)
		return;
	list_remove(&child->sibling);
	child->parent = NULL;
	if (parent->unread)
		return;
	parent->children_ended++;
	count_later(parent);
	if (child->parent_source == SOURCE_CHILD)
		tell(parent, child, status, result);
	if (parent->state == FLOW_ENDED || flow_children(parent))
		return;
	tree_stopped(parent);
	/* Its function may have returned: only its run, or its replay, knows. */
	if (parent->closing || parent->cancelled)
		flow_wake(parent);
}

void tree_cancel_children(struct flow *f)
{
	if ((!list_empty(&f->children) || !f->walked) && flow_children(f) && list_empty(&f->cancelling))
		list_push(&f->engine->cancelling, &f->cancelling);
}

void tree_cancel(struct flow *f)
{
	if (f->cancelled || f->state == FLOW_ENDED)
		return;
	flow_append(f, &(struct entry){ .kind = ENTRY_CANCEL });
	for (size_t i = 0; i < f->nhooks; i++)
		if (f->hooks[i].each && !f->hooks[i].closed)
			flow_append(f, &(struct entry){
				.kind = ENTRY_CLOSED, .number = f->hooks[i].number,
				.name = SLICE_LIT("cancelled") });
	tree_cancel_children(f);
	tree_stopped(f);
}

/* ---- down to the parked ones: some of them at a time, by a cursor over their ids ---- */

struct walk {
	struct store_walk request;
	struct engine    *engine;
	uint64_t          resets;      /* the engine's, when it was begun */
	struct id         parent, after;
	bool              more;
	size_t            pending;     /* children that are being fetched, and one for the walk itself */
	struct list       link;        /* in engine->walks */
};

struct walked {
	struct wanted wanted;
	struct walk  *walk;
};

static void parked_walk(struct flow *f, struct id after);

/* The cancel that it serves may have been rolled back since, and its parent read anew. */
static bool walk_stands(const struct walk *w)
{
	return !engine_away(w->engine) && w->resets == w->engine->resets;
}

static void walk_step_over(struct walk *w)
{
	struct flow *f = map_get(&w->engine->flows, &w->parent);

	if (--w->pending)
		return;
	list_remove(&w->link);
	if (f && f->walking && walk_stands(w)) {
		f->walking = false;
		if (w->more)
			parked_walk(f, w->after);
		else
			f->walked = true;
	}
	free(w);
}

static void child_there(struct wanted *wanted, struct flow *child)
{
	struct walked *x = container_of(wanted, struct walked, wanted);
	struct walk *w = x->walk;

	free(x);
	if (child && !child->cancelled && walk_stands(w)) {
		flow_settle(child);
		tree_cancel(child);
	}
	walk_step_over(w);
}

static void walked(struct store_walk *request, int rc)
{
	struct walk *w = container_of(request, struct walk, request);

	(void)rc;
	w->more = request->ret_more && request->nfound;
	w->pending = 1;
	if (w->more)
		w->after = request->found[request->nfound - 1].flow;
	for (size_t i = 0; i < request->nfound && walk_stands(w) && map_get(&w->engine->flows, &w->parent); i++) {
		struct walked *x = xalloc(sizeof *x);

		x->walk = w;
		x->wanted = (struct wanted){ .id = request->found[i].flow, .done = child_there };
		w->pending++;
		flow_want(w->engine, &x->wanted);
	}
	walk_step_over(w);
}

static void parked_walk(struct flow *f, struct id after)
{
	struct walk *w = xalloc(sizeof *w);

	f->walking = true;
	w->engine = f->engine;
	w->resets = f->engine->resets;
	w->parent = f->id;
	w->request = (struct store_walk){
		.by = STORE_WALK_CHILDREN, .parent = f->id, .after = after, .limit = CANCELS_PER_TURN, .done = walked };
	list_push(&f->engine->walks, &w->link);
	store_walk(f->engine->store, &w->request);
}

void walks_free(struct engine *e)
{
	for (struct list *l; (l = list_shift(&e->walks));)
		free(container_of(l, struct walk, link));
}

void tree_walk(struct engine *e)
{
	struct list *l;

	for (int budget = CANCELS_PER_TURN; budget > 0 && (l = list_shift(&e->cancelling));) {
		struct flow *f = container_of(l, struct flow, cancelling);

		while (!list_empty(&f->children) && budget-- > 0) {
			struct flow *child = container_of(f->children.next, struct flow, sibling);

			if (child->cancelled)
				break;
			flow_settle(child);
			tree_cancel(child);       /* goes behind the others, or out of the list */
		}
		if (budget <= 0)
			list_push(&e->cancelling, &f->cancelling);
		else if (!f->walked && !f->walking)
			parked_walk(f, (struct id){ { 0 } });
	}
}
