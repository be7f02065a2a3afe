/* history.h - random operations on a store over a fault disk, life after life, and what must be
 * there after each.
 *
 * A life is a child process: it opens the store, checks all that is there, does some more and
 * closes, unless a fault comes first. What it had done and been told stands in memory that
 * outlives it. Invariant: a commit whose done said 0 is there in every later life, and a commit
 * that was under way is there as a whole or not at all. Surprise: which of the two it is is read
 * from the store's time once; from then on it may not change, whatever is cut off. */
#ifndef FISH_TESTS_STORE_HISTORY_H
#define FISH_TESTS_STORE_HISTORY_H

#include "random.h"
#include "fault_vfs.h"
#include "file_check.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { HISTORY_REFUSED_STATUS = 3, HISTORY_SAID_BYTES = 1200 };

struct history {
	struct fixture fx;
	struct fault_disk *disk;
	struct sqlite_options options;
	struct random_run run, before; /* before: without the commit under way */
	atomic_bool committing;
	unsigned steps; /* commits of the next life */
	bool leaves; /* it ends by SIGKILL, with nothing closed */
	char said[HISTORY_SAID_BYTES]; /* by the last life */
};

static inline struct history *history_new(void)
{
	struct history *h = mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(h != MAP_FAILED);
	fixture_init(&h->fx);
	h->disk = fault_disk_new();
	fault_vfs_mount(h->disk);
	return h;
}

static inline struct history *history_free(struct history *h)
{
	fixture_fini(&h->fx);
	fault_disk_free(h->disk);
	munmap(h, sizeof *h);
	return NULL;
}

/* An empty disk and no past. */
static inline void history_begin(struct history *h, uint64_t seed, struct sqlite_options o)
{
	fault_disk_wipe(h->disk, seed);
	o.store.vfs = FAULT_VFS;
	h->options = o;
	random_init(&h->run, &h->fx, NULL, seed);
	h->run.now_ms = 0; /* as the store's is before its first commit */
	h->committing = false;
	h->leaves = false;
}

/* 0 or what store_open says. Settles what became of a commit that nobody was told of. */
static inline int history_open(struct history *h, struct err *err)
{
	struct store *s = NULL;
	int rc = sqlite_store_open(&s, h->fx.path, &h->options, err);

	if (rc < 0)
		return rc;
	fixture_adopt(&h->fx, s);
	if (h->committing && s->time_ms != h->run.now_ms)
		h->run = h->before;
	h->committing = false;
	RANDOM_CHECK(&h->run, s->time_ms == h->run.now_ms);
	return 0;
}

static inline void history_check(struct history *h)
{
	random_check_all(&h->run);
	file_check(h->fx.s);
}

/* One commit with reads around it. False: it was refused, and nothing of it is there. */
static inline bool history_step(struct history *h)
{
	for (uint64_t n = random_below(&h->run, 4); n > 0; n--)
		random_ask(&h->run);
	h->before = h->run;
	h->committing = true;
	random_commit(&h->run);
	/* Reads behind a commit that may be refused would not know what to expect. */
	for (uint64_t n = random_below(&h->run, 4); n > 0 && !h->run.may_be_refused; n--)
		random_ask(&h->run);
	settle(&h->fx);
	bool refused = h->run.refused;
	if (refused)
		h->run = h->before;
	h->committing = false;
	return !refused;
}

static inline void history_life(struct fixture *fx)
{
	struct history *h = container_of(fx, struct history, fx);
	struct err err = { .code = 0 };

	if (history_open(h, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		_exit(HISTORY_REFUSED_STATUS);
	}
	history_check(h);
	for (unsigned i = 0; i < h->steps; i++)
		CHECK(history_step(h));
	if (h->steps > 0)
		history_check(h);
	if (h->leaves)
		kill(getpid(), SIGKILL);
	fx->s = store_close(fx->s);
	_exit(0);
}

/* Lives once, with that plan (NULL: without faults). Its wait status. */
static inline int history_live(struct history *h, unsigned steps, const struct fault_plan *plan)
{
	h->steps = steps;
	fault_disk_plan(h->disk, plan);
	int status = child_status(history_life, &h->fx, h->said, sizeof h->said);
	fault_disk_orphan(h->disk);
	h->fx.s = NULL;
	return status;
}

/* Lives once without a fault; is all well? */
static inline bool history_lives_well(struct history *h, unsigned steps)
{
	int status = history_live(h, steps, NULL);
	bool well = h->leaves ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0;

	if (!well)
		fprintf(stderr, "seed %llu: status %x: %s\n", (unsigned long long)h->run.seed,
			(unsigned)status, h->said);
	return well;
}

#endif
