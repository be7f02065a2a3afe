/* server.c - the program that is measured: flows that wait for what the generators send.
 *
 * FISH_PEER is the partner's URL. With BENCH_RESUMED the time from the sending of a delivery (which
 * stands in its body behind "@") to the flow that took it is counted in that file, which bench.py
 * reads. Surprise: that reads a clock, which no flow may do; here it is the point, and nothing that
 * the flow asks for depends on it. A flow that is run again would count its old deliveries again, so
 * only rows without parking and restarts look at the file. */
#include "histogram.h"

#include <fish.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static const fish_peer partner = { .name = "partner", .url = "${FISH_PEER}" };

/* A flow is given nothing but its input: the map of the file can only be found here. */
static struct histogram *resumed;

static void map_resumed(const char *file)
{
	int fd = file ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *at = fd < 0 ? MAP_FAILED
	                  : mmap(NULL, sizeof *resumed, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at != MAP_FAILED)
		resumed = at;
}

static void taken(const fish_msg *m)
{
	const char *at = resumed && m ? memchr(m->body, '@', m->len) : NULL;
	struct timespec now;

	if (!at)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	uint64_t ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;

	/* As the generator writes it, and cheaper than strtoull: this is not what is measured. */
	uint64_t sent_ns = 0;
	while (*++at >= '0' && *at <= '9')
		sent_ns = sent_ns * 10 + (uint64_t)(*at - '0');
	histogram_add(resumed, ns - sent_ns);
}

/* Takes whatever comes, for ever. */
static void taker(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");
	const fish_msg *m;

	(void)in;
	fish_log(f, "%s", fish_url(h));
	while ((m = fish_next(h, FISH_FOREVER)) != NULL)
		taken(m);
}

/* Waits for one callback, however long, and ends. */
static void waiter(fish_flow *f, const fish_msg *in)
{
	fish_hook *h = fish_spawn(f, "in");

	(void)in;
	fish_log(f, "%s", fish_url(h));
	if (!fish_next(h, FISH_FOREVER))
		fish_fail(f, "closed");
}

/* A round trip: the URL goes out, the partner calls back, the flow ends. */
static void trip(fish_flow *f, const fish_msg *in)
{
	fish_hook *answer = fish_spawn(f, "answer");

	(void)in;
	fish_post(f, &partner, "/trip", "{callback: %s}", fish_url(answer));
	const fish_msg *m = fish_next(answer, FISH_MINUTE);

	if (!m)
		fish_fail(f, "no answer");
	taken(m);
}

/* The steps of examples/broker's order. */
static void order(fish_flow *f, const fish_msg *in)
{
	fish_hook *courier = fish_spawn(f, "taken");

	fish_post(f, &partner, "/order", "{callback: %s, order: %-s}", fish_url(courier), fish_raw(in, ""));
	const fish_msg *m = fish_next(courier, FISH_MINUTE);

	if (!m)
		return;
	taken(m);
	fish_hook *granted = fish_spawn(f, "granted");
	const fish_msg *r = fish_post(f, &partner, "/accept", "{order: %s, callback: %s}",
	                              fish_str(in, "/id"), fish_url(granted));

	if (!fish_ok(r))
		fish_fail(f, "not heard: %d", r->status);
	m = fish_next(granted, FISH_MINUTE);
	if (!m)
		fish_fail(f, "no word");
	taken(m);
	fish_done(f, "{courier: %s}", fish_str(m, "/courier"));
}

static const fish_def flows[] = {
	FISH_FLOW(taker), FISH_FLOW(waiter), FISH_FLOW(trip), FISH_FLOW(order), FISH_END,
};
static const fish_peer *const peers[] = { &partner, NULL };

int main(int argc, char **argv)
{
	map_resumed(getenv("BENCH_RESUMED"));
	return fish_main(argc, argv, &(fish_program){ .flows = flows, .peers = peers });
}
