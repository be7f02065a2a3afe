/* sqlite_check.c - is a store's file as docs/format.md says? SQLite's own check first, then what holds
 * between the tables, then each flow's journal.
 *
 * Invariant: the file is not changed, nor the log beside it. Surprise: a file with a log beside it is
 * locked while it is read, as only who writes may read a log; one without is taken to be nobody's. */
#include "store/sqlite_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PROGRESS_FLOWS = 256,
	WORDS_SIZE = 400,
	PAGES_SAID_MAX = 100,
	END_SLACK_MS = 60 * 60 * 1000 }; /* an end is told a little before its commit */

void check_found(struct check *c, const struct id *flow, const char *fmt, ...)
{
	char words[WORDS_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof words, fmt, ap);
	va_end(ap);
	c->found++;
	c->asked->found(c->asked->owner, flow, words);
}

static void tell_progress(struct check *c)
{
	if (c->asked->progress != NULL)
		c->asked->progress(c->asked->owner, c->done, c->all);
}

void check_flow_done(struct check *c)
{
	c->done++;
	if (c->done % PROGRESS_FLOWS == 0)
		tell_progress(c);
}

/* ---- what holds between the tables ---- */

/* Each gives a row for each breach: the flow or null. ?1 is the store's time. */
static const struct rule {
	const char *sql, *words;
} rules[] = {
	{ "SELECT NULL WHERE (SELECT count(*) FROM store) != 1", "the row of store is missing" },
	{ "SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM mac_key)", "there is no key of URLs" },
	{ "SELECT NULL FROM mac_key WHERE typeof(secret) != 'blob' OR length(secret) != 32"
	  " OR id NOT BETWEEN 1 AND 255",
		"a key of URLs is not whole" },
	{ "SELECT flow FROM parked WHERE length(flow) != 16 OR length(parent) != 16"
	  " OR length(key) != 16 OR awake NOT IN (0, 1) OR flags NOT BETWEEN 0 AND 7"
	  " OR (awake AND flags & 4) OR hooks < 0 OR untaken < 0",
		"its row in parked is damaged" },
	{ "SELECT flow FROM ended WHERE length(flow) != 16 OR length(parent) != 16"
	  " OR length(key) != 16 OR flags NOT BETWEEN 0 AND 3 OR weight < 0",
		"its row in ended is damaged" },
	{ "SELECT flow FROM ended, store WHERE ended.rowid <= indexed AND fish_ended(flow) != ended.rowid",
	  "ended_id does not lead to its row of ended" },
	{ "SELECT i.flow FROM ended_id i JOIN ended e ON e.rowid = i.n WHERE e.flow != i.flow",
	  "ended_id leads to the row of another flow" },
	{ "SELECT flow FROM ended GROUP BY flow HAVING count(*) > 1", "it stands in ended twice" },
	{ "SELECT p.flow FROM parked p JOIN ended e ON e.flow = p.flow, store"
	  " WHERE p.awake = 1 OR e.rowid <= purged OR e.parked_n != p.n",
		"it lives in parked and has ended in ended" },
	{ "SELECT flow FROM parked, store WHERE n > parked_last",
		"its row in parked has a number that was not given yet" },
	{ "SELECT NULL FROM store WHERE parked + dead !="
	  " (SELECT count(*) FROM parked WHERE awake = 0)",
		"the number of parked flows is not what the row of store says" },
	{ "SELECT NULL FROM store WHERE dead != (SELECT count(*) FROM parked p"
	  " WHERE fish_ended(p.flow))",
		"the number of dead rows in parked is not what the row of store says" },
	{ "SELECT NULL FROM store WHERE (store.hooks, store.untaken, apart, apart_untaken) !="
	  " (SELECT coalesce(sum(p.hooks), 0), coalesce(sum(p.untaken), 0),"
	  " coalesce(sum(p.flags & 4 != 0), 0), coalesce(sum(p.untaken * (p.flags & 4 != 0)), 0)"
	  " FROM parked p WHERE awake = 0 AND NOT fish_ended(p.flow))",
		"the sums over parked flows are not what the row of store says" },
	{ "SELECT NULL FROM store WHERE ended_bytes !="
	  " (SELECT coalesce(sum(weight), 0) FROM ended WHERE rowid <= ended_last)",
		"the bytes that ended flows keep are not what the row of store says" },
	{ "SELECT flow FROM ended, store WHERE ended.rowid <= stripped AND (weight != 0"
	  " OR flags != 0 OR length(result) != 0 OR length(ended.untaken) != 0"
	  " OR places IS NOT NULL OR history IS NOT NULL)",
		"it keeps what its retention is over for" },
	{ "SELECT NULL FROM retired WHERE number >= (SELECT min(CAST(substr(name, 9) AS INTEGER))"
	  " FROM sqlite_master WHERE type = 'table' AND name GLOB 'journal_[1-9]*'"
	  " AND CAST(substr(name, 9) AS INTEGER) NOT IN (SELECT number FROM retired))",
		"a retired segment is not older than all young ones" },
	{ "SELECT NULL FROM retired WHERE NOT EXISTS"
	  " (SELECT 1 FROM sqlite_master WHERE name = 'journal_' || number)",
		"the table of a retired segment is missing" },
	{ "SELECT DISTINCT flow FROM chunk c WHERE NOT EXISTS"
	  " (SELECT 1 FROM parked p WHERE p.flow = c.flow AND p.flags & 1) AND NOT EXISTS"
	  " (SELECT 1 FROM ended e WHERE e.rowid = fish_ended(c.flow) AND e.flags & 1)",
		"it has rows in chunk, and its own row does not say so" },
	{ "SELECT flow FROM ended WHERE ended_ms > ?1 OR started_ms > ?1",
		"it started or ended after the store's time" },
	{ "SELECT NULL FROM retired WHERE retired_ms > ?1",
		"a segment was retired after the store's time" },
};

static void check_rule(struct check *c, const struct rule *rule)
{
	struct sqlite_store *s = c->store;
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(s, &stmt, rule->sql);

	if (rc == SQLITE_OK && sqlite3_bind_parameter_count(stmt) == 1)
		stmt_bind_int(stmt, 1, s->time_ms);
	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		struct id flow = { 0 };
		bool told = sqlite3_column_type(stmt, 0) != SQLITE_NULL &&
			stmt_id(stmt, 0, &flow);

		check_found(c, told ? &flow : NULL, "%s", rule->words);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	stmt_free(stmt);
	if (rc != SQLITE_OK)
		check_found(c, NULL, "whether \"%s\" cannot be told: %s", rule->words,
			sqlite3_errmsg(s->db));
}

/* Young rows may be all that names them. */
static void check_big(struct check *c)
{
	struct sqlite_store *s = c->store;
	sqlite3_stmt *stmt = NULL;
	struct id flow;
	int rc = stmt_prepare(s, &stmt,
		"SELECT DISTINCT flow FROM big b WHERE NOT EXISTS"
		" (SELECT 1 FROM parked p WHERE p.flow = b.flow AND p.flags & 2) AND NOT EXISTS"
		" (SELECT 1 FROM ended e WHERE e.rowid = fish_ended(b.flow) AND e.flags & 2)");

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		bool whole = stmt_id(stmt, 0, &flow);
		struct flow_rows *f = whole ? index_flow(s, &flow) : NULL;

		if (f == NULL || !f->bigs)
			check_found(c, whole ? &flow : NULL,
				"it has long bytes, and no row of its own says so");
	}
	if (rc != SQLITE_OK || sqlite3_reset(stmt) != SQLITE_OK)
		check_found(c, NULL, "its long bytes cannot be read: %s", sqlite3_errmsg(s->db));
	stmt_free(stmt);
}

static void check_end(struct check *c, const struct id *flow, int64_t now_ms)
{
	if (ids_find(c->store, flow) == 0 && now_ms > c->store->time_ms - SEEN_WINDOW_MS + END_SLACK_MS)
		check_found(c, flow, "its end stands in its journal, and its row in ended is missing");
}

/* One row of a young segment: flow, last, now_ms, bytes of a group; *now_ms: the time of the commit before. */
static void check_ends_row(struct check *c, sqlite3_stmt *stmt, int64_t *now_ms)
{
	struct slice group = stmt_slice(stmt, 3);
	struct store_row row;
	struct id flow;

	if (sqlite3_column_int64(stmt, 2) > *now_ms)
		*now_ms = sqlite3_column_int64(stmt, 2);
	if (sqlite3_column_int(stmt, 1) == ROW_LAST && stmt_id(stmt, 0, &flow))
		check_end(c, &flow, *now_ms);
	while (group_next(&group, &row) == 1) {
		if (row.last)
			check_end(c, &row.flow, *now_ms);
	}
}

/* Who ended has a row of ended for the window. Young rows alone tell of an end whose row is missing. */
static void check_ends(struct check *c)
{
	struct sqlite_store *s = c->store;
	int64_t now_ms = 0;

	for (size_t i = 0; i < s->nsegments; i++) {
		char sql[160];
		sqlite3_stmt *stmt = NULL;
		sqlite3_snprintf(sizeof sql, sql,
			"SELECT flow, last, now_ms, CASE last WHEN %d THEN bytes END FROM journal_%u"
			" ORDER BY n",
			ROW_GROUP, s->segments[i]->number);
		int rc = stmt_prepare(s, &stmt, sql);
		while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
			check_ends_row(c, stmt, &now_ms);
		if (rc != SQLITE_OK || sqlite3_reset(stmt) != SQLITE_OK)
			check_found(c, NULL, "a segment cannot be read: %s", sqlite3_errmsg(s->db));
		stmt_free(stmt);
	}
}

static void check_pages(struct check *c)
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(c->store, &stmt, "PRAGMA integrity_check");
	unsigned said = 0;

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *words = (const char *)sqlite3_column_text(stmt, 0);

		if (words == NULL || (strcmp(words, "ok") != 0 && said++ < PAGES_SAID_MAX))
			check_found(c, NULL, "SQLite says: %s", words != NULL ? words : "?");
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	stmt_free(stmt);
	if (rc != SQLITE_OK)
		check_found(c, NULL, "its pages cannot be read: %s", sqlite3_errmsg(c->store->db));
}

/* ---- flow by flow ---- */

static bool has_row(struct check *c, enum statement st, const struct id *flow)
{
	sqlite3_stmt *stmt = c->store->statements[st];

	stmt_bind_id(stmt, 1, flow);
	bool has = sqlite3_step(stmt) == SQLITE_ROW;
	sqlite3_reset(stmt);
	return has;
}

static void check_parked_row(struct check *c, sqlite3_stmt *stmt)
{
	struct parked_row row = {
		.awake = sqlite3_column_int(stmt, 1) != 0,
		.flags = sqlite3_column_int(stmt, 2) & FLOW_HAS,
		.from_seq = (uint64_t)sqlite3_column_int64(stmt, 3),
		.bytes = stmt_slice(stmt, 4),
		.park = { .has_key = sqlite3_column_type(stmt, 6) != SQLITE_NULL,
			.apart = (sqlite3_column_int(stmt, 2) & FLOW_APART) != 0,
			.hooks = (uint32_t)sqlite3_column_int64(stmt, 7),
			.untaken = (uint32_t)sqlite3_column_int64(stmt, 8) },
	};
	struct id *flow = &row.park.flow;

	/* Ids that are none were told of by a rule; dead rows wait for the purge. */
	if (!stmt_id(stmt, 0, flow) || !stmt_id(stmt, 5, &row.park.parent) ||
		!stmt_id(stmt, 6, &row.park.key) || ids_find(c->store, flow) != 0)
		check_flow_done(c);
	else
		check_living(c, flow, index_flow(c->store, flow), &row);
}

static void check_ended_row(struct check *c, sqlite3_stmt *stmt)
{
	struct id flow;

	if (!stmt_id(stmt, 0, &flow))
		return;
	if (index_flow(c->store, &flow) != NULL)
		check_found(c, &flow, "it has ended, and young rows without its end are left");
	check_ended(c, &flow, sqlite3_column_int(stmt, 1), stmt_slice(stmt, 2),
		stmt_slice(stmt, 3));
}

static void each_row(struct check *c, const char *sql,
	void (*row)(struct check *c, sqlite3_stmt *stmt))
{
	sqlite3_stmt *stmt = NULL;
	int rc = stmt_prepare(c->store, &stmt, sql);

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		row(c, stmt);
	if (rc == SQLITE_OK)
		rc = sqlite3_reset(stmt);
	stmt_free(stmt);
	if (rc != SQLITE_OK)
		check_found(c, NULL, "its flows cannot be read: %s", sqlite3_errmsg(c->store->db));
}

static void check_flows(struct check *c)
{
	struct sqlite_store *s = c->store;
	int64_t rows = 0;
	size_t cursor = 0;

	sqlite_number(s, "SELECT (SELECT count(*) FROM parked) + (SELECT count(*) FROM ended)",
		&rows);
	/* Who is resident and has a row of parked is counted twice: the bar is a little late then. */
	c->all = (uint64_t)rows + s->flows.len;
	tell_progress(c);
	each_row(c, "SELECT flow, awake, flags, from_seq, bytes, parent, key, hooks, untaken"
		    " FROM parked ORDER BY flow",
		check_parked_row);
	for (struct flow_rows *f; (f = map_each(&s->flows, &cursor)) != NULL;) {
		if (!has_row(c, ST_PARKED_FLOW, &f->flow) &&
			ids_find(c->store, &f->flow) == 0)
			check_living(c, &f->flow, f, NULL);
	}
	each_row(c, "SELECT flow, flags, places, history FROM ended ORDER BY rowid",
		check_ended_row);
	c->done = c->all;
	tell_progress(c);
}

/* ---- the file ---- */

/* The path as a URI; the caller frees. */
static char *uri_of(const char *path)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_puts(&b, "file:");
	for (; *path != '\0'; path++) {
		if (strchr("%?#", *path) != NULL)
			buf_printf(&b, "%%%02x", (unsigned char)*path);
		else
			buf_putc(&b, *path);
	}
	buf_puts(&b, "?immutable=1");
	return buf_take(&b);
}

static bool has_log(const char *path)
{
	char *log = sqlite3_mprintf("%s-wal", path);
	struct stat st;
	bool has = log != NULL && stat(log, &st) == 0;

	sqlite3_free(log);
	return has;
}

static int file_read(struct sqlite_store *s, bool log, struct err *err)
{
	char *uri = log ? NULL : uri_of(s->file);
	int rc = sqlite3_open_v2(log ? s->file : uri, &s->db,
		(log ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) |
			SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		NULL);

	free(uri);
	if (rc != SQLITE_OK)
		return sqlite_failed(s, err, "cannot open it");
	if (log && sqlite3_db_readonly(s->db, "main") == 1)
		return err_set(err, FISH_EIO,
			"store %s has a log beside it, and cannot be read while it may not be "
			"written: copy both elsewhere",
			s->path);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (sqlite_exec(s, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;"
			   "PRAGMA query_only = 1; PRAGMA temp_store = MEMORY;"
			   "PRAGMA cache_size = -16384") != SQLITE_OK)
		return sqlite_failed(s, err, "cannot set it up");
	return 0;
}

/* Is it ours, and of a format that is known here? */
static int stamp_read(struct sqlite_store *s, struct err *err)
{
	int64_t id = 0;
	int64_t format = 0;

	if (sqlite_number(s, "PRAGMA application_id", &id) != SQLITE_OK ||
		sqlite_number(s, "PRAGMA user_version", &format) != SQLITE_OK)
		return sqlite_failed(s, err, "cannot read it");
	if (id != SQLITE_STORE_ID)
		return err_set(err, FISH_EFORMAT, "%s is no store", s->path);
	if (format != SQLITE_STORE_FORMAT)
		return err_set(err, FISH_EFORMAT,
			"store %s has format %lld, and format %d is checked here: %s", s->path,
			(long long)format, SQLITE_STORE_FORMAT,
			format < SQLITE_STORE_FORMAT
				? "a start of this program brings it there"
				: "run the newer program");
	return 0;
}

static void check_all(struct check *c)
{
	struct err err = { 0 };

	tell_progress(c);
	check_pages(c);
	c->store->checking = true;
	if (statements_prepare(c->store, &err) < 0 ||
		sqlite_scan(c->store, &err) < 0) {
		check_found(c, NULL, "%s", err.text);
		return;
	}
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		check_rule(c, &rules[i]);
	check_big(c);
	check_ends(c);
	check_flows(c);
}

int store_check_file(const char *path, const struct store_check *asked, struct err *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return err_set(err, FISH_ENOTFOUND, "store %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, FISH_EINVAL, "store %s is not a file", path);
	struct sqlite_store *s =
		sqlite_store_new(path, &(struct sqlite_options){ .wal_frames_max = 0 });
	struct check c = { .store = s, .asked = asked };
	int rc = sqlite_file_find(s, err);
	bool log = rc == 0 && has_log(s->file);

	if (rc == 0)
		rc = file_read(s, log, err);
	if (rc == 0)
		rc = stamp_read(s, err);
	if (rc == 0)
		check_all(&c);
	/* What was read without a lock may have been changed meanwhile. */
	if (rc == 0 && !log && has_log(s->file))
		rc = err_set(err, FISH_EBUSY,
			"store %s was taken by a server meanwhile: stop it, or make a backup and "
			"check that",
			path);
	store_close(&s->base);
	if (rc < 0)
		return rc;
	return c.found > 0;
}
