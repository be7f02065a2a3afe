/* fault_file.c - the operations on a file of the fault disk, as the VFS asks for them.
 *
 * Invariant: what a reader sees changes at once; what is durable only with a sync. Surprise: an
 * operation that fails, or that the process dies of, may have been carried out in part. */
#include "fault_private.h"

enum fault_how fault_file_open(struct fault_disk *d, const char *text, bool make, int *ret_file)
{
	pthread_mutex_lock(&d->lock);
	int name = disk_name(d, text);
	bool missing = d->names[name].now == NOBODY;
	pthread_mutex_unlock(&d->lock);
	enum fault_how how = disk_op_begin(d, missing && make ? FAULT_MAKE : 0);
	if (missing && make && disk_op_happens(d, how))
		disk_folder_note(d, name, disk_file_make(d));
	*ret_file = d->names[name].now;
	if (*ret_file != NOBODY)
		d->files[*ret_file].handles++;
	return disk_op_end(d, how);
}

void fault_file_close(struct fault_disk *d, int file)
{
	pthread_mutex_lock(&d->lock);
	d->files[file].handles--;
	pthread_mutex_unlock(&d->lock);
}

enum fault_how fault_file_read(struct fault_disk *d, int file, void *bytes, size_t len, size_t offset,
	size_t *ret_got)
{
	enum fault_how how = disk_op_begin(d, FAULT_READ);
	const struct file *f = &d->files[file];
	size_t there = offset < f->now_bytes ? f->now_bytes - offset : 0;

	*ret_got = there < len ? there : len;
	memcpy(bytes, disk_image(d, file, NOW) + offset, *ret_got);
	return disk_op_end(d, how);
}

/* How much of a write the room leaves. */
static size_t room_for(const struct fault_disk *d, int file, size_t offset, size_t len)
{
	size_t now_bytes = d->files[file].now_bytes;
	if (d->room_bytes == SIZE_MAX || offset + len <= now_bytes)
		return len;
	size_t used = disk_used(d);
	size_t end_max = now_bytes + (used < d->room_bytes ? d->room_bytes - used : 0);
	size_t room = end_max > offset ? end_max - offset : 0;
	return room < len ? room : len;
}

static void log_add(struct fault_disk *d, int file, struct record r, const void *bytes)
{
	struct file *f = &d->files[file];
	char *end = disk_image(d, file, LOG) + f->log_bytes;

	CHECK(f->log_bytes + sizeof r + r.len <= FAULT_LOG_BYTES_MAX);
	memcpy(end, &r, sizeof r);
	if (r.len > 0)
		memcpy(end + sizeof r, bytes, r.len);
	f->log_bytes += sizeof r + r.len;
}

enum fault_how fault_file_write(struct fault_disk *d, int file, const void *bytes, size_t len,
	size_t offset)
{
	enum fault_how how = disk_op_begin(d, FAULT_WRITE);
	struct file *f = &d->files[file];
	size_t room = room_for(d, file, offset, len);

	if (how == FAULT_NONE && room < len)
		how = FAULT_FULL;
	size_t done = disk_op_happens(d, how) ? room : (size_t)disk_draw(d, room < len ? room + 1 : len);
	CHECK(offset + done <= FAULT_FILE_BYTES_MAX);
	if (done > 0) {
		log_add(d, file, (struct record){ .offset = offset, .len = done }, bytes);
		memcpy(disk_image(d, file, NOW) + offset, bytes, done);
		f->now_bytes = f->now_bytes > offset + done ? f->now_bytes : offset + done;
		f->touched_bytes = f->touched_bytes > f->now_bytes ? f->touched_bytes : f->now_bytes;
	}
	return disk_op_end(d, how);
}

enum fault_how fault_file_truncate(struct fault_disk *d, int file, size_t len)
{
	enum fault_how how = disk_op_begin(d, FAULT_TRUNCATE);
	struct file *f = &d->files[file];

	if (disk_op_happens(d, how)) {
		log_add(d, file, (struct record){ .truncates = true, .offset = len }, NULL);
		if (len < f->now_bytes)
			memset(disk_image(d, file, NOW) + len, 0, f->now_bytes - len);
		f->now_bytes = len;
	}
	return disk_op_end(d, how);
}

enum fault_how fault_file_sync(struct fault_disk *d, int file, bool folder_too)
{
	enum fault_how how = disk_op_begin(d, FAULT_SYNC);

	if (disk_op_happens(d, how)) {
		disk_settle(d, file, NULL);
		if (folder_too)
			disk_folder_sync(d);
	} else if (how == FAULT_ERROR) {
		struct mood m = disk_mood(d, FAULT_LOSES_SOME);
		disk_settle(d, file, &m);
	}
	return disk_op_end(d, how);
}

size_t fault_file_bytes(struct fault_disk *d, int file)
{
	pthread_mutex_lock(&d->lock);
	size_t len = d->files[file].now_bytes;
	pthread_mutex_unlock(&d->lock);
	return len;
}

enum fault_how fault_name_remove(struct fault_disk *d, const char *text, bool sync_folder,
	bool *ret_was_there)
{
	enum fault_how how = disk_op_begin(d, FAULT_REMOVE);
	int name = disk_name(d, text);

	*ret_was_there = d->names[name].now != NOBODY;
	if (*ret_was_there && disk_op_happens(d, how)) {
		disk_folder_note(d, name, NOBODY);
		if (sync_folder)
			disk_folder_sync(d);
	}
	return disk_op_end(d, how);
}

bool fault_name_is(struct fault_disk *d, const char *text)
{
	pthread_mutex_lock(&d->lock);
	bool there = d->names[disk_name(d, text)].now != NOBODY;
	pthread_mutex_unlock(&d->lock);
	return there;
}
