/* admin_flow.c - GET /flows/ID, POST /flows/ID/cancel, /flows/ID/retry and /flows/ID/redeliver. */
#include "net/admin_private.h"

#include "wire/url.h"

#include <inttypes.h>
#include <stdio.h>

struct show_op {
	struct admin_op op;
	struct show show;
};

struct retry_op {
	struct admin_op op;
	struct retry retry;
};

struct cancel_op {
	struct admin_op op;
	struct cancel cancel;
};

/* A place for the words of a 404: the id as a slice of its own text. */
static void no_such_flow(struct exchange *x, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	admin_no_flow(x, slice_of(text));
}

/* The JSON is the engine's, handed on as it is. */
static void on_show(struct show *s, int rc, struct slice json)
{
	struct show_op *op = container_of(s, struct show_op, show);

	if (rc == 0)
		admin_answer(op->op.x, 200, "", json);
	else if (rc == FISH_ENOTFOUND)
		no_such_flow(op->op.x, &s->id);
	else
		admin_unknown(op->op.x);
	admin_op_free(&op->op);
}

void admin_show(struct admin *a, struct exchange *x, struct slice id_text)
{
	struct id id = { 0 };

	if (id_parse(id_text, &id) < 0) {
		admin_no_flow(x, id_text);
		return;
	}
	struct show_op *op = admin_op_new(a, x, sizeof(*op));

	op->show.id = id;
	op->show.done = on_show;
	engine_show(a->config.engine, &op->show);
}

/* 202 and not 200: CANCEL is durable, the end comes when the flow comes to rest. */
static void on_cancel(struct cancel *c, int rc)
{
	struct cancel_op *op = container_of(c, struct cancel_op, cancel);
	char text[ID_TEXT_SIZE];

	id_text(&c->id, text);
	if (rc == 0)
		admin_answer_id(op->op.x, 202, &c->id, "");
	else if (rc == FISH_ENOTFOUND)
		no_such_flow(op->op.x, &c->id);
	else if (rc == FISH_EGONE)
		admin_error(
			op->op.x, 410, "flow %s has ended already; show tells how", text);
	else if (rc == FISH_EINVAL)
		admin_error(op->op.x, 409,
			"flow %s is a box of a named door, which ends by itself; cancel the flows that wait there", text);
	else
		admin_away(op->op.x);
	admin_op_free(&op->op);
}

void admin_cancel(struct admin *a, struct exchange *x, struct slice id_text)
{
	struct id id = { 0 };

	if (id_parse(id_text, &id) < 0) {
		admin_no_flow(x, id_text);
		return;
	}
	struct cancel_op *op = admin_op_new(a, x, sizeof(*op));

	op->cancel.id = id;
	op->cancel.done = on_cancel;
	list_init(&op->cancel.link);
	engine_cancel(a->config.engine, &op->cancel);
}

static void on_retry(struct retry *r, int rc)
{
	struct retry_op *op = container_of(r, struct retry_op, retry);
	char text[ID_TEXT_SIZE];

	id_text(&r->id, text);
	if (rc == 0)
		admin_answer_id(op->op.x, 202, &r->id, "");
	else if (rc == FISH_ENOTFOUND)
		no_such_flow(op->op.x, &r->id);
	else if (rc == FISH_EINVAL)
		admin_error(op->op.x, 409,
			"flow %s does not stand still, so there is nothing to retry", text);
	else
		admin_away(op->op.x);
	admin_op_free(&op->op);
}

void admin_retry(struct admin *a, struct exchange *x, struct slice asked)
{
	struct id id = { 0 };

	if (id_parse(asked, &id) < 0) {
		admin_no_flow(x, asked);
		return;
	}
	struct retry_op *op = admin_op_new(a, x, sizeof(*op));

	op->retry.id = id;
	op->retry.done = on_retry;
	engine_retry(a->config.engine, &op->retry);
}

struct redeliver_op {
	struct admin_op op;
	struct redeliver redeliver;
};

static int redeliver_status(int rc)
{
	switch (rc) {
	case FISH_ENOTFOUND: return 404;
	case FISH_EGONE: return 410;
	case FISH_EINVAL: return 409;
	default: return 503;
	}
}

static void on_redeliver(struct redeliver *r, int rc, const char *why)
{
	struct redeliver_op *op = container_of(r, struct redeliver_op, redeliver);
	char members[40];
	char text[ID_TEXT_SIZE];

	id_text(&r->id, text);
	snprintf(members, sizeof(members), ", \"number\": %" PRIu64, r->number);
	if (rc == 0)
		admin_answer_id(op->op.x, 200, &r->id, members);
	else
		admin_error(op->op.x, redeliver_status(rc), "request %" PRIu64 " of flow %s: %s",
			r->number, text, why);
	admin_op_free(&op->op);
}

/* ?number=N, in digits alone. */
static bool take_number(const struct http1 *req, uint64_t *ret_number)
{
	struct buf value;
	uint64_t number = 0;
	size_t at = 0;

	buf_init(&value, NAME_BYTES_MAX);
	bool good = url_param(req->query, "number", &value) && value.len > 0 && value.len < 19;
	for (; good && at < value.len && value.ptr[at] >= '0' && value.ptr[at] <= '9'; at++)
		number = 10 * number + (uint64_t)(value.ptr[at] - '0');
	good = good && at == value.len;
	buf_fini(&value);
	*ret_number = number;
	return good;
}

void admin_redeliver(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice asked)
{
	struct id id = { 0 };
	uint64_t number = 0;

	if (id_parse(asked, &id) < 0) {
		admin_no_flow(x, asked);
		return;
	}
	if (!take_number(req, &number)) {
		admin_error(x, 400,
			"tell which request with ?number=N: show lists those of the flow");
		return;
	}
	struct redeliver_op *op = admin_op_new(a, x, sizeof(*op));

	op->redeliver = (struct redeliver){
		.id = id, .number = number, .room = &op->op.text, .done = on_redeliver };
	engine_redeliver(a->config.engine, &op->redeliver);
}
