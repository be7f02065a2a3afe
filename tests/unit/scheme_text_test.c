/* scheme_text_test.c - schemes that users describe: what is understood, and what is refused in words. */
#include "scheme_kit.h"

static const char body[] = "{\"a\":1}";

static void described_schemes_sign_and_verify(void **state)
{
	(void)state;
	static const struct { const char *text, *secret, *id; } cases[] = {
		{ "hmac-sha256 header=X-Sig", "s", "" },
		{ "hmac-sha256 header=X-Sig prefix=sha256= encoding=hex sign={ts}.{body} ts=X-Time tolerance=300", "s", "" },
		{ "hmac-sha1 header=X-Sig encoding=base64 sign={url}{body}", "s", "" },
		{ "hmac-sha512 header=X-Sig list=comma each=v1= ts=t= sign={ts}.{id}.{body} id=X-Id", "s", "m" },
		{ "hmac-sha384 header=X-Sig key=base64 ts=X-Time time=rfc3339 sign={body}{ts}", "czNjcjN0", "" },
		{ "hmac-sha256 header=X-Sig key=hex ts=X-Time time=ms sign=v0:{ts}:{body} window=past", "00ff", "" },
		{ "hmac-sha256 header=X-Sig key=whsec list=space each=v1, sign={body}", KIT_WHSEC, "" },
		{ "hmac-sha256   header=X-Sig sign=a%20b%25{body} ", "s", "" },
		{ "github header=X-Hocuspocus-Signature-256", "s", "" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit k;

		kit_init(&k, cases[i].text, cases[i].secret, body);
		kit_sign(&k, cases[i].id);
		assert_verdict(&k, SCHEME_VALID);
		k.r.body = SLICE_LIT("{\"a\":2}");
		assert_verdict(&k, SCHEME_NO_MATCH);
		kit_fini(&k);
	}
}

/* So that the signature is known to be what other programs make: RFC 4231, test 2. */
static void a_described_hmac_is_the_one_of_the_rfc(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "hmac-sha256 header=X-Sig", "Jefe", "what do ya want for nothing?");
	kit_header(&k, "x-sig", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_verdict(&k, SCHEME_VALID);
	kit_fini(&k);
}

static void an_ed25519_key_can_be_described_too(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "ed25519 header=X-Sig encoding=base64", KIT_ED_SEED, body);
	kit_sign(&k, "");
	k.secrets[0] = slice_of(KIT_ED_PUBLIC);
	assert_verdict(&k, SCHEME_VALID);
	kit_fini(&k);
}

static void a_token_can_be_described_too(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "token header=X-My-Token id=/n", "t0ken", "{\"n\": 4711}");
	kit_sign(&k, "");
	assert_verdict(&k, SCHEME_VALID);
	assert_string_equal(k.result.id, "4711");
	assert_true(slice_eq(scheme_secret_header(k.scheme), SLICE_LIT("X-My-Token")));
	k.secrets[0] = SLICE_LIT("other");
	assert_verdict(&k, SCHEME_NO_MATCH);
	kit_fini(&k);
}

static void what_does_not_hold_together_is_refused_in_words(void **state)
{
	(void)state;
	static const struct { const char *text, *why; } cases[] = {
		{ "", "there is no scheme" },
		{ "strip", "there is no scheme \"strip\"" },
		{ "hmac-md5 header=X", "there is no scheme" },
		{ "hmac-sha256", "needs header=" },
		{ "hmac-sha256 header", "it has no =" },
		{ "hmac-sha256 header=", "a header's name" },
		{ "hmac-sha256 header=X:Y", "a header's name" },
		{ "hmac-sha256 header=X heade=Y", "there is no option heade" },
		{ "hmac-sha256 header=X encoding=HEX", "hex, base64" },
		{ "hmac-sha256 header=X key=utf8", "text, base64" },
		{ "hmac-sha256 header=X list=|", "space, comma" },
		{ "hmac-sha256 header=X sign=", "made of" },
		{ "hmac-sha256 header=X sign={bdy}", "made of" },
		{ "hmac-sha256 header=X sign={body", "made of" },
		{ "hmac-sha256 header=X sign=hello", "sign has no {body}" },
		{ "mailgun sign={ts}.{id}", "sign has no {body}" },
		{ "hmac-sha256 header=X sign={ts}{body}", "ts= does not say" },
		{ "hmac-sha256 header=X sign={id}{body}", "id= does not say" },
		{ "hmac-sha256 header=X ts=X-Time", "is not signed" },
		{ "hmac-sha256 header=X tolerance=300", "no timestamp" },
		{ "hmac-sha256 header=X ts=/at", "number-ms" },
		{ "hmac-sha256 header=X sign={ts}.{body} ts=t=", "give list=" },
		{ "hmac-sha256 header=X sign={ts}.{body} ts=X-T tolerance=0", "1 to 2592000" },
		{ "hmac-sha256 header=X sign={ts}.{body} ts=X-T tolerance=-5", "1 to 2592000" },
		{ "hmac-sha256 header=X sign={ts}.{body} ts=X-T tolerance=5m", "1 to 2592000" },
		{ "hmac-sha256 header=X sign={ts}.{body} ts=X-T time=unix", "seconds, ms" },
		{ "hmac-sha256 header=X window=future", "both or past" },
		{ "hmac-sha256 header=X sign=%2", "hex digits" },
		{ "hmac-sha256 header=X prefix=caf\xc3\xa9", "printable" },
		{ "hmac-sha256 header=X prefix=%0d%0a", "printable" },
		{ "ed25519 header=X key=text", "ed25519" },
		{ "sns tolerance=5", "sns has no option tolerance" },
		{ "github require=@method", "github has no option require" },
		{ "rfc9421 alg=none", "RFC 9421" },
		{ "token", "needs header=: where the token is" },
		{ "token header=/value/0/clientState", "not in the body" },
		{ "gitlab prefix=Bearer%20", "gitlab has no option prefix" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scheme *s = NULL;
		struct err err = { .text = "" };

		if (scheme_new(slice_of(cases[i].text), &s, &err) != FISH_EINVAL)
			fail_msg("\"%s\" is let through", cases[i].text);
		assert_null(s);
		if (strstr(err.text, cases[i].why) == NULL)
			fail_msg("\"%s\": %s", cases[i].text, err.text);
	}
}

static void too_long_a_text_is_refused(void **state)
{
	(void)state;
	char text[SCHEME_TEXT_BYTES_MAX + 2];
	struct scheme *s = NULL;

	memset(text, ' ', sizeof(text));
	static const char name[] = "github";

	memcpy(text, name, sizeof(name) - 1);
	assert_int_equal(scheme_new((struct slice){ text, sizeof(text) - 1 }, &s, NULL), FISH_EINVAL);
	assert_int_equal(scheme_new((struct slice){ text, sizeof(text) - 2 }, &s, NULL), 0);
	scheme_free(s);
	assert_int_equal(scheme_new(SLICE_LIT("github\0"), &s, NULL), FISH_EINVAL);
	assert_int_equal(scheme_new(SLICE_NONE, &s, NULL), FISH_EINVAL);
}

static void a_secret_is_judged_without_being_shown(void **state)
{
	(void)state;
	static const struct { const char *scheme, *secret, *why; } cases[] = {
		{ "github", "", "empty" },
		{ "standard-webhooks", "whsec_", "empty" },
		{ "standard-webhooks", "whsec_hush-hush", "base64" },
		{ "standard-webhooks", "whsk_AAAA", "whpk_" },
		{ "standard-webhooks", "whpk_AAAA", "has 3 bytes" },
		{ "discord", "hushhush", "hex" },
		{ "discord", "abcd", "has 2 bytes" },
		{ "rfc9421", "hush!", "base64" },
		{ "rfc9421", "-----BEGIN PUBLIC KEY-----\nhush\n-----END PUBLIC KEY-----", "no public key" },
		{ "rfc9421 alg=ed25519", "c2VjcmV0", "ed25519" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scheme *s = kit_scheme(cases[i].scheme);
		struct err err = { .text = "" };

		assert_int_equal(scheme_check_secret(s, slice_of(cases[i].secret), &err), FISH_EINVAL);
		if (strstr(err.text, cases[i].why) == NULL || strstr(err.text, "hush") != NULL)
			fail_msg("%s: %s", cases[i].scheme, err.text);
		scheme_free(s);
	}
}

static void a_tolerance_of_the_text_counts(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "stripe tolerance=600", "s", body);
	kit_sign(&k, "");
	k.r.now_ms += 600 * 1000;
	assert_verdict(&k, SCHEME_VALID);
	k.r.now_ms += 1000;
	assert_verdict(&k, SCHEME_TOO_OLD);
	kit_fini(&k);
	kit_init(&k, "stripe tolerance=none", "s", body);
	kit_sign(&k, "");
	k.r.now_ms += INT64_C(100000000000);
	assert_verdict(&k, SCHEME_VALID);
	kit_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(described_schemes_sign_and_verify),
		cmocka_unit_test(a_described_hmac_is_the_one_of_the_rfc),
		cmocka_unit_test(a_token_can_be_described_too),
		cmocka_unit_test(an_ed25519_key_can_be_described_too),
		cmocka_unit_test(what_does_not_hold_together_is_refused_in_words),
		cmocka_unit_test(too_long_a_text_is_refused),
		cmocka_unit_test(a_secret_is_judged_without_being_shown),
		cmocka_unit_test(a_tolerance_of_the_text_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
