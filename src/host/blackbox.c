/* blackbox.c - a shared mapping of one small file: the kernel keeps what was written when we die.
 *
 * Invariant: the page holds the running flow's id from before its first instruction to after its
 * last. Surprise: nothing is ever synced; the file survives the process, not the machine, and after
 * a power cut nobody can say that the flow was to blame. */
#include "host/blackbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SUSPECTS_MAX = 64, CRASHES_MAX = 3, CRASHES_BUSY_MAX = 20 };
#define CRASH_WINDOW_MS  (INT64_C(60) * 60 * 1000)
#define MAGIC            UINT64_C(0x32786f62687369)      /* "ishbox2" */

struct suspect {
	struct id flow;          /* zero: free */
	uint32_t  crashes;       /* since there was anything new in its journal … */
	uint32_t  busy_crashes;  /* … and since there was by its own doing */
	int64_t   first_ms;
	struct reached reached;  /* at the last of them */
};

/* The file as it is mapped. Another layout gets another magic and begins afresh. */
struct page {
	uint64_t       magic, build;
	struct id      running;
	struct suspect suspects[SUSPECTS_MAX];
};

struct blackbox {
	struct page *page;
	size_t       nsuspects;      /* so that to ask costs nothing while there is none */
	struct id    crashed;        /* zero: none, or it is judged */
};

static struct suspect *suspect_find(const struct blackbox *b, const struct id *flow)
{
	for (size_t i = 0; i < SUSPECTS_MAX; i++)
		if (id_eq(&b->page->suspects[i].flow, flow))
			return &b->page->suspects[i];
	return NULL;
}

/* The place of a new one: a free one, else the oldest. */
static struct suspect *suspect_place(const struct blackbox *b)
{
	struct suspect *oldest = &b->page->suspects[0];

	for (size_t i = 0; i < SUSPECTS_MAX; i++) {
		struct suspect *s = &b->page->suspects[i];

		if (id_is_zero(&s->flow))
			return s;
		if (s->first_ms < oldest->first_ms)
			oldest = s;
	}
	return oldest;
}

static int map_nothing(struct blackbox *b, struct err *err)
{
	void *page = mmap(NULL, sizeof *b->page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return err_set(err, FISH_EIO, "no memory: %s", strerror(errno));
	b->page = page;
	return 0;
}

static int map_file(struct blackbox *b, const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	void *page = MAP_FAILED;

	/* A page that has no room on the disk yet would end the process when it is written to. */
	int why = fd < 0 ? errno : posix_fallocate(fd, 0, sizeof *b->page);

	if (why == 0) {
		page = mmap(NULL, sizeof *b->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		why = errno;
	}

	if (fd >= 0)
		close(fd);
	/* To serve on a full disk is worth more than to count crashes there. */
	if (page == MAP_FAILED && (why == ENOSPC || why == EDQUOT))
		return map_nothing(b, err);
	if (page == MAP_FAILED)
		return err_set(err, FISH_EIO,
			"%.110s: %s; the server notes there which flow runs: let it be a file of "
			"its own, or move away what stands there",
			path, strerror(why));
	b->page = page;
	return 0;
}

int blackbox_open(struct blackbox **ret, const struct blackbox_config *config, struct err *err)
{
	struct blackbox *b = xalloc(sizeof *b);
	int rc = config->path ? map_file(b, config->path, err) : map_nothing(b, err);

	if (rc < 0) {
		free(b);
		return rc;
	}
	if (b->page->magic != MAGIC || b->page->build != config->build)
		*b->page = (struct page){ .magic = MAGIC, .build = config->build };
	b->crashed = b->page->running;
	for (size_t i = 0; i < SUSPECTS_MAX; i++)
		b->nsuspects += !id_is_zero(&b->page->suspects[i].flow);
	*ret = b;
	return 0;
}

struct blackbox *blackbox_close(struct blackbox *b)
{
	if (!b)
		return NULL;
	munmap(b->page, sizeof *b->page);
	free(b);
	return NULL;
}

void blackbox_on_cpu(struct blackbox *b, const struct id *flow)
{
	b->page->running = flow ? *flow : (struct id){ { 0 } };
	/* The flow's own instructions must not move before this store. */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

bool blackbox_quarantined(const struct blackbox *b, const struct id *flow)
{
	const struct suspect *s = b->nsuspects ? suspect_find(b, flow) : NULL;

	return s && (s->crashes >= CRASHES_MAX || s->busy_crashes >= CRASHES_BUSY_MAX);
}

void blackbox_forgive(struct blackbox *b, const struct id *flow)
{
	struct suspect *s = b->nsuspects ? suspect_find(b, flow) : NULL;

	if (!s)
		return;
	*s = (struct suspect){ .crashes = 0 };
	b->nsuspects--;
}

bool blackbox_crashed(const struct blackbox *b, struct id *ret_flow)
{
	*ret_flow = b->crashed;
	return !id_is_zero(&b->crashed);
}

/* The last thing in judging it: a process that dies in the middle leaves it to the next. */
static void judged(struct blackbox *b)
{
	b->crashed = (struct id){ { 0 } };
	b->page->running = b->crashed;
}

unsigned blackbox_count(struct blackbox *b, const struct reached *reached, int64_t now_ms)
{
	struct suspect *s = suspect_find(b, &b->crashed);

	CHECK(!id_is_zero(&b->crashed));
	if (!s) {
		s = suspect_place(b);
		b->nsuspects += id_is_zero(&s->flow);
		*s = (struct suspect){ .flow = b->crashed, .first_ms = now_ms };
	}
	if (s->reached.own < reached->own || s->first_ms + CRASH_WINDOW_MS < now_ms)
		*s = (struct suspect){ .flow = b->crashed, .first_ms = now_ms };
	else if (s->reached.entries < reached->entries)
		s->crashes = 0;
	s->reached = *reached;
	s->crashes++;
	s->busy_crashes++;
	judged(b);
	return s->crashes;
}

void blackbox_acquit(struct blackbox *b)
{
	blackbox_forgive(b, &b->crashed);
	judged(b);
}
