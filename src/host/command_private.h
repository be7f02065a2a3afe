/* command_private.h - what the files of the commands share, and nobody else.
 *
 * command.c has the commands that ask a running server, and sends each to its function;
 * command_backup.c, command_check.c, command_flow.c and command_import.c look after a store. */
#ifndef FISH_COMMAND_PRIVATE_H
#define FISH_COMMAND_PRIVATE_H

#include "host/command.h"
#include "host/render.h"

#include <jansson.h>

enum {
	ASK_TIMEOUT_MS = 30000,
	OUT_BYTES_MAX = 512 << 20,
};

/* One command's run: where the server is, and what is to be printed. */
struct run {
	const struct config *config;
	const struct paths  *paths;
	struct render        render;
	struct buf           out;
	struct buf           answer;    /* the last answer's body, as it came */
};

struct admin_ask;

/* One line to stderr; returns EXIT_RUNTIME, so that "return complain(…)" reads. */
int complain(const struct run *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Hands what was put together to stdout; a full disk or a closed pipe is an error as any
 * other. */
int flush_out(struct run *r);
/* Asks; 0 when there is an answer with a body of JSON, else the exit status, after
 * complaining. */
int command_ask(struct run *r, const struct admin_ask *question, int *ret_status, json_t **ret_json);

/* A bar on stderr, when that is a terminal and nothing else is asked for; else nothing. */
struct bar {
	bool shown;          /* something stands on the line */
	bool wanted;
};
void bar_init(struct bar *b, const struct config *c);
void bar_show(struct bar *b, const char *doing, uint64_t done, uint64_t all);
void bar_end(struct bar *b);

/* What a server says in words when it refuses; returns EXIT_RUNTIME. */
struct admin_told;
int complain_refused(struct run *r, const struct admin_told *told);

/* Is there a server at the socket? */
bool server_runs(const struct run *r);
/* Opens the store of a server that is down; it must be there. 0, or the exit status after
 * complaining. */
struct store;
int store_open_down(struct run *r, struct store **ret);

int run_backup(struct run *r);
int run_check(struct run *r);
int run_export(struct run *r);
int run_import(struct run *r);

#endif
