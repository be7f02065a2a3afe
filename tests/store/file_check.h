/* file_check.h - SQLite's own opinion of a store's file, and what docs/format.md says holds.
 *
 * Invariant: each question counts what should not be, and reads the store's own connection.
 * Surprise: sums are exact at every commit, so they are asked for here at any time. */
#ifndef FISH_TESTS_STORE_FILE_CHECK_H
#define FISH_TESTS_STORE_FILE_CHECK_H

#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>

/* Rows of big that no young segment names are of flows that parked or ended. */
static inline void big_check(struct sqlite_store *s)
{
	char sql[4000] = "SELECT count(*) FROM big WHERE flow NOT IN"
			 " (SELECT flow FROM parked WHERE flags & 2"
			 " UNION SELECT flow FROM ended WHERE flags & 2";
	size_t len = strlen(sql);
	int64_t wrong = 0;

	for (size_t i = 0; i < s->nsegments && len < sizeof sql - 100; i++)
		len += (size_t)snprintf(sql + len, sizeof sql - len,
			" UNION SELECT flow FROM journal_%u WHERE big", s->segments[i]->number);
	snprintf(sql + len, sizeof sql - len, ")");
	CHECK(sqlite_number(s, sql, &wrong) == SQLITE_OK);
	CHECK(wrong == 0);
}

static inline void format_check(struct sqlite_store *s)
{
	static const char *const wrongs[] = {
		"SELECT count(*) FROM parked JOIN ended USING (flow)"
		" WHERE awake = 1 OR ended.rowid <= (SELECT purged FROM store)",
		"SELECT (SELECT parked + dead FROM store) <> count(*) FROM parked WHERE awake = 0",
		"SELECT (SELECT dead FROM store) <> count(*) FROM parked JOIN ended USING (flow)",
		"SELECT count(*) FROM ended LEFT JOIN parked ON parked.n = parked_n"
		" WHERE parked.n IS NOT NULL AND parked.flow <> ended.flow",
		"SELECT (SELECT hooks FROM store) <> coalesce(sum(hooks), 0) OR"
		" (SELECT untaken FROM store) <> coalesce(sum(untaken), 0) FROM parked"
		" WHERE awake = 0 AND flow NOT IN (SELECT flow FROM ended)",
		"SELECT count(*) FROM parked WHERE n > (SELECT parked_last FROM store)",
		"SELECT count(*) FROM retired WHERE NOT EXISTS (SELECT 1 FROM sqlite_master"
		" WHERE name = 'journal_' || number)",
		"SELECT count(*) FROM sqlite_master WHERE name GLOB 'journal_*' AND"
		" CAST(substr(name, 9) AS INTEGER) < (SELECT max(number) FROM retired) AND"
		" CAST(substr(name, 9) AS INTEGER) NOT IN (SELECT number FROM retired)",
		"SELECT count(*) FROM chunk WHERE flow NOT IN (SELECT flow FROM parked WHERE flags & 1"
		" UNION SELECT flow FROM ended WHERE flags & 1)",
		"SELECT (SELECT ended_bytes FROM store) <> coalesce(sum(weight), 0) FROM ended"
		" WHERE rowid <= (SELECT ended_last FROM store)",
		"SELECT count(*) FROM ended WHERE rowid <= (SELECT stripped FROM store) AND"
		" (weight <> 0 OR flags <> 0 OR length(result) > 0 OR length(untaken) > 0"
		" OR places NOT NULL OR history NOT NULL)",
	};

	for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
		int64_t wrong = 0;
		CHECK(sqlite_number(s, wrongs[i], &wrong) == SQLITE_OK);
		if (wrong != 0)
			fprintf(stderr, "%s: %lld\n", wrongs[i], (long long)wrong);
		CHECK(wrong == 0);
	}
	big_check(s);
}

/* Ends the process with words if the file is not as it should be. */
static inline void file_check(struct store *base)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	sqlite3_stmt *stmt = NULL;

	sqlite_borrow(s);
	format_check(s);
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
