/* admin_care.c - POST and GET /backup, GET /flows/ID/export.
 *
 * Invariant: a backup is begun over the unix socket alone, whose owner may write the
 * server's files anyway. Surprise: who began a backup may go away; the store goes on with
 * it, and tells whoever asks how far it is. */
#include "net/admin_private.h"

#include "wire/export.h"
#include "wire/url.h"

#include <inttypes.h>
#include <string.h>

enum { BACKUP_PATH_BYTES_MAX = 4096 };

static const char *phase_name(enum store_backup_phase phase)
{
	switch (phase) {
	case STORE_BACKUP_NONE: break;
	case STORE_BACKUP_COPIES: return "copies";
	case STORE_BACKUP_SECURES: return "secures";
	case STORE_BACKUP_DONE: return "done";
	case STORE_BACKUP_FAILED: return "failed";
	}
	return "none";
}

static void answer_backup(struct admin *a, struct exchange *x, int status)
{
	struct store_backup told;
	struct buf json;

	store_backup_look(a->config.store, &told);
	buf_init(&json, ADMIN_ANSWER_BYTES_MAX);
	buf_printf(&json,
		"{\"backup\": %" PRIu64 ", \"phase\": \"%s\", \"bytes\": %" PRIu64
		", \"left\": %" PRIu64 ", \"held_us_max\": %" PRId64 ", \"error\": ",
		told.number, phase_name(told.phase), told.bytes, told.left,
		told.held_us_max);
	if (told.phase == STORE_BACKUP_FAILED)
		buf_json_string(&json, slice_of(told.err.text));
	else
		buf_puts(&json, "null");
	buf_puts(&json, "}");
	admin_answer(x, status, "", buf_slice(&json));
	buf_fini(&json);
}

void admin_backup_look(struct admin *a, struct exchange *x) { answer_backup(a, x, 200); }

void admin_backup(struct admin *a, struct exchange *x, const struct http1 *req)
{
	struct buf file;
	struct buf force;
	struct err err = { 0 };

	if (a->token != NULL) {
		admin_error(x, 403,
			"a backup writes a file on the server's machine: it is begun over the "
			"unix socket only");
		return;
	}
	buf_init(&file, BACKUP_PATH_BYTES_MAX);
	buf_init(&force, NAME_BYTES_MAX);
	bool named = url_param(req->query, "file", &file) && file.ptr != NULL &&
		memchr(file.ptr, '\0', file.len) == NULL;
	bool replaces = url_param(req->query, "force", &force) &&
		slice_eq(buf_slice(&force), SLICE_LIT("1"));
	int rc = FISH_EINVAL;

	if (named)
		rc = store_backup_begin(a->config.store, file.ptr,
			replaces ? STORE_BACKUP_REPLACES : STORE_BACKUP_NEW, &err);
	if (!named)
		admin_error(x, 400, "the backup lacks a name: ?file=/PATH");
	else if (rc < 0)
		admin_error(x, rc == FISH_EBUSY ? 409 : 400, "%s", err.text);
	else
		answer_backup(a, x, 202);
	buf_fini(&file);
	buf_fini(&force);
}

struct export_op {
	struct admin_op op;
	struct store_load load;
};

/* One flow's rows as they are durable. */
static void on_export(struct store_load *l, int rc)
{
	struct export_op *op = container_of(l, struct export_op, load);
	struct buf *text = &op->op.text;
	char id[ID_TEXT_SIZE];
	bool ended = false;

	id_text(&l->flow, id);
	for (size_t i = 0; i < l->nrows; i++)
		ended = ended || l->rows[i].last;
	if (rc == 0)
		rc = export_head(text, &l->flow, ended, l->rows[0].from_seq);
	for (size_t i = 0; i < l->nrows && rc == 0; i++)
		rc = export_row(text, l->rows[i].seq, l->rows[i].bytes);
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

void admin_export(struct admin *a, struct exchange *x, struct slice asked)
{
	struct id id = { 0 };

	if (id_parse(asked, &id) < 0) {
		admin_no_flow(x, asked);
		return;
	}
	struct export_op *op = admin_op_new(a, x, sizeof(*op));

	op->load = (struct store_load){ .flow = id, .done = on_export };
	store_load(a->config.store, &op->load);
}
