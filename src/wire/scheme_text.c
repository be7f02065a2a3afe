/* scheme_text.c - a scheme from the text that names it, with what a user says otherwise.
 *
 * Invariant: what comes out signs the body (Mailgun's own row apart), and a timestamp with a tolerance is
 * signed or stands in the signed body. Surprise: the options change a copy of a row of the table, so that
 * "github header=X-Other" is as good as a description from nothing. */
#include "wire/scheme_private.h"
#include "wire/url.h"

#include <stdlib.h>
#include <string.h>

enum { TOLERANCE_S_MAX = 30 * 24 * 3600, SHOWN_BYTES_MAX = 60 };

/* Where an option puts its value, which is text that lives as long as the scheme. */
typedef int (*setter)(struct scheme *s, const char *value, struct err *err);

static int bad_value(struct err *err, const char *option, const char *value, const char *wanted)
{
	return err_set(err, FISH_EINVAL, "%s=%.*s: it must be %s", option, SHOWN_BYTES_MAX, value, wanted);
}

/* ---- values ---- */

static bool is_header_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return len > 0 && name[len] == '\0';
}

static bool is_pointer(const char *name)
{
	return name[0] == '/' && name[1] != '\0' && strstr(name, "//") == NULL;
}

static int set_header(struct scheme *s, const char *value, struct err *err)
{
	if (!is_header_name(value) && !is_pointer(value))
		return bad_value(err, "header", value, "a header's name, or a JSON Pointer into the body");
	s->row.header = value;
	return 0;
}

static int set_id(struct scheme *s, const char *value, struct err *err)
{
	if (!is_header_name(value) && !is_pointer(value))
		return bad_value(err, "id", value, "a header's name, or a JSON Pointer into the body");
	s->row.id = value;
	return 0;
}

/* The name of a header, a JSON Pointer, or "t=" for an entry of the list of signatures. */
static int set_ts(struct scheme *s, const char *value, struct err *err)
{
	size_t len = strlen(value);

	if (!is_header_name(value) && !is_pointer(value) && (len < 2 || value[len - 1] != '='))
		return bad_value(err, "ts", value,
		                 "a header's name, a JSON Pointer, or the beginning of an entry such as t=");
	s->row.ts = value;
	return 0;
}

static int set_prefix(struct scheme *s, const char *value, struct err *err)
{
	(void)err;
	s->row.prefix = value[0] == '\0' ? NULL : value;
	return 0;
}

static int set_each(struct scheme *s, const char *value, struct err *err)
{
	(void)err;
	s->row.each = value[0] == '\0' ? NULL : value;
	s->row.each_ed25519 = NULL;
	return 0;
}

static int set_sign(struct scheme *s, const char *value, struct err *err)
{
	struct slice parts[SCHEME_PARTS_MAX];

	if (scheme_parts(value, &(struct scheme_values){ .id = SLICE_NONE }, parts) == 0)
		return bad_value(err, "sign", value,
		                 "made of {id}, {ts}, {url}, {body} and other text, at most 8 parts");
	s->row.sign = value;
	return 0;
}

static int set_list(struct scheme *s, const char *value, struct err *err)
{
	static const struct { const char *word; char list; } words[] = {
		{ "none", '\0' }, { "space", ' ' }, { "comma", ',' }, { "semicolon", ';' },
		{ ",", ',' }, { ";", ';' },
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, value) == 0) {
			s->row.list = words[i].list;
			return 0;
		}
	}
	return bad_value(err, "list", value, "space, comma, semicolon or none");
}

/* The place of value among n words, or n. */
static size_t place(const char *const *words, size_t n, const char *value)
{
	size_t i = 0;

	while (i < n && strcmp(words[i], value) != 0)
		i++;
	return i;
}

static int set_encoding(struct scheme *s, const char *value, struct err *err)
{
	static const char *const words[] = { "hex", "base64", "hex-any-case" };
	static const enum scheme_encoding values[] = {
		ENCODING_HEX, ENCODING_BASE64, ENCODING_HEX_ANY_CASE
	};
	size_t i = place(words, 3, value);

	if (i == 3)
		return bad_value(err, "encoding", value, "hex, base64 or hex-any-case");
	s->row.encoding = values[i];
	return 0;
}

static int set_key(struct scheme *s, const char *value, struct err *err)
{
	static const char *const words[] = { "text", "base64", "hex", "whsec" };
	static const enum scheme_key values[] = { KEY_TEXT, KEY_BASE64, KEY_HEX, KEY_WEBHOOKS };
	size_t i = place(words, 4, value);

	if (i == 4)
		return bad_value(err, "key", value, "text, base64, hex or whsec");
	s->row.key = values[i];
	return 0;
}

static int set_time(struct scheme *s, const char *value, struct err *err)
{
	static const char *const words[] = { "seconds", "ms", "rfc3339", "number-ms" };
	static const enum scheme_time values[] = { TIME_SECONDS, TIME_MS, TIME_RFC3339, TIME_NUMBER_MS };
	size_t i = place(words, 4, value);

	if (i == 4)
		return bad_value(err, "time", value, "seconds, ms, rfc3339 or number-ms");
	s->row.time = values[i];
	return 0;
}

static int set_window(struct scheme *s, const char *value, struct err *err)
{
	static const char *const words[] = { "both", "past" };
	size_t i = place(words, 2, value);

	if (i == 2)
		return bad_value(err, "window", value, "both or past");
	s->row.window = i == 0 ? WINDOW_BOTH : WINDOW_PAST;
	return 0;
}

static int set_tolerance(struct scheme *s, const char *value, struct err *err)
{
	char *end = NULL;
	long seconds = strtol(value, &end, 10);

	if (strcmp(value, "none") == 0) {
		s->tolerance_ms = SCHEME_TOLERANCE_NONE;
		return 0;
	}
	if (value[0] < '0' || value[0] > '9' || *end != '\0' || seconds < 1 || seconds > TOLERANCE_S_MAX)
		return bad_value(err, "tolerance", value, "1 to 2592000 seconds, or none");
	s->tolerance_ms = seconds * INT64_C(1000);
	return 0;
}

static int set_require(struct scheme *s, const char *value, struct err *err)
{
	(void)err;
	s->require = strcmp(value, "none") == 0 ? "" : value;
	return 0;
}

static int set_alg(struct scheme *s, const char *value, struct err *err)
{
	static const char *const words[] = {
		"hmac-sha256", "ed25519", "ecdsa-p256-sha256", "ecdsa-p384-sha384", "rsa-pss-sha512",
		"rsa-v1_5-sha256",
	};
	if (place(words, 6, value) == 6)
		return bad_value(err, "alg", value, "one of the names that RFC 9421 has");
	s->alg = value;
	return 0;
}

/* ---- options ---- */

static const struct option {
	const char *name;
	unsigned    kinds;               /* bits 1 << enum scheme_kind */
	setter      set;
} options[] = {
	{ "header",    1 << KIND_MAC | 1 << KIND_TOKEN, set_header },
	{ "prefix",    1 << KIND_MAC, set_prefix },
	{ "encoding",  1 << KIND_MAC, set_encoding },
	{ "key",       1 << KIND_MAC, set_key },
	{ "sign",      1 << KIND_MAC, set_sign },
	{ "list",      1 << KIND_MAC, set_list },
	{ "each",      1 << KIND_MAC, set_each },
	{ "ts",        1 << KIND_MAC, set_ts },
	{ "time",      1 << KIND_MAC, set_time },
	{ "window",    1 << KIND_MAC, set_window },
	{ "id",        1 << KIND_MAC | 1 << KIND_TOKEN, set_id },
	{ "tolerance", 1 << KIND_MAC | 1 << KIND_PAYPAL | 1 << KIND_HTTP, set_tolerance },
	{ "require",   1 << KIND_HTTP, set_require },
	{ "alg",       1 << KIND_HTTP, set_alg },
};

static int set_option(struct scheme *s, char *word, struct err *err)
{
	char *value = strchr(word, '=');

	if (value == NULL)
		return err_set(err, FISH_EINVAL, "\"%.*s\" is no option: it has no =", SHOWN_BYTES_MAX, word);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (strcmp(options[i].name, word) != 0)
			continue;
		if ((options[i].kinds & 1U << s->row.kind) == 0)
			return err_set(err, FISH_EINVAL, "%s has no option %s", s->row.name, word);
		return options[i].set(s, value, err);
	}
	return err_set(err, FISH_EINVAL, "there is no option %.*s", SHOWN_BYTES_MAX, word);
}

static bool is_printable(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] < 0x20 || text.ptr[i] >= 0x7f)
			return false;
	return true;
}

/* %20 is a blank in a value; the bytes shrink in place. The values come back in the words of verdicts. */
static int unescape(char *word, struct err *err)
{
	struct buf plain;
	int rc = 0;

	buf_init(&plain, SCHEME_TEXT_BYTES_MAX);
	if (url_decode(&plain, slice_of(word)) < 0)
		rc = err_set(err, FISH_EINVAL, "an option where %% does not stand before two hex digits");
	else if (!is_printable(buf_slice(&plain)))
		rc = err_set(err, FISH_EINVAL, "an option with a byte that is not printable ASCII");
	else if (plain.len > 0)
		memcpy(word, plain.ptr, plain.len + 1);
	buf_fini(&plain);
	return rc;
}

static int set_options(struct scheme *s, char *text, struct err *err)
{
	int rc = 0;

	while (rc == 0 && *(text += strspn(text, " ")) != '\0') {
		size_t len = strcspn(text, " ");
		char *word = text;

		text += len + (text[len] != '\0');
		word[len] = '\0';
		rc = unescape(word, err);
		if (rc == 0)
			rc = set_option(s, word, err);
	}
	return rc;
}

/* ---- does it hold together? ---- */

static bool is_entry(const char *ts) { return ts[strlen(ts) - 1] == '='; }

static int check_time(const struct scheme_row *row, const struct scheme *s, struct err *err)
{
	if (row->ts == NULL && scheme_signs(row, "{ts}"))
		return err_set(err, FISH_EINVAL, "sign has {ts}, and ts= does not say where it is");
	if (row->ts == NULL && s->tolerance_ms > 0)
		return err_set(err, FISH_EINVAL, "there is a tolerance, and no timestamp: give ts=");
	if (row->ts == NULL)
		return 0;
	if (!scheme_signs(row, "{ts}") && row->ts[0] != '/')
		return err_set(err, FISH_EINVAL,
		               "the timestamp %s is not signed: sign has no {ts}", row->ts);
	if (!scheme_signs(row, "{ts}") && row->time != TIME_NUMBER_MS)
		return err_set(err, FISH_EINVAL, "a timestamp in the body is a number: give time=number-ms");
	if (scheme_signs(row, "{ts}") && row->time == TIME_NUMBER_MS)
		return err_set(err, FISH_EINVAL, "time=number-ms is for a timestamp that sign does not name");
	if (is_entry(row->ts) && row->list == '\0')
		return err_set(err, FISH_EINVAL, "ts=%s is an entry of a list: give list=", row->ts);
	return 0;
}

static int check_whole(const struct scheme *s, struct err *err)
{
	const struct scheme_row *row = &s->row;
	const struct scheme_row *original = scheme_row_find(slice_of(row->name));

	if (row->kind != KIND_MAC && row->kind != KIND_TOKEN)
		return 0;
	if (row->header == NULL)
		return err_set(err, FISH_EINVAL, "%s needs header=: where the %s is", row->name,
		               row->kind == KIND_MAC ? "signature" : "token");
	if (row->kind == KIND_TOKEN)
		return row->header[0] != '/' ? 0 : err_set(err, FISH_EINVAL, "a token stands in a header, not in the body");
	if (!scheme_signs(row, "{body}") && (original == NULL || row->sign != original->sign))
		return err_set(err, FISH_EINVAL, "sign has no {body}: anybody could change it");
	if (row->id == NULL && scheme_signs(row, "{id}"))
		return err_set(err, FISH_EINVAL, "sign has {id}, and id= does not say where it is");
	if (row->algorithm == ALGORITHM_ED25519 && row->key == KEY_TEXT)
		return err_set(err, FISH_EINVAL, "a key of ed25519 is hex, base64 or whsec");
	return check_time(row, s, err);
}

/* ---- the whole ---- */

int scheme_new(struct slice text, struct scheme **ret_scheme, struct err *err)
{
	if (text.len > SCHEME_TEXT_BYTES_MAX || (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
		return err_set(err, FISH_EINVAL, "a scheme is text of at most %d bytes",
		               SCHEME_TEXT_BYTES_MAX);
	char *copy = xstrndup(text.len == 0 ? "" : text.ptr, text.len);
	size_t name_len = strcspn(copy, " ");
	const struct scheme_row *row = scheme_row_find((struct slice){ copy, name_len });

	if (row == NULL) {
		err_set(err, FISH_EINVAL, "there is no scheme \"%.*s\"; 'fishctl schemes' lists them",
		        name_len > SHOWN_BYTES_MAX ? SHOWN_BYTES_MAX : (int)name_len, copy);
		free(copy);
		return FISH_EINVAL;
	}
	struct scheme *s = xalloc(sizeof(*s));

	*s = (struct scheme){ .row = *row, .text = copy };
	int rc = set_options(s, copy + name_len, err);

	if (rc == 0)
		rc = check_whole(s, err);
	if (rc < 0) {
		scheme_free(s);
		return rc;
	}
	*ret_scheme = s;
	return 0;
}

struct scheme *scheme_free(struct scheme *s)
{
	if (s != NULL)
		free(s->text);
	free(s);
	return NULL;
}

const char *scheme_name(const struct scheme *s) { return s->row.name; }

int scheme_check_secret(const struct scheme *s, struct slice secret, struct err *err)
{
	struct scheme_key_bytes key;
	int rc = 0;

	switch (s->row.kind) {
	case KIND_SNS:
		return 0;
	case KIND_HTTP:
		return scheme_http_check_secret(s, secret, err);
	case KIND_TOKEN:
		return scheme_token_check(&s->row, secret, err);
	case KIND_MAC:
	case KIND_TWILIO:
	case KIND_PAYPAL:
		break;
	}
	rc = scheme_key_take(&s->row, secret, &key, err);
	scheme_key_wipe(&key);
	return rc;
}
