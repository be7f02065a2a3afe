/* fault_vfs.c - between SQLite's VFS and the fault disk: names codes, keeps nothing.
 *
 * Invariant: chance comes from the disk, so that one seed gives one salt of the log. Surprise:
 * after a failure the file tells the errno that the system would have had, as the store asks for
 * it. */
#include "fault_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <string.h>

struct vfs_file {
	sqlite3_file base;
	struct fault_disk *disk;
	int file;
	bool folder_too; /* with its next sync */
	int last_errno;
};

/* The unix VFS quietly cuts longer reads and writes short. */
enum { LEN_MAX = 0x1ffff };

static struct vfs_file *file_of(sqlite3_file *f) { return (struct vfs_file *)f; }

static int code_of(struct vfs_file *f, enum fault_how how, int error)
{
	switch (how) {
	case FAULT_NONE: return SQLITE_OK;
	case FAULT_FULL: f->last_errno = ENOSPC; return SQLITE_FULL;
	case FAULT_QUOTA: f->last_errno = EDQUOT; return error;
	case FAULT_ERROR:
	case FAULT_KILL:
	case FAULT_CUT: break;
	}
	f->last_errno = EIO;
	return error;
}

static int vfs_close(sqlite3_file *base)
{
	fault_file_close(file_of(base)->disk, file_of(base)->file);
	return SQLITE_OK;
}

static int vfs_read(sqlite3_file *base, void *bytes, int len, sqlite3_int64 offset)
{
	struct vfs_file *f = file_of(base);
	size_t got = 0;

	CHECK(len <= LEN_MAX);
	enum fault_how how = fault_file_read(f->disk, f->file, bytes, (size_t)len, (size_t)offset, &got);

	if (how == FAULT_NONE && got < (size_t)len) {
		memset((char *)bytes + got, 0, (size_t)len - got);
		return SQLITE_IOERR_SHORT_READ;
	}
	return code_of(f, how, SQLITE_IOERR_READ);
}

static int vfs_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 offset)
{
	struct vfs_file *f = file_of(base);

	CHECK(len <= LEN_MAX);
	return code_of(f, fault_file_write(f->disk, f->file, bytes, (size_t)len, (size_t)offset),
		SQLITE_IOERR_WRITE);
}

static int vfs_truncate(sqlite3_file *base, sqlite3_int64 len)
{
	struct vfs_file *f = file_of(base);

	return code_of(f, fault_file_truncate(f->disk, f->file, (size_t)len), SQLITE_IOERR_TRUNCATE);
}

static int vfs_sync(sqlite3_file *base, int flags)
{
	struct vfs_file *f = file_of(base);

	(void)flags;
	int rc = code_of(f, fault_file_sync(f->disk, f->file, f->folder_too), SQLITE_IOERR_FSYNC);
	f->folder_too = f->folder_too && rc != SQLITE_OK;
	return rc;
}

static int vfs_size(sqlite3_file *base, sqlite3_int64 *ret)
{
	*ret = (sqlite3_int64)fault_file_bytes(file_of(base)->disk, file_of(base)->file);
	return SQLITE_OK;
}

static int vfs_lock(sqlite3_file *base, int level)
{
	(void)base;
	(void)level;
	return SQLITE_OK;
}

static int vfs_reserved(sqlite3_file *base, int *ret)
{
	(void)base;
	*ret = 0;
	return SQLITE_OK;
}

static int vfs_control(sqlite3_file *base, int op, void *arg)
{
	if (op != SQLITE_FCNTL_LAST_ERRNO)
		return SQLITE_NOTFOUND;
	*(int *)arg = file_of(base)->last_errno;
	return SQLITE_OK;
}

static int vfs_sector(sqlite3_file *base)
{
	(void)base;
	return 4096;
}

static int vfs_traits(sqlite3_file *base)
{
	(void)base;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

/* Version 1: no shared memory, no mapping. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = vfs_close,
	.xRead = vfs_read,
	.xWrite = vfs_write,
	.xTruncate = vfs_truncate,
	.xSync = vfs_sync,
	.xFileSize = vfs_size,
	.xLock = vfs_lock,
	.xUnlock = vfs_lock,
	.xCheckReservedLock = vfs_reserved,
	.xFileControl = vfs_control,
	.xSectorSize = vfs_sector,
	.xDeviceCharacteristics = vfs_traits,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
	struct vfs_file *f = file_of(base);
	bool make = (flags & SQLITE_OPEN_CREATE) != 0;
	bool beside = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;

	*f = (struct vfs_file){ .disk = vfs->pAppData, .folder_too = make && beside };
	if (name == NULL)
		return SQLITE_CANTOPEN; /* the store keeps what is temporary in memory */
	enum fault_how how = fault_file_open(f->disk, name, make, &f->file);
	if (how != FAULT_NONE || f->file < 0)
		return SQLITE_CANTOPEN;
	f->base.pMethods = &methods;
	if (ret_flags != NULL)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	bool was_there = false;
	enum fault_how how = fault_name_remove(vfs->pAppData, name, sync_folder != 0, &was_there);

	if (how != FAULT_NONE)
		return SQLITE_IOERR_DELETE;
	return was_there ? SQLITE_OK : SQLITE_IOERR_DELETE_NOENT;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	(void)flags;
	*ret = fault_name_is(vfs->pAppData, name);
	return SQLITE_OK;
}

static int vfs_full_name(sqlite3_vfs *vfs, const char *name, int size, char *ret)
{
	(void)vfs;
	sqlite3_snprintf(size, ret, "%s", name);
	return SQLITE_OK;
}

static int vfs_chance(sqlite3_vfs *vfs, int len, char *ret)
{
	for (int i = 0; i < len; i++)
		ret[i] = (char)fault_disk_draw(vfs->pAppData, 256);
	return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2460000.5;
	return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *ret)
{
	(void)vfs;
	(void)size;
	(void)ret;
	return 0;
}

void fault_vfs_mount(struct fault_disk *d)
{
	static sqlite3_vfs vfs = {
		.iVersion = 1,
		.szOsFile = sizeof(struct vfs_file),
		.mxPathname = FAULT_NAME_BYTES_MAX - 8,
		.zName = FAULT_VFS,
		.xOpen = vfs_open,
		.xDelete = vfs_delete,
		.xAccess = vfs_access,
		.xFullPathname = vfs_full_name,
		.xRandomness = vfs_chance,
		.xSleep = vfs_sleep,
		.xCurrentTime = vfs_time,
		.xGetLastError = vfs_last_error,
	};

	vfs.pAppData = d;
	int rc = sqlite3_vfs_register(&vfs, 0);
	CHECK(rc == SQLITE_OK);
}
