/* fault_name.c - the folder of the fault disk: which name is which file, now and after a cut.
 *
 * Invariant: a file stands as long as a name, a change of the folder that is not durable, or
 * somebody who has it open knows it. */
#include "fault_private.h"

void disk_file_free(struct fault_disk *d, int file)
{
	struct file *f = &d->files[file];

	/* A new file is all zeros, wherever it is written. */
	memset(disk_image(d, file, NOW), 0, f->touched_bytes);
	memset(disk_image(d, file, KEPT), 0, f->touched_bytes);
	*f = (struct file){ .used = false };
}

/* Files that have neither a name, now or after a cut, nor anybody who holds them open. */
void disk_tidy(struct fault_disk *d)
{
	for (int i = 0; i < FAULT_FILES_MAX; i++) {
		bool wanted = d->files[i].handles > 0;
		for (int n = 0; n < FAULT_NAMES_MAX && !wanted; n++)
			wanted = d->names[n].text[0] != '\0' && (d->names[n].now == i || d->names[n].kept == i);
		for (size_t n = 0; n < d->nfolder && !wanted; n++)
			wanted = d->folder[n].file == i;
		if (d->files[i].used && !wanted)
			disk_file_free(d, i);
	}
}

void disk_folder_sync(struct fault_disk *d)
{
	for (int i = 0; i < FAULT_NAMES_MAX; i++)
		d->names[i].kept = d->names[i].now;
	d->nfolder = 0;
	disk_tidy(d);
}

static int file_place(const struct fault_disk *d)
{
	int i = 0;

	while (i < FAULT_FILES_MAX && d->files[i].used)
		i++;
	return i;
}

int disk_file_make(struct fault_disk *d)
{
	disk_tidy(d);
	/* After so many files the kernel writes the folder back unasked. */
	if (file_place(d) == FAULT_FILES_MAX)
		disk_folder_sync(d);
	int i = file_place(d);
	CHECK(i < FAULT_FILES_MAX); /* a store has three files */
	d->files[i].used = true;
	return i;
}

/* The name's place, made if there is none. */
int disk_name(struct fault_disk *d, const char *text)
{
	int free_place = FAULT_NAMES_MAX;

	for (int i = 0; i < FAULT_NAMES_MAX; i++) {
		if (strcmp(d->names[i].text, text) == 0)
			return i;
		if (d->names[i].text[0] == '\0' && free_place == FAULT_NAMES_MAX)
			free_place = i;
	}
	CHECK(free_place < FAULT_NAMES_MAX); /* one store at a time is on the disk */
	CHECK(strlen(text) < FAULT_NAME_BYTES_MAX);
	d->names[free_place] = (struct name){ .now = NOBODY, .kept = NOBODY };
	strcpy(d->names[free_place].text, text);
	return free_place;
}

void disk_folder_note(struct fault_disk *d, int name, int file)
{
	CHECK(d->nfolder < FOLDER_OPS_MAX); /* few files, so few changes before a sync */
	d->folder[d->nfolder++] = (struct folder_op){ name, file };
	d->names[name].now = file;
}
