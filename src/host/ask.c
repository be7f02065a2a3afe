/* ask.c - asks cross from threads to the loop, and their answers back.
 *
 * Invariant: an ask is in one list at most, and moves only under the lock; the engine's
 * functions are called without it, as they may answer before they return. Surprise: after
 * an ask was handed to the engine it may be gone already, together with its thread. */
#include "host/ask.h"

#include "wire/entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ask {
	struct list    link;
	struct asks   *asks;
	pthread_cond_t answered;
	bool           is_answered;
	bool           thread_left;      /* who asked has gone without its answer */
	bool           engine_has;
	bool           starts;           /* start, else watch */
	bool           looks;            /* does not wait for a flow that goes on */
	int            rc;               /* the answer; while under way, what being forgotten means */
	struct id      id;
	struct buf     json;             /* a watch's result */
	char          *text;             /* a start's words, owned */
	struct start   start;
	struct watch   watch;
};

void asks_init(struct asks *a)
{
	list_init(&a->waiting);
	list_init(&a->taken);
	list_init(&a->dropped);
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->gone, NULL);
}

static struct ask *ask_new(struct asks *a)
{
	struct ask *k = xalloc(sizeof *k);
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&k->answered, &monotonic);
	pthread_condattr_destroy(&monotonic);
	list_init(&k->link);
	k->asks = a;
	buf_init(&k->json, SIZE_MAX);
	return k;
}

static void ask_free(struct ask *k)
{
	list_remove(&k->link);
	pthread_cond_destroy(&k->answered);
	buf_fini(&k->json);
	free(k->text);
	free(k);
}

static void free_all(struct list *asks)
{
	struct list *l = NULL;

	while ((l = list_shift(asks)))
		ask_free(container_of(l, struct ask, link));
}

void asks_fini(struct asks *a)
{
	CHECK(a->inside == 0);             /* asks_end has waited for them */
	CHECK(list_empty(&a->waiting));    /* and the engine never had these */
	free_all(&a->taken);
	free_all(&a->dropped);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->gone);
}

/* ---- the loop's side ---- */

/* Under the lock. */
static void answer(struct ask *k, int rc)
{
	if (k->is_answered)
		return;
	k->rc = rc;
	k->is_answered = true;
	pthread_cond_signal(&k->answered);
}

/* The engine has let go of k, which is its thread's now, or nobody's. */
static void settle(struct ask *k, int rc)
{
	struct asks *a = k->asks;

	if (a->in_hand == k)
		a->in_hand = NULL;
	pthread_mutex_lock(&a->lock);
	list_remove(&k->link);
	k->engine_has = false;
	answer(k, rc);
	bool left = k->thread_left;

	pthread_mutex_unlock(&a->lock);
	if (left)
		ask_free(k);
}

static void on_start(struct start *s, int rc, const struct id *id, bool existed, const char *why)
{
	struct ask *k = container_of(s, struct ask, start);

	(void)existed;
	(void)why;
	k->id = *id;
	settle(k, rc);
}

/* Why a flow did not come to a result, as one JSON value like a result. */
static int put_why(struct ask *k, int rc, struct slice why)
{
	buf_json_string(&k->json, why);
	return rc;
}

static int put_end(struct ask *k, int status, struct slice result)
{
	switch ((enum end_status)status) {
	case END_DONE: break;
	case END_FAILED: return put_why(k, FISH_EFAILED, result);
	case END_CANCELLED: return put_why(k, FISH_ECANCELLED, result);
	}
	buf_put_slice(&k->json, result.len > 0 ? result : SLICE_LIT("null"));
	return 0;
}

static void on_watch(struct watch *w, int rc, int status, struct slice result)
{
	struct ask *k = container_of(w, struct ask, watch);

	if (rc == 0)
		rc = put_end(k, status, result);
	else if (rc == FISH_ESTOPPED)
		rc = put_why(k, rc, result);
	settle(k, rc);
}

static void on_forgotten(struct watch *w)
{
	struct ask *k = container_of(w, struct ask, watch);

	settle(k, k->rc);
}

/* The watch ends without the flow's end; at once, or when the store lets go of it. */
static void forget(struct ask *k, int rc)
{
	k->rc = rc;
	engine_unwatch(k->asks->engine, &k->watch, on_forgotten);
}

/* Nothing of k may be touched once the engine has it, but while it is in hand. */
static void hand_over(struct asks *a, struct ask *k)
{
	bool looks = k->looks;

	if (k->starts) {
		engine_start(a->engine, &k->start);
		return;
	}
	a->in_hand = k;
	engine_watch(a->engine, &k->watch);
	/* Among a live flow's watches; one that is in no list is being looked up. */
	if (looks && a->in_hand == k && !list_empty(&k->watch.link))
		forget(k, FISH_ETIMEOUT);
	a->in_hand = NULL;
}

/* The first of from, which goes to taken; NULL: there is none. */
static struct ask *take_one(struct asks *a, struct list *from)
{
	struct ask *k = NULL;

	pthread_mutex_lock(&a->lock);
	struct list *l = list_shift(from);

	if (l != NULL) {
		k = container_of(l, struct ask, link);
		k->engine_has = true;
		list_push(&a->taken, &k->link);
	}
	pthread_mutex_unlock(&a->lock);
	return k;
}

void asks_take(struct asks *a)
{
	struct ask *k = NULL;

	while ((k = take_one(a, &a->waiting)))
		hand_over(a, k);
	while ((k = take_one(a, &a->dropped)))
		forget(k, FISH_ETIMEOUT);
}

void asks_shut(struct asks *a)
{
	struct list taken;
	struct list *l = NULL;

	list_init(&taken);
	pthread_mutex_lock(&a->lock);
	a->shut = true;
	while ((l = list_shift(&a->waiting)))
		answer(container_of(l, struct ask, link), FISH_EGONE);
	while ((l = list_shift(&a->dropped)))
		list_push(&taken, l);
	while ((l = list_shift(&a->taken)))
		list_push(&taken, l);
	pthread_mutex_unlock(&a->lock);
	for (struct ask *k = NULL; (k = take_one(a, &taken));) {
		/* What is to be durable soon is waited for. */
		if (!k->starts)
			forget(k, FISH_EGONE);
	}
}

/* Under the lock: the loop turns no more. The engine keeps what it has until it goes. */
static void answer_all(struct asks *a)
{
	struct list *l = NULL;

	a->shut = true;
	while ((l = list_shift(&a->waiting)))
		answer(container_of(l, struct ask, link), FISH_EGONE);
	for (l = a->taken.next; l != &a->taken; l = l->next)
		answer(container_of(l, struct ask, link), FISH_EGONE);
}

int asks_run_begin(struct asks *a)
{
	int rc = 0;

	pthread_mutex_lock(&a->lock);
	if (a->running)
		rc = pthread_equal(a->runner, pthread_self()) ? FISH_EINVAL : FISH_EBUSY;
	else if (a->shut)
		rc = FISH_EGONE;
	if (rc == 0) {
		a->running = true;
		a->runner = pthread_self();
		a->inside++;
	}
	pthread_mutex_unlock(&a->lock);
	return rc;
}

/* Under the lock. */
static void leave(struct asks *a)
{
	a->inside--;
	pthread_cond_broadcast(&a->gone);
}

void asks_run_end(struct asks *a)
{
	pthread_mutex_lock(&a->lock);
	a->running = false;
	answer_all(a);
	leave(a);
	pthread_mutex_unlock(&a->lock);
}

void asks_end(struct asks *a)
{
	pthread_mutex_lock(&a->lock);
	if (a->running && pthread_equal(a->runner, pthread_self()))
		words_failed("fish_server_close is called from inside of fish_server_run, by a flow or what it "
		             "defers; it would wait for itself: call fish_server_stop, and close when the run "
		             "has returned");
	/* Else asks_run_end does it. */
	if (!a->running)
		answer_all(a);
	while (a->inside > 0)
		pthread_cond_wait(&a->gone, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

/* ---- the other threads' side ---- */

/* Under the lock: sleeps until the answer, or until timeout_ms have passed. */
static void sleep_until_answered(struct ask *k, int64_t timeout_ms)
{
	pthread_mutex_t *lock = &k->asks->lock;
	struct timespec until = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(timeout_ms / 1000);
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	for (int late = 0; !k->is_answered && late != ETIMEDOUT;) {
		if (timeout_ms == FISH_FOREVER)
			late = pthread_cond_wait(&k->answered, lock);
		else
			late = pthread_cond_timedwait(&k->answered, lock, &until);
	}
}

/* Under the lock: may k be asked now, and by this thread? */
static int may_ask(const struct asks *a, const struct ask *k)
{
	if (a->shut || __atomic_load_n(&a->stopping, __ATOMIC_SEQ_CST))
		return FISH_EGONE;
	/* The loop would wait for itself: a flow asks, or what it defers. */
	if (a->running && pthread_equal(a->runner, pthread_self()))
		return FISH_EINVAL;
	return k->looks && !a->running ? FISH_ETIMEOUT : 0;
}

/* Under the lock: the thread goes without an answer. */
static void give_up(struct ask *k)
{
	if (!k->engine_has) {
		list_remove(&k->link);
		return;
	}
	list_remove(&k->link);
	list_push(&k->asks->dropped, &k->link);
	uv_async_send(k->asks->async);
}

/* Hands k in and waits. False: k is the engine's to free, and only *ret_rc is left. */
static bool ask(struct ask *k, int64_t timeout_ms, int *ret_rc)
{
	struct asks *a = k->asks;

	pthread_mutex_lock(&a->lock);
	int rc = may_ask(a, k);

	if (rc == 0) {
		a->inside++;
		list_push(&a->waiting, &k->link);
		uv_async_send(a->async);
		sleep_until_answered(k, timeout_ms);
		rc = k->is_answered ? k->rc : FISH_ETIMEOUT;
		if (!k->is_answered)
			give_up(k);
		leave(a);
	}
	bool ours = !k->engine_has;

	k->thread_left = true;
	pthread_mutex_unlock(&a->lock);
	*ret_rc = rc;
	return ours;
}

/* The engine borrows a start's words for longer than the thread may stay. */
static void copy_words(struct ask *k, const struct start *what)
{
	struct slice *words[] = { &k->start.flow, &k->start.key, &k->start.input };
	char *at = xalloc(what->flow.len + what->key.len + what->input.len + 1);

	k->start = *what;
	k->start.done = on_start;
	list_init(&k->start.link);
	k->text = at;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (words[i]->len > 0)
			memcpy(at, words[i]->ptr, words[i]->len);
		words[i]->ptr = at;
		at += words[i]->len;
	}
}

int ask_start(struct asks *a, const struct start *what, struct id *ret_id)
{
	struct ask *k = ask_new(a);
	int rc = 0;

	k->starts = true;
	copy_words(k, what);
	if (!ask(k, FISH_FOREVER, &rc))
		return rc;
	if (rc == 0)
		*ret_id = k->id;
	ask_free(k);
	return rc;
}

int ask_wait(struct asks *a, const struct id *id, int64_t timeout_ms, char **ret_json)
{
	struct ask *k = ask_new(a);
	int rc = 0;

	k->looks = timeout_ms <= 0;
	k->watch = (struct watch){ .id = *id, .done = on_watch };
	list_init(&k->watch.link);
	if (!ask(k, k->looks ? FISH_FOREVER : timeout_ms, &rc))
		return rc;
	if (ret_json != NULL && k->json.len > 0)
		*ret_json = buf_take(&k->json);
	ask_free(k);
	return rc;
}
