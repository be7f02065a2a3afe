/* config.c - reads flags and environment into struct config.
 *
 * Invariant: what config_parse accepts is well-formed, so that later failures are the
 * world's and not the user's typing. Surprise: the first argument is always the command;
 * a flag in front of it would need to be understood before one knows whose flag it is. */
#include "host/config.h"

#include "host/units.h"
#include "net/admin.h"
#include "wire/url.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVE (1u << COMMAND_SERVE)
#define START (1u << COMMAND_START)
#define LS (1u << COMMAND_LS)
#define SHOW (1u << COMMAND_SHOW)
#define CANCEL (1u << COMMAND_CANCEL)
#define RETRY (1u << COMMAND_RETRY)
#define REDELIVER (1u << COMMAND_REDELIVER)
#define BACKUP (1u << COMMAND_BACKUP)
#define CHECKS (1u << COMMAND_CHECK)
#define EXPORT (1u << COMMAND_EXPORT)
#define IMPORT (1u << COMMAND_IMPORT)
#define CLIENTS (START | LS | SHOW | CANCEL | RETRY | REDELIVER)
#define ASKS (BACKUP | EXPORT | IMPORT) /* a server, or (but IMPORT) the store of one that is down */
#define CARE (ASKS | CHECKS)

const struct command_def command_defs[COMMANDS] = {
	[COMMAND_SERVE] = { "serve", "", "run the flows and listen for what comes back",
		0, 0 },
	[COMMAND_START] = { "start", "FLOW [JSON]",
		"start a flow and print its id; '-' reads the JSON "
		"from stdin",
		1, 2 },
	[COMMAND_LS] = { "ls", "", "list the flows", 0, 0 },
	[COMMAND_SHOW] = { "show", "ID|/in/DOOR",
		"tell what a flow waits on, its URLs, its journal; or what came to a door", 1, 1 },
	[COMMAND_CANCEL] = { "cancel", "ID", "end a flow and its children", 1, 1 },
	[COMMAND_RETRY] = { "retry", "ID", "run a flow again that stands still", 1, 1 },
	[COMMAND_REDELIVER] = { "redeliver", "ID|/in/DOOR NUMBER",
		"deliver a request that was refused, though it was", 2, 2 },
	[COMMAND_BACKUP] = { "backup", "FILE", "copy the store while the server runs, or is down",
		1, 1 },
	[COMMAND_CHECK] = { "check", "FILE", "judge a store that no server has open, or a backup",
		1, 1 },
	[COMMAND_EXPORT] = { "export", "ID", "print a flow's whole journal as lines of JSON", 1, 1 },
	[COMMAND_IMPORT] = { "import", "FILE",
		"bring exported flows into a running server's store; '-' reads stdin", 1, 1 },
};

const struct flag_def flag_defs[FLAGS] = {
	[FLAG_LISTEN] = { "--listen", "ADDR", "FISH_LISTEN", SERVE,
		"where callbacks arrive [127.0.0.1:8080]; port 0 picks a free one; or unix:PATH" },
	[FLAG_PUBLIC_URL] = { "--public-url", "URL", "FISH_PUBLIC_URL", SERVE,
		"what callback URLs begin with [http:// and the listen address]" },
	[FLAG_STORE] = { "--store", "FILE", "FISH_STORE", SERVE | CLIENTS | ASKS,
		"where flows are kept [./PROGRAM.db]; ':memory:' keeps nothing" },
	[FLAG_SOCKET] = { "--socket", "PATH", "FISH_SOCKET", SERVE | CLIENTS | ASKS,
		"the server's unix socket [the store's name and '.sock']" },
	[FLAG_ADMIN] = { "--admin", "ADDR", "FISH_ADMIN", SERVE,
		"an admin listener on TCP beside the socket, guarded by a token" },
	[FLAG_MAX_BODY] = { "--max-body", "BYTES", "FISH_MAX_BODY", SERVE,
		"the longest body taken [1m], at most 256m; k and m may follow the number" },
	[FLAG_MEMORY] = { "--memory", "BYTES", "FISH_MEMORY", SERVE,
		"memory for flows and for bodies in flight [1g]; over it senders get 503" },
	[FLAG_YOUNG] = { "--young", "BYTES", "FISH_YOUNG", SERVE,
		"how much of the store a restart reads, about [64m]" },
	[FLAG_RETAIN_FOR] = { "--retain-for", "TIME", "FISH_RETAIN_FOR", SERVE,
		"how long what ended flows leave is kept [24h], at most 3d" },
	[FLAG_RETAIN_BYTES] = { "--retain-bytes", "BYTES", "FISH_RETAIN_BYTES", SERVE,
		"and how much of it [1g]; the oldest goes first" },
	[FLAG_PARK_AFTER] = { "--park-after", "TIME", "FISH_PARK_AFTER", SERVE,
		"a flow that waits so long [10s] leaves memory until there is news for it" },
	[FLAG_CONNECTIONS] = { "--connections", "N", "FISH_CONNECTIONS", SERVE,
		"open at a time [10000]; at it the one idle longest gives way" },
	[FLAG_CONNECTIONS_EACH] = { "--connections-per-address", "N", "FISH_CONNECTIONS_PER_ADDRESS", SERVE,
		"of one sender's address [2000]; over it 429" },
	[FLAG_PIPELINE] = { "--pipeline", "N", "FISH_PIPELINE", SERVE,
		"requests of one connection under way [16]; over it they wait" },
	[FLAG_MAX_HEAD] = { "--max-head", "BYTES", "FISH_MAX_HEAD", SERVE,
		"the longest header taken [32k], at most 64k" },
	[FLAG_HEAD_TIMEOUT] = { "--head-timeout", "TIME", "FISH_HEAD_TIMEOUT", SERVE,
		"a request's header is whole so long after its first byte [30s], or 408" },
	[FLAG_BODY_TIMEOUT] = { "--body-timeout", "TIME", "FISH_BODY_TIMEOUT", SERVE,
		"and its body so long after that [5m]" },
	[FLAG_WRITE_TIMEOUT] = { "--write-timeout", "TIME", "FISH_WRITE_TIMEOUT", SERVE,
		"an answer is taken within this time [5m], or the connection is cut" },
	[FLAG_IDLE_TIMEOUT] = { "--idle-timeout", "TIME", "FISH_IDLE_TIMEOUT", SERVE,
		"a connection may rest so long between requests [75s]" },
	[FLAG_MIN_RATE] = { "--min-rate", "BYTES", "FISH_MIN_RATE", SERVE,
		"who sends or takes less in a second is cut [256]" },
	[FLAG_RATE_GRACE] = { "--rate-grace", "TIME", "FISH_RATE_GRACE", SERVE,
		"over what time that is measured [10s]" },
	[FLAG_LISTEN_MODE] = { "--listen-mode", "OCTAL", "FISH_LISTEN_MODE", SERVE,
		"who may connect to --listen unix:PATH [600], for example 660" },
	[FLAG_TRUSTED_PROXY] = { "--trusted-proxy", "LIST", "FISH_TRUSTED_PROXY", SERVE,
		"whose Forwarded or X-Forwarded-For is believed: 10.0.0.0/8,::1,unix [nobody]" },
	[FLAG_STEPS_MAX] = { "--steps-max", "N", "FISH_STEPS_MAX", SERVE,
		"a flow is stopped after N steps without fish_renew [1000000]" },
	[FLAG_LOG] = { "--log", "WHERE", "FISH_LOG", SERVE,
		"where log lines go [stderr]: stderr, off, or a file" },
	[FLAG_KEY] = { "--key", "KEY", NULL, START,
		"the same key and flow name is the same flow, however often started" },
	[FLAG_WAIT] = { "--wait", "TIME", NULL, START,
		"wait so long (500ms, 5s, 2m, 1h) for the result and print it" },
	[FLAG_ALL] = { "--all", NULL, NULL, LS, "ended flows too" },
	[FLAG_BOXES] = { "--boxes", NULL, NULL, LS, "the boxes of named doors too, which keep what comes for a key" },
	[FLAG_LIMIT] = { "--limit", "N", NULL, LS, "at most so many flows [all]" },
	[FLAG_HOOK] = { "--hook", "N", NULL, REDELIVER,
		"to that hook of the flow instead, of which show has the number" },
	[FLAG_FORCE] = { "--force", NULL, NULL, BACKUP, "replace the file if it is there" },
	[FLAG_SKIP_EXISTING] = { "--skip-existing", NULL, NULL, IMPORT,
		"pass over flows that are in the store already" },
	[FLAG_WITH_KEYS] = { "--with-keys", NULL, NULL, EXPORT | IMPORT,
		"and the secret keys of their URLs, which then go on working" },
	[FLAG_JSON] = { "--json", NULL, NULL, CLIENTS | BACKUP | CHECKS | IMPORT,
		"print JSON, for scripts" },
	[FLAG_HELP] = { "--help", NULL, NULL, SERVE | CLIENTS | CARE, "this text" },
};

static const char default_listen[] = "127.0.0.1:8080";

/* How many single edits lead from a to b; words longer than a flag are no near miss of
 * one. */
static size_t edit_distance(const char *a, const char *b)
{
	enum { WORD_MAX = 31 };
	size_t row[WORD_MAX + 1];
	size_t alen = strlen(a);
	size_t blen = strlen(b);

	if (alen > WORD_MAX || blen > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= blen; j++) {
			size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
			size_t shorter = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = replaced < shorter ? replaced : shorter;
		}
	}
	return row[blen];
}

enum { NEAR_MISS_EDITS = 2 };

/* A near miss is named alone: a list of all would hide it. */
static int unknown_command(const char *program, const char *word, struct err *err)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (edit_distance(word, command_defs[i].name) <= NEAR_MISS_EDITS)
			return err_set(err, FISH_EINVAL,
				"unknown command '%.40s': did you mean '%s'?", word,
				command_defs[i].name);
	}
	return err_set(err, FISH_EINVAL,
		"unknown command '%.40s': there are serve, start, ls, show, "
		"cancel, retry, redeliver, backup, check, export and import, see '%s --help'",
		word, program);
}

/* Suggests only flags that this command has. */
static int unknown_flag(const struct config *c, const char *word, struct err *err)
{
	const char *command = command_defs[c->command].name;

	for (size_t i = 0; i < FLAGS; i++) {
		bool ours = (flag_defs[i].commands & 1u << c->command) != 0;

		if (ours && edit_distance(word, flag_defs[i].name) <= NEAR_MISS_EDITS)
			return err_set(err, FISH_EINVAL,
				"'%s' has no flag '%.40s': did you mean '%s'?", command,
				word, flag_defs[i].name);
	}
	return err_set(err, FISH_EINVAL,
		"'%s' has no flag '%.40s': see '%s %s --help' (an argument "
		"that begins with '-' goes behind '--')",
		command, word, c->program, command);
}

/* The flag that argv[*at] names, with its value from behind '=' or from the next
 * argument. */
static int take_flag(struct config *c, int argc, char **argv, int *at, struct err *err)
{
	const char *word = argv[*at];
	size_t len = strcspn(word, "=");
	const char *inlined = word[len] == '=' ? word + len + 1 : NULL;

	if (strcmp(word, "-h") == 0) {
		word = "--help";
		len = strlen(word);
	}
	for (size_t i = 0; i < FLAGS; i++) {
		const struct flag_def *def = &flag_defs[i];

		if (strlen(def->name) != len || memcmp(def->name, word, len) != 0 ||
			(def->commands & 1u << c->command) == 0)
			continue;
		if (def->value == NULL && inlined != NULL)
			return err_set(err, FISH_EINVAL,
				"%s takes no value, and '%.60s' was given", def->name,
				inlined);
		if (def->value == NULL)
			inlined = "";
		if (inlined == NULL && *at + 1 >= argc)
			return err_set(err, FISH_EINVAL, "%s lacks its value: %s %s",
				def->name, def->name, def->value);
		c->values[i] = inlined != NULL ? inlined : argv[++*at];
		return 0;
	}
	char name[41];
	size_t shown = len < sizeof(name) ? len : sizeof(name) - 1;

	memcpy(name, word, shown);
	name[shown] = '\0';
	return unknown_flag(c, name, err);
}

/* Wrong use, and at its end the right one; a command without arguments leaves no
 * blank. */
static int misused(const struct config *c, struct err *err, const char *what)
{
	const struct command_def *def = &command_defs[c->command];

	return err_set(err, FISH_EINVAL, "%s: usage: %s %s%s%s", what, c->program, def->name,
		def->arguments[0] != '\0' ? " " : "", def->arguments);
}

static const char *first_argument(enum command command)
{
	if (command == COMMAND_START)
		return "flow's name";
	return command == COMMAND_BACKUP || command == COMMAND_CHECK || command == COMMAND_IMPORT
		? "file's name"
		: "id";
}

/* Flags and arguments may stand in any order behind the command. */
static int take_words(struct config *c, int argc, char **argv, struct err *err)
{
	const struct command_def *def = &command_defs[c->command];
	bool flags_over = false;
	char what[120] = "";

	for (int i = 2; i < argc; i++) {
		if (!flags_over && strcmp(argv[i], "--") == 0) {
			flags_over = true;
		} else if (!flags_over && argv[i][0] == '-' && argv[i][1] != '\0') {
			int rc = take_flag(c, argc, argv, &i, err);

			if (rc < 0)
				return rc;
		} else if (c->nargs == def->args_max) {
			snprintf(what, sizeof(what), "'%s' cannot use the argument '%.60s'",
				def->name, argv[i]);
			return misused(c, err, what);
		} else {
			c->args[c->nargs++] = argv[i];
		}
	}
	if (c->nargs < def->args_min && c->values[FLAG_HELP] == NULL)
		snprintf(what, sizeof(what), "'%s' lacks an argument", def->name);
	/* As from a variable that a script never set. */
	else if (def->args_min > 0 && c->nargs > 0 && c->args[0][0] == '\0')
		snprintf(what, sizeof(what), "the %s of '%s' is empty",
			first_argument(c->command), def->name);
	return what[0] != '\0' ? misused(c, err, what) : 0;
}

/* An empty variable counts as unset, as shells and service files make it easy to leave
 * one empty. */
static void take_environment(struct config *c)
{
	for (size_t i = 0; i < FLAGS; i++) {
		const struct flag_def *def = &flag_defs[i];

		if (def->env == NULL || c->values[i] != NULL ||
			(def->commands & 1u << c->command) == 0)
			continue;
		const char *value = getenv(def->env);

		if (value != NULL && value[0] != '\0')
			c->values[i] = value;
	}
	/* For the tests only, so that each wait is also a wait that was parked. */
	const char *park = getenv("FISH_TEST_PARK");

	c->test_park = park != NULL && strcmp(park, "1") == 0;
}

/* Cuts the slashes at the end, so that URLs are joined with exactly one. */
static int use_public_url(
	struct config *c, const char *flag, const char *text, struct err *err)
{
	if (text == NULL)
		return 0;
	struct slice s = slice_of(text);
	struct url url = { 0 };
	struct err why = { 0 };

	while (s.len > 0 && s.ptr[s.len - 1] == '/')
		s.len--;
	if (s.len > BASE_URL_BYTES_MAX)
		return err_set(err, FISH_EINVAL,
			"%s has %zu bytes, at most %d are taken", flag, s.len,
			BASE_URL_BYTES_MAX);
	if (url_parse_base(s, &url, &why) < 0)
		return err_set(err, FISH_EINVAL,
			"%s '%.80s': %.100s; for example "
			"https://hooks.example.com",
			flag, text, why.text);
	memcpy(c->public_url, s.ptr, s.len);
	c->public_url[s.len] = '\0';
	return 0;
}

/* Sizes, times and counts, each with its bounds in the words of the refusal. */
static int use_numbers(struct config *c, struct err *err)
{
	const char *max_body = c->values[FLAG_MAX_BODY];
	const char *wait = c->values[FLAG_WAIT];
	const char *limit = c->values[FLAG_LIMIT];
	uint64_t n = BODY_BYTES_MAX_DEFAULT;
	const char *steps = c->values[FLAG_STEPS_MAX];
	uint64_t steps_max = STEPS_MAX_DEFAULT;

	if (max_body != NULL &&
		(units_size(max_body, &n) < 0 || n == 0 || n > MAX_BODY_BYTES_MAX))
		return err_set(err, FISH_EINVAL,
			"--max-body '%.40s': give 1 to 256m bytes, for example "
			"64k or 4m",
			max_body);
	c->body_bytes_max = (size_t)n;
	if (steps != NULL && (units_size(steps, &steps_max) < 0 || steps_max == 0 ||
				     steps_max > STEPS_MAX_MAX))
		return err_set(err, FISH_EINVAL,
			"--steps-max '%.40s': give a number from 1 to %d, for example "
			"2000000",
			steps, STEPS_MAX_MAX);
	c->steps_max = (uint32_t)steps_max;
	c->wait_ms = -1;
	if (wait != NULL && admin_wait_parse(slice_of(wait), &c->wait_ms) < 0)
		return err_set(err, FISH_EINVAL,
			"--wait '%.40s': give a number and ms, s, m or h, at most "
			"24h, for example 5s",
			wait);
	n = 0;
	if (limit != NULL && (units_size(limit, &n) < 0 || n == 0 || n > SIZE_MAX))
		return err_set(
			err, FISH_EINVAL, "--limit '%.40s': give a number from 1", limit);
	c->limit = (size_t)n;
	return 0;
}

/* What serve may take. A body that has no room in an empty server would be told to come again for
 * ever. */
static int use_limits(struct config *c, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < LIMITS; i++)
		rc = limit_parse((enum limit)i, c->values[FLAG_MEMORY + i], &c->limits[i], err);
	if (rc == 0 && c->body_bytes_max > (uint64_t)c->limits[LIMIT_MEMORY] / MEMORY_PARTS_OF_BODIES)
		rc = err_set(err, FISH_EINVAL,
			"--max-body is %zu bytes, and bodies may take a quarter of --memory, %" PRId64
			" bytes: give --memory %zum or more, or a smaller --max-body",
			c->body_bytes_max, c->limits[LIMIT_MEMORY] / MEMORY_PARTS_OF_BODIES,
			(c->body_bytes_max * MEMORY_PARTS_OF_BODIES + (1 << 20) - 1) >> 20);
	return rc;
}

/* It goes into a header line: a line break would end that, and blanks around it get
 * lost. */
static int use_key(const char *key, struct err *err)
{
	size_t len = key != NULL ? strlen(key) : 0;

	if (len > START_KEY_BYTES_MAX)
		return err_set(err, FISH_EINVAL,
			"--key has %zu bytes, at most %d are taken: '%.40s...'", len,
			START_KEY_BYTES_MAX, key);
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
			return err_set(err, FISH_EINVAL,
				"--key has a line break or control character at byte %zu: give 1 "
				"to %d printable bytes",
				i + 1, START_KEY_BYTES_MAX);
	}
	if (len > 0 && (key[0] == ' ' || key[len - 1] == ' '))
		return err_set(err, FISH_EINVAL,
			"--key '%.60s' begins or ends with a blank, which would be lost", key);
	return 0;
}

/* What there was no room for when o's type was made is named later, and must not be
 * passed over in silence by a library that does not know it. */
static int check_options(const fish_options *o, struct err *err)
{
	if (o == NULL || o->program == NULL || o->program->flows == NULL)
		return err_set(err, FISH_EINVAL,
			"the options lack a program with a list of flows");
	if (o->store == NULL || o->store[0] == '\0')
		return err_set(err, FISH_EINVAL,
			"the options name no store: give a file, or ':memory:' for one that "
			"keeps nothing");
	if (o->steps_max > STEPS_MAX_MAX)
		return err_set(err, FISH_EINVAL,
			"steps_max is %zu: give 1 to %d, or 0 for %d", o->steps_max,
			STEPS_MAX_MAX, STEPS_MAX_DEFAULT);
	for (size_t i = 0; i < sizeof(o->reserved) / sizeof(o->reserved[0]); i++) {
		if (o->reserved[i] != NULL)
			return err_set(err, FISH_EINVAL,
				"reserved members of the options are set: zero them, or use the "
				"library that the header came with");
	}
	return 0;
}

int config_embed(struct config *c, const fish_options *o, struct err *err)
{
	*c = (struct config){
		.program = "fish",
		.command = COMMAND_SERVE,
		.embedded = true,
		.listen = default_listen,
		.log = "off",
		.body_bytes_max = BODY_BYTES_MAX_DEFAULT,
		.steps_max = STEPS_MAX_DEFAULT,
		.wait_ms = -1,
	};
	int rc = check_options(o, err);

	if (rc < 0)
		return rc;
	if (o->listen != NULL)
		c->listen = o->listen;
	if (o->log != NULL)
		c->log = o->log;
	const int64_t given[LIMITS] = {
		[LIMIT_MEMORY] = o->memory_bytes,
		[LIMIT_YOUNG] = o->young_bytes,
		[LIMIT_RETAIN_FOR] = o->retain_ms,
		[LIMIT_RETAIN_BYTES] = o->retain_bytes,
		[LIMIT_PARK_AFTER] = o->park_after_ms,
	};

	for (size_t i = 0; rc == 0 && i < LIMITS; i++)
		rc = limit_take((enum limit)i, given[i], &c->limits[i], err);
	if (rc < 0)
		return rc;
	if (o->steps_max != 0)
		c->steps_max = (uint32_t)o->steps_max;
	rc = config_address("listen", c->listen, err);
	if (rc == 0)
		rc = use_public_url(c, "public_url", o->public_url, err);
	return rc;
}

/* Defaults, then the well-formedness of what was given. */
static int use_values(struct config *c, struct err *err)
{
	c->listen = c->values[FLAG_LISTEN] != NULL ? c->values[FLAG_LISTEN]
						   : default_listen;
	c->log = c->values[FLAG_LOG] != NULL ? c->values[FLAG_LOG] : "stderr";
	c->all = c->values[FLAG_ALL] != NULL;
	c->boxes = c->values[FLAG_BOXES] != NULL;
	c->json = c->values[FLAG_JSON] != NULL;
	c->help = c->values[FLAG_HELP] != NULL;
	if (c->help)
		return 0;
	int rc = use_public_url(c, "--public-url", c->values[FLAG_PUBLIC_URL], err);

	if (rc == 0)
		rc = config_door(c, err);
	if (rc == 0 && c->values[FLAG_ADMIN] != NULL)
		rc = config_address("--admin", c->values[FLAG_ADMIN], err);
	if (rc == 0)
		rc = use_numbers(c, err);
	if (rc == 0 && c->command == COMMAND_SERVE)
		rc = use_limits(c, err);
	if (rc == 0)
		rc = use_key(c->values[FLAG_KEY], err);
	/* A path that begins with a dash is a forgotten value far more often than a
	 * name. */
	for (size_t i = 0; rc == 0 && i < FLAGS; i++) {
		const char *value = c->values[i];

		if (value != NULL && flag_defs[i].value != NULL &&
			(value[0] == '\0' || value[0] == '-'))
			rc = err_set(err, FISH_EINVAL,
				"%s lacks its value, '%.40s' is none", flag_defs[i].name,
				value);
	}
	return rc;
}

int config_parse(struct config *c, int argc, char **argv, struct err *err)
{
	*c = (struct config){ .program = "fish", .wait_ms = -1 };
	if (argc > 0 && argv[0] != NULL && argv[0][0] != '\0') {
		const char *slash = strrchr(argv[0], '/');

		c->program = slash != NULL && slash[1] != '\0' ? slash + 1 : argv[0];
	}
	if (argc < 2)
		return err_set(err, FISH_EINVAL,
			"tell what to do: serve, start, ls, show, cancel, retry …; "
			"'%s --help' explains them",
			c->program);
	const char *word = argv[1];

	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
		strcmp(word, "help") == 0) {
		c->command = COMMAND_HELP;
		return 0;
	}
	if (strcmp(word, "--version") == 0) {
		c->command = COMMAND_VERSION;
		return 0;
	}
	if (word[0] == '-')
		return err_set(err, FISH_EINVAL,
			"the command comes before its flags, and '%.40s' is a flag: "
			"%s serve %.40s",
			word, c->program, word);
	size_t i = 0;

	while (i < COMMANDS && strcmp(word, command_defs[i].name) != 0)
		i++;
	if (i == COMMANDS)
		return unknown_command(c->program, word, err);
	c->command = (enum command)i;
	int rc = take_words(c, argc, argv, err);

	if (rc < 0)
		return rc;
	take_environment(c);
	return use_values(c, err);
}
