/* errand.c - fetches certificates and confirms subscriptions.
 *
 * Invariant: who forges requests makes few lines in the log, and pushes out no certificate that came.
 * Surprise: a line of the log has the URL's host and never its query, which for a confirmation is a
 * password. */
#include "net/errand.h"

#include "base/buf.h"
#include "base/list.h"
#include "engine/seams.h"

#include <stdlib.h>
#include <string.h>

enum {
	CERTIFICATES_MAX = 16,
	CERTIFICATE_BYTES_MAX = 64 << 10,
	ERRANDS_MAX = 64,              /* under way; more are let be, and asked for again */
	TIMEOUT_MS = 10 * 1000,
	RETRY_MS = 60 * 1000,          /* after one that failed */
	MISSING_LINES_MAX = 10,        /* in the log, within a minute */
	MINUTE_MS = 60 * 1000,
};
#define KEEP_MS (INT64_C(24) * 60 * 60 * 1000)

struct certificate {
	char   *url;
	char   *pem;                   /* NULL: not there */
	bool    under_way;
	int64_t at_ms;                 /* when it came, or failed */
};

struct errand {
	struct attempt  attempt;
	struct list     link;
	struct errands *all;
	char           *url;
	bool            confirms;
};

struct errands {
	struct errands_config config;
	struct certificate certificates[CERTIFICATES_MAX];
	struct list under_way;
	size_t n;
	int64_t minute; /* whose lines are counted */
	size_t lines;   /* of what is missing, in it */
};

struct errands *errands_new(const struct errands_config *config)
{
	struct errands *e = xalloc(sizeof *e);
	e->config = *config;
	list_init(&e->under_way);
	return e;
}

static void errand_free(struct errand *x)
{
	list_remove(&x->link);
	x->all->n--;
	free(x->url);
	free(x);
}

struct errands *errands_free(struct errands *e)
{
	if (e == NULL)
		return NULL;
	while (!list_empty(&e->under_way))
		errand_free(container_of(e->under_way.next, struct errand, link));
	for (size_t i = 0; i < CERTIFICATES_MAX; i++) {
		free(e->certificates[i].url);
		free(e->certificates[i].pem);
	}
	free(e);
	return NULL;
}

/* What stands between "https://" and the path. */
static struct slice host_of(const char *url)
{
	const char *at = strstr(url, "://");
	at = at == NULL ? url : at + 3;
	return (struct slice){ at, strcspn(at, "/?#") };
}

static void tell(struct errands *e, const char *event, const char *url, const char *how)
{
	struct buf line;
	struct slice host = host_of(url);
	buf_init(&line, SIZE_MAX);
	buf_printf(&line, "host=%.*s why=\"%s\"", (int)host.len, host.ptr, how);
	e->config.log(e->config.owner, event, buf_slice(&line));
	buf_fini(&line);
}

static struct certificate *certificate_of(struct errands *e, struct slice url)
{
	for (size_t i = 0; i < CERTIFICATES_MAX; i++) {
		if (e->certificates[i].url != NULL && slice_eq(slice_of(e->certificates[i].url), url))
			return &e->certificates[i];
	}
	return NULL;
}

static bool has_certificate(const struct certificate *c) { return c->pem != NULL; }

/* A free place, or the oldest of those where none came; one that came makes room only for lack of others.
 * NULL: all are out for one. */
static struct certificate *certificate_place(struct errands *e)
{
	struct certificate *oldest = NULL;
	bool all_came = true;
	for (size_t i = 0; i < CERTIFICATES_MAX; i++)
		all_came = all_came && has_certificate(&e->certificates[i]);
	for (size_t i = 0; i < CERTIFICATES_MAX; i++) {
		struct certificate *c = &e->certificates[i];
		if (c->url == NULL)
			return c;
		if (has_certificate(c) == all_came && !c->under_way && (oldest == NULL || c->at_ms < oldest->at_ms))
			oldest = c;
	}
	return oldest;
}

/* What an error page is not. */
static bool is_pem(struct slice body)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----";
	return body.len > 0 && body.len <= CERTIFICATE_BYTES_MAX &&
		memmem(body.ptr, body.len, begin, sizeof begin - 1) != NULL;
}

/* Whoever knows a URL of the program writes these lines. */
static bool missing_is_told(struct errands *e)
{
	int64_t minute = e->config.now_ms(e->config.owner) / MINUTE_MS;
	if (minute != e->minute)
		e->lines = 0;
	e->minute = minute;
	return e->lines++ < MISSING_LINES_MAX;
}

static void certificate_came(struct errands *e, const char *url, int status, struct slice body, const char *why)
{
	struct certificate *c = certificate_of(e, slice_of(url));
	bool good = status == 200 && is_pem(body);
	if (c == NULL)
		return;
	c->under_way = false;
	c->at_ms = e->config.now_ms(e->config.owner);
	if (good) {
		free(c->pem);
		c->pem = xstrndup(body.ptr, body.len);
	}
	if (good)
		tell(e, "certificate.came", url, "");
	else if (missing_is_told(e))
		tell(e, "certificate.missing", url, why != NULL ? why : "the answer is no certificate");
}

static void on_done(struct attempt *a, int status, struct slice meta, struct slice body,
	int64_t retry_after_ms, const char *why)
{
	struct errand *x = container_of(a, struct errand, attempt);
	(void)meta;
	(void)retry_after_ms;
	if (!x->confirms)
		certificate_came(x->all, x->url, status, body, why);
	else if (status >= 200 && status < 300)
		tell(x->all, "hook.confirmed", x->url, "");
	else
		tell(x->all, "hook.unconfirmed", x->url, why != NULL ? why : "it answered with another status than 2xx");
	errand_free(x);
}

/* False: too many are under way. */
static bool go(struct errands *e, struct slice url, bool confirms)
{
	if (e->n == ERRANDS_MAX)
		return false;
	struct errand *x = xalloc(sizeof *x);
	x->all = e;
	x->url = xstrndup(url.ptr, url.len);
	x->confirms = confirms;
	x->attempt = (struct attempt){
		.method = SLICE_LIT("GET"),
		.url = slice_of(x->url),
		.timeout_ms = TIMEOUT_MS,
		.stranger = true,
		.done = on_done,
	};
	list_init(&x->link);
	list_push(&e->under_way, &x->link);
	e->n++;
	e->config.send(e->config.owner, &x->attempt);
	return true;
}

bool errands_certificate(struct errands *e, struct slice url, struct slice *ret_pem)
{
	struct certificate *c = certificate_of(e, url);
	int64_t age_ms = c == NULL ? 0 : e->config.now_ms(e->config.owner) - c->at_ms;
	if (c != NULL && c->pem != NULL && age_ms < KEEP_MS) {
		*ret_pem = slice_of(c->pem);
		return true;
	}
	if (c != NULL && (c->under_way || (c->pem == NULL && age_ms < RETRY_MS)))
		return false;
	if (c == NULL && (c = certificate_place(e)) == NULL)
		return false;
	free(c->pem);
	free(c->url);
	*c = (struct certificate){ .url = xstrndup(url.ptr, url.len), .under_way = true };
	if (!go(e, url, false))
		c->under_way = false;
	return false;
}

void errands_confirm(struct errands *e, struct slice url)
{
	(void)go(e, url, true);
}
