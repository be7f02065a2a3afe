/* sqlite_backup.c - a copy of the store while it goes on.
 *
 * The store's thread copies a few pages whenever nothing is asked of it, and a few after
 * each commit; what a commit changes of pages that are copied already, SQLite carries over
 * itself, since both use one connection. So the copy is the store as it is between two
 * commits, the last of which came before the last page. A second thread brings the copy to
 * the disk as it grows and gives it its name at the end. Invariant: whatever stands at the
 * asked name is whole and durable. Surprise: copying stops and waits when the disk falls
 * behind, or the commits' own syncs would queue up behind megabytes of copy; and the copy is locked while it
 * grows, at a byte that SQLite has no use for, or another backup to the same name would take it for one that
 * was killed. */
#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	BACKUP_PIECE_PAGES = 16,       /* copied at one go */
	BACKUP_SYNC_BYTES = 4 << 20,   /* brought to the disk at one go, about … */
	BACKUP_AHEAD_BYTES = 16 << 20, /* … and copied at most so far ahead of it */
};
#define BACKUP_LOCK_AT (INT64_MAX - 1)

struct sqlite_backup {
	struct store_backup told; /* guarded by the store's mutex, as all up to stopped */
	uint64_t copied, secured; /* bytes */
	bool open; /* the store's thread has db and copy */
	bool copied_all, failed, stopped;
	char *path, *part; /* where it is to stand; where it grows */
	enum store_backup_mode mode;
	int fd; /* of part */
	sqlite3 *db; /* the copy; the store's thread's, as is copy */
	sqlite3_backup *copy;
	struct sqlite_store *store;
	pthread_cond_t news;
	pthread_t thread;
};

static int64_t now_us(void)
{
	struct timespec at = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

/* The path with more behind it; the caller frees. */
static char *path_with(const char *path, const char *more)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	buf_puts(&b, path);
	buf_puts(&b, more);
	return buf_take(&b);
}

static bool same_file(const struct stat *a, const char *path)
{
	struct stat b;

	return stat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

/* A log beside the name would be read into whatever store stands there. */
static int refuse_log(const char *path, const char *more, struct err *err)
{
	char *log = path_with(path, more);
	struct stat st;
	int rc = 0;

	if (lstat(log, &st) == 0)
		rc = err_set(err, FISH_EBUSY,
			"beside the backup %s lies %s: a server may be using the file as its "
			"store: choose another name, or remove both",
			path, strrchr(log, '/') + 1);
	free(log);
	return rc;
}

/* Does the name stand for the store, or its log? */
static bool is_store(const struct sqlite_store *s, const char *path)
{
	struct stat st;
	char *log = path_with(s->file, "-wal");
	bool is = lstat(path, &st) == 0 && (same_file(&st, s->file) || same_file(&st, log));

	free(log);
	return is;
}

/* May the copy stand there? */
static int check_name(struct sqlite_store *s, const char *path, enum store_backup_mode mode,
	struct err *err)
{
	struct stat st;

	if (path[0] != '/')
		return err_set(err, FISH_EINVAL,
			"the backup %s: the name must begin with '/'", path);
	bool there = lstat(path, &st) == 0;
	if (is_store(s, path))
		return err_set(err, FISH_EINVAL,
			"the backup %s is the store itself: choose another name", path);
	if (there && !S_ISREG(st.st_mode))
		return err_set(err, FISH_EINVAL,
			"the backup %s is there already, and is no file: choose another name",
			path);
	if (there && mode == STORE_BACKUP_NEW)
		return err_set(err, FISH_EBUSY,
			"the backup %s is there already: choose another name, or replace it "
			"with --force",
			path);
	int rc = refuse_log(path, "-wal", err);
	return rc < 0 ? rc : refuse_log(path, "-journal", err);
}

/* Is the name still that of the file behind fd? */
static bool names_file(const char *path, int fd)
{
	struct stat named;
	struct stat st;

	return lstat(path, &named) == 0 && fstat(fd, &st) == 0 && named.st_dev == st.st_dev &&
		named.st_ino == st.st_ino;
}

/* The lock goes with the process. Not every file system has locks: there only names are compared. */
static bool part_lock(int fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = BACKUP_LOCK_AT, .l_len = 1 };

	return fcntl(fd, F_OFD_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

static int part_busy(const struct sqlite_backup *b, struct err *err)
{
	return err_set(err, FISH_EBUSY,
		"another backup to %s is under way: wait until it is done, or choose another name", b->path);
}

/* Removes what a backup that was killed has left. */
static int part_clear(const struct sqlite_backup *b, struct err *err)
{
	struct stat st;
	int rc = 0;

	/* To close a descriptor of the store itself would lose its locks. */
	if (is_store(b->store, b->part))
		return err_set(err, FISH_EINVAL,
			"the backup %s would grow in %s, which is the store itself: choose another name",
			b->path, b->part);
	if (lstat(b->part, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	if ((rc = refuse_log(b->part, "-wal", err)) < 0)
		return rc;
	int fd = open(b->part, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, FISH_EIO, "the backup %s cannot be made: %s", b->part, strerror(errno));
	if (!part_lock(fd) || !names_file(b->part, fd))
		rc = part_busy(b, err);
	else
		unlink(b->part);
	close(fd);
	return rc;
}

/* Makes the file that the copy grows in. */
static int part_open(struct sqlite_backup *b, struct err *err)
{
	int rc = part_clear(b, err);

	if (rc < 0)
		return rc;
	b->fd = open(b->part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (b->fd < 0)
		return err_set(err, FISH_EIO, "the backup %s cannot be made: %s", b->part,
			strerror(errno));
	if (!part_lock(b->fd) || !names_file(b->part, b->fd))
		return part_busy(b, err);
	/* Nobody reads it before it is whole, and a kill leaves it to the next backup: it
	 * needs neither a journal nor syncs of SQLite's. */
	if (sqlite3_open_v2(b->part, &b->db,
		    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
		    NULL) != SQLITE_OK ||
		sqlite3_exec(b->db,
			"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
			"PRAGMA synchronous = OFF; PRAGMA cache_size = -1024",
			NULL, NULL, NULL) != SQLITE_OK)
		return err_set(err, FISH_EIO, "the backup %s cannot be made: %s", b->part,
			sqlite3_errmsg(b->db));
	return 0;
}

/* Unless it is somebody else's by now. */
static void part_remove(const struct sqlite_backup *b)
{
	if (b->fd >= 0 && names_file(b->part, b->fd))
		unlink(b->part);
}

/* No thread of its own is left. */
static void backup_free(struct sqlite_backup *b)
{
	sqlite3_close(b->db);
	if (b->fd >= 0)
		close(b->fd);
	pthread_cond_destroy(&b->news);
	free(b->path);
	free(b->part);
	free(b);
}

/* ---- the thread that brings it to the disk ---- */

/* A name is durable when its folder is. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	free(folder);
	if (fd < 0)
		return -1;
	int rc = fsync(fd);
	int why = errno;
	close(fd);
	errno = why;
	return rc;
}

/* The last step. */
static int give_name(struct sqlite_backup *b, struct err *err)
{
	int rc = check_name(b->store, b->path, b->mode, err);

	if (rc < 0)
		return rc;
	if (!names_file(b->part, b->fd))
		return err_set(err, FISH_EIO, "the backup's file %s was taken away while it grew", b->part);
	if (b->mode == STORE_BACKUP_NEW) {
		rc = renameat2(AT_FDCWD, b->part, AT_FDCWD, b->path, RENAME_NOREPLACE);
		/* Not every file system can tell; the name was free a moment ago. */
		if (rc != 0 && (errno == EINVAL || errno == ENOSYS))
			rc = rename(b->part, b->path);
	} else {
		rc = rename(b->part, b->path);
	}
	if (rc != 0)
		return err_set(err, FISH_EIO, "the backup %s cannot get its name: %s",
			b->path, strerror(errno));
	if (sync_folder(b->path) != 0)
		return err_set(err, FISH_EIO,
			"the backup %s is made, but its folder cannot be synced: %s", b->path,
			strerror(errno));
	return 0;
}

/* Under the mutex, which is given up while the disk is waited for. */
static int secure_next(struct sqlite_backup *b, struct err *err)
{
	pthread_mutex_t *mutex = &b->store->mutex;

	while (!b->copied_all && !b->failed && !b->stopped &&
		b->copied - b->secured < BACKUP_SYNC_BYTES)
		pthread_cond_wait(&b->news, mutex);
	if (b->failed || b->stopped)
		return FISH_EIO;
	uint64_t copied = b->copied;
	bool last = b->copied_all;
	pthread_mutex_unlock(mutex);
	int rc = (last ? fsync(b->fd) : fdatasync(b->fd)) == 0
		? last
		: err_set(err, FISH_EIO, "the backup %s cannot be written: %s", b->part,
			  strerror(errno));
	pthread_mutex_lock(mutex);
	b->secured = copied;
	pthread_cond_signal(&b->store->wake);
	return rc;
}

/* Under the mutex: once the store's thread has let go of the copy, it is removed. */
static void secure_failed(struct sqlite_backup *b, const struct err *err)
{
	if (!b->failed)
		b->told.err = *err;
	b->failed = true;
	pthread_cond_signal(&b->store->wake);
	while (b->open && !b->stopped)
		pthread_cond_wait(&b->news, &b->store->mutex);
	part_remove(b);
}

static void *secure_main(void *arg)
{
	struct sqlite_backup *b = arg;
	struct err err = { 0 };
	int rc = 0;

	pthread_mutex_lock(&b->store->mutex);
	while (rc == 0)
		rc = secure_next(b, &err);
	if (rc > 0)
		b->told.phase = STORE_BACKUP_SECURES;
	pthread_mutex_unlock(&b->store->mutex);
	if (rc > 0)
		rc = give_name(b, &err);
	pthread_mutex_lock(&b->store->mutex);
	if (rc < 0)
		secure_failed(b, &err);
	b->told.phase = rc < 0 ? STORE_BACKUP_FAILED : STORE_BACKUP_DONE;
	pthread_mutex_unlock(&b->store->mutex);
	return NULL;
}

/* ---- the store's thread ---- */

bool backup_is_due(const struct sqlite_store *s)
{
	const struct sqlite_backup *b = s->backup;

	return b != NULL && b->open &&
		(b->failed || b->copied - b->secured < BACKUP_AHEAD_BYTES);
}

/* Nothing more is copied. */
static void copy_end(struct sqlite_backup *b)
{
	sqlite3_backup_finish(b->copy);
	sqlite3_close(b->db);
	b->copy = NULL;
	b->db = NULL;
}

static void copy_failed(struct sqlite_backup *b, int rc, struct err *ret)
{
	if ((rc & 0xff) == SQLITE_FULL)
		err_set(ret, FISH_EIO, "the backup %s: there is no room for it", b->part);
	else
		err_set(ret, FISH_EIO, "the backup %s cannot be written: %s", b->part,
			sqlite3_errstr(rc));
}

void backup_piece(struct sqlite_store *s)
{
	struct sqlite_backup *b = s->backup;
	struct err err = { 0 };
	int64_t began_us = now_us();
	int rc = SQLITE_OK;

	pthread_mutex_lock(&s->mutex);
	bool failed = b->failed;
	pthread_mutex_unlock(&s->mutex);
	if (b->copy == NULL)
		b->copy = sqlite3_backup_init(b->db, "main", s->db, "main");
	if (b->copy == NULL)
		rc = sqlite3_extended_errcode(b->db);
	else
		rc = sqlite3_backup_step(b->copy, BACKUP_PIECE_PAGES);
	uint64_t pages = b->copy != NULL ? (uint64_t)sqlite3_backup_pagecount(b->copy) : 0;
	uint64_t left = b->copy != NULL ? (uint64_t)sqlite3_backup_remaining(b->copy) : 0;
	bool over = rc != SQLITE_OK || failed;
	if (over)
		copy_end(b);
	if (rc != SQLITE_OK && rc != SQLITE_DONE)
		copy_failed(b, rc, &err);
	int64_t held_us = now_us() - began_us;

	pthread_mutex_lock(&s->mutex);
	if (rc != SQLITE_OK && rc != SQLITE_DONE && !b->failed) {
		b->failed = true;
		b->told.err = err;
	}
	b->told.bytes = pages * SQLITE_STORE_PAGE_BYTES;
	b->told.left = left * SQLITE_STORE_PAGE_BYTES;
	b->copied = b->told.bytes - b->told.left;
	if (held_us > b->told.held_us_max)
		b->told.held_us_max = held_us;
	b->copied_all = rc == SQLITE_DONE;
	b->open = !over;
	pthread_cond_signal(&b->news);
	pthread_mutex_unlock(&s->mutex);
}

/* ---- the owner's side ---- */

/* The last one is over, or never was. */
static void backup_forget(struct sqlite_store *s)
{
	struct sqlite_backup *b = s->backup;

	if (b == NULL)
		return;
	pthread_join(b->thread, NULL);
	pthread_mutex_lock(&s->mutex);
	s->backup = NULL;
	pthread_mutex_unlock(&s->mutex);
	backup_free(b);
}

static bool under_way(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->mutex);
	bool is = s->backup != NULL && s->backup->told.phase < STORE_BACKUP_DONE;
	pthread_mutex_unlock(&s->mutex);
	return is;
}

static struct sqlite_backup *backup_new(
	struct sqlite_store *s, const char *path, enum store_backup_mode mode)
{
	struct sqlite_backup *b = xalloc(sizeof *b);

	b->store = s;
	b->path = xstrndup(path, strlen(path));
	b->part = path_with(path, ".tmp");
	b->mode = mode;
	b->fd = -1;
	b->open = true;
	b->told.phase = STORE_BACKUP_COPIES;
	b->told.number = s->backup != NULL ? s->backup->told.number + 1 : 1;
	pthread_cond_init(&b->news, NULL);
	return b;
}

int sqlite_backup_begin(struct store *base, const char *path, enum store_backup_mode mode,
	struct err *err)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	if (under_way(s))
		return err_set(err, FISH_EBUSY,
			"a backup is under way already: wait until it is done");
	int rc = check_name(s, path, mode, err);
	if (rc < 0)
		return rc;
	struct sqlite_backup *b = backup_new(s, path, mode);
	rc = part_open(b, err);
	if (rc == 0) {
		backup_forget(s);
		int failed = sqlite_thread_new(&b->thread, secure_main, b);
		if (failed != 0)
			rc = err_set(err, FISH_EIO, "the backup's thread cannot start: %s",
				strerror(failed));
	}
	if (rc < 0) {
		part_remove(b);
		backup_free(b);
		return rc;
	}
	pthread_mutex_lock(&s->mutex);
	s->backup = b;
	pthread_mutex_unlock(&s->mutex);
	pthread_cond_signal(&s->wake);
	return 0;
}

void sqlite_backup_look(struct store *base, struct store_backup *ret)
{
	struct sqlite_store *s = container_of(base, struct sqlite_store, base);

	pthread_mutex_lock(&s->mutex);
	*ret = s->backup != NULL ? s->backup->told : (struct store_backup){ 0 };
	pthread_mutex_unlock(&s->mutex);
}

void backup_stop(struct sqlite_store *s)
{
	struct sqlite_backup *b = s->backup;

	if (b == NULL)
		return;
	pthread_mutex_lock(&s->mutex);
	b->stopped = true;
	pthread_cond_signal(&b->news);
	pthread_mutex_unlock(&s->mutex);
	copy_end(b);
	backup_forget(s);
}
