/* url_fuzz.c - any bytes as a base URL, a listen address, an escaped text and a query.
 *
 * What parses must lie inside the text, join to something that parses again, and
 * decode to the same bytes however it is asked for. */
#include "wire/url.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_base(struct slice text)
{
	struct url u;
	struct err err = { 0 };
	if (url_parse_base(text, &u, &err) != 0) {
		CHECK(err.code == FISH_EINVAL);
		CHECK(err.text[0] != '\0');
		return;
	}
	const struct slice parts[] = { u.scheme, u.host, u.port, u.path };
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		CHECK(parts[i].ptr >= text.ptr);
		CHECK(parts[i].ptr + parts[i].len <= text.ptr + text.len);
	}
	CHECK(u.host.len > 0);
	CHECK(u.path.len == 0 || u.path.ptr[0] == '/');

	struct buf out;
	struct url joined;
	buf_init(&out, text.len + 16);
	url_join(&out, text, SLICE_LIT("/h/x"));
	CHECK(!buf_failed(&out));
	if (out.len <= BASE_URL_BYTES_MAX) {
		CHECK(url_parse_base(buf_slice(&out), &joined, NULL) == 0);
		CHECK(slice_eq(u.host, joined.host));
		CHECK(slice_eq(u.port, joined.port));
		CHECK(joined.path.len >= 4);
	}
	buf_fini(&out);
}

static void check_decode(struct slice text)
{
	struct buf plain, form;
	buf_init(&plain, text.len);
	buf_init(&form, text.len);
	int rc = url_decode(&plain, text);
	CHECK(rc == url_decode_form(&form, text));
	CHECK(rc == 0 || plain.len == 0);
	CHECK(plain.len == form.len);
	CHECK(plain.len == 0 || memchr(plain.ptr, '\0', plain.len) == NULL);
	buf_fini(&plain);
	buf_fini(&form);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	check_base(text);
	check_decode(text);

	char host[256] = "";
	uint16_t port = 0;
	if (url_parse_listen(text, host, &port, NULL) == 0)
		CHECK(strlen(host) < size);

	struct buf out;
	buf_init(&out, size);
	if (url_param(text, "a", &out))
		CHECK(!buf_failed(&out));
	else
		CHECK(out.len == 0);
	buf_fini(&out);
	return 0;
}
