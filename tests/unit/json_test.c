/* json_test.c - trees of jansson's written as text: what is put reads back as an equal tree. */
#include "base/hash.h"
#include "wire/json.h"
#include "wire/template.h"

#include <dirent.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROUNDS = 30000, PAYLOAD_BYTES_MAX = 1 << 20 };

static void assert_put(const char *json, const char *wanted)
{
	json_t *value = template_read_value(slice_of(json), NULL);
	struct buf out;

	assert_non_null(value);
	buf_init(&out, SIZE_MAX);
	json_put(&out, value);
	assert_string_equal(out.ptr, wanted);
	buf_fini(&out);
	json_decref(value);
}

static void values_of_each_kind_are_put(void **state)
{
	(void)state;
	assert_put(" null ", "null");
	assert_put("true", "true");
	assert_put("false", "false");
	assert_put("0", "0");
	assert_put("-9223372036854775808", "-9223372036854775808");
	assert_put("9223372036854775807", "9223372036854775807");
	assert_put("\"\"", "\"\"");
	assert_put("\"a\\u00e9\\n\\\"\\/\\\\\\u0001\"", "\"aé\\n\\\"/\\\\\\u0001\"");
	assert_put("[ ]", "[]");
	assert_put("{ }", "{}");
	assert_put("[1, [2, {\"b\": [], \"a\": {}}], \"x\"]", "[1,[2,{\"b\":[],\"a\":{}}],\"x\"]");
	assert_put("{\"z\": 1, \"\": 2, \"a\\\"b\": {\"\\u2028\": null}}",
	           "{\"z\":1,\"\":2,\"a\\\"b\":{\"\xe2\x80\xa8\":null}}");
}

static void reals_are_put_as_people_write_them(void **state)
{
	(void)state;
	assert_put("19.99", "19.99");
	assert_put("0.1", "0.1");
	assert_put("-0.30000000000000004", "-0.30000000000000004");
	assert_put("1.0", "1.0");
	assert_put("-0.0", "-0.0");
	assert_put("1e3", "1000.0");
	assert_put("1e300", "1e+300");
	assert_put("123456789012345680", "123456789012345680");
	assert_put("2.5e-7", "2.5e-07");
}

static void assert_reads_back(json_t *value)
{
	struct buf out;

	buf_init(&out, SIZE_MAX);
	json_put(&out, value);
	json_t *again = template_read_value(buf_slice(&out), NULL);

	assert_non_null(again);
	assert_true(json_equal(value, again));
	json_decref(again);
	buf_fini(&out);
}

static void any_real_reads_back(void **state)
{
	(void)state;
	uint64_t chance = HASH64_SEED;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		double d;

		chance = hash64_u64(chance, i);
		memcpy(&d, &chance, sizeof d);
		/* JSON has no infinity and no NaN. */
		json_t *value = json_real(d);

		if (!value)
			continue;
		assert_reads_back(value);
		json_decref(value);
	}
}

/* The deepest that is ever read, of objects and arrays. */
static void deepest_value_reads_back(void **state)
{
	(void)state;
	json_t *value = json_array();

	for (int i = 1; i < JSON_DEPTH_MAX; i++)
		value = i % 2 ? json_pack("{s: o}", "a", value) : json_pack("[o]", value);
	assert_reads_back(value);
	json_decref(value);
}

/* ---- what real senders send ---- */

static char *read_file(const char *folder, const char *name, size_t *ret_len)
{
	char *bytes = xalloc(PAYLOAD_BYTES_MAX);
	struct buf path;

	buf_init(&path, SIZE_MAX);
	buf_printf(&path, "%s/%s", folder, name);
	FILE *file = fopen(path.ptr, "rb");

	assert_non_null(file);
	buf_fini(&path);
	*ret_len = fread(bytes, 1, PAYLOAD_BYTES_MAX, file);
	fclose(file);
	return bytes;
}

static void real_payloads_read_back(void **state)
{
	(void)state;
	const char *vectors = getenv("FISH_VECTORS");
	char folder[4000];
	int payloads = 0;

	snprintf(folder, sizeof folder, "%s/payloads", vectors ? vectors : "../shared/vectors");
	DIR *all = opendir(folder);

	if (!all) {
		print_message("no %s: skipped\n", folder);
		skip();
	}
	for (struct dirent *d; (d = readdir(all));) {
		const char *end = strrchr(d->d_name, '.');
		size_t len = 0;

		if (!end || strcmp(end, ".json") != 0)
			continue;
		char *bytes = read_file(folder, d->d_name, &len);
		json_t *value = template_read_value((struct slice){ bytes, len }, NULL);

		if (!value)
			fail_msg("%s is not read", d->d_name);
		assert_reads_back(value);
		json_decref(value);
		free(bytes);
		payloads++;
	}
	closedir(all);
	assert_true(payloads > 0);
}

static bool same(const char *a, const char *b)
{
	return json_same(slice_of(a), slice_of(b));
}

static void equal_values_are_the_same(void **state)
{
	(void)state;
	assert_true(same("{\"a\": 1, \"b\": [null, \"x\"]}", "{\"b\":[null,\"x\"],\"a\":1}"));
	assert_false(same("[1, 2]", "[2, 1]"));
	assert_false(same("1", "1.0"));
	assert_false(same("{}", "{\"a\": null}"));
	assert_false(same("no", "no"));
	assert_false(same("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_each_kind_are_put),
		cmocka_unit_test(reals_are_put_as_people_write_them),
		cmocka_unit_test(any_real_reads_back),
		cmocka_unit_test(deepest_value_reads_back),
		cmocka_unit_test(real_payloads_read_back),
		cmocka_unit_test(equal_values_are_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
