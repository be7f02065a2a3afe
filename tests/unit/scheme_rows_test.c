/* scheme_rows_test.c - every scheme of the table: what it signs it verifies, and nothing that was bent. */
#include "scheme_kit.h"

#include <stdio.h>

static const char body[] =
	"{\"id\":\"evt_1\",\"event_id\":\"evt_1\",\"update_id\":\"evt_1\",\"webhookTimestamp\":1750000000000}";

/* A secret to sign with, and what verifies it. */
static const char *signer_of(const struct scheme_about *a)
{
	if (strstr(a->key, "whsec_") != NULL)
		return KIT_WHSEC;
	if (strcmp(a->key, "hex") == 0)
		return KIT_ED_SEED;
	return strncmp(a->key, "base64", 6) == 0 ? "c2VjcmV0IHNlY3JldCBzZWNyZXQ=" : "s3cr3t";
}

static const char *verifier_of(const struct scheme_about *a)
{
	return strcmp(a->key, "hex") == 0 ? KIT_ED_PUBLIC : signer_of(a);
}

/* Mailgun leaves its event unsigned, who sends a token along leaves all. */
static bool signs_body(const struct scheme_about *a)
{
	return strcmp(a->name, "mailgun") != 0 && strcmp(a->sign, "nothing") != 0;
}

static bool can_be_signed(const struct scheme_about *a)
{
	return strncmp(a->name, "sns", 3) != 0 && strcmp(a->name, "paypal") != 0;
}

static void init_signed(struct kit *k, const struct scheme_about *a)
{
	bool mailgun = strcmp(a->name, "mailgun") == 0;

	kit_init(k, a->name, signer_of(a), body);
	if (strcmp(a->name, "rfc9421") == 0)
		kit_header(k, "Content-Type", "application/json");
	kit_sign(k, strstr(a->sign, "{id}") != NULL ? "msg_1" : "");
	k->secrets[0] = slice_of(verifier_of(a));
	assert_true(mailgun ? k->body.len > 0 : k->r.nheaders > 0);
}

static void what_a_scheme_signs_it_verifies(void **state)
{
	(void)state;
	struct scheme_about a;
	size_t schemes = 0;

	for (size_t i = 0; scheme_about(i, &a); i++) {
		struct kit k;

		if (!can_be_signed(&a))
			continue;
		init_signed(&k, &a);
		assert_verdict(&k, SCHEME_VALID);
		assert_int_equal(k.result.has_skew, a.ts[0] != '\0');
		assert_int_equal(k.result.skew_ms, 0);
		if (strstr(a.sign, "{id}") != NULL)
			assert_string_equal(k.result.id, "msg_1");
		else if (a.id[0] == '/')
			assert_string_equal(k.result.id, "evt_1");
		assert_int_equal(k.result.id_from == SCHEME_ID_SIGNED, k.result.id_len > 0);
		kit_fini(&k);
		schemes++;
	}
	assert_true(schemes > 25);
}

/* A text that is bent at one place at a time: by a byte that stands nowhere, and by its lowest bit. */
static void each_bend_is_refused(struct kit *k, char *text, size_t len, size_t bits_from)
{
	for (size_t i = 0; i < len; i++) {
		char was = text[i];

		text[i] = '!';
		if (was != '!' && kit_verify(k) == SCHEME_VALID)
			fail_msg("%s: valid without byte %zu of %.*s", scheme_name(k->scheme), i, (int)len, text);
		text[i] = (char)(was ^ 1);
		if (i >= bits_from && kit_verify(k) == SCHEME_VALID)
			fail_msg("%s: valid with byte %zu of %.*s changed", scheme_name(k->scheme), i, (int)len, text);
		text[i] = was;
	}
}

/* The number in "v1=" may be any; signatures are at the end. */
enum { SIGNATURE_CHARS_MIN = 28 };

static void each_bent_header_is_refused(void **state)
{
	(void)state;
	struct scheme_about a;

	for (size_t i = 0; scheme_about(i, &a); i++) {
		struct kit k;

		if (!can_be_signed(&a))
			continue;
		init_signed(&k, &a);
		for (size_t j = 0; j < k.r.nheaders; j++) {
			struct slice value = k.headers[j].value;
			bool in_lines = value.ptr >= k.lines.ptr && value.ptr < k.lines.ptr + k.lines.len;
			char *text = in_lines ? k.lines.ptr + (value.ptr - k.lines.ptr) : NULL;

			if (in_lines)
				each_bend_is_refused(&k, text, value.len,
				                     value.len > SIGNATURE_CHARS_MIN ? value.len - SIGNATURE_CHARS_MIN : 0);
		}
		assert_verdict(&k, SCHEME_VALID);
		kit_fini(&k);
	}
}

static void each_changed_body_is_refused(void **state)
{
	(void)state;
	struct scheme_about a;

	for (size_t i = 0; scheme_about(i, &a); i++) {
		char bent[sizeof(body)];
		struct kit k;

		if (!can_be_signed(&a) || !signs_body(&a))
			continue;
		init_signed(&k, &a);
		for (size_t j = 0; j < sizeof(body) - 1; j++) {
			memcpy(bent, body, sizeof(body));
			bent[j] ^= 1;
			k.r.body = slice_of(bent);
			if (kit_verify(&k) == SCHEME_VALID)
				fail_msg("%s: valid with another body: %s", a.name, bent);
			assert_int_equal(k.result.id_len, 0);
		}
		k.r.body = (struct slice){ body, sizeof(body) - 2 };
		assert_true(kit_verify(&k) != SCHEME_VALID);
		kit_fini(&k);
	}
}

static void each_header_must_be_there_once(void **state)
{
	(void)state;
	struct scheme_about a;

	for (size_t i = 0; scheme_about(i, &a); i++) {
		struct kit k;

		if (!can_be_signed(&a))
			continue;
		init_signed(&k, &a);
		size_t headers = k.r.nheaders;

		for (size_t j = 0; j < headers; j++) {
			struct http1_field was = k.headers[j];

			if (slice_eq(was.name, SLICE_LIT("Content-Type")))
				continue;
			k.headers[headers] = was;
			k.r.nheaders = headers + 1;
			if (!slice_eq(was.name, SLICE_LIT("Content-Digest")))
				assert_verdict(&k, SCHEME_REPEATED);
			k.r.nheaders = headers;
			k.headers[j].name = SLICE_LIT("X-Other");
			assert_true(kit_verify(&k) != SCHEME_VALID);
			k.headers[j] = was;
			k.headers[j].value = SLICE_LIT("");
			assert_true(kit_verify(&k) != SCHEME_VALID);
			k.headers[j] = was;
		}
		assert_verdict(&k, SCHEME_VALID);
		kit_fini(&k);
	}
}

static void another_secret_is_refused_and_several_are_tried(void **state)
{
	(void)state;
	struct scheme_about a;

	for (size_t i = 0; scheme_about(i, &a); i++) {
		bool turns = strcmp(a.name, "box") == 0;   /* the place of a secret is its header */
		struct kit k;

		if (!can_be_signed(&a))
			continue;
		init_signed(&k, &a);
		struct slice good = k.secrets[0];

		k.secrets[0] = slice_of(strcmp(a.key, "hex") == 0 ? KIT_ED_SEED : "b3RoZXI=");
		assert_true(kit_verify(&k) != SCHEME_VALID);
		k.secrets[1] = SLICE_LIT("");
		k.secrets[2] = good;
		k.r.nsecrets = 3;
		assert_verdict(&k, SCHEME_VALID);
		assert_int_equal(k.result.secret, 2);
		k.r.nsecrets = 0;
		assert_verdict(&k, SCHEME_BAD_SECRET);
		k.secrets[0] = SLICE_LIT("");
		k.r.nsecrets = 1;
		assert_verdict(&k, SCHEME_BAD_SECRET);
		k.secrets[1] = good;
		k.r.nsecrets = 2;
		assert_int_equal(kit_verify(&k) == SCHEME_VALID, !turns);
		kit_fini(&k);
	}
}

static void the_window_of_time_is_kept_to_the_second(void **state)
{
	(void)state;
	struct scheme_about a;

	for (size_t i = 0; scheme_about(i, &a); i++) {
		int64_t window_ms = a.tolerance_s * INT64_C(1000);
		struct kit k;

		if (!can_be_signed(&a) || a.ts[0] == '\0' || window_ms == 0)
			continue;
		init_signed(&k, &a);
		k.r.now_ms = KIT_NOW_MS + window_ms;
		assert_verdict(&k, SCHEME_VALID);
		assert_int_equal(k.result.skew_ms, window_ms);
		k.r.now_ms = KIT_NOW_MS + window_ms + 1000;
		assert_verdict(&k, SCHEME_TOO_OLD);
		k.r.now_ms = KIT_NOW_MS - window_ms - 1000;
		assert_verdict(&k, a.past_only ? SCHEME_VALID : SCHEME_TOO_NEW);
		k.r.tolerance_ms = SCHEME_TOLERANCE_NONE;
		assert_verdict(&k, SCHEME_VALID);
		k.r.tolerance_ms = 1;
		k.r.now_ms = KIT_NOW_MS + 1000;
		assert_verdict(&k, SCHEME_TOO_OLD);
		kit_fini(&k);
	}
}

/* ---- single schemes ---- */

/* What a forger could put in the id to shift what follows. */
static void an_id_holds_no_separator_and_is_not_endless(void **state)
{
	(void)state;
	static const char *const bad[] = { "msg.1", "msg 1", "m\xc3\xa9", "msg\n1" };
	char long_id[SCHEME_ID_BYTES_MAX + 2];
	struct err err = { .text = "" };
	struct kit k;

	memset(long_id, 'x', sizeof(long_id) - 1);
	long_id[sizeof(long_id) - 1] = '\0';
	kit_init(&k, "standard-webhooks", KIT_WHSEC, body);
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const char *id = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : long_id;

		assert_int_equal(scheme_sign(k.scheme, &k.r, slice_of(id), &k.lines, &k.body, &err), FISH_EINVAL);
		assert_int_equal(k.lines.len, 0);
	}
	kit_sign(&k, "msg_1");
	for (size_t i = 0; i < k.r.nheaders; i++)
		if (slice_eq(k.headers[i].name, SLICE_LIT("webhook-id")))
			k.headers[i].value = SLICE_LIT("msg_1.1750000000");
	assert_verdict(&k, SCHEME_BAD_ID);
	kit_fini(&k);
}

static void a_header_has_sixteen_signatures_at_most(void **state)
{
	(void)state;
	static const char other[] = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ";
	struct buf many;
	struct kit k;

	kit_init(&k, "standard-webhooks", KIT_WHSEC, body);
	kit_sign(&k, "msg_1");
	assert_true(slice_eq(k.headers[0].name, SLICE_LIT("webhook-signature")));
	buf_init(&many, SIZE_MAX);
	for (int i = 0; i < SCHEME_SIGNATURES_MAX - 1; i++)
		buf_puts(&many, other);
	buf_put_slice(&many, k.headers[0].value);
	k.headers[0].value = buf_slice(&many);
	assert_verdict(&k, SCHEME_VALID);
	buf_puts(&many, " v2,x");
	k.headers[0].value = buf_slice(&many);
	assert_verdict(&k, SCHEME_TOO_MANY);
	buf_fini(&many);
	kit_fini(&k);
}

static void a_sender_that_rolls_its_secret_lists_both(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "stripe", "whsec_new", body);
	k.secrets[1] = SLICE_LIT("whsec_old");
	k.r.nsecrets = 2;
	kit_sign(&k, "");
	k.secrets[0] = SLICE_LIT("whsec_old");
	k.r.nsecrets = 1;
	assert_verdict(&k, SCHEME_VALID);
	k.secrets[0] = SLICE_LIT("whsec_older");
	assert_verdict(&k, SCHEME_NO_MATCH);
	kit_fini(&k);
}

/* The key's kind decides what is looked at, never the header. */
static void webhooks_of_both_kinds_stand_side_by_side(void **state)
{
	(void)state;
	static const char private_key[] = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEK"
		"t9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
	static const char public_key[] = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
	struct kit k;

	kit_init(&k, "standard-webhooks", private_key, body);
	kit_sign(&k, "msg_1");
	assert_verdict(&k, SCHEME_BAD_SECRET);
	k.secrets[0] = slice_of(public_key);
	assert_verdict(&k, SCHEME_VALID);
	k.secrets[0] = slice_of(KIT_WHSEC);
	assert_verdict(&k, SCHEME_ALGORITHM);
	kit_fini(&k);
	kit_init(&k, "standard-webhooks", private_key, body);
	k.secrets[1] = slice_of(KIT_WHSEC);
	k.r.nsecrets = 2;
	kit_sign(&k, "msg_1");
	k.r.nsecrets = 1;
	k.secrets[0] = slice_of(KIT_WHSEC);
	assert_verdict(&k, SCHEME_VALID);
	k.secrets[0] = slice_of(public_key);
	assert_verdict(&k, SCHEME_VALID);
	kit_fini(&k);
}

static void svix_is_also_sent_under_the_other_names(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "standard-webhooks", KIT_WHSEC, body);
	kit_sign(&k, "msg_1");
	scheme_free(k.scheme);
	k.scheme = kit_scheme("svix");
	assert_verdict(&k, SCHEME_VALID);
	assert_string_equal(k.result.id, "msg_1");
	/* As soon as one name of the first set is there, that set counts. */
	kit_header(&k, "svix-id", "msg_2");
	assert_verdict(&k, SCHEME_NO_HEADER);
	kit_fini(&k);
}

/* Without a separator digits of the time could pass for the token's, and so for a new delivery. */
static void mailguns_time_and_token_do_not_flow_into_each_other(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "mailgun", "key-1", "");
	kit_sign(&k, "0abc");
	assert_verdict(&k, SCHEME_VALID);
	char *digits = strstr(k.body.ptr, "1750000000\",\"token\":\"0abc");

	assert_non_null(digits);
	/* One digit goes over: the same bytes are signed, and the token is another. */
	static const char shifted[] = "175000000\",\"token\":\"00abc";

	memcpy(digits, shifted, sizeof(shifted) - 1);
	assert_verdict(&k, SCHEME_BAD_TIME);
	kit_fini(&k);
}

static void an_id_of_an_unsigned_header_says_so(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "github", "s", body);
	kit_sign(&k, "guid-1");
	assert_verdict(&k, SCHEME_VALID);
	assert_string_equal(k.result.id, "guid-1");
	assert_int_equal(k.result.id_from, SCHEME_ID_UNSIGNED);
	kit_header(&k, "X-GitHub-Delivery", "guid-2");
	assert_verdict(&k, SCHEME_VALID);
	assert_int_equal(k.result.id_from, SCHEME_ID_NONE);
	assert_int_equal(k.result.id_len, 0);
	kit_fini(&k);
}

static void websub_takes_its_four_methods_and_no_fifth(void **state)
{
	(void)state;
	static const char *const methods[] = { "websub-sha1", "websub-sha256", "websub-sha384", "websub-sha512" };

	for (size_t i = 0; i < 4; i++) {
		struct kit k;

		kit_init(&k, methods[i], "s", body);
		kit_sign(&k, "");
		scheme_free(k.scheme);
		k.scheme = kit_scheme("websub");
		assert_verdict(&k, SCHEME_VALID);
		scheme_free(k.scheme);
		k.scheme = kit_scheme(methods[(i + 1) % 4]);
		assert_true(kit_verify(&k) != SCHEME_VALID);
		kit_fini(&k);
	}
	struct kit k;

	kit_init(&k, "websub", "s", body);
	kit_header(&k, "X-Hub-Signature", "md5=0db606000d61e84d66a34c7347aff0f8");
	assert_verdict(&k, SCHEME_ALGORITHM);
	kit_fini(&k);
}

/* The example of Twilio's own documents: parameters in any order, each value of a name once. */
static void twilio_signs_a_sorted_set_of_parameters(void **state)
{
	(void)state;
	static const char *const forms[] = {
		"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
		"To=%2B18005551212&From=%2b14158675309&Digits=%31234&Caller=%2B14158675309&CallSid=CA1234567890ABCDE",
		"&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212&Digits=1234",
	};
	static const char *const urls[] = {
		"https://mycompany.com/myapp.php?foo=1&bar=2", "https://mycompany.com:8443/myapp.php?foo=1&bar=2",
		"HTTPS://MyCompany.com:443/myapp.php?foo=1&bar=2",
	};
	for (size_t i = 0; i < 9; i++) {
		struct kit k;

		kit_init(&k, "twilio", "12345", forms[i % 3]);
		k.r.url = slice_of(urls[i / 3]);
		kit_header(&k, "X-Twilio-Signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
		assert_verdict(&k, SCHEME_VALID);
		k.r.url = SLICE_LIT("https://mycompany.com/myapp.php?foo=1&bar=3");
		assert_verdict(&k, SCHEME_NO_MATCH);
		kit_fini(&k);
	}
}

/* Which of two would be the signed one? */
static void a_list_has_one_timestamp(void **state)
{
	(void)state;
	struct buf twice;
	struct kit k;

	kit_init(&k, "stripe", "s", body);
	kit_sign(&k, "");
	buf_init(&twice, SIZE_MAX);
	buf_put_slice(&twice, k.headers[0].value);
	buf_puts(&twice, ",t=1750000000");
	k.headers[0].value = buf_slice(&twice);
	assert_verdict(&k, SCHEME_BAD_HEADER);
	buf_fini(&twice);
	kit_fini(&k);
}

/* A body that the form does not cover is not let through beside a good signature of the URL. */
static void twilio_covers_every_body(void **state)
{
	(void)state;
	struct kit k;

	kit_init(&k, "twilio", "token", "");
	kit_sign(&k, "");
	assert_verdict(&k, SCHEME_VALID);
	k.r.body = SLICE_LIT("&&");
	assert_verdict(&k, SCHEME_BAD_BODY);
	kit_header(&k, "Content-Type", "application/json");
	k.r.body = SLICE_LIT("{}");
	assert_verdict(&k, SCHEME_NOT_COVERED);
	k.r.url = SLICE_LIT("/h/x");
	assert_verdict(&k, SCHEME_BAD_URL);
	kit_fini(&k);
}

static void json_as_deep_as_a_forger_likes_is_not_read(void **state)
{
	(void)state;
	enum { DEEP = 100000 };
	char *deep = xalloc(DEEP + 1);
	struct kit k;

	memset(deep, '[', DEEP);
	kit_init(&k, "mailgun", "s", deep);
	assert_verdict(&k, SCHEME_BAD_BODY);
	kit_fini(&k);
	kit_init(&k, "sns", "", deep);
	assert_verdict(&k, SCHEME_BAD_BODY);
	kit_fini(&k);
	free(deep);
}

/* The secret itself is sent along: it matches whole or not at all, and can be what a header can carry. */
static void a_token_is_compared_whole(void **state)
{
	(void)state;
	static const char *const others[] = { "t0ken-1", "t0ken-12", "t0ken-1234", "T0KEN-123", "x", "t0ken-124" };
	static const char *const unfit[] = { "", " t0ken", "t0ken ", "t0\tken", "t0ken\n", "t0\x7fken" };
	struct err err = { .text = "" };
	struct kit k;

	kit_init(&k, "gitlab", "t0ken-123", body);
	kit_header(&k, "x-gitlab-token", "t0ken-123");
	kit_header(&k, "X-Gitlab-Event-UUID", "e-1");
	assert_verdict(&k, SCHEME_VALID);
	assert_string_equal(k.result.id, "e-1");
	assert_int_equal(k.result.id_from, SCHEME_ID_UNSIGNED);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		k.headers[0].value = slice_of(others[i]);
		assert_verdict(&k, SCHEME_NO_MATCH);
		assert_null(strstr(k.result.why, others[i][1] != '\0' ? others[i] : "t0ken"));
	}
	for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++)
		assert_int_equal(scheme_check_secret(k.scheme, slice_of(unfit[i]), &err), FISH_EINVAL);
	assert_true(slice_eq(scheme_secret_header(k.scheme), SLICE_LIT("X-Gitlab-Token")));
	kit_fini(&k);
}

/* While a token is rolled over both are good, and the sender has room for one. */
static void each_of_several_tokens_is_good(void **state)
{
	(void)state;
	static const char *const tokens[] = { "new", "old", "older" };
	struct kit k;

	kit_init(&k, "telegram", tokens[0], body);
	kit_sign(&k, "");
	assert_int_equal(k.r.nheaders, 1);
	for (size_t i = 0; i < 3; i++)
		k.secrets[i] = slice_of(tokens[i]);
	k.r.nsecrets = 3;
	for (size_t i = 0; i < 3; i++) {
		k.headers[0].value = slice_of(tokens[i]);
		assert_verdict(&k, SCHEME_VALID);
		assert_int_equal(k.result.secret, i);
	}
	kit_fini(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_scheme_signs_it_verifies),
		cmocka_unit_test(each_bent_header_is_refused),
		cmocka_unit_test(each_changed_body_is_refused),
		cmocka_unit_test(each_header_must_be_there_once),
		cmocka_unit_test(another_secret_is_refused_and_several_are_tried),
		cmocka_unit_test(the_window_of_time_is_kept_to_the_second),
		cmocka_unit_test(an_id_holds_no_separator_and_is_not_endless),
		cmocka_unit_test(a_header_has_sixteen_signatures_at_most),
		cmocka_unit_test(a_sender_that_rolls_its_secret_lists_both),
		cmocka_unit_test(webhooks_of_both_kinds_stand_side_by_side),
		cmocka_unit_test(svix_is_also_sent_under_the_other_names),
		cmocka_unit_test(mailguns_time_and_token_do_not_flow_into_each_other),
		cmocka_unit_test(an_id_of_an_unsigned_header_says_so),
		cmocka_unit_test(websub_takes_its_four_methods_and_no_fifth),
		cmocka_unit_test(twilio_signs_a_sorted_set_of_parameters),
		cmocka_unit_test(a_list_has_one_timestamp),
		cmocka_unit_test(twilio_covers_every_body),
		cmocka_unit_test(a_token_is_compared_whole),
		cmocka_unit_test(each_of_several_tokens_is_good),
		cmocka_unit_test(json_as_deep_as_a_forger_likes_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
