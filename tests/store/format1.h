/* format1.h - a store of format 1, and what it must hold once it is of the present one.
 *
 * Invariant: the file in tests/store/format1.sql is what the last program of that format wrote.
 * Surprise: tests run in the root of the source. */
#ifndef FISH_TESTS_STORE_FORMAT1_H
#define FISH_TESTS_STORE_FORMAT1_H

#include "fixture.h"
#include "store/sqlite.h"

/* The statements that make it; they stand for good. */
static inline const char *format1_sql(void)
{
	static char sql[20000];
	FILE *from = fopen("tests/store/format1.sql", "r");

	CHECK(from != NULL);
	size_t len = fread(sql, 1, sizeof sql - 1, from);
	fclose(from);
	CHECK(len > 0);
	sql[len] = '\0';
	return sql;
}

/* Ends the process if not all of it is there. */
static inline void format1_check(struct fixture *fx)
{
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	struct recovered all;
	struct sync_load got;
	int64_t format = 0;

	sqlite_borrow(s);
	CHECK(sqlite_number(s, "PRAGMA user_version", &format) == SQLITE_OK);
	sqlite_give_back(s);
	CHECK(format == SQLITE_STORE_FORMAT);
	CHECK(fx->s->time_ms == 1600);
	recover_text(fx, &all);
	CHECK(all.nflows == 2);
	CHECK(all.nrows == 4);
	CHECK(load_text(fx, flow_id(0), &got) == 0);
	CHECK(strcmp(got.text, "0:a 1:more of 0") == 0);
	CHECK(load_text(fx, flow_id(9), &got) == 0);
	CHECK(got.l.nrows == 2);
	/* An ended flow's history is there as far as it was. */
	CHECK(load_text(fx, flow_id(20), &got) == 0);
	CHECK(strcmp(got.text, "0:begin 1:end!") == 0);
	CHECK(load_text(fx, flow_id(1), &got) == FISH_ENOTFOUND);
}

#endif
