/* scheme_certificate_test.c - SNS and PayPal with a key and a certificate that are made here. */
#include "engine/sender.h"
#include "scheme_kit.h"
#include "wire/codec.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>

enum { PEM_SIZE = 4096, TEXT_SIZE = 4096 };

static EVP_PKEY *key;
static char certificate[PEM_SIZE];

static void make_certificate(EVP_PKEY *with, char ret_pem[PEM_SIZE])
{
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(X509_set_version(x, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, with);
	assert_true(X509_sign(x, with, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(bio, x), 1);
	int len = BIO_read(bio, ret_pem, PEM_SIZE - 1);

	assert_true(len > 0);
	ret_pem[len] = '\0';
	BIO_free(bio);
	X509_free(x);
}

static int make_key(void **state)
{
	(void)state;
	key = EVP_RSA_gen(2048);
	make_certificate(key, certificate);
	return 0;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

static void sign(struct buf *out, const EVP_MD *hash, const char *text)
{
	uint8_t signature[256];
	size_t len = sizeof(signature);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, hash, NULL, key), 1);
	assert_int_equal(EVP_DigestSign(ctx, signature, &len, (const uint8_t *)text, strlen(text)), 1);
	EVP_MD_CTX_free(ctx);
	codec_put_base64(out, signature, len);
}

/* ---- SNS ---- */

static const char pem_url[] = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-1.pem";
static const char notification[] = "Message\nhello\nMessageId\nid-1\nSubject\nwords\nTimestamp\n"
	"2012-05-02T00:54:06.655Z\nTopicArn\narn:1\nType\nNotification\n";

static void put_notification(struct buf *out, const char *version, const char *url, const char *message,
                             const char *subject, const EVP_MD *hash)
{
	buf_init(out, SIZE_MAX);
	buf_printf(out, "{\"Type\":\"Notification\",\"MessageId\":\"id-1\",\"TopicArn\":\"arn:1\","
	           "\"Message\":\"%s\",\"Subject\":\"%s\",\"Timestamp\":\"2012-05-02T00:54:06.655Z\","
	           "\"SignatureVersion\":\"%s\",\"SigningCertURL\":\"%s\",\"Signature\":\"",
	           message, subject, version, url);
	sign(out, hash, notification);
	buf_puts(out, "\"}");
}

static enum scheme_verdict judge(struct kit *k, const char *scheme, const struct buf *body)
{
	kit_init(k, scheme, "", body->ptr);
	k->r.nsecrets = 0;
	k->r.certificate = slice_of(certificate);
	return kit_verify(k);
}

static void sns_is_judged_by_its_version(void **state)
{
	(void)state;
	static const struct { const char *scheme, *version; int bits; enum scheme_verdict wanted; } cases[] = {
		{ "sns", "1", 1, SCHEME_VALID },        { "sns", "2", 256, SCHEME_VALID },
		{ "sns", "1", 256, SCHEME_NO_MATCH },   { "sns", "2", 1, SCHEME_NO_MATCH },
		{ "sns", "3", 256, SCHEME_ALGORITHM },  { "sns-v2", "2", 256, SCHEME_VALID },
		{ "sns-v2", "1", 1, SCHEME_ALGORITHM },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf body;
		struct kit k;

		put_notification(&body, cases[i].version, pem_url, "hello", "words",
		                 cases[i].bits == 1 ? EVP_sha1() : EVP_sha256());
		assert_int_equal(judge(&k, cases[i].scheme, &body), cases[i].wanted);
		if (cases[i].wanted == SCHEME_VALID) {
			assert_string_equal(k.result.id, "id-1");
			assert_int_equal(k.result.id_from, SCHEME_ID_SIGNED);
		}
		buf_fini(&body);
		kit_fini(&k);
	}
}

/* Was: whoever has an account with AWS could sign what was then taken for the program's own topic. */
static void sns_messages_are_of_the_senders_topic(void **state)
{
	(void)state;
	static const struct { const char *topic; enum sender_verdict wanted; } cases[] = {
		{ NULL, SENDER_DELIVERS }, { "arn:1", SENDER_DELIVERS }, { "arn:2", SENDER_FORGED }, { "arn:", SENDER_FORGED },
	};
	struct buf body;

	put_notification(&body, "2", pem_url, "hello", "words", EVP_sha256());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fish_sender f = { .name = "aws", .scheme = "sns-v2", .certificate = certificate, .token = cases[i].topic };
		struct sender_request q = { .r = { .method = SLICE_LIT("POST"), .body = buf_slice(&body) } };
		struct sender_fetch nobody = { .owner = NULL };
		struct handshake_answer a;
		struct sender_told told;
		struct senders s;

		assert_int_equal(senders_init(&s, &f, 1, NULL), 0);
		handshake_answer_init(&a);
		assert_int_equal(sender_judge(&s.all[0], &q, &nobody, &told, &a), cases[i].wanted);
		assert_int_equal(told.has_key, cases[i].wanted == SENDER_DELIVERS);
		assert_string_equal(told.why,
		                    told.has_key ? "" : "wrong-topic: TopicArn is not the one that is configured");
		handshake_answer_fini(&a);
		senders_fini(&s);
	}
	buf_fini(&body);
}

/* The same bytes are signed, but a line break would let words of one member pass for another member. */
static void sns_members_do_not_flow_into_each_other(void **state)
{
	(void)state;
	struct buf body;
	struct kit k;

	buf_init(&body, SIZE_MAX);
	buf_puts(&body, "{\"Type\":\"Notification\",\"MessageId\":\"id-1\\nSubject\\nwords\",\"TopicArn\":\"arn:1\","
	         "\"Message\":\"hello\",\"Timestamp\":\"2012-05-02T00:54:06.655Z\",\"SignatureVersion\":\"2\","
	         "\"SigningCertURL\":\"");
	buf_printf(&body, "%s\",\"Signature\":\"", pem_url);
	sign(&body, EVP_sha256(), notification);
	buf_puts(&body, "\"}");
	assert_int_equal(judge(&k, "sns", &body), SCHEME_BAD_BODY);
	buf_fini(&body);
	kit_fini(&k);
}

static void sns_certificates_come_from_its_own_hosts(void **state)
{
	(void)state;
	static const struct { const char *url; bool good; } cases[] = {
		{ "https://sns.eu-central-1.amazonaws.com/a.pem", true },
		{ "https://sns.cn-north-1.amazonaws.com.cn/a.pem", true },
		{ "https://sns.us-west-2.amazonaws.com:443/a.pem", true },
		{ "http://sns.us-west-2.amazonaws.com/a.pem", false },
		{ "https://sns.us-west-2.amazonaws.com:8443/a.pem", false },
		{ "https://sns.us-west-2.amazonaws.com/a.txt", false },
		{ "https://sns.us-west-2.amazonaws.com/a?b=.pem", false },
		{ "https://sns.us-west-2.amazonaws.com/a#.pem", false },
		{ "https://sns.ab.amazonaws.com/a.pem", false },
		{ "https://sns..amazonaws.com/a.pem", false },
		{ "https://sns.a.b.amazonaws.com/a.pem", false },
		{ "https://sns.amazonaws.com/a.pem", false },
		{ "https://sns.us-west-2.amazonaws.com.evil.test/a.pem", false },
		{ "https://evil.test/sns.us-west-2.amazonaws.com/a.pem", false },
		{ "https://sns.us-west-2.amazonaws.com@evil.test/a.pem", false },
		{ "https://u@sns.us-west-2.amazonaws.com/a.pem", false },
		{ "https://evil.test\\\\@sns.us-west-2.amazonaws.com/a.pem", false },
		{ "https://xsns.us-west-2.amazonaws.com/a.pem", false },
		{ "https://sns.us-west-2.xamazonaws.com/a.pem", false },
		{ "", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scheme_result result;
		struct buf body;
		struct buf url;
		struct kit k;

		put_notification(&body, "2", cases[i].url, "hello", "words", EVP_sha256());
		if (judge(&k, "sns", &body) != (cases[i].good ? SCHEME_VALID : SCHEME_BAD_CERT_URL))
			fail_msg("%s: %s", cases[i].url, k.result.why);
		buf_init(&url, SIZE_MAX);
		assert_int_equal(scheme_certificate_url(k.scheme, &k.r, &url, &result) == SCHEME_VALID,
		                 cases[i].good);
		assert_true(slice_eq(buf_slice(&url), slice_of(cases[i].good ? cases[i].url : "")));
		buf_fini(&url);
		buf_fini(&body);
		kit_fini(&k);
	}
}

static void a_certificate_that_is_none_is_said_to_be(void **state)
{
	(void)state;
	char weak[PEM_SIZE];
	EVP_PKEY *short_key = EVP_RSA_gen(1024);
	EVP_PKEY *other_kind = EVP_EC_gen("P-256");
	char other[PEM_SIZE];
	struct buf body;
	struct kit k;

	make_certificate(short_key, weak);
	make_certificate(other_kind, other);
	EVP_PKEY_free(short_key);
	EVP_PKEY_free(other_kind);
	const char *const bad[] = { "", "no certificate", weak, other };

	put_notification(&body, "2", pem_url, "hello", "words", EVP_sha256());
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(judge(&k, "sns", &body), SCHEME_VALID);
		k.r.certificate = slice_of(bad[i]);
		assert_verdict(&k, SCHEME_BAD_CERT);
		kit_fini(&k);
	}
	buf_fini(&body);
}

/* ---- PayPal ---- */

/* 891568578 is the CRC-32 of "abc". */
static void init_paypal(struct kit *k, struct buf *signature, const char *url)
{
	kit_init(k, "paypal", "WH-1", "abc");
	buf_init(signature, SIZE_MAX);
	sign(signature, EVP_sha256(), "tid|2025-06-15T15:06:40Z|WH-1|891568578");
	kit_header(k, "PAYPAL-TRANSMISSION-ID", "tid");
	kit_header(k, "PAYPAL-TRANSMISSION-TIME", "2025-06-15T15:06:40Z");
	kit_header(k, "PAYPAL-TRANSMISSION-SIG", signature->ptr);
	kit_header(k, "PAYPAL-AUTH-ALGO", "SHA256withRSA");
	kit_header(k, "PAYPAL-CERT-URL", url);
	k->r.certificate = slice_of(certificate);
}

static void paypal_signs_the_bodys_crc(void **state)
{
	(void)state;
	struct buf signature;
	struct kit k;

	init_paypal(&k, &signature, "https://api.paypal.com/v1/notifications/certs/CERT-1");
	assert_verdict(&k, SCHEME_VALID);
	assert_int_equal(k.result.skew_ms, 0);
	k.r.body = SLICE_LIT("abd");
	assert_verdict(&k, SCHEME_NO_MATCH);
	k.r.body = SLICE_LIT("abc");
	k.secrets[0] = SLICE_LIT("WH-2");
	assert_verdict(&k, SCHEME_NO_MATCH);
	k.secrets[1] = SLICE_LIT("WH-1");
	k.r.nsecrets = 2;
	assert_verdict(&k, SCHEME_VALID);
	k.headers[0].value = SLICE_LIT("t|d");
	assert_verdict(&k, SCHEME_BAD_ID);
	k.headers[0].value = SLICE_LIT("tid");
	k.headers[3].value = SLICE_LIT("SHA1withRSA");
	assert_verdict(&k, SCHEME_ALGORITHM);
	buf_fini(&signature);
	kit_fini(&k);
}

static void paypals_certificates_come_from_its_own_hosts(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"https://api.paypal.com.evil.test/c", "https://evil.test/api.paypal.com", "http://api.paypal.com/c",
		"https://www.paypal.com/c", "https://api.paypal.com@evil.test/c",
	};
	struct buf signature;
	struct kit k;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		init_paypal(&k, &signature, bad[i]);
		assert_verdict(&k, SCHEME_BAD_CERT_URL);
		buf_fini(&signature);
		kit_fini(&k);
	}
	init_paypal(&k, &signature, "https://api.sandbox.paypal.com/c");
	assert_verdict(&k, SCHEME_VALID);
	buf_fini(&signature);
	kit_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sns_is_judged_by_its_version),
		cmocka_unit_test(sns_messages_are_of_the_senders_topic),
		cmocka_unit_test(sns_members_do_not_flow_into_each_other),
		cmocka_unit_test(sns_certificates_come_from_its_own_hosts),
		cmocka_unit_test(a_certificate_that_is_none_is_said_to_be),
		cmocka_unit_test(paypal_signs_the_bodys_crc),
		cmocka_unit_test(paypals_certificates_come_from_its_own_hosts),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}
