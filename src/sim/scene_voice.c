/* scene_voice.c - the only place in the simulator that prints, or asks the environment.
 *
 * Invariant: a failure is told with all that it takes to repeat its run. Surprise: most runs say
 * nothing to anybody, so their lines are not even made. */
#include "sim/scene.h"

#include <stdio.h>
#include <stdlib.h>

enum { FAILURES_TOLD_MAX = 10 };

bool voice_wanted(const fish_sim_options *o)
{
	const char *say = secure_getenv("FISH_SIM_SAY");

	return o->say || (say && *say);
}

static void line_out(const fish_sim_options *o, const char *line)
{
	if (o->say)
		o->say(o->owner, line);
	else
		fprintf(stderr, "%s\n", line);
}

void voice_say(const fish_sim_options *o, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	if (!voice_wanted(o))
		return;
	buf_init(&line, SIZE_MAX);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	line_out(o, line.ptr);
	buf_fini(&line);
}

/* The run in words: what was done to it. */
static void put_run(struct buf *out, const fish_sim_options *o)
{
	buf_printf(out, "%s%sseed %llu", o->name ? o->name : "", o->name ? ", " : "", (unsigned long long)o->seed);
	if (o->crash_at)
		buf_printf(out, ", the process dies at write %u and the write is %s", o->crash_at,
		           o->crash_keeps ? "kept" : "lost");
	if (o->store_fails_at)
		buf_printf(out, ", write %u is rolled back", o->store_fails_at);
	if (o->park)
		buf_puts(out, ", flows park at each wait");
}

void voice_run(const fish_sim_options *o)
{
	struct buf line;

	if (!voice_wanted(o))
		return;
	buf_init(&line, SIZE_MAX);
	put_run(&line, o);
	voice_say(o, "---- %s", line.ptr);
	buf_fini(&line);
}

void voice_tell(const fish_sim_options *o, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	buf_init(&line, SIZE_MAX);
	buf_puts(&line, "fish-sim: ");
	put_run(&line, o);
	buf_puts(&line, ": ");
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s\n", line.ptr);
	if (o->say)
		o->say(o->owner, line.ptr);
	buf_fini(&line);
}

void voice_repeat(const fish_sim_options *o)
{
	struct buf line;

	buf_init(&line, SIZE_MAX);
	buf_printf(&line, ".seed = %llu", (unsigned long long)o->seed);
	if (o->crash_at)
		buf_printf(&line, ", .crash_at = %u", o->crash_at);
	if (o->crash_at && o->crash_keeps)
		buf_puts(&line, ", .crash_keeps = true");
	if (o->store_fails_at)
		buf_printf(&line, ", .store_fails_at = %u", o->store_fails_at);
	if (o->park)
		buf_puts(&line, ", .park = true");
	voice_tell(o, "to repeat this run: fish_sim_run with these options and %s; FISH_SIM_SAY=1 in the "
	           "environment tells each event", line.ptr);
	buf_fini(&line);
}

void scene_say(fish_sim *s, const char *fmt, ...)
{
	struct buf line;
	va_list ap;
	int64_t since_ms = s->now_ms - s->zero_ms;

	if (!s->loud)
		return;
	buf_init(&line, SIZE_MAX);
	buf_printf(&line, "%6lld.%03lld s  ", (long long)(since_ms / 1000), (long long)(since_ms % 1000));
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	line_out(s->options, line.ptr);
	buf_fini(&line);
}

void scene_fail(fish_sim *s, const char *fmt, va_list ap)
{
	struct buf why;

	s->failed = true;
	if (++s->failures > FAILURES_TOLD_MAX)
		return;
	buf_init(&why, SIZE_MAX);
	buf_vprintf(&why, fmt, ap);
	voice_tell(s->options, "%s", why.ptr ? why.ptr : "");
	buf_fini(&why);
}

void scene_broken(fish_sim *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	scene_fail(s, fmt, ap);
	va_end(ap);
}
