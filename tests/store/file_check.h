/* file_check.h - SQLite's own opinion of a store's file. */
#ifndef FISH_TESTS_STORE_FILE_CHECK_H
#define FISH_TESTS_STORE_FILE_CHECK_H

#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>

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

#endif
