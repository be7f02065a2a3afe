/* exchange_flush.c - answers leave: in the order of the requests, all that are due in one
 * write.
 *
 * Invariant: a connection has at most one write under way, and the exchanges in it stay
 * where they are until it is over. Surprise: answers do not leave when they are given but
 * when the round of the loop is over, because a commit answers many requests of one
 * connection at once. */
#include "net/server_private.h"

static const char continue_line[] = "HTTP/1.1 100 Continue\r\n\r\n";

void exchanges_flush_later(struct connection *c)
{
	struct server *s = c->server;
	struct exchange *first = container_of(c->exchanges.next, struct exchange, link);
	/* One further back waits for its turn, and goes out with the first. */
	bool due = first->state == EXCHANGE_ANSWERED || first->continue_due;
	if (c->closing || !due || !list_empty(&c->dirty_link))
		return;
	list_push(&s->dirty, &c->dirty_link);
	if (!uv_is_active((uv_handle_t *)&s->flusher))
		uv_idle_start(&s->flusher, exchanges_flush_all);
}

/* The parts of the next write, and how many answers end in it. */
static unsigned gather(
	struct connection *c, uv_buf_t parts[WRITE_PARTS_MAX], size_t *ret_answers)
{
	unsigned n = 0;
	size_t answers = 0;
	for (struct list *at = c->exchanges.next;
		at != &c->exchanges && n < WRITE_PARTS_MAX; at = at->next) {
		struct exchange *x = container_of(at, struct exchange, link);
		if (x->state != EXCHANGE_ANSWERED) {
			if (x->continue_due)
				parts[n++] = uv_buf_init((char *)(uintptr_t)continue_line,
					sizeof continue_line - 1);
			x->continue_due = false;
			break;
		}
		parts[n++] = uv_buf_init(x->answer.ptr, (unsigned)x->answer.len);
		answers++;
	}
	*ret_answers = answers;
	return n;
}

/* The first of them have left, and their requests are over. */
static void release_written(struct connection *c, size_t answers)
{
	while (answers-- > 0)
		exchange_release(container_of(c->exchanges.next, struct exchange, link));
}

/* The rest of a write that the socket did not take at once has left, or failed. */
static void on_written(uv_write_t *write, int status)
{
	struct connection *c = write->data;
	/* Cancelled by the close, which frees what there is to free. */
	if (c->closing)
		return;
	c->write_pending = false;
	if (status < 0) {
		connection_close(c);
		return;
	}
	release_written(c, c->writing);
	/* The next write has a time of its own. */
	deadline_set(c, WAIT_NONE);
	exchanges_flush(c);
}

/* Writes what the socket takes at once, and leaves the rest to the loop. */
static void write_parts(struct connection *c, uv_buf_t *parts, unsigned n, size_t answers)
{
	int rc = uv_try_write(&c->uv.stream, parts, n);
	if (rc < 0 && rc != UV_EAGAIN) {
		connection_close(c);
		return;
	}
	size_t written = rc < 0 ? 0 : (size_t)rc;
	/* libuv copies the list of parts, not what they point at: the exchanges must
	 * stay. */
	while (n > 0 && written >= parts->len) {
		written -= parts->len;
		parts++;
		n--;
	}
	if (n == 0) {
		release_written(c, answers);
		return;
	}
	*parts = uv_buf_init(parts->base + written, (unsigned)(parts->len - written));
	c->write.data = c;
	c->writing = answers;
	if (uv_write(&c->write, &c->uv.stream, parts, n, on_written) < 0)
		connection_close(c);
	else
		c->write_pending = true;
}

void exchanges_flush(struct connection *c)
{
	while (!c->closing && !c->write_pending) {
		uv_buf_t parts[WRITE_PARTS_MAX];
		size_t answers = 0;
		unsigned n = gather(c, parts, &answers);
		if (n == 0)
			break;
		write_parts(c, parts, n, answers);
	}
	/* Room in the pipeline, or the end. */
	connection_resume(c);
}

void exchanges_flush_all(uv_idle_t *flusher)
{
	struct server *s = flusher->data;
	/* Requests from a backlog may be answered meanwhile and make more dirty; each
	 * round takes from a backlog that cannot grow, so it ends. */
	for (struct list *at = list_shift(&s->dirty); at != NULL;
		at = list_shift(&s->dirty))
		exchanges_flush(container_of(at, struct connection, dirty_link));
	uv_idle_stop(flusher);
}
