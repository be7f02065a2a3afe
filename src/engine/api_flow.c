/* api_flow.c - what a flow asks of itself: its end, its id, its time, memory, chance, log lines.
 *
 * Invariant: all here is derived from the journal, so that a re-run sees the same. Surprise: none of
 * it but the ends is a step. */
#include "base/hash.h"
#include "engine/run.h"
#include "engine/world.h"
#include "wire/template.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINE_BYTES_MAX = 16 << 10 };

struct slice run_template(struct run *r, const char *verb, const char *json, va_list ap)
{
	struct buf out;
	struct err err = { .code = 0 };

	buf_init(&out, TEMPLATE_BYTES_MAX);
	int rc = template_put(&out, &err, json, ap);
	struct slice s = { arena_dup(&r->arena, buf_slice(&out)), out.len };

	buf_fini(&out);
	if (rc < 0)
		run_misuse(r, "%s: %s", verb, err.text);
	return s;
}

void fish_done(fish_flow *f, const char *json, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	va_start(ap, json);
	struct slice result = run_template(r, "fish_done", json, ap);

	va_end(ap);
	run_step(r, &(struct step){ .kind = STEP_DONE, .label = "", .content = hash64(HASH64_SEED, result) });
	run_return(r, END_DONE, result);
}

__attribute__((format(printf, 2, 0)))
static struct slice text_of(struct run *r, const char *fmt, va_list ap)
{
	struct buf out;

	if (!fmt)
		run_misuse(r, "the format of a text is NULL");
	buf_init(&out, TEMPLATE_BYTES_MAX);
	buf_vprintf(&out, fmt, ap);
	struct slice s = { arena_dup(&r->arena, buf_slice(&out)), out.len };
	bool failed = buf_failed(&out);

	buf_fini(&out);
	if (failed)
		run_misuse(r, "a formatted text of more than %d bytes, or a bad format", TEMPLATE_BYTES_MAX);
	return s;
}

void fish_fail(fish_flow *f, const char *why, ...)
{
	struct run *r = run_of(f);
	va_list ap;

	RUN_AT(r);
	va_start(ap, why);
	struct slice text = text_of(r, why, ap);

	va_end(ap);
	run_step(r, &(struct step){ .kind = STEP_FAIL, .label = "", .content = hash64(HASH64_SEED, text) });
	run_return(r, END_FAILED, text);
}

const char *fish_id(fish_flow *f)
{
	struct run *r = run_of(f);
	char text[ID_TEXT_SIZE];

	id_text(&r->id, text);
	return arena_dup(&r->arena, slice_of(text));
}

long long fish_now(fish_flow *f)
{
	return run_of(f)->now_ms;
}

/* splitmix64 (Steele, Lea, Flood 2014) over a counter, seeded by flow and epoch. */
uint64_t fish_random(fish_flow *f)
{
	struct run *r = run_of(f);
	struct slice id = { (const char *)r->id.b, sizeof r->id.b };
	uint64_t z = hash64_u64(hash64(HASH64_SEED, id), r->epoch);

	z += ++r->random_next * UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void *fish_alloc(fish_flow *f, size_t size)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	/* A size may be a stranger's number, and its product with another may be anything. */
	if (size > ALLOC_BYTES_MAX)
		run_misuse(r, "fish_alloc: %zu bytes, and at most %d are given", size, ALLOC_BYTES_MAX);
	return arena_alloc(&r->arena, size);
}

char *fish_fmt(fish_flow *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	struct slice s = text_of(run_of(f), fmt, ap);

	va_end(ap);
	return (char *)s.ptr;
}

void fish_log(fish_flow *f, const char *fmt, ...)
{
	struct run *r = run_of(f);
	char id[ID_TEXT_SIZE];
	struct buf line;
	va_list ap;

	if (r->dropped || !run_live(r))           /* a function of fish_work has outlived the flow */
		return;
	id_text(&r->id, id);
	buf_init(&line, SIZE_MAX);
	buf_printf(&line, "flow=%s name=%s ", id, r->flow->name);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	if (line.len > LOG_LINE_BYTES_MAX) {
		line.len = LOG_LINE_BYTES_MAX;
		buf_puts(&line, " … (cut)");
	}
	batch_log(r->engine->gather, "flow.log", buf_slice(&line));
	buf_fini(&line);
}

void fish_defer(fish_flow *f, void (*fn)(void *), void *arg)
{
	struct run *r = run_of(f);

	RUN_AT(r);
	if (!fn)
		run_misuse(r, "fish_defer: the function is NULL");
	struct deferred *d = arena_alloc(&r->arena, sizeof *d);

	*d = (struct deferred){ .fn = fn, .arg = arg, .next = r->deferred };
	r->deferred = d;
}
