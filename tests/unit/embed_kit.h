/* embed_kit.h - what the tests of an embedded server share: a program of small flows, a server that runs
 * in a thread of its own, and threads that ask it.
 *
 * Surprise: no thread but the test's own may assert, so the others leave a code to be looked at. */
#ifndef FISH_EMBED_KIT_H
#define FISH_EMBED_KIT_H

#include <fish.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 20 };
#define PATIENCE (30 * FISH_SECOND)

/* ---- the program ---- */

static fish_server *outer;         /* for the flow that asks its own server, and the signal handler */

static void greet(fish_flow *f, const fish_msg *in)
{
	fish_done(f, "{hello: %s}", fish_str(in, "/who"));
}

static void silent(fish_flow *f, const fish_msg *in)
{
	(void)f;
	(void)in;
}

static void holds(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_next(fish_spawn(f, "never"), FISH_FOREVER);
}

static void fails(fish_flow *f, const fish_msg *in)
{
	fish_fail(f, "no \"%s\" to be had", fish_str(in, "/what"));
}

static void misuses(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_done(f, "{");
}

static void tells_its_id(fish_flow *f, const fish_msg *in)
{
	fish_tell(f, fish_str(in, "/parent"), "ids", "%s", fish_id(f));
	fish_next(fish_spawn(f, "never"), FISH_FOREVER);
}

static void cancels(fish_flow *f, const fish_msg *in)
{
	(void)in;
	fish_hook *ids = fish_spawn(f, "ids");
	fish_hook *child = fish_child(f, tells_its_id, "{parent: %s}", fish_id(f));
	const fish_msg *id = fish_next(ids, FISH_FOREVER);

	fish_cancel(child);
	fish_next(child, FISH_FOREVER);
	fish_done(f, "{child: %-s}", fish_raw(id, ""));
}

static void asks_itself(fish_flow *f, const fish_msg *in)
{
	(void)in;
	char id[FISH_ID_SIZE];
	char *result = NULL;
	int started = fish_start(outer, id, "greet", NULL, "null");
	int waited = fish_wait(outer, fish_id(f), FISH_FOREVER, &result);

	fish_done(f, "[%d, %d, %d]", started, waited, fish_server_run(outer));
}

static const fish_def flows[] = {
	FISH_FLOW(greet), FISH_FLOW(silent), FISH_FLOW(holds), FISH_FLOW(fails), FISH_FLOW(misuses),
	FISH_FLOW(tells_its_id), FISH_FLOW(cancels), FISH_FLOW(asks_itself), FISH_END,
};
static const fish_program program = { .flows = flows };

/* ---- a server in a thread of its own ---- */

struct up {
	fish_server *server;
	pthread_t    thread;
	int          rc;
};

static fish_options options_of(const char *store)
{
	return (fish_options){ .program = &program, .store = store, .listen = "127.0.0.1:0" };
}

static fish_server *opened(const char *store)
{
	fish_options o = options_of(store);
	char err[FISH_ERR_SIZE] = "";
	fish_server *s = NULL;

	if (fish_server_open(&s, &o, err) < 0)
		fail_msg("%s", err);
	return s;
}

static void *run(void *arg)
{
	struct up *up = arg;

	up->rc = fish_server_run(up->server);
	return NULL;
}

static void up_begin(struct up *up, fish_server *s)
{
	*up = (struct up){ .server = s };
	assert_int_equal(pthread_create(&up->thread, NULL, run, up), 0);
}

static void up_end(struct up *up)
{
	fish_server_stop(up->server);
	pthread_join(up->thread, NULL);
	assert_int_equal(up->rc, 0);
	fish_server_close(up->server);
}

/* A flow of that name, started and waited for; *ret_json is the caller's. */
static int end_of(fish_server *s, const char *flow, char **ret_json)
{
	char id[FISH_ID_SIZE];

	assert_int_equal(fish_start(s, id, flow, NULL, "{what: 'luck'}"), 0);
	return fish_wait(s, id, PATIENCE, ret_json);
}

static void ends_as(fish_server *s, const char *flow, int rc, const char *json)
{
	char *result = NULL;

	assert_int_equal(end_of(s, flow, &result), rc);
	assert_non_null(result);
	assert_string_equal(result, json);
	free(result);
}

/* A file in a folder of its own, which file_drop takes away with all that came beside it. */
struct file {
	char folder[64], store[96];
};

static void file_make(struct file *f)
{
	snprintf(f->folder, sizeof f->folder, "%.40s/embed-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->store, sizeof f->store, "%s/x.db", f->folder);
}

static void file_drop(const struct file *f)
{
	static const char *const ends[] = { "", "-wal", "-shm", ".running" };
	char path[128];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(path, sizeof path, "%s%s", f->store, ends[i]);
		unlink(path);
	}
	/* Nothing else was made: no socket, no token. */
	assert_int_equal(rmdir(f->folder), 0);
}

/* ---- threads ---- */

struct asker {
	pthread_t    thread;
	fish_server *server;
	int          number;
	const char  *id;
	void        *arg;
	char         got[FISH_ID_SIZE];
	int          rc;
};

static void askers_begin(struct asker *askers, fish_server *s, void *(*fn)(void *))
{
	for (int i = 0; i < THREADS; i++) {
		askers[i].server = s;
		askers[i].number = i;
		assert_int_equal(pthread_create(&askers[i].thread, NULL, fn, &askers[i]), 0);
	}
}

static void askers_end(struct asker *askers, int rc)
{
	for (int i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].rc, rc);
	}
}

/* No assertions: cmocka's belong to its own thread. */
static void *greets(void *arg)
{
	struct asker *a = arg;

	for (int i = 0; i < ROUNDS && a->rc == 0; i++) {
		char who[32], key[32], wanted[64];
		char *result = NULL;

		snprintf(who, sizeof who, "%d of %d", i, a->number);
		snprintf(key, sizeof key, "key %d/%d", i, a->number);
		snprintf(wanted, sizeof wanted, "{\"hello\": \"%s\"}", who);
		a->rc = fish_start(a->server, a->got, "greet", key, "{who: %s}", who);
		if (a->rc == 0)
			a->rc = fish_wait(a->server, a->got, PATIENCE, &result);
		if (a->rc == 0 && strcmp(result, wanted) != 0) {
			fprintf(stderr, "%s instead of %s\n", result, wanted);
			a->rc = 1;
		}
		free(result);
	}
	return NULL;
}

#endif
