/* sqlite_room.c - that a full disk stays a nuisance: the store can always tidy up.
 *
 * Invariant: the file on the disk is as long as the pages that are committed, in the log or at home,
 * so that the log can always be copied home and begin anew; and the log has its blocks from
 * the beginning. So what retention lets go can be written when nothing else can, and the pages that this
 * frees take the next commits. Surprise: a transaction that makes the file grow is refused before its
 * COMMIT when the disk has no room for the pages, though the log may have. */
#include "store/sqlite.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	GROW_BYTES = 1 << 20, /* the file grows by so many */
	UPKEEP_PIECES_MAX = 64, /* of tidying after a commit that was refused */
};

static uint64_t whole_pieces(uint64_t bytes)
{
	return (bytes + GROW_BYTES - 1) / GROW_BYTES * GROW_BYTES;
}

/* Of the pages as they would be after a COMMIT. 0: it cannot be told. */
static uint64_t pages_bytes(struct sqlite_store *s)
{
	sqlite3_stmt *stmt = s->statements[ST_PAGES];
	int64_t pages = 0;

	if (sqlite3_step(stmt) == SQLITE_ROW)
		pages = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return (uint64_t)pages * SQLITE_STORE_PAGE_BYTES;
}

/* What SQLite cuts off the file is whole pieces too. */
static bool piece_set(struct sqlite_store *s, int bytes)
{
	return sqlite3_file_control(s->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &bytes) == SQLITE_OK;
}

/* At once, where the file system can; SQLite would write a byte into each of its blocks. What fails here
 * for want of room fails there too, and is told there. */
static void blocks_take(const struct sqlite_store *s, uint64_t bytes)
{
	if (s->file_fd >= 0)
		(void)!fallocate(s->file_fd, 0, 0, (off_t)bytes);
}

static bool grow(struct sqlite_store *s, uint64_t bytes)
{
	sqlite3_int64 hint = (sqlite3_int64)bytes;

	if (!piece_set(s, GROW_BYTES))
		return false;
	blocks_take(s, whole_pieces(bytes));
	if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_SIZE_HINT, &hint) == SQLITE_OK) {
		s->file_bytes = whole_pieces(bytes);
		return true;
	}
	/* Until it has grown once it may be no whole number of pieces, and to cut it would make it
	 * longer, with holes. */
	if (s->file_bytes == 0)
		piece_set(s, 0);
	return false;
}

void room_open(struct sqlite_store *s)
{
	/* Another VFS than the system's need not know of it. */
	s->grows = s->vfs == NULL;
	if (s->grows)
		s->file_fd = open(s->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (s->grows)
		grow(s, pages_bytes(s));
	if (!s->grows || s->log_bytes == 0)
		return;
	char *path = sqlite3_mprintf("%s-wal", s->file);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* Some file systems cannot, and on a full disk it is too late. SQLite locks the store's file
	 * alone, so that to close this one loses nothing. */
	if (fd >= 0) {
		(void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)s->log_bytes);
		close(fd);
	}
	sqlite3_free(path);
}

/* To close any descriptor of a file lets go of all locks that the process has on it: so this one outlives
 * SQLite's. */
void room_close(struct sqlite_store *s)
{
	if (s->file_fd >= 0)
		close(s->file_fd);
	s->file_fd = -1;
}

bool room_grow(struct sqlite_store *s)
{
	uint64_t bytes = s->grows ? pages_bytes(s) : 0;

	s->no_room = bytes > s->file_bytes && !grow(s, bytes);
	return !s->no_room;
}

void room_copied(struct sqlite_store *s)
{
	/* SQLite has cut off whole pieces that are not needed any more. */
	if (s->file_bytes > 0)
		s->file_bytes = whole_pieces(pages_bytes(s));
}

void room_make(struct sqlite_store *s)
{
	const struct store_commit nothing = { .now_ms = s->refused_ms };
	bool due = true;

	s->refused_ms = 0;
	for (int i = 0; i < UPKEEP_PIECES_MAX && due; i++) {
		due = ended_is_due(s, nothing.now_ms) || nothing.now_ms > s->time_ms;
		if (due && sqlite_commit(s, &nothing) < 0)
			break;
		due = sqlite_tidy(s) || due;
	}
	s->refused_ms = 0;
}
