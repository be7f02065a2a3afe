/* sqlite_log.c - the restart makes sure of the write-ahead log that it reads.
 *
 * A process that died between a write and its sync leaves commits behind that the next one
 * reads from the kernel's cache, takes for durable and tells the world of; a power cut then
 * takes them away. Invariant: when the store is open, all that it has read is on the disk.
 * Surprise: a sync alone would not do. After one that failed the kernel counts the pages as
 * clean and never writes them, and commits behind them would go with them at a power cut;
 * so the log is written again, byte for byte, in its own place. */
#include "store/sqlite.h"

#include <stdlib.h>

/* SQLite's files take less than 128 KiB at a time. */
enum { LOG_CHUNK_BYTES = 1 << 16 };

/* The same bytes in the same place can do no harm, however torn. */
static int rewrite(sqlite3_file *log, int64_t bytes)
{
	char *chunk = xalloc(LOG_CHUNK_BYTES);
	int rc = SQLITE_OK;

	for (int64_t at = 0; at < bytes && rc == SQLITE_OK; at += LOG_CHUNK_BYTES) {
		int len = bytes - at < LOG_CHUNK_BYTES ? (int)(bytes - at) : LOG_CHUNK_BYTES;
		rc = log->pMethods->xRead(log, chunk, len, at);
		if (rc == SQLITE_OK)
			rc = log->pMethods->xWrite(log, chunk, len, at);
	}
	free(chunk);
	return rc;
}

int sqlite_log_secure(struct sqlite_store *s, struct err *err)
{
	sqlite3_file *log = NULL;
	sqlite3_int64 bytes = 0;
	int rc = sqlite3_file_control(s->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	CHECK(rc == SQLITE_OK);
	CHECK(log != NULL);
	CHECK(log->pMethods != NULL); /* the log is open from the first read on */
	rc = log->pMethods->xFileSize(log, &bytes);
	if (rc == SQLITE_OK && bytes > 0)
		rc = rewrite(log, bytes);
	if (rc == SQLITE_OK && bytes > 0)
		rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	if (rc == SQLITE_OK)
		return 0;
	return err_set(err, FISH_EIO, "store %s: cannot make sure of its write-ahead log: %s",
		s->path, sqlite3_errstr(rc));
}
