/* config_test.c - flags, environment and defaults; every refusal names what it
 * refuses. */
#include "host/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 12 };

static const char *const variables[] = {
	"FISH_LISTEN",
	"FISH_PUBLIC_URL",
	"FISH_STORE",
	"FISH_SOCKET",
	"FISH_ADMIN",
	"FISH_MAX_BODY",
	"FISH_MEMORY",
	"FISH_YOUNG",
	"FISH_RETAIN_FOR",
	"FISH_RETAIN_BYTES",
	"FISH_PARK_AFTER",
	"FISH_CONNECTIONS",
	"FISH_CONNECTIONS_PER_ADDRESS",
	"FISH_PIPELINE",
	"FISH_MAX_HEAD",
	"FISH_HEAD_TIMEOUT",
	"FISH_BODY_TIMEOUT",
	"FISH_WRITE_TIMEOUT",
	"FISH_IDLE_TIMEOUT",
	"FISH_MIN_RATE",
	"FISH_RATE_GRACE",
	"FISH_LISTEN_MODE",
	"FISH_TRUSTED_PROXY",
	"FISH_STEPS_MAX",
	"FISH_LOG",
	"FISH_TEST_PARK",
};

static int forget_environment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		unsetenv(variables[i]);
	return 0;
}

/* argv: the words behind "./some/broker", NULL at the end. */
static int parse(struct config *c, const char *const *words, struct err *err)
{
	static char program[] = "./some/broker";
	char *argv[WORDS_MAX + 2] = { program };
	int argc = 1;
	*err = (struct err){ 0 };
	for (; words[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	return config_parse(c, argc, argv, err);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void refused(const char *const *words, const char *why)
{
	struct config c;
	struct err err;
	assert_int_equal(parse(&c, words, &err), FISH_EINVAL);
	if (strstr(err.text, why) == NULL)
		fail_msg("'%s' should say '%s'", err.text, why);
}

/* And nothing behind these words. */
static void refused_ending(const char *const *words, const char *end)
{
	struct config c;
	struct err err;
	assert_int_equal(parse(&c, words, &err), FISH_EINVAL);
	assert_true(strlen(err.text) >= strlen(end));
	assert_string_equal(err.text + strlen(err.text) - strlen(end), end);
}

static void accepted(struct config *c, const char *const *words)
{
	struct err err;
	if (parse(c, words, &err) != 0)
		fail_msg("refused: %s", err.text);
}

static void test_defaults(void **state)
{
	(void)state;
	struct config c;
	accepted(&c, WORDS("serve"));
	assert_string_equal(c.program, "broker");
	assert_int_equal(c.command, COMMAND_SERVE);
	assert_string_equal(c.listen, "127.0.0.1:8080");
	assert_string_equal(c.public_url, "");
	assert_string_equal(c.log, "stderr");
	assert_null(c.values[FLAG_STORE]);
	assert_int_equal(c.body_bytes_max, BODY_BYTES_MAX_DEFAULT);
	assert_false(c.test_park);
	assert_int_equal(c.limits[LIMIT_MEMORY], 1 << 30);
	assert_int_equal(c.limits[LIMIT_YOUNG], 64 << 20);
	assert_int_equal(c.limits[LIMIT_RETAIN_FOR], 24 * 3600 * 1000);
	assert_int_equal(c.limits[LIMIT_RETAIN_BYTES], 1 << 30);
	assert_int_equal(c.limits[LIMIT_PARK_AFTER], 10000);
}

static void test_limits(void **state)
{
	(void)state;
	struct config c;
	setenv("FISH_YOUNG", "8m", 1);
	setenv("FISH_PARK_AFTER", "1h", 1);
	accepted(&c,
		WORDS("serve", "--memory", "512M", "--retain-for", "3d", "--retain-bytes=2G",
			"--park-after", "250ms"));
	assert_int_equal(c.limits[LIMIT_MEMORY], 512 << 20);
	assert_int_equal(c.limits[LIMIT_YOUNG], 8 << 20);
	assert_int_equal(c.limits[LIMIT_RETAIN_FOR], 3 * 24 * 3600 * 1000);
	assert_int_equal(c.limits[LIMIT_RETAIN_BYTES], INT64_C(2) << 30);
	assert_int_equal(c.limits[LIMIT_PARK_AFTER], 250);
	accepted(&c, WORDS("serve", "--memory", "16m", "--max-body", "4m"));
}

static void test_door(void **state)
{
	(void)state;
	struct config c;
	struct address a;
	accepted(&c, WORDS("serve"));
	assert_int_equal(c.limits[LIMIT_CONNECTIONS], 10000);
	assert_int_equal(c.limits[LIMIT_CONNECTIONS_EACH], 2000);
	assert_int_equal(c.limits[LIMIT_HEAD_BYTES], 32 << 10);
	assert_int_equal(c.limits[LIMIT_BODY_TIMEOUT], 300000);
	assert_int_equal(c.limits[LIMIT_MIN_RATE], 256);
	assert_int_equal(c.proxies.n, 0);
	assert_false(c.proxies.unix_peers);
	setenv("FISH_RATE_GRACE", "50ms", 1);
	accepted(&c, WORDS("serve", "--connections", "5", "--connections-per-address=3", "--min-rate", "1k",
			     "--trusted-proxy", "10.0.0.0/8,unix"));
	assert_int_equal(c.limits[LIMIT_CONNECTIONS], 5);
	assert_int_equal(c.limits[LIMIT_CONNECTIONS_EACH], 3);
	assert_int_equal(c.limits[LIMIT_MIN_RATE], 1024);
	assert_int_equal(c.limits[LIMIT_RATE_GRACE], 50);
	assert_true(address_parse(SLICE_LIT("10.1.2.3"), &a));
	assert_true(proxies_hold(&c.proxies, &a));
	assert_true(c.proxies.unix_peers);
	accepted(&c, WORDS("serve", "--listen", "unix:/run/x", "--public-url", "https://a.example",
			     "--listen-mode", "0660"));
	assert_string_equal(c.listen, "unix:/run/x");
	assert_int_equal(c.listen_mode, 0660);
	refused(WORDS("serve", "--listen", "unix:/run/x"), "needs --public-url");
	refused(WORDS("serve", "--listen", "unix:", "--public-url", "https://a.example"), "lacks the path");
	refused(WORDS("serve", "--listen-mode", "660"), "give --listen unix:PATH");
	const char *const modes[] = { "0", "1000", "066", "rw", "60", "8", "77777777777777777777777" };
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		refused(WORDS("serve", "--listen", "unix:x", "--public-url", "https://a.example", "--listen-mode",
				modes[i]), "--listen-mode");
	refused(WORDS("serve", "--trusted-proxy", "10.0.0.1/8"), "bits set behind its prefix");
	refused(WORDS("serve", "--trusted-proxy", "proxy.example"), "'proxy.example' is no address");
	refused(WORDS("serve", "--connections", "0"), "1 to 1000000");
	refused(WORDS("serve", "--pipeline", "1001"), "--pipeline");
	refused(WORDS("serve", "--max-head", "1m"), "1k to 64k");
	refused(WORDS("serve", "--head-timeout", "2h"), "10ms to 1h");
	refused(WORDS("ls", "--connections", "5"), "--connections");
}

static void test_limits_refuse_in_words(void **state)
{
	(void)state;
	refused(WORDS("serve", "--memory", "15m"), "--memory '15m': give 16m to 1t bytes");
	refused(WORDS("serve", "--memory", "2t"), "--memory '2t'");
	refused(WORDS("serve", "--memory", "1.5g"), "'1.5g'");
	refused(WORDS("serve", "--memory", "512MB"), "'512MB'");
	refused(WORDS("serve", "--memory", "-1"), "--memory");
	refused(WORDS("serve", "--memory", "99999999999999999999"), "--memory");
	refused(WORDS("serve", "--memory", "18014398509481984k"), "--memory");
	refused(WORDS("serve", "--young", "1k"), "--young '1k': give 1m to 64g");
	refused(WORDS("serve", "--retain-for", "4d"), "from 1s to 3d");
	refused(WORDS("serve", "--retain-for", "24"), "--retain-for '24'");
	refused(WORDS("serve", "--retain-for", "9223372036854775807d"), "--retain-for");
	refused(WORDS("serve", "--retain-bytes", "0"), "--retain-bytes '0'");
	refused(WORDS("serve", "--park-after", "0s"), "--park-after '0s'");
	refused(WORDS("serve", "--park-after", "25h"), "10ms to 24h");
	refused(WORDS("serve", "--park-aftr", "1s"), "did you mean '--park-after'");
	/* Such a body would be told to come again for ever. */
	refused(WORDS("serve", "--memory", "16m", "--max-body", "5m"), "give --memory 20m or more");
	setenv("FISH_MEMORY", "little", 1);
	refused(WORDS("serve"), "'little'");
	struct config c;
	accepted(&c, WORDS("ls"));
}

static void test_flags_in_both_forms(void **state)
{
	(void)state;
	struct config c;
	accepted(&c,
		WORDS("serve", "--listen=:0", "--store", "a=b.db", "--max-body", "64k",
			"--public-url", "https://hooks.example.com/in//"));
	assert_string_equal(c.listen, ":0");
	assert_string_equal(c.values[FLAG_STORE], "a=b.db");
	assert_int_equal(c.body_bytes_max, 64 << 10);
	assert_string_equal(c.public_url, "https://hooks.example.com/in");
}

static void test_arguments(void **state)
{
	(void)state;
	struct config c;
	accepted(&c, WORDS("start", "order", "-", "--key", "k", "--wait", "5s"));
	assert_int_equal(c.nargs, 2);
	assert_string_equal(c.args[1], "-");
	assert_string_equal(c.values[FLAG_KEY], "k");
	assert_int_equal(c.wait_ms, 5000);
	accepted(&c, WORDS("start", "order", "--", "-5"));
	assert_string_equal(c.args[1], "-5");
	accepted(&c, WORDS("ls", "--all", "--json", "--limit", "7"));
	assert_true(c.all);
	assert_true(c.json);
	assert_int_equal(c.limit, 7);
	assert_int_equal(c.wait_ms, -1);
}

static void test_environment_stands_in(void **state)
{
	(void)state;
	struct config c;
	setenv("FISH_STORE", "from_env.db", 1);
	setenv("FISH_LISTEN", ":1", 1);
	setenv("FISH_LOG", "", 1);
	setenv("FISH_TEST_PARK", "1", 1);
	accepted(&c, WORDS("serve", "--listen", ":2"));
	assert_string_equal(c.values[FLAG_STORE], "from_env.db");
	assert_string_equal(c.listen, ":2");
	assert_string_equal(c.log, "stderr");
	assert_true(c.test_park);
	setenv("FISH_MAX_BODY", "lots", 1);
	refused(WORDS("serve"), "'lots'");
	/* Not a flag of ls, so none of its business. */
	accepted(&c, WORDS("ls"));
}

static void test_help_and_version(void **state)
{
	(void)state;
	struct config c;
	accepted(&c, WORDS("--help"));
	assert_int_equal(c.command, COMMAND_HELP);
	accepted(&c, WORDS("--version"));
	assert_int_equal(c.command, COMMAND_VERSION);
	accepted(&c, WORDS("show", "--help"));
	assert_int_equal(c.command, COMMAND_SHOW);
	assert_true(c.help);
	accepted(&c, WORDS("serve", "-h"));
	assert_true(c.help);
}

static void test_refusals_name_the_fault(void **state)
{
	(void)state;
	refused((const char *const[]){ NULL }, "broker --help");
	refused(WORDS("sart"), "did you mean 'start'");
	refused(WORDS("dance"), "unknown command 'dance'");
	refused(WORDS("--store", "x", "serve"), "comes before its flags");
	refused(WORDS("serve", "--lisen", "x"), "did you mean '--listen'");
	refused(WORDS("serve", "--frobnicate=1"), "'--frobnicate'");
	refused(WORDS("ls", "--listen", ":1"), "'ls' has no flag '--listen'");
	refused(WORDS("serve", "extra"), "'extra'");
	refused_ending(WORDS("serve", "extra"), "usage: broker serve");
	refused_ending(WORDS("ls", "extra"), "usage: broker ls");
	refused_ending(WORDS("show", "a", "b"), "usage: broker show ID|/in/DOOR");
	refused(WORDS("show", ""), "the id of 'show' is empty: usage: broker show ID|/in/DOOR");
	refused(WORDS("cancel", ""), "the id of 'cancel' is empty");
	refused(WORDS("start", "", "{}"), "the flow's name of 'start' is empty");
	refused(WORDS("serve", "--store"), "--store lacks its value");
	refused(WORDS("serve", "--store", "--json"), "--store lacks its value");
	refused(WORDS("ls", "--all=yes"), "takes no value");
	refused(WORDS("start"), "lacks an argument");
	refused(WORDS("show"), "usage: broker show ID|/in/DOOR");
	refused(WORDS("show", "a", "b"), "'b'");
}

static void test_refusals_of_values(void **state)
{
	(void)state;
	refused(WORDS("serve", "--listen", "nowhere"), "--listen 'nowhere'");
	refused(WORDS("serve", "--listen", "127.0.0.1:99999"), "99999");
	refused(WORDS("serve", "--admin", "x"), "--admin 'x'");
	refused(WORDS("serve", "--public-url", "ftp://x"), "ftp://x");
	refused(WORDS("serve", "--public-url", "http://x/?a=b"), "--public-url");
	refused(WORDS("serve", "--max-body", "0"), "--max-body");
	refused(WORDS("serve", "--max-body", " 5"), "--max-body");
	refused(WORDS("serve", "--max-body", "99999999999999999999k"), "--max-body");
	refused(WORDS("serve", "--max-body", "5g"), "5g");
	refused(WORDS("start", "f", "--wait", "5"), "--wait '5'");
	refused(WORDS("start", "f", "--wait", "25h"), "at most 24h");
	refused(WORDS("ls", "--limit", "0"), "--limit '0'");
	struct config c;
	refused(WORDS("serve", "--max-body", "257m"), "1 to 256m");
	accepted(&c, WORDS("serve", "--max-body", "256m"));
	assert_int_equal(c.body_bytes_max, 256 << 20);
	assert_int_equal(c.steps_max, 1000000);
	refused(WORDS("serve", "--steps-max", "0"), "--steps-max");
	refused(WORDS("serve", "--steps-max", "-1"), "--steps-max");
	refused(WORDS("serve", "--steps-max", "2000000001"), "1 to 2000000000");
	accepted(&c, WORDS("serve", "--steps-max", "2000000000"));
	assert_int_equal(c.steps_max, 2000000000);
}

/* Was: the server's parser refused the header line that the key had torn in two. */
static void test_keys(void **state)
{
	(void)state;
	struct config c;
	char key[257] = "";
	memset(key, 'k', 255);
	accepted(&c, WORDS("start", "f", "--key", key));
	accepted(&c, WORDS("start", "f", "--key", "order 7, größer"));
	key[255] = 'k';
	refused(WORDS("start", "f", "--key", key), "--key has 256 bytes, at most 255");
	refused(WORDS("start", "f", "--key", "a\nb"), "control character at byte 2");
	refused(WORDS("start", "f", "--key", "a\x7f"), "control character at byte 2");
	refused(WORDS("start", "f", "--key", "a "), "ends with a blank");
	refused(WORDS("start", "f", "--key", ""), "--key lacks its value");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, forget_environment),
		cmocka_unit_test_setup(test_limits, forget_environment),
		cmocka_unit_test_setup(test_door, forget_environment),
		cmocka_unit_test_setup(test_limits_refuse_in_words, forget_environment),
		cmocka_unit_test_setup(test_flags_in_both_forms, forget_environment),
		cmocka_unit_test_setup(test_arguments, forget_environment),
		cmocka_unit_test_setup(test_environment_stands_in, forget_environment),
		cmocka_unit_test_setup(test_help_and_version, forget_environment),
		cmocka_unit_test_setup(test_refusals_name_the_fault, forget_environment),
		cmocka_unit_test_setup(test_refusals_of_values, forget_environment),
		cmocka_unit_test_setup(test_keys, forget_environment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
