/* fault_backup_test.c - a backup that is killed, cut off by a power cut, or meets a disk that is full or
 * fails, at each of its operations on the copy.
 *
 * Invariant: the store has all that it acknowledged, what stands at the copy's name is a whole backup
 * or nothing, and the next backup succeeds. Surprise: a copy is written to real files, so the faults are
 * in the system calls: this file defines those that write, sync and rename before the system's library does,
 * for SQLite as well. After a power cut the copy has the bytes of its last sync, which are noted there. */
#include "sqlite_kit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

enum { ROWS = 24,
	ROW_BYTES = 60000,
	NAME_BYTES = 200,
	IMAGE_BYTES_MAX = 16 << 20,
	LAST_OPERATIONS = 10, /* of these each is tried: the syncs and the name */
	SAMPLES = 8 }; /* of those before, so many; in `make soak` each */

enum how { NOTHING,
	KILL_BEFORE,
	KILL_BEHIND,
	CUT,
	NO_ROOM,
	IO_ERROR };

/* What a child leaves for the test to see. */
struct scene {
	struct fixture fx;
	char copy[NAME_BYTES], part[NAME_BYTES];
	enum how how;
	uint64_t at;
	_Atomic uint64_t seen; /* operations on the copy */
	atomic_uint acked; /* rows that were committed */
	atomic_bool counts;
	atomic_bool named, name_synced, early; /* early: it got its name before its bytes were synced */
	_Atomic uint64_t written, synced; /* counts of writes; of those that a sync covers */
	size_t image_bytes;
	char image[IMAGE_BYTES_MAX]; /* the bytes of its last sync */
	size_t fresh_bytes;
	char fresh[IMAGE_BYTES_MAX]; /* a store with ROWS rows */
};

static struct scene *scene; /* the system calls know of nothing else */

/* ---- the system calls ---- */

/* Is the file behind fd the one of this path? */
static bool is_file(int fd, const char *path)
{
	char link[40];
	char name[NAME_BYTES];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, name, sizeof name - 1);
	name[n > 0 ? n : 0] = '\0';
	return strcmp(name, path) == 0;
}

/* Counts an operation. An errno, if it is not to be carried out; *ret_dies: then the process ends. */
static int begin(bool ours, bool *ret_dies)
{
	*ret_dies = false;
	if (!ours || ++scene->seen != scene->at)
		return 0;
	switch (scene->how) {
	case NOTHING:
		break;
	case KILL_BEFORE:
		kill(getpid(), SIGKILL);
		break;
	case KILL_BEHIND:
	case CUT:
		*ret_dies = true;
		break;
	case NO_ROOM:
		return ENOSPC;
	case IO_ERROR:
		return EIO;
	}
	return 0;
}

static bool is_copy(int fd)
{
	return scene != NULL && scene->counts && (is_file(fd, scene->part) || is_file(fd, scene->copy));
}

static long end(long result, bool dies)
{
	if (dies)
		kill(getpid(), SIGKILL);
	return result;
}

static long refused(int error)
{
	errno = error;
	return -1;
}

__attribute__((visibility("default"))) ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
	bool dies = false;
	bool ours = is_copy(fd);
	int error = begin(ours, &dies);

	if (error != 0)
		return refused(error);
	if (ours)
		scene->written++;
	return end(syscall(SYS_pwrite64, fd, bytes, n, at), dies);
}

__attribute__((visibility("default"))) int ftruncate64(int fd, off64_t len)
{
	bool dies = false;
	bool ours = is_copy(fd);
	int error = begin(ours, &dies);

	if (error != 0)
		return (int)refused(error);
	if (ours)
		scene->written++;
	return (int)end(syscall(SYS_ftruncate, fd, len), dies);
}

/* What is there now is durable. */
static void note_image(int fd)
{
	uint64_t written = scene->written;
	ssize_t n = pread(fd, scene->image, sizeof scene->image, 0);

	CHECK(n >= 0);
	CHECK(n < IMAGE_BYTES_MAX);
	scene->image_bytes = (size_t)n;
	scene->synced = written;
}

static int sync_call(long number, int fd)
{
	bool dies = false;
	bool copy = is_copy(fd);
	bool folder = scene != NULL && scene->counts && is_file(fd, scene->fx.dir);
	int error = begin(copy || folder, &dies);

	if (error != 0)
		return (int)refused(error);
	if (copy)
		note_image(fd);
	if (folder && scene->named)
		scene->name_synced = true;
	return (int)end(syscall(number, fd), dies);
}

__attribute__((visibility("default"))) int fsync(int fd) { return sync_call(SYS_fsync, fd); }
__attribute__((visibility("default"))) int fdatasync(int fd) { return sync_call(SYS_fdatasync, fd); }

static int rename_call(const char *from, const char *to, unsigned flags)
{
	bool dies = false;
	bool ours = scene != NULL && scene->counts;
	int error = begin(ours, &dies);

	if (error != 0)
		return (int)refused(error);
	if (ours) {
		scene->early = scene->synced != scene->written;
		scene->named = true;
	}
	return (int)end(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags), dies);
}

__attribute__((visibility("default"))) int renameat2(int from_fd, const char *from, int to_fd, const char *to,
	unsigned flags)
{
	CHECK(from_fd == AT_FDCWD);
	CHECK(to_fd == AT_FDCWD);
	return rename_call(from, to, flags);
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
	return rename_call(from, to, 0);
}

/* ---- a store, and its backup ---- */

static void add(struct fixture *fx)
{
	static char bytes[ROW_BYTES];

	memset(bytes, 'r', sizeof bytes);
	struct store_row row = bytes_row(scene->acked, 0, (struct slice){ bytes, sizeof bytes });
	CHECK(commit_row(fx, row, 1) == 0);
	scene->acked++;
}

static void put_file(const char *path, const char *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	fclose(file);
}

static void fill(struct fixture *fx)
{
	open_with(fx, NULL);
	while (scene->acked < ROWS)
		add(fx);
	fx->s = store_close(fx->s);
	FILE *file = fopen(fx->path, "r");
	CHECK(file != NULL);
	scene->fresh_bytes = fread(scene->fresh, 1, sizeof scene->fresh, file);
	fclose(file);
}

/* The store as it was filled. */
static void begin_anew(const struct fixture *fx)
{
	char log[NAME_BYTES];

	snprintf(log, sizeof log, "%s-wal", fx->path);
	unlink(log);
	put_file(fx->path, scene->fresh, scene->fresh_bytes);
	scene->acked = ROWS;
}

/* Commits go on until the backup is over, or for ever, if the process is to die. */
static struct store_backup back_up(struct fixture *fx, enum store_backup_mode mode)
{
	struct store_backup told = { .phase = STORE_BACKUP_NONE };
	struct err err = { .code = 0 };

	scene->seen = scene->written = scene->synced = 0;
	scene->named = scene->name_synced = scene->early = false;
	scene->image_bytes = 0;
	scene->counts = true;
	if (store_backup_begin(fx->s, scene->copy, mode, &err) < 0) {
		told.phase = STORE_BACKUP_FAILED;
		told.err = err;
	}
	for (unsigned n = 0; told.phase < STORE_BACKUP_DONE; n++) {
		struct timespec moment = { 0, 200000 };
		if (n % 8 == 0 && scene->acked < 2 * ROWS)
			add(fx);
		nanosleep(&moment, NULL);
		store_backup_look(fx->s, &told);
	}
	scene->counts = false;
	return told;
}

static void back_up_in_child(struct fixture *fx)
{
	bool there = access(scene->copy, F_OK) == 0;

	open_with(fx, NULL);
	back_up(fx, there ? STORE_BACKUP_REPLACES : STORE_BACKUP_NEW);
	store_close(fx->s);
	_exit(0);
}

/* Its wait status; the store that it had open is not ours. */
static int back_up_apart(void)
{
	int status = child_status(back_up_in_child, &scene->fx, NULL, 0);

	scene->fx.s = NULL;
	return status;
}

static void on_found(void *owner, const struct id *flow, const char *words)
{
	(void)owner;
	(void)flow;
	fail_msg("%s", words);
}

/* A whole store with at least so many rows. */
static void check_store(const char *path, unsigned rows)
{
	const struct store_check judge = { .found = on_found, .opaque = true };
	struct fixture fx = { .wake = scene->fx.wake };
	struct err err = { .code = 0 };

	if (store_check_file(path, &judge, &err) != 0)
		fail_msg("%s", err.text);
	snprintf(fx.path, sizeof fx.path, "%s", path);
	open_with(&fx, NULL);
	for (unsigned i = 0; i < rows; i++) {
		struct sync_load got;
		assert_int_equal(load_text(&fx, flow_id(i), &got), 0);
	}
	fx.s = store_close(fx.s);
}

static bool is_there(const char *path) { return access(path, F_OK) == 0; }

static void forget_copy(void)
{
	unlink(scene->copy);
	unlink(scene->part);
}

/* Operations of a backup in a process in which nothing fails. */
static uint64_t operations(void)
{
	scene->how = NOTHING;
	forget_copy();
	begin_anew(&scene->fx);
	assert_int_equal(back_up_apart(), 0);
	assert_true(scene->named);
	assert_true(scene->name_synced);
	assert_false(scene->early);
	return scene->seen;
}

/* The operation that comes behind the k-th to be tried, of n. */
static uint64_t next(uint64_t k, uint64_t n)
{
	bool all = number_of("FISH_CUTS", 100) >= 1000;
	uint64_t step = all ? 1 : (n / SAMPLES + 1) * number_of("FISH_SIM_SEEDS_DIVISOR", 1);

	if (k + LAST_OPERATIONS >= n)
		return k + 1;
	return k + step + LAST_OPERATIONS < n ? k + step : n - LAST_OPERATIONS;
}

/* The power has gone: a copy with its name has what its last sync covered, and may not have its name. */
static void copy_after_cut(bool keeps_name)
{
	if (!scene->named)
		return;
	unlink(scene->copy);
	if (!keeps_name && !scene->name_synced)
		return;
	put_file(scene->copy, scene->image, scene->image_bytes);
}

static void ended_at(enum how how, uint64_t k, bool replaces)
{
	if (!replaces)
		forget_copy();
	begin_anew(&scene->fx);
	scene->how = how;
	scene->at = k;
	int status = back_up_apart();
	assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	scene->how = NOTHING;
	/* Its name is all that tells a backup from a piece of one. */
	assert_false(scene->early);
	check_store(scene->fx.path, scene->acked);
	if (how == CUT)
		copy_after_cut(k % 2 == 0);
	if (replaces || (status == 0 && how != CUT))
		assert_true(is_there(scene->copy));
	if (is_there(scene->copy))
		check_store(scene->copy, ROWS);
	if (is_there(scene->part) && k % 4 == 0)
		assert_int_equal(chmod(scene->part, 0400), 0);
	open_with(&scene->fx, NULL);
	bool there = is_there(scene->copy);
	struct store_backup told = back_up(&scene->fx, there ? STORE_BACKUP_REPLACES : STORE_BACKUP_NEW);
	if (told.phase != STORE_BACKUP_DONE)
		fail_msg("the next one: %s", told.err.text);
	assert_false(is_there(scene->part));
	unsigned rows = scene->acked;
	scene->fx.s = store_close(scene->fx.s);
	check_store(scene->fx.path, rows);
	check_store(scene->copy, ROWS);
}

static void each(enum how how, bool replaces)
{
	uint64_t n = operations();
	uint64_t done = 0;

	for (uint64_t k = 1; k <= n; k = next(k, n), done++)
		ended_at(how, k, replaces);
	print_message("at %" PRIu64 " of %" PRIu64 " operations\n", done, n);
}

static void a_kill_leaves_the_store_and_no_half_copy(void **state)
{
	(void)state;
	each(KILL_BEFORE, false);
	each(KILL_BEHIND, true);
}

static void a_power_cut_leaves_no_half_copy(void **state)
{
	(void)state;
	each(CUT, false);
}

/* The store goes on, and says why there is no backup. */
static void fails_at(enum how how, uint64_t k)
{
	struct fixture *fx = &scene->fx;

	forget_copy();
	begin_anew(fx);
	open_with(fx, NULL);
	scene->how = how;
	scene->at = k;
	struct store_backup told = back_up(fx, STORE_BACKUP_NEW);
	scene->how = NOTHING;
	if (told.phase == STORE_BACKUP_FAILED && strstr(told.err.text, scene->copy) == NULL)
		fail_msg("operation %" PRIu64 ": %s", k, told.err.text);
	assert_false(is_there(scene->part));
	assert_true(told.phase == STORE_BACKUP_DONE || told.phase == STORE_BACKUP_FAILED);
	/* Only the folder's sync comes behind the name; then the bytes are there. */
	assert_true(is_there(scene->copy) == scene->named);
	assert_true(told.phase == STORE_BACKUP_FAILED || scene->name_synced);
	for (int i = 0; i < 3; i++)
		add(fx);
	unsigned rows = scene->acked;
	fx->s = store_close(fx->s);
	check_store(fx->path, rows);
	if (is_there(scene->copy))
		check_store(scene->copy, ROWS);
	forget_copy();
	open_with(fx, NULL);
	assert_int_equal(back_up(fx, STORE_BACKUP_NEW).phase, STORE_BACKUP_DONE);
	fx->s = store_close(fx->s);
	check_store(scene->copy, rows);
}

static void a_failing_disk_leaves_the_store_going_on(void **state)
{
	static const enum how hows[] = { NO_ROOM, IO_ERROR };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint64_t n = operations();
		for (uint64_t k = 1; k <= n; k = next(k, n))
			fails_at(hows[i], k);
	}
}

static int scene_new(void **state)
{
	struct scene *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(s != MAP_FAILED);
	scene = s;
	fixture_init(&s->fx);
	snprintf(s->copy, sizeof s->copy, "%s/copy.db", s->fx.dir);
	snprintf(s->part, sizeof s->part, "%s/copy.db.tmp", s->fx.dir);
	fill(&s->fx);
	*state = s;
	return 0;
}

static int scene_free(void **state)
{
	struct scene *s = *state;

	forget_copy();
	fixture_fini(&s->fx);
	scene = NULL;
	munmap(s, sizeof *s);
	return 0;
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_kill_leaves_the_store_and_no_half_copy, scene_new, scene_free),
	cmocka_unit_test_setup_teardown(a_power_cut_leaves_no_half_copy, scene_new, scene_free),
	cmocka_unit_test_setup_teardown(a_failing_disk_leaves_the_store_going_on, scene_new, scene_free),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
