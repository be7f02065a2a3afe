/* disk.c - how fast the disk itself is: appends so many bytes and calls fdatasync, again and again.
 *
 *     bench_disk FILE BYTES SECONDS
 *
 * The file wraps where the store's write-ahead log does (1,000 frames), so that what is measured is the
 * same mix of growing and overwriting. Prints one JSON object; the file is removed. */
#include "histogram.h"
#include "socket.h"

#include <fcntl.h>
#include <unistd.h>

enum { APPENDS_UNTIL_WRAP = 1000, BYTES_MAX = 1 << 20 };

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "bench_disk FILE BYTES SECONDS\n");
		return 2;
	}
	size_t bytes = strtoul(argv[2], NULL, 10);
	int fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	char *block = calloc(1, BYTES_MAX);
	struct histogram *took = calloc(1, sizeof *took);
	uint64_t n = 0;

	if (fd < 0 || !bytes || bytes > BYTES_MAX)
		die(argv[1]);
	uint64_t begun = now_ns();
	uint64_t end = begun + (uint64_t)(strtod(argv[3], NULL) * 1e9);

	for (uint64_t at = begun; at < end; n++) {
		if (pwrite(fd, block, bytes, (off_t)(n % APPENDS_UNTIL_WRAP * bytes)) != (ssize_t)bytes ||
		    fdatasync(fd) < 0)
			die(argv[1]);
		uint64_t done = now_ns();

		histogram_add(took, done - at);
		at = done;
	}
	printf("{\"syncs\": %llu, \"seconds\": %.6f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
	       (unsigned long long)n, (double)(now_ns() - begun) / 1e9,
	       (double)histogram_at(took, 0.5) / 1e3, (double)histogram_at(took, 0.99) / 1e3);
	unlink(argv[1]);
	free(took);
	free(block);
	return 0;
}
