/* help.c - what the program and each of its commands say of themselves.
 *
 * Invariant: every flag shown is one that config.c takes, since both read the same
 * table. The examples use the program's own name and its first flow, so that they can
 * be pasted. */
#include "host/help.h"

#include "host/build.h"

#include <inttypes.h>
#include <string.h>

#ifndef FISH_VERSION
#define FISH_VERSION "0.1.0" /* a build without meson, which knows the version */
#endif

/* For examples that work as they stand. */
static const char *first_flow(const fish_program *program)
{
	bool any = program->flows != NULL && program->flows[0].name != NULL;

	return any ? program->flows[0].name : "FLOW";
}

static void put_usage(struct buf *out, const char *program, const struct command_def *def)
{
	buf_printf(out, "  %s %s%s%s [FLAGS]\n", program, def->name,
		def->arguments[0] != '\0' ? " " : "", def->arguments);
}

void help_program(struct buf *out, const struct config *c, const fish_program *program)
{
	const char *me = c->program;
	const char *flow = first_flow(program);

	buf_printf(out,
		"%s runs flows that await webhooks and callbacks, and loses nothing.\n\n",
		me);
	buf_puts(out, "usage:\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		put_usage(out, me, &command_defs[i]);
		buf_printf(out, "      %s\n", command_defs[i].purpose);
	}
	buf_puts(out, "\nflows in this program:");
	for (const fish_def *def = program->flows; def != NULL && def->name != NULL;
		def++)
		buf_printf(out, "%s %s", def == program->flows ? "" : ",", def->name);
	buf_puts(out, "\n\nexamples:\n");
	buf_printf(out, "  %s serve\n", me);
	buf_printf(out, "  %s start %s '{\"id\": 1}'\n", me, flow);
	buf_printf(out, "  %s ls\n", me);
	buf_printf(out,
		"\n'%s COMMAND --help' tells a command's flags and more examples.\n", me);
}

enum { FLAG_WIDTH = 20 };

/* The flags of one command, from the table that parses them. */
static void put_flags(struct buf *out, enum command command)
{
	bool any_env = false;

	buf_puts(out, "\nflags:\n");
	for (size_t i = 0; i < FLAGS; i++) {
		const struct flag_def *def = &flag_defs[i];
		char head[40];
		struct buf line;

		if ((def->commands & 1u << command) == 0)
			continue;
		buf_init(&line, sizeof(head));
		buf_printf(
			&line, "%s %s", def->name, def->value != NULL ? def->value : "");
		/* A long one has its line alone, so that the others keep their column. */
		buf_printf(out, "  %-20s%s%s\n", line.ptr, line.len > FLAG_WIDTH ? "\n                       " : " ",
			def->purpose);
		buf_fini(&line);
		any_env = any_env || def->env != NULL;
	}
	if (!any_env)
		return;
	buf_puts(out, "\nenvironment, for flags that are not given:\n ");
	for (size_t i = 0; i < FLAGS; i++) {
		const struct flag_def *def = &flag_defs[i];

		if ((def->commands & 1u << command) != 0 && def->env != NULL)
			buf_printf(out, " %s", def->env);
	}
	buf_puts(out, "\n");
}

/* What there is to say of serve beyond its flags. */
static void put_serve(struct buf *out, const char *me)
{
	buf_puts(out,
		"\nOnce it is ready it prints 'listening on http://...'. SIGTERM or Ctrl-C stop it\n"
		"cleanly, the same signal again kills it. A clean stop waits for what is under way, at\n"
		"most 12 s, but a flow that computes and reaches no step holds it up for as long as it\n"
		"does. To kill it, also with kill -9, is safe at any time: the next start goes on where\n"
		"it was. The admin listener asks for the token in FISH_ADMIN_TOKEN (16 characters or\n"
		"more), or else in a file that it makes beside the store.\n");
	buf_puts(out, "\nexamples:\n");
	buf_printf(out, "  %s serve\n", me);
	buf_printf(out,
		"  %s serve --listen :8080 --public-url https://hooks.example.com\n", me);
	buf_printf(out,
		"  %s serve --store /var/lib/%s/flows.db --admin 127.0.0.1:8081\n", me,
		me);
	buf_printf(out,
		"  %s serve --store :memory: --socket ./%s.sock --listen 127.0.0.1:0\n",
		me, me);
}

static void put_backup(struct buf *out, const char *me)
{
	buf_puts(out,
		"\nThe copy is the store as it is at one moment; all that was answered with success before\n"
		"the command began is in it. A running server makes it, and goes on meanwhile. It grows in\n"
		"FILE.tmp and gets its name when it is whole and on the disk. It holds the secret of the\n"
		"callback URLs: keep it as private as the store. To restore, start a server with it as\n"
		"its --store, or a copy of it.\n");
	buf_printf(out, "\nexamples:\n  %s backup /backups/%s-monday.db\n", me, me);
	buf_printf(out, "  %s backup latest.db --force --json\n", me);
}

static void put_redeliver(struct buf *out, const char *me, const char *id)
{
	buf_puts(out,
		"\nFor a request that was refused: not signed as it must be, too much at once, no JSON. 'show ID' and\n"
		"'show /in/DOOR' list those that are in memory still, with their numbers; they go when younger\n"
		"ones come, and with the server. What was refused is delivered to its hook or door as if it came\n"
		"now, and nobody asks any more who signed it: look at it before. A hook that is closed does not\n"
		"open again: what came late can go to another open hook of the same flow, with --hook. The exit\n"
		"status is 0 when it is stored, 1 when not.\n");
	buf_printf(out, "\nexamples:\n  %s redeliver %s 17\n", me, id);
	buf_printf(out, "  %s redeliver %s 17 --hook 3\n", me, id);
	buf_printf(out, "  %s redeliver /in/stripe 18\n", me);
}

static void put_import(struct buf *out, const char *me)
{
	buf_puts(out,
		"\nFILE has what export printed, of one flow or of many one after the other. All of it is\n"
		"looked through before the first flow is brought in; each comes in whole or not at all, and\n"
		"goes on at once. A child needs its parent, there or in FILE. A flow must not live in two\n"
		"places: stop the other server for good, or end the flow there. Its URLs go on working when\n"
		"the store has the key they were made with (export and import with --with-keys) and the old\n"
		"--public-url leads here. The exit status is 0 when all flows are in, 1 when not.\n");
	buf_printf(out, "\nexamples:\n  %s import flow.jsonl\n", me);
	buf_printf(out, "  cat *.jsonl | %s import - --with-keys --skip-existing --json\n", me);
}

static void put_examples(struct buf *out, const struct config *c, const char *flow)
{
	static const char id[] = "01jd8q4zv6n3f5w2x7y9k1m0pr";
	const char *me = c->program;

	switch (c->command) {
	case COMMAND_SERVE: put_serve(out, me); return;
	case COMMAND_START:
		buf_puts(out,
			"\nWith --wait the exit status is 0 when the flow is done, 1 when it failed or the\n"
			"server stopped meanwhile, and 3 when it has not ended in that time (it goes on).\n"
			"A key has 1 to 255 printable bytes.\n\nexamples:\n");
		buf_printf(out, "  %s start %s '{\"id\": 1}'\n", me, flow);
		buf_printf(out, "  %s start %s '{\"id\": 1}' --key order-1 --wait 5s\n",
			me, flow);
		buf_printf(out, "  %s start %s - < input.json\n", me, flow);
		return;
	case COMMAND_LS:
		buf_printf(
			out, "\nexamples:\n  %s ls\n  %s ls --all --limit 20\n", me, me);
		buf_printf(out, "  %s ls --json | jq -r '.flows[].id'\n", me);
		return;
	case COMMAND_SHOW:
		buf_printf(out, "\nexamples:\n  %s show %s\n", me, id);
		buf_printf(out, "  %s show %s --json | jq -r '.hooks[].url'\n", me, id);
		buf_printf(out, "  %s show /in/stripe          what came to that named door\n", me);
		buf_printf(out, "  %s show /in/                all doors of the program\n", me);
		return;
	case COMMAND_CANCEL:
		buf_printf(out, "\nexample:\n  %s cancel %s\n", me, id);
		return;
	case COMMAND_RETRY:
		buf_printf(out,
			"\nFor a flow that show tells is stopped: diverged, misused or quarantined. A start with\n"
			"another build runs those again by itself.\n\nexample:\n  %s retry %s\n", me, id);
		return;
	case COMMAND_REDELIVER:
		put_redeliver(out, me, id);
		return;
	case COMMAND_BACKUP: put_backup(out, me); return;
	case COMMAND_CHECK:
		buf_puts(out,
			"\nReads the whole file and changes nothing: SQLite's own check, all that docs/format.md says\n"
			"must hold, and each journal's entries. What is wrong is told one a line, with the flow's\n"
			"id. The exit status is 0 when the file is clean, 1 when it is damaged or cannot be\n"
			"judged, 2 when the command was wrong.\n");
		buf_printf(out, "\nexample:\n  %s check /backups/%s-monday.db\n", me, me);
		return;
	case COMMAND_EXPORT:
		buf_puts(out,
			"\nThe first line tells of the flow, each other is one entry of its journal. Ended flows have\n"
			"theirs for a day by default. While the server is down the store itself is read.\n");
		buf_puts(out,
			"With --with-keys whoever reads it can make callback URLs for the store.\n");
		buf_printf(out, "\nexamples:\n  %s export %s > flow.jsonl\n", me, id);
		buf_printf(out, "  %s export %s --with-keys | ssh there %s import - --with-keys\n",
			me, id, me);
		return;
	case COMMAND_IMPORT: put_import(out, me); return;
	case COMMAND_HELP:
	case COMMAND_VERSION: return;
	}
}

void help_command(struct buf *out, const struct config *c, const fish_program *program)
{
	const struct command_def *def = &command_defs[c->command];

	buf_printf(out, "%s %s: %s\n\nusage:\n", c->program, def->name, def->purpose);
	put_usage(out, c->program, def);
	put_flags(out, c->command);
	put_examples(out, c, first_flow(program));
}

void help_version(struct buf *out, const struct config *c)
{
	buf_printf(out, "%s (fish %s, build %016" PRIx64 ")\n", c->program, FISH_VERSION,
		build_id());
}
