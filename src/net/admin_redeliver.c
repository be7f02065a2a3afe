/* admin_redeliver.c - POST /flows/ID/redeliver and /doors/NAME/redeliver: a request is put back.
 *
 * Invariant: 200 is told when what was put back is durable. Surprise: of a door's it says in which flow. */
#include "net/admin_private.h"
#include "wire/url.h"

#include <inttypes.h>
#include <stdio.h>

struct redeliver_op {
	struct admin_op op;
	struct redeliver redeliver;
	char of[80]; /* "flow ID" or "the door /in/NAME", for people */
};

static int status_of(int rc)
{
	switch (rc) {
	case FISH_ENOTFOUND: return 404;
	case FISH_EGONE: return 410;
	case FISH_EINVAL: return 409;
	default: return 503;
	}
}

static void on_done(struct redeliver *r, int rc, const char *why)
{
	struct redeliver_op *op = container_of(r, struct redeliver_op, redeliver);
	char members[40];

	snprintf(members, sizeof(members), ", \"number\": %" PRIu64, r->number);
	if (rc == 0)
		admin_answer_id(op->op.x, 200, &r->to, members);
	else
		admin_error(op->op.x, status_of(rc), "request %" PRIu64 " of %s: %s", r->number, op->of,
			why);
	admin_op_free(&op->op);
}

/* In digits alone. FISH_ENOTFOUND: it is not given. */
static int take_number(struct slice query, const char *name, uint64_t *ret_number)
{
	struct buf value;
	uint64_t number = 0;
	size_t at = 0;

	buf_init(&value, NAME_BYTES_MAX);
	bool given = url_param(query, name, &value);
	bool good = value.len > 0 && value.len < 19;

	for (; good && at < value.len && value.ptr[at] >= '0' && value.ptr[at] <= '9'; at++)
		number = 10 * number + (uint64_t)(value.ptr[at] - '0');
	good = good && at == value.len;
	buf_fini(&value);
	if (!good)
		return given ? FISH_EINVAL : FISH_ENOTFOUND;
	*ret_number = number;
	return 0;
}

/* NULL, and answered, when the query is at fault. */
static struct redeliver_op *op_new(
	struct admin *a, struct exchange *x, struct slice query, const char *of)
{
	uint64_t number = 0;
	uint64_t hook = 0;
	int elsewhere = take_number(query, "hook", &hook);

	if (take_number(query, "number", &number) < 0) {
		admin_error(x, 400, "tell which request with ?number=N: show lists those of %s", of);
		return NULL;
	}
	if (elsewhere == FISH_EINVAL || hook > UINT32_MAX) {
		admin_error(x, 400, "hook: give the number of one of the flow's hooks, as show has it");
		return NULL;
	}
	struct redeliver_op *op = admin_op_new(a, x, sizeof(*op));

	snprintf(op->of, sizeof(op->of), "%s", of);
	op->redeliver = (struct redeliver){ .number = number,
		.elsewhere = elsewhere == 0,
		.hook = (uint32_t)hook,
		.room = &op->op.text,
		.done = on_done };
	return op;
}

void admin_redeliver(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice asked)
{
	struct id id = { 0 };
	char of[80];

	if (id_parse(asked, &id) < 0) {
		admin_no_flow(x, asked);
		return;
	}
	snprintf(of, sizeof(of), "flow %.*s", (int)asked.len, asked.ptr);
	struct redeliver_op *op = op_new(a, x, req->query, of);

	if (op == NULL)
		return;
	op->redeliver.id = id;
	engine_redeliver(a->config.engine, &op->redeliver);
}

void admin_redeliver_door(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice name)
{
	char of[80];

	snprintf(of, sizeof(of), "the door /in/%.*s", name.len > 60 ? 60 : (int)name.len, name.ptr);
	struct redeliver_op *op = op_new(a, x, req->query, of);

	if (op == NULL)
		return;
	/* A door has no hooks to choose from. */
	op->redeliver.elsewhere = false;
	op->redeliver.door = name;
	engine_redeliver(a->config.engine, &op->redeliver);
}
