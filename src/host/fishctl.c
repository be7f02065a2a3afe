/* fishctl.c - the program fishctl: for a person who debugs a webhook's signatures.
 *
 * Invariant: no secret comes from the command line or the environment, where others could read it, and
 * none is printed. Surprise: it needs no server; all is computed here from files. */
#include "host/fishctl.h"

#include <stdio.h>
#include <string.h>

static const char general[] =
"Usage: fishctl COMMAND ...\n"
"\n"
"Checks and makes the signatures of webhooks, from files and without a server.\n"
"\n"
"  verify SCHEME   is this request signed by who holds the secret, and if not, why?\n"
"  sign SCHEME     the headers that a sender would put to this body\n"
"  schemes         the senders' schemes that are known by name\n"
"  help            this text; COMMAND --help tells more\n";

static const char verify_help[] =
"Usage: fishctl verify SCHEME --secret-file FILE --headers FILE --body FILE [OPTION...]\n"
"\n"
"Judges one request. SCHEME is a name ('fishctl schemes' lists them) or a description; options of the\n"
"scheme follow it as words with a '='.\n"
"\n"
"  --secret-file FILE   the secret as the sender shows it, or the public key; a line end behind it does\n"
"                       not count. Up to 8 times: each is tried\n"
"  --headers FILE       the request's headers, a line each; a request line in front is passed over\n"
"  --body FILE          the body, byte for byte; '-' is stdin\n"
"  --url URL            the public URL with its query, for schemes that sign it\n"
"  --method METHOD      for schemes that sign it; POST if not given\n"
"  --now TIME           unix seconds, or as in RFC 3339; the clock's if not given\n"
"  --tolerance SECONDS  other than the scheme's own; 'none': any time will do\n"
"  --certificate FILE   PEM, for sns and paypal: what is at the URL that the request names\n"
"  --json               the result as one JSON object\n"
"\n"
"Exit status: 0 valid, 1 not valid, 2 nothing was judged (arguments, files).\n"
"\n"
"  fishctl verify stripe --secret-file whsec --headers h.txt --body b.json\n"
"  fishctl verify standard-webhooks --secret-file old --secret-file new --headers h --body b\n"
"  fishctl verify twilio --secret-file token --headers h --body b --url 'https://example.org/h/x?id=7'\n"
"  fishctl verify hmac-sha256 header=X-Sig prefix=sha256= 'sign={ts}.{body}' ts=X-Time tolerance=300 \\\n"
"      --secret-file s --headers h --body b\n";

static const char sign_help[] =
"Usage: fishctl sign SCHEME --secret-file FILE --body FILE [OPTION...]\n"
"\n"
"Prints the header lines that make the body a signed request; for mailgun, whose signature stands in the\n"
"body, the body.\n"
"\n"
"  --secret-file FILE   as for verify; the private key where the scheme has one. Up to 8 times where the\n"
"                       scheme sends a list of signatures\n"
"  --body FILE          the body, byte for byte; '-' is stdin\n"
"  --id ID              the message's id, for schemes that have one\n"
"  --headers FILE       other headers of the request, for schemes that sign them\n"
"  --url URL, --method METHOD, --now TIME   as for verify\n"
"\n"
"Exit status: 0, or 2 when there is nothing to print.\n"
"\n"
"  fishctl sign github --secret-file s --body b.json\n"
"  curl -H @<(fishctl sign standard-webhooks --secret-file s --id msg_1 --body b) --data-binary @b URL\n";

static const char schemes_help[] =
"Usage: fishctl schemes [--json | --markdown]\n"
"\n"
"Lists the schemes that are known by name: where the signature stands, what is signed, how old it may be.\n"
"A scheme that is not listed can be described by hmac-sha256 (-sha1, -sha384, -sha512) or ed25519 and\n"
"options; docs/signatures.md tells of them.\n";

/* What makes a request. */
enum {
	REQUEST = 1 << CTL_SECRET_FILE | 1 << CTL_HEADERS | 1 << CTL_BODY | 1 << CTL_URL | 1 << CTL_METHOD |
	          1 << CTL_NOW,
};

static const struct command {
	const char *name;
	const char *help;
	unsigned    options;             /* bits 1 << enum ctl_option */
	int       (*run)(struct ctl *c);
} commands[] = {
	{ "verify", verify_help,
	  REQUEST | 1 << CTL_TOLERANCE | 1 << CTL_CERTIFICATE | 1 << CTL_JSON | 1 << CTL_HELP, ctl_verify },
	{ "sign", sign_help,
	  REQUEST | 1 << CTL_ID | 1 << CTL_HELP, ctl_sign },
	{ "schemes", schemes_help, 1 << CTL_JSON | 1 << CTL_MARKDOWN | 1 << CTL_HELP, ctl_schemes },
};

static int run(const struct command *command, int argc, char **argv)
{
	struct ctl c;
	int rc = ctl_init(&c, argc, argv, 2, command->options);

	if (rc == CTL_YES && c.values[CTL_HELP] != NULL)
		fputs(command->help, stdout);
	else if (rc == CTL_YES)
		rc = command->run(&c);
	ctl_fini(&c);
	if (fflush(stdout) != 0)
		return ctl_complain("stdout cannot be written");
	return rc;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return run(&commands[i], argc, argv);
	if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
		fputs(general, stdout);
		return CTL_YES;
	}
	if (argc > 1)
		return ctl_complain("there is no command \"%s\"; 'fishctl help' lists them", name);
	fputs(general, stderr);
	return CTL_USAGE;
}
