/* scheme.h - is this webhook request signed by who holds the secret? Senders' schemes by name. Pure.
 *
 * The order is always: headers there and single, the form of id and timestamp, the window of time, the
 * signature (in constant time), and only then what the body says. All is judged over the bytes as they
 * came. Surprise: nothing of a request chooses how it is checked; the scheme and its keys do, so that a
 * forger cannot pick a weaker way. docs/signatures.md has the schemes and their sources. */
#ifndef FISH_SCHEME_H
#define FISH_SCHEME_H

#include "base/buf.h"
#include "wire/http1.h"

enum {
	SCHEME_TEXT_BYTES_MAX    = 1024,   /* the text that names or describes a scheme */
	SCHEME_SECRETS_MAX       = 8,      /* accepted at once, while one is rolled over */
	SCHEME_SECRET_BYTES_MAX  = 16 << 10,
	SCHEME_SIGNATURES_MAX    = 16,     /* in one header; each costs work */
	SCHEME_ID_BYTES_MAX      = 256,
	SCHEME_WHY_SIZE          = 200,
};

/* verdict, its name, what it means */
#define SCHEME_VERDICTS(X) \
	X(VALID,         "valid",               "the signature is good") \
	X(NO_HEADER,     "missing-header",      "a header that the scheme needs is missing or empty") \
	X(REPEATED,      "repeated-header",     "a header that may come once came more often") \
	X(BAD_HEADER,    "malformed-header",    "a header of the scheme has not the form it must have") \
	X(TOO_MANY,      "too-many-signatures", "more signatures in one header than are looked at") \
	X(BAD_ID,        "bad-id",              "the message's id has not the form it must have") \
	X(BAD_TIME,      "bad-timestamp",       "the timestamp is missing or has not the form it must have") \
	X(TOO_OLD,       "too-old",             "the timestamp is further in the past than is tolerated") \
	X(TOO_NEW,       "too-new",             "the timestamp is further in the future than is tolerated") \
	X(ALGORITHM,     "wrong-algorithm",     "the request names another algorithm or version than is expected") \
	X(NOT_COVERED,   "not-covered",         "the signature leaves out what it must cover") \
	X(BAD_BODY,      "bad-body",            "the body is empty or has not the form that the scheme signs") \
	X(BAD_DIGEST,    "body-digest",         "the body is not the one whose digest is signed") \
	X(BAD_URL,       "bad-url",             "the configured URL is missing or is none") \
	X(BAD_CERT_URL,  "certificate-url",     "the certificate's URL is not the sender's") \
	X(BAD_CERT,      "certificate",         "the certificate is missing or cannot be used") \
	X(TOPIC,         "wrong-topic",         "the message is of another topic than is taken") \
	X(BAD_SECRET,    "bad-secret",          "no configured secret can be used with the scheme") \
	X(NO_MATCH,      "no-match",            "no signature is good: another secret, another body, or a forgery")

#define SCHEME_VERDICT_ENUM(id, name, meaning) SCHEME_##id,
enum scheme_verdict { SCHEME_VERDICTS(SCHEME_VERDICT_ENUM) };
#undef SCHEME_VERDICT_ENUM

const char *scheme_verdict_name(enum scheme_verdict v);      /* "too-old" */
const char *scheme_verdict_meaning(enum scheme_verdict v);   /* "the timestamp is …" */

/* ---- schemes ---- */

struct scheme;
/* "stripe", "stripe tolerance=600", "rfc9421 require=@method,content-digest", or a description such as
 * "hmac-sha256 header=X-Sig prefix=sha256= encoding=hex sign={ts}.{body} ts=X-Time tolerance=300";
 * docs/signatures.md has the options. FISH_EINVAL with words. */
int            scheme_new(struct slice text, struct scheme **ret_scheme, struct err *err);
struct scheme *scheme_free(struct scheme *s);                /* takes NULL, gives NULL */
const char    *scheme_name(const struct scheme *s);

/* What there is to say of a named scheme, in constant texts; "" where it has none of that. false behind
 * the last one. A header that begins with '/' is a JSON Pointer into the body; a timestamp that ends in '='
 * is an entry of the signature's header. */
struct scheme_about {
	const char *name, *sender, *header, *ts, *id, *sign, *algorithm, *key, *encoding, *source;
	int         tolerance_s;                 /* 0: none */
	bool        past_only;                   /* a timestamp in the future is let pass */
	bool        id_signed;
};
bool scheme_about(size_t index, struct scheme_about *ret_about);

/* Can text be a secret to verify with? FISH_EINVAL with words that do not hold it. */
int scheme_check_secret(const struct scheme *s, struct slice secret, struct err *err);
/* Does the scheme sign the URL, so that the public one must be configured? */
bool scheme_signs_url(const struct scheme *s);
/* Does it need a certificate that the request names by URL? */
bool scheme_needs_certificate(const struct scheme *s);

/* Is it an https URL of AWS SNS itself, with nothing in it that a client could read in two ways? */
bool scheme_is_sns_url(struct slice url);

/* ---- a request ---- */

#define SCHEME_TOLERANCE_NONE  INT64_C(-1)

struct scheme_request {                      /* all borrowed */
	struct slice              method;        /* "POST" */
	struct slice              url;           /* the public one, as configured, with path and query as asked for */
	const struct http1_field *headers;       /* every line, in order */
	size_t                    nheaders;
	struct slice              body;          /* as sent */
	int64_t                   now_ms;        /* unix time */
	int64_t                   tolerance_ms;  /* 0: the scheme's own; SCHEME_TOLERANCE_NONE: any time will do */
	const struct slice       *secrets;       /* as configured; an empty one matches nothing */
	size_t                    nsecrets;      /* at most SCHEME_SECRETS_MAX are looked at */
	struct slice              certificate;   /* PEM, from scheme_certificate_url */
	struct slice              topic;         /* sns: the TopicArn that it must have; empty: any */
	struct buf               *shown;         /* NULL, or gets the bytes that the signature is to cover (not a secret) */
};

enum scheme_id_from {
	SCHEME_ID_NONE,          /* the sender gives none: its body has to do */
	SCHEME_ID_SIGNED,        /* of a signed header or of the signed body */
	SCHEME_ID_UNSIGNED,      /* of a header that the signature does not cover: who replays may change it */
};

struct scheme_result {
	enum scheme_verdict verdict;
	enum scheme_id_from id_from;
	char    id[SCHEME_ID_BYTES_MAX + 1];     /* when valid: the sender's own, for dedupe */
	size_t  id_len;
	bool    has_skew;                        /* there is a timestamp, and now_ms was given */
	int64_t skew_ms;                         /* now less the timestamp: above 0 it is old */
	size_t  secret;                          /* when valid: which of them it was */
	char    why[SCHEME_WHY_SIZE];            /* in words, for who configured it; never for the sender */
};

/* Fills *ret whatever comes; ret->verdict is also what is returned. */
enum scheme_verdict scheme_verify(const struct scheme *s, const struct scheme_request *r, struct scheme_result *ret);
/* The URL of the certificate that scheme_verify will want, if it is one of the sender's: SCHEME_VALID.
 * Nothing of the request has been proved then. */
enum scheme_verdict scheme_certificate_url(const struct scheme *s, const struct scheme_request *r, struct buf *ret_url,
                                           struct scheme_result *ret);

/* The id that a request says it has, whoever signed it: for a person who vouches for it. ret->id_len 0: none. */
void scheme_told_id(const struct scheme *s, const struct scheme_request *r, struct scheme_result *ret);
/* Does a signature of this scheme stand in that header? */
bool scheme_signs_in(const struct scheme *s, struct slice header);
/* The header in which a secret itself is sent, so that nobody may keep it; empty: in none. */
struct slice scheme_secret_header(const struct scheme *s);

/* Signs with each of r's secrets (with the first where the scheme has room for one): appends header lines
 * "Name: value\r\n". id: for schemes that sign one. ret_body: what to send if the signature stands in the
 * body, else it is left empty and r->body goes as it is. FISH_EINVAL with words: the scheme cannot be signed
 * by who has a secret only (sns, paypal), or something of r does not do. */
int scheme_sign(const struct scheme *s, const struct scheme_request *r, struct slice id, struct buf *ret_lines,
                struct buf *ret_body, struct err *err);

#endif
