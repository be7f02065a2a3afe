/* memory.c - the store that forgets: for tests, the simulator and ":memory:".
 *
 * Invariant: requests wait in one queue and are carried out and finished in order, on the
 * owner's thread, inside poll or store_memory_complete; until then nothing of them is
 * durable. Surprise: notify is called from inside the submit, because a poll would find
 * something at once. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>

struct memory {
	struct store base;
	struct token_key key;
	struct list queue;
	size_t pending; /* requests in queue */
	bool held;
	int64_t time_ms; /* greatest now_ms carried out */
	struct memory_rows *rows;
	struct memory_ended *ended;
};

static const struct store_ops memory_ops;

static struct memory *memory_of(const struct store *s)
{
	CHECK(s->ops == &memory_ops); /* the extras are for the memory store only */
	return container_of(s, struct memory, base);
}

int store_open_memory(
	struct store **ret, const uint8_t secret[TOKEN_SECRET_BYTES], struct err *err)
{
	(void)err; /* nothing can go wrong; the shape is that of its kin */
	struct memory *m = xalloc(sizeof *m);
	m->base.ops = &memory_ops;
	m->base.keys = &m->key;
	m->base.nkeys = 1;
	m->key.id = 1;
	memcpy(m->key.secret, secret, TOKEN_SECRET_BYTES);
	list_init(&m->queue);
	m->rows = memory_rows_new();
	m->ended = memory_ended_new();
	*ret = &m->base;
	return 0;
}

/* A poll would find something. */
static void memory_notify(struct memory *m)
{
	if (m->base.notify != NULL)
		m->base.notify(m->base.notify_arg);
}

static void memory_submit(struct store *s, struct store_request *r)
{
	struct memory *m = memory_of(s);

	list_push(&m->queue, &r->link);
	m->pending++;
	if (!m->held)
		memory_notify(m);
}

/* All of it at once: here is the moment when the commit becomes durable. */
static void carry_out_commit(struct memory *m, const struct store_commit *c)
{
	for (size_t i = 0; i < c->nrows; i++)
		memory_rows_add(m->rows, &c->rows[i]);
	for (size_t i = 0; i < c->nended; i++)
		memory_ended_add(m->ended, &c->ended[i]);
	for (size_t i = 0; i < c->nparks; i++)
		memory_park(m->rows, &c->parks[i]);
	memory_ended_expire(m->ended, c->now_ms, STORE_ENDED_DROPS + c->nended);
	if (c->now_ms > m->time_ms)
		m->time_ms = c->now_ms;
}

/* What lives comes before what has ended: a key may have been used again. */
static int carry_out_find(struct memory *m, struct store_find *f)
{
	int rc = memory_parked_find(m->rows, f);

	return rc == 0 ? 0 : memory_ended_find(m->ended, f);
}

static void carry_out(struct memory *m, struct store_request *r, enum memory_fault fault)
{
	switch (r->kind) {
	case STORE_COMMIT:
		if (fault == MEMORY_COMMIT_FAILS)
			r->rc = FISH_ESTORE;
		else
			carry_out_commit(m, request_commit(r));
		break;
	case STORE_LOAD: r->rc = memory_rows_load(m->rows, request_load(r)); break;
	case STORE_FIND: r->rc = carry_out_find(m, request_find(r)); break;
	case STORE_LIST: memory_ended_list(m->ended, request_list(r)); break;
	case STORE_WALK: memory_parked_walk(m->rows, request_walk(r)); break;
	}
}

/* The request may be gone after this: its owner frees it in done. */
static void complete_oldest(struct memory *m, enum memory_fault fault)
{
	struct list *node = list_shift(&m->queue);
	CHECK(node != NULL); /* callers asked for what is pending */
	struct store_request *r = container_of(node, struct store_request, link);
	m->pending--;
	carry_out(m, r, fault);
	request_finish(&m->base, r);
}

static void memory_poll(struct store *s)
{
	struct memory *m = memory_of(s);

	/* What done functions add waits for the next poll: a chain of requests cannot
	 * hold this one. */
	for (size_t n = m->pending; n > 0 && m->pending > 0 && !m->held; n--)
		complete_oldest(m, MEMORY_OK);
}

static int memory_recover(struct store *s, struct store_recovery *r, struct err *err)
{
	(void)err;
	/* Reads that are under way need not run first: they change nothing and nothing
	 * changes them. */
	return memory_rows_recover(memory_of(s)->rows, r);
}

static int memory_recover_flow(struct store *s, const struct id *flow,
	const struct store_recovery *r, struct err *err)
{
	(void)err;
	return memory_rows_recover_flow(memory_of(s)->rows, flow, r);
}

static void memory_close(struct store *s)
{
	struct memory *m = memory_of(s);
	struct list *node = NULL;

	/* What is under way here has not begun, so there is nothing to wait for. */
	while ((node = list_shift(&m->queue)) != NULL)
		request_drop(container_of(node, struct store_request, link));
	m->rows = memory_rows_free(m->rows);
	m->ended = memory_ended_free(m->ended);
	explicit_bzero(&m->key, sizeof m->key);
	free(m);
}

static const struct store_ops memory_ops = {
	.submit = memory_submit,
	.poll = memory_poll,
	.recover = memory_recover,
	.recover_flow = memory_recover_flow,
	.close = memory_close,
};

void store_memory_hold(struct store *s, bool held)
{
	struct memory *m = memory_of(s);

	m->held = held;
	if (!held && m->pending > 0)
		memory_notify(m);
}

void store_memory_complete(struct store *s, enum memory_fault fault)
{
	complete_oldest(memory_of(s), fault);
}

size_t store_memory_pending(const struct store *s) { return memory_of(s)->pending; }

/* The commit under way, or NULL. */
static struct store_commit *pending_commit(struct memory *m)
{
	for (struct list *node = m->queue.next; node != &m->queue; node = node->next) {
		struct store_request *r = container_of(node, struct store_request, link);
		if (r->kind == STORE_COMMIT)
			return request_commit(r);
	}
	return NULL;
}

struct store *store_memory_crash(struct store *s, bool keep_pending_commit)
{
	struct memory *old = memory_of(s);
	struct store_commit *c = pending_commit(old);

	if (keep_pending_commit && c != NULL)
		carry_out_commit(old, c);

	struct store *survivor = NULL;
	/* The same secret, as it stands in the file of a store that has one: old URLs go
	 * on working. */
	store_open_memory(&survivor, old->key.secret, NULL);
	struct memory *m = memory_of(survivor);
	m->time_ms = old->time_ms;
	m->base.time_ms = old->time_ms;

	/* The tables change hands whole; the old store is closed with the survivor's
	 * empty ones. */
	struct memory_rows *no_rows = m->rows;
	struct memory_ended *no_ended = m->ended;
	m->rows = old->rows;
	m->ended = old->ended;
	old->rows = no_rows;
	old->ended = no_ended;
	store_close(s);
	return survivor;
}
