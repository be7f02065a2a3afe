/* command_flow.c - export: one flow's journal, from the running server or out of the store.
 *
 * Surprise: both put the same lines together, since the server reads what is durable too. */
#include "host/command_private.h"

#include "engine/export.h"
#include "net/admin_client.h"

#include <time.h>

int complain_refused(struct run *r, const struct admin_told *told)
{
	json_t *json = json_loadb(
		told->body.ptr != NULL ? told->body.ptr : "", told->body.len, 0, NULL);
	const char *why = json_string_value(json_object_get(json, "error"));
	int exit_status = complain(r, "%s",
		why != NULL ? why : "the server refuses, and does not say why");

	json_decref(json);
	return exit_status;
}

static bool with_keys(const struct run *r)
{
	return r->config->values[FLAG_WITH_KEYS] != NULL;
}

static int export_running(struct run *r)
{
	struct admin_told told = { 0 };
	struct err err = { 0 };
	struct buf path;
	int exit_status = EXIT_DONE;

	buf_init(&path, META_BYTES_MAX);
	buf_puts(&path, "/flows/");
	admin_escape(&path, slice_of(r->config->args[0]));
	buf_puts(&path, with_keys(r) ? "/export?keys=1" : "/export");
	int rc = admin_ask(
		&(struct admin_ask){
			.socket = r->paths->socket.ptr,
			.method = "GET",
			.path = buf_slice(&path),
			.timeout_ms = ASK_TIMEOUT_MS,
		},
		&told, &err);

	buf_fini(&path);
	if (rc < 0)
		exit_status = complain(r, "the server at the socket %s: %s",
			r->paths->socket.ptr, err.text);
	else if (told.status != 200)
		exit_status = complain_refused(r, &told);
	else
		buf_put_slice(&r->out, buf_slice(&told.body));
	buf_fini(&told.body);
	return exit_status == EXIT_DONE ? flush_out(r) : exit_status;
}

/* One request of a store that nobody serves. */
struct errand {
	struct export export;
	bool done;
	int rc;
};

static void wait_for(struct store *s, struct errand *e)
{
	while (!e->done) {
		struct timespec moment = { 0, 1000000 };

		store_poll(s);
		if (!e->done)
			nanosleep(&moment, NULL);
	}
}

static void on_export(struct export *x, int rc)
{
	struct errand *e = container_of(x, struct errand, export);

	e->rc = rc;
	e->done = true;
}

static int export_down(struct run *r, const struct id *flow)
{
	struct store *s = NULL;
	struct errand e = { .export = { .flow = *flow,
				    .with_secrets = with_keys(r),
				    .out = &r->out,
				    .done = on_export } };
	int exit_status = store_open_down(r, &s);

	if (exit_status != EXIT_DONE)
		return exit_status;
	export_ask(s, &e.export);
	wait_for(s, &e);
	store_close(s);
	if (e.rc == FISH_ENOTFOUND)
		return complain(r,
			"no flow has the id '%s', or it has ended and its journal is kept no "
			"longer",
			r->config->args[0]);
	if (e.rc < 0)
		return complain(r, "the journal of the flow %s is damaged: '%s check' tells more",
			r->config->args[0], r->config->program);
	return flush_out(r);
}

int run_export(struct run *r)
{
	struct id flow;

	if (id_parse(slice_of(r->config->args[0]), &flow) < 0)
		return complain(r,
			"'%s' is no flow's id: ids are %d characters, whole, as start and ls "
			"print them",
			r->config->args[0], ID_TEXT_SIZE - 1);
	return server_runs(r) ? export_running(r) : export_down(r, &flow);
}
