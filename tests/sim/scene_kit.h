/* scene_kit.h - a scenario under every crash, with the figures of it; and a run whose words are kept. */
#ifndef FISH_SCENE_KIT_H
#define FISH_SCENE_KIT_H

#include "sim/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static inline double kit_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Everything comes out the same wherever the process dies. */
static inline void survives(const char *name, const fish_program *program, fish_sim_fn *scenario, void *arg)
{
	struct each_figures f = { .writes = 0 };
	double begun = kit_us();
	fish_sim_options o = { .program = program, .name = name };
	int rc = scene_each_crash(&o, scenario, arg, &f);

	printf("# %-44s %4llu writes %5llu runs %6.0f us per run\n", name, (unsigned long long)f.writes,
	       (unsigned long long)f.runs, (kit_us() - begun) / (double)f.runs);
	assert_int_equal(rc, 0);
	assert_true(f.writes > 0);
}

#define SURVIVES(program, scenario) survives(#scenario, &(program), (scenario), NULL)

/* ---- what is told ---- */

struct told {
	struct buf lines;
};

static inline void told_line(void *owner, const char *line)
{
	struct told *t = owner;

	buf_puts(&t->lines, line);
	buf_putc(&t->lines, '\n');
}

static inline bool told_has(const struct told *t, const char *what)
{
	return t->lines.ptr && strstr(t->lines.ptr, what);
}

static inline size_t told_count(const struct told *t, const char *what)
{
	size_t n = 0;

	for (const char *at = t->lines.ptr; at && (at = strstr(at, what)); at++)
		n++;
	return n;
}

/* What is meant to fail does not write among the words of the tests: its stderr is a file. */
static inline int quiet_begin(FILE **ret_file)
{
	int was = dup(STDERR_FILENO);

	fflush(stderr);
	*ret_file = tmpfile();
	assert_non_null(*ret_file);
	assert_true(dup2(fileno(*ret_file), STDERR_FILENO) >= 0);
	return was;
}

/* What was written is handed over, for free(). */
static inline char *quiet_end(int was, FILE *file)
{
	fflush(stderr);
	long size = lseek(fileno(file), 0, SEEK_END);
	char *words = calloc(1, (size_t)size + 1);

	assert_true(pread(fileno(file), words, (size_t)size, 0) == size);
	assert_true(dup2(was, STDERR_FILENO) >= 0);
	close(was);
	fclose(file);
	return words;
}

/* The scenario fails, and stderr says what. */
static inline void fails_with(const fish_sim_options *o, fish_sim_fn *scenario, const char *what)
{
	FILE *file;
	int was = quiet_begin(&file);
	int rc = fish_sim_run(o, scenario, NULL);
	char *words = quiet_end(was, file);

	if (rc != 1 || !strstr(words, what))
		fail_msg("the run gave %d and said \"%s\", not \"%s\"", rc, words, what);
	free(words);
}

static inline void crash_fails_with(const fish_sim_options *o, fish_sim_fn *scenario, const char *what)
{
	FILE *file;
	int was = quiet_begin(&file);
	int rc = fish_sim_each_crash(o, scenario, NULL);
	char *words = quiet_end(was, file);

	if (rc != 1 || !strstr(words, what))
		fail_msg("the runs gave %d and said \"%s\", not \"%s\"", rc, words, what);
	free(words);
}

#endif
