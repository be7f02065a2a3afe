/* seams.c - the real clock, chance, transport and log.
 *
 * Invariant: the clock never goes back, whoever sets the machine's. A log line is one
 * write, and no byte of it can forge another line or speak to a terminal. Surprise: the
 * steady clock is the one that goes on while the machine sleeps, as the world outside
 * does not stop for it. */
#include "host/seams.h"

#include "base/buf.h"
#include "host/where.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE_BYTES_MAX = 64 << 10 };

/* CHECK: the clocks that are asked for exist on every Linux that Fish runs on. */
static int64_t clock_ms(clockid_t which)
{
	struct timespec at = { 0 };

	CHECK(clock_gettime(which, &at) == 0);
	return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

int64_t world_now_ms(const struct world *w)
{
	return w->wall_ms + (clock_ms(CLOCK_BOOTTIME) - w->since_ms);
}

int world_init(struct world *w, const char *log, struct err *err)
{
	*w = (struct world){ .log_fd = STDERR_FILENO };
	w->wall_ms = clock_ms(CLOCK_REALTIME);
	w->since_ms = clock_ms(CLOCK_BOOTTIME);
	if (strcmp(log, "off") == 0) {
		w->log_fd = -1;
	} else if (strcmp(log, "stderr") != 0) {
		w->log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		w->log_owned = w->log_fd >= 0;
		if (w->log_fd < 0)
			return err_set(
				err, FISH_EIO,
				"log %.120s: %s; name a file that may be written, in a "
				"directory that is there, or stderr or off",
				log, strerror(errno));
	}
	return 0;
}

void world_fini(struct world *w)
{
	if (w->log_owned)
		close(w->log_fd);
	w->log_fd = -1;
	w->log_owned = false;
}

/* UTC with milliseconds, so that lines of several machines sort together. */
static void put_stamp(struct buf *out, int64_t now_ms)
{
	time_t seconds = (time_t)(now_ms / 1000);
	struct tm tm = { 0 };
	char text[32];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(out, "%s.%03dZ", text, (int)(now_ms % 1000));
}

/* A flow's log line may hold a stranger's bytes: what could end the line or move a cursor
 * is written out. */
static void put_line(struct buf *out, struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.ptr[i];

		if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_putc(out, line.ptr[i]);
	}
}

static void log_line(const struct world *w, const char *event, struct slice line)
{
	struct buf out;

	if (w->log_fd < 0)
		return;
	buf_init(&out, LOG_LINE_BYTES_MAX);
	put_stamp(&out, world_now_ms(w));
	buf_printf(&out, " %s ", event);
	/* Each byte may come to four; the rest of an overlong line is cut. */
	if (line.len > LOG_LINE_BYTES_MAX / 4 - 100)
		line.len = LOG_LINE_BYTES_MAX / 4 - 100;
	put_line(&out, line);
	buf_putc(&out, '\n');
	/* A log that cannot be written is no reason to stop. */
	ssize_t n = write(w->log_fd, out.ptr, out.len);

	(void)n;
	buf_fini(&out);
}

void world_log(const struct world *w, const char *event, const char *fmt, ...)
{
	struct buf line;
	va_list ap;

	buf_init(&line, LOG_LINE_BYTES_MAX);
	va_start(ap, fmt);
	buf_vprintf(&line, fmt, ap);
	va_end(ap);
	log_line(w, event, buf_slice(&line));
	buf_fini(&line);
}

static int64_t seam_now_ms(void *owner) { return world_now_ms(owner); }

static void seam_entropy(void *owner, void *bytes, size_t len)
{
	char *at = bytes;

	(void)owner;
	while (len > 0) {
		ssize_t n = getrandom(at, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		CHECK(n > 0); /* the kernel has the call since 3.17 */
		at += n;
		len -= (size_t)n;
	}
}

static uint32_t seam_jitter(void *owner)
{
	uint32_t value = 0;

	seam_entropy(owner, &value, sizeof(value));
	return value;
}

/* While stopping, a call is left to the next start: its journal says that it is due. */
static void seam_send(void *owner, struct attempt *a)
{
	struct world *w = owner;

	if (w->client != NULL)
		client_send(w->client, a);
}

static void seam_abandon(void *owner, struct attempt *a)
{
	struct world *w = owner;

	if (w->client != NULL)
		client_abandon(w->client, a);
}

static void seam_log(void *owner, const char *event, struct slice line)
{
	log_line(owner, event, line);
}

static void seam_work(void *owner, struct work_item *item)
{
	threads_work(((struct world *)owner)->threads, item);
}

static void seam_where(void *owner, struct buf *out, const void *return_address)
{
	(void)owner;
	where_put(out, return_address);
}

static void seam_on_cpu(void *owner, const struct id *flow)
{
	blackbox_on_cpu(((struct world *)owner)->blackbox, flow);
}

static bool seam_quarantined(void *owner, const struct id *flow)
{
	return blackbox_quarantined(((struct world *)owner)->blackbox, flow);
}

static void seam_forgive(void *owner, const struct id *flow)
{
	blackbox_forgive(((struct world *)owner)->blackbox, flow);
}

static bool seam_certificate(void *owner, struct slice url, struct slice *ret_pem)
{
	struct world *w = owner;

	return w->errands != NULL && errands_certificate(w->errands, url, ret_pem);
}

static void seam_confirm(void *owner, struct slice url)
{
	struct world *w = owner;

	if (w->errands != NULL)
		errands_confirm(w->errands, url);
}

struct errands *world_errands(struct world *w)
{
	return errands_new(&(struct errands_config){
		.owner = w, .send = seam_send, .now_ms = seam_now_ms, .log = seam_log });
}

struct seams world_seams(struct world *w)
{
	return (struct seams){
		.owner = w,
		.now_ms = seam_now_ms,
		.entropy = seam_entropy,
		.send = seam_send,
		.abandon = seam_abandon,
		.log = seam_log,
		.jitter = seam_jitter,
		.certificate = seam_certificate,
		.confirm = seam_confirm,
		.work = seam_work,
		.where = seam_where,
		.on_cpu = w->blackbox ? seam_on_cpu : NULL,
		.quarantined = w->blackbox ? seam_quarantined : NULL,
		.forgive = w->blackbox ? seam_forgive : NULL,
	};
}
