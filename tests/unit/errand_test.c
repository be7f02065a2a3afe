/* errand_test.c - certificates are fetched once and kept, confirmations told of, and nobody waits. */
#include "net/errand.h"

#include "base/buf.h"
#include "engine/seams.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

enum { SENT_MAX = 200 };
#define PEM "-----BEGIN CERTIFICATE-----\n"

struct world {
	struct attempt *sent[SENT_MAX];
	size_t          n;
	int64_t         now_ms;
	struct buf      log;
	struct errands *errands;
};

static void on_send(void *owner, struct attempt *a)
{
	struct world *w = owner;
	assert_true(w->n < SENT_MAX);
	assert_true(a->stranger);
	assert_true(slice_eq(a->method, SLICE_LIT("GET")));
	w->sent[w->n++] = a;
}

static int64_t now(void *owner)
{
	return ((struct world *)owner)->now_ms;
}

static void on_log(void *owner, const char *event, struct slice line)
{
	struct world *w = owner;
	buf_printf(&w->log, "%s %.*s\n", event, (int)line.len, line.ptr);
}

static void world_open(struct world *w)
{
	*w = (struct world){ .now_ms = 1000 };
	buf_init(&w->log, SIZE_MAX);
	w->errands = errands_new(&(struct errands_config){ .owner = w, .send = on_send, .now_ms = now, .log = on_log });
}

static void world_close(struct world *w)
{
	assert_null(errands_free(w->errands));
	buf_fini(&w->log);
}

static void answer(struct world *w, size_t n, int status, const char *body)
{
	w->sent[n]->done(w->sent[n], status, SLICE_NONE, slice_of(body), -1, status ? NULL : "nobody is there");
}

static void a_certificate_is_fetched_once_a_day(void **state)
{
	(void)state;
	struct world w;
	struct slice url = SLICE_LIT("https://sns.eu-1.amazonaws.com/a.pem");
	struct slice pem = SLICE_NONE;
	world_open(&w);
	assert_false(errands_certificate(w.errands, url, &pem));
	assert_false(errands_certificate(w.errands, url, &pem));
	assert_int_equal(w.n, 1);
	answer(&w, 0, 200, PEM);
	assert_true(errands_certificate(w.errands, url, &pem));
	assert_true(slice_eq(pem, SLICE_LIT(PEM)));
	w.now_ms += 24 * 3600 * 1000 - 1;
	assert_true(errands_certificate(w.errands, url, &pem));
	w.now_ms += 1;
	assert_false(errands_certificate(w.errands, url, &pem));
	assert_int_equal(w.n, 2);
	world_close(&w);                       /* with one under way */
}

static void one_that_fails_is_tried_again_after_a_minute(void **state)
{
	(void)state;
	struct world w;
	struct slice url = SLICE_LIT("https://sns.eu-1.amazonaws.com/a.pem?secret");
	struct slice pem = SLICE_NONE;
	world_open(&w);
	assert_false(errands_certificate(w.errands, url, &pem));
	answer(&w, 0, 0, "");
	w.now_ms += 59999;
	assert_false(errands_certificate(w.errands, url, &pem));
	assert_int_equal(w.n, 1);
	w.now_ms += 1;
	assert_false(errands_certificate(w.errands, url, &pem));
	assert_int_equal(w.n, 2);
	answer(&w, 1, 404, "no such thing");
	assert_false(errands_certificate(w.errands, url, &pem));
	assert_string_equal(w.log.ptr,
		"certificate.missing host=sns.eu-1.amazonaws.com why=\"nobody is there\"\n"
		"certificate.missing host=sns.eu-1.amazonaws.com why=\"the answer is no certificate\"\n");
	world_close(&w);
}

/* Forgers may name many; what is kept stays bounded, and what is under way too. */
static void many_are_bounded(void **state)
{
	(void)state;
	struct world w;
	struct slice pem = SLICE_NONE;
	char url[80];
	world_open(&w);
	for (int i = 0; i < 40; i++) {
		snprintf(url, sizeof url, "https://sns.eu-1.amazonaws.com/%d.pem", i);
		assert_false(errands_certificate(w.errands, slice_of(url), &pem));
	}
	assert_int_equal(w.n, 16);
	for (size_t i = 0; i < 16; i++)
		answer(&w, i, 200, PEM);
	w.now_ms++;
	assert_false(errands_certificate(w.errands, slice_of(url), &pem));
	answer(&w, 16, 200, PEM "LAST");
	assert_true(errands_certificate(w.errands, slice_of(url), &pem));
	for (int i = 0; i < 100; i++)
		errands_confirm(w.errands, SLICE_LIT("https://sns.eu-1.amazonaws.com/?Token=secret"));
	assert_int_equal(w.n, 17 + 64);
	answer(&w, 17, 200, "");
	answer(&w, 18, 403, "");
	assert_non_null(strstr(w.log.ptr, "hook.confirmed host=sns.eu-1.amazonaws.com why=\"\"\n"));
	assert_non_null(strstr(w.log.ptr, "hook.unconfirmed host=sns.eu-1.amazonaws.com why=\"it answered with"));
	assert_null(strstr(w.log.ptr, "secret"));
	world_close(&w);
}

/* Was: sixteen forged names pushed the sender's own certificate out, and each made a line in the log. */
static void forgers_push_nothing_out_and_tell_little(void **state)
{
	(void)state;
	struct world w;
	struct slice url = SLICE_LIT("https://sns.eu-1.amazonaws.com/a.pem");
	struct slice pem = SLICE_NONE;
	char forged[80];
	size_t lines = 0;
	world_open(&w);
	assert_false(errands_certificate(w.errands, url, &pem));
	answer(&w, 0, 200, PEM);
	for (int i = 0; i < 100; i++) {
		w.now_ms++;
		snprintf(forged, sizeof forged, "https://sns.eu-1.amazonaws.com/%d.pem", i);
		assert_false(errands_certificate(w.errands, slice_of(forged), &pem));
		if (w.n > (size_t)i + 1)
			answer(&w, w.n - 1, 404, "<html>");
	}
	assert_int_equal(w.n, 101);
	assert_true(errands_certificate(w.errands, url, &pem));
	for (const char *at = w.log.ptr; (at = strstr(at, "certificate.missing")) != NULL; at++)
		lines++;
	assert_int_equal(lines, 10);
	/* Nor while all other places are out for one. */
	for (int i = 100; i < 200; i++) {
		snprintf(forged, sizeof forged, "https://sns.eu-1.amazonaws.com/%d.pem", i);
		assert_false(errands_certificate(w.errands, slice_of(forged), &pem));
	}
	assert_int_equal(w.n, 101 + 15);
	assert_true(errands_certificate(w.errands, url, &pem));
	w.now_ms += 60 * 1000;
	answer(&w, 101, 0, "");
	assert_non_null(strstr(w.log.ptr, "why=\"nobody is there\""));
	world_close(&w);
}

/* Was: whatever came with 200 was kept for a day, and each delivery of that day refused. */
static void a_page_is_no_certificate(void **state)
{
	(void)state;
	struct world w;
	struct slice url = SLICE_LIT("https://sns.eu-1.amazonaws.com/a.pem");
	struct slice pem = SLICE_NONE;
	world_open(&w);
	assert_false(errands_certificate(w.errands, url, &pem));
	answer(&w, 0, 200, "<html>come again later</html>");
	w.now_ms += 60 * 1000;
	assert_false(errands_certificate(w.errands, url, &pem));
	answer(&w, 1, 200, PEM);
	assert_true(errands_certificate(w.errands, url, &pem));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_fetched_once_a_day),
		cmocka_unit_test(one_that_fails_is_tried_again_after_a_minute),
		cmocka_unit_test(many_are_bounded),
		cmocka_unit_test(forgers_push_nothing_out_and_tell_little),
		cmocka_unit_test(a_page_is_no_certificate),
	};
	return cmocka_run_group_tests_name("errand", tests, NULL, NULL);
}
