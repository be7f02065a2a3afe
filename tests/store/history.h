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
#include "base/buf.h"
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
	bool looks; /* into the file as well; it has no faults then */
	bool known; /* what it finds has been looked at: it is what was saved */
	bool leaves; /* it ends by SIGKILL, with nothing closed */
	char said[HISTORY_SAID_BYTES]; /* by the last life */
};

/* A history between two lives, to go on from as often as one likes. */
struct history_saved {
	struct buf disk;
	struct random_run run;
	struct sqlite_options options;
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
	if (o.store.retain_ms != 0)
		h->run.retain_ms = o.store.retain_ms;
	h->run.retains_bytes = o.store.retain_bytes_max != 0;
	h->committing = false;
	h->leaves = false;
	h->known = false;
}

static inline struct history_saved *history_save(const struct history *h)
{
	struct history_saved *saved = xalloc(sizeof *saved);

	buf_init(&saved->disk, SIZE_MAX);
	fault_disk_save(h->disk, &saved->disk);
	random_copy(&saved->run, &h->run);
	memcpy(saved->run.content, h->run.content, sizeof h->run.content);
	saved->options = h->options;
	return saved;
}

static inline void history_saved_free(struct history_saved *saved)
{
	if (saved != NULL)
		buf_fini(&saved->disk);
	free(saved);
}

/* What was done is what it was; what is cut off, and what a cut leaves, is drawn from seed. */
static inline void history_restore(struct history *h, const struct history_saved *saved, uint64_t seed)
{
	fault_disk_restore(h->disk, buf_slice(&saved->disk), seed);
	random_copy(&h->run, &saved->run);
	memcpy(h->run.content, saved->run.content, sizeof h->run.content);
	h->options = saved->options;
	h->committing = false;
	h->leaves = false;
	h->known = true;
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
		random_copy(&h->run, &h->before);
	h->committing = false;
	RANDOM_CHECK(&h->run, s->time_ms == h->run.now_ms);
	return 0;
}

static inline void history_check(struct history *h)
{
	random_check_all(&h->run);
	if (h->looks)
		file_check(h->fx.s);
}

/* One commit with reads around it. False: it was refused, and nothing of it is there. */
static inline bool history_step(struct history *h)
{
	for (uint64_t n = random_below(&h->run, 4); n > 0; n--)
		random_ask(&h->run);
	random_copy(&h->before, &h->run);
	h->committing = true;
	random_commit(&h->run);
	/* Reads behind a commit that may be refused would not know what to expect. */
	for (uint64_t n = random_below(&h->run, 4); n > 0 && !h->run.may_be_refused; n--)
		random_ask(&h->run);
	settle(&h->fx);
	bool refused = h->run.refused;
	if (refused)
		random_copy(&h->run, &h->before);
	h->committing = false;
	return !refused;
}

/* The store cannot be begun with; whoever started the process reads why. */
static inline void history_refused(const char *why)
{
	fprintf(stderr, "%s\n", why);
	_exit(HISTORY_REFUSED_STATUS);
}

static inline void history_life(struct fixture *fx)
{
	struct history *h = container_of(fx, struct history, fx);
	struct err err = { .code = 0 };

	if (history_open(h, &err) < 0)
		history_refused(err.text);
	h->run.stop = history_refused;
	if (!h->known)
		history_check(h);
	for (unsigned i = 0; i < h->steps; i++)
		CHECK(history_step(h));
	if (h->steps > 0 && !h->known)
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
	h->looks = plan == NULL;
	fault_disk_plan(h->disk, plan);
	int status = child_status(history_life, &h->fx, h->said, sizeof h->said);
	fault_disk_orphan(h->disk);
	h->fx.s = NULL;
	h->known = false;
	return status;
}

/* Lives once without a fault; is all well? */
static inline bool history_lives_well(struct history *h, unsigned steps)
{
	int status = history_live(h, steps, NULL);
	bool well = h->leaves ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : status == 0;

	if (well && !h->leaves)
		well = file_is_clean(h->disk, h->fx.path, true);

	if (!well)
		fprintf(stderr, "seed %llu: status %x: %s\n", (unsigned long long)h->run.seed,
			(unsigned)status, h->said);
	return well;
}

#endif
