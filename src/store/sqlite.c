/* sqlite.c - opens and closes the SQLite store, and says in words why it cannot.
 *
 * Invariant: the file is ours alone from open to close; one that is made here has mode 0600. Surprise: an existing
 * file is never opened here beside SQLite: closing any descriptor of a file drops all the
 * process's POSIX locks on it, and with them another store's hold of it. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void sqlite_close(struct store *base);

static const struct store_ops sqlite_ops = {
	.submit = sqlite_submit,
	.poll = sqlite_poll,
	.recover = sqlite_recover,
	.recover_flow = sqlite_recover_flow,
	.close = sqlite_close,
	.backup_begin = sqlite_backup_begin,
	.backup_look = sqlite_backup_look,
	.add_key = sqlite_add_key,
};

int sqlite_failed(struct sqlite_store *s, struct err *err, const char *doing)
{
	const char *why = s->db != NULL ? sqlite3_errmsg(s->db) : "out of memory";

	switch (sqlite3_errcode(s->db) & 0xff) {
	case SQLITE_BUSY:
		return err_set(err, FISH_EBUSY,
			"store %s is in use by another server: "
			"stop that one or choose another file",
			s->path);
	case SQLITE_NOTADB:
		return err_set(err, FISH_EFORMAT,
			"store %s is not a store but some other file: "
			"choose another name",
			s->path);
	case SQLITE_CORRUPT:
		return err_set(err, FISH_EFORMAT, "store %s is damaged: %s: %s", s->path,
			doing, why);
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return err_set(err, FISH_EIO,
			"store %s is not writable, or the directory that it is in: "
			"%s: %s",
			s->path, doing, why);
	case SQLITE_FULL:
		return err_set(
			err, FISH_EIO, "store %s: the disk is full: %s", s->path, doing);
	default: return err_set(err, FISH_EIO, "store %s: %s: %s", s->path, doing, why);
	}
}

int sqlite_damaged(struct sqlite_store *s, struct err *err, const char *what)
{
	return err_set(err, FISH_EFORMAT, "store %s is damaged: %s", s->path, what);
}

/* Makes the file if there is none, readable by us alone. */
static int file_make(const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd >= 0) {
		close(fd); /* nobody can have locked what was not there */
		return 0;
	}
	struct stat st;
	if (errno == ENOENT)
		return err_set(err, FISH_ENOTFOUND,
			"store %s: there is no such directory: "
			"make it or choose another place",
			path);
	if (errno != EEXIST)
		return err_set(err, FISH_EIO, "store %s cannot be made: %s", path,
			strerror(errno));
	if (stat(path, &st) != 0 && errno == ENOENT)
		return err_set(err, FISH_ENOTFOUND,
			"store %s is a link to a file that is not there: remove the link, "
			"or bring back what it leads to",
			path);
	if (stat(path, &st) != 0)
		return err_set(err, FISH_EIO, "store %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(err, FISH_EINVAL,
			"store %s is not a file but a %s: choose another name", path,
			S_ISDIR(st.st_mode) ? "directory" : "device or the like");
	return 0;
}

int sqlite_file_find(struct sqlite_store *s, struct err *err)
{
	struct buf b;

	if (s->vfs == NULL) {
		s->file = realpath(s->path, NULL);
		if (s->file == NULL)
			return err_set(err, FISH_EIO, "store %s: %s", s->path, strerror(errno));
		return 0;
	}
	/* What names mean is another VFS's affair; but one that begins with "file:" SQLite may read as a URI. */
	buf_init(&b, SIZE_MAX);
	buf_printf(&b, "%s%s", s->path[0] == '/' ? "" : "./", s->path);
	s->file = buf_take(&b);
	return 0;
}

static void copy_home_at_close(struct sqlite_store *s, int yes)
{
	int rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !yes, NULL);
	CHECK(rc == SQLITE_OK);
}

/* Opens the connection; whether the file is a store is not known yet. */
static int file_open(struct sqlite_store *s, struct err *err)
{
	int rc = s->vfs == NULL ? file_make(s->path, err) : 0;
	int make = s->vfs == NULL ? 0 : SQLITE_OPEN_CREATE;

	if (rc < 0 || (rc = sqlite_file_find(s, err)) < 0)
		return rc;
	if (sqlite3_threadsafe() == 0)
		return err_set(err, FISH_EIO, "this SQLite was built without threads");
	rc = sqlite3_open_v2(s->file, &s->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
			make,
		s->vfs);
	if (rc != SQLITE_OK)
		return sqlite_failed(s, err, "cannot open it");
	/* SQLite falls back to reading when it may not write, and would say so only much
	 * later. */
	if (sqlite3_db_readonly(s->db, "main") == 1)
		return err_set(err, FISH_EIO, "store %s is not writable", s->path);
	/* Who refuses the file leaves it, and a log beside it, as they were. */
	copy_home_at_close(s, 0);
	return 0;
}

/* SQLite calls this after each commit with the length of its log. */
static int wal_frames(void *arg, sqlite3 *db, const char *name, int frames)
{
	struct sqlite_store *s = arg;

	(void)db;
	(void)name;
	s->wal_frames = frames;
	return SQLITE_OK;
}

/* Once, at open: what a test sets later is not for this store. */
static void test_switches_read(struct sqlite_store *s)
{
	const char *commit = getenv("FISH_TEST_KILL_AT_COMMIT");
	const char *write = getenv("FISH_TEST_KILL_AT_WRITE");
	const char *phase = getenv("FISH_TEST_KILL_PHASE");

	s->kill_at_commit = commit != NULL ? strtoull(commit, NULL, 10) : 0;
	s->kill_at_write = write != NULL ? strtoull(write, NULL, 10) : 0;
	s->kill_after = phase != NULL && strcmp(phase, "after") == 0;
}

static void options_read(struct sqlite_store *s, const struct store_options *o)
{
	s->young_bytes_max = o->young_bytes_max != 0 ? o->young_bytes_max : YOUNG_BYTES_MAX;
	s->segment_bytes_max = s->young_bytes_max / 4 < SEGMENT_BYTES_MAX
		? s->young_bytes_max / 4
		: SEGMENT_BYTES_MAX;
	s->retain_ms = o->retain_ms != 0 ? o->retain_ms : RETAIN_MS_DEFAULT;
	/* Rows of ended go by then, so more makes no difference, and sums do not overflow. */
	if (s->retain_ms > SEEN_WINDOW_MS)
		s->retain_ms = SEEN_WINDOW_MS;
	s->retain_bytes_max = o->retain_bytes_max != 0 ? o->retain_bytes_max
						       : RETAIN_BYTES_MAX;
	s->log_bytes = o->log_bytes;
	s->vfs = o->vfs;
}

struct sqlite_store *sqlite_store_new(const char *path, const struct sqlite_options *o)
{
	struct sqlite_store *s = xalloc(sizeof *s);

	s->base.ops = &sqlite_ops;
	s->path = xstrndup(path, strlen(path));
	options_read(s, &o->store);
	s->wal_frames_max = o->wal_frames_max != 0 ? o->wal_frames_max : WAL_FRAMES_MAX;
	s->dead_rows_min = o->dead_rows_min != 0 ? o->dead_rows_min : DEAD_ROWS_MIN;
	s->ids_merge_max = o->ids_merge_max != 0 ? o->ids_merge_max : IDS_MERGE_MAX;
	s->ids_sweep_min = o->ids_sweep_min != 0 ? o->ids_sweep_min : IDS_SWEEP_MIN;
	test_switches_read(s);
	s->file_fd = -1;
	map_init(&s->flows);
	map_init(&s->ids.young);
	buf_init(&s->packed, SIZE_MAX);
	buf_init(&s->places, SIZE_MAX);
	buf_init(&s->moved, SIZE_MAX);
	buf_init(&s->group, SIZE_MAX);
	buf_init(&s->read.bytes, SIZE_MAX);
	buf_init(&s->read.rows, SIZE_MAX);
	buf_init(&s->old, SIZE_MAX);
	list_init(&s->queue);
	list_init(&s->finished);
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	pthread_cond_init(&s->idle, NULL);
	return s;
}

int sqlite_store_open(struct store **ret, const char *path, const struct sqlite_options *o,
	struct err *err)
{
	struct sqlite_store *s = sqlite_store_new(path, o);
	int rc = 0;

	if ((rc = file_open(s, err)) < 0 || (rc = sqlite_schema(s, err)) < 0 ||
		(rc = statements_prepare(s, err)) < 0 || (rc = sqlite_scan(s, err)) < 0 ||
		(rc = sqlite_migrated(s, err)) < 0)
		goto close;
	/* Not before the schema is made: what is copied home is the store thread's
	 * business. */
	sqlite3_wal_hook(s->db, wal_frames, s);
	copy_home_at_close(s, 1);
	room_open(s);
	if ((rc = sqlite_thread_start(s, err)) < 0)
		goto close;
	*ret = &s->base;
	return 0;
close:
	sqlite_close(&s->base);
	return rc;
}

int store_open_sqlite(struct store **ret, const char *path, const struct store_options *o,
	struct err *err)
{
	struct sqlite_options options = { .wal_frames_max = 0 };

	if (o != NULL)
		options.store = *o;
	return sqlite_store_open(ret, path, &options, err);
}

/* All that are left, whoever made them: a connection with statements does not close. */
static void statements_free(struct sqlite_store *s)
{
	sqlite3_stmt *stmt = NULL;

	while ((stmt = sqlite3_next_stmt(s->db, NULL)) != NULL)
		stmt_free(stmt);
}

static void sqlite_close(struct store *base)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	/* From here on the connection is ours alone again. Closing it copies the log
	 * home. */
	sqlite_thread_stop(s);
	backup_stop(s);
	segments_fini(s);
	if (s->db != NULL)
		statements_free(s);
	sqlite3_close(s->db);
	room_close(s);
	index_fini(s);
	purge_reset(s);
	ids_fini(s);
	buf_fini(&s->packed);
	buf_fini(&s->places);
	buf_fini(&s->moved);
	buf_fini(&s->group);
	place_fini(s);
	buf_fini(&s->old);
	if (s->base.keys != NULL)
		explicit_bzero(s->base.keys, s->base.nkeys * sizeof *s->base.keys);
	free(s->base.keys);
	pthread_mutex_destroy(&s->mutex);
	pthread_cond_destroy(&s->wake);
	pthread_cond_destroy(&s->idle);
	free(s->path);
	free(s->file);
	free(s);
}

void sqlite_store_pages_max(struct store *base, int64_t pages)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);
	char sql[60];

	sqlite_borrow(s);
	/* SQLite takes no bound below what the file has: 1 means "no page more". */
	sqlite3_snprintf(sizeof sql, sql, "PRAGMA max_page_count = %lld",
		pages != 0 ? (long long)pages : 1LL << 30);
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	CHECK(rc == SQLITE_OK);
	sqlite_give_back(s);
}

struct sqlite_counts sqlite_store_counts(struct store *base)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	sqlite_borrow(s);
	struct sqlite_counts counts = { s->nsegments, s->nretired };
	sqlite_give_back(s);
	return counts;
}
