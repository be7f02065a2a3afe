/* command_backup.c - backup: the running server copies its store, or, when there is none,
 * this process does.
 *
 * Surprise: a backup that the server makes goes on though this process is killed; it only
 * looks on. */
#include "host/command_private.h"
#include "net/admin_client.h"
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 20, BAR_WIDTH = 30 };

void bar_init(struct bar *b, const struct config *c)
{
	*b = (struct bar){ .wanted = !c->json && isatty(STDERR_FILENO) != 0 };
}

void bar_show(struct bar *b, const char *doing, uint64_t done, uint64_t all)
{
	if (!b->wanted)
		return;
	double part = all > 0 ? (double)done / (double)all : 0;
	int full = (int)(part * BAR_WIDTH);

	fprintf(stderr, "\r%s [", doing);
	for (int i = 0; i < BAR_WIDTH; i++)
		fputc(i < full ? '#' : ' ', stderr);
	fprintf(stderr, "] %3d %%\x1b[K", (int)(part * 100));
	b->shown = true;
}

void bar_end(struct bar *b)
{
	if (b->shown)
		fputs("\r\x1b[K", stderr);
	b->shown = false;
}

bool server_runs(const struct run *r)
{
	struct admin_told told = { 0 };
	struct err err = { 0 };
	int rc = admin_ask(
		&(struct admin_ask){
			.socket = r->paths->socket.ptr,
			.method = "GET",
			.path = SLICE_LIT("/health"),
			.timeout_ms = ASK_TIMEOUT_MS,
		},
		&told, &err);

	buf_fini(&told.body);
	return rc != FISH_ENOTFOUND;
}

int store_open_down(struct run *r, struct store **ret)
{
	const char *path = r->paths->store.ptr;
	struct err err = { 0 };
	struct stat st;

	/* To open it would make it. */
	if (strcmp(path, ":memory:") == 0)
		return complain(r,
			"no server answers at the socket %s, and a store in memory has gone with "
			"its server",
			r->paths->socket.ptr);
	if (stat(path, &st) != 0)
		return complain(r,
			"no server answers at the socket %s, and the store %s: %s; name it with "
			"--store",
			r->paths->socket.ptr, path, strerror(errno));
	return store_open(ret, path, NULL, &err) == 0 ? EXIT_DONE
						      : complain(r, "%s", err.text);
}

/* The name as the server takes it, which may run in another folder. */
static int put_whole_path(struct run *r, struct buf *out, const char *file)
{
	char *folder = file[0] != '/' ? getcwd(NULL, 0) : NULL;

	if (file[0] != '/' && folder == NULL)
		return complain(r, "the folder that this runs in cannot be told: %s",
			strerror(errno));
	if (folder != NULL)
		buf_printf(out, "%s/", folder);
	buf_puts(out, file);
	free(folder);
	return EXIT_DONE;
}

static void pause_ms(long ms)
{
	struct timespec for_ms = { 0, ms * 1000000 };

	nanosleep(&for_ms, NULL);
}

static int64_t now_ms(void)
{
	struct timespec at = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* A backup on its way, as who looks on sees it. */
struct look {
	struct bar bar;
	int64_t began_ms;
	const char *by; /* "server" or "command" */
	uint64_t bytes, left;
	int64_t held_us_max;
};

static int tell_done(struct run *r, struct look *l, const char *file)
{
	int64_t took_ms = now_ms() - l->began_ms;

	bar_end(&l->bar);
	if (r->config->json) {
		buf_puts(&r->out, "{\"file\": ");
		buf_json_string(&r->out, slice_of(file));
		buf_printf(&r->out,
			", \"bytes\": %" PRIu64 ", \"ms\": %" PRId64
			", \"held_us_max\": %" PRId64 ", \"by\": \"%s\"}\n",
			l->bytes, took_ms, l->held_us_max, l->by);
	} else {
		buf_printf(&r->out, "%s: %" PRIu64 " bytes in %" PRId64 " ms\n", file,
			l->bytes, took_ms);
	}
	return flush_out(r);
}

/* No server has the store: this process copies. */
static int backup_down(struct run *r, struct look *l, const char *file, bool force)
{
	struct store *s = NULL;
	struct store_backup told = { 0 };
	struct err err = { 0 };
	int exit_status = store_open_down(r, &s);

	if (exit_status != EXIT_DONE)
		return exit_status;
	int rc = store_backup_begin(
		s, file, force ? STORE_BACKUP_REPLACES : STORE_BACKUP_NEW, &err);

	while (rc == 0 && told.phase < STORE_BACKUP_DONE) {
		pause_ms(LOOK_MS);
		store_backup_look(s, &told);
		bar_show(&l->bar, "backup", told.bytes - told.left, told.bytes);
	}
	bar_end(&l->bar);
	store_close(s);
	if (rc < 0)
		return complain(r, "%s", err.text);
	if (told.phase != STORE_BACKUP_DONE)
		return complain(r, "%s", told.err.text);
	l->by = "command";
	l->bytes = told.bytes;
	l->held_us_max = told.held_us_max;
	return tell_done(r, l, file);
}

/* Takes in what the server tells. True: it is over, one way or the other. */
static bool take_look(struct run *r, struct look *l, const json_t *json, json_int_t number,
	int *ret_exit)
{
	const char *phase = json_string_value(json_object_get(json, "phase"));
	const char *why = json_string_value(json_object_get(json, "error"));

	l->bytes = (uint64_t)json_integer_value(json_object_get(json, "bytes"));
	l->left = (uint64_t)json_integer_value(json_object_get(json, "left"));
	l->held_us_max = json_integer_value(json_object_get(json, "held_us_max"));
	bar_show(&l->bar, "backup", l->bytes - l->left, l->bytes);
	bool ours = json_integer_value(json_object_get(json, "backup")) == number;
	bool over = !ours || phase == NULL ||
		(strcmp(phase, "copies") != 0 && strcmp(phase, "secures") != 0);

	if (!over)
		return false;
	bar_end(&l->bar);
	if (!ours)
		*ret_exit = complain(r,
			"the server has begun another backup meanwhile, and does not tell how "
			"this one went; a file of that name is whole if it is there");
	else if (why != NULL)
		*ret_exit = complain(r, "%s", why);
	return true;
}

/* The server has been told to; looks on until it is done. */
static int look_on(struct run *r, struct look *l, json_int_t number)
{
	int exit_status = EXIT_DONE;
	bool over = false;

	while (exit_status == EXIT_DONE && !over) {
		json_t *json = NULL;
		int status = 0;

		pause_ms(LOOK_MS);
		exit_status = command_ask(r,
			&(struct admin_ask){
				.socket = r->paths->socket.ptr,
				.method = "GET",
				.path = SLICE_LIT("/backup"),
				.timeout_ms = ASK_TIMEOUT_MS,
			},
			&status, &json);
		if (exit_status == EXIT_DONE)
			over = take_look(r, l, json, number, &exit_status);
		json_decref(json);
	}
	return exit_status;
}

static int backup_running(struct run *r, struct look *l, const char *file, bool force)
{
	struct buf path;
	json_t *json = NULL;
	int status = 0;

	buf_init(&path, META_BYTES_MAX);
	buf_puts(&path, force ? "/backup?force=1&file=" : "/backup?file=");
	admin_escape(&path, slice_of(file));
	int exit_status = command_ask(r,
		&(struct admin_ask){
			.socket = r->paths->socket.ptr,
			.method = "POST",
			.path = buf_slice(&path),
			.timeout_ms = ASK_TIMEOUT_MS,
		},
		&status, &json);

	buf_fini(&path);
	if (exit_status == EXIT_DONE)
		exit_status = look_on(
			r, l, json_integer_value(json_object_get(json, "backup")));
	json_decref(json);
	l->by = "server";
	return exit_status == EXIT_DONE ? tell_done(r, l, file) : exit_status;
}

int run_backup(struct run *r)
{
	struct look look = { .began_ms = now_ms() };
	bool force = r->config->values[FLAG_FORCE] != NULL;
	struct buf file;

	bar_init(&look.bar, r->config);
	buf_init(&file, META_BYTES_MAX);
	int exit_status = put_whole_path(r, &file, r->config->args[0]);

	if (exit_status == EXIT_DONE)
		exit_status = server_runs(r)
			? backup_running(r, &look, file.ptr, force)
			: backup_down(r, &look, file.ptr, force);
	buf_fini(&file);
	return exit_status;
}
