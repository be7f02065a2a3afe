/* main.c - fish_main: every program's own command line.
 *
 * Invariant: wrong use ends with exit status 2 and words on stderr, and has touched
 * nothing; trouble at run time ends with 1. */
#include "host/command.h"
#include "host/help.h"
#include "host/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { HELP_BYTES_MAX = 64 << 10 };

static int say(const struct config *config, struct buf *text)
{
	bool written = fwrite(text->ptr, 1, text->len, stdout) == text->len &&
		fflush(stdout) == 0;

	if (!written)
		fprintf(stderr, "%s: stdout cannot be written: %s\n", config->program,
			strerror(errno));
	buf_fini(text);
	return written ? EXIT_DONE : EXIT_RUNTIME;
}

/* The commands that have to do with a store. */
static int run(const struct config *config, const fish_program *p)
{
	struct paths paths;
	struct err err = { 0 };
	int exit_status = EXIT_USAGE;

	if (paths_init(&paths, config->program, config->values[FLAG_STORE],
		    config->values[FLAG_SOCKET], &err) < 0) {
		fprintf(stderr, "%s: %s\n", config->program, err.text);
		return exit_status;
	}
	if (config->command != COMMAND_SERVE) {
		exit_status = command_run(config, &paths);
	} else if (serve_run(config, &paths, p, &err) < 0) {
		fprintf(stderr, "%s: %s\n", config->program, err.text);
		exit_status = EXIT_RUNTIME;
	} else {
		exit_status = EXIT_DONE;
	}
	paths_fini(&paths);
	return exit_status;
}

int fish_main(int argc, char **argv, const fish_program *p)
{
	struct config config;
	struct err err = { 0 };
	struct buf text;

	/* A peer, a client or a pager that hangs up is no reason to die. */
	signal(SIGPIPE, SIG_IGN);
	buf_init(&text, HELP_BYTES_MAX);
	if (config_parse(&config, argc, argv, &err) < 0) {
		fprintf(stderr, "%s: %s\n", config.program, err.text);
		return EXIT_USAGE;
	}
	if (config.command == COMMAND_HELP) {
		help_program(&text, &config, p);
		return say(&config, &text);
	}
	if (config.command == COMMAND_VERSION) {
		help_version(&text, &config);
		return say(&config, &text);
	}
	if (config.help) {
		help_command(&text, &config, p);
		return say(&config, &text);
	}
	return run(&config, p);
}
