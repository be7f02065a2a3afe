/* fault_disk.h - a small disk in memory that loses, tears, refuses and delays what a test asks it to.
 *
 * A file has two images: what a reader sees now, and what would be there after a power cut; between
 * them stands the list of writes that no sync has covered. Names are kept alike: making and removing
 * a file lasts only once the folder is synced. Invariant: all of it is in memory shared with forked
 * children, so a child that dies leaves the disk as the kernel would. Surprise: after a sync that
 * failed, what it should have written is seen by every reader and never gets to the disk, since that
 * is what a kernel may do: no later sync writes it. */
#ifndef FISH_TESTS_STORE_FAULT_DISK_H
#define FISH_TESTS_STORE_FAULT_DISK_H

#include "base/base.h"

struct fault_disk;
struct buf;

/* Kinds of operations, as bits. Opening counts only when it makes a file. */
enum fault_op {
	FAULT_MAKE     = 1 << 0,
	FAULT_READ     = 1 << 1,
	FAULT_WRITE    = 1 << 2,
	FAULT_SYNC     = 1 << 3,
	FAULT_TRUNCATE = 1 << 4,
	FAULT_REMOVE   = 1 << 5,
	FAULT_CHANGES  = FAULT_MAKE | FAULT_WRITE | FAULT_SYNC | FAULT_TRUNCATE | FAULT_REMOVE,
	FAULT_ALL      = FAULT_CHANGES | FAULT_READ,
};

enum fault_how {
	FAULT_NONE,
	FAULT_FULL,       /* no room: a write is cut short */
	FAULT_QUOTA,      /* the same, in other words */
	FAULT_ERROR,      /* EIO: a write is cut short, a sync loses what it should have written */
	FAULT_KILL,       /* SIGKILL to this process, before or after the operation or in the middle */
	FAULT_CUT,        /* the power goes: the same, and the process ends with FAULT_CUT_STATUS */
};

enum {
	FAULT_CUT_STATUS     = 77,
	FAULT_NAME_BYTES_MAX = 120,
	FAULT_FILES_MAX      = 8,
	FAULT_NAMES_MAX      = 16,
	FAULT_FILE_BYTES_MAX = 48 << 20,
	FAULT_LOG_BYTES_MAX  = 96 << 20,    /* of writes to one file that no sync has covered */
	FAULT_PIECE_BYTES    = 512,         /* what a power cut keeps or loses as a whole, mostly */
};

/* The at-th operation (from 1; 0: none) of these kinds fails, and so do the next times - 1. */
struct fault_plan {
	unsigned       ops;       /* bits of enum fault_op */
	enum fault_how how;
	uint64_t       at;
	uint64_t       times;     /* 0: one; UINT64_MAX: from there on */
};

/* What is left of the writes that no sync has covered. */
enum fault_loss { FAULT_LOSES_SOME, FAULT_LOSES_ALL };

struct fault_disk *fault_disk_new(void);
struct fault_disk *fault_disk_free(struct fault_disk *d);
/* An empty disk with all the room there is and no plan; chance begins at seed. */
void fault_disk_wipe(struct fault_disk *d, uint64_t seed);
/* All that is on the disk, as nobody has it open; to bring back with chance anew from seed. */
void fault_disk_save(const struct fault_disk *d, struct buf *to);
void fault_disk_restore(struct fault_disk *d, struct slice saved, uint64_t seed);
/* Its files as readers see them, to real files of their names. */
void fault_disk_copy_out(struct fault_disk *d);
/* NULL: none. Operations are counted from here. */
void fault_disk_plan(struct fault_disk *d, const struct fault_plan *plan);
/* Operations of the plan's kinds since it was set. */
uint64_t fault_disk_seen(struct fault_disk *d);
/* All files together grow by so much more, and no further; SIZE_MAX: without bound. */
void fault_disk_room(struct fault_disk *d, size_t more_bytes);
/* Some operations take longer, up to this; 0: none. */
void fault_disk_delays(struct fault_disk *d, unsigned us_max);
/* Nobody has the disk open any more, whatever became of those who had. Files keep what readers saw. */
void fault_disk_orphan(struct fault_disk *d);
/* The power goes: what was synced is left and, of the rest, what loss says, in any order, torn
 * anywhere. */
void fault_disk_cut(struct fault_disk *d, enum fault_loss loss);
uint64_t fault_disk_draw(struct fault_disk *d, uint64_t below);

/* For the VFS. A file is a small number, or -1 when there is none; any how but FAULT_NONE is a
 * failure. */
enum fault_how fault_file_open(struct fault_disk *d, const char *name, bool make, int *ret_file);
void           fault_file_close(struct fault_disk *d, int file);
enum fault_how fault_file_read(struct fault_disk *d, int file, void *bytes, size_t len,
                               size_t offset, size_t *ret_got);
enum fault_how fault_file_write(struct fault_disk *d, int file, const void *bytes, size_t len,
                                size_t offset);
enum fault_how fault_file_truncate(struct fault_disk *d, int file, size_t len);
enum fault_how fault_file_sync(struct fault_disk *d, int file, bool folder_too);
size_t         fault_file_bytes(struct fault_disk *d, int file);
enum fault_how fault_name_remove(struct fault_disk *d, const char *name, bool sync_folder,
                                 bool *ret_was_there);
bool           fault_name_is(struct fault_disk *d, const char *name);

#endif
