/* fixture.h - what the tests of the stores share: a folder that goes away, waiting
 * without sleeping, and requests that are carried out before the call returns.
 *
 * Invariant: settle waits on the store's own notify, so a lost one fails the test.
 * Surprise: helpers use CHECK, not cmocka's asserts, because forked children run them
 * too. */
#ifndef FISH_TESTS_STORE_FIXTURE_H
#define FISH_TESTS_STORE_FIXTURE_H

#include "store/store.h"
#include "wire/entry.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SETTLE_MS_MAX = 60000 };

/* A number in the environment; 0 or none: otherwise. */
static inline uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	uint64_t value = text != NULL ? strtoull(text, NULL, 10) : otherwise;

	return value != 0 ? value : otherwise;
}

struct fixture {
	const struct kind *kind; /* of the contract test; else NULL */
	struct store *s;
	int wake; /* eventfd that notify writes to */
	char dir[64];
	char path[96];
};

static inline void fixture_notify(void *arg)
{
	const struct fixture *fx = arg;
	uint64_t one = 1;

	CHECK(write(fx->wake, &one, sizeof one) == sizeof one);
}

/* Takes the store: from now on its notify wakes settle. */
static inline void fixture_adopt(struct fixture *fx, struct store *s)
{
	fx->s = s;
	s->notify = fixture_notify;
	s->notify_arg = fx;
}

static inline void fixture_init(struct fixture *fx)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(fx->dir, sizeof fx->dir, "%s/fish-store-XXXXXX",
		tmp != NULL ? tmp : "/tmp");

	CHECK(n > 0);
	CHECK((size_t)n < sizeof fx->dir);
	CHECK(mkdtemp(fx->dir) != NULL);
	snprintf(fx->path, sizeof fx->path, "%s/x.db", fx->dir);
	fx->wake = eventfd(0, EFD_CLOEXEC);
	CHECK(fx->wake >= 0);
}

static inline void fixture_fini(struct fixture *fx)
{
	static const char *const files[] = { "", "-wal", "-journal", "-shm" };
	char path[128];

	fx->s = store_close(fx->s);
	close(fx->wake);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		snprintf(path, sizeof path, "%s%s", fx->path, files[i]);
		unlink(path);
	}
	rmdir(fx->dir);
}

/* Until nothing is under way. */
static inline void settle(struct fixture *fx)
{
	while (fx->s->under_way > 0) {
		struct pollfd pfd = { .fd = fx->wake, .events = POLLIN };
		uint64_t count = 0;
		CHECK(poll(&pfd, 1, SETTLE_MS_MAX) == 1); /* notify was not called */
		CHECK(read(fx->wake, &count, sizeof count) == sizeof count);
		store_poll(fx->s);
	}
}

struct sync_commit {
	struct store_commit c;
	int rc;
};

static inline void sync_commit_done(struct store_commit *c, int rc)
{
	container_of(c, struct sync_commit, c)->rc = rc;
}

/* Carries c out; its done function is filled in. */
static inline int commit_all(struct fixture *fx, struct store_commit c)
{
	struct sync_commit sync = { .c = c, .rc = 1 };

	sync.c.done = sync_commit_done;
	store_commit(fx->s, &sync.c);
	settle(fx);
	CHECK(sync.rc <= 0);
	return sync.rc;
}

static inline int commit_both(struct fixture *fx, const struct store_row *rows,
	size_t nrows, const struct store_ended *ended, size_t nended, int64_t now_ms)
{
	return commit_all(fx, (struct store_commit){ .rows = rows, .nrows = nrows, .ended = ended, .nended = nended, .now_ms = now_ms });
}

static inline int commit_row(struct fixture *fx, struct store_row row, int64_t now_ms)
{
	return commit_both(fx, &row, 1, NULL, 0, now_ms);
}

/* What a load gave, as text: "seq:bytes" of each row, "!" behind the last one. */
struct sync_load {
	struct store_load l;
	int rc;
	char text[400];
};

static inline void sync_load_done(struct store_load *l, int rc)
{
	struct sync_load *sync = container_of(l, struct sync_load, l);
	size_t len = 0;

	sync->rc = rc;
	sync->text[0] = '\0';
	for (size_t i = 0; i < l->nrows && len < sizeof sync->text; i++) {
		const struct store_row *row = &l->rows[i];
		CHECK(id_eq(&row->flow, &l->flow));
		len += (size_t)snprintf(sync->text + len, sizeof sync->text - len,
			"%s%llu:%.*s%s", i > 0 ? " " : "", (unsigned long long)row->seq,
			(int)row->bytes.len, row->bytes.len > 0 ? row->bytes.ptr : "",
			row->last ? "!" : "");
	}
}

static inline int load_text(struct fixture *fx, struct id flow, struct sync_load *sync)
{
	*sync = (struct sync_load){ .l = { .flow = flow, .done = sync_load_done },
		.rc = 1 };
	store_load(fx->s, &sync->l);
	settle(fx);
	return sync->rc;
}

/* All that recover hands out, in order of the flows' numbers, as text:
 * "flow/seq:bytes". */
struct recovered {
	struct store_recovery r;
	char text[2000];
	size_t nflows, nrows;
	struct recovered_one {
		unsigned number;
		char text[200];
	} flows[50];
};

/* Flow ids of the tests: ordered by n. */
static inline struct id flow_id(unsigned n)
{
	struct id id = { { 0 } };

	id.b[5] = 1;
	id.b[14] = (uint8_t)(n >> 8);
	id.b[15] = (uint8_t)n;
	return id;
}

static inline unsigned flow_number(const struct id *id)
{
	return (unsigned)(id->b[14] << 8 | id->b[15]);
}

static inline struct store_row row_of(unsigned flow, uint64_t seq, const char *text)
{
	return (struct store_row){
		.flow = flow_id(flow), .seq = seq, .bytes = slice_of(text)
	};
}

static inline struct store_row last_row_of(unsigned flow, uint64_t seq, const char *text)
{
	struct store_row row = row_of(flow, seq, text);

	row.last = true;
	return row;
}

static inline struct id key_id(unsigned n)
{
	struct id id = flow_id(n);

	id.b[0] = 0xee;
	return id;
}

static inline struct store_ended ended_of(unsigned flow, int64_t ended_ms)
{
	return (struct store_ended){ .flow = flow_id(flow),
		.started_ms = ended_ms - 1000,
		.ended_ms = ended_ms,
		.status = END_DONE,
		.name = SLICE_LIT("order") };
}

static inline struct store_ended keyed(struct store_ended e, unsigned key)
{
	e.has_key = true;
	e.key = key_id(key);
	return e;
}

static inline struct store_ended child_of(
	struct store_ended e, unsigned parent, enum source source)
{
	e.parent = flow_id(parent);
	e.parent_source = (uint8_t)source;
	e.parent_number = 4000000000;
	return e;
}

static inline void recovered_flow(void *owner, const struct store_load *l)
{
	struct recovered *r = owner;

	CHECK(l->nrows > 0);
	r->nflows++;
	r->nrows += l->nrows;
	if (r->nflows > sizeof r->flows / sizeof r->flows[0])
		return;
	struct recovered_one *one = &r->flows[r->nflows - 1];
	one->number = flow_number(&l->flow);
	size_t len = 0;
	for (size_t i = 0; i < l->nrows && len < sizeof one->text; i++) {
		const struct store_row *row = &l->rows[i];
		CHECK(!row->last);
		CHECK(id_eq(&row->flow, &l->flow));
		len += (size_t)snprintf(one->text + len, sizeof one->text - len,
			"%u/%llu:%.*s ", one->number, (unsigned long long)row->seq,
			(int)row->bytes.len, row->bytes.len > 0 ? row->bytes.ptr : "");
	}
}

static inline int recovered_order(const void *a, const void *b)
{
	const struct recovered_one *left = a;
	const struct recovered_one *right = b;

	return left->number < right->number ? -1 : left->number > right->number;
}

static inline const char *recover_text(struct fixture *fx, struct recovered *r)
{
	*r = (struct recovered){ .r = { .flow = recovered_flow, .owner = r } };
	CHECK(store_recover(fx->s, &r->r, NULL) == 0);
	size_t kept = sizeof r->flows / sizeof r->flows[0];
	kept = r->nflows < kept ? r->nflows : kept;
	qsort(r->flows, kept, sizeof r->flows[0], recovered_order);
	size_t len = 0;
	for (size_t i = 0; i < kept && len < sizeof r->text; i++)
		len += (size_t)snprintf(r->text + len, sizeof r->text - len, "%s",
			r->flows[i].text);
	return r->text;
}

/* Runs script in a child; its wait status. What it says goes to ret_said, if not NULL. */
static inline int child_status(void (*script)(struct fixture *fx), struct fixture *fx,
	char *ret_said, size_t said_size)
{
	int said[2];
	int status = 0;

	CHECK(pipe(said) == 0);
	fflush(NULL);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		if (ret_said != NULL)
			dup2(said[1], STDERR_FILENO);
		/* It may have to die on purpose. */
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		close(said[0]);
		close(said[1]);
		script(fx);
		_exit(99);
	}
	close(said[1]);
	size_t len = 0;
	char rest[256];
	for (ssize_t got = 1; got > 0;) {
		bool room = ret_said != NULL && len + 1 < said_size;
		got = room ? read(said[0], ret_said + len, said_size - len - 1)
			   : read(said[0], rest, sizeof rest);
		len += room && got > 0 ? (size_t)got : 0;
	}
	if (ret_said != NULL)
		ret_said[len] = '\0';
	close(said[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return status;
}

/* The same, of one that must die of the given signal. */
static inline void run_child(void (*script)(struct fixture *fx), struct fixture *fx,
	int signal, char *ret_said, size_t said_size)
{
	int status = child_status(script, fx, ret_said, said_size);

	CHECK(WIFSIGNALED(status));
	CHECK(WTERMSIG(status) == signal);
}

#endif
