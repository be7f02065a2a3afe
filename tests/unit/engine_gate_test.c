/* engine_gate_test.c - hooks that name their sender: signatures, questions, repetitions, over crashes and
 * parking. */
#include "engine_kit.h"

static const char *const stripe_secrets[] = { "whsec_new", "whsec_old", NULL };
static const char *const github_secrets[] = { "It's a Secret to Everybody", NULL };
static const fish_sender stripe = { .name = "stripe", .scheme = "stripe", .secrets = stripe_secrets, .id = "/id" };
static const fish_sender github = { .name = "github", .scheme = "github", .secrets = github_secrets };
static const fish_sender meta = { .name = "meta", .handshake = "meta", .token = "let me in" };
static const fish_sender bodies = { .name = "bodies", .id = "body" };
static const fish_sender slack = { .name = "slack", .scheme = "slack", .secrets = github_secrets };
static const fish_sender hub = { .name = "hub", .handshake = "websub", .token = "https://news" };
static const fish_sender unlisted = { .name = "unlisted" };
static const fish_sender *const senders[] = { &stripe, &github, &meta, &bodies, &slack, &hub, NULL };

static void count_what_comes(fish_flow *f, fish_hook *h)
{
	int n = 0;

	fish_log(f, "url %s", fish_url(h));
	for (const fish_msg *m; (m = fish_next(h, FISH_HOUR)); n++)
		if (fish_true(m, "/last"))
			break;
	fish_done(f, "{n: %d}", n);
}

static void paid(fish_flow *f, const fish_msg *in)
{
	(void)in;
	count_what_comes(f, fish_spawn_with(f, "paid", &(fish_hook_options){ .from = &stripe }));
}

static void pushed(fish_flow *f, const fish_msg *in)
{
	(void)in;
	count_what_comes(f, fish_spawn_with(f, "pushed", &(fish_hook_options){ .from = &github, .body_max = 100 }));
}

static void asked(fish_flow *f, const fish_msg *in)
{
	(void)in;
	count_what_comes(f, fish_spawn_with(f, "asked", &(fish_hook_options){ .from = &meta }));
}

static void same(fish_flow *f, const fish_msg *in)
{
	(void)in;
	count_what_comes(f, fish_spawn_with(f, "same", &(fish_hook_options){ .from = &bodies }));
}

static void events(fish_flow *f, const fish_msg *in)
{
	(void)in;
	count_what_comes(f, fish_spawn_with(f, "events", &(fish_hook_options){ .from = &slack }));
}

/* It has closed its hook, and goes on. */
static void unsubscribed(fish_flow *f, const fish_msg *in)
{
	const char *from = fish_str(in, "");
	fish_hook *h = fish_spawn_with(f, "h", &(fish_hook_options){ .from = *from == 'h' ? &hub : &slack });

	fish_log(f, "url %s", fish_url(h));
	fish_close(h);
	fish_sleep(f, FISH_DAY);
	fish_done(f, "null");
}

static void stranger(fish_flow *f, const fish_msg *in)
{
	(void)in;
	(void)fish_spawn_with(f, "h", &(fish_hook_options){ .from = &unlisted });
}

static const fish_def flows[] = {
	FISH_FLOW(paid), FISH_FLOW(pushed), FISH_FLOW(asked), FISH_FLOW(same), FISH_FLOW(events), FISH_FLOW(stranger),
	FISH_FLOW(unsubscribed), FISH_END };
static const fish_program program = { .flows = flows, .senders = senders };
static const fish_program without = { .flows = flows };

static int64_t park_of(void **state)
{
	return *(const int64_t *)*state;
}

/* A request with these header lines; the answer's text goes to ret_answer. */
static int ask(struct kit *k, const char *method, const char *query, const char *lines, const char *body,
               char ret_answer[80])
{
	char text[1024];
	struct knock n = { .status = 0 };
	const char *at = strstr(k->log.ptr, "/h/");

	snprintf(text, sizeof text, ":method: %s\n:query: %s\n:peer: 192.0.2.1:9\n%s", method, query, lines);
	n.delivery = (struct delivery){
		.token = { at + 3, TOKEN_TEXT_SIZE - 1 }, .method = slice_of(method), .body = slice_of(body),
		.meta = slice_of(text), .done = knock_done };
	engine_deliver(k->engine, &n.delivery);
	kit_turn(k);
	assert_int_not_equal(n.status, 0);
	if (ret_answer)
		memcpy(ret_answer, n.answer, sizeof n.answer);
	return n.status;
}

/* Signed by who has this secret. */
static int deliver(struct kit *k, const char *scheme, const char *secret, const char *body)
{
	struct scheme *s = NULL;
	struct slice secrets[] = { slice_of(secret) };
	struct buf lines;
	struct buf other;
	char text[600] = "";

	buf_init(&lines, SIZE_MAX);
	buf_init(&other, SIZE_MAX);
	assert_int_equal(scheme_new(slice_of(scheme), &s, NULL), 0);
	assert_int_equal(scheme_sign(s, &(struct scheme_request){
		.method = SLICE_LIT("POST"), .body = slice_of(body), .now_ms = k->now_ms, .secrets = secrets, .nsecrets = 1 },
		SLICE_NONE, &lines, &other, NULL), 0);
	size_t n = 0;

	for (size_t i = 0; i < lines.len && n + 1 < sizeof text; i++)
		if (lines.ptr[i] != '\r')
			text[n++] = lines.ptr[i];
	int status = ask(k, "POST", "", text, body, NULL);

	scheme_free(s);
	buf_fini(&lines);
	buf_fini(&other);
	return status;
}

static void only_what_is_signed_is_stored(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "paid", "null");

	assert_int_equal(ask(&k, "POST", "", "", "{\"id\":\"evt_1\"}", NULL), 401);
	assert_int_equal(deliver(&k, "stripe", "whsec_forged", "{\"id\":\"evt_1\"}"), 401);
	assert_int_equal(deliver(&k, "stripe", "whsec_old", "{\"id\":\"evt_1\"}"), 200);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_2\"}"), 200);
	kit_crash(&k, KIT_KEPT);
	assert_int_equal(deliver(&k, "stripe", "whsec_forged", "{\"id\":\"evt_3\"}"), 401);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_9\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 2}");
	assert_non_null(strstr(k.events.ptr, "hook=0 number=1 sender=stripe why=\"missing-header"));
	kit_close(&k);
}

static void a_repetition_is_known_by_the_senders_own_id(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "paid", "null");

	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_1\"}"), 200);
	k.now_ms += 60 * 1000;                     /* signed anew, at another time */
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_1\", \"try\": 2}"), 200);
	kit_crash(&k, KIT_KEPT);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_1\", \"try\": 3}"), 200);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_2\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 1}");
	/* The flow has ended: still a repetition, and only for who can sign it. */
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_1\", \"try\": 4}"), 200);
	assert_int_equal(deliver(&k, "stripe", "whsec_forged", "{\"id\":\"evt_1\"}"), 410);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_3\"}"), 410);
	kit_close(&k);
}

/* GitHub signs the body and not the header with the id. */
static void who_replays_cannot_burn_an_id(void **state)
{
	struct kit k;
	char lines[200];
	const char *bodies_of[] = { "{\"n\":1}", "{\"n\":2}", "{\"n\":2}", "{\"last\":true}" };

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "pushed", "null");

	for (size_t i = 0; i < 4; i++) {
		struct scheme *s = NULL;
		struct slice secrets[] = { slice_of(github_secrets[0]) };
		struct buf signed_lines;
		struct buf other;

		buf_init(&signed_lines, SIZE_MAX);
		buf_init(&other, SIZE_MAX);
		assert_int_equal(scheme_new(SLICE_LIT("github"), &s, NULL), 0);
		assert_int_equal(scheme_sign(s, &(struct scheme_request){
			.method = SLICE_LIT("POST"), .body = slice_of(bodies_of[i]), .secrets = secrets, .nsecrets = 1 },
			SLICE_NONE, &signed_lines, &other, NULL), 0);
		snprintf(lines, sizeof lines, "x-github-delivery: 4711\n%.*s\n", (int)signed_lines.len - 2, signed_lines.ptr);
		assert_int_equal(ask(&k, "POST", "", lines, bodies_of[i], NULL), 200);
		scheme_free(s);
		buf_fini(&signed_lines);
		buf_fini(&other);
	}
	assert_string_equal(kit_end(&k, id), "done {\"n\": 2}");
	kit_close(&k);
}

static void the_body_may_be_its_own_id(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "same", "null");

	assert_int_equal(ask(&k, "POST", "", "", "{\"a\":1}", NULL), 200);
	assert_int_equal(ask(&k, "POST", "", "", "{\"a\":1}", NULL), 200);
	assert_int_equal(ask(&k, "POST", "", "", "{\"a\":2}", NULL), 200);
	assert_int_equal(ask(&k, "POST", "", "", "{\"last\":true}", NULL), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 2}");
	kit_close(&k);
}

static void a_hook_has_a_size_of_its_own(void **state)
{
	struct kit k;
	char body[128];

	memset(body, ' ', sizeof body);
	memcpy(body, "{}", 2);
	body[101] = '\0';
	kit_open(&k, &program, park_of(state));
	kit_start(&k, "pushed", "null");
	assert_int_equal(deliver(&k, "github", github_secrets[0], body), 413);
	body[100] = '\0';
	assert_int_equal(deliver(&k, "github", github_secrets[0], body), 200);
	kit_crash(&k, KIT_KEPT);
	body[100] = ' ';
	assert_int_equal(deliver(&k, "github", github_secrets[0], body), 413);
	kit_close(&k);
}

static void questions_are_answered_and_wake_nobody(void **state)
{
	struct kit k;
	char answer[80];

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "asked", "null");
	uint64_t commits = kit_figures(&k).commits;

	assert_int_equal(ask(&k, "GET", "hub.mode=subscribe&hub.challenge=77&hub.verify_token=let+me+in", "", "", answer), 200);
	assert_string_equal(answer, "77");
	assert_int_equal(ask(&k, "GET", "hub.mode=subscribe&hub.challenge=77&hub.verify_token=me", "", "", answer), 403);
	assert_string_equal(answer, "");
	assert_int_equal(ask(&k, "GET", "", "", "", NULL), 405);
	assert_int_equal(ask(&k, "DELETE", "", "", "", NULL), 405);
	assert_int_equal(kit_figures(&k).commits, commits);
	assert_int_equal(ask(&k, "POST", "", "", "{}", NULL), 200);
	kit_close(&k);
}

static void a_signed_question_needs_its_signature(void **state)
{
	struct kit k;
	const char *question = "{\"type\":\"url_verification\",\"challenge\":\"3eZ\"}";

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "events", "null");

	assert_int_equal(ask(&k, "POST", "", "", question, NULL), 401);
	assert_int_equal(deliver(&k, "slack", github_secrets[0], question), 200);
	assert_int_equal(deliver(&k, "slack", github_secrets[0], "{\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 0}");
	kit_close(&k);
}

/* Was: a closed hook went on answering, and so confirmed subscriptions that nobody waits for. */
static void a_closed_hook_confirms_nothing(void **state)
{
	static const char query[] = "hub.topic=https://news&hub.challenge=77&hub.mode=";
	struct kit k;
	char answer[80];
	char text[100];

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "unsubscribed", "\"hub\"");
	snprintf(text, sizeof text, "%ssubscribe", query);
	assert_int_equal(ask(&k, "GET", text, "", "", NULL), 410);
	kit_crash(&k, KIT_KEPT);
	assert_int_equal(ask(&k, "GET", text, "", "", NULL), 410);
	snprintf(text, sizeof text, "%sunsubscribe", query);
	assert_int_equal(ask(&k, "GET", text, "", "", answer), 200);
	assert_string_equal(answer, "77");
	kit_close(&k);
	kit_open(&k, &program, park_of(state));
	kit_start(&k, "unsubscribed", "\"slack\"");
	assert_int_equal(deliver(&k, "slack", github_secrets[0], "{\"type\":\"url_verification\",\"challenge\":\"3eZ\"}"), 410);
	kit_close(&k);
}

static void nobody_asks_a_hook_without_a_sender(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	kit_start(&k, "same", "null");
	assert_int_equal(ask(&k, "GET", "hub.mode=subscribe&hub.challenge=77", "", "", NULL), 405);
	kit_close(&k);
}

static void a_sender_that_the_program_has_no_more(void **state)
{
	struct kit k;

	kit_open(&k, &program, park_of(state));
	struct id id = kit_start(&k, "paid", "null");

	kit_deploy(&k, &without);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_1\"}"), 503);
	kit_deploy(&k, &program);
	assert_int_equal(deliver(&k, "stripe", "whsec_new", "{\"id\":\"evt_1\",\"last\":true}"), 200);
	assert_string_equal(kit_end(&k, id), "done {\"n\": 0}");
	struct id other = kit_start(&k, "stranger", "null");

	assert_non_null(strstr(kit_end(&k, other), "the sender \"unlisted\" is not in the program's list of senders"));
	kit_close(&k);
}

/* What senders_init says of one sender; "" when it takes it. */
static const char *fault(struct err *err, fish_sender f)
{
	struct senders s;

	*err = (struct err){ .code = 0 };
	if (senders_init(&s, &f, 1, err) == 0)
		senders_fini(&s);
	return err->text;
}

static void what_cannot_be_a_sender_is_said_at_the_start(void **state)
{
	static const char *const many[] = { "1", "2", "3", "4", "5", "6", "7", "8", "9", NULL };
	struct err err;

	(void)state;
	assert_string_equal(fault(&err, (fish_sender){ .name = "a" }), "");
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "" }), "a name has 1 to 200 bytes"));
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "a", .scheme = "strype", .secrets = github_secrets }),
	                       "sender 'a': its scheme"));
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "a", .scheme = "stripe" }), "has no secret"));
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "a", .scheme = "github", .secrets = many }), "more than 8"));
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "a", .handshake = "knock" }), "no handshake \"knock\""));
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "a", .handshake = "slack" }), "is signed: give it a .scheme"));
	assert_non_null(strstr(fault(&err, (fish_sender){ .name = "a", .id = "event id" }), "neither a header's name"));
	assert_string_equal(fault(&err, (fish_sender){ .name = "a", .id = "X-Event-Id" }), "");
}

int main(void)
{
	static int64_t never = 1 << 30;
	static int64_t always = -1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(only_what_is_signed_is_stored, &never),
		cmocka_unit_test_prestate(only_what_is_signed_is_stored, &always),
		cmocka_unit_test_prestate(a_repetition_is_known_by_the_senders_own_id, &never),
		cmocka_unit_test_prestate(a_repetition_is_known_by_the_senders_own_id, &always),
		cmocka_unit_test_prestate(the_body_may_be_its_own_id, &always),
		cmocka_unit_test_prestate(who_replays_cannot_burn_an_id, &always),
		cmocka_unit_test_prestate(a_hook_has_a_size_of_its_own, &always),
		cmocka_unit_test_prestate(questions_are_answered_and_wake_nobody, &always),
		cmocka_unit_test_prestate(a_signed_question_needs_its_signature, &always),
		cmocka_unit_test_prestate(a_closed_hook_confirms_nothing, &never),
		cmocka_unit_test_prestate(a_closed_hook_confirms_nothing, &always),
		cmocka_unit_test_prestate(nobody_asks_a_hook_without_a_sender, &always),
		cmocka_unit_test_prestate(a_sender_that_the_program_has_no_more, &always),
		cmocka_unit_test(what_cannot_be_a_sender_is_said_at_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
