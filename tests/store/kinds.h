/* kinds.h - the stores that the contract is asked of: how each is opened, opened again and killed.
 *
 * Invariant: a kind's reopen and killed leave the store open, and everything that was done stands.
 * Surprise: on the fault disk each reopening is a power cut as well, of what no sync has covered. */
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

static int memory_kind_open(struct store **ret, const char *path, struct err *err)
{
	static const uint8_t secret[TOKEN_SECRET_BYTES] = { 7 };

	(void)path;
	return store_open_memory(ret, secret, err);
}

static void memory_kind_reopen(struct fixture *fx)
{
	fixture_adopt(fx, store_memory_crash(fx->s, false));
}

static void memory_kind_killed(struct fixture *fx, void (*script)(struct fixture *fx))
{
	script(fx);
	memory_kind_reopen(fx);
}

static int small_kind_open(struct store **ret, const char *path, struct err *err)
{
	return sqlite_store_open(
		ret, path, &(struct sqlite_options){ .segment_bytes_max = 2000 }, err);
}

static void open_again(struct fixture *fx)
{
	struct store *s = NULL;
	struct err err = { 0 };

	if (fx->kind->open(&s, fx->path, &err) != 0)
		fprintf(stderr, "%s\n", err.text);
	CHECK(s != NULL);
	fixture_adopt(fx, s);
}

static void file_kind_reopen(struct fixture *fx)
{
	fx->s = store_close(fx->s);
	open_again(fx);
}

static void (*script_to_kill)(struct fixture *fx);

static void run_and_die(struct fixture *fx)
{
	open_again(fx);
	script_to_kill(fx);
	kill(getpid(), SIGKILL);
}

static void file_kind_killed(struct fixture *fx, void (*script)(struct fixture *fx))
{
	fx->s = store_close(fx->s);
	script_to_kill = script;
	run_child(run_and_die, fx, SIGKILL, NULL, 0);
	open_again(fx);
}

static void file_kind_remove(struct fixture *fx) { unlink(fx->path); }

static struct fault_disk *disk;

static int fault_kind_open(struct store **ret, const char *path, struct err *err)
{
	const struct sqlite_options o = { .segment_bytes_max = 2000, .vfs = FAULT_VFS };

	return sqlite_store_open(ret, path, &o, err);
}

static void fault_kind_reopen(struct fixture *fx)
{
	fx->s = store_close(fx->s);
	fault_disk_cut(disk, FAULT_LOSES_SOME);
	open_again(fx);
}

static void fault_kind_killed(struct fixture *fx, void (*script)(struct fixture *fx))
{
	fx->s = store_close(fx->s);
	script_to_kill = script;
	run_child(run_and_die, fx, SIGKILL, NULL, 0);
	fault_disk_cut(disk, FAULT_LOSES_SOME);
	open_again(fx);
}

static void fault_kind_remove(struct fixture *fx)
{
	(void)fx;
	fault_disk_wipe(disk, 1);
}

static const struct kind kinds[] = {
	{ "memory", memory_kind_open, memory_kind_reopen, memory_kind_killed,
		file_kind_remove },
	{ "sqlite", store_open_sqlite, file_kind_reopen, file_kind_killed,
		file_kind_remove },
	{ "sqlite, small segments", small_kind_open, file_kind_reopen, file_kind_killed,
		file_kind_remove },
	{ "sqlite, fault disk", fault_kind_open, fault_kind_reopen, fault_kind_killed,
		fault_kind_remove },
};

#endif
