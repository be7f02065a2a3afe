/* serve_stop.c - a clean stop: drain, commit what is gathered, close.
 *
 * The doors close first and what they have taken gets its answer, then calls under way
 * are left to the next start, then the last turn's batch becomes durable. Invariant:
 * nothing here is needed for safety; a kill at any point leaves what the journal holds.
 * Surprise: store_close comes before engine_free, as the store's thread may still read
 * what the engine owns. */
#include "host/serve_private.h"

#include <signal.h>
#include <stdlib.h>

enum { DRAIN_GRACE_MS = 5000, STOP_MS_MAX = 12000 };

/* Ends uv_run; serve_close does the rest. */
static void finish(struct serve *s)
{
	s->phase = PHASE_OVER;
	uv_stop(&s->loop);
}

void serve_rest(void *serve)
{
	struct serve *s = serve;

	if (s->phase == PHASE_RESTING && s->drains == 0 && engine_idle(s->engine))
		finish(s);
}

/* The last part; from now on only the commit under way is waited for. */
static void on_client_drained(void *arg)
{
	struct serve *s = arg;

	s->drains--;
	pulse_wake(&s->pulse);
}

/* A door has let its last asker go. */
static void on_drained(void *arg)
{
	struct serve *s = arg;
	struct client *client = s->world.client;

	if (--s->drains > 0)
		return;
	s->phase = PHASE_RESTING;
	engine_wind_down(s->engine);
	/* From here on the engine's calls go nowhere; their journals bring them back. */
	s->world.client = NULL;
	s->drains = 1;
	client_drain(client, on_client_drained, s);
	pulse_wake(&s->pulse);
}

/* A store that hangs, or a client that never ends, must not keep the process for ever. */
static void on_patience(uv_timer_t *timer)
{
	struct serve *s = timer->data;

	world_log(&s->world, "server.impatient",
		"why=\"what is under way did not finish in %d ms\"", STOP_MS_MAX);
	s->forced = true;
	finish(s);
}

/* Those that stand; a start that failed may have left some out. */
static void drain_doors(struct serve *s, int64_t grace_ms, void (*done)(void *serve))
{
	if (s->ingress != NULL)
		ingress_drain(s->ingress, grace_ms, done, s);
	if (s->socket_admin != NULL)
		admin_drain(s->socket_admin, grace_ms, done, s);
	if (s->tcp_admin != NULL)
		admin_drain(s->tcp_admin, grace_ms, done, s);
}

void serve_stop(struct serve *s)
{
	if (s->phase != PHASE_SERVING)
		return;
	s->phase = PHASE_DRAINING;
	uv_timer_start(&s->patience, on_patience, STOP_MS_MAX, 0);
	s->drains = 1 + (size_t)(s->socket_admin != NULL) + (size_t)(s->tcp_admin != NULL);
	drain_doors(s, DRAIN_GRACE_MS, on_drained);
	pulse_wake(&s->pulse);
}

static void on_signal(uv_signal_t *handle, int number)
{
	struct serve *s = handle->data;

	/* Whoever asks twice wants it now, and it is safe: from here on either signal kills. */
	uv_signal_stop(&s->on_term);
	uv_signal_stop(&s->on_int);
	world_log(&s->world, "server.stopping", "signal=%s",
		number == SIGINT ? "SIGINT" : "SIGTERM");
	serve_stop(s);
}

void serve_stop_open(struct serve *s)
{
	uv_timer_init(&s->loop, &s->patience);
	s->patience.data = s;
	if (s->config->embedded)
		return;
	uv_signal_init(&s->loop, &s->on_term);
	uv_signal_init(&s->loop, &s->on_int);
	s->on_term.data = s;
	s->on_int.data = s;
}

void serve_stop_listen(struct serve *s)
{
	if (s->config->embedded)
		return;
	/* The kernel itself takes the handler away with the first signal, so that a second
	 * of the same kind kills also while a flow keeps the loop from looking. */
	uv_signal_start_oneshot(&s->on_term, on_signal, SIGTERM);
	uv_signal_start_oneshot(&s->on_int, on_signal, SIGINT);
}

/* For drains that nobody waits for: close_loop runs until all is closed. */
static void on_closed(void *serve) { (void)serve; }

/* The loop goes on until the last handle is closed, and no turn is made meanwhile. */
static void close_loop(struct serve *s)
{
	uv_close((uv_handle_t *)&s->patience, NULL);
	if (!s->config->embedded) {
		uv_close((uv_handle_t *)&s->on_term, NULL);
		uv_close((uv_handle_t *)&s->on_int, NULL);
	}
	pulse_close(&s->pulse);
	squeeze_close(&s->squeeze);
	if (s->phase == PHASE_SERVING) {
		/* It never served: a part did not come up, and nobody has asked the
		 * others anything. */
		drain_doors(s, 0, on_closed);
		if (s->client != NULL)
			client_drain(s->client, on_closed, s);
	}
	uv_run(&s->loop, UV_RUN_DEFAULT);
	CHECK(uv_loop_close(&s->loop) == 0);
}

void serve_close(struct serve *s)
{
	if (s->store != NULL)
		s->store = store_close(s->store);
	if (s->forced)
		return;
	s->world.client = NULL;
	if (s->has_loop) {
		/* The loop goes round again here, and the engine must not: its store has
		 * gone. */
		pulse_still(&s->pulse);
		threads_drop(&s->threads);
	}
	s->engine = engine_free(s->engine);
	s->squeeze.engine = NULL;
	s->world.blackbox = blackbox_close(s->world.blackbox);
	if (s->has_loop)
		close_loop(s);
	s->ingress = ingress_free(s->ingress);
	s->socket_admin = admin_free(s->socket_admin);
	s->tcp_admin = admin_free(s->tcp_admin);
	s->client = client_free(s->client);
	s->world.errands = errands_free(s->world.errands);
	expand_fini(&s->expanded);
	free(s->token);
	if (s->phase == PHASE_OVER)
		world_log(&s->world, "server.stopped", "store=%s", s->paths->store.ptr);
	world_fini(&s->world);
	free(s);
}
