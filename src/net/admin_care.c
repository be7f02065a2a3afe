/* admin_care.c - POST and GET /backup.
 *
 * Invariant: a backup is begun over the unix socket alone, whose owner may write the
 * server's files anyway. Surprise: who began a backup may go away; the store goes on with
 * it, and tells whoever asks how far it is. */
#include "net/admin_private.h"

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
