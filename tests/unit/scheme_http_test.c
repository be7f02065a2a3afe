/* scheme_http_test.c - HTTP Message Signatures: every algorithm, every component, and the policy. */
#include "scheme_kit.h"
#include "wire/codec.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>

static const char secret[] = "c2VjcmV0IHNlY3JldCBzZWNyZXQ=";
static const char body[] = "{\"a\":1}";

enum { PEM_SIZE = 4096 };

static void pem_of(EVP_PKEY *key, char private_pem[PEM_SIZE], char public_pem[PEM_SIZE])
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	int len = BIO_read(bio, private_pem, PEM_SIZE - 1);

	assert_true(len > 0);
	private_pem[len] = '\0';
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	len = BIO_read(bio, public_pem, PEM_SIZE - 1);
	assert_true(len > 0);
	public_pem[len] = '\0';
	BIO_free(bio);
	EVP_PKEY_free(key);
}

static void every_algorithm_signs_and_verifies(void **state)
{
	(void)state;
	const struct { const char *scheme; EVP_PKEY *key; } cases[] = {
		{ "rfc9421", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") },
		{ "rfc9421", EVP_EC_gen("P-256") },
		{ "rfc9421 alg=ecdsa-p384-sha384", EVP_EC_gen("P-384") },
		{ "rfc9421", EVP_RSA_gen(2048) },
		{ "rfc9421 alg=rsa-v1_5-sha256", EVP_RSA_gen(2048) },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char private_pem[PEM_SIZE];
		char public_pem[PEM_SIZE];
		struct kit k;

		pem_of(cases[i].key, private_pem, public_pem);
		kit_init(&k, cases[i].scheme, private_pem, body);
		kit_header(&k, "Content-Type", "application/json");
		kit_sign(&k, "nonce-1");
		k.secrets[0] = slice_of(public_pem);
		assert_verdict(&k, SCHEME_VALID);
		assert_string_equal(k.result.id, "nonce-1");
		/* A key of one kind is never used as another's. */
		k.secrets[0] = slice_of(secret);
		assert_verdict(&k, SCHEME_ALGORITHM);
		k.secrets[0] = slice_of(public_pem);
		k.r.method = SLICE_LIT("PUT");
		assert_verdict(&k, SCHEME_NO_MATCH);
		kit_fini(&k);
	}
}

static void a_key_of_another_curve_is_none(void **state)
{
	(void)state;
	char private_pem[PEM_SIZE];
	char public_pem[PEM_SIZE];
	struct scheme *s = kit_scheme("rfc9421");
	struct err err = { .text = "" };

	pem_of(EVP_EC_gen("P-521"), private_pem, public_pem);
	assert_int_equal(scheme_check_secret(s, slice_of(public_pem), &err), FISH_EINVAL);
	assert_non_null(strstr(err.text, "P-384"));
	scheme_free(s);
}

/* ---- components ---- */

/* Makes a request whose signature is right for a base that the test writes itself. */
static void init_based(struct kit *k, struct buf *lines, const char *input, const char *base)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t len = 0;

	kit_init(k, "rfc9421 require=none", secret, body);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, "secret secret secret", 20,
	                          (const uint8_t *)base, strlen(base), mac, sizeof(mac), &len));
	buf_init(lines, SIZE_MAX);
	buf_puts(lines, "x=:");
	codec_put_base64(lines, mac, len);
	buf_puts(lines, ":");
	kit_header(k, "Signature-Input", input);
	kit_header(k, "Signature", lines->ptr);
}

static void components_are_as_the_rfc_writes_them(void **state)
{
	(void)state;
	static const char url[] = "https://WWW.Example.com:443/path?param=value&foo=bar&baz=batman&qux="
		"&bar=with+plus%20whitespace&fa%C3%A7ade%22%3A%20=something";
	static const struct { const char *input, *line; } cases[] = {
		{ "\"@method\"", "\"@method\": POST" },
		{ "\"@authority\"", "\"@authority\": www.example.com" },
		{ "\"@scheme\"", "\"@scheme\": https" },
		{ "\"@path\"", "\"@path\": /path" },
		{ "\"@query-param\";name=\"baz\"", "\"@query-param\";name=\"baz\": batman" },
		{ "\"@query-param\";name=\"qux\"", "\"@query-param\";name=\"qux\": " },
		{ "\"@query-param\";name=\"bar\"", "\"@query-param\";name=\"bar\": with%20plus%20whitespace" },
		{ "\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\"",
		  "\"@query-param\";name=\"fa%C3%A7ade%22%3A%20\": something" },
		{ "\"x-twice\"", "\"x-twice\": one, two,  three" },
		{ "\"x-twice\";bs", "\"x-twice\";bs: :b25l:, :dHdvLCAgdGhyZWU=:" },
		{ "\"x-empty\"", "\"x-empty\": " },
		{ "\"x-folded\"", "\"x-folded\": max-age=60, must-revalidate" },
		{ "\"x-dict\"", "\"x-dict\": a=1,    b=2;x=1;y=2,   c=(a   b   c)" },
		{ "\"x-dict\";key=\"a\"", "\"x-dict\";key=\"a\": 1" },
		{ "\"x-dict\";key=\"b\"", "\"x-dict\";key=\"b\": 2;x=1;y=2" },
		{ "\"x-dict\";key=\"c\"", "\"x-dict\";key=\"c\": (a b c)" },
		{ "\"priority\";sf", "\"priority\";sf: u=1, i" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char input[200];
		char base[400];
		struct buf lines;
		struct kit k;

		snprintf(input, sizeof(input), "x=(%s);keyid=\"k\"", cases[i].input);
		snprintf(base, sizeof(base), "%s\n\"@signature-params\": (%s);keyid=\"k\"", cases[i].line,
		         cases[i].input);
		init_based(&k, &lines, input, base);
		k.r.url = slice_of(url);
		kit_header(&k, "X-Twice", "  one  ");
		kit_header(&k, "x-twice", "two,  three");
		kit_header(&k, "X-Empty", "");
		kit_header(&k, "X-Folded", "max-age=60, \r\n   must-revalidate");
		kit_header(&k, "X-Dict", " a=1,    b=2;x=1;y=2,   c=(a   b   c)");
		kit_header(&k, "Priority", "u=1  ,  i");
		assert_verdict(&k, SCHEME_VALID);
		buf_fini(&lines);
		kit_fini(&k);
	}
}

static void a_url_without_path_and_query_has_both_signed(void **state)
{
	(void)state;
	static const char input[] = "x=(\"@path\" \"@query\" \"@request-target\" \"@target-uri\")";
	static const char base[] = "\"@path\": /\n\"@query\": ?\n\"@request-target\": /\n"
		"\"@target-uri\": https://example.com\n"
		"\"@signature-params\": (\"@path\" \"@query\" \"@request-target\" \"@target-uri\")";
	struct buf lines;
	struct kit k;

	init_based(&k, &lines, input, base);
	k.r.url = SLICE_LIT("https://example.com");
	assert_verdict(&k, SCHEME_VALID);
	buf_fini(&lines);
	kit_fini(&k);
}

static void what_is_unknown_or_not_there_refuses_all(void **state)
{
	(void)state;
	static const char *const inputs[] = {
		"\"@method\" \"@method\"", "\"@nothing\"", "\"@status\"", "\"x-missing\"", "\"X-Here\"",
		"\"x-here\";req", "\"x-here\";tr", "\"x-here\";other", "\"x-here\";sf", "\"x-here\";bs;sf",
		"\"x-here\";key=\"a\"", "\"x-here\";key=a", "\"x-here\";bs=?0", "\"@method\";bs", "\"\"",
		"\"@query-param\"", "\"@query-param\";name=\"none\"", "\"@query-param\";name=\"id\";bs",
		"\"@query-param\";name=\"two\"", "x-here", "1", "\"x-latin\"", "\"x-break\"", "\"@signature-params\"",
	};
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
		char input[200];
		struct buf lines;
		struct kit k;

		snprintf(input, sizeof(input), "x=(%s)", inputs[i]);
		init_based(&k, &lines, input, "");
		k.r.url = SLICE_LIT("https://example.com/?id=1&two=1&two=2");
		kit_header(&k, "X-Here", "\"a");
		kit_header(&k, "X-Latin", "caf\xe9");
		kit_header(&k, "X-Break", "a\nb");
		if (kit_verify(&k) != SCHEME_BAD_HEADER)
			fail_msg("%s: %s", input, scheme_verdict_name(k.result.verdict));
		buf_fini(&lines);
		kit_fini(&k);
	}
}

static void a_label_or_a_kind_that_does_not_fit_is_no_signature(void **state)
{
	(void)state;
	static const struct { const char *input, *signature; enum scheme_verdict wanted; } cases[] = {
		{ "x=(\"@method\")", "y=:AAAA:", SCHEME_BAD_HEADER },
		{ "x=(\"@method\")", "x=\"AAAA\"", SCHEME_BAD_HEADER },
		{ "x=\"@method\"", "x=:AAAA:", SCHEME_BAD_HEADER },
		{ "x=(\"@method\"", "x=:AAAA:", SCHEME_BAD_HEADER },
		{ "x=(\"@method\")", "x=:AAA:", SCHEME_BAD_HEADER },
		{ "x=(\"@method\")", "x=:AAAA:", SCHEME_NO_MATCH },
		{ "x=(\"@method\");alg=\"ed25519\"", "x=:AAAA:", SCHEME_ALGORITHM },
		{ "x=(\"@method\");alg=hmac", "x=:AAAA:", SCHEME_ALGORITHM },
		{ "x=(\"@method\");created=\"1\"", "x=:AAAA:", SCHEME_BAD_TIME },
		{ "x=(\"@method\");created=1", "x=:AAAA:", SCHEME_TOO_OLD },
		{ "x=(\"@method\");expires=1749999999", "x=:AAAA:", SCHEME_TOO_OLD },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit k;

		kit_init(&k, "rfc9421 require=none", secret, body);
		kit_header(&k, "Signature-Input", cases[i].input);
		kit_header(&k, "Signature", cases[i].signature);
		assert_verdict(&k, cases[i].wanted);
		kit_fini(&k);
	}
}

/* ---- policy and digest ---- */

static void the_usual_policy_wants_all_that_matters_covered(void **state)
{
	(void)state;
	static const struct { const char *input, *left_out; } cases[] = {
		{ "x=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \"content-type\")", "created" },
		{ "x=(\"@authority\" \"@path\" \"@query\");created=1750000000", "@method" },
		{ "x=(\"@method\" \"@request-target\");created=1750000000", "@authority" },
		{ "x=(\"@method\" \"@authority\" \"@path\");created=1750000000", "@query" },
		{ "x=(\"@method\" \"@target-uri\");created=1750000000", "content-digest" },
		{ "x=(\"@method\" \"@target-uri\" \"content-digest\");created=1750000000", "content-type" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit k;

		kit_init(&k, "rfc9421", secret, body);
		kit_header(&k, "Signature-Input", cases[i].input);
		kit_header(&k, "Signature", "x=:AAAA:");
		assert_verdict(&k, SCHEME_NOT_COVERED);
		assert_non_null(strstr(k.result.why, cases[i].left_out));
		kit_fini(&k);
	}
}

static void a_digest_that_is_covered_is_of_the_body(void **state)
{
	(void)state;
	static const char right[] = "sha-256=:AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=:";
	static const struct { const char *digest; enum scheme_verdict wanted; } cases[] = {
		{ "md5=:AAAA:", SCHEME_BAD_DIGEST },
		{ "sha-256=AAAA", SCHEME_BAD_DIGEST },
		{ "sha-256=:AAAA:", SCHEME_BAD_DIGEST },
		{ "sha-256", SCHEME_BAD_DIGEST },
		{ "", SCHEME_BAD_DIGEST },
		{ "sha-256=:AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=:, sha-512=:AAAA:", SCHEME_BAD_DIGEST },
		{ "sha-256=:AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=:, md5=:AAAA:", SCHEME_VALID },
		{ NULL, SCHEME_VALID },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *digest = cases[i].digest == NULL ? right : cases[i].digest;
		char base[300];
		struct buf lines;
		struct kit k;

		snprintf(base, sizeof(base), "\"content-digest\": %s\n\"@signature-params\": (\"content-digest\")",
		         digest);
		init_based(&k, &lines, "x=(\"content-digest\")", base);
		kit_header(&k, "Content-Digest", digest);
		assert_verdict(&k, cases[i].wanted);
		buf_fini(&lines);
		kit_fini(&k);
	}
}

/* The member of a known kind is there, but not signed: anybody could have put it there. */
static void a_digest_of_an_unknown_kind_covers_nothing(void **state)
{
	(void)state;
	struct buf lines;
	struct kit k;

	init_based(&k, &lines, "x=(\"content-digest\";key=\"md5\")",
	           "\"content-digest\";key=\"md5\": :AAAA:\n"
	           "\"@signature-params\": (\"content-digest\";key=\"md5\")");
	kit_header(&k, "Content-Digest", "sha-256=:AVq9f1zFei3ZS3WQ8ErYCEJzkF7jPsXOvq5iJ2qX+GI=:, md5=:AAAA:");
	assert_verdict(&k, SCHEME_NOT_COVERED);
	buf_fini(&lines);
	kit_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_algorithm_signs_and_verifies),
		cmocka_unit_test(a_key_of_another_curve_is_none),
		cmocka_unit_test(components_are_as_the_rfc_writes_them),
		cmocka_unit_test(a_url_without_path_and_query_has_both_signed),
		cmocka_unit_test(what_is_unknown_or_not_there_refuses_all),
		cmocka_unit_test(a_label_or_a_kind_that_does_not_fit_is_no_signature),
		cmocka_unit_test(the_usual_policy_wants_all_that_matters_covered),
		cmocka_unit_test(a_digest_that_is_covered_is_of_the_body),
		cmocka_unit_test(a_digest_of_an_unknown_kind_covers_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
