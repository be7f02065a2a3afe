/* fault_private.h - the fault disk from the inside: for fault_disk.c, fault_name.c, fault_power.c and
 * fault_file.c only.
 *
 * Invariant: whoever calls one of these has the lock, from disk_op_begin to disk_op_end. */
#ifndef FISH_TESTS_STORE_FAULT_PRIVATE_H
#define FISH_TESTS_STORE_FAULT_PRIVATE_H

#include "fault_disk.h"

#include <pthread.h>
#include <string.h>

enum { FOLDER_OPS_MAX = 256, NOBODY = -1 };

struct file {
	bool used;
	unsigned handles;
	size_t now_bytes, kept_bytes, log_bytes;
	size_t touched_bytes; /* of either image, at most */
};

struct name {
	char text[FAULT_NAME_BYTES_MAX]; /* empty: a free place */
	int now, kept; /* file, or NOBODY */
};

/* From now on this name is that file's, or nobody's. */
struct folder_op {
	int name, file;
};

struct fault_disk {
	pthread_mutex_t lock;
	uint64_t chance;
	struct fault_plan plan;
	uint64_t seen;
	size_t room_bytes; /* of all files; SIZE_MAX: without bound */
	unsigned delay_us_max;
	struct file files[FAULT_FILES_MAX];
	struct name names[FAULT_NAMES_MAX];
	struct folder_op folder[FOLDER_OPS_MAX]; /* since its last sync */
	size_t nfolder;
};

/* One write, or a truncation when it has no bytes behind it. */
struct record {
	bool truncates;
	size_t offset, len; /* a truncation: offset is the new length */
};

/* How much of what was not synced a cut leaves. */
struct mood {
	unsigned kept_of_8; /* pieces of a write, by chance */
	bool ordered; /* nothing after the first lost piece is kept */
	bool rubbish; /* what has no bytes is no zeros */
	bool over; /* ordered: a piece has been lost */
};

enum image { NOW, KEPT, LOG };

/* fault_disk.c: the memory, chance and the plan. */
char    *disk_image(const struct fault_disk *d, int file, enum image which);
uint64_t disk_draw(struct fault_disk *d, uint64_t below);
/* Takes the lock and says what is to become of the operation … */
enum fault_how disk_op_begin(struct fault_disk *d, enum fault_op op);
/* … is it carried out all the same, if it has no parts … */
bool           disk_op_happens(struct fault_disk *d, enum fault_how how);
/* … and the end of it, and of the process if that was the plan. */
enum fault_how disk_op_end(struct fault_disk *d, enum fault_how how);

/* Bytes in all files. */
size_t disk_used(const struct fault_disk *d);

/* fault_name.c: the folder. */
void disk_file_free(struct fault_disk *d, int file);
int  disk_file_make(struct fault_disk *d);
void disk_tidy(struct fault_disk *d);
int  disk_name(struct fault_disk *d, const char *text);        /* its place, made if there is none */
void disk_folder_note(struct fault_disk *d, int name, int file);
void disk_folder_sync(struct fault_disk *d);

/* fault_power.c: what is durable. */
struct mood disk_mood(struct fault_disk *d, enum fault_loss loss);
void disk_settle(struct fault_disk *d, int file, struct mood *m);      /* m NULL: all of it is kept */
void disk_cut(struct fault_disk *d, enum fault_loss loss);

#endif
