/* sqlite_keys.c - the MAC keys of a store: one is made with it, others come with flows that are
 * imported.
 *
 * Invariant: the newest is the store's own, which new flows take; no two have the same id.
 * Surprise: the first one's id is drawn too, and is never the 1 that all stores had once: flows name
 * their key by that number, so that one can go to another store only where it is free. */
#include "store/sqlite.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { KEY_ID_LEAST = 2 };

/* n NULL: as the oldest of all. */
static int key_insert(struct sqlite_store *s, const struct token_key *key, const char *n)
{
	char sql[100];
	sqlite3_stmt *stmt = NULL;

	sqlite3_snprintf(sizeof sql, sql, "INSERT INTO mac_key SELECT %s, ?, ?%s",
		n != NULL ? n : "min(n) - 1", n != NULL ? "" : " FROM mac_key");
	int rc = stmt_prepare(s, &stmt, sql);
	if (rc == SQLITE_OK) {
		stmt_bind_int(stmt, 1, key->id);
		stmt_bind_slice(stmt, 2,
			(struct slice){ (const char *)key->secret, sizeof key->secret });
		rc = stmt_run(stmt);
	}
	stmt_free(stmt);
	return rc;
}

int sqlite_key_make(struct sqlite_store *s)
{
	struct token_key key;

	do {
		if (getrandom(&key, sizeof key, 0) != (ssize_t)sizeof key)
			return SQLITE_IOERR;
	} while (key.id < KEY_ID_LEAST);
	int rc = key_insert(s, &key, "1");
	explicit_bzero(&key, sizeof key);
	return rc;
}

/* Newest first, into the part that every store has. */
int sqlite_keys_read(struct sqlite_store *s, struct err *err)
{
	int64_t n = 0;
	sqlite3_stmt *stmt = NULL;

	if (sqlite_number(s, "SELECT count(*) FROM mac_key", &n) != SQLITE_OK ||
		stmt_prepare(s, &stmt,
			"SELECT id, secret FROM mac_key ORDER BY n DESC") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read its keys");
	s->base.keys = xalloc((size_t)(n + 1) * sizeof *s->base.keys);
	while (sqlite3_step(stmt) == SQLITE_ROW && s->base.nkeys < (size_t)n) {
		struct token_key *key = &s->base.keys[s->base.nkeys];
		struct slice secret = stmt_slice(stmt, 1);
		if (secret.len != TOKEN_SECRET_BYTES)
			break;
		key->id = (uint8_t)sqlite3_column_int(stmt, 0);
		memcpy(key->secret, secret.ptr, TOKEN_SECRET_BYTES);
		s->base.nkeys++;
	}
	stmt_free(stmt);
	if (n == 0 || s->base.nkeys != (size_t)n)
		return err_set(err, FISH_EFORMAT,
			"store %s is damaged: its keys are not whole", s->path);
	return 0;
}


int sqlite_add_key(struct store *base, const struct token_key *key, struct err *err)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	int rc = 0;

	sqlite_borrow(s);
	if (sqlite_begin(s) != SQLITE_OK || key_insert(s, key, NULL) != SQLITE_OK ||
		sqlite_end(s) != SQLITE_OK)
		rc = sqlite_write_failed(s, "keep a key");
	sqlite_give_back(s);
	if (rc < 0)
		return err_set(err, rc, "the store cannot be written just now");
	struct token_key *keys = xalloc((base->nkeys + 1) * sizeof *keys);
	memcpy(keys, base->keys, base->nkeys * sizeof *keys);
	keys[base->nkeys] = *key;
	explicit_bzero(base->keys, base->nkeys * sizeof *keys);
	free(base->keys);
	base->keys = keys;
	base->nkeys++;
	return 0;
}
