/* http1_fuzz.c - any bytes, read as a pipeline of requests: whole, in cuts, and with
 * bodies that are not kept.
 *
 * The readings must agree in all that a caller sees, keep the limits, and never
 * take a byte beyond the request. The first two bytes of the input choose the limits
 * and the cuts, so that small limits are met by small inputs. */
#include "wire/http1.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct http1_limits small_limits = {
	.line_bytes_max = 64, .head_bytes_max = 128, .fields_max = 4, .body_bytes_max = 32,
};

static void check_same(const struct http1 *a, const struct http1 *b)
{
	CHECK(a->phase == b->phase);
	CHECK(a->status == b->status);
	CHECK(a->why == b->why);
	CHECK(a->minor == b->minor);
	CHECK(a->keep_alive == b->keep_alive);
	CHECK(a->expect_continue == b->expect_continue);
	CHECK(a->has_body == b->has_body);
	CHECK(slice_eq(a->method, b->method));
	CHECK(slice_eq(a->target, b->target));
	CHECK(slice_eq(a->path, b->path));
	CHECK(slice_eq(a->query, b->query));
	CHECK(slice_eq(buf_slice(&a->body), buf_slice(&b->body)));
	CHECK(a->nfields == b->nfields);
	for (size_t i = 0; i < a->nfields; i++) {
		CHECK(slice_eq(a->fields[i].name, b->fields[i].name));
		CHECK(slice_eq(a->fields[i].value, b->fields[i].value));
	}
}

/* What a complete request promises, whatever the bytes were. */
static void check_request(const struct http1 *p, const struct http1_limits *limits)
{
	CHECK(p->status == 0);
	CHECK(p->method.len > 0);
	CHECK(p->target.len > 0);
	CHECK(memchr(p->target.ptr, ' ', p->target.len) == NULL);
	CHECK(p->path.len + p->query.len <= p->target.len);
	size_t hosts = 0;
	http1_field(p, "host", &hosts);
	CHECK(hosts <= 1);
	CHECK(hosts + (size_t)(p->minor == 0) >= 1);
	size_t lengths = 0;
	size_t codings = 0;
	http1_field(p, "content-length", &lengths);
	http1_field(p, "transfer-encoding", &codings);
	CHECK(lengths + codings <= 1);
	for (size_t i = 0; i < p->nfields; i++) {
		struct slice value = p->fields[i].value;
		CHECK(value.len == 0 || memchr(value.ptr, '\r', value.len) == NULL);
		CHECK(value.len == 0 || memchr(value.ptr, '\n', value.len) == NULL);
		CHECK(value.len == 0 || memchr(value.ptr, '\0', value.len) == NULL);
	}
	if (limits == NULL)
		return;
	CHECK(p->nfields <= limits->fields_max);
	CHECK(p->body.len <= limits->body_bytes_max);
}

enum body { BODY_KEPT, BODY_DISCARDED };

/* Reads one request in pieces of 1 … cut bytes; returns how many were taken. */
static size_t read_one(struct http1 *p, struct slice in, size_t cut, enum body body, size_t body_bytes_max)
{
	size_t used = 0;
	for (size_t round = 0; p->phase == HTTP1_HEAD || p->phase == HTTP1_BODY; round++) {
		size_t len = cut == 0 ? in.len - used : 1 + round * 7 % cut;
		if (len > in.len - used)
			len = in.len - used;
		if (len == 0)
			break;
		size_t took = http1_feed(p, in.ptr + used, len);
		CHECK(took <= len);
		used += took;
		if (p->phase == HTTP1_HEAD || p->phase == HTTP1_BODY)
			CHECK(took == len);
		if (p->phase == HTTP1_HEAD_DONE &&
		    (body == BODY_KEPT || !http1_discard(p, body_bytes_max)))
			http1_continue(p, 0);
	}
	return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	const struct http1_limits *limits = (data[0] & 1) != 0 ? &small_limits : NULL;
	size_t cut = 1 + data[1] % 64;
	size_t body_max = limits != NULL ? limits->body_bytes_max : BODY_BYTES_MAX_DEFAULT;
	struct slice in = { (const char *)data + 2, size - 2 };
	struct http1 whole, cuts, dropped;
	http1_init(&whole, limits);
	http1_init(&cuts, limits);
	http1_init(&dropped, limits);
	for (size_t used = 1; used > 0 && in.len > 0;) {
		used = read_one(&whole, in, 0, BODY_KEPT, 0);
		CHECK(read_one(&cuts, in, cut, BODY_KEPT, 0) == used);
		check_same(&whole, &cuts);
		/* A body that is not kept changes nothing in the verdict. */
		CHECK(read_one(&dropped, in, cut, BODY_DISCARDED, body_max) == used);
		CHECK(dropped.phase == whole.phase);
		CHECK(dropped.status == whole.status);
		CHECK(dropped.body.len == 0);
		if (whole.phase != HTTP1_DONE)
			break;
		check_request(&whole, limits);
		http1_next(&whole);
		http1_next(&cuts);
		http1_next(&dropped);
		in = (struct slice){ in.ptr + used, in.len - used };
	}
	http1_fini(&whole);
	http1_fini(&cuts);
	http1_fini(&dropped);
	return 0;
}
