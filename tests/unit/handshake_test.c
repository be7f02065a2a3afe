/* handshake_test.c - the answers that senders want before they deliver. */
#include "wire/handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct asked {
	const char *kind, *method, *query, *headers[3][2], *body, *secret, *token;
	enum handshake_use use;
};

/* As one text: "200 body", "-" for what is none; and the lines into ret_lines. */
static void told_with(const struct asked *q, char *ret, size_t size, char *ret_lines, size_t lines_size)
{
	struct slice secret = slice_of(q->secret);
	struct http1_field headers[3];
	struct handshake_request r = {
		.method = slice_of(q->method), .query = slice_of(q->query), .headers = headers, .body = slice_of(q->body),
		.secrets = &secret, .nsecrets = q->secret != NULL, .token = slice_of(q->token),
		.use = q->use };
	enum handshake kind = HANDSHAKE_NONE;
	struct handshake_answer a;

	for (; r.nheaders < 3 && q->headers[r.nheaders][0]; r.nheaders++)
		headers[r.nheaders] = (struct http1_field){
			slice_of(q->headers[r.nheaders][0]), slice_of(q->headers[r.nheaders][1]) };
	assert_int_equal(handshake_of(slice_of(q->kind), &kind), 0);
	handshake_answer_init(&a);
	if (handshake_judge(kind, &r, &a) == HANDSHAKE_NOT)
		snprintf(ret, size, "-");
	else
		snprintf(ret, size, "%d %s%s%s", a.status, a.body.ptr ? a.body.ptr : "", a.confirm.len ? " GET " : "",
		         a.confirm.len ? a.confirm.ptr : "");
	if (ret_lines)
		snprintf(ret_lines, lines_size, "%s", a.lines.ptr ? a.lines.ptr : "");
	handshake_answer_fini(&a);
}

static void tells(const struct asked *q, const char *wanted)
{
	char told[8192];

	told_with(q, told, sizeof told, NULL, 0);
	assert_string_equal(told, wanted);
}

static void the_posted_ones(void **state)
{
	(void)state;
	tells(&(struct asked){ .kind = "slack", .method = "POST",
		.body = "{\"type\":\"url_verification\",\"challenge\":\"3eZ\",\"token\":\"x\"}" }, "200 3eZ");
	tells(&(struct asked){ .kind = "slack", .method = "POST", .body = "{\"type\":\"event_callback\",\"challenge\":\"3eZ\"}" }, "-");
	tells(&(struct asked){ .kind = "eventgrid", .method = "POST",
		.headers = { { "Aeg-Event-Type", "SubscriptionValidation" } },
		.body = "[{\"data\":{\"validationCode\":\"5E-2\",\"validationUrl\":\"https://x\"}}]" },
	      "200 {\"validationResponse\": \"5E-2\"}");
	tells(&(struct asked){ .kind = "eventgrid", .method = "POST", .headers = { { "aeg-event-type", "Notification" } },
		.body = "[{\"data\":{\"validationCode\":\"5E-2\"}}]" }, "-");
	tells(&(struct asked){ .kind = "sns", .method = "POST",
		.body = "{\"Type\":\"SubscriptionConfirmation\",\"SubscribeURL\":\"https://sns.eu-1.amazonaws.com/?A=1\"}" },
	      "200  GET https://sns.eu-1.amazonaws.com/?A=1");
	tells(&(struct asked){ .kind = "sns", .method = "POST",
		.body = "{\"Type\":\"UnsubscribeConfirmation\",\"SubscribeURL\":\"https://sns.eu-1.amazonaws.com/?A=1\"}" }, "200 ");
	tells(&(struct asked){ .kind = "sns", .method = "POST", .body = "{\"Type\":\"Notification\"}" }, "-");
	static const char *const others[] = {
		"http://sns.eu-1.amazonaws.com/?A=1", "https://sns.eu-1.amazonaws.com.evil.example/?A=1",
		"https://sns.eu-1.amazonaws.com@evil.example/", "https://sns.eu-1.amazonaws.com:8080/",
		"https://169.254.169.254/latest/meta-data", "https://evil.example/?https://sns.eu-1.amazonaws.com/",
		"https://sns.eu-1.amazonaws.com/?A=1#@evil.example", "https://sns.eu-1.amazonaws.com\\@evil.example/", "" };
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		char body[256];
		char escaped[128] = "";

		for (const char *c = others[i]; *c; c++)
			snprintf(escaped + strlen(escaped), sizeof escaped - strlen(escaped), "%s%c", *c == '\\' ? "\\" : "", *c);
		snprintf(body, sizeof body, "{\"Type\":\"SubscriptionConfirmation\",\"SubscribeURL\":\"%s\"}", escaped);
		tells(&(struct asked){ .kind = "sns", .method = "POST", .body = body }, "200 ");
	}
	tells(&(struct asked){ .kind = "twitch", .method = "POST",
		.headers = { { "Twitch-Eventsub-Message-Type", "webhook_callback_verification" } },
		.body = "{\"challenge\":\"pogchamp\"}" }, "200 pogchamp");
	tells(&(struct asked){ .kind = "discord", .method = "POST", .body = "{\"type\":2}" }, "-");
	tells(&(struct asked){ .kind = "discord", .method = "POST", .body = "no JSON" }, "-");
	tells(&(struct asked){ .kind = "graph", .method = "POST", .query = "validationToken=a%2Bb+c" }, "200 a+b c");
	tells(&(struct asked){ .kind = "graph", .method = "POST", .query = "validationToken=a", .body = "{}" }, "-");
}

static void the_ones_that_get(void **state)
{
	(void)state;
	tells(&(struct asked){ .kind = "meta", .method = "GET", .token = "t",
		.query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=T" }, "403 ");
	/* Nothing configured is no token that anybody could name. */
	tells(&(struct asked){ .kind = "meta", .method = "GET", .query = "hub.mode=subscribe&hub.challenge=1&hub.verify_token=" },
	      "403 ");
	tells(&(struct asked){ .kind = "meta", .method = "GET", .token = "t", .query = "hub.mode=subscribe" }, "-");
	tells(&(struct asked){ .kind = "websub", .method = "GET", .token = "u",
		.query = "hub.mode=denied&hub.topic=u&hub.reason=no" }, "200 ");
	tells(&(struct asked){ .kind = "websub", .method = "GET", .token = "u",
		.query = "hub.mode=unsubscribe&hub.topic=u&hub.challenge=c" }, "200 c");
	tells(&(struct asked){ .kind = "websub", .method = "GET", .query = "hub.mode=subscribe&hub.topic=&hub.challenge=c" }, "404 ");
	tells(&(struct asked){ .kind = "x", .method = "GET", .query = "crc_token=a" }, "-");
	tells(&(struct asked){ .kind = "probe", .method = "HEAD" }, "200 ");
	tells(&(struct asked){ .kind = "probe", .method = "POST" }, "-");
	tells(&(struct asked){ .kind = "", .method = "HEAD" }, "-");
}

/* A hub asks before it begins and before it ends; what is closed begins nothing, and nobody ends a door. */
static void what_is_over_begins_nothing(void **state)
{
	static const char *const modes[] = { "subscribe", "unsubscribe", "denied" };
	static const char *const told[][3] = {
		[HANDSHAKE_OPEN] = { "200 c", "200 c", "200 " },
		[HANDSHAKE_STANDING] = { "200 c", "404 ", "200 " },
		[HANDSHAKE_OVER] = { "-", "200 c", "-" },
	};

	(void)state;
	for (size_t use = 0; use < 3; use++)
		for (size_t i = 0; i < 3; i++) {
			char query[80];

			snprintf(query, sizeof query, "hub.mode=%s&hub.topic=u&hub.challenge=c", modes[i]);
			tells(&(struct asked){ .kind = "websub", .method = "GET", .query = query, .token = "u",
				.use = (enum handshake_use)use }, told[use][i]);
		}
	tells(&(struct asked){ .kind = "dropbox", .method = "GET", .query = "challenge=c", .use = HANDSHAKE_STANDING }, "200 c");
	tells(&(struct asked){ .kind = "dropbox", .method = "GET", .query = "challenge=c", .use = HANDSHAKE_OVER }, "-");
}

/* Was: who asked for the check of a JSON text was told the signature that a delivery of it needs. */
static void the_check_of_x_signs_no_deliveries(void **state)
{
	static const char *const refused[] = { "%7B%22a%22%3A1%7D", "%5B1%5D", "a%3Db", "a%26b", "%22a%22", "a+b", "", "%3D%3D" };
	static const char *const answered[] = { "9b4507b3-9040-4669-9ca3-6b94edb50553", "MTRhNWM2ZjUtZTI%2BxC8%2F_.~w%3D%3D" };
	char query[80];
	char told[120];

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		snprintf(query, sizeof query, "crc_token=%s", refused[i]);
		tells(&(struct asked){ .kind = "x", .method = "GET", .secret = "s", .query = query }, "-");
	}
	for (size_t i = 0; i < sizeof answered / sizeof *answered; i++) {
		snprintf(query, sizeof query, "crc_token=%s", answered[i]);
		told_with(&(struct asked){ .kind = "x", .method = "GET", .secret = "s", .query = query }, told, sizeof told, NULL, 0);
		assert_memory_equal(told, "200 {\"response_token\": \"sha256=", 31);
	}
}

static void nobody_is_a_mirror_for_any_text(void **state)
{
	char query[2 * HANDSHAKE_ECHO_BYTES_MAX + 64] = "challenge=";
	char lines[256];
	char told[64];

	(void)state;
	tells(&(struct asked){ .kind = "dropbox", .method = "GET", .query = "challenge=a%0d%0aX: y" }, "-");
	tells(&(struct asked){ .kind = "dropbox", .method = "GET", .query = "challenge=%00" }, "-");
	tells(&(struct asked){ .kind = "dropbox", .method = "GET", .query = "challenge=" }, "-");
	memset(query + 10, 'a', HANDSHAKE_ECHO_BYTES_MAX + 1);
	tells(&(struct asked){ .kind = "dropbox", .method = "GET", .query = query }, "-");
	tells(&(struct asked){ .kind = "okta", .method = "GET",
		.headers = { { "X-Okta-Verification-Challenge", "a" }, { "x-okta-verification-challenge", "b" } } }, "-");
	told_with(&(struct asked){ .kind = "dropbox", .method = "GET", .query = "challenge=<script>" }, told, sizeof told,
	          lines, sizeof lines);
	assert_string_equal(told, "200 <script>");
	assert_string_equal(lines, "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n");
	told_with(&(struct asked){ .kind = "cloudevents", .method = "OPTIONS",
		.headers = { { "WebHook-Request-Origin", "evil.example" }, { "WebHook-Request-Rate", "120" } } }, told,
	          sizeof told, lines, sizeof lines);
	assert_string_equal(lines, "Allow: POST\r\nWebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: *\r\n");
	tells(&(struct asked){ .kind = "cloudevents", .method = "OPTIONS", .token = "eventemitter.example.com",
		.headers = { { "WebHook-Request-Origin", "evil.example" } } }, "403 ");
}

static void kinds_have_names(void **state)
{
	enum handshake kind = HANDSHAKE_ZOOM;

	(void)state;
	assert_int_equal(handshake_of(SLICE_LIT("zooom"), &kind), FISH_EINVAL);
	assert_int_equal(handshake_of(SLICE_LIT("discord"), &kind), 0);
	assert_int_equal(kind, HANDSHAKE_DISCORD);
	assert_true(handshake_signed(kind));
	assert_string_equal(handshake_name(HANDSHAKE_GRAPH), "graph");
	assert_false(handshake_signed(HANDSHAKE_GRAPH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_posted_ones),
		cmocka_unit_test(the_ones_that_get),
		cmocka_unit_test(what_is_over_begins_nothing),
		cmocka_unit_test(the_check_of_x_signs_no_deliveries),
		cmocka_unit_test(nobody_is_a_mirror_for_any_text),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
