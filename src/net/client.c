/* client.c - attempts go out and come back: the lists of transfers, and their end.
 *
 * Invariant: an attempt's done runs once, from the loop, when curl has let go of its
 * transfer; never for one that was abandoned. Surprise: done may send and abandon others,
 * so all that curl finished in one round is taken from it first and told of afterwards. */
#include "net/client_private.h"

#include <stdlib.h>

int client_open(struct client **ret, const struct client_config *config, struct err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, FISH_EIO,
			"libcurl could not be set up: no calls can be made");
	struct client *c = xalloc(sizeof *c);
	c->config = *config;
	if (c->config.answer_bytes_max == 0)
		c->config.answer_bytes_max = ANSWER_BYTES_DEFAULT;
	list_init(&c->busy);
	list_init(&c->finished);
	list_init(&c->pool);
	if (client_poll_open(c) < 0) {
		free(c);
		curl_global_cleanup();
		return err_set(err, FISH_EIO,
			"libcurl gave no multi handle: no calls can be made");
	}
	c->sockets = xalloc(PORTS * sizeof *c->sockets);
	*ret = c;
	return 0;
}

/* To the pool, or away when that is full or the client drains. */
static void transfer_release(struct client *c, struct transfer *t)
{
	list_remove(&t->link);
	if (c->multi == NULL || c->npool >= TRANSFERS_POOLED_MAX) {
		transfer_free(t);
		return;
	}
	transfer_reset(t);
	list_push(&c->pool, &t->link);
	c->npool++;
}

void client_send(struct client *c, struct attempt *a)
{
	CHECK(c->multi != NULL); /* nobody sends once the client drains */
	struct list *pooled = list_shift(&c->pool);
	struct transfer *t = NULL;
	if (pooled != NULL) {
		t = container_of(pooled, struct transfer, link);
		c->npool--;
	} else {
		t = transfer_new(c);
	}
	a->transport_data = t;
	/* What cannot be sent fails like everything else: later, from the loop. */
	if (transfer_begin(t, a) < 0) {
		list_push(&c->finished, &t->link);
		client_poll_soon(c);
		return;
	}
	list_push(&c->busy, &t->link);
	CHECK(curl_multi_add_handle(c->multi, t->easy) == CURLM_OK);
}

void client_abandon(struct client *c, struct attempt *a)
{
	struct transfer *t = a->transport_data;
	if (t == NULL)
		return;
	a->transport_data = NULL;
	/* Harmless for one that curl has finished. */
	curl_multi_remove_handle(c->multi, t->easy);
	transfer_release(c, t);
}

void client_collect(struct client *c)
{
	int left = 0;
	for (CURLMsg *m = curl_multi_info_read(c->multi, &left); m != NULL;
		m = curl_multi_info_read(c->multi, &left)) {
		if (m->msg != CURLMSG_DONE)
			continue;
		struct transfer *t = NULL;
		CURLcode result = m->data.result;
		CURL *easy = m->easy_handle; /* m itself goes with the handle */
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &t);
		curl_multi_remove_handle(c->multi, easy);
		if (!transfer_finish(t, result)) {
			CHECK(curl_multi_add_handle(c->multi, easy) == CURLM_OK);
			continue;
		}
		list_remove(&t->link);
		list_push(&c->finished, &t->link);
	}
	bool told = false;
	/* One at a time from the front: done may abandon one that stands behind. */
	for (struct list *at = list_shift(&c->finished); at != NULL;
		at = list_shift(&c->finished)) {
		struct transfer *t = container_of(at, struct transfer, link);
		transfer_tell(t);
		transfer_release(c, t);
		told = true;
	}
	if (told)
		c->config.wake(c->config.wake_arg);
}

/* Without a word to their attempts. */
static void abandon_list(struct client *c, struct list *transfers)
{
	for (struct list *at = list_shift(transfers); at != NULL;
		at = list_shift(transfers)) {
		struct transfer *t = container_of(at, struct transfer, link);
		if (t->attempt != NULL) {
			t->attempt->transport_data = NULL;
			curl_multi_remove_handle(c->multi, t->easy);
		}
		transfer_free(t);
	}
}

void client_drain(struct client *c, void (*done)(void *arg), void *arg)
{
	CHECK(c->multi != NULL);
	c->done = done;
	c->done_arg = arg;
	abandon_list(c, &c->busy);
	abandon_list(c, &c->finished);
	abandon_list(c, &c->pool);
	c->npool = 0;
	client_poll_close(c);
}

void client_handle_closed(struct client *c)
{
	if (--c->handles_open == 0)
		c->done(c->done_arg);
}

struct client *client_free(struct client *c)
{
	if (c == NULL)
		return NULL;
	CHECK(c->multi == NULL); /* drained before */
	CHECK(c->handles_open == 0);
	free(c->sockets);
	free(c);
	curl_global_cleanup();
	return NULL;
}
