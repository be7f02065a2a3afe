/* serve.c - brings the server up: store, engine, recovery, door, admin, and last the
 * ready line.
 *
 * Invariant: the ready line is printed when everything answers, never before. Surprise:
 * recovery runs no flow; that begins with the loop's first turn, when all parts stand. */
#include "host/serve_private.h"

#include "host/build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void tell(const struct serve *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* What whoever started the server should know, also when nothing is logged; but stderr is
 * not an embedded server's to write on. */
static void tell(const struct serve *s, const char *fmt, ...)
{
	struct buf text;
	va_list ap;

	buf_init(&text, META_BYTES_MAX);
	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	if (s->config->embedded)
		world_log(&s->world, "server.warning", "why=\"%s\"", text.ptr);
	else
		fprintf(stderr, "%s: %s\n", s->config->program, text.ptr);
	buf_fini(&text);
}

/* Each connection is a descriptor, and the soft limit is often a thousand. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit = { 0 };

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Opened when the store is ours: two servers must not write one black box. */
static int open_blackbox(struct serve *s, struct err *err)
{
	return blackbox_open(&s->world.blackbox, &(struct blackbox_config){
		.path = s->paths->running.len ? s->paths->running.ptr : NULL,
		.build = build_id(),
	}, err);
}

/* Of the flow that was on the CPU as the last process died: its journal tells how far it came. */
static void judge_crash(struct serve *s)
{
	struct id flow;
	char text[ID_TEXT_SIZE];
	struct reached reached;
	unsigned crashes = 0;

	if (!blackbox_crashed(s->world.blackbox, &flow))
		return;
	if (engine_reached(s->engine, &flow, &reached))
		crashes = blackbox_count(s->world.blackbox, &reached, world_now_ms(&s->world));
	else
		blackbox_acquit(s->world.blackbox);
	id_text(&flow, text);
	world_log(&s->world, "server.crashed", "flow=%s crashes=%u why=\"the last process ended while it ran\"",
	          text, crashes);
}

/* Engine and recovery; no flow runs yet. */
static int open_engine(struct serve *s, const fish_program *program, struct err *err)
{
	int64_t began_ms = world_now_ms(&s->world);
	const int64_t *limits = s->config->limits;
	struct engine_figures figures = { 0 };
	int rc = engine_new(&s->engine,
		&(struct engine_config){
			.program = program,
			.peers = s->expanded.peers,
			.senders = s->expanded.senders,
			.base_url = s->config->public_url,
			.build = build_id(),
			.seams = world_seams(&s->world),
			.store = s->store,
			.park_after_ms = s->config->test_park ? -1 : limits[LIMIT_PARK_AFTER],
			.memory_bytes = (size_t)limits[LIMIT_MEMORY] - s->bodies.bytes_max,
			.steps_max = s->config->steps_max,
		},
		err);

	s->pulse.engine = s->engine;
	if (rc == 0)
		rc = engine_recover(s->engine, err);
	if (rc < 0)
		return rc;
	judge_crash(s);
	engine_figures(s->engine, &figures);
	world_log(&s->world, "server.recovered", "flows=%zu ms=%" PRId64 " store=%s",
		figures.flows, world_now_ms(&s->world) - began_ms, s->paths->store.ptr);
	return 0;
}

/* The engine reaches it through the world's seams. */
static int open_client(struct serve *s, struct err *err)
{
	int rc = client_open(&s->client,
		&(struct client_config){
			.loop = &s->loop,
			.wake = pulse_wake,
			.wake_arg = &s->pulse,
		},
		err);

	s->world.client = s->client;
	s->world.errands = rc == 0 ? world_errands(&s->world) : NULL;
	return rc;
}

/* A free port is another one at each start, and URLs that are out name the old one. */
static void warn_of_changing_port(const struct serve *s)
{
	struct engine_figures figures = { 0 };
	const char *colon = strrchr(s->config->listen, ':');
	bool free_port = colon != NULL && strspn(colon + 1, "0") == strlen(colon + 1);

	engine_figures(s->engine, &figures);
	if (free_port && figures.hooks_open > 0)
		tell(s,
			"%zu URLs are out that name an earlier port; give %s a fixed port, or "
			"%s, so that they are still reached",
			figures.hooks_open, s->config->embedded ? "listen" : "--listen",
			s->config->embedded ? "public_url" : "--public-url");
}

/* With no descriptor left a new connection is dropped unseen; at the door's own limit an idle one gives
 * way. So that limit is what the process may have open, less what calls, files and the store need. */
static size_t connections_max(const struct serve *s)
{
	enum { RESERVED = 600 };
	size_t wanted = (size_t)s->config->limits[LIMIT_CONNECTIONS];
	struct rlimit limit = { 0 };

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
		return wanted;
	size_t all = (size_t)limit.rlim_cur;
	size_t most = all > 2 * RESERVED ? all - RESERVED : all / 2;

	if (wanted <= most)
		return wanted;
	world_log(&s->world, "server.connections", "max=%zu wanted=%zu why=\"the process may have %zu files open\"",
		most, wanted, all);
	return most;
}

/* What slow ones get, whichever listener they come to. */
static struct server_bounds slow_bounds(const struct serve *s)
{
	const int64_t *limits = s->config->limits;

	return (struct server_bounds){
		.head_timeout_ms = limits[LIMIT_HEAD_TIMEOUT],
		.body_timeout_ms = limits[LIMIT_BODY_TIMEOUT],
		.write_timeout_ms = limits[LIMIT_WRITE_TIMEOUT],
		.idle_timeout_ms = limits[LIMIT_IDLE_TIMEOUT],
		.rate_grace_ms = limits[LIMIT_RATE_GRACE],
		.rate_bytes_min = (size_t)limits[LIMIT_MIN_RATE],
	};
}

/* Only now is the real port known, and with it what URLs begin with. */
static int open_door(struct serve *s, struct err *err)
{
	char base[BASE_URL_BYTES_MAX + 1];
	const int64_t *limits = s->config->limits;
	struct server_bounds bounds = slow_bounds(s);

	bounds.connections_max = connections_max(s);
	bounds.connections_each_max = (size_t)limits[LIMIT_CONNECTIONS_EACH];
	bounds.pipeline_max = (size_t)limits[LIMIT_PIPELINE];
	int rc = ingress_open(&s->ingress,
		&(struct ingress_config){
			.loop = &s->loop,
			.engine = s->engine,
			.listen = s->config->listen,
			.unix_mode = s->config->listen_mode,
			.proxies = &s->config->proxies,
			.body_bytes_max = s->config->body_bytes_max,
			.head_bytes_max = (size_t)limits[LIMIT_HEAD_BYTES],
			.bounds = bounds,
			.budget = &s->bodies,
			.wake = pulse_wake,
			.wake_arg = &s->pulse,
		},
		err);

	if (rc < 0 || s->config->public_url[0] != '\0')
		return rc;
	const char *address = ingress_address(s->ingress);

	snprintf(base, sizeof(base), "http://%s", address);
	engine_set_base_url(s->engine, base);
	warn_of_changing_port(s);
	if (strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0)
		tell(s, "callback URLs will begin with %s, which others cannot reach; give %s",
			base, s->config->embedded ? "public_url" : "--public-url");
	return 0;
}

static int open_admin(struct serve *s, struct admin **ret, const char *listen,
	const char *token, struct err *err)
{
	return admin_open(ret,
		&(struct admin_config){
			.loop = &s->loop,
			.engine = s->engine,
			.store = s->store,
			.listen = listen,
			.token = token,
			.body_bytes_max = s->config->body_bytes_max,
			.budget = &s->bodies,
			/* The socket's file is the operator's alone. */
			.bounds = token != NULL ? slow_bounds(s) : (struct server_bounds){ 0 },
			.wake = pulse_wake,
			.wake_arg = &s->pulse,
		},
		err);
}

/* The unix socket of a program always, the TCP listener only when it is asked for. */
static int open_admins(struct serve *s, struct err *err)
{
	char unix_address[SOCKET_PATH_BYTES_MAX + sizeof("unix:")];
	bool from_file = false;

	int rc = 0;

	if (s->paths->socket.len > 0) {
		snprintf(unix_address, sizeof(unix_address), "unix:%s", s->paths->socket.ptr);
		rc = open_admin(s, &s->socket_admin, unix_address, NULL, err);
	}

	if (rc < 0 || s->config->values[FLAG_ADMIN] == NULL)
		return rc;
	rc = paths_admin_token(s->paths, &s->token, &from_file, err);
	if (rc == 0)
		rc = open_admin(
			s, &s->tcp_admin, s->config->values[FLAG_ADMIN], s->token, err);
	if (rc == 0)
		tell(s, "admin on http://%s, its token is in %s",
			admin_address(s->tcp_admin),
			from_file ? s->paths->token.ptr : "FISH_ADMIN_TOKEN");
	return rc;
}

/* Before recovery: what that asks of the store is handed back by its thread, which then
 * has to know whom to notify. Nothing happens on the loop until it runs. */
static int open_loop(struct serve *s, struct err *err)
{
	int rc = uv_loop_init(&s->loop);

	if (rc != 0)
		return err_set(err, FISH_EIO, "the event loop: %s", uv_strerror(rc));
	s->pulse = (struct pulse){
		.world = &s->world,
		.rest = serve_rest,
		.rest_arg = s,
	};
	rc = pulse_open(&s->pulse, &s->loop, err);
	if (rc < 0) {
		uv_loop_close(&s->loop);
		return rc;
	}
	s->threads = (struct threads){ .loop = &s->loop, .wake = pulse_wake, .wake_arg = &s->pulse };
	s->world.threads = &s->threads;
	s->squeeze = (struct squeeze){
		.world = &s->world,
		.engine = s->engine,
		.budget = &s->bodies,
		.flows_max = (size_t)s->config->limits[LIMIT_MEMORY] - s->bodies.bytes_max,
	};
	squeeze_open(&s->squeeze, &s->loop);
	s->store->notify_arg = &s->pulse;
	s->store->notify = pulse_notify;
	serve_stop_open(s);
	s->has_loop = true;
	return 0;
}

static int open_store(struct serve *s, struct err *err)
{
	const int64_t *limits = s->config->limits;

	return store_open(&s->store, s->paths->store.ptr,
		&(struct store_options){
			.young_bytes_max = (size_t)limits[LIMIT_YOUNG],
			.retain_ms = limits[LIMIT_RETAIN_FOR],
			.retain_bytes_max = (uint64_t)limits[LIMIT_RETAIN_BYTES],
			.log_bytes = LOG_BYTES,
		},
		err);
}

/* In the order in which the parts lean on each other. */
static int open_all(struct serve *s, const fish_program *program, struct err *err)
{
	int rc = expand_init(&s->expanded, program, err);

	if (rc == 0)
		rc = open_store(s, err);
	if (rc == 0)
		rc = open_blackbox(s, err);
	if (rc == 0)
		rc = open_loop(s, err);
	if (rc == 0)
		rc = open_engine(s, program, err);
	if (rc == 0)
		serve_stop_listen(s);
	if (rc == 0)
		rc = open_client(s, err);
	if (rc == 0)
		rc = open_door(s, err);
	if (rc == 0)
		rc = open_admins(s, err);
	return rc;
}

/* The one line on stdout. */
static void say_ready(const struct serve *s)
{
	const char *address = ingress_address(s->ingress);
	const char *scheme = strncmp(address, "unix:", 5) == 0 ? "" : "http://";

	/* Who waits for this line may start to ask at once. Who closed stdout did not want
	 * it, and who lost it that way can read why on stderr. */
	if (printf("listening on %s%s\n", scheme, address) < 0 || fflush(stdout) != 0)
		tell(s,
			"stdout cannot be written (%s), so nobody sees the ready line; it listens "
			"on %s%s",
			strerror(errno), scheme, address);
}

int serve_open(struct serve **ret, const struct config *c, const struct paths *paths,
	const fish_program *program, struct err *err)
{
	/* On the heap, so that handles of a stop that was cut short never point into a
	 * dead stack. */
	struct serve *s = xalloc(sizeof(*s));
	int rc = world_init(&s->world, c->log, err);

	if (rc < 0) {
		free(s);
		return rc;
	}
	s->config = c;
	s->paths = paths;
	s->bodies.bytes_max = (size_t)c->limits[LIMIT_MEMORY] / MEMORY_PARTS_OF_BODIES;
	rc = open_all(s, program, err);
	if (rc < 0) {
		serve_close(s);
		return rc;
	}
	*ret = s;
	return 0;
}

int serve_loop(struct serve *s, struct err *err)
{
	const char *socket = s->paths->socket.len > 0 ? s->paths->socket.ptr : "none";

	world_log(&s->world, "server.ready", "listen=%s socket=%s",
		ingress_address(s->ingress), socket);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	if (s->forced)
		return err_set(err, FISH_ETIMEOUT,
			"stopped with work under way; the next start goes on "
			"with it");
	return 0;
}

int serve_run(const struct config *c, const struct paths *paths,
	const fish_program *program, struct err *err)
{
	struct serve *s = NULL;

	umask(077); /* the store, the socket and the token are its owner's alone */
	raise_descriptor_limit();
	int rc = serve_open(&s, c, paths, program, err);

	if (rc < 0)
		return rc;
	say_ready(s);
	rc = serve_loop(s, err);
	serve_close(s);
	return rc;
}
