/* command.c - the commands that talk to a running server over its unix socket, and the choice among all.
 *
 * Invariant: stdout carries what was asked for and nothing else; every error goes to
 * stderr with the program's name in front. Surprise: the server's error words are printed
 * as they come, since it knows the value that was wrong. */
#include "host/command_private.h"
#include "host/raw.h"
#include "host/words.h"
#include "net/admin_client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	STDIN_BYTES_MAX = MAX_BODY_BYTES_MAX, /* the server may take less, and says so */
	LS_PAGE = 500,
};

int complain(const struct run *r, const char *fmt, ...)
{
	struct buf words;
	struct buf shown;
	va_list ap;

	buf_init(&words, OUT_BYTES_MAX);
	buf_init(&shown, OUT_BYTES_MAX);
	va_start(ap, fmt);
	buf_vprintf(&words, fmt, ap);
	va_end(ap);
	words_text(&shown, buf_slice(&words));
	fprintf(stderr, "%s: %s\n", r->config->program,
		shown.ptr != NULL ? shown.ptr : "");
	buf_fini(&words);
	buf_fini(&shown);
	return EXIT_RUNTIME;
}

int flush_out(struct run *r)
{
	bool written = fwrite(r->out.ptr, 1, r->out.len, stdout) == r->out.len &&
		fflush(stdout) == 0;
	bool whole = !buf_failed(&r->out);

	buf_reset(&r->out);
	if (!whole)
		return complain(r, "the answer is too long to be printed");
	return written ? EXIT_DONE
		       : complain(r, "stdout cannot be written: %s", strerror(errno));
}

/* Nobody can tell whether the server came to do what it was asked before the talk broke
 * off; what to do then is another thing for each command. */
static int complain_broken_off(const struct run *r, const char *why)
{
	const struct config *c = r->config;
	const char *socket = r->paths->socket.ptr;

	if (c->command == COMMAND_START && c->values[FLAG_KEY] != NULL)
		return complain(r,
			"the server at the socket %s: %s; the flow may have been started: the "
			"same command again, with the same --key, starts it at most once",
			socket, why);
	if (c->command == COMMAND_START)
		return complain(r,
			"the server at the socket %s: %s; the flow may have been started: '%s "
			"ls --all' tells; with --key KEY a start can be repeated and starts the "
			"flow at most once",
			socket, why, c->program);
	if (c->command == COMMAND_CANCEL)
		return complain(r,
			"the server at the socket %s: %s; the flow may have been cancelled: '%s "
			"show %s' tells, and to cancel it again does no harm",
			socket, why, c->program, c->args[0]);
	if (c->command == COMMAND_REDELIVER)
		return complain(r,
			"the server at the socket %s: %s; request %s may have been delivered: '%s "
			"show %s' tells",
			socket, why, c->args[1], c->program, c->args[0]);
	return complain(r, "the server at the socket %s: %s", socket, why);
}

int command_ask(struct run *r, const struct admin_ask *question, int *ret_status,
	json_t **ret_json)
{
	struct admin_told told = { 0 };
	struct err err = { 0 };
	const char *socket = r->paths->socket.ptr;
	int rc = admin_ask(question, &told, &err);
	json_error_t where;
	json_t *json = NULL;
	int exit_status = EXIT_DONE;

	if (rc == 0)
		json = json_loadb(told.body.ptr != NULL ? told.body.ptr : "",
			told.body.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &where);
	if (rc == FISH_ENOTFOUND)
		exit_status = complain(r,
			"no server answers at the socket %s: start one with '%s serve', or "
			"name its store with --store or its socket with --socket",
			socket, r->config->program);
	else if (rc == FISH_EINVAL)
		exit_status =
			complain(r, "the server at the socket %s: %s", socket, err.text);
	else if (rc < 0)
		exit_status = complain_broken_off(r, err.text);
	else if (json == NULL)
		exit_status = complain(r,
			"what answers at the socket %s (status %d) speaks no JSON: is it a "
			"server of this program?",
			socket, told.status);
	else if (told.status >= 300)
		exit_status = complain(r, "%s",
			json_is_string(json_object_get(json, "error"))
				? json_string_value(json_object_get(json, "error"))
				: "the server refuses, and does not say why");
	*ret_status = told.status;
	if (exit_status == EXIT_DONE)
		*ret_json = json;
	else
		json_decref(json);
	buf_fini(&r->answer);
	r->answer = told.body;
	return exit_status;
}

/* The value of a member of the answer, as the server wrote it, on one line. */
static void put_member(struct run *r, const char *name)
{
	struct slice value = SLICE_LIT("null");

	raw_member(buf_slice(&r->answer), name, &value);
	raw_put_line(&r->out, value);
}

/* The server's own JSON, to the byte: a decoder would write some numbers in another
 * way. */
static void put_answer(struct run *r)
{
	struct slice text = buf_slice(&r->answer);

	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	buf_put_slice(&r->out, text);
	buf_puts(&r->out, "\n");
}

/* All of stdin, for `start FLOW -`. */
static int read_stdin(struct run *r, struct buf *input)
{
	char block[16 << 10];
	size_t n = 0;

	while ((n = fread(block, 1, sizeof(block), stdin)) > 0)
		buf_put(input, block, n);
	if (ferror(stdin))
		return complain(r, "stdin cannot be read: %s", strerror(errno));
	if (buf_failed(input))
		return complain(r,
			"stdin has more than %d bytes, and no server takes more",
			STDIN_BYTES_MAX);
	return EXIT_DONE;
}

/* A member that is a text, or "". */
static const char *string_at(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* The id, and with --wait what became of the flow. */
static int tell_started(struct run *r, const json_t *json)
{
	const struct config *c = r->config;
	const char *id = string_at(json, "id");
	const char *status = string_at(json, "status");
	int exit_status = EXIT_DONE;

	if (c->json) {
		put_answer(r);
	} else {
		words_text(&r->out, slice_of(id));
		if (strcmp(status, "done") == 0) {
			buf_puts(&r->out, "\n");
			put_member(r, "result");
		}
		buf_puts(&r->out, "\n");
	}
	exit_status = flush_out(r);
	/* With --json it is a member of what was printed. */
	if (!c->json && json_is_true(json_object_get(json, "existed")))
		complain(r, "flow %s of that key was there already: nothing new is started",
			id);
	if (exit_status != EXIT_DONE || c->wait_ms < 0 || strcmp(status, "done") == 0)
		return exit_status;
	if (string_at(json, "wait_ended")[0] != '\0')
		return complain(r,
			"flow %s has not ended yet, and %s; it goes on when the server does, and "
			"'%s show %s' tells how it ends",
			id, string_at(json, "wait_ended"), c->program, id);
	if (status[0] != '\0')
		return complain(r, "flow %s %s%s%s", id, status,
			string_at(json, "why")[0] != '\0' ? ": " : "",
			string_at(json, "why"));
	complain(r,
		"flow %s has not ended within %s; '%s show %s' tells what it waits on",
		id, c->values[FLAG_WAIT], c->program, id);
	return EXIT_NOT_YET;
}

/* The exit status tells a script what became of the flow, see help.c. */
static int run_start(struct run *r)
{
	const struct config *c = r->config;
	struct buf path;
	struct buf input;
	int status = 0;
	json_t *json = NULL;
	int exit_status = EXIT_DONE;

	buf_init(&path, META_BYTES_MAX);
	buf_init(&input, STDIN_BYTES_MAX);
	buf_puts(&path, "/flows/");
	admin_escape(&path, slice_of(c->args[0]));
	if (c->wait_ms >= 0)
		buf_printf(&path, "?wait=%lldms", (long long)c->wait_ms);
	if (c->nargs > 1 && strcmp(c->args[1], "-") == 0)
		exit_status = read_stdin(r, &input);
	else if (c->nargs > 1)
		buf_puts(&input, c->args[1]);
	/* Nothing at all is null to the server, but here it is a mistake in the shell's
	 * quoting. */
	if (exit_status == EXIT_DONE && c->nargs > 1 && input.len == 0)
		exit_status = complain(r, "the JSON is empty: leave it away for null");
	if (exit_status == EXIT_DONE)
		exit_status = command_ask(r,
			&(struct admin_ask){
				.socket = r->paths->socket.ptr,
				.method = "POST",
				.path = buf_slice(&path),
				.body = buf_slice(&input),
				.key = c->values[FLAG_KEY],
				.timeout_ms = ASK_TIMEOUT_MS +
					(c->wait_ms > 0 ? c->wait_ms : 0),
			},
			&status, &json);
	if (exit_status == EXIT_DONE)
		exit_status = tell_started(r, json);
	json_decref(json);
	buf_fini(&path);
	buf_fini(&input);
	return exit_status;
}

/* Rows of one page, up to the limit over all pages. */
static void put_rows(struct run *r, const json_t *page, size_t *shown)
{
	const json_t *flows = json_object_get(page, "flows");
	struct slice texts = SLICE_NONE;
	struct slice text = SLICE_NONE;

	raw_member(buf_slice(&r->answer), "flows", &texts);
	for (size_t i = 0; raw_next(&texts, &text); i++) {
		const json_t *flow = json_array_get(flows, i);

		if (r->config->limit != 0 && *shown == r->config->limit)
			return;
		if (r->config->json) {
			buf_puts(&r->out, *shown > 0 ? ",\n" : "");
			raw_put_line(&r->out, text);
		} else {
			if (*shown == 0)
				render_list_head(&r->out, &r->render);
			render_list_row(&r->out, &r->render, flow);
		}
		++*shown;
	}
}

/* The figures are those of the last page, so the youngest. */
static void put_list_end(struct run *r, const json_t *page)
{
	if (r->config->json) {
		buf_puts(&r->out, "],\n\"figures\":");
		put_member(r, "figures");
		buf_puts(&r->out, "}\n");
	} else {
		render_figures(&r->out, json_object_get(page, "figures"));
	}
}

/* Prints page after page, so that a long list needs little memory here and there. */
static int run_ls(struct run *r)
{
	const struct config *c = r->config;
	size_t limit = c->limit != 0 && c->limit < LS_PAGE ? c->limit : LS_PAGE;
	struct buf path;
	size_t shown = 0;
	int exit_status = EXIT_DONE;
	bool more = true;

	buf_init(&path, META_BYTES_MAX);
	buf_printf(&path, "/flows?limit=%zu%s%s", limit, c->all ? "&all=1" : "", c->boxes ? "&boxes=1" : "");
	buf_puts(&r->out, c->json ? "{\"flows\":[" : "");
	while (exit_status == EXIT_DONE && more) {
		int status = 0;
		json_t *page = NULL;

		exit_status = command_ask(r,
			&(struct admin_ask){ .socket = r->paths->socket.ptr,
				.method = "GET",
				.path = buf_slice(&path),
				.timeout_ms = ASK_TIMEOUT_MS },
			&status, &page);
		if (exit_status != EXIT_DONE)
			break;
		put_rows(r, page, &shown);
		const char *next = string_at(page, "next");

		more = next[0] != '\0' && (c->limit == 0 || shown < c->limit);
		buf_reset(&path);
		buf_puts(&path, next);
		if (!more)
			put_list_end(r, page);
		exit_status = flush_out(r);
		json_decref(page);
	}
	buf_fini(&path);
	return exit_status;
}

/* What was done to the flow of this command. */
static const char *done_words(enum command command)
{
	if (command == COMMAND_RETRY)
		return "runs again ";
	return command == COMMAND_REDELIVER ? "delivered to " : "cancelled ";
}

static const char door_path[] = "/in/";

/* Is it about a named door, or all of them, and not about a flow? Ids have no slash. */
static bool names_door(const struct config *c)
{
	return (c->command == COMMAND_SHOW || c->command == COMMAND_REDELIVER) &&
		strncmp(c->args[0], door_path, strlen(door_path)) == 0;
}

static void put_path(struct buf *path, const struct config *c, const char *behind)
{
	bool door = names_door(c);

	buf_puts(path, door ? "/doors/" : "/flows/");
	admin_escape(path, slice_of(c->args[0] + (door ? strlen(door_path) : 0)));
	buf_puts(path, behind);
	if (c->nargs > 1)
		admin_escape(path, slice_of(c->args[1]));
	if (c->values[FLAG_HOOK] != NULL) {
		buf_puts(path, "&hook=");
		admin_escape(path, slice_of(c->values[FLAG_HOOK]));
	}
}

/* What show was told: of a flow, a door, or all doors. */
static void put_shown(struct run *r, const json_t *json)
{
	const json_t *doors = json_object_get(json, "doors");

	if (json_is_array(doors))
		render_doors(&r->out, &r->render, doors);
	else if (names_door(r->config))
		render_door(&r->out, &r->render, json);
	else
		render_show(&r->out, &r->render, json, buf_slice(&r->answer));
}

/* show, cancel, retry and redeliver: one flow, named by its id, or a door, named by its path. */
static int run_one(struct run *r, const char *method, const char *behind)
{
	const struct config *c = r->config;
	struct buf path;
	int status = 0;
	json_t *json = NULL;

	if (names_door(c) && c->values[FLAG_HOOK] != NULL)
		return complain(r, "--hook is for a flow's hooks, and '%s' is a door", c->args[0]);
	buf_init(&path, META_BYTES_MAX);
	put_path(&path, c, behind);
	int exit_status = command_ask(r,
		&(struct admin_ask){ .socket = r->paths->socket.ptr,
			.method = method,
			.path = buf_slice(&path),
			.timeout_ms = ASK_TIMEOUT_MS },
		&status, &json);

	buf_fini(&path);
	if (exit_status != EXIT_DONE)
		return exit_status;
	if (c->json) {
		put_answer(r);
	} else if (c->command == COMMAND_SHOW) {
		put_shown(r, json);
	} else {
		buf_puts(&r->out, done_words(c->command));
		words_text(&r->out, slice_of(names_door(c) ? c->args[0] : string_at(json, "id")));
		buf_puts(&r->out, "\n");
	}
	json_decref(json);
	return flush_out(r);
}

/* NO_COLOR as on no-color.org: set and not empty, whatever its value. */
static bool wants_colours(void)
{
	const char *no_colour = getenv("NO_COLOR");
	const char *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) != 0 &&
		(no_colour == NULL || no_colour[0] == '\0') &&
		(terminal == NULL || strcmp(terminal, "dumb") != 0);
}

/* One command each; the compiler sees to it that none is left out. */
static int dispatch(struct run *r)
{
	switch (r->config->command) {
	case COMMAND_START: return run_start(r);
	case COMMAND_LS: return run_ls(r);
	case COMMAND_SHOW: return run_one(r, "GET", "");
	case COMMAND_CANCEL: return run_one(r, "POST", "/cancel");
	case COMMAND_RETRY: return run_one(r, "POST", "/retry");
	case COMMAND_REDELIVER: return run_one(r, "POST", "/redeliver?number=");
	case COMMAND_BACKUP: return run_backup(r);
	case COMMAND_CHECK: return run_check(r);
	case COMMAND_EXPORT: return run_export(r);
	case COMMAND_IMPORT: return run_import(r);
	case COMMAND_SERVE:
	case COMMAND_HELP:
	case COMMAND_VERSION: break;
	}
	return EXIT_USAGE; /* main.c does not send these here */
}

int command_run(const struct config *c, const struct paths *paths)
{
	struct run r = { .config = c, .paths = paths };
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	r.render.now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	r.render.colours = wants_colours();
	buf_init(&r.out, OUT_BYTES_MAX);
	int exit_status = dispatch(&r);

	buf_fini(&r.out);
	buf_fini(&r.answer);
	return exit_status;
}
