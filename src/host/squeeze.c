/* squeeze.c - two log lines around however many refusals.
 *
 * Invariant: at most one pair of lines in QUIET_MS. Surprise: it is over when nobody has been refused for
 * that long, not when there is room: at the limit there is room again and again. */
#include "host/squeeze.h"

#include <inttypes.h>

enum { QUIET_MS = 5000 };

static void on_timer(uv_timer_t *timer)
{
	struct squeeze *s = timer->data;
	int64_t now_ms = (int64_t)uv_now(timer->loop);
	int64_t quiet_ms = now_ms - s->last_ms;

	if (quiet_ms < QUIET_MS) {
		uv_timer_start(timer, on_timer, (uint64_t)(QUIET_MS - quiet_ms), 0);
		return;
	}
	s->on = false;
	world_log(s->world, "memory.room", "refused=%" PRIu64 " ms=%" PRId64,
		s->budget->refused - s->refused_before, s->last_ms - s->began_ms);
}

static void on_refused(void *squeeze, const char *why)
{
	struct squeeze *s = squeeze;
	struct engine_figures f = { 0 };

	s->last_ms = (int64_t)uv_now(s->timer.loop);
	if (s->on)
		return;
	s->on = true;
	s->began_ms = s->last_ms;
	s->refused_before = s->budget->refused - 1;
	if (s->engine != NULL)
		engine_figures(s->engine, &f);
	world_log(s->world, "memory.full",
		"flows_bytes=%zu flows_bytes_max=%zu bodies_bytes=%zu bodies_bytes_max=%zu "
		"why=\"%s; senders are told 503\"",
		f.memory, s->flows_max, s->budget->bytes, s->budget->bytes_max, why);
	if (!uv_is_closing((uv_handle_t *)&s->timer))
		uv_timer_start(&s->timer, on_timer, QUIET_MS, 0);
}

void squeeze_open(struct squeeze *s, uv_loop_t *loop)
{
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	s->budget->on_refused = on_refused;
	s->budget->on_refused_arg = s;
}

void squeeze_close(struct squeeze *s)
{
	s->budget->on_refused = NULL;
	uv_close((uv_handle_t *)&s->timer, NULL);
}
