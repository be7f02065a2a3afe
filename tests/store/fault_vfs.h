/* fault_vfs.h - a fault disk as SQLite sees it: a VFS by the name FAULT_VFS.
 *
 * It says of itself what the unix VFS says: powersafe overwrite, no atomic and no ordered writes,
 * sectors of 4096 bytes; and it syncs the folder when that one does: with the first sync of a log or
 * journal that may be new. Invariant: it has no shared memory, so a store that does not lock its file
 * for itself alone cannot have a write-ahead log here. Surprise: locks are always granted. */
#ifndef FISH_TESTS_STORE_FAULT_VFS_H
#define FISH_TESTS_STORE_FAULT_VFS_H

#include "fault_disk.h"

#define FAULT_VFS "fault"

/* From now on, in this process and its children, the VFS is on d (kept). */
void fault_vfs_mount(struct fault_disk *d);

#endif
