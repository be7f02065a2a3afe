/* scheme_private.h - what the files of scheme.h share: a row of the table, and a check under way. */
#ifndef FISH_SCHEME_PRIVATE_H
#define FISH_SCHEME_PRIVATE_H

#include "wire/scheme.h"

struct json_t;

enum {
	SCHEME_PARTS_MAX     = 8,        /* of what is signed */
	SCHEME_FIXED_MAX     = 2,
	SCHEME_KEY_BYTES_MAX = 1024,
	SCHEME_MAC_BYTES_MAX = 64,
	SCHEME_FORM_PAIRS_MAX = 1000,    /* of a form or query that is signed pair by pair */
};

enum scheme_kind {
	KIND_MAC, KIND_TWILIO, KIND_SNS, KIND_PAYPAL,
	KIND_HTTP,                       /* RFC 9421 */
	KIND_TOKEN,                      /* nothing is signed: the header is the secret */
};
enum scheme_algorithm {
	ALGORITHM_SHA256, ALGORITHM_SHA1, ALGORITHM_SHA384, ALGORITHM_SHA512,   /* HMAC with it */
	ALGORITHM_BY_METHOD,             /* one of these, as the header's "method=" says */
	ALGORITHM_ED25519,
};
enum scheme_key {
	KEY_TEXT,                        /* the bytes of the text */
	KEY_BASE64,
	KEY_HEX,
	KEY_WEBHOOKS,                    /* base64 behind "whsec_" for HMAC, behind "whpk_" for ed25519 */
};
enum scheme_encoding { ENCODING_HEX, ENCODING_BASE64, ENCODING_HEX_ANY_CASE };
enum scheme_time {
	TIME_SECONDS,                    /* unix, as decimal text */
	TIME_MS,
	TIME_RFC3339,
	TIME_NUMBER_MS,                  /* a number in the JSON body, not text */
};
enum scheme_window { WINDOW_BOTH, WINDOW_PAST };

/* Names of what stands in a request: a header; with '/' in front a JSON Pointer into the body. */
struct scheme_row {
	const char           *name, *sender, *source;
	const char           *header;    /* of the signatures */
	const char           *second;    /* or NULL: another one, for every second secret */
	const char           *sign;      /* {id} {ts} {url} {body}, all else as it stands */
	const char           *prefix;    /* or NULL: before all signatures */
	const char           *each;      /* or NULL: before each; '#' is a number. Others are skipped */
	const char           *each_ed25519;
	const char           *ts;        /* or NULL; with '=' at its end an entry of the list */
	const char           *id;        /* or NULL */
	struct { const char *name, *value; } fixed[SCHEME_FIXED_MAX];   /* headers that must be so */
	const char           *otherwise; /* or NULL: the row whose headers count if none of this one's came */
	enum scheme_kind      kind;
	enum scheme_algorithm algorithm;
	enum scheme_key       key;
	enum scheme_encoding  encoding;
	enum scheme_time      time;
	enum scheme_window    window;
	int                   tolerance_s;           /* 0: none */
	char                  list;      /* what stands between signatures; NUL: there is one */
	bool                  needs_body;
};

extern const struct scheme_row scheme_rows[];
extern const size_t scheme_nrows;
const struct scheme_row *scheme_row_find(struct slice name);     /* or NULL */

struct scheme {
	struct scheme_row row;           /* its texts are constants, or stand in text */
	char             *text;
	int64_t           tolerance_ms;  /* 0: the row's; SCHEME_TOLERANCE_NONE */
	/* Of RFC 9421: */
	const char       *require;       /* names with commas between them; NULL: the usual ones; "": none */
	const char       *alg;           /* or NULL: what the key says */
};

/* One request being looked at. */
struct scheme_check {
	const struct scheme         *s;
	const struct scheme_row     *row;
	const struct scheme_request *r;
	struct scheme_result        *ret;
	struct json_t               *json;       /* of the body, once it was asked for */
	bool                         json_tried;
};

/* Sets verdict and words, and gives the verdict. The words hold nothing that came with the request. */
__attribute__((format(printf, 3, 4)))
enum scheme_verdict scheme_say(struct scheme_result *ret, enum scheme_verdict v, const char *fmt, ...);
/* SCHEME_VALID: there is exactly one such line, and it is not empty. */
enum scheme_verdict scheme_header(struct scheme_check *c, const char *name, struct slice *ret_value);
size_t scheme_header_count(const struct scheme_request *r, const char *name);
/* Is the timestamp within the window? */
enum scheme_verdict scheme_in_time(struct scheme_check *c, int64_t ts_ms);
/* What pointer leads to in the JSON body, or NULL. */
struct json_t *scheme_body_at(struct scheme_check *c, const char *pointer);
/* A string, or a whole number as text appended to out; false: neither, or over SCHEME_ID_BYTES_MAX bytes. */
bool scheme_body_text(struct scheme_check *c, const char *pointer, struct buf *out);
void scheme_keep_id(struct scheme_check *c, struct slice id, enum scheme_id_from from);
bool scheme_id_is_good(struct slice id, char separator);
void scheme_show(const struct scheme_check *c, const struct slice *parts, size_t n);

/* For OpenSSL's PEM readers, which would else ask for a password on the terminal. */
int scheme_no_password(char *ret, int size, int writing, void *cookie);

/* The kinds: */
enum scheme_verdict scheme_mac_verify(struct scheme_check *c);
enum scheme_verdict scheme_twilio_verify(struct scheme_check *c);
enum scheme_verdict scheme_sns_verify(struct scheme_check *c);
enum scheme_verdict scheme_paypal_verify(struct scheme_check *c);
enum scheme_verdict scheme_http_verify(struct scheme_check *c);
enum scheme_verdict scheme_token_verify(struct scheme_check *c);
int scheme_token_check(const struct scheme_row *row, struct slice token, struct err *err);
enum scheme_verdict scheme_sns_certificate_url(struct scheme_check *c, struct buf *ret_url);
enum scheme_verdict scheme_paypal_certificate_url(struct scheme_check *c, struct buf *ret_url);
int scheme_twilio_sign(struct scheme_check *c, struct buf *ret_lines, struct err *err);
int scheme_http_check_secret(const struct scheme *s, struct slice secret, struct err *err);
int scheme_http_sign(struct scheme_check *c, struct slice id, struct buf *ret_lines, struct err *err);

/* What a row signs, cut into parts of which none is copied. */
struct scheme_values { struct slice id, ts, url, body; };
size_t scheme_parts(const char *sign, const struct scheme_values *v, struct slice ret_parts[SCHEME_PARTS_MAX]);
bool   scheme_signs(const struct scheme_row *row, const char *what);           /* "{id}" */

/* ---- URLs ---- */

/* Cut from the text of an http or https URL; nothing is decoded. */
struct scheme_url {
	struct slice scheme;
	struct slice userinfo;       /* without its '@' */
	struct slice host;           /* with brackets */
	struct slice port;           /* empty when it is the scheme's usual one */
	struct slice path;           /* may be empty */
	struct slice query;          /* without '?'; ptr is NULL when there is none */
	struct slice fragment;       /* likewise */
};
bool scheme_url_split(struct slice text, struct scheme_url *ret_url);
bool scheme_url_is_https(const struct scheme_url *u);
/* Appends text in lower case. */
void scheme_url_put_lower(struct buf *out, struct slice text);
/* The next pair of a query or form, still encoded, and *rest behind it; false at the end. */
bool scheme_url_next_pair(struct slice *rest, struct slice *ret_name, struct slice *ret_value);
/* Appends text with '+' as a blank and %XX decoded; what is no escape stays as it stands. */
void scheme_url_put_decoded(struct buf *out, struct slice text);
/* Appends text, each byte that is no letter, no digit and not among plain as %XX. */
void scheme_url_put_encoded(struct buf *out, struct slice text, const char *plain);

/* ---- keys ---- */

/* A key's bytes; scheme_key_wipe when done. */
struct scheme_key_bytes {
	enum scheme_algorithm algorithm;         /* HMAC's hash, or ed25519 */
	uint8_t               bytes[SCHEME_KEY_BYTES_MAX];
	size_t                len;
};
/* FISH_EINVAL with words. The first for verifying, the second for signing (ed25519: the seed). */
int    scheme_key_take(const struct scheme_row *row, struct slice secret, struct scheme_key_bytes *ret, struct err *err);
int    scheme_key_take_private(const struct scheme_row *row, struct slice secret, struct scheme_key_bytes *ret,
                               struct err *err);
void   scheme_key_wipe(struct scheme_key_bytes *k);
size_t scheme_mac_bytes(enum scheme_algorithm a);              /* of one signature */
const char *scheme_hash_name(enum scheme_algorithm a);         /* "SHA256" */
void   scheme_hmac(const struct scheme_key_bytes *k, const struct slice *parts, size_t n,
                   uint8_t ret_mac[SCHEME_MAC_BYTES_MAX]);
bool   scheme_ed25519_verify(const struct scheme_key_bytes *k, const struct slice *parts, size_t n,
                             const uint8_t *signature);
/* False when the seed cannot be used. */
bool   scheme_ed25519_sign(const struct scheme_key_bytes *k, const struct slice *parts, size_t n,
                           uint8_t ret_signature[SCHEME_MAC_BYTES_MAX]);

#endif
