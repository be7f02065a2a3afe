/* admin_start.c - POST /flows/NAME: starts a flow and, if asked to, waits for its end.
 *
 * Invariant: an operation that waits is in the heap and watched by the engine, or it is
 * neither. Surprise: who asks with ?wait and hangs up is dealt with by the timer, at
 * once, as the exchange may not be answered while the server is telling that its
 * connection has gone. */
#include "net/admin_private.h"
#include "wire/entry.h"
#include "wire/url.h"

#include <string.h>

enum { WAIT_MS_MAX = 24 * 60 * 60 * 1000 };

static const char stopping[] = "the server is stopping";

struct start_op {
	struct admin_op op;
	struct start start;
	struct watch watch;
	struct heap_node give_up; /* loop time; in the heap while it waits */
	struct id id;
	int64_t wait_ms; /* 0: answer as soon as it is durable */
	bool existed;
};

int admin_wait_parse(struct slice text, int64_t *ret_ms)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 },
		{ "h", 60 * 60 * 1000 } };
	int64_t n = 0;
	size_t i = 0;

	for (; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9'; i++) {
		n = n * 10 + (text.ptr[i] - '0');
		if (n > WAIT_MS_MAX)
			return FISH_EINVAL;
	}
	if (i == 0)
		return FISH_EINVAL;
	struct slice unit = { text.ptr + i, text.len - i };

	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		if (slice_eq(unit, slice_of(units[u].unit))) {
			if (n * units[u].ms > WAIT_MS_MAX)
				return FISH_EINVAL;
			*ret_ms = n * units[u].ms;
			return 0;
		}
	}
	return FISH_EINVAL;
}

/* The heap must not keep a node of it. */
static void free_op(struct start_op *op)
{
	heap_remove(&op->op.admin->waits, &op->give_up);
	admin_op_free(&op->op);
}

/* The 202: started, and its end not known here. ended_early: why a wait that was asked for
 * did not last its time; NULL when it did, or none was asked for. */
static void answer_started(struct start_op *op, const char *ended_early)
{
	struct buf members;

	buf_init(&members, ADMIN_ANSWER_BYTES_MAX);
	buf_printf(&members, ", \"existed\": %s", op->existed ? "true" : "false");
	if (ended_early != NULL && op->wait_ms > 0)
		buf_printf(&members, ", \"wait_ended\": \"%s\"", ended_early);
	admin_answer_id(op->op.x, 202, &op->id, members.ptr);
	buf_fini(&members);
	free_op(op);
}

/* As in the lists and in show. */
static const char *status_name(int status)
{
	switch ((enum end_status)status) {
	case END_DONE: return "done";
	case END_FAILED: return "failed";
	case END_CANCELLED: return "cancelled";
	}
	return "ended";
}

/* The end of the flow, or that it stands still and needs somebody. */
static void on_watch(struct watch *w, int rc, int status, struct slice result)
{
	struct start_op *op = container_of(w, struct start_op, watch);
	struct buf members;

	heap_remove(&op->op.admin->waits, &op->give_up);
	if (rc < 0 && rc != FISH_ESTOPPED) {
		answer_started(op, "the store is away");
		return;
	}
	buf_init(&members, ADMIN_ANSWER_BYTES_MAX);
	const char *word = rc == FISH_ESTOPPED ? "stopped" : status_name(status);
	bool is_value = rc == 0 && status == END_DONE;

	buf_printf(&members, ", \"existed\": %s, \"status\": \"%s\", \"%s\": ",
		op->existed ? "true" : "false", word, is_value ? "result" : "why");
	if (!is_value)
		buf_json_string(&members, result);
	else if (result.len > 0)
		buf_put_slice(&members, result);
	else
		buf_puts(&members, "null");
	if (buf_failed(&members))
		admin_error(
			op->op.x, 503, "the result is too long to be handed over here");
	else
		admin_answer_id(op->op.x, rc == 0 ? 200 : 202, &op->id, members.ptr);
	buf_fini(&members);
	free_op(op);
}

static void on_gone(struct exchange *x)
{
	struct start_op *op = exchange_data(x);

	if (op == NULL || op->give_up.index == 0)
		return; /* not waiting (yet): it is answered when it is durable */
	heap_set(&op->op.admin->waits, &op->give_up, 0);
	admin_waits_arm(op->op.admin);
}

/* Nothing of op may be touched after engine_watch. */
static void wait_for_end(struct start_op *op)
{
	struct admin *a = op->op.admin;
	uint64_t now_ms = uv_now(a->config.loop);

	op->watch.id = op->id;
	op->watch.done = on_watch;
	list_init(&op->watch.link);
	exchange_drop_body(op->op.x); /* the flow has it; the wait may be long */
	exchange_set_data(op->op.x, op);
	exchange_on_gone(op->op.x, on_gone);
	heap_set(&a->waits, &op->give_up, (int64_t)now_ms + op->wait_ms);
	/* It may have ended already: then op is gone when this returns. */
	engine_watch(a->config.engine, &op->watch);
	admin_waits_arm(a);
}

/* The one that gives up first. */
static struct start_op *first_waiting(const struct admin *a)
{
	struct heap_node *first = heap_first(&a->waits);

	return first != NULL ? container_of(first, struct start_op, give_up) : NULL;
}

/* Nobody else has the watch any more, so the operation may end. */
static void on_forgotten(struct watch *w)
{
	struct start_op *op = container_of(w, struct start_op, watch);

	answer_started(op, op->op.admin->draining ? stopping : NULL);
}

/* The flow goes on; only the asker is told that it has not ended yet. */
static void stop_waiting(struct start_op *op)
{
	heap_remove(&op->op.admin->waits, &op->give_up);
	engine_unwatch(op->op.admin->config.engine, &op->watch, on_forgotten);
}

/* Several may be due at once. */
static void on_timer(uv_timer_t *timer)
{
	struct admin *a = timer->data;
	int64_t now_ms = (int64_t)uv_now(a->config.loop);

	for (struct start_op *op = first_waiting(a); op != NULL; op = first_waiting(a)) {
		if (op->give_up.due_ms > now_ms)
			break;
		stop_waiting(op);
	}
	admin_waits_arm(a);
}

void admin_waits_arm(struct admin *a)
{
	int64_t now_ms = (int64_t)uv_now(a->config.loop);
	struct start_op *op = first_waiting(a);

	if (op == NULL || a->draining) {
		uv_timer_stop(&a->timer);
		return;
	}
	int64_t left_ms = op->give_up.due_ms - now_ms;

	uv_timer_start(&a->timer, on_timer, left_ms > 0 ? (uint64_t)left_ms : 0, 0);
}

void admin_waits_end(struct admin *a)
{
	for (struct start_op *op = first_waiting(a); op != NULL; op = first_waiting(a))
		stop_waiting(op);
}

/* Durable, or refused with the engine's reason. */
static void on_start(
	struct start *s, int rc, const struct id *id, bool existed, const char *why)
{
	struct start_op *op = container_of(s, struct start_op, start);
	struct exchange *x = op->op.x;

	if (why == NULL || why[0] == '\0')
		why = fish_strerror(rc);
	if (rc == 0) {
		op->id = *id;
		op->existed = existed;
		if (op->wait_ms > 0 && !op->op.admin->draining)
			wait_for_end(op);
		else
			answer_started(op, op->op.admin->draining ? stopping : NULL);
		return;
	}
	if (rc == FISH_ENOTFOUND)
		admin_error(x, 404,
			"the program has no flow named '%s': its --help lists those it has",
			op->op.text.ptr);
	else if (rc == FISH_EFORMAT)
		admin_error(x, 400, "the input is not one JSON value: %s", why);
	else if (rc == FISH_EINVAL)
		admin_error(x, 400, "%s", why);
	else if (rc == FISH_ETOOBIG)
		admin_error(x, 413, "%s", why);
	else if (rc == FISH_EBUSY)
		admin_busy(op->op.admin, x, why);
	else
		admin_away(x);
	free_op(op);
}

/* What the request asks for beside its name and body; false, and answered, when it is at
 * fault. */
static bool take_options(struct start_op *op, const struct http1 *req)
{
	struct exchange *x = op->op.x;
	struct buf wait;
	size_t keys = 0;
	bool fits = true;

	buf_init(&wait, NAME_BYTES_MAX);
	if (url_param(req->query, "wait", &wait) &&
		(wait.ptr == NULL ||
			admin_wait_parse(buf_slice(&wait), &op->wait_ms) < 0)) {
		admin_error(x, 400,
			"wait=%.40s: give a number and ms, s, m or h, at most 24h, for example "
			"wait=5s",
			wait.ptr != NULL ? wait.ptr : "");
		fits = false;
	}
	buf_fini(&wait);
	op->start.key = http1_field(req, "idempotency-key", &keys);
	if (fits && (keys > 1 || (keys == 1 && op->start.key.len == 0))) {
		admin_error(
			x, 400, "give one Idempotency-Key that is not empty, or none");
		fits = false;
	} else if (fits && op->start.key.len > START_KEY_BYTES_MAX) {
		admin_error(x, 400,
			"the Idempotency-Key has %zu bytes, at most %d are taken",
			op->start.key.len, START_KEY_BYTES_MAX);
		fits = false;
	}
	return fits;
}

void admin_start(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice name)
{
	struct start_op *op = admin_op_new(a, x, sizeof(*op));

	if (url_decode(&op->op.text, name) < 0 || op->op.text.len > NAME_BYTES_MAX) {
		admin_error(x, 404,
			"no flow has such a name: it has %zu bytes, or an escape in it is bad",
			name.len);
		free_op(op);
		return;
	}
	if (!take_options(op, req)) {
		free_op(op);
		return;
	}
	op->start.flow = buf_slice(&op->op.text);
	op->start.input = req->body.len > 0 ? buf_slice(&req->body) : SLICE_LIT("null");
	op->start.done = on_start;
	list_init(&op->start.link);
	engine_start(a->config.engine, &op->start);
}
