/* scheme_certificate.c - AWS SNS and PayPal: RSA by a certificate that the request names by URL.
 *
 * Invariant: a certificate's URL is looked at before anything is made of it, since a forger can write one
 * too; whose host it may have is all that ties the key to the sender. Surprise: PayPal signs a CRC-32 of
 * the body, so a replayed signature can be put on another body of the same CRC. */
#include "wire/codec.h"
#include "wire/scheme_private.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum { RSA_BITS_MIN = 2048, SIGNATURE_BYTES_MAX = 1024, SNS_REGION_MIN = 3, CERT_BYTES_MAX = 64 << 10 };

/* ---- RSA ---- */

int scheme_no_password(char *ret, int size, int writing, void *cookie)
{
	(void)ret;
	(void)size;
	(void)writing;
	(void)cookie;
	return 0;
}

static EVP_PKEY *key_of(struct slice pem)
{
	if (pem.len == 0 || pem.len > CERT_BYTES_MAX)
		return NULL;
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, scheme_no_password, NULL);
	EVP_PKEY *key = certificate == NULL ? NULL : X509_get_pubkey(certificate);

	X509_free(certificate);
	BIO_free(bio);
	if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
	    EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static bool is_signed(EVP_PKEY *key, const EVP_MD *hash, struct slice text, const uint8_t *signature,
                      size_t len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	CHECK(ctx != NULL);
	bool good = EVP_DigestVerifyInit(ctx, NULL, hash, NULL, key) == 1 &&
	            EVP_DigestVerify(ctx, signature, len, (const uint8_t *)text.ptr, text.len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

static enum scheme_verdict verify_rsa(struct scheme_check *c, const EVP_MD *hash, struct slice text,
                                      struct slice base64)
{
	uint8_t signature[SIGNATURE_BYTES_MAX];
	size_t len = 0;

	if (!codec_base64(base64, signature, sizeof(signature), &len) || len == 0)
		return scheme_say(c->ret, SCHEME_BAD_HEADER, "%s is not base64", c->row->header);
	EVP_PKEY *key = key_of(c->r->certificate);

	if (key == NULL) {
		ERR_clear_error();
		return scheme_say(c->ret, SCHEME_BAD_CERT,
		                  "the certificate is missing, or has no RSA key of %d bits", RSA_BITS_MIN);
	}
	scheme_show(c, &text, 1);
	bool good = is_signed(key, hash, text, signature, len);

	EVP_PKEY_free(key);
	ERR_clear_error();
	if (!good)
		return scheme_say(c->ret, SCHEME_NO_MATCH,
		                  "the signature was not made with the certificate's key over these bytes");
	return SCHEME_VALID;
}

/* ---- whose certificate it is ---- */

static bool ends_with(struct slice text, const char *end)
{
	size_t len = strlen(end);

	return text.len >= len &&
	       slice_eq_nocase((struct slice){ text.ptr + text.len - len, len }, slice_of(end));
}

/* sns.REGION.amazonaws.com, with or without .cn */
static bool is_sns_host(struct slice host)
{
	static const char front[] = "sns.";
	size_t len = sizeof(front) - 1;

	if (ends_with(host, ".cn"))
		host.len -= 3;
	if (!ends_with(host, ".amazonaws.com") || host.len < len ||
	    !slice_eq_nocase((struct slice){ host.ptr, len }, SLICE_LIT(front)))
		return false;
	host.len -= strlen(".amazonaws.com");
	if (host.len < len + SNS_REGION_MIN)
		return false;
	for (size_t i = len; i < host.len; i++) {
		char ch = host.ptr[i];
		bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');

		if (!letter && (ch < '0' || ch > '9') && ch != '-')
			return false;
	}
	return true;
}

static bool is_paypal_host(struct slice host)
{
	return slice_eq_nocase(host, SLICE_LIT("api.paypal.com")) ||
	       slice_eq_nocase(host, SLICE_LIT("api.sandbox.paypal.com"));
}

/* https on its usual port, with nothing in it that a client could read in two ways. */
static bool is_plain_https(struct slice text, struct scheme_url *u)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f || text.ptr[i] == '\\')
			return false;
	return scheme_url_split(text, u) && scheme_url_is_https(u) && u->userinfo.ptr == NULL &&
	       u->port.len == 0 && u->query.ptr == NULL && u->fragment.ptr == NULL;
}

bool scheme_is_sns_url(struct slice url)
{
	struct slice question = SLICE_NONE;
	struct scheme_url u;
	const char *at = url.len ? memchr(url.ptr, '?', url.len) : NULL;

	/* A query has the token of the subscription. */
	if (at != NULL)
		question = (struct slice){ at, url.len - (size_t)(at - url.ptr) };
	url.len -= question.len;
	for (size_t i = 0; i < question.len; i++)
		if (question.ptr[i] <= 0x20 || question.ptr[i] >= 0x7f || question.ptr[i] == '\\' || question.ptr[i] == '#')
			return false;
	return is_plain_https(url, &u) && is_sns_host(u.host);
}

static enum scheme_verdict check_url(struct scheme_check *c, struct slice text, struct buf *ret_url)
{
	bool sns = c->row->kind == KIND_SNS;
	struct scheme_url u;

	if (!is_plain_https(text, &u) || (sns ? !is_sns_host(u.host) || !ends_with(u.path, ".pem")
	                                      : !is_paypal_host(u.host)))
		return scheme_say(c->ret, SCHEME_BAD_CERT_URL,
		                  "the certificate's URL is not one of %s over https", c->row->sender);
	if (ret_url != NULL)
		buf_put_slice(ret_url, text);
	return SCHEME_VALID;
}

/* ---- AWS SNS ---- */

struct sns_field {
	const char *name;
	unsigned    kinds;               /* bits of SNS_… that sign it */
};
enum { SNS_NOTIFICATION = 1, SNS_CONFIRMATION = 2 };

/* In the order in which they are signed. Text may stand in Message alone: a line break in another would let
 * one message pass for another. */
static const struct sns_field sns_fields[] = {
	{ "Message",      SNS_NOTIFICATION | SNS_CONFIRMATION },
	{ "MessageId",    SNS_NOTIFICATION | SNS_CONFIRMATION },
	{ "Subject",      SNS_NOTIFICATION },
	{ "SubscribeURL", SNS_CONFIRMATION },
	{ "Timestamp",    SNS_NOTIFICATION | SNS_CONFIRMATION },
	{ "Token",        SNS_CONFIRMATION },
	{ "TopicArn",     SNS_NOTIFICATION | SNS_CONFIRMATION },
	{ "Type",         SNS_NOTIFICATION | SNS_CONFIRMATION },
};

static struct slice sns_text(struct scheme_check *c, const char *name)
{
	char pointer[32];

	snprintf(pointer, sizeof(pointer), "/%s", name);
	json_t *value = scheme_body_at(c, pointer);

	if (!json_is_string(value))
		return SLICE_NONE;
	return (struct slice){ json_string_value(value), json_string_length(value) };
}

static unsigned sns_kind(struct slice type)
{
	if (slice_eq(type, SLICE_LIT("Notification")))
		return SNS_NOTIFICATION;
	if (slice_eq(type, SLICE_LIT("SubscriptionConfirmation")) ||
	    slice_eq(type, SLICE_LIT("UnsubscribeConfirmation")))
		return SNS_CONFIRMATION;
	return 0;
}

static enum scheme_verdict sns_put(struct scheme_check *c, unsigned kind, struct buf *out)
{
	for (size_t i = 0; i < sizeof(sns_fields) / sizeof(sns_fields[0]); i++) {
		const char *name = sns_fields[i].name;
		struct slice text = sns_text(c, name);

		if ((sns_fields[i].kinds & kind) == 0)
			continue;
		if (text.ptr == NULL && strcmp(name, "Subject") == 0)
			continue;
		if (text.ptr == NULL)
			return scheme_say(c->ret, SCHEME_BAD_BODY, "the body has no text %s", name);
		if (strcmp(name, "Message") != 0 && memchr(text.ptr, '\n', text.len) != NULL)
			return scheme_say(c->ret, SCHEME_BAD_BODY, "%s has a line break", name);
		buf_puts(out, name);
		buf_putc(out, '\n');
		buf_put_slice(out, text);
		buf_putc(out, '\n');
	}
	return SCHEME_VALID;
}

static const EVP_MD *sns_hash(struct scheme_check *c)
{
	struct slice version = sns_text(c, "SignatureVersion");

	if (slice_eq(version, SLICE_LIT("2")))
		return EVP_sha256();
	return slice_eq(version, SLICE_LIT("1")) && strcmp(c->row->name, "sns") == 0 ? EVP_sha1() : NULL;
}

enum scheme_verdict scheme_sns_certificate_url(struct scheme_check *c, struct buf *ret_url)
{
	struct slice url = sns_text(c, "SigningCertURL");

	if (url.ptr == NULL)
		return scheme_say(c->ret, SCHEME_BAD_BODY, "the body is not JSON with a SigningCertURL");
	return check_url(c, url, ret_url);
}

enum scheme_verdict scheme_sns_verify(struct scheme_check *c)
{
	unsigned kind = sns_kind(sns_text(c, "Type"));
	const EVP_MD *hash = sns_hash(c);
	struct buf text;

	if (kind == 0)
		return scheme_say(c->ret, SCHEME_BAD_BODY, "the body is not JSON of a Type that SNS sends");
	if (hash == NULL)
		return scheme_say(c->ret, SCHEME_ALGORITHM, "SignatureVersion is not one that is accepted");
	enum scheme_verdict v = scheme_sns_certificate_url(c, NULL);

	if (v != SCHEME_VALID)
		return v;
	buf_init(&text, SIZE_MAX);
	v = sns_put(c, kind, &text);
	if (v == SCHEME_VALID)
		v = verify_rsa(c, hash, buf_slice(&text), sns_text(c, "Signature"));
	buf_fini(&text);
	/* AWS signs for whoever has an account: whose topic it is tells them apart. */
	if (v == SCHEME_VALID && c->r->topic.len > 0 && !slice_eq(sns_text(c, "TopicArn"), c->r->topic))
		return scheme_say(c->ret, SCHEME_TOPIC, "TopicArn is not the one that is configured");
	return v;
}

/* ---- PayPal ---- */

/* The CRC of zip and Ethernet, four bits at a time. */
static uint32_t crc32_of(struct slice bytes)
{
	static const uint32_t table[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158,
		0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4,
		0xa00ae278, 0xbdbdf21c,
	};
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= (uint8_t)bytes.ptr[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

enum scheme_verdict scheme_paypal_certificate_url(struct scheme_check *c, struct buf *ret_url)
{
	struct slice url = SLICE_NONE;
	enum scheme_verdict v = scheme_header(c, "PAYPAL-CERT-URL", &url);

	return v == SCHEME_VALID ? check_url(c, url, ret_url) : v;
}

/* The id of the webhook is no secret, but tells one's own deliveries from those of another account. */
static enum scheme_verdict try_webhook_ids(struct scheme_check *c, struct slice id, struct slice time,
                                           struct slice signature)
{
	enum scheme_verdict v = scheme_say(c->ret, SCHEME_BAD_SECRET, "no webhook id is configured");

	for (size_t i = 0; i < c->r->nsecrets && i < SCHEME_SECRETS_MAX && v != SCHEME_VALID; i++) {
		struct buf text;

		if (c->r->secrets[i].len == 0)
			continue;
		buf_init(&text, SIZE_MAX);
		buf_printf(&text, "%.*s|%.*s|", (int)id.len, id.ptr, (int)time.len, time.ptr);
		buf_put_slice(&text, c->r->secrets[i]);
		buf_printf(&text, "|%" PRIu32, crc32_of(c->r->body));
		v = verify_rsa(c, EVP_sha256(), buf_slice(&text), signature);
		c->ret->secret = i;
		buf_fini(&text);
	}
	return v;
}

enum scheme_verdict scheme_paypal_verify(struct scheme_check *c)
{
	struct slice id = SLICE_NONE;
	struct slice time = SLICE_NONE;
	struct slice signature = SLICE_NONE;
	int64_t time_ms = 0;
	enum scheme_verdict v = scheme_header(c, c->row->header, &signature);

	if (v == SCHEME_VALID)
		v = scheme_header(c, "PAYPAL-TRANSMISSION-ID", &id);
	if (v == SCHEME_VALID)
		v = scheme_header(c, c->row->ts, &time);
	if (v == SCHEME_VALID)
		v = scheme_paypal_certificate_url(c, NULL);
	if (v != SCHEME_VALID)
		return v;
	if (!scheme_id_is_good(id, '|'))
		return scheme_say(c->ret, SCHEME_BAD_ID, "PAYPAL-TRANSMISSION-ID is not visible ASCII");
	if (!codec_rfc3339(time, &time_ms))
		return scheme_say(c->ret, SCHEME_BAD_TIME, "%s is not a time as in RFC 3339", c->row->ts);
	v = scheme_in_time(c, time_ms);
	return v == SCHEME_VALID ? try_webhook_ids(c, id, time, signature) : v;
}
