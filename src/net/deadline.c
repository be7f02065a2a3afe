/* deadline.c - cuts connections that are slow: to send a head, a body, or to take an
 * answer.
 *
 * A wait is cut into stretches of one length; after each it is judged whether enough bytes came
 * for another. Invariant: each queue is sorted by deadline, because all its members wait equally
 * long from when they joined; so joining and leaving cost nothing. Surprise: the timer is not
 * moved when the connection it was set for leaves; it fires, finds nothing due and sets
 * itself anew. */
#include "net/server_private.h"

/* As many stretches of about rate_grace_ms as make up the whole time exactly, or nearly so. */
static struct pace pace_of(const struct server_bounds *b, int64_t timeout_ms)
{
	int64_t n = (timeout_ms + b->rate_grace_ms - 1) / b->rate_grace_ms;
	if (n > UINT32_MAX)
		n = UINT32_MAX;
	int64_t stretch_ms = timeout_ms / n > 0 ? timeout_ms / n : 1;
	return (struct pace){
		.stretch_ms = stretch_ms,
		.stretches = (unsigned)n,
		.bytes_min = b->rate_bytes_min * (size_t)stretch_ms / 1000,
	};
}

void deadline_init(struct server *s)
{
	const struct server_bounds *b = &s->config.bounds;
	s->paces[WAIT_HEAD] = pace_of(b, b->head_timeout_ms);
	s->paces[WAIT_BODY] = pace_of(b, b->body_timeout_ms);
	s->paces[WAIT_WRITE] = pace_of(b, b->write_timeout_ms);
	s->paces[WAIT_IDLE] = (struct pace){ .stretch_ms = b->idle_timeout_ms, .stretches = 1 };
	s->paces[WAIT_LINGER] = (struct pace){
		.stretch_ms = b->write_timeout_ms < LINGER_MS ? b->write_timeout_ms : LINGER_MS,
		.stretches = 1,
	};
}

/* One timer serves all queues: it is set for the earliest. */
static void set_timer(struct server *s, int64_t now_ms, int64_t due_ms)
{
	s->deadlines_due_ms = due_ms;
	uint64_t after_ms = due_ms > now_ms ? (uint64_t)(due_ms - now_ms) : 0;
	uv_timer_start(&s->deadlines, deadline_on_timer, after_ms, 0);
}

static void begin_stretch(struct connection *c)
{
	struct server *s = c->server;
	int64_t now_ms = (int64_t)uv_now(s->config.loop);
	c->came = c->wait == WAIT_WRITE ? uv_stream_get_write_queue_size(&c->uv.stream) : 0;
	c->deadline_ms = now_ms + s->paces[c->wait].stretch_ms;
	list_push(&s->waits[c->wait], &c->wait_link);
	bool active = uv_is_active((uv_handle_t *)&s->deadlines) != 0;
	if (!active || c->deadline_ms < s->deadlines_due_ms)
		set_timer(s, now_ms, c->deadline_ms);
}

void deadline_set(struct connection *c, enum wait wait)
{
	list_remove(&c->wait_link);
	c->wait = wait;
	if (wait == WAIT_NONE)
		return;
	c->stretches = c->server->paces[wait].stretches;
	begin_stretch(c);
}

bool deadline_again(struct connection *c, enum wait wait)
{
	const struct pace *pace = &c->server->paces[wait];
	size_t moved = c->came;
	if (wait == WAIT_WRITE) {
		size_t left = uv_stream_get_write_queue_size(&c->uv.stream);
		moved = left < c->came ? c->came - left : 0;
	}
	if (c->stretches <= 1 || moved < pace->bytes_min)
		return false;
	c->stretches--;
	c->wait = wait;
	begin_stretch(c);
	return true;
}

/* The one that waits for wait the longest, NULL when there is none. */
static struct connection *oldest(struct server *s, enum wait wait)
{
	struct list *first = s->waits[wait].next;
	if (first == &s->waits[wait])
		return NULL;
	return container_of(first, struct connection, wait_link);
}

void deadline_make_room(struct server *s)
{
	struct connection *c = oldest(s, WAIT_IDLE);
	if (c != NULL)
		connection_close(c);
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
			if (!deadline_again(c, wait))
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
