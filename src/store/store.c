/* store.c - the short hands over a store's operations, and which kind of store a path
 * means.
 *
 * Invariant: at most one commit is under way, and everything made in its turn is done in
 * its turn. Surprise: the secret of ":memory:" is drawn here, so that the memory store
 * itself stays free of chance and a simulator can give it a secret of its own. */
#include "store/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int store_open(struct store **ret, const char *path, const struct store_options *o,
	struct err *err)
{
	if (strcmp(path, ":memory:") != 0)
		return store_open_sqlite(ret, path, o, err);
	uint8_t secret[TOKEN_SECRET_BYTES];
	/* A draw of this size is never short; it may only be interrupted before the
	 * kernel is seeded. */
	ssize_t got = getrandom(secret, sizeof secret, 0);
	while (got < 0 && errno == EINTR)
		got = getrandom(secret, sizeof secret, 0);
	if (got != (ssize_t)sizeof secret)
		return err_set(err, FISH_EIO, "no random bytes for the store's key: %s",
			strerror(errno));
	int rc = store_open_memory(ret, secret, err);
	explicit_bzero(secret, sizeof secret);
	return rc;
}

void store_parked_more(struct store_parked *sums, const struct store_park *p)
{
	sums->flows++;
	sums->hooks += p->hooks;
	sums->untaken += p->untaken;
	sums->apart += p->apart;
	sums->apart_untaken += p->apart ? p->untaken : 0;
}

void store_parked_less(struct store_parked *sums, const struct store_park *p)
{
	sums->flows--;
	sums->hooks -= p->hooks;
	sums->untaken -= p->untaken;
	sums->apart -= p->apart;
	sums->apart_untaken -= p->apart ? p->untaken : 0;
}

/* The request is the store's until its done function is called. */
static void submit(struct store *s, struct store_request *r, enum store_kind kind)
{
	/* The store's thread reads notify without a lock, and what it hands back before it
	 * knows whom to tell may lie there for ever. */
	if (!s->asked)
		s->notified = s->notify;
	s->asked = true;
	CHECK(s->notify == s->notified);
	r->kind = kind;
	r->rc = 0;
	r->results = NULL;
	s->under_way++;
	s->ops->submit(s, r);
}

void store_commit(struct store *s, struct store_commit *c)
{
	CHECK(!s->committing); /* the engine has one turn under way */
	s->committing = true;
	submit(s, &c->request, STORE_COMMIT);
}

void store_load(struct store *s, struct store_load *l)
{
	l->rows = NULL;
	l->nrows = 0;
	l->parked = false;
	l->park = (struct store_park){ 0 };
	submit(s, &l->request, STORE_LOAD);
}

void store_find(struct store *s, struct store_find *f)
{
	f->parked = false;
	f->ended = (struct store_ended){ 0 };
	submit(s, &f->request, STORE_FIND);
}

void store_list(struct store *s, struct store_list *l)
{
	CHECK(l->limit >= 1);
	CHECK(l->limit <= STORE_LIST_MAX);
	l->ended = NULL;
	l->nended = 0;
	l->ret_next = 0;
	submit(s, &l->request, STORE_LIST);
}

void store_walk(struct store *s, struct store_walk *w)
{
	CHECK(w->limit >= 1);
	CHECK(w->limit <= STORE_WALK_MAX);
	w->found = NULL;
	w->nfound = 0;
	w->ret_more = false;
	w->ret_next_ms = INT64_MAX;
	submit(s, &w->request, STORE_WALK);
}

void store_poll(struct store *s) { s->ops->poll(s); }

int store_recover(struct store *s, struct store_recovery *r, struct err *err)
{
	CHECK(!s->committing);
	r->ret_parked = (struct store_parked){ 0 };
	return s->ops->recover(s, r, err);
}

int store_recover_flow(struct store *s, const struct id *flow,
	const struct store_recovery *r, struct err *err)
{
	CHECK(!s->committing);
	return s->ops->recover_flow(s, flow, r, err);
}

int store_backup_begin(
	struct store *s, const char *path, enum store_backup_mode mode, struct err *err)
{
	if (s->ops->backup_begin == NULL)
		return err_set(err, FISH_EINVAL,
			"the store is in memory alone: there is no file to copy");
	return s->ops->backup_begin(s, path, mode, err);
}

void store_backup_look(struct store *s, struct store_backup *ret)
{
	*ret = (struct store_backup){ .phase = STORE_BACKUP_NONE };
	if (s->ops->backup_look != NULL)
		s->ops->backup_look(s, ret);
}

int store_add_key(struct store *s, const struct token_key *key, struct err *err)
{
	CHECK(key->id != 0);
	for (size_t i = 0; i < s->nkeys; i++)
		CHECK(s->keys[i].id != key->id);
	if (s->ops->add_key == NULL)
		return err_set(err, FISH_EINVAL,
			"a store in memory takes no keys: import into one that is a file");
	return s->ops->add_key(s, key, err);
}

struct store *store_close(struct store *s)
{
	if (s != NULL)
		s->ops->close(s);
	return NULL;
}

struct arena *request_results(struct store_request *r)
{
	if (r->results == NULL) {
		r->results = xalloc(sizeof *r->results);
		arena_init(r->results);
	}
	return r->results;
}

static void results_free(struct arena *results)
{
	if (results == NULL)
		return;
	arena_fini(results);
	free(results);
}

void request_finish(struct store *s, struct store_request *r)
{
	/* The request may be gone when done returns, so what is freed after it is noted
	 * before. */
	struct arena *results = r->results;

	s->under_way--;
	switch (r->kind) {
	case STORE_COMMIT:
		s->committing = false;
		request_commit(r)->done(request_commit(r), r->rc);
		break;
	case STORE_LOAD: request_load(r)->done(request_load(r), r->rc); break;
	case STORE_FIND: request_find(r)->done(request_find(r), r->rc); break;
	case STORE_LIST: request_list(r)->done(request_list(r), r->rc); break;
	case STORE_WALK: request_walk(r)->done(request_walk(r), r->rc); break;
	}
	results_free(results);
}

void request_drop(struct store_request *r)
{
	results_free(r->results);
	r->results = NULL;
}
