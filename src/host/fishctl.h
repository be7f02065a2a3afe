/* fishctl.h - what the files of the program fishctl share: what its command line asks for. */
#ifndef FISH_FISHCTL_H
#define FISH_FISHCTL_H

#include "wire/scheme.h"

enum {
	CTL_YES   = 0,       /* valid, or done */
	CTL_NO    = 1,       /* not valid */
	CTL_USAGE = 2,       /* nothing was judged: arguments or files */
};
enum {
	CTL_HEADER_BYTES_MAX = 256 << 10,
	CTL_HEADERS_MAX      = 1000,
	CTL_BODY_BYTES_MAX   = 256 << 20,
};

enum ctl_option {
	CTL_SECRET_FILE, CTL_HEADERS, CTL_BODY, CTL_URL, CTL_METHOD, CTL_NOW, CTL_TOLERANCE, CTL_CERTIFICATE,
	CTL_ID, CTL_JSON, CTL_MARKDOWN, CTL_HELP,
};
enum { CTL_OPTIONS = CTL_HELP + 1 };

/* A command line, and the files that it names. */
struct ctl {
	const char           *values[CTL_OPTIONS];       /* NULL: not given; "" for one without a value */
	const char           *secret_files[SCHEME_SECRETS_MAX];
	size_t                nsecrets;
	struct buf            scheme_text;               /* the words that are no options */
	struct scheme        *scheme;
	struct buf            secrets[SCHEME_SECRETS_MAX];
	struct slice          secret_slices[SCHEME_SECRETS_MAX];
	struct buf            headers_text, body, certificate;
	struct http1_field   *headers;
	struct scheme_request request;
};

/* Reads argv from at on for a command that takes the options of the bits allowed. Prints what is wrong to
 * stderr: CTL_USAGE. ctl_fini in any case. */
int  ctl_init(struct ctl *c, int argc, char **argv, int at, unsigned allowed);
/* The scheme, the files and the time: the whole request. Likewise. */
int  ctl_load(struct ctl *c);
/* Says on stderr which of the secrets can verify nothing, and why. */
void ctl_warn_of_secrets(const struct ctl *c);
void ctl_fini(struct ctl *c);        /* wipes the secrets */
__attribute__((format(printf, 1, 2))) int ctl_complain(const char *fmt, ...);    /* CTL_USAGE */

int ctl_verify(struct ctl *c);
int ctl_sign(struct ctl *c);
int ctl_schemes(struct ctl *c);

#endif
