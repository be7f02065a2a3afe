/* config.h - what the command line and the environment ask for.
 *
 * A flag wins over its environment variable, that over the default. Surprise: nothing is
 * opened or looked up here, so that a mistyped flag never touches a store. */
#ifndef FISH_CONFIG_H
#define FISH_CONFIG_H

#include "host/limits.h"
#include "net/address.h"

enum {
	MAX_BODY_BYTES_MAX = 256 << 20,      /* what --max-body may come to: a body is held more than once */
	STEPS_MAX_MAX      = 2000000000,     /* and --steps-max: steps are counted in 32 bits */
};

enum command {
	COMMAND_SERVE, COMMAND_START, COMMAND_LS, COMMAND_SHOW, COMMAND_CANCEL,
	COMMAND_RETRY, COMMAND_REDELIVER, COMMAND_BACKUP, COMMAND_CHECK, COMMAND_EXPORT, COMMAND_IMPORT,
	COMMAND_HELP, COMMAND_VERSION,       /* of the whole program */
};
enum { COMMANDS = COMMAND_HELP };            /* those that a user names */

struct command_def {
	const char *name;
	const char *arguments;               /* as the help shows them */
	const char *purpose;
	size_t      args_min, args_max;
};
extern const struct command_def command_defs[COMMANDS];

enum flag {
	FLAG_LISTEN, FLAG_PUBLIC_URL, FLAG_STORE, FLAG_SOCKET, FLAG_ADMIN, FLAG_MAX_BODY,
	FLAG_MEMORY, FLAG_YOUNG, FLAG_RETAIN_FOR, FLAG_RETAIN_BYTES, FLAG_PARK_AFTER,
	FLAG_CONNECTIONS, FLAG_CONNECTIONS_EACH, FLAG_PIPELINE, FLAG_MAX_HEAD, FLAG_HEAD_TIMEOUT, FLAG_BODY_TIMEOUT,
	FLAG_WRITE_TIMEOUT, FLAG_IDLE_TIMEOUT, FLAG_MIN_RATE, FLAG_RATE_GRACE,   /* from memory on: as in enum limit */
	FLAG_LISTEN_MODE, FLAG_TRUSTED_PROXY,
	FLAG_STEPS_MAX, FLAG_LOG,
	FLAG_KEY, FLAG_WAIT, FLAG_ALL, FLAG_BOXES, FLAG_LIMIT, FLAG_HOOK, FLAG_FORCE, FLAG_SKIP_EXISTING, FLAG_WITH_KEYS,
	FLAG_JSON, FLAG_HELP,
};
enum { FLAGS = FLAG_HELP + 1 };

struct flag_def {
	const char *name;                    /* with its dashes */
	const char *value;                   /* what it takes, as the help shows it; NULL: nothing */
	const char *env;                     /* the variable that stands in for it, or NULL */
	unsigned    commands;                /* bits 1 << enum command */
	const char *purpose;
};
extern const struct flag_def flag_defs[FLAGS];

struct config {
	const char  *program;                /* the last part of argv[0] */
	enum command command;
	const char  *values[FLAGS];          /* as given; NULL: not given. "" for a flag without a value */
	const char  *args[2];
	size_t       nargs;
	/* Made from values, with the defaults: */
	const char  *listen;
	unsigned     listen_mode;            /* of --listen's socket file; 0: the default */
	struct proxies proxies;              /* that the door believes */
	char         public_url[BASE_URL_BYTES_MAX + 1];   /* without a '/' at the end; "": not given */
	const char  *log;                    /* "stderr", "off" or a file */
	size_t       body_bytes_max;
	int64_t      limits[LIMITS];
	uint32_t     steps_max;              /* of one life of a flow; never 0 */
	int64_t      wait_ms;                /* start --wait; -1: not given */
	size_t       limit;                  /* ls --limit; 0: all */
	bool         all, boxes, json, help;
	bool         embedded;               /* in somebody else's process: see config_embed */
	bool         test_park;              /* FISH_TEST_PARK=1, for tests only: park at every wait */
};

/* Borrows argv and the environment. FISH_EINVAL with what is wrong and what would be
 * right. */
int config_parse(struct config *c, int argc, char **argv, struct err *err);

/* config_door.c: where the door listens, for whom, and which proxies it believes. */
int config_door(struct config *c, struct err *err);
/* "host:port" or ":port", as a flag or member of that name was given it; only the form is judged. */
int config_address(const char *flag, const char *text, struct err *err);

/* The same of a server that another program opens: o instead of flags, nothing from the
 * environment, no log unless asked for. Borrows o's texts. */
int config_embed(struct config *c, const fish_options *o, struct err *err);

#endif
