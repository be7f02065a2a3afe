/* file_check.h - SQLite's own opinion of a store's file while it is open, and the store's check of
 * one on a fault disk that nobody has open.
 *
 * Surprise: the check reads real files, so what is on the fault disk is copied to them first. */
#ifndef FISH_TESTS_STORE_FILE_CHECK_H
#define FISH_TESTS_STORE_FILE_CHECK_H

#include "fault_disk.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Ends the process with SQLite's words if the file is not as it should be. */
static inline void file_check(struct store *base)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	sqlite3_stmt *stmt = NULL;

	sqlite_borrow(s);
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA integrity_check", -1, &stmt, NULL);
	CHECK(rc == SQLITE_OK);
	rc = sqlite3_step(stmt);
	CHECK(rc == SQLITE_ROW);
	const char *verdict = (const char *)sqlite3_column_text(stmt, 0);
	bool well = strcmp(verdict, "ok") == 0;
	if (!well)
		fprintf(stderr, "%s\n", verdict);
	CHECK(well);
	sqlite3_finalize(stmt);
	sqlite_give_back(s);
}

static inline void file_check_found(void *owner, const struct id *flow, const char *words)
{
	(void)owner;
	fprintf(stderr, "check: flow %d: %s\n", flow != NULL ? flow->b[15] : -1, words);
}

/* False, with words: the check finds something, or cannot tell. opaque: rows hold no entries. */
static inline bool file_is_clean(struct fault_disk *d, const char *path, bool opaque)
{
	const struct store_check check = { .found = file_check_found, .opaque = opaque };
	struct err err = { .code = 0 };

	fault_disk_copy_out(d);
	int rc = store_check_file(path, &check, &err);
	if (rc < 0)
		fprintf(stderr, "check: %s\n", err.text);
	static const char *const ends[] = { "", "-wal", "-journal" };
	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
		char name[FAULT_NAME_BYTES_MAX];
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		unlink(name);
	}
	return rc == 0;
}

#endif
