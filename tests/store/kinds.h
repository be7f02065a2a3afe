/* kinds.h - the kinds of store that keep the contract, and how each is opened, opened again
 * and killed.
 *
 * Each test runs on the memory store, on SQLite as it is, on SQLite with so little room
 * for what is young that segments are begun, aged, retired and dropped all the time, and
 * on that over a fault disk, where each reopening is a power cut as well. Invariant: a
 * kind's reopen and killed leave the store open, and everything that was done stands.
 * Surprise: to kill a process is to kill a child that works on the file; for the memory
 * store it is store_memory_crash. */
#ifndef FISH_TESTS_STORE_KINDS_H
#define FISH_TESTS_STORE_KINDS_H

#include "fault_vfs.h"
#include "fixture.h"
#include "store/sqlite.h"

#include <signal.h>

struct kind {
	const char *name;
	int (*open)(struct store **ret, const char *path, struct err *err);
	void (*reopen)(struct fixture *fx);
	/* Runs script on the store in a process that is killed right after. */
	void (*killed)(struct fixture *fx, void (*script)(struct fixture *fx));
	void (*remove)(struct fixture *fx); /* what the store left behind */
};

static inline int memory_kind_open(struct store **ret, const char *path, struct err *err)
{
	static const uint8_t secret[TOKEN_SECRET_BYTES] = { 7 };

	(void)path;
	return store_open_memory(ret, secret, err);
}

static inline void memory_kind_reopen(struct fixture *fx)
{
	fixture_adopt(fx, store_memory_crash(fx->s, false));
}

static inline void memory_kind_killed(struct fixture *fx, void (*script)(struct fixture *fx))
{
	script(fx);
	memory_kind_reopen(fx);
}

static inline int sqlite_kind_open(struct store **ret, const char *path, struct err *err)
{
	return store_open_sqlite(ret, path, NULL, err);
}

static inline int small_kind_open(struct store **ret, const char *path, struct err *err)
{
	return store_open_sqlite(
		ret, path, &(struct store_options){ .young_bytes_max = 8000 }, err);
}

static inline void open_again(struct fixture *fx)
{
	struct store *s = NULL;
	struct err err = { 0 };

	if (fx->kind->open(&s, fx->path, &err) != 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(s != NULL);
	fixture_adopt(fx, s);
}

static inline void file_kind_reopen(struct fixture *fx)
{
	fx->s = store_close(fx->s);
	open_again(fx);
}

static void (*script_to_kill)(struct fixture *fx);

static inline void run_and_die(struct fixture *fx)
{
	open_again(fx);
	script_to_kill(fx);
	kill(getpid(), SIGKILL);
}

static inline void file_kind_killed(struct fixture *fx, void (*script)(struct fixture *fx))
{
	fx->s = store_close(fx->s);
	script_to_kill = script;
	run_child(run_and_die, fx, SIGKILL, NULL, 0);
	open_again(fx);
}

static inline void file_kind_remove(struct fixture *fx) { unlink(fx->path); }

static struct fault_disk *disk; /* made for the first test; the process takes it along */

static inline int fault_kind_open(struct store **ret, const char *path, struct err *err)
{
	const struct sqlite_options o = {
		.store = { .young_bytes_max = 8000, .vfs = FAULT_VFS },
		.wal_frames_max = 50,
		.dead_rows_min = 5,
		.ids_merge_max = 2,
		.ids_sweep_min = 5,
	};

	return sqlite_store_open(ret, path, &o, err);
}

static inline void fault_kind_reopen(struct fixture *fx)
{
	fx->s = store_close(fx->s);
	fault_disk_cut(disk, FAULT_LOSES_SOME);
	open_again(fx);
}

static inline void fault_kind_killed(struct fixture *fx, void (*script)(struct fixture *fx))
{
	fx->s = store_close(fx->s);
	script_to_kill = script;
	run_child(run_and_die, fx, SIGKILL, NULL, 0);
	fault_disk_cut(disk, FAULT_LOSES_SOME);
	open_again(fx);
}

static inline void fault_kind_remove(struct fixture *fx)
{
	(void)fx;
	fault_disk_wipe(disk, 1);
}

static const struct kind kinds[] = {
	{ "memory", memory_kind_open, memory_kind_reopen, memory_kind_killed,
		file_kind_remove },
	{ "sqlite", sqlite_kind_open, file_kind_reopen, file_kind_killed, file_kind_remove },
	{ "sqlite, small segments", small_kind_open, file_kind_reopen, file_kind_killed,
		file_kind_remove },
	{ "sqlite, fault disk", fault_kind_open, fault_kind_reopen, fault_kind_killed,
		fault_kind_remove },
};

static inline int setup(void **state)
{
	struct fixture *fx = xalloc(sizeof *fx);

	if (disk == NULL) {
		disk = fault_disk_new();
		fault_vfs_mount(disk);
	}
	fx->kind = *state;
	fixture_init(fx);
	fx->kind->remove(fx);
	open_again(fx);
	*state = fx;
	return 0;
}

static inline int teardown(void **state)
{
	fixture_fini(*state);
	free(*state);
	return 0;
}

#endif
