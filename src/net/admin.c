/* admin.c - guards the admin listener and sends each request to its operation.
 *
 * Invariant: nothing is read of a request's body before it has shown its token. Surprise:
 * the guard answers from within the head, so that who is refused is told in words and not
 * by a reset. */
#include "net/admin_private.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_SOON "Retry-After: 1\r\n"

void *admin_op_new(struct admin *a, struct exchange *x, size_t bytes)
{
	struct admin_op *op = xalloc(bytes);

	op->admin = a;
	op->x = x;
	buf_init(&op->text, ADMIN_ANSWER_BYTES_MAX);
	list_push(&a->ops, &op->link);
	return op;
}

void admin_op_free(struct admin_op *op)
{
	list_remove(&op->link);
	buf_fini(&op->text);
	free(op);
}

void admin_answer(
	struct exchange *x, int status, const char *extra_lines, struct slice json)
{
	struct buf lines;
	struct buf body;

	buf_init(&lines, META_BYTES_MAX);
	buf_puts(&lines, "Content-Type: application/json\r\n");
	buf_puts(&lines, extra_lines);
	buf_init(&body, ADMIN_ANSWER_BYTES_MAX);
	buf_put_slice(&body, json);
	buf_putc(&body, '\n');
	if (buf_failed(&body))
		exchange_answer(x, 503, lines.ptr,
			SLICE_LIT("{\"error\": \"the answer is too long; ask "
				  "for less with ?limit=\"}\n"));
	else
		exchange_answer(x, status, lines.ptr, buf_slice(&body));
	buf_fini(&lines);
	buf_fini(&body);
}

/* Every refusal has this form, so that a script needs to know only one. */
static void put_error(
	struct exchange *x, int status, const char *extra_lines, struct slice words)
{
	struct buf json;

	buf_init(&json, ADMIN_ANSWER_BYTES_MAX);
	buf_puts(&json, "{\"error\": ");
	buf_json_string(&json, words);
	buf_puts(&json, "}");
	admin_answer(x, status, extra_lines, buf_slice(&json));
	buf_fini(&json);
}

void admin_error(struct exchange *x, int status, const char *fmt, ...)
{
	struct buf words;
	va_list ap;

	buf_init(&words, META_BYTES_MAX);
	va_start(ap, fmt);
	buf_vprintf(&words, fmt, ap);
	va_end(ap);
	put_error(x, status, "", buf_slice(&words));
	buf_fini(&words);
}

void admin_away(struct exchange *x)
{
	put_error(x, 503, RETRY_SOON,
		SLICE_LIT("the store cannot be written just now, so "
			  "nothing was kept: try again in a moment"));
}

void admin_busy(struct admin *a, struct exchange *x, const char *why)
{
	budget_refuse(
		a->config.budget, "the memory for flows is used up, or too much waits for the disk");
	put_error(x, 503, RETRY_SOON, slice_of(why));
}

void admin_unknown(struct exchange *x)
{
	put_error(x, 503, RETRY_SOON,
		SLICE_LIT("the store is away just now, so there is no telling what is in "
			  "it: try again in a moment"));
}

void admin_answer_id(
	struct exchange *x, int status, const struct id *id, const char *members)
{
	struct buf json;
	char text[ID_TEXT_SIZE];

	id_text(id, text);
	buf_init(&json, ADMIN_ANSWER_BYTES_MAX);
	buf_printf(&json, "{\"id\": \"%s\"%s}", text, members);
	admin_answer(x, status, "", buf_slice(&json));
	buf_fini(&json);
}

void admin_no_flow(struct exchange *x, struct slice id_text)
{
	int shown = id_text.len > 60 ? 60 : (int)id_text.len;

	admin_error(x, 404,
		"no flow has the id '%.*s': ids are %d characters, whole, as start and ls "
		"print them",
		shown, id_text.ptr, ID_TEXT_SIZE - 1);
}

/* True as well where none is asked for: the unix socket is its owner's by its mode. */
static bool token_shown(const struct admin *a, const struct http1 *head)
{
	static const char scheme[] = "bearer ";
	size_t count = 0;
	struct slice shown = http1_field(head, "authorization", &count);

	if (a->token == NULL)
		return true;
	if (count != 1 || shown.len < sizeof(scheme) - 1)
		return false;
	struct slice start = { shown.ptr, sizeof(scheme) - 1 };

	if (!slice_eq_nocase(start, slice_of(scheme)))
		return false;
	shown.ptr += start.len;
	shown.len -= start.len;
	/* The time tells the token's length, and nothing of its characters. */
	return shown.len == strlen(a->token) &&
		CRYPTO_memcmp(shown.ptr, a->token, shown.len) == 0;
}

static bool is_import(const struct http1 *req)
{
	return slice_eq(req->path, SLICE_LIT("/import"));
}

/* Refuses before the body is read; what it answers here never reaches on_request. */
static int on_head(void *owner, struct exchange *x, const struct http1 *head)
{
	struct admin *a = owner;
	size_t origins = 0;

	http1_field(head, "origin", &origins);
	if (origins > 0)
		put_error(x, 403, "",
			SLICE_LIT(
				"requests with an Origin header come from a browser's page "
				"and are refused: ask from a program"));
	else if (!token_shown(a, head))
		put_error(x, 401, "WWW-Authenticate: Bearer\r\n",
			SLICE_LIT(
				"the admin token is missing or "
				"wrong: send 'Authorization: Bearer TOKEN'; the server was given the token in "
				"FISH_ADMIN_TOKEN, or told at its start in which file it lies"));
	else if (is_import(head))
		exchange_set_body_max(x, ADMIN_IMPORT_BYTES_MAX);
	return 0;
}

/* What the limit was and what came: who hits one should not have to guess. */
static void put_limit(struct buf *words, const struct admin *a, const struct http1 *req,
	int status)
{
	size_t lengths = 0;

	if (status == 413) {
		/* Its head stood, or there would be no body to be too large. */
		struct slice length = http1_field(req, "content-length", &lengths);

		buf_printf(words, ": at most %zu bytes are taken",
			is_import(req) ? (size_t)ADMIN_IMPORT_BYTES_MAX
				       : a->config.body_bytes_max);
		if (length.len > 0)
			buf_printf(words, " and it has %.*s", (int)length.len, length.ptr);
		if (!is_import(req))
			buf_puts(words,
				"; send less, or give the server a greater --max-body");
	} else if (status == 414) {
		buf_printf(words, ": at most %d bytes are taken", ADMIN_LINE_BYTES_MAX);
	} else if (status == 431) {
		buf_printf(words, ": at most %d fields of %d bytes together are taken",
			ADMIN_FIELDS_MAX, ADMIN_HEAD_BYTES_MAX);
	}
}

/* What the server refuses before on_request has seen it gets the form of all refusals. */
static void on_refused(void *owner, struct exchange *x, const struct http1 *req, int status,
	const char *why)
{
	struct buf words;

	buf_init(&words, META_BYTES_MAX);
	buf_printf(&words, "the request is refused: %s", why);
	put_limit(&words, owner, req, status);
	put_error(x, status, status == 503 ? RETRY_SOON : "", buf_slice(&words));
	buf_fini(&words);
}

/* For load balancers and supervisors: may deliveries be sent here? */
static void health(struct admin *a, struct exchange *x)
{
	if (engine_away(a->config.engine))
		admin_answer(x, 503, RETRY_SOON,
			SLICE_LIT("{\"status\": \"store away\"}"));
	else
		admin_answer(x, 200, "", SLICE_LIT("{\"status\": \"ok\"}"));
}

enum method { METHOD_GET = 1, METHOD_POST = 2, METHOD_OTHER = 4 };

/* HEAD is a GET whose answer loses its body on its way out. */
static enum method method_of(const struct http1 *req)
{
	if (slice_eq(req->method, SLICE_LIT("GET")) ||
		slice_eq(req->method, SLICE_LIT("HEAD")))
		return METHOD_GET;
	return slice_eq(req->method, SLICE_LIT("POST")) ? METHOD_POST : METHOD_OTHER;
}

/* False, and answered, unless the request's method is among the allowed. */
static bool method_fits(struct exchange *x, const struct http1 *req, unsigned allowed)
{
	static const char *const names[] = {
		[METHOD_GET] = "GET, HEAD",
		[METHOD_POST] = "POST",
		[METHOD_GET | METHOD_POST] = "GET, HEAD, POST",
	};
	struct buf lines;
	struct buf words;

	if ((method_of(req) & allowed) != 0)
		return true;
	buf_init(&lines, META_BYTES_MAX);
	buf_printf(&lines, "Allow: %s\r\n", names[allowed]);
	buf_init(&words, META_BYTES_MAX);
	buf_printf(&words, "this path does not take %.*s, only %s",
		req->method.len > 20 ? 20 : (int)req->method.len, req->method.ptr,
		names[allowed]);
	put_error(x, 405, lines.ptr, buf_slice(&words));
	buf_fini(&lines);
	buf_fini(&words);
	return false;
}

/* What stands behind prefix; false when path does not begin with it. */
static bool path_behind(struct slice path, const char *prefix, struct slice *ret_rest)
{
	size_t len = strlen(prefix);

	if (path.len < len || memcmp(path.ptr, prefix, len) != 0)
		return false;
	*ret_rest = (struct slice){ path.ptr + len, path.len - len };
	return true;
}

static void no_such_path(struct exchange *x)
{
	admin_error(x, 404,
		"no such path: there are /flows, /flows/NAME, /flows/ID, "
		"/flows/ID/cancel, /flows/ID/retry, /flows/ID/redeliver, "
		"/flows/ID/export, /doors, /doors/NAME, /doors/NAME/redeliver, "
		"/import, /backup and /health");
}

/* Everything below /doors/. */
static void route_door(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice rest)
{
	const char *slash = memchr(rest.ptr, '/', rest.len);
	struct slice name = { rest.ptr,
		slash == NULL ? rest.len : (size_t)(slash - rest.ptr) };
	struct slice behind = { rest.ptr + name.len, rest.len - name.len };

	if (name.len > 0 && slice_eq(behind, SLICE_LIT("/redeliver"))) {
		if (method_fits(x, req, METHOD_POST))
			admin_redeliver_door(a, x, req, name);
	} else if (slash != NULL) {
		no_such_path(x);
	} else if (method_fits(x, req, METHOD_GET)) {
		if (name.len > 0)
			admin_door(a, x, name);
		else
			admin_doors(a, x);
	}
}

/* Everything below /flows/. */
static void route_flow(
	struct admin *a, struct exchange *x, const struct http1 *req, struct slice rest)
{
	const char *slash = memchr(rest.ptr, '/', rest.len);
	struct slice first = { rest.ptr,
		slash == NULL ? rest.len : (size_t)(slash - rest.ptr) };
	struct slice behind = { rest.ptr + first.len, rest.len - first.len };

	if (slice_eq(behind, SLICE_LIT("/cancel"))) {
		if (method_fits(x, req, METHOD_POST))
			admin_cancel(a, x, first);
	} else if (slice_eq(behind, SLICE_LIT("/retry"))) {
		if (method_fits(x, req, METHOD_POST))
			admin_retry(a, x, first);
	} else if (slice_eq(behind, SLICE_LIT("/redeliver"))) {
		if (method_fits(x, req, METHOD_POST))
			admin_redeliver(a, x, req, first);
	} else if (slice_eq(behind, SLICE_LIT("/export"))) {
		if (method_fits(x, req, METHOD_GET))
			admin_export(a, x, req, first);
	} else if (slash != NULL || first.len == 0) {
		no_such_path(x);
	} else if (method_of(req) == METHOD_POST) {
		admin_start(a, x, req, first);
	} else if (method_fits(x, req, METHOD_GET | METHOD_POST)) {
		admin_show(a, x, first);
	}
}

/* The turn is due afterwards even for a refusal, which costs nothing. */
static void on_request(void *owner, struct exchange *x, const struct http1 *req)
{
	struct admin *a = owner;
	struct slice rest = SLICE_NONE;

	if (slice_eq(req->path, SLICE_LIT("/flows"))) {
		if (method_fits(x, req, METHOD_GET))
			admin_list(a, x, req);
	} else if (slice_eq(req->path, SLICE_LIT("/doors"))) {
		if (method_fits(x, req, METHOD_GET))
			admin_doors(a, x);
	} else if (path_behind(req->path, "/doors/", &rest)) {
		route_door(a, x, req, rest);
	} else if (slice_eq(req->path, SLICE_LIT("/health"))) {
		if (method_fits(x, req, METHOD_GET))
			health(a, x);
	} else if (slice_eq(req->path, SLICE_LIT("/backup"))) {
		if (method_of(req) == METHOD_POST)
			admin_backup(a, x, req);
		else if (method_fits(x, req, METHOD_GET | METHOD_POST))
			admin_backup_look(a, x);
	} else if (is_import(req)) {
		if (method_fits(x, req, METHOD_POST))
			admin_import(a, x, req);
	} else if (path_behind(req->path, "/flows/", &rest) && rest.len > 0) {
		route_flow(a, x, req, rest);
	} else {
		no_such_path(x);
	}
	a->config.wake(a->config.wake_arg);
}

int admin_open(struct admin **ret, const struct admin_config *config, struct err *err)
{
	struct admin *a = xalloc(sizeof(*a));

	/* Whoever can reach a TCP address is not yet somebody who may start flows. */
	CHECK(config->token != NULL || strncmp(config->listen, "unix:", 5) == 0);
	a->config = *config;
	a->token = config->token != NULL ? xstrndup(config->token, strlen(config->token))
					 : NULL;
	a->config.token = NULL;
	list_init(&a->ops);
	heap_init(&a->waits);
	int rc = server_open(&a->server,
		&(struct server_config){
			.loop = config->loop,
			.handler = { .owner = a,
				.head = on_head,
				.request = on_request,
				.refused = on_refused },
			.listen = config->listen,
			.limits = { .line_bytes_max = ADMIN_LINE_BYTES_MAX,
				.head_bytes_max = ADMIN_HEAD_BYTES_MAX,
				.fields_max = ADMIN_FIELDS_MAX,
				.body_bytes_max = config->body_bytes_max },
			.budget = config->budget,
			.bounds = config->bounds,
		},
		err);

	if (rc < 0) {
		free(a->token);
		free(a);
		return rc;
	}
	a->config.listen = NULL;
	uv_timer_init(config->loop, &a->timer);
	a->timer.data = a;
	*ret = a;
	return 0;
}

const char *admin_address(const struct admin *a) { return server_address(a->server); }

/* The last handle is gone: the admin may be freed. */
static void on_timer_closed(uv_handle_t *timer)
{
	struct admin *a = timer->data;

	a->done(a->done_arg);
}

/* No exchange is left that the timer could ring for. */
static void on_drained(void *arg)
{
	struct admin *a = arg;

	uv_close((uv_handle_t *)&a->timer, on_timer_closed);
}

void admin_drain(struct admin *a, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
	a->draining = true;
	a->done = done;
	a->done_arg = arg;
	admin_waits_end(a);
	server_drain(a->server, grace_ms, on_drained, a);
}

struct admin *admin_free(struct admin *a)
{
	if (a == NULL)
		return NULL;
	/* What the engine never came to tell; its connection was cut when the grace was
	 * over. */
	for (struct list *at = list_shift(&a->ops); at != NULL;
		at = list_shift(&a->ops)) {
		struct admin_op *op = container_of(at, struct admin_op, link);

		admin_away(op->x);
		admin_op_free(op);
	}
	heap_fini(&a->waits);
	server_free(a->server);
	free(a->token);
	free(a);
	return NULL;
}
