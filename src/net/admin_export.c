/* admin_export.c - GET /flows/ID/export and POST /import.
 *
 * Invariant: keys travel over the unix socket alone, whose owner may read the store anyway. Surprise:
 * a body of /import may be longer than --max-body, since an export has each byte three times or so. */
#include "net/admin_private.h"

#include "engine/export.h"
#include "engine/import.h"
#include "wire/export.h"
#include "wire/url.h"

#include <inttypes.h>
#include <string.h>

/* ?keys=1. False, and answered: not here. */
static bool may_have_keys(
	struct admin *a, struct exchange *x, const struct http1 *req, bool *ret_keys)
{
	struct buf value;

	buf_init(&value, NAME_BYTES_MAX);
	*ret_keys = url_param(req->query, "keys", &value) &&
		slice_eq(buf_slice(&value), SLICE_LIT("1"));
	buf_fini(&value);
	if (!*ret_keys || a->token == NULL)
		return true;
	admin_error(x, 403,
		"who has a store's keys can make callback URLs for it: they are told and taken "
		"over the unix socket only");
	return false;
}

struct export_op {
	struct admin_op op;
	struct export export;
};

static void on_export(struct export *x, int rc)
{
	struct export_op *op = container_of(x, struct export_op, export);
	struct buf *text = &op->op.text;
	char id[ID_TEXT_SIZE];

	id_text(&x->flow, id);
	if (rc == FISH_ENOTFOUND)
		admin_error(op->op.x, 404,
			"no flow has the id '%s', or it has ended and its journal is kept no "
			"longer",
			id);
	else if (rc < 0 || buf_failed(text))
		admin_error(op->op.x, 503, "the flow %s cannot be told: %s", id,
			rc < 0 ? "its journal is damaged" : "it is too long");
	else
		exchange_answer(op->op.x, 200, "Content-Type: application/x-ndjson\r\n",
			buf_slice(text));
	admin_op_free(&op->op);
}

void admin_export(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice asked)
{
	struct id id = { 0 };
	bool keys = false;

	if (id_parse(asked, &id) < 0) {
		admin_no_flow(x, asked);
		return;
	}
	if (!may_have_keys(a, x, req, &keys))
		return;
	struct export_op *op = admin_op_new(a, x, sizeof(*op));

	op->export = (struct export){
		.flow = id, .with_secrets = keys, .out = &op->op.text, .done = on_export };
	export_ask(a->config.store, &op->export);
}

struct import_op {
	struct admin_op op;
	struct import import;
	struct exported flow;
};

static void import_free(struct import_op *op)
{
	exported_fini(&op->flow);
	admin_op_free(&op->op);
}

static void on_import(struct import *im, int rc)
{
	struct import_op *op = container_of(im, struct import_op, import);
	struct exchange *x = op->op.x;
	char members[60];

	snprintf(members, sizeof members, ", \"keys\": %zu", im->keys);
	if (rc == 0)
		admin_answer_id(x, 201, &op->flow.head.flow, members);
	else if (rc == FISH_ESTORE)
		admin_away(x);
	else if (rc == FISH_EBUSY)
		admin_busy(op->op.admin, x, im->err.text);
	else
		admin_error(x, im->existed ? 409 : 400, "%s", im->err.text);
	import_free(op);
}

/* Every line but the feed behind the last one. */
static int read_lines(struct exported *flow, struct slice body, struct err *err)
{
	struct err why = { 0 };
	size_t number = 0;
	int rc = 0;

	while (body.len > 0 && rc == 0) {
		const char *feed = memchr(body.ptr, '\n', body.len);
		struct slice line = { body.ptr, feed != NULL ? (size_t)(feed - body.ptr) : body.len };
		size_t taken = line.len + (feed != NULL ? 1 : 0);

		number++;
		rc = exported_line(flow, line, &why);
		body.ptr += taken;
		body.len -= taken;
	}
	if (rc < 0)
		return err_set(err, rc, "line %zu: %s", number, why.text);
	return exported_end(flow, err);
}

void admin_import(struct admin *a, struct exchange *x, const struct http1 *req)
{
	struct err err = { 0 };
	bool keys = false;

	if (!may_have_keys(a, x, req, &keys))
		return;
	struct import_op *op = admin_op_new(a, x, sizeof(*op));

	exported_init(&op->flow);
	if (read_lines(&op->flow, buf_slice(&req->body), &err) < 0) {
		admin_error(x, 400, "%s", err.text);
		import_free(op);
		return;
	}
	exchange_drop_body(x);
	op->import = (struct import){
		.flow = &op->flow, .takes_keys = keys, .done = on_import };
	engine_import(a->config.engine, &op->import);
}
