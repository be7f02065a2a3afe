/* formats.h - stores of older formats, and what they must hold once they are of the present one.
 *
 * Invariant: the files tests/store/formatN.sql are what the last program of each format wrote.
 * Surprise: tests run in the root of the source. */
#ifndef FISH_TESTS_STORE_FORMATS_H
#define FISH_TESTS_STORE_FORMATS_H

#include "fixture.h"
#include "store/sqlite.h"

/* The statements that make one; they stand until the next call. */
static inline const char *format_sql(int format)
{
	static char sql[30000];
	char path[60];

	snprintf(path, sizeof path, "tests/store/format%d.sql", format);
	FILE *from = fopen(path, "r");
	CHECK(from != NULL);
	size_t len = fread(sql, 1, sizeof sql - 1, from);
	fclose(from);
	CHECK(len > 0);
	CHECK(len < sizeof sql - 1);
	sql[len] = '\0';
	return sql;
}

static inline bool flow_is(struct fixture *fx, unsigned flow, const char *text)
{
	struct sync_load got;

	return load_text(fx, flow_id(flow), &got) == 0 && strcmp(got.text, text) == 0;
}

static inline void format1_check(struct fixture *fx)
{
	struct recovered all;
	struct sync_load got;

	CHECK(fx->s->time_ms == 1600);
	recover_text(fx, &all);
	CHECK(all.nflows == 2);
	CHECK(all.nrows == 4);
	CHECK(flow_is(fx, 0, "0:a 1:more of 0"));
	CHECK(load_text(fx, flow_id(9), &got) == 0);
	CHECK(got.l.nrows == 2);
	/* An ended flow's history is there as far as it was. */
	CHECK(flow_is(fx, 20, "0:begin 1:end!"));
	CHECK(load_text(fx, flow_id(1), &got) == FISH_ENOTFOUND);
}

static inline void format2_check(struct fixture *fx)
{
	struct recovered all;
	struct sync_load got;

	CHECK(fx->s->time_ms == 1300);
	recover_text(fx, &all);
	CHECK(all.nflows == 5); /* 3, 4, 5, 7 and 8 */
	CHECK(all.nrows == 8);
	CHECK(flow_is(fx, 1, "0:begin"));
	CHECK(flow_is(fx, 2, "0:begin 1:end!"));
	CHECK(load_text(fx, flow_id(3), &got) == 0);
	CHECK(got.l.nrows == 2);
	CHECK(strncmp(got.text, "0:begin 1:yyyy", 14) == 0);
	CHECK(flow_is(fx, 4, "0:begin"));
	CHECK(flow_is(fx, 5, "0:begin 1:woken"));
	CHECK(flow_is(fx, 6, "0:begin 1:end!"));
	CHECK(flow_is(fx, 7, "0:young 1:again"));
	CHECK(flow_is(fx, 8, "0:young too"));
}

/* Ends the process if not all of it is there. */
static inline void format_check(struct fixture *fx, int format)
{
	struct sqlite_store *s = container_of(fx->s, struct sqlite_store, base);
	int64_t is = 0;

	sqlite_borrow(s);
	CHECK(sqlite_number(s, "PRAGMA user_version", &is) == SQLITE_OK);
	sqlite_give_back(s);
	CHECK(is == SQLITE_STORE_FORMAT);
	if (format == 1)
		format1_check(fx);
	else
		format2_check(fx);
}

#endif
