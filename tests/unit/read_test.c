/* read_test.c - the public readers on bodies that strangers send: none of them ever fails.
 *
 * Messages are made by hand; only what needs a real hook goes through an engine. */
#include "engine_kit.h"

#include "engine/msg.h"
#include "wire/template.h"

#include <jansson.h>
#include <limits.h>
#include <math.h>

#define FORM "content-type: application/x-www-form-urlencoded\n"

/* One message at a time: a new one releases the last. */
struct desk {
	struct arena arena;
	struct msg  *parsed;
	struct msg  *msg;
};

static int desk_set_up(void **state)
{
	struct desk *d = xalloc(sizeof *d);

	arena_init(&d->arena);
	*state = d;
	return 0;
}

static int desk_tear_down(void **state)
{
	struct desk *d = *state;

	msgs_release(&d->parsed);
	arena_fini(&d->arena);
	free(d);
	return 0;
}

static const fish_msg *message(struct desk *d, struct slice meta, struct slice body)
{
	msgs_release(&d->parsed);
	arena_fini(&d->arena);
	d->msg = arena_alloc(&d->arena, sizeof *d->msg);
	*d->msg = (struct msg){
		.pub = { .body = arena_dup(&d->arena, body), .len = body.len, .status = 200 },
		.arena = &d->arena,
		.parsed = &d->parsed,
		/* In memory of its own size, as the body, for the sanitizer. */
		.meta = { arena_dup(&d->arena, meta), meta.len },
	};
	return &d->msg->pub;
}

static const fish_msg *json(struct desk *d, const char *body)
{
	return message(d, SLICE_LIT("content-type: application/json\n"), slice_of(body));
}

static const fish_msg *form(struct desk *d, const char *body)
{
	return message(d, SLICE_LIT(FORM), slice_of(body));
}

static void assert_one_value(const char *raw)
{
	assert_int_equal(template_check_value(slice_of(raw), NULL), 0);
}

/* What every reader says of nothing, at any pointer. */
static void assert_absent(const fish_msg *m, const char *pointer)
{
	assert_false(fish_has(m, pointer));
	assert_string_equal(fish_str(m, pointer), "");
	assert_string_equal(fish_raw(m, pointer), "null");
	assert_int_equal(fish_int(m, pointer, -7), -7);
	assert_true(fish_num(m, pointer, 0.5) == 0.5);
	assert_false(fish_true(m, pointer));
	assert_int_equal(fish_count(m, pointer), 0);
}

static void assert_opaque(const fish_msg *m)
{
	assert_absent(m, "");
	assert_absent(m, "/");
	assert_absent(m, "/a");
	assert_absent(m, "/0");
	assert_absent(m, NULL);
	assert_null(fish_json(m));
	assert_absent(m, "");
}

/* ---- bodies that are no JSON, or are refused ---- */

static void no_message_reads_as_empty(void **state)
{
	(void)state;
	assert_opaque(NULL);
	assert_false(fish_ok(NULL));
	assert_string_equal(fish_header(NULL, "a"), "");
}

static void bodies_that_are_no_json_read_as_absent(void **state)
{
	const struct slice bodies[] = {
		SLICE_NONE, SLICE_LIT(" "), SLICE_LIT("hello"), SLICE_LIT("{"), SLICE_LIT("{\"a\": 1"),
		SLICE_LIT("{\"a\": 1} x"), SLICE_LIT("{\"a\": 1}{\"a\": 1}"), SLICE_LIT("{'a': 1}"),
		SLICE_LIT("{a: 1}"), SLICE_LIT("[1,]"), SLICE_LIT("[01]"), SLICE_LIT("nul"), SLICE_LIT("NaN"),
		SLICE_LIT("\"a"), SLICE_LIT("<xml/>"), SLICE_LIT("a=1&b=2"),
		/* NUL bytes, where jansson would see them and where it would not. */
		SLICE_LIT("\0"), SLICE_LIT("1\0"), SLICE_LIT("{\"a\": 1}\0"), SLICE_LIT("{\"a\": \"b\0c\"}"),
		SLICE_LIT("{\"a\0\": 1}"),
		/* Not UTF-8: a bare continuation, overlong, a surrogate, cut. */
		SLICE_LIT("{\"a\": \"\x80\"}"), SLICE_LIT("\"\xc0\xaf\""), SLICE_LIT("\"\xed\xa0\x80\""),
		SLICE_LIT("\"\xe2\x82\""), SLICE_LIT("\"\xff\""), SLICE_LIT("{\"\xe9\": 1}"),
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		const fish_msg *m = message(*state, SLICE_NONE, bodies[i]);

		assert_opaque(m);
		assert_true(fish_ok(m));
		assert_int_equal(m->len, bodies[i].len);
		assert_true(slice_eq((struct slice){ m->body, m->len }, bodies[i]));
		assert_int_equal(m->body[m->len], '\0');
	}
}

static void refused_json_reads_as_absent(void **state)
{
	const char *bodies[] = {
		"{\"a\": 1, \"a\": 1}", "{\"a\": {\"b\": 1, \"b\": 2}}", "{\"a\": \"\\u0000\"}",
		"{\"a\\u0000\": 1}", "1e999", "[-1e999]", "{\"a\": 9223372036854775808}",
		"-9223372036854775809", "\xef\xbb\xbf{\"a\": 1}", "{\"a\": \"\\ud800\"}",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		assert_opaque(json(*state, bodies[i]));
}

static void too_deep_reads_as_absent(void **state)
{
	enum { MANY = 100000 };
	char *deep = xalloc(MANY + 1);

	memset(deep, '[', MANY);
	assert_opaque(json(*state, deep));
	memset(deep + MANY / 2, ']', MANY / 2);
	assert_opaque(json(*state, deep));
	deep[MANY / 2 + JSON_DEPTH_MAX] = '\0';
	assert_true(fish_has(json(*state, deep + MANY / 2 - JSON_DEPTH_MAX), ""));
	free(deep);
}

static void words_tell_why_a_body_is_refused(void **state)
{
	(void)state;
	struct err err = { .code = 0 };

	assert_int_equal(body_check(SLICE_NONE, SLICE_LIT("{\"a\": 1, \"a\": 2}"), &err), FISH_EFORMAT);
	assert_non_null(strstr(err.text, "duplicate"));
	assert_int_equal(body_check(SLICE_LIT(FORM), SLICE_LIT("a=1&b=%zz"), &err), FISH_EFORMAT);
	assert_non_null(strstr(err.text, "field 2 of the form"));
	assert_int_equal(body_check(SLICE_NONE, SLICE_LIT("[1]"), &err), 0);
	assert_int_equal(body_check(SLICE_LIT(FORM), SLICE_LIT("a"), NULL), 0);
}

/* ---- values ---- */

static void values_read_by_their_kind(void **state)
{
	const fish_msg *m = json(*state, "{\"s\": \"grüße 𝄞 €\", \"e\": \"\", \"n\": null, \"t\": true, \"f\": false,"
	                                 " \"i\": 42, \"r\": 19.99, \"a\": [1, [], {}], \"o\": {\"x\": {\"y\": 1}},"
	                                 " \"ts\": \"true\", \"q\": \"a\\\"b\\n\"}");

	assert_string_equal(fish_str(m, "/s"), "grüße 𝄞 €");
	assert_string_equal(fish_raw(m, "/s"), "\"grüße 𝄞 €\"");
	assert_string_equal(fish_str(m, "/e"), "");
	assert_true(fish_has(m, "/e"));
	assert_true(fish_has(m, "/n"));
	assert_string_equal(fish_str(m, "/n"), "");
	assert_string_equal(fish_raw(m, "/n"), "null");
	assert_string_equal(fish_str(m, "/t"), "true");
	assert_string_equal(fish_str(m, "/f"), "false");
	assert_string_equal(fish_str(m, "/i"), "42");
	assert_string_equal(fish_str(m, "/r"), "19.99");
	assert_string_equal(fish_raw(m, "/r"), "19.99");
	assert_string_equal(fish_str(m, "/a"), "");
	assert_string_equal(fish_raw(m, "/a"), "[1,[],{}]");
	assert_string_equal(fish_str(m, "/o"), "");
	assert_string_equal(fish_raw(m, "/o"), "{\"x\":{\"y\":1}}");
	assert_string_equal(fish_raw(m, "/q"), "\"a\\\"b\\n\"");
	assert_true(fish_true(m, "/t"));
	assert_true(fish_true(m, "/ts"));
	assert_false(fish_true(m, "/f"));
	assert_false(fish_true(m, "/i"));
	assert_false(fish_true(m, "/n"));
	assert_int_equal(fish_count(m, "/a"), 3);
	assert_int_equal(fish_count(m, "/a/1"), 0);
	assert_int_equal(fish_count(m, "/o"), 1);
	assert_int_equal(fish_count(m, ""), 11);
	assert_int_equal(fish_count(m, "/s"), 0);
	assert_absent(m, "/none");
	assert_absent(m, "/s/0");
	assert_absent(m, "/n/x");
	assert_ptr_equal(fish_json(m), fish_json(m));
	assert_int_equal(json_object_size(fish_json(m)), 11);
}

static void whole_bodies_are_raw_as_sent(void **state)
{
	const char *bodies[] = {
		" {\"b\" : 1.10,\n \"a\":\t1E2 } ", "\"x\"", "-0", "true", "null", "[1 , 2]\r\n", "\"\\u00e9\"",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		const fish_msg *m = json(*state, bodies[i]);

		assert_string_equal(fish_raw(m, ""), bodies[i]);
		assert_true(fish_has(m, ""));
	}
	assert_string_equal(fish_str(json(*state, "\"x\""), ""), "x");
	assert_int_equal(fish_int(json(*state, " 5 "), "", 0), 5);
	assert_true(fish_true(json(*state, "true"), ""));
}

/* Whatever the bytes: changed ones of a good body, too. */
static void raw_is_always_one_value(void **state)
{
	const char good[] = "{\"a\": [1, -2.5e3, \"\\u00e9\\\"é\", {\"b\": null}], \"c\": {\"d\": true}}";
	const char *pointers[] = { "", "/a", "/a/2", "/a/3", "/a/3/b", "/c", "/c/d", "/x", "a", "/a/-" };
	uint64_t chance = 1;
	char body[sizeof good];

	for (int round = 0; round < 20000; round++) {
		memcpy(body, good, sizeof good);
		for (int n = 0; n < round % 3; n++) {
			chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
			body[(chance >> 33) % (sizeof good - 1)] =
				chance >> 63 ? "{}[]\",:\\0e-.\x80"[(chance >> 20) % 14] : (char)(chance >> 24);
		}
		const fish_msg *m = message(*state, round % 2 ? SLICE_LIT(FORM) : SLICE_NONE,
		                            (struct slice){ body, sizeof good - 1 });

		for (size_t i = 0; i < sizeof pointers / sizeof *pointers; i++)
			assert_one_value(fish_raw(m, pointers[i]));
	}
}

static void status_decides_ok(void **state)
{
	const int good[] = { 200, 201, 299 };
	const int bad[] = { 0, 100, 199, 300, 404, 500 };

	json(*state, "{}");
	struct msg *m = ((struct desk *)*state)->msg;

	for (size_t i = 0; i < 3; i++) {
		m->pub.status = good[i];
		assert_true(fish_ok(&m->pub));
	}
	for (size_t i = 0; i < 6; i++) {
		m->pub.status = bad[i];
		assert_false(fish_ok(&m->pub));
	}
}

/* ---- numbers ---- */

static void numbers_are_whole_and_in_range_or_absent(void **state)
{
	const struct {
		const char *json;
		long long   n;
		double      d;
	} numbers[] = {
		{ "9223372036854775807", LLONG_MAX, 0x1p63 },
		{ "-9223372036854775808", LLONG_MIN, -0x1p63 },
		{ "\"9223372036854775807\"", LLONG_MAX, 0x1p63 },
		{ "\"-9223372036854775808\"", LLONG_MIN, -0x1p63 },
		{ "-0", 0, 0 }, { "1.0", 1, 1 }, { "1e3", 1000, 1000 }, { "-2.5E1", -25, -25 },
		{ "9e18", 9000000000000000000, 9e18 }, { "-9.223372036854775808e18", LLONG_MIN, -0x1p63 },
		{ "9.3e18", -7, 9.3e18 }, { "9223372036854775807.0", -7, 0x1p63 },
		{ "-9.3e18", -7, -9.3e18 }, { "1e300", -7, 1e300 }, { "1.5", -7, 1.5 },
		{ "0.1", -7, 0.1 }, { "5e-324", -7, 5e-324 },
		{ "\"42\"", 42, 42 }, { "\"-42\"", -42, -42 }, { "\"+42\"", 42, 42 }, { "\"007\"", 7, 7 },
		{ "\"-007.50\"", -7, -7.5 }, { "\"5.0\"", 5, 5 }, { "\"1e3\"", 1000, 1000 },
		{ "\"1.5\"", -7, 1.5 }, { "\"0\"", 0, 0 }, { "\"00\"", 0, 0 },
	};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const fish_msg *m = json(*state, numbers[i].json);

		assert_int_equal(fish_int(m, "", -7), numbers[i].n);
		assert_true(fish_num(m, "", 0.25) == numbers[i].d);
	}
}

static void what_spells_no_number_is_the_default(void **state)
{
	const char *others[] = {
		"\"\"", "\" 1\"", "\"1 \"", "\"1x\"", "\"0x10\"", "\"inf\"", "\"nan\"", "\"1e999\"", "\"1,5\"",
		"\".5\"", "\"5.\"", "\"-\"", "\"--1\"", "\"+-1\"", "\"1e\"", "\"1_0\"", "\"9223372036854775808\"",
		"\"1\\n\"", "\"\xd9\xa1\"", "true", "null", "[1]", "{\"1\": 1}",
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const fish_msg *m = json(*state, others[i]);

		assert_true(fish_has(m, ""));
		assert_int_equal(fish_int(m, "", 33), 33);
		assert_true(fish_num(m, "", 0.25) == 0.25);
	}
	assert_true(isnan(fish_num(NULL, "/a", NAN)));
	assert_int_equal(fish_int(NULL, "/a", LLONG_MIN), LLONG_MIN);
}

/* ---- pointers ---- */

static void pointers_of_rfc_6901_section_5(void **state)
{
	const fish_msg *m = json(*state, "{\"foo\": [\"bar\", \"baz\"], \"\": 0, \"a/b\": 1, \"c%d\": 2, \"e^f\": 3,"
	                                 " \"g|h\": 4, \"i\\\\j\": 5, \"k\\\"l\": 6, \" \": 7, \"m~n\": 8}");
	const char *pointers[] = { "/", "/a~1b", "/c%d", "/e^f", "/g|h", "/i\\j", "/k\"l", "/ ", "/m~0n" };

	assert_int_equal(fish_count(m, ""), 10);
	assert_string_equal(fish_raw(m, "/foo"), "[\"bar\",\"baz\"]");
	assert_string_equal(fish_str(m, "/foo/0"), "bar");
	for (int i = 0; i < 9; i++)
		assert_int_equal(fish_int(m, pointers[i], -7), i);
}

static void other_pointers(void **state)
{
	const fish_msg *m = json(*state, "{\"a\": [[10], 11, 12], \"~1\": 1, \"~\": 2, \"/\": 3, \"0\": 4, \"-\": 5,"
	                                 " \"é\": 6, \"b\": {\"\": {\"\": 7}}, \"~01\": 8}");

	assert_int_equal(fish_int(m, "/~01", 0), 1);
	assert_int_equal(fish_int(m, "/~0", 0), 2);
	assert_int_equal(fish_int(m, "/~1", 0), 3);
	assert_int_equal(fish_int(m, "/0", 0), 4);
	assert_int_equal(fish_int(m, "/-", 0), 5);
	assert_int_equal(fish_int(m, "/é", 0), 6);
	assert_int_equal(fish_int(m, "/b//", 0), 7);
	assert_int_equal(fish_int(m, "/~001", 0), 8);
	assert_int_equal(fish_int(m, "/a/0/0", 0), 10);
	assert_int_equal(fish_int(m, "/a/2", 0), 12);
	const char *absent[] = {
		"a", "a/0", "/a/3", "/a/-", "/a/-1", "/a/+1", "/a/01", "/a/00", "/a/1x", "/a/ 1", "/a/", "/a//",
		"/a/4294967296", "/a/18446744073709551616", "/a/99999999999999999999999", "/a/1/0", "/~", "/~2",
		"/a~", "/~0~", "//", "/A", "/a/0/0/0",
	};

	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_absent(m, absent[i]);
}

static void long_names_are_found(void **state)
{
	enum { LEN = 10000 };
	char *name = xalloc(LEN + 1);
	struct buf body;
	struct buf pointer;

	memset(name, 'n', LEN);
	name[5] = '~';
	buf_init(&body, SIZE_MAX);
	buf_printf(&body, "{\"%s\": 5}", name);
	buf_init(&pointer, SIZE_MAX);
	buf_printf(&pointer, "/nnnnn~0%s", name + 6);
	assert_int_equal(fish_int(json(*state, body.ptr), pointer.ptr, 0), 5);
	buf_fini(&pointer);
	buf_fini(&body);
	free(name);
}

/* ---- forms ---- */

static void forms_read_as_flat_objects(void **state)
{
	const fish_msg *m = form(*state, "a=1&name=J%C3%BCrgen+M%26S&empty=&bare&&b%5B0%5D=x&a=2&=none&eq=a=b&t=true");

	assert_int_equal(fish_int(m, "/a", 0), 1);
	assert_string_equal(fish_str(m, "/a"), "1");
	assert_string_equal(fish_raw(m, "/a"), "\"1\"");
	assert_string_equal(fish_str(m, "/name"), "Jürgen M&S");
	assert_true(fish_has(m, "/empty"));
	assert_true(fish_has(m, "/bare"));
	assert_string_equal(fish_str(m, "/b[0]"), "x");
	assert_string_equal(fish_str(m, "/"), "none");
	assert_string_equal(fish_str(m, "/eq"), "a=b");
	assert_true(fish_true(m, "/t"));
	assert_int_equal(fish_count(m, ""), 8);
	assert_one_value(fish_raw(m, ""));
	assert_string_equal(fish_raw(form(*state, "q=%22&p=1.50"), ""), "{\"q\":\"\\\"\",\"p\":\"1.50\"}");
	assert_string_equal(fish_raw(form(*state, ""), ""), "{}");
}

static void bad_forms_read_as_absent(void **state)
{
	const char *bodies[] = {
		"a=%", "a=%1", "a=%zz", "%=1", "a=%00", "a%00=1", "a=%80", "a=%C0%AF", "%FF=1", "a=\xff", "ok=1&a=%ED%A0%80",
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++)
		assert_opaque(form(*state, bodies[i]));
	assert_opaque(message(*state, SLICE_LIT(FORM), SLICE_LIT("a=1\0&b=2")));
}

static void forms_have_a_thousand_fields_at_most(void **state)
{
	struct buf body;

	buf_init(&body, SIZE_MAX);
	for (int i = 0; i < 1000; i++)
		buf_printf(&body, "%sn%d=%d", i ? "&" : "", i, i);
	assert_int_equal(fish_int(form(*state, body.ptr), "/n999", 0), 999);
	buf_puts(&body, "&more=1");
	assert_opaque(form(*state, body.ptr));
	buf_fini(&body);
}

static void content_type_decides_what_is_a_form(void **state)
{
	const char *types[] = {
		"content-type: application/x-www-form-urlencoded; charset=utf-8\n",
		"content-type: Application/X-WWW-Form-Urlencoded\n",
		"a: b\ncontent-type: application/x-www-form-urlencoded ;x=y\nc: d\n",
	};
	const char *others[] = {
		"", "content-type: application/json\n", "content-type: application/x-www-form-urlencoded2\n",
		"content-type: application/x-www-form\n", "x-content-type: application/x-www-form-urlencoded\n",
		"content-type: \n",
	};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		assert_string_equal(fish_str(message(*state, slice_of(types[i]), SLICE_LIT("a=b")), "/a"), "b");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_opaque(message(*state, slice_of(others[i]), SLICE_LIT("a=b")));
}

/* As curl -d sends it. */
static void json_called_a_form_is_json(void **state)
{
	assert_int_equal(fish_int(form(*state, "{\"a\": 1}"), "/a", 0), 1);
	assert_string_equal(fish_raw(form(*state, " \n{\"a\": 1}"), ""), " \n{\"a\": 1}");
	assert_int_equal(fish_count(form(*state, "[1, 2]"), ""), 2);
	assert_opaque(form(*state, "{a=1&b=2"));
}

/* ---- headers ---- */

static void headers_are_found_in_any_case(void **state)
{
	struct slice meta = SLICE_LIT(":method: POST\n:query: a=1&b=2\n:peer: 127.0.0.1\nx-one: first\nx-one: second\n"
	                              "x-empty: \nx-colon: a: b\nlast: no line feed");
	const fish_msg *m = message(*state, meta, SLICE_LIT("not json"));

	assert_string_equal(fish_header(m, "x-one"), "first");
	assert_string_equal(fish_header(m, "X-One"), "first");
	assert_string_equal(fish_header(m, "X-ONE"), "first");
	assert_string_equal(fish_header(m, "x-colon"), "a: b");
	assert_string_equal(fish_header(m, "last"), "no line feed");
	assert_string_equal(fish_header(m, ":method"), "POST");
	assert_string_equal(fish_header(m, ":Method"), "POST");
	assert_string_equal(fish_header(m, ":query"), "a=1&b=2");
	assert_string_equal(fish_header(m, ":peer"), "127.0.0.1");
	const char *absent[] = { "x-empty", "x-on", "-one", "one", "", "x-one:", "first", ":path", "method", "é",
	                         "last: no line feed, nor more", NULL };

	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		assert_string_equal(fish_header(m, absent[i]), "");
	char name[1000];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_string_equal(fish_header(m, name), "");
	assert_string_equal(fish_header(message(*state, SLICE_NONE, SLICE_NONE), "a"), "");
}

/* ---- through an engine ---- */

static void mirror(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "m");

	fish_log(f, "%s", fish_url(h));
	const fish_msg *m = fish_next(h, FISH_FOREVER);

	fish_done(f, "{path: %s, method: %s, in: %s, r: %-s, deep: %zu}", fish_header(m, ":PATH"),
	          fish_header(m, ":method"), fish_header(in, ":path"), fish_raw(m, "/r"),
	          strlen(fish_raw(m, "/deep")));
}

/* On a flow's small stack: the deepest body that is read is also written there. */
static void a_flow_reads_path_and_deep_bodies(void **state)
{
	(void)state;
	const fish_def flows[] = { FISH_FLOW(mirror), FISH_END };
	const fish_program program = { .flows = flows };
	enum { DEEP = JSON_DEPTH_MAX - 1 };
	char *deep = xalloc(2 * DEEP + 1);
	struct buf body;
	struct kit k;

	kit_open(&k, &program, 0);
	struct id id = kit_start(&k, "mirror", "{}");
	char *url = xstrndup(k.log.ptr, k.log.len - 1);

	memset(deep, '[', DEEP);
	memset(deep + DEEP, ']', DEEP);
	buf_init(&body, SIZE_MAX);
	buf_printf(&body, "{\"r\": [0.1, 1e2], \"deep\": %s}", deep);
	assert_int_equal(kit_post(&k, url, body.ptr, NULL), 200);
	const char *end = kit_end(&k, id);
	char wanted[400];

	snprintf(wanted, sizeof wanted, "done {\"path\": \"%s\", \"method\": \"POST\", \"in\": \"\", "
	         "\"r\": [0.1,100.0], \"deep\": %d}", strstr(url, "/h/"), 2 * DEEP);
	assert_string_equal(end, wanted);
	buf_fini(&body);
	free(deep);
	free(url);
	kit_close(&k);
}

#define ON_DESK(test) cmocka_unit_test_setup_teardown(test, desk_set_up, desk_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_message_reads_as_empty),
		ON_DESK(bodies_that_are_no_json_read_as_absent),
		ON_DESK(refused_json_reads_as_absent),
		ON_DESK(too_deep_reads_as_absent),
		cmocka_unit_test(words_tell_why_a_body_is_refused),
		ON_DESK(values_read_by_their_kind),
		ON_DESK(whole_bodies_are_raw_as_sent),
		ON_DESK(raw_is_always_one_value),
		ON_DESK(status_decides_ok),
		ON_DESK(numbers_are_whole_and_in_range_or_absent),
		ON_DESK(what_spells_no_number_is_the_default),
		ON_DESK(pointers_of_rfc_6901_section_5),
		ON_DESK(other_pointers),
		ON_DESK(long_names_are_found),
		ON_DESK(forms_read_as_flat_objects),
		ON_DESK(bad_forms_read_as_absent),
		ON_DESK(forms_have_a_thousand_fields_at_most),
		ON_DESK(content_type_decides_what_is_a_form),
		ON_DESK(json_called_a_form_is_json),
		ON_DESK(headers_are_found_in_any_case),
		cmocka_unit_test(a_flow_reads_path_and_deep_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
