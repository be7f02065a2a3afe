/* sqlite_thread.c - the store thread: takes requests in order, one at a time, and hands
 * them back.
 *
 * While it waits for the disk the owner gathers its next turn: that is the group commit.
 * Invariant: the connection and the index belong to whoever has set busy: the thread
 * while it carries something out, the owner while it has borrowed them. Surprise: after a
 * commit is handed back the thread tidies up before it takes the next request, so the
 * owner never waits for a dropped segment or a checkpoint; and a backup gets a piece of its
 * time after each commit, and what nobody asks for. */
#include "store/sqlite.h"

#include <signal.h>
#include <string.h>

static void carry_out(struct sqlite_store *s, struct store_request *r)
{
	switch (r->kind) {
	case STORE_COMMIT: r->rc = sqlite_commit(s, request_commit(r)); break;
	case STORE_LOAD: r->rc = sqlite_load(s, request_load(r)); break;
	case STORE_FIND: r->rc = sqlite_find(s, request_find(r)); break;
	case STORE_LIST: r->rc = sqlite_list(s, request_list(r)); break;
	case STORE_WALK: sqlite_walk(s, request_walk(r)); break;
	}
}

/* r is the owner's again once it is in the list; nothing of it is read after. */
static void hand_back(struct sqlite_store *s, struct store_request *r)
{
	pthread_mutex_lock(&s->mutex);
	/* The poll that the first one called for takes the others along. */
	bool notify = list_empty(&s->finished) && !s->stopping;
	list_push(&s->finished, &r->link);
	pthread_mutex_unlock(&s->mutex);
	if (notify && s->base.notify != NULL)
		s->base.notify(s->base.notify_arg);
}

/* True when it was a commit. */
static bool take(struct sqlite_store *s, struct store_request *r)
{
	bool commits = r->kind == STORE_COMMIT;

	carry_out(s, r);
	hand_back(s, r);
	if (commits)
		sqlite_tidy(s);
	if (s->refused_ms != 0)
		room_make(s);
	return commits;
}

/* Under the mutex. A backup leaves the connection to who wants to borrow it. */
static bool is_work(const struct sqlite_store *s)
{
	return !list_empty(&s->queue) || (s->wanted == 0 && backup_is_due(s));
}

static void *thread_main(void *arg)
{
	struct sqlite_store *s = arg;

	pthread_mutex_lock(&s->mutex);
	for (;;) {
		/* busy here means that the connection is lent to the owner. */
		while ((!is_work(s) || s->busy) && !s->stopping)
			pthread_cond_wait(&s->wake, &s->mutex);
		struct list *node = list_shift(&s->queue);
		if (node == NULL && s->stopping)
			break;
		s->busy = true;
		pthread_mutex_unlock(&s->mutex);

		bool committed = false;
		if (node != NULL)
			committed = take(s, container_of(node, struct store_request, link));

		pthread_mutex_lock(&s->mutex);
		bool copies = (node == NULL || committed) && backup_is_due(s);
		pthread_mutex_unlock(&s->mutex);
		if (copies)
			backup_piece(s);

		pthread_mutex_lock(&s->mutex);
		s->busy = false;
		pthread_cond_broadcast(&s->idle);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

int sqlite_thread_new(pthread_t *ret, void *(*main)(void *arg), void *arg)
{
	sigset_t all;
	sigset_t before;

	/* Signals are the business of the owner's thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = pthread_create(ret, NULL, main, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int sqlite_thread_start(struct sqlite_store *s, struct err *err)
{
	int rc = sqlite_thread_new(&s->thread, thread_main, s);

	if (rc != 0)
		return err_set(err, FISH_EIO, "store %s: cannot start its thread: %s",
			s->path, strerror(rc));
	s->has_thread = true;
	return 0;
}

void sqlite_thread_stop(struct sqlite_store *s)
{
	if (!s->has_thread)
		return;
	pthread_mutex_lock(&s->mutex);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
	pthread_join(s->thread, NULL);
	for (struct list *node = NULL; (node = list_shift(&s->finished)) != NULL;)
		request_drop(container_of(node, struct store_request, link));
}

void sqlite_borrow(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->wanted++;
	while (s->busy || !list_empty(&s->queue))
		pthread_cond_wait(&s->idle, &s->mutex);
	s->wanted--;
	s->busy = true;
	pthread_mutex_unlock(&s->mutex);
}

void sqlite_give_back(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->mutex);
	s->busy = false;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->mutex);
}

void sqlite_submit(struct store *base, struct store_request *r)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	pthread_mutex_lock(&s->mutex);
	list_push(&s->queue, &r->link);
	pthread_mutex_unlock(&s->mutex);
	/* After the unlock: who wakes on another core would run into the mutex at once. */
	pthread_cond_signal(&s->wake);
}

void sqlite_poll(struct store *base)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	/* What is there now, in order; what done functions cause comes with a notify of
	 * its own. */
	pthread_mutex_lock(&s->mutex);
	struct list taken;
	list_init(&taken);
	for (struct list *node = NULL; (node = list_shift(&s->finished)) != NULL;)
		list_push(&taken, node);
	pthread_mutex_unlock(&s->mutex);
	for (struct list *node = NULL; (node = list_shift(&taken)) != NULL;)
		request_finish(base, container_of(node, struct store_request, link));
}
