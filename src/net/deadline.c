/* deadline.c - cuts connections that are slow: to send a head, a body, or to take an
 * answer.
 *
 * Invariant: each queue is sorted by deadline, because all its members wait equally long
 * from when they joined; so joining and leaving cost nothing. Surprise: the timer is not
 * moved when the connection it was set for leaves; it fires, finds nothing due and sets
 * itself anew. */
#include "net/server_private.h"

/* One timer serves all queues: it is set for the earliest. */
static void set_timer(struct server *s, int64_t now_ms, int64_t due_ms)
{
	s->deadlines_due_ms = due_ms;
	uint64_t after_ms = due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0;
	uv_timer_start(&s->deadlines, deadline_on_timer, after_ms, 0);
}

void deadline_set(struct connection *c, enum wait wait)
{
	struct server *s = c->server;
	list_remove(&c->wait_link);
	c->wait = wait;
	if (wait == WAIT_NONE)
		return;
	int64_t now_ms = (int64_t)uv_now(s->config.loop);
	c->deadline_ms = now_ms + s->wait_ms[wait];
	list_push(&s->waits[wait], &c->wait_link);
	bool active = uv_is_active((uv_handle_t *)&s->deadlines) != 0;
	if (!active || c->deadline_ms < s->deadlines_due_ms)
		set_timer(s, now_ms, c->deadline_ms);
}

/* The one that waits for wait the longest, NULL when there is none. */
static struct connection *oldest(struct server *s, enum wait wait)
{
	struct list *first = s->waits[wait].next;
	if (first == &s->waits[wait])
		return NULL;
	return container_of(first, struct connection, wait_link);
}

void deadline_on_timer(uv_timer_t *timer)
{
	struct server *s = timer->data;
	int64_t now_ms = (int64_t)uv_now(s->config.loop);
	int64_t next_ms = INT64_MAX;
	for (enum wait wait = 0; wait < WAITS; wait++) {
		struct connection *c = oldest(s, wait);
		while (c != NULL && c->deadline_ms <= now_ms) {
			list_remove(&c->wait_link);
			c->wait = WAIT_NONE;
			connection_expire(c, wait);
			c = oldest(s, wait);
		}
		if (c != NULL && c->deadline_ms < next_ms)
			next_ms = c->deadline_ms;
	}
	/* What expired may have joined a queue that was looked at before; deadline_set
	 * has then set the timer, and an earlier due time of its own wins. */
	bool active = uv_is_active((uv_handle_t *)timer) != 0;
	if (next_ms != INT64_MAX && (!active || next_ms < s->deadlines_due_ms))
		set_timer(s, now_ms, next_ms);
}
