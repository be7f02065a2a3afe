/* admin_flow.c - GET /flows/ID, POST /flows/ID/cancel and /flows/ID/retry. */
#include "net/admin_private.h"

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
