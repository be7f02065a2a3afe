/* pulse.c - keeps engine and loop in step.
 *
 * Everything that a round of the loop brought in is taken together by one turn (in
 * check), and a commit waits until a look at the sockets brought nothing new: who was
 * just answered often asks again at once, and a commit costs as much for a hundred as for
 * one. Invariant: the loop never sleeps while a turn or a commit is due. Surprise: a turn
 * may itself make the next one due, through what its done functions hand in; prepare
 * runs that one. */
#include "host/pulse.h"

#include <malloc.h>

/* The loop's timers stand still while the machine sleeps and the engine's clock does not:
 * so the loop looks at least so often. */
enum { SLEEP_MS_MAX = 10000 };

/* So long a batch waits for company, under requests that never pause. */
enum { HOLD_NS_MAX = 1000000 };

/* Flows that left memory have freed so much of it: worth the milliseconds of giving it back, at once or
 * now and then. */
enum { TRIM_BYTES = 32 << 20, TRIM_LITTLE_BYTES = 1 << 20, TRIM_PAUSE_MS = 5000 };

/* The allocator keeps what is freed in the middle of its heap, and parked flows are to cost disk only.
 * Returns how long the loop may sleep before there is something to give back. */
static int64_t trim(struct pulse *p)
{
	size_t memory = engine_memory(p->engine);
	uint64_t next_ms = p->trimmed_ms + TRIM_PAUSE_MS;
	uint64_t now_ms = uv_now(p->timer.loop);

	if (memory > p->memory_most)
		p->memory_most = memory;
	size_t freed = p->memory_most - memory;
	if (freed < TRIM_LITTLE_BYTES)
		return INT64_MAX;
	if (freed < TRIM_BYTES && now_ms < next_ms)
		return (int64_t)(next_ms - now_ms);
	malloc_trim(0);
	p->memory_most = memory;
	p->trimmed_ms = now_ms;
	return INT64_MAX;
}

/* Marked as done before it runs, so that what it causes makes the next one due. */
static void gather(struct pulse *p)
{
	p->due = false;
	if (!engine_gather(p->engine))
		p->held_ns = 0;
	else if (p->held_ns == 0)
		p->held_ns = uv_hrtime();
	p->rest(p->rest_arg);
}

static void turn(struct pulse *p)
{
	p->due = false;
	p->held_ns = 0;
	engine_turn(p->engine);
	p->rest(p->rest_arg);
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle; /* its being active is all that is wanted of it */
}

static void on_timer(uv_timer_t *timer) { pulse_wake(timer->data); }

static void on_async(uv_async_t *async) { pulse_wake(async->data); }

static void on_check(uv_check_t *check)
{
	struct pulse *p = check->data;
	bool held_long = p->held_ns != 0 && uv_hrtime() - p->held_ns > HOLD_NS_MAX;

	if (p->due && !held_long)
		gather(p);
	else if (p->held_ns != 0)
		turn(p);
}

/* How long the loop may sleep when nothing happens. */
static int64_t sleep_ms(const struct pulse *p)
{
	int64_t next_ms = engine_next_ms(p->engine);
	int64_t now_ms = world_now_ms(p->world);
	int64_t engine_ms = engine_now_ms(p->engine);

	/* A clock that was set back between two runs leaves the engine's time ahead of
	 * it. */
	if (engine_ms > now_ms)
		now_ms = engine_ms;
	if (next_ms >= now_ms + SLEEP_MS_MAX)
		return SLEEP_MS_MAX;
	/* Never 0: what is due and still cannot be done must not spin. */
	return next_ms > now_ms ? next_ms - now_ms : 1;
}

static void on_prepare(uv_prepare_t *prepare)
{
	struct pulse *p = prepare->data;

	if (p->due)
		gather(p);
	if (p->due || p->held_ns != 0) {
		uv_idle_start(&p->idle, on_idle);
		return;
	}
	uv_idle_stop(&p->idle);
	uv_update_time(prepare->loop);
	int64_t trim_ms = trim(p);
	int64_t next_ms = sleep_ms(p);
	uv_timer_start(&p->timer, on_timer, (uint64_t)(trim_ms < next_ms ? trim_ms : next_ms), 0);
}

int pulse_open(struct pulse *p, uv_loop_t *loop, struct err *err)
{
	int rc = uv_async_init(loop, &p->async, on_async);

	if (rc != 0)
		return err_set(err, FISH_EIO, "the event loop: %s", uv_strerror(rc));
	/* These cannot fail: they only enter their handle into the loop's lists. */
	uv_prepare_init(loop, &p->prepare);
	uv_check_init(loop, &p->check);
	uv_idle_init(loop, &p->idle);
	uv_timer_init(loop, &p->timer);
	p->async.data = p;
	p->prepare.data = p;
	p->check.data = p;
	p->timer.data = p;
	p->due = true;
	uv_prepare_start(&p->prepare, on_prepare);
	uv_check_start(&p->check, on_check);
	return 0;
}

void pulse_wake(void *pulse)
{
	struct pulse *p = pulse;

	p->due = true;
}

void pulse_notify(void *pulse)
{
	struct pulse *p = pulse;

	uv_async_send(&p->async);
}

void pulse_still(struct pulse *p)
{
	uv_prepare_stop(&p->prepare);
	uv_check_stop(&p->check);
	uv_idle_stop(&p->idle);
}

void pulse_close(struct pulse *p)
{
	uv_close((uv_handle_t *)&p->prepare, NULL);
	uv_close((uv_handle_t *)&p->check, NULL);
	uv_close((uv_handle_t *)&p->idle, NULL);
	uv_close((uv_handle_t *)&p->timer, NULL);
	uv_close((uv_handle_t *)&p->async, NULL);
}
