/* sqlite_kit.h - what the tests of the SQLite store alone share: small segments, and a look
 * into its file.
 *
 * Surprise: pragma reads through the store's own connection, because nobody else gets
 * one. */
#ifndef FISH_TESTS_STORE_SQLITE_KIT_H
#define FISH_TESTS_STORE_SQLITE_KIT_H

#include "fixture.h"
#include "store/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline int setup(void **state)
{
	struct fixture *fx = xalloc(sizeof *fx);

	fixture_init(fx);
	*state = fx;
	return 0;
}

static inline int teardown(void **state)
{
	fixture_fini(*state);
	free(*state);
	return 0;
}

static inline void open_with(struct fixture *fx, const struct store_options *o)
{
	struct store *s = NULL;
	struct err err = { 0 };

	if (store_open_sqlite(&s, fx->path, o, &err) != 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(s != NULL);
	fixture_adopt(fx, s);
}

/* With segments of 2000 bytes. */
static inline void open_small(struct fixture *fx)
{
	open_with(fx, &(struct store_options){ .young_bytes_max = 8000 });
}

static inline void reopen_small(struct fixture *fx)
{
	fx->s = store_close(fx->s);
	open_small(fx);
}

/* Runs sql on the store's file while no store has it open. */
static inline void sql_on_file(const struct fixture *fx, const char *sql)
{
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open(fx->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static inline struct store_row bytes_row(unsigned flow, uint64_t seq, struct slice bytes)
{
	return (struct store_row){ .flow = flow_id(flow), .seq = seq, .bytes = bytes };
}

static inline int64_t pragma(struct fixture *fx, const char *sql)
{
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	sqlite3_stmt *stmt = NULL;

	sqlite_borrow(s);
	assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	int64_t value = sqlite3_column_type(stmt, 0) == SQLITE_TEXT
		? strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0
		: sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	sqlite_give_back(s);
	return value;
}

#endif
