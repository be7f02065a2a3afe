/* fault_disk.c - the disk's memory, its chance, and the plan of what fails when.
 *
 * Invariant: one process uses the disk at a time; the lock is for its threads, and a process
 * that dies may take it along, which is why fault_disk_orphan makes a new one. Surprise: the
 * plan's KILL and CUT do not come back; they end the process inside the operation. */
#include "fault_private.h"

#include "base/buf.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static size_t disk_bytes(void)
{
	return (size_t)FAULT_FILES_MAX * (2 * (size_t)FAULT_FILE_BYTES_MAX + FAULT_LOG_BYTES_MAX);
}

/* The images stand behind the disk's head, each in a place of its own; memory that was never
 * written costs nothing. */
char *disk_image(const struct fault_disk *d, int file, enum image which)
{
	size_t head = (sizeof *d + 4095) / 4096 * 4096;
	size_t one = 2 * (size_t)FAULT_FILE_BYTES_MAX + FAULT_LOG_BYTES_MAX;

	return (char *)d + head + (size_t)file * one + (size_t)which * FAULT_FILE_BYTES_MAX;
}

struct fault_disk *fault_disk_new(void)
{
	size_t bytes = disk_bytes() + (sizeof(struct fault_disk) + 4095) / 4096 * 4096;
	struct fault_disk *d = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(d != MAP_FAILED);
	fault_disk_wipe(d, 1);
	return d;
}

struct fault_disk *fault_disk_free(struct fault_disk *d)
{
	if (d != NULL)
		munmap(d, disk_bytes() + (sizeof *d + 4095) / 4096 * 4096);
	return NULL;
}

uint64_t disk_draw(struct fault_disk *d, uint64_t below)
{
	d->chance ^= d->chance >> 12;
	d->chance ^= d->chance << 25;
	d->chance ^= d->chance >> 27;
	return (d->chance * UINT64_C(2685821657736338717) >> 33) % below;
}

uint64_t fault_disk_draw(struct fault_disk *d, uint64_t below)
{
	pthread_mutex_lock(&d->lock);
	uint64_t n = disk_draw(d, below);
	pthread_mutex_unlock(&d->lock);
	return n;
}

void fault_disk_wipe(struct fault_disk *d, uint64_t seed)
{
	for (int i = 0; i < FAULT_FILES_MAX; i++)
		disk_file_free(d, i);
	memset(d->names, 0, sizeof d->names);
	d->nfolder = 0;
	d->room_bytes = SIZE_MAX;
	d->delay_us_max = 0;
	d->plan = (struct fault_plan){ .at = 0 };
	d->chance = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	pthread_mutex_init(&d->lock, NULL);
}

/* In the order of their images. */
static const size_t *image_bytes(const struct file *f, enum image which)
{
	return which == NOW ? &f->now_bytes : which == KEPT ? &f->kept_bytes : &f->log_bytes;
}

void fault_disk_save(const struct fault_disk *d, struct buf *to)
{
	buf_put(to, d, sizeof *d);
	for (int i = 0; i < FAULT_FILES_MAX; i++) {
		for (enum image which = NOW; which <= LOG; which++)
			buf_put(to, disk_image(d, i, which), *image_bytes(&d->files[i], which));
	}
}

void fault_disk_restore(struct fault_disk *d, struct slice saved, uint64_t seed)
{
	fault_disk_wipe(d, seed);
	uint64_t chance = d->chance;

	CHECK(saved.len >= sizeof *d);
	memcpy(d, saved.ptr, sizeof *d);
	size_t at = sizeof *d;
	for (int i = 0; i < FAULT_FILES_MAX; i++) {
		for (enum image which = NOW; which <= LOG; which++) {
			size_t len = *image_bytes(&d->files[i], which);
			CHECK(len <= saved.len - at);
			memcpy(disk_image(d, i, which), saved.ptr + at, len);
			at += len;
		}
	}
	d->chance = chance;
	d->plan = (struct fault_plan){ .at = 0 };
	fault_disk_orphan(d);
}

void fault_disk_copy_out(struct fault_disk *d)
{
	for (int i = 0; i < FAULT_NAMES_MAX; i++) {
		int file = d->names[i].now;
		if (d->names[i].text[0] == '\0' || file == NOBODY)
			continue;
		FILE *to = fopen(d->names[i].text, "w");
		CHECK(to != NULL); /* names are paths in the test's own folder */
		size_t len = fwrite(disk_image(d, file, NOW), 1, d->files[file].now_bytes, to);
		CHECK(len == d->files[file].now_bytes);
		fclose(to);
	}
}

void fault_disk_orphan(struct fault_disk *d)
{
	pthread_mutex_init(&d->lock, NULL);
	for (int i = 0; i < FAULT_FILES_MAX; i++)
		d->files[i].handles = 0;
	disk_tidy(d);
}

void fault_disk_plan(struct fault_disk *d, const struct fault_plan *plan)
{
	pthread_mutex_lock(&d->lock);
	d->plan = plan != NULL ? *plan : (struct fault_plan){ .at = 0 };
	d->plan.times = d->plan.times != 0 ? d->plan.times : 1;
	d->seen = 0;
	pthread_mutex_unlock(&d->lock);
}

uint64_t fault_disk_seen(struct fault_disk *d)
{
	pthread_mutex_lock(&d->lock);
	uint64_t seen = d->seen;
	pthread_mutex_unlock(&d->lock);
	return seen;
}

size_t disk_used(const struct fault_disk *d)
{
	size_t used = 0;

	for (int i = 0; i < FAULT_FILES_MAX; i++)
		used += d->files[i].used ? d->files[i].now_bytes : 0;
	return used;
}

void fault_disk_room(struct fault_disk *d, size_t more_bytes)
{
	pthread_mutex_lock(&d->lock);
	d->room_bytes = more_bytes == SIZE_MAX ? SIZE_MAX : disk_used(d) + more_bytes;
	pthread_mutex_unlock(&d->lock);
}

void fault_disk_delays(struct fault_disk *d, unsigned us_max) { d->delay_us_max = us_max; }

void fault_disk_cut(struct fault_disk *d, enum fault_loss loss)
{
	fault_disk_orphan(d);
	disk_cut(d, loss);
}

static void pause_maybe(struct fault_disk *d)
{
	if (d->delay_us_max == 0 || fault_disk_draw(d, 4) != 0)
		return;
	struct timespec t = { .tv_nsec = (long)fault_disk_draw(d, d->delay_us_max) * 1000 };
	nanosleep(&t, NULL);
}

/* Takes the lock and says what becomes of the operation. */
enum fault_how disk_op_begin(struct fault_disk *d, enum fault_op op)
{
	pause_maybe(d);
	pthread_mutex_lock(&d->lock);
	const struct fault_plan *p = &d->plan;
	if ((p->ops & op) == 0)
		return FAULT_NONE;
	d->seen++;
	if (p->at == 0 || d->seen < p->at || d->seen - p->at >= p->times)
		return FAULT_NONE;
	return p->how;
}

/* The end of the process, if that was the plan. */
enum fault_how disk_op_end(struct fault_disk *d, enum fault_how how)
{
	if (how == FAULT_CUT) {
		disk_cut(d, FAULT_LOSES_SOME);
		_exit(FAULT_CUT_STATUS);
	}
	if (how == FAULT_KILL)
		kill(getpid(), SIGKILL);
	pthread_mutex_unlock(&d->lock);
	return how;
}

/* Is an operation without parts carried out, though it is to fail? */
bool disk_op_happens(struct fault_disk *d, enum fault_how how)
{
	return how == FAULT_NONE || ((how == FAULT_KILL || how == FAULT_CUT) && disk_draw(d, 2) == 0);
}
