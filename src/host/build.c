/* build.c - tells one build of the program from another.
 *
 * A journal names the build that wrote it, so that a divergence can show both. Surprise:
 * the build id of libfish does not count; a flow's steps are in the program that calls
 * it. */
#include "host/build.h"

#include "base/hash.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

/* Notes are padded to four bytes, whatever the segment's alignment says. */
static size_t padded(size_t len) { return (len + 3) & ~(size_t)3; }

/* The notes of one segment, one after the other; what does not fit ends the search. */
static struct slice note_build_id(const char *notes, size_t len)
{
	while (len >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) note;

		memcpy(&note, notes, sizeof(note));
		size_t whole =
			sizeof(note) + padded(note.n_namesz) + padded(note.n_descsz);
		const char *name = notes + sizeof(note);

		if (whole > len)
			break;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
			memcmp(name, "GNU", sizeof("GNU")) == 0)
			return (struct slice){ name + padded(note.n_namesz),
				note.n_descsz };
		notes += whole;
		len -= whole;
	}
	return SLICE_NONE;
}

/* dl_iterate_phdr shows the main executable first; 1 ends the iteration there. */
static int first_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct slice *ret = arg;

	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum && ret->len == 0; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type == PT_NOTE)
			/* The address is where the loader put the segment: a number made
			 * a pointer. */
			*ret = note_build_id(
				(const char *)(info->dlpi_addr + segment->p_vaddr),
				segment->p_memsz);
	}
	return 1;
}

/* Slower, and only for a program that was linked without a build id. */
static uint64_t hash_of_executable(void)
{
	char block[16 << 10];
	uint64_t hash = HASH64_SEED;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		return hash;
	while ((n = read(fd, block, sizeof(block))) > 0)
		hash = hash64(hash, (struct slice){ block, (size_t)n });
	close(fd);
	return hash;
}

uint64_t build_id(void)
{
	struct slice id = SLICE_NONE;

	dl_iterate_phdr(first_object, &id);
	return id.len > 0 ? hash64(HASH64_SEED, id) : hash_of_executable();
}
