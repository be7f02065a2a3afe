/* render_test.c - the words of show and ls, from JSON as the server tells it. */
#include "host/render.h"
#include "host/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* 2026-11-23 10:14:00 UTC */
#define NOW INT64_C(1795428840000)

static const struct render plain = { .now_ms = NOW };

static struct buf shown(const struct render *r, const char *json)
{
	json_error_t where;
	json_t *flow = json_loads(json, JSON_ALLOW_NUL, &where);
	struct buf out;
	assert_non_null(flow);
	buf_init(&out, 1 << 20);
	render_show(&out, r, flow, slice_of(json));
	json_decref(flow);
	return out;
}

static void has(const struct buf *out, const char *words)
{
	if (strstr(out->ptr, words) == NULL)
		fail_msg("no '%s' in:\n%s", words, out->ptr);
}

static void lacks(const struct buf *out, const char *words)
{
	if (out->ptr != NULL && strstr(out->ptr, words) != NULL)
		fail_msg("'%s' in:\n%s", words, out->ptr);
}

static void span_is(int64_t ms, const char *words)
{
	struct buf out;
	buf_init(&out, 100);
	words_span(&out, ms);
	assert_string_equal(out.ptr, words);
	buf_fini(&out);
}

static void test_spans(void **state)
{
	(void)state;
	span_is(0, "under a second");
	span_is(999, "under a second");
	span_is(1000, "1 s");
	span_is(252000, "4 min 12 s");
	span_is(240000, "4 min");
	span_is(3600000, "1 h");
	span_is(3659000, "1 h");
	span_is(3 * 86400000 + 4 * 3600000 + 5000, "3 d 4 h");
	span_is(INT64_MAX, "106751991167 d 7 h");
}

static void moment_is(int64_t at_ms, const char *relative, const char *absolute)
{
	struct buf out;
	buf_init(&out, 100);
	words_relative(&out, at_ms, NOW);
	assert_string_equal(out.ptr, relative);
	buf_reset(&out);
	words_time(&out, at_ms);
	assert_string_equal(out.ptr, absolute);
	buf_fini(&out);
}

static void test_moments(void **state)
{
	(void)state;
	moment_is(NOW, "now", "2026-11-23 10:14:00 UTC");
	moment_is(NOW + 252000, "in 4 min 12 s", "2026-11-23 10:18:12 UTC");
	moment_is(NOW - 12000, "12 s ago", "2026-11-23 10:13:48 UTC");
	moment_is(INT64_MAX, "in 106751970386 d 20 h", "never");
	moment_is(INT64_MIN, "106751991167 d 7 h ago", "never");
}

static const char waiting_flow[] =
	"{\"id\":\"01jd8q4zv6n3f5w2x7y9k1m0pr\",\"flow\":\"order\",\"state\":\"waiting\",\"parent\":\"01jdparent\","
	"\"started_ms\":1795428828000,\"hooks_open\":1,\"calls\":1,\"untaken\":0,\"waits_until_ms\":1795429092000,"
	"\"input\":{\"id\":\"o1\"},"
	"\"waiting\":{\"step\":3,\"kind\":\"next\",\"label\":\"taken\",\"since_ms\":1795428828000,"
	"\"until_ms\":1795429092000},"
	"\"hooks\":[{\"number\":0,\"name\":\"taken\",\"url\":\"https://example.com/h/abc\",\"open\":true,\"each\":null,"
	"\"untaken\":1,\"received\":2}],"
	"\"calls_under_way\":[{\"step\":1,\"to\":\"partner /order\",\"key\":\"k1\",\"attempts\":2,\"last\":\"503\","
	"\"next_ms\":1795428843000}],"
	"\"journal\":[{\"seq\":0,\"time_ms\":1795428828000,\"entry\":\"start\",\"text\":\"started as order\"}]}";

static void test_show_of_what_was_not_stored(void **state)
{
	(void)state;
	struct buf out = shown(&plain,
		"{\"hooks\":[{\"number\":2,\"name\":\"paid\"}],\"ledger\":["
		"{\"hook\":0,\"since_ms\":1795428828000,\"duplicates\":2,\"questions\":1,\"refused\":0,"
		"\"late\":0,\"put_back\":0,\"requests\":[]},"
		"{\"hook\":2,\"since_ms\":1795428828000,\"duplicates\":0,\"questions\":0,\"refused\":3,"
		"\"late\":1,\"put_back\":0,\"requests\":["
		"{\"number\":17,\"time_ms\":1795428828250,\"fate\":\"refused\",\"status\":401,"
		"\"method\":\"POST\",\"why\":\"no-match: \\u001b[2J\",\"len\":300000,\"kept\":false,\"text\":\"\","
		"\"headers\":[[\":peer\",\"192.0.2.1\"],[\"x-sig\",\"…\"]]},"
		"{\"number\":18,\"time_ms\":1795428828000,\"fate\":\"duplicate\",\"status\":0,"
		"\"method\":\"PUT\",\"len\":2},"
		"{\"entry\":3,\"time_ms\":1795428829000,\"fate\":\"taken\",\"len\":1,\"text\":\"1\"}]},"
		"{\"hook\":4,\"since_ms\":null,\"stored\":1,\"requests\":["
		"{\"entry\":12,\"time_ms\":1795428830000,\"fate\":\"stored\",\"len\":200,\"text\":\"2\",\"cut\":true}]}]}");
	has(&out, "\nRequests\n");
	has(&out, "  hook 0  2 duplicates, 1 question since 2026-11-23 10:13:48 UTC\n");
	has(&out, "  paid  3 refused, 1 late since 2026-11-23 10:13:48 UTC\n");
	has(&out, "            17  2026-11-23 10:13:48.250 UTC  refused 401  POST from 192.0.2.1, 300000 bytes \n"
		"                no-match: \\x1b[2J; too long to be kept\n");
	has(&out, "            18  2026-11-23 10:13:48.000 UTC  duplicate  PUT, 2 bytes \n");
	has(&out, "  entry 3       2026-11-23 10:13:49.000 UTC  taken  1 bytes 1\n");
	has(&out, "  hook 4  1 stored\n");
	has(&out, "  entry 12      2026-11-23 10:13:50.000 UTC  stored  200 bytes 2 … (cut)\n");
	lacks(&out, "x-sig");
	buf_fini(&out);
}

static void test_show_of_doors(void **state)
{
	(void)state;
	static const char keyed[] =
		"{\"door\":\"stripe\",\"url\":\"https://example.com/in/stripe\",\"from\":\"stripe\",\"key\":\"/data/id\","
		"\"flow\":null,\"keep_ms\":86400000,\"body_max\":1000,\"since_ms\":1795428828000,\"stored\":2,"
		"\"nobody\":1,\"refused\":0,\"requests\":["
		"{\"number\":1,\"time_ms\":1795428828000,\"fate\":\"stored\",\"status\":200,\"method\":\"POST\","
		"\"flow\":\"01jd\",\"len\":9}]}";
	static const char each[] =
		"{\"door\":\"shop\",\"url\":\"u\",\"from\":null,\"key\":null,\"flow\":\"pay\",\"since_ms\":1795428828000}";
	struct buf out;
	buf_init(&out, 1 << 20);
	json_t *door = json_loads(keyed, 0, NULL);
	json_t *other = json_loads(each, 0, NULL);
	render_door(&out, &plain, door);
	assert_string_equal(out.ptr,
		"/in/stripe\n  url      https://example.com/in/stripe\n  from     stripe\n  key      /data/id\n"
		"  takes    up to 1000 bytes\n  came     2 stored, 1 for nobody since 2026-11-23 10:13:48 UTC\n\nRequests\n"
		"             1  2026-11-23 10:13:48.000 UTC  stored 200 in 01jd  POST, 9 bytes \n");
	buf_reset(&out);
	json_t *both = json_pack("[OO]", door, other);
	render_doors(&out, &plain, both);
	has(&out, "UTC\n\n/in/shop\n");
	has(&out, "  from     anybody\n  starts   pay\n  came     nothing since 2026-11-23 10:13:48 UTC\n");
	lacks(&out, "Requests");
	json_decref(both);
	json_decref(door);
	json_decref(other);
	buf_fini(&out);
}

static void test_show_of_a_waiting_flow(void **state)
{
	(void)state;
	struct buf out = shown(&plain, waiting_flow);
	has(&out, "order 01jd8q4zv6n3f5w2x7y9k1m0pr  waiting\n");
	has(&out, "started  2026-11-23 10:13:48 UTC (12 s ago)\n");
	has(&out, "parent   01jdparent\n");
	has(&out, "input    {\"id\":\"o1\"}\n");
	has(&out, "for what comes at \"taken\" (step 3)\n");
	has(&out, "since 2026-11-23 10:13:48 UTC (12 s ago)\n");
	has(&out, "until 2026-11-23 10:18:12 UTC (in 4 min 12 s)\n");
	has(&out,
		"taken  hook 0, open, 2 received, 1 not yet taken\n    https://example.com/h/abc\n");
	has(&out,
		"partner /order  step 1, 2 attempts, the last: 503, the next in 3 s\n    key k1\n");
	has(&out, "   0  2026-11-23 10:13:48.000 UTC  start     started as order\n");
	lacks(&out, "\033");
	buf_fini(&out);
}

static void waits_for(const char *waiting, const char *words)
{
	char json[512];
	snprintf(json, sizeof json,
		"{\"id\":\"x\",\"flow\":\"f\",\"state\":\"waiting\",\"waiting\":%s}",
		waiting);
	struct buf out = shown(&plain, json);
	has(&out, words);
	buf_fini(&out);
}

static void test_each_kind_of_wait(void **state)
{
	(void)state;
	waits_for("{\"kind\":\"next\",\"label\":\"yes|no\",\"until_ms\":null}",
		"for the first that comes at \"yes\", \"no\"\n  until it comes, however long that takes\n");
	waits_for("{\"kind\":\"gather\",\"label\":\"a|b\"}",
		"for enough to come at \"a\", \"b\"\n");
	waits_for(
		"{\"kind\":\"sleep\",\"label\":\"\"}", "for time to pass (it sleeps)\n");
	waits_for("{\"kind\":\"post\",\"label\":\"app /x\"}",
		"for the answer of the call \"app /x\"\n");
	waits_for("{\"kind\":\"each\",\"label\":\"order\"}",
		"each of which starts \"order\"\n");
	waits_for("{\"kind\":\"done\",\"label\":\"\"}",
		"for its calls and children to end, having returned\n");
}

/* Was: an unknown kind "having returned", with its label glued to it. */
static void test_kinds_that_are_new(void **state)
{
	(void)state;
	waits_for("{\"kind\":\"send\",\"label\":\"app /x\"}", "to end, having returned\n");
	waits_for("{\"kind\":\"once\",\"label\":\"charge\"}",
		"for the outcome of \"charge\"\n");
	waits_for("{\"kind\":\"dream\",\"label\":\"sheep\",\"step\":2}",
		"  at its step \"dream\" \"sheep\" (step 2)\n");
	waits_for("{\"kind\":\"dream\",\"label\":\"\"}", "  at its step \"dream\"\n");
}

/* Was: 1.10 shown as a decoder writes it, and the input's line breaks as they came. */
static void test_values_stay_as_they_were_sent(void **state)
{
	(void)state;
	struct buf out = shown(&plain,
		"{\"id\":\"x\",\"flow\":\"f\",\"state\":\"ended\",\"status\":\"done\","
		"\"input\":{\"a\": 1.10,\n\"b\": 1E2},\"result\":[ 0.30000000000000004 ],"
		"\"untaken\":[{\"hook\":0,\"len\":99,\"text\":\"hel\",\"cut\":true}]}");
	has(&out, "input    {\"a\": 1.10, \"b\": 1E2}\n");
	has(&out, "result   [ 0.30000000000000004 ]\n");
	has(&out, "hook 0, 99 bytes  hel … (cut)\n");
	buf_fini(&out);
}

static void test_long_values_are_cut_between_characters(void **state)
{
	(void)state;
	char json[1000] = "{\"id\":\"x\",\"input\":\"";
	for (int i = 0; i < 300; i++)
		strcat(json, "é");
	struct buf out = shown(&plain, strcat(json, "\"}"));
	/* A quote and 199 characters of two bytes: one more would be cut in two. */
	has(&out, "é... (602 bytes)\n");
	buf_fini(&out);
}

static void test_show_of_an_ended_flow(void **state)
{
	(void)state;
	struct buf out = shown(&plain,
		"{\"id\":\"x\",\"flow\":\"order\",\"state\":\"ended\",\"status\":\"failed\",\"started_ms\":1795428828000,"
		"\"ended_ms\":1795428830000,\"parent\":null,\"result\":null,\"why\":\"no word on it\","
		"\"untaken\":[{\"hook\":0,\"len\":5,\"text\":\"hello\"}],\"journal\":null}");
	has(&out, "order x  failed\n");
	has(&out, "ended    2026-11-23 10:13:50 UTC (10 s ago)\n");
	has(&out, "why      no word on it\n");
	has(&out, "Messages that it never took\n  hook 0, 5 bytes  hello\n");
	has(&out, "Its journal is no longer kept.\n");
	lacks(&out, "parent");
	lacks(&out, "result");
	buf_fini(&out);
}

/* A stranger's bytes must not reach the terminal as commands, wherever they stand. */
static void test_no_control_character_gets_through(void **state)
{
	(void)state;
	struct buf out = shown(&plain,
		"{\"id\":\"x\\u001b[2J\",\"flow\":\"f\\u009b31m\",\"state\":\"waiting\\r\",\"why\":\"a\\nb\\u007f\","
		"\"input\":\"\\u009bx\",\"waiting\":{\"kind\":\"next\",\"label\":\"t\\u001b]0;x\\u0007\"},"
		"\"hooks\":[{\"name\":\"\\u001b[1m\",\"url\":\"\\u001bc\"}],"
		"\"journal\":[{\"seq\":1,\"entry\":\"\\u001b[A\",\"text\":\"\\u0000\\u0008\"}]}");
	for (size_t i = 0; i < out.len; i++) {
		assert_true((unsigned char)out.ptr[i] >= 0x20 || out.ptr[i] == '\n');
		assert_int_not_equal(out.ptr[i], 0x7f);
	}
	lacks(&out, "\xc2\x9b");
	has(&out, "x\\x1b[2J");
	has(&out, "a\\x0ab\\x7f");
	has(&out, "\\x00\\x08\n");
	buf_fini(&out);
}

static void test_nothing_is_relied_on(void **state)
{
	(void)state;
	const char *const odd[] = {
		"{}",
		"{\"id\":7,\"state\":[],\"hooks\":{},\"journal\":7,\"waiting\":[]}",
		"{\"hooks\":[1,null],\"calls_under_way\":[[]],\"journal\":[null],\"untaken\":[3]}",
		"{\"started_ms\":-9223372036854775808,\"waiting\":{\"until_ms\":9223372036854775807}}",
	};
	for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
		struct buf out = shown(&plain, odd[i]);
		assert_false(buf_failed(&out));
		buf_fini(&out);
	}
}

static void test_colours_only_when_asked_for(void **state)
{
	(void)state;
	struct buf out =
		shown(&(struct render){ .now_ms = NOW, .colours = true }, waiting_flow);
	has(&out, "\033[33mwaiting\033[0m");
	buf_fini(&out);
}

static void test_list(void **state)
{
	(void)state;
	json_error_t where;
	json_t *flow = json_loads(waiting_flow, 0, &where);
	json_t *ended = json_loads(
		"{\"id\":\"y\",\"flow\":\"order\",\"state\":\"ended\",\"status\":\"done\","
		"\"started_ms\":1795428828000}",
		0, &where);
	json_t *figures = json_loads(
		"{\"flows\":1,\"waiting\":1,\"stopped\":2,\"hooks_open\":1,\"calls\":3,"
		"\"untaken\":0,\"boxes\":2,\"boxes_untaken\":1,\"parked\":7,\"memory\":1610612736,\"bodies\":1,\"refused\":4}",
		0, &where);
	struct buf out;
	buf_init(&out, 1 << 16);
	render_list_head(&out, &plain);
	render_list_row(&out, &plain, flow);
	render_list_row(&out, &plain, ended);
	render_figures(&out, figures);
	assert_string_equal(out.ptr,
		"ID                          FLOW              STATE      STARTED         WAITS UNTIL       "
		"URLS  CALLS  UNTAKEN\n"
		"01jd8q4zv6n3f5w2x7y9k1m0pr  order             waiting    12 s ago        in 4 min 12 s     "
		"   1      1        0\n"
		"y                           order             done       12 s ago        -\n"
		"1 flow live, 1 waiting, 2 stopped; 1 URL out, 3 calls under way, 0 messages not yet taken\n"
		"2 boxes of named doors, with 1 message that nobody waits for yet\n"
		"7 parked, the others take 1.5 GiB of memory; 1 byte of bodies in flight; 4 requests refused for "
		"want of memory\n");
	buf_fini(&out);
	json_decref(flow);
	json_decref(ended);
	json_decref(figures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_show_of_a_waiting_flow),
		cmocka_unit_test(test_show_of_what_was_not_stored),
		cmocka_unit_test(test_show_of_doors),
		cmocka_unit_test(test_each_kind_of_wait),
		cmocka_unit_test(test_kinds_that_are_new),
		cmocka_unit_test(test_values_stay_as_they_were_sent),
		cmocka_unit_test(test_long_values_are_cut_between_characters),
		cmocka_unit_test(test_show_of_an_ended_flow),
		cmocka_unit_test(test_no_control_character_gets_through),
		cmocka_unit_test(test_nothing_is_relied_on),
		cmocka_unit_test(test_colours_only_when_asked_for),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
